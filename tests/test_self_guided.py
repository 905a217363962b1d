"""Self-Guided DIP: its loss, its two optimisers, its draws and its average; the measurements G3 and G4."""

from dataclasses import replace

import pytest
import torch
from checks import generator, randn

from aseqdip_lite import iterate
from aseqdip_lite.case import Observation
from aseqdip_lite.course.theory import guidance, learned_input
from aseqdip_lite.images import load_image
from aseqdip_lite.methods.self_guided import SelfGuided, SelfGuidedCarry, uniform_like
from aseqdip_lite.networks import ImageNetwork, UNet, initialise
from aseqdip_lite.operators import Identity
from aseqdip_lite.tasks.mri import MRI


def square(x):
    return float(x.abs().square().sum())


class Linear(torch.nn.Module):
    """f(z) = p z + q with numbers p and q, so that expectations are known in closed form."""

    def __init__(self):
        super().__init__()
        self.p, self.q = (torch.nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in (0.7, 0.1))

    def forward(self, z):
        return self.p * z + self.q


def linear_carry(z, lr=0.0, seed=0):
    network, z = Linear(), z.clone().requires_grad_()
    return SelfGuidedCarry(network, torch.optim.SGD(network.parameters(), lr=lr), z, generator(seed),
                           z_optimizer=torch.optim.SGD([z], lr=lr))


# eta.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_uniform_numbers_fill_the_unit_interval_in_each_real_component(dtype):
    u = uniform_like(torch.empty(1, 2, 40, 50, dtype=dtype), generator())
    assert u.shape == (1, 2, 40, 50) and u.dtype == dtype
    for part in (u.real, u.imag) if u.is_complex() else (u,):
        assert 0 <= float(part.min()) < 0.01 and 0.99 < float(part.max()) < 1
        assert float(part.mean()) == pytest.approx(0.5, abs=0.02)
    assert torch.equal(u, uniform_like(u, generator())) and not torch.equal(u, uniform_like(u, generator(1)))


def test_expectation_is_the_mean_over_draws_reaching_half_of_the_largest_magnitude():
    """f is linear, so E f(z + eta) = f(z) + p m / 2 (1 + i) in the mean, with m = max |z| / 2."""
    z = randn(1, 1, 60, 60, dtype=torch.complex128)
    output = SelfGuided(draws=50).expect(linear_carry(z)).detach()
    reach = float(z.abs().max()) / 2
    eta = (output - 0.1) / 0.7 - z
    assert complex(eta.mean()) == pytest.approx(reach / 2 * (1 + 1j), rel=0.01)
    spread = reach * (2 / 12 / 50) ** 0.5  # standard deviation of the mean of 50 complex draws
    assert float(eta.std()) == pytest.approx(spread, rel=0.05)
    assert float(torch.maximum(eta.real.abs().max(), eta.imag.abs().max())) < reach


def test_turning_the_phase_of_the_input_leaves_the_reach_of_the_noise():
    z = randn(1, 1, 8, 8, dtype=torch.complex128)
    outputs = [SelfGuided().expect(linear_carry(z * phase)).detach() - 0.1 - 0.7 * z * phase for phase in (1, 1j, -1)]
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], outputs[2])


def test_noise_is_fresh_in_each_draw_and_each_step(tiny_mri):
    carry = SelfGuided(draws=1).init(tiny_mri.observation, 0)
    one, other = (SelfGuided(draws=1).expect(carry).detach() for _ in range(2))
    assert not torch.allclose(one, other)


# The loss and its gradients.

@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_losses_are_the_terms_of_the_equation(alpha, tiny_mri):
    observation, method = tiny_mri.observation, SelfGuided(alpha=alpha, steps=3)
    carry = method.init(observation, 0)
    for _ in range(3):
        saved, z = carry.state_dict()["generator"], carry.z.detach().clone()
        draws = torch.Generator()
        draws.set_state(saved)
        reach = z.abs().max() / 2
        with torch.no_grad():
            output = sum(carry.network(z + reach * uniform_like(z, draws)) for _ in range(3)) / 3
        losses = method.step(observation, carry).losses
        assert losses["data"] == pytest.approx(square(observation.A(output) - observation.y), rel=1e-4)
        assert losses["denoising"] == pytest.approx(square(output - z), rel=1e-4)
        assert losses["loss"] == pytest.approx(losses["data"] + alpha * losses["denoising"], rel=1e-5)


def test_gradients_of_weights_and_input_by_finite_differences():
    """One step of plain gradient descent with rate 1 shows both gradients; eta's size is held, as documented."""
    observation = MRI(coils=2, size=16, acceleration=2).observe(load_image("brain-070")).observation
    A, y = observation.A.to(double=True), observation.y.to(torch.complex128)
    z = observation.start.to(torch.complex128)
    unet = UNet((2, 3), 2, 2)
    initialise(unet, generator())
    network, method, step = ImageNetwork(unet, True).double(), SelfGuided(alpha=0.7, draws=2), 1e-7
    reach, draws = z.abs().max() / 2, generator(5)
    etas = [reach * uniform_like(z, draws) for _ in range(2)]

    @torch.no_grad()
    def loss(z):
        output = sum(network(z + eta) for eta in etas) / 2
        return square(A(output) - y) + 0.7 * square(output - z)

    parameters = [p for p in network.parameters() if p.dim() == 4]
    expected, places = [], []
    for p in parameters:
        flat = p.detach().view(-1)
        for index in range(0, p.numel(), 7):
            kept = flat[index].item()
            flat[index] = kept + step
            above = loss(z)
            flat[index] = kept - step
            expected.append((above - loss(z)) / (2 * step))
            flat[index] = kept
            places.append((p, index))
    pixels = [(3, 4), (8, 8), (15, 0)]
    slopes = []
    for unit in (1, 1j):
        for pixel in pixels:
            change = torch.zeros_like(z)
            change[0, 0][pixel] = step * unit
            slopes.append((loss(z + change) - loss(z - change)) / (2 * step))

    before = [p.detach().clone() for p in parameters]
    variable = z.clone().requires_grad_()
    carry = SelfGuidedCarry(network, torch.optim.SGD(network.parameters(), lr=1.0), variable, generator(5),
                            z_optimizer=torch.optim.SGD([variable], lr=1.0))
    method.step(Observation(A, y, z), carry)
    moved = {id(p): (old - p.detach()).flatten() for p, old in zip(parameters, before, strict=True)}
    taken = torch.stack([moved[id(p)][index] for p, index in places])
    expected = torch.tensor(expected, dtype=torch.float64)
    assert float((taken - expected).norm() / expected.norm()) <= 1e-5
    gradient = (z - variable.detach())[0, 0]
    taken = torch.tensor([part[pixel] for part in (gradient.real, gradient.imag) for pixel in pixels])
    torch.testing.assert_close(taken, torch.tensor(slopes, dtype=torch.float64), rtol=1e-4, atol=1e-4)


