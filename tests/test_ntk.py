"""The networks of the theory and their tangent kernel, against explicit Jacobians and kernels known in closed form."""

import pytest
import torch
from checks import error_of, generator, randn
from torch import nn

from aseqdip_lite import networks
from aseqdip_lite.course.theory import ntk
from aseqdip_lite.course.theory.nets import antithetic, as_function, conv_net
from aseqdip_lite.course.theory.ntk import NTK, eigenvalues, ntk_matrix
from aseqdip_lite.operators import LinearOperator, dot_test


def explicit_jacobian(f, params, z):
    """J (m, P) row by row with autograd alone."""
    leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
    entries = f(leaves, z).flatten()
    rows = [torch.autograd.grad(entry, list(leaves.values()), retain_graph=True) for entry in entries]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


def signal_network(residual=False, seed=0, c_in=1):
    f, params = as_function(conv_net(6, layers=4, c_in=c_in, seed=seed), residual)
    return f, params, randn(1, c_in, 12, seed=seed + 1)


def image_network():
    """A small U-Net of the project's kind, with batch normalisation in training mode, in float64."""
    unet = networks.UNet((3, 4), 1, 1)
    networks.initialise(unet, generator())
    return *as_function(networks.ImageNetwork(unet, is_complex=False).double()), randn(1, 1, 7, 5)


class Symmetric(LinearOperator):
    """x -> M x for a symmetric matrix M, on images of shape (1, m)."""

    def __init__(self, matrix):
        super().__init__((1, len(matrix)), (1, len(matrix)))
        self.matrix = matrix

    def _apply(self, x):
        return x @ self.matrix

    _adjoint = _apply


# Networks.

@pytest.mark.parametrize("width, layers, kernel, c_in, parameters", [
    (64, 5, 3, 1, (3 + 1) * 64 + 3 * (3 * 64 * 64 + 64) + 3 * 64 + 1), (4, 2, 5, 3, (15 + 1) * 4 + 5 * 4 + 1)])
def test_shape_and_parameters_of_the_1d_network(width, layers, kernel, c_in, parameters):
    network = conv_net(width, layers, kernel, c_in)
    assert networks.count_parameters(network) == parameters
    assert network(randn(1, c_in, 20)).shape == (1, 1, 20)
    assert sum(isinstance(part, nn.Conv1d) for part in network) == layers
    assert isinstance(network[-1], nn.Conv1d)


def test_initial_weights_are_hes():
    network = conv_net(64)
    for index, convolution in enumerate(network[::2]):
        fan_in, weights = convolution.in_channels * 3, convolution.weight.detach()
        tolerance = 4 / (2 * weights.numel()) ** 0.5
        assert float((weights**2).mean()) == pytest.approx(2 / fan_in, rel=2 * tolerance), index
        assert not convolution.bias.any()


@pytest.mark.parametrize("width", [16, 128])
def test_initial_output_has_variance_2_at_every_width(width):
    """For an input of 1 everywhere and He's weights, E g_0^2 = 2 inside: g_0 does not vanish as the width grows."""
    z = torch.ones(1, 1, 9, dtype=torch.float64)
    values = torch.stack([conv_net(width, layers=2, seed=seed)(z)[0, 0, 4].detach() for seed in range(400)])
    assert float((values**2).mean()) == pytest.approx(2.0, rel=0.35)
    assert float(values.mean()) == pytest.approx(0.0, abs=4 * (2 / 400) ** 0.5)


def test_seed_and_generator_determine_the_weights():
    def weights(**kwargs):
        return torch.cat([p.flatten() for p in conv_net(4, **kwargs).parameters()])

    assert torch.equal(weights(seed=3), weights(generator=generator(3)))
    assert not torch.equal(weights(seed=3), weights(seed=4))


@pytest.mark.parametrize("kwargs, message", [
    (dict(layers=1), "a network needs at least 2 layers and 1 channel, got layers 1, width 64, c_in 1"),
    (dict(width=0), "a network needs at least 2 layers and 1 channel, got layers 5, width 0, c_in 1"),
    (dict(kernel=4), "kernel must be odd so that lengths are kept, got 4")])
