"""Exercises of lesson 02: share of fitted noise, stopping with and without sigma, what the moving variance measures."""

import math

from .drawing import draw
from .table import exercise


@exercise("dip.share", lambda: [(2 + x + a * n + 0.5 * error, 2 + x, n)
                                for a, size, first in ((0.3, 7, 3), (0.8, 5, 6), (-0.2, 4, 9), (1.3, 6, 12))
                                for x, n, error in [[draw(1, 3, size, 9, seed=first + i) for i in range(3)]]],
          tol=1e-4, form=": sum over all pixels", otherwise=(
    "minimise ||f - x - a n||^2 over the number a: where its derivative is zero, f - x - a n is orthogonal to n"))
def share(f, x, n):
    """A function (f, x, n) -> <f - x, n> / <n, n>, for images (1, 3, H, W): how much of the noise n is in f."""
    error, size = f - x, n.norm()
    along = (error * n).sum()
    return {
        None: along / size**2,
        "the sign is wrong: f - x, so that f = y = x + n has share 1": -along / size**2,
        "you projected f, which contains x: the fitted noise is a part of f - x": (f * n).sum() / size**2,
        "||n|| must be squared: with f = x + n the share has to be 1": along / size,
        "your answer is the size of the whole error, which also contains missing image: project f - x on n":
            [error.square().sum() / size**2, error.norm() / size],
        "your answer is the cosine of the angle between error and noise, which does not grow with the error":
            along / (error.norm() * size),
    }


def first_below(data, level):
    """First step, counted from 1, at which a curve is at or below a level; None if it never is."""
    return next((step for step, value in enumerate(data, start=1) if value <= level), None)


@exercise("dip.discrepancy", [([60.0, 40.0, 24.0, 12.0, 4.9, 5.2, 2.0, 0.4, 0.5], 0.1, 500),  # the level is 5
                              ([4.0, 0.005], 0.1, 500), ([9.0, 8.0], 0.1, 500),
                              ([12.0, 10.5, 10.0, 9.5, 8.5], 1.0, 10), ([80.0, 50.0, 39.0], 2.0, 10)], (
    "compare each entry with E||n||^2 = m sigma^2, and return the step of the first that is not above it"),
          stepwise=True)
def discrepancy(data, noise_std, m):
    """A function (data, noise_std, m) -> the first step, counted from 1, with data <= m noise_std^2; None if none."""
    right = first_below(data, m * noise_std**2)
    return {
        None: right,
        "the level is too low: data is a sum over m entries, so multiply sigma^2 by m": first_below(data, noise_std**2),
        "sigma must be squared in the level: E||n||^2 = m sigma^2": first_below(data, m * noise_std),
        "you compare a norm with a square: data is a square, and so is its level m sigma^2":
            [first_below(data, m**0.5 * noise_std), first_below([value**0.5 for value in data], m * noise_std**2)],
        "an entry at the level also counts: take the first entry that is not above it":
            first_below(data, math.nextafter(m * noise_std**2, 0)),
        "if the data term never reaches the noise's energy, there is no such step: return None":
            [right or len(data), right or 0, right or 1],
        "steps count from 1: the first entry of the curve is step 1": right and right - 1,
        "your answer is a later step: the first one at or below the level is the one to stop at":
            [right and data.index(min(data)) + 1, right and len(data)],
    }


@exercise("dip.path", [(1.0, 2), (0.5, 5), (3.0, 100)], tol=1e-4, otherwise=(
    "a drops out, which leaves ||v||^2 times the variance of 1, ..., W: their mean square is (W + 1)(2 W + 1) / 6, "
    "and their mean is (W + 1) / 2"))
def path(speed, W):
    """A function (speed, W) -> variance of W points x_t = a + t v on a straight line, ||v|| = speed, t = 1, ..., W."""
    spread = (W**2 - 1) / 12
    return {
        None: speed**2 * spread,
        "the norm must be squared: twice the speed gives four times the variance": speed * spread,
        "your answer is a path in continuous time; W points have the variance (W^2 - 1) / 12: try W = 1":
            speed**2 * W**2 / 12,
        "you divided by W - 1: the moving variance is a mean over the window, so divide by W":
            speed**2 * W * (W + 1) / 12,
        "your answer is the mean of ||t v||^2 alone: subtract the square of the mean":
            speed**2 * (W + 1) * (2 * W + 1) / 6,
        "your answer is the standard deviation: the variance is its square": speed * math.sqrt(spread),
    }


