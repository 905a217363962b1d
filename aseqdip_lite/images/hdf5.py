"""Datasets of HDF5 files: opened only where they lie in the file itself, can be unpacked and are of a sound size.

HDF5 itself bounds neither what a link leads to nor what a packed chunk unpacks to. So `node` follows each link on its
own, and `read` measures each packed chunk before HDF5 unpacks it. Three bounds hold of what is read: a chunk has at
most `MOST_CHUNK` bytes and unpacks to no more than its shape says; all chunks of one array have at most `MOST_UNPACKED`
bytes, or `MOST_RATIO` times the file's size where that is more. Time and memory are bounded with them.
"""

import bz2
import zlib
from contextlib import suppress
from itertools import islice
from math import prod
from pathlib import Path

import h5py
import numpy as np

from ..settings import InputError
from .types import MOST_VALUES, count_values

MOST_LINKS = 8  #: most soft links that lead to one dataset
MOST_CHUNK = 8 * MOST_VALUES  #: most bytes of a chunk, which is unpacked as a whole
MOST_UNPACKED, MOST_RATIO = 2**29, 32  #: most bytes that are unpacked for one array, at least and times the file's size
MOST_TEXT = 2**20  #: most bytes of a text

#: HDF5 filters: those that keep the size, those whose parameters say it, streams, and where a header of others says it.
SHUFFLE, FLETCHER32, NBIT, SCALE_OFFSET, LZF = 2, 3, 5, 6, 32000
STREAMS = {1: zlib.decompressobj, 307: bz2.BZ2Decompressor}
HEADERS = {4: (0, 4, "little"), 32001: (4, 8, "little"), 32004: (0, 8, "big"), 32008: (0, 8, "big")}


def node(group, name):
    """The group or dataset at the path `name`, or None; InputError where an external link lies on the way to it.

    Each step looks at the link before it is followed: h5py itself would open the other file.
    """
    parts, links = name.split("/")[::-1], 0
    while parts:
        part = parts.pop().encode(errors="surrogateescape")
        if part in (b"", b"."):
            continue
        if not isinstance(group, h5py.Group) or not group.id.links.exists(part):
            return None
        kind = group.id.links.get_info(part).type
        if kind == h5py.h5l.TYPE_SOFT:
            links += 1
            if links > MOST_LINKS:
                return None
            target = group.id.links.get_val(part).decode(errors="surrogateescape")
            group = group.file if target.startswith("/") else group
            name, parts = target, parts + target.split("/")[::-1]
        elif kind == h5py.h5l.TYPE_HARD:
            group = group[part]
        else:
            raise InputError(f"{name!r} lies in another file: copy it into this one")
    return group


def dataset(group, name, kinds="biufc"):
    """The dataset at the path `name`, not read yet, or None if there is none; `kinds` are numpy's, numbers by default.

    InputError for a dataset of anything else, one whose numbers lie in other files (external storage, a virtual
    dataset), one packed by a filter that is not installed or has no bound, and too large chunks.
    """
    found = node(group, name)
    if found is None:
        return None
    words = kinds != "biufc"
    if (not isinstance(found, h5py.Dataset) or found.dtype.kind not in kinds
            or (words and h5py.check_string_dtype(found.dtype) is None)):
        parts = getattr(getattr(found, "dtype", None), "names", None) or ()
        way_out = f": save a[{parts[0]!r}] + 1j * a[{parts[1]!r}] of it" if len(parts) == 2 else ""
        raise InputError(f"{name!r} must be " + ("a string" if words else "an array of numbers") + way_out)
    if found.shape is None:
        raise InputError(f"{name!r} holds no values")
    if found.is_virtual or found.external:
        raise InputError(f"the numbers of {name!r} lie in other files: copy them into this one, e.g. by h5repack")
    for code, _ in filters(found):
        if not h5py.h5z.filter_avail(code):
            with suppress(ImportError):
                import hdf5plugin  # noqa: F401, which registers its filters
        if not h5py.h5z.filter_avail(code):
            raise InputError(f"{name!r} is packed by the HDF5 filter {code}, which is missing: pip install hdf5plugin, "
                             "or unpack the file with h5repack -f NONE")
        if code not in (SHUFFLE, FLETCHER32, NBIT, SCALE_OFFSET, LZF, *STREAMS, *HEADERS):
            raise InputError(f"{name!r} is packed by the HDF5 filter {code}, which does not say how much it unpacks "
                             "to: unpack the file with h5repack -f NONE")
    size = count_values(found.chunks or (1,)) * found.dtype.itemsize
    if size > (MOST_TEXT if words else MOST_CHUNK):
        raise InputError(f"too large: a chunk of {name!r} has {size} bytes, at most {MOST_CHUNK} are accepted")
    return found


def filters(found):
    """[(number, parameters)] of the filters that a dataset's chunks are packed by, in the order of packing."""
    packing = found.id.get_create_plist()
    return [packing.get_filter(number)[0::2][:2] for number in range(packing.get_nfilters())]


