"""The family of DIP methods, each against a truth of its own: a definition, a limit, a derivative, an expectation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from checks import error_of

from aseqdip_lite import InputError, Vanilla, iterate, load_case, methods, reconstruct
from aseqdip_lite.case import Observation
from aseqdip_lite.methods.base import AverageCarry, square_norm
from aseqdip_lite.methods.deep_decoder import Decoder
from aseqdip_lite.methods.es_dip import ESDIP
from aseqdip_lite.methods.reference_guided import ReferenceGuided, reference_like
from aseqdip_lite.methods.rethinking_dip import RethinkingDIP, probed_divergence
from aseqdip_lite.methods.sgld_dip import SGLDDIP, convolutions
from aseqdip_lite.methods.tv_dip import TVDIP
from aseqdip_lite.networks import count_parameters
from aseqdip_lite.operators import Identity


@pytest.fixture(scope="module")
def noisy():
    return load_case("denoising", seed=0, size=16)


def outputs(case, method, seed=0):
    return [state.image for state in iterate(case.observation, method, seed=seed)]


def same(images, others):
    return all(torch.equal(one, other) for one, other in zip(images, others, strict=True))


# TV-DIP.

@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_gradient_of_tv_dips_objective_is_its_finite_difference(dtype):
    generator = torch.Generator().manual_seed(0)
    x, y, direction = (torch.randn((1, 2, 6, 7), generator=generator, dtype=dtype) for _ in range(3))
    A = Identity((2, 6, 7), is_complex=dtype.is_complex)
    observation, method, step = Observation(A, y, y), TVDIP(rho=0.7), 1e-6

    def loss(x):
        return method.objective(observation, x)[0]

    slope = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
    x.requires_grad_()
    gradient, = torch.autograd.grad(loss(x), x)
    assert float((gradient.conj() * direction).real.sum()) == pytest.approx(float(slope), rel=1e-6)


def test_tv_dip_without_weight_is_vanilla_and_with_it_is_flatter(noisy):
    ours, vanilla = (outputs(noisy, method)[0] for method in (TVDIP(steps=1, rho=0.0), Vanilla(steps=1)))
    torch.testing.assert_close(ours, vanilla, rtol=1e-3, atol=1e-4)  # adding 0 changes a layout, and with it rounding
    ends = [list(iterate(noisy.observation, TVDIP(steps=40, lr=3e-3, rho=rho)))[-1].losses["variation"]
            for rho in (0.0, 1.0, 10.0)]
    assert ends[0] > ends[1] > ends[2]


# SGLD-DIP.

def test_sgld_noise_has_the_published_scale_and_touches_convolutions_alone(noisy):
    method = SGLDDIP(lr=3e-3, noise=2.0)
    carry = method.init(noisy.observation, 0)
    before = {name: p.detach().clone() for name, p in carry.network.named_parameters()}
    method.disturb(carry)
    steps = {name: p.detach() - before[name] for name, p in carry.network.named_parameters()}
    noise = torch.cat([step.flatten() for step in steps.values() if step.dim() == 4])
    assert noise.numel() == sum(p.numel() for p in convolutions(carry.network)) > 200_000
    assert float(noise.std()) == pytest.approx(2 * 3e-3, rel=0.01)  # 5 deviations of an estimate from 2e5 draws
    assert abs(float(noise.mean())) < 5 * 6e-3 / noise.numel() ** 0.5
    assert all(not step.any() for step in steps.values() if step.dim() != 4)


def test_sgld_without_noise_is_vanilla(noisy):
    vanilla = outputs(noisy, Vanilla(steps=4))
    assert same(outputs(noisy, SGLDDIP(steps=4, noise=0.0, burn_in=1, thin=1)), vanilla)
    assert not same(outputs(noisy, SGLDDIP(steps=4, burn_in=1, thin=1)), vanilla)


@pytest.mark.parametrize("task", ["denoising", "mri"])
def test_sgld_returns_mean_and_deviation_of_its_samples(task, smoke_case, tmp_path):
    case, method = smoke_case(task), SGLDDIP(steps=12, lr=1e-2, burn_in=5, thin=2)
    states = list(iterate(case.observation, method))
    assert all(state.average is None for state in states[:6]) and states[5].estimate is states[5].image
    samples = torch.stack([states[step - 1].image for step in (7, 9, 11)])
    torch.testing.assert_close(states[-1].average, samples.mean(dim=0))
    expected = torch.view_as_real(samples).var(dim=0).sum(dim=-1) if samples.is_complex() else samples.var(dim=0)
    torch.testing.assert_close(states[-1].deviation, expected.sqrt(), rtol=1e-4, atol=1e-6)
    result = reconstruct(case, method, progress=False)
    assert torch.equal(result.images["final"], states[-1].average)
    result.save(tmp_path)
    assert (tmp_path / "deviation.png").read_bytes().startswith(b"\x89PNG")
    assert result.deviation.shape == case.array(result.answer).shape and result.deviation.min() >= 0


def test_burn_in_and_thinning_are_shares_of_the_budget():
    assert SGLDDIP(steps=20000, burn_in=7000, thin=50).with_steps(1600) == SGLDDIP(steps=1600, burn_in=560, thin=4)
    assert SGLDDIP().with_steps(10).thin == 1


# ES-DIP.

def test_es_dip_is_vanilla_ended_at_the_minimum_of_its_variance(noisy):
    """Against the definition: the variance of each window of the outputs, in double precision."""
    W, P = 10, 15
    images = outputs(noisy, Vanilla(steps=250, lr=1e-2))
    windows = torch.stack(images).double()[:, 0].unfold(0, W, 1)  # (steps - W + 1, C, H, W, window)
    variance = ((windows - windows.mean(dim=-1, keepdim=True)) ** 2).sum(dim=(1, 2, 3)).mean(dim=-1)
    best = stop = None
    for step in range(W, 251):
        if best is None or variance[step - W] < variance[best - W]:
            best = step
        if step - best >= P:
            stop = step
            break
    assert stop is not None
    result = reconstruct(noisy, ESDIP(steps=250, lr=1e-2, W=W, P=P), progress=False)
    assert result.metrics["steps"] == stop and result.metrics["stop_reason"] == "own rule"
    assert torch.equal(result.images["final"], images[best - 1]) and result.answer is result.images["final"]


def test_es_dip_that_has_ended_stays_so_after_a_resume(noisy, tmp_path):
    method = ESDIP(steps=300, lr=1e-2, W=5, P=3, rule="emv")
    first = reconstruct(noisy, method, out=tmp_path, progress=False)
    again = reconstruct(noisy, method, out=tmp_path, resume=True, progress=False)
    assert first.metrics["stop_reason"] == again.metrics["stop_reason"] == "own rule"
    assert first.metrics["steps"] == again.metrics["steps"] < 300
    assert torch.equal(first.answer, again.answer)


def test_es_dip_without_a_whole_window_returns_its_last_output(noisy):
    states = list(iterate(noisy.observation, ESDIP(steps=4, W=10, P=1)))
    assert len(states) == 4 and states[-1].estimate is states[-1].image


# Reference-guided DIP.

def test_reference_guided_is_dip_with_the_reference_as_input(smoke_case):
    case = smoke_case("mri")
    z = reference_like("brain-102", case.observation.start)
    assert z.shape == case.observation.start.shape and z.dtype == case.observation.start.dtype
    assert not z.imag.any() and float(z.abs().flatten().quantile(0.995)) == pytest.approx(1.0, rel=1e-5)
    ours = outputs(case, ReferenceGuided(steps=3, reference="brain-102"))
    others = [state.image for state in iterate(case.observation, Vanilla(steps=3), z0=z)]
    assert same(ours, others)


def test_the_image_itself_is_no_reference(smoke_case):
    case = smoke_case("mri")
    said = error_of(reconstruct, case, ReferenceGuided(reference=case.image), progress=False)
    assert said == ("the reference brain-070 is the image itself: give another, e.g. "
                    "--reference brain-102")


def test_a_reference_of_another_size_is_refused(tmp_path, smoke_case):
    np.save(tmp_path / "small.npy", np.eye(20, dtype=np.float32))
    with pytest.raises(InputError, match=r"has 20 x 20 pixels, the case 64 x 64: resize it to that"):
        reference_like(str(tmp_path / "small.npy"), smoke_case("mri").observation.start)


# Deep Decoder.

@pytest.mark.parametrize("task", ["denoising", "mri"])
def test_the_deep_decoder_has_fewer_weights_than_the_image_has_numbers(task, smoke_case):
    case = load_case(task, size=128, **({} if task == "denoising" else dict(coils=1)))
    carry, start = Decoder().init(case.observation, 0), case.observation.start
    c_out = start.shape[1] * (2 if start.is_complex() else 1)
    k, d = 64, 5
    assert count_parameters(carry.network) == d * k**2 + 2 * d * k + k * c_out
    assert count_parameters(carry.network) < start.numel() * (2 if start.is_complex() else 1)
    with torch.no_grad():  # the scale of the noise is divided out by the first normalisation
        torch.testing.assert_close(carry.network(carry.z), carry.network(3 * carry.z), rtol=0.01, atol=0.02)


def test_the_deep_decoder_fits_a_picture_but_not_noise():
    """The reason for its being: after the same steps most of a picture is fitted, and little of white noise."""
    case = load_case("denoising", "astronaut", size=64, sigma=0)
    y = case.observation.y - case.observation.y.mean(dim=(2, 3), keepdim=True)
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(0)) * y.std()
    left = []
    for target in (y, noise):
        observation = Observation(Identity(y.shape[1:]), target, target)
        state = list(iterate(observation, Decoder(steps=100, channels=16, layers=4)))[-1]
        left.append(float(square_norm(state.image - target) / square_norm(target)))
    assert left[0] < 0.5 and left[1] > 0.75


# Rethinking-DIP.

class Convolved(torch.nn.Module):
    """A small nonlinear map of images whose Jacobian can be written down."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = torch.nn.Parameter(torch.randn((1, 1, 3, 3), generator=generator, dtype=torch.float64))

    def forward(self, z):
        return torch.nn.functional.conv2d(torch.tanh(z), self.weight, padding=1)


