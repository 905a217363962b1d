"""A user's files: what each good file becomes, and that no bad one brings anything but an `InputError`."""

import io
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from checks import Trap, error_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Picture

from aseqdip_lite.images import Image, KSpace
from aseqdip_lite.images.fastmri import crop_field_of_view
from aseqdip_lite.images.files import load_file
from aseqdip_lite.images.kspace import as_kspace, measured
from aseqdip_lite.images.types import MOST_VALUES, as_image
from aseqdip_lite.settings import InputError

H, W, COILS, SLICES = 24, 20, 3, 4


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def complex_normal(rng, *shape):
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def images_of(kspace):
    """Coil images of centred k-space by the definition of the centred orthonormal DFT, summed term by term."""
    h, w = kspace.shape[-2:]

    def inverse(n):
        index = np.arange(n) - n // 2
        return np.exp(2j * np.pi * np.outer(index, index) / n) / np.sqrt(n)

    return inverse(h) @ kspace.astype(np.complex128) @ inverse(w).T


def rss(kspace, shape):
    """Root sum of squares of the coil images, its central `shape` part: what fastMRI calls reconstruction_rss."""
    picture = np.sqrt((np.abs(images_of(kspace)) ** 2).sum(axis=-3))
    top, left = ((n - m) // 2 for n, m in zip(picture.shape[-2:], shape, strict=True))
    return picture[..., top:top + shape[0], left:left + shape[1]].astype(np.float32)


def npy_bytes(array, **kwargs):
    buffer = io.BytesIO()
    np.save(buffer, array, **kwargs)
    return buffer.getvalue()


def npy_header(shape, descr="<f4"):
    """The head of an .npy file that claims any shape."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    """A gray PNG of the claimed size with next to no pixels."""
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b""))


def write_fastmri(path, kspace, **others):
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace
        for name, value in others.items():
            file[name] = value
    return path


def fault(path, **kwargs):
    """The error's text without the file's name, after a check that it is one line that names the file."""
    text = error_of(load_file, path, **kwargs)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


# ---------------------------------------------------------------- arrays

@pytest.mark.parametrize("dtype, expected", [
    ("f2", "f4"), ("<f4", "f4"), (">f4", "f4"), ("f8", "f4"), (">f8", "f4"), ("u1", "f4"), ("i1", "f4"), (">i2", "f4"),
    ("u8", "f4"), ("?", "f4"), ("c8", "c8"), (">c16", "c8"), ("g", "f4")])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_keeps_its_values(tmp_path, rng, dtype, expected, order):
    array = (rng.integers(0, 100, (H, W)) * (1 + 1j if np.dtype(dtype).kind == "c" else 1)).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    image = load_file(tmp_path / "a.npy")
    assert image.name == "a.npy" and not image.shipped
    assert image.array.dtype == np.dtype(expected)
    assert np.array_equal(image.array, array)


@pytest.mark.parametrize("shape, expected", [((H, W, 3), (H, W, 3)), ((H, W, 1), (H, W)), ((16, 16), (16, 16))])
def test_npy_shapes(tmp_path, rng, shape, expected):
    np.save(tmp_path / "a.npy", rng.random(shape))
    assert load_file(tmp_path / "a.npy").array.shape == expected


@pytest.mark.parametrize("array, words", [
    (np.ones(40), "an image must have shape (H, W) or (H, W, 3), got (40,)"),
    (np.ones((2, 20, 20, 3)), "an image must have shape (H, W) or (H, W, 3), got (2, 20, 20, 3)"),
    (np.ones((20, 20, 4)), "an image must have shape (H, W) or (H, W, 3), got (20, 20, 4): leave out the alpha "
     "channel, a[..., :3]"),
    (np.ones((1, 20, 20, 3)), "an image must have shape (H, W) or (H, W, 3), got (1, 20, 20, 3): leave out its first "
     "axis, a[0]"),
    (np.ones((2, 20, 20)), "an image must have shape (H, W) or (H, W, 3), got (2, 20, 20): if its first axis holds "
     "real and imaginary parts, save a[0] + 1j * a[1]"),
    (np.float32(1), "an image must have shape (H, W) or (H, W, 3), got ()"),
    (np.ones((1, 1)), "an image must have at least 16 pixels on each side, got 1 x 1"),
    (np.ones((400, 15)), "an image must have at least 16 pixels on each side, got 400 x 15"),
    (np.ones((0, 20)), "holds no values: its shape is (0, 20)"),
    (np.full((20, 20), 7), "the image is constant: there is nothing to reconstruct"),
    (np.zeros((20, 20)), "the image is zero throughout"),
    (np.full((20, 20), 1 + 1j), "the image is constant: there is nothing to reconstruct"),
    (np.full((20, 20), "text"), "must hold numbers, got dtype <U4"),
    (np.full((20, 20), b"text"), "must hold numbers, got dtype |S4"),
    (np.zeros((20, 20), "M8[s]"), "must hold numbers, got dtype datetime64[s]"),
    (np.zeros((20, 20), [("r", "f4"), ("i", "f4")]), "must hold numbers, got dtype [('r', '<f4'), ('i', '<f4')]"),
    (np.eye(20) * 1e300, "the image holds NaN, Inf or values beyond single precision"),
    (np.eye(20) * 1e30, "the image peaks at 1e+30: scale it to between 1e-12 and 1e+12"),
    (np.eye(20) * 1e-30, "the image peaks at 1e-30: scale it to between 1e-12 and 1e+12"),
])
def test_npy_refused(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    assert fault(tmp_path / "a.npy") == words


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8"])
def test_one_value_that_is_not_finite_is_found(tmp_path, rng, bad, dtype):
    array = rng.random((H, W)).astype(dtype)
    array[H - 1, 3] = bad
    np.save(tmp_path / "a.npy", array)
    assert fault(tmp_path / "a.npy") == "the image holds NaN, Inf or values beyond single precision"


@pytest.mark.parametrize("coils", [1, 3, 8])
@pytest.mark.parametrize("dtype, order", [("c8", "C"), (">c16", "F")])
def test_complex_npy_of_three_axes_is_kspace(tmp_path, rng, coils, dtype, order):
    """Whatever the number of coils: 3 of them are no colours. Its zeros are its mask."""
    kspace, mask = complex_normal(rng, coils, H, W), rng.random((H, W)) < 0.4
    np.save(tmp_path / "full.npy", kspace.astype(dtype, order=order))
    np.save(tmp_path / "under.npy", (kspace * mask).astype(dtype, order=order))
    full, under = (load_file(tmp_path / f"{name}.npy") for name in ("full", "under"))
    assert isinstance(full, KSpace) and (full.name, full.mask, full.reference) == ("full.npy", None, None)
    assert full.kspace.dtype == np.complex64 and np.array_equal(full.kspace, kspace)
    assert np.array_equal(under.mask, mask) and np.array_equal(under.kspace, kspace * mask)


@pytest.mark.parametrize("array, words", [
    (np.ones((20, 20, 3), complex), "k-space must have at least 16 pixels on each side, got 20 x 3"),
    (np.ones((20, 20, 1), complex), "k-space must have at least 16 pixels on each side, got 20 x 1"),
    (np.ones((3, 2, 20, 20), complex), "k-space must be complex of shape (coils, H, W), got complex128 of shape "
     "(3, 2, 20, 20): of (slices, coils, H, W) save one slice, a[index], or 'kspace' of an .h5 file"),
    (np.ones((3, 20, 20)), "an image must have shape (H, W) or (H, W, 3), got (3, 20, 20): put the colours last, "
     "np.moveaxis(a, 0, -1)"),
    (np.zeros((3, 20, 20), complex), "the k-space is zero throughout"),
    (np.full((3, 20, 20), np.nan + 0j), "the k-space holds NaN, Inf or values beyond single precision"),
    (np.full((3, 20, 20), 1e-30 + 0j), "the k-space peaks at 1e-30: scale it to between 1e-12 and 1e+12"),
    (np.ones((0, 20, 20), complex), "holds no values: its shape is (0, 20, 20)"),
])
def test_npy_that_is_no_kspace(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    assert fault(tmp_path / "a.npy") == words


def test_pickles_are_refused_unopened(tmp_path, rng):
    sprung, pickled = tmp_path / "sprung", "holds pickled objects, which are never loaded: save a plain numeric array"
    traps = np.array([[Trap(sprung)] * 20] * 20, dtype=object)
    np.save(tmp_path / "a.npy", traps, allow_pickle=True)
    np.savez(tmp_path / "a.npz", image=traps)
    np.savez(tmp_path / "b.npz", kspace=complex_normal(rng, COILS, H, W), mask=traps[0])
    assert {fault(tmp_path / name) for name in ("a.npy", "a.npz", "b.npz")} == {pickled}
    (tmp_path / "c.npy").write_bytes(pickle.dumps(traps))
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("image.npy", pickle.dumps(traps))
    for suffix in (".npy", ".npz"):
        assert fault(tmp_path / f"c{suffix}").startswith("is damaged" if suffix == ".npy" else
                                                             "damaged or not a .npz file (ValueError: ")
    assert not sprung.exists()
    pickle.loads(pickle.dumps(traps[0, 0]))
    assert sprung.exists(), "the trap works"


def test_npy_of_format_3_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x03\x00" + bytes(200))
    assert fault(tmp_path / "a.npy").startswith(".npy format version (3, 0) is not supported")


def peak_memory(call):
    """Bytes that `call` had allocated at most."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape, words", [
    ("(100000, 100000)", "too large: 100000 x 100000 values, at most 16777216 are accepted"),
    ("(10000000000000000000000, 5)", "too large: 10000000000000000000000 x 5 values"),
    ("(-1, 20)", "holds no values: its shape is (-1, 20)"),
    ("(-100000, -100000)", "holds no values: its shape is (-100000, -100000)"),
    ("(1000000000000000000000000, 0)", "holds no values"),
    ("(4000, 4000)", "cut short: 4128 bytes for an array that needs 64000000 and a header"),
])
def test_claimed_shapes_are_refused_before_they_are_allocated(tmp_path, shape, words):
    (tmp_path / "a.npy").write_bytes(npy_header(shape) + bytes(4000))
    assert peak_memory(lambda: fault(tmp_path / "a.npy")) < 2**20
    assert fault(tmp_path / "a.npy").startswith(words)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.npy", npy_header(shape) + bytes(4000))
    assert peak_memory(lambda: fault(tmp_path / "a.npz")) < 2**20
    assert fault(tmp_path / "a.npz").startswith(words)


