"""Measured CT projections: line integrals from counts, views of one half turn, the axis of rotation, new bins."""

import math

import numpy as np
from scipy.ndimage import median_filter

from ..settings import InputError
from .types import LEAST_SIDE

ROUNDING = 1e-6  #: radians by which equal angles may differ
LEAST_TRANSMISSION = 1e-4  #: smallest transmission I / I_0 that is told from none: a ray of less counts as this much
MOST_CHANGE = 0.1  #: largest relative change of the attenuation of a whole view that noise and drift may explain
MOST_DEAD, LONGEST_DEAD = 0.05, 3  #: share of all bins, and bins in a row, that are interpolated where they are dead
MOST_DARK = 0.5  #: share of the rays that may show no more than the dark field
OFF_SINE = 0.25  #: bins by which centroids may be off their sine, for noise and drift
MOST_APART = 0.01  #: square of the relative difference of views at one angle from their mean that drift explains
CONTRADICT = ("views at the same angle show different things, and their mean neither: if the angles are wrong, or the "
              "object moved, correct 'theta' or save one pass alone")
SAME_VIEW = 0.1  #: views nearer to each other than this share of the mean step are one view, taken again


def line_integrals(counts, white, dark):
    """-log(I / I_0) (views, D) from counts (views, D), those of the open beam (n, D) and those without beam (n, D)."""
    dark = dark.mean(axis=0)
    beam = white.mean(axis=0) - dark
    if not (beam > 0).all():
        raise InputError(f"{int((beam <= 0).sum())} of {len(beam)} bins are dead: their open beam is not above the "
                         "dark field")
    return -np.log(((counts - dark) / beam).clip(min=LEAST_TRANSMISSION))


def attenuation_of(counts, white, dark):
    """(`line_integrals`, notes), those of a few dead or hot bins interpolated from their neighbours.

    A bin is dead if its open beam is not above the dark field, or no view is; it is hot if it shows on average less
    than half of the attenuation of the bins around it. InputError for many bins without a beam.
    """
    bins, opaque = np.arange(counts.shape[1]), -math.log(LEAST_TRANSMISSION)
    bad = white.mean(axis=0) <= dark.mean(axis=0)
    if np.mean(counts <= dark.mean(axis=0)) > MOST_DARK:
        raise InputError("most of 'data' is not above the dark field: counts are expected, in the unit of 'data_white' "
                         "and 'data_dark'; with transmission I / I_0 these are ones and zeros")
    if not few(bad):
        return line_integrals(counts, white, dark), ()
    rays = np.full(counts.shape, opaque)
    rays[:, ~bad] = line_integrals(*(part[:, ~bad] for part in (counts, white, dark)))
    for fault in (lambda mean, around: (mean > 0.999 * opaque) & (around < mean / 2),
                  lambda mean, around: (mean < around / 2) & (around > around.max() / 10)):
        mean = np.interp(bins, bins[~bad], rays.mean(axis=0)[~bad])
        found = fault(mean, median_filter(mean, 2 * LONGEST_DEAD + 1, mode="nearest"))
        bad = bad | found if few(bad | found) else bad
    if not bad.any():
        return rays, ()
    return np.stack([np.interp(bins, bins[~bad], view[~bad]) for view in rays]), (
        f"{int(bad.sum())} of {len(bad)} bins are dead or hot: interpolated from their neighbours",)


def few(bad):
    """Whether so few of the bins (D,) bool are bad, and so few in a row, that they can be interpolated."""
    in_a_row = max((len(run) for run in "".join(map(str, bad.astype(int))).split("0")), default=0)
    return bad.mean() <= MOST_DEAD and in_a_row <= LONGEST_DEAD


