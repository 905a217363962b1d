"""Exercises of lesson 05: errors of a band, how fast a mode comes, the kernel's limit, a kernel for an image, Eq. 2."""

import math

import torch

from ..theory.spectral import fourier_rows, limit
from .drawing import draw
from .table import exercise

#: Length of the signals in the checks, and the sampled frequencies: 7 numbers of 24.
N, FREQUENCIES = 24, (0, 1, 2, 5)


@exercise("spectral.band", lambda: [(*(draw(*size, seed=seed, dtype=torch.complex128) for seed in (1, 2)),
                                     draw(*size, seed=3) > 0.3) for size in ((8, 9), (7, 6))], otherwise=(
    "take the complex differences inside the mask, their norm, and divide by the norm of the truth inside it"))
def band(k, truth, mask):
    """A function (k_image, k_truth, mask) -> ||M (k_image - k_truth)|| / ||M k_truth|| of centred k-spaces (H, W)."""
    error, size = (k - truth)[mask].norm(), truth[mask].norm()
    return {
        None: error / size,
        "divide by the norm of the truth in this band alone: an image without the band has error 1":
            error / truth.norm(),
        "your answer is the error of the whole k-space: the mask is missing": (k - truth).norm() / truth.norm(),
        "your answer is the square of the relative error: take the root": (error / size) ** 2,
        "divide by the norm of the truth in the band: bands have very different energies":
            [error, error / mask.sum() ** 0.5],
        "magnitudes alone miss errors of phase: subtract the complex numbers first":
            (k.abs() - truth.abs())[mask].norm() / size,
        "your answer is the error outside the band: the mask is True inside":
            (k - truth)[~mask].norm() / truth[~mask].norm(),
    }


@exercise("spectral.steps", [(0.5, 0.2), (1e-3, 40.0), (2.0, 1e-3)], (
    "solve (1 - beta mu)^t = 1/2 for t: take the logarithm of both sides"))
def steps(beta, mu):
    """A function (beta, mu) -> number of steps, not rounded, after which a mode has 1 - (1 - beta mu)^t = 1/2."""
    right = math.log(0.5) / math.log1p(-beta * mu)
    return {
        None: right,
        "your answer is the half-life of the flow, exp(-beta mu t): a good approximation only where beta mu is small":
            math.log(2) / (beta * mu),
        "1 / (beta mu) steps let through 1 - 1/e of a slow mode, not half": 1 / (beta * mu),
        "your answer is the largest stable rate turned upside down: at beta = 2 / mu a mode swings and never settles":
            2 / (beta * mu),
        "your answer is upside down: the smaller mu, the more steps": 1 / right,
        "your answer is negative: both logarithms, of 1/2 and of 1 - beta mu, are below 0": -right,
        "do not round: the check asks for the real solution t of (1 - beta mu)^t = 1/2":
            [math.ceil(right), math.floor(right), round(right)],
    }


def kernels():
    """(W, A, y) with a kernel of full rank and one whose A W A^T is not invertible."""
    cases = []
    for rank, frequencies in ((40, FREQUENCIES), (5, (0, 1, 3, 4))):
        A, J = fourier_rows(N, frequencies), draw(N, rank, seed=rank)
        cases.append((J @ J.T, A, A @ draw(N, seed=rank + 1)))
    return cases


def strict_inverse(S):
    """The inverse of a matrix, or an error where it has none, whatever rounding makes of it."""
    return torch.linalg.inv(S if torch.linalg.matrix_rank(S, rtol=1e-9) == len(S) else 0 * S)


@exercise("spectral.limit", kernels, tol=1e-5, form=": z is a signal", otherwise=lambda z, W, A, y: (
    "z = J theta with theta = (A J)^+ y; write (A J)^+ as (A J)^T (A J J^T A^T)^+, and J J^T as W"
    if torch.linalg.matrix_rank(W, rtol=1e-9) == N else
    "right for an invertible A W A^T, wrong for one that is not: eigenvalues that are zero except for rounding "
    "were inverted. Take torch.linalg.pinv with hermitian=True and rtol=1e-12"))
def kernel_limit(W, A, y):
    """A function (W, A, y) -> z_inf = W A^T (A W A^T)^+ y, (n,); tried on full and deficient kernels."""
    S = A @ W @ A.T
    return {
        None: limit(W, A, y),
        "your answer is the zero-filled signal A^T y: it does not contain the kernel": A.T @ y,
        "J maps the weights theta to the signal: the formula begins with W A^T, not with A^T alone":
            A.T @ (torch.linalg.pinv(S, hermitian=True, rtol=1e-12) @ y),
        "your answer is the direction of the first step of descent: (A W A^T)^+ is missing": W @ A.T @ y,
        "A W is not M = A J: the solution of least norm in theta uses J once, W = J J^T comes from J and J^T":
            [torch.linalg.pinv(A @ W, **keywords) @ y for keywords in ({}, dict(rtol=1e-12))],
        "A W A^T need not be invertible, and here it is not: use torch.linalg.pinv":
            lambda: W @ A.T @ strict_inverse(S) @ y,
    }