def test_a_bomb_in_an_npz_is_not_unpacked(tmp_path):
    """64 MiB of zeros in 64 kB, once as data, once as a header that claims to be that long; and a false size."""
    zeros = bytes(64 * 2**20)
    heads = dict(data=npy_header("(100000, 100000)"), header=b"\x93NUMPY\x02\x00" + struct.pack("<I", len(zeros)))
    for name, head in heads.items():
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("image.npy", head + zeros)
        assert (tmp_path / f"{name}.npz").stat().st_size < 2**17
        assert peak_memory(lambda name=name: fault(tmp_path / f"{name}.npz")) < 2**20
    assert fault(tmp_path / "data.npz").startswith("too large: 100000 x 100000")
    assert fault(tmp_path / "header.npz").startswith("damaged or not a .npz file")

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("image.npy", npy_header("(2000, 2000)") + bytes(4000))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24:entry + 28] = struct.pack("<I", 2**32 - 2)  # the size in the archive's directory
    (tmp_path / "a.npz").write_bytes(data)
    assert fault(tmp_path / "a.npz").startswith(("cut short", "damaged or not a .npz file"))


dtypes = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="?"), hnp.floating_dtypes(endianness="?"),
                   hnp.complex_number_dtypes(endianness="?"), hnp.unicode_string_dtypes(max_len=3),
                   hnp.byte_string_dtypes(max_len=3), hnp.datetime64_dtypes())
