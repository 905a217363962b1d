"""BM3D, by the optional package `bm3d`, which is free only for non-commercial use."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..settings import InputError
from . import register
from .classic import Classic
from .classic_images import from_pixels, to_pixels

INSTALL = ("bm3d needs the package bm3d, which Tampere University licenses for non-commercial use only: "
           "if that is your use, pip install 'aseqdip-lite[bm3d]', else take nlm")


def package():
    """The package bm3d; InputError that says how to get it, and for what use."""
    try:
        import bm3d
    except (ImportError, OSError):  # OSError: its compiled part is not for this system
        raise InputError(INSTALL) from None
    return bm3d


@register
@dataclass(frozen=True)
class BM3D(Classic):
    """Block matching and 3D filtering, in the normal profile (Dabov et al., IEEE TIP 2007).

    Patches that look alike are stacked, and the stack is thresholded in a 3D transform, then Wiener filtered. Pictures
    in RGB are matched by their luminance (CBM3D, ICIP 2007); other channels are filtered separately. The package
    is of Tampere University (Makinen, Azzari and Foi, IEEE TIP 2020); its licence allows non-commercial use only and
    asks to name the authors where its results are shown. InputError where it is not installed.
    """

    name: ClassVar[str] = "bm3d"
    about: ClassVar[str] = "block matching and 3D filtering; an optional package, for non-commercial use only"
    tasks: ClassVar[tuple[str, ...]] = ("denoising",)
    limit: ClassVar[str] = "it removes white noise; plugged into pnp it serves every linear task"

    def check_image(self, name):
        """InputError where the package is not installed: on no image can the method be run then."""
        package()

    def solve(self, observation):
        bm3d, sigma, pixels = package(), observation.noise_std, to_pixels(observation.y)  # (H, W, C)
        if not sigma:
            return observation.y
        if pixels.shape[-1] == 3:
            return from_pixels(bm3d.bm3d_rgb(pixels, sigma), observation.y)
        channels = [bm3d.bm3d(channel, sigma).reshape(channel.shape) for channel in np.moveaxis(pixels, -1, 0)]
        return from_pixels(np.stack(channels, axis=-1), observation.y)
