"""Methods: what every registered one must do, and the invariants of aSeqDIP, vanilla DIP and the classic ones."""

import functools
from dataclasses import replace

import pytest
import sigpy
import torch
from checks import error_of, stored

from aseqdip_lite import ASeqDIP, InputError, Vanilla, iterate, methods, reconstruct, tasks
from aseqdip_lite.case import Observation, robust_peak
from aseqdip_lite.images import Image, load_image
from aseqdip_lite.methods.base import Carry, square_norm
from aseqdip_lite.methods.classic import L1Wavelet, Sense, Solved, ZeroFilled
from aseqdip_lite.networks import ImageNetwork, UNet, initialise
from aseqdip_lite.operators import Operator
from aseqdip_lite.tasks.mri import MRI

STEPS = 3
every_method = pytest.mark.parametrize("task, name", [(task, name) for task in tasks.REGISTRY
                                                      for name in methods.names(task)])


@pytest.fixture(scope="module")
def run(smoke_case):
    """run(task, name, seed): method and states of a few steps of the smoke profile, computed once."""
    @functools.cache
    def run(task, name, seed=0):
        if name == "bm3d":
            pytest.importorskip("bm3d", reason="bm3d is for non-commercial use only, an extra of its own")
        method = methods.configure(name, task, "smoke", steps=STEPS)
        return method, list(iterate(smoke_case(task).observation, method, seed=seed))
    return run


# Every registered method on every task that it is defined for.

@every_method
def test_states_count_steps_and_hold_images(task, name, run, smoke_case):
    method, states = run(task, name)
    start = smoke_case(task).observation.start
    assert [state.step for state in states] == list(range(1, method.steps + 1))
    for state in states:
        for image in (state.image, state.estimate):
            assert image.shape == start.shape and image.dtype == start.dtype
            assert not image.requires_grad
            assert torch.isfinite(torch.view_as_real(image) if image.is_complex() else image).all()
        assert state.losses and all(isinstance(value, float) for value in state.losses.values())
        assert state.carry.step == method.steps


@every_method
def test_same_seed_gives_the_same_run(task, name, run, smoke_case):
    method, states = run(task, name)
    again = list(iterate(smoke_case(task).observation, method, seed=0))
    for one, other in zip(states, again, strict=True):
        assert torch.equal(one.image, other.image) and torch.equal(one.estimate, other.estimate)
        assert one.losses == other.losses


@every_method
def test_other_seed_gives_another_run_where_anything_is_drawn(task, name, run):
    (_, states), (_, others) = run(task, name), run(task, name, 1)
    drawn = not isinstance(states[0].carry, Solved)
    assert torch.equal(states[-1].image, others[-1].image) != drawn


@every_method
def test_saved_carry_goes_on_bit_for_bit(task, name, run, smoke_case):
    method, states = run(task, name)
    observation = smoke_case(task).observation
    for cut in range(1, min(method.steps, 3)):
        carry = next(state.carry for state in iterate(observation, method) if state.step == cut)
        fresh = method.init(observation, 99)
        fresh.load_state_dict(stored(carry.state_dict()))
        for one, other in zip(states[cut:], iterate(observation, method, carry=fresh), strict=True):
            assert torch.equal(one.image, other.image) and torch.equal(one.estimate, other.estimate)
            assert one.losses == other.losses
    finished = method.init(observation, 99)
    finished.load_state_dict(stored(states[-1].carry.state_dict()))
    assert list(iterate(observation, method, carry=finished)) == []


@every_method
def test_truth_is_never_touched(task, name, run, smoke_case):
    method, states = run(task, name)
    case = smoke_case(task)
    y, start = case.observation.y.clone(), case.observation.start.clone()
    blindfold = reconstruct(replace(case, truth=None, data_range=None), method, progress=False)
    assert torch.equal(blindfold.images["final"], states[-1].estimate)
    assert blindfold.images["oracle"] is None and "psnr" not in blindfold.curve
    assert set(blindfold.metrics["psnr"].values()) == {None}
    assert torch.equal(case.observation.y, y) and torch.equal(case.observation.start, start)


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
@every_method
def test_defaults_of_every_profile_are_valid(task, name, profile):
    method = methods.configure(name, task, profile)
    assert method.name == name and method.steps >= 1 and method.about
    assert method.budget in {"", *method.to_dict()}


