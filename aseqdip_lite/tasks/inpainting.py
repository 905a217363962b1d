"""In-painting: y = M (x + n), a mask M keeps the known pixels and sets the hole to zero."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from scipy.ndimage import binary_dilation, label
from scipy.sparse.linalg import LaplacianNd, cg

from ..images.masks import load_mask
from ..operators import Mask
from ..settings import InputError, setting, unseeded
from . import register
from .pictures import PictureTask, centred, fill_setting, gaussian, natural_case, natural_truth, to_tensor

HIAR = 0.25  #: hole-to-image area ratio where no mask is asked for


def box_mask(shape, hiar):
    """A mask (H, W) of ones with a central box of zeros of `hiar` times the image's area.

    Of the boxes of height round(H sqrt(hiar)) - 2 ... + 2, each with width round(hiar H W / height), it takes the one
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


def harmonic(y, mask):
    """y (1, C, H, W) with its hole filled such that each pixel there is the mean of its neighbours: Laplace x = 0.

    At the picture's border a pixel has fewer neighbours (Neumann). This minimises ||D x||^2, D the differences of
    neighbours, among the images that equal y where the mask (H, W) is 1. Conjugate gradients, channel by channel, to
    1e-7 of the right-hand side.
    """
    hole = (mask == 0).flatten().cpu().numpy()  # (H W,)
    pixels = y[0].flatten(1).cpu().double().numpy().copy()  # (C, H W)
    L = -LaplacianNd(tuple(mask.shape), boundary_conditions="neumann", dtype=float).tosparse().tocsr()[hole]
    for channel in pixels:
        channel[hole] = cg(L[:, hole], -L[:, ~hole] @ channel[~hole], rtol=1e-7)[0]
    return torch.from_numpy(pixels.reshape(y.shape)).to(y)  # (C, H W) -> (1, C, H, W)


def is_blank(picture, mask):
    """Whether a picture (H, W) or (H, W, 3) has one colour in the hole of the mask (H, W), and others around it."""
    hole = mask.numpy() == 0
    ring = binary_dilation(hole, iterations=2) & ~hole
    colour = picture[hole][0]
    return bool((picture[hole] == colour).all() and ring.any() and (picture[ring] != colour).mean() > 0.5)


def read_mask(path, shape, invert=False):
    """(mask (H, W), 1 where a pixel is known, notes) of a mask file (`images.masks`) of the picture's shape (H, W).

    InputError for another size, no hole, nothing known. `invert` makes the known pixels the hole.
    """
    known, notes = load_mask(path)
    if known.shape != tuple(shape):
        raise InputError(f"{path}: the mask has {known.shape[0]} x {known.shape[1]} pixels, the image {shape[0]} x "
                         f"{shape[1]}: make them equal (--size sets that of shipped images)")
    known = ~known if invert else known
    if known.all():
        raise InputError(f"{path}: fully known, the mask has no {'white' if invert else 'black'}: there is no hole to "
                         "fill")
    if not known.any():
        raise InputError(f"{path}: nothing is known, the mask has no {'black' if invert else 'white'}: all is a hole")
    hole = 1 - float(known.mean())
    notes += (f"hole: {hole:.1%} of the pixels",)
    if hole > 0.5 and label(known)[1] == 1:
        notes += ("what is known is one small spot: if that is the hole, "
                  + ("leave out --invert-mask" if invert else "add --invert-mask"),)
    return torch.from_numpy(known).float(), notes


@register
@dataclass(frozen=True)
class Inpainting(PictureTask):
    """In-painting of gray or RGB pictures in [0, 1] with a mask that all channels share.

    The paper has a central box of hole-to-image area ratio (HIAR) 0.1 and 0.25, hole set to zero, no noise, and a
    random mask with 97 % of the pixels missing. At most one of `hiar`, `missing` and `mask` may be given; with none the
    box has HIAR 0.25.

    z_0 is y with its hole filled harmonically, `start` "filled", or y as published. y is zero in the hole: by `fill`
    that is the mean of the known pixels, or black as in the paper; its released code has 0.4 (lesson 10). `paste` puts
    the known pixels back into each answer where they have no noise; the released code does so in its pictures alone.
    """

    name: ClassVar[str] = "inpainting"
    about: ClassVar[str] = "in-painting of pictures, A = M"
    default_image: ClassVar[str] = "astronaut"
    profiles: ClassVar[dict] = {"smoke": dict(size=64), "laptop": dict(size=128),
                                "paper": dict(size=512, fill="zero", start="paper", paste=False)}

    hiar: float | None = setting(None, f"hole-to-image area ratio of a central box; {HIAR} if no mask is asked for",
                                 above=0, below=1)
    missing: float | None = setting(None, "share of pixels missing at random places, e.g. 0.97", above=0, below=1)
    mask: str | None = setting(None, "picture or array of your own mask, white (or not zero) where a pixel is known")
    invert_mask: bool = setting(False, "treat white in --mask as the hole")
    sigma: float = setting(0.0, "standard deviation of the Gaussian noise of the known pixels, of 255", low=0, high=255)
    fill: str = fill_setting("mean")
    start: str = setting("filled", "z_0: y as in the paper, or y with the hole filled harmonically, Laplace x = 0",
                         choices=("paper", "filled"))
    paste: bool = setting(True, "put the known pixels of noiseless data back into every answer")

    def __post_init__(self):
        super().__post_init__()
        given = [name for name in ("hiar", "missing", "mask") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} exclude each other: give one of hiar, missing and mask")
        if self.measured and self.mask is None:
            raise InputError("a measured picture needs the mask of its damage: --mask FILE, black where a pixel is bad")
        if self.invert_mask and self.mask is None:
            raise InputError("invert_mask inverts a mask of your own: also give --mask FILE")

    def idle(self, image):
        """See `Settings.idle`."""
        unused = unseeded(self.missing is not None or (self.sigma and not self.measured))
        noisy = dict(paste="the known pixels have noise, and stay as the method gives them")
        return unused | (noisy if self.sigma else {})

    def observe(self, image, seed=0):
        """Mask a picture, or take it as `measured` outside of its mask, and return its `Case`.

        InputError for a bad picture (`natural_truth`) or mask, or a picture that is blank in the hole.
        """
        generator = torch.Generator().manual_seed(seed)
        picture = natural_truth(self, image, self.size)
        mask, notes = self._mask(picture.shape[:2], generator)
        if not self.measured and self.mask is not None and not image.shipped:
            if is_blank(picture, mask):
                raise InputError(f"{image.name} has one colour in the hole of the mask and others around it, so it is "
                                 "no truth there: if that is the damage to repair, add --measured")
            notes += ("PSNR takes as truth what the picture shows in the hole: if that is damage, add --measured",)
        x = to_tensor(picture)
        A = Mask(mask, x.shape[1:])
        y = A(x if self.measured else x + gaussian(x, self.sigma, generator))
        observation = centred(self, A, y, self.sigma / 255, mask)
        if self.start == "filled":
            observation = replace(observation, start=harmonic(observation.y, mask))
        return natural_case(self, image, picture, observation, seed, notes, self.paste and not self.sigma,
                            hole=float((mask == 0).float().mean()))

    def known(self, image):
        """(H, W) bool, the pixels of the picture that the mask keeps."""
        return self._mask(image.array.shape[:2], None)[0].numpy() > 0

    def _mask(self, shape, generator):
        if self.mask is not None:
            return read_mask(self.mask, shape, self.invert_mask)
        if self.missing is not None:
            return random_mask(shape, self.missing, generator), ()
        return box_mask(shape, HIAR if self.hiar is None else self.hiar), ()