sides = st.one_of(st.integers(0, 4), st.integers(14, 20))
shapes = st.one_of(st.lists(sides, max_size=4).map(tuple), st.tuples(st.integers(15, 20), st.integers(15, 20)))


@given(data=st.data(), dtype=dtypes, shape=shapes, fortran=st.booleans())
def test_any_array_becomes_a_finite_image_or_an_input_error(tmp_path_factory, data, dtype, shape, fortran):
    file = tmp_path_factory.mktemp("any") / "a.npy"
    fill = data.draw(hnp.from_dtype(dtype), label="fill")
    array = np.full(shape, fill, dtype=dtype, order="F" if fortran else "C")
    if array.size:
        for _ in range(3):
            array[tuple(data.draw(st.integers(0, n - 1)) for n in shape)] = data.draw(hnp.from_dtype(dtype))
    np.save(file, array)
    try:
        image = load_file(file)
    except InputError as error:
        assert str(error).startswith(f"{file}: ")
        return
    assert image.array.dtype == (np.complex64 if dtype.kind == "c" else np.float32)
    assert np.isfinite(image.array).all() and min(image.array.shape[:2]) >= 16
    assert np.array_equal(image.array, array.reshape(image.array.shape).astype(image.array.dtype))


# ---------------------------------------------------------------- archives

