"""lam by held-out measurements: nothing of them reaches the image, the risk is unbiased, and the way back is exact."""

import math
from dataclasses import replace

import pytest
import torch
from checks import error_of

from aseqdip_lite import iterate, load_case, tasks
from aseqdip_lite.case import Observation
from aseqdip_lite.methods.aseqdip import ASeqDIP
from aseqdip_lite.methods.controller import HeldOutController
from aseqdip_lite.methods.heldout import HeldOut, kept, start_without
from aseqdip_lite.operators import Identity
from aseqdip_lite.operators.sampling import calibration_width, centre_square
from aseqdip_lite.tasks.inpainting import harmonic

TASKS = list(tasks.REGISTRY)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def observations(smoke_case):
    return {task: smoke_case(task).observation for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_the_share_is_held_out_of_what_was_measured(task, observations):
    y = observations[task].y
    mask = kept(observations[task], 0.1, generator())
    measured = (y != 0).reshape(-1, *y.shape[-2:]).any(dim=0)
    held = mask == 0
    assert mask.shape == y.shape[-2:] and set(mask.unique().tolist()) == {0, 1}
    assert bool(measured[held].all())
    if task == "mri":
        square = centre_square(mask.shape, calibration_width(measured.float()))
        assert bool((mask[square] == 1).all())
        measured[square] = False
    assert int(held.sum()) == round(0.1 * int(measured.sum()))
    assert torch.equal(kept(observations[task], 0.1, generator()), mask)
    assert not torch.equal(kept(observations[task], 0.1, generator(1)), mask)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_held_out_does_not_reach_the_image(task, observations):
    observation = observations[task]
    method = ASeqDIP(lam="heldout:share=0.1", N=2, K=3)
    held = 1 - HeldOutController(method.lam, 2, observation, 0).kept
    noise = torch.randn(observation.y.shape, generator=generator(), dtype=observation.y.dtype)
    other = replace(observation, y=observation.y + held * noise)
    if observation.y.shape == observation.start.shape:
        filled = task == "inpainting"  # y is the picture: the start holds all of it
        other = replace(other, start=harmonic(other.y, observation.A.mask) if filled else other.y)
    else:
        c = observation.start.norm() / observation.A.adjoint(observation.y).norm()
        other = replace(other, start=c * observation.A.adjoint(other.y))
    start = HeldOutController(method.lam, 2, observation, 0).start
    torch.testing.assert_close(HeldOutController(method.lam, 2, other, 0).start, start, rtol=1e-5, atol=1e-5)
    runs = (iterate(made, method, z0=start) for made in (observation, other))  # bit for bit the same start
    for ours, theirs in zip(*runs, strict=True):
        assert torch.equal(ours.image, theirs.image) and ours.losses["loss"] == theirs.losses["loss"]
        assert ours.losses["risk"] != theirs.losses["risk"]


def test_the_data_term_of_the_curve_is_of_all_measurements(observations):
    observation = observations["denoising"]
    method = ASeqDIP(lam="heldout:first=1,share=0.3", N=1, K=1)
    carry = method.init(observation, 0)
    with torch.no_grad():
        residual = observation.A(carry.network(carry.z)) - observation.y
        seen = float((carry.controller.kept * residual).square().sum())
    losses = next(iterate(observation, method, carry=carry)).losses
    assert losses["data"] == pytest.approx(float(residual.square().sum()), rel=1e-5)
    assert losses["loss"] - losses["autoencoding"] == pytest.approx(seen, rel=1e-4)
    assert seen < 0.8 * losses["data"]


def test_the_risk_is_the_error_plus_the_energy_of_the_noise():
    truth, image = (torch.randn(1, 1, 24, 24, generator=generator(seed)) for seed in (1, 2))
    A, risks = Identity((1, 24, 24)), []
    for seed in range(400):
        y = truth + 0.5 * torch.randn(truth.shape, generator=generator(10 + seed))
        controller = HeldOutController(HeldOut(share=0.25), 2, Observation(A, y, y), 0)
        risks.append(controller.predict(image))
    held = 1 - controller.kept
    expected = float((held * (image - truth)).square().sum()) + 0.25 * int(held.sum())
    risks = torch.tensor(risks)
    assert abs(float(risks.mean()) - expected) < 3 * float(risks.std()) / 400**0.5


def test_a_held_out_pixel_starts_as_the_mean_of_its_neighbours():
    y = torch.arange(25.0).reshape(1, 1, 5, 5) + 1
    mask = torch.ones(5, 5)
    mask[2, 2] = mask[0, 0] = 0
    start = start_without(Observation(Identity((1, 5, 5)), y, y), mask)
    assert start[0, 0, 2, 2] == pytest.approx(13)  # the ramp's own value
    assert start[0, 0, 0, 0] == pytest.approx((2 + 6 + 7) / 3)
    assert torch.equal(start * mask, y * mask)


@pytest.mark.parametrize("task", ["mri", "ct"])
def test_a_start_behind_the_adjoint_is_as_large_as_before(task, observations):
    observation = observations[task]
    everything = start_without(observation, torch.ones(observation.y.shape[-2:]))
    torch.testing.assert_close(everything, observation.start, rtol=1e-4, atol=1e-5)


class Follower(HeldOutController):
    """A controller whose risks are given."""

    def __init__(self, lam, observation, risks):
        super().__init__(lam, 2, observation, 0)
        self.risks = iter(risks)

    def predict(self, image):
        return next(self.risks, math.inf) if hasattr(self, "risks") else math.inf


def test_the_way_back_is_exact_lam_is_larger_and_above_its_most_the_run_ends(observations):
    observation = observations["denoising"]
    method = ASeqDIP(lam="heldout:first=1,warm_up=4,patience=0.1,average=0.5,factor=3,most=9", N=2, K=50, lr=1e-3)
    carry = method.init(observation, 0)
    carry.controller = controller = Follower(method.lam, observation, [9, 8, 7, 5])  # of stages 1 to 4; then infinite
    seen = {}
    for state in iterate(observation, method, carry=carry):
        weights = {name: value.clone() for name, value in carry.network.state_dict().items()}
        seen[state.step] = (controller.lam, weights, carry.z, controller.average, state.average)
    # a wait of more than max(0.1 * 8, 2) steps: it goes back at steps 12, 16 and 20
    assert [seen[step][0] for step in (8, 10, 12, 14, 16, 18, 20)] == [1, 1, 3, 3, 9, 9, 27]
    assert carry.done and carry.step == 20 and state.losses["lam"] == 9
    for step in (12, 16, 20):
        assert all(torch.equal(value, seen[step][1][name]) for name, value in seen[8][1].items())
        assert torch.equal(seen[step][2], seen[8][2]) and not torch.equal(seen[step - 2][2], seen[8][2])
    assert all(torch.equal(seen[step][4], seen[8][3]) for step in range(8, 21))  # the answer: the average at the least


def test_damping_weighs_the_data_less_and_the_sum_of_weights_stays():
    rule = HeldOut(first=2.0)
    for lam in (2.0, 8.0, 512.0):
        data, term = rule.damping(lam), lam * rule.damping(lam)
        assert data + term == pytest.approx(3.0)


@pytest.mark.parametrize("call, words", [
    (lambda: ASeqDIP(N="heldout"), "N cannot follow held-out measurements: the schedule heldout is for lam"),
    (lambda: ASeqDIP(lam="heldout", refresh="projected"),
     "refresh 'projected' puts all measurements into the image, so none can be held out: use 'fresh' or 'stale'"),
    (lambda: kept(load_case("denoising", profile="smoke", size=16).observation, 0.001, generator()),
     "share 0.001 holds out 0 of 256 places: choose another"),
])
def test_mistakes(call, words):
    assert error_of(call) == words
