"""Exercises of lesson 12: equal cost, paired differences, the luck of the best of many, and wins by chance."""

import math

import numpy as np
from scipy import integrate, stats

from .drawing import shifted
from .table import REGISTRY, exercise


@exercise("family.steps", [(1200, "dip", 2, 3), (1400, "aseqdip", 2, 3), (3100, "aseqdip", 10, 3),
                           (900, "self_guided", 2, 3), (700, "self_guided", 2, 5)], stepwise=True, tol=1e-3,
          otherwise=lambda steps, passes, method, N, draws: {
              "dip": "begin with DIP: a step is one forward pass, 1, and one backward pass, 2",
              "aseqdip": "aSeqDIP: a stage costs 3 N + 1 passes and takes N steps",
              "self_guided": "Self-Guided DIP: each draw costs 3, so a step costs 3 times the number of draws"}[method])
def steps(passes, method, N, draws):
    """A function (passes, method, N, draws) -> Adam steps that the passes pay for, not rounded.

    A forward pass counts 1, a backward pass 2. "dip": one of each a step. "aseqdip": one of each a step, and a forward
    pass at the end of each stage of N steps. "self_guided": one of each a step for each of its draws.
    """
    def paid(aseqdip=3 + 1 / N, self_guided=3 * draws):
        return passes / {"dip": 3, "aseqdip": aseqdip, "self_guided": self_guided}[method]

    return {
        None: paid(),
        "aSeqDIP: z_k = f(z_{k-1}) at the end of a stage is one more pass for N steps": paid(aseqdip=3),
        "aSeqDIP: the fresh pass comes once a stage, not once a step: 3 N + 1 for N steps": paid(aseqdip=4),
        "aSeqDIP: that is the number of stages, and each of them takes N steps": paid(aseqdip=3 * N + 1),
        "Self-Guided DIP averages over draws of its noise, and each of them goes through the network and back":
            paid(self_guided=3),
    }


def scores():
    """(a, b) of six and of nine pictures, which differ by much more than the methods do; first a is better, then b."""
    rng, cases = np.random.default_rng(shifted(0)), []
    for n, gain in ((6, 0.4), (9, -0.3)):
        level = rng.uniform(20, 32, n)
        cases.append(((level + rng.normal(gain, 0.2, n)).tolist(), (level + rng.normal(0, 0.2, n)).tolist()))
    return cases


@exercise("family.paired", scores, form=": the mean difference and its standard error", otherwise=(
    "first take the differences a - b and their mean, then their sample deviation, and divide that by sqrt(n)"))
def paired(a, b):
    """A function (a, b) -> (mean difference, its standard error) of paired lists of PSNR."""
    gaps, n = np.subtract(a, b), len(a)
    mean, spread, separate = gaps.mean(), gaps.std(ddof=1), math.hypot(np.std(a, ddof=1), np.std(b, ddof=1))
    return {
        None: (mean, spread / n**0.5),
        "the first number is the mean of a - b, in this order": (-mean, spread / n**0.5),
        "your answer is the error of two separate groups: it includes how much the pictures differ, which a - b does "
        "not":
            [(mean, separate / n**0.5), (mean, math.hypot(np.std(a), np.std(b)) / n**0.5)],
        "your answer is the spread of one difference; the mean of n of them is sqrt(n) times as precise":
            (mean, spread),
        "you are close: the sample deviation divides by n - 1, because the mean comes from the same numbers":
            (mean, gaps.std() / n**0.5),
    }


@exercise("family.luck", [(2, 0.3), (6, 0.5), (30, 0.2)], tol=0.05, otherwise=(
    "draw m normal errors of deviation s many times, take the largest each time, and average; m = 2 gives 0.56 s"))
def luck(m, s):
    """A function (m, s) -> by how many dB the best of m equally good settings looks better than it is.

    Each score is the truth plus a normal error of deviation s: s E[max of m standard normals]. Accepted within 5 %.
    """
    u = np.linspace(-9, 9, 4001)
    top = integrate.trapezoid(u * m * stats.norm.pdf(u) * stats.norm.cdf(u) ** (m - 1), u)  # for s = 1
    return {
        None: s * top,
        "each error alone is 0 on average, but the largest of them is not, and that one is chosen": 0.0,
        "s is the size of one error; the largest of m errors grows with m": s,
        "s sqrt(2 ln m) is the limit for a huge m, and too large for m = 6: integrate, or draw and average":
            s * (2 * math.log(m)) ** 0.5,
        "your answer is for errors of deviation 1: the errors here have the deviation s": top,
    }


@exercise("family.wins", [(2, 3, 3), (8, 5, 2), (8, 10, 0), (5, 6, 1)], tol=0.03, otherwise=(
    "the number of wins is binomial, with n problems and probability 1 / M: add up the terms from w to n"))
def wins(M, n, w):
    """A function (M, n, w) -> probability that one of M equally good methods is first in at least w of n problems.

    Accepted within 3 %.
    """
    right = stats.binom.sf(w - 1, n, 1 / M)
    return {
        None: right,
        "your answer is exactly w wins; at least w includes more wins": stats.binom.pmf(w, n, 1 / M),
        "your answer is more than w wins; at least w includes w itself": stats.binom.sf(w, n, 1 / M),
        "a coin has two sides, but here there are M methods: each is first with probability 1 / M":
            stats.binom.sf(w - 1, n, 0.5),
        "your answer is the probability of fewer than w wins": 1 - right,
    }


@exercise("family.steps:three", REGISTRY["family.steps"].cases, stepwise=True, tol=1e-3,
          otherwise=lambda steps, passes, method, N, draws: {
              "dip": "begin with DIP: a step is one forward pass, 1, and one backward pass, 3",
              "aseqdip": "aSeqDIP: a stage costs 4 N + 1 passes and takes N steps",
              "self_guided": "Self-Guided DIP: each draw costs 4, so a step costs 4 times the number of draws"}[method],
          instead="a backward pass counts 3, not 2: memory is short, so it repeats the forward pass",
          solution="lambda passes, method, N, draws: passes / dict(dip=4, aseqdip=4 + 1 / N, self_guided=4 * draws)"
                   "[method]")
def steps_of_three(passes, method, N, draws):
    """A function (passes, method, N, draws) -> Adam steps that the passes pay for, where a backward pass counts 3."""
    def paid(aseqdip=4 + 1 / N, self_guided=4 * draws):
        return passes / {"dip": 4, "aseqdip": aseqdip, "self_guided": self_guided}[method]

    return {
        None: paid(),
        "a backward pass counts 3 here, so a step costs 1 + 3":
            passes / {"dip": 3, "aseqdip": 3 + 1 / N, "self_guided": 3 * draws}[method],
        "aSeqDIP: z_k = f(z_{k-1}) at the end of a stage is one more pass for N steps": paid(aseqdip=4),
        "aSeqDIP: the fresh pass comes once a stage, not once a step: 4 N + 1 for N steps": paid(aseqdip=5),
        "aSeqDIP: that is the number of stages, and each of them takes N steps": paid(aseqdip=4 * N + 1),
        "Self-Guided DIP averages over draws of its noise, and each of them goes through the network and back":
            paid(self_guided=4),
    }
