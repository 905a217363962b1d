"""CT as a task: the scale of A, data from a finer grid, photon noise, units, the classic methods."""

import math

import numpy as np
import pytest
import torch
from checks import error_of, generator
from hypothesis import given, settings
from hypothesis import strategies as st

from aseqdip_lite import configure, dot_test, load_case, reconstruct
from aseqdip_lite.case import robust_peak
from aseqdip_lite.images import Image, KSpace, load_image
from aseqdip_lite.images.dicom import attenuation
from aseqdip_lite.images.phantoms import ellipse_image
from aseqdip_lite.operators.ct import ct_operator
from aseqdip_lite.operators.projectors import disc, equal_angles
from aseqdip_lite.run.metrics import psnr
from aseqdip_lite.tasks.ct import CT, MU_WATER, fine_object, transmission

ELLIPSES = ((1.0, 0.5, 0.7, 0.1, -0.1, 30.0), (0.6, 0.15, 0.1, -0.2, 0.3, -20.0))


def phantom(size=32):
    return ellipse_image(ELLIPSES, size)


def as_tensor(truth, case):
    return torch.from_numpy(truth)[None, None] / case.observation.scale


@pytest.fixture(scope="module")
def head(smoke_case):
    return smoke_case("ct")


# The operator and the observation.

@pytest.mark.parametrize("kind", ["matrix", "rotation"])
def test_norm_of_A_is_1_and_its_adjoint_exact(kind):
    A = ct_operator(kind, 32, equal_angles(9), 51)
    assert A.norm(iterations=40, seed=5) == pytest.approx(1, abs=1e-4)
    assert dot_test(A, tol=1e-10) <= 1e-10
    assert dot_test(A, double=False, tol=1e-6) <= 1e-6


@pytest.mark.parametrize("views, tolerance", [(1, 0.02), (2, 1e-4), (6, 1e-4), (40, 1e-4)])
def test_norm_is_the_largest_singular_value(views, tolerance):
    A = ct_operator("matrix", 16, equal_angles(views), 27)
    matrix = A.projector.matrix.to_dense().double()
    assert float(torch.linalg.matrix_norm(A.factor * matrix, 2)) == pytest.approx(1, abs=tolerance)


def test_operators_are_kept_by_their_geometry_in_bounded_number():
    first = ct_operator("matrix", 16, equal_angles(6), 27)
    assert ct_operator("matrix", 16, equal_angles(6), 27) is first
    for views in (2, 3, 4, 5):
        ct_operator("matrix", 16, equal_angles(views), 27)
    assert ct_operator.cache_info().currsize <= 2
    assert ct_operator("matrix", 16, equal_angles(6), 27) is not first


def test_start_is_the_multiple_of_the_back_projection_that_fits_best(head):
    o = head.observation
    back = o.A.adjoint(o.y)
    ratio = o.start / back
    inside = o.A.projector.disc == 1
    factor = float(ratio[0, 0][inside][0])
    torch.testing.assert_close(o.start, factor * back)
    residuals = [float((o.A(t * o.start) - o.y).norm()) for t in (0.98, 1.0, 1.02)]
    assert min(residuals) == residuals[1]
    assert robust_peak(o.start) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("factor, methods, tolerance", [
    (7, ("fbp", "tv"), 1e-2),  # of seven, roundings differ, and Adam turns them into whole steps
    (8, ("fbp", "tv", "aseqdip"), 1e-5)])
