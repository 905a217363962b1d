"""The layers in PyTorch's deterministic mode: PyTorch's own numbers, by sums whose order no thread decides."""

import pytest
import torch
from torch import nn

from aseqdip_lite import ASeqDIP, load_case, reconstruct, tasks
from aseqdip_lite.layers import SMALL, BatchNorm2d, Conv2d


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


def with_gradients(layer, x, weight):
    """layer(x), and the gradients of <weight, layer(x)> by x and by the layer's weight and bias."""
    x = x.clone().requires_grad_()
    y = layer(x)
    return [y, *torch.autograd.grad(y, (x, layer.weight, layer.bias), weight)]


@pytest.mark.parametrize("size", [(6, 9), (104, 106)], ids=["small", "large"])
@pytest.mark.parametrize("side", [1, 3, 5, 7])
def test_convolution_is_that_of_pytorch(size, side, deterministic):
    layer = Conv2d(2, 3, side, padding=side // 2).double()
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


@pytest.mark.parametrize("layer", [batch_norm(3), Conv2d(3, 3, 3, padding=1), Conv2d(3, 3, 1)])
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
