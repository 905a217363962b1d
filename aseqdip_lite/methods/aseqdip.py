"""Autoencoding Sequential Deep Image Prior (Alkhouri, Liang et al., NeurIPS 2024, Algorithm 1)."""

import copy
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch

from ..settings import InputError, setting
from . import register, schedules
from .base import (
    Carry,
    Method,
    State,
    advance,
    forward,
    network_setting,
    precision_setting,
    square_norm,
    start_network,
)
from .heldout import HeldOut, Judge
from .schedules import Schedule, Stage


@dataclass
class StageCarry(Carry):
    """A `Carry` that knows where in a stage it is, and what lam and N are now.

    Attributes:
        lam, N: of the present stage.
        stage: the stage k that the last step belonged to, from 1; 0 before the first step.
        inner: steps made in it, 1 to N.
        swap: ||f(z_{k-1}) - z_{k-1}||^2 at its first step, where lam or N is a schedule; else 0.
        memory: {"lam": ..., "N": ...}, what a schedule remembers.
        judge: what follows the prediction of held-out measurements, with the schedule "heldout"; else None.
    """

    lam: float = 0.0
    N: int = 1
    stage: int = 0
    inner: int = 0
    swap: float = 0.0
    memory: dict = field(default_factory=lambda: dict(lam={}, N={}))
    judge: Judge | None = None

    PLAIN: ClassVar = ("lam", "N", "stage", "inner", "swap", "memory")

    def state_dict(self):
        judged = {} if self.judge is None else dict(judge=self.judge.state_dict())
        return super().state_dict() | {name: copy.deepcopy(getattr(self, name)) for name in self.PLAIN} | judged

    def load_state_dict(self, state):
        super().load_state_dict(state)
        if self.judge is not None:
            self.judge.load_state_dict(state["judge"])
        for name in self.PLAIN:
            setattr(self, name, copy.deepcopy(state[name]))


