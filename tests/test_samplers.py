"""Samplers with a denoiser as prior, against what is known where the prior is Gaussian, and DDPM's own formulas."""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from checks import error_of, generator, randn, stored

from aseqdip_lite import iterate, methods, reconstruct
from aseqdip_lite.case import Observation
from aseqdip_lite.learned import sampling
from aseqdip_lite.learned.denoiser import Denoiser, initialise
from aseqdip_lite.learned.sampling import Prior, least_squares
from aseqdip_lite.methods import mcg
from aseqdip_lite.methods.ddnm import DDNM
from aseqdip_lite.methods.dps import DPS
from aseqdip_lite.methods.mcg import MCG
from aseqdip_lite.methods.sampler import FEW, deviation
from aseqdip_lite.methods.score_mri import ScoreMRI
from aseqdip_lite.operators import Identity, Mask
from aseqdip_lite.operators.blur import MotionBlur, motion_path, path_kernel
from aseqdip_lite.operators.ct import CTOperator
from aseqdip_lite.operators.mri import MRIOperator, simulated_maps
from aseqdip_lite.operators.projectors import MatrixProjector, disc, equal_angles, fbp
from aseqdip_lite.operators.sampling import column_mask
from aseqdip_lite.run.metrics import psnr
from aseqdip_lite.run.stopping import StopReason

MEAN, SD = 0.3, 0.5


class Gaussian:
    """The exact denoiser of white images N(MEAN, SD^2): (SD^2 x + s^2 MEAN) / (SD^2 + s^2)."""

    sd = SD

    def __call__(self, x, s):
        return (SD**2 * x + s**2 * MEAN) / (SD**2 + s**2)


ROOT = torch.tensor([[0.5, 0.0, 0.0, 0.0], [0.4, 0.2, 0.0, 0.0], [0.3, 0.1, 0.2, 0.0], [0.0, 0.3, 0.1, 0.1]]).double()


class Columns:
    """The exact denoiser of real images of 4 rows whose columns are N(0, C), each by itself: C (C + s^2 I)^-1 x."""

    def __init__(self, covariance):
        self.covariance, self.sd = covariance, float(covariance.diagonal().mean()) ** 0.5

    def __call__(self, x, s):
        C = self.covariance
        return C @ torch.linalg.solve(C + s**2 * torch.eye(len(C), dtype=C.dtype), x)


def with_prior(cls, denoiser=None):
    """A sampler's class whose prior is a denoiser of closed form in place of the trained one."""
    found = Prior(Gaussian() if denoiser is None else denoiser)
    return dataclass(frozen=True)(type(cls.__name__, (cls,), dict(prior=lambda self, observation: found,
                                                                  remarks=lambda self, observation, steps: ())))


def observed(A, y, noise_std=0.0):
    return Observation(A, y, A.adjoint(y), noise_std=noise_std)


def answer(observation, method, seed=0):
    *_, last = iterate(observation, method, seed=seed)
    return last


def mri(shape=(8, 6), coils=3):
    """A small A in double precision."""
    return MRIOperator(simulated_maps(coils, shape), column_mask(shape[1], 2, generator())).to(double=True)


def dense(A):
    """The matrix of A, (measurements, pixels)."""
    pixels = math.prod(A.in_shape)
    kind = torch.complex128 if A.in_complex else torch.float64
    return A(torch.eye(pixels, dtype=kind).reshape(pixels, *A.in_shape)).flatten(1).T


# The mathematics.

def test_the_score_of_a_gaussian_by_tweedie_is_that_of_autograd():
    """x_s ~ N(0, C + s^2 I): its log-density differentiated."""
    C, s, x = ROOT @ ROOT.T, 0.7, randn(1, 1, 4, 5, seed=1).requires_grad_()
    whole = C + s**2 * torch.eye(4, dtype=torch.float64)
    density = torch.distributions.MultivariateNormal(torch.zeros(4, dtype=torch.float64), whole)
    expected, = torch.autograd.grad(density.log_prob(x[0, 0].T).sum(), x)
    assert torch.allclose(sampling.score(x, Columns(C)(x, s), s), expected, rtol=1e-10)


