"""The kernel's limit under undersampling, the Deep Decoder, and the measurements G1 and G2."""

import math

import pytest
import torch
from checks import error_of, generator, rand, randn

from aseqdip_lite.course.theory import bands, square_wave
from aseqdip_lite.course.theory.nets import as_function, conv_net
from aseqdip_lite.course.theory.ntk import jacobian, ntk_matrix
from aseqdip_lite.course.theory.spectral import (
    commutator,
    fourier_rows,
    limit,
    singular_spectra,
    trajectory,
)
from aseqdip_lite.networks.decoder import DeepDecoder, decoder
from aseqdip_lite.tasks import load_case

N = 24
FREQUENCIES = [0, 1, 2, 5, 9]


def full_jacobian(network, z):
    """J (n, weights) of a network's output."""
    f, params = as_function(network)
    return torch.cat(jacobian(f, params, list(params), z), dim=1)


def small(name):
    """(network, input) of length N: "cnn", "decoder" or a decoder with a kernel of low rank, "thin"."""
    if name == "cnn":
        return conv_net(width=12, layers=3), randn(1, 1, N, seed=1)
    network = decoder((N,), 1, generator(1), channels=12 if name == "decoder" else 2, layers=2).double()
    return network, network.noise(generator(2), torch.float64)


@pytest.fixture(scope="module", params=["cnn", "decoder", "thin", "random", "low rank"])
def J(request):
    """Jacobians (N, weights) of networks and of linear models, the last with rank 7 of 24."""
    if request.param in ("cnn", "decoder", "thin"):
        return full_jacobian(*small(request.param))
    return randn(N, 40, seed=3) if request.param == "random" else randn(N, 7, seed=4) @ randn(7, 30, seed=5)


A = fourier_rows(N, FREQUENCIES)


def well_conditioned(M):
    """A Jacobian with the same singular vectors and singular values from 1 to 2, so that descent ends soon."""
    U, s, V = torch.linalg.svd(M, full_matrices=False)
    kept = s > 1e-9 * s[0]
    return U[:, kept] @ torch.diag(torch.linspace(2, 1, int(kept.sum()), dtype=M.dtype)) @ V[kept]


def descend(J, A, y, beta, steps, z0=0.0):
    """Gradient descent on 1/2 ||A z - y||^2 over the weights of z = z_0 + J theta; returns every z."""
    theta, path = torch.zeros(J.shape[1], dtype=J.dtype), []
    for _ in range(steps + 1):
        z = z0 + J @ theta
        path.append(z)
        theta = theta - beta * J.T @ (A.T @ (A @ z - y))
    return torch.stack(path)


def assert_close(a, b, tol):
    assert float((a - b).norm()) <= tol * max(float(b.norm()), 1.0)


# The limit and the way to it.

