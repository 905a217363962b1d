"""ES-DIP: Deep Image Prior that stops by itself (Wang, Li, Zhuang, Chen, Liang and Sun, TMLR 2023)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ..run.stopping import ExponentialVariance, MovingVariance
from ..settings import setting
from . import register
from .base import Carry
from .vanilla import Vanilla


@dataclass
class Stopping(Carry):
    """A `Carry` with a stopping rule and the output that it picks so far, None before the first pick."""

    rule: MovingVariance | ExponentialVariance | None = None
    pick: torch.Tensor | None = None


@register
@dataclass(frozen=True)
class ESDIP(Vanilla):
    """ES-DIP: vanilla DIP, ended once the variance of its outputs has had no new minimum for P steps.

    The answer is the output at the minimum; before the first whole window it is the raw output. "wmv" is the variance
    of the last W outputs and keeps W images, "emv" its exponential form with weight alpha for the newest, which keeps
    one; running sums make a step cost the same whatever W is (see `run.stopping`).

    Published setting: W 100, P 1000, or alpha 0.1, P 1000; the released notebooks run to the end and draw a line
    where they would have stopped. Our runs are shorter, and P with them.
    """

    name: ClassVar[str] = "es_dip"
    about: ClassVar[str] = "Deep Image Prior that stops where its outputs vary least (TMLR 2023)"

    rule: str = setting("wmv", "variance of a window of outputs, or its exponential form", choices=("wmv", "emv"))
    W: int = setting(100, "window of wmv in outputs; steps before emv counts", low=2, high=10_000)
    alpha: float = setting(0.1, "weight of the newest output in emv", above=0.0, below=1.0)
    P: int = setting(1000, "patience: steps without a new minimum after which the run ends", low=1)

    def init(self, observation, seed, z0=None):
        rule = MovingVariance(self.W) if self.rule == "wmv" else ExponentialVariance(self.alpha, self.W)
        return Stopping(**vars(super().init(observation, seed, z0)), rule=rule)

    def step(self, observation, carry):
        """One Adam step, and the rule's look at its output. Returns a `State`."""
        state = super().step(observation, carry)
        if carry.rule.update(state.image, state.step):
            carry.pick = state.image
        carry.done = carry.pick is not None and carry.step - carry.rule.best_step >= self.P
        return replace(state, average=carry.pick)
