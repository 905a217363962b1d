"""The classic methods that were added beside sigpy's and scikit-image's own, each against an oracle of its own."""

import sys

import numpy as np
import pytest
import sigpy
import torch
from checks import error_of, generator
from sigpy.mri.app import L1WaveletRecon

from aseqdip_lite import iterate, load_case, reconstruct
from aseqdip_lite.case import Observation
from aseqdip_lite.images import Image
from aseqdip_lite.methods import configure
from aseqdip_lite.methods.bm3d import BM3D, INSTALL
from aseqdip_lite.methods.classic import L1Wavelet, shrink
from aseqdip_lite.methods.harmonic import Harmonic
from aseqdip_lite.methods.pnp import PnP, admm
from aseqdip_lite.methods.tv import TV
from aseqdip_lite.operators import Identity, Mask
from aseqdip_lite.operators.mri import MRIOperator
from aseqdip_lite.tasks import get

# L1-wavelet with cycle spinning.


def wavelet_objective(observation, x, lamda):
    W = sigpy.linop.Wavelet(observation.A.in_shape[1:], wave_name="db4")
    residual = (observation.A(x) - observation.y).abs().square().sum()
    return 0.5 * float(residual) + lamda * float(np.abs(W(x[0, 0].numpy())).sum())


@pytest.mark.parametrize("lamda", [1e-2, 1e-1])
def test_on_a_fixed_grid_l1_wavelet_reaches_sigpys_objective(lamda, tiny_mri):
    observation, A = tiny_mri.observation, tiny_mri.observation.A
    (state,) = iterate(observation, L1Wavelet(lamda=lamda, iterations=200, fixed_grid=True))
    rival = L1WaveletRecon(observation.y[0].numpy(), A.sens_maps.numpy(), lamda, max_iter=200, show_pbar=False,
                           weights=A.mask.expand(A.in_shape[1:]).numpy()).run().astype(np.complex64)
    rival = torch.from_numpy(rival)[None, None]
    ours, theirs = (wavelet_objective(observation, x, lamda) for x in (state.image, rival))
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert wavelet_objective(observation, observation.start, lamda) > 1.01 * ours


def test_shrinkage_takes_lamda_off_each_coefficient_and_leaves_zeros(tiny_mri):
    W = sigpy.linop.Wavelet((32, 32), wave_name="db4")
    x = tiny_mri.observation.start
    torch.testing.assert_close(shrink(W, x, 0.0, (5, 3)), x, atol=1e-5, rtol=0)
    assert not shrink(W, x, 1e3, (5, 3)).any() and not shrink(W, 0 * x, 0.1, (0, 0)).any()


def shifted(observation, by):
    """The problem whose image is the observation's, shifted circularly by (rows, columns)."""
    A = MRIOperator(observation.A.sens_maps.roll(by, (-2, -1)), observation.A.mask)
    h, w = A.in_shape[1:]
    phase = (torch.fft.fftshift(torch.fft.fftfreq(h))[:, None] * by[0]
             + torch.fft.fftshift(torch.fft.fftfreq(w)) * by[1])
    y = observation.y * torch.exp(-2j * torch.pi * phase)
    return Observation(A, y, A.adjoint(y), noise_std=observation.noise_std)


def test_cycle_spinning_makes_l1_wavelet_nearly_blind_to_shifts(smoke_case):
    observation, by, errors = smoke_case("mri", size=64, coils=4).observation, (3, 5), {}
    moved = shifted(observation, by)
    torch.testing.assert_close(moved.start, observation.start.roll(by, (-2, -1)), atol=1e-4, rtol=0)
    for fixed in (True, False):
        method = L1Wavelet(lamda=0.02, iterations=100, fixed_grid=fixed)
        (one,), (other,) = iterate(observation, method), iterate(moved, method)
        errors[fixed] = float((one.image.roll(by, (-2, -1)) - other.image).norm() / one.image.norm())
    assert errors[False] < 0.5 * errors[True]


# Harmonic in-painting.

def painted(array, seed=0, **settings):
    """(case, answer (H, W) or (H, W, C), hole (H, W)) of the harmonic filling of a picture."""
    case = get("inpainting")(**settings).observe(Image("mine", array.astype(np.float32)), seed)
    (state,) = iterate(case.observation, Harmonic())
    return case, case.array(state.image), case.observation.A.mask.numpy() == 0