@pytest.fixture
def chain():
    """abar_t and beta_t of DDPM in its own terms, t from 0."""
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    return torch.cumprod(1 - beta, dim=0), beta


def test_noise_levels_are_those_of_ddpm_at_equal_distances(chain):
    kept, _ = chain
    s = ((1 - kept) / kept).sqrt()
    every = sampling.ddpm_levels(1000, float(s[-1]))
    assert every[:-1] == pytest.approx(s.flip(0).tolist()) and every[-1] == 0.0
    tenth = sampling.ddpm_levels(10, float(s[900]))
    assert tenth == pytest.approx([*s[range(900, -1, -100)].tolist(), 0.0])
    assert sampling.ddpm_levels(1, 10.0) == pytest.approx([10.0, 0.0])


def test_geometric_levels():
    levels = sampling.geometric_levels(4, 10.0, 0.001)
    assert levels == pytest.approx([10, 1, 0.1, 0.01, 0.001])


@pytest.mark.parametrize("t", [1, 500, 999])
def test_an_ancestral_step_is_that_of_ddpm_in_its_own_size(chain, t):
    """u_t = sqrt(abar_t) x_s; DDPM as its code has it, with the posterior's variance."""
    kept, beta = chain
    x, x0, z = randn(2, 1, 3, 3), randn(2, 1, 3, 3, seed=1), randn(2, 1, 3, 3, seed=2)
    before = kept[t - 1]
    u = kept[t].sqrt() * x
    mean = (before.sqrt() * beta[t] * x0 + (1 - beta[t]).sqrt() * (1 - before) * u) / (1 - kept[t])
    expected = mean + (beta[t] * (1 - before) / (1 - kept[t])).sqrt() * z
    s, lower = (float(((1 - a) / a).sqrt()) for a in (kept[t], before))
    found = before.sqrt() * sampling.ancestral(x, x0, s, lower, z)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_steps_of_the_two_kinds_agree_where_they_are_small():
    """Predictor and ancestral step have the same mean to first order in s - lower, and leave no noise at level 0."""
    x, x0 = randn(1, 1, 3, 3), randn(1, 1, 3, 3, seed=1)
    gaps = [(sampling.predict(x, x0, 1.0, 1 - step, 0.0) - sampling.ancestral(x, x0, 1.0, 1 - step, 0.0)).norm()
            for step in (1e-2, 1e-3)]
    assert gaps[1] <= 0.011 * gaps[0] + 1e-12
    z = randn(1, 1, 3, 3, seed=2)
    assert torch.equal(sampling.ancestral(x, x0, 0.5, 0.0, z), x0)
    assert torch.allclose(sampling.predict(x, x0, 0.5, 0.0, 0.0), x0)


def test_a_langevin_step_has_the_published_size():
    x, x0, z = (randn(3, 2, 4, 4, seed=seed) for seed in range(3))
    found = sampling.correct(x, x0, 0.4, z, 0.16)
    for n in range(3):
        g = (x0[n] - x[n]) / 0.16
        e = 2 * (0.16 * z[n].norm() / g.norm()) ** 2
        assert torch.allclose(found[n], x[n] + e * g + (2 * e).sqrt() * z[n])


def test_noise_is_white_in_each_real_component():
    n = 200_000
    z = sampling.normal(torch.empty(n, dtype=torch.complex128), generator())
    parts = torch.view_as_real(z).T  # (2, n)
    assert torch.allclose(torch.cov(parts), torch.eye(2, dtype=torch.float64), atol=5 * (2 / n) ** 0.5)
    assert float(sampling.normal(torch.empty(n), generator()).std()) == pytest.approx(1, abs=5 / (2 * n) ** 0.5)


