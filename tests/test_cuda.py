"""On a CUDA GPU: replayed steps equal steps made one by one, nothing waits for the host, resumed equals uninterrupted.

Without a GPU only the part that says what may be replayed runs.
"""

from dataclasses import replace

import pytest
import torch
from checks import randn, stored

from aseqdip_lite import dot_test, iterate, load_case, methods, networks, reconstruct
from aseqdip_lite.course.experiments.t2 import TASKS
from aseqdip_lite.operators import Identity, LinearOperator
from aseqdip_lite.operators.kernelwizard import KernelWizard, KernelWizardBlur
from aseqdip_lite.operators.projectors import MatrixProjector

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

WITH_NETWORK = [name for name in methods.names() if hasattr(methods.get(name), "precision")]
REPLAYED = [name for name in WITH_NETWORK if name not in ("self_guided", "rethinking_dip")]
HOST = ("es_dip", "sgld_dip")  # the rule of one reads each output, the noise of the other is drawn on the host
PAIRS = [(name, task) for name in WITH_NETWORK for task in methods.get(name).tasks or TASKS]


@pytest.fixture
def exact():
    """Convolutions in float32 instead of TF32."""
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = True


def states(observation, method, *, replays=True, steps=6):
    """The states of a run, replayed or not."""
    carry = method.init(observation, 0)
    carry.replays = carry.replays and replays
    return list(iterate(observation, method, steps=steps, carry=carry))


def on_gpu(smoke_case, task):
    return smoke_case(task, size=32).to("cuda").observation


def configured(name, task, steps=6, **settings):
    return methods.configure(name, task, "smoke", steps=steps, **settings)


@needs_gpu
@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_replayed_steps_are_the_steps(name, task, smoke_case, deterministic):
    observation, method = on_gpu(smoke_case, task), configured(name, task)
    one, other = (states(observation, method, replays=replays) for replays in (True, False))
    assert (one[-1].carry.graphs is not None) == (name in REPLAYED)
    assert other[-1].carry.graphs is None
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.image, b.image) and a.losses == b.losses
        assert torch.equal(a.estimate, b.estimate)


@needs_gpu
@pytest.mark.parametrize("settings", [dict(refresh="stale"), dict(refresh="projected"), dict(rho=0.25), dict(N=3),
                                      dict(precision="bfloat16"), dict(network="paper-shallow"),
                                      dict(network="lite-half"),
                                      dict(lam="auto"), dict(lam="growth", N="geometric:first=2,last=4,begin=1,end=4")])
def test_replayed_steps_are_the_steps_in_every_setting(settings, smoke_case, deterministic):
    observation, method = on_gpu(smoke_case, "mri"), configured("aseqdip", "mri", steps=8, **settings)
    one, other = (states(observation, method, replays=replays, steps=8) for replays in (True, False))
    assert all(torch.equal(a.image, b.image) and a.losses == b.losses for a, b in zip(one, other, strict=True))


@needs_gpu
@pytest.mark.parametrize("name", [name for name in REPLAYED if name not in HOST])
def test_a_step_does_not_wait_for_the_host(name, smoke_case):
    task = (methods.get(name).tasks or ("mri",))[0]
    observation, method = on_gpu(smoke_case, task), configured(name, task)
    steps = iterate(observation, method)
    carry = [next(steps) for _ in range(3)][-1].carry
    torch.cuda.set_sync_debug_mode("error")
    try:
        rest = list(iterate(observation, method, carry=carry))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert rest


@needs_gpu
@pytest.mark.parametrize("name", WITH_NETWORK)
def test_resumed_equals_uninterrupted(name, smoke_case, deterministic):
    task = (methods.get(name).tasks or ("ct",))[0]
    observation, method = on_gpu(smoke_case, task), configured(name, task)
    whole = states(observation, method)
    half = states(observation, method, steps=3)[-1].carry
    other = method.init(observation, 99)
    other.load_state_dict(stored(half.state_dict()))
    for one, two in zip(whole[3:], iterate(observation, method, steps=6, carry=other), strict=True):
        assert torch.equal(one.estimate, two.estimate) and one.losses == two.losses


