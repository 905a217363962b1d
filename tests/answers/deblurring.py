"""Answers to the exercises of lesson 11."""

import torch

from aseqdip_lite.operators.blur import saturate, to_display, to_light


def span(g, d):
    return (1 + d) ** (1 / g) - d ** (1 / g)


def by_autograd(light, g, d):
    light = light.clone().requires_grad_()
    return torch.autograd.grad((((light + d) ** (1 / g) - d ** (1 / g)) / span(g, d)).sum(), light)[0]


def slope(curve, t):
    return torch.func.grad(lambda t: curve(t).sum())(t)


def blur_adjoint(A, u):
    return torch.func.vjp(A.blur, u)[1](u)[0]


def factors(A, x):
    """Slopes of the three curves, each at what enters it."""
    exposed = A.exposure * A.blur(to_light(x, A.gamma))
    kept = saturate(exposed, A.knee)
    return (slope(lambda t: to_light(t, A.gamma), x), slope(lambda t: saturate(t, A.knee), exposed),
            slope(lambda t: to_display(t, A.gamma), kept))


def written(A, x, v):
    d1, d3, d4 = factors(A, x)
    return d1 * A.exposure * blur_adjoint(A, d3 * d4 * v)


def without(index):
    """The vjp with one of the three slopes left out."""
    def answer(A, x, v):
        d1, d3, d4 = (1 if i == index else d for i, d in enumerate(factors(A, x)))
        return d1 * A.exposure * blur_adjoint(A, d3 * d4 * v)
    return answer


def forwards(A, x, v):
    d1, d3, d4 = factors(A, x)
    return d4 * d3 * A.exposure * A.blur(d1 * v)


def blurred_again(A, x, v):
    d1, d3, d4 = factors(A, x)
    return d1 * A.exposure * A.blur(d3 * d4 * v)


def all_at_x(A, x, v):
    d1 = factors(A, x)[0]
    d3, d4 = slope(lambda t: saturate(t, A.knee), x), slope(lambda t: to_display(t, A.gamma), x)
    return d1 * A.exposure * blur_adjoint(A, d3 * d4 * v)


def response_at_the_exposed_light(A, x, v):
    d1, d3, _ = factors(A, x)
    exposed = A.exposure * A.blur(to_light(x, A.gamma))
    return d1 * A.exposure * blur_adjoint(A, d3 * slope(lambda t: to_display(t, A.gamma), exposed) * v)


def influence(A, x):
    return A.vjp(x, torch.ones_like(x))


def pixel_by_pixel(A, x):
    """Each column of J, by forward mode."""
    n = x.numel()
    units = torch.eye(n, dtype=x.dtype).reshape(n, *A.in_shape)
    columns = torch.func.jvp(A, (x.repeat(n, 1, 1, 1),), (units,))[1]
    return (columns.abs().flatten(1).amax(dim=1) < 1e-9).reshape(x.shape)


RIGHT = {
    "deblurring.slope": [lambda L, g, d: (L + d) ** (1 / g - 1) / (g * span(g, d)), by_autograd],
    "deblurring.vjp": [written, lambda A, x, v: A.vjp(x, v)],
    "deblurring.unseen": [
        lambda A, x: influence(A, x) < 1e-9,
        lambda A, x: blur_adjoint(A, (A.exposure * A.blur(to_light(x, A.gamma)) < 1).double()) < 1e-6,
        pixel_by_pixel,
    ],
    "deblurring.light": [
        lambda y, g, undo: to_display(undo(to_light(y, g)), g),
        lambda y, g, undo: to_display(undo(3 * to_light(y, g)) / 3, g),
    ],
}

WRONG = {
    "deblurring.slope": {
        "the denominator is missing": lambda L, g, d: (L + d) ** (1 / g - 1) / g,
        "the exponent did not come down": lambda L, g, d: (L + d) ** (1 / g - 1) / span(g, d),
        "the exponent falls by one": lambda L, g, d: (L + d) ** (1 / g) / g / span(g, d),
        "d is missing": lambda L, g, d: L ** (1 / g - 1) / g,
        "slope of the way back": lambda L, g, d: slope(
            lambda t: (span(g, d) * t + d ** (1 / g)) ** g - d, L),
        "not the derivative": lambda L, g, d: L,
        "returns nothing": lambda L, g, d: None,
    },
    "deblurring.vjp": {
        "blurred again": blurred_again,
        "forwards": forwards,
        "the slope of the saturation is missing": without(1),
        "the first step is missing": without(0),
        "the last step is missing": without(2),
        "all slopes are taken at x": all_at_x,
        "at the exposed light": response_at_the_exposed_light,
        "the exposure is missing": lambda A, x, v: written(A, x, v) / A.exposure,
        "not J^H v": lambda A, x, v: v,
        "the shape must be (1, 1, 12, 15)": lambda A, x, v: v[0],
    },
    "deblurring.unseen": {
        "the clipped pixels of y": lambda A, x: A(x) >= 1 - 1e-9,
        "own brightness does not decide": lambda A, x: A.exposure * to_light(x, A.gamma) >= 1,
        "the other way round": lambda A, x: influence(A, x) > 1e-9,
        "rounding": lambda A, x: influence(A, x) == 0,
        "True and False": influence,
        "is called unseen": lambda A, x: torch.ones_like(x, dtype=torch.bool),
        "is missing": lambda A, x: torch.zeros_like(x, dtype=torch.bool),
    },
    "deblurring.light": {
        "not on display values": lambda y, g, undo: undo(y),
        "turn it back": lambda y, g, undo: undo(to_light(y, g)),
        "exchanged": lambda y, g, undo: to_light(undo(to_display(y, g)), g),
        "too late": lambda y, g, undo: to_light(undo(y), g),
        "gamma 2.2 only": lambda y, g, undo: to_display(undo(to_light(y, 2.2)), 2.2),
        "one by one": lambda y, g, undo: y,
    },
}
