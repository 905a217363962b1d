"""Exercises of lesson 01b: filter factors of Landweber iteration and of Tikhonov, the error of any filter."""

import torch

from .drawing import draw
from .table import REGISTRY, exercise


@exercise("landweber.filter", lambda: [(torch.tensor([1.0, *middle, 0.01, 0.0], dtype=torch.float64), k, step, a)
                                       for middle, k, step, a in (((0.7, 0.2), 1, 0.5, 0.8), ((0.6, 0.3), 2, 1.3, 0.4),
                                                                  ((0.5,), 40, 0.9, -0.7))], otherwise=(
    "subtract the fixed point b / s: each step multiplies what is missing, c_k - b / s, by the same number; at the "
    "start c_0 = a s b"))
def filters(s, k, step, a):
    """A function (s, k, step, a) -> the filter factors of k Landweber steps from a A^H y, for singular values s."""
    q, p = 1 - step * s**2, 1 - a * s**2
    return {
        None: 1 - q**k * p,
        "your answer is what is still missing after k steps: the filter factor is the share that has arrived": q**k * p,
        "your answer is right for a start at 0: at a A^H y a share has arrived before the first step, so less is "
        "missing":
            1 - q**k,
        "the start has c_0 = a s b, and a share is relative to b / s: a s^2 has arrived before the first step":
            [1 - q**k * (1 - a), 1 - q**k * (1 - a * s)],
        "do not add the share of the start: each step adds a part of what is missing, and the start leaves less of it":
            1 - q**k + a * s**2,
        "the step is missing: each step multiplies what is missing by 1 - step s^2": 1 - (1 - s**2) ** k * p,
        "s must be squared: a step applies A and then A^H, each of which brings a factor s":
            1 - (1 - step * s) ** k * p,
        "your answer is right only if k step s^2 is small: what has arrived makes the next residual smaller, so the "
        "steps do not just add up":
            a * s**2 + step * s**2 * k,
        "one step too many or too few: k = 0 must give the start itself, the share a s^2":
            [1 - q ** (k - 1) * p, 1 - q ** (k + 1) * p],
        "your answer is not finite at s = 0: the factor multiplies b / s, so the division by s is no part of it":
            (1 - q**k * p) / s,
        "your answer is not finite where step s^2 > 1: 1 - step s^2 is negative there and has no logarithm, so take "
        "its power":
            1 - p * torch.exp(k * torch.log1p(-step * s**2)),
    }


@exercise("landweber.filter:missing", REGISTRY["landweber.filter"].cases, otherwise=(
    "each step multiplies what is missing, b / s - c_k, by the same number; at the start c_0 = a s b"),
          instead="return the share that is still missing after k steps, instead of the share that has arrived: "
                  "(b / s - c_k) divided by b / s, and 1 where s = 0",
          solution="lambda s, k, step, a: (1 - step * s**2) ** k * (1 - a * s**2)")
def missing(s, k, step, a):
    """A function (s, k, step, a) -> the share that k Landweber steps from a A^H y leave missing."""
    q, p = 1 - step * s**2, 1 - a * s**2
    return {
        None: q**k * p,
        "your answer is the share that has arrived: what is missing is the rest": 1 - q**k * p,
        "your answer is right for a start at 0: at a A^H y a share has arrived before the first step, so less is "
        "missing":
            q**k,
        "the start has c_0 = a s b, and a share is relative to b / s: 1 - a s^2 is missing before the first step":
            [q**k * (1 - a), q**k * (1 - a * s)],
        "do not subtract the share of the start at the end: the steps multiply what was missing at the start":
            q**k - a * s**2,
        "the step is missing: each step multiplies what is missing by 1 - step s^2": (1 - s**2) ** k * p,
        "s must be squared: a step applies A and then A^H, each of which brings a factor s": (1 - step * s) ** k * p,
        "your answer is right only if k step s^2 is small: what has arrived makes the next residual smaller, so the "
        "steps do not just add up":
            p - step * s**2 * k,
        "one step too many or too few: with k = 0, 1 - a s^2 must be missing":
            [q ** (k - 1) * p, q ** (k + 1) * p],
        "your answer is not finite where step s^2 > 1: 1 - step s^2 is negative there and has no logarithm, so take "
        "its power":
            p * torch.exp(k * torch.log1p(-step * s**2)),
    }


