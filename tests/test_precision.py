"""bfloat16: near float32 where it should be, float32 everywhere outside of the network, resumed bit for bit."""

from dataclasses import replace

import pytest
import torch
from checks import error_of, generator, stored

from aseqdip_lite import iterate, methods, networks
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.methods.sampler import Sampler
from aseqdip_lite.networks import PRECISIONS, build, compute
from aseqdip_lite.operators import Identity

WITH_NETWORK = [name for name in methods.names() if hasattr(methods.get(name), "precision")]


def task_of(name):
    return (methods.get(name).tasks or ("mri",))[0]


@pytest.fixture
def observed(smoke_case):
    """observed(name): a small observation of the method's first task."""
    return lambda name: smoke_case(task_of(name), size=32).observation


def in_both(name, observation):
    """Carries of the same method, weights and input, computing in float32 and in bfloat16."""
    method = methods.configure(name, task_of(name), "smoke", steps=2)
    return tuple(replace(method, precision=precision).init(observation, 0) for precision in PRECISIONS)


def relative(x, reference):
    return float((x - reference).norm() / reference.norm())


def layers(network):
    """How often a network rounds: its convolutions and normalisations."""
    return sum(module.weight is not None for module in network.modules() if hasattr(module, "weight"))


def test_every_method_with_a_network_has_the_setting():
    """But the samplers: their network is not trained here."""
    solvers = {name for name in methods.names()
               if methods.get(name).gradients == 0 or issubclass(methods.get(name), Sampler)}
    assert set(WITH_NETWORK) == set(methods.names()) - solvers


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_output_is_near_that_of_float32(name, observed):
    full, half = in_both(name, observed(name))
    with torch.no_grad():
        output, rounded = full.network(full.z), half.network(half.z)
    assert rounded.dtype == output.dtype and rounded.shape == output.shape
    assert 0 < relative(rounded, output) <= layers(half.network) * 2**-8  # each layer rounds to 8 significant bits


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_weights_gradients_and_moments_stay_float32(name, observed):
    observation = observed(name)
    full, half = in_both(name, observation)
    gradients = []
    for carry in (full, half):
        square_norm(observation.A(carry.network(carry.z)) - observation.y).backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in carry.network.parameters()]))
    assert gradients[1].dtype == torch.float32
    assert torch.cosine_similarity(*gradients, dim=0) > 0.9
    half.optimizer.step()
    tensors = [*half.network.state_dict().values(),
               *(moment for state in half.optimizer.state.values() for moment in state.values())]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}


def test_operator_and_losses_are_computed_in_float32(smoke_case):
    observation = smoke_case("denoising", size=32).observation
    seen = []

    class Watched(Identity):
        def _apply(self, x):
            seen.append((x.dtype, torch.is_autocast_enabled("cpu")))
            return x

    method = methods.configure("aseqdip", "denoising", "smoke", steps=2, precision="bfloat16")
    state = list(iterate(replace(observation, A=Watched(observation.A.in_shape)), method))[-1]
    assert set(seen) == {(torch.float32, False)}
    assert state.image.dtype == state.carry.z.dtype == torch.float32


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_resumed_equals_uninterrupted(name, observed):
    observation = observed(name)
    method = methods.configure(name, task_of(name), "smoke", steps=4, precision="bfloat16")
    whole = list(iterate(observation, method))
    carry = next(state.carry for state in iterate(observation, method) if state.step == 2)
    other = method.init(observation, 99)
    other.load_state_dict(stored(carry.state_dict()))
    for one, two in zip(whole[2:], iterate(observation, method, carry=other), strict=True):
        assert torch.equal(one.estimate, two.estimate) and one.losses == two.losses


def test_same_weights_for_every_precision():
    image = torch.zeros(1, 3, 16, 16)
    one, other = (build("lite", image, generator(), precision=precision).state_dict() for precision in PRECISIONS)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_float32_is_the_network_itself_and_double_stays_double():
    x = torch.rand(1, 3, 16, 16, generator=generator())
    network = build("lite", x, generator()).network
    assert torch.equal(compute(network, x, "float32"), network(x))
    assert compute(network.double(), x.double(), "float32").dtype == torch.float64


@pytest.mark.parametrize("call", [
    lambda: methods.configure("aseqdip", "mri", precision="bfloat61"),
    lambda: build("lite", torch.zeros(1, 3, 16, 16), generator(), precision="bfloat61")])
def test_unknown_precision_is_refused(call):
    assert error_of(call) == ("unknown precision 'bfloat61': did you mean 'bfloat16'? "
                              f"known: {', '.join(networks.PRECISIONS)}")
