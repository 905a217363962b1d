"""Exercises of lesson 11: the response's slope, the vjp of a camera, pixels without gradient, working in light."""

import torch

from ...operators.blur import DARK, MotionBlur, saturate, to_display, to_light
from .drawing import shifted
from .operators import shake_kernel
from .table import REGISTRY, exercise


def camera(shape=(1, 12, 15), **settings):
    """A camera in double precision that shakes by about four pixels; its kernel has no faint entries."""
    kernel = shake_kernel()
    kernel = torch.where(kernel > 0.01, kernel, 0.0)
    return MotionBlur(shape, kernel / kernel.sum(), **settings).to(double=True)


def uniform(shape, seed, low=0.0, high=1.0):
    """Seeded uniform numbers (1, *shape) in [low, high], in double precision."""
    generator = torch.Generator().manual_seed(shifted(seed))
    return low + (high - low) * torch.rand((1, *shape), generator=generator, dtype=torch.float64)


def slope(curve, t):
    """Derivative of a pointwise curve at each entry of t."""
    return torch.func.grad(lambda t: curve(t).sum())(t)


@exercise("deblurring.slope", lambda: [(uniform((1, 5, n), seed=n), gamma, d)
                                       for n, gamma, d in ((6, 2.2, DARK), (7, 1.6, 0.3))], (
    "not the derivative: the curve is ((L + d)^(1 / gamma) - d^(1 / gamma)) / constant, use the chain rule"))
def response_slope(light, gamma, d):
    """A function (light, gamma, d) -> derivative of the response curve with the offset d at each amount of light."""
    a = 1 / gamma
    span = (1 + d) ** a - d**a
    return {
        None: (light + d) ** (a - 1) * a / span,
        "the denominator is missing: the curve was divided by a constant, so its slope is divided too":
            (light + d) ** (a - 1) * a,
        "the factor in front is missing: the derivative of t^a is a t^(a - 1)": (light + d) ** (a - 1) / span,
        "the exponent must fall by one: the derivative of t^a is a t^(a - 1)": (light + d) ** a * a / span,
        "d is missing: without it the slope at black is infinite": [light ** (a - 1) * a / span, light ** (a - 1) * a],
        "your answer is the slope of the way back, from display values to light: here the exponent is 1 / gamma":
            span * gamma * (span * light + d**a) ** (gamma - 1),
    }


@exercise("deblurring.vjp", lambda: [(A, uniform(A.in_shape, seed=2, low=0.1), uniform(A.out_shape, seed=3, low=-1.0))
                                     for A in (camera(exposure=1.3, knee=0.5),
                                               camera((1, 10, 13), gamma=1.6, exposure=1.6, knee=0.6))], (
    "not J^H v: take the four factors of J in reverse order, with the slopes as they are and B^H instead of B"))
def camera_vjp(A, x, v):
    """A function (A, x, v) -> J(x)^H v of a `MotionBlur`; tried with an exposure above 1 and a low knee."""
    exposed = A.exposure * A.blur(to_light(x, A.gamma))

    def saturation(t):
        return slope(lambda t: saturate(t, A.knee), t)

    def response(t):
        return slope(lambda t: to_display(t, A.gamma), t)

    def back(u):
        return A.exposure * torch.func.vjp(A.blur, u)[1](u)[0]

    first = slope(lambda t: to_light(t, A.gamma), x)
    clip, last = saturation(exposed), response(saturate(exposed, A.knee))
    right = first * back(clip * last * v)
    return {
        None: right,
        "the exposure is missing: it multiplies the light, so it multiplies the gradient": right / A.exposure,
        "you blurred again: the adjoint of B is blur_adjoint, which turns the kernel by 180 degrees":
            first * A.exposure * A.blur(clip * last * v),
        "your answer is J v, forwards: J^H takes the steps in reverse order, with B^H instead of B":
            last * clip * A.exposure * A.blur(first * v),
        "the slope of the saturation is missing: J has four factors, and J^H contains each of them":
            first * back(last * v),
        "the first step is missing: the gradient is at the light; the slope of to_light at x takes it on to x":
            back(clip * last * v),
        "the last step is missing: v comes in through the slope of the response": first * back(clip * v),
        "all slopes are taken at x: each curve's slope belongs to the values that enter this curve":
            first * back(saturation(x) * response(x) * v),
        "the slope of the response is taken at the exposed light: but what enters it is the saturated light":
            first * back(clip * response(exposed) * v),
    }


def clipping_camera():
    """(A, x): cameras that clip, and pictures with a bright window that is larger than the kernel."""
    cases = []
    for A in camera((1, 28, 32), exposure=2.0, knee=1.0), camera((1, 26, 29), gamma=1.8, exposure=1.8, knee=1.0):
        x = uniform(A.in_shape, seed=4, low=0.05, high=0.35)
        x[..., 6:-4, 6:-6] += 0.6
        cases.append((A, x))
    return cases


