"""MRI: operator against sigpy's, coil maps, noise level and scale, what is held out, a real scan."""

import numpy as np
import pytest
import sigpy
import torch
from checks import error_of, generator
from hypothesis import given
from hypothesis import strategies as st
from sigpy.mri.linop import Sense

from aseqdip_lite import InputError, dot_test, load_case, reconstruct
from aseqdip_lite.case import robust_peak
from aseqdip_lite.images import Image, KSpace, load_image
from aseqdip_lite.methods import configure
from aseqdip_lite.methods.aseqdip import ASeqDIP
from aseqdip_lite.operators.mri import Fourier, MRIOperator, espirit_maps, simulated_maps
from aseqdip_lite.operators.sampling import PATTERNS, calibration_width, column_mask
from aseqdip_lite.run.metrics import residual
from aseqdip_lite.tasks.mri import MRI, smooth_phase


def complex_randn(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


# The operator.

@pytest.mark.parametrize("h, w", [(8, 8), (7, 7), (8, 7), (7, 10), (1, 6), (5, 1)])
def test_fourier_is_the_centred_unitary_fft(h, w):
    F, x = Fourier((2, h, w)), complex_randn(1, 2, h, w)
    expected = torch.from_numpy(sigpy.fft(x.numpy(), axes=(-2, -1), center=True, norm="ortho"))
    torch.testing.assert_close(F(x), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(F.adjoint(F(x)), x, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(F(F.adjoint(x)), x, rtol=1e-12, atol=1e-12)
    assert F(x).norm() == pytest.approx(x.norm())


@pytest.mark.parametrize("h, w", [(8, 8), (7, 9), (8, 5)])
def test_zero_frequency_lies_at_the_index_half_the_size(h, w):
    k = Fourier((1, h, w))(torch.ones(1, 1, h, w, dtype=torch.complex128))
    expected = torch.zeros_like(k)
    expected[..., h // 2, w // 2] = (h * w) ** 0.5
    torch.testing.assert_close(k, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("two_dimensional", [False, True], ids=["columns", "points"])
@pytest.mark.parametrize("coils", [1, 2, 3, 8, 15])
def test_operator_agrees_with_sigpy(coils, two_dimensional):
    h, w = 10, 11
    maps, x = complex_randn(coils, h, w, seed=1), complex_randn(1, 1, h, w, seed=2)
    y = complex_randn(1, coils, h, w, seed=3)
    mask = (torch.rand((h, w) if two_dimensional else (w,), generator=generator(4)) < 0.5).double()
    A = MRIOperator(maps, mask)
    theirs = Sense(maps.numpy(), weights=np.broadcast_to(mask.numpy(), (h, w)))
    torch.testing.assert_close(A(x)[0], torch.from_numpy(theirs(x[0, 0].numpy())), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(A.adjoint(y)[0, 0], torch.from_numpy(theirs.H(y[0].numpy())), rtol=1e-12, atol=1e-12)


def test_maps_and_mask_stay_readable_after_conversion():
    A = MRIOperator(complex_randn(2, 4, 5), torch.ones(5)).to(double=True)
    assert A.sens_maps.dtype == torch.complex128 and A.sens_maps.shape == (2, 4, 5)
    assert A.mask.dtype == torch.float64 and A.mask.shape == (5,)


@pytest.mark.parametrize("coils", [1, 2, 8, 15])
def test_norm_is_one_for_maps_of_unit_rss(coils):
    full = MRIOperator(simulated_maps(coils, (16, 15)), torch.ones(15))
    assert full.norm() == pytest.approx(1, abs=1e-5)
    half = MRIOperator(simulated_maps(coils, (16, 15)), column_mask(15, 2, generator()))
    assert half.norm() <= 1 + 1e-5


# Coil maps.

@pytest.mark.parametrize("shape", [(16, 16), (17, 20)])
@pytest.mark.parametrize("coils", [1, 2, 4, 15])
def test_simulated_maps_have_unit_rss(coils, shape):
    maps = simulated_maps(coils, shape)
    assert maps.shape == (coils, *shape) and maps.dtype == torch.complex64
    torch.testing.assert_close(maps.abs().square().sum(dim=0), torch.ones(shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size, acceleration, coils, worst, typical", [
    (96, 2, 8, 0.99, 0.9999),    # calibration 16 wide; measured 0.9954 and 0.99999
    (96, 4, 8, 0.96, 0.9998),    # calibration  8 wide; measured 0.9705 and 0.99992
    (128, 4, 8, 0.97, 0.9999),   # calibration 10 wide; measured 0.9792 and 0.99996
])
def test_espirit_maps_equal_the_true_ones_up_to_a_phase(size, acceleration, coils, worst, typical, smoke_case):
    case = smoke_case("mri", size=size, acceleration=acceleration, coils=coils)
    maps = espirit_maps(case.observation.y[0], case.observation.A.mask)
    inside = torch.from_numpy(case.truth > 0.1 * case.truth.max())
    # both sides have unit norm, so |<S_estimated, S_true>| = 1 where they agree up to a phase
    agreement = (maps.conj() * case.observation.A.sens_maps).sum(dim=0).abs()[inside]
    assert maps.dtype == torch.complex64 and maps.shape == (coils, size, size)
    assert agreement.min() >= worst
    assert agreement.median() >= typical
    assert agreement.max() <= 1 + 1e-5
    rss = maps.abs().square().sum(dim=0)
    torch.testing.assert_close(rss[inside], torch.ones(int(inside.sum())), rtol=1e-5, atol=1e-5)


def test_espirit_maps_do_not_depend_on_the_scale_of_y(smoke_case):
    observation = smoke_case("mri", size=64, acceleration=2).observation
    maps = espirit_maps(observation.y[0], observation.A.mask)
    torch.testing.assert_close(espirit_maps(1000 * observation.y[0], observation.A.mask), maps, rtol=1e-4, atol=1e-4)


def test_reconstruction_with_espirit_maps():
    case = load_case("mri", profile="smoke", acceleration=2, maps="espirit")
    true = load_case("mri", profile="smoke", acceleration=2)
    assert torch.equal(case.observation.A.mask, true.observation.A.mask)
    assert not torch.allclose(case.observation.A.sens_maps, true.observation.A.sens_maps)
    result = reconstruct(case, ASeqDIP(K=2), progress=False)
    assert result.metrics["settings"]["maps"] == "espirit"
    assert all(np.isfinite(result.curve["psnr"])) and len(result.curve["psnr"]) == 4
    # the adjoint through estimated maps is as good an image as through the true ones: measured 20.9 and 20.9 dB
    true_start = reconstruct(true, ASeqDIP(K=1), steps=1, progress=False).metrics["psnr"]["start"]
    assert result.metrics["psnr"]["start"] == pytest.approx(true_start, abs=0.5)


def test_espirit_with_too_few_lines_is_refused():
    assert error_of(lambda: load_case("mri", profile="smoke", maps="espirit")).startswith(
        "ESPIRiT needs a fully sampled centre of at least 6 lines, got 5: use a lower acceleration, a larger image")


def test_espirit_maps_from_the_square_of_a_mask_of_points():
    """24 calibration lines in both directions give better maps than the 8 of columns (measured 0.9705 at 4x)."""
    case = load_case("mri", profile="smoke", size=96, coils=8, pattern="variable-density")
    assert calibration_width(case.observation.A.mask) == 24
    maps = espirit_maps(case.observation.y[0], case.observation.A.mask)
    inside = torch.from_numpy(case.truth > 0.1 * case.truth.max())
    agreement = (maps.conj() * case.observation.A.sens_maps).sum(dim=0).abs()[inside]
    assert agreement.min() >= 0.99 and agreement.median() >= 0.9999


# The observation.

def test_a_scan_too_large_for_memory_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr("aseqdip_lite.tasks.mri.MOST_SAMPLES", 4 * 32 * 32)
    assert load_case("mri", size=32, coils=4).observation.y.shape == (1, 4, 32, 32)
    assert error_of(lambda: load_case("mri", size=32, coils=5)) == (
        "5 coils of 32 x 32 pixels are too large: at most 4 coils at this size")


@given(size=st.integers(16, 60), coils=st.integers(1, 15), pattern=st.sampled_from(PATTERNS),
       acceleration=st.floats(1, 6), snr=st.none() | st.floats(0, 60), holdout=st.sampled_from([None, 0.3]),
       seed=st.integers(0, 2**63 - 1))
def test_any_setting_gives_an_adjoint_pair_and_data_on_the_mask(size, coils, pattern, acceleration, snr, holdout, seed):
    settings = dict(size=size, coils=coils, pattern=pattern, acceleration=acceleration, snr=snr)
    whole = load_case("mri", seed=seed, **settings)
    try:
        case = load_case("mri", seed=seed, holdout=holdout, **settings)
    except InputError as error:  # a small mask may have nothing to hold out
        assert "holdout 0.3 takes 0 of the" in str(error)
        return
    observation = case.observation
    assert dot_test(observation.A) < 1e-10
    assert observation.A.norm(iterations=5) <= 1 + 1e-5
    assert observation.y.shape == (1, coils, size, size) and observation.start.shape == (1, 1, size, size)
    assert (observation.y[..., observation.A.mask.expand(size, size) == 0] == 0).all()
    assert robust_peak(observation.start) == pytest.approx(1, rel=1e-5)
    y = observation.y * observation.scale
    if holdout is not None:
        assert torch.equal(case.heldout[0].mask + observation.A.mask, whole.observation.A.mask)
        y = y + case.heldout[1] * observation.scale
    torch.testing.assert_close(y, whole.observation.y * whole.observation.scale, rtol=1e-5, atol=1e-6)


def test_paper_profile_runs():
    """15 coils at 320 x 320, as published; the network of the lessons."""
    case = load_case("mri", profile="paper")
    assert case.observation.y.shape == (1, 15, 320, 320) and int(case.observation.A.mask.sum()) == 80
    assert dot_test(case.observation.A) < 1e-10
    result = reconstruct(case, ASeqDIP(K=1), progress=False)
    assert len(result.curve["loss"]) == 2 and np.isfinite(result.curve["psnr"]).all()


def test_points_tell_more_than_columns():
    """At equal acceleration the adjoint of points is nearer to the truth: 22.8 dB, against 16.4 and 17.1 of columns."""
    psnr = {pattern: reconstruct(load_case("mri", profile="smoke", pattern=pattern), configure("zero_filled", "mri"),
                                 progress=False).metrics["psnr"]["final"] for pattern in PATTERNS}
    assert psnr["variable-density"] > max(psnr["random"], psnr["equispaced"]) + 3


def test_fully_sampled_and_noiseless_start_is_the_truth():
    case = load_case("mri", profile="smoke", acceleration=1, snr=None)
    assert case.observation.A.mask.all()
    np.testing.assert_allclose(case.display(case.observation.start), case.truth, atol=1e-5)


def test_measurements_are_the_operator_on_the_truth_plus_noise_on_sampled_columns():
    clean, noisy = (load_case("mri", profile="smoke", snr=snr) for snr in (None, 20.0))
    observation = noisy.observation
    assert torch.equal(observation.A.mask, clean.observation.A.mask)
    assert (observation.y[..., observation.A.mask == 0] == 0).all()
    assert (observation.y[..., observation.A.mask == 1] != 0).all()
    assert clean.observation.noise_std == 0


@pytest.mark.parametrize("snr", [-5.0, 10.0, 30.0, 60.0])
def test_measured_snr_is_the_asked_one(snr):
    settings = dict(profile="smoke", acceleration=1)
    clean, noisy = (load_case("mri", snr=value, **settings).observation for value in (None, snr))
    signal, noise = clean.y * clean.scale, noisy.y * noisy.scale - clean.y * clean.scale
    assert float(20 * torch.log10(signal.norm() / noise.norm())) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize("pattern, acceleration", [("random", 4), ("random", 8), ("equispaced", 4),
                                                   ("variable-density", 2)])
def test_noise_of_the_receivers_does_not_know_the_mask(pattern, acceleration):
    whole = load_case("mri", profile="smoke", acceleration=1, snr=10.0).observation
    clean, noisy = (load_case("mri", profile="smoke", acceleration=acceleration, pattern=pattern, snr=value).observation
                    for value in (None, 10.0))
    assert noisy.noise_std * noisy.scale == pytest.approx(whole.noise_std * whole.scale, rel=1e-5)
    noise = noisy.y * noisy.scale - clean.y * clean.scale
    samples = torch.view_as_real(noise[..., noisy.A.mask == 1])  # (1, coils, ..., 2) of what is sampled alone
    assert float(samples.std()) == pytest.approx(noisy.noise_std * noisy.scale, rel=0.05)
    assert abs(float(samples.mean())) < 5 * float(samples.std()) / samples.numel() ** 0.5


@pytest.mark.parametrize("factor, tolerance", [(2.0, 0), (0.125, 0), (3.0, 1e-5)])
def test_scale_follows_y_and_nothing_else_changes(factor, tolerance):
    array = load_image("brain-070").array
    one, other = (MRI(coils=4, size=64).observe(Image("scaled", c * array, shipped=True)) for c in (1.0, factor))
    ours, theirs = one.observation, other.observation
    assert theirs.scale == pytest.approx(factor * ours.scale, rel=tolerance)
    torch.testing.assert_close(theirs.y, ours.y, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(theirs.start, ours.start, rtol=tolerance, atol=tolerance)
    assert theirs.noise_std == pytest.approx(ours.noise_std, rel=tolerance)
    assert other.data_range == pytest.approx(factor * one.data_range)


def test_scale_is_a_statistic_of_the_adjoint_image(smoke_case):
    observation = smoke_case("mri").observation
    torch.testing.assert_close(observation.A.adjoint(observation.y), observation.start)
    assert robust_peak(observation.start) == pytest.approx(1, rel=1e-5)
    assert robust_peak(observation.A.adjoint(observation.y * observation.scale)) == pytest.approx(observation.scale)


def scan(factor=1.0, **fields):
    """A simulated fully sampled scan of 4 coils as if it had been measured."""
    truth = load_case("mri", profile="smoke", acceleration=1)
    kspace = (truth.observation.y * truth.observation.scale * factor)[0].numpy()
    return KSpace("scan", kspace, **fields)


def test_scale_of_a_measured_scan_does_not_see_its_reference():
    reference = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    plain, known = MRI(acceleration=2).observe(scan()), MRI(acceleration=2).observe(scan(reference=7 * reference))
    assert plain.truth is None and known.truth is not None
    assert plain.observation.scale == known.observation.scale
    assert torch.equal(plain.observation.y, known.observation.y)
    assert MRI(acceleration=2).observe(scan(4.0)).observation.scale == pytest.approx(4 * plain.observation.scale,
                                                                                     rel=1e-4)


def test_measured_scan_keeps_its_mask_and_is_undersampled_otherwise():
    mask = column_mask(64, 2, generator(5)).numpy()
    given = MRI().observe(scan(mask=mask))
    assert np.array_equal(given.observation.A.mask.numpy(), mask)
    assert "retrospectively undersampled" not in given.notes
    assert given.settings["acceleration"] is None and given.settings["sampled"] == pytest.approx(mask.mean())
    drawn = MRI(acceleration=2).observe(scan())
    assert int(drawn.observation.A.mask.sum()) == 32
    assert "retrospectively undersampled" in drawn.notes
    assert (drawn.observation.y[..., drawn.observation.A.mask == 0] == 0).all()
    assert drawn.observation.noise_std is None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_full_scan_is_undersampled_by_the_asked_pattern(pattern):
    case = MRI(acceleration=2, pattern=pattern).observe(scan())
    mask = case.observation.A.mask.expand(64, 64)
    assert case.settings["pattern"] == pattern and "retrospectively undersampled" in case.notes
    assert case.settings["sampled"] == pytest.approx(0.5, abs=1 / 64)
    assert (case.observation.y[..., mask == 0] == 0).all()


def test_reference_smaller_than_the_field_of_view_is_compared_with_the_centre():
    case = MRI(acceleration=2).observe(scan(reference=np.ones((40, 30), np.float32)))
    shown = case.display(case.observation.start)
    whole = (case.observation.start * case.observation.scale)[0, 0].abs().numpy()
    np.testing.assert_allclose(shown, whole[12:52, 17:47], rtol=1e-6)


def test_case_is_determined_by_its_seed(smoke_case):
    again, other = load_case("mri", profile="smoke"), load_case("mri", profile="smoke", seed=1)
    assert torch.equal(again.observation.y, smoke_case("mri").observation.y)
    assert not torch.equal(other.observation.A.mask, again.observation.A.mask)
    assert not torch.equal(other.observation.y, again.observation.y)
    np.testing.assert_array_equal(other.truth, again.truth)


def test_phase_is_smooth_and_the_truth_is_a_magnitude(smoke_case):
    phase = smooth_phase((64, 48), generator())
    assert phase.shape == (64, 48) and phase.std() > 0.1
    assert max(phase.diff(dim=0).abs().max(), phase.diff(dim=1).abs().max()) < 0.5  # radians per pixel
    assert smoke_case("mri").truth.min() >= 0 and smoke_case("mri").truth.dtype == np.float32


def test_complex_image_keeps_its_phase():
    image = complex_randn(32, 32, dtype=torch.complex64).numpy()
    case = MRI(acceleration=1, snr=None, coils=2).observe(Image("mine", image))
    start = (case.observation.start * case.observation.scale)[0, 0].numpy()
    np.testing.assert_allclose(start, image, atol=1e-5)
    np.testing.assert_allclose(case.truth, np.abs(image), rtol=1e-6)


# What is held out.

@pytest.mark.parametrize("pattern", PATTERNS)
def test_methods_do_not_see_what_is_held_out(pattern):
    """The residual on it is 0 for the truth without noise and 1 for no image; scale and start are made of the rest."""
    settings = dict(profile="smoke", acceleration=2, snr=None, pattern=pattern)
    case, whole = load_case("mri", holdout=0.2, **settings), load_case("mri", **settings)
    observation, (A, y) = case.observation, case.heldout
    assert not (observation.A.mask * A.mask).any()
    assert (observation.y[..., A.mask.expand(64, 64) == 1] == 0).all()
    torch.testing.assert_close(observation.start, observation.A.adjoint(observation.y))
    full = load_case("mri", **settings | dict(acceleration=1)).observation  # its adjoint is the truth
    truth = full.start * full.scale / observation.scale
    assert residual(A, y, truth) < 1e-5 and residual(observation.A, observation.y, truth) < 1e-5
    assert residual(A, y, 0 * truth) == residual(observation.A, observation.y, 0 * truth) == 1
    assert residual(A, y, observation.start) > 0.3
    assert whole.heldout is None and "held out" in case.notes[-1]
    assert case.to("cpu").heldout[0].mask.device.type == "cpu" and whole.to("cpu").heldout is None


def test_held_out_data_show_that_noise_is_fitted():
    """More conjugate gradient steps fit noisy data ever better, but not what was held out of them."""
    case = load_case("mri", profile="smoke", acceleration=2, snr=5.0, holdout=0.2)
    runs = [reconstruct(case, configure("sense", "mri", lamda=0.0, steps=steps), progress=False).metrics
            for steps in (3, 30)]
    early, late = (run["answers"]["final"] for run in runs)
    assert late["data_residual"] < 0.95 * early["data_residual"]
    assert late["heldout_residual"] > early["heldout_residual"] and late["psnr"] < early["psnr"]


def test_held_out_residual_is_recorded_and_printed():
    case = load_case("mri", profile="smoke", size=32, coils=2, acceleration=2, holdout=0.3)
    result = reconstruct(case, ASeqDIP(K=2), progress=False)
    answers, curve = result.metrics["answers"], result.curve["heldout_residual"]
    assert answers["final"]["heldout_residual"] == curve[-1]
    assert answers["oracle"]["heldout_residual"] == curve[int(np.argmax(result.curve["psnr"]))]
    assert result.metrics["settings"]["holdout"] == 0.3
    last = str(result).splitlines()[-1]
    assert last.startswith("the same, held out ") and f"{result.curve['heldout_residual'][-1]:9.4f}" in last


# A real scan, which has no truth.

def test_real_scan_with_its_own_maps(fetched):
    """8 coils, 8x Poisson disc: the mask of points, its calibration square, maps of unit norm, a fit that improves."""
    path = fetched("brain-real-8x")
    case = load_case("mri", path, holdout=0.05)
    A, y = case.observation.A, case.observation.y
    held, measured = case.heldout[0].mask, np.load(path)
    assert y.shape == (1, 8, 230, 180) and case.truth is None
    assert np.array_equal((A.mask + held).numpy(), (measured != 0).all(axis=0))
    assert calibration_width(A.mask) == 24 and float((A.mask + held).sum()) == 5148
    np.testing.assert_allclose((y * case.observation.scale)[0, :, 103:127, 78:102], measured[:, 103:127, 78:102],
                               rtol=1e-5)
    norms = A.sens_maps.abs().square().sum(dim=0)
    torch.testing.assert_close(norms[norms > 0], torch.ones(int((norms > 0).sum())), rtol=1e-5, atol=1e-5)
    assert 0.6 < float((norms > 0).float().mean()) < 0.9  # the head fills 77 % of the picture
    start = case.display(case.observation.start)
    assert start[norms == 0].max() == 0 and start[60:170, 45:135].mean() > 0.3 * start.max()
    assert "acceleration and pattern do not apply" in case.notes[1]
    assert [case.settings[name] for name in ("acceleration", "pattern", "snr", "maps")] == [None, None, None, "espirit"]
    result = reconstruct(case, configure("sense", "mri", steps=10), progress=False)
    for key in ("psnr", "ssim"):
        assert set(result.metrics[key].values()) == {None}
    for key in ("data_residual", "heldout_residual"):
        assert result.metrics["answers"]["final"][key] < 0.5 * result.metrics["answers"]["start"][key]
    text = str(result).splitlines()
    assert text[2].startswith("||A x - y|| / ||y|| ") and text[3].startswith("the same, held out ") and len(text) == 4


# Errors.

@pytest.mark.parametrize("settings, message", [
    (dict(acceleration=65), "acceleration must lie between 1 and the 64 columns of k-space, got 65.0"),
    (dict(acceleration=5000.0, pattern="variable-density"),
     "acceleration must lie between 1 and the 4096 points of k-space, got 5000"),
    (dict(holdout=0.01), "holdout 0.01 takes 0 of the 11 measured columns outside of the calibration centre"),
    (dict(accelaration=8), "unknown setting of mri 'accelaration': did you mean 'acceleration'? "
                           "known: acceleration, pattern, coils, snr, maps, holdout, size"),
    (dict(image="brain-071"), "unknown image 'brain-071': did you mean 'brain-07"),
    (dict(seed=-1), "seed must be a whole number of at least 0"),
])
def test_bad_settings(settings, message):
    assert error_of(lambda: load_case("mri", profile="smoke", **settings)).startswith(message)


def test_bad_scans():
    assert error_of(lambda: MRI().observe(scan(mask=np.zeros(64)))) == "scan: the sampling mask is empty"
    dark = Image("dark", np.zeros((32, 32), np.float32))
    assert error_of(lambda: MRI().observe(dark)) == (
        "the measurements contain no usable signal: the peak of |A^H y| is 0.0")