@register
@dataclass(frozen=True)
class ASeqDIP(Method):
    """aSeqDIP: for k = 1..K, N Adam steps on

        L(phi) = ||A f_phi(z_{k-1}) - y||^2 + lam ||f_phi(z_{k-1}) - z_{k-1}||^2        (Eq. 3)

    starting from phi_{k-1}, then z_k = f_phi(z_{k-1}) without gradient (Eq. 4); z_0 = A^H y (MRI,
    CT) or y. The answer is z_K.

    Published setting: U-Net, Adam, lr 1e-4, lam 1, N 2, K 2000 (4000 steps). Algorithm 1 prints
    phi_0 ~ N(0, I), which no trainable U-Net uses: weights are drawn as in `networks.initialise`.
    One Adam object lives through all stages; the paper is silent, the released code does so.

    lam and N may be schedules (see `schedules`), which the paper leaves as future work; then the loss that descends
    is (3) times `schedules.damped`, and the curve has what they were. With `heldout` the loss leaves measurements out,
    and the curve's data term does not, so that stopping rules compare it with the energy of all the noise.

    `refresh` chooses how z_k is made at the end of a stage:

    * "fresh": a new forward pass after the N-th update, as in Algorithm 1.
    * "stale": the output of the last pass before the N-th update, as in the released code; saves
      one of 3 N + 1 pass units a stage and lags one update behind.
    * "projected": the fresh output with its sampled k-space replaced by the data, as the released
      MRI code does: z = A^H(y - A f) + f, that is S^H F^-1((1 - M) F S f + M y) where
      sum |S|^2 = 1. Only for linear A.
    """

    name: ClassVar[str] = "aseqdip"
    about: ClassVar[str] = "autoencoding sequential DIP: the input follows the output (NeurIPS 2024)"
    budget: ClassVar[str] = "K"

    lam: float | Schedule = setting(1.0, "weight of the autoencoding term: a number, auto, or a schedule", low=0.0,
                                    parse=schedules.parse)
    N: int | Schedule = setting(2, "Adam steps per stage: a number or a schedule", low=1, parse=schedules.parse)
    K: int = setting(2000, "stages; N K is the number of Adam steps", low=1)
    lr: float = setting(3e-4, "learning rate of Adam (1e-4 in the paper, with its wider networks)", above=0.0)
    network: str = network_setting()
    precision: str = precision_setting()
    refresh: str = setting("fresh", "how a stage makes its next input", choices=("fresh", "stale", "projected"))

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.N, HeldOut):
            raise InputError("N cannot follow held-out measurements: the schedule heldout is for lam")
        if isinstance(self.lam, HeldOut) and self.refresh == "projected":
            raise InputError("refresh 'projected' puts all measurements into the image, so none can be held out: use "
                             "'fresh' or 'stale'")

    @property
    def steps(self):
        """Adam steps in all, N K, with the first N where it is a schedule."""
        return whole(schedules.first(self.N)) * self.K

    def with_steps(self, steps):
        """As many stages as hold `steps` Adam steps; the last stage is cut short if N does not divide them."""
        return replace(self, K=-(-steps // whole(schedules.first(self.N))))

    def init(self, observation, seed, z0=None):
        """Network drawn from `seed`; input z0, by default the observation's start."""
        if self.refresh == "projected" and not hasattr(observation.A, "adjoint"):
            raise InputError("refresh 'projected' needs a linear forward operator: use 'fresh' or 'stale'")
        judge = Judge(self.lam, observation, seed) if isinstance(self.lam, HeldOut) else None
        start = observation.start if judge is None else judge.start
        generator = torch.Generator().manual_seed(seed)
        carry = self.begin(start_network(observation, start if z0 is None else z0, self, generator))
        carry.judge = judge
        return carry

    def begin(self, carry):
        """The `StageCarry` before the first stage of a `Carry`: its network, optimiser and input, whatever they are."""
        values = vars(carry) | dict(replays=carry.replays and not self.scheduled)  # a recorded step has a fixed lam
        return StageCarry(**values, lam=schedules.first(self.lam), N=whole(schedules.first(self.N)))

    def step(self, observation, carry):
        """One Adam step; at the end of a stage also the next input. Returns a `State`."""
        self._take_over(carry)
        output, terms = advance(carry, lambda output, z: self.objective(observation, carry, output, z))
        terms |= {name: float(getattr(carry, name)) for name in self.scheduled}
        terms |= {} if carry.judge is None else dict(risk=carry.judge.risk)
        if carry.inner == 0:
            carry.stage += 1
            carry.swap = float(terms["autoencoding"]) if self.scheduled else 0.0  # a number must be waited for
        carry.inner += 1
        if carry.inner < carry.N:
            carry.output = forward(carry)
            return self._state(carry, carry.output.detach(), terms)
        image = self._next_input(observation, carry, output)
        if self.scheduled:
            residual = observation.A(output) - observation.y
            self._reschedule(carry, Stage(observation, carry.step, carry.z, image, residual, carry.swap))
        carry.z = image if carry.judge is None else carry.judge.judge(carry, image)
        carry.inner = 0
        return self._state(carry, image, terms)

    def objective(self, observation, carry, output, z):
        """What is minimised, and (3) without what is held out, "loss", with its terms "data" and "autoencoding"."""
        residual = observation.A(output) - observation.y
        data, autoencoding = square_norm(residual), square_norm(output - z)
        seen = data if carry.judge is None else square_norm(carry.judge.kept * residual)
        loss = seen + carry.lam * autoencoding
        return schedules.damped(loss, self.lam, carry.lam), dict(loss=loss, data=data, autoencoding=autoencoding)

    @staticmethod
    def _state(carry, image, terms):
        answer = None if carry.judge is None else carry.judge.answer
        return State(carry.step, image, terms, carry, stage=carry.stage, average=answer)

    @property
    def scheduled(self):
        """Names of the settings that are schedules: none, "lam", "N" or both."""
        return [name for name in ("lam", "N") if isinstance(getattr(self, name), Schedule)]

    def _take_over(self, carry):
        """A carry that another method has stepped goes on with this one's lam and N, where they are no schedules."""
        if "N" not in self.scheduled:
            carry.N = self.N
        if "lam" not in self.scheduled and carry.lam != self.lam:
            carry.lam, carry.graphs = self.lam, None  # recorded steps have the old lam

    def _reschedule(self, carry, stage):
        """lam and N of the next stage, where they are schedules."""
        if "N" in self.scheduled:
            carry.N = whole(self.N.next(stage, carry.memory["N"]))
        if "lam" in self.scheduled and carry.judge is None:
            carry.lam = self.lam.next(stage, carry.memory["lam"])

    @torch.no_grad()
    def _next_input(self, observation, carry, stale):
        if self.refresh == "stale":
            return stale
        fresh = forward(carry)
        if self.refresh == "projected":
            return fresh + observation.A.adjoint(observation.y - observation.A(fresh))
        return fresh


def whole(N):
    """The nearest number of steps that a stage can have."""
    return max(1, round(N))