@pytest.mark.parametrize("damping", [0.3, 0.01])
@pytest.mark.parametrize("A", [mri(), Identity((2, 3, 4)), Mask(torch.tensor([1, 0, 1, 1]).double(), (1, 3, 4))],
                         ids=["mri", "identity", "mask"])
def test_the_damped_inverse_is_a_dense_solution_for_each_sample(A, damping):
    kind = torch.complex128 if A.in_complex else torch.float64
    r = randn(2, *A.out_shape, dtype=kind) * torch.tensor([1.0, 1e3]).reshape(2, *[1] * len(A.out_shape))
    matrix = dense(A)
    normal = matrix.mH @ matrix + damping * torch.eye(matrix.shape[1], dtype=kind)
    expected = torch.linalg.solve(normal, matrix.mH @ r.flatten(1).T).T.reshape(2, *A.in_shape)
    assert torch.allclose(least_squares(A, r, 60, damping), expected, rtol=1e-8)
    assert torch.allclose(least_squares(A, r, 60, damping, start=randn(*expected.shape, dtype=kind)), expected)


def test_without_damping_it_is_the_pseudo_inverse():
    A = mri()
    r = randn(2, *A.out_shape, dtype=torch.complex128)
    expected = torch.linalg.pinv(dense(A), rtol=1e-9) @ r.flatten(1).T
    assert torch.allclose(least_squares(A, r, 80).flatten(1).T, expected, rtol=1e-6, atol=1e-8)
    assert not least_squares(A, torch.zeros_like(r), 5).any()


# The prior in the units of a case.

def test_a_prior_is_the_denoiser_in_other_units():
    """Images unit * x - offset of Gaussian x: the posterior mean of these."""
    unit, offset, s = 2.5, torch.tensor([0.2, -0.1, 0.4]).double(), 0.6
    prior, x = Prior(Gaussian(), unit, offset[:, None, None]), randn(2, 3, 2, 2)
    mean, variance = unit * MEAN - offset[:, None, None], (unit * SD) ** 2
    assert torch.allclose(prior(x, s), (variance * x + s**2 * mean) / (variance + s**2)) and prior.sd == unit * SD


def test_a_gray_picture_is_a_colour_one_to_the_prior():
    """Colour images with equal channels, N(0, sd^2) each: of noise the mean over the channels alone matters."""
    sd, s = 0.5, 0.8

    class Colour:
        def __call__(self, x, level):
            seen = x.mean(dim=1, keepdim=True)  # its noise has level / sqrt(3)
            return (sd**2 / (sd**2 + level**2 / 3) * seen).expand_as(x)

    tint = randn(1, 3, 4, 4)
    tint = tint - tint.mean(dim=1, keepdim=True)
    x = randn(2, 1, 4, 4, seed=1)
    assert torch.allclose(Prior(Colour(), tint=tint)(x, s), sd**2 / (sd**2 + s**2) * x)


def test_the_tint_makes_the_noise_of_the_channels_white():
    n, s = 200_000, 0.8
    tint = sampling.normal(torch.empty(3, n), generator(1))
    noise = s * sampling.normal(torch.empty(n), generator(2)) + 3**0.5 * s * (tint - tint.mean(dim=0))
    assert torch.allclose(torch.cov(noise), 3 * s**2 * torch.eye(3), atol=5 * 3 * s**2 * (2 / n) ** 0.5)


@pytest.mark.parametrize("task", ["mri", "ct", "denoising"])
def test_the_unit_follows_the_measurements(task, smoke_case):
    observation = smoke_case(task).observation
    other = replace(observation, y=4 * observation.y, start=observation.start)
    factor = 1 if task == "denoising" else 4
    assert sampling.unit_of(other) == pytest.approx(factor * sampling.unit_of(observation), rel=1e-5)


# DDNM.

