"""CT projectors: adjoints, exact line integrals, symmetries, the ramp filter, and other libraries as oracles."""

import math
import sys
import types

import numpy as np
import pytest
import torch
from checks import error_of

from aseqdip_lite import dot_test
from aseqdip_lite.images.phantoms import SHEPP_LOGAN, ellipse_image, shepp_logan
from aseqdip_lite.operators import ct
from aseqdip_lite.operators import torch_radon as radon_backend
from aseqdip_lite.operators.ct import make_projector
from aseqdip_lite.operators.projectors import (
    MatrixProjector,
    RotationProjector,
    detector_bins,
    disc,
    equal_angles,
    fbp,
    matrix_bytes,
    positions,
    ramp_filter,
    strip_sinogram,
    strip_weights,
)

#: Two ellipses, off the centre and turned, so that every mirror image and every turn is another object.
ELLIPSES = ((1.0, 0.3, 0.5, 0.25, -0.2, 30.0), (0.5, 0.15, 0.1, -0.4, 0.35, -20.0))
ANGLES = equal_angles(12)
BACKENDS = ("matrix", "rotation")


def ellipse_sinogram(ellipses, size, angles, detector):
    """Exact sinogram (views, detector) of ellipses: means over each bin of 2 v a b sqrt(r^2 - t^2) / r^2.

    t is the distance from the centre, r^2 = a^2 cos^2(theta - phi) + b^2 sin^2(theta - phi).
    """
    edges = (np.arange(detector + 1) - detector / 2) * (2 / size)
    rows = np.zeros((len(angles), detector))
    for row, angle in zip(rows, angles, strict=True):
        for value, a, b, x, y, phi in ellipses:
            turn = angle - math.radians(phi)
            r = math.hypot(a * math.cos(turn), b * math.sin(turn))
            u = np.clip((edges - x * math.cos(angle) - y * math.sin(angle)) / r, -1, 1)
            area = value * a * b * (u * np.sqrt(1 - u**2) + np.arcsin(u))  # of the part left of each edge
            row += np.diff(area) * (size / 2) ** 2
    return rows


def tensor(image):
    return torch.from_numpy(np.asarray(image, dtype=np.float32))[None, None]


def relative(a, b):
    return float(np.linalg.norm(np.asarray(a) - np.asarray(b)) / np.linalg.norm(np.asarray(b)))


def random_image(size, seed=0, dtype=torch.float64):
    return torch.rand((1, 1, size, size), generator=torch.Generator().manual_seed(seed), dtype=dtype)


# Adjoint and gradients.

@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("size, angles", [(32, equal_angles(18)), (33, equal_angles(7)), (24, (0.1, 2.0, 1.0))])
def test_adjoint_is_exact(kind, size, angles):
    R = make_projector(kind, size, angles)
    assert dot_test(R, tol=1e-10) <= 1e-10
    assert dot_test(R, double=False, tol=1e-6) <= 1e-6


@pytest.mark.parametrize("kind", BACKENDS)
def test_gradients_of_first_and_second_order(kind):
    R = make_projector(kind, 8, equal_angles(3)).to(double=True)
    x = random_image(8).requires_grad_()
    assert torch.autograd.gradcheck(R, x)
    assert torch.autograd.gradcheck(lambda v: R(v) ** 2, x)
    assert torch.autograd.gradgradcheck(lambda v: R(v) ** 2, x)
    y = R(x).detach().requires_grad_()
    assert torch.autograd.gradcheck(R.adjoint, y)


@pytest.mark.parametrize("kind", BACKENDS)
def test_gradient_of_the_data_term_is_the_adjoint_of_the_residual(kind):
    R = make_projector(kind, 16, equal_angles(5))
    x = random_image(16, dtype=torch.float32).requires_grad_()
    y = torch.rand(R(x).shape, generator=torch.Generator().manual_seed(1))
    (R(x) - y).square().sum().backward()
    torch.testing.assert_close(x.grad, 2 * R.adjoint(R(x.detach()) - y))
    torch.testing.assert_close(R.vjp(x.detach(), y), R.adjoint(y))


