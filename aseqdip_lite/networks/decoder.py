"""The Deep Decoder (Heckel and Hand, ICLR 2019): an image from few weights and no convolution wider than one pixel.

    B_{i+1} = cn(relu(U_i B_i C_i)),   i = 0..d-1;   image = B_d C_d

B_i holds one row a pixel and one column a channel. C_i mixes channels (a 1x1 convolution), U_i upsamples linearly by
two, relu is pointwise, and cn normalises each channel over the pixels to mean 0 and variance 1, then scales and shifts
it. B_0 is fixed noise. U_i alone couples neighbouring pixels: that, and the small number of weights, is the whole
prior. Where the paper ends with a sigmoid, this decoder has no output activation, since MRI images are complex and
not confined to [0, 1].
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from ..settings import InputError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
INTERPOLATIONS = {1: "linear", 2: "bilinear"}


class DeepDecoder(nn.Module):
    """Deep Decoder for signals of n samples or images of H x W pixels, with d k^2 + 2 d k + k c_out weights.

    Input (B, k, *coarse) with `coarse` an attribute, see `noise`; output (B, c_out, *size). InputError if size is not
    of one or two axes, or the noise would be a single pixel, which has no variance to normalise by.

    Args:
        size: (n,) or (H, W) of the output; need not be divisible by anything.
        c_out: output channels (2 for one complex channel).
        channels: k, columns of every B_i (64 or 128 in the paper).
        layers: d, number of upsamplings, each by two; the noise has ceil(size / 2^d) pixels.
    """

    stride = 1  # its input needs no padding, see `ImageNetwork`

    def __init__(self, size, c_out, channels=64, layers=5):
        super().__init__()
        if len(size) not in CONVOLUTIONS:
            raise InputError(f"a Deep Decoder makes signals (n,) or images (H, W), got size {tuple(size)}")
        self.sizes = [tuple(math.ceil(n / 2 ** (layers - i)) for n in size) for i in range(layers + 1)]
        self.coarse, self.channels = self.sizes[0], channels
        if math.prod(self.coarse) < 2:
            raise InputError(f"{layers} layers shrink {' x '.join(map(str, size))} to a single pixel: "
                             f"use at most {most_layers(size)}")
        conv = CONVOLUTIONS[len(size)]
        self.mix = nn.ModuleList(conv(channels, channels, 1, bias=False) for _ in range(layers))
        self.norm = nn.ModuleList(nn.GroupNorm(channels, channels) for _ in range(layers))  # one group a channel
        self.head = conv(channels, c_out, 1, bias=False)

    def forward(self, z):
        mode = INTERPOLATIONS[len(self.coarse)]
        for mix, norm, size in zip(self.mix, self.norm, self.sizes[1:], strict=True):
            z = norm(F.relu(F.interpolate(mix(z), size=size, mode=mode, align_corners=False)))  # (B, k, *size)
        return self.head(z)

    def noise(self, generator, dtype=torch.float32):
        """The fixed input B_0, standard normal, (1, k, *coarse); its scale does not matter, since cn divides it out."""
        return torch.randn((1, self.channels, *self.coarse), generator=generator, dtype=dtype)


def most_layers(size):
    """Upsamplings after which an output of this size still begins with two pixels on its longer side."""
    return math.ceil(math.log2(max(size))) - 1


def decoder(size, c_out, generator, channels=64, layers=5):
    """A `DeepDecoder` with mixing weights drawn N(0, 1 / k) by a CPU `generator`, biases 0, normalisation weights 1."""
    network = DeepDecoder(size, c_out, channels, layers)
    with torch.no_grad():
        for conv in (*network.mix, network.head):
            conv.weight.normal_(0.0, channels ** -0.5, generator=generator)
    return network
