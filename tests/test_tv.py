"""Total variation by primal-dual steps: its gradient, the duality gap, a library, invariances, colour, x >= 0."""

import math

import numpy as np
import pytest
import torch
from checks import generator
from hypothesis import given
from hypothesis import strategies as st
from skimage.restoration import denoise_tv_chambolle

from aseqdip_lite import configure, load_case
from aseqdip_lite.case import Observation
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.methods.tv import TV, gradient, gradient_adjoint, lengths, primal_dual, solve_tv
from aseqdip_lite.operators import Identity, Mask
from aseqdip_lite.operators.ct import ct_operator
from aseqdip_lite.operators.mri import MRIOperator, simulated_maps
from aseqdip_lite.operators.projectors import detector_bins, equal_angles

kinds = pytest.mark.parametrize("kind", ["denoising", "colour", "inpainting", "ct", "mri"])


def blocks(shape, seed=0):
    """A random picture (1, C, H, W) float64 of 3 x 4 flat blocks in [0, 1]."""
    coarse = torch.rand((1, shape[0], 3, 4), generator=generator(seed), dtype=torch.float64)
    return torch.nn.functional.interpolate(coarse, size=shape[1:])


def problem(kind, seed=0):
    """(A, y) of a small problem with noise, in double precision."""
    shape = (3, 15, 12) if kind in ("colour", "inpainting") else (1, 16, 16)
    x = blocks(shape, seed)
    if kind == "ct":
        A = ct_operator("matrix", 16, equal_angles(12), detector_bins(16))
    elif kind == "mri":
        A, x = MRIOperator(simulated_maps(4, (16, 16)), (torch.arange(16) % 3 < 2).float()), x * (0.8 + 0.6j)
    elif kind == "inpainting":
        A = Mask((torch.rand(shape[1:], generator=generator(seed)) > 0.4).float(), shape)
    else:
        A = Identity(shape)
    A = A.to(double=True)
    return A, A(x) + 0.05 * A(torch.randn(x.shape, generator=generator(seed + 1), dtype=x.dtype))


def primal(A, y, x, lamda):
    """1/2 ||A x - y||^2 + lamda TV(x)."""
    return float(0.5 * square_norm(A(x) - y) + lamda * lengths(gradient(x)).sum())


def dual(A, y, q, p, lamda, nonnegative, bound=3.0):
    """The least value over |x| <= bound of the saddle point's function of x at q and p: no objective there is less."""
    slope = A.adjoint(q) + gradient_adjoint(p)
    least = bound * (slope.clamp(max=0) if nonnegative else -slope.abs()).sum()
    return float(lamda * (least - (y.conj() * q).real.sum() - 0.5 * lamda * square_norm(q)))


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_gradient_and_its_adjoint(channels, height, width, is_complex):
    dtype = torch.complex128 if is_complex else torch.float64
    x = torch.randn((1, channels, height, width), generator=generator(0), dtype=dtype)
    p = torch.randn((2, *x.shape), generator=generator(1), dtype=dtype)
    left, right = torch.vdot(p.flatten(), gradient(x).flatten()), torch.vdot(gradient_adjoint(p).flatten(), x.flatten())
    assert abs(left - right) <= 1e-12 * max(float(x.norm() * p.norm()), 1)
    assert float(square_norm(gradient(x))) <= 8 * float(square_norm(x))


@kinds
@pytest.mark.parametrize("lamda", [0.01, 0.1])
def test_duality_gap_vanishes(kind, lamda):
    """The gap bounds the distance of the objective from its minimum, so an image with a gap of 0 is the minimiser."""
    A, y = problem(kind)
    start = torch.zeros_like(A.adjoint(y))
    gaps = []
    for iterations in (20, 2000):
        x, q, p = primal_dual(A, y, start, lamda, iterations, nonnegative=kind == "ct")
        assert float(lengths(p).max()) <= 1 + 1e-12 and float(x.abs().max()) < 3
        value = primal(A, y, x, lamda)
        gaps.append((value - dual(A, y, q, p, lamda, kind == "ct")) / value)
    assert -1e-12 <= gaps[1] < 1e-3 and gaps[1] < 0.05 * gaps[0]


@kinds
def test_default_iterations_arrive(kind):
    """What the solver of each operator returns has an objective within 0.1 % of the least one."""
    A, y = problem(kind)
    x = solve_tv(A, Observation(A, y, A.adjoint(y)), 0.03)
    best = primal_dual(A, y, A.adjoint(y), 0.03, 3000, nonnegative=kind == "ct")[0]
    assert primal(A, y, x, 0.03) <= 1.001 * primal(A, y, best, 0.03)