def early_stop(variance, patience, equal=False, nan=math.inf):
    """(pick, stop) of a curve; `equal` and `nan` turn the rule into two of its faults."""
    best, pick = math.inf, 0
    for step, value in enumerate(variance, start=1):
        value = nan if math.isnan(value) else value
        if value < best or (equal and value == best):
            best, pick = value, step
        elif pick and step - pick >= patience:
            return pick, step
    return pick, None


#: (curve of a moving variance, patience); NaN stands for the steps before a whole window.
STOPS = (
    ([9.0, 5.0, 6.0, 4.0, 7.0, 8.0, 9.0, 9.0, 1.0], 3),  # the deeper minimum at step 9 comes too late
    ([math.nan, math.nan, 3.0, 2.0, 2.5, 2.5, 2.5], 2),
    ([math.nan] * 5 + [5.0, 4.0, 3.0, 2.0, 1.0], 2),  # still falling at the end of the budget
    ([2.0, 2.0, 2.0, 2.0], 2),  # an equal value is no new minimum
    ([5.0, 3.0, 4.0, 3.5, 3.6, 3.7], 2),  # the fall at step 4 does not reach the least value
)


def stop_by_falls(variance, patience, least=False):
    """The rule with a fault: (pick, stop), where a value below the one before it restarts the wait.

    `pick` is the step of the last such fall; that of the least value so far if `least`.
    """
    values = [math.inf if math.isnan(value) else value for value in variance]
    fall = pick = 0
    for step, (before, value) in enumerate(zip([math.inf, *values], values, strict=False), start=1):
        if value < before:
            fall = step
            pick = step if not least or value == min(values[:step]) else pick
        elif fall and step - fall >= patience:
            return pick, step
    return pick, None


@exercise("dip.stop", STOPS, stepwise=True, form=", (pick, stop)", otherwise=(
    "keep the least value and its step; a smaller value restarts the wait; after `patience` steps without one, stop"))
def stop(variance, patience):
    """A function (variance, patience) -> (pick, stop): early stopping on the curve of a moving variance.

    `pick` is the step of the least value so far, `stop` the step at which there was no new least
    value for `patience` steps; None if the curve ends before.
    """
    pick, stop = early_stop(variance, patience)
    late, least = early_stop(variance, patience + 1)[1], variance.index(min(variance, key=lambda v: (v != v, v))) + 1
    beyond = least + patience if least + patience <= len(variance) else None
    return {
        None: (pick, stop),
        "the image to return is the one at the minimum, `patience` steps before the stop":
            (stop or len(variance), stop),
        "the rule stops this run at step 7: a minimum after the stop is never seen, so it must not count":
            [(least, stop), (least, beyond)],
        "steps count from 1: the first entry of the curve is step 1": (pick - 1, stop and stop - 1),
        "NaN is not a minimum: there is no variance before a whole window":
            [early_stop(variance, patience, nan=0.0), early_stop(variance, patience, nan=-math.inf)],
        "count the steps since the minimum: stop at pick + patience":
            [(pick, late), early_stop(variance, patience - 1)],
        "an equal value is not a new minimum: only a smaller one restarts the wait":
            early_stop(variance, patience, equal=True),
        "compare each value with the least one so far, not with the one before it: only a new least value restarts the "
        "wait": [stop_by_falls(variance, patience), stop_by_falls(variance, patience, least=True)],
        "while the variance is still falling there is no stop: return None for `stop`":
            [(pick, stop or len(variance)), (pick, stop or len(variance) + patience)],
    }


@exercise("dip.path:sample", [(1.0, 2), (0.5, 5), (3.0, 100)], tol=1e-4, otherwise=(
    "a drops out; the sum of squares about the mean is ||v||^2 W (W^2 - 1) / 12: divide it by W - 1"),
          instead="return the sample variance: divide the sum of squared distances from the mean by W - 1, not by W",
          solution="lambda speed, W: speed**2 * W * (W + 1) / 12")
def sample_path(speed, W):
    """A function (speed, W) -> sample variance of x_t = a + t v, ||v|| = speed, t = 1, ..., W, divided by W - 1."""
    right = speed**2 * W * (W + 1) / 12
    return {
        None: right,
        "the norm must be squared: twice the speed gives four times the variance": right / speed,
        "you divided by W: here the sum of squares is divided by W - 1": speed**2 * (W**2 - 1) / 12,
        "your answer is a path in continuous time; the question is about W points": speed**2 * W**2 / 12,
        "subtract the square of the mean: t = 1, ..., W has the mean (W + 1) / 2":
            [speed**2 * (W + 1) * (2 * W + 1) / 6, speed**2 * W * (W + 1) * (2 * W + 1) / (6 * (W - 1))],
        "your answer is the standard deviation: the variance is its square": math.sqrt(right),
    }
