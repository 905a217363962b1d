"""aSeqDIP's dynamics: the linear recursion against literal simulation, the exact statements, trained networks."""

import pytest
import torch
from checks import randn

from aseqdip_lite import ASeqDIP, iterate
from aseqdip_lite.course.theory import dynamics, stages
from aseqdip_lite.course.theory.figures_dynamics import plot_frozen, plot_modes
from aseqdip_lite.course.theory.nets import as_function, conv_net
from aseqdip_lite.course.theory.ntk import ntk_matrix
from aseqdip_lite.methods.base import Carry, square_norm
from aseqdip_lite.networks import build

n = 16
EYE = torch.eye(n, dtype=torch.float64)
MASK = torch.diag((torch.arange(n) % 3 != 1).double())
FOURIER = torch.fft.fft(EYE.to(torch.complex128), norm="ortho")[[0, 1, 2, 5, 9, 14]]
OPERATORS = {"identity": EYE, "mask": MASK, "masked Fourier": FOURIER, "general": randn(11, n, seed=3) / 3}
LAMS, NS = (0.0, 0.5, 1.0, 2.0), (1, 2, 7)

every_operator = pytest.mark.parametrize("A", OPERATORS.values(), ids=OPERATORS)
every_setting = pytest.mark.parametrize("lam, N", [(lam, N) for lam in LAMS for N in NS])


def linear_model(A, lam, seed=0):
    """J, Theta, G, y, z_0, f_0 of a network that is linear in weights and input, and a stable step."""
    J = randn(n, 2 * n, seed=seed) / n
    G = 0.4 * randn(n, n, seed=seed + 1) / n**0.5
    y = randn(len(A), seed=seed + 2, dtype=A.dtype)
    theta = J @ J.T
    return J, theta, G, y, randn(n, seed=seed + 3), randn(n, seed=seed + 4), 0.6 * dynamics.largest_step(theta, A, lam)


def small_net(width=16, residual=False):
    return as_function(conv_net(width, 3, seed=0), residual)


def stable(f, params, A, z, lam, share=0.2):
    return share * dynamics.largest_step(ntk_matrix(f, params, z[None, None]), A, lam)


# The linear recursion.

@every_operator
@every_setting
def test_momentum_form_equals_literal_gradient_descent(A, lam, N):
    J, theta, G, y, z0, f0, beta = linear_model(A, lam)
    literal = dynamics.linear_simulation(J, G, A, y, z0, f0, lam, N, beta, 10)
    recursion = dynamics.momentum_path(theta, G, A, y, z0, f0, lam, N, beta, 10)
    assert literal.shape == (11, n)
    assert torch.allclose(recursion, literal, rtol=0, atol=1e-10)


@every_operator
@pytest.mark.parametrize("lam", [0.0, 2.0])
@pytest.mark.parametrize("rho", [0.1, 0.5, 1.0])
def test_momentum_form_of_a_damped_input_equals_literal_gradient_descent(A, lam, rho):
    J, theta, G, y, z0, f0, beta = linear_model(A, lam)
    literal = dynamics.linear_simulation(J, G, A, y, z0, f0, lam, 2, beta, 10, rho)
    recursion = dynamics.momentum_path(theta, G, A, y, z0, f0, lam, 2, beta, 10, rho)
    assert torch.allclose(recursion, literal, rtol=0, atol=1e-10)
    assert (rho == 1) == torch.equal(recursion, dynamics.momentum_path(theta, G, A, y, z0, f0, lam, 2, beta, 10))


@every_operator
@every_setting
def test_stage_map_equals_literal_gradient_descent(A, lam, N):
    J, theta, G, y, z0, f0, beta = linear_model(A, lam, seed=7)
    z = dynamics.linear_simulation(J, G, A, y, z0, f0, lam, N, beta, 3)
    swapped = z[2] + G @ (z[2] - z[1])  # u_3: the output after the input moved from z_1 to z_2
    assert torch.allclose(dynamics.stage_map(theta, A, y, z[2], swapped, lam, N, beta), z[3], rtol=0, atol=1e-10)


