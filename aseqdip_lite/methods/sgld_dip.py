"""SGLD-DIP: a Bayesian view of Deep Image Prior (Cheng, Gadelha, Maji and Sheldon, CVPR 2019)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ..settings import setting
from . import register
from .base import Carry
from .vanilla import Vanilla


@dataclass
class Samples(Carry):
    """A `Carry` with the running moments of the outputs sampled so far.

    Attributes:
        count: samples taken.
        mean: their mean (1, C, H, W), None before the first.
        scatter: sum of |sample - mean|^2, (1, C, H, W) real, by Welford's recursion.
    """

    count: int = 0
    mean: torch.Tensor | None = None
    scatter: torch.Tensor | None = None

    def add(self, image):
        """Take in one sample."""
        if self.count == 0:
            self.mean, self.scatter = torch.zeros_like(image), torch.zeros_like(image.abs())
        self.count += 1
        before = image - self.mean
        self.mean = self.mean + before / self.count
        self.scatter = self.scatter + (before * (image - self.mean).conj()).real

    @property
    def deviation(self):
        """Sample standard deviation of each pixel (1, C, H, W); None before the second sample."""
        return (self.scatter / (self.count - 1)).sqrt() if self.count > 1 else None


@register
@dataclass(frozen=True)
class SGLDDIP(Vanilla):
    """SGLD-DIP: after each Adam step Gaussian noise of standard deviation `noise` lr on the convolutions' weights.

    The weights wander instead of settling, and after a burn-in the outputs are samples, approximately of the posterior.
    The answer is their mean (before the first sample the raw output), with their standard deviation at each pixel. As
    in the released code biases and normalisation weights get no noise, and Adam does not know of it.

    Published setting: lr 0.01, noise 2 lr, 20000 steps, burn-in 7000, a sample every 50th step, input jitter of
    standard deviation 1/30. Ours keeps the published share of the burn-in, 0.35, and the number of samples within the
    fewer steps of the aSeqDIP paper's comparison, has no jitter, as our vanilla DIP, and its lr from a search of equal
    budget.
    """

    name: ClassVar[str] = "sgld_dip"
    about: ClassVar[str] = "Deep Image Prior with Langevin noise: posterior mean and deviation (CVPR 2019)"

    noise: float = setting(2.0, "standard deviation of the noise on the weights, in learning rates", low=0.0)
    burn_in: int = setting(700, "Adam steps before the first sample", low=0)
    thin: int = setting(5, "Adam steps from one sample to the next", low=1)

    def with_steps(self, steps):
        """The same method with a budget of `steps`; burn-in and thinning keep their shares of it."""
        scale = steps / self.steps
        return replace(self, steps=steps, burn_in=round(self.burn_in * scale), thin=max(round(self.thin * scale), 1))

    def init(self, observation, seed, z0=None):
        return Samples(**vars(super().init(observation, seed, z0)))

    def disturb(self, carry):
        """Noise on the weights of the convolutions, drawn on the CPU in the network's order."""
        for weight in convolutions(carry.network):
            noise = torch.randn(weight.shape, generator=carry.generator, dtype=weight.dtype)
            weight.data.add_(noise.to(weight.device), alpha=self.noise * self.lr)

    def step(self, observation, carry):
        """One Adam step, noise, and now and then a sample. Returns a `State`."""
        state = super().step(observation, carry)
        if carry.step > self.burn_in and (carry.step - self.burn_in) % self.thin == 0:
            carry.add(state.image)
        return replace(state, average=carry.mean, deviation=carry.deviation)


def convolutions(network):
    """Weights of a network's 2D convolutions: its parameters of four axes."""
    return [weight for weight in network.parameters() if weight.dim() == 4]
