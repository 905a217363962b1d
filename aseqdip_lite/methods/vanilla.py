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

    Published setting of the original: noise uniform on [0, 0.1], 32 channels, skip network 128 x 5, lr 0.01, input
    jitter of std 1/30, average of the outputs. The aSeqDIP paper compares with its own U-Net and 4000 steps; so do we,
    without jitter and average, and with the learning rate of a search of equal budget.
    """

    name: ClassVar[str] = "vanilla"
    about: ClassVar[str] = "Deep Image Prior: a fixed noise input, fit to the data (CVPR 2018)"

    network: str = network_setting()
    input_channels: int = setting(32, "channels of the noise input", low=1, high=256)

    def init(self, observation, seed, z0=None):
        """Network, then input noise, drawn from `seed`; z0 replaces the noise by a given image."""
        if z0 is not None:
            return start_network(observation, z0, self, seed)
        carry, start = start_network(observation, None, self, seed, c_in=self.input_channels), observation.start
        noise = torch.rand((1, self.input_channels, *start.shape[-2:]), generator=carry.generator)
        carry.z = 0.1 * noise.to(start.device)
        return carry
