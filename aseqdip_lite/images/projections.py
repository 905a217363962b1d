"""Measured CT projections: Data Exchange .h5 files, line integrals from counts, axis of rotation, bins.

The format is that of the Advanced Photon Source (De Carlo et al., J. Synchrotron Rad. 21(6):1224-1230,
2014): counts, open beam and dark field in the group `exchange`, angles in degrees.
"""

import math
from pathlib import Path

import numpy as np

from ..settings import InputError
from .types import LEAST_SIDE, Sinogram, count_values, slice_of

GROUP = "exchange"  #: the group that tells such a file from other .h5 files
LEAST_TRANSMISSION = 1e-4  #: smallest transmission I / I_0 that is told from none: a ray of less counts as this much
MOST_CHANGE = 0.1  #: largest relative change of the attenuation of a whole view that noise and drift may explain


def load_projections(path, row=None):
    """One row of a parallel-beam scan as a `Sinogram`; of more than half a turn only the first half is taken.

    `exchange` holds `data` (views, rows, D), `data_white` and `data_dark` (n, rows, D), all in counts, and `theta`
    (views,) in degrees. Line integrals are -log of (data - mean dark) / (mean white - mean dark). InputError if
    something is missing or has the wrong shape or kind, no such row, too large or too small, dead bins, views that
    leave a gap, an object that is wider than the detector.

    Args:
        path: the file. row: detector row, a slice of the object; the middle one by default.
    """
    import h5py

    path = Path(path)
    with h5py.File(path, "r") as stored:
        group = stored[GROUP]
        parts = [_part(group, name) for name in ("data", "data_white", "data_dark")]
        views, rows, bins = parts[0].shape
        theta = _part(group, "theta", dimensions=1)
        if any(part.shape[1:] != (rows, bins) for part in parts) or theta.shape != (views,):
            raise InputError("'data', 'data_white', 'data_dark' and 'theta' must have shapes (views, rows, D), "
                             "(n, rows, D), (n, rows, D) and (views,), got "
                             + ", ".join(str(part.shape) for part in (*parts, theta)))
        row = slice_of(row, rows, "the file has")
        for part in parts:
            count_values((len(part), bins))
        count_values((views,))
        if bins < LEAST_SIDE:
            raise InputError(f"a view must have at least {LEAST_SIDE} bins, got {bins}")
        counts, white, dark = (part[:, row].astype(np.float64) for part in parts)  # (views, D), (n, D), (n, D)
        angles = np.radians(theta[()].astype(np.float64))
    if not all(np.isfinite(array).all() for array in (counts, white, dark, angles)):
        raise InputError("'data', 'data_white', 'data_dark' and 'theta' must be finite")
    chosen = half_turn(angles)
    sinogram, angles = line_integrals(counts[chosen], white, dark), angles[chosen]
    centre = rotation_centre(sinogram, angles)
    return Sinogram(f"{path.name}[{row}]", sinogram.astype(np.float32), angles, centre)


def line_integrals(counts, white, dark):
    """-log(I / I_0) (views, D) from counts (views, D), those of the open beam (n, D) and those without beam (n, D)."""
    dark = dark.mean(axis=0)
    beam = white.mean(axis=0) - dark
    if not (beam > 0).all():
        raise InputError(f"{int((beam <= 0).sum())} of {len(beam)} bins are dead: their open beam is not above the "
                         "dark field")
    return -np.log(((counts - dark) / beam).clip(min=LEAST_TRANSMISSION))


def half_turn(angles):
    """Indices of the views of the first half turn, by increasing angle; InputError where these leave a gap."""
    order = np.argsort(angles, kind="stable")
    turned = angles[order] - angles[order[0]]
    inside = turned < math.pi - 1e-6
    order, turned = order[inside], turned[inside]
    gaps = np.diff(turned, append=math.pi)
    if len(turned) < 3 or gaps.max() > 3 * math.pi / len(turned):
        raise InputError(f"its {len(turned)} views leave a gap of {math.degrees(gaps.max()):.3g} degrees: three or "
                         "more that are spread evenly over half a turn are expected")
    return order


def rotation_centre(sinogram, angles):
    """Where the axis of rotation falls on the detector, in bins, from the centroids of the views.

    The centroid of the view at angle t is centre + X cos(t) + Y sin(t) for the object's centre of mass (X, Y), the
    moment condition of first order on parallel projections (Natterer, The Mathematics of Computerized Tomography, 1986,
    theorem II.4.2); least squares fits the three numbers. Three rounds let the bins that are used lie evenly around the
    axis found before, so that a constant error of the open beam does not move it. By the condition of order zero all
    views have the same sum. InputError for an empty view, sums of the views that differ, or the centre lies off the
    detector.

    Args:
        sinogram: (views, D) line integrals of an object that lies within every view. angles: (views,) radians.
    """
    sums = sinogram.sum(axis=1)
    if not sums.min() > 0:
        raise InputError("a view shows no attenuation: there is no object in it")
    if not np.abs(sums - sums.mean()).max() <= MOST_CHANGE * sums.mean():
        raise InputError("the attenuation of the whole object changes from view to view by more than "
                         f"{MOST_CHANGE:.0%}: it reaches beyond the detector, or the beam was not stable")
    last = sinogram.shape[1] - 1
    waves, centre = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1), last / 2
    for _ in range(3):
        reach = int(min(centre, last - centre))
        bins = np.arange(math.ceil(centre) - reach, math.floor(centre) + reach + 1)
        centroids = sinogram[:, bins] @ bins / sinogram[:, bins].sum(axis=1)
        centre = float(np.linalg.lstsq(waves, centroids, rcond=None)[0][0])
        if not LEAST_SIDE <= 2 * centre + 1 <= 2 * last + 2 - LEAST_SIDE:
            raise InputError(f"the axis of rotation falls on bin {centre:.1f} of {last + 1}, at or off the edge")
    return centre


def usable_bins(scan):
    """Bins of the widest part of the detector that is centred on the axis of rotation (a float)."""
    return 2 * min(scan.centre + 0.5, scan.sinogram.shape[1] - 0.5 - scan.centre)


def rebinned(scan, bins):
    """The usable part of a `Sinogram` on `bins` new bins (views, bins) float64, the axis of rotation in their middle.

    A new bin is the mean over the part of the old ones that it covers, divided by its width in old
    bins: an image in attenuation per old bin projects to it on a grid as fine as the new bins.
    """
    width = usable_bins(scan)
    edges = scan.centre + 0.5 + width * (np.arange(bins + 1) / bins - 0.5)  # from the left end of the first old bin
    sums = np.pad(np.cumsum(scan.sinogram, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    at_edges = np.stack([np.interp(edges, np.arange(sums.shape[1]), row) for row in sums])  # (views, bins + 1)
    return np.diff(at_edges) * (bins / width) ** 2


def _part(group, name, dimensions=3):
    """A dataset of numbers with the given number of axes, not read yet."""
    import h5py

    part = group.get(name)
    if not isinstance(part, h5py.Dataset):
        raise InputError(f"is no complete Data Exchange file: it has no '{GROUP}/{name}'")
    if part.dtype.kind not in "iuf" or part.ndim != dimensions:
        raise InputError(f"'{GROUP}/{name}' must hold real numbers with {dimensions} axes, got {part.dtype} of "
                         f"shape {part.shape}")
    return part
