"""Answers to the exercises of lesson 03."""

import numpy as np
import torch
from scipy.ndimage import uniform_filter1d

from aseqdip_lite.course.theory.grid import overfitting_start


def by_loop(psnr, window=50, drop=0.1):
    """The onset by plain loops, with a window that ends at its step."""
    means = [sum(psnr[i - window:i]) / window for i in range(window, len(psnr) + 1)]
    onset = None
    for i, mean in enumerate(means):
        if mean >= max(means) - drop:
            onset = None
        elif onset is None:
            onset = i + window
    return onset


def by_scipy(psnr):
    """The onset with a centred window that repeats the ends."""
    smooth = uniform_filter1d(np.asarray(psnr), 50, mode="nearest")
    last = int(np.flatnonzero(smooth >= smooth.max() - 0.1)[-1])
    return None if last == len(smooth) - 1 else last + 2


def first_drop(psnr):
    """Wrong: the first step below the maximum so far, whatever follows."""
    smooth = uniform_filter1d(np.asarray(psnr), 50, mode="nearest")
    below = np.flatnonzero(smooth < np.maximum.accumulate(smooth) - 0.1)
    return int(below[0]) + 1 if len(below) else None


def unsmoothed(psnr):
    """Wrong: without the average."""
    psnr = np.asarray(psnr)
    last = int(np.flatnonzero(psnr >= psnr.max() - 0.1)[-1])
    return None if last == len(psnr) - 1 else last + 2


def of_the_top(psnr):
    """Wrong: the step of the maximum, if the curve comes down from it."""
    return None if by_loop(psnr) is None else int(np.argmax(psnr)) + 1


def noise(observation):
    return torch.randn(observation.start.shape, generator=torch.Generator().manual_seed(0), dtype=torch.complex64)


def least_squares(observation, steps=20):
    """A^H A z = A^H y by gradient descent from 0."""
    A, z = observation.A, torch.zeros_like(observation.start)
    for _ in range(steps):
        z = z + A.adjoint(observation.y - A(z))
    return z


RIGHT = {
    "input.eps": [lambda eps, c: eps / c**2, lambda eps, c: eps / c / c, lambda eps, c: eps * abs(c) ** -2.0],
    "input.far": [lambda x: 3 * x, lambda x: -x, lambda x: torch.mul(x, 100.0)],
    "input.sigma": [
        lambda z, x: (z - x).norm() / (2 * x.numel()) ** 0.5,
        lambda z, x: torch.view_as_real(z - x).square().mean().sqrt(),
        lambda z, x: float(np.sqrt(np.mean(np.abs((z - x).numpy()) ** 2) / 2)),
    ],
    "input.onset": [overfitting_start, by_loop, by_scipy],
    "input.blind": [lambda o: o.start, lambda o: o.A.adjoint(o.y), least_squares, lambda o: 5 * o.start + 0.1],
}

WRONG = {
    "input.eps": {
        "upside down": lambda eps, c: eps * c**2,
        "the square of c": lambda eps, c: eps / c,
        "eps does not": lambda eps, c: eps,
        "the limit of large c only": lambda eps, c: 0.0,
        "divide numerator": lambda eps, c: eps + c,
        "returns nothing": lambda eps, c: None,
    },
    "input.far": {
        "keeps nothing": lambda x: 0 * x,
        "not a multiple": lambda x: x + 3 * torch.roll(x, 1, -1),
        "a complex factor mixes": lambda x: 3j * x,
        "here 1.00 ||x||: too near": lambda x: 2 * x,
        "here 0.00 ||x||: too near": lambda x: x,
        "shape of x": lambda x: 3 * x[0],
        "returns nothing": lambda x: None,
    },
    "input.sigma": {
        "two components": lambda z, x: (z - x).norm() / x.numel() ** 0.5,
        "take the root": lambda z, x: (z - x).norm() ** 2 / (2 * x.numel()),
        "the whole image": lambda z, x: (z - x).norm(),
        "relative to ||x||": lambda z, x: (z - x).norm() / x.norm(),
        "solve for sigma": lambda z, x: (z - x).abs().max(),
        "returns nothing": lambda z, x: None,
    },
    "input.onset": {
        "still rises at its end has no onset": lambda psnr: int(np.argmax(psnr)) + 1,
        "comes back to its maximum has no onset": first_drop,
        "the step of the maximum": of_the_top,
        "average over 50 steps": lambda psnr: None if by_loop(psnr) is None else unsmoothed(psnr),
        "for the last time": lambda psnr: None if by_loop(psnr) is None else 1,
        "yours finds none": lambda psnr: by_loop(psnr) if (by_loop(psnr) or 0) > 300 else None,
        "for every curve": lambda psnr: None,
    },
    "input.blind": {
        "and no truth": lambda o: o.truth,
        "y itself lies in k-space": lambda o: o.y,
        "must be complex": lambda o: o.start.abs(),
        "the same number at every pixel": lambda o: torch.ones_like(o.start),
        "little to do with the image": noise,
        "returns nothing": lambda o: None,
    },
}
