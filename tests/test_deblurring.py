"""Nonlinear deblurring: camera curves, motion kernel, blur and its gradient, TV by gradient descent."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from checks import error_of, generator, rand, randn
from hypothesis import given
from hypothesis import strategies as st

from aseqdip_lite import iterate, load_case, reconstruct
from aseqdip_lite.methods import configure
from aseqdip_lite.methods.tv import EPSILON, TV, descend_tv, total_variation
from aseqdip_lite.operators import Identity
from aseqdip_lite.operators.blur import MotionBlur, motion_path, path_kernel, saturate, to_display, to_light
from aseqdip_lite.tasks.deblurring import Deblurring

gammas = st.floats(1, 5)
shapes = st.tuples(st.sampled_from([1, 3]), st.integers(8, 33), st.integers(8, 33))


def drawn_blur(shape, seed=0, motion=5.0, **camera):
    """A MotionBlur in double precision with a kernel from the seed."""
    return MotionBlur(shape, path_kernel(motion_path(motion, generator(seed))), **camera).to(double=True)


# The camera's curves.

LINE = torch.linspace(-2, 3, 5001, dtype=torch.float64)


@given(gammas)
def test_response_curve_is_increasing_and_fixes_black_and_white(gamma):
    for curve in (to_light, to_display):
        assert bool((curve(LINE, gamma).diff() > 0).all())
        ends = curve(torch.tensor([-1.0, 0, 1], dtype=torch.float64), gamma)
        torch.testing.assert_close(ends, torch.tensor([-1.0, 0, 1], dtype=torch.float64))
    torch.testing.assert_close(to_display(to_light(LINE, gamma), gamma), LINE)
    torch.testing.assert_close(to_light(to_display(LINE, gamma), gamma), LINE)


@given(gammas)
def test_response_curve_brightens_and_has_no_kink(gamma):
    """Concave on [0, 1], like every gamma curve; its slope is continuous through black."""
    inner = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert bool((to_display(inner, gamma) >= inner - 1e-12).all())
    x = torch.tensor([-1e-9, 0.0, 1e-9], dtype=torch.float64, requires_grad=True)
    for curve in (to_light, to_display):
        slopes, = torch.autograd.grad(curve(x, gamma).sum(), x)
        assert float(slopes.min()) > 0 and float(slopes.max() / slopes.min() - 1) <= 1e-5


def test_linear_camera_changes_nothing():
    torch.testing.assert_close(to_light(LINE, 1.0), LINE)
    torch.testing.assert_close(to_display(LINE, 1.0), LINE)


@given(st.floats(0, 1))
def test_saturation_is_increasing_smooth_and_bounded(knee):
    light, below = saturate(LINE, knee), knee >= LINE
    assert bool((light.diff() >= -1e-15).all()) and float(light.max()) <= 1 + 1e-15
    assert torch.equal(light[below], LINE[below])
    if knee < 0.9:  # the shoulder meets the line with slope 1, and goes on rising
        x = torch.tensor([knee - 1e-9, knee + 1e-9, 1.2], dtype=torch.float64, requires_grad=True)
        slopes, = torch.autograd.grad(saturate(x, knee).sum(), x)
        assert abs(float(slopes[1] - slopes[0])) <= 1e-7 and float(slopes[2]) > 0


def test_knee_one_clips_hard():
    assert torch.equal(saturate(LINE, 1.0), LINE.clamp(max=1))


# The motion.

@given(st.integers(0, 1000), st.floats(0.5, 20))
def test_path_is_smooth_centred_and_as_long_as_asked_for(seed, extent):
    path = motion_path(extent, generator(seed))
    torch.testing.assert_close(path.mean(dim=0), torch.zeros(2), atol=1e-4, rtol=0)
    assert float((path.amax(dim=0) - path.amin(dim=0)).max()) == pytest.approx(extent, rel=1e-4)
    speed = path.diff(dim=0).norm(dim=1)
    assert float(speed.max()) <= 20 * extent / len(path)  # no jumps
    assert float(speed[0]) <= 0.1 * float(speed.max()) and float(speed[-1]) <= 0.1 * float(speed.max())


@given(st.integers(0, 1000), st.floats(0, 20))
def test_kernel_is_a_probability_around_the_centre(seed, extent):
    kernel = path_kernel(motion_path(extent, generator(seed)))
    k = len(kernel)
    assert kernel.shape == (k, k) and k % 2 == 1 and k <= 2 * extent + 3
    assert float(kernel.min()) >= 0 and float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    places = torch.arange(k) - k // 2
    for marginal in (kernel.sum(dim=1), kernel.sum(dim=0)):
        assert abs(float((marginal * places).sum())) <= 1e-3


def test_kernel_of_a_known_path():
    """Half of the time at (0, 0), half at (0, 1.25), which lies between columns 1 and 2."""
    kernel = path_kernel(torch.tensor([[0.0, 0.0], [0.0, 1.25]]))
    expected = torch.zeros(5, 5)
    expected[2, 2], expected[2, 3], expected[2, 4] = 0.5, 0.375, 0.125
    torch.testing.assert_close(kernel, expected)


@given(shapes, st.integers(0, 20), st.floats(0, 9))
def test_blur_is_scipys_convolution_with_repeated_borders(shape, seed, extent):
    A, x = drawn_blur(shape, seed, extent), randn(1, *shape, seed=seed)
    expected = [scipy.ndimage.convolve(channel.numpy(), A.kernel.numpy(), mode="nearest") for channel in x[0]]
    np.testing.assert_allclose(A.blur(x)[0].numpy(), np.stack(expected), atol=1e-12)


def test_blur_averages_the_shifted_images_of_the_path():
    """A path through whole pixels: the blurred image is the mean of the shifted images, inside of the border."""
    path = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [-2.0, 1.0]])
    A, x = MotionBlur((1, 20, 24), path_kernel(path)).to(double=True), rand(1, 1, 20, 24)
    shifted = [x.roll((int(row), int(column)), dims=(-2, -1)) for row, column in path]
    inside = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(A.blur(x)[inside], (sum(shifted) / 4)[inside])


# The forward operator.

@given(shapes, st.floats(0, 1), gammas, st.floats(0.5, 3), st.floats(0, 1), st.integers(0, 20))
def test_constant_image_stays_constant_up_to_the_response(shape, value, gamma, exposure, knee, seed):
    A = drawn_blur(shape, seed, gamma=gamma, exposure=exposure, knee=knee)
    c = torch.tensor(value, dtype=torch.float64)
    expected = to_display(saturate(exposure * to_light(c, gamma), knee), gamma)
    torch.testing.assert_close(A(torch.full((2, *shape), value, dtype=torch.float64)), expected.expand(2, *shape))


def test_constant_image_below_the_knee_stays_as_it_is():
    A = drawn_blur((3, 16, 19))
    dark = torch.full((1, 3, 16, 19), 0.6, dtype=torch.float64)
    torch.testing.assert_close(A(dark), dark)


@given(shapes, st.integers(0, 20))
def test_blur_keeps_order_and_range(shape, seed):
    """Brighter images give brighter pictures, and no picture of values in [0, 1] leaves [0, 1]."""
    A, x = drawn_blur(shape, seed), rand(1, *shape, seed=seed)
    brighter = x + (1 - x) * rand(1, *shape, seed=seed + 1)
    assert bool((A(brighter) >= A(x) - 1e-12).all())
    assert float(A(x).min()) >= -1e-12 and float(A(brighter).max()) <= 1 + 1e-12


def test_motion_averages_light_not_display_values():
    """Of a black and white edge more than half of the smear is brighter than mid gray: light adds up."""
    A = drawn_blur((1, 16, 64), motion=9.0, knee=1.0)
    edge = torch.zeros(1, 1, 16, 64, dtype=torch.float64)
    edge[..., 32:] = 1
    linear = drawn_blur((1, 16, 64), motion=9.0, gamma=1.0, knee=1.0)
    assert bool((A(edge) >= linear(edge) - 1e-12).all()) and float((A(edge) - linear(edge)).max()) > 0.1
    torch.testing.assert_close(to_light(A(edge), 2.2), linear(edge), atol=1e-9, rtol=0)


def test_linear_camera_is_a_linear_operator():
    A = drawn_blur((1, 17, 20), gamma=1.0, knee=1.0)
    x, z = 0.4 * rand(2, 1, 17, 20), 0.4 * rand(2, 1, 17, 20, seed=1)
    torch.testing.assert_close(A(x + z), A(x) + A(z))


@given(shapes, st.integers(0, 20), st.sampled_from([dict(), dict(gamma=1.0), dict(exposure=1.5, knee=0.3)]))
def test_gradient_by_finite_differences(shape, seed, camera):
    A = drawn_blur(shape, seed, **camera)
    x, d, v = rand(1, *shape, seed=seed), randn(1, *shape, seed=seed + 1), randn(1, *shape, seed=seed + 2)
    slope = (A(x + 1e-6 * d) - A(x - 1e-6 * d)) / 2e-6
    typical = float(slope.norm() * v.norm()) / v.numel() ** 0.5
    assert abs(float((v * slope).sum() - (A.vjp(x, v) * d).sum())) <= 1e-6 * typical


def test_gradcheck_through_black():
    A = drawn_blur((1, 8, 9))
    x = (0.2 * randn(1, 1, 8, 9)).requires_grad_()
    assert bool((x < 0).any()) and torch.autograd.gradcheck(A, (x,))


def test_gradient_is_finite_on_a_black_image():
    A, x = drawn_blur((3, 12, 12)), torch.zeros(1, 3, 12, 12, dtype=torch.float64)
    slope = A.vjp(x, torch.ones_like(x))
    assert bool(slope.isfinite().all()) and float(slope.abs().min()) > 0


def test_members_of_a_batch_do_not_meet():
    A, x = drawn_blur((3, 15, 18)), rand(3, 3, 15, 18)
    torch.testing.assert_close(A(x)[1:2], A(x[1:2]))


# The task.

def test_operator_is_the_same_at_every_call_and_drawn_from_the_seed():
    one, again, other = (load_case("deblurring", profile="smoke", size=32, seed=seed) for seed in (0, 0, 1))
    x = rand(1, 3, 32, 32).float()
    A = one.observation.A
    assert torch.equal(A(x), A(x)) and torch.equal(A(x), again.observation.A(x))
    assert A.kernel.shape != other.observation.A.kernel.shape or not torch.equal(A.kernel, other.observation.A.kernel)


@pytest.mark.parametrize("sigma", [5.0, 12.75])
def test_noise_has_the_stated_level(sigma):
    case = load_case("deblurring", size=128, sigma=sigma)
    truth = torch.from_numpy(case.truth).permute(2, 0, 1)[None]
    noise = (case.observation.y - case.observation.A(truth)) * 255
    assert float(noise.std()) == pytest.approx(sigma, rel=4 / (2 * noise.numel()) ** 0.5)
    assert abs(float(noise.mean())) <= 4 * sigma / noise.numel() ** 0.5
    assert case.observation.noise_std == pytest.approx(sigma / 255)


def test_without_motion_noise_and_saturation_nothing_happens():
    case = load_case("deblurring", size=32, motion=0.0, sigma=0.0, knee=1.0)
    np.testing.assert_allclose(case.display(case.observation.y), case.truth, atol=2e-6)


@pytest.mark.parametrize("settings, words", [
    (dict(blur="kernelwizard"), "blur kernelwizard and a checkpoint go together: give --blur kernelwizard "
     "--checkpoint FILE, or neither"),
    (dict(checkpoint="a.pth"), "blur kernelwizard and a checkpoint go together: give --blur kernelwizard "
     "--checkpoint FILE, or neither"),
])
def test_bad_settings(settings, words):
    assert error_of(Deblurring, **settings) == words


# Total variation by gradient descent.

def test_total_variation_of_known_images():
    """A step of height 2 along 5 rows has TV 10, less the rounding of each jump; so has a corner; a constant none."""
    def jump(size):
        return (size**2 + EPSILON**2) ** 0.5 - EPSILON

    step = torch.zeros(1, 1, 5, 8, dtype=torch.float64)
    step[..., 4:] = 2
    assert float(total_variation(step)) == pytest.approx(5 * jump(2))
    assert float(total_variation(step.mT)) == pytest.approx(5 * jump(2))
    corner = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    corner[..., :2, :2] = 1
    assert float(total_variation(corner)) == pytest.approx(2 * jump(1) + jump(2**0.5))
    assert float(total_variation(torch.full((2, 3, 7, 7), 0.3))) == pytest.approx(0, abs=1e-5)
    assert float(total_variation(step.to(torch.complex128) * 1j)) == pytest.approx(5 * jump(2))


@pytest.mark.parametrize("kind", ["blur", "identity"])
def test_gradient_of_the_tv_objective_by_finite_differences(kind):
    A = drawn_blur((3, 9, 11)) if kind == "blur" else Identity((3, 9, 11))
    x, y, d = rand(1, 3, 9, 11), rand(1, 3, 9, 11, seed=1), randn(1, 3, 9, 11, seed=2)

    def objective(x):
        return 0.5 * (A(x) - y).square().sum() + 0.3 * total_variation(x)

    slope = float(objective(x + 1e-6 * d) - objective(x - 1e-6 * d)) / 2e-6
    gradient, = torch.autograd.grad(objective(x.requires_grad_()), x)
    x = x.detach()
    assert abs(slope - float((gradient * d).sum())) <= 1e-6 * float(gradient.norm() * d.norm())
    after, history = descend_tv(A, y, x, 0.3, 1)
    assert history == pytest.approx([float(objective(x)), float(objective(after))])
    moved = x - after
    assert float((moved * gradient).sum()) == pytest.approx(float(moved.norm() * gradient.norm()))  # along -gradient


@pytest.mark.parametrize("image", ["chelsea", "rocket"])
def test_objective_never_rises_and_the_gradient_vanishes(image):
    observation = load_case("deblurring", image, profile="smoke", size=32).observation
    A, y = observation.A.to(double=True), observation.y.double()

    def slope(x):
        x = x.clone().requires_grad_()
        value = 0.5 * (A(x) - y).square().sum() + 0.02 * total_variation(x)
        return float(torch.autograd.grad(value, x)[0].norm())

    x, history = descend_tv(A, y, y, 0.02, 400)
    assert all(later <= earlier for earlier, later in zip(history, history[1:], strict=False))
    assert history[-1] < 0.7 * history[0] and slope(x) <= 0.02 * slope(y)


def test_descent_finds_the_minimum_of_a_quadratic():
    """Without TV and with A = I the answer is y."""
    y = rand(1, 1, 6, 7)
    x, history = descend_tv(Identity((1, 6, 7)), y, torch.zeros_like(y), 0.0, 20)
    torch.testing.assert_close(x, y)
    assert history[-1] <= 1e-12


@pytest.mark.parametrize("image", ["chelsea", "rocket"])
def test_tv_deblurs(image):
    case = load_case("deblurring", image, profile="smoke")
    (state,) = iterate(case.observation, TV())
    psnr = reconstruct(case, configure("tv", "deblurring"), progress=False).metrics["psnr"]
    assert psnr["final"] > psnr["start"] + 2
    assert state.image.shape == case.observation.y.shape
