"""What is kept of a run: its curves and its answers."""

import copy
import math

from ..settings import InputError
from . import metrics
from .stopping import ALPHA, Discrepancy, ExponentialVariance, MovingVariance, in_dip

#: The images that a run may be asked for, see `Recorder`.
ANSWERS = ("start", "final", "last", "blind", "emv", "discrepancy", "blend", "oracle")

#: Recorded outputs that a moving variance is taken of, at least.
FEWEST = 3


def first_value(every=1, window=100):
    """The step of the moving variance's first value: the last of a window, see `Recorder`."""
    return every * min(window, max(FEWEST, window // every))


class Recorder:
    """Follows a run: one row of the curve per step, and its answers, `images` and the steps that they are of, `at`.

    * start: z_0, or A^H y, before any step.
    * final: the method's answer at the last step; of a method in stages at the last in no dip (`stopping.in_dip`) and
      no later than the pick of discrepancy, as beyond it the data term is below the energy of the noise.
    * last: its answer at the last step. Neither is of an output that is constant over all pixels.
    * blind, emv, discrepancy: the answers that the `rules` pick (see `stopping`), the last one where the noise level is
      known; None before one window. The two variances look back over the same stretch of the run however often it is
      recorded: of 100 steps, recorded every 10, they see 10 outputs.
    * blend: the mean of final, blind and emv.
    * oracle: the answer of highest PSNR over the steps, which needs the truth; None without one.

    Args:
        case: the `Case`; the only place where the truth is read.
        window: steps of the moving variance, and before its exponential form counts; at least `FEWEST` recorded
            outputs, where the window has so many steps.
        every: steps from one recorded step to the next.
    """

    def __init__(self, case, window=100, every=1):
        self.case = case
        outputs = first_value(every, window) // every
        self.rules = dict(blind=MovingVariance(outputs),
                          emv=ExponentialVariance(1 - (1 - ALPHA)**every, warm_up=outputs))
        if case.observation.noise_energy:
            self.rules["discrepancy"] = Discrepancy(case.observation.noise_energy)
        self.images = dict(start=case.observation.start) | dict.fromkeys(("final", "last", *self.rules, "oracle"))
        self.at = dict(start=0)
        self.curve = {}
        self.oracle_psnr, self.deviation = -math.inf, None
        self.flat = 0  # constant outputs in a row, up to the last step

    def record(self, state):
        """Take in one state; returns its curve row. A constant output counts as no answer, unless it is the first."""
        taken = []
        self.flat = self.flat + 1 if is_constant(state.image) else 0
        if not self.flat or not self.curve:
            taken.append("last")
            if not state.stage or self.fits(state.losses.get("data", math.nan)):
                self.deviation = state.deviation
                taken.append("final")
            for name, rule in self.rules.items():
                shown = state.losses.get("data", math.nan) if name == "discrepancy" else state.image
                if rule.update(shown, state.step):
                    taken.append(name)
        row = dict(step=state.step, stage=state.stage, **state.losses, variance=self.variance.value)
        if self.case.truth is not None:
            row["psnr"] = self.score("psnr", state.estimate)
            if row["psnr"] > self.oracle_psnr:
                self.oracle_psnr = row["psnr"]
                taken.append("oracle")
        if self.case.heldout is not None:
            row["heldout_residual"] = metrics.residual(*self.case.heldout, state.estimate)
        if self.curve and self.curve.keys() != row.keys():
            raise InputError(f"the checkpoint has a curve of {', '.join(self.curve)}, this run of {', '.join(row)}: "
                             "delete it to start again")
        self.images |= dict.fromkeys(taken, state.estimate)
        self.at |= dict.fromkeys(taken, state.step)
        for name, value in row.items():
            self.curve.setdefault(name, []).append(value)
        return row

    def fits(self, data):
        """Whether the output of this data term may be the answer: it ends no dip, and no noise was fitted before it."""
        noise = self.rules.get("discrepancy")
        return not (noise and noise.best_step) and not in_dip([*self.curve.get("data", []), data])

    @property
    def variance(self):
        """The moving variance of the outputs, whose minimum is the blind pick."""
        return self.rules["blind"]

    @property
    def blend(self):
        """The mean of final and of those of blind and emv that there are; None before there is one.

        ||mean x_i - x||^2 is the mean of ||x_i - x||^2 less the mean of ||x_i - mean||^2: the farther its members lie
        apart, the less it errs than they do on average.
        """
        picks = [self.images[name] for name in ("blind", "emv") if self.images[name] is not None]
        return sum(picks, self.images["final"]) / (len(picks) + 1) if picks else None

    @property
    def steps(self):
        """The last step that was recorded; 0 before the first."""
        return self.curve["step"][-1] if self.curve else 0

    def answers(self):
        """{name: {"step", "psnr", "ssim", "data_residual", "heldout_residual"}} of those of `ANSWERS` that there are,
        each None where it is unknown. The residuals are `metrics.residual` on y and on the measurements held out.
        """
        observation, heldout = self.case.observation, self.case.heldout
        images = self.images | dict(blend=self.blend)
        return {name: dict(step=self.at.get(name), psnr=self.score("psnr", image), ssim=self.score("ssim", image),
                           data_residual=metrics.residual(observation.A, observation.y, image),
                           heldout_residual=None if heldout is None else metrics.residual(*heldout, image))
                for name in ANSWERS if (image := images.get(name)) is not None}

    def score(self, name, image):
        """PSNR in dB ("psnr") or SSIM ("ssim") of an image of the method; None without a truth."""
        if self.case.truth is None:
            return None
        return getattr(metrics, name)(self.case.display(image), self.case.truth, self.case.data_range)

    def state_dict(self):
        return dict(images=self.images, at=self.at, curve=self.curve, deviation=self.deviation, flat=self.flat,
                    oracle_psnr=self.oracle_psnr, rules={name: rule.state_dict() for name, rule in self.rules.items()})

    def load_state_dict(self, state):
        self.images, self.at, self.oracle_psnr = dict(state["images"]), dict(state["at"]), state["oracle_psnr"]
        self.curve, self.deviation, self.flat = copy.deepcopy(state["curve"]), state["deviation"], state["flat"]
        for name, rule in self.rules.items():
            rule.load_state_dict(state["rules"][name])


def is_constant(image):
    """Whether an image (1, C, H, W) has one value at all pixels of each channel, to within rounding.

    Sums of equal numbers in another order differ by some 1e-7 of their size, so 1e-5 is no difference.
    """
    return all(bool((part - part[..., :1, :1]).abs().max() <= 1e-5 * part.abs().max())
               for part in (image[..., :1, :], image))  # the first row is quick and nearly always says no