@pytest.mark.parametrize("lamda", [0.03, 0.1, 0.3])
def test_gray_denoising_is_scikit_images(lamda):
    A, y = problem("denoising")
    expected = denoise_tv_chambolle(y[0, 0].numpy(), weight=lamda, eps=1e-12, max_num_iter=20000)
    x = primal_dual(A, y, y, lamda, 1000)[0]
    np.testing.assert_allclose(x[0, 0].numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("kind", ["colour", "inpainting"])
def test_solutions_turn_over_with_the_picture_and_scale(kind):
    A, y = problem(kind)
    turned = Identity(y.mT.shape[1:]) if kind == "colour" else Mask(A.mask.mT, y.mT.shape[1:])
    x = primal_dual(A, y, y, 0.05, 1000)[0]
    torch.testing.assert_close(primal_dual(turned, y.mT, y.mT, 0.05, 1000)[0], x.mT, atol=1e-9, rtol=0)
    scaled = primal_dual(A, 4 * y, 4 * y, 0.2, 1000)[0]  # in a hole there may be several solutions, all as good
    assert primal(A, 4 * y, scaled, 0.2) == pytest.approx(16 * primal(A, y, x, 0.05), rel=1e-3)
    if kind == "colour":
        torch.testing.assert_close(scaled, 4 * x, atol=5e-3, rtol=0)


def test_length_of_a_round_edge():
    """TV of a disc is its height times its circumference, in whatever direction its edge runs."""
    axis = torch.arange(101, dtype=torch.float64) - 50
    disc = torch.sigmoid((30 - torch.hypot(axis[:, None] - 0.3, axis - 0.1)) / 2)[None, None]
    assert float(lengths(gradient(disc)).sum()) == pytest.approx(2 * math.pi * 30, rel=0.005)
    for turned in (disc.mT, torch.rot90(disc, 1, (-2, -1)), disc.flip(-1)):
        assert float(lengths(gradient(turned)).sum()) == pytest.approx(2 * math.pi * 30, rel=0.005)


def test_colour_of_equal_channels_is_gray():
    """Three equal channels: 3/2 ||x - y||^2 + lamda sqrt(3) TV(x), so gray with lamda / sqrt(3): `TV` allows for it."""
    A, y = problem("denoising")
    threefold = y.expand(1, 3, 16, 16)
    gray = primal_dual(A, y, y, 0.1, 1000)[0]
    colour = primal_dual(Identity((3, 16, 16)), threefold, threefold, 0.1 * 3**0.5, 1000)[0]
    torch.testing.assert_close(colour, gray.expand(1, 3, 16, 16), atol=1e-4, rtol=0)
    gray, colour = (TV(lamda=0.1).solve(Observation(Identity(data.shape[1:]), data, data)) for data in (y, threefold))
    torch.testing.assert_close(colour, gray.expand(1, 3, 16, 16), atol=1e-3, rtol=0)


def test_colour_does_not_depend_on_the_basis_of_the_channels():
    A, y = problem("colour")
    turn = torch.linalg.qr(torch.randn((3, 3), generator=generator(5), dtype=torch.float64))[0]
    x = primal_dual(A, y, y, 0.1, 300)[0]
    turned = primal_dual(A, torch.einsum("ij,bjhw->bihw", turn, y), torch.einsum("ij,bjhw->bihw", turn, y), 0.1, 300)[0]
    torch.testing.assert_close(turned, torch.einsum("ij,bjhw->bihw", turn, x), atol=1e-10, rtol=0)


def test_a_phase_of_mri_goes_through():
    A, y = problem("mri")
    phase = complex(math.cos(1), math.sin(1))
    x = primal_dual(A, y, A.adjoint(y), 0.02, 100)[0]
    torch.testing.assert_close(primal_dual(A, phase * y, phase * A.adjoint(y), 0.02, 100)[0], phase * x)


def test_attenuation_is_not_negative():
    """CT's answer is; and where the image without the bound has values below 0, the bound binds."""
    case = load_case("ct", profile="smoke", size=32, views=8)
    A, y = case.observation.A, case.observation.y
    free = primal_dual(A, y, case.observation.start, 1e-4, 300)[0]
    x = TV(lamda=1e-4).solve(case.observation)
    assert free.min() < -1e-3 and x.min() == 0


@pytest.mark.parametrize("task", ["denoising", "inpainting"])
def test_weight_follows_the_noise_unless_given(task):
    case = load_case(task, size=24, sigma=20.0)
    lamda = 0.7 * case.observation.noise_std
    np.testing.assert_array_equal(TV(strength=0.7, iterations=3).solve(case.observation),
                                  TV(lamda=lamda, strength=5.0, iterations=3).solve(case.observation))


def test_known_pixels_without_noise_stay_and_are_the_limit_of_small_weights():
    case = load_case("inpainting", size=24, missing=0.5)
    o = case.observation
    x = configure("tv", "inpainting").solve(o)
    assert torch.equal(o.A(x), o.y)
    small, limit = (TV(lamda=lamda, iterations=4000).solve(o) for lamda in (1e-5, 0.0))
    torch.testing.assert_close(small, limit, atol=2e-3, rtol=0)