def missing(W, x):
    """||z_inf - x|| / ||x||."""
    A = fourier_rows(N, FREQUENCIES)
    return float((limit(W, A, A @ x) - x).norm() / x.norm())


def behaviour(W, x):
    """What a matrix does as a kernel."""
    size = float(W.norm())
    if size < 1e-12 or float((W - W.T).norm()) > 1e-9 * size:
        return "not symmetric"
    if float(torch.linalg.eigvalsh(W)[0]) < -1e-9 * size:
        return "negative"
    return "x" if missing(W, x) <= 1e-5 else round(missing(W, x), 5)  # what is missing tells the zero-filled signal


@exercise("spectral.kernel", lambda: [(draw(N, seed=seed) + 1.0,) for seed in (1, 2)], trait=behaviour,
          form=": a kernel of signals of 24 samples", otherwise=lambda W, x: (
              f"||z_inf - x|| / ||x|| = {missing(W, x):.1e}: x must lie in the range of W A^T, and it has to "
              "share the samples with every other direction that W offers"))
def kernel(x):
    """A function x -> W (n, n), symmetric and positive semidefinite, under which A x gives x back for a few samples."""
    return {
        None: torch.outer(x, x),
        "a kernel J J^T is symmetric and not 0": torch.outer(x, x.roll(1)),
        "a kernel J J^T has no negative eigenvalue": -torch.outer(x, x),
        "this kernel puts nothing into null(A): z_inf is the zero-filled signal. It must know about x":
            torch.eye(N, dtype=x.dtype),
    }


def guide():
    """(f, A, y, z, etas, alpha) with an f that is not linear: the mean over draws must be taken outside of it."""
    cases = []
    for m, n, draws, alpha in ((5, 12, 3, 0.7), (4, 9, 2, 3.0)):
        M, etas = draw(m, n, seed=1), [draw(n, seed=seed).abs() for seed in range(3, 3 + draws)]
        cases.append((lambda z, draws=draws: torch.tanh(draws * z) + 0.1, lambda x, M=M: M @ x, draw(m, seed=6),
                      draw(n, seed=2), etas, alpha))
    return cases


@exercise("spectral.guided", guide, tol=1e-5, otherwise=(
    "form E = mean of f(z + eta) over the etas, then ||A(E) - y||^2 + alpha ||E - z||^2, both sums of squares"))
def guided(f, A, y, z, etas, alpha):
    """A function (f, A, y, z, etas, alpha) -> ||A E f(z + eta) - y||^2 + alpha ||E f(z + eta) - z||^2, a number."""
    outputs = [f(z + eta) for eta in etas]
    mean, middle = sum(outputs) / len(etas), z + sum(etas) / len(etas)

    def loss(output, target=z, weight=alpha):
        return (A(output) - y).square().sum() + weight * (output - target).square().sum()

    return {
        None: loss(mean),
        "E is inside the norms: average the outputs first, then form the loss once":
            sum(map(loss, outputs)) / len(outputs),
        "f is not linear: the mean of f(z + eta) is not f at the mean input": loss(f(middle)),
        "eta is missing: without noise the second term asks f for the identity only at z itself": loss(f(z)),
        "the output should equal the clean input z, not z + eta: that makes it a denoising term":
            loss(mean, target=middle),
        "a sum over the draws: E is their mean": loss(sum(outputs)),
        "the second term is weighted by alpha": [loss(mean, weight=1.0), loss(mean, weight=0.0)],
        "squared norms are sums over all entries; means of two terms of different size change their balance":
            (A(mean) - y).square().mean() + alpha * (mean - z).square().mean(),
    }


@exercise("spectral.steps:tenth", [(0.5, 0.2), (1e-3, 40.0), (2.0, 1e-3)], (
    "solve (1 - beta mu)^t = 1/10 for t: take the logarithm of both sides"),
          instead="ask for nine tenths instead of half: 1 - (1 - beta mu)^t = 0.9",
          solution="lambda beta, mu: math.log(0.1) / math.log(1 - beta * mu)")
def steps_to_a_tenth(beta, mu):
    """A function (beta, mu) -> number of steps, not rounded, after which a mode has 1 - (1 - beta mu)^t = 0.9."""
    right = math.log(0.1) / math.log1p(-beta * mu)
    return {
        None: right,
        "your answer is the time of the flow, exp(-beta mu t): a good approximation only where beta mu is small":
            math.log(10) / (beta * mu),
        "your answer is when half has been learned: here only a tenth may be left":
            math.log(0.5) / math.log1p(-beta * mu),
        "your answer is when a tenth has been learned: nine tenths are asked for":
            math.log(0.9) / math.log1p(-beta * mu),
        "your answer is upside down: the smaller mu, the more steps": 1 / right,
        "your answer is negative: both logarithms, of 1/10 and of 1 - beta mu, are below 0": -right,
        "do not round: the check asks for the real solution t of (1 - beta mu)^t = 1/10":
            [math.ceil(right), math.floor(right), round(right)],
    }