def test_forward_mode_derivative_is_the_map_itself():
    R, x, v = MatrixProjector(12, ANGLES), random_image(12).float(), random_image(12, seed=1).float()
    value, tangent = torch.func.jvp(R, (x,), (v,))
    torch.testing.assert_close(value, R(x))
    torch.testing.assert_close(tangent, R(v))


@pytest.mark.parametrize("kind", BACKENDS)
def test_batches_are_projected_one_by_one(kind):
    R = make_projector(kind, 16, equal_angles(5))
    x = torch.cat([random_image(16, seed, torch.float32) for seed in range(3)])
    torch.testing.assert_close(R(x), torch.cat([R(image[None]) for image in x]))
    torch.testing.assert_close(R.adjoint(R(x)), torch.cat([R.adjoint(R(image[None])) for image in x]))


@pytest.mark.parametrize("kind", BACKENDS)
def test_double_precision_agrees_with_single(kind):
    R, x = make_projector(kind, 32, ANGLES), random_image(32)
    double = R.to(double=True)
    assert double(x).dtype == torch.float64
    assert double.to(double=False)(x.float()).dtype == torch.float32
    assert relative(R(x.float()), double(x)) < 1e-6


# Line integrals.

@pytest.mark.parametrize("kind", (*BACKENDS, "stream"))
def test_sinogram_of_an_asymmetric_phantom_is_within_1_percent_of_the_line_integrals(kind):
    size, detector = 128, detector_bins(128)
    image = ellipse_image(ELLIPSES, size, oversample=8)
    expected = ellipse_sinogram(ELLIPSES, size, ANGLES, detector)
    if kind == "stream":
        def project(picture):
            return strip_sinogram(picture, ANGLES, detector)
    else:
        R = make_projector(kind, size, ANGLES)

        def project(picture):
            return R(tensor(picture))[0]
    assert relative(project(image), expected) < 0.01
    for wrong in (image[::-1], image[:, ::-1], image.T, np.rot90(image, 2)):  # the phantom tells them apart
        assert relative(project(wrong.copy()), expected) > 0.3


def test_analytic_sinogram_is_the_integral_over_the_ellipses():
    size, detector, angle = 40, 59, 0.7
    value, a, b, x0, y0, phi = 0.8, 0.3, 0.6, 0.2, -0.1, math.radians(25)
    n = 1500  # points along and across the rays
    s = ((np.arange(n) + 0.5) / n - 0.5) * detector * 2 / size
    S, T = s[:, None], s[None, :]
    X, Y = S * math.cos(angle) - T * math.sin(angle) - x0, S * math.sin(angle) + T * math.cos(angle) - y0
    u, v = X * math.cos(phi) + Y * math.sin(phi), Y * math.cos(phi) - X * math.sin(phi)
    lines = value * ((u / a) ** 2 + (v / b) ** 2 <= 1).sum(axis=1) * detector / n
    edges = np.searchsorted(s, (np.arange(detector + 1) - detector / 2) * 2 / size)
    expected = [lines[i:j].mean() for i, j in zip(edges[:-1], edges[1:], strict=True)]
    row = ellipse_sinogram(((value, a, b, x0, y0, math.degrees(phi)),), size, [angle], detector)[0]
    assert relative(row, expected) < 0.005


@pytest.mark.parametrize("angle", [0.0, math.pi / 2, math.pi / 4, 0.3, 1.2, 2.9])
@pytest.mark.parametrize("pixel", [1.0, 0.5])
def test_strip_weights_are_the_area_of_the_pixel_over_each_bin(angle, pixel):
    size, detector, n = 5, 11, 200
    s = positions(size, angle, pixel).ravel()
    first, weights = strip_weights(s, angle, detector, pixel)
    points = ((np.arange(n) + 0.5) / n - 0.5) * pixel
    shift = (points[None, :] * math.cos(angle) + points[:, None] * math.sin(angle)).ravel()
    for centre, start, column in zip(s, first, weights.T, strict=True):
        bins = np.floor(centre + shift + detector / 2).astype(int)
        counted = np.bincount(bins, minlength=detector + 4) * pixel**2 / n**2
        share = np.zeros(detector + 4)
        share[start:start + len(column)] = column
        np.testing.assert_allclose(share, counted, atol=0.011 * pixel**2)  # 1 % for points on an edge
        assert column.sum() == pytest.approx(pixel**2, rel=1e-8)


