"""Pictures that a user measured: y is the picture, sigma is given or estimated, no truth is made up."""

import json
from pathlib import Path

import numpy as np
import pytest
from checks import error_of
from click.testing import CliRunner
from PIL import Image as Picture
from skimage.restoration import estimate_sigma

from aseqdip_lite import load_case, reconstruct
from aseqdip_lite.course.commands import main
from aseqdip_lite.methods import configure
from aseqdip_lite.tasks.pictures import estimated_sigma

SHAPE = (64, 48)


def smooth(colour=False):
    """A picture without noise, waves from 0.2 to 0.8."""
    rows, columns = np.mgrid[:SHAPE[0], :SHAPE[1]]
    waves = [0.5 + 0.3 * np.sin(rows / (7 + c)) * np.cos(columns / 9) for c in range(3)]
    return np.stack(waves, axis=-1) if colour else waves[0]


def noisy(sigma, colour=False, seed=0):
    picture = smooth(colour)
    return np.clip(picture + sigma / 255 * np.random.default_rng(seed).standard_normal(picture.shape), 0, 1)


def saved(path, array):
    np.save(path, array.astype(np.float32))
    return str(path)


@pytest.fixture
def file(tmp_path):
    return saved(tmp_path / "mine.npy", noisy(20.0))


@pytest.fixture
def mask(tmp_path):
    """A hole of 12 x 10 pixels."""
    known = np.full(SHAPE, 255, np.uint8)
    known[20:32, 15:25] = 0
    Picture.fromarray(known).save(tmp_path / "mask.png")
    return str(tmp_path / "mask.png")


@pytest.mark.parametrize("sigma", [2.0, 10.0, 25.0])
@pytest.mark.parametrize("colour", [False, True])
def test_sigma_is_estimated_as_scikit_image_does_and_near_the_truth(sigma, colour):
    picture = noisy(sigma, colour)
    expected = 255 * np.mean(estimate_sigma(picture, channel_axis=-1 if colour else None))
    assert estimated_sigma(picture) == pytest.approx(expected, rel=0.1)
    assert estimated_sigma(picture) == pytest.approx(sigma, rel=0.2)


def test_pixels_that_are_not_known_do_not_count_for_sigma():
    picture, known = noisy(10.0), np.ones(SHAPE, bool)
    known[10:40, 10:40] = False
    damaged = np.where(known, picture, np.random.default_rng(1).random(SHAPE))  # noise of 74 of 255
    assert estimated_sigma(damaged, known) == pytest.approx(10.0, rel=0.2)
    assert estimated_sigma(damaged) > 1.2 * estimated_sigma(damaged, known)


def test_too_few_known_pixels_for_sigma():
    known = np.random.default_rng(0).random(SHAPE) < 0.1
    assert "give sigma" in error_of(estimated_sigma, noisy(10.0), known)


def test_measured_denoising_takes_the_picture_as_y(file):
    case = load_case("denoising", file, measured=True)
    assert case.truth is None and case.observation.noise_std * 255 == pytest.approx(20.0, rel=0.2)
    assert np.array_equal(case.observation.y[0, 0].numpy(), np.load(file))
    given = load_case("denoising", file, measured=True, sigma=15.0)
    assert given.observation.noise_std == pytest.approx(15 / 255)
    assert any("estimated" in note for note in case.notes) and not any("estimated" in note for note in given.notes)


def test_measured_inpainting_keeps_what_the_mask_knows(file, mask):
    case = load_case("inpainting", file, measured=True, mask=mask, fill="zero")
    y = case.observation.y[0, 0].numpy()
    assert case.truth is None and not y[20:32, 15:25].any()
    y[20:32, 15:25] = np.load(file)[20:32, 15:25]
    assert np.array_equal(y, np.load(file))
    assert "--mask FILE" in error_of(load_case, "inpainting", file, measured=True)


def test_pixels_whose_noise_was_estimated_are_not_pasted(file, mask):
    said = error_of(load_case, "inpainting", file, measured=True, mask=mask, paste=True)
    assert said.startswith("paste does nothing here, leave it out")
    assert load_case("inpainting", file, measured=True, mask=mask, paste=True, sigma=0.0).paste


def test_measured_deblurring_is_told_its_blur(file, tmp_path):
    box = saved(tmp_path / "kernel.npy", np.ones((5, 5)))
    case = load_case("deblurring", file, measured=True, kernel=box, gamma=1.0, knee=1.0, sigma=0.0)
    assert case.truth is None and np.array_equal(case.observation.y[0, 0].numpy(), np.load(file))
    picture = case.observation.y
    blurred = case.observation.A(picture)[0, 0].numpy()
    assert blurred[30, 20] == pytest.approx(np.load(file)[28:33, 18:23].mean(), abs=1e-5)  # the mean over the box
    drawn = load_case("deblurring", file, measured=True)
    assert any("data seed 0" in note and "kernel" in note for note in drawn.notes)


