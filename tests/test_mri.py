"""MRI: operator against sigpy's, masks, coil maps, noise level and scale."""

import numpy as np
import pytest
import sigpy
import torch
from draws import generator
from hypothesis import given
from hypothesis import strategies as st
from sigpy.mri.linop import Sense

from aseqdip_lite import InputError, load_case, reconstruct
from aseqdip_lite.case import robust_peak
from aseqdip_lite.images import Image, KSpace, load_image
from aseqdip_lite.methods.aseqdip import ASeqDIP
from aseqdip_lite.tasks.mri import (
    MRI,
    Fourier,
    MRIOperator,
    calibration_width,
    column_mask,
    espirit_maps,
    simulated_maps,
    smooth_phase,
)


def complex_randn(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


def error_of(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


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


# Masks.


@given(width=st.integers(8, 400), acceleration=st.sampled_from([4, 8]), seed=st.integers(0, 2**31))
def test_column_mask_counts_and_centre(width, acceleration, seed):
    mask = column_mask(width, acceleration, generator(seed))
    assert mask.shape == (width,) and mask.dtype == torch.float32
    assert set(mask.tolist()) <= {0.0, 1.0}
    assert int(mask.sum()) == round(width / acceleration)
    centre = max(round(0.32 / acceleration * width), 1)
    middle = width // 2
    assert mask[middle] == 1
    start = middle - centre // 2
    assert mask[start:start + centre].all()
    assert torch.equal(mask, column_mask(width, acceleration, generator(seed)))


@pytest.mark.parametrize("width, acceleration, sampled, centre", [
    (320, 4, 80, 26), (320, 8, 40, 13), (192, 4, 48, 15), (192, 8, 24, 8), (193, 4, 48, 15), (64, 4, 16, 5),
    (64, 8, 8, 3), (100, 1, 100, 32), (8, 8, 1, 1)])
def test_column_mask_at_named_sizes(width, acceleration, sampled, centre):
    masks = torch.stack([column_mask(width, acceleration, generator(seed)) for seed in range(40)])
    assert (masks.sum(dim=1) == sampled).all()
    always = masks.all(dim=0)  # 40 random draws leave no other column always sampled, unless all are
    assert int(always.sum()) == (width if acceleration == 1 else centre)
    assert bool(always[width // 2])


def test_column_mask_depends_on_the_seed():
    masks = {tuple(column_mask(64, 4, generator(seed)).tolist()) for seed in range(10)}
    assert len(masks) == 10


def test_column_mask_with_a_given_centre():
    mask = column_mask(20, 4, generator(), centre=5)
    assert mask.nonzero().flatten().tolist() == [8, 9, 10, 11, 12]
    assert int(column_mask(20, 4, generator(), centre=0).sum()) == 5


def test_column_mask_errors():
    assert error_of(lambda: column_mask(64, 65, generator())) == (
        "acceleration must lie between 1 and the 64 columns of k-space, got 65")
    assert error_of(lambda: column_mask(64, 0.5, generator())) == (
        "acceleration must lie between 1 and the 64 columns of k-space, got 0.5")
    assert error_of(lambda: column_mask(16, 8, generator(), centre=5)) == (
        "acceleration 8 leaves 2 of 16 columns, fewer than the 5 of the fully sampled centre")


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


def test_calibration_width_is_the_largest_full_square():
    assert calibration_width(torch.ones(64, 64)) == 24
    assert calibration_width(torch.ones(64, 10)) == 10
    assert calibration_width(torch.zeros(16, 16)) == 0
    for width in (1, 5, 8):
        mask = torch.zeros(32, 30)
        mask[16 - width // 2:16 - width // 2 + width, 15 - width // 2:15 - width // 2 + width] = 1
        assert calibration_width(mask) == width


# The observation.


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
    clean, noisy = (load_case("mri", profile="smoke", snr=value).observation for value in (None, snr))
    signal, noise = clean.y * clean.scale, noisy.y * noisy.scale - clean.y * clean.scale
    assert float(20 * torch.log10(signal.norm() / noise.norm())) == pytest.approx(snr, abs=0.3)
    samples = torch.view_as_real(noise[..., noisy.A.mask == 1])  # 4 coils x 64 rows x 16 columns x 2
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
    drawn = MRI(acceleration=2).observe(scan())
    assert int(drawn.observation.A.mask.sum()) == 32
    assert "retrospectively undersampled" in drawn.notes
    assert (drawn.observation.y[..., drawn.observation.A.mask == 0] == 0).all()
    assert drawn.observation.noise_std is None


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


# Errors.


@pytest.mark.parametrize("settings, message", [
    (dict(acceleration=65), "acceleration must lie between 1 and the 64 columns of k-space, got 65.0"),
    (dict(acceleration=0.5), "acceleration must be at least 1, got 0.5"),
    (dict(acceleration=float("nan")), "acceleration must be finite, got nan"),
    (dict(coils=0), "coils must be at least 1, got 0"),
    (dict(coils=2.5), "coils must be of type int, got 2.5"),
    (dict(snr=-30), "snr must be at least -20, got -30.0"),
    (dict(size=8), "size must be at least 16, got 8"),
    (dict(maps="espirt"), "unknown maps 'espirt': did you mean 'espirit'? known: true, espirit"),
    (dict(accelaration=8), "unknown setting of mri 'accelaration': did you mean 'acceleration'? "
                           "known: acceleration, coils, snr, maps, size"),
    (dict(image="brain-071"), "unknown image 'brain-071': did you mean 'brain-07"),
    (dict(seed=-1), "seed must be a whole number of at least 0"),
])
def test_bad_settings(settings, message):
    assert error_of(lambda: load_case("mri", profile="smoke", **settings)).startswith(message)


def test_bad_scans():
    assert error_of(lambda: MRI().observe(scan(mask=np.zeros(64)))) == "scan: the sampling mask is empty"
    dark = Image("dark", np.zeros((32, 32), np.float32))
    assert error_of(lambda: MRI().observe(dark)) == (
        "the measurements hold no usable signal: the peak of |A^H y| is 0.0")
