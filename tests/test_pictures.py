"""Pictures as cameras, scanners and programs write them: upright, black 0 and white 1, one page, values in [0, 1]."""

import struct
import zlib

import numpy as np
import pytest
from checks import error_of
from PIL import Image as Picture

from aseqdip_lite import tasks
from aseqdip_lite.images import Image
from aseqdip_lite.images.files import load_file

ORIENTATION = 0x0112
GRAY = np.random.default_rng(0).integers(0, 256, (24, 20), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (24, 20, 3), np.uint8)
DEEP = np.random.default_rng(2).integers(6000, 65536, (24, 20), np.uint16)


def fault(path, slice_index=None):
    """The error's text without the path that it begins with."""
    text = error_of(load_file, path, slice_index)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def write_tiff(path, array, bits, order="<", **tags):
    """A TIFF of one strip of packed bytes of `bits` per value; `tags` {number: (type, value)}."""
    rows, columns = array.shape
    flat = array.astype(np.uint64).ravel()
    packed = np.packbits(((flat[:, None] >> np.arange(bits - 1, -1, -1, dtype=np.uint64)) & 1).astype(np.uint8))
    data = packed.tobytes() if bits != 16 else array.astype(f"{order}u2").tobytes()
    entries = {256: (3, columns), 257: (3, rows), 258: (3, bits), 259: (3, 1), 262: (3, 1), 273: (4, 8), 277: (3, 1),
               278: (3, rows), 279: (4, len(data))} | {int(number): value for number, value in tags.items()}
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data) + len(data) % 2)
    table = struct.pack(f"{order}H", len(entries))
    for number, (kind, value) in sorted(entries.items()):
        table += struct.pack(f"{order}HHI", number, kind, 1)
        table += struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
    path.write_bytes(head + data + bytes(len(data) % 2) + table + bytes(4))
    return path


# Orientation.

def stored_as(upright, orientation):
    """What a camera stores with an EXIF orientation, by the meaning of its rows and columns (TIFF 6.0, tag 274)."""
    return {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
            5: lambda a: a.swapaxes(0, 1), 6: lambda a: a.swapaxes(0, 1)[::-1],
            7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: a.swapaxes(0, 1)[:, ::-1]}[orientation](upright)


