"""Answers to the exercises of lesson 15."""

import math

import numpy as np
import torch

from aseqdip_lite.course.theory import path


def way(z, x, y):
    return path.split(z - x, y - x)


def by_numpy(z, x, y):
    error, noise = (np.asarray(part, dtype=float).ravel() for part in (z - x, y - x))
    a = np.linalg.lstsq(noise[:, None], error, rcond=None)[0][0]
    return a, np.sqrt(np.mean((error - a * noise) ** 2))


def drawn_gap(gap, m, sigma):
    rng = np.random.default_rng(0)
    first, second = np.zeros(m), np.full(m, gap)
    noise = rng.normal(0, sigma, (5000, m))
    risks = [((e - noise) ** 2).mean(axis=1) for e in (first, second)]
    return float(np.std(risks[0] - risks[1]))


def drawn_average(w, s):
    weights = (1 - w) * w ** np.arange(4000) if w else np.array([1.0])
    return s * math.sqrt(np.sum(weights**2))


RIGHT = {
    "adaptive.way": [way, by_numpy],
    "adaptive.risk": [lambda risk, m, sigma: risk / m - sigma**2, lambda risk, m, sigma: (risk - m * sigma**2) / m],
    "adaptive.paired": [lambda gap, m, sigma: 2 * sigma * gap / math.sqrt(m), drawn_gap],
    "adaptive.average": [lambda w, s: s * math.sqrt((1 - w) / (1 + w)), drawn_average],
}

WRONG = {
    "adaptive.way": {
        "not fitted": lambda z, x, y: path.split(y - z, y - x),
        "orthogonal to n": lambda z, x, y: (float((z - x).norm() / (y - x).norm()), 0.0),
        "all of z - x": lambda z, x, y: (way(z, x, y)[0], path.rms(z - x)),
        "that is the norm": lambda z, x, y: (way(z, x, y)[0], way(z, x, y)[1] * math.sqrt(z.numel())),
        "the mean square": lambda z, x, y: (way(z, x, y)[0], way(z, x, y)[1] ** 2),
        "root of the mean of its squares": lambda z, x, y: (way(z, x, y)[0], 7.0),
        "two numbers": lambda z, x, y: torch.zeros(3),
        "returns nothing": lambda z, x, y: None,
    },
    "adaptive.risk": {
        "noise of its own": lambda risk, m, sigma: risk / m,
        "a mean is asked for": lambda risk, m, sigma: risk - m * sigma**2,
        "divide it by m": lambda risk, m, sigma: risk - sigma**2,
        "to be taken away": lambda risk, m, sigma: risk / m + sigma**2,
        "squares add up": lambda risk, m, sigma: risk / m - sigma,
        "the mixed term has the mean 0": lambda risk, m, sigma: 0.0,
        "returns nothing": lambda risk, m, sigma: None,
    },
    "adaptive.paired": {
        "has the mixed term": lambda gap, m, sigma: sigma * gap / math.sqrt(m),
        "two separate sets": lambda gap, m, sigma: 2 * sigma**2 / math.sqrt(m),
        "how unsure one risk is": lambda gap, m, sigma: math.sqrt(2 / m) * sigma**2,
        "1 / sqrt(m), not 1 / m": lambda gap, m, sigma: 2 * sigma * gap / m,
        "for a single value": lambda gap, m, sigma: 2 * sigma * gap,
        "only the last term is random": lambda gap, m, sigma: gap,
        "returns nothing": lambda gap, m, sigma: None,
    },
    "adaptive.average": {
        "the factor of the variance": lambda w, s: s * (1 - w) / (1 + w),
        "weights are not equal": lambda w, s: s * math.sqrt(1 - w),
        "newest output alone": lambda w, s: s * (1 - w),
        "average out": lambda w, s: s,
        "a geometric series": lambda w, s: 2 * s,
        "returns nothing": lambda w, s: None,
    },
}
