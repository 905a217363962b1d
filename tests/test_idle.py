"""An option that does nothing is refused, whoever typed it; nothing else is."""

import numpy as np
import pytest
import torch
from checks import error_of
from click.testing import CliRunner

from aseqdip_lite import load_case
from aseqdip_lite.course.commands import main
from aseqdip_lite.images import Image, load_image

WORDS = "does nothing here"


@pytest.fixture
def picture(tmp_path):
    rows, columns = np.mgrid[:32, :32]
    np.save(tmp_path / "mine.npy", np.float32(0.5 + 0.4 * np.sin(rows / 5) * np.cos(columns / 6)))
    return str(tmp_path / "mine.npy")


@pytest.fixture
def scan(tmp_path):
    """Files of k-space, (2, 64, 64): full and, every second column, undersampled."""
    rng = np.random.default_rng(0)
    kspace = (rng.standard_normal((2, 64, 64)) + 1j * rng.standard_normal((2, 64, 64))).astype(np.complex64)
    decay = np.exp(-np.hypot(*np.mgrid[-32:32, -32:32]) / 8)
    np.savez(tmp_path / "full.npz", kspace=kspace * decay)
    mask = np.float32(np.arange(64) % 2 == 0)
    mask[24:40] = 1
    np.savez(tmp_path / "under.npz", kspace=kspace * decay * mask, mask=mask)
    return {name: str(tmp_path / f"{name}.npz") for name in ("full", "under")}


@pytest.mark.parametrize("task", ["mri", "ct", "denoising", "inpainting", "deblurring"])
def test_size_of_a_users_picture(picture, task):
    assert f"size {WORDS}" in error_of(load_case, task, picture, size=24)
    assert load_case(task, picture).observation.y is not None


@pytest.mark.parametrize("task, settings, name", [
    ("denoising", dict(peak_photons=10.0), "peak_photons"), ("denoising", dict(noise="poisson", sigma=10.0), "sigma"),
    ("ct", dict(fov=100.0), "fov"), ("ct", dict(angles="0,40,90", views=9), "views")])
def test_settings_that_others_overrule(task, settings, name):
    assert f"{name} {WORDS}" in error_of(load_case, task, size=32, **settings)
    assert load_case(task, size=32, **{key: value for key, value in settings.items() if key != name})


@pytest.mark.parametrize("name, value", [("coils", 4), ("snr", 20.0), ("size", 32), ("maps", "true")])
def test_settings_of_simulated_scans_on_a_measured_one(scan, name, value):
    assert f"{name} {WORDS}" in error_of(load_case, "mri", scan["full"], **{name: value})


def test_an_undersampled_scan_keeps_its_mask(scan):
    for settings in (dict(acceleration=2.0), dict(acceleration=2.0, pattern="equispaced")):
        assert WORDS in error_of(load_case, "mri", scan["under"], **settings)
        assert load_case("mri", scan["full"], **settings).observation.y is not None


def test_own_kernel_has_no_motion(picture, tmp_path):
    np.save(tmp_path / "kernel.npy", np.ones((3, 3)))
    assert f"motion {WORDS}" in error_of(load_case, "deblurring", picture, kernel=str(tmp_path / "kernel.npy"),
                                         motion=4.0)


def data_of(case):
    """y, A x of some x and what is held out."""
    A, start = case.observation.A, case.observation.start
    x = torch.randn(start.shape, generator=torch.Generator().manual_seed(0), dtype=start.dtype)
    found = [case.observation.y, A(x)]
    return found + ([case.heldout[1]] if case.heldout else [])


