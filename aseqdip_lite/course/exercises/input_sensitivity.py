"""Exercises of lesson 03: scale and BatchNorm, distance of inputs, the onset of overfitting, an input without truth."""

import math

import numpy as np
import torch

from ..experiments import f1
from ..theory.grid import overfitting_start
from . import NOTHING, exercise

#: How far an answer's window of 50 steps may lie from the library's, which is centred.
HALF_WINDOW = 25


def draw(seed, shape=(1, 1, 9, 10)):
    """A random complex image (1, 1, H, W)."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex64)


def agree(tries):
    """Whether all pairs (got, expected) agree to a relative 1e-5."""
    return all(math.isclose(float(got), float(expected), rel_tol=1e-5) for got, expected in tries)


@exercise("input.eps")
def eps(answer):
    """A function (eps, c) -> the eps of the first BatchNorm with which f(z) is what f(c z) is with eps."""
    tries = [(e, c, answer(e, c)) for e, c in ((1e-5, 10.0), (1e-5, 0.01), (1e-3, -3.0))]
    if any(got is ... or got is None for *_, got in tries):
        return NOTHING
    if agree((got, e / c**2) for e, c, got in tries):
        return None
    if agree((got, e * c**2) for e, c, got in tries):
        return "upside down: a large c makes eps unimportant, so the eps that does the same must be smaller"
    if agree((got, e / abs(c)) for e, c, got in tries) or agree((got, e / c) for e, c, got in tries):
        return "eps stands beside the variance, and the variance grows with the square of c"
    if agree((got, e) for e, _, got in tries):
        return "mean and standard deviation grow with c, eps does not: it means something else beside c^2 var(u)"
    if agree((got, 0.0) for *_, got in tries):
        return "eps = 0 is the limit of large c only: for c = 1 nothing may change"
    return "divide numerator and denominator of (c u - c mean(u)) / sqrt(c^2 var(u) + eps) by |c|"


@exercise("input.far")
def far(answer):
    """A function x -> z with ||z - x|| >= 2 ||x|| that is as good an input as x, however small eps: a real multiple."""
    x = draw(1)
    z = answer(x)
    if z is ... or z is None:
        return NOTHING
    if not isinstance(z, torch.Tensor) or z.shape != x.shape:
        return "return a tensor of the shape of x"
    z = z.to(x.dtype)
    if float(z.norm()) < 1e-6 * float(x.norm()):
        return "0 is a multiple of x too, but the one that keeps nothing: BatchNorm cannot scale it up again"
    c = complex(torch.vdot(x.flatten(), z.flatten()) / x.norm().square())
    if float((z - c * x).norm()) > 1e-4 * float(z.norm()):
        return "not a multiple of x: the normalised output of the first layer is then another one"
    if abs(c.imag) > 1e-4 * abs(c):
        return ("a complex factor mixes the real and the imaginary channel: the first convolution then sees another "
                "image. Take a real one")
    if abs(c.real - 1) < 2 - 1e-4:
        return f"the distance of c x from x is |c - 1| ||x||, here {abs(c.real - 1):.2f} ||x||: too near"
    return None


@exercise("input.sigma")
def sigma(answer):
    """A function (z, x) -> sigma with E ||sigma n||^2 = ||z - x||^2, n complex with unit variance per component."""
    tries = []
    for seed, shape in ((2, (1, 1, 9, 10)), (3, (1, 1, 6, 6))):
        z, x = draw(seed, shape), draw(seed + 5, shape)
        got = answer(z, x)
        if got is ... or got is None:
            return NOTHING
        tries.append((float(got), float((z - x).norm()), x.numel(), float(x.norm())))
    if agree((got, d / (2 * n) ** 0.5) for got, d, n, _ in tries):
        return None
    if agree((got, d / n**0.5) for got, d, n, _ in tries):
        return "a complex pixel has two components, and each has variance sigma^2"
    if agree((got, d**2 / (2 * n)) for got, d, n, _ in tries):
        return "that is sigma^2: take the root"
    if agree((got, d) for got, d, *_ in tries):
        return "that is the distance of the whole image; sigma belongs to one component of one pixel"
    if agree((got, d / size) for got, d, _, size in tries):
        return "that is the distance relative to ||x||: sigma is in the units of z"
    return "write E ||sigma n||^2 as a sum over all components, set it equal to ||z - x||^2, and solve for sigma"


def bumps():
    """PSNR curves by name, each of 400 steps: rising, overfitting, and overfitting after a dip that recovers."""
    steps = np.arange(400)
    hill = 25 - (steps - 150) ** 2 / 36000  # falls by 0.1 dB in 60 steps
    rising = 25 - 10 * np.exp(-steps / 80)
    dip = hill - 3 * np.exp(-(((steps - 60) / 15) ** 2))
    plateau = np.where(steps < 200, rising, rising[200] - 2 * np.exp(-(((steps - 260) / 20) ** 2)))
    noise = 0.25 * np.random.default_rng(0).standard_normal(400)
    late = np.minimum(rising, 23.0) - 0.8 * (steps > 330)
    return dict(rising=rising, hill=hill, dip=dip, recovers=plateau, noisy=late + noise)


@exercise("input.onset")
def onset(answer):
    """A function of a PSNR curve -> first step after which its mean over 50 steps stays over 0.1 dB below its maximum.

    None if it does not. Wherever the window is put, the step may differ by half of it.
    """
    curves = bumps()
    found = {name: answer(list(map(float, curve))) for name, curve in curves.items()}
    if any(step is ... for step in found.values()) or all(step is None for step in found.values()):
        return "not answered yet: your function returns None for every curve"
    for name in ("rising", "recovers"):
        if found[name] is not None:
            fault = "still rises at its end" if name == "rising" else "falls, but comes back to its maximum"
            return f"a curve that {fault} has no onset: return None"
    for name in ("hill", "dip", "noisy"):
        expected, top = overfitting_start(curves[name]), int(np.argmax(curves[name])) + 1
        if found[name] is None:
            return "a curve that ends below its maximum has an onset: yours finds none"
        if abs(found[name] - expected) <= HALF_WINDOW:
            continue
        if name == "noisy":
            return "single steps jump by more than 0.1 dB: average over 50 steps before you compare"
        if abs(found[name] - top) <= 1:
            return "that is the step of the maximum: the onset is where the curve has fallen by 0.1 dB for good"
        return f"the onset is where the curve drops below its maximum for the last time, about step {expected}"
    return None


@exercise("input.blind")
def blind(answer):
    """A function of an Observation -> input (1, 1, H, W) that is like the image, made without the truth."""
    case, x, _ = f1.scan("brain-082", 32, 4, 5)
    try:
        z = answer(case.observation)
    except AttributeError as error:
        return f"an observation holds A, y, start, scale and noise_std, and no truth: {error}"
    if z is ... or z is None:
        return NOTHING
    if not isinstance(z, torch.Tensor) or z.shape != x.shape:
        return (f"the input must be an image of shape {tuple(x.shape)}: y itself lies in k-space, and A^H brings it "
                "back")
    if not z.is_complex():
        return "the network has a channel for the real and one for the imaginary part: the input must be complex"
    if float((z - z.mean()).abs().max()) <= 1e-6 * float(z.abs().max()):
        return "the same number at every pixel: such an input tells the network nothing about the image"
    likeness = abs(complex(torch.vdot(x.flatten(), z.flatten()))) / float(x.norm() * z.norm())
    if likeness < 0.5:
        return (f"|<z, x>| / (||z|| ||x||) = {likeness:.2f} on a scan of ours: this input has little to do with the "
                "image. What brings y back into image space?")
    return None
