"""One denoiser of white Gaussian noise of any level, D(x; s) ~ E[x_0 | x = x_0 + s z], which the samplers share.

Preconditioning of Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models, NeurIPS 2022
("EDM"), Eq. 7 and table 1. The weights that ship come from `data/train_denoiser.py`.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from ..networks.unet import from_channels, to_channels
from .weights import facts, load_weights

LEAST, GREATEST = 0.003, 10.0  #: the noise levels s that the weights were trained for
KINDS = {"mri": 2, "ct": 1, "pictures": 3}  #: the weights that ship, and their channels
TONES = 8  #: cosines and as many sines of the noise level that the network is told


class Block(nn.Module):
    """x + conv(SiLU(a conv(SiLU(x)) + b)), 3 x 3; a and b, per channel, depend on the noise level.

    Without any norm: the features keep their size, so the last layer of the network sees how large the noise is.
    """

    def __init__(self, channels, told):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.level = nn.Linear(told, 2 * channels)

    def forward(self, x, told):
        a, b = self.level(told)[:, :, None, None].chunk(2, dim=1)  # (B, channels, 1, 1) each
        return x + self.second(F.silu((1 + a) * self.first(F.silu(x)) + b))


class Network(nn.Module):
    """F: a U-Net of residual blocks on pixels folded 2 x 2 into channels, each level half as wide as the one above it.

    Input (B, c, H, W) with H and W divisible by `stride`, and level (B,), ln(s) / 4; output (B, c, H, W).

    Args:
        c: channels. widths: channels of the levels, the uppermost first.
    """

    def __init__(self, c, widths):
        super().__init__()
        self.stride = 2 ** len(widths)
        told = widths[-1]
        self.tell = nn.Sequential(nn.Linear(2 * TONES, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU())
        self.entry = nn.Conv2d(4 * c, widths[0], 3, padding=1)
        pairs = list(zip(widths, widths[1:], strict=False))
        self.down = nn.ModuleList(Block(width, told) for width in widths)
        self.up = nn.ModuleList(Block(width, told) for width in widths)
        self.widen = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairs)
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.head = nn.Conv2d(widths[0], 4 * c, 3, padding=1)

    def forward(self, x, level):
        angles = math.pi / 2 * level[:, None] * torch.arange(1, TONES + 1, device=x.device)  # (B, TONES)
        told = self.tell(torch.cat([angles.cos(), angles.sin()], dim=1).to(x.dtype))
        h, above = self.down[0](self.entry(F.pixel_unshuffle(x, 2)), told), []
        for block, widen in zip(self.down[1:], self.widen, strict=True):
            above.append(h)
            h = block(widen(F.avg_pool2d(h, 2)), told)
        h = self.up[-1](h, told)
        for block, narrow in zip(self.up[-2::-1], list(self.narrow)[::-1], strict=True):
            h = block(above.pop() + F.interpolate(narrow(h), scale_factor=2, mode="nearest"), told)
        return F.pixel_shuffle(self.head(h), 2)


class Denoiser(nn.Module):
    """D(x; s) = c_skip x + c_out F(c_in x; ln(s) / 4), an estimate of x_0 from x = x_0 + s z with z ~ N(0, I).

    With sd the root mean square of the data, c_skip = sd^2 / (s^2 + sd^2), c_out = s sd / sqrt(s^2 + sd^2), c_in =
    1 / sqrt(s^2 + sd^2). F = 0, the initial state, is the Wiener estimate for white data N(0, sd^2).

    Args:
        channels: 2 for complex images, as [Re, Im]. sd: root mean square of the data, of Re and of Im each.
        widths: channels of the levels of the network.
    """

    def __init__(self, channels, sd, widths=(32, 64, 64)):
        super().__init__()
        self.channels, self.sd = channels, sd
        self.network = Network(channels, widths)

    def forward(self, x, s):
        """D(x; s) of the shape and kind of x.

        Images are in the unit in which the 99.5th percentile of the magnitude is about 1; pictures are display values,
        0 black and 1 white. They may be of any size: inside they are continued by their mirror image to one that the
        network's stride divides.

        Args:
            x: (B, channels, H, W) real, or (B, 1, H, W) complex for 2 channels.
            s: standard deviation of the noise, of Re and of Im each; a float or (B,). `LEAST` to `GREATEST` was
                trained; beyond it, the network is told the nearest of these.
        """
        real = to_channels(x)
        s = torch.as_tensor(s, dtype=real.dtype, device=x.device).expand(len(x))
        spread = (s**2 + self.sd**2).sqrt()[:, None, None, None]
        level = s.clamp(LEAST, GREATEST).log() / 4
        rows, columns = (mirrored(n, self.network.stride, x.device) for n in x.shape[-2:])
        found = self.network((real / spread)[..., rows[:, None], columns], level)[..., :x.shape[-2], :x.shape[-1]]
        found = (self.sd / spread)**2 * real + s[:, None, None, None] * self.sd / spread * found
        return from_channels(found) if x.is_complex() else found


def mirrored(n, stride, device=None):
    """Indices of 0 .. n - 1, continued by their mirror image to the next multiple of the stride."""
    index = torch.arange(n + -n % stride, device=device) % (2 * n)
    return torch.minimum(index, 2 * n - 1 - index)


@torch.no_grad()
def initialise(denoiser, generator):
    """He initialisation in module order; 0 for all biases, what the level changes, the second of each block, the head.
    """
    for module in denoiser.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.normal_(0.0, (2 / module.weight[0].numel()) ** 0.5, generator=generator)
            module.bias.zero_()
    for module in denoiser.modules():
        if isinstance(module, Block):
            module.level.weight.zero_()
            module.second.weight.zero_()
    denoiser.network.head.weight.zero_()


def load(kind):
    """The `Denoiser` of a kind, "mri", "ct" or "pictures", with the weights that ship, frozen.

    InputError if their file is damaged.
    """
    name = f"denoiser-{kind}"
    denoiser = load_weights(Denoiser(KINDS[kind], facts(name)["sd"]), name)
    return denoiser.to(memory_format=torch.channels_last).requires_grad_(False)