def test_without_denoising_term_and_noise_reaching_nothing_it_is_descent_on_the_data():
    """A = I, f linear and z = 0: eta is 0, and one step of each optimiser is known by hand."""
    y = randn(1, 1, 4, 4)
    observation = Observation(Identity((1, 4, 4)), y, y)
    carry = linear_carry(torch.zeros_like(y), lr=0.01)
    state = SelfGuided(alpha=0.0).step(observation, carry)
    residual = 0.1 - y
    assert carry.network.q.item() == pytest.approx(0.1 - 0.02 * float(residual.sum()))
    assert carry.network.p.item() == 0.7
    torch.testing.assert_close(carry.z.detach(), -0.02 * 0.7 * residual)
    assert state.losses["data"] == pytest.approx(square(residual))


# Optimisers, average, states.

def test_each_adam_steps_its_own_variables_with_its_own_rate(tiny_mri):
    method = SelfGuided(lr=1e-4, z_lr=0.05)
    carry = method.init(tiny_mri.observation, 0)
    weights = {name: p.detach().clone() for name, p in carry.network.named_parameters() if p.dim() == 4}
    z = carry.z.detach().clone()
    method.step(tiny_mri.observation, carry)
    moved = torch.view_as_real(carry.z.detach() - z).abs()
    assert float(moved.max()) <= 0.05 * 1.01 and float(moved.median()) >= 0.049  # Adam's first step has size lr
    for name, p in carry.network.named_parameters():
        if name in weights:
            assert float((p.detach() - weights[name]).abs().max()) <= 1e-4 * 1.01
    assert len(carry.z_optimizer.state) == 1 and len(carry.optimizer.param_groups[0]["params"]) > len(weights)


def test_input_starts_uniform_and_a_given_one_is_copied(tiny_mri):
    observation = tiny_mri.observation
    z = SelfGuided().init(observation, 0).z.detach()
    assert z.shape == observation.start.shape and z.dtype == observation.start.dtype
    parts = torch.view_as_real(z)
    assert float(parts.min()) >= 0 and float(parts.max()) < 1
    assert float(parts.mean()) == pytest.approx(0.5, abs=0.03)
    start = observation.start.clone()
    carry = SelfGuided().init(observation, 0, z0=start)
    assert torch.equal(carry.z.detach(), start) and carry.z is not start
    SelfGuided().step(observation, carry)
    assert torch.equal(start, observation.start)


def test_answer_is_the_moving_average_of_the_outputs(tiny_mri):
    states = list(iterate(tiny_mri.observation, SelfGuided(steps=6, ema=0.8)))
    average = states[0].image
    for state in states[1:]:
        average = 0.8 * average + 0.2 * state.image
    assert torch.equal(states[0].estimate, states[0].image)
    torch.testing.assert_close(states[-1].estimate, average)
    raw = list(iterate(tiny_mri.observation, SelfGuided(steps=3, ema=0.0)))
    assert all(torch.equal(state.image, state.estimate) for state in raw)


def test_denoising_term_draws_input_and_output_together(tiny_mri):
    method = SelfGuided(steps=30, lr=1e-3)
    gaps = [list(iterate(tiny_mri.observation, replace(method, alpha=alpha)))[-1].losses["denoising"]
            for alpha in (0.0, 0.5, 8.0)]
    assert gaps[0] > gaps[1] > gaps[2]


# G3 and G4.

def test_g3_measures_and_draws():
    result = guidance.measure(**guidance.SIZES["smoke"])
    assert [run["alpha"] for run in result["runs"]] == [0.0, 2.0]
    for run in result["runs"]:
        assert run["step"] == [1, 2, 3] and len(run["psnr"]) == len(run["raw"]) == len(run["gap"]) == 3
        assert run["best"][1] == max(run["psnr"])
    assert result["runs"][0]["gap"][0] == result["runs"][1]["gap"][0]  # the same weights, input and draws
    assert guidance.figure(result).axes


def test_g4_measures_and_draws():
    result, pictures = learned_input.measure(**learned_input.SIZES["smoke"])
    assert result["step"] == [2, 4] and [one["step"] for one in result["snapshots"]] == [0, 4]
    assert result["snapshots"][-1]["psnr"] == result["input"][-1]
    assert pictures["snapshots"].shape == (2, 64, 64) and pictures["truth"].shape == (64, 64)
    assert pictures["truth"].dtype.name == "uint8" and pictures["truth"].max() == 255
    assert learned_input.figure(result, pictures).axes