@needs_gpu
def test_a_recording_is_dropped_where_a_state_is_loaded(smoke_case, deterministic):
    observation, method = on_gpu(smoke_case, "denoising"), configured("aseqdip", "denoising", steps=8)
    whole = states(observation, method, steps=8)
    half = stored(states(observation, method, steps=4)[-1].carry.state_dict())
    carry = whole[-1].carry
    carry.load_state_dict(half)
    again = list(iterate(observation, method, steps=8, carry=carry))
    assert all(torch.equal(a.image, b.image) for a, b in zip(whole[4:], again, strict=True))


@needs_gpu
@pytest.mark.parametrize("there", ["cpu", "cuda"])
def test_a_run_goes_on_on_another_device(there, smoke_case, exact):
    here = dict(cpu="cuda", cuda="cpu")[there]
    case, method = smoke_case("mri", size=32), configured("aseqdip", "mri")
    cases = {device: case.to(device).observation for device in (here, there)}
    whole = states(cases[here], method)
    carry = method.init(cases[there], 99)
    carry.load_state_dict(stored(states(cases[here], method, steps=3)[-1].carry.state_dict(), there))
    last = list(iterate(cases[there], method, steps=6, carry=carry))[-1]
    assert float((last.image.cpu() - whole[-1].image.cpu()).norm() / whole[-1].image.cpu().norm()) < 0.02


@needs_gpu
@pytest.mark.parametrize("task", TASKS)
def test_the_first_step_is_that_of_the_cpu(task, smoke_case, exact):
    case, method = smoke_case(task, size=32), configured("aseqdip", task)
    here, there = (next(iterate(case.to(device).observation, method)) for device in ("cpu", "cuda"))
    for name, value in here.losses.items():
        assert there.losses[name] == pytest.approx(value, rel=1e-4)