@every_operator
@every_setting
def test_preconditioner_is_symmetric_positive_and_completes_the_step_matrix(A, lam, N):
    _, theta, _, _, _, _, _ = linear_model(A, lam)
    beta = dynamics.largest_step(theta, A, lam)
    B, M = dynamics.preconditioner(theta, A, lam, N, beta), dynamics.step_matrix(theta, A, lam, beta)
    assert torch.allclose(B, B.T, atol=1e-10 * float(B.norm()))
    assert torch.linalg.eigvalsh(B)[0] >= -1e-10 * B.norm()
    assert torch.allclose(B @ dynamics.hessian(A, lam), EYE - torch.linalg.matrix_power(M, N), atol=1e-10)


@every_operator
@pytest.mark.parametrize("lam", LAMS)
def test_largest_step_is_where_the_first_mode_grows(A, lam):
    _, theta, _, _, _, _, _ = linear_model(A, lam)

    def radius(share):
        M = dynamics.step_matrix(theta, A, lam, share * dynamics.largest_step(theta, A, lam))
        return float(torch.linalg.eigvals(M).abs().max())

    assert radius(0.999) <= 1 + 1e-9 < radius(1.001)


@every_operator
@pytest.mark.parametrize("lam", [0.5, 2.0])
def test_proximal_point_is_the_minimiser(A, lam):
    y, z = randn(len(A), seed=1, dtype=A.dtype), randn(n, seed=2)
    t = dynamics.proximal_point(A, y, z, lam).requires_grad_()
    loss = (A @ t.to(A.dtype) - y).abs().square().sum() + lam * (t - z).square().sum()
    assert torch.autograd.grad(loss, t)[0].abs().max() < 1e-10


@every_operator
def test_proximal_point_without_lam_is_the_limit_of_small_lam(A):
    y, z = randn(len(A), seed=1, dtype=A.dtype), randn(n, seed=2)
    assert torch.allclose(dynamics.proximal_point(A, y, z, 0.0), dynamics.proximal_point(A, y, z, 1e-8), atol=1e-5)


# Single modes, A = I.

def mode_path(theta, gain, lam, N, stages=40, rho=1.0):
    one = torch.ones(1, dtype=torch.float64)
    theta, eye = theta * one.diag(), one.diag()
    return dynamics.momentum_path(theta, gain * eye, eye, 0 * one, one, one, lam, N, 1.0, stages, rho)[:, 0]


@pytest.mark.parametrize("rho", [1.0, 0.3])
@pytest.mark.parametrize("gain", [0.0, 0.3, 1.0, -0.5])
@every_setting
def test_mode_roots_solve_the_recursion(gain, lam, N, rho):
    theta = 0.07
    path, (r, s) = mode_path(theta, gain, lam, N, rho=rho), dynamics.mode_roots(theta, gain, lam, N, 1.0, rho)
    assert torch.allclose(path[2:], (r + s).real * path[1:-1] - (r * s).real * path[:-2], atol=1e-12)


@pytest.mark.parametrize("theta", [1e-3, 0.05, 0.2])
def test_lam_cancels_for_a_blind_network_with_one_step_a_stage(theta):
    for lam in LAMS:
        assert torch.allclose(mode_path(theta, 0.0, lam, 1), mode_path(theta, 0.0, 0.0, 1), atol=1e-14)


def test_lam_leaves_slow_modes_of_a_blind_network_and_caps_fast_ones():
    slow, fast, lam, N = 1e-5, 0.1, 2.0, 50
    factor = {theta: float(dynamics.mode_roots(theta, 0.0, lam, N, 1.0)[0].real) for theta in (slow, fast)}
    assert factor[slow] == pytest.approx(1 - 2 * N * slow, rel=1e-5)
    assert factor[fast] == pytest.approx(lam / (1 + lam), abs=1e-9)