def test_ddnm_step_is_the_exact_posterior_mean_for_denoising():
    """x_0 ~ N(m, sd^2), x_s = x_0 + s z, y = x_0 + sigma n: precisions add up."""
    sigma, s = 0.2, 0.6
    y, x = randn(1, 1, 4, 4), randn(5, 1, 4, 4, seed=1)
    method, observation = with_prior(DDNM)(samples=5), observed(Identity((1, 4, 4)), y, sigma)
    carry = method.init(observation, 0)
    carry.z = x
    _, found = method.move(observation, carry, s, 0.5)
    expected = (MEAN / SD**2 + x / s**2 + y / sigma**2) / (1 / SD**2 + 1 / s**2 + 1 / sigma**2)
    assert torch.allclose(found, expected)


def test_ddnm_step_is_that_of_the_published_code_without_noise(chain):
    """In VP form, x_0' = A^+ y + (I - A^+ A) x_0 and u' = sqrt(abar') x_0' + sqrt(1 - abar') (eta z + ... eps)."""
    A, eta = mri(), 0.85
    y = A(randn(1, *A.in_shape, dtype=torch.complex128))
    method, observation = with_prior(DDNM)(eta=eta, cg=80), observed(A, y)
    kept = chain[0][[600, 400]]
    s, lower = (float(((1 - a) / a).sqrt()) for a in kept)
    carry = method.init(observation, 3)
    x, z = carry.z, sampling.normal(carry.z, stored_generator(carry.generator))
    u = kept[0].sqrt() * x
    eps = (u - kept[0].sqrt() * Gaussian()(x, s)) / (1 - kept[0]).sqrt()
    x0 = (u - (1 - kept[0]).sqrt() * eps) / kept[0].sqrt()
    matrix = dense(A)
    x0 = x0.flatten() - torch.linalg.pinv(matrix, rtol=1e-9) @ (matrix @ x0.flatten() - y.flatten())
    expected = kept[1].sqrt() * x0.reshape(x.shape) + (1 - kept[1]).sqrt() * (eta * z + (1 - eta**2) ** 0.5 * eps)
    found, image = method.move(observation, carry, s, lower)
    assert torch.allclose(kept[1].sqrt() * found, expected, rtol=1e-6, atol=1e-8)
    assert torch.allclose(image.flatten(), x0, rtol=1e-6, atol=1e-8)


def stored_generator(other):
    copy = generator()
    copy.set_state(other.get_state())
    return copy


def test_ddnm_ends_at_the_data_where_they_have_no_noise():
    A = mri()
    y = A(randn(1, *A.in_shape, dtype=torch.complex128))
    last = answer(observed(A, y), with_prior(DDNM)(steps=10, samples=2, cg=80))
    assert float((A(last.image) - y).norm() / y.norm()) < 1e-6 and last.losses["data"] < 1e-10


@pytest.mark.parametrize("eta", [0.0, 0.85, 1.0])
def test_ddnm_samples_are_narrower_than_a_gaussian_prior_as_the_recursion_says(eta):
    """Unmeasured pixels of a white prior: x' = k x + s' (eta z + c (1 - k) x / s) for x less its mean, k = sd^2 /
    (sd^2 + s^2), c^2 = 1 - eta^2. The variance tends to sd^2 (1 + c) / 2 as the steps grow: only eta = 0 keeps it.

    Of n pixels the mean has the deviation sd / sqrt(n), the variance a share sqrt(2 / n); five of each are allowed.
    """
    mask, steps = torch.tensor([1.0, 0.0]).double().repeat(50), 100  # every other column is measured
    A, kept, n = Mask(mask, (1, 100, 100)), (1 - eta**2) ** 0.5, 5000
    y = A(randn(1, 1, 100, 100) + 2)
    last = answer(observed(A, y), with_prior(DDNM)(steps=steps, eta=eta))
    assert torch.allclose(last.image * mask, y, atol=1e-12)
    levels = sampling.ddpm_levels(steps)
    mean, variance = -MEAN, levels[0] ** 2  # of x less its mean
    for s, lower in zip(levels, levels[1:], strict=False):
        k = SD**2 / (SD**2 + s**2)
        last_mean, last_variance = k * mean, k**2 * variance
        factor = k + kept * (1 - k) * lower / s
        mean, variance = factor * mean, factor**2 * variance + (lower * eta) ** 2
    free = last.image[..., mask == 0]
    assert float(free.mean()) == pytest.approx(MEAN + last_mean, abs=5 * SD / n**0.5)
    assert float(free.var()) == pytest.approx(last_variance, rel=5 * (2 / n) ** 0.5)
    assert last_variance == pytest.approx(SD**2 * (1 + kept) / 2, rel=0.12)  # of 100 steps


