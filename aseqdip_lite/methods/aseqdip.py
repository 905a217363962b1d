"""Autoencoding Sequential Deep Image Prior (Alkhouri, Liang et al., NeurIPS 2024, Algorithm 1)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ..settings import InputError, setting
from . import register
from .base import Method, State, descend, precision_setting, square_norm, start_network


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

    lam: float = setting(1.0, "weight of the autoencoding term", low=0.0)
    N: int = setting(2, "Adam steps per stage", low=1)
    K: int = setting(2000, "stages; N K is the number of Adam steps", low=1)
    lr: float = setting(3e-4, "learning rate of Adam (1e-4 in the paper, with its wider networks)", above=0.0)
    network: str = setting("lite", "preset of the U-Net", choices=("lite", "paper-shallow", "paper-medium"))
    precision: str = precision_setting()
    refresh: str = setting("fresh", "how a stage makes its next input", choices=("fresh", "stale", "projected"))

    @property
    def steps(self):
        """Adam steps in all, N K."""
        return self.N * self.K

    def with_steps(self, steps):
        """As many stages as hold `steps` Adam steps; the last stage is cut short if N does not divide them."""
        return replace(self, K=-(-steps // self.N))

    def init(self, observation, seed, z0=None):
        """Network drawn from `seed`; input z0, by default the observation's start."""
        if self.refresh == "projected" and not hasattr(observation.A, "adjoint"):
            raise InputError("refresh 'projected' needs a linear forward operator: use 'fresh' or 'stale'")
        generator = torch.Generator().manual_seed(seed)
        z = observation.start if z0 is None else z0
        return start_network(observation, z, self, generator)

    def step(self, observation, carry):
        """One Adam step; at the end of a stage also the next input. Returns a `State`."""
        output = carry.network(carry.z) if carry.output is None else carry.output
        data = square_norm(observation.A(output) - observation.y)
        autoencoding = square_norm(output - carry.z)
        loss = data + self.lam * autoencoding
        descend(carry, loss)
        if carry.step % self.N:
            carry.output = carry.network(carry.z)
            image = carry.output.detach()
        else:
            image = carry.z = self._next_input(observation, carry, output.detach())
        losses = dict(loss=loss.item(), data=data.item(), autoencoding=autoencoding.item())
        return State(carry.step, image, losses, carry, stage=-(-carry.step // self.N))

    @torch.no_grad()
    def _next_input(self, observation, carry, stale):
        if self.refresh == "stale":
            return stale
        fresh = carry.network(carry.z)
        if self.refresh == "projected":
            return fresh + observation.A.adjoint(observation.y - observation.A(fresh))
        return fresh