def test_the_monte_carlo_divergence_estimates_the_trace_of_the_jacobian():
    network, generator = Convolved(), torch.Generator().manual_seed(0)
    z = torch.randn((1, 1, 5, 5), generator=generator, dtype=torch.float64).requires_grad_()
    jacobian = torch.func.jacrev(network)(z.detach()).detach().reshape(25, 25)  # (1, 1, 5, 5, 1, 1, 5, 5) -> (25, 25)
    draws = torch.stack([probed_divergence(network(z), z, generator).detach() for _ in range(4000)])
    error = float(draws.std()) / 4000**0.5
    assert float(draws.mean()) == pytest.approx(jacobian.trace().item(), abs=4 * error)
    assert 4 * error < 0.2 * abs(float(jacobian.trace())) + 0.5
    # one draw is the quadratic form of its own direction
    b = torch.randn(z.shape, generator=torch.Generator().manual_seed(3), dtype=z.dtype).flatten()
    one = probed_divergence(network(z), z, torch.Generator().manual_seed(3))
    assert float(one.detach()) == pytest.approx(float(b @ jacobian @ b), rel=1e-10)


def test_the_divergence_can_be_differentiated_in_the_weights():
    network = Convolved()
    z = torch.randn((1, 1, 5, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()

    def value():
        return probed_divergence(network(z), z, torch.Generator().manual_seed(7))

    gradient, = torch.autograd.grad(value(), network.weight)
    for place in ((0, 0, 0, 0), (0, 0, 1, 1), (0, 0, 2, 1)):
        with torch.no_grad():
            network.weight[place] += 1e-6
            above = float(value_of(value))
            network.weight[place] -= 2e-6
            below = float(value_of(value))
            network.weight[place] += 1e-6
        assert float(gradient[place]) == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-6)


def value_of(function):
    """function() with gradients on, whatever surrounds the call."""
    with torch.enable_grad():
        return function().detach()


class Scaled(torch.nn.Module):
    """f(z) = p z, whose risk is known in closed form."""

    def __init__(self, p):
        super().__init__()
        self.p = torch.nn.Parameter(torch.tensor(p, dtype=torch.float64))

    def forward(self, z):
        return self.p * z


def scaled_carry(p, y, lr=1e-3, seed=0):
    network = Scaled(p)
    return AverageCarry(network, torch.optim.RAdam(network.parameters(), lr=lr), y.clone(),
                        torch.Generator().manual_seed(seed))


def test_the_loss_is_an_unbiased_estimate_of_the_mean_squared_error():
    """For f(y) = p y: E L = E ||p y - x||^2 / n over the noise and the direction."""
    generator, p, sigma = torch.Generator().manual_seed(0), 0.8, 0.5
    x = torch.randn((1, 1, 16, 16), generator=generator, dtype=torch.float64)
    gaps = []
    for seed in range(300):
        y = x + sigma * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        state = RethinkingDIP().step(Observation(Identity((1, 16, 16)), y, y, noise_std=sigma),
                                     scaled_carry(p, y, seed=seed))
        gaps.append(state.losses["loss"] - float(square_norm(p * y - x)) / x.numel())
    gaps = torch.tensor(gaps)
    assert float(gaps.mean()) == pytest.approx(0.0, abs=4 * float(gaps.std()) / 300**0.5)
    assert float(gaps.std()) < 0.2


def test_it_descends_to_wieners_factor_for_a_single_weight():
    """For f(y) = p y the risk is least at p = 1 - sigma^2 / mean(y^2), where the estimate must lead."""
    y = torch.randn((1, 1, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    observation = Observation(Identity((1, 64, 64)), y, y, noise_std=0.4)
    carry, method = scaled_carry(1.0, y, lr=0.01), RethinkingDIP(lr=0.01, decay=0.5)
    for _ in range(900):
        method.step(observation, carry)
    assert float(carry.network.p.detach()) == pytest.approx(1 - 0.16 / float(y.square().mean()), abs=0.01)


def test_an_estimate_below_zero_ends_the_run():
    """f(y) = 0.3 y with sigma^2 = 2 ||y||^2 / n: the estimate is about (0.49 + 1.2 - 2) ||y||^2 / n."""
    y = torch.randn((1, 1, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y /= y.square().mean().sqrt()
    observation, carry = Observation(Identity((1, 64, 64)), y, y, noise_std=2**0.5), scaled_carry(0.3, y)
    states = list(iterate(observation, RethinkingDIP(), carry=carry))
    assert len(states) == 1 and carry.done and carry.step == 1 and states[0].losses["loss"] < 0
    torch.testing.assert_close(states[0].image, 0.3 * y)
    assert carry.network.p.item() == pytest.approx(0.3)  # no step was made


def test_the_rate_decays_and_the_noise_level_must_be_known(noisy):
    method = RethinkingDIP(lr=0.1, decay=0.9)
    carry = method.init(noisy.observation, 0)
    carry.step = 601
    method.step(noisy.observation, carry)
    assert carry.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.81)
    said = error_of(method.init, replace(noisy.observation, noise_std=None), 0)
    assert said == "rethinking_dip needs the noise level, which is not known here: use es_dip"


# What compares them.

def test_the_methods_of_each_task():
    family = {"aseqdip", "vanilla", "es_dip", "tv_dip", "sgld_dip", "self_guided", "deep_decoder", "tv", "dps"}
    expected = dict(mri=family | {"reference_guided", "zero_filled", "sense", "l1_wavelet", "pnp", "varnet", "ddnm",
                                      "score_mri"},
                    ct=family | {"fbp", "sirt", "cgls", "pnp", "varnet", "ddnm", "mcg"},
                    denoising=family | {"rethinking_dip", "nlm", "bm3d", "pnp", "ddnm"},
                    inpainting=family | {"biharmonic", "harmonic", "pnp", "ddnm"}, deblurring=family)
    assert {task: set(methods.names(task)) for task in expected} == expected


def test_results_say_how_many_gradients_were_taken(noisy):
    for name, expected in (("vanilla", 1), ("self_guided", 3), ("rethinking_dip", 2), ("aseqdip", 1)):
        method = methods.configure(name, "denoising", "smoke", steps=2)
        assert method.gradients == expected
        result = reconstruct(noisy, method, progress=False)
        assert result.metrics["gradients"] == expected * result.metrics["steps"]
    assert reconstruct(noisy, methods.configure("nlm", "denoising"), progress=False).metrics["gradients"] is None