@pytest.mark.parametrize("settings", [dict(hiar=0.25), dict(missing=0.9)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_harmonic_hole_is_the_mean_of_its_neighbours_and_within_what_is_known(settings, channels):
    array = np.random.default_rng(1).random((24, 31, *channels))
    case, answer, hole = painted(array, **settings)
    np.testing.assert_allclose(answer[~hole], array[~hole], atol=1e-6)
    frame = np.pad(answer, [(1, 1), (1, 1), *[(0, 0)] * len(channels)], constant_values=np.nan)
    around = np.stack([frame[:-2, 1:-1], frame[2:, 1:-1], frame[1:-1, :-2], frame[1:-1, 2:]])
    np.testing.assert_allclose(answer[hole], np.nanmean(around[:, hole], axis=0), atol=1e-5)
    low, high = array[~hole].min(axis=0), array[~hole].max(axis=0)
    assert (answer[hole] >= low - 1e-6).all() and (answer[hole] <= high + 1e-6).all()


def test_a_ramp_is_filled_exactly():
    rows, columns = np.mgrid[:24, :30]
    ramp = (rows + 2 * columns) / 100
    _, answer, _ = painted(ramp, hiar=0.25)
    np.testing.assert_allclose(answer, ramp, atol=1e-6)


# BM3D.

def test_without_its_package_bm3d_says_how_to_get_it_and_under_what_licence(monkeypatch, smoke_case):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    observation = smoke_case("denoising").observation
    for method in (BM3D(), PnP(denoiser="bm3d")):
        assert error_of(lambda method=method: list(iterate(observation, method))) == INSTALL
    assert "non-commercial" in INSTALL and "aseqdip-lite[bm3d]" in INSTALL


@pytest.mark.parametrize("sigma", [15.0, 25.0])
def test_bm3d_is_above_nlm_and_keeps_flat_pictures(sigma):
    pytest.importorskip("bm3d", reason="bm3d is for non-commercial use only, so an installation may be without it")
    case = load_case("denoising", "chelsea", size=64, sigma=sigma)
    scores = {name: reconstruct(case, configure(name, "denoising"), progress=False).metrics["psnr"]["final"]
              for name in ("bm3d", "nlm")}
    assert scores["bm3d"] > scores["nlm"]
    for channels in (1, 3):
        y = 0.5 + 0.1 * torch.randn((1, channels, 32, 32), generator=generator())
        (state,) = iterate(Observation(Identity(y.shape[1:]), y, y, noise_std=0.1), BM3D())
        assert float((state.image - 0.5).square().mean().sqrt()) < 0.03


# Plug-and-play.

@pytest.mark.parametrize("denoiser", ["nlm", "tv"])
def test_of_the_identity_plug_and_play_is_its_denoiser(denoiser, smoke_case):
    observation = smoke_case("denoising").observation
    (expected,) = iterate(observation, configure(denoiser, "denoising"))
    for iterations in (1, 3):
        (state,) = iterate(observation, PnP(denoiser=denoiser, iterations=iterations))
        torch.testing.assert_close(state.image, expected.image, atol=1e-4, rtol=0)


def objective(observation, x, lamda):
    """1/2 ||A x - y||^2 + lamda TV(x) of a gray picture (1, 1, H, W), TV isotropic and without rounded corners."""
    rows, columns = x.diff(dim=-2, append=x[..., -1:, :]), x.diff(dim=-1, append=x[..., -1:])
    residual = (observation.A(x) - observation.y).square().sum()
    return float(residual / 2 + lamda * (rows.square() + columns.square()).sqrt().sum())


def test_with_tvs_proximal_step_plug_and_play_solves_tv_in_painting():
    case = load_case("inpainting", "chelsea", size=16, missing=0.3, sigma=20.0)
    y, mask, rho, lamda = case.observation.y[:, :1], case.observation.A.mask, 0.5, 0.05
    observation = Observation(Mask(mask, y.shape[1:]), y, y, noise_std=case.observation.noise_std)

    def proximal(x):
        return TV(lamda=lamda / rho, iterations=200).solve(Observation(Identity(x.shape[1:]), x, x, noise_std=0.1))

    found = admm(observation, proximal, rho, 40)
    expected = TV(lamda=lamda, iterations=3000).solve(observation)  # primal-dual steps on the mask itself
    assert float((found - expected).norm() / expected.norm()) <= 1e-2
    assert objective(observation, found, lamda) == pytest.approx(objective(observation, expected, lamda), rel=1e-3)


@pytest.mark.parametrize("task", ["mri", "ct", "inpainting"])
def test_with_a_linear_denoiser_plug_and_play_ends_at_the_fixed_point_of_its_equation(task, smoke_case):
    """D = 1/(1 + c) is the proximal step of c/2 ||x||^2, so v solves (A^H A + c rho I) v = A^H y."""
    observation, c, rho = smoke_case(task, size=32).observation, 0.5, 0.4
    A, y = observation.A, observation.y
    v = admm(observation, lambda x: x / (1 + c), rho, 200)
    right = A.adjoint(y)
    assert float((A.N(v) + c * rho * v - right).norm() / right.norm()) <= 1e-3


def test_what_is_denoised_of_a_complex_image_are_its_two_parts(tiny_mri):
    x = tiny_mri.observation.start
    parts = torch.cat([x.real, x.imag], dim=1)
    (state,) = iterate(Observation(Identity(x.shape[1:], is_complex=True), x, x, noise_std=0.05), PnP(denoiser="tv"))
    (expected,) = iterate(Observation(Identity(parts.shape[1:]), parts, parts, noise_std=0.05),
                          configure("tv", "denoising"))
    found = torch.cat([state.image.real, state.image.imag], dim=1)
    torch.testing.assert_close(found, expected.image, atol=1e-3, rtol=0)


def test_attenuation_stays_at_or_above_zero(smoke_case):
    (state,) = iterate(smoke_case("ct").observation, PnP(denoiser_std=0.01, rho=0.05, iterations=3))
    assert float(state.image.min()) >= 0


@pytest.mark.parametrize("task, image, settings", [("mri", "brain-076", {}), ("ct", "ct-brain", {}),
                                                   ("inpainting", "rocket", dict(missing=0.5, start="paper"))])
def test_plug_and_play_improves_on_the_start(task, image, settings):
    case = load_case(task, image, profile="smoke", **settings)
    psnr = reconstruct(case, configure("pnp", task, "smoke"), progress=False).metrics["psnr"]
    assert psnr["final"] > psnr["start"] + 3


def test_plug_and_play_is_refused_where_the_operator_is_not_linear():
    assert error_of(configure, "pnp", "deblurring").startswith(
        "pnp is not defined for deblurring: its least-squares problems need a linear A; known: ")
