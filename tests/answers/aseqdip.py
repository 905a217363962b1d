"""Answers to the exercises of lesson 06."""

import math

import torch


def energy(r):
    return r.abs().square().sum()


def data(x, A, y):
    return energy(A(x) - y)


def factor_power(factor):
    """An answer to "aseqdip.exact" that shrinks z - y by factor(lam) a stage."""
    return lambda z0, y, lam, k: y + factor(lam) ** k * (z0 - y)


def stage_by_stage(z, y, lam, k):
    for _ in range(k):
        z = (y + lam * z) / (1 + lam)
    return z


def least_norm(A, y):
    """A z = y by gradient descent from a random image: it keeps what A cannot see of it."""
    z = torch.randn((1, *A.in_shape), dtype=torch.complex64 if A.in_complex else torch.float32)
    return z - A.adjoint(A(z) - y)


def compare(less, more, never=math.inf):
    less, more = (never if onset is None else onset for onset in (less, more))
    return "undecided" if less == more else "later" if more > less else "earlier"


def by_cases(less, more):
    if less is None and more is None:
        return "undecided"
    if less is None or more is None:
        return "later" if more is None else "earlier"
    return ("earlier", "undecided", "later")[(more > less) - (more < less) + 1]


RIGHT = {
    "aseqdip.loss": [
        lambda x, z, A, y, lam: data(x, A, y) + lam * energy(x - z),
        lambda x, z, A, y, lam: (torch.view_as_real(A(x) - y).square().sum()
                                 + lam * torch.linalg.vector_norm(x - z) ** 2),
    ],
    "aseqdip.input": [lambda step, N: (step - 1) // N, lambda step, N: math.ceil(step / N) - 1],
    "aseqdip.exact": [factor_power(lambda lam: lam / (1 + lam)), stage_by_stage],
    "aseqdip.minimiser": [lambda A, y: A.adjoint(y), least_norm],
    "aseqdip.later": [compare, by_cases],
}

WRONG = {
    "aseqdip.loss": {
        "the loss is complex": lambda x, z, A, y, lam: (A(x) - y).square().sum() + lam * (x - z).square().sum(),
        "one number": lambda x, z, A, y, lam: (A(x) - y).abs().square(),
        "has lost its graph": lambda x, z, A, y, lam: (data(x, A, y) + lam * energy(x - z)).detach(),
        "not means": lambda x, z, A, y, lam: ((A(x) - y).abs().square().mean()
                                              + lam * (x - z).abs().square().mean()),
        "norms are squared": lambda x, z, A, y, lam: (A(x) - y).norm() + lam * (x - z).norm(),
        "has the weight lam": lambda x, z, A, y, lam: data(x, A, y) + energy(x - z),
        "not to the first": lambda x, z, A, y, lam: lam * data(x, A, y) + energy(x - z),
        "imaginary part counts": lambda x, z, A, y, lam: ((A(x) - y).real.square().sum()
                                                          + lam * (x - z).real.square().sum()),
        "not their magnitudes": lambda x, z, A, y, lam: data(x, A, y) + lam * energy(x.abs() - z.abs()),
        "not to A^H y": lambda x, z, A, y, lam: data(x, A, y) + lam * energy(x - A.adjoint(y)),
        "first term: x through A": lambda x, z, A, y, lam: data(z, A, y) + lam * energy(x - z),
        "returns nothing": lambda x, z, A, y, lam: None,
    },
    "aseqdip.input": {
        "one step early": lambda step, N: step // N,
        "number of the stage": lambda step, N: -(-step // N),
        "within its stage": lambda step, N: (step - 1) % N,
        "round down": lambda step, N: (step - 1) / N,
        "for N = 1 only": lambda step, N: step - 1,
        "make the list": lambda step, N: N,
        "returns nothing": lambda step, N: None,
    },
    "aseqdip.exact": {
        "that is z_1": lambda z0, y, lam, k: (y + lam * z0) / (1 + lam),
        "too many or too few": lambda z0, y, lam, k: stage_by_stage(z0, y, lam, k - 1),
        "are exchanged": factor_power(lambda lam: 1 / (1 + lam)),
        "divide by the sum": factor_power(lambda lam: lam),
        "limit of many stages": lambda z0, y, lam, k: y.clone(),
        "solve for x - y": lambda z0, y, lam, k: (y + lam * z0) / (k + lam),
        "an image like y": lambda z0, y, lam, k: (lam / (1 + lam)) ** k,
        "returns nothing": lambda z0, y, lam, k: None,
    },
    "aseqdip.minimiser": {
        "is not y": lambda A, y: y,
        "its data term is ||y||^2": lambda A, y: 0 * A.adjoint(y),
        "it can be 0": lambda A, y: A.adjoint(y) / 2,
        "z is a real image": lambda A, y: A.adjoint(y)[0],
        "z is a complex image": lambda A, y: A.adjoint(y).abs() if A.in_complex else A.adjoint(y),
        "returns nothing": lambda A, y: None,
    },
    "aseqdip.later": {
        "cannot be compared": lambda less, more: "later" if more > less else "earlier",
        "None is not step 0": lambda less, more: compare(less, more, never=0),
        "that is decided": lambda less, more: "undecided" if None in (less, more) else compare(less, more),
        "which of the two": lambda less, more: "later" if more is None else compare(less, more),
        "the same step": lambda less, more: ("later" if less is not None and less == more else compare(less, more)),
        "the other way round": lambda less, more: compare(more, less),
        "the words are": lambda less, more: compare(less, more) == "later",
        "returns nothing": lambda less, more: None,
    },
}
