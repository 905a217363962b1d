"""Exercises of lesson 15: a run as a path, the error on held-out pixels and its certainty, averages of outputs."""

import math

from ..theory.path import rms, split
from .drawing import draw
from .table import exercise


def ways():
    """(z, x, y) with z - x = a n + b other, n = y - x, for four pairs (a, b); `other` is orthogonal to n."""
    cases = []
    for first, (a, b) in enumerate(((0.3, 0.0), (0.1, 0.4), (1.0, 0.2), (-0.2, 0.3))):
        x, n, other = (draw(3, 8, 8, seed=3 * first + seed) / 4 for seed in range(3))
        other = other - (other * n).sum() / n.square().sum() * n
        cases.append((x + a * n + b * other, x, x + n))
    return cases


@exercise("adaptive.way", ways, tol=1e-3, form=": the share, and the rms of the rest", otherwise=(
    "the share is the a for which z - x - a n is orthogonal to n = y - x: <z - x, n> / <n, n>; the rest is "
    "z - x - a n, and its rms is the root of the mean of its squares"))
def way(z, x, y):
    """A function (z, x, y) -> (a, r): the share of the noise y - x that is in z - x, and the rms of what is left."""
    a, r = split(z - x, y - x)
    return {
        None: (a, r),
        "your answer is the share of the noise that is not fitted: project z - x on n = y - x, not y - z":
            split(y - z, y - x),
        "the share is the a for which z - x - a n is orthogonal to n: a ratio of norms also includes the rest":
            [(float((z - x).norm() / (y - x).norm()), rest) for rest in (r, 0.0)],
        "your answer is the rms of all of z - x: subtract a n first": (a, rms(z - x)),
        "your answer is the norm; the root mean square first divides the sum of squares by the number of values":
            (a, r * math.sqrt(z.numel())),
        "your answer is the mean square: the root is missing": (a, r**2),
    }


@exercise("adaptive.risk", [(30.0, 600, 0.1), (12.0, 1000, 0.1), (5.0, 50, 0.2)], (
    "write the difference to y as e - n, with e the error, and square it: e n has the mean 0, n^2 the mean sigma^2"))
def risk(risk, m, sigma):
    """A function (risk, m, sigma) -> estimate of the image's mean squared error.

    risk: ||x - y||^2 over the m held-out values; sigma: standard deviation of their noise.
    """
    return {
        None: risk / m - sigma**2,
        "your answer is the mean risk: the noise of y is still in it, and even the truth has a risk": risk / m,
        "your answer is the squared error of all held-out values together: a mean is asked for": risk - m * sigma**2,
        "risk is a sum over m values: divide it by m": risk - sigma**2,
        "the noise makes the risk larger than the error, so it has to be subtracted": risk / m + sigma**2,
        "you subtracted a deviation from a square: what the noise adds to a mean of squares is sigma^2":
            risk / m - sigma,
    }


@exercise("adaptive.paired", [(0.02, 600, 0.1), (0.05, 400, 0.1), (0.02, 9, 0.2)], tol=0.03, otherwise=(
    "(e_1 - n)^2 - (e_2 - n)^2 = e_1^2 - e_2^2 - 2 n (e_1 - e_2): only the last term is random"))
def paired(gap, m, sigma):
    """A function (gap, m, sigma) -> standard deviation of the difference of two images' mean risks over m values.

    gap: rms of the difference of the images there. Both are independent of the noise, which has the deviation sigma.
    """
    root = math.sqrt(m)
    return {
        None: 2 * sigma * gap / root,
        "you are close: (e_1 - n)^2 - (e_2 - n)^2 has the mixed term 2 n (e_1 - e_2)": sigma * gap / root,
        "your answer is for two separate sets of pixels: both images are compared with the same noise, so n^2 cancels":
            2 * sigma**2 / root,
        "your answer is the deviation of one risk due to n^2; in the difference of two over the same pixels n^2 "
        "cancels":
            math.sqrt(2) * sigma**2 / root,
        "the variances of m terms add up: the deviation of their mean falls like 1 / sqrt(m), not 1 / m":
            2 * sigma * gap / m,
        "your answer is for a single value; the mean of m independent ones is sqrt(m) times as precise":
            2 * sigma * gap,
    }


@exercise("adaptive.average", [(0.98, 0.03), (0.5, 1.0), (0.0, 0.2)], tol=0.03, otherwise=(
    "the output j steps ago has the weight (1 - w) w^j; variances add with squared weights: a geometric series"))
def average(w, s):
    """A function (w, s) -> rms, after many steps, of the wander left in the average m <- w m + (1 - w) z.

    The outputs z wander around their mean with independent errors of rms s. Accepted within 3 %.
    """
    return {
        None: s * math.sqrt((1 - w) / (1 + w)),
        "your answer is the factor for the variance: for the rms take its root": s * (1 - w) / (1 + w),
        "1 / (1 - w) is how far back the average reaches; but its weights are not equal: sum their squares":
            s * math.sqrt(1 - w),
        "your answer is the share of the newest output alone; the average also contains the ones before it":
            s * (1 - w),
        "the mean of the outputs remains, but their independent errors average out": s,
    }


@exercise("adaptive.average:newest", [(0.02, 0.03), (0.5, 1.0), (1.0, 0.2)], tol=0.03, otherwise=(
    "the output j steps ago has the weight w (1 - w)^j; variances add with squared weights: a geometric series"),
          instead="w is the weight of the newest output: m <- (1 - w) m + w z",
          solution="lambda w, s: s * (w / (2 - w)) ** 0.5")
def average_of_newest(w, s):
    """A function (w, s) -> rms, after many steps, of the wander left in the average m <- (1 - w) m + w z.

    The outputs z wander around their mean with independent errors of rms s. Accepted within 3 %.
    """
    return {
        None: s * math.sqrt(w / (2 - w)),
        "your answer is the factor for the variance: for the rms take its root": s * w / (2 - w),
        "1 / w is how far back the average reaches; but its weights are not equal: sum their squares":
            s * math.sqrt(w),
        "your answer is the share of the newest output alone; the average also contains the ones before it": s * w,
        "your answer is the lesson's own convention: here w is the weight of the newest output, not of the average":
            s * math.sqrt((1 - w) / (1 + w)),
        "the mean of the outputs remains, but their independent errors average out": s,
    }