@pytest.mark.parametrize("task", tasks.names())
def test_a_network_with_a_search_of_its_own_brings_its_settings(task):
    own = "lite" if methods.configure("aseqdip", task).network == "lite-half" else "lite-half"

    def other(name, profile="laptop"):
        return replace(methods.configure(name, task, profile), network=own)

    chosen = methods.configure("aseqdip", task, network=own)
    assert chosen.network == own and chosen != other("aseqdip")
    assert methods.configure("aseqdip", task, network=own, lr=0.5, steps=4) == replace(chosen, lr=0.5).with_steps(4)
    assert methods.configure("vanilla", task, network=own) == other("vanilla")  # no search of its own
    assert methods.configure("aseqdip", task, "paper", network=own) == other("aseqdip", "paper")


def test_saved_carry_is_not_shared_with_the_run_that_goes_on(tiny_mri):
    observation, method = tiny_mri.observation, ASeqDIP(K=3)
    carry = next(iterate(observation, method)).carry
    copied = method.init(observation, 1)
    copied.load_state_dict(carry.state_dict())
    expected = [state.image for state in iterate(observation, method, carry=carry)]
    for one, other in zip(expected, iterate(observation, method, carry=copied), strict=True):
        assert torch.equal(one, other.image)


def test_budgets():
    assert methods.configure("aseqdip", "mri", steps=7, N=2).K == 4
    assert methods.configure("vanilla", "mri", steps=7).steps == 7
    assert methods.configure("sense", "mri", steps=7).iterations == 7
    assert methods.configure("zero_filled", "mri", steps=7) == ZeroFilled()


def test_a_budget_that_was_found_at_a_stated_side_grows_with_larger_images_alone():
    def steps(side, task="denoising", **given):
        return methods.configure("aseqdip", task, side=side, **given).steps

    assert steps(64) == steps(128) == steps(None)
    for task in ("denoising", "deblurring"):
        assert [steps(side, task) / steps(128, task) for side in (192, 256, 512)] == [1.5, 2, 4]
    assert steps(512, steps=10) == steps(128, steps=10) and steps(512, K=3) == steps(128, K=3)
    assert steps(512, profile="smoke") == methods.SMOKE_STEPS and steps(512, profile="paper") == 4000
    assert [steps(side, "mri") for side in (128, 192, 384)] == [2000, 2000, 4000]  # found at 192 pixels
    assert steps(512, "ct") == steps(128, "ct")  # found with no stated side


@pytest.mark.parametrize("call, message", [
    (lambda: methods.get("asegdip"), "unknown method 'asegdip': did you mean 'aseqdip'? known: "),
    (lambda: methods.configure("aseqdip", "mri", lamb=1.0), "unknown setting of aseqdip 'lamb': did you mean 'lam'?"),
    (lambda: methods.configure("sense", "denoising"), "sense is not defined for denoising; known: "),
])
def test_bad_settings(call, message):
    assert error_of(call).startswith(message)


@pytest.mark.parametrize("name", [name for name in methods.names() if methods.get(name).tasks])
def test_a_case_of_a_task_that_a_method_does_not_serve_is_refused(name, smoke_case):
    """Before its operator or picture is asked for what it does not have."""
    served = methods.get(name).tasks
    for task in set(tasks.names()) - set(served):
        said = error_of(reconstruct, smoke_case(task, size=32), methods.configure(name, served[0]), progress=False)
        assert said == f"{name} is not defined for {task}: it serves {' and '.join(served)}"


# aSeqDIP: the loss of Eq. 3.


class Shift(torch.nn.Module):
    """f(z) = z + p with a scalar p that starts at 0: a perfect autoencoder before the first step."""

    def __init__(self):
        super().__init__()
        self.p = torch.nn.Parameter(torch.zeros(()))

    def forward(self, z):
        return z + self.p


def shifted(observation, method):
    """The states of a run of two steps that begins with `Shift`."""
    network = Shift()
    carry = Carry(network, torch.optim.Adam(network.parameters(), lr=0.1), observation.start, torch.Generator())
    return iterate(observation, method, carry=method.begin(observation, carry), steps=2)


def test_autoencoding_term_is_exactly_zero_at_f_of_z_equal_z(tiny_mri):
    first, second = shifted(tiny_mri.observation, ASeqDIP(N=2))
    assert first.losses["autoencoding"] == 0.0 and first.losses["loss"] == first.losses["data"] > 0
    pixels = tiny_mri.observation.start.numel()
    assert second.losses["autoencoding"] == pytest.approx(pixels * 0.1**2, rel=1e-3)  # Adam's first step has size lr


