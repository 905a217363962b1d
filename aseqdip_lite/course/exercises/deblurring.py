"""Exercises of lesson 11: the response's slope, the vjp of a camera, pixels without gradient, working in light."""

import torch

from ...operators.blur import DARK, MotionBlur, saturate, to_display, to_light
from . import exercise, tensor_fault
from .double import close
from .operators import shake_kernel


def camera(shape=(1, 12, 15), **settings):
    """A camera in double precision that shakes by about four pixels; its kernel has no faint entries."""
    kernel = shake_kernel()
    kernel = torch.where(kernel > 0.01, kernel, 0.0)
    return MotionBlur(shape, kernel / kernel.sum(), **settings).to(double=True)


def uniform(shape, seed, low=0.0, high=1.0):
    """Seeded uniform numbers (1, *shape) in [low, high], in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand((1, *shape), generator=generator, dtype=torch.float64)


def slope(curve, t):
    """Derivative of a pointwise curve at each entry of t."""
    return torch.func.grad(lambda t: curve(t).sum())(t)


@exercise("deblurring.slope")
def response_slope(answer):
    """A function (light, gamma, d) -> derivative of the response curve with the offset d at each amount of light."""
    light = uniform((1, 5, 6), seed=1)

    def tried(rule):
        return all(close(answer(light, gamma, d), rule(light, gamma, d, (1 + d) ** (1 / gamma) - d ** (1 / gamma)))
                   for gamma, d in ((2.2, DARK), (1.6, 0.3)))

    if fault := tensor_fault(answer(light, 2.2, DARK), light.shape):
        return fault
    if tried(lambda L, g, d, span: (L + d) ** (1 / g - 1) / g / span):
        return None
    if tried(lambda L, g, d, span: (L + d) ** (1 / g - 1) / g):
        return "the denominator is missing: the curve was divided by a constant, so its slope is divided too"
    if tried(lambda L, g, d, span: (L + d) ** (1 / g - 1) / span):
        return "the exponent did not come down: the derivative of t^a is a t^(a - 1)"
    if tried(lambda L, g, d, span: (L + d) ** (1 / g) / g / span):
        return "the exponent falls by one: the derivative of t^a is a t^(a - 1)"
    if tried(lambda L, g, d, span: L ** (1 / g - 1) / g / span) or tried(lambda L, g, d, span: L ** (1 / g - 1) / g):
        return "d is missing: without it the slope at black is infinite"
    if tried(lambda L, g, d, span: span * g * (span * L + d ** (1 / g)) ** (g - 1)):
        return "that is the slope of the way back, from display values to light: here the exponent is 1 / gamma"
    return "not the derivative: the curve is ((L + d)^(1 / gamma) - d^(1 / gamma)) / constant, use the chain rule"


@exercise("deblurring.vjp")
def camera_vjp(answer):
    """A function (A, x, v) -> J(x)^H v of a `MotionBlur`; tried with an exposure above 1 and a low knee."""
    A = camera(exposure=1.3, knee=0.5)
    x, v = uniform(A.in_shape, seed=2, low=0.1), uniform(A.out_shape, seed=3, low=-1.0)
    ours = answer(A, x, v)
    if fault := tensor_fault(ours, (1, *A.in_shape)):
        return fault
    light = to_light(x, A.gamma)
    exposed = A.exposure * A.blur(light)
    kept = saturate(exposed, A.knee)
    d1 = slope(lambda t: to_light(t, A.gamma), x)
    d3, d4 = slope(lambda t: saturate(t, A.knee), exposed), slope(lambda t: to_display(t, A.gamma), kept)

    def back(u):
        return torch.func.vjp(A.blur, u)[1](u)[0]

    hints = [
        (d1 * A.exposure * back(d3 * d4 * v), None),
        (d1 * back(d3 * d4 * v), "the exposure is missing: it multiplies the light, so it multiplies the gradient"),
        (d1 * A.exposure * A.blur(d3 * d4 * v), "blurred again: the adjoint of B is blur_adjoint, which turns the "
                                                "kernel round"),
        (d4 * d3 * A.exposure * A.blur(d1 * v), "that is J v, forwards: J^H takes the steps in reverse order, and B^H "
                                                "in place of B"),
        (d1 * A.exposure * back(d4 * v), "the slope of the saturation is missing"),
        (A.exposure * back(d3 * d4 * v), "the first step is missing: the gradient arrives at the light, the slope of "
                                         "to_light at x brings it to x"),
        (d1 * A.exposure * back(d3 * v), "the last step is missing: v comes in through the slope of the response"),
        (d1 * A.exposure * back(slope(lambda t: saturate(t, A.knee), x) * slope(
            lambda t: to_display(t, A.gamma), x) * v),
         "all slopes are taken at x: each curve's slope belongs to the values that enter this curve"),
        (d1 * A.exposure * back(d3 * slope(lambda t: to_display(t, A.gamma), exposed) * v),
         "the slope of the response is taken at the exposed light: what enters the response is the saturated light"),
    ]
    for expected, hint in hints:
        if close(ours, expected):
            return hint
    return "not J^H v: take the four factors of J in reverse order, slopes as they are, and B^H in place of B"


@exercise("deblurring.unseen")
def unseen(answer):
    """A function (A, x) -> which pixels of x have no influence on A(x) to first order, for a camera that clips."""
    A = camera((1, 28, 32), exposure=2.0, knee=1.0)
    x = uniform(A.in_shape, seed=4, low=0.05, high=0.35)
    x[..., 6:24, 6:26] += 0.6  # a bright window, larger than the kernel
    ours = answer(A, x)
    if fault := tensor_fault(ours, (1, *A.in_shape)):
        return fault
    if ours.dtype != torch.bool:
        return "a tensor of True and False is expected: compare with a threshold"
    influence = A.vjp(x, torch.ones_like(x))  # all entries of J are at least 0: column sums are 0 where columns are
    expected, clipped = influence < 1e-9, A(x) >= 1 - 1e-9
    if torch.equal(ours, expected):
        return None
    if torch.equal(ours, ~expected):
        return "the other way round: True is for pixels that nothing depends on"
    if torch.equal(ours, clipped):
        return ("those are the clipped pixels of y: a pixel of x has no influence only if all pixels of y that its "
                "light reaches are clipped")
    if torch.equal(ours, A.exposure * to_light(x, A.gamma) >= 1):
        return "a pixel's own brightness does not decide: the light is averaged along the path before it is clipped"
    if torch.equal(ours, influence == 0):
        return ("rounding: the FFT leaves numbers of about 1e-17 where the influence is zero, so compare with a small "
                "threshold such as 1e-9")
    if int((ours & ~expected).sum()):
        return "a pixel that has an influence is called unseen: did you use B^H (A.vjp does), and v = 1 everywhere?"
    return "a pixel without influence is missing: is your threshold far below the slopes, and above rounding?"


@exercise("deblurring.light")
def in_light(answer):
    """A function (y, gamma, deconvolve) -> x for a camera that does not saturate; deconvolve undoes the blur alone."""
    shape = (1, 9, 10)
    for gamma in (2.2, 1.5):
        A = MotionBlur(shape, known_kernel(), gamma, knee=1.0).to(double=True)
        x = uniform(shape, seed=5, low=0.2, high=0.8)
        y, undo = A(x), inverse(A)
        ours = answer(y, gamma, undo)
        if fault := tensor_fault(ours, (1, *shape)):
            return fault
        if close(ours, x):
            continue
        if close(ours, undo(y)):
            return "the blur acts on light, not on display values: turn y into light before you undo it"
        if close(ours, undo(to_light(y, gamma))):
            return "your answer is linear light: turn it back into display values"
        if close(ours, to_light(undo(to_display(y, gamma)), gamma)):
            return "the two curves are exchanged: y holds display values, to_light comes first"
        if close(ours, to_light(undo(y), gamma)):
            return "to_light comes too late: the curve does not commute with the blur"
        if gamma != 2.2:
            return "right for gamma 2.2 only: use the gamma that is given"
        return "not x: undo the camera's steps one by one, the last one first"
    return None


def known_kernel():
    """A 3 x 3 kernel whose blur can be undone well: most of the time at rest."""
    kernel = torch.tensor([[0.0, 0.1, 0.0], [0.0, 0.7, 0.15], [0.0, 0.0, 0.05]])
    return kernel / kernel.sum()


def inverse(A):
    """The exact inverse of the blur of a small camera, (1, 1, H, W) -> (1, 1, H, W), by its matrix."""
    n = A.in_shape[-2] * A.in_shape[-1]
    unit = torch.eye(n, dtype=torch.float64).reshape(n, *A.in_shape)
    K = A.blur(unit).reshape(n, n).T
    return lambda light: torch.linalg.solve(K, light.flatten()).reshape(light.shape)
