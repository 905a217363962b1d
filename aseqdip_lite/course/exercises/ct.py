"""Exercises of lesson 08: photons, the back-projection of one's own projector, lam, the ramp filter, enough views."""

import math

import torch

from ...operators.projectors import ramp_filter
from ...tasks.ct import MU_WATER
from .drawing import draw
from .table import exercise


@exercise("ct.photons", [(1e4, 0.0, 100.0), (1e4, 1000.0, 30.0), (5e3, -1000.0, 200.0), (2e4, -500.0, 50.0)], (
    "attenuation relative to water is 1 + HU / 1000; times MU_WATER and mm it is the integral p in I0 exp(-p)"))
def photons(i0, hu, mm):
    """A function (i0, hu, mm) -> expected photons behind `mm` millimetres of tissue of `hu` Hounsfield units."""
    relative = 1 + hu / 1000
    p = MU_WATER * relative * mm
    return {
        None: i0 * math.exp(-p),
        "your water absorbs nothing: 0 HU is water and -1000 is air, so the attenuation is 1 + HU / 1000":
            i0 * math.exp(-MU_WATER * hu / 1000 * mm),
        "1 + HU / 1000 is relative to water: multiply it by the attenuation of water, MU_WATER per mm":
            i0 * math.exp(-relative * mm),
        "your answer is the line integral, which is left after the logarithm: the detector counts I0 exp(-integral)": p,
        "more photons come out than went in: the exponent is negative": i0 * math.exp(p),
        "each layer takes a share of what is left, not of I0: that makes an exponential, not a straight line":
            i0 * (1 - p),
        "mm and cm: MU_WATER is per mm, as the path is in mm": [i0 * math.exp(-p / 10), i0 * math.exp(-p * 10)],
        "the base of the law is e, math.exp; a power of 10 or 2 would need another value for MU_WATER":
            [i0 * 10**-p, i0 * 2**-p],
    }


def smear(y, angles, size, first=lambda w: 1 - w, second=lambda w: w):
    """The adjoint (size, size) of the lesson's `project`, from y (views, D).

    A pixel reads the bin on its left times first(w) and the next one times second(w), where w is
    its distance from the left one; other functions than the two of `project` make the usual mistakes.
    """
    axis = torch.arange(size, dtype=y.dtype) - (size - 1) / 2
    image = torch.zeros((size, size), dtype=y.dtype)
    for row, angle in zip(y, angles, strict=True):
        position = axis * math.cos(angle) - axis[:, None] * math.sin(angle) + (len(row) - 1) / 2
        left = position.floor().long()  # (size, size)
        w = position - left
        image += first(w) * row[left] + second(w) * row[left + 1]
    return image


@exercise("ct.backproject", lambda: [(draw(len(angles), detector, seed=3), angles, size)  # without symmetry
                                     for angles, size, detector in (((0.0, 0.4, 1.1, 2.3), 9, 15),
                                                                    ((0.2, 0.9, 1.9), 10, 17))], otherwise=(
    "in every view each pixel reads the two bins that it was shared out to, times its shares, and adds them up"))
def backproject(y, angles, size):
    """A function (y, angles, size) -> the adjoint (size, size) of the lesson's `project`, from y (views, D)."""
    right = smear(y, angles, size)
    return {
        None: right,
        "you took a mean over the views: `project` gives the image to every view, and the adjoint of that is a sum":
            right / len(angles),
        "pi / views belongs to filtered back-projection: the adjoint has no number in front":
            math.pi / len(angles) * right,
        "you filtered the views: the ramp is a step towards the inverse, but the adjoint is no inverse":
            smear(ramp_filter(y), angles, size),
        "your image is upside down: row 0 is the top of the image, so Y falls from row to row": right.flip(0),
        "the shares are exchanged: `project` gave 1 - w to the left bin and w to the next one":
            smear(y, angles, size, lambda w: w, lambda w: 1 - w),
        "one bin per pixel: `project` gave shares to two bins, so read both, times the same shares":
            [smear(y, angles, size, lambda w: 1, lambda w: 0),
             smear(y, angles, size, lambda w: (w <= 0.5).to(w), lambda w: (w > 0.5).to(w))],
    }


@exercise("ct.lam", [(1.0, 50.0), (0.1, 38.6), (2.0, 0.5)], (
    "write ||R f - norm y||^2 as a factor times ||A f - y||^2, and take the factor out of the whole loss"))
