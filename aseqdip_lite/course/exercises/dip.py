"""Exercises of lesson 02: share of fitted noise, stopping with and without sigma, what the moving variance measures."""

import math

import torch

from . import NOTHING, exercise, nothing

#: Curves of a moving variance with what patience makes of them: (values, patience, (pick, stop)), steps from 1.
#: NaN stands for the steps before a whole window.
STOPS = (
    ([9.0, 5.0, 6.0, 4.0, 7.0, 8.0, 9.0, 9.0, 1.0], 3, (4, 7)),  # the deeper minimum at step 9 comes too late
    ([math.nan, math.nan, 3.0, 2.0, 2.5, 2.5, 2.5], 2, (4, 6)),
    ([math.nan] * 5 + [5.0, 4.0, 3.0, 2.0, 1.0], 2, (10, None)),  # still falling at the end of the budget
    ([2.0, 2.0, 2.0, 2.0], 2, (1, 3)),  # an equal value is no new minimum
)


def number_fault(answer):
    """A hint if a reader's answer is not one finite number (or a tensor that holds one), else None."""
    if nothing(answer):
        return NOTHING
    if isinstance(answer, torch.Tensor) and answer.numel() != 1:
        return f"one number is expected, yours has shape {tuple(answer.shape)}: sum over all pixels"
    if not isinstance(answer, (int, float, torch.Tensor)) and not hasattr(answer, "__float__"):
        return f"a number is expected, your answer is of type {type(answer).__name__}"
    return None if math.isfinite(float(answer)) else f"the number must be finite, yours is {float(answer)}"


def close(answer, expected):
    """Whether two numbers agree to a relative 1e-4."""
    return math.isclose(float(answer), float(expected), rel_tol=1e-4, abs_tol=1e-9)


@exercise("dip.share")
def share(answer):
    """A function (f, x, n) -> <f - x, n> / <n, n>, for images (1, 3, H, W): how much of the noise n is in f."""
    generator = torch.Generator().manual_seed(3)
    x, n, e = (torch.randn((1, 3, 7, 9), generator=generator, dtype=torch.float64) for _ in range(3))
    x, f = 2 + x, 2 + x + 0.3 * n + 0.5 * e
    ours = answer(f, x, n)
    if fault := number_fault(ours):
        return fault
    energy = n.square().sum()
    along = ((f - x) * n).sum()
    if close(ours, along / energy):
        return None
    if close(ours, -along / energy):
        return "the sign: f - x, so that f = y = x + n has share 1"
    if close(ours, (f * n).sum() / energy):
        return "x is still in it: the noise that was fitted is a part of f - x, not of f"
    if close(ours, along / energy.sqrt()):
        return "||n|| must be squared: with f = x + n the share has to be 1"
    if close(ours, (f - x).square().sum() / energy) or close(ours, (f - x).norm() / n.norm()):
        return "that is the size of the whole error, which also holds image that is not yet fitted: project f - x on n"
    if close(ours, along / ((f - x).norm() * n.norm())):
        return "that is the cosine of the angle between error and noise: it does not grow when the error does"
    return "minimise ||f - x - a n||^2 over the number a: where its derivative is zero, f - x - a n is orthogonal to n"


@exercise("dip.discrepancy")
def discrepancy(answer):
    """A function (data, noise_std, m) -> the first step, counted from 1, with data <= m noise_std^2; None if none."""
    noise_std, m = 0.1, 500  # the level is 5
    curves = ([60.0, 40.0, 12.0, 4.9, 5.2, 3.0, 0.4, 0.5], [9.0, 8.0], [4.0, 0.005])
    first, never, at_once = ours = tuple(answer(list(curve), noise_std, m) for curve in curves)
    if ours == (None, None, None) or ... in ours:
        return NOTHING
    if ours == (4, None, 1):
        return None
    if first is None:
        return "the level is too low: data is a sum over m entries, so multiply sigma^2 by m"
    if first == 2:
        return "the level is too high: sigma is squared, E||n||^2 = m sigma^2"
    if (first, at_once) == (4, 1):
        return "where the data term never reaches the noise's energy there is no such step: return None"
    if (first, at_once) == (3, 0):
        return "steps count from 1: the first entry of the curve is step 1"
    if first > 4:
        return "that is a later step: the first one at or below the level is the one to stop at"
    return "compare each entry with E||n||^2 = m sigma^2, and return the step of the first that is not above it"


@exercise("dip.path")
def path(answer):
    """A function (speed, W) -> variance of W points x_t = a + t v on a straight line, ||v|| = speed, t = 1, ..., W."""
    tries = [(v, w, answer(v, w)) for v, w in ((1.0, 2), (0.5, 5), (3.0, 100))]
    for *_, ours in tries:
        if fault := number_fault(ours):
            return fault

    def all_close(formula):
        return all(close(ours, formula(v, w)) for v, w, ours in tries)

    if all_close(lambda v, w: v**2 * (w**2 - 1) / 12):
        return None
    if all_close(lambda v, w: v * (w**2 - 1) / 12):
        return "the norm is squared: twice the speed gives four times the variance"
    if all_close(lambda v, w: v**2 * w**2 / 12):
        return "that is a path in continuous time; W points have the variance (W^2 - 1) / 12: try W = 1"
    if all_close(lambda v, w: v**2 * w * (w + 1) / 12):
        return "divided by W - 1: the moving variance is the mean over the window, divided by W"
    if all_close(lambda v, w: v**2 * (w + 1) * (2 * w + 1) / 6):
        return "that is the mean of ||t v||^2 alone: subtract the square of the mean"
    if all_close(lambda v, w: abs(v) * ((w**2 - 1) / 12) ** 0.5):
        return "that is the standard deviation: the variance is its square"
    return ("a drops out; what is left is ||v||^2 times the variance of 1, ..., W: their mean square is "
            "(W + 1)(2 W + 1) / 6, their mean (W + 1) / 2")


@exercise("dip.stop")
def stop(answer):
    """A function (variance, patience) -> (pick, stop): early stopping on the curve of a moving variance.

    `pick` is the step of the least value so far, `stop` the step at which there was no new least
    value for `patience` steps; None if the curve ends before.
    """
    ours = []
    for values, patience, _ in STOPS:
        pair = answer(list(values), patience)
        if pair is ... or pair is None:
            return NOTHING
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            return f"two steps are expected, (pick, stop), your answer is {pair!r}"
        ours.append(tuple(pair))
    right = [expected for *_, expected in STOPS]
    if ours == right:
        return None
    (pick, stop), (late_pick, _), (_, no_stop), _ = ours
    if pick == 7:
        return "the image to return is the one at the minimum, `patience` steps before the stop"
    if pick == 9:
        return "at step 7 the run has ended: what the variance does later nobody sees"
    if pick == 3:
        return "steps count from 1: the first entry of the curve is step 1"
    if late_pick < 3:
        return "NaN is no minimum: before a whole window there is no variance"
    if pick == 4 and stop in (6, 8):
        return "count the steps since the minimum: stop at pick + patience"
    if ours[:3] == right[:3]:
        return "an equal value is no new minimum: only a smaller one starts the wait anew"
    if ours[:2] == right[:2] and no_stop is not None:
        return "while the variance still falls there is no stop: return None for it"
    return "keep the least value and its step; a smaller one starts the wait anew, after `patience` steps without, stop"
