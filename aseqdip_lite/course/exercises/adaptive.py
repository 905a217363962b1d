"""Exercises of lesson 15: a run as a way, the error on held-out pixels and how sure it is, averages of outputs."""

import math

import torch

from . import NOTHING, are, exercise, nothing


@exercise("adaptive.way")
def way(answer):
    """A function (z, x, y) -> (a, r): the share of the noise y - x that is in z - x, and the rms of what is left."""
    generator = torch.Generator().manual_seed(0)
    x, n, other = (torch.rand((3, 8, 8), generator=generator, dtype=torch.float64) - 0.5 for _ in range(3))
    other = other - (other * n).sum() / n.square().sum() * n  # orthogonal to n, as what is left must be
    cases = [(0.3, 0.0), (0.1, 0.4), (1.0, 0.2)]
    found = [answer(x + a * n + b * other, x, x + n) for a, b in cases]
    if nothing(*found):
        return NOTHING
    try:
        got = [(float(a), float(r)) for a, r in found]
    except (TypeError, ValueError):
        return "two numbers are expected: the share, and the rms of the rest"
    shares, rests = zip(*got, strict=True)
    rms = float(other.square().mean().sqrt())
    if not are(shares, [a for a, _ in cases], 1e-3):
        if are(shares, [1 - a for a, _ in cases], 1e-3):
            return "that is the share of the noise that is not fitted: project z - x on n = y - x, not y - z"
        return "the share is the a for which z - x - a n is orthogonal to n = y - x: <z - x, n> / <n, n>"
    if are(rests, [b * rms for _, b in cases], 1e-3):
        return None
    if are(rests, [math.hypot(b * rms, a * float(n.square().mean().sqrt())) for a, b in cases], 1e-3):
        return "that is the rms of all of z - x: take a n away first"
    if are(rests, [b * rms * math.sqrt(n.numel()) for _, b in cases], 1e-3):
        return "that is the norm; the root mean square divides the sum of squares by the number of pixels first"
    if are(rests, [(b * rms) ** 2 for _, b in cases], 1e-3):
        return "that is the mean square: the root is missing"
    return "the rest is z - x - a n; its rms is the root of the mean of its squares"


@exercise("adaptive.risk")
def risk(answer):
    """A function (risk, m, sigma) -> estimate of the image's mean square error.

    risk: ||x - y||^2 over the m held-out values; sigma: standard deviation of their noise.
    """
    cases = [(30.0, 600, 0.1), (12.0, 1000, 0.1), (5.0, 50, 0.2)]
    got = [answer(*case) for case in cases]
    if nothing(*got):
        return NOTHING
    if are(got, [total / m - sigma**2 for total, m, sigma in cases]):
        return None
    if are(got, [total / m for total, m, _ in cases]):
        return "that is what an image would have that is the truth, too, plus its error: y has noise of its own"
    if are(got, [total - m * sigma**2 for total, m, sigma in cases]):
        return "that is the square error of all held-out values together: a mean is asked for"
    if are(got, [total - sigma**2 for total, m, sigma in cases]):
        return "risk is a sum over m values: divide it by m"
    if are(got, [total / m + sigma**2 for total, m, sigma in cases]):
        return "the noise makes the risk larger than the error, so it is to be taken away"
    if are(got, [total / m - sigma for total, m, sigma in cases]):
        return "squares add up, deviations do not: the noise brings sigma^2"
    return "write x - y = e - n, e the error, and square it: the mixed term has the mean 0, n^2 has the mean sigma^2"


@exercise("adaptive.paired")
def paired(answer):
    """A function (gap, m, sigma) -> standard deviation of the difference of two images' mean risks over m values.

    gap: rms of the difference of the images there. Both are independent of the noise, of deviation sigma.
    """
    cases = [(0.02, 600, 0.1), (0.05, 400, 0.1), (0.02, 600, 0.2)]
    got = [answer(*case) for case in cases]
    if nothing(*got):
        return NOTHING
    right = [2 * sigma * gap / math.sqrt(m) for gap, m, sigma in cases]
    if are(got, right, 0.03):  # drawn answers, too
        return None
    if are(got, [value / 2 for value in right], 1e-3):
        return "nearly: (e_1 - n)^2 - (e_2 - n)^2 has the mixed term 2 n (e_1 - e_2)"
    if are(got, [2 * sigma**2 / math.sqrt(m) for _, m, sigma in cases], 1e-3):
        return "that is for two separate sets of pixels: both images are held against the same noise, so n^2 cancels"
    if are(got, [math.sqrt(2) * sigma**2 / math.sqrt(m) for _, m, sigma in cases], 1e-3):
        return "that is how unsure one risk is by its n^2; in the difference of two over the same pixels n^2 cancels"
    if are(got, [2 * sigma * gap / m for gap, m, sigma in cases], 1e-3):
        return "the variances of m terms add up: the deviation of their mean falls like 1 / sqrt(m), not 1 / m"
    if are(got, [2 * sigma * gap for gap, _, sigma in cases], 1e-3):
        return "that is for a single value; the mean of m independent ones is known sqrt(m) times better"
    return "(e_1 - n)^2 - (e_2 - n)^2 = e_1^2 - e_2^2 - 2 n (e_1 - e_2): only the last term is random"


@exercise("adaptive.average")
def average(answer):
    """A function (w, s) -> rms, after many steps, of the wander left in the average m <- w m + (1 - w) z.

    The outputs z wander around their mean with independent errors of rms s.
    """
    cases = [(0.98, 0.03), (0.5, 1.0), (0.0, 0.2)]
    got = [answer(*case) for case in cases]
    if nothing(*got):
        return NOTHING
    right = [s * math.sqrt((1 - w) / (1 + w)) for w, s in cases]
    if are(got, right, 1e-3):
        return None
    if are(got, [s * (1 - w) / (1 + w) for w, s in cases], 1e-3):
        return "that is the factor of the variance: the rms has its root"
    if are(got, [s * math.sqrt(1 - w) for w, s in cases], 1e-3):
        return "1 / (1 - w) is how far back the average reaches; but its weights are not equal: sum their squares"
    if are(got, [s * (1 - w) for w, s in cases], 1e-3):
        return "that is the share of the newest output alone; the ones before it are in the average, too"
    if are(got, [s for _, s in cases], 1e-3):
        return "the mean of the outputs stays, but their independent errors average out"
    return "the output j steps ago has the weight (1 - w) w^j; variances add with squared weights: a geometric series"