@pytest.mark.parametrize("lam", LAMS)
def test_residual_mode_swings_below_its_threshold_and_faster_than_vanilla(lam):
    N, limit = 2, 4 * (1 + lam) / (2 + lam) ** 2  # the a below which the roots are complex
    for a, swings in ((0.99 * limit, True), (min(1.01 * limit, 0.9999), limit * 1.01 >= 1)):
        theta = (1 - (1 - a) ** (1 / N)) / (2 * (1 + lam))
        roots = dynamics.mode_roots(theta, 1.0, lam, N, 1.0)
        assert bool((roots.imag.abs() > 1e-9).all()) == swings
        if swings:  # the envelope is |q|^{N/2} a stage
            assert torch.allclose(roots.abs(), torch.full((2,), (1 - a) ** 0.5, dtype=torch.float64))
    slow = 1e-4
    path, vanilla = mode_path(slow, 1.0, lam, N, 200), mode_path(slow, 0.0, 0.0, N, 200)
    assert int((path < 0.1).nonzero()[0]) < 200 and float(vanilla[-1]) > 0.9


def test_lam_sets_the_pace_of_an_overdamped_residual_mode():
    for theta in (1e-4, 2e-4):
        slow = dynamics.mode_roots(theta, 1.0, 1000.0, 1, 1.0)[0]
        assert slow.imag == 0 and float(slow.real) == pytest.approx(1 - 1 / 1001, abs=2e-5)


def test_negative_gain_has_the_tighter_bound_of_stability():
    lam, N, theta = 1.0, 2, 0.02
    a = 1 - (1 - 2 * (1 + lam) * theta) ** N
    for sign, bound in ((1, 1.0), (-1, 1 - a / (2 * (1 + lam)))):
        for share, stays in ((0.999, True), (1.001, False)):
            roots = dynamics.mode_roots(theta, sign * share * bound / (1 - a), lam, N, 1.0)
            assert bool((roots.abs() <= 1).all()) == stays


# Fixed points and the null space.

@every_operator
@every_setting
def test_fixed_points_of_the_recursion_do_not_depend_on_lam_and_N(A, lam, N):
    _, theta, G, y, z0, _, beta = linear_model(A, lam)
    z = dynamics.proximal_point(A, y, z0, 0.0)  # A^H (A z - y) = 0
    path = dynamics.momentum_path(theta, G, A, y, z, z, lam, N, beta, 20)
    assert torch.allclose(path, z.expand(21, n), atol=1e-10)


def blind_limit(theta, A, y, z1, lam, N, beta):
    """z_inf = z_1 + B_N A^H (A B_N A^H)^+ (y - A z_1) of a network that is blind to its input (G = 0)."""
    BAH = dynamics.preconditioner(theta, A, lam, N, beta) @ dynamics.real_system(A, y)[0].T
    A, y = dynamics.real_system(A, y)
    return z1 + BAH @ torch.linalg.pinv(A @ BAH, hermitian=True, rtol=1e-10) @ (y - A @ z1)


@pytest.mark.parametrize("lam", [0.0, 1.0])
@every_operator
def test_blind_network_ends_where_the_formula_says(A, lam):
    J, theta, G, y, z0, f0, beta = linear_model(A, lam)
    theta = theta + 0.3 * EYE  # no slow mode, so that the path arrives
    beta = 0.9 * dynamics.largest_step(theta, A, lam)
    path = dynamics.momentum_path(theta, 0 * G, A, y, z0, f0, lam, 2, beta, 500)
    limit = blind_limit(theta, A, y, path[1], lam, 2, beta)
    assert torch.allclose(path[-1], limit, atol=1e-8)