@pytest.mark.parametrize("task", [name for name in tasks.REGISTRY if name != "mri"])
def test_autoencoding_term_is_exactly_zero_on_every_task(task, smoke_case):
    assert next(shifted(smoke_case(task).observation, ASeqDIP())).losses["autoencoding"] == 0.0


@pytest.mark.parametrize("task, lam", [("mri", 0.0), ("mri", 1.0), *((task, 2.5) for task in tasks.REGISTRY)])
def test_losses_are_the_terms_of_the_equation(task, lam, smoke_case):
    observation, method = smoke_case(task).observation, ASeqDIP(lam=lam, N=2, K=2)
    carry = method.init(observation, 0)
    for _ in range(method.steps):
        with torch.no_grad():
            output, z = carry.network(carry.z), carry.z
        losses = method.step(observation, carry).losses
        data = float((observation.A(output) - observation.y).abs().square().sum())
        autoencoding = float((output - z).abs().square().sum())
        assert losses["data"] == pytest.approx(data, rel=1e-5)
        assert losses["autoencoding"] == pytest.approx(autoencoding, rel=1e-5)
        assert losses["loss"] == pytest.approx(data + lam * autoencoding, rel=1e-5)


def test_gradient_of_the_loss_by_finite_differences():
    """A step of plain gradient descent shows the gradient that `step` took; it must be that of Eq. 3."""
    case = MRI(coils=2, size=16, acceleration=2).observe(load_image("brain-070"))
    A = case.observation.A.to(double=True)
    y, z = case.observation.y.to(torch.complex128), case.observation.start.to(torch.complex128)
    unet = UNet((2, 3), 2, 2)
    initialise(unet, torch.Generator().manual_seed(0))
    network, lr, lam = ImageNetwork(unet, True).double(), 1.0, 0.7
    parameters = list(network.parameters())
    before = [p.detach().clone() for p in parameters]

    def loss():
        output = network(z)
        return float((A(output) - y).abs().square().sum() + lam * (output - z).abs().square().sum())

    slopes = []
    with torch.no_grad():
        for p in parameters:
            flat, slope = p.view(-1), torch.zeros(p.numel(), dtype=torch.float64)
            for index in range(p.numel()):
                kept, step = flat[index].item(), 1e-7  # small enough to cross no kink of ReLU and max-pooling
                flat[index] = kept + step
                above = loss()
                flat[index] = kept - step
                slope[index] = (above - loss()) / (2 * step)
                flat[index] = kept
            slopes.append(slope.view_as(p))

    carry = Carry(network, torch.optim.SGD(parameters, lr=lr), z, torch.Generator())
    method, observation = ASeqDIP(lam=lam), Observation(A, y, z)
    method.step(observation, method.begin(observation, carry))
    taken = torch.cat([(old - new.detach()).flatten() / lr for old, new in zip(before, parameters, strict=True)])
    expected = torch.cat([slope.flatten() for slope in slopes])
    assert float((taken - expected).norm() / expected.norm()) <= 1e-6


# aSeqDIP: stages.


def stages(observation, method, **kwargs):
    """(z_{k-1}, last state of stage k, weights before its last update) of every stage."""
    carry, found = method.init(observation, 0, **kwargs), []
    for _ in range(method.K):
        z = carry.z
        for _ in range(method.N):
            weights = {name: value.clone() for name, value in carry.network.state_dict().items()}
            state = method.step(observation, carry)
        found.append((z, state, weights))
    return found


def test_input_starts_at_the_adjoint_and_follows_the_output(tiny_mri):
    found = stages(tiny_mri.observation, ASeqDIP(N=3, K=3))
    assert torch.equal(found[0][0], tiny_mri.observation.start)
    for (_, state, _), (z, _, _) in zip(found, found[1:], strict=False):
        assert torch.equal(z, state.image)
    assert [state.stage for _, state, _ in found] == [1, 2, 3]
    assert found[-1][1].carry.z.requires_grad is False


@pytest.mark.parametrize("N", [1, 2, 3])
def test_fresh_refresh_is_the_output_under_the_updated_weights(N, tiny_mri):
    method = ASeqDIP(N=N, K=2)
    for K in (1, 2):
        z, state, _ = stages(tiny_mri.observation, replace(method, K=K))[-1]
        assert torch.equal(state.image, state.carry.network(z).detach())


