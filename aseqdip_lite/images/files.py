"""Loaders of a user's files: .npy, .npz, pictures, fastMRI multi-coil .h5; DICOM is in `dicom`.

Every loader checks shape, kind and size before it allocates, unpickles nothing, and names the fault in its error.
"""

import io
import os
import warnings
import zipfile
from pathlib import Path

import numpy as np

from ..settings import InputError, nearest
from .dicom import attenuation, load_dicom, pixel_side
from .projections import GROUP, load_projections
from .types import Image, as_image, as_kspace, count_values, sampling_mask, slice_of

HEAD = 16384  #: bytes of an .npy file that surely hold its header: numpy refuses a header above 10,000 bytes


def load_file(path, slice_index=None):
    """Read a user's file; returns an `Image` or what was measured, a `KSpace` (MRI) or a `Sinogram` (CT).

    * .npy: an image (H, W) or (H, W, 3); integers and reals become float32, complex complex64. A complex array of three
      axes is k-space (coils, H, W): zero where not measured, zero frequency at [H // 2, W // 2].
    * .npz: `image` as in .npy or `hu` (H, W), Hounsfield units, which become attenuation, with optional
      `pixel_spacing_mm` (one number or two); or `kspace` (coils, H, W), complex, with optional `mask` (W,) or (H, W)
      and `reference` (h, w), which is compared with the centre of the reconstruction.
    * .png, .jpg, .tif: 8 or 16 bit gray or 8 bit RGB, scaled to [0, 1]; a palette becomes RGB, an alpha channel is
      dropped, 16 bit colour is read as 8 bit.
    * .h5: fastMRI multi-coil: `kspace` (slices, coils, H, W), optional `mask` and `reconstruction_rss` (slices, h, w);
      a full scan is cropped to the field of view of the latter. Or Data Exchange, see `projections.load_projections`.
    * .dcm, .ima or a folder: CT slices, see `dicom.load_dicom`.

    Args:
        path: the file, or a folder of DICOM slices.
        slice_index: slice of an .h5 volume, a DICOM file or folder; the middle one by default.

    Raises:
        InputError: missing, unknown or damaged file, wrong shape, kind or size, NaN or Inf, no such slice.
    """
    path = Path(path)
    readers = {".npy": _npy, ".npz": _npz, ".png": _picture, ".jpg": _picture, ".jpeg": _picture,
               ".tif": _picture, ".tiff": _picture, ".h5": _hdf5, ".dcm": load_dicom, ".ima": load_dicom}
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file (for the shipped images see: aseqdip list)")
    if not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: neither a file nor a folder")
    suffix = ".dcm" if path.is_dir() else path.suffix.lower()
    try:
        nearest(suffix, readers, "file type")
        if slice_index is not None and suffix not in (".h5", ".dcm", ".ima"):
            raise InputError("has no slices to choose from: only .h5 volumes and DICOM have")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what decoders warn of is checked here or harmless
            return readers[suffix](path, slice_index)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it") from None
    except Exception as error:  # decoders raise many kinds for a damaged file: all mean the same to a user
        line = (str(error).splitlines() or [""])[0]
        raise InputError(f"{path}: damaged or not a {suffix} file ({type(error).__name__}: {line})") from None


def _npy(path, _):
    with open(path, "rb") as file:
        array = _read_npy(file, path.stat().st_size)
    if array.dtype.kind == "c" and array.ndim == 3:
        return as_kspace(path.name, array)
    return Image(path.name, as_image(array))


def _npz(path, _):
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        kinds = [kind for kind in ("image", "hu", "kspace") if kind in members]
        if len(kinds) != 1:
            raise InputError("must hold one of 'image', 'hu' and 'kspace', got "
                             + (", ".join(map(repr, members))[:200] or "nothing"))
        arrays = {}
        for name in (*kinds, *(("mask", "reference") if kinds == ["kspace"] else ("pixel_spacing_mm",))):
            if name in members:
                with archive.open(members[name]) as member:
                    arrays[name] = _read_npy(member, members[name].file_size)
    if "kspace" in arrays:
        return as_kspace(path.name, **arrays)
    array = arrays["image"] if "image" in arrays else attenuation(arrays["hu"])
    return Image(path.name, as_image(array), spacing_mm=pixel_side(arrays.get("pixel_spacing_mm")))