def test_npz_image(tmp_path, rng):
    array = rng.random((H, W, 3))
    np.savez_compressed(tmp_path / "a.npz", image=array, something=np.array([object()]))
    assert np.array_equal(load_file(tmp_path / "a.npz").array, array.astype(np.float32))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_kspace(tmp_path, rng, save):
    kspace, reference = complex_normal(rng, COILS, H, W), rng.random((20, 18))
    save(tmp_path / "full.npz", kspace=kspace.astype(np.complex128))
    full = load_file(tmp_path / "full.npz")
    assert isinstance(full, KSpace) and full.kspace.dtype == np.complex64
    assert np.array_equal(full.kspace, kspace) and full.mask is None and full.reference is None
    columns = (np.arange(W) % 3 == 0).astype(np.uint8)
    pixels = rng.integers(0, 2, (H, W)).astype(bool)
    for mask, expected in ((columns, columns), (columns[None, None], columns), (pixels, pixels)):
        save(tmp_path / "a.npz", kspace=kspace, mask=mask, reference=reference)
        scan = load_file(tmp_path / "a.npz")
        assert scan.mask.dtype == np.float32 and np.array_equal(scan.mask, expected)
        assert scan.reference.dtype == np.float32 and np.array_equal(scan.reference, reference.astype(np.float32))


@pytest.mark.parametrize("change, words", [
    (dict(kspace=None), "must hold one of 'image', 'hu' and 'kspace', got nothing"),
    (dict(image=np.eye(20)), "must hold one of 'image', 'hu' and 'kspace', got 'kspace', 'image'"),
    (dict(kspace=np.ones((2, H, W))), "k-space must be complex of shape (coils, H, W), got float64 of shape"),
    (dict(kspace=np.ones((H, W), "c8")), "k-space must be complex of shape (coils, H, W), got complex64 of shape"),
    (dict(kspace=np.ones((2, 8, 8), "c8")), "k-space must have at least 16 pixels on each side, got 8 x 8"),
    (dict(kspace=np.zeros((2, H, W), "c8")), "the k-space is zero throughout"),
    (dict(kspace=np.full((2, H, W), np.nan, "c8")), "the k-space holds NaN, Inf or values beyond single precision"),
    (dict(mask=np.zeros(W)), "the sampling mask is empty: no k-space sample was measured"),
    (dict(mask=np.zeros((H, W))), "the sampling mask is empty: no k-space sample was measured"),
    (dict(mask=np.ones(H)), "the mask must have shape (20,) or (24, 20), got (24,)"),
    (dict(mask=np.float32(1)), "the mask must have shape (20,) or (24, 20), got ()"),
    (dict(mask=np.full(W, 0.5)), "the mask must contain only zeros and ones"),
    (dict(mask=np.full(W, np.nan)), "the mask must contain only zeros and ones"),
    (dict(mask=np.ones(W, "c8")), "the mask must contain only zeros and ones"),
    (dict(mask=np.full(W, "1")), "must hold numbers, got dtype <U1"),
    (dict(reference=np.ones((H, W), "c8")), "the reference must be real of shape (h, w), got complex64 of (24, 20)"),
    (dict(reference=np.ones(W)), "the reference must be real of shape (h, w), got float64 of (20,)"),
    (dict(reference=np.ones((H + 1, W))), "the reference of (25, 20) is larger than the k-space of (24, 20)"),
    (dict(reference=np.ones((8, 8))), "the reference must have at least 16 pixels on each side, got 8 x 8"),
    (dict(reference=-np.ones((H, W))), "the reference must contain magnitudes, got negative values"),
    (dict(reference=np.zeros((H, W))), "the reference is zero throughout"),
    (dict(reference=np.full((H, W), np.inf)), "the reference holds NaN, Inf or values beyond single precision"),
])
def test_npz_refused(tmp_path, rng, change, words):
    arrays = dict(kspace=complex_normal(rng, COILS, H, W)) | change
    np.savez(tmp_path / "a.npz", **{name: array for name, array in arrays.items() if array is not None})
    assert fault(tmp_path / "a.npz").startswith(words)


