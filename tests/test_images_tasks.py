"""Denoising and in-painting of pictures: noise, masks, bad input, and the classic methods against scikit-image."""

import numpy as np
import pytest
import torch
from checks import error_of
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from skimage.restoration import denoise_nl_means, estimate_sigma, inpaint_biharmonic

from aseqdip_lite import dot_test, iterate, load_case, reconstruct, tasks
from aseqdip_lite.images import Image, KSpace, catalogue, load_image
from aseqdip_lite.methods import configure, names
from aseqdip_lite.methods.classic_images import NLM, Biharmonic, from_pixels, to_pixels
from aseqdip_lite.methods.tv import TV
from aseqdip_lite.tasks.inpainting import box_mask, random_mask

NATURAL = ("denoising", "inpainting", "deblurring")
every_task = pytest.mark.parametrize("task", NATURAL)
sizes = st.tuples(st.integers(16, 61), st.integers(16, 61))


def picture(shape, seed=0):
    """A smooth random picture (H, W) or (H, W, 3) in [0, 1] with an edge."""
    h, w = shape[:2]
    rng = np.random.default_rng(seed)
    waves = sum(np.cos(a * np.linspace(0, 5, h)[:, None] + b * np.linspace(0, 5, w) + c) for a, b, c in
                rng.standard_normal((4, 3)))
    waves = (waves - waves.min()) / np.ptp(waves) * 0.7
    waves[h // 3:, w // 2:] += 0.3
    weights = np.ones(shape[2:]) * (rng.random(shape[2:]) * 0.5 + 0.5)
    return Image("mine", (waves[..., None] * weights if len(shape) == 3 else waves).astype(np.float32))


# What all tasks on pictures share.

@every_task
@pytest.mark.parametrize("shape", [(33, 40), (40, 31, 3)])
def test_a_users_picture_becomes_truth_start_and_observation(task, shape, tmp_path):
    image = picture(shape)
    np.save(tmp_path / "mine.npy", image.array)
    settings = dict(start="paper") if task == "inpainting" else {}
    case = load_case(task, str(tmp_path / "mine.npy"), profile="smoke", **settings)
    channels = shape[2] if len(shape) == 3 else 1
    observation = case.observation
    assert observation.y.shape == (1, channels, *shape[:2]) and observation.y.dtype == torch.float32
    assert np.array_equal(case.truth, image.array)
    assert torch.equal(observation.start, observation.y)
    assert (case.data_range, case.clip, case.window, observation.scale) == (1.0, True, (0.0, 1.0), 1.0)
    assert case.settings["size"] == list(shape[:2]) and case.settings["channels"] == channels


@every_task
def test_answers_are_clipped_before_they_are_measured(task, smoke_case):
    case = smoke_case(task, **(dict(paste=False) if task == "inpainting" else {}))
    truth = torch.from_numpy(case.truth).permute(2, 0, 1)[None]
    outside = torch.where(truth > 0.5, truth + 9, truth - 9)
    expected = np.where(case.truth > 0.5, 1.0, 0.0)
    offset = torch.as_tensor(case.offset).reshape(-1, 1, 1)
    assert np.array_equal(case.display(outside - offset), expected)
    np.testing.assert_allclose(case.display(truth - offset), case.truth, atol=1e-6)


@every_task
def test_same_seed_same_data_other_seed_other_data(task):
    settings = dict(missing=0.5) if task == "inpainting" else {}
    one, again, other = (load_case(task, profile="smoke", size=32, seed=seed, **settings) for seed in (3, 3, 4))
    assert torch.equal(one.observation.y, again.observation.y)
    assert not torch.equal(one.observation.y, other.observation.y)
    assert np.array_equal(one.truth, other.truth)


@every_task
@pytest.mark.parametrize("array, words", [
    (np.linspace(0, 255, 400).reshape(20, 20), "mine has values from 0 to 255: {} needs 0 (black) to 1 (white), so "
     "divide it by its white value (255 for 8 bit) before saving it"),
    (np.linspace(-0.5, 1, 400).reshape(20, 20), "mine has values from -0.5 to 1: {} needs 0 (black) to 1 (white), so "
     "undo what was subtracted from it and divided by, until black is 0 and white 1, before saving it"),
    (1j * np.ones((20, 20)), "mine is complex: {} needs a real picture in [0, 1], take its magnitude"),
])
def test_pictures_outside_of_the_unit_range(task, array, words):
    assert error_of(tasks.get(task)().observe, Image("mine", array)) == words.format(task)


@every_task
def test_a_scan_is_not_a_picture(task):
    said = error_of(tasks.get(task)().observe, KSpace("scan.h5", np.ones((2, 16, 16), np.complex64)))
    assert said == f"scan.h5 is a measured scan: {task} needs a picture"


def test_pictures_of_the_wheel():
    """Squares of pictures that scikit-image carries: four or more for tuning, five or more for results."""
    from skimage import data

    carried = {name: facts for name, facts in catalogue().items() if facts["source"] == "skimage"}
    roles = [facts["role"] for facts in carried.values()]
    assert roles.count("tuning") >= 4 and roles.count("result") >= 5
    for name, facts in carried.items():
        array, whole = load_image(name).array, getattr(data, facts["key"].partition(".")[0])()
        side = min(whole.shape[:2])
        top, left = (whole.shape[0] - side) // 2, (whole.shape[1] - side) // 2
        assert np.abs(array - whole[top:top + side, left:left + side] / 255).max() <= 2 / 255  # JPEG decoders differ


@every_task
def test_shipped_pictures_stay_in_range_after_resampling(task):
    truth = load_case(task, "rocket", profile="smoke").truth
    assert truth.shape == (64, 64, 3) and truth.min() >= 0 and truth.max() <= 1


@pytest.mark.parametrize("task, method", [(task, name) for task in NATURAL for name in names(task)])
@pytest.mark.parametrize("shape", [(19, 24), (24, 18, 3)])
def test_every_method_runs_on_gray_and_rgb(task, method, shape):
    if method == "bm3d":
        pytest.importorskip("bm3d", reason="bm3d is for non-commercial use only, an extra of its own")
    case = load_case_of(task, picture(shape))
    result = reconstruct(case, configure(method, task, steps=2), progress=False)
    assert result.answer.shape == case.observation.start.shape and not result.answer.is_complex()
    assert bool(result.answer.isfinite().all()) and result.metrics["psnr"]["final"] is not None


def load_case_of(task, image, seed=0, **settings):
    """The case of an `Image` in memory."""
    return tasks.get(task)(**settings).observe(image, seed)


# Denoising.

@pytest.mark.parametrize("sigma", [15.0, 25.0, 30.0])
@pytest.mark.parametrize("shape", [(128, 120), (96, 80, 3)])
def test_gaussian_noise_has_the_stated_level(sigma, shape):
    case = load_case_of("denoising", picture(shape), sigma=sigma)
    noise = (to_pixels(case.observation.y).squeeze() - case.truth) * 255
    n = noise.size
    assert abs(noise.mean()) <= 4 * sigma / n**0.5
    assert abs(noise.std() / sigma - 1) <= 4 / (2 * n) ** 0.5
    assert abs((noise**4).mean() / sigma**4 - 3) <= 4 * (96 / n) ** 0.5  # kurtosis of a Gaussian
    assert abs((noise[1:] * noise[:-1]).mean()) <= 4 * sigma**2 / n**0.5  # white
    assert case.observation.noise_std == pytest.approx(sigma / 255)
    assert torch.equal(case.observation.A(case.observation.y), case.observation.y)


def test_noise_level_agrees_with_scikit_images_estimate():
    pytest.importorskip("pywt", reason="estimate_sigma needs PyWavelets")
    case = load_case_of("denoising", picture((128, 128)), sigma=25.0)
    assert estimate_sigma(to_pixels(case.observation.y)[..., 0]) == pytest.approx(25 / 255, rel=0.05)


@pytest.mark.parametrize("photons", [4.0, 60.0, 1000.0])
def test_poisson_noise_counts_photons(photons):
    image = picture((128, 128))
    case = load_case_of("denoising", image, noise="poisson", peak_photons=photons)
    y = to_pixels(case.observation.y)[..., 0]
    counts, n = y * photons, y.size
    assert np.abs(counts - counts.round()).max() <= 1e-3 and counts.min() >= 0
    variance = image.array / photons
    assert abs((y - image.array).mean()) <= 4 * (variance.mean() / n) ** 0.5
    standard = (y - image.array)[variance > 0] / variance[variance > 0] ** 0.5
    assert standard.var() == pytest.approx(1, abs=0.1)
    assert case.observation.noise_std == pytest.approx((y - image.array).std(), rel=0.05)


@pytest.mark.parametrize("shape", [(40, 33), (33, 40, 3)])
def test_nlm_is_scikit_images(shape):
    observation = load_case_of("denoising", picture(shape)).observation
    (state,) = iterate(observation, NLM(strength=0.7))
    sigma, y = 25 / 255, to_pixels(observation.y)
    expected = denoise_nl_means(y, patch_size=5, patch_distance=6, h=0.7 * sigma, sigma=sigma, fast_mode=True,
                                channel_axis=-1)
    np.testing.assert_allclose(to_pixels(state.image), expected.reshape(y.shape), atol=1e-6)


@every_task
def test_tv_of_weight_zero_fits_the_data(task):
    observation = load_case_of(task, picture((24, 20))).observation
    (state,) = iterate(observation, TV(lamda=0.0, iterations=5))
    start = float((observation.A(observation.start) - observation.y).square().sum())
    assert state.losses["data"] < start if task == "deblurring" else state.losses["data"] == 0


@pytest.mark.parametrize("method", ["nlm", "tv"])
@pytest.mark.parametrize("image", ["chelsea", "rocket"])
@pytest.mark.parametrize("settings", [dict(sigma=25.0), dict(noise="poisson", peak_photons=30.0)])
def test_classic_denoising_denoises(method, image, settings):
    case = load_case("denoising", image, profile="smoke", **settings)
    psnr = reconstruct(case, configure(method, "denoising"), progress=False).metrics["psnr"]
    assert psnr["final"] > psnr["start"] + 3


def test_without_noise_nlm_returns_the_image():
    case = load_case("denoising", size=20, sigma=0.0)
    (state,) = iterate(case.observation, NLM())
    assert np.array_equal(case.display(state.image), case.truth)


# In-painting.

@given(sizes, st.floats(0.02, 0.9))
def test_central_box_has_the_area_asked_for(shape, hiar):
    """Off by less than half of the box's height, since a width is a whole number; central to half a pixel."""
    mask = box_mask(shape, hiar).numpy()
    rows, columns = np.flatnonzero((mask == 0).any(axis=1)), np.flatnonzero((mask == 0).any(axis=0))
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert (mask == 0).sum() == len(rows) * len(columns)  # one full box
    assert abs((mask == 0).sum() - hiar * mask.size) <= len(rows) / 2 + 1e-6
    assert abs(len(rows) - shape[0] * hiar**0.5) <= 2.5
    for run, n in ((rows, shape[0]), (columns, shape[1])):
        assert run[0] - (n - 1 - run[-1]) in (0, -1)


@pytest.mark.parametrize("size, hiar, pixels", [(64, 0.25, 1024), (128, 0.25, 4096), (512, 0.25, 65536),
                                                (64, 0.1, 414), (128, 0.1, 1638), (512, 0.1, 26240)])
def test_boxes_of_the_paper(size, hiar, pixels):
    hole = int((box_mask((size, size), hiar) == 0).sum())
    assert hole == pixels
    assert abs(hole / size**2 - hiar) <= 0.0011


@given(sizes, st.floats(0.01, 0.99), st.integers(0, 5))
def test_random_mask_misses_exactly_as_many_pixels(shape, missing, seed):
    masks = [random_mask(shape, missing, torch.Generator().manual_seed(s)) for s in (seed, seed, seed + 1)]
    for mask in masks:
        assert set(mask.unique().tolist()) == {0.0, 1.0} and mask.shape == shape
        assert int((mask == 0).sum()) == round(missing * shape[0] * shape[1])
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


def test_random_mask_prefers_no_place():
    """Over 400 draws every pixel is missing in about half of them, to 5 standard deviations."""
    generator = torch.Generator().manual_seed(0)
    share = sum(random_mask((8, 9), 0.5, generator) for _ in range(400)) / 400
    assert float((share - 0.5).abs().max()) <= 5 * 0.5 / 400**0.5


@given(sizes, st.sampled_from([(), (3,)]), st.sampled_from([dict(), dict(hiar=0.1), dict(missing=0.97)]))
def test_hole_is_zero_and_the_rest_is_known(shape, channels, settings):
    case = load_case_of("inpainting", picture(shape + channels), fill="zero", **settings)
    A, y = case.observation.A, case.observation.y
    known = A.mask.bool()
    assert float((A.mask == 0).float().mean()) == pytest.approx(case.settings["hole"])
    truth = to_tensor(case.truth)
    assert torch.equal(y[..., known], truth[..., known]) and not y[..., ~known].any()
    assert dot_test(A) <= 1e-10
    assert torch.equal(A.N(truth), A(truth))  # a projection
    assert case.observation.noise_std == 0.0


def to_tensor(array):
    """(H, W) or (H, W, C) -> (1, C, H, W)."""
    return from_pixels(array if array.ndim == 3 else array[..., None], torch.zeros(1))


def test_known_pixels_may_be_noisy():
    case = load_case_of("inpainting", picture((128, 128)), sigma=25.0)
    known = case.observation.A.mask.bool()
    noise = (case.observation.y - to_tensor(case.truth))[..., known] * 255
    assert float(noise.std()) == pytest.approx(25, rel=4 / (2 * noise.numel()) ** 0.5)
    assert not case.observation.y[..., ~known].any()
    assert case.observation.noise_std == pytest.approx(25 / 255)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_mask_file_is_known_where_it_is_not_zero(channels, tmp_path):
    known = np.random.default_rng(0).random((20, 26)) > 0.4
    pixels = np.zeros((20, 26, *channels), np.uint8)
    pixels[known] = 7 if not channels else (0, 1, 0)
    Picture.fromarray(pixels).save(tmp_path / "mask.png")
    case = load_case_of("inpainting", picture((20, 26, 3)), mask=str(tmp_path / "mask.png"))
    assert np.array_equal(case.observation.A.mask.numpy(), known)
    np.save(tmp_path / "mask.npy", known)
    case = load_case_of("inpainting", picture((20, 26)), mask=str(tmp_path / "mask.npy"))
    assert np.array_equal(case.observation.A.mask.numpy(), known)


def test_mask_of_another_size(tmp_path):
    Picture.fromarray(np.eye(32, dtype=np.uint8) * 255).save(tmp_path / "mask.png")
    said = error_of(load_case, "inpainting", profile="smoke", mask=str(tmp_path / "mask.png"))
    assert said == (f"{tmp_path}/mask.png: the mask has 32 x 32 pixels, the image 64 x 64: make them "
                    "equal (--size sets that of shipped images)")


def test_mask_without_a_hole(tmp_path):
    np.save(tmp_path / "mask.npy", 1 + np.eye(16))
    said = error_of(load_case_of, "inpainting", picture((16, 16)), mask=str(tmp_path / "mask.npy"))
    assert said == f"{tmp_path}/mask.npy: fully known, the mask has no black: there is no hole to fill"


@pytest.mark.parametrize("settings, words", [
    (dict(missing=0.9999), "missing 0.9999 takes 4096 of the 4096 pixels: choose another share"),
    (dict(missing=1e-6), "missing 1e-06 takes 0 of the 4096 pixels: choose another share"),
    (dict(hiar=1e-6), "hiar 1e-06 makes a hole of 0 of the 4096 pixels: choose another ratio"),
    (dict(hiar=0.9999), "hiar 0.9999 makes a hole of 4096 of the 4096 pixels: choose another ratio"),
    (dict(hiar=0.1, missing=0.5), "hiar and missing exclude each other: give one of hiar, missing and mask"),
    (dict(mask="m.png", missing=0.5), "missing and mask exclude each other: give one of hiar, missing and mask"),
    (dict(mask="nowhere.png"), "nowhere.png: no such file (for the shipped images see: aseqdip list)"),
])
def test_bad_masks(settings, words):
    assert error_of(load_case, "inpainting", profile="smoke", **settings) == words


@pytest.mark.parametrize("settings", [dict(hiar=0.1), dict(missing=0.6)])
def test_biharmonic_is_scikit_images_and_keeps_what_is_known(settings):
    case = load_case_of("inpainting", picture((32, 27, 3)), **settings)
    (state,) = iterate(case.observation, Biharmonic())
    hole = case.observation.A.mask.numpy() == 0
    expected = inpaint_biharmonic(to_pixels(case.observation.y), hole, channel_axis=-1)
    np.testing.assert_allclose(to_pixels(state.image), expected, atol=1e-6)
    assert state.losses["data"] <= 1e-10


def test_biharmonic_fills_a_plane_without_error():
    """A plane solves the biharmonic equation, so it is filled without error."""
    rows, columns = np.mgrid[:24, :30]
    plane = Image("plane", ((rows + 2 * columns) / 100).astype(np.float32))
    case = load_case_of("inpainting", plane, hiar=0.1)
    (state,) = iterate(case.observation, Biharmonic())
    np.testing.assert_allclose(case.display(state.image), plane.array, atol=1e-5)


@pytest.mark.parametrize("method", ["biharmonic", "harmonic", "tv"])
@pytest.mark.parametrize("image", ["chelsea", "rocket"])
@pytest.mark.parametrize("settings", [dict(hiar=0.1), dict(missing=0.9)])
def test_classic_inpainting_fills_the_hole(method, image, settings):
    case = load_case("inpainting", image, profile="smoke", fill="zero", start="paper", **settings)
    psnr = reconstruct(case, configure(method, "inpainting"), progress=False).metrics["psnr"]
    assert psnr["final"] > psnr["start"] + 5


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("settings", [dict(hiar=0.1), dict(missing=0.6, sigma=10.0)])
def test_the_hole_starts_at_the_mean_of_what_is_known(channels, settings):
    image = picture((32, 27, *channels))
    black, gray = (load_case_of("inpainting", image, fill=fill, start="paper", **settings) for fill in ("zero", "mean"))
    known = gray.observation.A.mask.numpy() == 1
    start = gray.array(gray.observation.start)
    mean = black.array(black.observation.y)[known].mean(axis=0)
    np.testing.assert_allclose(start[~known], np.broadcast_to(mean, start[~known].shape), atol=1e-6)
    np.testing.assert_allclose(start[known], black.array(black.observation.y)[known], atol=1e-6)
    assert not black.observation.start.numpy()[..., ~known].any() and black.offset == 0


@pytest.mark.parametrize("method, tolerance", [("biharmonic", 1e-5), ("harmonic", 1e-5), ("tv", 1e-5)])
def test_classic_methods_do_not_mind_where_zero_lies(method, tolerance):
    """They commute with adding a constant, so their answers are those of the other convention."""
    cases = [load_case_of("inpainting", picture((32, 27, 3)), hiar=0.1, fill=fill) for fill in ("zero", "mean")]
    method = configure(method, "inpainting")
    answers = [case.display(reconstruct(case, method, progress=False).answer) for case in cases]
    np.testing.assert_allclose(*answers, atol=tolerance)