def test_null_space_of_a_blind_network_is_free_of_lam_in_small_steps_and_freezes_in_long_stages():
    _, theta, _, y, z0, _, _ = linear_model(MASK, 1.0)
    y, hidden = MASK @ y, EYE - MASK
    z0 = z0 + torch.linalg.pinv(MASK) @ (y - MASK @ z0) + MASK @ randn(n, seed=9)
    small = [blind_limit(theta, MASK, y, z0, lam, 2, 1e-7) for lam in (0.0, 4.0)]
    assert torch.allclose(*small, atol=1e-5) and (hidden @ (small[0] - z0)).norm() > 0.1
    theta = theta + 0.1 * EYE
    beta = 0.9 * dynamics.largest_step(theta, MASK, 1.0)
    long = dynamics.momentum_path(theta, 0 * EYE, MASK, y, z0, z0, 1.0, 4000, beta, 5)
    assert torch.allclose(hidden @ long[-1], hidden @ z0, atol=1e-6)


@pytest.mark.parametrize("lam, kept", [(0.0, True), (1.0, False)])
def test_only_lam_brakes_a_velocity_in_the_null_space_of_a_residual_network(lam, kept):
    _, theta, _, _, z0, _, beta = linear_model(MASK, lam)
    v = (EYE - MASK) @ randn(n, seed=5)
    M = torch.linalg.matrix_power(dynamics.step_matrix(theta, MASK, lam, beta), 2)
    assert torch.allclose(M @ v, v, atol=1e-12) == kept
    assert (M @ v).dot(v) <= v.dot(v) + 1e-12


# Exact statements E1 to E3, with real networks.

def gradients(network, loss):
    trained = [p for p in network.parameters() if p.requires_grad]
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, trained)])


@pytest.mark.parametrize("task, settings", [("denoising", dict(size=32)), ("mri", dict(size=32, coils=2))])
def test_autoencoding_gradient_is_the_swap_mismatch(task, settings, smoke_case):
    """E1, U-Net and Adam: at the first inner step of a stage the gradient is 2 J^T (f(z_{k-1}) - f(z_{k-2}))."""
    observation = smoke_case(task, **settings).observation
    runs = iterate(observation, ASeqDIP(N=2, K=3))
    first = next(state for state in runs if state.step == 2)
    before = first.carry.z.clone()  # z_1
    last = next(state for state in runs if state.step == 4)
    network, z = last.carry.network, last.carry.z  # z_2 = f(z_1)
    with torch.no_grad():
        assert torch.equal(network(before), z)  # the swap changes the input, not the weights
    output = network(z)
    mismatch = output.detach() - z
    assert float(mismatch.abs().max()) > 0
    term = gradients(network, square_norm(output - z))
    product = 2 * torch.view_as_real(network(z)).mul(torch.view_as_real(mismatch)).sum() if z.is_complex() else (
        2 * (network(z) * mismatch).sum())
    assert torch.allclose(term, gradients(network, product), rtol=1e-3, atol=1e-4 * float(term.abs().max()))
    same = network(before)  # an input swap that leaves the output unchanged
    assert float(gradients(network, square_norm(same - z)).abs().max()) < 1e-6 * float(term.abs().max())


def test_lam_drops_out_of_a_network_that_is_blind_to_its_input_with_one_step_a_stage():
    """E1's consequence: with N = 1 only the swap's mismatch is left for lam to act on, and here there is none."""
    f, params = small_net()
    y, z0 = randn(n, seed=1), randn(n, seed=2)
    blind = stages.blind(stages.centred(f, params), z0)
    beta = stable(blind, params, EYE, z0, 4.0)
    paths = [stages.trained_path(blind, params, EYE, y, z0, lam, 1, beta, 20) for lam in (0.0, 1.0, 4.0)]
    for path in paths[1:]:
        assert torch.allclose(path, paths[0], atol=1e-10)
    other = stages.trained_path(blind, params, EYE, y, z0, 4.0, 2, beta, 20)
    assert not torch.allclose(other, stages.trained_path(blind, params, EYE, y, z0, 0.0, 2, beta, 20), atol=1e-6)


