"""The CT slices of a DICOM file or folder: what the file says of each, and their order along the scanner's axis."""

import io
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..settings import InputError
from .bounds import occurrences

MOST_FILES = 4096  #: most files looked at in a folder
MOST_FRAMES = 65536  #: most frames of a file
MOST_FILE = 256 * 2**20  #: largest accepted file, in bytes, packed or not; its pixels are counted before any are read
MOST_SLICES = 16384  #: most slices whose places are compared
MOST_HEADERS = 512 * 2**20  #: most bytes of all headers of a folder
MOST_READS, ITEM = 2**18, 4  #: most reads of a file, and how many of them an item or fragment counts for
MOST_TEXT = 2**12  #: most bytes of a text

#: UIDs of a file that is deflated as a whole and of the same one inflated; the marks of items in both byte orders.
DEFLATED, EXPLICIT = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0\0\0"
ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")

TOO_MANY = ("its tags and items are too many: save the slice alone, or all with explicit lengths (dcmconv "
            "--length-explicit)")

PLACE, NUMBER = "ImagePositionPatient", "InstanceNumber"

#: Tags that make slices parts of one series, in which all must agree, which tell two scans of the same places apart,
#: and in which two slices at one place may differ, as may all others.
SERIES = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription")
ALIKE = ("Rows", "Columns", "ImageOrientationPatient", "PixelSpacing")
SCANS = ("AcquisitionNumber", "FrameAcquisitionNumber", "TemporalPositionIdentifier", "TemporalPositionIndex",
         "NominalPercentageOfCardiacPhase", "ConvolutionKernel", "KVP", "SliceThickness", "ImageType")
TIMES = ("AcquisitionDateTime", "AcquisitionTime", "ContentTime", "TriggerTime", NUMBER)

#: All tags whose values are looked at.
USED = {*SERIES, *ALIKE, *SCANS, *TIMES, PLACE, "SliceLocation", "Modality", "SamplesPerPixel", "SOPClassUID",
        "PhotometricInterpretation", "NumberOfFrames", "RescaleSlope", "RescaleIntercept", "RescaleType",
        "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelRepresentation", "LUTDescriptor", "ModalityLUTType",
        "SpecificCharacterSet"}

#: The functional groups of an enhanced multi-frame file that tell the order of its frames, and what their values mean.
GROUPS = ("PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "FrameContentSequence",
          "CTReconstructionSequence", "CTXRayDetailsSequence", "CardiacSynchronizationSequence",
          "TemporalPositionSequence")
VALUES = ("PixelValueTransformationSequence",)


@dataclass(frozen=True)
class Slice:
    """A frame of a file: its number there, `get(keyword)` of what holds for it, and its own functional groups, if any.

    The `VALUES` among its groups, which its place does not need, are left to be read.
    """

    file: Path
    frame: int
    facts: object
    own: object = None


def import_pydicom():
    try:
        import pydicom
    except ImportError:
        raise InputError("DICOM files need the package pydicom: pip install 'pydicom>=3.0'") from None
    return pydicom


class Counted(io.BufferedReader):
    """A file that may be read from at most `MOST_READS` times, where an item of a sequence counts for `ITEM` of them.

    A tag takes pydicom two reads or three, where lengths are undefined; else it is read with the sequence around it.
    This bounds its time, about 10 us for a tag and 40 us for an item.
    """

    reads = 0

    def read(self, *size):
        data = super().read(*size)
        self.reads += ITEM if data[:4] in ITEMS else 1
        if self.reads > MOST_READS:
            raise OSError(TOO_MANY)
        return data


def is_dicom(path):
    """Whether a file has the mark of DICOM, or lacks it but begins and goes on as the file of a DICOM image does."""
    with open(path, "rb") as file:
        head = file.read(132)
    if head[128:] == b"DICM":
        return True
    if head[:2] not in (b"\2\0", b"\x08\0", b"\0\x08"):  # the groups that come first, of either byte order
        return False
    try:
        header, _ = read_header(path, stop_before_pixels=True, force=True)
        return all(name in header for name in ("Modality", "Rows", "Columns"))
    except InputError:
        return False


