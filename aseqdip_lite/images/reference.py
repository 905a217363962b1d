"""The reconstruction that comes with measured k-space: turned, sized and scaled as the picture of that k-space is."""

from dataclasses import replace

import numpy as np

from ..settings import InputError
from .types import count_values

LIKENESS = 0.7  #: least correlation of a reference with the root sum of squares of the k-space that it was made of
ALIKE = 1e-3  #: difference of correlations that tells nothing
SAME_SCALE = 0.02  #: largest relative difference of their sizes that rounding may explain

#: The symmetries of a square, and what undoes each.
TURNS = {"": np.asarray, "flipped up-down": np.flipud, "flipped left-right": np.fliplr,
         "turned by 180 degrees": lambda a: a[::-1, ::-1], "transposed": np.transpose,
         "turned by 90 degrees": lambda a: np.rot90(a, -1), "turned by -90 degrees": np.rot90,
         "transposed along the other diagonal": lambda a: a.T[::-1, ::-1]}


def oriented(kspace, reference):
    """(reference, notes): turned as the picture of k-space lies, where another way fits clearly better than its own."""
    ways = {words: turn(reference) for words, turn in TURNS.items()}
    pictures = {shape: _picture(_filled(kspace, shape), shape) for shape in {way.shape for way in ways.values()}}
    likeness = {words: np.nan_to_num(_likeness(pictures[way.shape], way), nan=-1) for words, way in ways.items()}
    best = max(ways, key=likeness.get)
    if 1 - likeness[""] < 2 * (1 - likeness[best]) + ALIKE:
        return reference, ()
    return np.ascontiguousarray(ways[best]), (f"the reference is {best} relative to the picture of its k-space: turned "
                                              "back; to do without, delete it from the file",)


def of_common_size(kspace, mask, reference):
    """(kspace, mask, reference, notes), brought to one size where the reference has more rows or columns than k-space.

    Either the scanner filled k-space up with zeros to the size of the picture, or it enlarged the picture; which, the
    numbers tell: the root sum of squares of the coil pictures is compared with the reference. InputError if neither.
    """
    sides, size = kspace.shape[1:], reference.shape
    common = tuple(map(min, sides, size))
    if common == size:
        return kspace, mask, reference, ()
    filled = _filled(kspace, size)
    if _likeness(_picture(filled, size), reference) >= LIKENESS:
        return filled, mask if mask is None else _filled(mask, size[-mask.ndim:]), reference, ()
    centre = _centre(reference, common)
    if _likeness(_picture(kspace, common), centre) >= LIKENESS:
        return kspace, mask, centre, (f"the reconstruction in the file, {size[0]} x {size[1]}, is larger than k-space: "
                                      f"compared on the common centre, {common[0]} x {common[1]}",)
    raise InputError(f"the reference of {size} is larger than the k-space of {sides}, and neither filling k-space up "
                     "with zeros nor the common centre of the pictures agrees with it: delete the reconstruction from "
                     "the file to do without")


def of_common_scale(scan):
    """The scan with its reference in the unit of k-space, where a full one shows that it is not."""
    if scan.reference is None or scan.mask is not None:
        return scan
    picture = _picture(scan.kspace, scan.reference.shape)
    if not _likeness(picture, scan.reference) >= LIKENESS:
        return replace(scan, notes=(*scan.notes, "the reconstruction in the file does not look like the picture of its "
                                    "k-space: the comparison with it says little"))
    factor = float(np.vdot(scan.reference, picture) / np.vdot(scan.reference, scan.reference))
    if abs(factor - 1) <= SAME_SCALE:
        return scan
    return replace(scan, reference=(scan.reference * factor).astype(np.float32), notes=(
        *scan.notes, f"the reconstruction in the file is times {factor:.3g} in the unit of its k-space"))


def _filled(array, size):
    """K-space, or its mask, filled up with zeros on all sides to at least `size` on the last axes."""
    sides = array.shape[-len(size):]
    larger = tuple(map(max, sides, size))
    count_values((*array.shape[:-len(size)], *larger))
    pads = [(n // 2 - m // 2, n - m - (n // 2 - m // 2)) for n, m in zip(larger, sides, strict=True)]
    return np.pad(array, [(0, 0)] * (array.ndim - len(size)) + pads)


def _picture(kspace, shape):
    """Central part (h, w) of the root sum of squares of the coil pictures of k-space (coils, H, W)."""
    import sigpy

    return _centre(np.linalg.norm(sigpy.ifft(kspace, axes=(-2, -1)), axis=0), shape)


def _centre(array, shape):
    top, left = ((n - m) // 2 for n, m in zip(array.shape, shape, strict=True))
    return array[top:top + shape[0], left:left + shape[1]]


def _likeness(one, other):
    """Correlation of two pictures, nan where one is constant."""
    one, other = (array.astype(np.float64) - array.mean(dtype=np.float64) for array in (one, other))
    with np.errstate(invalid="ignore"):
        return float(np.vdot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))
