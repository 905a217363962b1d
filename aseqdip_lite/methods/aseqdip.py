"""Autoencoding Sequential Deep Image Prior (Alkhouri, Liang et al., NeurIPS 2024, Algorithm 1)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ..settings import InputError, setting
from . import register
from .base import Carry, Method, State, advance, forward, network_setting, precision_setting, square_norm, start_network
from .controller import Controller, control
from .heldout import HeldOut
from .schedules import Schedule, parse, whole


@dataclass
class StageCarry(Carry):
    """A `Carry` that knows where in a stage it is.

    Attributes:
        controller: sets lam and N.
        stage: the stage k of the last step, from 1; 0 before the first step.
        inner: steps made in it, 1 to N; 0 where it is finished.
        swap: ||f(z_{k-1}) - z_{k-1}||^2 at its first step, a scalar; None before the first step.
    """

    controller: Controller | None = None
    stage: int = 0
    inner: int = 0
    swap: torch.Tensor | None = None


@register
@dataclass(frozen=True)
class ASeqDIP(Method):
    """aSeqDIP: for k = 1..K, N Adam steps on

        L(phi) = ||A f_phi(z_{k-1}) - y||^2 + lam ||f_phi(z_{k-1}) - z_{k-1}||^2        (Eq. 3)

    starting from phi_{k-1}, then z_k = f_phi(z_{k-1}) without gradient (Eq. 4); z_0 = A^H y (MRI, CT) or y. The
    answer is z_K (but see `final` of `run.recorder.Recorder`).

    Published setting: U-Net, Adam, lr 1e-4, lam 1, N 2, K 2000 (4000 steps). Algorithm 1 prints phi_0 ~ N(0, I), from
    which ours do not train: see `networks.initialise`. One Adam lives through all stages, as in the authors' scripts.

    lam and N may be schedules (see `schedules`), future work in the paper; what descends is then (3) times a damping.
    `heldout` leaves measurements out of the loss, not out of the curve's data term, which stopping rules compare.

    `refresh` says how a stage makes z_k:

    * "fresh": a forward pass after the N-th update, as in Algorithm 1.
    * "stale": the output of the last pass before the N-th update, as in the authors' scripts for denoising, deblurring
      and CT (lesson 14); saves one of 3 N + 1 pass units per stage and lags one update behind.
    * "projected": the fresh output after one Landweber step towards the data, z = f + A^H(y - A f); A must be linear.
      In MRI it is S^H F^-1((1 - M) F S f + M y) where sum |S|^2 = 1. With one coil the data replace the sampled
      k-space, a projection; with several they do not: one image has no free choice of its coil images S z. (The
      authors' MRI script takes the stale f, and has z in other units than f.)

    `rho` below 1, which is ours, damps the way of the input: z_k = (1 - rho) z_{k-1} + rho times what `refresh` makes.
    """

    name: ClassVar[str] = "aseqdip"
    about: ClassVar[str] = "autoencoding sequential DIP: the input follows the output (NeurIPS 2024)"
    budget: ClassVar[str] = "K"

    lam: float | Schedule = setting(1.0, "weight of the autoencoding term: a number, auto, or a schedule", low=0.0,
                                    parse=parse)
    N: int | Schedule = setting(2, "Adam steps per stage: a number or a schedule", low=1, parse=parse)
    K: int = setting(2000, "stages; N K is the number of Adam steps", low=1)
    lr: float = setting(3e-4, "learning rate of Adam (1e-4 in the paper, with its wider networks)", above=0.0)
    network: str = network_setting()
    precision: str = precision_setting()
    refresh: str = setting("fresh", "how a stage makes its next input", choices=("fresh", "stale", "projected"))
    rho: float = setting(1.0, "share of the full step that the input takes; 1 in the paper", above=0.0, high=1.0)

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
        return whole(self.N) * self.K

    def with_steps(self, steps):
        """As many stages as `steps` Adam steps fill; the last is cut short if N does not divide them."""
        return replace(self, K=-(-steps // whole(self.N)))

    def remarks(self, observation, steps):
        """What becomes of a last stage for which there are not N steps left."""
        rest = steps % self.N if isinstance(self.N, int) else 0
        return [f"N = {self.N} does not divide the {steps} steps: the last stage ends after {rest}"] * bool(rest)

    def init(self, observation, seed, z0=None):
        """Network drawn from `seed`; input z0, by default the observation's start."""
        if self.refresh == "projected" and not hasattr(observation.A, "adjoint"):
            raise InputError("refresh 'projected' needs a linear forward operator: use 'fresh' or 'stale'")
        carry = self.begin(observation, start_network(observation, observation.start, self, seed))
        carry.z = carry.controller.start if z0 is None else z0
        return carry

    def begin(self, observation, carry):
        """A `StageCarry` before its first stage, with the network, optimiser and input of any `Carry`."""
        return self._take_over(observation, StageCarry(**vars(carry)))

    def step(self, observation, carry):
        """One Adam step; at the end of a stage also the next input. Returns a `State`."""
        if carry.controller.settings != (self.lam, self.N):  # another method has stepped it
            self._take_over(observation, carry)
        controller = carry.controller
        output, terms = advance(carry, lambda output, z: self.objective(observation, controller, output, z))
        if carry.inner == 0:
            carry.stage, carry.swap = carry.stage + 1, terms["autoencoding"]
        carry.inner += 1
        terms |= controller.terms
        if carry.inner < controller.N:
            carry.output = forward(carry)
            image = carry.output.detach()
        else:
            image = self._next_input(observation, carry, output)
            z = image if self.rho == 1 else torch.lerp(carry.z, image, self.rho)
            carry.z, carry.inner = controller.after_stage(observation, carry, output, z), 0
        return State(carry.step, image, terms, carry, stage=carry.stage, average=controller.answer)

    @staticmethod
    def objective(observation, controller, output, z):
        """What is minimised, and {"loss", "data", "autoencoding"}: (3) over what is not held out, and its terms."""
        residual = observation.A(output) - observation.y
        data, autoencoding = square_norm(residual), square_norm(output - z)
        loss = controller.seen(data, residual) + controller.lam * autoencoding
        return controller.damping * loss, dict(loss=loss, data=data, autoencoding=autoencoding)

    def _take_over(self, observation, carry):
        """Go on with this method's lam and N; recorded steps hold the old lam, so they are dropped."""
        carry.controller = control(self.lam, self.N, observation, carry.generator.initial_seed())
        carry.replays, carry.graphs = carry.replays and carry.controller.replays, None
        return carry

    @torch.no_grad()
    def _next_input(self, observation, carry, stale):
        if self.refresh == "stale":
            return stale
        fresh = forward(carry)
        return fresh if self.refresh == "fresh" else fresh + observation.A.adjoint(observation.y - observation.A(fresh))