# DPS.

@pytest.mark.parametrize("task", ["mri", "deblurring"])
def test_the_slope_of_the_misfit_is_that_of_finite_differences(task):
    """Through a denoiser that is not linear, and for one sample of two; complex images along Re and along Im."""
    A = mri() if task == "mri" else MotionBlur((3, 8, 6), path_kernel(motion_path(3.0, generator()))).to(double=True)
    kind = torch.complex128 if A.in_complex else torch.float64
    y, x = 0.5 * randn(1, *A.out_shape, dtype=kind), 0.5 * randn(2, *A.in_shape, seed=1, dtype=kind)
    direction = randn(*x.shape, seed=2, dtype=kind)

    def bent(x, s):
        return torch.view_as_complex(torch.tanh(torch.view_as_real(x))) if A.in_complex else torch.tanh(x)

    def norms(step):
        return (y - A(bent(x + step * direction, 0.4))).flatten(1).norm(dim=1)

    x0, slope = sampling.slope(Prior(bent), x, 0.4, lambda x0: y - A(x0))
    assert torch.equal(x0, bent(x, 0.4))
    found = (slope.conj() * direction).real.flatten(1).sum(dim=1)
    assert torch.allclose(found, (norms(1e-6) - norms(-1e-6)) / 2e-6, rtol=1e-6)


def test_dps_step_is_that_of_the_published_code(chain):
    """u' = DDPM step - zeta grad_u ||y - A x_0(u)||, differentiated in u; of 1000 steps ours is zeta / sqrt(pixels)."""
    kept, beta = chain
    A, t, zeta = mri(), 600, 0.7
    y = randn(1, *A.out_shape, dtype=torch.complex128)
    method, observation = with_prior(DPS)(steps=1000, zeta=zeta / 48**0.5), observed(A, y)
    carry = method.init(observation, 0)
    before, s, lower = kept[t - 1], *(float(((1 - a) / a).sqrt()) for a in (kept[t], kept[t - 1]))
    z = sampling.normal(carry.z, stored_generator(carry.generator))
    u = (kept[t].sqrt() * carry.z).requires_grad_()
    x0 = Gaussian()(u / kept[t].sqrt(), s)
    slope, = torch.autograd.grad((y - A(x0)).norm(), u)
    mean = (before.sqrt() * beta[t] * x0 + (1 - beta[t]).sqrt() * (1 - before) * u) / (1 - kept[t])
    expected = mean + (beta[t] * (1 - before) / (1 - kept[t])).sqrt() * z - zeta * slope
    found, image = method.move(observation, carry, s, lower)
    assert torch.allclose(before.sqrt() * found, expected.detach(), rtol=1e-8, atol=1e-10)
    assert torch.allclose(image, x0.detach()) and not found.requires_grad


# Score-MRI and MCG.

