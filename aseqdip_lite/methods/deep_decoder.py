"""The Deep Decoder as a method (Heckel and Hand, ICLR 2019): too few weights to fit noise."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..networks import ImageNetwork
from ..networks.decoder import decoder, most_layers
from ..settings import setting
from . import register
from .base import Carry, FixedInput, adam


@register
@dataclass(frozen=True)
class Decoder(FixedInput):
    """Deep Decoder: min over phi of ||A f_phi(z) - y||^2, f_phi 1x1 convolutions and upsampling alone, z noise.

    See `networks.decoder.DeepDecoder`. Published setting: 5 upsamplings, 64 or 128 channels, Adam with lr 0.01, input
    noise of standard deviation 0.1. Ours has no sigmoid at the end, since MRI images are complex, and standard normal
    noise, whose scale the channel normalisation divides out.
    """

    name: ClassVar[str] = "deep_decoder"
    about: ClassVar[str] = "under-parameterised network of 1x1 convolutions and upsampling (ICLR 2019)"

    lr: float = setting(0.01, "learning rate of Adam", above=0.0)
    channels: int = setting(64, "channels of every layer", low=1, high=1024)
    layers: int | None = setting(None, "upsamplings, each by two; by default 5, or what a small image has room for",
                                 low=1, high=12)

    def init(self, observation, seed, z0=None):
        """Weights, then the input noise (1, channels, h, w), drawn from `seed`; z0 replaces the noise."""
        image, generator = observation.start, torch.Generator().manual_seed(seed)
        c_out = image.shape[1] * (2 if image.is_complex() else 1)
        layers = min(5, most_layers(image.shape[-2:])) if self.layers is None else self.layers
        network = decoder(image.shape[-2:], c_out, generator, self.channels, layers)
        z = network.noise(generator) if z0 is None else z0
        network = ImageNetwork(network, image.is_complex(), self.precision).to(image.device)
        return Carry(network, adam(network, self.lr), z.to(image.device), generator, replays=observation.A.replays)
