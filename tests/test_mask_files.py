"""Masks for in-painting as people draw and save them: all of them say the same hole."""

import numpy as np
import pytest
from checks import error_of
from PIL import Image as Picture

from aseqdip_lite import load_case
from aseqdip_lite.images import Image
from aseqdip_lite.tasks.inpainting import Inpainting, read_mask

ROWS, COLUMNS = np.mgrid[:32, :40]
HOLE = (ROWS - 12) ** 2 + (COLUMNS - 25) ** 2 < 39
SHARE = f"hole: {HOLE.mean():.1%} of the pixels"
SOFT = np.clip(np.hypot(ROWS - 12, COLUMNS - 25) - np.sqrt(39) + 0.5, 0, 1)  # 0 in the hole, an edge of a pixel


def painted(hole, ground, array=HOLE):
    """A picture with one colour in the hole and another outside."""
    return np.where(array[..., None], np.uint8(hole), np.uint8(ground))


def check(path, *notes, **options):
    mask, found = read_mask(path, HOLE.shape, **options)
    np.testing.assert_array_equal(mask.numpy(), ~HOLE)
    assert found == (*notes, SHARE)


def save(path, array, **options):
    Picture.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("array", [~HOLE, np.uint8(~HOLE), 255 * np.uint8(~HOLE), 1.0 * ~HOLE, 7 * ~HOLE, SOFT,
                                   65535 * np.uint16(~HOLE), ~HOLE[..., None], ~HOLE[None], 1.0 - 2 * HOLE])
def test_arrays(tmp_path, array):
    np.save(tmp_path / "m.npy", array)
    check(tmp_path / "m.npy")
    np.savez(tmp_path / "m.npz", mask=array, image=np.eye(20))
    check(tmp_path / "m.npz")
    np.savez(tmp_path / "m.npz", image=array)
    check(tmp_path / "m.npz")


@pytest.mark.parametrize("array", [
    ~HOLE, np.uint8(~HOLE), 255 * np.uint8(~HOLE), 200 * np.uint8(~HOLE), 65535 * np.uint16(~HOLE),
    np.uint8(255 * SOFT), painted((0, 0, 0), (255, 255, 255)), painted((255, 0, 0), (255, 255, 255)),
    painted((0, 0, 255), (255, 255, 255)), painted((255, 255, 0), (255, 255, 255)), painted((255, 0, 0), (128,) * 3)])
def test_pictures(tmp_path, array):
    check(save(tmp_path / "m.png", array))


def test_labels_in_16_bit_are_no_dark_picture(tmp_path):
    check(save(tmp_path / "mask.png", (~HOLE).astype(np.uint16)))


def test_soft_edges_of_jpeg(tmp_path):
    mask, _ = read_mask(save(tmp_path / "m.jpg", 255 * np.uint8(~HOLE), quality=75), HOLE.shape)
    assert np.array_equal(mask.numpy(), ~HOLE)


def test_a_hole_in_the_alpha_channel(tmp_path):
    note = "the hole was read off the alpha channel: what is {}"
    alpha = 255 * np.uint8(~HOLE)[..., None]
    white, black = np.full((*HOLE.shape, 3), 255, np.uint8), np.zeros((*HOLE.shape, 3), np.uint8)
    check(save(tmp_path / "m.png", np.concatenate([white, alpha], -1)), note.format("transparent"))
    erased = np.where(HOLE[..., None], np.uint8(0), np.concatenate([white, alpha], -1))  # as a browser stores it
    check(save(tmp_path / "m.png", erased), note.format("transparent"))
    check(save(tmp_path / "m.png", np.concatenate([black, 255 - alpha], -1)), note.format("painted"))
    check(save(tmp_path / "m.png", np.concatenate([painted((255, 0, 0), (0, 0, 0)), 255 - alpha], -1)),
          note.format("painted"))
    opaque = np.concatenate([painted((0, 0, 0), (255,) * 3), np.full_like(alpha, 255)], -1)
    check(save(tmp_path / "m.png", opaque))
    half = np.concatenate([painted((0, 0, 0), (255,) * 3), np.uint8(255 * (COLUMNS > 10))[..., None]], -1)
    assert error_of(read_mask, save(tmp_path / "m.png", half), HOLE.shape) == (
        f"{tmp_path}/m.png: its alpha channel and its colours say different things: save it as gray, black in the hole")


def test_a_mask_stands_upright_as_its_picture(tmp_path):
    exif = Picture.Exif()
    exif[0x0112] = 6
    check(save(tmp_path / "m.png", np.ascontiguousarray(255 * np.uint8(~HOLE).T[::-1]), exif=exif))


def test_inverted_polarity_is_named_and_turned(tmp_path):
    path = save(tmp_path / "m.png", 255 * np.uint8(HOLE))
    _, notes = read_mask(path, HOLE.shape)
    assert notes == (f"hole: {1 - HOLE.mean():.1%} of the pixels",
                     "what is known is one small spot: if that is the hole, add --invert-mask")
    check(path, invert=True)
    picture = Image("mine", np.random.default_rng(0).random(HOLE.shape))
    case = Inpainting(mask=str(path), invert_mask=True).observe(picture)
    assert np.array_equal(case.observation.A.mask.numpy(), ~HOLE) and case.notes[0] == SHARE
    assert case.settings["hole"] == pytest.approx(HOLE.mean())
    scattered = np.random.default_rng(0).random(HOLE.shape) < 0.05
    assert len(read_mask(save(tmp_path / "s.png", scattered), HOLE.shape)[1]) == 1
    assert error_of(load_case, "inpainting", invert_mask=True) == (
        "invert_mask inverts a mask of your own: also give --mask FILE")


@pytest.mark.parametrize("array, words", [
    (np.full(HOLE.shape, 255, np.uint8), "fully known, the mask has no black: there is no hole to fill"),
    (np.zeros(HOLE.shape, np.uint8), "nothing is known, the mask has no white: all is a hole"),
    (np.uint8(128 + 127 * ~HOLE), "fully known, the mask has no black: there is no hole to fill"),
    (np.uint8(6 * COLUMNS), "it is gray in most places, as a photo is: a mask is black in the hole, white elsewhere"),
])
def test_masks_without_a_hole_or_with_nothing_else(tmp_path, array, words):
    path = save(tmp_path / "m.png", array)
    assert error_of(read_mask, path, HOLE.shape) == f"{path}: {words}"


@pytest.mark.parametrize("array, words", [
    (np.ones((2, *HOLE.shape), complex), "a mask must contain finite real numbers"),
    (np.ones((4, *HOLE.shape)), "a mask must have shape (H, W) or (H, W, 3), got (4, 32, 40)"),
    (np.where(HOLE, np.nan, 1), "a mask must contain finite real numbers"),
])
def test_arrays_that_are_no_mask(tmp_path, array, words):
    np.save(tmp_path / "m.npy", array if array.ndim == 2 or array.dtype.kind != "c" else array[0])
    assert error_of(read_mask, tmp_path / "m.npy", HOLE.shape) == f"{tmp_path}/m.npy: {words}"


def test_a_scan_is_no_mask(tmp_path):
    from dicom_files import stored_values, write

    path = write(tmp_path / "a.dcm", stored_values())
    assert error_of(read_mask, path, (18, 20)) == f"{path}: a mask must be a picture or an array, got a scan"
    np.savez(tmp_path / "k.npz", kspace=np.ones((2, 20, 20), complex))
    assert error_of(read_mask, tmp_path / "k.npz", (20, 20)) == (
        f"{tmp_path}/k.npz: must hold 'mask' or 'image', got 'kspace'")