def read_header(path, *, force=None, **options):
    """(the pydicom dataset of a file, the bytes that were read of it); `options` are those of dcmread.

    InputError if it is damaged or none, for too large a file, too many tags or items, and too long texts.
    """
    pydicom = import_pydicom()
    with opened(path) as file:
        if isinstance(file.raw, io.BytesIO):  # pydicom would read what is deferred from the deflated file
            options.pop("defer_size", None)
        try:
            header = pydicom.dcmread(file, force=is_dicom(path) if force is None else force, **options)
        except Exception as error:  # pydicom raises many kinds
            fault = (str(error).splitlines() or [type(error).__name__])[0].split(" Use force")[0]
            raise InputError(TOO_MANY if file.reads > MOST_READS else
                             f"{path.name} is damaged or not a DICOM file ({fault})") from None
        reads, end = file.reads, file.tell()
        if reads + ITEM * occurrences(file, *ITEMS, most=end) > MOST_READS:
            raise InputError(f"its sequences or fragments have more than {MOST_READS // ITEM} items: save the slice "
                             "alone")
    return check_texts(header), end


def opened(path):
    """A DICOM file, open; one that is deflated as a whole is inflated into memory. InputError above `MOST_FILE`."""
    file = Counted(io.FileIO(str(path)))  # pydicom opens what it defers by this name, which must be a text
    size, head = path.stat().st_size, file.read(1024)
    if size <= MOST_FILE and head[128:140] == b"DICM\2\0\0\0UL\4\0":
        start = 144 + int.from_bytes(head[140:144], "little")
        if DEFLATED in head[:start]:
            with file:
                file.seek(start)
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), most_of(size) + 1)
            if len(data) > most_of(size):
                raise InputError(f"too large: it inflates to more than {most_of(size) >> 20} MiB")
            size, plain = len(data), io.BytesIO(head[:start].replace(DEFLATED, EXPLICIT) + data)
            plain.name = str(path)
            file = Counted(plain)
    if size > MOST_FILE:
        file.close()
        raise InputError(f"too large: {size >> 20} MiB, at most {MOST_FILE >> 20} are accepted")
    file.seek(0)
    return file


def most_of(packed):
    """Most bytes that a deflated file may inflate to: a bomb has a thousand times its size, a good one ten or so."""
    return min(MOST_FILE, 2**24 + 32 * packed)


def check_texts(facts):
    """A pydicom dataset, if none of the tags that are read here is longer than `MOST_TEXT`; else InputError."""
    for element in facts.values():
        value = element.value
        if isinstance(value, bytes | str) and len(value) > MOST_TEXT and keyword_of(element.tag) in USED:
            raise InputError(f"its {keyword_of(element.tag)} is longer than {MOST_TEXT} bytes")
    return facts


def keyword_of(tag):
    from pydicom.datadict import keyword_for_tag
    return keyword_for_tag(tag)


def slices_of_file(file, header):
    """A `Slice` for each frame; of an enhanced file with its functional groups, its own above the shared ones."""
    frames = int(header.get("NumberOfFrames") or 1)
    if not 0 < frames <= MOST_FRAMES:
        raise InputError(f"NumberOfFrames is {frames}: 1 to {MOST_FRAMES} are accepted")
    if frames > MOST_SLICES and "PerFrameFunctionalGroupsSequence" in header:
        raise InputError(f"holds {frames} frames, at most {MOST_SLICES} are put in order: save the slice alone")
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        return [Slice(file, frame, header) for frame in range(frames)]
    if len(groups) != frames:
        raise InputError(f"holds {frames} frames but functional groups of {len(groups)}: it is damaged")
    base = looked_at(header)
    for group in (header.get("SharedFunctionalGroupsSequence") or ())[:1]:
        base |= of_groups(group, GROUPS + VALUES)
    return [Slice(file, frame, base | of_groups(own, GROUPS), own) for frame, own in enumerate(groups)]


def looked_at(data):
    """{keyword: value} of a pydicom dataset, of the tags that are looked at here; sequences of others may be long."""
    return {keyword: data[element.tag].value for element in check_texts(data).values()
            if (keyword := keyword_of(element.tag)) in USED}


def of_groups(group, names):
    """The same of some functional groups of a frame."""
    found = {}
    for name in names:
        for item in (group.get(name) or ())[:1]:
            found |= looked_at(item)
    return found


