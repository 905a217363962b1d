"""Arrays of numpy: .npy and .npz. Nothing is unpickled, and a header is checked before its array is allocated."""

import io
import zipfile

import numpy as np

from ..settings import InputError
from .dicom import pixel_side
from .hounsfield import attenuation, no_hounsfield, without_air
from .kspace import arranged, peaked, usable
from .pictures import as_picture
from .types import LEAST_SIDE, Image, as_image, count_values

ENCRYPTED = 1  #: a flag of a zip archive's member
HEAD = 16384  #: bytes of an .npy file that surely hold its header: numpy refuses a header above 10,000 bytes


def load_npy(path):
    with open(path, "rb") as file:
        array = read_npy(file, path.stat().st_size)
    return from_array(path.name, array)


def from_array(name, array):
    """An array as an `Image`, or, if it is complex and looks so, as a `KSpace`."""
    return from_complex(name, array) if array.dtype.kind == "c" else as_picture(name, array)


def from_complex(name, array):
    """What a complex array without further words is: an `Image` (H, W) or a `KSpace`, by where its energy lies.

    K-space has most of it in one spot; of a picture it is the Fourier transform that has. InputError for pictures of
    several coils.
    """
    if array.ndim == 2 and not (usable(array) and peaked(array[None])):
        return Image(name, as_image(array))
    if array.ndim == 2:
        return arranged(name, array[None], notes=(
            "its energy lies in one spot: taken as k-space of one coil; save a picture as 'image' of an .npz",))
    if array.ndim == 3 and min(array.shape[1:]) >= LEAST_SIDE and usable(array) and peaked(np.fft.fft2(array)):
        raise InputError("looks like coil images: its Fourier transform, not the array itself, has its energy in one "
                         "spot; save k-space, fftshift(fft2(ifftshift(a, (1, 2))), (1, 2)), or, if it is k-space, save "
                         "it as 'kspace' of an .npz")
    return arranged(name, array)


def load_npz(path):
    arrays, names = read_npz(path, ("image", "hu", "kspace", "mask", "reference", "pixel_spacing_mm"))
    if sum(kind in arrays for kind in ("image", "hu", "kspace")) != 1:
        raise InputError("must hold one of 'image', 'hu' and 'kspace', got "
                         + (", ".join(map(repr, names))[:200] or "nothing"))
    if "kspace" in arrays:
        return arranged(path.name, arrays["kspace"], arrays.get("mask"), arrays.get("reference"))
    if "hu" in arrays:
        if doubt := no_hounsfield(arrays["hu"]):
            raise InputError(f"'hu' {doubt}, or save attenuation relative to water as 'image'")
        arrays["image"] = attenuation(arrays["hu"])
    return Image(path.name, as_image(arrays["image"]), spacing_mm=pixel_side(arrays.get("pixel_spacing_mm")),
                 notes=without_air(arrays["hu"]) if "hu" in arrays else ())


def read_npz(path, wanted):
    """({name: array} of the wanted arrays that an archive holds, the names of all)."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        members = {info.filename.removesuffix(".npy"): info for info in infos}
        arrays = {}
        for name in wanted:
            if name in members:
                if sum(info.filename.removesuffix(".npy") == name for info in infos) > 1:
                    raise InputError(f"holds {name!r} twice: save it again with numpy.savez")
                if members[name].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InputError(f"{name!r} is not packed as by numpy: save it again with numpy.savez_compressed")
                if members[name].flag_bits & ENCRYPTED:
                    raise InputError(f"{name!r} is encrypted: save it again without a password")
                with archive.open(members[name]) as member:
                    arrays[name] = read_npy(member, members[name].file_size)
    return arrays, list(members)


def read_npy(file, size):
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
