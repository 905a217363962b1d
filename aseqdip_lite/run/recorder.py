"""What is kept of a run: curves, the four images, and what rules that need no truth would have picked."""

import copy
import math

from . import metrics
from .stopping import ALPHA, Discrepancy, ExponentialVariance, MovingVariance

#: Recorded outputs that a moving variance is taken of, at least.
FEWEST = 3


class Recorder:
    """Follows a run: one row of the curve per step, and the start, final, blind and oracle images.

    * start: z_0, or A^H y, before any step.
    * final: the method's answer at the last step; one of a dead network, constant over all pixels, is passed over.
    * blind: the answer where the moving variance of the outputs was least; None before one window.
    * oracle: the answer of highest PSNR over the steps, which needs the truth; None without one.

    `rules` are followed side by side, whatever the method does: "wmv", which makes the blind image, "emv",
    and "discrepancy" where the noise level is known (see `stopping`); `picks` are the answers at the
    steps that they pick, and `blend` is the mean of three.

    Both variances look back over the same stretch of the run however often it is recorded: of a window of 100 steps,
    recorded every 10, the moving variance sees 10 outputs, and the exponential one forgets ten steps at a time.

    Args:
        case: the `Case`; the only place where the truth is read.
        window: window of the moving variance in steps, and those before its exponential form counts; at least
            `FEWEST` recorded outputs, where the window has so many steps.
        every: steps from one recorded step to the next.
    """

    def __init__(self, case, window=100, every=1):
        self.case = case
        outputs = min(window, max(FEWEST, window // every))
        self.rules = dict(wmv=MovingVariance(outputs),
                          emv=ExponentialVariance(1 - (1 - ALPHA)**every, warm_up=outputs))
        if case.observation.noise_energy:
            self.rules["discrepancy"] = Discrepancy(case.observation.noise_energy)
        self.picks = dict.fromkeys(self.rules)
        self.images = dict(start=case.observation.start, final=None, blind=None, oracle=None)
        self.curve = {}
        self.oracle_psnr, self.oracle_step, self.deviation = -math.inf, None, None
        self.flat = 0  # constant outputs in a row, up to the last step

    def record(self, state):
        """Take in one state; returns its curve row. A constant output counts as no answer, unless it is the first."""
        estimate = state.estimate
        self.flat = self.flat + 1 if is_constant(state.image) else 0
        if not self.flat or not self.curve:
            self.images["final"], self.deviation = estimate, state.deviation
            for name, rule in self.rules.items():
                shown = state.losses.get("data", math.nan) if name == "discrepancy" else state.image
                if rule.update(shown, state.step):
                    self.picks[name] = estimate
            self.images["blind"] = self.picks["wmv"]
        row = dict(step=state.step, stage=state.stage, **state.losses, variance=self.variance.value)
        if self.case.truth is not None:
            row["psnr"] = self.score("psnr", estimate)
            if row["psnr"] > self.oracle_psnr:
                self.oracle_psnr, self.oracle_step, self.images["oracle"] = row["psnr"], state.step, estimate
        if self.case.heldout is not None:
            row["heldout_residual"] = metrics.residual(*self.case.heldout, estimate)
        for name, value in row.items():
            self.curve.setdefault(name, []).append(value)
        return row

    @property
    def variance(self):
        """The moving variance of the outputs, whose minimum is the blind pick."""
        return self.rules["wmv"]

    @property
    def blend(self):
        """The mean of both variances' picks and the final image, of those that there are; None before there is a pick.

        ||mean x_i - x||^2 is the mean of ||x_i - x||^2 less the mean of ||x_i - mean||^2: it errs less than its members
        do on average, by how far they lie apart, so that a pick that came too early or a run that went on too long
        costs less.
        """
        picks = [image for image in (self.picks["wmv"], self.picks["emv"]) if image is not None]
        return sum(picks, self.images["final"]) / (len(picks) + 1) if picks else None

    @property
    def steps(self):
        """The last step that was recorded; 0 before the first."""
        return self.curve["step"][-1] if self.curve else 0

    def scores(self):
        """What is measured of the four images: {"psnr": {"start": ..., "final": ..., ...}, "ssim": {...}, ...}.

        "data_residual" and "heldout_residual" are `metrics.residual` on y and on the measurements that
        are held out. None where the image is missing, or the truth, or nothing is held out.
        """
        case, scores = self.case, {}
        for name in ("psnr", "ssim"):
            scores[name] = {key: self.score(name, image) for key, image in self.images.items()}
        data = (case.observation.A, case.observation.y)
        for name, measured in (("data_residual", data), ("heldout_residual", case.heldout)):
            scores[name] = {key: None if image is None or measured is None else metrics.residual(*measured, image)
                            for key, image in self.images.items()}
        return scores

    def score(self, name, image):
        """PSNR in dB ("psnr") or SSIM ("ssim") of an image of the method; None without image or truth."""
        if image is None or self.case.truth is None:
            return None
        return getattr(metrics, name)(self.case.display(image), self.case.truth, self.case.data_range)

    def stops(self):
        """What each rule picked, and "blend": {rule: {"step", "psnr", "ssim"}}; None where it has none, or no truth."""
        steps = {name: rule.best_step or None for name, rule in self.rules.items()} | dict(blend=None)
        return {name: dict(step=steps[name], psnr=self.score("psnr", image), ssim=self.score("ssim", image))
                for name, image in (self.picks | dict(blend=self.blend)).items()}

    def state_dict(self):
        return dict(images=self.images, picks=self.picks, curve=self.curve, deviation=self.deviation, flat=self.flat,
                    oracle_psnr=self.oracle_psnr, oracle_step=self.oracle_step,
                    rules={name: rule.state_dict() for name, rule in self.rules.items()})

    def load_state_dict(self, state):
        self.images, self.picks = dict(state["images"]), dict(state["picks"])
        self.oracle_psnr, self.oracle_step = state["oracle_psnr"], state["oracle_step"]
        self.curve, self.deviation, self.flat = copy.deepcopy(state["curve"]), state["deviation"], state["flat"]
        for name, rule in self.rules.items():
            rule.load_state_dict(state["rules"][name])


def is_constant(image):
    """Whether an image (1, C, H, W) has one value at all pixels of each channel, to within rounding.

    Sums of equal numbers in another order differ by some 1e-7 of their size, so 1e-5 is no difference.
    """
    return all(bool((part - part[..., :1, :1]).abs().max() <= 1e-5 * part.abs().max())
               for part in (image[..., :1, :], image))  # the first row is quick and nearly always says no