@pytest.mark.parametrize("array", [GRAY, COLOUR, DEEP], ids=["gray", "colour", "deep"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, array, suffix, orientation):
    exif = Picture.Exif()
    exif[ORIENTATION] = orientation
    stored = np.ascontiguousarray(stored_as(array, orientation))
    Picture.fromarray(stored).save(tmp_path / f"a.{suffix}", exif=exif)
    top = 65535 if array.dtype == np.uint16 else 255
    np.testing.assert_array_equal(load_file(tmp_path / f"a.{suffix}").array, array.astype(np.float32) / top)


def test_a_phones_jpeg_stands_upright(tmp_path):
    ramp = np.add.outer(2 * np.arange(48), 3 * np.arange(32)).astype(np.uint8)
    exif = Picture.Exif()
    exif[ORIENTATION] = 6
    Picture.fromarray(np.ascontiguousarray(stored_as(ramp, 6))).save(tmp_path / "a.jpg", quality=95, exif=exif)
    image = load_file(tmp_path / "a.jpg").array
    assert image.shape == ramp.shape and np.abs(image - ramp / 255).max() < 0.02


# Depth and polarity.

@pytest.mark.parametrize("order", "<>")
def test_min_is_white(tmp_path, order):
    """PhotometricInterpretation 0: the value 0 is white, at any depth."""
    right = write_tiff(tmp_path / "right.tif", DEEP, 16, order)
    turned = write_tiff(tmp_path / "turned.tif", 65535 - DEEP, 16, order, **{"262": (3, 0)})
    if order == "<":
        assert np.array_equal(load_file(turned).array, load_file(right).array)
    else:  # which Pillow does not know
        assert fault(turned) == ("is damaged or not known to Pillow: save it as 8 or 16 bit gray or RGB, or its values "
                                 "as .npy")
    eight = write_tiff(tmp_path / "eight.tif", 255 - GRAY, 8, **{"262": (3, 0)})
    np.testing.assert_array_equal(load_file(eight).array, GRAY.astype(np.float32) / 255)
    bits = GRAY[:, :16] > 99
    np.testing.assert_array_equal(load_file(write_tiff(tmp_path / "b.tif", ~bits, 1, **{"262": (3, 0)})).array, bits)


def test_tiff_of_12_bits(tmp_path):
    values = (DEEP // 16).astype(np.uint16)
    image = load_file(write_tiff(tmp_path / "a.tif", values, 12))
    np.testing.assert_array_equal(image.array, values.astype(np.float32) / 4095)
    assert image.notes == ()


def test_12_bits_in_16_are_named(tmp_path):
    Picture.fromarray(DEEP // 16).save(tmp_path / "a.png")
    note, = load_file(tmp_path / "a.png").notes
    assert note == f"its largest value is {DEEP.max() // 16} of 65535: 12 bits in 16 would be 16 times too dark"


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_tiff_of_floats_and_signed_integers_keeps_its_values(tmp_path, dtype):
    values = (DEEP.astype(dtype) - 30000) / (1 if dtype == "int32" else 1000)
    Picture.fromarray(values.astype(dtype)).save(tmp_path / "a.tif")
    image = load_file(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, values.astype(np.float32))
    assert image.notes == ("its values were kept, not scaled to white 1",)


def test_tiff_that_pillow_misreads_is_refused(tmp_path):
    """Signed bytes, unsigned 32 bit, floats of which 0 is white."""
    signed = write_tiff(tmp_path / "s.tif", GRAY, 8, **{"339": (3, 2)})
    assert fault(signed) == "pictures of mode L are not supported: save it as 8 or 16 bit gray or RGB"
    unsigned = write_tiff(tmp_path / "u.tif", GRAY, 32)
    assert fault(unsigned) == "pictures of mode I are not supported: save it as 8 or 16 bit gray or RGB"
    inverted = write_tiff(tmp_path / "f.tif", GRAY, 32, **{"339": (3, 3), "262": (3, 0)})
    assert fault(inverted) == "pictures of mode F are not supported: save it as 8 or 16 bit gray or RGB"


def test_deep_colour_is_named(tmp_path):
    """Pillow reads 8 of 16 bits of colour."""
    deep = np.random.default_rng(0).integers(0, 65536, (24, 20, 3)).astype(">u2")
    lines = b"".join(b"\0" + row.tobytes() for row in deep)
    header = struct.pack(">IIBBBBB", 20, 24, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks))
    image = load_file(tmp_path / "a.png")
    assert np.abs(image.array - deep / 65535).max() < 1 / 255
    assert image.notes == ("values of 16 bit were read as 8 bit",)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_named_where_it_says_something(tmp_path, mode):
    channels = len(mode)
    array = np.dstack([COLOUR, GRAY])[..., 4 - channels:]
    Picture.fromarray(array).save(tmp_path / "a.png")
    assert load_file(tmp_path / "a.png").notes == ("its alpha channel, not opaque everywhere, was dropped",)
    array[..., -1] = 255
    Picture.fromarray(array).save(tmp_path / "a.png")
    assert load_file(tmp_path / "a.png").notes == ()


# Several pictures in a file.

@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_of_several_pictures_slice_chooses_one(tmp_path, suffix):
    pages = [np.roll(GRAY, shift, axis=0) for shift in range(3)]
    first, *others = map(Picture.fromarray, pages)
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=others)
    for index in range(3):
        image = load_file(tmp_path / f"a.{suffix}", index)
        assert image.name == f"a.{suffix}[{index}]"
        np.testing.assert_array_equal(np.atleast_3d(image.array)[..., 0], pages[index].astype(np.float32) / 255)
    assert fault(tmp_path / f"a.{suffix}") == (
        "holds 3 pictures: choose one with --slice, from 0 to 2, or save it alone")
    assert fault(tmp_path / f"a.{suffix}", 3) == "slice 3 does not exist: there are slices 0 to 2"


def test_a_page_is_read_by_its_own_tags(tmp_path):
    first, second = Picture.fromarray(GRAY), Picture.fromarray(DEEP)
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    np.testing.assert_array_equal(load_file(tmp_path / "a.tif", 1).array, DEEP.astype(np.float32) / 65535)


def test_the_first_of_a_phones_pictures(tmp_path):
    Picture.fromarray(COLOUR).save(tmp_path / "plain.jpg", quality=90)
    Picture.fromarray(COLOUR).save(tmp_path / "a.jpg", format="MPO", save_all=True, quality=90,
                                   append_images=[Picture.fromarray(GRAY)])
    image = load_file(tmp_path / "a.jpg")
    np.testing.assert_array_equal(image.array, load_file(tmp_path / "plain.jpg").array)
    assert image.name == "a.jpg" and image.notes == ("the first of its 2 pictures was read: --slice chooses another",)
    assert load_file(tmp_path / "a.jpg", 1).array.shape == (24, 20)


# Values of arrays.

@pytest.mark.parametrize("task", ["denoising", "inpainting", "deblurring"])
def test_an_overshoot_of_rounding_is_clipped(task):
    values = np.linspace(-9e-4, 1 + 9e-4, 400, dtype=np.float32).reshape(20, 20)
    truth = tasks.get(task)().observe(Image("mine", values)).truth
    np.testing.assert_array_equal(truth, values.clip(0, 1))


@pytest.mark.parametrize("low, high, words", [
    (0, 1.0025, "from 0 to 1.0025: denoising needs 0 (black) to 1 (white), so divide it by its white value (255 for"),
    (0, 2.9, "from 0 to 2.9: denoising needs 0 (black) to 1 (white), so divide it by the value to be shown as white "
     "(for attenuation of CT e.g. 2) and clip it to 1 before saving it"),
    (-1, 1, "from -1 to 1: denoising needs 0 (black) to 1 (white), so add 1 and halve it before saving it"),
    (0, 255, "from 0 to 255: denoising needs 0 (black) to 1 (white), so divide it by its white value (255 for 8 bit) "),
    (0, 60000, "so divide it by its white value (65535 for 16 bit) before saving it"),
])
def test_values_beyond_are_refused_with_what_they_may_be(low, high, words):
    values = np.linspace(low, high, 400, dtype=np.float32).reshape(20, 20)
    assert words in error_of(tasks.get("denoising")().observe, Image("mine", values))
