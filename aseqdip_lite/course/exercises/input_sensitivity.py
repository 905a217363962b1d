"""Exercises of lesson 03: scale and BatchNorm, distance of inputs, the onset of overfitting, an input without truth."""

import functools
import math
import random

import numpy as np
import torch

from ..experiments import f1
from ..theory.grid import overfitting_start, smoothed
from .drawing import SHIFT, draw
from .table import exercise

#: Shipped slices that scans are simulated of; without a variant the first two.
SLICES = ("brain-082", "brain-064", "brain-056", "brain-070", "brain-076", "brain-088", "brain-096", "brain-102")


def image(seed, shape=(1, 1, 9, 10)):
    """A random complex image (1, 1, H, W)."""
    return draw(*shape, seed=seed, dtype=torch.complex64)


@exercise("input.eps", [(1e-5, 10.0), (1e-5, 0.01), (1e-3, -3.0)], tol=1e-5, otherwise=(
    "divide numerator and denominator of (c u - c mean(u)) / sqrt(c^2 var(u) + eps) by |c|"))
def eps(eps, c):
    """A function (eps, c) -> the eps of the first BatchNorm for which f(z) equals f(c z) with the given eps."""
    return {
        None: eps / c**2,
        "your answer is upside down: a large c makes eps unimportant, so the eps with the same effect must be smaller":
            eps * c**2,
        "eps stands beside the variance, and the variance grows with the square of c": [eps / abs(c), eps / c],
        "mean and standard deviation grow with c, but eps does not, so its weight beside c^2 var(u) changes": eps,
        "eps = 0 is only the limit of large c: for c = 1 nothing may change": 0.0,
    }


def multiple(z, x):
    """Which multiple of x an input is."""
    c = complex(torch.vdot(x.flatten(), z.flatten()) / x.norm().square())
    if float(z.norm()) < 1e-6 * float(x.norm()):
        return "zero"
    if float((z - c * x).norm()) > 1e-4 * float(z.norm()):
        return "none"
    return "complex" if abs(c.imag) > 1e-4 * abs(c) else "far" if abs(c.real - 1) >= 2 - 1e-4 else "near"


@exercise("input.far", lambda: [(image(1),), (image(4, (1, 1, 6, 7)),)], trait=multiple, otherwise=lambda z, x: (
    f"the distance of c x from x is |c - 1| ||x||, here {float((z - x).norm() / x.norm()):.2f} ||x||: too near"))
def far(x):
    """A function x -> z with ||z - x|| >= 2 ||x|| that is as good an input as x, however small eps: a real multiple."""
    return {
        None: 3 * x,
        "0 is a multiple of x, but it keeps nothing of x: choose a multiple that BatchNorm can scale back": 0 * x,
        "not a multiple of x, so the normalised output of the first layer is different": x + 3 * x.roll(1, -1),
        "a complex factor mixes the real and the imaginary channel: the first convolution then sees another image. "
        "Take a real one": 3j * x,
    }


def root(square):
    """The root of a number, None where it has none."""
    return float(square) ** 0.5 if square >= 0 else None


@exercise("input.sigma", lambda: [(image(2), image(7), 0.3), (image(3, (1, 1, 6, 6)), image(8, (1, 1, 6, 6)), 1.8),
                                  (image(2), image(7), 3.0)], tol=1e-5, stepwise=True,
          nothing="not answered yet: your function returns None for all inputs",
          otherwise="write E ||(c - 1) x + sigma n||^2 as a sum of two squares, set it to ||z - x||^2, solve for sigma")