def test_the_mask_is_read_off_the_zeros(rng):
    def sampling_mask(kspace):
        mask, support, _ = measured(kspace)
        assert support is None
        return mask

    full = complex_normal(rng, COILS, H, W)
    columns = np.arange(W) % 4 == 0
    columns[8:12] = True
    pixels = rng.random((H, W)) < 0.4
    filled, partial = np.zeros(W), np.zeros(W)
    filled[3:17], partial[:14] = 1, 1
    assert sampling_mask(full) is None
    assert np.array_equal(sampling_mask(full * columns), columns)
    assert np.array_equal(sampling_mask(full * pixels), pixels)
    for lines in (filled, partial):  # zero filling at both edges and partial Fourier are no undersampling
        mask, support, _ = measured(full * lines)
        assert mask is None and np.array_equal(support, np.broadcast_to(lines, (H, W)))
    hidden = np.zeros_like(full)
    hidden[1] = full[1] * columns
    assert np.array_equal(sampling_mask(hidden), columns), "a sample counts if any coil has it"
    scan = as_kspace("undersampled", full * columns)
    assert scan.mask.dtype == np.float32 and np.array_equal(scan.mask, columns)


# ---------------------------------------------------------------- pictures

def test_gray_and_colour_pictures(tmp_path, rng):
    gray, colour = rng.integers(0, 256, (H, W), np.uint8), rng.integers(0, 256, (H, W, 3), np.uint8)
    deep = rng.integers(0, 65536, (H, W), np.uint16)
    for suffix in ("png", "tif", "tiff", "PNG"):
        for array, top in ((gray, 255), (colour, 255), (deep, 65535)):
            Picture.fromarray(array).save(tmp_path / f"a.{suffix}")
            image = load_file(tmp_path / f"a.{suffix}")
            assert image.array.dtype == np.float32
            assert np.array_equal(image.array, array.astype(np.float32) / top)


def test_black_and_white_picture(tmp_path, rng):
    bits = rng.integers(0, 2, (H, W)).astype(bool)
    Picture.fromarray(bits).save(tmp_path / "a.png")
    assert np.array_equal(load_file(tmp_path / "a.png").array, bits)


def test_alpha_is_dropped_and_palettes_become_colours(tmp_path, rng):
    colour = rng.integers(0, 256, (H, W, 4), np.uint8)
    Picture.fromarray(colour).save(tmp_path / "rgba.png")
    assert np.array_equal(load_file(tmp_path / "rgba.png").array, colour[..., :3].astype(np.float32) / 255)
    gray = rng.integers(0, 256, (H, W, 2), np.uint8)
    Picture.fromarray(gray).save(tmp_path / "la.png")
    assert np.array_equal(load_file(tmp_path / "la.png").array, gray[..., 0].astype(np.float32) / 255)
    index, table = rng.integers(0, 7, (H, W), np.uint8), rng.integers(0, 256, (256, 3), np.uint8)
    palette = Picture.fromarray(index)
    palette.putpalette(table.tobytes())
    for transparency in (None, 3, bytes(range(7))):
        extra = {} if transparency is None else dict(transparency=transparency)
        palette.save(tmp_path / "p.png", **extra)
        assert np.array_equal(load_file(tmp_path / "p.png").array, table[index].astype(np.float32) / 255)


def test_jpeg(tmp_path):
    ramp = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8) * 3
    for suffix in ("jpg", "jpeg"):
        Picture.fromarray(ramp).save(tmp_path / f"a.{suffix}", quality=95)
        image = load_file(tmp_path / f"a.{suffix}")
        assert image.array.shape == (32, 48)
        assert np.abs(image.array - ramp / np.float32(255)).max() < 0.02


@pytest.mark.parametrize("mode, suffix", [("CMYK", "jpg"), ("CMYK", "tif"), ("LAB", "tif"), ("YCbCr", "tif")])
def test_other_kinds_of_picture_are_refused(tmp_path, mode, suffix):
    Picture.new(mode, (W, H)).save(tmp_path / f"a.{suffix}")
    assert fault(tmp_path / f"a.{suffix}") == (f"pictures of mode {mode} are not supported: "
                                               "save it as 8 or 16 bit gray or RGB")


def test_only_the_named_formats_are_opened(tmp_path, rng):
    """A GIF, or a script for an interpreter such as EPS, does not get in under another name."""
    Picture.fromarray(rng.integers(0, 256, (H, W), np.uint8)).save(tmp_path / "a.gif")
    assert fault(tmp_path / "a.gif") == "is a GIF file, which is not read: save it as PNG"
    (tmp_path / "a.png").write_bytes((tmp_path / "a.gif").read_bytes())
    assert fault(tmp_path / "a.png") == "is a GIF file, which is not read: save it as PNG"
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0")
    assert fault(tmp_path / "a.png").startswith("is a PostScript file, which is not read: save it as PNG")


def test_small_picture_is_refused(tmp_path):
    Picture.new("L", (1, 1), 3).save(tmp_path / "a.png")
    assert fault(tmp_path / "a.png") == "an image must have at least 16 pixels on each side, got 1 x 1"