def test_impossible_networks_are_refused(kwargs, message):
    assert error_of(conv_net, **kwargs) == message


def test_function_is_the_network_and_residual_adds_the_input():
    network, z = conv_net(5, layers=3), randn(1, 1, 10)
    f, params = as_function(network)
    torch.testing.assert_close(f(params, z), network(z))
    torch.testing.assert_close(as_function(network, residual=True)[0](params, z), z + network(z))
    torch.testing.assert_close(f({name: 0 * p for name, p in params.items()}, z), torch.zeros_like(z))
    assert not any(p.requires_grad for p in params.values())


@pytest.mark.parametrize("make", [signal_network, image_network])
def test_antithetic_partner_has_the_same_kernel_and_the_opposite_output(make):
    f, params, z = make()
    partner = antithetic(params)
    torch.testing.assert_close(f(partner, z), -f(params, z), rtol=1e-12, atol=1e-12)
    assert float(f(params, z).norm()) > 1e-3
    probe = randn(1, *z.shape[1:], seed=8)
    torch.testing.assert_close(NTK(f, partner, z)(probe), NTK(f, params, z)(probe), rtol=1e-10, atol=1e-10)
    assert torch.equal(f(antithetic(partner), z), f(params, z))


# The matrix.

@pytest.mark.parametrize("limit", [1, 12 * 60, ntk.JACOBIAN])
@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize("c_in", [1, 2])
def test_matrix_is_the_explicit_jacobian_times_its_transpose(c_in, chunk, limit, monkeypatch):
    monkeypatch.setattr(ntk, "JACOBIAN", limit)
    f, params, z = signal_network(c_in=c_in)
    J = explicit_jacobian(f, params, z)
    torch.testing.assert_close(ntk_matrix(f, params, z, chunk=chunk), J @ J.T, rtol=1e-12, atol=1e-10)


def test_matrix_between_two_inputs():
    f, params, z = signal_network()
    other = randn(1, 1, 7, seed=5)  # of another length
    K = ntk_matrix(f, params, z, other)
    assert K.shape == (12, 7)
    torch.testing.assert_close(K, explicit_jacobian(f, params, z) @ explicit_jacobian(f, params, other).T)
    torch.testing.assert_close(K, ntk_matrix(f, params, other, z).T)
    torch.testing.assert_close(ntk_matrix(f, params, z, z), ntk_matrix(f, params, z))


def test_matrix_is_symmetric_and_positive_semidefinite():
    f, params, z = signal_network()
    theta = ntk_matrix(f, params, z)
    assert torch.equal(theta, theta.T)
    values = torch.linalg.eigvalsh(theta)
    assert values[0] >= -1e-12 * values[-1]


def test_residual_connection_leaves_the_kernel_alone():
    f, params, z = signal_network()
    g = signal_network(residual=True)[0]
    assert torch.equal(ntk_matrix(f, params, z), ntk_matrix(g, params, z))


def test_kernel_of_a_linear_layer_in_closed_form():
    """f = W z + b: entry i moves with row i of W and with b_i alone, so Theta(z, z') = (z . z' + 1) I."""
    f, params = as_function(nn.Linear(5, 4).double())
    z, other = randn(1, 5), randn(1, 5, seed=1)
    expected = (float((z * other).sum()) + 1) * torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(ntk_matrix(f, params, z, other), expected)


def test_kernel_of_a_two_layer_network_in_closed_form():
    """f = a . relu(w z): Theta = sum_c [relu(w_c z)^2 + (a_c z)^2 1(w_c z > 0)] for a scalar z, plus the biases'."""
    network = conv_net(7, layers=2, kernel=1)
    f, params = as_function(network)
    z = torch.tensor([[[1.7]]], dtype=torch.float64)
    w, a = network[0].weight.flatten().detach(), network[2].weight.flatten().detach()
    active = (w * 1.7 > 0).double()
    expected = (torch.relu(1.7 * w) ** 2).sum() + ((1.7**2 + 1) * a**2 * active).sum() + 1
    assert float(ntk_matrix(f, params, z)) == pytest.approx(float(expected), rel=1e-12)


