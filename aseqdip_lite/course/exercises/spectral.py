"""Exercises of lesson 05: errors of a band, how fast a mode comes, the kernel's limit, a kernel for an image, Eq. 2."""

import math

import torch

from ..theory.spectral import fourier_rows, limit
from . import NOTHING, exercise, nothing
from .double import close, draw

#: Length of the signals and frequencies that the samples of the checks hold: 7 numbers of 24.
N, FREQUENCIES = 24, (0, 1, 2, 5)

@exercise("spectral.band")
def band(answer):
    """A function (k_image, k_truth, mask) -> ||M (k_image - k_truth)|| / ||M k_truth|| of centred k-spaces (H, W)."""
    k, truth = (draw(8, 9, seed=seed, dtype=torch.complex128) for seed in (1, 2))
    mask = draw(8, 9, seed=3) > 0.3
    got = answer(k, truth, mask)
    if nothing(got):
        return NOTHING
    got = complex(got)
    if abs(got.imag) > 1e-9 * abs(got):
        return "an error is a real number: take the norm of the complex differences"
    got, error, kept = got.real, k - truth, mask.sum()

    def is_close(value):
        return math.isclose(got, float(value), rel_tol=1e-6)

    if is_close(error[mask].norm() / truth[mask].norm()):
        return None
    if is_close(error[mask].norm() / truth.norm()):
        return "the norm below the bar is that of the truth in this band, too: an image without the band has error 1"
    if is_close(error.norm() / truth.norm()):
        return "that is the error of the whole k-space: the mask is missing"
    if is_close((error[mask].norm() / truth[mask].norm()) ** 2):
        return "that is the square of the relative error: take the root"
    if is_close(error[mask].norm()) or is_close(error[mask].norm() / kept**0.5):
        return "divide by the norm of the truth in the band: bands hold very different energies"
    magnitudes = (k.abs() - truth.abs())[mask].norm()
    if is_close(magnitudes / truth[mask].norm()):
        return "magnitudes alone miss errors of phase: subtract the complex numbers first"
    if is_close(error[~mask].norm() / truth[~mask].norm()):
        return "that is what lies outside of the band: the mask is True inside"
    return "take the complex differences inside the mask, their norm, and divide by the norm of the truth inside it"


@exercise("spectral.steps")
def steps(answer):
    """A function (beta, mu) -> number of steps, not rounded, after which a mode has 1 - (1 - beta mu)^t = 1/2."""
    tries = [(beta, mu, answer(beta, mu)) for beta, mu in ((0.5, 0.2), (1e-3, 40.0), (2.0, 1e-3))]
    if nothing(*(got for *_, got in tries)):
        return NOTHING

    def agree(expected, tol=1e-6):
        return all(math.isclose(float(got), expected(beta, mu), rel_tol=tol) for beta, mu, got in tries)

    if agree(lambda beta, mu: math.log(0.5) / math.log1p(-beta * mu)):
        return None
    if agree(lambda beta, mu: math.log(2) / (beta * mu)):
        return "that is the half-life of the flow, exp(-beta mu t): a good approximation where beta mu is small only"
    if agree(lambda beta, mu: 1 / (beta * mu)):
        return "1 / (beta mu) steps let through 1 - 1/e of a slow mode, not half"
    if agree(lambda beta, mu: math.log1p(-beta * mu) / math.log(0.5)):
        return "upside down: the smaller mu, the more steps"
    if agree(lambda beta, mu: -math.log(0.5) / math.log1p(-beta * mu)):
        return "negative: both logarithms, of 1/2 and of 1 - beta mu, are below 0"
    if all(float(got) == round(float(got)) for *_, got in tries):
        return "do not round: the check asks for the real solution t of (1 - beta mu)^t = 1/2"
    return "solve (1 - beta mu)^t = 1/2 for t: take the logarithm of both sides"


def random_kernel(seed, rank=40):
    J = draw(N, rank, seed=seed)
    return J @ J.T