@pytest.mark.parametrize("width, height, words", [
    (5000, 5000, "too large: 5000 x 5000 values, at most 16777216 are accepted"),
    (10000, 10000, "too large: 10000 x 10000 values, at most 16777216 are accepted"),  # here Pillow warns
    (50000, 50000, "too large: Image size (2500000000 pixels) exceeds limit"),  # here Pillow refuses
])
def test_a_bomb_in_a_png_is_not_unpacked(tmp_path, recwarn, width, height, words):
    (tmp_path / "a.png").write_bytes(png_header(width, height))
    assert peak_memory(lambda: fault(tmp_path / "a.png")) < 2**20
    assert fault(tmp_path / "a.png").startswith(words)
    assert not recwarn.list


# ---------------------------------------------------------------- fastMRI

def test_full_scan_is_cropped_on_the_image(tmp_path, rng):
    """The root sum of squares of the cropped coil images equals the reference, made by a plain sum of the DFT."""
    kspace = complex_normal(rng, SLICES, COILS, 33, 40)
    shape = (22, 27)
    path = write_fastmri(tmp_path / "a.h5", kspace, reconstruction_rss=rss(kspace, shape))
    for index in range(SLICES):
        scan = load_file(path, slice_index=index)
        assert scan.name == f"a.h5[{index}]" and scan.mask is None
        assert scan.kspace.shape == (COILS, *shape) and scan.kspace.dtype == np.complex64
        assert np.array_equal(scan.reference, rss(kspace[index], shape))
        np.testing.assert_allclose(rss(scan.kspace, shape), scan.reference, rtol=2e-5)


def test_reference_of_the_full_size_changes_nothing(tmp_path, rng):
    kspace = complex_normal(rng, SLICES, COILS, H, W)
    scan = load_file(write_fastmri(tmp_path / "a.h5", kspace, reconstruction_rss=rss(kspace, (H, W))))
    np.testing.assert_allclose(scan.kspace, kspace[SLICES // 2], atol=1e-5)
    np.testing.assert_allclose(rss(scan.kspace, (H, W)), scan.reference, rtol=2e-5)


def test_crop_keeps_a_point_at_its_place():
    """The crop of a scan of one bright pixel is the scan of that pixel in the smaller picture."""
    picture = np.zeros((1, 32, 40), np.complex64)
    picture[0, 12, 25] = 2 + 1j
    kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(picture, (1, 2)), norm="ortho"), (1, 2))
    small = images_of(crop_field_of_view(kspace, (20, 30)))
    expected = np.zeros((1, 20, 30), complex)
    expected[0, 12 - 6, 25 - 5] = 2 + 1j
    np.testing.assert_allclose(small, expected, atol=1e-6)


def test_slices(tmp_path, rng):
    kspace = complex_normal(rng, SLICES, COILS, H, W)
    path = write_fastmri(tmp_path / "a.h5", kspace)
    assert load_file(path).name == "a.h5[2]" and np.array_equal(load_file(path).kspace, kspace[2])
    assert np.array_equal(load_file(path, slice_index=3).kspace, kspace[3])
    for index in (-1, SLICES, 10**30):
        assert fault(path, slice_index=index) == f"slice {index} does not exist: the file has slices 0 to 3"


@pytest.mark.parametrize("stored", ["mask", "zeros", "both"])
def test_undersampled_scan_keeps_its_kspace(tmp_path, rng, stored):
    """With columns missing no crop is possible: the k-space stays, the smaller reference is kept beside it."""
    kspace, shape = complex_normal(rng, SLICES, COILS, H, W), (18, 16)
    mask = (np.arange(W) % 4 == 1).astype(np.float32)
    mask[7:13] = 1
    facts = dict(reconstruction_rss=rss(kspace, shape)) | (dict(mask=mask) if stored != "zeros" else {})
    undersampled = kspace if stored == "mask" else kspace * mask
    scan = load_file(write_fastmri(tmp_path / "a.h5", undersampled, **facts), slice_index=1)
    assert np.array_equal(scan.kspace, undersampled[1])
    assert scan.mask.dtype == np.float32 and np.array_equal(scan.mask, mask)
    assert np.array_equal(scan.reference, rss(kspace[1], shape))


