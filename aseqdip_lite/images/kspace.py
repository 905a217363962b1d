"""K-space of any source: where it was measured, and what its numbers say of an order of axes that nobody wrote down.

Facts are checked (`as_kspace`). What is only plausible is a guess, named in `notes` with the way to overrule it.
"""

from dataclasses import replace

import numpy as np

from ..settings import InputError
from .reference import oriented
from .types import LEAST_PEAK, MOST_PEAK, KSpace, check_sides, count_values, parts_hint, single_precision

WINDOW = 5  #: samples on a side of the spot in which k-space has most of its energy
PEAKED = 3  #: how many times more of its energy one spot of k-space holds than one spot of its picture, at least
MOST_PARTIAL = 0.9  #: partial Fourier measures less than this share of the lines; 7/8 is the most in use
KINDS = {-2: "rows", -1: "columns"}
NEAR = 8  #: the zero frequency and the air round an object lie within 1 / NEAR of an axis of where they are looked for
AIR, CLEAR = 1e-3, 0.8  #: energy of air, relative to the mean; decades by which edge and middle of a picture differ
LINES = 6  #: lines round the zero frequency that a mask measures in full, at least


def as_kspace(name, kspace, mask=None, reference=None, notes=()):
    """A checked `KSpace`; what was measured is read off the zeros and the mask (`measured`)."""
    if kspace.ndim != 3 or kspace.dtype.kind != "c":
        raise InputError(f"k-space must be complex of shape (coils, H, W), got {kspace.dtype} of shape {kspace.shape}"
                         + way_out(kspace))
    count_values(kspace.shape)
    h, w = kspace.shape[1:]
    check_sides("k-space", (h, w))
    kspace = single_precision("the k-space", kspace)
    if mask is not None:
        mask, notes = mask_of(mask, kspace, notes)
        if mask.shape not in ((w,), (h, w)):
            raise InputError(f"the mask must have shape {(w,)} or {(h, w)}, got {mask.shape}"
                             + (": repeat a mask of rows to (H, W)" if mask.shape == (h,) else ""))
        if mask.dtype.kind not in "biuf" or not np.isin(mask, (0, 1)).all():
            raise InputError("the mask must contain only zeros and ones: save mask > 0 if all above 0 was measured")
        if not (kspace * mask).any():
            raise InputError("the mask is 0 wherever k-space is not: save 1 - mask" if mask.any() else "the sampling "
                             "mask is empty: no k-space sample was measured; without a mask zeros mark what was not")
    mask, support, found = measured(kspace, mask)
    if reference is not None:
        if reference.ndim != 2 or reference.dtype.kind not in "iuf":
            raise InputError(f"the reference must be real of shape (h, w), got {reference.dtype} of {reference.shape}")
        check_sides("the reference", reference.shape)
        if reference.shape[0] > h or reference.shape[1] > w:
            raise InputError(f"the reference of {reference.shape} is larger than the k-space of {(h, w)}")
        reference = single_precision("the reference", reference)
        if reference.min() < 0:
            raise InputError("the reference must contain magnitudes, got negative values")
    return KSpace(name, kspace, mask, reference, support, notes=(*notes, *found))


def mask_of(mask, kspace, notes):
    """(mask, notes): (W,) or (H, W), without its axes of length 1; of (H, 1), and of rows by the zeros, it is (H, W).

    A line of H = W numbers is one of rows or of columns as the zeros of k-space say; without their word (H, 1) is one
    of rows, others of columns.
    """
    line, (h, w), shape = np.squeeze(mask), kspace.shape[1:], np.shape(mask)
    if line.shape != (h,) or (h != w and shape[-1] != 1):
        return line, notes
    rows, columns = (np.array_equal(line != 0, (kspace != 0).any(axis=(0, axis))) for axis in (2, 1))
    if h != w or rows > columns or (shape == (h, 1) and rows == columns):
        return np.repeat(line[:, None], w, axis=1), (*notes, f"the mask of shape {shape} is read as one of rows")
    told = shape in ((w,), (1, w)) or columns
    return line, notes if told else (*notes, f"the mask of shape {shape} is read as one of columns: repeat one of rows "
                                     "to (H, W)")


def way_out(array):
    """What else an array that is no k-space (coils, H, W) may be, as the end of a sentence."""
    if array.dtype.kind == "c" and array.ndim == 2:
        return ": add the axis of one coil, a[None]"
    if array.dtype.kind == "c" and array.ndim == 4:
        return ": of (slices, coils, H, W) save one slice, a[index], or 'kspace' of an .h5 file"
    return parts_hint(array)