@exercise("spectral.limit")
def kernel_limit(answer):
    """A function (W, A, y) -> z_inf = W A^T (A W A^T)^+ y, (n,); tried on full and deficient kernels."""
    A = fourier_rows(N, FREQUENCIES)
    for rank in (40, 5):
        W, y = random_kernel(rank, rank), A @ draw(N, seed=8)
        try:
            got = answer(W, A, y)
        except torch.linalg.LinAlgError as error:
            return f"A W A^T need not be invertible, and here it is not ({error}): use torch.linalg.pinv"
        if nothing(got):
            return NOTHING
        if got.shape != (N,):
            return f"z is a signal of {N} samples, shape ({N},); yours has shape {tuple(got.shape)}"
        S = A @ W @ A.T
        if close(got, limit(W, A, y), 1e-5):
            continue
        if close(got, A.T @ y):
            return "that is the zero-filled signal A^T y: the kernel does not occur in it"
        if close(got, A.T @ (torch.linalg.pinv(S, hermitian=True, rtol=1e-12) @ y)):
            return "the weights theta are mapped to the signal by J: a factor W stands in front of A^T, not A^T alone"
        if close(got, W @ A.T @ y):
            return "that is the direction of the first step of descent: (A W A^T)^+ is missing"
        if rank == 40 and close(got, torch.linalg.pinv(A @ W) @ y):
            return "A W is not M = A J: the solution of least norm in theta uses J once, W = J J^T comes from J and J^T"
        if rank == 5:
            return ("right for an invertible A W A^T, wrong for one that is not: eigenvalues that are zero but for "
                    "rounding were inverted. Take torch.linalg.pinv with hermitian=True and rtol=1e-12")
        return "z = J theta with theta = (A J)^+ y; write (A J)^+ as (A J)^T (A J J^T A^T)^+, and J J^T as W"
    return None


@exercise("spectral.kernel")
def kernel(answer):
    """A function x -> W (n, n), symmetric and positive semidefinite, under which A x gives x back for a few samples."""
    A = fourier_rows(N, FREQUENCIES)
    for seed in (1, 2):
        x = draw(N, seed=seed) + 1.0
        W = answer(x)
        if nothing(W):
            return NOTHING
        if not isinstance(W, torch.Tensor) or W.shape != (N, N):
            return f"a kernel of signals of {N} samples is a tensor of shape ({N}, {N})"
        W, size = W.double(), float(W.double().norm())
        if size < 1e-12 or float((W - W.T).norm()) > 1e-9 * size:
            return "a kernel J J^T is symmetric and not 0"
        if float(torch.linalg.eigvalsh(W)[0]) < -1e-9 * size:
            return "a kernel J J^T has no negative eigenvalue"
        z = limit(W, A, A @ x)
        if float((z - x).norm()) <= 1e-5 * float(x.norm()):
            continue
        if close(z, A.T @ (A @ x), 1e-5):
            return "this kernel fills nothing into null(A): z_inf is the zero-filled signal. It must know about x"
        missing = float((z - x).norm() / x.norm())
        return (f"||z_inf - x|| / ||x|| = {missing:.2f}: x must lie in the range of W A^T, and with every other "
                "direction that W offers it has to share the samples")
    return None


class Toy(torch.nn.Module):
    """f(z) = tanh(z) * 2 + 0.1: not linear, so that the mean over draws must be taken outside of f."""

    def forward(self, z):
        return 2 * torch.tanh(z) + 0.1


@exercise("spectral.guided")
def guided(answer):
    """A function (f, A, y, z, etas, alpha) -> ||A E f(z + eta) - y||^2 + alpha ||E f(z + eta) - z||^2, a number."""
    f, M = Toy(), draw(5, 12, seed=1)
    z, etas, y, alpha = draw(12, seed=2), [draw(12, seed=seed).abs() for seed in (3, 4, 5)], draw(5, seed=6), 0.7

    def A(x):
        return M @ x

    got = answer(f, A, y, z, etas, alpha)
    if nothing(got):
        return NOTHING
    got = float(got)
    outputs = [f(z + eta) for eta in etas]
    mean = sum(outputs) / len(outputs)

    def loss(output, target=z, weight=alpha):
        return float((A(output) - y).square().sum() + weight * (output - target).square().sum())

    def is_close(value):
        return math.isclose(got, value, rel_tol=1e-5)

    if is_close(loss(mean)):
        return None
    if is_close(sum(map(loss, outputs)) / len(outputs)):
        return "E stands inside the norms: average the outputs first, then form the loss once"
    if is_close(loss(f(z + sum(etas) / len(etas)))):
        return "f is not linear: the mean of f(z + eta) is not f at the mean input"
    if is_close(loss(f(z))):
        return "eta is missing: without noise the second term asks f for the identity only at z itself"
    if is_close(loss(mean, target=z + sum(etas) / len(etas))):
        return "the output is to equal the clean input z, not z + eta: that makes it a denoising term"
    if is_close(loss(sum(outputs))):
        return "a sum over the draws: E is their mean"
    if is_close(loss(mean, weight=1.0)) or is_close(loss(mean, weight=0.0)):
        return "the second term is weighted by alpha"
    if is_close(float((A(mean) - y).square().mean() + alpha * (mean - z).square().mean())):
        return "squared norms are sums over all entries; means of two terms of different size change their balance"
    return "form E = mean of f(z + eta) over the etas, then ||A(E) - y||^2 + alpha ||E - z||^2, both sums of squares"