def test_zero_filled_scan_counts_as_full(tmp_path, rng):
    kspace = complex_normal(rng, SLICES, COILS, H, 32)
    kspace[..., :4] = kspace[..., 27:] = 0
    scan = load_file(write_fastmri(tmp_path / "a.h5", kspace, reconstruction_rss=rss(kspace, (H, 20))))
    assert scan.mask is None and scan.kspace.shape == (COILS, H, 20)
    np.testing.assert_allclose(rss(scan.kspace, (H, 20)), scan.reference, rtol=2e-4)


GOOD = np.ones((2, 2, H, W), np.complex64)


@pytest.mark.parametrize("kspace, others, words", [
    (GOOD[0, 0], {}, "'kspace' must be complex of shape (slices, coils, H, W), got complex64 of shape (24, 20): of one "
     "slice and one coil save kspace[None]"),
    (GOOD.view([("real", "f4"), ("imag", "f4")]), {}, "'kspace' must be an array of numbers: save a['real'] + 1j * "
     "a['imag'] of it"),
    (GOOD.real, {}, "'kspace' must be complex of shape (slices, coils, H, W), got float32 of shape (2, 2, 24, 20)"),
    (np.array("text", dtype=object), {}, "'kspace' must be an array of numbers"),
    (GOOD[:, :0], {}, "holds no values: its shape is (0, 24, 20)"),
    (GOOD[:0], {}, "slice 0 does not exist"),
    (GOOD[..., :9], {}, "k-space must have at least 16 pixels on each side, got 24 x 9"),
    (0 * GOOD, {}, "the k-space is zero throughout"),
    (np.nan * GOOD, {}, "the k-space holds NaN, Inf or values beyond single precision"),
    (np.inf * GOOD.real + 0j, dict(reconstruction_rss=np.ones((2, 18, 18), "f4")), "the k-space holds NaN, Inf"),
    (GOOD, dict(mask=np.zeros(W)), "the sampling mask is empty"),
    (GOOD, dict(mask=np.ones(W + 1)), "the mask must have shape (20,) or (24, 20), got (21,)"),
    (GOOD, dict(mask=np.array([b"x"] * W)), "'mask' must be an array of numbers"),
    (GOOD, dict(reconstruction_rss=np.ones((1, 20, 20))), "'reconstruction_rss' must have shape (2, h, w), got (1,"),
    (GOOD, dict(reconstruction_rss=np.ones((2, 20))), "'reconstruction_rss' must have shape (2, h, w), got (2, 20)"),
    (GOOD, dict(reconstruction_rss=np.ones((2, 25, 20))), "the reference of (25, 20) is larger than the k-space of"),
    (GOOD, dict(reconstruction_rss=np.full((2, H, W), np.nan)), "the reference holds NaN, Inf"),
    (GOOD, dict(reconstruction_rss=np.zeros((2, H, W))), "the reference is zero throughout"),
    (GOOD, dict(reconstruction_rss=np.ones((2, H, W), "c8")), "the reference must be real of shape (h, w)"),
])
def test_fastmri_refused(tmp_path, kspace, others, words):
    assert fault(write_fastmri(tmp_path / "a.h5", kspace, **others)).startswith(words)


def test_other_contents_of_an_h5_file(tmp_path):
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    assert fault(tmp_path / "empty.h5") == ("holds neither 'kspace' (fastMRI), nor 'exchange' (CT, Data Exchange), nor "
                                            "an entry of NXtomo (CT, NeXus), but nothing")
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file.create_group("kspace")
    assert fault(tmp_path / "group.h5") == "'kspace' must be an array of numbers"
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["kspace"] = h5py.SoftLink("/nowhere")
    assert "holds neither 'kspace'" in fault(tmp_path / "link.h5")
    with h5py.File(tmp_path / "null.h5", "w") as file:
        file["kspace"] = h5py.Empty("c8")
    assert fault(tmp_path / "null.h5") == "'kspace' holds no values"


def test_claimed_sizes_of_an_h5_file_are_refused_before_they_are_allocated(tmp_path):
    with h5py.File(tmp_path / "slice.h5", "w") as file:  # nothing is written, so the file is small
        file.create_dataset("kspace", (2, 100, 5000, 5000), np.complex64)
    assert fault(tmp_path / "slice.h5").startswith("too large: 100 x 5000 x 5000 values")
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        file.create_dataset("kspace", (64, 4, 500, 500), np.complex64, chunks=(64, 4, 500, 500), compression="gzip")
    assert fault(tmp_path / "chunk.h5").startswith("too large: 64 x 4 x 500 x 500 values")
    write_fastmri(tmp_path / "mask.h5", GOOD)
    with h5py.File(tmp_path / "mask.h5", "a") as file:
        file.create_dataset("mask", (MOST_VALUES, 2), np.float32)
    assert fault(tmp_path / "mask.h5").startswith("too large: 16777216 x 2 values")