def test_scaling_the_object_scales_the_answer_alone(factor, methods, tolerance):
    budgets = dict(fbp={}, tv=dict(iterations=20), aseqdip=dict(steps=4))
    image = Image("phantom", phantom())
    one = CT(views=9).observe(image)
    large = CT(views=9).observe(Image("phantom", factor * image.array))
    assert large.observation.scale == pytest.approx(factor * one.observation.scale, rel=1e-5)
    torch.testing.assert_close(large.observation.y, one.observation.y, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(large.observation.start, one.observation.start, rtol=1e-4, atol=1e-5)
    for method in (configure(name, "ct", **budgets[name]) for name in methods):
        answers = [reconstruct(case, method, progress=False) for case in (one, large)]
        shown = [case.display(result.answer) for case, result in zip((one, large), answers, strict=True)]
        np.testing.assert_allclose(shown[1], factor * shown[0], rtol=tolerance, atol=tolerance)
        assert answers[1].metrics["psnr"]["final"] == pytest.approx(answers[0].metrics["psnr"]["final"],
                                                                    abs=min(0.02, 100 * tolerance))


def test_the_same_seed_gives_the_same_data():
    first, again, other = (load_case("ct", "ct-spine", profile="smoke", i0=1e5, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.observation.y, again.observation.y)
    assert not torch.equal(first.observation.y, other.observation.y)
    np.testing.assert_array_equal(first.truth, other.truth)


# No inverse crime.

def test_data_come_from_a_finer_grid_of_which_the_truth_is_the_mean(head):
    o, image = head.observation, load_image("ct-head")
    fine = fine_object(image, 64)
    assert fine.shape == (128, 128)
    np.testing.assert_allclose(head.truth, fine.reshape(64, 2, 64, 2).mean(axis=(1, 3)), rtol=1e-6)
    crime = o.A(as_tensor(head.truth, head))
    difference = float((crime - o.y).norm() / o.y.norm())
    assert 1e-3 < difference < 2e-2  # other data than A's of the truth, but of the same object
    assert "projected from a grid twice as fine" in head.notes
    np.testing.assert_allclose(crime.sum(dim=-1), o.y.sum(dim=-1), rtol=1e-4)  # no mass is lost


def test_a_users_image_is_interpolated_too_not_replicated():
    fine = fine_object(Image("phantom", phantom()), None)
    assert fine.shape == (64, 64)
    blocks = fine.reshape(32, 2, 32, 2)
    assert np.abs(blocks - blocks.mean(axis=(1, 3), keepdims=True)).max() > 0.05
    assert np.linalg.norm(blocks.mean(axis=(1, 3)) - phantom()) < 0.05 * np.linalg.norm(phantom())


# Photons.

def test_noise_has_the_stated_level_and_no_bias():
    sinogram, mu, i0 = torch.full((400, 500), 20.0, dtype=torch.float64), 0.05, 1e4
    noisy, std, starved = transmission(sinogram, i0, mu, generator())
    expected = 1 / (mu * math.sqrt(i0 * math.exp(-mu * 20)))
    assert starved == 0
    assert std == pytest.approx(expected, rel=0.01)
    assert float(noisy.std()) == pytest.approx(expected, rel=0.01)
    assert float(noisy.mean()) == pytest.approx(20, abs=0.01)


def test_rays_without_a_photon_count_as_one_photon():
    noisy, std, starved = transmission(torch.full((3, 4), 1e6, dtype=torch.float64), 100.0, 0.05, generator())
    assert starved == 12
    np.testing.assert_allclose(noisy, math.log(100) / 0.05, rtol=1e-12)
    assert std == pytest.approx(1 / 0.05)


def test_many_photons_are_as_good_as_no_noise():
    clean, bright, dim = (load_case("ct", "shepp-logan", profile="smoke", i0=i0) for i0 in (None, 1e12, 1e4))

    def error(case):
        return float((case.observation.y * case.observation.scale
                      - clean.observation.y * clean.observation.scale).square().mean().sqrt())
    assert error(bright) < 1e-4 * error(dim)
    assert dim.observation.noise_std * dim.observation.scale == pytest.approx(error(dim), rel=0.1)
    assert clean.observation.noise_std == 0
    assert "0 of 1710 rays without a photon, counted as one photon" in dim.notes


def test_the_field_of_view_sets_how_much_is_absorbed():
    sinogram = torch.full((2, 3), 30.0, dtype=torch.float64)  # 30 of 64 pixels of water
    for fov in (50.0, 200.0):
        _, std, _ = transmission(sinogram, 1e9, MU_WATER * fov / 64, generator())
        assert std * MU_WATER * fov / 64 == pytest.approx(math.exp(MU_WATER * fov * 30 / 64 / 2) / 1e9**0.5, rel=1e-3)
    starved = load_case("ct", profile="smoke", i0=10.0, fov=2000.0)
    assert starved.settings["fov"] == 2000
    assert any(note.endswith("rays without a photon, counted as one photon") and not note.startswith("0 ")
               for note in starved.notes)
    assert torch.isfinite(starved.observation.y).all()


def test_the_field_of_view_is_the_files_if_it_tells():
    tall = np.pad(phantom(), ((4, 4), (0, 0)))
    fields = {spacing: CT(views=6).observe(Image("mine", tall, spacing_mm=spacing)).settings["fov"]
              for spacing in (None, 0.5, 2.0)}
    assert fields == {None: 250.0, 0.5: 20.0, 2.0: 80.0}
    assert CT(views=6, fov=7.0).observe(Image("mine", tall, spacing_mm=2.0)).settings["fov"] == 7
    for name, side in (("ct-head", 512 * 0.431), ("ct-spine", 128 * 0.661468), ("ct-brain", 217), ("shepp-logan", 250)):
        for size in (32, 64):  # resampling does not move the edges
            found = load_case("ct", name, profile="smoke", size=size, views=6).settings["fov"]
            assert found == pytest.approx(side), name


def test_more_of_the_same_material_absorbs_more():
    noise = [CT(views=6, i0=1e5).observe(Image("mine", phantom(), spacing_mm=spacing)).observation.noise_std * spacing
             for spacing in (1.0, 4.0)]
    assert noise[1] > 1.2 * noise[0]  # mu per pixel is proportional to the spacing, and divides the noise


# Field of view, window and units.

def test_truth_and_answers_end_at_the_field_of_view(head, tmp_path):
    outside = disc(64).numpy() == 0
    assert (head.truth[outside] == 0).all()
    result = reconstruct(head, configure("vanilla", "ct", steps=2), progress=False)
    assert (result.answer[0, 0].numpy()[outside] != 0).any()
    assert (head.display(result.answer)[outside] == 0).all()
    result.save(tmp_path)
    assert (np.load(tmp_path / "recon.npy")[outside] == 0).all()


def test_metrics_use_the_stated_window_in_attenuation(head):
    assert head.window == (0.0, head.data_range)
    assert head.data_range == pytest.approx(head.truth.max())
    assert 2 < head.truth.max() < 3  # dense bone, relative to water
    narrow = load_case("ct", profile="smoke", window=2.0)
    assert (narrow.data_range, narrow.window) == (2.0, (0.0, 2.0))
    metrics = reconstruct(narrow, configure("fbp", "ct"), progress=False).metrics
    shown = narrow.display(configure("fbp", "ct").solve(narrow.observation))
    assert metrics["data_range"] == 2.0
    assert metrics["psnr"]["final"] == pytest.approx(psnr(shown, narrow.truth, 2.0), abs=1e-6)


def test_hounsfield_units_are_converted_when_told_and_suspected_otherwise():
    hu = (1000 * (phantom() - 1)).astype(np.float32)
    case = CT(views=9, unit="hu").observe(Image("hu.npy", hu))
    same = CT(views=9).observe(Image("mu.npy", attenuation(hu)))
    np.testing.assert_allclose(case.truth, same.truth, atol=1e-5)
    assert error_of(lambda: CT().observe(Image("hu.npy", hu))) == (
        "hu.npy has values down to -1000, which no attenuation has: if they are Hounsfield units, add --unit hu")
    assert error_of(lambda: CT(unit="hu").observe(Image("mu.npy", phantom()))) == (
        "mu.npy has no value below 0 as air has in Hounsfield units: store them with a sign, or leave --unit at mu")


def test_values_below_0_become_0():
    dirty = phantom()
    dirty[dirty == 0] = -0.5
    np.testing.assert_array_equal(CT(views=9).observe(Image("dirty", dirty)).truth,
                                  CT(views=9).observe(Image("clean", phantom())).truth)


@pytest.mark.parametrize("shape", [(20, 33), (40, 17)])
def test_images_of_any_shape_are_padded_to_a_square(shape):
    side = max(shape)
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    case = CT(views=9).observe(Image("mine.npy", image))
    assert case.truth.shape == (side, side) == tuple(case.settings["size"])
    rows, columns = np.nonzero(case.truth > 0.05)
    for found, length in ((rows, shape[0]), (columns, shape[1])):
        assert abs(found.min() - (side - length) // 2) <= 1 + (side == length) * side
        assert found.max() - found.min() <= length + 1


@given(st.tuples(st.integers(16, 40), st.integers(16, 40)), st.integers(1, 40), st.sampled_from([None, 1e3, 1e6]),
       st.integers(0, 3))
@settings(max_examples=15)
def test_any_size_views_and_dose(shape, views, i0, seed):
    """The adjoint is exact, ||A|| is about 1, the noise level is positive if and only if there is noise."""
    image = np.random.default_rng(seed).random(shape).astype(np.float32) + 0.1
    case = CT(views=views, i0=i0).observe(Image("mine.npy", image), seed)
    observation = case.observation
    dot_test(observation.A)
    assert observation.y.shape[1:] == observation.A.out_shape and case.settings["views"] == views
    assert float(observation.A.norm(iterations=10)) == pytest.approx(1, abs=0.03)
    assert (observation.noise_std > 0) == (i0 is not None)
    assert bool(torch.isfinite(observation.start).all()) and case.truth.min() >= 0


def test_rgb_is_averaged_to_gray():
    colour = np.stack([phantom(), 2 * phantom(), 3 * phantom()], axis=-1)
    np.testing.assert_allclose(CT(views=9).observe(Image("rgb", colour)).truth,
                               CT(views=9).observe(Image("gray", 2 * phantom())).truth, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["ct-head", "ct-spine", "ct-brain", "ct-brain-064", "shepp-logan"])
def test_shipped_images_are_attenuations(name):
    image = load_image(name).array
    assert image.ndim == 2 and image.dtype == np.float32
    assert image.min() >= 0
    assert 0.6 < image.max() < 3.2
    assert load_case("ct", name, profile="smoke", size=32, views=6).truth.shape == (32, 32)


# Views.

def test_angles_in_degrees_replace_equal_spacing():
    equal = load_case("ct", profile="smoke", views=3, size=32)
    given = load_case("ct", profile="smoke", angles="0, 60,120", size=32)
    assert given.settings["views"] == 3
    torch.testing.assert_close(given.observation.y, equal.observation.y)
    assert not any("--views" in note for note in given.notes)
    one = load_case("ct", profile="smoke", angles="3", size=32)
    assert one.settings["views"] == 1 and one.observation.A.projector.angles == pytest.approx(np.radians([3]))
    assert "angles 3 is one view, at that angle: --views N gives N views" in one.notes
    irregular = load_case("ct", profile="smoke", angles="5,17.5,100,101", size=32)
    assert irregular.observation.A.projector.angles == pytest.approx(np.radians([5, 17.5, 100, 101]))


@pytest.mark.parametrize("settings, message", [
    (dict(angles="0,10,190"), "the views at 10 and 190 degrees measure the same rays: "
                              "angles must be distinct modulo 180 degrees"),
    (dict(angles="0,ten"), "angles must be numbers of degrees separated by commas, got '0,ten'"),
    (dict(angles=""), "angles must be numbers of degrees separated by commas, got ''"),
    (dict(angles="0,inf"), "the angles of the views must be finite"),
])
def test_bad_settings(settings, message):
    assert error_of(lambda: load_case("ct", profile="smoke", **settings)) == message


@pytest.mark.parametrize("image, message", [
    (KSpace("scan.h5", np.ones((1, 32, 32), dtype=np.complex64)),
     "scan.h5 is not a picture of attenuation: ct needs real values (H, W), not k-space"),
    (Image("c.npy", np.full((32, 32), 1j, dtype=np.complex64)),
     "c.npy is not a picture of attenuation: ct needs real values (H, W), not k-space"),
    (Image("corner.npy", np.eye(1, 1024, dtype=np.float32).reshape(32, 32)),
     "corner.npy is empty inside the field of view, the disc inscribed in the square"),
    (Image("wide.npy", np.ones((16, 2049), dtype=np.float32)),
     "wide.npy is 2049 pixels wide: CT takes at most 2048, resample it first"),
])
def test_bad_images(image, message):
    assert error_of(lambda: CT().observe(image)) == message


# Methods.

def test_methods_of_ct_run_and_improve_on_one_another(smoke_case):
    case = smoke_case("ct", size=32, views=12)
    scores = {}
    for name in ("aseqdip", "vanilla", "fbp", "cgls", "sirt", "tv"):
        steps = 6 if name in ("aseqdip", "vanilla") else None
        metrics = reconstruct(case, configure(name, "ct", "smoke", steps), progress=False).metrics
        assert metrics["stop_reason"] == "budget"
        scores[name] = metrics["psnr"]
    assert all(math.isfinite(score["final"]) for score in scores.values())
    assert scores["fbp"]["start"] + 3 < scores["fbp"]["final"] < scores["tv"]["final"] - 1


@pytest.mark.parametrize("projector", ["matrix", "rotation"])
def test_fbp_of_a_case_with_180_views_recovers_the_object(projector):
    case = CT(views=180, projector=projector).observe(Image("phantom", phantom(64)))
    answer = case.display(configure("fbp", "ct").solve(case.observation))
    assert psnr(answer, case.truth, 1.0) > 26
    assert answer.sum() == pytest.approx(case.truth.sum(), rel=0.01)


# Arrays in other units.

def scan_of(offset, dtype):
    """Air, water and an insert of 400 HU in Hounsfield units plus an offset."""
    return (1000 * (phantom() - 1) + 400 * (phantom() > 0.9) * (np.arange(len(phantom())) > 16) + offset).astype(dtype)


@pytest.mark.parametrize("array, words", [
    (scan_of(0, np.float32) / 1000, "HU / 1000, add 1; if a picture scaled to [-1, 1], add 1 and halve"),
    (scan_of(1024, np.uint16), "Hounsfield units plus an offset, as HU + 1024, subtract it and add --unit hu"),
    (scan_of(1000, np.float32), "Hounsfield units plus an offset, as HU + 1024, subtract it and add --unit hu"),
    (scan_of(0, np.int16).astype(np.uint16), "Hounsfield units plus an offset, as HU + 1024, subtract it and add"),
    (np.clip((scan_of(0, np.float32) + 160) / 400 * 255, 0, 255).astype(np.uint8), "gray levels of 8 bit, divide them"),
])
def test_arrays_in_other_units_are_refused_with_a_guess(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    said = error_of(load_case, "ct", str(tmp_path / "a.npy"))
    assert said.startswith("a.npy has values ") and words in said
    said = error_of(load_case, "ct", str(tmp_path / "a.npy"), unit="hu")
    assert said.startswith("a.npy has ") and "leave --unit at mu" not in said
    np.savez(tmp_path / "a.npz", hu=array)
    assert error_of(load_case, "ct", str(tmp_path / "a.npz")).startswith(f"{tmp_path}/a.npz: 'hu' has ")


def test_what_the_guesses_propose_reads_right(tmp_path):
    right = np.maximum(1 + scan_of(0, np.float32) / 1000, 0)
    np.savez(tmp_path / "hu.npz", hu=scan_of(0, np.int16))
    np.save(tmp_path / "mu.npy", scan_of(0, np.float32) / 1000 + 1)
    for name in ("hu.npz", "mu.npy"):
        np.testing.assert_allclose(load_image(tmp_path / name).array, right, atol=1e-3)
        assert load_case("ct", str(tmp_path / name), views=6).notes[0] == "projected from a grid twice as fine"


def test_attenuation_in_inverse_lengths_is_named():
    case = CT(views=6).observe(Image("cm.npy", (0.193 * phantom() / phantom().max()).astype(np.float32)))
    assert case.notes[0] == ("its largest value is 0.193, water being 1: 1/cm or 1/mm would be divided by 0.193 or "
                             "0.0193")


def test_noise_below_0_and_metal_are_attenuation():
    noisy = phantom() + np.random.default_rng(0).normal(0, 0.1, phantom().shape)
    noisy[15:18, 15:18] = 25
    assert CT(views=6).observe(Image("a.npy", noisy.astype(np.float32))).truth.max() > 15
