"""Why a run ended, and rules that pick one of its images without the truth."""

import copy
import math
from enum import StrEnum

import torch

#: Settings of which a lower value may keep a run from a fault, where the method has them.
CALMING = ("lr", "zeta", "w", "ratio")


class StopReason(StrEnum):
    """Why a run ended. The value is what metrics.json stores; `explanation` says what it means."""

    BUDGET = "budget", "The run has taken all its steps."
    EARLY = "early stopping", "The moving variance has had no new minimum for `patience` steps; its pick is the answer."
    OWN_RULE = "own rule", "The method's own rule ended the run."
    INTERRUPTED = "interrupted", "The run was stopped before its last step."
    DIVERGED = "diverged", "The loss is no longer a finite number, or far too large, so the run ended."
    DEAD = "dead network", "The network gave one value at all pixels and has stopped learning."

    def __new__(cls, value, explanation):
        reason = str.__new__(cls, value)
        reason._value_, reason.explanation = value, explanation
        return reason

    @property
    def is_fault(self):
        """Whether the run could not continue; its last good image is then the answer."""
        return self in (StopReason.DIVERGED, StopReason.DEAD)

    def told(self, settings):
        """The explanation and, of a fault, what to do in a method that has these settings."""
        lower = [name for name in CALMING if name in settings]
        way_out = "a lower " + " or ".join(lower) if lower else "more steps"
        return self.explanation + f" Try {way_out}." * self.is_fault


#: Weight of the newest output in the exponential variance, as published.
ALPHA = 0.1

#: By how much the data term may exceed its least value of late before an output counts as one of a dip, see `in_dip`.
SLACK = 0.05


def in_dip(data):
    """Whether a run ends in a dip: the last of its `data` terms, a list, is more than `SLACK` above the least of late.

    Adam now and then takes a step too far: in aSeqDIP data term and picture then get worse together, and come back in
    some hundred steps. (Where DIP has overfitted, a worse fit may be the better picture.) "Of late" is the last quarter
    of the run, so that a data term that rises for good, with lam, is accepted after a while.
    """
    return data[-1] > (1 + SLACK) * min(data[-1 - len(data) // 4:])


def as_vector(image):
    """(1, C, H, W), real or complex -> (n,) real, detached; complex numbers as [Re, Im]."""
    x = image.detach()
    return torch.view_as_real(x).flatten() if x.is_complex() else x.flatten()


class Rule:
    """A rule is shown every step by `update`, and answers whether its pick is now this step's image.

    Attributes:
        value: the last one; best, best_step: the least value so far and its step, 0 before the first.
    """

    def __init__(self):
        self.value, self.best, self.best_step = math.nan, math.inf, 0

    def consider(self, value, step):
        """Take `value` for this step; returns True if it is a new minimum."""
        self.value = value
        if not value < self.best:
            return False
        self.best, self.best_step = value, step
        return True

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(copy.deepcopy(state))  # running sums are updated in place


class MovingVariance(Rule):
    """Windowed moving variance of the outputs (ES-DIP: Wang et al., TMLR 2023, WMV).

    The variance of the last W outputs, VAR = mean ||x||^2 - ||mean x||^2 over the window, falls while the image forms
    and rises when noise is fitted: the minimum is the pick. With running sums a step costs a few passes over one
    image whatever W is.

    Args:
        window: W, number of outputs (100 as published).
    """

    def __init__(self, window=100):
        super().__init__()
        self.window, self.count = window, 0
        self.ring, self.total = [], None  # the last outputs, at most W of them, and their sum
        self.squares = 0.0

    def update(self, image, step):
        """Take in the raw output (1, C, H, W) of a step; returns True if the variance is at a new minimum."""
        x = as_vector(image)
        new = x.double()  # the variance is a small difference of large sums
        self.squares += float(new.dot(new))
        self.total = new if self.total is None else self.total + new
        if len(self.ring) < self.window:
            self.ring.append(x.clone())
        else:
            slot = self.ring[self.count % self.window]
            oldest = slot.double()
            self.squares -= float(oldest.dot(oldest))
            self.total -= oldest
            slot.copy_(x)
        self.count += 1
        if self.count < self.window:
            return False
        variance = self.squares / self.window - float(self.total.dot(self.total)) / self.window**2
        return self.consider(max(variance, 0.0), step)


class ExponentialVariance(Rule):
    """Exponential moving variance of the outputs (ES-DIP, EMV): one mean image instead of a window.

        d = x - mean,   mean <- mean + alpha d,   VAR <- (1 - alpha) (VAR + alpha ||d||^2)

    This is the variance under the weights alpha (1 - alpha)^j of the output j steps ago. It starts at 0, so the first
    `warm_up` outputs do not count.

    Args:
        alpha: weight of the newest output.
        warm_up: outputs before the first that counts.
    """

    def __init__(self, alpha=ALPHA, warm_up=100):
        super().__init__()
        self.alpha, self.warm_up, self.count = alpha, warm_up, 0
        self.mean, self.variance = None, 0.0

    def update(self, image, step):
        """Take in the raw output (1, C, H, W) of a step; returns True if the variance is at a new minimum."""
        x = as_vector(image).double()
        self.count += 1
        if self.mean is None:
            self.mean = x
        gap = x - self.mean
        self.mean = self.mean + self.alpha * gap
        self.variance = (1 - self.alpha) * (self.variance + self.alpha * float(gap.dot(gap)))
        return self.count >= self.warm_up and self.consider(self.variance, step)


class Discrepancy(Rule):
    """Morozov's discrepancy principle: the first step whose data term is at most the expected energy of the noise.

    Args:
        energy: E ||n||^2 in the units of the data term, see `Observation.noise_energy`.
    """

    def __init__(self, energy):
        super().__init__()
        self.energy = energy

    def update(self, data, step):
        """Take in the data term ||A f - y||^2 of a step; returns True at the first that is small enough."""
        return self.best_step == 0 and data <= self.energy and self.consider(data, step)