@pytest.mark.parametrize("N", [1, 2, 3])
def test_stale_refresh_is_one_update_behind(N, tiny_mri):
    z, state, weights = stages(tiny_mri.observation, ASeqDIP(N=N, K=2, refresh="stale"))[-1]
    network = state.carry.network
    assert not torch.equal(state.image, network(z).detach())
    network.load_state_dict(weights)
    assert torch.equal(state.image, network(z).detach())


def test_projected_refresh_puts_the_data_into_sampled_k_space(smoke_case):
    observation = smoke_case("mri", size=32, coils=1).observation
    z = stages(observation, ASeqDIP(K=2, refresh="projected"))[-1][1].image
    torch.testing.assert_close(observation.A(z), observation.y, rtol=1e-5, atol=1e-5)


def test_projected_refresh_is_the_formula_of_the_released_code(tiny_mri):
    observation = tiny_mri.observation
    z, state, _ = stages(observation, ASeqDIP(K=2, refresh="projected"))[-1]
    mask, (full, S) = observation.A.mask, (observation.A.A.B, observation.A.B)
    k = full(S(state.carry.network(z).detach()))
    expected = S.adjoint(full.adjoint((1 - mask) * k + observation.y))
    torch.testing.assert_close(state.image, expected, rtol=1e-4, atol=1e-5)


def test_projected_refresh_needs_a_linear_operator(tiny_mri):
    class Nonlinear(Operator):
        pass

    observation = replace(tiny_mri.observation, A=Nonlinear((1, 32, 32), (2, 32, 32)))
    with pytest.raises(InputError, match="^refresh 'projected' needs a linear forward operator: use 'fresh' or 's"):
        ASeqDIP(refresh="projected").init(observation, 0)


def test_refreshes_share_the_first_stage_and_then_differ(tiny_mri):
    runs = {refresh: list(iterate(tiny_mri.observation, ASeqDIP(N=2, K=3, refresh=refresh)))
            for refresh in ("fresh", "stale", "projected")}
    for step in range(2):
        assert len({states[step].losses["loss"] for states in runs.values()}) == 1
    assert len({states[-1].losses["loss"] for states in runs.values()}) == 3


@pytest.mark.parametrize("refresh", ["fresh", "stale", "projected"])
def test_a_damped_input_goes_a_share_of_its_way_from_the_last_input_to_the_refreshed_one(refresh, tiny_mri):
    found = stages(tiny_mri.observation, ASeqDIP(N=2, K=4, refresh=refresh, rho=0.25))
    for (z, state, _), (following, _, _) in zip(found, found[1:], strict=False):
        torch.testing.assert_close(following, 0.75 * z + 0.25 * state.image, rtol=1e-5, atol=1e-6)
        assert not following.requires_grad


def test_an_input_that_goes_all_its_way_is_the_output_itself(tiny_mri):
    for state in iterate(tiny_mri.observation, ASeqDIP(N=1, K=3, rho=1.0)):
        assert state.carry.z is state.image  # not (1 - 1) z + 1 f, which rounds


def test_a_damped_input_keeps_lam_by_held_out_measurements_at_what_the_network_saw(tiny_mri):
    """The answer averages the inputs, which are then the damped ones."""
    method = ASeqDIP(lam="heldout:warm_up=4", N=1, K=6, rho=0.5)
    for state in iterate(tiny_mri.observation, method):
        controller = state.carry.controller
        if state.step == 1:
            assert torch.equal(controller.average, state.carry.z)
    assert state.step == 6 and torch.equal(state.average, controller.best["average"])


@pytest.mark.parametrize("rho", [0.0, -0.5, 1.5])
def test_an_input_that_stands_still_or_goes_too_far_is_refused(rho):
    with pytest.raises(InputError, match="rho"):
        ASeqDIP(rho=rho)


def test_last_stage_is_cut_short_where_n_does_not_divide_the_steps(tiny_mri):
    method = ASeqDIP(N=3).with_steps(7)
    assert (method.K, method.steps) == (3, 9)
    states = list(iterate(tiny_mri.observation, method, steps=7))
    assert [state.stage for state in states] == [1, 1, 1, 2, 2, 2, 3]
    last = states[-1]
    assert torch.equal(last.image, last.carry.network(last.carry.z).detach())
    whole = list(iterate(tiny_mri.observation, method))
    rest = list(iterate(tiny_mri.observation, method, carry=last.carry))
    for one, other in zip(whole, states + rest, strict=True):
        assert torch.equal(one.image, other.image)