def averaged(counts, angles):
    """(counts, angles, notes) with the mean of the views that were taken again from the same side in place of them."""
    turned = (angles - angles.min() + ROUNDING) % (2 * math.pi)
    order = np.argsort(turned, kind="stable")
    turned = turned[order]
    starts = np.flatnonzero(np.diff(turned, prepend=-math.inf) > SAME_VIEW * turned[-1] / len(turned))
    if len(starts) == len(angles):
        return counts, angles, ()
    sizes = np.diff(starts, append=len(angles))
    each, counts = counts[order], np.add.reduceat(counts[order], starts) / sizes[:, None]
    again, mean = np.repeat(sizes > 1, sizes), np.repeat(counts, sizes, axis=0)
    shape, rest = (mean - mean.mean(axis=1, keepdims=True))[again], (each - mean)[again]
    # white noise drops out of the product of neighbours
    apart = (rest[:, 1:] * rest[:, :-1]).sum() / max((shape**2).sum(), 1e-300)
    turned = np.add.reduceat(turned, starts) / sizes + angles.min() - ROUNDING
    places = ", ".join(f"{round(math.degrees(angle), 3) + 0.0:g}" for angle in turned[sizes > 1][:3])
    more = ", ..." if (sizes > 1).sum() > 3 else ""
    return counts, turned, (f"{len(angles)} views averaged to {len(starts)}: taken more than once at {places}{more} "
                            "degrees",) + ((CONTRADICT,) if apart > MOST_APART else ())


def half_turn(angles):
    """Indices of the views that give every direction once, by increasing angle modulo half a turn.

    All views of the first half turn, and of the later ones those that do not repeat their rays from behind.
    InputError where the views leave a gap.
    """
    turns, turned = _turns(angles)
    order = np.argsort(turned, kind="stable")
    first, later = order[turns[order] == 0], order[turns[order] > 0]
    near = SAME_VIEW * math.pi / len(angles)
    known = np.concatenate([turned[first] - math.pi, turned[first], turned[first] + math.pi])
    place = np.searchsorted(known, turned[later])
    away = np.minimum(turned[later] - known[place - 1], known[place.clip(max=len(known) - 1)] - turned[later])
    later = later[away > near]
    later = later[np.diff(turned[later], prepend=-math.inf) > near]
    order = np.concatenate([first, later])
    order = order[np.argsort(turned[order], kind="stable")]
    gaps = np.diff(turned[order], append=math.pi)
    if len(order) < 3 or gaps.max() > 3 * math.pi / len(order):
        raise InputError(f"its {len(order)} views leave a gap of {math.degrees(gaps.max()):.3g} degrees: three or "
                         "more that are spread evenly over half a turn are expected; if the angles are in radians, set "
                         "their attribute 'units' to 'rad'")
    return order


def from_one_side(sinogram, angles):
    """(sinogram, angles within half a turn, bin of the axis, notes): views from behind are mirrored at the axis.

    Parallel rays are the same from both sides: the view at t + pi is that at t with the bins in reverse order around
    the axis of rotation, which is found first.
    """
    centre = rotation_centre(sinogram, angles)
    turns, turned = _turns(angles)
    behind, bins = turns % 2 == 1, np.arange(sinogram.shape[1])
    sinogram = sinogram.copy()
    for view in np.flatnonzero(behind):
        sinogram[view] = np.interp(2 * centre - bins, bins, sinogram[view])
    notes = (f"{int(behind.sum())} of {len(angles)} views are from behind: mirrored at the axis of rotation",)
    angles = np.where(turns > 0, angles.min() + turned, angles)
    return sinogram, angles, centre, (notes if behind.any() else ()) + doubt_of_angles(sinogram, angles)


def doubt_of_angles(sinogram, angles):
    """A note where the centroids of the views are far from the sine of their angles, see `rotation_centre`; or none."""
    waves = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    centroids = sinogram @ np.arange(sinogram.shape[1]) / sinogram.sum(axis=1)
    left = float(np.std(centroids - waves @ np.linalg.lstsq(waves, centroids, rcond=None)[0]))
    if left < max(OFF_SINE, np.std(centroids) / 2):
        return ()
    return (f"the centroids of the views do not follow a sine of their angles, {left:.2g} bins off: are the angles in "
            "the right unit and order?",)


def _turns(angles):
    """(half turns since the first angle, whole numbers; what is left, in [0, pi))."""
    turned = angles - angles.min()
    turns = np.floor((turned + ROUNDING) / math.pi)
    return turns, turned - math.pi * turns


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
