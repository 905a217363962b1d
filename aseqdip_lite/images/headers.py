"""Headers of DICOM files, read within bounds that pydicom itself does not have: of time, of memory, of texts."""

import io
import zlib
from collections import Counter

from ..settings import InputError
from .bounds import occurrences

MOST_FILE = 256 * 2**20  #: largest accepted file, in bytes, packed or not; its pixels are counted before any are read
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
        "PixelAspectRatio", "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelRepresentation", "LUTDescriptor",
        "ModalityLUTType", "SpecificCharacterSet"}


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


def is_dicom(path, spent=None):
    """Whether a file has the mark of DICOM, or lacks it but begins and goes on as the file of a DICOM image does.

    `spent` as in `read_header`.
    """
    with open(path, "rb") as file:
        head = file.read(132)
    if head[128:] == b"DICM":
        return True
    if head[:2] not in (b"\2\0", b"\x08\0", b"\0\x08"):  # the groups that come first, of either byte order
        return False
    try:
        header = read_header(path, stop_before_pixels=True, force=True, spent=spent)
        return all(name in header for name in ("Modality", "Rows", "Columns"))
    except InputError:
        return False


def read_header(path, *, force=None, spent=None, **options):
    """The pydicom dataset of a file; `options` are those of dcmread, and `spent` counts the reads and the bytes read.

    InputError if it is damaged or none, for too large a file, too many tags or items, and too long texts.
    """
    pydicom, spent = import_pydicom(), Counter() if spent is None else spent
    with opened(path) as file:
        if isinstance(file.raw, io.BytesIO):  # pydicom would read what is deferred from the deflated file
            options.pop("defer_size", None)
        try:
            header = pydicom.dcmread(file, force=is_dicom(path, spent) if force is None else force, **options)
        except Exception as error:  # pydicom raises many kinds
            fault = (str(error).splitlines() or [type(error).__name__])[0].split(" Use force")[0]
            raise InputError(TOO_MANY if file.reads > MOST_READS else
                             f"{path.name} is damaged or not a DICOM file ({fault})") from None
        finally:
            reads, end = file.reads, file.tell()
            spent.update(reads=reads, size=end)
        if reads + ITEM * occurrences(file, *ITEMS, most=end) > MOST_READS:
            raise InputError(f"its sequences or fragments have more than {MOST_READS // ITEM} items: save the slice "
                             "alone")
    return check_texts(header)


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
            file.reads = size >> 12  # inflating 4 KiB takes about as long as a read
    if size > MOST_FILE:
        file.close()
        raise InputError(f"too large: {size >> 20} MiB, at most {MOST_FILE >> 20} are accepted")
    file.seek(0)
    return file


def most_of(packed):
    """Most bytes that a deflated file may inflate to: a bomb has a thousand times its size, a good one ten or so."""
    return min(MOST_FILE, 2**24 + 32 * packed)


def check_texts(facts):
    """A pydicom dataset, if no tag that is read here is longer than `MOST_TEXT` or damaged; else InputError."""
    for element in list(facts.values()):
        value, name = element.value, keyword_of(element.tag)
        if name in USED and isinstance(value, bytes | str):
            if len(value) > MOST_TEXT:
                raise InputError(f"its {name} is longer than {MOST_TEXT} bytes")
            found = facts[element.tag]  # pydicom leaves a text where it finds no number
            number, kind = found.value, import_pydicom().datadict.dictionary_VR(element.tag)
            if kind in ("DS", "IS") and any(isinstance(k, str) and k for k in (number if found.VM > 1 else [number])):
                raise InputError(f"its {name} is not a number, {number}: correct it, or delete it if it is not needed")
    return facts


def keyword_of(tag):
    from pydicom.datadict import keyword_for_tag
    return keyword_for_tag(tag)
