"""Which axis of a volume of k-space counts the coils: by the numbers in its file, else by how its pictures look.

fastMRI's order is (slices, coils, H, W), and (slices, H, W) for one coil. Others save the coils first. Pictures of
coils show one object, each times a smooth factor of its own; pictures of slices show different objects.
"""

from functools import partial
from itertools import combinations
from math import prod

import numpy as np

from .hdf5 import filters, read
from .kspace import coils_of, in_order

SIDE, WINDOW = 64, 24  #: samples of k-space on a side that are compared, and where their Gaussian window is exp(-1/2)
SPOT = 3  #: pixels on a side of the coarse picture within which the factor of a coil is nearly constant
SMOOTH = 0.01  #: difference within a spot that coils stay well below, unless noise adds to it
APART, FACTOR = 0.05, 0.05  #: least difference of coils; largest share of it that smooth factors leave
MOST_PIXELS, MOST_CHUNK = 2**20, 2**21  #: most pixels of pictures, and values of a packed chunk, that are looked at
WAY_OUT = "if that is wrong, save one slice as 'kspace' (coils, H, W) of an .npz"


def coil_axis(kspace, slices=None, coils=None):
    """(axis, notes): the axis of the coils in a dataset of three or four axes, 0 or 1; None if it has none.

    `slices` and `coils` are the numbers that the file says there are, None where it does not.
    """
    usual = 1 if kspace.ndim == 4 else None
    counts = kspace.shape[0], kspace.shape[1] if usual else 1
    order = "(coils, slices, H, W)" if usual else "(coils, H, W)"
    for count, place, kind in ((slices, 0, "slices"), (coils, 1, "coils")):
        if count in counts and counts[0] != counts[1]:
            return (usual, ()) if counts[place] == count else (
                0, (f"'kspace' is read as {order}: the file says that it has {count} {kind}",))
    along = _differences(kspace, counts)
    like_coils = [whole > APART and near < FACTOR * whole for near, whole in along]
    like_coils[0] &= counts[0] > 1
    if all(like_coils):
        like_coils = [2 * along[0][0] < along[1][0], 2 * along[1][0] < along[0][0]]
    if like_coils[0]:
        return 0, (f"'kspace' is read as {order}: along its first axis pictures differ by smooth factors, as those of "
                   f"coils do; {WAY_OUT}",)
    if like_coils[1] or not usual:
        return usual, ()
    return usual, (f"'kspace' is read as (slices, coils, H, W), though its pictures do not tell; {WAY_OUT}",)


def _differences(kspace, counts):
    """`unlike` of some pictures along each of the first two axes, through the middle of the other; nan if too large."""
    if 0 in kspace.shape or prod(kspace.shape[-2:]) > MOST_PIXELS or (
            filters(kspace) and prod(kspace.chunks) > MOST_CHUNK):
        return [(np.nan, np.nan)] * 2
    first, second = (sorted({0, count // 2, count - 1}) for count in counts)
    rest = () if kspace.ndim == 3 else (counts[1] // 2,)
    middle = read(kspace, counts[0] // 2)
    if rest and coils_of(middle):  # the coils are last, of which `in_order` takes care
        return [(np.nan, np.nan), (SMOOTH, 1.0)]
    return [unlike(np.stack([read(kspace, k, *rest) for k in first])), unlike(middle[second] if rest else middle[None])]


def unlike(kspace):
    """(near, whole) of k-space (n, H, W): how far its pictures are from being each other times a factor, 0 to 1.

    That is 1 - |<a, b>|^2 / (|a|^2 |b|^2), averaged over the pairs of pictures by their energy: for each `SPOT`, which
    a smooth factor keeps near 0, and for the whole picture, which only a constant one does.
    """
    from scipy.ndimage import uniform_filter

    if len(kspace) == 1:
        return SMOOTH, 1.0
    kspace = in_order(kspace)[0]
    (top, h), (left, w) = ((n // 2 - min(n, SIDE) // 2, min(n, SIDE)) for n in kspace.shape[1:])
    rows, columns = (np.exp(-((np.arange(n) - n // 2) / WINDOW) ** 2 / 2) for n in (h, w))
    pictures = np.fft.ifft2(kspace[:, top:top + h, left:left + w] * rows[:, None] * columns)  # (n, h, w)
    smooth = partial(uniform_filter, size=SPOT, mode="wrap")
    energies, near, whole, total = [smooth(np.abs(one) ** 2) for one in pictures], 0.0, 0.0, 0.0
    for a, b in combinations(range(len(pictures)), 2):
        product, both = pictures[a] * pictures[b].conj(), (energies[a] * energies[b]).sum()
        near += (smooth(product.real) ** 2 + smooth(product.imag) ** 2).sum()
        whole += both * np.abs(product.sum()) ** 2 / max(energies[a].sum() * energies[b].sum(), 1e-300)
        total += both
    return (float(1 - near / total), float(1 - whole / total)) if total > 0 else (1.0, 1.0)

