"""Exercises of lesson 12: equal cost, paired differences, the luck of the best of many, and wins by chance."""

import math

import numpy as np
from scipy import integrate, stats

from . import NOTHING, are, exercise, nothing


@exercise("family.steps")
def steps(answer):
    """A function (passes, method, N, draws) -> Adam steps that the passes pay for, not rounded.

    A forward pass counts 1, a backward pass 2. "dip": one of each a step. "aseqdip": one of each a step, and a forward
    pass at the end of each stage of N steps. "self_guided": one of each a step for each of its draws.
    """
    cases = [(1200, "dip", 2, 3), (1400, "aseqdip", 2, 3), (3100, "aseqdip", 10, 3), (900, "self_guided", 2, 3),
             (700, "self_guided", 2, 5)]
    got = [answer(*case) for case in cases]
    if nothing(*got):
        return NOTHING
    if are(got, [400, 400, 1000, 100, 140 / 3], 1e-3):
        return None
    if not are(got[:1], [400], 1e-3):
        return "begin with DIP: a step is one forward pass, 1, and one backward pass, 2"
    if are(got[1:3], [1400 / 3, 3100 / 3], 1e-3):
        return "aSeqDIP: at the end of a stage z_k = f(z_{k-1}) is a pass of its own, one for N steps"
    if are(got[1:3], [350, 775], 1e-3):
        return "aSeqDIP: the fresh pass comes once a stage, not once a step: 3 N + 1 for N steps"
    if not are(got[1:3], [400, 1000], 1e-3):
        return "aSeqDIP: a stage costs 3 N + 1 and makes N steps"
    if are(got[3:], [300, 700 / 3], 1e-3):
        return "Self-Guided DIP averages over draws of its noise: each of them goes through the network, and back"
    return "Self-Guided DIP: each draw costs 3, so a step costs 3 times the draws"


@exercise("family.paired")
def paired(answer):
    """A function (a, b) -> (mean difference, its standard error) of paired lists of PSNR."""
    draw = np.random.default_rng(0)
    level = np.array([31.0, 24.0, 27.0, 21.0, 29.0, 25.0])  # pictures differ by much more than methods
    a, b = level + draw.normal(0.4, 0.2, 6), level + draw.normal(0, 0.2, 6)
    found = answer(a.tolist(), b.tolist())
    if nothing(found):
        return NOTHING
    try:
        mean, error = (float(number) for number in found)
    except (TypeError, ValueError):
        return "two numbers are expected: the mean difference and its standard error"
    gaps = a - b
    if not math.isclose(mean, gaps.mean(), rel_tol=1e-6):
        return "the first number is the mean of a - b, in this order"
    n = len(gaps)
    right = gaps.std(ddof=1) / n**0.5
    if math.isclose(error, right, rel_tol=1e-6):
        return None
    if math.isclose(error, float(np.hypot(a.std(ddof=1), b.std(ddof=1)) / n**0.5), rel_tol=0.1):
        return "that is the error of two separate groups: it holds how unlike the pictures are, which a - b does not"
    if math.isclose(error, gaps.std(ddof=1), rel_tol=1e-6):
        return "that is the spread of one difference; the mean of n of them is known sqrt(n) times better"
    if math.isclose(error, gaps.std() / n**0.5, rel_tol=1e-6):
        return "nearly: the sample deviation divides by n - 1, since the mean was taken from the same numbers"
    return "take the differences first, then their sample deviation, then divide by sqrt(n)"


@exercise("family.luck")
def luck(answer):
    """A function (m, s) -> by how many dB the best of m equally good settings looks better than it is.

    Each score is the truth plus a normal error of deviation s: s E[max of m standard normals]. Accepted within 3 %.
    """
    cases = [(1, 0.3), (2, 0.3), (6, 0.5), (30, 0.2)]
    got = [answer(*case) for case in cases]
    if nothing(*got):
        return NOTHING
    got = [float(number) for number in got]
    if all(abs(number - s * top(m)) <= max(0.03 * s * top(m), 0.02 * s) for number, (m, s) in zip(got, cases,
                                                                                                  strict=True)):
        return None
    if are(got, [0, 0, 0, 0]):
        return "each error alone is 0 on average, but the largest of them is not: that is the one that is chosen"
    if are(got, [s for _, s in cases], 1e-3):
        return "s is the size of one error; the largest of m grows with m"
    if are(got, [s * (2 * math.log(m)) ** 0.5 for m, s in cases], 1e-3):
        return "s sqrt(2 ln m) is the limit for a huge m and too much for 6: integrate, or draw and average"
    if are(got, [top(m) for m, _ in cases], 0.03):
        return "that is for errors of deviation 1: the errors here have the deviation s"
    return "draw m normal errors of deviation s many times, take the largest each time, and average: with m = 2, 0.56 s"


def top(m):
    """E[max of m standard normal numbers]: the integral of u m pdf(u) cdf(u)^(m-1)."""
    u = np.linspace(-9, 9, 4001)
    return float(integrate.trapezoid(u * m * stats.norm.pdf(u) * stats.norm.cdf(u) ** (m - 1), u)) if m > 1 else 0.0


@exercise("family.wins")
def wins(answer):
    """A function (M, n, w) -> probability that one of M equally good methods is first in at least w of n problems."""
    cases = [(2, 3, 3), (8, 5, 2), (8, 10, 0), (5, 6, 1)]
    got = [answer(*case) for case in cases]
    if nothing(*got):
        return NOTHING
    got = [float(number) for number in got]
    right = [float(stats.binom.sf(w - 1, n, 1 / m)) for m, n, w in cases]
    if are(got, right, 1e-3):
        return None
    if are(got, [float(stats.binom.pmf(w, n, 1 / m)) for m, n, w in cases], 1e-3):
        return "that is exactly w wins; more wins would have impressed us, too: at least w"
    if are(got, [float(stats.binom.sf(w, n, 1 / m)) for m, n, w in cases], 1e-3):
        return "that is more than w wins; w itself belongs to it"
    if are(got, [float(stats.binom.sf(w - 1, n, 0.5)) for _, n, w in cases], 1e-3):
        return "a coin has two sides, here there are M methods: being first has the probability 1 / M"
    if are(got, [1 - value for value in right], 1e-3):
        return "that is the probability of fewer than w wins"
    return "the number of wins is binomial, with n problems and probability 1 / M: add up the terms from w to n"