# The operator.

def test_operator_is_the_matrix_on_signals():
    f, params, z = signal_network(residual=True)
    theta, operator = ntk_matrix(f, params, z), NTK(f, params, z)
    torch.testing.assert_close(operator(torch.eye(12, dtype=torch.float64)[:, None])[:, 0], theta)
    assert dot_test(operator) < 1e-12
    x = randn(2, 1, 12, seed=4)
    assert torch.equal(operator.adjoint(x), operator(x))


def test_operator_is_the_explicit_kernel_of_the_unet():
    f, params, z = image_network()
    operator, J = NTK(f, params, z), explicit_jacobian(f, params, z)
    theta, x = J @ J.T, randn(1, 1, 7, 5, seed=2)
    torch.testing.assert_close(ntk_matrix(f, params, z), theta, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(operator(x).flatten(), theta @ x.flatten(), rtol=1e-9, atol=1e-9)
    assert dot_test(operator) < 1e-10
    largest = torch.linalg.eigvalsh(theta).flip(0)[:3]
    assert eigenvalues(operator, 3) == pytest.approx(largest.numpy(), rel=1e-6)


@pytest.mark.parametrize("preset", networks.PRESETS)
def test_operator_takes_every_preset(preset):
    z = randn(1, 1, 17, 17) if preset == "hourglass" else randn(1, 1, 9, 9)  # the smallest that it takes
    f, params = as_function(networks.build(preset, z, generator()).double(), residual=True)
    assert dot_test(NTK(f, params, z)) < 1e-10


def test_norm_is_the_largest_eigenvalue():
    f, params, z = signal_network()
    largest = float(torch.linalg.eigvalsh(ntk_matrix(f, params, z))[-1])
    assert NTK(f, params, z).norm(iterations=300) == pytest.approx(largest, rel=1e-8)
    assert NTK(f, params, z).to(double=False).norm(iterations=300) == pytest.approx(largest, rel=1e-4)


def test_precision_follows_the_weights_and_the_original_stays():
    f, params, z = signal_network()
    operator = NTK(f, params, z)
    single = operator.to(double=False)
    x = randn(1, 1, 12, seed=3)
    assert single(x.float()).dtype == torch.float32
    torch.testing.assert_close(single(x.float()).double(), operator(x), rtol=1e-4, atol=1e-2)
    assert operator(x).dtype == torch.float64
    assert dot_test(operator, double=False) < 1e-5


@pytest.mark.parametrize("count", [1, 3, 7])
def test_eigenvalues_of_a_known_operator(count):
    basis = torch.linalg.qr(randn(8, 8))[0]
    spectrum = torch.tensor([-9.0, 0.0, 0.5, 1.0, 1.0, 2.0, 5.0, 7.0], dtype=torch.float64)
    found = eigenvalues(Symmetric(basis * spectrum @ basis.T), count)
    assert found == pytest.approx(spectrum.flip(0)[:count].numpy(), abs=1e-7)


# Errors.

@pytest.mark.parametrize("count", [0, 12, 40])
def test_eigenvalue_count_is_bounded(count):
    said = error_of(eigenvalues, NTK(*signal_network()), count)
    assert said == f"count must lie between 1 and 11 for an operator on 12 entries, got {count}"


def test_complex_outputs_are_refused_and_their_channels_are_not():
    unet = networks.UNet((3, 4), 2, 2)
    networks.initialise(unet, generator())
    z = torch.randn((1, 1, 6, 6), generator=generator(), dtype=torch.complex128)
    f, params = as_function(networks.ImageNetwork(unet, is_complex=True).double())
    message = "the neural tangent kernel needs real outputs: take the network on the [Re, Im] channels"
    for make in (ntk_matrix, NTK):
        assert error_of(make, f, params, z) == message
    f, params = as_function(unet)
    assert dot_test(NTK(f, params, networks.to_channels(z))) < 1e-10
