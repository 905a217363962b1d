"""SIRT and CGLS: what SIRT converges to, CGLS against scipy, semi-convergence with noise, x >= 0."""

import numpy as np
import pytest
import torch
from checks import generator
from scipy.optimize import nnls
from scipy.sparse.linalg import lsqr

from aseqdip_lite import configure, load_case
from aseqdip_lite.learned.sampling import least_squares
from aseqdip_lite.methods.classic_ct import sirt
from aseqdip_lite.operators.ct import ct_operator
from aseqdip_lite.operators.projectors import detector_bins, disc, equal_angles


def problem(noise, size, views):
    """(A in double, its matrix (rows, size^2), x >= 0 in the field of view, y = A x + noise)."""
    A = ct_operator("matrix", size, equal_angles(views), detector_bins(size)).to(double=True)
    x = disc(size).double() * torch.rand((1, 1, size, size), generator=generator(3), dtype=torch.float64)
    x[..., 2, 1:4] = 0
    y = A(x)
    matrix = A.projector.matrix.to_dense().numpy() * A.factor
    return A, matrix, x, y + noise * torch.randn(y.shape, generator=generator(4), dtype=torch.float64)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_sirt_solves_its_weighted_least_squares_over_nonnegative_images(noise):
    """sum R (A x - y)^2 over x >= 0, whose solution scipy finds by an active set."""
    A, matrix, truth, y = problem(noise, 5, 9)
    rows = matrix.sum(axis=1)
    root = np.sqrt(np.divide(1, rows, out=np.zeros_like(rows), where=rows > 0))
    seen = matrix.any(axis=0)
    expected = np.zeros(matrix.shape[1])
    expected[seen] = nnls(root[:, None] * matrix[:, seen], root * y.flatten().numpy())[0]
    x = sirt(A, y, 4000).flatten().numpy()
    np.testing.assert_allclose(x, expected, atol=1e-6)
    assert (expected[seen] == 0).any() if noise else np.allclose(x, truth.flatten(), atol=1e-6)


def test_sirt_does_not_mind_the_factor_of_A():
    A, _, _, y = problem(0.1, 8, 16)
    torch.testing.assert_close(sirt(A.projector, y / A.factor, 30), sirt(A, y, 30))


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_cgls_is_scipys_lsqr(k):
    """Both minimise ||A x - y|| over the same Krylov space, so they agree as long as rounding is small."""
    A, matrix, _, y = problem(0.2, 8, 16)
    expected = lsqr(matrix, y.flatten().numpy(), atol=0, btol=0, conlim=0, iter_lim=k)[0]
    np.testing.assert_allclose(least_squares(A, y, k).flatten().numpy(), expected, atol=1e-10)


def test_cgls_ends_where_it_has_arrived():
    A, _, _, y = problem(0.0, 8, 16)
    assert not least_squares(A, torch.zeros_like(y), 5).any()
    assert least_squares(A, y, 500).isfinite().all()


@pytest.mark.parametrize("method, iterations", [("sirt", (2, 40, 3000)), ("cgls", (1, 8, 60))])
def test_with_noise_the_error_falls_and_then_rises(method, iterations):
    case = load_case("ct", "ct-brain", size=48, views=24, i0=3e3)
    images = [configure(method, "ct", steps=steps).solve(case.observation) for steps in iterations]
    early, best, late = (float(((case.display(image) - case.truth) ** 2).mean()) for image in images)
    assert best < 0.8 * early and best < 0.8 * late
    assert all(image.min() >= 0 for image in images)