def _read_npy(file, size):
    """An array from an open .npy stream of `size` bytes: header first, refused before any allocation."""
    head = io.BytesIO(file.read(HEAD))
    version = np.lib.format.read_magic(head)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise InputError(f".npy format version {version} is not supported: save it again with numpy.save")
    shape, fortran, dtype = read_header[version](head)
    if dtype.hasobject:
        raise InputError("holds pickled objects, which are never loaded: save a plain numeric array")
    if dtype.kind not in "biufc":
        raise InputError(f"must hold numbers, got dtype {dtype}")
    expected = count_values(shape) * dtype.itemsize
    file.seek(head.tell())
    data = file.read(expected) if size >= expected else b""
    if len(data) < expected:
        raise InputError(f"cut short: {size} bytes for an array that needs {expected} and a header")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def _picture(path, _):
    from PIL import Image as Picture

    try:
        picture = Picture.open(path, formats=("PNG", "JPEG", "TIFF"))  # reads the header alone
    except Picture.DecompressionBombError as error:
        raise InputError(f"too large: {error}") from None
    with picture:
        count_values(picture.size)
        if picture.mode in ("LA", "RGBA", "PA", "P"):
            picture = picture.convert("L" if picture.mode == "LA" else "RGB")
        deep = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")  # Pillow 10.0
        if picture.mode not in ("1", "L", "RGB") and not deep:
            raise InputError(f"pictures of mode {picture.mode} are not supported: save it as 8 or 16 bit gray or RGB")
        top = 65535 if deep else 1 if picture.mode == "1" else 255
        array = np.asarray(picture)
    return Image(path.name, as_image(array.astype(np.float32) / top))


def _hdf5(path, slice_index):
    """A volume in HDF5: CT projections if it has the group of Data Exchange, else fastMRI k-space."""
    import h5py

    with h5py.File(path, "r") as stored:
        projections = GROUP in stored
    return (load_projections if projections else _fastmri)(path, slice_index)


def _fastmri(path, slice_index):
    import h5py

    with h5py.File(path, "r") as file:
        stored = {name: file[name] for name in ("kspace", "mask", "reconstruction_rss") if name in file}
        for name, dataset in stored.items():
            if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "biufc":
                raise InputError(f"'{name}' must be an array of numbers")
            count_values(dataset.chunks or (1,))  # a chunk is unpacked as a whole
        if "kspace" not in stored:
            raise InputError("holds no dataset 'kspace'; a fastMRI multi-coil file is expected")
        kspace, rss = stored["kspace"], stored.get("reconstruction_rss")
        if kspace.ndim != 4 or kspace.dtype.kind != "c":
            raise InputError("'kspace' must be complex of shape (slices, coils, H, W), "
                             f"got {kspace.dtype} of shape {kspace.shape}")
        slices = len(kspace)
        index = slice_of(slice_index, slices, "the file has")
        if rss is not None and (rss.ndim != 3 or len(rss) != slices):
            raise InputError(f"'reconstruction_rss' must have shape ({slices}, h, w), got {rss.shape}")
        count_values(kspace.shape[1:])
        kspace = kspace[index]
        mask, reference = None, None
        if "mask" in stored:
            count_values(stored["mask"].shape)
            mask = stored["mask"][()]
        if rss is not None:
            count_values(rss.shape[1:])
            reference = rss[index]
    if reference is not None and mask is None and sampling_mask(kspace) is None:
        kspace = crop_field_of_view(kspace, reference.shape)
    return as_kspace(f"{path.name}[{index}]", kspace, mask, reference)


def crop_field_of_view(kspace, shape):
    """Fully sampled k-space (coils, H, W) of the central `shape` part of the image: the crop is made on the image."""
    import sigpy

    if shape[0] > kspace.shape[-2] or shape[1] > kspace.shape[-1]:
        raise InputError(f"the reference of {shape} is larger than the k-space of {kspace.shape[-2:]}")
    image = sigpy.ifft(kspace, axes=(-2, -1))
    top, left = ((n - m) // 2 for n, m in zip(image.shape[-2:], shape, strict=True))
    return sigpy.fft(image[..., top:top + shape[0], left:left + shape[1]], axes=(-2, -1))
