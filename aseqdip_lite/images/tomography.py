"""CT scans in .h5 files of two formats, Data Exchange and NXtomo.

Data Exchange is that of the Advanced Photon Source (De Carlo et al., J. Synchrotron Rad. 21(6):1224-1230, 2014):
counts, open beam and dark field in the group `exchange`. NXtomo is the application definition of NeXus for tomography.
"""

import math
from pathlib import Path

import h5py
import numpy as np

from ..settings import InputError
from .hdf5 import attribute, dataset, names_in, node, read
from .projections import attenuation_of, averaged, from_one_side, half_turn
from .types import LEAST_SIDE, Sinogram, slice_of

MOST_ENTRIES = 50  #: most names of a group among which an NXtomo entry is looked for
EXCHANGE = "exchange"  #: the group of a Data Exchange file
#: Where an NXtomo entry keeps frames, angles and the kinds of frames.
DATA, ANGLES = ("data/data", "instrument/detector/data"), ("data/rotation_angle", "sample/rotation_angle")
KEYS = ("instrument/detector/image_key", "data/image_key")

UNITS = dict.fromkeys(("", "deg", "degs", "degree", "degrees", "°"), math.pi / 180) | dict.fromkeys(
    ("rad", "rads", "radian", "radians"), 1.0)  #: radians in a unit of angles; degrees where none is given


def load_projections(path, row=None):
    """One row of a parallel-beam scan as a `Sinogram`.

    Data Exchange: `exchange` holds `data` (views, rows, D), `data_white` and `data_dark` (n, rows, D), all in counts,
    and `theta` (views,). NXtomo: frames (n, rows, D), their `rotation_angle` (n,) and `image_key` (n,), 0 for a view, 1
    for the open beam, 2 for the dark field. Angles are in degrees unless their attribute `units` says radians.

    Angles may have any range. Views taken again from the same side are averaged. Where a full turn repeats in its
    second half the rays of the first, the first is taken; other views from behind, as of golden-angle scans, are
    mirrored at the axis of rotation. A few dead or hot bins are interpolated. Notes tell of it.

    InputError if something is missing or has the wrong shape or kind, no such row, too large or too small, many dead
    bins, angles of another unit, views that leave a gap, an object that is wider than the detector.

    Args:
        path: the file. row: detector row, a slice of the object; the middle one by default.
    """

    path = Path(path)
    with h5py.File(path, "r") as stored:
        group = projections_of(stored)
        frames, theta = (_exchange if group == EXCHANGE else _nxtomo)(stored, group)
        rows, bins = frames[0][0].shape[1:]
        row = slice_of(row, rows, "the file has")
        if bins < LEAST_SIDE:
            raise InputError(f"a view must have at least {LEAST_SIDE} bins, got {bins}")
        counts, white, dark = (read(part, slice(None), row)[chosen].astype(np.float64)
                               for part, chosen in frames)  # (views, D), (n, D), (n, D)
    if not np.isfinite(theta).all():
        raise InputError("the angles must be finite: leave out the views of the others")
    if not all(np.isfinite(array).all() for array in (counts, white, dark)):
        raise InputError("views, open beam and dark field must be finite: write 0 where a bin is dead, and a few of "
                         "them are interpolated")
    counts, angles, notes = averaged(counts, theta)
    chosen = half_turn(angles)
    if len(chosen) < len(angles):
        notes += (f"{len(angles) - len(chosen)} of {len(angles)} views show the rays of others from behind: left out",)
    sinogram, mended = attenuation_of(counts[chosen], white, dark)
    sinogram, angles, centre, turned = from_one_side(sinogram, angles[chosen])
    return Sinogram(f"{path.name}[{row}]", sinogram.astype(np.float32), angles, centre, (*notes, *mended, *turned))


def projections_of(stored):
    """The group of the projections in an open HDF5 file: `EXCHANGE` or the path of an NXtomo entry; None without."""
    if node(stored, EXCHANGE) is not None:
        return EXCHANGE
    for entry in names_in(stored, MOST_ENTRIES):
        inner = node(stored, entry)
        names = [f"{entry}/{name}" for name in names_in(inner, MOST_ENTRIES)] if hasattr(inner, "keys") else []
        for group in (entry, *names):
            if _first(stored, group, DATA) and _first(stored, group, ANGLES):
                return group
    return None


def _exchange(stored, group):
    """((dataset, its frames) of views, open beam and dark field; angles in radians) of Data Exchange."""
    parts = [_part(stored, f"{group}/{name}", 3) for name in ("data", "data_white", "data_dark")]
    theta = _part(stored, f"{group}/theta", 1)
    views, rows, bins = parts[0].shape
    if any(part.shape[1:] != (rows, bins) for part in parts) or theta.shape != (views,):
        raise InputError("'data', 'data_white', 'data_dark' and 'theta' must have shapes (views, rows, D), "
                         "(n, rows, D), (n, rows, D) and (views,), got "
                         + ", ".join(str(part.shape) for part in (*parts, theta)))
    return [(part, slice(None)) for part in parts], _radians(theta)


def _nxtomo(stored, group):
    """The same of NXtomo, where `image_key` says what each frame is: 0 a view, 1 open beam, 2 dark field, 3 invalid."""
    data, theta = (_part(stored, _first(stored, group, names), axes) for names, axes in ((DATA, 3), (ANGLES, 1)))
    keys = _first(stored, group, KEYS)
    keys = np.zeros(len(data)) if keys is None else _part(stored, keys, 1)
    if not len(data) == len(theta) == len(keys):
        raise InputError(f"NXtomo needs an angle and an image_key for each frame, got {len(data)} frames, {len(theta)} "
                         f"angles and {len(keys)} keys")
    angles = _radians(theta)
    keys = keys if isinstance(keys, np.ndarray) else read(keys)
    frames = [np.flatnonzero(keys == key) for key in (0, 1, 2)]
    if not len(frames[0]):
        raise InputError("NXtomo without a view: no image_key is 0")
    for kind, key in (("open beam", 1), ("dark field", 2)):
        if not len(frames[key]):
            raise InputError(f"NXtomo without {kind}: no image_key is {key}; add frames of it, or where the views "
                             "are transmission I / I_0 already, a frame of ones with key 1 and one of zeros with key 2")
    return [(data, chosen) for chosen in frames], angles[frames[0]]


def _first(stored, group, names):
    """The first of the paths below the group where there is something, or None."""
    return next((path for path in (f"{group}/{name}" for name in names) if node(stored, path) is not None), None)


def _part(stored, path, axes):
    """A dataset of numbers with the given number of axes, not read yet."""
    part = dataset(stored, path)
    if part is None:
        fill = dict(data_white="ones", data_dark="zeros").get(path.removeprefix(f"{EXCHANGE}/"))
        raise InputError(f"is no complete Data Exchange file: it has no {path!r}" + (
            f"; where 'data' is transmission I / I_0 already, add {fill} of shape (1, rows, D)" if fill else ""))
    if part.dtype.kind not in "iuf" or part.ndim != axes:
        raise InputError(f"{path!r} must hold real numbers with {axes} axes, got {part.dtype} of shape {part.shape}")
    return part


def _radians(theta):
    """The angles of a dataset in radians; InputError for another unit."""
    unit = attribute(theta, "units").strip().lower()
    if unit not in UNITS:
        raise InputError(f"{theta.name!r} is in {unit[:20]!r}: degrees or radians are expected, 'deg' or 'rad'")
    return UNITS[unit] * read(theta).astype(np.float64)
