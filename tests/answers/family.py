"""Answers to the exercises of lesson 12."""

import math
import statistics

import numpy as np
from scipy import stats

from aseqdip_lite.course.exercises.family import top


def steps(passes, method, N, draws):
    return passes / {"dip": 3, "aseqdip": 3 + 1 / N, "self_guided": 3 * draws}[method]


def by_stages(passes, method, N, draws):
    if method == "aseqdip":
        return N * passes / (3 * N + 1)
    return passes / (3 * (draws if method == "self_guided" else 1))


def paired(a, b):
    gaps = [left - right for left, right in zip(a, b, strict=True)]
    return statistics.fmean(gaps), statistics.stdev(gaps) / math.sqrt(len(gaps))


def by_numpy(a, b):
    gaps = np.subtract(a, b)
    return gaps.mean(), stats.sem(gaps)


def drawn(m, s):
    return s * np.random.default_rng(1).normal(size=(40_000, m)).max(axis=1).mean()


def tail(M, n, w):
    return sum(math.comb(n, j) * (M - 1) ** (n - j) for j in range(w, n + 1)) / M**n


RIGHT = {
    "family.steps": [steps, by_stages],
    "family.paired": [paired, by_numpy],
    "family.luck": [drawn, lambda m, s: s * top(m)],
    "family.wins": [tail, lambda M, n, w: stats.binom.sf(w - 1, n, 1 / M)],
}

WRONG = {
    "family.steps": {
        "begin with DIP": lambda passes, method, N, draws: passes,
        "a pass of its own, one for N steps": lambda passes, method, N, draws: (
            passes / (3 * draws if method == "self_guided" else 3)),
        "once a stage, not once a step": lambda passes, method, N, draws: (
            passes / dict(dip=3, aseqdip=4, self_guided=3 * draws)[method]),
        "a stage costs 3 N + 1": lambda passes, method, N, draws: passes / (3 if method == "dip" else 3 * N + 1),
        "each of them goes through the network": lambda passes, method, N, draws: steps(passes, method, N, 1),
        "3 times the draws": lambda passes, method, N, draws: (
            passes / (2 + draws) if method == "self_guided" else steps(passes, method, N, draws)),
        "returns nothing": lambda passes, method, N, draws: None,
    },
    "family.paired": {
        "two separate groups": lambda a, b: (np.mean(a) - np.mean(b),
                                             math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(a))),
        "spread of one difference": lambda a, b: (np.mean(a) - np.mean(b), np.std(np.subtract(a, b), ddof=1)),
        "divides by n - 1": lambda a, b: (np.mean(a) - np.mean(b), np.std(np.subtract(a, b)) / math.sqrt(len(a))),
        "in this order": lambda a, b: paired(b, a),
        "two numbers are expected": lambda a, b: np.subtract(a, b),
        "take the differences first": lambda a, b: (np.mean(a) - np.mean(b), 0.0),
        "returns nothing": lambda a, b: None,
    },
    "family.luck": {
        "each error alone is 0": lambda m, s: 0.0,
        "the size of one error": lambda m, s: s,
        "for a huge m": lambda m, s: s * math.sqrt(2 * math.log(m)),
        "of deviation 1": lambda m, s: top(m),
        "draw m normal errors": lambda m, s: s * m,
        "returns nothing": lambda m, s: None,
    },
    "family.wins": {
        "exactly w wins": lambda M, n, w: stats.binom.pmf(w, n, 1 / M),
        "w itself belongs to it": lambda M, n, w: stats.binom.sf(w, n, 1 / M),
        "M methods": lambda M, n, w: stats.binom.sf(w - 1, n, 0.5),
        "fewer than w": lambda M, n, w: stats.binom.cdf(w - 1, n, 1 / M),
        "is binomial": lambda M, n, w: w / n,
        "returns nothing": lambda M, n, w: None,
    },
}