@needs_gpu
@pytest.mark.parametrize("preset", ["lite", "lite-half", "paper-shallow"])
def test_a_network_is_that_of_the_cpu(preset):
    z = randn(1, 3, 40, 48)
    network = networks.build(preset, z, torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for index, weight in enumerate(network.parameters()):  # biases, too, which a GPU leaves out
            weight.add_(randn(*weight.shape, seed=index), alpha=0.1)
    found = {}
    for device in ("cpu", "cuda"):
        output = network.to(device)(z.to(device))
        slopes = torch.autograd.grad(output.square().sum(), list(network.parameters()))
        found[device] = [part.cpu() for part in (output, *slopes)]
    for here, there in zip(found["cpu"], found["cuda"], strict=True):
        torch.testing.assert_close(there, here, rtol=1e-6, atol=1e-6)


@needs_gpu
@pytest.mark.parametrize("task, settings", [("mri", {}), ("ct", {}), ("ct", dict(projector="rotation")),
                                            ("denoising", {}), ("inpainting", {})])
@pytest.mark.parametrize("double", [False, True])
def test_adjoints(task, settings, double, smoke_case):
    assert dot_test(smoke_case(task, size=32, **settings).to("cuda").observation.A, double=double) < 1e-4


def close(one, other):
    """Whether two runs are the same but for the order of additions: the losses of their first steps."""
    return all(a.losses == pytest.approx(b.losses, rel=1e-3) for a, b in zip(one, other, strict=True))


@needs_gpu
def test_replayed_steps_with_the_rotation_are_the_steps(smoke_case, exact):
    observation = smoke_case("ct", size=32, projector="rotation").to("cuda").observation
    one, other = (states(observation, configured("aseqdip", "ct"), replays=replays, steps=4)
                  for replays in (True, False))
    assert one[-1].carry.graphs is not None and close(one, other)


@needs_gpu
def test_replayed_steps_with_kernelwizard_are_the_steps_and_its_blur_is_that_of_the_cpu(smoke_case, exact):
    torch.manual_seed(0)
    blur = KernelWizardBlur((3, 128, 128), KernelWizard(nf=2, front=1, back=1), randn(1, 16, 1, 1).float())
    observation = smoke_case("deblurring", size=128).observation
    here = blur(observation.start)
    observation = replace(observation.to("cuda"), A=blur.to("cuda"))
    torch.testing.assert_close(observation.A(observation.start).cpu(), here, rtol=1e-4, atol=1e-4)
    one, other = (states(observation, configured("aseqdip", "deblurring"), replays=replays, steps=4)
                  for replays in (True, False))
    assert one[-1].carry.graphs is not None and close(one, other)


@needs_gpu
@pytest.mark.parametrize("name", WITH_NETWORK)
def test_the_same_seed_gives_the_same_bits_in_deterministic_mode(name, smoke_case, deterministic):
    task = (methods.get(name).tasks or ("mri",))[0]
    observation, method = on_gpu(smoke_case, task), configured(name, task)
    one, other = (states(observation, method)[-1].image for _ in range(2))
    assert torch.equal(one, other)


@needs_gpu
@pytest.mark.parametrize("task", TASKS)
def test_a_whole_run(task, smoke_case, tmp_path):
    case = smoke_case(task, size=32).to("cuda")
    found = reconstruct(case, configured("aseqdip", task, steps=20), out=tmp_path, record_every=10, progress=False)
    assert found.metrics["stop_reason"] == "budget" and found.metrics["device"].startswith("cuda")
    assert found.curve["data"][-1] < found.curve["data"][0]
    again = reconstruct(case, configured("aseqdip", task, steps=40), out=tmp_path, record_every=10, resume=True,
                        progress=False)
    assert again.metrics["steps"] == 40 and again.curve["data"][-1] < again.curve["data"][0]


class Elsewhere(LinearOperator):
    """An operator that a GPU could not record."""

    replays = False


@pytest.mark.parametrize("task", TASKS)
def test_the_operators_of_all_tasks_may_be_recorded(task):
    assert load_case(task, profile="smoke", size=32).observation.A.replays


def test_what_holds_an_operator_that_may_not_may_not():
    A = Elsewhere((1, 4, 4), (1, 4, 4))
    for whole in (A.H, A.N, 2 * A, A + A, A @ Identity((1, 4, 4))):
        assert not whole.replays
    assert (2 * MatrixProjector(8, (0.0, 1.0))).N.replays


@pytest.mark.parametrize(("settings", "replays"), [({}, True), (dict(lam="auto"), False), (dict(lam="growth"), False),
                                                   (dict(N="geometric:first=2"), False)])
def test_a_schedule_is_not_recorded(settings, replays, tiny_mri):
    method = configured("aseqdip", "mri", **settings)
    assert method.init(tiny_mri.observation, 0).replays is replays


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_on_a_cpu_nothing_is_recorded(name, smoke_case):
    task = (methods.get(name).tasks or ("mri",))[0]
    method = configured(name, task, steps=3)
    carry = list(iterate(smoke_case(task, size=32).observation, method))[-1].carry
    assert carry.graphs is None and carry.replays == (name in REPLAYED)


def test_an_optimizer_from_a_gpu_works_on_a_cpu(tiny_mri):
    """There it is capturable. A checkpoint keeps what it remembers; the settings are those of the machine."""
    method = configured("aseqdip", "mri")
    whole, carry = states(tiny_mri.observation, method), states(tiny_mri.observation, method, steps=3)[-1].carry
    for group in carry.optimizer.param_groups:
        group["capturable"] = True
    other = method.init(tiny_mri.observation, 0)
    other.load_state_dict(carry.state_dict())
    assert not any(group["capturable"] for group in other.optimizer.param_groups)
    assert torch.equal(list(iterate(tiny_mri.observation, method, steps=6, carry=other))[-1].image, whole[-1].image)
