"""What kind of file it is, told by its first bytes and not by its ending."""

import zlib

from ..settings import InputError
from .headers import is_dicom
from .pictures import TIFFS

#: (offset, first bytes, kind) of the files that are read; a kind is the ending that such a file mostly has.
READ = ((0, b"\x93NUMPY", ".npy"), (0, b"PK\x03\x04", ".npz"), (0, b"PK\x05\x06", ".npz"),
        (0, b"\x89PNG\r\n\x1a\n", ".png"), (0, b"\xff\xd8\xff", ".jpg"), *((0, mark, ".tif") for mark in TIFFS))

PICTURE, ARRAY, SCAN = ("save it as PNG", "save a slice as an array in .npy", "convert it to k-space (coils, H, W), "
                        "complex, in .npy")

#: (offset, first bytes, name, way out) of other files that people bring.
REFUSED = ((0, b"GIF8", "a GIF", PICTURE), (0, b"BM", "a BMP", PICTURE), (8, b"WEBP", "a WebP", PICTURE),
           (4, b"ftyp", "a HEIF or AVIF", PICTURE), (4, b"jP  ", "a JPEG 2000", PICTURE),
           (0, b"\xff\x4f\xff\x51", "a JPEG 2000", PICTURE), (0, b"8BPS", "a Photoshop", PICTURE),
           (0, b"v/1\x01", "an OpenEXR", PICTURE), (0, b"%PDF", "a PDF", PICTURE),
           (0, b"%!PS", "a PostScript", PICTURE), *((0, b"P%d\n" % kind, "a PNM", PICTURE) for kind in range(1, 8)),
           (344, b"n+1\0", "a NIfTI", ARRAY), (344, b"ni1\0", "a NIfTI", ARRAY), (4, b"n+2\0", "a NIfTI", ARRAY),
           (0, b"MATLAB 5", "a MATLAB", ARRAY), (0, b"NRRD", "an NRRD", ARRAY),
           (0, b"ObjectType", "a MetaImage", ARRAY), (0, b"NDims", "a MetaImage", ARRAY),
           (0, b"SIMPLE  =", "a FITS", ARRAY), (208, b"MAP ", "an MRC", ARRAY),
           (0, b"CDF\x01", "a MINC", ARRAY), (0, b"# Dimensions", "a BART", SCAN))

#: {ending or name: name, way out} of those that no first bytes tell.
ENDINGS = {".cfl": ("a BART", SCAN), ".dat": ("a raw", SCAN), ".raw": ("a raw", SCAN), ".7": ("a GE", SCAN),
           ".list": ("a Philips", SCAN), ".data": ("a Philips", SCAN), ".par": ("a Philips", ARRAY),
           ".rec": ("a Philips", ARRAY), "fid": ("a Bruker", SCAN), "ser": ("a Bruker", SCAN),
           "2dseq": ("a Bruker", ARRAY), ".mat": ("a MATLAB", ARRAY), ".img": ("an Analyze", ARRAY),
           ".hdr": ("a header", ARRAY), ".svg": ("an SVG", PICTURE), ".bin": ("a raw", ARRAY)}


def kind_of(path):
    """".npy", ".npz", ".png", ".jpg", ".tif", ".h5" or ".dcm" by a file's contents.

    InputError for all others, with a way out.
    """
    import h5py

    with open(path, "rb") as file:
        head = file.read(512)
    if not head:
        raise InputError("is empty: save or copy it again")
    if head[128:132] == b"DICM":  # what comes before is free, and may be the head of a TIFF
        return ".dcm"
    unpacked = _unpacked(head)
    for offset, mark, name, way_out in REFUSED:
        if unpacked[offset:].startswith(mark):
            raise InputError(f"is {name} file, which is not read: {way_out}")
    if unpacked is not head:
        raise InputError("is packed by gzip: unpack it first")
    for offset, mark, kind in READ:
        if head[offset:].startswith(mark):
            return kind
    if h5py.is_hdf5(path):
        return ".h5"
    if is_dicom(path):
        return ".dcm"
    for ending in (path.suffix.lower(), path.name.lower()):
        if ending in ENDINGS:
            name, way_out = ENDINGS[ending]
            raise InputError(f"is {name} file by its name, which is not read: {way_out}")
    if path.suffix.lower() in (".dcm", ".ima"):  # whose fault pydicom names
        return ".dcm"
    fault = "is a text" if head.isascii() else "is damaged, or of a kind that is not read"
    raise InputError(f"{fault}: save a picture as PNG, an array of numbers as .npy by numpy.save")


def _unpacked(head):
    """The first bytes of a file, of one packed by gzip those of what is in it."""
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(31).decompress(head, 512)
    except zlib.error:
        return b""
