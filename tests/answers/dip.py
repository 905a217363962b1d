"""Answers to the exercises of lesson 02."""

import math

import numpy as np
import torch


def dot(a, b):
    return (a * b).sum()


def first_below(data, sigma, m):
    return next((step for step, value in enumerate(data, start=1) if value <= m * sigma**2), None)


def first_by_search(data, sigma, m):
    hits = np.flatnonzero(np.asarray(data) <= sigma**2 * m)
    return int(hits[0]) + 1 if len(hits) else None


def early_stop(variance, patience, equal=False, first=1, nan=math.inf):
    """The rule; the keywords turn it into its typical faults."""
    best, pick = math.inf, 0
    for step, value in enumerate(variance, start=first):
        value = nan if math.isnan(value) else value
        if value < best or (equal and value == best):
            best, pick = value, step
        elif pick and step - pick >= patience:
            return pick, step
    return pick, None


def stop_by_prefix(variance, patience):
    """The same from numpy's running minimum: the first step whose minimum lies `patience` steps back."""
    values = np.where(np.isnan(variance), np.inf, variance)
    for step in range(1, len(values) + 1):
        pick = int(np.argmin(values[:step])) + 1
        if np.isfinite(values[pick - 1]) and step - pick == patience:
            return pick, step
    return pick, None


def at_the_stop(variance, patience):
    _, stop = early_stop(variance, patience)
    return stop or len(variance), stop


def whole_curve(variance, patience):
    pick = int(np.nanargmin(variance)) + 1
    return pick, pick + patience if pick + patience <= len(variance) else None


def always_stops(variance, patience):
    pick, stop = early_stop(variance, patience)
    return pick, stop or len(variance)


def one_late(variance, patience):
    pick, stop = early_stop(variance, patience + 1)
    return pick, stop


RIGHT = {
    "dip.share": [
        lambda f, x, n: dot(f - x, n) / dot(n, n),
        lambda f, x, n: 1 - float(dot(x + n - f, n)) / float(n.norm()) ** 2,
        lambda f, x, n: torch.linalg.lstsq(n.reshape(-1, 1), (f - x).reshape(-1, 1)).solution.item(),
    ],
    "dip.discrepancy": [first_below, first_by_search],
    "dip.path": [
        lambda speed, W: speed**2 * (W**2 - 1) / 12,
        lambda speed, W: (speed * np.arange(W)).var(),
    ],
    "dip.stop": [early_stop, stop_by_prefix],
}

WRONG = {
    "dip.share": {
        "the sign": lambda f, x, n: dot(x - f, n) / dot(n, n),
        "x is still in it": lambda f, x, n: dot(f, n) / dot(n, n),
        "must be squared": lambda f, x, n: dot(f - x, n) / n.norm(),
        "size of the whole error": lambda f, x, n: (f - x).norm() / n.norm(),
        "cosine of the angle": lambda f, x, n: torch.cosine_similarity((f - x).flatten(), n.flatten(), dim=0),
        "sum over all pixels": lambda f, x, n: (f - x) / n,
        "of type str": lambda f, x, n: "0.3",
        "returns nothing": lambda f, x, n: None,
        "must be finite": lambda f, x, n: math.nan,
        "minimise": lambda f, x, n: 0.5,
    },
    "dip.discrepancy": {
        "multiply sigma^2 by m": lambda data, sigma, m: first_below(data, sigma, 1),
        "sigma is squared": lambda data, sigma, m: first_below(data, 1, sigma * m),
        "count from 1": lambda data, sigma, m: next((i for i, v in enumerate(data) if v <= m * sigma**2), None),
        "a later step": lambda data, sigma, m: int(np.argmin(data)) + 1 if min(data) <= m * sigma**2 else None,
        "there is no such step": lambda data, sigma, m: first_below(data, sigma, m) or len(data),
        "compare each entry": lambda data, sigma, m: 1,
        "returns nothing": lambda data, sigma, m: None,
    },
    "dip.path": {
        "the norm is squared": lambda speed, W: speed * (W**2 - 1) / 12,
        "continuous time": lambda speed, W: speed**2 * W**2 / 12,
        "divided by W - 1": lambda speed, W: (speed * np.arange(W)).var(ddof=1),
        "the square of the mean": lambda speed, W: speed**2 * (W + 1) * (2 * W + 1) / 6,
        "standard deviation": lambda speed, W: (speed * np.arange(W)).std(),
        "a drops out": lambda speed, W: speed**2 * W,
        "returns nothing": lambda speed, W: None,
    },
    "dip.stop": {
        "the one at the minimum": at_the_stop,
        "nobody sees": whole_curve,
        "count from 1": lambda variance, patience: tuple(
            None if step is None else step - 1 for step in early_stop(variance, patience)),
        "NaN is no minimum": lambda variance, patience: early_stop(variance, patience, nan=0.0),
        "since the minimum": one_late,
        "an equal value": lambda variance, patience: early_stop(variance, patience, equal=True),
        "still falls": always_stops,
        "two steps are expected": lambda variance, patience: early_stop(variance, patience)[0],
        "returns nothing": lambda variance, patience: None,
        "keep the least value": lambda variance, patience: (5, 9),
    },
}