def measured(kspace, mask=None):
    """(mask, support, notes) of k-space (coils, H, W), from its zeros and from a mask of zeros and ones, if any.

    A scan is full where all that was measured is one piece without holes around the zero frequency: zeros at the edges
    are the zero filling that enlarges a picture, or partial Fourier. Its mask is None, and its `support` (H, W) tells
    what was measured, None if all was. Of any other scan the mask is (W,) if columns were left out, else (H, W), and
    the support is None. A mask that leaves out what k-space holds is kept; where it counts zeros as measured, they are
    left out of it.
    """
    held, notes = (kspace != 0).any(axis=0), ()
    sampled = held
    if mask is not None and not mask.all():
        known = held if mask.ndim == 2 else held.any(axis=1)[:, None] & held.any(axis=0)
        wanted = np.broadcast_to(mask != 0, held.shape)
        sampled = known & wanted
        for wrong, words in ((wanted & ~known, "counts {} as measured where k-space is zero: left out of it"),
                             (known & ~wanted, "leaves out {} that k-space holds")):
            lines = wrong.any(axis=0) if mask.ndim == 1 else wrong
            if wrong[held.any(axis=1)].any():
                kind = "columns" if mask.ndim == 1 else "points"
                notes += ("the mask " + words.format(f"{int(lines.sum())} {kind}"),)
        if (known & ~wanted).any():
            return _columns_or_points(sampled), None, notes
    if _in_one_piece(sampled):
        notes += _edges(sampled.any(axis=1), "rows") + _edges(sampled.any(axis=0), "columns")
        return None, None if sampled.all() else sampled, notes
    return _columns_or_points(sampled), None, notes


def _columns_or_points(sampled):
    columns = sampled.any(axis=0)
    return (columns if (sampled == columns).all() else sampled).astype(np.float32)


