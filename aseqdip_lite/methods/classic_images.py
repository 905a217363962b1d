"""Classic methods on natural images, scikit-image's: non-local means and biharmonic in-painting."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from skimage import restoration  # lazy: what it needs is loaded at the first call

from ..settings import setting
from . import register
from .classic import Classic


def to_pixels(x):
    """(1, C, H, W) tensor -> (H, W, C) float64 array."""
    return x[0].permute(1, 2, 0).cpu().double().numpy()


def from_pixels(array, like):
    """(H, W, C) array -> (1, C, H, W) tensor of the kind and on the device of `like`."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 0)))[None].to(like)


@register
@dataclass(frozen=True)
class NLM(Classic):
    """Non-local means (Buades, Coll and Morel, CVPR 2005): average pixels whose 5 x 5 patches look alike.

    Weights exp(-(d^2 - 2 sigma^2)_+ / (strength sigma)^2) over a window of 13 x 13 pixels, with d^2
    the mean squared difference of two patches and sigma the known noise level.
    """

    name: ClassVar[str] = "nlm"
    about: ClassVar[str] = "non-local means: average pixels with similar surroundings"
    tasks: ClassVar[tuple[str, ...]] = ("denoising",)
    limit: ClassVar[str] = "it removes white noise; plugged into pnp it serves every linear task"

    strength: float = setting(0.6, "filter strength h of non-local means, in noise levels", above=0.0)

    def solve(self, observation):
        sigma, y = observation.noise_std, observation.y
        if not sigma:
            return y
        pixels = to_pixels(y)
        denoised = restoration.denoise_nl_means(pixels, patch_size=5, patch_distance=6, h=self.strength * sigma,
                                                sigma=sigma, fast_mode=True, channel_axis=-1)
        return from_pixels(denoised.reshape(pixels.shape), y)  # scikit-image drops a single channel


@register
@dataclass(frozen=True)
class Biharmonic(Classic):
    """Biharmonic in-painting: the hole solves Laplace^2 x = 0, known pixels stay (Damelin and Hoang, 2018)."""

    name: ClassVar[str] = "biharmonic"
    about: ClassVar[str] = "the smoothest filling of the hole, Laplace^2 x = 0"
    tasks: ClassVar[tuple[str, ...]] = ("inpainting",)
    limit: ClassVar[str] = "it fills a hole"

    def solve(self, observation):
        hole = (observation.A.mask == 0).cpu().numpy()  # (H, W)
        filled = restoration.inpaint_biharmonic(to_pixels(observation.y), hole, channel_axis=-1)
        return from_pixels(filled, observation.y)
