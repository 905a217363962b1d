"""KernelWizard, the learned blur of the paper's nonlinear deblurring, and its use as a forward operator.

Tran, Tran, Phung and Hoai, Explore Image Deblurring via Encoded Blur Kernel Space, CVPR 2021 (BKSE). The published
network maps a sharp RGB image x and a latent kernel k to a blurred image y = x + T(G(F(x), k)): feature extractor F
(two strided convolutions and residual blocks), kernel adapter G (a U-Net with k joined at its bottom), reconstruction
trunk T. A checkpoint also has its kernel extractor, which encodes k from a sharp and a blurred image; blurring does
not use it, so it is dropped after loading.
"""

import copy
import os
import zipfile
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from ..settings import InputError
from ..tensors import copied
from .base import Operator

#: Image sides must be multiples of this: two strided convolutions and five levels of the U-Net.
STRIDE = 128
#: Largest accepted checkpoint file in bytes; the published one holds 115,265,475 float32, 461 MB.
MOST_BYTES = 600_000_000


class Residual(nn.Module):
    """x + conv(relu(conv(x))), 3 x 3, no normalisation."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class ExtractorBlock(nn.Module):
    """The kernel extractor's residual block; `conv_block` contains its convolutions at places 1 and 5."""

    def __init__(self, channels):
        super().__init__()
        pad, conv = nn.ReflectionPad2d(1), dict(kernel_size=3, bias=False)
        self.conv_block = nn.Sequential(pad, nn.Conv2d(channels, channels, **conv), nn.Identity(), nn.ReLU(),
                                        pad, nn.Conv2d(channels, channels, **conv), nn.Identity())

    def forward(self, x):
        return x + self.conv_block(x)


class Level(nn.Module):
    """One level of the adapter's U-Net: halve, go deeper (or meet the kernel), double, join what came in.

    Args:
        outer, inner: channels above and below.
        deeper: the next `Level`; None at the bottom, where the kernel with `inner` channels is joined.
        top: the outermost level, which returns tanh of its output and joins nothing.
    """

    def __init__(self, outer, inner, deeper=None, top=False):
        super().__init__()
        down = nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False)
        self.down = nn.Sequential(down) if top else nn.Sequential(nn.LeakyReLU(0.2), down)
        self.up = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * inner, outer, 4, stride=2, padding=1, bias=top))
        self.submodule, self.top = deeper, top

    def forward(self, x, kernel):
        below = self.down(x)  # (B, inner, H/2, W/2)
        below = torch.cat([below, kernel], dim=1) if self.submodule is None else self.submodule(below, kernel)
        above = self.up(below)  # (B, outer, H, W)
        return above.tanh() if self.top else torch.cat([above, x], dim=1)


class Adapter(nn.Module):
    """G: features (B, nf, h, w) and kernel (B, 8 nf, h/32, w/32) -> features of the blurred image."""

    def __init__(self, nf):
        super().__init__()
        level = None
        for outer, inner in ((8 * nf, 8 * nf), (4 * nf, 8 * nf), (2 * nf, 4 * nf), (nf, 2 * nf)):
            level = Level(outer, inner, level)
        self.model = Level(nf, nf, level, top=True)

    def forward(self, features, kernel):
        return self.model(features, kernel)


class KernelExtractor(nn.Module):
    """The convolutions that would encode a kernel (mean and log-variance, 16 nf channels) from 2 nf features."""

    def __init__(self, nf, blocks=4):
        super().__init__()
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(2 * nf, nf, 7, bias=False), nn.Identity(), nn.ReLU()]
        for inner, outer in pairwise((nf, 2 * nf, 4 * nf, 8 * nf, 16 * nf, 16 * nf)):
            layers += [nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False), nn.Identity(), nn.ReLU()]
        self.model = nn.Sequential(*layers, *(ExtractorBlock(16 * nf) for _ in range(blocks)))


class KernelWizard(nn.Module):
    """The network of BKSE with the published names: 159 tensors, 115,265,475 parameters at the default sizes.

    Call with sharp (B, 3, H, W) in [0, 1], H and W multiples of 128, and kernel (B, 8 nf, H/128, W/128); returns the
    blurred image (B, 3, H, W), not clipped.

    Args:
        nf: feature channels; the latent kernel has 8 nf (512).
        front, back: residual blocks before and after the adapter.
    """

    def __init__(self, nf=64, front=10, back=20):
        super().__init__()
        act = nn.LeakyReLU(0.1)
        self.feature_extractor = nn.Sequential(
            nn.Conv2d(3, nf, 3, padding=1), act, nn.Conv2d(nf, nf, 3, stride=2, padding=1), act,
            nn.Conv2d(nf, nf, 3, stride=2, padding=1), act, *(Residual(nf) for _ in range(front)))
        self.kernel_extractor = KernelExtractor(nf)
        self.adapter = Adapter(nf)
        self.recon_trunk = nn.Sequential(
            *(Residual(nf) for _ in range(back)), nn.Conv2d(nf, 4 * nf, 3, padding=1), nn.PixelShuffle(2), act,
            nn.Conv2d(nf, 4 * 64, 3, padding=1), nn.PixelShuffle(2), act,
            nn.Conv2d(64, 64, 3, padding=1), act, nn.Conv2d(64, 3, 3, padding=1))

    def forward(self, sharp, kernel):
        return sharp + self.recon_trunk(self.adapter(self.feature_extractor(sharp), kernel))