def test_score_mri_replaces_what_is_measured_and_samples_the_rest():
    """Of white images no pixel knows of another, and putting in clean data is exact: y there, N(mean, sd^2) here.

    Five deviations of the estimates from 5000 pixels, and 3 % of the variance that steps of finite size leave.
    """
    mask, n = torch.tensor([1.0, 0.0]).double().repeat(50), 5000
    A = complex_mask(mask)
    y = A(randn(1, 1, 100, 100, dtype=torch.complex128) + 2)
    last = answer(observed(A, y), with_prior(ScoreMRI)(steps=100))
    free = last.image[..., mask == 0]
    assert torch.allclose(last.image * mask, y, atol=1e-12)
    for part, mean in ((free.real, MEAN), (free.imag, 0.0)):
        assert float(part.mean()) == pytest.approx(mean, abs=5 * SD / n**0.5)
        assert float(part.var()) == pytest.approx(SD**2, rel=5 * (2 / n) ** 0.5 + 0.03)


def complex_mask(mask):
    return Mask(mask, (1, 100, 100), is_complex=True)


def test_the_correction_of_mcg_lies_in_the_null_space(small_ct):
    """A sees less of it the more iterations there are, and the part of x in the null space, by a dense A, is all kept.
    """
    A, x = small_ct.A, randn(2, *small_ct.A.in_shape)
    _, sizes, Vh = torch.linalg.svd(dense(A))
    null = Vh[int((sizes > 1e-8).sum()):]  # (dimension, 256)
    seen = []
    for iterations in (5, mcg.NULL_CG, 60):
        found = mcg.null_part(A, x, iterations)
        seen.append(float(A(found).norm() / A(x).norm()))
        assert torch.allclose(null @ found.flatten(1).T, null @ x.flatten(1).T, atol=1e-6)
    assert len(null) > 50 and seen[1] < 0.02 and seen[2] < 2e-3 and seen[0] > seen[1] > seen[2]


@pytest.fixture(scope="module")
def small_ct():
    """Noiseless CT of 16 x 16 pixels and 6 views in double precision, of a disc."""
    A = CTOperator(MatrixProjector(16, equal_angles(6))).to(double=True)
    x = 0.8 * disc(16).double()[None, None]
    return observed(A, A(x))


def test_mcg_moves_the_samples_by_its_correction_alone(small_ct):
    """With the same noise, the step without weight less the one with it is w sqrt(pixels) times the correction."""
    moved = {}
    for w in (0.0, 0.4):
        method = with_prior(MCG)(w=w)
        carry = method.init(small_ct, 0)
        moved[w], _ = method.move(small_ct, carry, 1.0, 0.8)
    difference = moved[0.0] - moved[0.4]
    A, z = small_ct.A, sampling.normal(carry.z, method.init(small_ct, 0).generator)
    x = sampling.predict(carry.z, Gaussian()(carry.z, 1.0), 1.0, 0.8, z)
    x.requires_grad_()
    slope, = torch.autograd.grad(fbp(A.projector, (small_ct.y - A(Gaussian()(x, 0.8))) / A.factor).norm(), x)
    assert torch.allclose(difference, 0.4 * 16 * mcg.null_part(A, slope), atol=1e-8)


@pytest.mark.parametrize("data_step", ["cg", "sirt"])
def test_a_data_step_of_mcg_keeps_an_image_that_fits_and_lessens_the_misfit_of_others(data_step, small_ct):
    method = with_prior(MCG)(data_step=data_step)
    carry = method.init(small_ct, 0)
    A, y, fits = small_ct.A, small_ct.y, 0.8 * disc(16).double()[None, None]
    assert torch.allclose(method.with_data(small_ct, carry, fits, 0.5), fits, atol=1e-9)
    x = fits + randn(2, 1, 16, 16)
    found = method.with_data(small_ct, carry, x, 0.5)
    before, after = ((y - A(image)).flatten(1).norm(dim=1) for image in (x, found))
    assert bool((after < (0.1 if data_step == "cg" else 0.9) * before).all())


