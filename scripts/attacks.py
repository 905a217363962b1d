"""Structured attacks: files that are built to hurt, each sound enough to be opened. `ATTACKS` lists them by kind.

An attack is a function of a random generator and a path. It returns the bytes of a file, or makes the path itself (a
pipe, a folder). Its sizes and places are drawn from the generator, so that a seed gives the same files again.
"""

import io
import os
import socket
import struct
import zipfile
import zlib
from functools import cache

import numpy as np
from PIL import Image as Picture
from PIL import PngImagePlugin

H, W = 24, 20
DEVICES = ("/dev/zero", "/dev/tty", "/dev/stdin", "/dev/full", "/etc/passwd", "/proc/self/mem")

#: {kind: (ending of the file, loader: "file", "page", "mask", "kernel", "weights" or "checkpoint", attack)}
ATTACKS = {}


def attack(kind, suffix, *loaders):
    """Lists the decorated function as an attack on each of the loaders, "file" by default."""
    def listed(build):
        for loader in loaders or ("file",):
            ATTACKS[kind if len(loaders) < 2 else f"{kind}, {loader}"] = suffix, loader, build
        return build
    return listed


def written(write):
    """What write(buffer) writes."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def power(rng, low, high):
    """A whole number between 2^low and 2^high, its logarithm uniform."""
    return int(2 ** rng.uniform(low, high))


@cache
def zeros():
    """16 MiB of zeros as a part of a raw deflate stream, which may be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)


def bomb(rng, header=b"\x78\x9c"):
    """A zlib stream, or with no header a raw one, that inflates to up to 4 GiB of zeros."""
    return header + zeros() * power(rng, 0, 8) + b"\x03\0"


def odd(rng):
    """A number that a length or a side should not be."""
    return int(rng.choice([0, 1, 2**15, 2**16 - 1, 2**20, 2**31 - 1, 2**32 - 1, power(rng, 1, 32)]))


# ---------------------------------------------------------------- devices, links, pipes

@attack("device", "", "file", "mask", "kernel", "weights", "checkpoint")
def device(rng, path):
    kind = rng.integers(6)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(str(path))
    elif kind == 2:
        path.mkdir()
        os.mkfifo(path / "1.dcm")
        (path / "2.dcm").symlink_to("/dev/zero")
    else:
        path.symlink_to(path if kind == 3 else str(rng.choice(DEVICES)))


# ---------------------------------------------------------------- arrays

def header(text, version=1):
    """The first bytes of an .npy file with a header of any text."""
    text = text.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text


@attack(".npy header", ".npy", "file", "mask", "kernel")
def npy(rng, path):
    depth = power(rng, 0, 12)
    descr = rng.choice(["'<f4'", "'|O'", "[('a', '<f4')]", "'<M8[s]'", "'<f4, <f4'", "(" * depth, "['<f4'," * depth,
                        "'<c32'", "'|V0'", "'<f4'" * depth, "-" * depth + "1", "('<f4', (9999, 9999, 9999))"])
    side = [odd(rng), -odd(rng)][rng.integers(2)]
    shape = rng.choice([f"({side}, {odd(rng)})", f"({side},)", "()", "(True, 5)", "(2.5, 4)", "(" + "1," * depth + ")",
                        "(" + "[" * depth, "(24, 20)"])
    text = f"{{'descr': {descr}, 'fortran_order': {bool(rng.integers(2))}, 'shape': {shape}, }}"
    return header(text + " " * (odd(rng) % 2**16 if rng.random() < 0.2 else 0), int(rng.integers(1, 3))
                  )[:2**17] + bytes(power(rng, 0, 14))


@attack(".npz members", ".npz", "file", "mask")
def npz(rng, path):
    name = str(rng.choice(["image.npy", "kspace.npy", "mask.npy", "hu.npy"]))
    good = written(lambda b: np.save(b, rng.random((H, W)).astype(np.float32)))
    packed = header("{'descr': '<f8', 'fortran_order': False, 'shape': (4096, 4096), }") + bytes(2**20)
    kind = rng.integers(6)

    def write(buffer):
        method = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][rng.integers(4)]
        with zipfile.ZipFile(buffer, "w", method if kind else zipfile.ZIP_BZIP2) as archive:
            for number in range(power(rng, 0, 14) if kind == 1 else 1):
                archive.writestr(f"{number}/../{name}\n" if number else name, good if kind != 2 else packed)
            if kind == 3:
                archive.writestr(name.removesuffix(".npy"), good)
    data = bytearray(written(write))
    central = data.find(b"PK\1\2")
    if kind == 4:  # sizes that the member does not have, or a place in another member
        place = central + int(rng.choice([20, 24, 42]))
        data[place:place + 4] = odd(rng).to_bytes(4, "little")
    elif kind == 5:  # encrypted, or another method
        data[central + int(rng.choice([8, 10]))] ^= int(rng.choice([1, 8, 9, 12]))
    return bytes(data)


