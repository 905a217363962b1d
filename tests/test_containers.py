"""Containers that are built to hurt: each is refused in one line, or read, within 5 s and 1 GiB. Good ones are read."""

import io
import os
import struct
import zipfile
import zlib

import attacks
import attacks_dicom
import h5py
import numpy as np
import pydicom
import pytest
import torch
from checks import error_of
from fuzz import Worker, built
from PIL import Image as Picture

from aseqdip_lite.images import bounds, hdf5
from aseqdip_lite.images.dicom import rle_length
from aseqdip_lite.images.files import load_file
from aseqdip_lite.images.masks import load_mask
from aseqdip_lite.operators.kernelwizard import load_kernelwizard, own
from aseqdip_lite.settings import InputError
from aseqdip_lite.tasks.deblurring import read_kernel

GB = b"\x78\x9c" + attacks.zeros() * 64 + b"\x03\0"  # a zlib stream of 1 GiB


@pytest.fixture(scope="module")
def worker():
    """A process with 1 GiB and 5 s for each file."""
    made = Worker()
    yield made
    made.process.kill()


@pytest.mark.parametrize("kind", attacks.ATTACKS)
def test_five_attacks_of_each_kind(worker, tmp_path, kind):
    suffix, loader, build = attacks.ATTACKS[kind]
    for seed in range(5):
        path = tmp_path / f"{seed}{suffix}"
        content = built(build, path, 29, seed)
        if content is not None:
            path.write_bytes(content)
        assert worker.load(loader, path)[0] in ("loaded", "refused")


@pytest.mark.parametrize("load", [load_file, load_mask, read_kernel, load_kernelwizard])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir(),
                                  lambda path: path.symlink_to(path), lambda path: path.symlink_to("/dev/tty")])
def test_pipes_devices_and_circles_are_refused_at_once(tmp_path, load, make):
    make(tmp_path / "a.npy")
    assert error_of(load, tmp_path / "a.npy").startswith(str(tmp_path / "a.npy"))


# ---------------------------------------------------------------- HDF5

def scan(path, **options):
    """A CT scan in Data Exchange whose projections are packed by `options`."""
    chords = 2 * np.sqrt(np.clip(100 - (np.arange(32) - 15.5) ** 2, 0, None))
    data = np.tile(np.uint16(1000 * np.exp(-0.05 * chords)), (12, 2, 1))
    with h5py.File(path, "w") as file:
        file.create_dataset("exchange/data", data=data, **options)
        file["exchange/data_white"], file["exchange/data_dark"] = (np.full((1, 2, 32), n, "u2") for n in (1000, 0))
        file["exchange/theta"] = np.arange(12) * 15.0
    return path


@pytest.mark.parametrize("options", [
    dict(compression="gzip"), dict(compression="gzip", shuffle=True, fletcher32=True), dict(compression="lzf"),
    dict(compression="lzf", shuffle=True), dict(fletcher32=True), dict(shuffle=True), dict(scaleoffset=0)])
@pytest.mark.parametrize("chunks", [(12, 2, 32), (5, 1, 7)])
def test_packed_scans_are_read_as_plain_ones(tmp_path, options, chunks):
    plain = load_file(scan(tmp_path / "a.h5"))
    packed = load_file(scan(tmp_path / "b.h5", chunks=chunks, **options))
    assert np.array_equal(plain.sinogram, packed.sinogram)


@pytest.mark.parametrize("options, packed, words", [
    (dict(compression="gzip"), GB, "longer than its shape"),
    (dict(compression="gzip", shuffle=True), GB, "longer than its shape"),
    (dict(compression="gzip", fletcher32=True), GB + b"1234", "longer than its shape"),
    (dict(compression="lzf"), b"\1\0\0" + b"\xe0\xff\0" * 100, "longer than its shape"),
    (dict(shuffle=True), bytes(10_000), "longer than its shape"),
])
def test_a_chunk_that_is_longer_than_its_shape(tmp_path, options, packed, words):
    path = scan(tmp_path / "a.h5", chunks=(12, 2, 32), **options)
    with h5py.File(path, "r+") as file:
        file["exchange/data"].id.write_direct_chunk((0, 0, 0), packed)
    assert words in error_of(load_file, path)


