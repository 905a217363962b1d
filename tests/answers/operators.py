"""Answers to the exercises of lesson 01."""

import math

import torch

from aseqdip_lite.course.exercises.operators import BROKEN


def inner(a, b):
    return torch.vdot(a.flatten(), b.flatten())


def sizes(A, x, v):
    return A(x).norm() * v.norm()


def misses(A, x, v):
    return (inner(A(x), v) - inner(x, A.adjoint(v))).abs()


def descent(A, w, steps=2000):
    """The seen part of w by gradient descent on ||A x - A w||^2 from 0."""
    x = torch.zeros_like(w)
    for _ in range(steps):
        x = x + A.adjoint(A(w) - A(x)) / 1.01
    return x


def by_matrix(A, w):
    """The unseen part of w from the explicit matrix: w minus its projection onto the right singular vectors."""
    n = math.prod(A.in_shape)
    matrix = A(torch.eye(n, dtype=w.dtype).reshape(n, *A.in_shape)).reshape(n, -1).T
    _, s, Vh = torch.linalg.svd(matrix, full_matrices=False)
    Vh = Vh[s > 1e-6]
    return w - (Vh.mH @ (Vh @ w.flatten())).reshape(w.shape)


def by_autograd(A, x, y):
    x = x.clone().requires_grad_()
    (A(x) - y).abs().square().sum().div(2).backward()
    return x.grad


RIGHT = {
    "operators.dot_test": [
        lambda A, x, v: misses(A, x, v) / sizes(A, x, v),
        lambda A, x, v: float(misses(A, x, v) / inner(A(x), v).abs()),
        lambda A, x, v: ((A(x) * v.conj()).sum() - (x * A.adjoint(v).conj()).sum()).abs().item() / x.norm().item(),
        # the real part alone finds the faults too: Re<x, u> = 0 for all x means u = 0
        lambda A, x, v: (inner(A(x), v) - inner(x, A.adjoint(v))).real / sizes(A, x, v),
    ],
    "operators.suspects": [set(BROKEN), sorted(BROKEN), dict.fromkeys(BROKEN)],
    "operators.gradient": [
        lambda A, x, y: A.vjp(x, A(x) - y),
        by_autograd,
        lambda A, x, y: torch.func.vjp(A, x)[1](A(x) - y)[0],
    ],
    "operators.unseen": [by_matrix, lambda A, w: w - descent(A, w)],
    "operators.filter": [
        lambda s, k, step: 1 - (1 - step * s**2) ** k,
        lambda s, k, step: sum(step * s**2 * (1 - step * s**2) ** j for j in range(k)),
    ],
}

WRONG = {
    "operators.dot_test": {
        "torch.vdot does it": lambda A, x, v: ((A(x) * v).sum() - (x * A.adjoint(v)).sum()).abs() / sizes(A, x, v),
        "-A^H passes": lambda A, x, v: (inner(A(x), v).abs() - inner(x, A.adjoint(v)).abs()) / sizes(A, x, v),
        "A^H is no inverse": lambda A, x, v: (A.adjoint(A(x)) - x).norm() / x.norm(),
        "divide by a size": misses,
        "do not round": lambda A, x, v: round(float(misses(A, x, v) / sizes(A, x, v)), 2),
        "a verdict": lambda A, x, v: bool(misses(A, x, v) < 1e-6),
        "returns nothing": lambda A, x, v: None,
    },
    "operators.suspects": {
        "'coils 2' is innocent": {*BROKEN, "coils 2"},
        "conjugate one factor": BROKEN - {"coils 1"},
        "lower the threshold": BROKEN - {"views 2"},
        "turns its kernel round": list(BROKEN - {"shake"}),
        "there is no suspect 'coil 1'": {"coil 1"},
        "one more is broken": "coils 1",
    },
    "operators.gradient": {
        "points uphill": lambda A, x, y: A.vjp(x, y - A(x)),
        "the 1/2": lambda A, x, y: 2 * A.vjp(x, A(x) - y),
        "y is missing": lambda A, x, y: A.vjp(x, A(x)),
        "taken at y": lambda A, x, y: A.vjp(y, A(x) - y),
        "it has no adjoint": lambda A, x, y: A.adjoint(A(x) - y),
        "back to the space of images": lambda A, x, y: A(x) - y,
        "not the gradient": lambda A, x, y: A.vjp(x, x),
        "the shape must be": lambda A, x, y: (A(x) - y).square().sum() / 2,
        "complex conjugate": lambda A, x, y: by_autograd(A, x, y).conj(),  # harmless for a real A
        "returns nothing": lambda A, x, y: None,
    },
    "operators.unseen": {
        "A^H is not the inverse": lambda A, w: w - A.adjoint(A(w)),
        "that is the seen part": lambda A, w: w - by_matrix(A, w),
        "the sign": lambda A, w: -by_matrix(A, w),
        "A u is not zero": lambda A, w: w,
        "not w's part of it": lambda A, w: by_matrix(A, torch.ones_like(w)),
        "type float": lambda A, w: 0.0,
        "returns nothing": lambda A, w: None,
    },
    "operators.filter": {
        "still missing": lambda s, k, step: (1 - step * s**2) ** k,
        "the step is missing": lambda s, k, step: 1 - (1 - s**2) ** k,
        "must be squared": lambda s, k, step: 1 - (1 - step * s) ** k,
        "for small k": lambda s, k, step: k * step * s**2,
        "one step too many": lambda s, k, step: 1 - (1 - step * s**2) ** (k + 1),
        "not finite at s = 0": lambda s, k, step: (1 - (1 - step * s**2) ** k) / s,
        "subtract the fixed point": lambda s, k, step: s,
        "returns nothing": lambda s, k, step: None,
    },
}
