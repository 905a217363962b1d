"""DeepInverse's Deep Image Prior with that library's own defaults: a peer of `quality.py`, which needs it installed.

    python benchmarks/deepinv_peer.py      whether its steps, made one by one, are those of its own call

`pip install deepinv torchvision` into `.venv` brings it; neither is part of the project. Its `DeepImagePrior` runs all
steps in one call; here they are made one by one, so that each can be timed and scored.
"""

from dataclasses import dataclass
from importlib.metadata import version

import torch
from deepinv.loss import MCLoss
from deepinv.models import ConvDecoder, DeepImagePrior

from aseqdip_lite import load_case, tasks
from aseqdip_lite.methods.base import Carry, FixedInput, State, descend
from aseqdip_lite.networks import from_channels

#: Sides of the noise that the decoder starts from.
SIDE = 4


class Forward:
    """The physics that DeepInverse asks for: `A` from real channels to real measurements."""

    def __init__(self, operator, is_complex):
        self.operator, self.is_complex = operator, is_complex

    def A(self, x):
        """(1, C or 2 C, H, W) real -> the measurements, real and imaginary part in a last axis if they are complex."""
        return real(self.operator(from_channels(x) if self.is_complex else x))


def real(y):
    """Complex measurements with a last axis of 2, real ones as they are."""
    return torch.view_as_real(y) if y.is_complex() else y


@dataclass(frozen=True)
class DeepinvDIP(FixedInput):
    """`deepinv.models.DeepImagePrior` with `ConvDecoder`, 256 channels and 7 layers."""

    steps: int = 2500
    lr: float = 0.01
    channels: int = 256
    version: str = version("deepinv")

    def init(self, observation, seed, z0=None):
        """Network and noise (1, channels, SIDE, SIDE) drawn from `seed`, which it takes from torch's own generator."""
        image = observation.start
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = self.decoder(image)
            z = torch.randn((1, self.channels, SIDE, SIDE))
        return Carry(network, torch.optim.Adam(network.parameters(), lr=self.lr), z, torch.Generator())

    def decoder(self, image):
        """The network for images like this one."""
        channels = image.shape[1] * (2 if image.is_complex() else 1)
        return ConvDecoder((channels, *image.shape[-2:]), (SIDE, SIDE), channels=self.channels)

    def step(self, observation, carry):
        """One Adam step; the image is the one that it was taken at, as no other is computed."""
        output = carry.network(carry.z)
        loss = MCLoss()(real(observation.y), output, Forward(observation.A, observation.start.is_complex()))
        terms = descend(carry, loss, dict(loss=loss))
        image = output.detach()
        return State(carry.step, from_channels(image) if observation.start.is_complex() else image, terms, carry)


def agrees(observation, steps=3):
    """Whether `steps` steps made here and by `DeepImagePrior` lead to the same image, bit for bit."""
    method, image = DeepinvDIP(), observation.start
    carry = method.init(observation, 0)
    for _ in range(steps):
        method.step(observation, carry)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        whole = DeepImagePrior(method.decoder(image), (method.channels, SIDE, SIDE), iterations=steps)
        theirs = whole(real(observation.y), Forward(observation.A, image.is_complex()))
        return bool(torch.equal(carry.network(carry.z), theirs))


if __name__ == "__main__":
    for task in tasks.names():
        print(f"{task}: {'the same, bit for bit' if agrees(load_case(task, size=32).observation) else 'DIFFERENT'}")
