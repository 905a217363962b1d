"""CT slices in DICOM files and folders, turned from Hounsfield units to attenuation (needs pydicom).

Attenuation is relative to water, mu / mu_water = 1 + HU / 1000: water is 1, air 0, dense bone about 2 to 3. Values
below 0, such as the padding (-2000) around a scanner's field of view, become 0.
"""

import io
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np

from ..settings import InputError
from .bounds import check_scans
from .headers import import_pydicom, read_header
from .hounsfield import attenuation, no_hounsfield, without_air
from .series import VALUES, in_order, is_localizer, of_groups, slices_of_file, slices_of_folder
from .types import Image, as_image, count_values, slice_of

WAY_OUT = "save Hounsfield units in .npz as 'hu', or attenuation relative to water as 'image'"


def load_dicom(path, slice_index=None):
    """A CT slice as an `Image` in attenuation relative to water.

    Stored values become Hounsfield units by the Modality LUT or by slope and intercept, which may differ from frame to
    frame of an enhanced file; pydicom decodes them.

    Args:
        path: a DICOM file, of one frame or several, or a folder that holds the slices of one series. Slices and frames
            are sorted along the axis of the scanner. Other files in a folder are passed over, localizers and secondary
            captures too.
        slice_index: slice of the folder or frame of the file; the middle one by default.

    Raises:
        InputError: not a DICOM file, no CT, no pixel data, no gray, too large, no such slice, several series or two
            scans of the same places, no rescaling to Hounsfield units or values that are none, pixels not square, a
            compression that cannot be read, or pydicom is not installed.
    """
    path = Path(path)
    header = None if path.is_dir() else _checked(path)
    slices, notes = (slices_of_file(path, header), ()) if header else slices_of_folder(path)
    slices, more = in_order(slices)
    index = slice_of(slice_index, len(slices))
    array, spacing, facts = _read(slices[index], header or _checked(slices[index].file))
    name = f"{path.name}[{index}]" if path.is_dir() or len(slices) > 1 else path.name
    return Image(name, array, spacing_mm=spacing, notes=(*notes, *more, *facts))


def wheel_image(key):
    """A CT slice of the pydicom wheel's test files: attenuation (H, W) float32 and the pixels' side in mm, or None."""
    import_pydicom()
    from pydicom.data import get_testdata_file

    file = get_testdata_file(key, download=False)
    if file is None:
        raise InputError(f"the installed pydicom carries no {key}: reinstall it from PyPI or conda-forge")
    header = _checked(Path(file))
    only, = slices_of_file(Path(file), header)
    return _read(only, header)[:2]


def pixel_side(spacing, unit=" mm"):
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
        raise InputError(f"its pixels of {sides[0]:g} x {sides[1]:g}{unit} are not square: resample it first")
    return float(sides.mean())


def _checked(path):
    """The header of a CT file, its pixels not read; InputError for anything else."""
    header = read_header(path, defer_size=2**20)
    if "DirectoryRecordSequence" in header:
        raise InputError("is a DICOMDIR, a table of other files: name the folder of the slices")
    modality = header.get("Modality", "none")
    if modality != "CT":
        raise InputError(f"its modality is {modality}: a CT slice is expected, pixels of another kind can be saved as "
                         "a picture or as .npy")
    if "PixelData" not in header:
        raise InputError(f"holds FloatPixelData, which no CT slice has: {WAY_OUT}" if any(
            name in header for name in ("FloatPixelData", "DoubleFloatPixelData")) else
            "holds no pixel data: name the file of a slice")
    if header.get("SamplesPerPixel", 1) != 1:
        raise InputError(f"holds {header.SamplesPerPixel} values per pixel: a gray CT slice is expected")
    colours = header.get("PhotometricInterpretation", "MONOCHROME2")
    if colours not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(f"its PhotometricInterpretation is {colours}, colours: a gray CT slice is expected")
    if is_localizer(header):
        raise InputError("is a localizer, a view from the side (ImageType): a CT slice is expected")
    count_values((header.Rows, header.Columns))
    return header


def _read(chosen, header):
    """Attenuation (H, W) of a `Slice`, its pixels' side in mm or None, and notes; `header`: of its file."""
    pydicom, facts = import_pydicom(), chosen.facts
    if chosen.own is not None:
        facts = facts | of_groups(chosen.own, VALUES)
    spacing = pixel_side(facts.get("PixelSpacing") or None)
    if spacing is None:
        pixel_side(facts.get("PixelAspectRatio") or None, "")
    try:
        stored = _stored(pydicom, header, chosen.frame)
    except InputError:
        raise
    except Exception as error:  # decoders raise many kinds, also for a compression that none of them knows
        syntax, fault = header.file_meta.TransferSyntaxUID.name, (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot decode the pixels ({syntax}; {fault}): "
                         "if the file is intact, pydicom's guide lists the decoder to install") from None
    hu, notes = _hounsfield(pydicom, stored, facts, header)
    padding = facts.get("PixelPaddingValue")
    if padding is not None:
        low, high = sorted((int(padding), int(facts.get("PixelPaddingRangeLimit") or padding)))
        hu[(stored >= low) & (stored <= high)] = -1000
    return as_image(attenuation(hu)), spacing, notes


