"""What images and scans are, and the checks that every one of them passes, wherever it came from."""

from dataclasses import dataclass

import numpy as np

from ..settings import InputError

MOST_VALUES = 4096 * 4096  #: largest accepted number of values in one array, e.g. 64 coils of 512 x 512
LEAST_SIDE = 16  #: shortest accepted side in pixels: the U-Net's poolings and the window of SSIM need room

#: Accepted peak sizes: their squares, summed, neither vanish nor overflow in single precision.
LEAST_PEAK, MOST_PEAK = 1e-12, 1e12


@dataclass(frozen=True)
class Image:
    """A picture taken as truth: array (H, W) or (H, W, 3), float32 in [0, 1] or any finite unit, or complex64.

    `shipped` images, and fetched ones, are resampled to the task's size; a user's own keeps its pixels. `spacing_mm` is
    the side of a pixel in mm, None if it is not known. `notes` say what a reader must know of how it was read.
    """

    name: str
    array: np.ndarray
    shipped: bool = False
    spacing_mm: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class KSpace:
    """A measured multi-coil scan.

    Attributes:
        kspace: (coils, H, W) complex64, centred, zero where not sampled.
        mask: (W,) or (H, W) of zeros and ones if the scan was undersampled, None if it was full.
        reference: (h, w) float32 magnitude to compare with (root sum of squares), or None.
        support: (H, W) bool, where a full scan was measured if not everywhere: zero filling, partial Fourier.
        crop: (h, w), the central part of the picture that is shown; None for all, or for that of the reference.
        notes: what a reader must know of how it was read.
    """

    name: str
    kspace: np.ndarray
    mask: np.ndarray | None = None
    reference: np.ndarray | None = None
    support: np.ndarray | None = None
    crop: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sinogram:
    """A measured parallel-beam CT scan of one slice.

    Attributes:
        sinogram: (views, D) float32 line integrals -log(I / I_0).
        angles: (views,) float64, in radians, increasing, within half a turn.
        centre: where the axis of rotation falls on the detector, in bins; (D - 1) / 2 is its middle.
        notes: what a reader must know of how it was read.
    """

    name: str
    sinogram: np.ndarray
    angles: np.ndarray
    centre: float
    notes: tuple[str, ...] = ()


def as_image(array):
    """A checked image: (H, W) or (H, W, 3), float32 or complex64, finite, not constant, 16 pixels a side or more."""
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] != 3):
        raise InputError(f"an image must have shape (H, W) or (H, W, 3), got {array.shape}" + axes_hint(array))
    check_sides("an image", array.shape[:2])
    array = single_precision("the image", array)
    if (array == array.flat[0]).all():
        raise InputError("the image is constant: there is nothing to reconstruct")
    return array


def parts_hint(array):
    """The end of a sentence about a real array, an axis of which may hold real and imaginary parts."""
    if array.dtype.kind == "c" or array.ndim < 3 or 2 not in array.shape:
        return ""
    axis = array.ndim - 1 - array.shape[::-1].index(2)  # the last one of length 2
    words, at = {0: ("first axis", "{}"), array.ndim - 1: ("last axis", "..., {}")}.get(
        axis, (f"axis {axis}", ":, " * axis + "{}"))
    return f": if its {words} holds real and imaginary parts, save a[{at.format(0)}] + 1j * a[{at.format(1)}]"


def axes_hint(array):
    """The end of a sentence about an array that is no image (H, W) or (H, W, 3), but may become one."""
    ends = (array.shape[0], array.shape[-1]) if array.ndim > 2 else (0, 0)
    if ends[0] == 3 and array.ndim == 3:
        return ": put the colours last, np.moveaxis(a, 0, -1)"
    if ends[0] == 1:
        return ": leave out its first axis, a[0]"
    return ": leave out the alpha channel, a[..., :3]" if ends[1] == 4 else (
        "" if array.ndim > 3 and ends[1] == 3 else parts_hint(array))


def count_values(shape):
    """Number of values of a shape; InputError for none and for more than MOST_VALUES."""
    values = int(np.prod([int(n) for n in shape], dtype=object)) if shape else 1
    if any(n < 1 for n in shape):
        raise InputError(f"holds no values: its shape is {tuple(shape)}")
    if values > MOST_VALUES:
        raise InputError(f"too large: {' x '.join(map(str, shape))} values, at most {MOST_VALUES} are accepted")
    return values


def slice_of(wanted, count, where="there are"):
    """The slice `wanted` of a volume of `count`, by default the middle one; InputError if there is none."""
    index = count // 2 if wanted is None else wanted
    if not 0 <= index < count:
        raise InputError(f"slice {index} does not exist: {where} slices 0 to {count - 1}")
    return index


def check_sides(what, shape):
    if min(shape) < LEAST_SIDE:
        raise InputError(f"{what} must have at least {LEAST_SIDE} pixels on each side, got {shape[0]} x {shape[1]}")


def single_precision(what, array):
    """The array as float32 or complex64; InputError for NaN, Inf, zero throughout and sizes out of reach."""
    with np.errstate(over="ignore", invalid="ignore"):
        array = array.astype(np.complex64 if array.dtype.kind == "c" else np.float32)
        if not np.isfinite(array).all():
            raise InputError(f"{what} holds NaN, Inf or values beyond single precision")
        peak = float(np.abs(array).max())
    if peak == 0:
        raise InputError(f"{what} is zero throughout")
    if not LEAST_PEAK <= peak <= MOST_PEAK:
        raise InputError(f"{what} peaks at {peak:.3g}: scale it to between {LEAST_PEAK:g} and {MOST_PEAK:g}")
    return array


def fit(image, size):
    """The array of an `Image` at the size that is worked with.

    Shipped images are centred on a square and resampled (anti-aliased) to size x size; a user's own image, or any
    image with size None, is returned as it is.
    """
    if size is None or not image.shipped:
        return image.array
    from skimage.transform import resize

    sides = image.array.shape[:2]
    side = max(sides)
    pad = [((side - n) // 2, side - n - (side - n) // 2) for n in sides]
    square = np.pad(image.array, pad + [(0, 0)] * (image.array.ndim - 2))
    return resize(square, (size, size), order=3, anti_aliasing=size < side).clip(0, None).astype(np.float32)
