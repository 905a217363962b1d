"""Bounds that decoders do not keep by themselves: checked in the file, before anything of it is decoded.

A decoder of pictures is bounded by the number of pixels, but for what is counted here: the scans of a JPEG, each of
which visits all pixels, the pages and tags of a TIFF, and its tiles. Pillow bounds texts, profiles and EXIF data.
"""

import struct

from ..settings import InputError
from .types import count_values

MOST_SCANS, MOST_VISITS = 1000, 2**30  #: most scans of a JPEG, and most pixels that all of them visit; 10 are common
MOST_PAGES, MOST_TAGS = 4096, 2**17  #: most pages of a TIFF, and most tags of all of them
PIECE = 2**20  #: bytes of a file that are looked at at once

TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
WIDTH, HEIGHT, STRIP_SIZES, TILE_SIZES = 322, 323, 279, 325  #: tags of TIFF
COMPRESSION, JPEG = 259, (6, 7)


def occurrences(file, *marks, most=None):
    """How often some bytes, or one of several, occur in an open file, about up to place `most`; it is turned back."""
    file.seek(0)
    count, end = 0, b""
    while (most is None or file.tell() < most) and (piece := file.read(PIECE)):
        count += sum((end + piece).count(mark) for mark in marks)
        end = piece[1 - len(marks[0]):]
    file.seek(0)
    return count


def check_scans(file, pixels, parts=1):
    """InputError for a JPEG, or `parts` JPEGs of equal size in one file, of too many scans (SOS markers)."""
    scans = occurrences(file, b"\xff\xda")
    if scans > MOST_SCANS * parts or scans * pixels > MOST_VISITS * parts:
        raise InputError(f"its JPEG has {scans} scans, too many to decode: save it again, not progressive")


def check_pages(file):
    """InputError for a TIFF of too many pages or tags, or whose tags together say more than the file holds."""
    size, head = file.seek(0, 2), _part(file, 0, 16)
    order, big = "<>"[head[:1] == b"M"], head[2:4] in (b"+\0", b"\0+")
    number, entry, offset = (f"{order}{code}" for code in (("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")))
    place, pages, tags, said = struct.unpack_from(offset, head, 8 if big else 4)[0], 0, 0, 0
    while place:
        count, = struct.unpack(number, _part(file, place, struct.calcsize(number)))
        pages, tags = pages + 1, tags + count
        if pages > MOST_PAGES or tags > MOST_TAGS:
            raise InputError(f"holds more than {MOST_PAGES} pages or {MOST_TAGS} tags: save the page alone")
        start, length = place + struct.calcsize(number), count * struct.calcsize(entry)
        said += length + sum(n * TAG_BYTES.get(kind, 1)
                             for _, kind, n, _ in struct.iter_unpack(entry, _part(file, start, length)))
        if said > size + PIECE:
            raise InputError("damaged: its tags announce more than the file contains, or its pages lie in a circle")
        place, = struct.unpack(offset, _part(file, start + length, struct.calcsize(offset)))
    file.seek(0)


def check_tiles(file, pixels, tags):
    """InputError for the tags of a TIFF page that has too large tiles, or strips of JPEG of too many scans."""
    count_values((max(1, tags.get(WIDTH, 1)), max(1, tags.get(HEIGHT, 1))))
    if tags.get(COMPRESSION) in JPEG:
        sizes = tags.get(TILE_SIZES) or tags.get(STRIP_SIZES) or (0,)
        if sum(sizes) > file.seek(0, 2):
            raise InputError("damaged: its strips or tiles overlap")
        check_scans(file, pixels, len(sizes))


def _part(file, place, length):
    file.seek(place)
    part = file.read(length)
    if len(part) < length:
        raise InputError("damaged: cut short")
    return part
