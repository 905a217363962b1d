"""Deep Image Prior with a fixed noise input (Ulyanov, Vedaldi and Lempitsky, CVPR 2018)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..settings import setting
from . import register
from .base import FixedInput, network_setting, start_network


@register
@dataclass(frozen=True)
class Vanilla(FixedInput):
    """Vanilla DIP: min over phi of ||A f_phi(z) - y||^2 with z fixed uniform noise (Eq. 1).

    Published setting of the original: noise uniform on [0, 0.1], 32 channels, skip network
    128 x 5, lr 0.01, input jitter of std 1/30, average of the outputs. The aSeqDIP paper compares
    with the same U-Net as its own and 4000 steps; so do we, with the learning rate tuned by a
    search of equal budget, without jitter and average.
    """

    name: ClassVar[str] = "vanilla"
    about: ClassVar[str] = "Deep Image Prior: a fixed noise input, fit to the data (CVPR 2018)"

    network: str = network_setting()
    input_channels: int = setting(32, "channels of the noise input", low=1, high=256)

    def init(self, observation, seed, z0=None):
        """Network, then input noise, drawn from `seed`; z0 replaces the noise by a given image."""
        generator = torch.Generator().manual_seed(seed)
        image = observation.start
        c_in = None if z0 is not None else self.input_channels
        carry = start_network(observation, z0, self, generator, c_in=c_in)
        if z0 is None:
            noise = torch.rand((1, c_in, *image.shape[-2:]), generator=generator)
            carry.z = 0.1 * noise.to(image.device)
        return carry