def test_the_data_seed_is_refused_exactly_where_it_changes_nothing(picture, scan, tmp_path):
    """By the measurements, the operator and what is held out, of two seeds."""
    np.save(tmp_path / "mask.npy", np.minimum(np.arange(32) % 5, 1) * np.ones((32, 1)))
    np.save(tmp_path / "kernel.npy", np.ones((3, 3)))
    mask, kernel = (dict.fromkeys([name], str(tmp_path / f"{name}.npy")) for name in ("mask", "kernel"))
    np.save(tmp_path / "complex.npy", np.load(picture) * np.exp(1j * np.linspace(0, 1, 32)))
    complete = dict(acceleration=1.0, snr=None, coils=2)
    idle = 0
    for task, image, settings in [
            ("denoising", picture, {}), ("denoising", picture, dict(measured=True)),
            ("denoising", picture, dict(noise="poisson")), ("denoising", None, dict(sigma=0.0, size=32)),
            ("inpainting", picture, {}), ("inpainting", picture, dict(sigma=5.0)),
            ("inpainting", picture, dict(missing=0.5)), ("inpainting", picture, mask),
            ("inpainting", picture, dict(measured=True, sigma=5.0) | mask),
            ("deblurring", picture, {}), ("deblurring", picture, kernel),
            ("deblurring", picture, kernel | dict(sigma=0.0)),
            ("deblurring", picture, dict(sigma=0.0)), ("deblurring", picture, dict(sigma=0.0, motion=0.0)),
            ("deblurring", picture, dict(measured=True)), ("deblurring", picture, dict(measured=True) | kernel),
            ("ct", picture, dict(views=5)), ("ct", picture, dict(views=5, i0=1e4)),
            ("mri", picture, dict(coils=2)), ("mri", picture, complete),
            ("mri", str(tmp_path / "complex.npy"), complete),
            ("mri", scan["full"], dict(acceleration=2.0)), ("mri", scan["full"], dict(acceleration=1.0)),
            ("mri", scan["under"], {}),
            ("mri", scan["full"], dict(acceleration=1.0, holdout=0.1)), ("mri", scan["under"], dict(holdout=0.1))]:
        one, other = (load_case(task, image, seed=seed, **settings) for seed in (1, 2))
        same = all(map(torch.equal, *(data_of(case) for case in (one, other))))
        idle += same
        if same:
            assert f"data_seed {WORDS}" in error_of(load_case, task, image, data_seed=1, **settings), (task, settings)
        else:
            again = load_case(task, image, seed=5, data_seed=2, **settings)
            assert all(map(torch.equal, data_of(again), data_of(other))), (task, settings)
    assert idle == 12


@pytest.mark.parametrize("args", [
    ("run", "mri", "--method", "zero_filled", "--steps", "5"),
    ("run", "ct", "--method", "fbp", "--deterministic"), ("run", "ct", "--method", "fbp", "--data-seed", "3"),
    ("run", "ct", "--method", "fbp", "--seed", "3"), ("compare", "ct", "--methods", "fbp,sirt", "--seeds", "2"),
    ("run", "denoising", "--method", "nlm", "--seed", "3", "--data-seed", "3"),
    ("run", "ct", "--method", "fbp", "--patience", "5"),
    ("run", "denoising", "--method", "tv", "--record-every", "2"),
    ("compare", "mri", "--methods", "zero_filled", "--steps", "5"),
    ("compare", "mri", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"),
    ("run", "denoising", "--peak-photons", "9"), ("compare", "denoising", "--peak-photons", "9")])
def test_the_command_refuses_what_does_nothing(tmp_path, args):
    result = CliRunner().invoke(main, [*args, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and WORDS in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ">f8"])
def test_an_array_is_an_image(picture, dtype):
    array = np.load(picture).astype(dtype)
    for task in ("denoising", "mri", "ct", "inpainting", "deblurring"):
        case = load_case(task, array)
        assert case.image == "array" and case.observation.start.dtype in (torch.float32, torch.complex64)
        assert np.array_equal(case.observation.y, load_case(task, Image("array", array)).observation.y)
    assert np.array_equal(load_case("denoising", torch.from_numpy(np.load(picture))).truth, np.load(picture))


def test_kspace_is_given_as_it_is_in_a_file(scan):
    kspace = np.load(scan["full"])["kspace"]
    one, other = load_case("mri", kspace, acceleration=2), load_case("mri", scan["full"], acceleration=2)
    assert np.array_equal(one.observation.y, other.observation.y)
    again = load_case("mri", load_image(scan["full"]), acceleration=2)
    assert np.array_equal(again.observation.y, other.observation.y)


@pytest.mark.parametrize("image, words", [([[1.0]], "a name, a path or an array"), (3, "a name, a path or an array"),
                                          (np.ones((20, 20)), "constant"), (np.array(["a"]), "")])
def test_other_things_are_no_image(image, words):
    assert words in error_of(load_case, "denoising", image)


def test_an_array_has_no_slices(picture):
    assert "has no slices" in error_of(load_case, "denoising", np.load(picture), slice_index=0)


def test_numbers_of_numpy_are_numbers(picture):
    case = load_case("denoising", picture, seed=np.int64(3), sigma=np.float32(10))
    assert case.seed == 3 and type(case.seed) is int and type(case.settings["sigma"]) is float
    assert load_case("mri", picture, coils=np.int32(2)).settings["coils"] == 2
    assert "seed must be a whole number" in error_of(load_case, "denoising", picture, seed=np.float64(1.5))