def read(found, *chosen):
    """found[chosen], numbers of a dataset, each of `chosen` a whole number or a slice; all without any.

    InputError for more than `MOST_VALUES` values, and for chunks that are too many or unpack to more than their shape.
    """
    chosen += (slice(None),) * (found.ndim - len(chosen))
    count_values([len(range(n)[k]) for k, n in zip(chosen, found.shape, strict=True) if isinstance(k, slice)])
    places = tuple(slice(*k.indices(n)) if isinstance(k, slice) else slice(k, k + 1)
                   for k, n in zip(chosen, found.shape, strict=True))
    if found.chunks and filters(found):
        _measure(found, places)
    return found[chosen]


def _measure(found, places):
    """InputError unless the packed chunks of a dataset that lie in `places` unpack to what their shape says."""
    size, length = prod(found.chunks) * found.dtype.itemsize, _length_of(found)
    total = size * prod(-(-part.stop // n) - part.start // n for part, n in zip(places, found.chunks, strict=True))
    if total > max(MOST_UNPACKED, MOST_RATIO * Path(found.file.filename).stat().st_size):
        raise InputError(f"too large: {total >> 20} MiB have to be unpacked to read {found.name!r}, much more than the "
                         "file has: pack it in smaller chunks")
    for part in found.iter_chunks(places):
        place = tuple(one.start // n * n for one, n in zip(part, found.chunks, strict=True))
        stored = found.id.get_chunk_info_by_coord(place)
        if stored.byte_offset is None:  # never written
            continue
        fits = stored.size <= size + size // 8 + 1024
        if not (fits and length(*found.id.read_direct_chunk(place)) <= size):
            raise InputError(f"damaged: a chunk of {found.name!r} is longer than its shape {found.chunks} says")


def _length_of(found):
    """A function of a chunk's filter mask and stored bytes: the length that its filters unpack it to, or a larger one.

    It stops to count beyond the length that the chunk's shape says.
    """
    size, values = prod(found.chunks) * found.dtype.itemsize, prod(found.chunks)
    packers = [(k, *one) for k, one in enumerate(filters(found)) if one[0] not in (SHUFFLE, FLETCHER32)]
    last = [code for code, _ in filters(found)][packers[0][0] + 1:] if packers else []
    if len(packers) > 1 or any(code != FLETCHER32 for code in last):
        raise InputError(f"{found.name!r} is packed twice: unpack the file with h5repack -f NONE")

    def length(mask, stored):
        if not packers or mask >> packers[0][0] & 1:
            return len(stored) - 4 * (FLETCHER32 in [code for code, _ in filters(found)])
        _, code, numbers = packers[0]
        if code in (NBIT, SCALE_OFFSET):
            return numbers[2] * numbers[4] if len(numbers) > 4 and numbers[2] == values else size + 1
        if code == LZF:
            return lzf_length(stored, size) if not numbers[2:3] or numbers[2] <= size else size + 1
        if code in STREAMS:
            return len(STREAMS[code]().decompress(stored, size + 1))
        first, end, order = HEADERS[code]
        return int.from_bytes(stored[first:end], order)

    return length


def lzf_length(packed, most):
    """The number of bytes that an LZF stream unpacks to; it stops to count beyond `most`."""
    place, total, end = 0, 0, len(packed)
    while place < end and total <= most:
        code = packed[place]
        if code < 32:  # so many bytes, and one, as they are
            place, total = place + code + 2, total + code + 1
        else:  # bytes that were there before
            more = code >> 5 == 7 and place + 1 < end
            total += (code >> 5) + 2 + (packed[place + 1] if more else 0)
            place += 3 if more else 2
    return total


def attribute(found, name):
    """The text of an attribute; "" if there is none. InputError if it is no single text."""
    if name not in found.attrs:
        return ""
    kept = found.attrs.get_id(name)
    if h5py.check_string_dtype(kept.dtype) is None or prod(kept.shape) != 1:
        raise InputError(f"the attribute {name!r} of {found.name!r} is not text: write text, or delete it")
    return text(np.asarray(found.attrs[name], dtype=object))


def names_in(group, most=1000):
    """The first names in a group."""
    return list(islice(group, most))


def text(value):
    """The text of an attribute or a dataset of one string, whatever its type; "" if it is none."""
    value = getattr(value, "flat", [value])[0] if getattr(value, "size", 1) == 1 else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def known_by_name(path, stored):
    """InputError for an HDF5 file of a format that is known, but not read here."""
    with open(path, "rb") as file:
        if file.read(10) == b"MATLAB 7.3":
            raise InputError("is a MATLAB v7.3 file: read its array with h5py, reverse the order of its axes, as "
                             "MATLAB stores them the other way round, and save it by numpy as .npy or .npz")
    if node(stored, "dataset/xml") is not None:
        raise InputError("is an ISMRMRD raw file, a list of readouts: sort them into k-space (coils, H, W) and save it "
                         "as 'kspace' of an .npz")
