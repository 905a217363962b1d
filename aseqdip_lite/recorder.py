"""What is kept of a run: curves, the four images, and the moving variance that needs no truth."""

import copy
import math

import torch

from . import metrics


class MovingVariance:
    """Windowed moving variance of the outputs (ES-DIP: Wang et al., TMLR 2023, WMV).

    The variance of the last W outputs, VAR = mean ||x||^2 - ||mean x||^2 over the window, falls
    while the image forms and rises when noise is fitted. Its minimum is a blind pick of the
    image; early stopping waits `patience` further steps for a new minimum. Running sums are
    kept in double precision, so a step costs a few passes over one image whatever W is.

    Args:
        window: W, number of outputs (100 as published).
    """

    def __init__(self, window=100):
        self.window, self.count = window, 0
        self.value, self.best, self.best_step = math.nan, math.inf, 0
        self.ring = self.total = None
        self.squares = 0.0

    def update(self, image, step):
        """Take in the raw output (1, C, H, W) of a step; returns True if the variance is at a new minimum."""
        x = image.detach()
        x = torch.view_as_real(x).flatten() if x.is_complex() else x.flatten()
        if self.ring is None:
            self.ring = x.new_zeros((self.window, x.numel()))
            self.total = x.new_zeros(x.numel(), dtype=torch.float64)
        slot = self.ring[self.count % self.window]
        new, oldest = x.double(), slot.double()  # the variance is a small difference of large sums
        self.squares += float(new.dot(new)) - float(oldest.dot(oldest))
        self.total += new - oldest
        slot.copy_(x)
        self.count += 1
        if self.count < self.window:
            return False
        self.value = max(self.squares / self.window - float(self.total.dot(self.total)) / self.window**2, 0.0)
        if not self.value < self.best:
            return False
        self.best, self.best_step = self.value, step
        return True

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(copy.deepcopy(state))  # the running sums are updated in place


class Recorder:
    """Follows a run: one row of the curve per step, and the start, final, blind and oracle images.

    * start: z_0, or A^H y, before any step.
    * final: the method's answer at the last step.
    * blind: the answer where the moving variance of the outputs was least; None before one window.
    * oracle: the answer of highest PSNR over the steps, which needs the truth; None without one.

    Args:
        case: the `Case`; the only place where the truth is read.
        window: window of the moving variance.
    """

    def __init__(self, case, window=100):
        self.case = case
        self.variance = MovingVariance(window)
        self.images = dict(start=case.observation.start, final=None, blind=None, oracle=None)
        self.curve = {}
        self.oracle_psnr = -math.inf

    def record(self, state):
        """Take in one state; returns its curve row."""
        estimate = state.estimate
        self.images["final"] = estimate
        if self.variance.update(state.image, state.step):
            self.images["blind"] = estimate
        row = dict(step=state.step, stage=state.stage, **state.losses, variance=self.variance.value)
        if self.case.truth is not None:
            row["psnr"] = self.psnr(estimate)
            if row["psnr"] > self.oracle_psnr:
                self.oracle_psnr, self.images["oracle"] = row["psnr"], estimate
        if self.case.heldout is not None:
            row["heldout_residual"] = metrics.residual(*self.case.heldout, estimate)
        for name, value in row.items():
            self.curve.setdefault(name, []).append(value)
        return row

    @property
    def steps(self):
        """The last step that was recorded; 0 before the first."""
        return self.curve["step"][-1] if self.curve else 0

    def psnr(self, image):
        """PSNR in dB of an image of the method against the truth."""
        return metrics.psnr(self.case.display(image), self.case.truth, self.case.data_range)

    def scores(self):
        """What is measured of the four images: {"psnr": {"start": ..., "final": ..., ...}, "ssim": {...}, ...}.

        "data_residual" and "heldout_residual" are `metrics.residual` on y and on the measurements that
        are held out. None where the image is missing, or the truth, or nothing is held out.
        """
        case, scores = self.case, {}
        for name, measure in (("psnr", metrics.psnr), ("ssim", metrics.ssim)):
            scores[name] = {
                key: None if image is None or case.truth is None
                else measure(case.display(image), case.truth, case.data_range)
                for key, image in self.images.items()}
        data = (case.observation.A, case.observation.y)
        for name, measured in (("data_residual", data), ("heldout_residual", case.heldout)):
            scores[name] = {key: None if image is None or measured is None else metrics.residual(*measured, image)
                            for key, image in self.images.items()}
        return scores

    def state_dict(self):
        return dict(images=self.images, curve=self.curve, oracle_psnr=self.oracle_psnr,
                    variance=self.variance.state_dict())

    def load_state_dict(self, state):
        self.images, self.oracle_psnr = dict(state["images"]), state["oracle_psnr"]
        self.curve = copy.deepcopy(state["curve"])
        self.variance.load_state_dict(state["variance"])
