"""Files are known by their contents: a false ending, none at all, formats that are refused by name."""

import gzip
import io

import h5py
import numpy as np
import pytest
from checks import error_of
from PIL import Image as Picture

from aseqdip_lite.images import load_image
from aseqdip_lite.images.files import load_file

GRAY = np.random.default_rng(0).integers(0, 256, (24, 20), np.uint8)


def fault(path):
    """The error's text without the path that it begins with."""
    text = error_of(load_file, path)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def written(save, *args, **kwargs):
    buffer = io.BytesIO()
    save(buffer, *args, **kwargs)
    return buffer.getvalue()


def volume(buffer):
    with h5py.File(buffer, "w", userblock_size=512) as file:
        file["kspace"] = np.random.default_rng(0).standard_normal((1, 2, 24, 20)).astype(np.complex64)


GOOD = {"npy": written(np.save, GRAY / 255), "npz": written(np.savez, image=GRAY / 255), "hdf5": written(volume)} | {
    kind: written(Picture.fromarray(GRAY).save, format=kind) for kind in ("png", "tiff")} | {
    "bigtiff": written(Picture.fromarray(GRAY).save, format="tiff", big_tiff=True)}


@pytest.mark.parametrize("kind", GOOD)
def test_what_a_file_holds_decides_and_not_its_ending(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for name in ("IM000001", "a.jpg", "a.dcm", "a.h5", "a.old", "a.dat"):
        (tmp_path / name).write_bytes(GOOD[kind])
        found = load_image(name)
        assert found.name.startswith(name)
        if kind == "hdf5":
            assert found.kspace.shape == (2, 24, 20)
        else:
            np.testing.assert_allclose(found.array, GRAY / 255, atol=1e-7)


def test_a_jpeg_named_png(tmp_path):
    Picture.fromarray(GRAY).save(tmp_path / "a.jpg", quality=95)
    right = load_file(tmp_path / "a.jpg").array
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    assert np.array_equal(load_file(tmp_path / "a.png").array, right)


NIFTI = bytes(344) + b"n+1\0" + bytes(100)


@pytest.mark.parametrize("content, words", [
    (b"GIF89a", "is a GIF file, which is not read: save it as PNG"),
    (b"BM" + bytes(60), "is a BMP file, which is not read: save it as PNG"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "is a WebP file, which is not read: save it as PNG"),
    (b"\0\0\0\x18ftypheic", "is a HEIF or AVIF file, which is not read: save it as PNG"),
    (b"\0\0\0\x0cjP  \r\n", "is a JPEG 2000 file, which is not read: save it as PNG"),
    (b"8BPS\0\1", "is a Photoshop file, which is not read: save it as PNG"),
    (b"P5\n4 4\n255\n", "is a PNM file, which is not read: save it as PNG"),
    (b"1, 2\n3, 4\n", "is a text: save a picture as PNG, an array of numbers as .npy by numpy.save"),
    (b"", "is empty: save or copy it again"),
    (b"%PDF-1.7", "is a PDF file, which is not read: save it as PNG"),
    (NIFTI, "is a NIfTI file, which is not read: save a slice as an array in .npy"),
    (gzip.compress(NIFTI, mtime=0), "is a NIfTI file, which is not read: save a slice as an array in .npy"),
    (gzip.compress(b"GIF89a", mtime=0), "is a GIF file, which is not read: save it as PNG"),
    (gzip.compress(GOOD["npy"], mtime=0), "is packed by gzip: unpack it first"),
    (b"\x1f\x8b\x08", "is packed by gzip: unpack it first"),
    (b"MATLAB 5.0 MAT-file", "is a MATLAB file, which is not read: save a slice as an array in .npy"),
    (b"NRRD0004\n", "is an NRRD file, which is not read: save a slice as an array in .npy"),
    (b"# Dimensions\n1 2 3", "is a BART file, which is not read: convert it to k-space (coils, H, W), complex, in "
     ".npy"),
])
@pytest.mark.parametrize("name", ["a", "a.png", "a.nii.gz"])
def test_known_formats_are_refused_by_name(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert fault(tmp_path / name) == words


@pytest.mark.parametrize("name, words", [
    ("a.cfl", "is a BART file by its name, which is not read: convert it to k-space (coils, H, W), complex, in .npy"),
    ("meas.dat", "is a raw file by its name, which is not read: convert it to k-space (coils, H, W), complex, in .npy"),
    ("a.svg", "is an SVG file by its name, which is not read: save it as PNG"),
    ("fid", "is a Bruker file by its name, which is not read: convert it to k-space (coils, H, W), complex, in .npy"),
    ("2dseq", "is a Bruker file by its name, which is not read: save a slice as an array in .npy"),
    ("a.MAT", "is a MATLAB file by its name, which is not read: save a slice as an array in .npy"),
])
def test_formats_without_a_mark_are_refused_by_their_names(tmp_path, name, words):
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(1000))
    assert fault(tmp_path / name) == words