def filtered():
    """(s, c, f, sigma): singular values, coefficients of the image, filter factors and the level of the noise."""
    return [(0.2 + draw(size, seed=seed).abs(), draw(size, seed=seed + 10), draw(size, seed=seed + 20).sigmoid(), sigma)
            for seed, size, sigma in ((1, 6, 0.3), (2, 9, 0.05), (3, 4, 1.5))]


@exercise("landweber.error", filtered, otherwise=(
    "write f (s c + noise) / s - c in one direction: one part has c, the other the noise; their squares add up in "
    "the mean; then sum over directions"))
def error(s, c, f, sigma):
    """A function (s, c, f, sigma) -> expected squared error of the naive inverse times the filter factors f."""
    bias, variance = ((1 - f) * c).square().sum(), sigma**2 * (f / s).square().sum()
    return {
        None: bias + variance,
        "your answer is the signal still missing: the noise that has arrived is the other half of the error": bias,
        "your answer is the noise that has arrived: the signal still missing is the other half of the error": variance,
        "the share f of the signal has arrived, so 1 - f of it is missing": (f * c).square().sum() + variance,
        "the naive inverse divides the noise by s: f / s of it arrives in each direction":
            [bias + sigma**2 * f.square().sum(), bias + sigma**2 * (f / s).sum()],
        "only the noise is divided by s: the naive inverse gives the signal back as c":
            ((1 - f) * c / s).square().sum() + variance,
        "the filter acts on the noise as well: f / s of it arrives instead of 1 / s":
            bias + sigma**2 * (1 / s).square().sum(),
        "sigma is a standard deviation: the noise has the energy sigma^2 in each direction": bias + variance / sigma,
        "signal and noise are independent: add the two squares, not the two sizes":
            (((1 - f) * c).abs() + sigma * f / s).square().sum(),
        "your answer is the root of the mean squared error: return the square": (bias + variance).sqrt(),
        "take the sum over all directions, not the mean": (bias + variance) / len(s),
    }


@exercise("landweber.tikhonov", lambda: [(torch.cat([0.1 + draw(5, seed=seed).abs(), torch.zeros(1).double()]), alpha)
                                         for seed, alpha in ((4, 0.3), (5, 2.0), (6, 0.01))], otherwise=(
    "set the gradient to 0: (A^H A + alpha I) x = A^H y, in one direction (s^2 + alpha) c = s b; then divide by b / s"))
def tikhonov(s, alpha):
    """A function (s, alpha) -> filter factors of min ||A x - y||^2 + alpha ||x||^2, for singular values s."""
    right = s**2 / (s**2 + alpha)
    return {
        None: right,
        "your answer is c / b: the filter factor multiplies the naive inverse b / s, so one more factor s belongs to "
        "it":
            s / (s**2 + alpha),
        "your answer is the share that is suppressed: the filter factor is the share that passes":
            alpha / (s**2 + alpha),
        "A^H A has the singular values s^2": s / (s + alpha),
        "alpha multiplies the square as it is: do not square alpha as well": s**2 / (s**2 + alpha**2),
        "both terms are squares without 1/2, so both gradients have the factor 2, which cancels": [
            s**2 / (s**2 + 2 * alpha), s**2 / (s**2 + alpha / 2)],
        "alpha stands at the wrong term: a large alpha pulls x to 0": alpha * s**2 / (alpha * s**2 + 1),
        "your answer is the filter of the naive inverse, which lets everything pass: alpha is missing":
            torch.ones_like(s),
    }