def lam(lam, norm):
    """A function (lam, norm) -> the weight that means the same with A = R in place of R / norm."""
    return {
        None: lam * norm**2,
        "the data term is squared: a factor norm in A and y is a factor norm^2 in it": lam * norm,
        "your answer is upside down: with R alone the data term is larger, so lam must be larger as well":
            [lam / norm**2, lam / norm],
        "the data term grows with R, the autoencoding term does not: lam has to follow": lam,
    }


@exercise("ct.ramp", lambda: [(draw(3, 21, seed=5),), (draw(2, 12, seed=6),)], otherwise=(
    "(h * y)(j) = sum over i of h(j - i) y(i), with h(0) = 1/4, h(n) = -1 / (pi n)^2 for odd n, 0 for even n"))
def ramp(y):
    """A function y (..., D) -> the same shape, filtered by the ramp that is sampled in space; no wrap-around."""
    D = y.shape[-1]
    n = torch.arange(D).double()
    n = n[:, None] - n  # (D, D)

    def kernel(n, even=0.0, centre=0.25):
        h = -1 / (math.pi * n.abs().clamp(min=1)) ** 2
        return torch.where(n % 2 == 1, h, even * h).fill_diagonal_(centre)

    def in_frequency(length):
        return torch.fft.irfft(torch.fft.rfft(y, length) * torch.fft.rfftfreq(length).double(), length)[..., :D]

    h = kernel(n)
    return {
        None: y @ h,
        "the sign is wrong: the centre is positive, its neighbours are negative": y @ -h,
        "your answer is 2 pi times too large: |sigma| counts cycles per bin, not radians": 2 * math.pi * y @ h,
        "your answer is wrong by a factor 2: h(0) is the integral of |sigma| from -1/2 to 1/2": [2 * y @ h, y @ h / 2],
        "h(0) is missing: at n = 0 the integral of |sigma| from -1/2 to 1/2 is 1/4": y @ kernel(n, centre=0.0),
        "for even n the integral is 0: cos(pi n) - 1 vanishes there": y @ kernel(n, even=1.0),
        "your kernel has one side only: h(-n) = h(n), because each bin has neighbours to its left and to its right":
            [y @ h.tril(), y @ h.triu()],
        "your answer wraps around: bins at one end receive values from the other end; zero-pad to 2 D before an FFT":
            y @ kernel(torch.minimum(n.abs(), D - n.abs())),
        "|sigma| sampled in frequency: its kernel repeats with the FFT's length, and the mean of each view is lost; "
        "sample h(n) in space instead": [in_frequency(D), in_frequency(2 * D)],
        "your answer is the kernel of Shepp and Logan, a ramp times a sinc: no window is asked for here":
            y @ (-2 / (math.pi**2 * (4 * n**2 - 1))),
    }


def rounded(views, N):
    """How many views a pixel, or that the number is pi N / 2 rounded in some way."""
    return "rounded" if abs(float(views) - math.pi * N / 2) < 0.999 else float(views) / N


@exercise("ct.views", [(96,), (512,)], trait=rounded, tol=0.015, otherwise=(
    "spokes are pi / V apart in angle; at the largest radius, 1/2, the gap must be at most 1 / N: solve for V"))
def views(N):
    """A function N -> views that sampling theory asks for, pi N / 2; rounding either way is right."""
    return {
        None: math.pi * N / 2,
        "your answer is twice too large: bins of width 1 carry frequencies only up to 1/2, where the spokes are pi / "
        "(2 V) apart":
            math.pi * N,
        "as many views as pixels is only roughly right: work out the gap at the rim, which is pi / V times the radius":
            N,
        "your answer is upside down: that is how far from a point the first streaks begin if there are N views":
            2 * N / math.pi,
        "you counted equations against unknowns: ask instead that the outermost spokes are no farther apart than 1 / N":
            math.pi / 4 * N,
    }


@exercise("ct.lam:normed", [(1.0, 50.0), (0.1, 38.6), (2.0, 0.5)], (
    "write ||R f / norm - y / norm||^2 as a factor times ||R f - y||^2, and take the factor out of the whole loss"),
          instead="go the other way: lam was right with A = R. Return the weight that means the same with A = R / norm",
          solution="lambda lam, norm: lam / norm**2")
def lam_normed(lam, norm):
    """A function (lam, norm) -> the weight that means the same with A = R / norm in place of R."""
    return {
        None: lam / norm**2,
        "the data term is squared: a factor 1 / norm in A and y is a factor 1 / norm^2 in it": lam / norm,
        "your answer is upside down: with R / norm the data term is smaller for a large norm, so lam has to be "
        "smaller as well":
            [lam * norm**2, lam * norm],
        "the data term changes with R, the autoencoding term does not: lam has to follow": lam,
    }