def sigma(z, x, c):
    """A function (z, x, c) -> sigma with E ||c x + sigma n - x||^2 = ||z - x||^2, None where there is none.

    n is complex with unit variance per component.
    """
    distance, own, n = (float(v) for v in ((z - x).norm(), x.norm(), x.numel()))
    off = abs(c - 1) * own  # distance of c x from x
    left = distance**2 - off**2
    right = root(left / (2 * n))
    return {
        None: right,
        "a complex pixel has two components, and each has variance sigma^2": root(left / n),
        "your answer is sigma^2: take the root": right and left / (2 * n),
        "your answer is right only for c = 1: c x lies |c - 1| ||x|| away from x even before any noise":
            distance / (2 * n) ** 0.5,
        "the squares of the distances add up, not the distances: <x, n> is 0 in the mean, so the mixed term drops out":
            right and (distance - off) / (2 * n) ** 0.5,
        "c x lies |c - 1| ||x|| away from x, not |c| ||x||": root((distance**2 - (c * own) ** 2) / (2 * n)),
        "noise makes the distance larger: subtract the part that c x has": root((distance**2 + off**2) / (2 * n)),
        "||x|| is missing: c x lies |c - 1| ||x|| away from x": root((distance**2 - (c - 1) ** 2) / (2 * n)),
        "your answer is for the whole image; sigma is for one component of one pixel": root(left),
        "your answer is relative to ||x||: sigma has the units of z":
            [right and right / own, right and left**0.5 / own],
        "c x alone may lie farther from x than z does: then there is no such sigma, return None":
            [math.nan if right is None else right, right or 0.0, root(abs(left) / (2 * n)),
             lambda: math.sqrt(left / (2 * n))],
    }


def bumps():
    """PSNR curves by name, each of 400 steps.

    Two without an onset: rising, and with a dip that recovers. The others overfit: from a hill, after a dip before the
    hill, after a dip behind the maximum, and with noise and a few lucky steps; in stairs of 0.07, 0.13 and 1 dB; with
    waves of 50 steps, which a mean over 50 steps takes away and one over another number does not.
    """
    steps = np.arange(400)
    hill = 25 - (steps - 150) ** 2 / 36000  # falls by 0.1 dB in 60 steps
    rising = 25 - 10 * np.exp(-steps / 80)
    early = hill - 3 * np.exp(-(((steps - 60) / 15) ** 2))
    recovers = np.where(steps < 230, rising, rising[230] - 0.05 - 2 * np.exp(-(((steps - 290) / 10) ** 2)))
    late = np.minimum(rising, 23.0) - 0.8 * (steps > 330)
    noise = 0.25 * np.random.default_rng(0).standard_normal(400) + 0.8 * (abs(steps - 200) < 2)
    stairs = 25 - np.select([steps < 100, steps < 200, steps < 300], [0, 0.07, 0.13], 1.0)
    waves = 25 - (steps >= 150) * (0.3 + 2 * np.sin(2 * np.pi * (steps - 150) / 50))
    return dict(rising=rising, recovers=recovers, hill=hill, dip=early, twice=recovers - 0.8 * (steps > 375),
                noisy=late + noise, stairs=stairs, waves=waves)


def place(step, psnr):
    """Where an onset lies on a curve; wherever the window of 50 steps is put, it may differ by half of it.

    Elsewhere it is the step itself.
    """
    expected = overfitting_start(psnr)
    if step is None or expected is None:
        return step is None
    return "onset" if abs(step - expected) <= 25 else "top" if abs(step - 1 - np.argmax(psnr)) <= 1 else step


def first_drop(psnr, top=None):
    """The first step at which the averaged curve is 0.1 dB below its maximum so far, whatever follows.

    Of the steps from that of the averaged maximum on if `top` is np.argmax.
    """
    smooth = smoothed(psnr, 50)
    smooth = dict(list(smooth.items())[top(list(smooth.values())) if top else 0:])
    tops = np.maximum.accumulate(list(smooth.values()))
    return next((step for (step, value), top in zip(smooth.items(), tops, strict=True) if value < top - 0.1), None)


@exercise("input.onset", lambda: [(curve.tolist(),) for curve in bumps().values()], trait=place, stepwise=True, tol=0.1,
          nothing="not answered yet: your function returns None for every curve",
          otherwise=lambda step, psnr: (
              "a curve that ends below its maximum has an onset: yours finds none" if step is None else
              "the onset is where the averaged curve drops to 0.1 dB below its own maximum for the last time, about "
              f"step {overfitting_start(psnr)}"))