def _in_one_piece(sampled):
    """Whether the true entries of (H, W) hold the zero frequency and leave no gap along any row or column."""
    h, w = sampled.shape
    return bool(sampled[h // 2, w // 2]) and all(
        (np.abs(np.diff(np.pad(sampled, 1).astype(np.int8), axis=axis)).sum(axis=axis) <= 2).all() for axis in (0, 1))


def _edges(lines, kind):
    """Notes on how a run of measured rows or columns lies around the zero frequency."""
    inside, size = np.flatnonzero(lines), len(lines)
    count, zero = len(inside), size // 2
    whole = min(2 * max(zero - int(inside[0]), int(inside[-1]) - zero) + 1, size)  # if both sides were measured
    whole = size if whole == size - 1 else whole
    if count > MOST_PARTIAL * whole:
        return () if count == size else (f"zero-filled from {count} to {size} {kind}",)
    filled = () if whole == size else (f"zero-filled from {whole} to {size} {kind}",)
    return (f"partial Fourier: {count} of {whole} {kind}", *filled)


def arranged(name, kspace, mask=None, reference=None, notes=()):
    """`as_kspace` of k-space that was brought into order (`in_order`), its reference turned like it (`oriented`)."""
    kspace, mask, found = in_order(kspace, mask)
    scan = as_kspace(name, kspace, mask, reference, (*notes, *found))
    if reference is None:
        return scan
    reference, turned = oriented(scan.kspace, scan.reference)
    return replace(scan, reference=reference, notes=scan.notes + turned)


def in_order(kspace, mask=None):
    """(kspace, mask, notes) with the coils first, the zero frequency and the middle of the picture in the middle.

    Only what stands out is moved: an axis without a peak where the other two have one; a peak at index 0 of an axis; a
    picture that lies across the edges, as one does that was transformed without ifftshift. The mask moves with k-space,
    unless it fits better otherwise.
    """
    if kspace.ndim != 3 or kspace.dtype.kind != "c" or not usable(kspace):
        return kspace, mask, ()
    notes = ()
    if coils := coils_of(kspace):
        notes += (f"shape {kspace.shape} is read with the coils on axis {coils}, the one without a peak: put them "
                  "first by np.moveaxis",)
        kspace = np.moveaxis(kspace, coils, 0)
    if mask is not None:
        mask, notes = mask_of(mask, kspace, notes)
    if not peaked(kspace):
        return kspace, mask, notes
    ends = [axis for axis in KINDS if _at_the_end(kspace, axis, _spot(kspace)[1][axis])]
    if ends:
        kspace = np.fft.fftshift(kspace, ends)
        notes += (f"the zero frequency of the {_words(ends)} was at index 0: moved to the middle by np.fft.fftshift",)
    mask, found = _mask_in_place(mask, kspace, ends)
    notes += found
    for axis, place in zip(KINDS, _spot(kspace)[1], strict=True):
        size = kspace.shape[axis]
        if abs(place - size // 2) > size / NEAR:
            notes += (f"its energy lies at index {place} of {size} {KINDS[axis]}, but the zero frequency is taken to "
                      f"be at {size // 2}: fill a partial scan up with zeros (np.pad) until it is there",)
    gaps = {axis: _gap(kspace, axis) for axis in KINDS}
    total = sum(gaps.values())
    across = ends if sum(gaps[axis] for axis in ends) < 0 else list(KINDS) if total < -CLEAR else []
    for axis in across:
        size = kspace.shape[axis]
        ramp = np.exp(2j * np.pi * (np.arange(size) - size // 2) * (size // 2) / size)
        kspace = kspace * (ramp[:, None] if axis == -2 else ramp)
    if across:
        notes += (f"the picture lay across the edges, its {_words(across)} rolled by half, as if transformed without "
                  "ifftshift: rolled back",)
    if abs(total) <= CLEAR:
        notes += ("no air round the object tells whether the picture lies in the middle: if it shows rolled by half, "
                  "save fftshift(fft2(ifftshift(a)))",)
    return kspace, mask, notes


def coils_of(kspace):
    """The axis of the coils in k-space of three axes: the one without a peak where the others have one, else 0."""
    gains = [_gain(kspace, axis) for axis in range(3)]
    coils = int(np.argmin(gains))
    return coils if PEAKED * gains[coils] < min(gains[:coils] + gains[coils + 1:]) else 0


def _words(axes):
    return " and ".join(KINDS[axis] for axis in axes)


def _shifted(mask, axes):
    """The mask (W,) or (H, W), if any, moved as k-space is along these of its axes."""
    if mask is None or mask.ndim not in (1, 2):
        return mask
    return np.fft.fftshift(mask, [axis for axis in axes if axis >= -mask.ndim])


def _mask_in_place(mask, kspace, ends):
    """(mask, notes): moved along `ends` as k-space was, unless it agrees better with its zeros as it is or moved.

    Of ways that agree alike, one counts by which the mask measures `LINES` lines round the zero frequency.
    """
    held = (kspace != 0).any(axis=0)
    held = held.any(axis=0) if mask is not None and mask.ndim == 1 else held
    if mask is None or mask.shape != held.shape:
        return mask, ()

    def misfit(axes):
        moved = _shifted(mask, axes) != 0
        centre = moved[tuple(slice(n // 2 - LINES // 2, n // 2 + LINES // 2) for n in moved.shape)]
        return np.count_nonzero(moved != held), not centre.all()

    best = min((ends, [], list(KINDS)), key=misfit)  # the first of equal ones
    words = "at index 0: moved to the middle by np.fft.fftshift" if best else "in the middle already: not moved"
    return _shifted(mask, best), () if best is ends else (f"the zero frequency of the mask was {words}",)


def usable(array):
    """Whether the numbers of an array can be judged; those that cannot are refused later."""
    return array.size > 0 and bool(np.isfinite(array).all()) and LEAST_PEAK <= np.abs(array).max() <= MOST_PEAK


def _spot(kspace):
    """(share, place) of the spot of WINDOW x WINDOW samples in which (coils, H, W) has the most energy, round edges."""
    from scipy.ndimage import uniform_filter

    energy = np.square(np.abs(kspace), dtype=np.float64).sum(axis=0)
    spots = uniform_filter(energy / energy.sum(), WINDOW, mode="wrap")
    place = np.unravel_index(int(spots.argmax()), spots.shape)
    return float(spots[place]) * WINDOW**2, tuple(map(int, place))


def peaked(kspace):
    """Whether one spot of k-space (coils, H, W) holds much more of the energy than one spot of its picture does."""
    return _spot(kspace)[0] > PEAKED * _spot(np.fft.fft2(kspace))[0]


def _gain(kspace, axis):
    """How many times more energy WINDOW entries in a row of an axis hold at most than they would of even energy."""
    profile = _profile(kspace, axis)
    window = min(WINDOW, len(profile))
    return float(np.convolve(profile / profile.mean(), np.ones(window) / window, mode="valid").max())


def _profile(kspace, axis):
    """Energy of k-space (coils, H, W) along an axis."""
    others = tuple(other for other in range(3) if other != axis % 3)
    return np.square(np.abs(kspace), dtype=np.float64).sum(axis=others)


def _at_the_end(kspace, axis, place):
    """Whether the peak at `place` lies at index 0 and the energy falls off from there on, but also at the other end."""
    profile = _profile(kspace, axis)
    after, before = profile[1:3].sum(), profile[-2:].sum()
    return min(place, len(profile) - place) <= 2 and min(after, before) > 0.1 * max(after, before)


def _gap(kspace, axis):
    """Decades, -1 to 1, by which a picture's emptiest line near its edges has less energy than that near its middle.

    Above 0 air lies at the edges, and the object in the middle; below 0 it is the other way round. Energy along a line
    of sight through a hollow object is less than at its rim, but more than in air.
    """
    from scipy.ndimage import uniform_filter1d

    energy = uniform_filter1d(_profile(np.fft.ifft(kspace, axis=axis), axis), 3, mode="wrap")  # the middle at index 0
    near, size = np.arange(-(len(energy) // NEAR), len(energy) // NEAR + 1), len(energy)
    middle, edge = energy[near].min(), energy[(size // 2 + near) % size].min()
    air = AIR * energy.mean()
    return float(np.clip(np.log10((middle + air) / (edge + air)), -1, 1))
