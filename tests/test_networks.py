"""Networks: sizes, parameter counts, initial weights, and the adapter between images and channels."""

import pytest
import torch
from checks import error_of, generator
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from aseqdip_lite import InputError
from aseqdip_lite.networks import (
    PRESETS,
    Block,
    HalfUNet,
    Hourglass,
    ImageNetwork,
    UNet,
    build,
    count_parameters,
    from_channels,
    initialise,
    to_channels,
)


def image(c=1, h=32, w=32, is_complex=False, seed=0):
    return torch.randn((1, c, h, w), generator=generator(seed), dtype=torch.complex64 if is_complex else torch.float32)


def counted_by_hand(widths, c_in, c_out):
    """Parameters of the U-Net, layer by layer."""
    def block(a, mid, b):
        convolutions = (9 * a * mid + mid) + (9 * mid * b + b)
        normalisations = 2 * mid + 2 * b
        return convolutions + normalisations

    total, channels = 0, c_in
    for width in widths:
        total += block(channels, width, width)
        channels = width
    for level in reversed(range(len(widths) - 1)):
        concatenated = widths[level] + channels
        channels = widths[level - 1] if level > 0 else widths[0]
        total += block(concatenated, concatenated // 2, channels)
    return total + channels * c_out + c_out


@pytest.mark.parametrize("preset, channels, parameters", [
    ("lite", 3, 269_331), ("lite", 2, 269_170), ("paper-shallow", 3, 1_036_995), ("paper-medium", 2, 4_283_842)])
def test_parameter_counts(preset, channels, parameters):
    assert count_parameters(build(preset, image(channels), generator())) == parameters
    assert counted_by_hand(PRESETS[preset], channels, channels) == parameters


@given(widths=st.lists(st.integers(1, 8), min_size=1, max_size=4), c_in=st.integers(1, 5), c_out=st.integers(1, 5))
def test_parameter_formula_for_any_widths(widths, c_in, c_out):
    assert count_parameters(UNet(tuple(widths), c_in, c_out)) == counted_by_hand(widths, c_in, c_out)


@pytest.mark.parametrize("channels, parameters", [(3, 260_691), (2, 259_522)])
def test_parameter_count_of_the_half_size(channels, parameters):
    top, widths = 16, PRESETS["lite-half"]
    whole = counted_by_hand(widths, 4 * channels, channels)
    narrower = (widths[0] - top) * (9 * widths[0] + 1 + 2 + channels)  # of the last convolution, its norm and the head
    full = (9 * top * top + top) + 2 * top
    assert count_parameters(build("lite-half", image(channels), generator())) == parameters
    assert whole - narrower + full == parameters


@pytest.mark.parametrize("channels, parameters", [(3, 103_491), (2, 103_170)])
def test_parameter_count_of_the_hourglass(channels, parameters):
    widths = PRESETS["hourglass"]
    down = sum(9 * a * b + 3 * b + 9 * b * b + 3 * b for a, b in zip((channels, *widths), widths, strict=False))
    up = sum(9 * a * b + 3 * b for a, b in zip(widths[::-1], (*widths[-2::-1], widths[0]), strict=True))
    assert down + up + widths[0] * channels + channels == parameters
    assert count_parameters(build("hourglass", image(channels), generator())) == parameters


def test_the_hourglass_hands_nothing_through_its_waist():
    """With the waist held, its output no longer depends on its input."""
    network, x = Hourglass((4, 4), 1, 1), image(1, 16, 16)
    waist = network.down(x).detach()
    network.down = Held(waist)
    assert torch.equal(network(x), network(image(1, 16, 16) + 1))
    assert len(torch.unique(network(x))) > 16


class Held(nn.Module):
    """A module that always gives the same."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, x):
        return self.output


def test_complex_image_has_two_channels():
    assert count_parameters(build("lite", image(1, is_complex=True), generator())) == 269_170
    assert count_parameters(build("lite", image(1, is_complex=True), generator(), c_in=32)) == 269_170 + 9 * 30 * 16


# Any size.

@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("h, w", [(32, 32), (17, 17), (33, 40), (17, 63), (50, 18)])
@pytest.mark.parametrize("preset", ["lite", "lite-half", "paper-shallow", "hourglass"])
def test_output_has_the_size_and_kind_of_the_image(preset, h, w, is_complex):
    x = image(2, h, w, is_complex)
    output = build(preset, x, generator())(x)
    assert output.shape == x.shape and output.dtype == x.dtype
    assert torch.isfinite(torch.view_as_real(output.detach()) if is_complex else output).all()


class Through(nn.Module):
    """A network that returns its input and remembers it."""

    stride = 8

    def forward(self, x):
        self.seen = x
        return x


@pytest.mark.parametrize("h, w", [(16, 16), (9, 9), (15, 31), (17, 8)])
@pytest.mark.parametrize("is_complex", [False, True])
def test_padding_and_cropping_leave_the_image_in_place(h, w, is_complex):
    x = image(3, h, w, is_complex)
    adapter = ImageNetwork(Through(), is_complex)
    assert torch.equal(adapter(x), x)
    seen = adapter.network.seen
    assert seen.shape == (1, 6 if is_complex else 3, -(-h // 8) * 8, -(-w // 8) * 8)
    assert torch.equal(seen[..., :h, :w], to_channels(x))
    assert torch.equal(seen[..., h:, :w], to_channels(x)[..., -1:, :].expand_as(seen[..., h:, :w]))


def test_the_half_size_sees_each_pixel_once_and_has_the_image_between_them():
    x, network = image(3, 16, 24), HalfUNet((8, 8), 3, 3)
    through, network.full, network.head = Through(), nn.Identity(), nn.Identity()
    network.trunk = through.forward
    enlarged, blocks = network(x), through.seen
    for channel in range(3):
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            assert torch.equal(blocks[:, 4 * channel + 2 * i + j], x[:, channel, i::2, j::2])
    assert enlarged.shape == (1, 12, 16, 24)
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):  # bilinear, the corners stay
        torch.testing.assert_close(enlarged[..., row, column], blocks[..., row, column])
    assert blocks.min() <= enlarged.min() and enlarged.max() <= blocks.max()


@pytest.mark.parametrize("preset, stride", [("lite", 8), ("lite-half", 8), ("paper-shallow", 4), ("paper-medium", 8),
                                            ("hourglass", 16)])
def test_image_too_small_for_the_poolings_is_refused(preset, stride):
    for h, w in ((stride, 32), (32, stride), (1, 1), (stride, stride)):
        said = error_of(build, preset, image(1, h, w), generator())
        assert said == (f"an image of {h} x {w} is too small for the network '{preset}': each side needs "
                        f"at least {stride + 1} pixels")
    smallest = image(1, stride + 1, stride + 1)
    assert build(preset, smallest, generator())(smallest).shape == smallest.shape


def test_unknown_preset_is_refused():
    with pytest.raises(InputError, match="^unknown network 'paper-medum': did you mean 'paper-medium'\\? known: "):
        build("paper-medum", image(), generator())


# Complex images and channels.

@given(b=st.integers(1, 3), c=st.integers(1, 4), h=st.integers(1, 6), w=st.integers(1, 6), seed=st.integers(0, 99))
def test_channels_round_trip(b, c, h, w, seed):
    x = torch.randn((b, c, h, w), generator=generator(seed), dtype=torch.complex64)
    channels = to_channels(x)
    assert channels.shape == (b, 2 * c, h, w) and channels.dtype == torch.float32
    assert torch.equal(from_channels(channels), x)
    assert torch.equal(to_channels(from_channels(channels)), channels)


def test_channels_are_real_and_imaginary_part_of_each_channel():
    x = image(2, 3, 4, is_complex=True)
    channels = to_channels(x)
    for index, part in enumerate((x[:, 0].real, x[:, 0].imag, x[:, 1].real, x[:, 1].imag)):
        assert torch.equal(channels[:, index], part)


@given(a=st.floats(-10, 10), b=st.floats(-10, 10))
def test_to_channels_is_linear_over_the_reals_and_keeps_the_norm(a, b):
    x, y = image(2, 4, 5, True, seed=1).to(torch.complex128), image(2, 4, 5, True, seed=2).to(torch.complex128)
    torch.testing.assert_close(to_channels(a * x + b * y), a * to_channels(x) + b * to_channels(y))
    torch.testing.assert_close(to_channels(x).norm(), x.norm())


def test_real_image_is_its_own_channels():
    x = image(3)
    assert to_channels(x) is x


# Layers.

def test_batch_norm_on_a_batch_of_one_is_instance_normalisation():
    block = Block(3, 5, 4)
    initialise(block, generator(1))
    x = image(3, 9, 7)
    expected = x
    for convolution, normalisation in ((block[0], block[1]), (block[3], block[4])):
        expected = convolution(expected)
        expected = F.relu(F.instance_norm(expected, weight=normalisation.weight, bias=normalisation.bias))
    torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)


def test_training_and_evaluation_mode_are_the_same():
    x = image(2)
    network = build("lite", x, generator())
    trained = network.train()(x)
    assert torch.equal(network.eval()(x), trained)
    assert not any("running" in name for name in network.state_dict())


def test_output_has_no_activation():
    x = image(1, is_complex=False)
    output = build("lite", x, generator())(x)
    assert output.min() < 0
    network = build("lite", x, generator())
    with torch.no_grad():
        network.network.head.bias.fill_(5.0)
    torch.testing.assert_close(network(x), output + 5.0)


# Initial weights.

def test_initialisation_is_determined_by_the_generator():
    one, same, other = (build("lite", image(2), generator(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["network.head.weight"], other["network.head.weight"])


def test_initialisation_does_not_touch_the_global_generator():
    torch.manual_seed(0)
    first = build("lite", image(2), generator()).state_dict()
    torch.manual_seed(1)
    second = build("lite", image(2), generator()).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_statistics_of_the_initial_weights():
    network = build("lite", image(2), generator(3))
    modules = list(network.modules())
    convolutions = torch.cat([m.weight.flatten() for m in modules if isinstance(m, nn.Conv2d)]).detach()
    scales = torch.cat([m.weight for m in modules if isinstance(m, nn.BatchNorm2d)]).detach()
    for values, mean, std in ((convolutions, 0.0, 0.02), (scales, 1.0, 0.02)):
        n = len(values)
        assert float(values.mean()) == pytest.approx(mean, abs=4 * std / n**0.5)
        assert float(values.std()) == pytest.approx(std, rel=4 / (2 * n) ** 0.5)
    biases = [m.bias for m in modules if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    assert len(biases) == 2 * 2 * 7 + 1 and not any(bias.any() for bias in biases)
