"""What the samplers share: methods that draw samples of the posterior, a trained denoiser being the prior."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..learned import sampling
from ..settings import setting
from .base import Carry, Method, State, square_norm

FEW = 20  #: noise levels below which DPS, MCG and Score-MRI were seen to end below the PSNR of z_0


@dataclass
class Chain(Carry):
    """The carry of a sampler: `z`, the samples (n, C, H, W) at the noise level of `step`; `network`, their `Prior`."""

    MADE_AGAIN: ClassVar = (*Carry.MADE_AGAIN, "network", "optimizer")


@dataclass(frozen=True)
class Sampler(Method):
    """Base of the samplers: `samples` images go together from pure noise to samples of p(x | y), approximately.

    Subclasses define `move`, one step, and may have another `_schedule` of levels than DDPM's. A raw output is the
    first sample's denoised image; what the method would return is the mean of all samples' denoised images, the
    posterior mean as the number of samples grows, with their standard deviation at each pixel where there are two or
    more.
    """

    planned: ClassVar[bool] = True
    trained: ClassVar[bool] = True
    guided: ClassVar[bool] = False  # whether a step takes the data's gradient through the denoiser, for each sample
    _schedule: ClassVar = staticmethod(sampling.ddpm_levels)  # number of steps -> noise levels

    steps: int = setting(100, "noise levels, from pure noise to none", low=1)
    samples: int = setting(1, "samples, drawn together; their mean is the answer", low=1, high=64)

    @property
    def gradients(self):
        """One for each sample of those that are `guided`."""
        return self.samples * self.guided

    def prior(self, observation):
        """The `sampling.Prior` of an observation: the trained denoiser of its kind of image, in its units."""
        return sampling.trained_prior(observation)

    def levels(self):
        """Noise levels of all steps, from pure noise down, a list of steps + 1 numbers."""
        return self._schedule(self.steps)

    def remarks(self, observation, steps):
        """What the prior was trained on, how the case differs from it, and whether the steps are too few."""
        few = f"{steps} noise level{'s' * (steps > 1)}: below {FEW} a sampler's answer can be worse than its start"
        return [*sampling.remarks(observation), *[few] * (steps < FEW)]

    def init(self, observation, seed, z0=None):
        prior, generator = self.prior(observation), torch.Generator().manual_seed(seed)
        images = observation.start.expand(self.samples, -1, -1, -1)
        noise = prior.unit * self.levels()[0] * sampling.normal(images, generator)
        return Chain(prior, None, noise if z0 is None else z0.expand_as(images), generator)

    def step(self, observation, carry):
        """One step to the next lower noise level. Returns a `State`, with the term ||A x - y||^2 of the answer x."""
        s, lower = (carry.network.unit * level for level in self.levels()[carry.step:carry.step + 2])
        z, images = self.move(observation, carry, s, lower)
        carry.z = z.contiguous()  # in the memory order of a checkpoint, which decides the last bits
        carry.step += 1
        answer = images.mean(dim=0, keepdim=True)
        several = self.samples > 1
        return State(carry.step, images[:1], dict(data=square_norm(observation.A(answer) - observation.y)), carry,
                     average=answer if several else None, deviation=deviation(images) if several else None)

    def noise(self, carry):
        """White noise of standard deviation 1 for each sample, from the run's generator."""
        return sampling.normal(carry.z, carry.generator)


def deviation(images):
    """Standard deviation of samples (n, C, H, W) at each pixel, of complex ones that of their magnitude of difference:
    sqrt(sum |x_i - mean|^2 / (n - 1)), (1, C, H, W) real.
    """
    return torch.std(images, dim=0, keepdim=True)
