"""`load_image`: one way to every image, by its name or by the path of a file."""

import os
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from ..settings import InputError, nearest
from . import phantoms
from .arrays import from_array
from .dicom import wheel_image
from .fetch import DATA, everything, require
from .files import load_file
from .kspace import as_kspace
from .types import Image, KSpace, Sinogram, as_image


def load_image(name, slice_index=None):
    """A shipped or fetched image by its name, a user's file by its path, or an array as it is; nothing is downloaded.

    InputError for an unknown name, a data set that was not fetched (with the command that does), missing file or bad
    contents; names the file and the fault.

    Args:
        name: e.g. "brain-070" or "tooth", or the path of a file or folder that `files.load_file` reads. Or an array as
            an .npy file may hold it, or what an earlier call returned.
        slice_index: which slice of a volume (.h5, DICOM, TIFF stack); of volumes the middle one by default.
    """
    if not isinstance(name, (str, os.PathLike)):
        return _given(name, slice_index)
    known = everything()
    if name not in known and (Path(name).suffix or os.sep in str(name) or os.path.exists(name)):
        return load_file(name, slice_index)
    facts = known[nearest(name, known, "image")]
    fetched = facts["source"] == "fetch"
    if slice_index is not None and (not fetched or facts["task"] == "mri"):
        raise InputError(f"{name} has no slices to choose from: only .h5 volumes, DICOM and TIFF stacks have")
    return _fetched(name, facts, slice_index) if fetched else _shipped(name, facts)


def _given(image, slice_index):
    """An array (of numpy or torch), an `Image`, a `KSpace` or a `Sinogram`, checked as a file's contents are."""
    if slice_index is not None:
        raise InputError("an array has no slices to choose from: give the slice itself")
    if np.ma.is_masked(getattr(image, "kspace", getattr(image, "array", image))):
        raise InputError("the array has masked values: fill them, a.filled(0), and tell in-painting which they are")
    if isinstance(image, KSpace):
        return replace(image, kspace=as_kspace(image.name, image.kspace, image.mask, image.reference).kspace)
    if isinstance(image, Sinogram):
        return image
    if isinstance(image, Image):
        return replace(image, array=as_image(image.array))
    if not hasattr(image, "__array__"):
        raise InputError(f"an image must be a name, a path or an array, got {type(image).__name__}")
    try:
        array = np.asarray(image)
    except (TypeError, RuntimeError) as error:  # a tensor on a GPU, with a gradient, or of a type that numpy lacks
        raise InputError(f"the array cannot be read by numpy ({str(error).splitlines()[0]}): give "
                         "image.detach().cpu().float()") from None
    if array.dtype.kind not in "biufc":
        raise InputError(f"the array must hold numbers, got dtype {array.dtype}")
    return from_array("array", array)


def _shipped(name, facts):
    """A catalogue entry: (H, W) or (H, W, 3) float32, in [0, 1] or, for CT, attenuation (water is 1)."""
    source, key, spacing = facts["source"], facts["key"], None
    if source == "npz":
        with np.load(DATA / "colin27.npz", allow_pickle=False) as archive:
            array, spacing = archive[key].astype(np.float32) / 255, 1.0
    elif source == "pydicom":
        array, spacing = wheel_image(key)
    elif source == "skimage":
        array = _wheel_picture(key)
    else:
        array = getattr(phantoms, key)()
    return Image(name, array, shipped=True, spacing_mm=spacing)


def _fetched(name, facts, slice_index):
    """A data set that was fetched before: its `KSpace`, `Sinogram` or `Image` under its registered name."""
    path = require(name)
    if facts["task"] == "mri":
        return as_kspace(name, np.load(path, allow_pickle=False))
    image = load_file(path, slice_index)
    image = replace(image, name=image.name.replace(path.name, name))
    return replace(image, shipped=True) if isinstance(image, Image) else image


def _wheel_picture(key):
    """Central square, (n, n) or (n, n, 3), of a picture in the installed scikit-image; opened directly, not fetched."""
    from PIL import Image as Picture

    file = resources.files("skimage") / "data" / key
    if not file.is_file():
        raise InputError(f"the installed scikit-image carries no {key}: reinstall it from PyPI or conda-forge")
    with file.open("rb") as stream, Picture.open(stream) as picture:
        array = np.asarray(picture.convert("L" if picture.mode == "L" else "RGB"), dtype=np.float32) / 255
    side = min(array.shape[:2])
    top, left = ((n - side) // 2 for n in array.shape[:2])
    return array[top:top + side, left:left + side]
