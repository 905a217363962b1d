"""Classic methods on natural images: non-local means, biharmonic in-painting and TV, mostly scikit-image's."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from skimage import restoration  # lazy: what it needs is loaded at the first call

from ..operators import Identity, Mask
from ..settings import setting
from . import register
from .classic import Classic
from .tv import solve_tv


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

    def solve(self, observation):
        hole = (observation.A.mask == 0).cpu().numpy()  # (H, W)
        filled = restoration.inpaint_biharmonic(to_pixels(observation.y), hole, channel_axis=-1)
        return from_pixels(filled, observation.y)


@solve_tv.register(Identity)
def _(A, observation, lamda=None, iterations=200):
    """Denoising by Chambolle's dual iteration (2004; scikit-image); lamda is 0.85 of the noise level by default."""
    lamda = 0.85 * observation.noise_std if lamda is None else lamda
    if lamda == 0:
        return observation.y
    pixels = restoration.denoise_tv_chambolle(to_pixels(observation.y), weight=lamda, eps=1e-6,
                                              max_num_iter=iterations, channel_axis=-1)
    return from_pixels(pixels, observation.y)


@solve_tv.register(Mask)
def _(A, observation, lamda=None, iterations=300):
    """In-painting by primal-dual steps (`inpaint_tv`); lamda is 0.85 of the noise level by default, at least 0.003."""
    lamda = max(0.85 * observation.noise_std, 0.003) if lamda is None else lamda
    return inpaint_tv(observation.y, A.mask, lamda, iterations)


def inpaint_tv(y, mask, lamda, iterations):
    """argmin over x of 1/2 ||mask x - y||^2 + lamda TV(x), isotropic TV per channel (Chambolle and Pock, 2011).

    The dual step 3 lamda is of the size of the dual variables, which lie in a disc of radius
    lamda; the primal step is 1 / (8 dual step), since the squared norm of the differences is below 8.
    The hole starts at the mean of the known pixels of its channel.

    Args:
        y: (1, C, H, W), zero in the hole; mask: (H, W) of zeros and ones.
    """
    mean = y.sum(dim=(-2, -1), keepdim=True) / mask.sum()
    x = ahead = y + (1 - mask) * mean
    if lamda == 0:
        return x
    dual_step = 3 * lamda
    step = 1 / (8 * dual_step)
    p = torch.zeros((2, *y.shape)).to(y)  # row and column part, 0 across the lower and right border
    for _ in range(iterations):
        p[0, ..., :-1, :] += dual_step * (ahead[..., 1:, :] - ahead[..., :-1, :])
        p[1, ..., :-1] += dual_step * (ahead[..., 1:] - ahead[..., :-1])
        p /= (p.square().sum(dim=0).sqrt() / lamda).clamp(min=1)
        last, x = x, x.clone()
        x += step * p.sum(dim=0)  # minus the adjoint of the differences
        x[..., 1:, :] -= step * p[0, ..., :-1, :]
        x[..., 1:] -= step * p[1, ..., :-1]
        x = (x + step * y) / (1 + step * mask)
        ahead = 2 * x - last
    return x