@pytest.mark.parametrize("N, steps, rest", [(3, 7, 1), (7, 12, 5), (3, 6, 0), (1, 5, 0), ("geometric:first=3", 7, 0)])
def test_the_result_says_that_its_last_stage_is_cut_short(N, steps, rest, tiny_mri):
    """With a schedule N is no number that could divide the steps."""
    result = reconstruct(tiny_mri, methods.configure("aseqdip", "mri", steps=steps, N=N), steps=steps, progress=False)
    last = result.curve["stage"].count(result.curve["stage"][-1])
    said = [note for note in result.metrics["notes"] if "stage" in note]
    assert said == [f"N = {N} does not divide the {steps} steps: the last stage ends after {last}"] * bool(rest)
    assert last == rest or not rest


def test_a_carry_of_other_settings_goes_on_with_the_new_ones(tiny_mri):
    """The input is kept for four steps without lam, and then moves at each step, with lam = 2."""
    observation = tiny_mri.observation
    *_, last = iterate(observation, ASeqDIP(lam=0.0, N=100, K=1), steps=4)
    assert torch.equal(last.carry.z, observation.start)
    before = last.carry.z
    state = next(iterate(observation, ASeqDIP(lam=2.0, N=1, K=9), steps=9, carry=last.carry))
    assert state.losses["loss"] == pytest.approx(state.losses["data"] + 2 * state.losses["autoencoding"], rel=1e-6)
    assert torch.equal(state.carry.z, state.image) and not torch.equal(state.carry.z, before)


def test_one_adam_object_lives_through_all_stages(tiny_mri):
    method = ASeqDIP(N=2, K=5)
    optimizers = {id(state.carry.optimizer): state.carry.optimizer for state in iterate(tiny_mri.observation, method)}
    (optimizer,) = optimizers.values()
    counts = {float(entry["step"]) for entry in optimizer.state.values()}
    assert counts == {10.0}
    assert len(optimizer.state) == len(optimizer.param_groups[0]["params"])


def test_weights_change(tiny_mri):
    method = ASeqDIP()
    carry = method.init(tiny_mri.observation, 0)
    before = {name: value.clone() for name, value in carry.network.named_parameters() if value.dim() == 4}
    method.step(tiny_mri.observation, carry)
    after = dict(carry.network.named_parameters())
    for name, value in before.items():
        moved = (after[name] - value).abs()
        assert (moved > 0).float().mean() > 0.9, name
        assert moved.max() <= method.lr * 1.01  # Adam's first step has size lr


def test_large_lam_keeps_the_output_nearer_to_the_input(tiny_mri):
    method = ASeqDIP(N=25, K=1, lr=3e-3)
    distances = [list(iterate(tiny_mri.observation, replace(method, lam=lam)))[-1].losses["autoencoding"]
                 for lam in (0.0, 1.0, 100.0)]
    assert distances[0] > distances[1] > distances[2]


@pytest.mark.parametrize("N", [12, 13, 100])
def test_lam_zero_in_one_stage_is_vanilla_with_that_input(N, tiny_mri):
    observation = tiny_mri.observation
    sequential = iterate(observation, ASeqDIP(lam=0.0, N=N, K=1, lr=1e-3), steps=12)
    vanilla = iterate(observation, Vanilla(lr=1e-3, steps=12), z0=observation.start)
    for one, other in zip(sequential, vanilla, strict=True):
        assert torch.equal(one.image, other.image)
        assert one.losses["data"] == other.losses["data"]


def in_double(observation, factor):
    """The observation of `factor` times its measurements, scaled by its own peak, in double precision."""
    A, y = observation.A.to(double=True), factor * observation.y.to(torch.complex128)
    start = A.adjoint(y)
    scale = robust_peak(start)
    return Observation(A, y / scale, start / scale, scale)


scaled_runs = pytest.mark.parametrize("method", [
    ASeqDIP(K=10), ASeqDIP(K=10, refresh="stale"), ASeqDIP(K=10, refresh="projected"), Vanilla(steps=20)],
    ids=["fresh", "stale", "projected", "vanilla"])


def scaled_case(factor):
    return MRI(coils=2, size=32).observe(Image("scaled", factor * load_image("brain-070").array, shipped=True))


@scaled_runs
@pytest.mark.parametrize("factor", [4.0, 0.5])
def test_scaling_by_a_power_of_two_scales_the_answer_bit_for_bit(method, factor):
    one, other = ([state.image * case.observation.scale for state in iterate(case.observation, method)]
                  for case in (scaled_case(1.0), scaled_case(factor)))
    assert all(torch.equal(b, factor * a) for a, b in zip(one, other, strict=True))


