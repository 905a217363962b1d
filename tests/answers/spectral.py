"""Answers to the exercises of lesson 05."""

import math

import torch

from aseqdip_lite.course.exercises.spectral import N, draw

PINV = dict(hermitian=True, rtol=1e-12)


def by_descent(W, A, y):
    """The limit without its formula: gradient descent's fixed point in the eigenbasis of A W A^T."""
    mu, U = torch.linalg.eigh(A @ W @ A.T)
    kept = mu > 1e-10 * mu[-1]
    return W @ A.T @ (U[:, kept] @ ((U.T @ y)[kept] / mu[kept]))


def by_weights(W, A, y):
    """The solution of least norm in the weights of z = J theta, with the symmetric root of W as J."""
    values, V = torch.linalg.eigh(W)
    J = V @ torch.diag(values.clamp_min(0).sqrt()) @ V.T
    return J @ torch.linalg.lstsq(A @ J, y[:, None], rcond=1e-8, driver="gelsd").solution[:, 0]


def mean_of(f, z, etas):
    return torch.stack([f(z + eta) for eta in etas]).mean(dim=0)


def total(A, y, z, output, alpha):
    return (A(output) - y).square().sum() + alpha * (output - z).square().sum()


def accumulated(f, A, y, z, etas, alpha):
    output = torch.zeros_like(z)
    for eta in etas:
        output = output + f(z + eta) / len(etas)
    return (A(output) - y).norm() ** 2 + alpha * (output - z).norm() ** 2


RIGHT = {
    "spectral.band": [
        lambda k, x, m: (k - x)[m].norm() / x[m].norm(),
        lambda k, x, m: math.sqrt(((m * (k - x)).abs() ** 2).sum() / ((m * x).abs() ** 2).sum()),
    ],
    "spectral.steps": [
        lambda beta, mu: math.log(0.5) / math.log(1 - beta * mu),
        lambda beta, mu: -math.log2(1 - beta * mu) ** -1,
    ],
    "spectral.limit": [
        lambda W, A, y: W @ A.T @ torch.linalg.pinv(A @ W @ A.T, **PINV) @ y, by_descent, by_weights,
    ],
    "spectral.kernel": [
        lambda x: torch.outer(x, x),
        lambda x: 3 * torch.outer(x, x) + torch.outer(draw(N, seed=9), draw(N, seed=9)),
    ],
    "spectral.guided": [
        lambda f, A, y, z, etas, alpha: total(A, y, z, mean_of(f, z, etas), alpha), accumulated,
    ],
}

WRONG = {
    "spectral.band": {
        "norm below the bar": lambda k, x, m: (k - x)[m].norm() / x.norm(),
        "the mask is missing": lambda k, x, m: (k - x).norm() / x.norm(),
        "take the root": lambda k, x, m: ((k - x)[m].norm() / x[m].norm()) ** 2,
        "divide by the norm": lambda k, x, m: (k - x)[m].norm(),
        "errors of phase": lambda k, x, m: (k.abs() - x.abs())[m].norm() / x[m].norm(),
        "outside of the band": lambda k, x, m: (k - x)[~m].norm() / x[~m].norm(),
        "a real number": lambda k, x, m: (k - x)[m].sum() / x[m].sum(),
        "inside the mask": lambda k, x, m: (k - x)[m].abs().sum() / x[m].abs().sum(),
        "returns nothing": lambda k, x, m: None,
    },
    "spectral.steps": {
        "half-life of the flow": lambda beta, mu: math.log(2) / (beta * mu),
        "1 - 1/e": lambda beta, mu: 1 / (beta * mu),
        "upside down": lambda beta, mu: math.log(1 - beta * mu) / math.log(0.5),
        "negative": lambda beta, mu: math.log(2) / math.log(1 - beta * mu),
        "do not round": lambda beta, mu: math.ceil(math.log(0.5) / math.log(1 - beta * mu)),
        "take the logarithm": lambda beta, mu: 0.5 / (beta * mu),
        "returns nothing": lambda beta, mu: None,
    },
    "spectral.limit": {
        "zero-filled": lambda W, A, y: A.T @ y,
        "a factor W": lambda W, A, y: A.T @ torch.linalg.pinv(A @ W @ A.T, **PINV) @ y,
        "first step of descent": lambda W, A, y: W @ A.T @ y,
        "A W is not M": lambda W, A, y: torch.linalg.pinv(A @ W) @ y,
        "zero but for rounding": lambda W, A, y: W @ A.T @ torch.linalg.inv(
            A @ W @ A.T + 1e-15 * torch.linalg.matrix_norm(W) * torch.eye(len(y)).double()) @ y,
        "shape (24,)": lambda W, A, y: torch.linalg.pinv(A @ W @ A.T) @ y,
        "write (A J)^+": lambda W, A, y: W @ W @ A.T @ torch.linalg.pinv(A @ W @ A.T, **PINV) @ y,
        "returns nothing": lambda W, A, y: None,
    },
    "spectral.kernel": {
        "fills nothing": lambda x: torch.eye(N),
        "share the samples": lambda x: torch.outer(x, x) + torch.eye(N),
        "shape (24, 24)": lambda x: x,
        "symmetric": lambda x: torch.outer(x, draw(N, seed=9)),
        "no negative eigenvalue": lambda x: -torch.outer(x, x),
        "returns nothing": lambda x: None,
    },
    "spectral.guided": {
        "inside the norms": lambda f, A, y, z, etas, alpha: sum(
            total(A, y, z, f(z + eta), alpha) for eta in etas) / len(etas),
        "not linear": lambda f, A, y, z, etas, alpha: total(A, y, z, f(z + sum(etas) / len(etas)), alpha),
        "eta is missing": lambda f, A, y, z, etas, alpha: total(A, y, z, f(z), alpha),
        "denoising term": lambda f, A, y, z, etas, alpha: (
            (A(mean_of(f, z, etas)) - y).square().sum()
            + alpha * (mean_of(f, z, etas) - z - sum(etas) / len(etas)).square().sum()),
        "a sum over the draws": lambda f, A, y, z, etas, alpha: total(
            A, y, z, len(etas) * mean_of(f, z, etas), alpha),
        "weighted by alpha": lambda f, A, y, z, etas, alpha: total(A, y, z, mean_of(f, z, etas), 1.0),
        "sums over all entries": lambda f, A, y, z, etas, alpha: (
            (A(mean_of(f, z, etas)) - y).square().mean() + alpha * (mean_of(f, z, etas) - z).square().mean()),
        "form E": lambda f, A, y, z, etas, alpha: (A(mean_of(f, z, etas)) - y).norm(),
        "returns nothing": lambda f, A, y, z, etas, alpha: None,
    },
}