# ---------------------------------------------------------------- pictures

@attack("PNG chunks", ".png", "file", "mask")
def png(rng, path):
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side, other = (odd(rng), odd(rng)) if rng.random() < 0.2 else (H, W)
    rows = zlib.compress(bytes((W + 1) * H))
    text = {0: chunk(b"zTXt", b"a\0\0" + bomb(rng)), 1: chunk(b"iTXt", b"a\0\1\0\0\0" + bomb(rng)),
            2: chunk(b"iCCP", b"a\0\0" + bomb(rng)), 3: chunk(b"acTL", struct.pack(">II", odd(rng), 0)),
            4: chunk(b"tEXt", b"a\0" + bytes(2**10)) * power(rng, 0, 13), 5: chunk(b"eXIf", tiff(rng, path)),
            6: chunk(b"IDAT", b"") * power(rng, 0, 17), 7: b""}[int(rng.integers(8))]
    data = bomb(rng) if rng.random() < 0.2 else rows
    pieces = [data[k:k + 1] for k in range(len(data))] if rng.random() < 0.3 and len(data) < 1000 else [data]
    return (PngImagePlugin._MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", W if side != H else other, side,
                                                               int(rng.choice([8, 8, 16])), 0, 0, 0, 0))
            + text + b"".join(chunk(b"IDAT", piece) for piece in pieces) + chunk(b"IEND", b""))


@cache
def progressive(side):
    """A progressive JPEG up to its last scan, and the header of that one."""
    picture = Picture.fromarray(np.uint8(np.random.default_rng(0).integers(0, 255, (side, side))))
    data = written(lambda buffer: picture.save(buffer, "jpeg", progressive=True))
    last = data.rfind(b"\xff\xda")
    return data[:last], data[last:last + 2 + int.from_bytes(data[last + 2:last + 4], "big")]


@attack("JPEG scans", ".jpg", "file", "mask")
def jpeg(rng, path):
    start, last = progressive(int(rng.choice([16, 64, 512, 2048])))
    if rng.random() < 0.3:
        start = start[:2] + b"\xff\xe1" + (2**16 - 1).to_bytes(2, "big") + (b"Exif\0\0" + tiff(rng, path)).ljust(
            2**16 - 3, b"\0")[:2**16 - 3] + start[2:]
    if rng.random() < 0.2:
        place = start.find(b"\xff\xc2") + 5
        start = start[:place] + struct.pack(">HH", odd(rng) % 2**16, odd(rng) % 2**16) + start[place + 4:]
    return start + (last + b"\0" * int(rng.integers(3))) * power(rng, 0, 16) + b"\xff\xd9"


@attack("TIFF pages", ".tif", "file", "page", "mask")
def tiff(rng, path):
    """Pages in a chain or a circle, with large, shared or silly tags, of any compression and bits."""
    order, big = str(rng.choice(["<", ">"])), bool(rng.integers(2))
    entry, offset, number = ("HHQQ", "Q", "Q") if big else ("HHII", "I", "H")
    first = 16 if big else 8
    pixels, pages = rng.integers(0, 255, H * W, np.uint8).tobytes(), power(rng, 0, 13) if rng.random() < 0.3 else 1
    tags = {256: W, 257: H, 258: 8, 259: 1, 262: 1, 273: first, 277: 1, 278: H, 279: H * W}
    for tag in rng.choice([258, 259, 262, 273, 277, 278, 279, 322, 323, 324, 325, 339, 256], rng.integers(4)).tolist():
        tags[tag] = int(rng.choice([4, 5, 6, 7, 8, 12, 16, 32, 50000, 34712, odd(rng)]))
    for tag in range(40000, 40000 + (power(rng, 0, 12) if rng.random() < 0.3 else 0)):
        tags[tag] = None  # refers to all of the file
    size = sum(n * struct.calcsize(order + part) for n, part in ((1, number), (len(tags), entry), (1, offset)))
    body, place = bytearray(), first + H * W
    pages = min(pages, 2**20 // size + 1)
    for page in range(pages):
        body += struct.pack(order + number, len(tags))
        for tag, value in sorted(tags.items()):
            most = place + pages * size
            body += struct.pack(order + entry, tag, 7 if value is None else 4, most if value is None else 1, value or 0)
        after = place + (page + 1) * size if page + 1 < pages else int(rng.choice([0, place, first, odd(rng)]))
        body += struct.pack(order + offset, after)
    mark = struct.pack(order + ("HHH" if big else "H"), *((43, 8, 0) if big else (42,)))
    return {"<": b"II", ">": b"MM"}[order] + mark + struct.pack(order + offset, place) + pixels + bytes(body)