@scaled_runs
def test_scaling_by_three_scales_the_answer(method, tiny_mri):
    """In double precision, where the scaled run differs by rounding of size 1e-16; measured 2e-14 or less.

    The step of Adam is almost the sign of the gradient, so a rounding error of a gradient near 0
    becomes a step of full size: in single precision the two runs drift apart by some per cent.
    """
    answers = []
    for factor in (1.0, 3.0):
        observation = in_double(tiny_mri.observation, factor)
        carry = method.init(observation, 0)
        carry.network.double()
        carry.z = carry.z.to(torch.complex128 if carry.z.is_complex() else torch.float64)
        answers.append(list(iterate(observation, method, carry=carry))[-1].image * observation.scale)
    assert float((answers[1] - 3 * answers[0]).norm() / (3 * answers[0]).norm()) <= 1e-6


def test_given_input_replaces_the_start(tiny_mri):
    observation = tiny_mri.observation
    z0 = torch.flip(observation.start, dims=(-1,))
    found = stages(observation, ASeqDIP(K=1), z0=z0)
    assert torch.equal(found[0][0], z0)


# Vanilla DIP.

def test_vanilla_input_is_fixed_uniform_noise(tiny_mri):
    method = Vanilla(steps=3, input_channels=5)
    carry = method.init(tiny_mri.observation, 0)
    z = carry.z.clone()
    assert z.shape == (1, 5, 32, 32) and z.dtype == torch.float32
    assert 0 <= z.min() < 0.001 and 0.099 < z.max() <= 0.1
    assert float(z.mean()) == pytest.approx(0.05, abs=0.002)
    states = list(iterate(tiny_mri.observation, method, carry=carry))
    assert torch.equal(states[-1].carry.z, z)


def test_vanilla_image_is_the_output_under_the_updated_weights_and_fits_the_data(tiny_mri):
    states = list(iterate(tiny_mri.observation, Vanilla(steps=60)))
    last = states[-1]
    assert torch.equal(last.image, last.carry.network(last.carry.z).detach())
    assert last.losses["loss"] == last.losses["data"] < 0.5 * states[0].losses["data"]


# Classic methods.

def test_zero_filled_is_the_adjoint(tiny_mri):
    observation = tiny_mri.observation
    (state,) = iterate(observation, ZeroFilled())
    torch.testing.assert_close(state.image, observation.A.adjoint(observation.y))
    residual = square_norm(observation.A(state.image) - observation.y)
    assert state.losses["data"] == pytest.approx(float(residual), rel=1e-5)


@pytest.mark.parametrize("lamda", [0.01, 0.1, 1.0])
def test_sense_solves_the_normal_equations(lamda, tiny_mri):
    observation = tiny_mri.observation
    (state,) = iterate(observation, Sense(lamda=lamda, iterations=200))
    right = observation.A.adjoint(observation.y)
    left = observation.A.N(state.image) + lamda * state.image
    assert float((left - right).norm() / right.norm()) <= 1e-4


def test_sense_of_a_full_noiseless_scan_is_the_truth(smoke_case):
    case = smoke_case("mri", size=32, coils=2, acceleration=1, snr=None)
    (state,) = iterate(case.observation, Sense(lamda=0.0))
    torch.testing.assert_close(torch.from_numpy(case.display(state.image)), torch.from_numpy(case.truth),
                               rtol=1e-4, atol=1e-4)


def test_l1_wavelet_lowers_its_objective(tiny_mri):
    observation, lamda = tiny_mri.observation, 0.01
    wavelet = sigpy.linop.Wavelet((32, 32), wave_name="db4")

    def objective(x):
        residual = square_norm(observation.A(x) - observation.y)
        return 0.5 * float(residual) + lamda * float(abs(wavelet(x[0, 0].numpy())).sum())

    (state,) = iterate(observation, L1Wavelet(lamda=lamda, iterations=200))
    reached = objective(state.image)
    (sense,) = iterate(observation, Sense(lamda=lamda))
    rivals = [observation.start, sense.image, 0.99 * state.image, 1.01 * state.image]
    noise = torch.randn(state.image.shape, generator=torch.Generator().manual_seed(0), dtype=state.image.dtype)
    rivals += [state.image + 0.01 * noise, state.image - 0.01 * noise]
    assert all(reached < objective(rival) for rival in rivals)