def test_chunks_of_one_array_are_bounded_together(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        shape = (1000, 1000, 1000)
        made = file.create_dataset("a", shape, "u1", chunks=(1, 1000, 1000), compression="gzip")
        assert "too large: 953 MiB have to be unpacked" in error_of(hdf5.read, made, slice(None), 3)
        assert hdf5.read(made, 5, 3).shape == (1000,)


def test_an_lzf_stream_is_measured():
    assert hdf5.lzf_length(b"\x02abc" + b"\x20\x00" + b"\xe0\x05\x00", 1000) == 3 + 3 + 14


@pytest.mark.parametrize("target, words", [
    ("far", "lies in another file"), ("soft/kspace", "lies in another file"), ("..", "holds neither"),
    ("a", "holds neither"), ("/".join(["fan"] * 500), "holds neither")])
def test_links(tmp_path, target, words):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if words == "lies in another file":
            file["far"] = h5py.ExternalLink("/dev/zero", "/")
        file["soft"], file["a"], file["b"] = (h5py.SoftLink(place) for place in ("far", "b", "a"))
        file["fan"] = h5py.SoftLink("/".join(["fan"] * 500))
        file["kspace"] = h5py.SoftLink(target)
    assert words in error_of(load_file, tmp_path / "a.h5")


# ---------------------------------------------------------------- DICOM

def loaded(tmp_path, content):
    (tmp_path / "a.dcm").write_bytes(content)
    return load_file(tmp_path / "a.dcm")


def refused(tmp_path, content):
    return error_of(loaded, tmp_path, content)


def test_a_deflated_file_is_read_as_the_plain_one(tmp_path):
    plain = loaded(tmp_path, attacks_dicom.stored(attacks_dicom.ct()))
    packed = loaded(tmp_path, attacks_dicom.stored(attacks_dicom.ct(), pydicom.uid.DeflatedExplicitVRLittleEndian))
    assert np.array_equal(plain.array, packed.array)


def compressed(syntax, frame, **tags):
    """A CT slice of 8 bits with one compressed frame."""
    data = attacks_dicom.ct(BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=pydicom.encaps.encapsulate([frame]))
    data["PixelData"].is_undefined_length = True
    for name, value in tags.items():
        setattr(data, name, value)
    return attacks_dicom.stored(data, syntax)


def jpeg(side, **options):
    picture = Picture.fromarray(np.uint8(np.random.default_rng(0).integers(0, 255, (side, side))))
    return attacks.written(lambda buffer: picture.save(buffer, "jpeg", **options))


def test_bombs_in_dicom(tmp_path):
    plain = attacks_dicom.stored(attacks_dicom.ct(), pydicom.uid.DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(plain[140:144], "little")
    assert "it inflates to more than" in refused(tmp_path, plain[:start] + GB[2:])
    rle = np.array([1, 64] + [0] * 14, "<u4").tobytes()
    assert "RLE is longer" in refused(tmp_path, compressed(pydicom.uid.RLELossless, rle + b"\x81\0" * 10_000))
    assert "200 x 200 pixels, not Rows x Columns" in refused(
        tmp_path, compressed(pydicom.uid.JPEGBaseline8Bit, jpeg(200)))
    start, last = attacks.progressive(16)
    assert "scans, too many" in refused(
        tmp_path, compressed(pydicom.uid.JPEGBaseline8Bit, start + (last + b"\0") * 2000 + b"\xff\xd9"))
    item = b"\xfe\xff\x00\xe0\0\0\0\0"
    many = b"\x08\0\x40\x11SQ\0\0" + (8 * 70_000).to_bytes(4, "little") + item * 70_000
    assert "more than 65536 items" in refused(tmp_path, attacks_dicom.stored(attacks_dicom.ct(), extra=many))
    endless = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + item * 70_000
    assert "tags and items are too many" in refused(tmp_path, attacks_dicom.stored(attacks_dicom.ct(), extra=endless))
    text = b"\x20\0\x32\0UT\0\0" + (100_000).to_bytes(4, "little") + b"1\\" * 50_000
    assert "ImagePositionPatient is longer" in refused(tmp_path, attacks_dicom.stored(attacks_dicom.ct(), extra=text))


def test_rle_is_measured():
    assert rle_length(b"\x02abc" + b"\xff\x07" + b"\x80", 100) == 3 + 2 + 1


# ---------------------------------------------------------------- pictures

def test_scans_of_a_jpeg_are_counted(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(64, progressive=True))
    assert load_file(path).array.shape == (64, 64)
    start, last = attacks.progressive(64)
    path.write_bytes(start + (last + b"\0") * 25_000 + b"\xff\xd9")
    assert "too many to decode: save it again, not progressive" in error_of(load_file, path)
    start, last = attacks.progressive(2048)
    path.write_bytes(start + (last + b"\0") * 300 + b"\xff\xd9")
    assert "its JPEG has 305 scans" in error_of(load_file, path)


def test_marks_are_counted_across_pieces(monkeypatch):
    monkeypatch.setattr(bounds, "PIECE", 3)
    assert bounds.occurrences(io.BytesIO(b"..ab.ab.abab..a"), b"ab") == 4


def tiff(tags, next_page=0, order="<"):
    """A TIFF of one gray page, with more or other tags."""
    tags = {256: 20, 257: 20, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 20, 279: 400} | tags
    body = struct.pack(order + "H", len(tags)) + b"".join(
        struct.pack(order + "HHII", tag, 7 if value is None else 4, 500 if value is None else 1, value or 0)
        for tag, value in sorted(tags.items()))
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "I", 408) + bytes(range(200)) * 2 + body + struct.pack(order + "I", next_page)


def test_pages_and_tags_of_a_tiff(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    for order in "<>":
        path.write_bytes(tiff({}, order=order))
        assert load_file(path).array.shape == (20, 20)
    path.write_bytes(tiff({322: 2**20, 323: 2**20}))
    assert "too large: 1048576 x 1048576 values" in error_of(load_file, path)
    monkeypatch.setattr(bounds, "PIECE", 0)
    path.write_bytes(tiff({}, next_page=408))
    assert "in a circle" in error_of(load_file, path)
    path.write_bytes(tiff(dict.fromkeys(range(40_000, 40_005))))
    assert "more than the file contains" in error_of(load_file, path)
    monkeypatch.setattr(bounds, "MOST_TAGS", 12)
    assert "tags: save the page alone" in error_of(load_file, path)
    path.write_bytes(tiff({}, next_page=10**6))
    assert "cut short" in error_of(load_file, path)


# ---------------------------------------------------------------- arrays and weights

def test_members_of_an_npz(tmp_path):
    path, array = tmp_path / "a.npz", attacks.written(lambda b: np.save(b, np.random.default_rng(0).random((20, 20))))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", array)
        archive.writestr("image.npy", array)
    assert "holds 'image' twice" in error_of(load_file, path)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("image.npy", array)
        assert "is not packed as by numpy" in error_of(load_file, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", array)
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in error_of(load_file, path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive, archive.open(
            "image.npy", "w", force_zip64=True) as member:
        member.write(array)
    assert load_file(path).array.shape == (20, 20)


@pytest.mark.parametrize("shape, descr", [("(-20, 20)", "'<f4'"), ("(20, 20)", "[('a', '<f4')]"), ("()", "(" * 3000),
                                          ("(" + "[" * 4000, "'<f4'"), ("(2**40,)", "'<f4'")])
def test_headers_of_an_npy(tmp_path, shape, descr):
    path = tmp_path / "a.npy"
    path.write_bytes(attacks.header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}") + bytes(1600))
    for load in (load_file, load_mask, read_kernel):
        assert error_of(load, path).startswith(f"{path}: ")


def test_a_weight_lies_in_memory_of_its_own():
    weight = torch.arange(6.0)
    kept = own("a.pth", "w", weight)
    assert torch.equal(kept, weight) and kept.data_ptr() != weight.data_ptr()
    weight.untyped_storage().resize_(8)
    with pytest.raises(InputError, match=r"^a\.pth: 'w' must be a tensor whose memory is as large as its shape$"):
        own("a.pth", "w", weight)


def test_texts_of_a_png_are_bounded(tmp_path):
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    good = attacks.written(lambda b: Picture.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(b, "png"))
    for kind, head in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        (tmp_path / "a.png").write_bytes(good[:33] + chunk(kind, head + GB) + good[33:])
        assert str(tmp_path) in error_of(load_file, tmp_path / "a.png")