class KernelWizardBlur(Operator):
    """A(x) = KernelWizard(x, k) with k fixed: a nonlinear operator on RGB images (3, H, W).

    InputError if the kernel does not belong to images of `shape`.

    Args:
        network: `KernelWizard`; its weights are not trained.
        kernel: (1, 8 nf, H/128, W/128), drawn once; a new one at each call would be another blur each time.
    """

    def __init__(self, shape, network, kernel):
        check_shape(shape)
        super().__init__(shape, shape)
        self.network, self.kernel = network.eval().requires_grad_(False), kernel

    @classmethod
    def load(cls, path, shape, generator):
        """The operator of a checkpoint for images of `shape`, k standard normal (the prior of its VAE)."""
        check_shape(shape)
        network = load_kernelwizard(path)
        kernel = torch.randn((1, 512, shape[1] // STRIDE, shape[2] // STRIDE), generator=generator)
        return cls(shape, network, kernel)

    def _apply(self, x):
        return self.network(x, self.kernel.expand(len(x), -1, -1, -1))

    def to(self, device=None, *, double=None):
        other = super().to(device, double=double)
        other.network = copy.deepcopy(self.network).to(device=device, dtype=other.kernel.dtype)
        return other


def check_shape(shape):
    """InputError unless images of (C, H, W) are RGB with sides that are multiples of 128."""
    if shape[0] != 3:
        raise InputError(f"KernelWizard blurs RGB images, got {shape[0]} channel: use --blur physical")
    if shape[1] % STRIDE or shape[2] % STRIDE:
        raise InputError(f"KernelWizard needs sides that are multiples of {STRIDE}, got {shape[1]} x {shape[2]}: "
                         "use --size 128 or 256 for shipped images, or crop yours")


def load_kernelwizard(path):
    """A `KernelWizard` with the weights of a checkpoint file, as float32, without its kernel extractor.

    The file is a dictionary of tensors saved by torch.save, with the published network's names and shapes; nothing else
    in it is unpickled. InputError for a missing, damaged or too large file, wrong names or shapes, NaN or Inf.
    """
    path = Path(path)
    if not os.path.isfile(path):  # nor a pipe or a device
        raise InputError(f"{path}: no such checkpoint file")
    try:
        size = unpacked_size(path)
        if size <= MOST_BYTES:
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file: all mean the same to a user
        raise InputError(f"{path}: not a checkpoint of plain tensors ({type(error).__name__})") from None
    if size > MOST_BYTES:
        raise InputError(f"{path}: {size} bytes are too many for a KernelWizard checkpoint, at most {MOST_BYTES} "
                         "are accepted")
    with torch.device("meta"):
        network = KernelWizard()
    check_state(path, stored, network.state_dict())
    del network.kernel_extractor
    network.load_state_dict({name: own(path, name, stored[name]) for name in network.state_dict()}, assign=True)
    return network


def own(path, name, tensor):
    """A weight as float32 in memory of its own; InputError for NaN or Inf, and for a tensor that is larger than it."""
    def need(holds, what):
        if not holds:
            raise InputError(f"{path}: " + ("the weights hold NaN or Inf" if what == "finite" else
                                            f"'{name}' must be {what}"))

    return copied(tensor, torch.empty(tensor.shape, dtype=tensor.dtype, device="meta"), need).float()


def unpacked_size(path):
    """Bytes that a checkpoint file unpacks to: torch.save writes a zip archive, or a plain file before torch 1.6."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def check_state(path, stored, wanted):
    """InputError unless `stored` has the names and shapes of the state dictionary `wanted`, with real tensors."""
    if not isinstance(stored, dict) or not all(isinstance(t, torch.Tensor) for t in stored.values()):
        raise InputError(f"{path}: must hold one dictionary of tensors, the network's state_dict()")
    missing, foreign = [n for n in wanted if n not in stored], [n for n in stored if n not in wanted]
    if missing or foreign:
        first = f"'{missing[0]}' is missing" if missing else f"'{foreign[0]}' is not part of it"
        raise InputError(f"{path}: not KernelWizard's weights: {len(missing)} of {len(wanted)} tensors are missing and "
                         f"{len(foreign)} are foreign ({first})")
    for name, tensor in stored.items():
        if tensor.shape != wanted[name].shape or not tensor.is_floating_point():
            raise InputError(f"{path}: '{name}' must be real of shape {tuple(wanted[name].shape)}, got {tensor.dtype} "
                             f"of shape {tuple(tensor.shape)}")
