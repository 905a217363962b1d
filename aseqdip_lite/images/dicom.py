"""CT slices in DICOM files and folders, turned from Hounsfield units to attenuation (needs pydicom).

Attenuation is relative to water, mu / mu_water = 1 + HU / 1000: water is 1, air 0, dense bone about 2 to 3. Values
below 0, such as the padding (-2000) around a scanner's field of view, become 0.
"""

from pathlib import Path

import numpy as np

from ..settings import InputError
from .types import Image, as_image, count_values, slice_of

MOST_FILE = 256 * 2**20  #: largest accepted file, in bytes; its pixels are counted before any are read
MOST_FILES = 4096  #: most files looked at in a folder


def load_dicom(path, slice_index=None):
    """A CT slice as an `Image` in attenuation relative to water.

    Args:
        path: a DICOM file, of one frame or several, or a folder that holds the slices of one series; these are sorted
            along the axis of the scanner. Other files in it are passed over.
        slice_index: slice of the folder or frame of the file; the middle one by default.

    Raises:
        InputError: not a DICOM file, no CT, no pixel data, too large, no such slice, several
            series in one folder, a compression that cannot be read, or pydicom is not installed.
    """
    pydicom, path = _import_pydicom(), Path(path)
    name, file, frame = path.name, path, slice_index
    if path.is_dir():
        slices = _sorted_slices(pydicom, path)
        index = slice_of(slice_index, len(slices))
        name, file, frame = f"{path.name}[{index}]", slices[index], None
    array, spacing = _read(pydicom, file, frame)
    return Image(name, array, spacing_mm=spacing)


def wheel_image(key):
    """A CT slice of the pydicom wheel's test files: attenuation (H, W) float32 and the pixels' side in mm, or None."""
    pydicom = _import_pydicom()
    from pydicom.data import get_testdata_file

    file = get_testdata_file(key, download=False)
    if file is None:
        raise InputError(f"the installed pydicom carries no {key}: reinstall it from PyPI or conda-forge")
    return _read(pydicom, Path(file), None)


def attenuation(hu):
    """max(1 + HU / 1000, 0): attenuation relative to water, float32, from Hounsfield units."""
    return np.maximum(1 + np.asarray(hu, dtype=np.float64) / 1000, 0).astype(np.float32)


def _import_pydicom():
    try:
        import pydicom
    except ImportError:
        raise InputError("DICOM files need the package pydicom: pip install 'pydicom>=3.0'") from None
    return pydicom


def _read(pydicom, path, frame):
    """Attenuation (H, W) of one frame and its pixels' side in mm or None; checks the header before it reads pixels."""
    if path.stat().st_size > MOST_FILE:
        raise InputError(f"too large: {path.stat().st_size >> 20} MiB, at most {MOST_FILE >> 20} are accepted")
    header = _header(pydicom, path, defer_size=1024)
    modality = header.get("Modality", "none")
    if modality != "CT":
        raise InputError(f"its modality is {modality}: a CT slice is expected")
    if "PixelData" not in header:
        raise InputError("holds no pixel data")
    if header.get("SamplesPerPixel", 1) != 1:
        raise InputError(f"holds {header.SamplesPerPixel} values per pixel: a gray CT slice is expected")
    count_values((header.Rows, header.Columns))
    spacing = pixel_side(header.get("PixelSpacing", None) or None)
    index = slice_of(frame, int(header.get("NumberOfFrames", None) or 1))
    try:
        stored = pydicom.pixels.pixel_array(str(path), index=index).astype(np.float64)
    except Exception as error:  # decoders raise many kinds, also for a compression that none of them knows
        syntax = header.file_meta.TransferSyntaxUID.name
        raise InputError(f"cannot decode the pixels ({syntax}; {str(error).splitlines()[0]}): "
                         "if the file is whole, pydicom's guide lists the decoder to install") from None
    hu = stored * float(header.get("RescaleSlope", 1)) + float(header.get("RescaleIntercept", 0))
    padding = header.get("PixelPaddingValue", None)
    if padding is not None:
        low, high = sorted((int(padding), int(header.get("PixelPaddingRangeLimit", padding))))
        hu[(stored >= low) & (stored <= high)] = -1000
    return as_image(attenuation(hu)), spacing


def pixel_side(spacing):
    """The side in mm of square pixels from their spacing, one number or two (down, across); None for None.

    InputError unless the numbers are positive and the pixels square to 1 %.
    """
    if spacing is None:
        return None
    try:
        sides = np.array(spacing, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        sides = np.empty(0)
    if sides.size not in (1, 2) or not (np.isfinite(sides).all() and sides.min() > 0):
        raise InputError(f"the pixel spacing must be one or two positive numbers of mm, got {spacing}")
    if sides.max() > 1.01 * sides.min():
        raise InputError(f"its pixels of {sides[0]:g} x {sides[1]:g} mm are not square: resample it first")
    return float(sides.mean())


def _header(pydicom, path, **options):
    try:
        return pydicom.dcmread(path, **options)
    except Exception as error:
        raise InputError(f"{path.name} is damaged or not a DICOM file ({str(error).splitlines()[0]})") from None


def _sorted_slices(pydicom, folder):
    """The CT slices of a folder, sorted by their position along the normal of the slices, else by their number."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if len(files) > MOST_FILES:
        raise InputError(f"holds {len(files)} files, at most {MOST_FILES} are looked at")
    found, series = [], set()
    for file in files:
        if pydicom.misc.is_dicom(file):
            header = _header(pydicom, file, stop_before_pixels=True)
            if header.get("Modality") == "CT":
                series.add(header.get("SeriesInstanceUID", ""))
                found.append((_place(header), file.name, file))
    if not found:
        raise InputError("holds no CT slice in DICOM format")
    if len(series) > 1:
        raise InputError(f"holds slices of {len(series)} series: keep one series per folder")
    return [file for _, _, file in sorted(found)]


def _place(header):
    """Position of a slice along its normal in mm, or its number in the series where that is not stored."""
    position, orientation = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    if position and orientation:
        across, down = np.reshape(np.array(orientation, dtype=float), (2, 3))
        return float(np.cross(across, down) @ np.array(position, dtype=float))
    return float(header.get("InstanceNumber", None) or 0)