def _stored(pydicom, header, frame):
    """The stored values (H, W) of a frame, decoded by pydicom."""
    meta = header.file_meta
    if "TransferSyntaxUID" not in meta:
        if header["PixelData"].is_undefined_length:
            raise InputError("is compressed, but no TransferSyntaxUID says how: save it again with its meta header")
        implicit, little = header.original_encoding
        meta.TransferSyntaxUID = (pydicom.uid.ImplicitVRLittleEndian if implicit else
                                  pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian)
    elif meta.TransferSyntaxUID.is_encapsulated:
        header, frame = _of_one_frame(pydicom, header, frame), 0
    return pydicom.pixels.pixel_array(header, index=frame)


def _of_one_frame(pydicom, header, frame):
    """The header with one compressed frame, which decodes to no more than Rows x Columns values; else InputError."""
    tables = [header.pop(name).value for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
              if name in header]
    packed = pydicom.encaps.get_frame(header.PixelData, frame, number_of_frames=int(header.get("NumberOfFrames") or 1),
                                      extended_offsets=tuple(tables) if len(tables) == 2 else None)
    sides = header.Columns, header.Rows
    if header.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless:
        count, *starts = np.frombuffer(packed[:64], "<u4").tolist()
        ends = [*starts[1:count], len(packed)]
        if any(rle_length(packed[a:b], 2 * prod(sides)) > 2 * prod(sides) for a, b in zip(starts, ends, strict=False)):
            raise InputError("damaged: its RLE is longer than Rows x Columns")
    else:
        from PIL import Image as Picture
        check_scans(io.BytesIO(packed), prod(sides))
        with suppress(Picture.UnidentifiedImageError), Picture.open(io.BytesIO(packed)) as picture:
            if picture.size != sides:
                raise InputError(f"damaged: its compressed picture has {picture.size[1]} x {picture.size[0]} pixels, "
                                 f"not Rows x Columns, {header.Rows} x {header.Columns}")
    header.PixelData, header.NumberOfFrames = pydicom.encaps.encapsulate([packed]), 1
    return header


def rle_length(packed, most):
    """The number of bytes that a segment of DICOM's RLE unpacks to, a code of none counted as one; up to `most`."""
    place, total, end = 0, 0, len(packed)
    while place < end and total <= most:
        code = packed[place]
        place += code + 2 if code < 128 else 2 - (code == 128)
        total += code + 1 if code < 128 else 1 if code == 128 else 257 - code
    return total


def _hounsfield(pydicom, stored, facts, header):
    """Hounsfield units (H, W) float64 of stored values by what the file says, and notes; InputError if it does not."""
    table = (header.get("ModalityLUTSequence") or [None])[0]
    unit = str((table.get("ModalityLUTType") if table else facts.get("RescaleType")) or "HU").strip().upper()
    if unit not in ("HU", "US"):
        raise InputError(f"its values are in {unit} (RescaleType), not in Hounsfield units: {WAY_OUT}")
    notes = () if unit == "HU" else ("its RescaleType is US, unspecified: values were taken as Hounsfield units",)
    missing = [name for name in ("RescaleSlope", "RescaleIntercept") if facts.get(name) in (None, "")]
    if table:
        said = "by its Modality LUT"
        table.LUTDescriptor = [*table.LUTDescriptor[:2], 16 if table.LUTDescriptor[2] > 8 else 8]  # pydicom knows these
        hu = pydicom.pixels.apply_modality_lut(stored, header)
        hu = hu.view(np.int16) if hu.dtype == np.uint16 else hu  # air is -1000, and no HU is above 32767
    elif len(missing) == 1:
        raise InputError(f"its {missing[0]} is missing or empty, so its values have no unit: {WAY_OUT}")
    elif missing:
        hu, said = stored, "its RescaleSlope and RescaleIntercept are missing"
        notes += (f"{said}: stored values were taken as Hounsfield units",)
    else:
        slope, intercept = _rescaling(facts)
        hu, said = stored * slope + intercept, "its RescaleIntercept is 0"
    certain = not (table or missing or notes) and intercept != 0
    if not certain and (doubt := no_hounsfield(hu)):
        raise InputError(f"{doubt} ({said}): {WAY_OUT}")
    return hu.astype(np.float64), notes + without_air(hu)


def _rescaling(facts):
    """RescaleSlope and RescaleIntercept; InputError unless each is one finite number, the slope not 0."""
    slope, intercept = facts.get("RescaleSlope"), facts.get("RescaleIntercept")
    if any(np.size(number) > 1 or not np.isfinite(float(number)) for number in (slope, intercept)) or slope == 0:
        raise InputError(f"its RescaleSlope is {slope} and its RescaleIntercept {intercept}, where one finite number "
                         f"each is expected and a slope that is not 0: {WAY_OUT}")
    return float(slope), float(intercept)