class Residual(torch.nn.Module):
    """z + g(z) - g_0(z) for a network g and its frozen copy: the identity until it is trained."""

    def __init__(self, make):
        super().__init__()
        self.network, self.frozen = make(), make().requires_grad_(False)

    def forward(self, z):
        return z + (self.network(z) - self.frozen(z))


def residual_unet(image):
    return Residual(lambda: build("lite", image, torch.Generator().manual_seed(0)))


def test_lam_and_N_drop_out_of_the_fixed_points(smoke_case):
    """E2: where f(z) = z the gradient is that of the data term, whatever lam; U-Net, denoising and multi-coil MRI."""
    for task, settings in (("denoising", dict(size=32)), ("mri", dict(size=32, coils=2))):
        observation = smoke_case(task, **settings).observation
        z = observation.start
        z = z + 0.1 * torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(1))
        network = residual_unet(z)
        data = gradients(network, square_norm(observation.A(network(z)) - observation.y))
        for lam in (0.5, 4.0):
            loss = square_norm(observation.A(network(z)) - observation.y) + lam * square_norm(network(z) - z)
            assert torch.equal(gradients(network, loss), data) and float(data.abs().max()) > 0


@every_operator
@pytest.mark.parametrize("lam, N", [(0.0, 1), (2.0, 2)])
def test_a_network_that_returns_a_least_squares_input_never_moves(A, lam, N):
    """E3 for conv nets and gradient descent, and E2: any z with A^H (A z - y) = 0 will do, A^H y is one of them."""
    f, params = small_net()
    identity = stages.centred(f, params)
    y = A @ randn(n, seed=1).to(A.dtype)
    z = dynamics.proximal_point(A, y, randn(n, seed=2), 0.0)
    path = stages.trained_path(identity, params, A, y, z, lam, N, stable(identity, params, A, z, lam), 20)
    assert torch.allclose(path, z.expand(21, n), atol=1e-10)
    moved = stages.trained_path(identity, params, A, y, z + MASK @ randn(n, seed=3), lam, N, 1e-3, 2)
    assert not torch.allclose(moved[2], moved[0], atol=1e-6)


@pytest.mark.parametrize("task, settings, minimises", [
    ("denoising", dict(size=32), True), ("inpainting", dict(size=32), True), ("mri", dict(size=32, coils=1), True),
    ("mri", dict(size=32, coils=2), False)])
def test_the_adjoint_image_minimises_the_problem_of_remark_31(task, settings, minimises, smoke_case):
    """E3: where A A^H y = y, noise and all, z = A^H y with f(z) = z attains 0 in min ||A f(z) - y||^2 s.t. f(z) = z.

    With several coils A A^H y is not y: then another z, the least-squares solution, is the minimiser.
    """
    observation = smoke_case(task, **settings).observation
    z, network = observation.start, residual_unet(observation.start)
    assert torch.equal(network(z), z)
    loss = square_norm(observation.A(network(z)) - observation.y).item() / square_norm(observation.y).item()
    assert (loss < 1e-12) == minimises and (minimises or loss > 1e-3)


def run_of_residual_unet(observation, method):
    network, z = residual_unet(observation.start), observation.start
    carry = Carry(network, torch.optim.Adam(network.network.parameters(), lr=1e-3), z, torch.Generator())
    return iterate(observation, method, carry=method.begin(observation, carry))


@pytest.mark.parametrize("lam", [0.0, 1.0])
@pytest.mark.parametrize("task", ["denoising", "inpainting"])
def test_unet_that_returns_the_noisy_image_never_moves_under_adam(task, lam, smoke_case):
    observation = smoke_case(task, size=32).observation
    for state in run_of_residual_unet(observation, ASeqDIP(lam=lam, N=2, K=3)):
        assert torch.equal(state.image, observation.start) and state.losses["loss"] == 0