def onset(psnr):
    """A function of a PSNR curve -> first step from which its mean over 50 steps stays over 0.1 dB below its maximum.

    The maximum is that of the mean. None if it does not stay below.
    """
    right, drops = overfitting_start(psnr), [first_drop(psnr), first_drop(psnr, np.argmax)]
    return {
        None: right,
        "a curve that still rises at its end has no onset: return None": right or len(psnr),
        "a curve that falls but returns to its maximum has no onset: return None": drops,
        "the curve comes back after that drop: the onset is the last drop, after which it stays below":
            [right and drop for drop in drops],
        "your answer is the step of the maximum: the onset is where the curve has fallen by 0.1 dB for good":
            right and int(np.argmax(psnr)) + 1,
        "single steps jump by more than 0.1 dB: average over 50 steps before you compare":
            [right and overfitting_start(psnr, window) for window in (1, 10, 20)],
        "the mean is over another number of steps: over 50, swings of 50 steps cancel":
            [right and overfitting_start(psnr, window) for window in (40, 75)],
        "the fall that counts is 0.1 dB":
            [right and overfitting_start(psnr, drop=drop) for drop in (0.15, 0.2)],
    }


@functools.cache
def scans_of(shift):
    """`scans` where the seeds are moved by `shift`."""
    names = random.Random(shift).sample(SLICES, 2) if shift else SLICES[:2]
    found = (f1.scan(name, 32, 4, seed + shift)[:2] for seed, name in enumerate(names, start=5))
    return [(case.observation, x) for case, x in found]


def scans():
    """Two simulated scans of different phase, of other slices in each variant: [(Observation, truth in units of y)]."""
    return scans_of(SHIFT.get())


def likeness(z, x):
    """|<z, x>| / (||z|| ||x||) of two images, each without its mean."""
    z, x = ((part - part.mean()).flatten() for part in (z, x))
    return abs(complex(torch.vdot(x, z))) / max(float(x.norm() * z.norm()), 1e-30)


def kind(z, observation):
    """What an input has to do with the image, more than with that of another scan."""
    if float((z - z.mean()).abs().max()) <= 1e-6 * float(z.abs().max()):
        return "constant"
    found = {torch.equal(known.y, observation.y): likeness(z, x) for known, x in scans()}
    return "image" if found[True] > max(0.5, found[False]) else "other"


@exercise("input.blind", lambda: [(observation,) for observation, _ in scans()], (
    "the input has little to do with the image: |<z, x>| / (||z|| ||x||), both without their means, is small, or no "
    "larger than for the image of another scan. What takes y back to image space?"),
          trait=kind, form=": an image is expected")
def blind(observation):
    """A function of an Observation -> input (1, 1, H, W) that is like the image, made without the truth."""
    z = observation.start
    return {
        None: z,
        "an observation contains A, y, start, scale and noise_std, but not the truth": lambda: observation.truth,
        "y itself lies in k-space, and A^H takes it back to an image": observation.y,
        "the network has a channel for the real and one for the imaginary part: the input must be complex": z.abs(),
        "the same number at every pixel: such an input tells the network nothing about the image": torch.ones_like(z),
    }


@exercise("input.eps:divided", [(1e-5, 10.0), (1e-5, 0.01), (1e-3, -3.0)], tol=1e-5, otherwise=(
    "multiply numerator and denominator of (u / c - mean(u) / c) / sqrt(var(u) / c^2 + eps) by |c|"),
          instead="the input is divided by c: return the eps for which f(z) equals f(z / c) with the given eps",
          solution="lambda eps, c: eps * c**2")
def eps_divided(eps, c):
    """A function (eps, c) -> the eps of the first BatchNorm for which f(z) equals f(z / c) with the given eps."""
    return {
        None: eps * c**2,
        "your answer is upside down: dividing by a large c makes eps important, so the eps with the same effect must "
        "be larger":
            eps / c**2,
        "eps stands beside the variance, and the variance falls with the square of c": [eps * abs(c), eps * c],
        "mean and standard deviation fall with c, but eps does not, so its weight beside var(u) / c^2 changes": eps,
        "eps = 0 is only the limit of small c: for c = 1 nothing may change": 0.0,
    }