def slices_of_folder(folder):
    """(slices, notes): the CT slices of the one series in a folder, by the names of the files."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if len(files) > MOST_FILES:
        raise InputError(f"holds {len(files)} files, at most {MOST_FILES} are looked at")
    slices, others, series, total = [], 0, set(), 0
    for file in filter(is_dicom, files):
        try:
            header, size = read_header(file, stop_before_pixels=True)
        except InputError as error:
            raise InputError(f"{file.name}: {error}".replace(f"{file.name}: {file.name}", file.name, 1)) from None
        total += size
        if total > MOST_HEADERS:
            raise InputError(f"too large: its headers have more than {MOST_HEADERS >> 20} MiB together")
        if header.get("Modality") != "CT":
            continue
        if _is_slice(header):
            slices += slices_of_file(file, header)
            series.add(tuple(_text(header, name) for name in SERIES))
        else:
            others += 1
    if not slices:
        deeper = any(file.is_dir() for file in folder.iterdir())
        raise InputError("holds no CT slice in DICOM format" + (": name the subfolder of the slices" if deeper else ""))
    if len(series) > 1:
        raise InputError(f"holds slices of {len(series)} series: keep one series per folder")
    return slices, ((f"{others} localizers, secondary captures or reports were passed over",) if others else ())


def in_order(slices):
    """(slices, notes): sorted along their normal, else by their numbers; InputError where they are not one scan."""
    if len({id(one.facts) for one in slices}) == 1:  # frames of one file without groups of their own
        return slices, ()
    if len(slices) > MOST_SLICES:
        raise InputError(f"holds {len(slices)} slices, at most {MOST_SLICES} are put in order: name one of them")
    for name in ALIKE:
        if len(found := {_text(one.facts, name) for one in slices}) > 1:
            raise InputError(f"its slices differ in {name} ({_few(found)}): keep those of one kind")
    kinds, places = zip(*(_place(one) for one in slices), strict=True)
    if len(set(kinds)) > 1:
        raise InputError(f"{sum(kind != PLACE for kind in kinds)} of its {len(kinds)} slices have no {PLACE}, so their "
                         "order is not known: remove them")
    if kinds[0] == "frame" and len({one.file for one in slices}) > 1:
        raise InputError(f"neither {PLACE}, SliceLocation nor {NUMBER} tells the order of its files: name one of them")
    for name in SCANS:
        groups = {}
        for one, place in zip(slices, places, strict=True):
            groups.setdefault(_text(one.facts, name), []).append(place)
        ranges = sorted((min(group), max(group)) for group in groups.values())
        mixed = any(later[0] <= earlier[1] for earlier, later in pairwise(ranges))
        if mixed or (kinds[0] == NUMBER and 1 < len(groups) < len(slices)):
            raise InputError(f"holds {len(groups)} scans of the same places, told apart by {name} ({_few(groups)}): "
                             "keep one of them")
    order = sorted(range(len(slices)), key=places.__getitem__)
    for i, k in pairwise(order):
        if places[k] - places[i] < 1e-3:
            one, other = slices[i], slices[k]
            apart = [name for name in TIMES if _text(one.facts, name) != _text(other.facts, name)]
            raise InputError(f"{one.file.name} and {other.file.name} hold the same place, {kinds[0]} {places[k]:g}"
                             + (f", and differ in {apart[0]}" if apart else "") + ": keep one of them")
    notes = (f"no {PLACE}: slices are in the order of {NUMBER}",) if kinds[0] == NUMBER else ()
    return [slices[k] for k in order], notes


def _is_slice(header):
    kind = str(getattr(header.get("SOPClassUID"), "name", ""))
    return ("Rows" in header and header.get("SamplesPerPixel", 1) == 1 and "Secondary Capture" not in kind
            and not is_localizer(header))


def is_localizer(header):
    """Whether it is a view from the side, on which slices are planned."""
    return "LOCALIZER" in (header.get("ImageType") or ())


def _place(one):
    """What tells a slice's place, and that place: position along the normal or location in mm, number, or frame."""
    frames = int(one.facts.get("NumberOfFrames") or 1)
    position, orientation = (one.facts.get(name) for name in (PLACE, "ImageOrientationPatient"))
    if position and orientation and (frames == 1 or one.own is not None):
        across, down = np.reshape(np.array(orientation, dtype=float), (2, 3))
        return PLACE, float(np.cross(across, down) @ np.array(position, dtype=float))
    for name in ("SliceLocation", NUMBER) if frames == 1 else ():
        if one.facts.get(name) not in (None, ""):
            return name, float(one.facts.get(name))
    return "frame", float(one.frame)


def _text(facts, name):
    """A tag's value as text, "" where there is none; lengths and cosines without the digits of rounding."""
    value = facts.get(name)
    if name in ("ImageOrientationPatient", "PixelSpacing") and value:
        return " ".join(f"{float(number) + 0.0:.3f}" for number in value).replace("-0.000", "0.000")
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _few(values):
    """The first of some values in words."""
    return ", ".join(value[:40] or "none" for value in sorted(values)[:3]) + (", ..." if len(values) > 3 else "")