def test_rows_are_orthonormal_samples_of_the_spectrum():
    assert_close(A @ A.T, torch.eye(9, dtype=torch.float64), 1e-13)
    whole = fourier_rows(N, range(N // 2 + 1))
    assert_close(whole.T @ whole, torch.eye(N).double(), 1e-13)
    x = randn(N)
    spectrum = torch.fft.rfft(x, norm="ortho")[FREQUENCIES]
    assert float((A @ x).square().sum()) == pytest.approx(
        float(spectrum[0].abs() ** 2 + 2 * spectrum[1:].abs().square().sum()))


@pytest.mark.parametrize("start", [False, True])
def test_gradient_descent_on_the_linear_model_ends_at_the_limit(J, start):
    J = well_conditioned(J)
    W, y, z0 = J @ J.T, A @ randn(N, seed=7), randn(N, seed=8) if start else torch.zeros(N).double()
    mu = torch.linalg.eigvalsh(A @ W @ A.T)
    beta = 1.5 / float(mu[-1])
    small_mu = float(mu[mu > 1e-9 * mu[-1]][0])
    steps = min(20000, math.ceil(30 / (beta * small_mu)))
    assert_close(descend(J, A, y, beta, steps, z0)[-1], limit(W, A, y, z0), 1e-8)


def test_every_step_of_descent_is_on_the_predicted_path(J):
    W, y, z0 = J @ J.T, A @ randn(N, seed=7), randn(N, seed=8)
    beta = 1.9 / float(torch.linalg.eigvalsh(A @ W @ A.T)[-1])
    assert_close(trajectory(W, A, y, beta, range(41), z0), descend(J, A, y, beta, 40, z0), 1e-10)
    assert torch.equal(trajectory(W, A, y, beta, [0], z0)[0], z0)


def test_descent_diverges_above_two_over_the_largest_eigenvalue():
    W, y = small_kernel(), A @ randn(N, seed=7)
    beta = 2.2 / float(torch.linalg.eigvalsh(A @ W @ A.T)[-1])
    assert float(trajectory(W, A, y, beta, [400])[0].norm()) > 1e3 * float(limit(W, A, y).norm())


def small_kernel():
    J = randn(N, 40, seed=3)
    return J @ J.T


def test_limit_is_the_least_squares_solution_of_least_weights(J):
    y = A @ randn(N, seed=9)
    theta = torch.linalg.lstsq(A @ J, y[:, None], driver="gelsd").solution[:, 0]
    assert_close(limit(J @ J.T, A, y), J @ theta, 1e-6)


def test_limit_has_the_least_kernel_norm_among_all_that_fit():
    W, y = small_kernel(), A @ randn(N, seed=9)
    z, inverse = limit(W, A, y), torch.linalg.inv(W)
    null = torch.eye(N).double() - A.T @ A
    for seed in range(5):
        other = z + 0.1 * null @ randn(N, seed=seed)
        assert_close(A @ other, y, 1e-10)
        assert float(other @ inverse @ other) > float(z @ inverse @ z)


# Exact recovery, and null(A).

def test_exact_recovery_in_the_range_of_w_at(J):
    W = well_conditioned(J)
    W = W @ W.T
    x = W @ A.T @ randn(len(A), seed=10)
    assert_close(limit(W, A, A @ x), x, 1e-9)
    R = W @ A.T @ torch.linalg.pinv(A @ W @ A.T, rtol=1e-12, hermitian=True) @ A  # x goes to z_inf = R x
    assert_close(R @ R, R, 1e-8)
    assert round(float(R.trace())) == torch.linalg.matrix_rank(A @ W @ A.T) <= len(A)


def test_no_recovery_outside_of_it(J):
    W = well_conditioned(J)
    W = W @ W.T
    basis = torch.linalg.svd(W @ A.T)[0][:, :int(torch.linalg.matrix_rank(W @ A.T))]
    x = randn(N, seed=11)
    outside = x - basis @ (basis.T @ x)
    error = limit(W, A, A @ x) - x
    assert float(error.norm()) >= float(outside.norm()) * (1 - 1e-9) > 0.5
    assert_close(basis @ (basis.T @ error) - error, outside, 1e-8)  # the limit lies in the range: the rest is missing


def test_an_invisible_image_is_lost_and_data_are_fitted_noise_included():
    W, null = small_kernel(), torch.eye(N).double() - A.T @ A
    x, noise = randn(N, seed=12), randn(len(A), seed=13)
    assert float(limit(W, A, A @ (null @ x)).norm()) <= 1e-9
    assert_close(A @ limit(W, A, A @ x + noise), A @ x + noise, 1e-9)
    assert_close(A @ (limit(W, A, A @ x) - x), torch.zeros(len(A)).double(), 1e-9)  # the error lies in null(A)
    z0 = null @ randn(N, seed=14)
    assert_close(limit(W, A, A @ x, z0), z0 + limit(W, A, A @ x), 1e-9)  # and keeps what the start put there


def test_a_circulant_kernel_gives_the_zero_filled_image():
    """It is diagonal in the Fourier basis, as the sampling is."""
    first = torch.fft.irfft(0.1 + rand(N // 2 + 1, seed=15), n=N)
    W = torch.stack([first.roll(shift) for shift in range(N)])
    y = A @ randn(N, seed=16)
    assert commutator(W, A) <= 1e-12 < 0.01 < commutator(small_kernel(), A)
    assert_close(limit(W, A, y), A.T @ y, 1e-9)
    assert float((limit(small_kernel(), A, y) - A.T @ y).norm()) > 0.1


def test_a_wide_convolutional_network_on_white_noise_is_nearly_circulant():
    """Many noise channels average out all but shifts: the wider the input, the less goes into null(A)."""
    parts = []
    for channels in (1, 16, 256):
        network, z = conv_net(width=16, layers=3, c_in=channels), randn(1, channels, N, seed=17)
        parts.append(commutator(ntk_matrix(*as_function(network), z), A))
    assert parts[0] > parts[1] > parts[2]


def test_singular_spectra_are_those_of_the_svd(J):
    W = J @ J.T
    values, spectra = singular_spectra(W)
    assert_close(values, torch.linalg.svdvals(W), 1e-9)
    assert spectra.shape == (N // 2 + 1, N)
    weights = torch.ones(N // 2 + 1, 1).double() * 2
    weights[0] = weights[-1] = 1
    assert_close((weights * spectra.square()).sum(dim=0), torch.ones(N).double(), 1e-9)  # Parseval, unit vectors


# The Deep Decoder.

@pytest.mark.parametrize("size, layers", [((128,), 5), ((50,), 3), ((33, 20), 3)])
def test_decoder_makes_any_size_from_few_weights(size, layers):
    network = decoder(size, 2, generator(), channels=6, layers=layers)
    z = network.noise(generator(1))
    assert network(z).shape == (1, 2, *size)
    assert z.shape == (1, 6, *(-(-n // 2**layers) for n in size))
    assert sum(p.numel() for p in network.parameters()) == layers * 36 + 2 * layers * 6 + 12


def test_decoder_layer_is_the_formula_of_the_paper():
    network = decoder((8,), 1, generator(), channels=3, layers=1).double()
    z = network.noise(generator(1), torch.float64)  # (1, 3, 4)
    U = torch.nn.functional.interpolate(torch.eye(4).double()[None], scale_factor=2, mode="linear")[0].T  # (8, 4)
    B = (U @ z[0].T @ network.mix[0].weight[:, :, 0].T).clamp_min(0)  # (8, 3)
    B = (B - B.mean(dim=0)) / (B.var(dim=0, unbiased=False) + network.norm[0].eps).sqrt()
    assert_close(network(z).detach().flatten(), (B @ network.head.weight[:, :, 0].T).detach().flatten(), 1e-12)


def test_decoder_ignores_the_scale_of_its_noise():
    network = decoder((32,), 1, generator(), channels=8, layers=2).double()
    z = network.noise(generator(1), torch.float64)
    assert_close(network(100 * z).detach(), network(10 * z).detach(), 1e-3)


@pytest.mark.parametrize("size, layers, message", [
    ((8, 8, 8), 2, "a Deep Decoder makes signals (n,) or images (H, W), got size (8, 8, 8)"),
    ((16,), 4, "4 layers shrink 16 to a single pixel: use at most 3"),
    ((9, 5), 5, "5 layers shrink 9 x 5 to a single pixel: use at most 3"),
])
def test_decoder_of_no_use(size, layers, message):
    assert error_of(DeepDecoder, size, 1, layers=layers) == message


# G1.

def test_kernel_predicts_the_network_while_it_moves_little():
    """Gradient descent on real networks, initial output subtracted, against the path under their own kernel."""
    x = square_wave.square_wave(N)
    for name in square_wave.NETWORKS:
        network, z = square_wave.build(name, N, 128, 64, 2, generator(3))
        W, y = ntk_matrix(*as_function(network), z), 0.01 * A @ x  # a faint image asks for small steps of the weights
        beta = 0.5 / float(torch.linalg.eigvalsh(A @ W @ A.T)[-1])
        optimizer = torch.optim.SGD(network.parameters(), lr=beta)
        path = square_wave.descend(network, z, A, y, optimizer, 60, 20, network(z).detach().flatten())
        assert_close(path / 0.01, trajectory(W, A, y, beta, range(0, 61, 20)) / 0.01, 0.05)


def test_square_wave_and_samples():
    x = square_wave.square_wave(16)
    assert x.tolist() == [0] * 4 + [1] * 8 + [0] * 4
    taken = square_wave.sampled_frequencies(128, generator())
    assert taken[:9] == list(range(9)) and len(taken) == 9 + 13 and taken == sorted(set(taken)) and taken[-1] < 64


def test_g1_measures_and_draws():
    result, spectra = square_wave.measure(**square_wave.SIZES["smoke"])
    for name, found in result["networks"].items():
        for kind in ("kernel", "descent", "adam"):
            assert len(found[kind][0]) == len(result["step"]) == 5
        assert found["kernel"][0][0] == pytest.approx(0.5 ** 0.5)  # z_0 = 0 against 1 in half of the samples
        assert found["descent"][0][0] == pytest.approx(0.5 ** 0.5)
        assert len(found["values"]) == 32 and spectra[name].shape == (17, 32)
    assert result == square_wave.measure(**square_wave.SIZES["smoke"])[0]
    assert square_wave.figure(result, spectra).axes


# G2.

def test_bands_share_out_all_of_k_space():
    for shape in ((64, 64), (33, 50)):
        masks = torch.stack(list(bands.ring_masks(shape).values()))
        assert bool((masks.sum(dim=0) == 1).all())
    low = bands.ring_masks((64, 64))["low"]
    assert bool(low[32, 32]) and not bool(low[0, 0])


def test_complex_truth_has_the_magnitude_of_the_truth():
    case = load_case("mri", profile="smoke", snr=None, acceleration=2)
    x = bands.complex_truth(case)
    torch.testing.assert_close(torch.from_numpy(case.display(x)), torch.from_numpy(case.truth), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(case.observation.A(x), case.observation.y, rtol=1e-4, atol=1e-4)


def test_band_errors_of_known_images():
    x = randn(1, 1, 32, 32, dtype=torch.complex128)
    assert set(bands.band_errors(torch.zeros_like(x), x).values()) == {1.0}
    assert max(bands.band_errors(x, x).values()) == 0.0
    assert list(bands.band_errors(3 * x, x).values()) == pytest.approx([2.0, 2.0, 2.0])
    blurred = bands.Fourier((1, 32, 32)).adjoint(bands.ring_masks((32, 32))["low"] * bands.Fourier((1, 32, 32))(x))
    assert list(bands.band_errors(blurred, x).values()) == pytest.approx([0.0, 1.0, 1.0], abs=1e-12)


def test_g2_measures_and_draws():
    result = bands.measure(**bands.SIZES["smoke"])
    (run,) = result["runs"]
    assert result["step"] == [2, 4] and run["snr"] == 19.0 and len(run["psnr"]) == 2
    assert all(len(errors) == 2 for errors in run["bands"].values())
    assert set(run["best"]) == {"psnr", "low", "mid", "high"} and set(run["best"].values()) <= {2, 4}
    assert bands.figure(result).axes
