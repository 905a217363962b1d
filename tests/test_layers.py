"""The layers in PyTorch's deterministic mode: PyTorch's own numbers, by sums whose order no thread decides."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from aseqdip_lite import ASeqDIP, load_case, networks, reconstruct, tasks
from aseqdip_lite.networks import layers
from aseqdip_lite.networks.layers import SMALL, BatchNorm2d, Conv2d, UnusedBias, enlarged, upsample_matmul


@pytest.fixture
def threads():
    """torch.set_num_threads, and the former number afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def drawn(*shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def image(channels, h, w, **kind):
    return drawn(2, channels, h, w, **kind).to(memory_format=torch.channels_last)


def with_gradients(layer, x, weight, of=None):
    """layer(x), and the gradients of <weight, layer(x)> by x and by the weight and bias of it or of a part of it."""
    x, of = x.clone().requires_grad_(), of or layer
    y = layer(x)
    return [y, *torch.autograd.grad(y, (x, of.weight, of.bias), weight)]


@pytest.mark.parametrize("size", [(6, 9), (104, 106)], ids=["small", "large"])
@pytest.mark.parametrize("side", [1, 3, 5, 7])
def test_convolution_is_that_of_pytorch(size, side, deterministic):
    layer = Conv2d(2, 3, side).double()
    x, weight = image(2, *size, dtype=torch.float64), image(3, *size, dtype=torch.float64, seed=1)
    assert (x.numel() <= SMALL) == (size == (6, 9))
    plain = nn.Conv2d(2, 3, side, padding=side // 2).double()
    plain.load_state_dict(layer.state_dict())
    for found, right in zip(with_gradients(layer, x, weight), with_gradients(plain, x, weight), strict=True):
        torch.testing.assert_close(found, right)


def batch_norm(channels, dtype=torch.float32):
    """A layer whose scales and shifts are not 1 and 0."""
    layer = BatchNorm2d(channels).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(drawn(channels, seed=2))
        layer.bias.copy_(drawn(channels, seed=3))
    return layer


def test_batch_norm_is_that_of_pytorch(deterministic):
    layer, x = batch_norm(3, torch.float64), 5 + image(3, 7, 9, dtype=torch.float64)
    weight = image(3, 7, 9, dtype=torch.float64, seed=1)
    plain = nn.BatchNorm2d(3, track_running_stats=False).double()
    plain.load_state_dict(layer.state_dict())
    for found, right in zip(with_gradients(layer, x, weight), with_gradients(plain, x, weight), strict=True):
        torch.testing.assert_close(found, right)


def test_batch_norm_loses_nothing_to_a_large_mean(deterministic):
    """Variances are those of centred numbers; mean square less squared mean would have no digit left here."""
    x = 1e4 + image(2, 16, 16)
    torch.testing.assert_close(batch_norm(2)(x), batch_norm(2)(x - 1e4), rtol=0, atol=5e-3)


def test_batch_norm_can_be_differentiated_twice(deterministic):
    layer, x = batch_norm(2, torch.float64), image(2, 3, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_batch_norm_keeps_bfloat16_and_the_layout(deterministic):
    y = batch_norm(3)(image(3, 8, 8).bfloat16())
    assert y.dtype == torch.bfloat16 and y.is_contiguous(memory_format=torch.channels_last)
    assert batch_norm(3)(image(3, 8, 8)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("channels", "side"), [(16, 128), (64, 16)])
def test_batch_norm_gives_the_same_bits_whatever_the_number_of_threads(channels, side, deterministic, threads):
    layer, x, weight = batch_norm(channels), image(channels, side, side), image(channels, side, side, seed=1)
    threads(1)
    alone = with_gradients(layer, x, weight)
    for number in (2, 4):
        threads(number)
        assert all(map(torch.equal, alone, with_gradients(layer, x, weight)))


@pytest.mark.parametrize("layer", [batch_norm(3), Conv2d(3, 3, 3), Conv2d(3, 3, 1)])
def test_without_the_mode_they_are_pytorchs_layers(layer):
    plain = {BatchNorm2d: nn.BatchNorm2d, Conv2d: nn.Conv2d}[type(layer)]
    x = image(3, 8, 8)
    assert torch.equal(layer(x), plain.forward(layer, x))


@pytest.mark.parametrize("task", tasks.names())
def test_runs_at_other_numbers_of_threads_stay_together(task, deterministic, threads):
    """scripts/determinism.py makes whole runs; on the machine that it was tried on they are equal bit for bit."""
    def peak(number):
        threads(number)
        case = load_case(task, profile="smoke", size=64)
        return reconstruct(case, ASeqDIP(K=10), progress=False).metrics["psnr"]["oracle"]

    assert peak(1) == pytest.approx(peak(2), abs=0.05)


@pytest.mark.parametrize("size", [(2, 2), (5, 8), (16, 3)])
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_upsampling_by_products_is_that_of_pytorch(size, order):
    x, weight = drawn(2, 3, *size, dtype=torch.float64), drawn(2, 3, 2 * size[0], 2 * size[1], dtype=torch.float64)
    x = x.to(memory_format=order).requires_grad_()
    for made in (upsample_matmul, enlarged):
        right = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        torch.testing.assert_close(made(x), right)
        torch.testing.assert_close(torch.autograd.grad(made(x), x, weight), torch.autograd.grad(right, x, weight))
    assert upsample_matmul(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("n", [2, 3, 80])
def test_interpolation_keeps_straight_lines(n):
    line = torch.linspace(-1, 3, n, dtype=torch.float64)
    longer = layers.interpolation(n, line.device, line.dtype) @ line
    torch.testing.assert_close(longer, torch.linspace(-1, 3, 2 * n, dtype=torch.float64))


def test_a_bias_before_a_batch_norm_has_no_effect():
    layer, norm, x = Conv2d(2, 3, 3, normalised=True).double(), batch_norm(3, torch.float64), image(2, 6, 9).double()
    y, by_x, by_weight, by_bias = with_gradients(nn.Sequential(layer, norm), x, image(3, 6, 9).double(), of=layer)
    assert by_bias.abs().max() < 1e-12 < by_weight.abs().max()
    with torch.no_grad():
        layer.bias.add_(drawn(3, seed=4))
    torch.testing.assert_close(norm(layer(x)), y)


@pytest.mark.parametrize("preset", ["lite", "lite-half"])
def test_the_network_of_a_gpu_is_the_network(preset, monkeypatch):
    z = image(2, 40, 48, dtype=torch.float64)
    network = networks.build(preset, z, torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for index, weight in enumerate(network.parameters()):  # biases, too, which begin at 0
            weight.add_(drawn(*weight.shape, dtype=torch.float64, seed=index), alpha=0.1)
    here = [output := network(z), *torch.autograd.grad(output.square().sum(), list(network.parameters()))]
    monkeypatch.setattr("aseqdip_lite.networks.layers.on_gpu", lambda x: True)
    there = [output := network(z), *torch.autograd.grad(output.square().sum(), list(network.parameters()))]
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_on_a_gpu_channels_come_last_all_the_way(monkeypatch):
    monkeypatch.setattr("aseqdip_lite.networks.layers.on_gpu", lambda x: True)
    z = drawn(1, 3, 16, 24)
    network, seen = networks.build("lite", z, torch.Generator().manual_seed(0)), []

    def watch(module, inputs, output):
        seen.extend([inputs[0], output])
        output.register_hook(seen.append)  # its gradient

    for module in network.modules():
        if isinstance(module, BatchNorm2d):
            module.register_forward_hook(watch)
    network(z).square().sum().backward()
    assert len(seen) == 3 * 14
    for tensor in seen:  # the stride of the batch, too, which `is_contiguous` leaves out, and which decides on kernels
        assert tensor.stride() == torch.empty(tensor.shape).to(memory_format=torch.channels_last).stride()


def test_an_unfelt_bias_has_the_gradient_zero():
    x, bias = drawn(1, 3, 4, 5).requires_grad_(), drawn(3, seed=1).requires_grad_()
    y = UnusedBias.apply(x, bias)
    assert torch.equal(y, x)
    by_x, by_bias = torch.autograd.grad(y.square().sum(), (x, bias), create_graph=True)
    assert torch.equal(by_x, 2 * x) and torch.equal(by_bias, torch.zeros(3))
    twice, = torch.autograd.grad(by_x.sum(), x)
    assert torch.equal(twice, torch.full_like(x, 2.0))


def test_an_unfelt_bias_under_function_transforms():
    x, bias = drawn(2, 3), drawn(3, seed=1)

    def squares(x, bias):
        return UnusedBias.apply(x, bias).square().sum()

    each = torch.func.vmap(torch.func.grad(squares, (0, 1)), (0, None))(x, bias)
    assert torch.equal(each[0], 2 * x) and torch.equal(each[1], torch.zeros(2, 3))
    _, slope = torch.func.jvp(squares, (x, bias), (torch.ones_like(x), torch.ones_like(bias)))
    torch.testing.assert_close(slope, 2 * x.sum())