@pytest.mark.parametrize("kernel, words", [
    (np.ones((4, 4)), "k odd"), (np.ones((3, 5)), "k x k"), (-np.eye(3), "none below 0"), (np.zeros((3, 3)), "not all"),
    (np.full((3, 3), np.nan), "k x k real"), (np.ones((3, 3)) * 1j, "k x k real"), (np.ones(3), "k x k")])
def test_a_bad_kernel_is_refused(file, tmp_path, kernel, words):
    np.save(tmp_path / "kernel.npy", kernel)
    assert words in error_of(load_case, "deblurring", file, kernel=str(tmp_path / "kernel.npy"))


def test_other_kernel_files_are_refused(file, mask, tmp_path):
    assert "no such file" in error_of(load_case, "deblurring", file, kernel=str(tmp_path / "none.npy"))
    assert ".npy file" in error_of(load_case, "deblurring", file, kernel=mask)


@pytest.mark.parametrize("task, settings", [("denoising", {}), ("inpainting", dict(mask=True)), ("deblurring", {})])
def test_the_report_of_a_measured_picture_has_residuals_and_no_psnr(tmp_path, file, mask, task, settings):
    case = load_case(task, file, measured=True, **(settings | (dict(mask=mask) if settings else {})))
    result = reconstruct(case, configure("vanilla", task, steps=3), progress=False)
    result.save(tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(metrics["psnr"].values()) == set(metrics["ssim"].values()) == {None}
    assert metrics["answers"]["final"]["data_residual"] > 0 and "||A x - y||" in str(result)
    assert "psnr" not in (tmp_path / "out" / "curve.csv").read_text().splitlines()[0]
    assert (tmp_path / "out" / "recon.png").exists()


def test_measured_poisson_noise_has_no_sigma(file):
    case = load_case("denoising", file, measured=True, noise="poisson", peak_photons=30)
    assert case.notes[0] == "measured: y is the picture as it is, no truth is known"
    assert "30 photons" in case.notes[1] and len(case.notes) == 2
    assert case.observation.noise_std == pytest.approx((np.load(file).mean() / 30) ** 0.5, rel=1e-4)


def test_a_normalised_picture_is_not_said_to_be_of_8_bit(tmp_path):
    array = (smooth() - 0.45) / 0.22
    assert "undo what was subtracted from it and divided by" in error_of(
        load_case, "denoising", saved(tmp_path / "normalised.npy", array))


def test_paths_are_settings(file, mask):
    assert load_case("inpainting", Path(file), mask=Path(mask)).settings["mask"] == str(mask)


def test_a_shipped_picture_was_not_measured():
    assert "--image" in error_of(load_case, "denoising", measured=True)


# ---------------------------------------------------------------- a damaged picture given as truth

def test_a_picture_that_is_noisy_already_is_named(file, tmp_path):
    notes = load_case("denoising", file).notes
    assert any("of its own" in note and "--measured" in note for note in notes)
    clean = saved(tmp_path / "clean.npy", smooth())
    assert not any("--measured" in note for note in load_case("denoising", clean).notes)
    assert "--measured" in error_of(load_case, "denoising", file, sigma=0.0)


def test_the_ceiling_that_a_noisy_truth_sets_is_that_of_a_clean_answer(tmp_path):
    """The note promises what the clean picture itself reaches against the noisy one."""
    note = next(note for note in load_case("denoising", saved(tmp_path / "n.npy", noisy(20.0))).notes if "dB" in note)
    promised = float(note.split(" dB")[0].split()[-1])
    assert promised == pytest.approx(-10 * np.log10(np.mean((noisy(20.0) - smooth()) ** 2)), abs=1.0)


def test_a_hole_that_is_blank_in_the_picture_is_no_truth(tmp_path, mask):
    damaged = smooth()
    damaged[20:32, 15:25] = 1.0
    path = saved(tmp_path / "damaged.npy", damaged)
    assert "--measured" in error_of(load_case, "inpainting", path, mask=mask)
    assert load_case("inpainting", path, mask=mask, measured=True).truth is None
    flat = smooth()
    flat[10:42, 5:35] = 0.5  # a flat part of the scene, wider than the hole
    assert load_case("inpainting", saved(tmp_path / "flat.npy", flat), mask=mask).truth is not None
    whole = load_case("inpainting", saved(tmp_path / "whole.npy", smooth()), mask=mask)
    assert any("in the hole" in note and "--measured" in note for note in whole.notes)


def test_the_command_prints_the_notes(file, tmp_path):
    result = CliRunner().invoke(main, ["run", "denoising", "--image", file, "--measured", "--method", "tv",
                                       "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    notes = [line for line in result.stdout.splitlines() if line.startswith("note: ")]
    assert any("estimated" in note for note in notes) and any("no truth" in note for note in notes)