@pytest.mark.parametrize("data_step", ["cg", "sirt"])
def test_mcg_samples_come_nearer_to_the_data_than_its_prior_is(data_step, small_ct):
    """Least squares reach them in a few steps, SIRT does not."""
    last = answer(small_ct, with_prior(MCG)(steps=30, samples=2, data_step=data_step))
    left = float((small_ct.A(last.estimate) - small_ct.y).norm() / small_ct.y.norm())
    assert left < (0.02 if data_step == "cg" else 0.2)


# Where nothing is measured, the samples are those of the prior.

@pytest.mark.parametrize("cls, settings", [(DPS, dict(zeta=0.0)), (ScoreMRI, {})])
def test_without_data_the_samples_have_the_prior_s_mean_and_covariance(cls, settings):
    """4000 columns. Steps of finite size, and a corrector's, leave an error of some per cent of ||C||; five deviations
    of the estimate, sqrt(2 / 4000) of ||C|| each, come on top.
    """
    C, columns = ROOT @ ROOT.T, 4000
    nothing = Mask(torch.zeros(4, columns).double(), (1, 4, columns))
    last = answer(observed(nothing, torch.zeros(1, 1, 4, columns).double()),
                  with_prior(cls, Columns(C))(steps=200, **settings))
    found = last.image[0, 0]  # (4, columns)
    assert (torch.cov(found) - C).norm() / C.norm() < 0.05 + 5 * (2 / columns) ** 0.5
    assert found.mean(dim=1).abs().max() < 5 * (C.diagonal().max() / columns) ** 0.5


# What all samplers do.

every_sampler = pytest.mark.parametrize("cls", [DDNM, DPS, ScoreMRI, MCG])


@pytest.fixture
def small(cls, smoke_case):
    """A small case that a sampler is defined for."""
    return smoke_case("ct", size=32, views=9) if cls is MCG else smoke_case("mri", size=32, coils=2)


@every_sampler
def test_the_answer_is_the_mean_of_the_samples_with_their_deviation(cls, small):
    states = list(iterate(small.observation, with_prior(cls)(steps=3, samples=4)))
    chain = states[-1].carry.z
    assert chain.shape == (4, 1, 32, 32)
    single = list(iterate(small.observation, with_prior(cls)(steps=3)))[-1]
    assert single.average is None and single.deviation is None and single.estimate is single.image
    assert states[-1].average.shape == states[-1].image.shape == (1, 1, 32, 32)
    assert states[-1].deviation.shape == (1, 1, 32, 32) and not states[-1].deviation.is_complex()
    A, y = small.observation.A, small.observation.y
    assert states[-1].losses["data"] == pytest.approx(float((A(states[-1].average) - y).norm() ** 2), rel=1e-4)


def test_the_deviation_is_that_of_the_samples():
    x = randn(5, 1, 3, 3, dtype=torch.complex128)
    expected = ((x - x.mean(dim=0)).abs().square().sum(dim=0) / 4).sqrt()
    assert torch.allclose(deviation(x)[0], expected)


@every_sampler
def test_a_resumed_run_is_the_uninterrupted_one(cls, small, tmp_path):
    method = with_prior(cls)(steps=6, samples=2)
    whole = reconstruct(small, method, progress=False)
    reconstruct(small, method, out=tmp_path, progress=False, watch=lambda step: step == 3)
    rest = reconstruct(small, method, out=tmp_path, resume=True, progress=False)
    assert torch.equal(whole.answer, rest.answer) and whole.curve["data"] == rest.curve["data"]
    assert (whole.deviation == rest.deviation).all()
    said = error_of(reconstruct, small, replace(method, steps=7), out=tmp_path, resume=True, progress=False)
    assert f"{cls.name} steps is 7 here and 6 there" in said  # all levels depend on the number of steps
    said = error_of(reconstruct, small, replace(method, samples=3), out=tmp_path, resume=True, progress=False)
    assert said.endswith(f"another run: {cls.name} samples is 3 here and 2 there")  # and no digest of z beside it


