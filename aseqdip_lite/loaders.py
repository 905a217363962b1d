"""Loaders of a user's files: .npy, .npz, pictures, fastMRI multi-coil .h5.

Every loader checks shape, kind and size before it allocates, unpickles nothing, and names the
file and the fault in its error.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from .images import Image, KSpace
from .settings import InputError, nearest

#: Largest accepted number of values in one array (a 4096 x 4096 image, or 64 coils of 512 x 512).
MOST_VALUES = 4096 * 4096


def load_file(path, slice_index=None):
    """Read a user's file; returns an `Image` or, for k-space, a `KSpace`.

    * .npy: an image (H, W) or (H, W, 3); integers and reals become float32, complex complex64.
    * .npz: `image`, or `kspace` (coils, H, W) with optional `mask` (W,) or (H, W) and `reference`.
    * .png, .jpg, .tif: 8 or 16 bit gray or RGB, scaled to [0, 1]; an alpha channel is dropped.
    * .h5: fastMRI multi-coil: `kspace` (slices, coils, H, W), optional `mask`, `reconstruction_rss`.

    Raises:
        InputError: missing, unknown or damaged file, wrong shape or kind, NaN or Inf, too large.
    """
    path = Path(path)
    readers = {".npy": _npy, ".npz": _npz, ".png": _picture, ".jpg": _picture, ".jpeg": _picture,
               ".tif": _picture, ".tiff": _picture, ".h5": _fastmri}
    if not path.exists():
        raise InputError(f"{path}: no such file (for the shipped images see: aseqdip list)")
    if not path.is_file():
        raise InputError(f"{path}: not a file")
    suffix = nearest(path.suffix.lower(), readers, f"file type of {path}:")
    try:
        return readers[suffix](path, slice_index)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, EOFError, SyntaxError, zipfile.BadZipFile, RuntimeError) as error:
        line = (str(error).splitlines() or [""])[0]
        raise InputError(f"{path}: damaged or not a {suffix} file ({type(error).__name__}: {line})") from None


def _npy(path, _):
    with open(path, "rb") as file:
        return Image(path.name, as_image(_read_npy(file, path.stat().st_size)))


def _npz(path, _):
    with zipfile.ZipFile(path) as archive:
        arrays = {}
        for name in ("image", "kspace", "mask", "reference"):
            if f"{name}.npy" in archive.namelist():
                with archive.open(f"{name}.npy") as member:
                    arrays[name] = _read_npy(member, archive.getinfo(f"{name}.npy").file_size)
    if "image" in arrays:
        return Image(path.name, as_image(arrays["image"]))
    if "kspace" not in arrays:
        raise InputError("holds neither 'image' nor 'kspace'")
    return as_kspace(path.name, arrays["kspace"], arrays.get("mask"), arrays.get("reference"))


def _read_npy(file, size):
    """An array from an open .npy stream of `size` bytes: header first, refused before any allocation."""
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise InputError(f".npy format version {version} is not supported: save it again with numpy.save")
    shape, fortran, dtype = read_header[version](file)
    if dtype.hasobject:
        raise InputError("holds pickled objects, which are never loaded: save a plain numeric array")
    if dtype.kind not in "biufc":
        raise InputError(f"must hold numbers, got dtype {dtype}")
    values = _count(shape)
    expected = values * dtype.itemsize
    if size < expected:
        raise InputError(f"cut short: {size} bytes for an array that needs {expected}")
    data = io.BytesIO(file.read(expected)).getbuffer()
    if len(data) < expected:
        raise InputError(f"cut short: {len(data)} bytes of data for an array that needs {expected}")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def _picture(path, _):
    from PIL import Image as Picture

    with Picture.open(path) as picture:
        _count(picture.size)
        if picture.mode in ("LA", "RGBA", "PA", "P"):
            picture = picture.convert("L" if picture.mode == "LA" else "RGB")
        if picture.mode not in ("1", "L", "RGB") and not picture.mode.startswith("I;16"):
            raise InputError(f"pictures of mode {picture.mode} are not supported: save it as 8 or 16 bit gray or RGB")
        array = np.asarray(picture)
    top = 1 if array.dtype == bool else np.iinfo(array.dtype).max
    return Image(path.name, as_image(array.astype(np.float32) / top))


def _fastmri(path, slice_index):
    import h5py

    with h5py.File(path, "r") as file:
        if "kspace" not in file:
            raise InputError("holds no dataset 'kspace'; a fastMRI multi-coil file is expected")
        stored = file["kspace"]
        if stored.ndim != 4 or stored.dtype.kind != "c":
            raise InputError("'kspace' must be complex of shape (slices, coils, H, W), "
                             f"got {stored.dtype} of shape {stored.shape}")
        index = stored.shape[0] // 2 if slice_index is None else slice_index
        if not 0 <= index < stored.shape[0]:
            raise InputError(f"slice {index} does not exist: the file has {stored.shape[0]}")
        _count(stored.shape[1:])
        kspace = stored[index]
        mask = np.asarray(file["mask"][()], dtype=np.float32) if "mask" in file else None
        reference = None
        if "reconstruction_rss" in file:
            _count(file["reconstruction_rss"].shape[1:])
            reference = file["reconstruction_rss"][index]
    if reference is not None and mask is None:
        kspace = crop_field_of_view(kspace, reference.shape)
    return as_kspace(f"{path.name}[{index}]", kspace, mask, reference)


def crop_field_of_view(kspace, shape):
    """Fully sampled k-space (coils, H, W) of the central `shape` part of the image: the crop is made on the image."""
    axes = (-2, -1)
    if shape[0] > kspace.shape[-2] or shape[1] > kspace.shape[-1]:
        raise InputError(f"the reference of {shape} is larger than the k-space of {kspace.shape[-2:]}")

    def centred(transform, array):
        return np.fft.fftshift(transform(np.fft.ifftshift(array, axes), axes=axes, norm="ortho"), axes)

    image = centred(np.fft.ifft2, kspace)
    top, left = ((n - m) // 2 for n, m in zip(image.shape[-2:], shape, strict=True))
    return centred(np.fft.fft2, image[..., top:top + shape[0], left:left + shape[1]])


def as_image(array):
    """A checked image: (H, W) or (H, W, 3), finite, not constant, at least 8 pixels a side."""
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] != 3):
        raise InputError(f"an image must have shape (H, W) or (H, W, 3), got {array.shape}")
    if min(array.shape[:2]) < 8:
        raise InputError(f"an image must be at least 8 pixels on each side, got {array.shape[0]} x {array.shape[1]}")
    array = _finite("the image", array.astype(np.complex64 if array.dtype.kind == "c" else np.float32))
    if array.min() == array.max() if array.dtype.kind == "f" else not array.any():
        raise InputError("the image is constant: there is nothing to reconstruct")
    return array


def as_kspace(name, kspace, mask=None, reference=None):
    """A checked `KSpace`; an absent mask is read off the columns that are zero throughout."""
    if kspace.ndim != 3 or kspace.dtype.kind != "c":
        raise InputError(f"k-space must be complex of shape (coils, H, W), got {kspace.dtype} of shape {kspace.shape}")
    _count(kspace.shape)
    if min(kspace.shape[1:]) < 8:
        raise InputError(f"k-space must be at least 8 samples on each side, got {kspace.shape[1:]}")
    kspace = _finite("the k-space", kspace.astype(np.complex64))
    if mask is None:
        sampled = (kspace != 0).any(axis=0)  # (H, W)
        columns = sampled.any(axis=0)
        if not sampled.all():
            mask = columns if sampled[:, columns].all() else sampled
    if mask is not None:
        mask = np.squeeze(np.asarray(mask))
        if mask.shape not in (kspace.shape[2:], kspace.shape[1:]) or not np.isin(mask, (0, 1)).all():
            raise InputError(f"the mask must hold zeros and ones of shape {kspace.shape[2:]} or {kspace.shape[1:]}, "
                             f"got shape {mask.shape}")
        mask = mask.astype(np.float32)
        if not mask.any():
            raise InputError("the sampling mask is empty: no k-space sample was measured")
    if reference is not None:
        reference = _finite("the reference", np.asarray(reference, dtype=np.float32))
        if reference.ndim != 2 or not reference.any():
            raise InputError(f"the reference must be a picture of shape (H, W) that is not zero, got {reference.shape}")
    return KSpace(name, kspace, mask, reference)


def _count(shape):
    """Number of values of a shape; InputError above MOST_VALUES."""
    values = int(np.prod([int(n) for n in shape], dtype=object)) if shape else 1
    if values > MOST_VALUES:
        raise InputError(f"too large: {' x '.join(map(str, shape))} values, at most {MOST_VALUES} are accepted")
    return values


def _finite(what, array):
    if not np.isfinite(array).all():
        raise InputError(f"{what} holds NaN or Inf")
    return array
