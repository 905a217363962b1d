"""The networks f_phi and the one adapter between images and channels.

`build` gives a network that takes an image of any size, real or complex, and returns an image of the same kind.
Padding, cropping and the split of complex images into [Re, Im] channels happen here and nowhere else.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ..settings import InputError, nearest
from .hourglass import Hourglass
from .layers import BatchNorm2d, Conv2d, enlarged

__all__ = ["KINDS", "PRECISIONS", "PRESETS", "Block", "HalfUNet", "ImageNetwork", "UNet", "build", "compute",
           "count_parameters", "from_channels", "initialise", "to_channels"]

#: Channel widths from the top of the U to its bottom; one pooling between neighbours, and in the hourglass before each.
PRESETS = {"lite": (16, 32, 64, 64), "lite-half": (32, 64, 64), "paper-shallow": (64, 128, 128),
           "paper-medium": (64, 128, 256, 256), "hourglass": (32, 32, 32, 32)}

#: What a network computes in. Its weights, input and output are float32 either way.
PRECISIONS = ("float32", "bfloat16")


class Block(nn.Sequential):
    """(3x3 convolution -> BatchNorm -> ReLU) twice.

    BatchNorm has no running statistics: it normalises each channel of the one image, in training and afterwards alike,
    as the paper's code does.
    """

    def __init__(self, c_in, c_mid, c_out):
        super().__init__(
            Conv2d(c_in, c_mid, 3, normalised=True), BatchNorm2d(c_mid), nn.ReLU(inplace=True),
            Conv2d(c_mid, c_out, 3, normalised=True), BatchNorm2d(c_out), nn.ReLU(inplace=True))


class UNet(nn.Module):
    """U-Net of the paper: max-pooling down, bilinear upsampling and concatenation up, no output activation.

    Input (B, c_in, H, W) with H and W divisible by `stride` = 2^poolings; output (B, c_out, H, W).

    Args:
        widths: channels per level, e.g. (64, 128, 256, 256) for three poolings.
        c_in, c_out: channels of input and output.
        top: channels that come out of the U and go into its head; by default the first width.
    """

    about = "U-Net"

    def __init__(self, widths, c_in, c_out, top=None):
        super().__init__()
        self.stride = 2 ** (len(widths) - 1)
        self.down = nn.ModuleList(Block(a, b, b) for a, b in zip((c_in, *widths), widths, strict=False))
        self.up, below = nn.ModuleList(), widths[-1]
        for level in range(len(widths) - 2, -1, -1):
            c_cat, c_out_up = widths[level] + below, widths[level - 1] if level else top or widths[0]
            self.up.append(Block(c_cat, c_cat // 2, c_out_up))
            below = c_out_up
        self.head = Conv2d(below, c_out, 1)

    def forward(self, x):
        return self.head(self.trunk(x))

    def trunk(self, x):
        """All but the head: (B, c_in, H, W) -> (B, top, H, W)."""
        skips = [self.down[0](x)]
        for block in self.down[1:]:
            skips.append(block(F.max_pool2d(skips[-1], 2)))  # (B, c, H/2, W/2)
        x = skips.pop()
        for block in self.up:
            x = block(torch.cat([skips.pop(), enlarged(x)], dim=1))
        return x


class HalfUNet(UNet):
    """A U-Net on an image of half the size, whose pixels are the 2 x 2 blocks of the image, and one layer at full size.

    Most of a U-Net's time goes into its first level, where the image is largest; this one begins at the second. Not of
    the paper. Arguments, input and output as in `UNet`, with at least two `widths`, the first that of the half size.
    """

    about = "U-Net at half the size and one layer at full size"

    def __init__(self, widths, c_in, c_out, top=16):
        super().__init__(widths, 4 * c_in, c_out, top)
        self.stride *= 2
        self.full = nn.Sequential(Conv2d(top, top, 3, normalised=True), BatchNorm2d(top), nn.ReLU(inplace=True))

    def forward(self, x):
        x = self.trunk(F.pixel_unshuffle(x, 2))  # (B, c_in, H, W) -> (B, 4 c_in, H/2, W/2) -> (B, top, H/2, W/2)
        return self.head(self.full(enlarged(x)))


KINDS = {"lite-half": HalfUNet, "hourglass": Hourglass}  #: presets that are not a plain `UNet`


class ImageNetwork(nn.Module):
    """A network on images, or on noise: pads to the network's stride, splits complex images into channels, undoes both.

    Args:
        network: maps (B, c_in, H, W) to (B, c_out, H, W); has a `stride`.
        is_complex: whether the output image is complex, i.e. c_out = 2 C for C image channels.
        precision: see `compute`.
    """

    def __init__(self, network, is_complex, precision="float32"):
        super().__init__()
        self.network, self.is_complex, self.precision = network, is_complex, precision

    def forward(self, z):
        x = to_channels(z)
        h, w = x.shape[-2:]
        stride = self.network.stride
        bottom, right = -h % stride, -w % stride
        if bottom or right:
            x = F.pad(x, (0, right, 0, bottom), mode="replicate")
        x = compute(self.network, x, self.precision)
        x = x[..., :h, :w] if bottom or right else x
        return from_channels(x) if self.is_complex else x


def compute(network, x, precision):
    """network(x), computed in float32 or bfloat16 and returned in the dtype of x.

    "bfloat16" is torch's autocast: convolutions, and upsampling on a GPU, round their inputs and weights to 8
    significant bits and sum up in float32; delicate operations, weights and their gradients stay float32.
    """
    with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        return network(x).to(x.dtype)


def to_channels(x):
    """(B, C, H, W) complex -> (B, 2C, H, W) real, ordered [Re, Im] per channel; a real x is returned as it is."""
    if not x.is_complex():
        return x
    b, c, h, w = x.shape
    # (B, C, H, W, 2) -> (B, C, 2, H, W) -> (B, 2C, H, W)
    return torch.view_as_real(x).permute(0, 1, 4, 2, 3).reshape(b, 2 * c, h, w)


def from_channels(x):
    """(B, 2C, H, W) real -> (B, C, H, W) complex: the inverse of `to_channels`."""
    b, c2, h, w = x.shape
    # (B, 2C, H, W) -> (B, C, 2, H, W) -> (B, C, H, W, 2)
    return torch.view_as_complex(x.reshape(b, c2 // 2, 2, h, w).permute(0, 1, 3, 4, 2).contiguous())


def build(preset, image, generator, c_in=None, precision="float32"):
    """A freshly initialised network for images like `image`.

    InputError for an unknown preset or precision, or an image too small for the preset's poolings.

    Args:
        preset: a name of `PRESETS`.
        image: (B, C, H, W) real or complex; only its shape, kind and device are used.
        generator: torch.Generator (CPU) of the initial weights.
        c_in: input channels; by default those of the image (2C for a complex image).
        precision: "float32" or "bfloat16", see `compute`.
    """
    widths = PRESETS[nearest(preset, PRESETS, "network")]
    nearest(precision, PRECISIONS, "precision")
    channels = image.shape[1] * (2 if image.is_complex() else 1)
    network = KINDS.get(preset, UNet)(widths, c_in or channels, channels)
    if min(image.shape[-2:]) <= network.stride:  # a single pixel at the bottom has no variance to normalise by
        raise InputError(f"an image of {image.shape[-2]} x {image.shape[-1]} is too small for the network "
                         f"'{preset}': each side needs at least {network.stride + 1} pixels")
    initialise(network, generator)
    return ImageNetwork(network, image.is_complex(), precision).to(image.device, memory_format=torch.channels_last)


@torch.no_grad()
def initialise(network, generator):
    """Convolution weights N(0, 0.02), biases 0, BatchNorm weights N(1, 0.02), drawn on the CPU in module order."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.normal_(0.0, 0.02, generator=generator)
            module.bias.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.normal_(1.0, 0.02, generator=generator)
            module.bias.zero_()


def count_parameters(network):
    """Number of trainable numbers in a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