def influence(A, x):
    """The column sums of J, whose entries are at least 0: they are 0 where the columns are."""
    return A.vjp(x, torch.ones_like(x))


def seen_or_missed(ours, A, x):
    """The hint to a wrong set of pixels: some of them have an influence, or some without are not among them."""
    if bool((ours & (influence(A, x) >= 1e-9)).any()):
        return "a pixel with an influence is called unseen: did you use B^H (A.vjp does), and v = 1 everywhere?"
    return "a pixel without influence is missing: is your threshold far below the slopes but above rounding?"


@exercise("deblurring.unseen", clipping_camera, seen_or_missed)
def unseen(A, x):
    """A function (A, x) -> which pixels of x have no influence on A(x) to first order, for a camera that clips."""
    right = influence(A, x) < 1e-9
    return {
        None: right,
        "your answer is the other way round: True marks the pixels that nothing depends on": ~right,
        "your answer marks the clipped pixels of y: a pixel of x has no influence only if all pixels of y that its "
        "light reaches are clipped":
            A(x) >= 1 - 1e-9,
        "a pixel's own brightness does not decide: the light is averaged along the path before it is clipped":
            A.exposure * to_light(x, A.gamma) >= 1,
        "rounding: the FFT leaves numbers of about 1e-17 where the influence is zero, so compare with a small "
        "threshold such as 1e-9": influence(A, x) == 0,
    }


def blurred():
    """(y, gamma, the inverse of the blur) for two cameras whose blur can be undone well: most of the time at rest."""
    kernel = torch.tensor([[0.0, 0.1, 0.0], [0.0, 0.7, 0.15], [0.0, 0.0, 0.05]])
    cases = []
    for gamma, turned in ((2.2, kernel), (1.5, kernel.T)):
        A = MotionBlur((1, 9, 10), turned / kernel.sum(), gamma, knee=1.0).to(double=True)
        K = A.blur(torch.eye(90, dtype=torch.float64).reshape(90, *A.in_shape)).reshape(90, 90).T
        cases.append((A(uniform(A.in_shape, seed=len(cases), low=0.2, high=0.8)), gamma,
                      lambda light, K=K: torch.linalg.solve(K, light.flatten()).reshape(light.shape)))
    return cases


@exercise("deblurring.light", blurred, "not x: undo the camera's steps one by one, the last one first")
def in_light(y, gamma, undo):
    """A function (y, gamma, deconvolve) -> x for a camera that does not saturate; deconvolve undoes the blur alone."""
    return {
        None: to_display(undo(to_light(y, gamma)), gamma),
        "the blur acts on light, not on display values: turn y into light before you undo it": undo(y),
        "your answer is linear light: turn it back into display values": undo(to_light(y, gamma)),
        "the two curves are exchanged: y contains display values, so to_light comes first":
            to_light(undo(to_display(y, gamma)), gamma),
        "to_light comes too late: the curve does not commute with the blur": to_light(undo(y), gamma),
        "your answer is right for gamma 2.2 only: use the gamma that is given": to_display(undo(to_light(y, 2.2)), 2.2),
    }


@exercise("deblurring.slope:back", REGISTRY["deblurring.slope"].cases, (
    "not the derivative: the way back is (span t + d^(1 / gamma))^gamma - d, with the constant span of the curve"),
          instead="take the way back: the first argument contains display values t. Return the derivative in t of the "
                  "light (span t + d^(1 / gamma))^gamma - d, with span = (1 + d)^(1 / gamma) - d^(1 / gamma)",
          solution="lambda t, gamma, d: (span := (1 + d) ** (1 / gamma) - d ** (1 / gamma)) * gamma * (span * t + "
                   "d ** (1 / gamma)) ** (gamma - 1)")
def slope_back(display, gamma, d):
    """A function (display, gamma, d) -> derivative of the light in the display value, for the curve's offset d."""
    a = 1 / gamma
    span = (1 + d) ** a - d**a
    inner = span * display + d**a
    return {
        None: span * gamma * inner ** (gamma - 1),
        "the inner derivative is missing: span multiplies the display value": gamma * inner ** (gamma - 1),
        "the factor in front is missing: the derivative of t^a is a t^(a - 1)": span * inner ** (gamma - 1),
        "the exponent must fall by one: the derivative of t^a is a t^(a - 1)": span * gamma * inner**gamma,
        "the offset is missing: it moves the point at which the power is taken":
            [span * gamma * (span * display) ** (gamma - 1), gamma * display ** (gamma - 1)],
        "your answer is the slope of the curve from light to display: here the slope of its inverse is asked for":
            (display + d) ** (a - 1) * a / span,
    }