def test_rounding_errors_are_enough_for_adam_to_leave(smoke_case):
    """E3's limit: with one coil A A^H y = y holds to rounding only, and Adam's first step has size lr all the same."""
    observation = smoke_case("mri", size=32, coils=1).observation
    z, state = observation.start, next(run_of_residual_unet(observation, ASeqDIP(lam=0.0, N=2, K=1)))
    assert state.losses["loss"] < 1e-12 * float(square_norm(observation.y))
    assert float((state.image - z).norm() / z.norm()) > 0.01


# Trained networks against the linear theory.

def test_network_that_is_linear_follows_the_recursion_exactly():
    """`trained_path`, `frozen_path` and their error on f = f_0 + G z + J w, where nothing is neglected."""
    J, _, G, y, z0, f0, beta = linear_model(MASK, 1.0)

    def f(params, z):
        return (f0 + (z.flatten() - z0) @ G.T + J @ params["w"])[None, None]

    found = stages.frozen_kernel_error(f, dict(w=torch.zeros(2 * n, dtype=torch.float64)), MASK, y, z0, 1.0, 3, beta, 8)
    assert found["error"] < 1e-10
    assert torch.allclose(found["trained"], dynamics.linear_simulation(J, G, MASK, y, z0, f0, 1.0, 3, beta, 8))


def test_linearised_network_with_a_held_input_follows_the_recursion_exactly():
    f, params = small_net()
    y, z0 = randn(n, seed=1), randn(n, seed=2)
    held = stages.blind(f, z0)
    found = stages.frozen_kernel_error(stages.linearised(held, params), params, EYE, y, z0, 1.0, 2,
                                       stable(held, params, EYE, z0, 1.0), 10)
    assert found["error"] < 1e-10


def test_linearised_network_agrees_to_first_order():
    f, params = small_net()
    z, step = randn(n, seed=1), {name: randn(*p.shape, seed=4) for name, p in params.items()}
    errors = []
    for size in (1e-3, 1e-4):
        near = {name: p + size * step[name] for name, p in params.items()}
        errors.append(float((stages.output(f, near, z) - stages.output(stages.linearised(f, params), near, z)).norm()))
    assert 0 < errors[1] < 0.02 * errors[0]


@pytest.mark.parametrize("kind", ["plain", "residual", "centred"])
@pytest.mark.parametrize("name", ["identity", "mask", "masked Fourier"])
def test_one_stage_formula_with_the_current_kernel_holds_within_ten_percent(kind, name):
    A = OPERATORS[name]
    f, params = small_net(64, residual=kind == "residual")
    f = stages.centred(f, params) if kind == "centred" else f
    y = A @ randn(n, seed=1).to(A.dtype)
    z0 = (A.conj().T @ y).real + 0.3 * randn(n, seed=2)
    for lam in (0.0, 1.0):
        errors = stages.one_stage_error(f, params, A, y, z0, lam, 2, stable(f, params, A, z0, lam, 0.05), 5)
        assert float(errors.max()) < 0.1 and float(errors.min()) > 0


def test_frozen_kernel_fails_where_the_one_stage_formula_holds():
    """A residual network with the noisy signal as input: what fails is freezing across stages."""
    f, params = small_net(64, residual=True)
    y = randn(n, seed=1)
    beta = stable(f, params, EYE, y, 1.0, 0.05)
    assert float(stages.one_stage_error(f, params, EYE, y, y, 1.0, 2, beta, 12).max()) < 0.1
    assert stages.frozen_kernel_error(f, params, EYE, y, y, 1.0, 2, beta, 12)["error"] > 0.5


def test_figures_show_what_they_are_given():
    assert [axis.get_title() for axis in plot_modes(stages=5).axes] == ["blind to its input, G = 0",
                                                                        "residual network, G = I"]
    path = randn(4, n, seed=1)
    figure = plot_frozen({"title": dict(trained=path, frozen=path, error=0.0)}, path[0])
    assert figure.axes[0].lines[0].get_ydata()[0] == 0