@pytest.mark.parametrize("kind, tolerance", [("matrix", 1e-6), ("rotation", 1e-3)])
def test_every_view_holds_the_whole_mass(kind, tolerance):
    image = ellipse_image(ELLIPSES, 64, oversample=8)
    views = make_projector(kind, 64, ANGLES)(tensor(image))[0].sum(dim=-1)
    np.testing.assert_allclose(views, image.sum(dtype=np.float64), rtol=tolerance)


def test_views_at_right_angles_are_column_and_row_sums():
    size, image = 9, random_image(9).float() * disc(9)
    y = MatrixProjector(size, (0.0, math.pi / 2), detector=size)(image)[0]
    torch.testing.assert_close(y[0], image[0, 0].sum(dim=0))
    torch.testing.assert_close(y[1], image[0, 0].sum(dim=1).flip(0))  # Y points up, row 0 is on top


@pytest.mark.parametrize("kind", BACKENDS)
def test_turned_and_mirrored_images(kind):
    R, image = make_projector(kind, 31, ANGLES), random_image(31).float()[0, 0].numpy()
    y = R(tensor(image))[0].numpy()
    turned = R(tensor(np.rot90(image).copy()))[0].numpy()  # counterclockwise
    np.testing.assert_allclose(turned[6:], y[:6], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(turned[:6], y[6:, ::-1], rtol=1e-3, atol=1e-3)  # theta + pi looks from behind
    mirrored = R(tensor(image[:, ::-1].copy()))[0].numpy()  # X -> -X: theta -> pi - theta
    np.testing.assert_allclose(mirrored[1:], y[:0:-1], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(mirrored[0], y[0, ::-1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", BACKENDS)
def test_nothing_outside_of_the_disc_is_seen_or_written(kind):
    R, x = make_projector(kind, 32, ANGLES), random_image(32).float()
    inside = disc(32)
    assert 0.77 < float(inside.mean()) < 0.8  # pi / 4
    assert torch.equal(inside, R.disc)
    torch.testing.assert_close(R(x), R(x * inside))
    back = R.adjoint(torch.ones(1, *R.out_shape))
    assert (back[0, 0][inside == 0] == 0).all()
    assert (back[0, 0][inside == 1] > 0).all()


def test_rotation_agrees_with_the_matrix_on_smooth_images():
    axis = np.arange(64)
    blob = np.exp(-((axis[:, None] - 25) / 6.0) ** 2 - ((axis[None, :] - 36) / 9.0) ** 2)
    matrix, rotation = (make_projector(kind, 64, ANGLES)(tensor(blob)) for kind in BACKENDS)
    assert relative(rotation, matrix) < 1e-3
    edges = ellipse_image(ELLIPSES, 64)
    matrix, rotation = (make_projector(kind, 64, ANGLES)(tensor(edges)) for kind in BACKENDS)
    assert relative(rotation, matrix) < 5e-3


def test_streamed_sinogram_is_the_matrix_on_its_own_grid_and_exact_on_a_replicated_finer_one():
    image = (random_image(24)[0, 0] * disc(24)).numpy()
    R = MatrixProjector(24, ANGLES).to(double=True)
    expected = R(torch.from_numpy(image)[None, None])[0].numpy()
    assert relative(strip_sinogram(image, ANGLES, R.detector), expected) < 1e-6
    fine = np.kron(image, np.ones((2, 2)))  # the same object: what the inverse crime would project
    assert relative(strip_sinogram(fine, ANGLES, R.detector, pixel=0.5), expected) < 1e-6


# Other libraries.

def test_astra_gives_the_same_strip_integrals():
    astra = pytest.importorskip("astra", reason="ASTRA is not installed", exc_type=ImportError)
    size, detector = 64, detector_bins(64)
    image = ellipse_image(ELLIPSES, size)
    geometry = astra.create_proj_geom("parallel", 1.0, detector, np.array(ANGLES))
    projector = astra.create_projector("strip", geometry, astra.create_vol_geom(size, size))
    _, sinogram = astra.create_sino(image, projector)
    _, back = astra.create_backprojection(sinogram, projector)
    R = MatrixProjector(size, ANGLES)
    assert relative(R(tensor(image))[0], sinogram) < 2e-4
    assert relative(R.adjoint(torch.from_numpy(sinogram)[None])[0, 0], back * disc(size).numpy()) < 2e-4


def test_skimage_turns_the_same_way():
    from skimage.transform import radon

    size = 97  # odd: skimage's axis lies on the pixel size // 2
    image = ellipse_image(ELLIPSES, size)
    expected = radon(image, np.degrees(ANGLES), circle=True).T
    assert relative(MatrixProjector(size, ANGLES, detector=size)(tensor(image))[0], expected) < 0.02


# Filtered back-projection.

def test_ramp_filter_is_the_kernel_of_kak_and_slaney_without_wrap_around():
    delta = torch.zeros(3, 9, dtype=torch.float64)
    delta[0, 0] = delta[1, 4] = delta[2, 8] = 1
    filtered = ramp_filter(delta)
    lags = np.arange(9)[None, :] - np.array([[0], [4], [8]])
    odd = lags % 2 == 1
    kernel = np.where(odd, -1 / (math.pi * np.where(odd, lags, 1)) ** 2, 0.0)
    kernel[lags == 0] = 0.25
    np.testing.assert_allclose(filtered, kernel, atol=1e-15)


@pytest.mark.parametrize("kind", BACKENDS)
def test_fbp_recovers_phantoms_from_180_views(kind):
    size = 64
    R = make_projector(kind, size, equal_angles(180))
    axis = (np.arange(size) - 31.5) / 32
    blob = np.exp(-((axis[:, None] + 0.2) / 0.25) ** 2 - ((axis[None, :] - 0.1) / 0.35) ** 2).astype(np.float32)
    blob *= disc(size).numpy()
    assert relative(fbp(R, R(tensor(blob)))[0, 0], blob) < 0.02
    exact = torch.from_numpy(ellipse_sinogram(SHEPP_LOGAN, size, R.angles, R.detector).astype(np.float32))[None]
    image, truth = fbp(R, exact)[0, 0].numpy(), shepp_logan(size)
    assert image.sum() == pytest.approx(truth.sum(), rel=2e-3)
    assert image[20:44, 24:40].mean() == pytest.approx(truth[20:44, 24:40].mean(), rel=0.01)
    assert 10 * np.log10(1 / np.mean((image - truth) ** 2)) > 24


def test_fbp_gets_better_with_more_views():
    truth = ellipse_image(ELLIPSES, 64)
    errors = []
    for views in (9, 18, 30, 90):
        R = MatrixProjector(64, equal_angles(views))
        errors.append(relative(fbp(R, R(tensor(truth)))[0, 0], truth))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.2 < errors[0]


# What a user can get wrong, and the choice of the backend.

def test_angles_must_be_there_finite_and_distinct():
    assert error_of(lambda: make_projector("auto", 16, ())) == "a scan needs at least one view, got none"
    assert error_of(lambda: make_projector("auto", 16, (0.0, math.nan))) == "the angles of the views must be finite"
    twice = error_of(lambda: make_projector("auto", 16, (0.5, 1.0, 0.5)))
    assert twice == ("the views at 28.6479 and 28.6479 degrees measure the same rays: "
                     "angles must be distinct modulo 180 degrees")
    assert "the views at 0 and 180 degrees" in error_of(lambda: make_projector("auto", 16, (math.pi, 0.4, 0.0)))
    assert "the views at -1e-06 and 180 degrees" in error_of(
        lambda: make_projector("auto", 16, (math.radians(-1e-6), 0.4, math.pi)))
    assert make_projector("auto", 16, (0.3,))(random_image(16).float()).shape == (1, 1, detector_bins(16))


def test_equal_angles_divide_half_a_turn():
    assert equal_angles(4) == pytest.approx((0, math.pi / 4, math.pi / 2, 3 * math.pi / 4))


def test_detector_covers_the_diagonal():
    assert detector_bins(512) == 729
    for size in range(16, 70):
        assert detector_bins(size) >= math.sqrt(2) * size
        assert detector_bins(size) % 2 == 1


def test_auto_leaves_the_matrix_above_the_memory_bound(monkeypatch):
    assert isinstance(make_projector("auto", 16, ANGLES), MatrixProjector)
    monkeypatch.setattr(ct, "MOST_BYTES", 100)
    assert isinstance(make_projector("auto", 16, ANGLES), RotationProjector)
    assert "at most 0 are used: choose the projector rotation or auto" in error_of(
        lambda: make_projector("matrix", 16, ANGLES))


def test_bound_keeps_30_views_of_512_as_a_matrix_and_180_not():
    assert matrix_bytes(512, equal_angles(30)) < ct.MOST_BYTES < matrix_bytes(512, equal_angles(180))
    R = MatrixProjector(64, ANGLES)
    stored = 2 * 8 * R.matrix.values().numel()
    assert matrix_bytes(64, ANGLES) == pytest.approx(stored, rel=0.03)


def test_unknown_projector_names_the_nearest():
    assert error_of(lambda: make_projector("rotaton", 16, ANGLES)) == (
        "unknown projector 'rotaton': did you mean 'rotation'? known: auto, matrix, rotation, torch-radon")


# torch-radon, of which only the adapter can be tested without a CUDA device: fakes compute on the CPU.


def test_torch_radon_missing_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_radon", None)
    message = error_of(lambda: make_projector("torch-radon", 16, ANGLES))
    assert "conda install -c conda-forge carterbox-torch-radon" in message
    assert "projector matrix needs neither" in message
    assert "\n" not in message


class FakeRadon:
    """Stands for torch-radon: records what it was given and computes by the matrix, on plain (B, H, W) float32."""

    def __init__(self, size, angles, detector):
        assert isinstance(angles, torch.Tensor) and angles.dtype == torch.float32
        self.size, self.matrix = size, MatrixProjector(32, angles.tolist(), detector)
        self.volume = types.SimpleNamespace(set_size=self.set_size)

    def set_size(self, height, width):
        assert height == width
        self.size = height

    def forward(self, x):
        assert x.is_contiguous() and x.dtype == torch.float32 and x.shape[1:] == (32, 32)
        return self.matrix(x[:, None])

    def backward(self, y):
        assert y.is_contiguous() and y.dtype == torch.float32 and self.size == 32
        return self.matrix.adjoint(y)[:, 0]


@pytest.mark.parametrize("fake", [
    types.SimpleNamespace(ParallelBeam=lambda detector, angles: FakeRadon(None, angles, detector)),
    types.SimpleNamespace(Radon=FakeRadon)], ids=["version 3", "version 1"])
def test_torch_radon_adapter_hands_over_shapes_and_gradients(monkeypatch, fake):
    monkeypatch.setitem(sys.modules, "torch_radon", fake)
    monkeypatch.setattr(radon_backend, "DEVICE", "cpu")
    angles = (0.0, 0.9, 2.0)  # three of them: torch-radon reads a tuple of three as a range
    R, expected = make_projector("torch-radon", 32, angles), MatrixProjector(32, angles)
    assert R.out_shape == expected.out_shape
    y = torch.ones(1, *R.out_shape)
    torch.testing.assert_close(R.adjoint(y), expected.adjoint(y))  # before any forward projection
    x = random_image(32).float().transpose(-1, -2).requires_grad_()
    torch.testing.assert_close(R(x), expected(x))
    (R(x) * y).sum().backward()
    torch.testing.assert_close(x.grad, expected.adjoint(y))
    assert dot_test(R, double=False, tol=1e-6) <= 1e-6
    assert dot_test(R, tol=1e-6) <= 1e-6  # computed in single precision
    assert R(random_image(32)).dtype == torch.float64
