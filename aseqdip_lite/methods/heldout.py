"""A run that is judged by measurements it does not see, and sets its lam by that: the schedule "heldout".

A share of the measurements is held out of the data term. Their noise n is independent of an image x
that was made without them, so

    E ||A x - y||^2 = E ||A x - A x_true||^2 + E ||n||^2        (over what is held out),

an unbiased estimate, but for a constant, of the error that counts: no truth and no noise level is needed,
and A may be any forward operator. Whatever improves the prediction is signal, whatever does not is noise.
"""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch

from ..operators.sampling import hold_out
from ..settings import InputError, setting
from .schedules import Schedule, energy, register


@register
@dataclass(frozen=True)
class HeldOut(Schedule):
    """`first` while the image predicts the held-out measurements better and better; whenever it has ceased to, the run
    goes back to where it was best and on with `factor` times the value, and above `most` it ends.

    What is judged, and returned, is the exponential average of the inputs z_k over about 1 / (1 - average) steps, where
    it was best. The loss is damped by (1 + first) / (1 + lam), so that a larger lam weighs the data less.

    The numbers are those that won the search of experiment L2, with N = 2.
    """

    name: ClassVar[str] = "heldout"

    first: float = setting(0.25, "value at first", above=0.0)
    factor: float = setting(4.0, "what the value is multiplied by each time", above=1.0)
    most: float = setting(1024.0, "the run ends above this value", above=0.0)
    share: float = setting(0.05, "share of the measurements that is held out", above=0.0, high=0.5)
    patience: float = setting(0.5, "share of the steps made without a better prediction until it has ceased", above=0.0)
    average: float = setting(0.98, "weight of the past in the average, for a step", low=0.0, below=1.0)
    warm_up: int = setting(100, "steps before the first prediction that counts, and the least patience", low=1)

    def damping(self, value):
        return (1 + self.first) / (1 + value)


class Judge:
    """Holds measurements out, follows how well they are predicted, and takes the run back when that has ceased.

    Args:
        rule: the `HeldOut`.
        observation: the `Observation`.
        seed: of the choice of what is held out.

    Attributes:
        kept: ones and zeros, (H, W) as the last two axes of y; what is held out is 0.
        average: of the inputs so far, (1, C, H, W); None before the first stage.
        risk: ||A average - y||^2 over what is held out; of z_0 before the first stage.
        best: where the risk was least: {"risk", "step", "average", "z", "network", "optimizer"}; None before.
        since: step of the last return.

    Raises:
        InputError: the share rounds to nothing or to everything.
    """

    def __init__(self, rule, observation, seed):
        self.rule, self.observation = rule, observation
        self.kept = kept(observation, rule.share, torch.Generator().manual_seed(seed))
        self.start = start_without(observation, self.kept)
        self.average, self.best, self.since = None, None, 0
        self.risk = self.predict(self.start)

    @property
    def answer(self):
        """What the method would return now, (1, C, H, W); None before the first stage."""
        return self.average if self.best is None else self.best["average"]

    @torch.no_grad()
    def predict(self, image):
        """The risk of an image."""
        residual = self.observation.A(image) - self.observation.y
        return energy((1 - self.kept) * residual)

    def judge(self, carry, z):
        """Take in a stage's next input z and return it, or the one to go back to; `carry` is changed to go with it."""
        rule = self.rule
        past = rule.average ** carry.inner
        self.average = z if self.average is None else torch.lerp(z, self.average, past)
        self.risk = self.predict(self.average)
        if carry.step < rule.warm_up:
            return z
        if self.best is None or self.risk < self.best["risk"]:
            self.best = dict(risk=self.risk, step=carry.step, average=self.average, z=z,
                             network=copy.deepcopy(carry.network.state_dict()),
                             optimizer=copy.deepcopy(carry.optimizer.state_dict()))
            return z
        waited = carry.step - max(self.best["step"], self.since)
        return self.go_back(carry) if waited > max(rule.patience * self.best["step"], rule.warm_up / 2) else z

    def go_back(self, carry):
        """Where the risk was least, with a larger lam; the steps since are lost, but they are counted."""
        carry.network.load_state_dict(self.best["network"])
        carry.optimizer.load_state_dict(copy.deepcopy(self.best["optimizer"]))
        carry.lam, self.since, self.average = carry.lam * self.rule.factor, carry.step, self.best["average"]
        carry.done = carry.lam > self.rule.most
        return self.best["z"]

    def state_dict(self):
        return dict(average=self.average, best=self.best, since=self.since, risk=self.risk)

    def load_state_dict(self, state):
        self.average, self.since, self.risk = state["average"], state["since"], state["risk"]
        self.best = copy.deepcopy(state["best"])


def kept(observation, share, generator):
    """(H, W) ones and zeros over the last two axes of y: 0 at a random share of what was measured.

    Of k-space the calibration centre is kept, as `masks.hold_out` does.

    Raises:
        InputError: the share rounds to nothing or to everything.
    """
    y = observation.y
    measured = (y != 0).reshape(-1, *y.shape[-2:]).any(dim=0).float().cpu()  # (n, H, W) -> (H, W)
    if y.is_complex():
        seen, held = hold_out(measured, measured.shape, share, generator)
        return (1 - held).to(y.device)
    places = measured.flatten().nonzero().flatten()
    count = round(share * len(places))
    if not 0 < count < len(places):
        raise InputError(f"share {share:g} holds out {count} of {len(places)} places: choose another")
    held = torch.zeros_like(measured).flatten()
    held[places[torch.randperm(len(places), generator=generator)[:count]]] = 1
    return (1 - held).reshape(measured.shape).to(y.device)


def start_without(observation, kept):
    """The observation's start, made without what is held out, (1, C, H, W).

    Where y is the picture itself, each held-out pixel takes the mean of its measured neighbours; else the start is
    A^H of what is kept, as large as the start is to A^H y.
    """
    A, y, start = observation.A, observation.y, observation.start
    if y.shape != start.shape or y.is_complex():
        return A.adjoint(kept * y) * (start.norm() / A.adjoint(y).norm())
    known = kept * (y != 0).any(dim=1, keepdim=True).to(y.dtype)  # (1, 1, H, W)
    window = torch.ones(1, 1, 3, 3, dtype=y.dtype, device=y.device)
    values = (known * y).transpose(0, 1)  # (C, 1, H, W)
    total = torch.nn.functional.conv2d(values, window, padding=1).transpose(0, 1)
    count = torch.nn.functional.conv2d(known, window, padding=1)
    return kept * start + (1 - kept) * total / count.clamp(min=1)