def test_a_resumed_run_of_pictures_is_the_uninterrupted_one(smoke_case, tmp_path):
    """A network computes in another order of memory than a checkpoint's."""
    network = Denoiser(3, 0.5, widths=(4, 4))
    initialise(network, generator())
    network.network.head.weight.data.normal_(0.0, 0.1, generator=generator())
    network = network.to(memory_format=torch.channels_last).requires_grad_(False)
    case, method = smoke_case("inpainting", size=32), with_prior(DPS, network)(steps=6, samples=2)
    whole = reconstruct(case, method, progress=False)
    reconstruct(case, method, out=tmp_path, progress=False, watch=lambda step: step == 3)
    rest = reconstruct(case, method, out=tmp_path, resume=True, progress=False)
    assert torch.equal(whole.answer, rest.answer) and whole.curve["data"] == rest.curve["data"]


@every_sampler
def test_a_sampler_that_diverges_is_told_of_settings_that_it_has(cls):
    told = StopReason.DIVERGED.told(cls().to_dict()).split("Try ")[1]
    assert set(told.strip(".").replace("a lower ", "").replace("more ", "").split(" or ")) <= set(cls().to_dict())


@every_sampler
def test_a_carry_goes_on_bit_for_bit(cls, small):
    method = with_prior(cls)(steps=4, samples=2)
    states = list(iterate(small.observation, method))
    carry = next(iterate(small.observation, method)).carry
    fresh = method.init(small.observation, 99)
    fresh.load_state_dict(stored(carry.state_dict()))
    for one, other in zip(states[1:], iterate(small.observation, method, carry=fresh), strict=True):
        assert torch.equal(one.image, other.image) and torch.equal(one.deviation, other.deviation)


# The trained prior.

@pytest.mark.parametrize("cls", [DDNM, DPS, ScoreMRI])
def test_with_the_trained_denoiser_they_end_well_above_their_start(cls, smoke_case):
    """And above what a Gaussian prior of the same mean and deviation makes of the data."""
    case = smoke_case("mri")
    scores = {}
    for name, method in dict(trained=cls(steps=40), white=with_prior(cls)(steps=40)).items():
        scores[name] = psnr(case.display(answer(case.observation, method).estimate), case.truth, case.data_range)
    start = psnr(case.display(case.observation.start), case.truth, case.data_range)
    assert scores["trained"] > max(start, scores["white"]) + 2


@pytest.mark.parametrize("settings, unlike", [(dict(size=96), None), (dict(size=64), "64 x 64 pixels")])
def test_the_result_says_what_the_prior_was_trained_on_and_what_is_unlike_that(settings, unlike, smoke_case):
    observation = smoke_case("mri", **settings).observation
    assert DDNM().remarks(observation, 100) == [
        "the prior was trained on slices of one head (Colin27, T1): 96 x 96 pixels" + (
            f"; this case is unlike that: {unlike}" if unlike else "")]


@pytest.mark.parametrize("name, task", [("dps", "mri"), ("score_mri", "mri"), ("mcg", "ct"), ("ddnm", "ct")])
@pytest.mark.parametrize("steps", [1, 2, FEW])
def test_a_result_of_too_few_noise_levels_says_so(name, task, steps, smoke_case):
    """All but DDNM then end below their start, and with `FEW` above it."""
    result = reconstruct(smoke_case(task), methods.configure(name, task, steps=steps), progress=False)
    found = result.metrics["psnr"]
    assert (found["final"] > found["start"]) == (steps == FEW or name == "ddnm")
    said = [note for note in result.metrics["notes"] if "noise level" in note]
    levels = {1: "1 noise level", 2: "2 noise levels"}
    assert said == [f"{levels.get(steps)}: below {FEW} a sampler's answer can be worse than its start"] * (steps < FEW)
