"""What ships: names, facts, values, resampling; and that `load_image` tells names from files."""

import dataclasses

import numpy as np
import pytest
import torch
from checks import error_of
from PIL import Image as Picture

from aseqdip_lite import tasks
from aseqdip_lite.images import Image, catalogue, everything, fit, load_image
from aseqdip_lite.settings import InputError

SHIPPED = catalogue()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_images(name):
    image = load_image(name)
    assert image.name == name and image.shipped
    array = image.array
    assert array.dtype == np.float32 and array.ndim in (2, 3) and min(array.shape[:2]) >= 64
    assert array.ndim == 2 or array.shape[-1] == 3
    assert np.isfinite(array).all() and array.min() >= 0 and array.std() > 0.01
    if SHIPPED[name]["task"] != "ct":  # CT images are attenuation, where bone exceeds water's 1
        assert array.max() <= 1


def test_every_shipped_image_names_its_origin_licence_and_role():
    for name, facts in SHIPPED.items():
        for key in ("task", "what", "origin", "licence", "role"):
            assert facts[key], f"{name} lacks {key}"
        assert facts["role"] in ("tuning", "result"), name


def test_no_image_serves_tuning_and_results():
    pixels = {}
    for name, facts in SHIPPED.items():
        pixels.setdefault(load_image(name).array.tobytes(), []).append(facts["role"])
    assert all(len(set(roles)) == 1 for roles in pixels.values())


def test_default_images_are_shipped_and_serve_results():
    for cls in tasks.REGISTRY.values():
        assert SHIPPED[cls.default_image]["role"] == "result"


@pytest.mark.parametrize("name, words", [
    ("brain-70", "unknown image 'brain-70': did you mean 'brain-070'? known: brain-050, "),
    ("astronot", "unknown image 'astronot': did you mean 'astronaut'? known: "),
    ("", "unknown image '': known: "),
    ("x" * 5000, f"unknown image '{'x' * 5000}': known: brain-050, "),
])
def test_unknown_name_brings_the_nearest(name, words):
    assert error_of(load_image, name).startswith(words)


def test_a_path_is_told_from_a_name(tmp_path, monkeypatch):
    array = np.arange(400.0).reshape(20, 20)
    np.save(tmp_path / "mine.npy", array)
    for name in (str(tmp_path / "mine.npy"), tmp_path / "mine.npy"):
        image = load_image(name)
        assert image.name == "mine.npy" and not image.shipped and np.array_equal(image.array, array)
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(load_image("mine.npy").array, array)
    with pytest.raises(InputError, match=r"^other\.npy: no such file \(for the shipped images see: aseqdip list\)$"):
        load_image("other.npy")


@pytest.mark.parametrize("key", ["image", "hu"])
def test_an_npz_may_bring_its_pixel_size(tmp_path, key):
    path, array = tmp_path / "a.npz", np.arange(-300.0, 100.0).reshape(20, 20)

    def load(**spacing):
        np.savez(path, **{key: array}, **spacing)
        return load_image(path)

    assert load().spacing_mm is None
    for spacing in (0.7, [0.7], [0.7, 0.7]):
        assert load(pixel_spacing_mm=spacing).spacing_mm == pytest.approx(0.7)
    for spacing, words in (([0.5, 0.7], "its pixels of 0.5 x 0.7 mm are not square: resample it first"),
                           (0.0, "the pixel spacing must be one or two positive numbers of mm, got 0.0"),
                           (np.inf, "the pixel spacing must be one or two positive numbers of mm, got inf"),
                           ([1, 1, 1], "the pixel spacing must be one or two positive numbers of mm, got [1 1 1]")):
        assert error_of(load, pixel_spacing_mm=spacing) == f"{path}: {words}"


def test_what_is_fetched_does_not_count_as_shipped():
    assert set(SHIPPED) < set(everything())
    assert all(everything()[name]["source"] == "fetch" for name in set(everything()) - set(SHIPPED))


def test_shipped_images_have_no_slices():
    with pytest.raises(InputError, match="^brain-070 has no slices to choose from"):
        load_image("brain-070", slice_index=3)


def test_fit_leaves_a_users_pixels_alone():
    image = Image("mine", np.random.default_rng(0).random((30, 17)))
    assert fit(image, 64) is image.array
    shipped = dataclasses.replace(image, shipped=True)
    assert fit(shipped, None) is image.array


@pytest.mark.parametrize("shape", [(33, 27), (27, 33), (32, 32, 3), (30, 41, 3)])
@pytest.mark.parametrize("size", [16, 24, 50])
def test_fit_commutes_with_mirrors_and_factors(shape, size):
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    if (shape[0] - shape[1]) % 2:  # an odd border cannot be halved, so a mirror moves it by one pixel
        array = array[:, :-1]

    def fitted(a):
        return fit(Image("a", np.ascontiguousarray(a), shipped=True), size)

    assert fitted(array).shape == (size, size, *shape[2:]) and fitted(array).dtype == np.float32
    assert fitted(array).min() >= 0
    for axis in (0, 1):
        np.testing.assert_allclose(fitted(np.flip(array, axis)), np.flip(fitted(array), axis), atol=2e-5)
    np.testing.assert_allclose(fitted(0.25 * array), 0.25 * fitted(array), atol=1e-6)


@pytest.mark.parametrize("array, words", [
    (torch.rand(20, 20).bfloat16(), "give image.detach().cpu().float()"),
    (torch.rand(20, 20, requires_grad=True), "give image.detach().cpu().float()"),
    (np.full((20, 20), "a"), "the array must hold numbers, got dtype <U1"),
    (np.full((20, 20), None), "the array must hold numbers, got dtype object"),
    (np.float64(3), "an image must have shape (H, W) or (H, W, 3), got ()"),
])
def test_arrays_that_are_no_numbers_for_numpy(array, words):
    assert error_of(load_image, array).endswith(words)


def test_masked_values_are_no_data():
    array = np.ma.masked_less(np.random.default_rng(0).random((20, 20)), 0.1)
    for image in (array, Image("a", array)):
        assert error_of(load_image, image).startswith("the array has masked values: fill them, a.filled(0), ")
    assert np.array_equal(load_image(np.ma.asarray(array.data)).array, array.data.astype(np.float32))



def test_fit_pads_to_a_square_and_keeps_the_mean():
    """At its own size the square comes back as it is; at half of it the sum over the area is kept."""
    array = np.zeros((40, 30), np.float32)
    array[10:30, 8:22] = np.random.default_rng(0).random((20, 14))
    image = Image("a", array, shipped=True)
    np.testing.assert_allclose(fit(image, 40), np.pad(array, ((0, 0), (5, 5))), atol=1e-5)
    assert fit(image, 20).sum() * 4 == pytest.approx(array.sum(), rel=0.02)


def test_a_picture_of_a_user_keeps_its_size_in_a_task(tmp_path):
    rng = np.random.default_rng(0)
    Picture.fromarray(rng.integers(0, 256, (30, 26), np.uint8)).save(tmp_path / "a.png")
    case = tasks.load_case("mri", str(tmp_path / "a.png"), profile="smoke")
    assert case.image == "a.png" and case.truth.shape == (30, 26)
    assert case.observation.A.in_shape == (1, 30, 26)