# ---------------------------------------------------------------- files that are missing, unknown, damaged

def test_missing_unknown_and_other_files(tmp_path):
    assert fault(tmp_path / "no.npy") == "no such file (for the shipped images see: aseqdip list)"
    assert fault(tmp_path / ("x" * 5000 + ".npy")).startswith("no such file")
    (tmp_path / "a.npyy").write_bytes(b"")
    assert fault(tmp_path / "a.npyy") == "is empty: save or copy it again"
    (tmp_path / "a.npyy").write_bytes(b"\0\xff" * 100)
    assert fault(tmp_path / "a.npyy").startswith("is damaged, or of a kind that is not read: save ")
    for suffix in ("npy", "npz", "png", "jpg", "tif", "h5"):
        for content, words in ((b"", "is empty: "), (b"no such thing\n" * 100, "is a text: save ")):
            (tmp_path / f"a.{suffix}").write_bytes(content)
            assert fault(tmp_path / f"a.{suffix}").startswith(words)


def test_only_volumes_have_slices(tmp_path, rng):
    np.save(tmp_path / "a.npy", rng.random((H, W)))
    assert fault(tmp_path / "a.npy", slice_index=0).startswith("has no slices to choose from")


def sources():
    """One valid file of each type as {suffix: bytes}."""
    rng = np.random.default_rng(1)
    picture, kspace = rng.random((H, W)).astype(np.float32), complex_normal(rng, 2, COILS, H, W)
    found = {"npy": npy_bytes(picture)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, kspace=kspace[0], mask=np.ones(W), reference=picture)
    found["npz"] = buffer.getvalue()
    for suffix, kind in (("png", "png"), ("jpg", "jpeg"), ("tif", "tiff")):
        buffer = io.BytesIO()
        Picture.fromarray(np.uint8(255 * picture)).save(buffer, kind)
        found[suffix] = buffer.getvalue()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["kspace"], file["mask"] = kspace, np.ones(W, np.float32)
        file.create_dataset("reconstruction_rss", data=rss(kspace, (H, W)), compression="gzip")
    found["h5"] = buffer.getvalue()
    return found


SOURCES = sources()


@pytest.mark.parametrize("suffix", SOURCES)
def test_truncated_files(tmp_path, suffix):
    """Cut at 40 lengths, a file is refused; a PNG or JPEG that lacks only its closing marks has all of its pixels."""
    data, file = SOURCES[suffix], tmp_path / f"a.{suffix}"
    file.write_bytes(data)
    whole, closing = load_file(file), dict(png=16, jpg=2).get(suffix, 0)
    for length in np.linspace(0, len(data) - 1, 40).astype(int):
        file.write_bytes(data[:length])
        found = try_load(file)
        assert found is None or (length >= len(data) - closing and np.array_equal(found.array, whole.array)), length


def try_load(file):
    """Load a damaged file: an `Image` or a `KSpace` of finite single precision, or None for an InputError."""
    try:
        found = load_file(file)
    except InputError as error:
        assert str(error).startswith(f"{file}: ") and "\n" not in str(error)
        return None
    array = found.array if isinstance(found, Image) else found.kspace
    assert array.dtype in (np.float32, np.complex64) and np.isfinite(array).all()
    return found


@pytest.mark.parametrize("suffix", SOURCES)
@pytest.mark.filterwarnings("error")
def test_mutated_files(tmp_path, suffix):
    """300 files with a few bytes changed, half of them near the head, a third cut too: nothing but InputError."""
    rng, file, refused = np.random.default_rng(7), tmp_path / f"a.{suffix}", 0
    for number in range(300):
        data = bytearray(SOURCES[suffix])
        places = min(len(data), 200) if number % 2 else len(data)
        for place in rng.integers(0, places, rng.integers(1, 6)):
            data[place] = rng.integers(256)
        if number % 3 == 0:
            data = data[:rng.integers(len(data))]
        file.write_bytes(data)
        refused += try_load(file) is None
    assert refused > 90, "the changes must reach what the loader checks"


def test_as_image_and_as_kspace_copy(rng):
    """What a loader returns shares no memory with what it was given, in whatever dtype."""
    picture, kspace = rng.random((H, W)).astype(np.float32), complex_normal(rng, COILS, H, W)
    assert not np.shares_memory(as_image(picture), picture)
    assert not np.shares_memory(as_kspace("k", kspace).kspace, kspace)
