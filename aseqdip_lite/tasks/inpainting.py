"""In-painting: y = M (x + n), a mask M keeps the known pixels and sets the hole to zero."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from ..case import Observation
from ..images import Image
from ..operators import Mask
from ..settings import InputError, Settings, setting
from . import register
from .pictures import gaussian, natural_case, natural_truth, to_tensor

HIAR = 0.25  #: hole-to-image area ratio where no mask is asked for


def box_mask(shape, hiar):
    """A mask (H, W) of ones with a central box of zeros of `hiar` times the image's area.

    Of the boxes of height round(H sqrt(hiar)) - 2 ... + 2, each with width round(hiar H W / height), the one is taken
    whose area is nearest to hiar H W. Where the margins are odd it lies half a pixel up and left. InputError if the
    hole rounds to nothing or covers the whole image.
    """
    h, w = shape
    middle = round(h * hiar**0.5)
    boxes = [(a, min(round(hiar * h * w / a), w)) for a in range(max(middle - 2, 1), min(middle + 2, h) + 1)]
    rows, cols = min(boxes, key=lambda box: (abs(box[0] * box[1] - hiar * h * w), abs(box[0] - middle)))
    if not 0 < rows * cols < h * w:
        raise InputError(f"hiar {hiar:g} makes a hole of {rows * cols} of the {h * w} pixels: choose another ratio")
    mask = torch.ones(shape)
    top, left = (h - rows) // 2, (w - cols) // 2
    mask[top:top + rows, left:left + cols] = 0
    return mask


def random_mask(shape, missing, generator):
    """A mask (H, W) with round(missing H W) zeros at random places, else ones; InputError for no or only zeros."""
    pixels = shape[0] * shape[1]
    holes = round(missing * pixels)
    if not 0 < holes < pixels:
        raise InputError(f"missing {missing:g} takes {holes} of the {pixels} pixels: choose another share")
    mask = torch.ones(pixels)
    mask[torch.randperm(pixels, generator=generator)[:holes]] = 0
    return mask.reshape(shape)


def known_mean(y, mask):
    """Mean of the known pixels of each channel of y (1, C, H, W), zero in the hole: (C,), or a number if C is 1."""
    mean = (y.sum(dim=(-2, -1))[0] / mask.sum()).numpy()  # (C,)
    return mean if len(mean) > 1 else float(mean[0])


def read_mask(path, shape):
    """A mask file as (H, W): 1 where a pixel is not zero, in any channel; InputError for no picture or another size."""
    from ..images.files import load_file

    image = load_file(Path(path))
    if not isinstance(image, Image):
        raise InputError(f"{path}: a mask must be a picture, got a scan")
    known = torch.from_numpy(image.array != 0)
    known = known.any(dim=-1) if known.ndim == 3 else known
    if known.shape != torch.Size(shape):
        raise InputError(f"{path}: the mask has {known.shape[0]} x {known.shape[1]} pixels, the image {shape[0]} x "
                         f"{shape[1]}: make them equal (--size sets that of shipped images)")
    if known.all():
        raise InputError(f"{path}: the mask has no zero, so there is no hole to fill")
    return known.float()


@register
@dataclass(frozen=True)
class Inpainting(Settings):
    """In-painting of gray or RGB pictures in [0, 1] with a mask that all channels share; z_0 = y.

    The paper has a central box of hole-to-image area ratio (HIAR) 0.1 and 0.25, hole set to zero, no noise, and a
    random mask with 97 % of the pixels missing. At most one of `hiar`, `missing` and `mask` may be given; with none the
    box has HIAR 0.25.

    `fill` "mean" subtracts the mean of the known pixels of each channel, so that zero, which y and z_0 hold in the
    hole, is their mean and not black; every answer gets it back. A network's output in a hole starts near zero,
    whatever z_0 holds there, and small steps hardly move it where no data pull: black holes stay dark (lesson 10). The
    paper sets the hole to zero (`fill` "zero"); its released code fills it with 0.4.
    """

    name: ClassVar[str] = "inpainting"
    about: ClassVar[str] = "in-painting of pictures, A = M"
    default_image: ClassVar[str] = "astronaut"
    profiles: ClassVar[dict] = {"smoke": dict(size=64), "laptop": dict(size=128), "paper": dict(size=512, fill="zero")}

    hiar: float | None = setting(None, f"hole-to-image area ratio of a central box; {HIAR} if no mask is asked for",
                                 above=0, below=1)
    missing: float | None = setting(None, "share of pixels missing at random places, e.g. 0.97", above=0, below=1)
    mask: str | None = setting(None, "picture of your own mask, not zero where a pixel is known")
    sigma: float = setting(0.0, "standard deviation of the Gaussian noise of the known pixels, of 255", low=0,
                           high=255)
    fill: str = setting("mean", "gray level that stands for zero, and so for the hole of z_0: the mean of the known "
                        "pixels, or black as in the paper", choices=("mean", "zero"))
    size: int | None = setting(128, "side in pixels to which shipped images are resampled", low=16, high=2048)

    def __post_init__(self):
        super().__post_init__()
        given = [name for name in ("hiar", "missing", "mask") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} exclude each other: give one of hiar, missing and mask")

    def observe(self, image, seed=0):
        """Mask a picture and return its `Case`; InputError for a bad picture (`natural_truth`) or mask."""
        generator = torch.Generator().manual_seed(seed)
        truth = natural_truth(self, image, self.size)
        mask = self._mask(truth.shape[:2], generator)
        x = to_tensor(truth)
        A = Mask(mask, x.shape[1:])
        y = A(x + gaussian(x, self.sigma, generator))
        offset = known_mean(y, mask) if self.fill == "mean" else 0.0
        y = y - A(torch.ones_like(x) * torch.as_tensor(offset).reshape(-1, 1, 1))
        observation = Observation(A, y, y, noise_std=self.sigma / 255)
        return natural_case(self, image, truth, observation, seed, offset, hole=float((mask == 0).float().mean()))

    def _mask(self, shape, generator):
        if self.mask is not None:
            return read_mask(self.mask, shape)
        if self.missing is not None:
            return random_mask(shape, self.missing, generator)
        return box_mask(shape, HIAR if self.hiar is None else self.hiar)
