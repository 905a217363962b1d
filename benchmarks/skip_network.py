"""Deep Image Prior as its authors set it up for denoising: a peer of `quality.py`, not part of the library.

From the paper and its supplement (Ulyanov, Vedaldi and Lempitsky, CVPR 2018): an hourglass of five scales and 128
channels with skip connections of 4 channels, strides down, bilinear up, leaky ReLU, reflection padding, a sigmoid
at the end; noise of 32 channels, uniform on [0, 0.1), jittered with a standard deviation of 1/30 at each step; Adam
with lr 0.01; 3000 steps; the answer is the moving average of the outputs with factor 0.99.
"""

from dataclasses import dataclass

import torch
from torch import nn

from aseqdip_lite.methods.base import AverageCarry, FixedInput, State, descend, square_norm


def layer(c_in, c_out, kernel, stride=1):
    """Convolution with reflection padding, batch normalisation, leaky ReLU."""
    return [nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, padding_mode="reflect"),
            nn.BatchNorm2d(c_out, track_running_stats=False), nn.LeakyReLU(0.2, inplace=True)]


class Scale(nn.Module):
    """One scale of the hourglass: (B, c_in, H, W) -> (B, width, H, W) for even H and W; `inner` is the next scale."""

    def __init__(self, c_in, width, skip, inner):
        super().__init__()
        self.skip = nn.Sequential(*layer(c_in, skip, 1))
        self.down = nn.Sequential(*layer(c_in, width, 3, stride=2), *layer(width, width, 3))
        self.inner = inner or nn.Identity()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.join = nn.Sequential(nn.BatchNorm2d(skip + width, track_running_stats=False),
                                  *layer(skip + width, width, 3), *layer(width, width, 1))

    def forward(self, x):
        below = self.up(self.inner(self.down(x)))  # (B, width, H, W)
        return self.join(torch.cat([self.skip(x), below], dim=1))


def skip_network(c_in, c_out, width=128, skip=4, scales=5):
    """The hourglass with its sigmoid, torch's default initial weights; sides must be divisible by 2^scales."""
    network = None
    for scale in reversed(range(scales)):
        network = Scale(width if scale else c_in, width, skip, network)
    return nn.Sequential(network, nn.Conv2d(width, c_out, 1), nn.Sigmoid())


@dataclass(frozen=True)
class OriginalDIP(FixedInput):
    """Vanilla Deep Image Prior in its original configuration; for real images in [0, 1]."""

    steps: int = 3000
    lr: float = 0.01

    def init(self, observation, seed, z0=None):
        """Network and noise drawn from `seed`."""
        generator = torch.Generator().manual_seed(seed)
        image = observation.start
        with torch.random.fork_rng():  # torch's layers draw their weights from the global generator
            torch.manual_seed(seed)
            network = skip_network(32, image.shape[1]).to(memory_format=torch.channels_last)
        z = 0.1 * torch.rand((1, 32, *image.shape[-2:]), generator=generator)
        return AverageCarry(network, torch.optim.Adam(network.parameters(), lr=self.lr, fused=True), z, generator)

    def step(self, observation, carry):
        """One Adam step at a jittered input; the raw output is the one that the step was taken at."""
        jitter = torch.randn(carry.z.shape, generator=carry.generator) / 30
        output = carry.network(carry.z + jitter)
        loss = square_norm(observation.A(output) - observation.y) / observation.y.numel()
        terms = descend(carry, loss, dict(loss=loss))
        image = output.detach()
        carry.update_average(image, 0.99)
        return State(carry.step, image, terms, carry, average=carry.average)
