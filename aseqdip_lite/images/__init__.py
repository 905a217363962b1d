"""Images: what ships with the project, what a user fetches and what a user brings.

`load_image` takes a name or the path of a file and returns an `Image` (a truth to simulate from)
or what a scanner measured: a `KSpace` (MRI) or a `Sinogram` (CT).
"""

import json
import os
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np

from ..settings import InputError, nearest

#: Arrays and the catalogue that ship inside the package.
DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass(frozen=True)
class Image:
    """A picture taken as truth: array (H, W) or (H, W, 3), float32 in [0, 1] or any finite unit, or complex64.

    `shipped` images, and fetched ones, are resampled to the task's size; a user's own keeps its
    pixels. `spacing_mm` is the side of a pixel in mm, None if it is not known.
    """

    name: str
    array: np.ndarray
    shipped: bool = False
    spacing_mm: float | None = None


@dataclass(frozen=True)
class KSpace:
    """A measured multi-coil scan.

    Attributes:
        kspace: (coils, H, W) complex64, centred, zero where not sampled.
        mask: (W,) or (H, W) of zeros and ones if the scan was undersampled, None if it was full.
        reference: (h, w) float32 magnitude to compare with (root sum of squares), or None.
    """

    name: str
    kspace: np.ndarray
    mask: np.ndarray | None = None
    reference: np.ndarray | None = None


@dataclass(frozen=True)
class Sinogram:
    """A measured parallel-beam CT scan of one slice.

    Attributes:
        sinogram: (views, D) float32 line integrals -log(I / I_0).
        angles: (views,) float64, in radians, increasing, within half a turn.
        centre: where the axis of rotation falls on the detector, in bins; (D - 1) / 2 is its middle.
    """

    name: str
    sinogram: np.ndarray
    angles: np.ndarray
    centre: float


def everything():
    """Facts about all images that have a name: {name: {"task", "role", "what", "origin", "licence", "citation", ...}}.

    "source" and "key" say where the pixels come from: an array of colin27.npz ("npz"), a file of
    the pydicom or of the scikit-image wheel ("pydicom", "skimage"), a function of `phantoms`
    ("generated"), or a file that a user fetches ("fetch", see `fetch.registry`).
    """
    return json.loads((DATA / "catalogue.json").read_text(encoding="utf-8"))


def catalogue():
    """Facts about the shipped images, as in `everything`."""
    return {name: facts for name, facts in everything().items() if facts["source"] != "fetch"}


def load_image(name, slice_index=None):
    """A shipped or fetched image by its name, or a user's file by its path; nothing is downloaded.

    Args:
        name: e.g. "brain-070" or "tooth", or the path of a .npy, .npz, .png, .jpg, .tif, fastMRI
            or Data Exchange .h5 file, a DICOM file (.dcm) or a folder of DICOM slices.
        slice_index: which slice of a volume (.h5, DICOM); the middle one by default.

    Raises:
        InputError: unknown name, a data set that was not fetched (with the command that does),
            missing file or bad contents; names the file and the fault.
    """
    known = everything()
    if name in known and known[name]["source"] == "fetch":
        return _fetched(name, known[name], slice_index)
    if name in known:
        if slice_index is not None:
            raise InputError(f"{name} has no slices to choose from: only .h5 volumes and DICOM have")
        return _shipped(name, known[name])
    path = Path(name)
    if path.suffix or os.sep in str(name) or os.path.isdir(name):
        from .files import load_file
        return load_file(path, slice_index)
    nearest(name, known, "image")


def _shipped(name, facts):
    """A catalogue entry: (H, W) or (H, W, 3) float32, in [0, 1] or, for CT, attenuation (water is 1)."""
    source, key, spacing = facts["source"], facts["key"], None
    if source == "npz":
        with np.load(DATA / "colin27.npz", allow_pickle=False) as archive:
            array, spacing = archive[key].astype(np.float32) / 255, 1.0
    elif source == "pydicom":
        from .dicom import wheel_image
        array, spacing = wheel_image(key)
    elif source == "skimage":
        array = _wheel_picture(key)
    else:
        from . import phantoms
        array = getattr(phantoms, key)()
    return Image(name, array, shipped=True, spacing_mm=spacing)


def _fetched(name, facts, slice_index):
    """A data set that was fetched before: its `KSpace`, `Sinogram` or `Image` under its registered name."""
    from .fetch import require
    from .files import as_kspace, load_file

    path = require(name)
    if facts["task"] == "mri":
        if slice_index is not None:
            raise InputError(f"{name} has no slices to choose from: only .h5 volumes and DICOM have")
        return as_kspace(name, np.load(path, allow_pickle=False))
    image = load_file(path, slice_index)
    image = replace(image, name=image.name.replace(path.name, name))
    return replace(image, shipped=True) if isinstance(image, Image) else image


def _wheel_picture(key):
    """Central square (n, n, 3) of a picture in the installed scikit-image; opened directly, so nothing is fetched."""
    from PIL import Image as Picture

    file = resources.files("skimage") / "data" / key
    if not file.is_file():
        raise InputError(f"the installed scikit-image carries no {key}: reinstall it from PyPI or conda-forge")
    with file.open("rb") as stream, Picture.open(stream) as picture:
        array = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    side = min(array.shape[:2])
    top, left = ((n - side) // 2 for n in array.shape[:2])
    return array[top:top + side, left:left + side]


def fit(image, size):
    """The array of an `Image` at the size that is worked with.

    Shipped images are centred on a square and resampled (anti-aliased) to size x size; a user's
    own image, or any image with size None, is returned as it is.
    """
    if size is None or not image.shipped:
        return image.array
    from skimage.transform import resize

    h, w = image.array.shape[:2]
    side = max(h, w)
    pad = [((side - h) // 2, side - h - (side - h) // 2), ((side - w) // 2, side - w - (side - w) // 2)]
    square = np.pad(image.array, pad + [(0, 0)] * (image.array.ndim - 2))
    return resize(square, (size, size), order=3, anti_aliasing=size < side).clip(0, None).astype(np.float32)
