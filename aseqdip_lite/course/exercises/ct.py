"""Exercises of lesson 08: photons, the back-projection of one's own projector, lam, the ramp filter, enough views."""

import math

import torch

from ...operators.projectors import ramp_filter
from ...tasks.ct import MU_WATER
from . import NOTHING, exercise, nothing, tensor_fault

#: Angles of the small scan that back-projections are tried on: no symmetry, so that a wrong sign shows.
ANGLES = (0.0, 0.4, 1.1, 2.3)


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


def close(answer, expected, tolerance=1e-6):
    """Whether two tensors agree to a tolerance relative to the expected one."""
    return float((answer - expected).norm()) <= tolerance * float(expected.norm())


def agreement(answer, tries):
    """(NOTHING or None, a function that says whether a rule gives the answer's numbers for all tries)."""
    got = [answer(*values) for values in tries]
    if nothing(*got):
        return NOTHING, None
    return None, lambda rule: all(math.isclose(float(ours), rule(*values), rel_tol=1e-6)
                                  for ours, values in zip(got, tries, strict=True))


@exercise("ct.photons")
def photons(answer):
    """A function (i0, hu, mm) -> expected photons behind `mm` millimetres of tissue of `hu` Hounsfield units."""
    fault, agrees = agreement(answer, [(1e4, 0.0, 100.0), (1e4, 1000.0, 30.0), (5e3, -1000.0, 200.0),
                                       (2e4, -500.0, 50.0)])
    if fault:
        return fault
    if agrees(lambda i0, hu, mm: i0 * math.exp(-MU_WATER * (1 + hu / 1000) * mm)):
        return None
    if agrees(lambda i0, hu, mm: i0 * math.exp(-MU_WATER * hu / 1000 * mm)):
        return "your water absorbs nothing: 0 HU is water and -1000 is air, so the attenuation is 1 + HU / 1000"
    if agrees(lambda i0, hu, mm: i0 * math.exp(-(1 + hu / 1000) * mm)):
        return "1 + HU / 1000 is relative to water: times the attenuation of water, MU_WATER per mm"
    if agrees(lambda i0, hu, mm: MU_WATER * (1 + hu / 1000) * mm):
        return "that is the line integral, which is left after the logarithm: the detector counts I0 exp(-integral)"
    if agrees(lambda i0, hu, mm: i0 * math.exp(MU_WATER * (1 + hu / 1000) * mm)):
        return "more photons come out than went in: the exponent is negative"
    if agrees(lambda i0, hu, mm: i0 * (1 - MU_WATER * (1 + hu / 1000) * mm)):
        return "each layer takes a share of what is left, not of I0: that makes an exponential, no straight line"
    return "attenuation relative to water is 1 + HU / 1000; times MU_WATER and mm it is the integral p of I0 exp(-p)"


@exercise("ct.backproject")
def backproject(answer):
    """A function (y, angles, size) -> the adjoint (size, size) of the lesson's `project`, from y (views, D)."""
    for size, detector in ((9, 15), (10, 17)):
        y = torch.randn((len(ANGLES), detector), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        ours, expected = answer(y, ANGLES, size), smear(y, ANGLES, size)
        if fault := tensor_fault(ours, (size, size)):
            return fault
        if close(ours, expected):
            continue
        if close(ours, expected / len(ANGLES)):
            return "a mean over views: the adjoint of giving an image to every view is a sum"
        if close(ours, math.pi / len(ANGLES) * expected):
            return "pi / views belongs to filtered back-projection: the adjoint has no number in front"
        if close(ours, smear(ramp_filter(y), ANGLES, size), 1e-5):
            return "filtered: the ramp is a step towards the inverse, the adjoint is no inverse"
        if close(ours, expected.flip(0)):
            return "upside down: row 0 is the top of the image, so Y falls from row to row"
        if close(ours, smear(y, ANGLES, size, lambda w: w, lambda w: 1 - w)):
            return "the shares are exchanged: `project` gave 1 - w to the left bin and w to the next one"
        one_bin = (lambda w: 1 + 0 * w, lambda w: 0 * w), (lambda w: (w <= 0.5).to(w), lambda w: (w > 0.5).to(w))
        if any(close(ours, smear(y, ANGLES, size, *rule)) for rule in one_bin):
            return "one bin a pixel: `project` gave shares to two bins, so read both, times the same shares"
        return "each pixel reads, in every view, the two bins that it was shared out to, times its shares, and adds up"
    return None


@exercise("ct.lam")
def lam(answer):
    """A function (lam, norm) -> the weight that means the same with A = R in place of R / norm."""
    fault, agrees = agreement(answer, [(1.0, 50.0), (0.1, 38.6), (2.0, 0.5)])
    if fault:
        return fault
    if agrees(lambda lam, norm: lam * norm**2):
        return None
    if agrees(lambda lam, norm: lam * norm):
        return "the data term is squared: a factor norm in A and y is a factor norm^2 in it"
    if agrees(lambda lam, norm: lam / norm**2) or agrees(lambda lam, norm: lam / norm):
        return "upside down: with R alone the data term is larger, so lam has to be larger too"
    if agrees(lambda lam, norm: lam):
        return "the data term grows with R, the autoencoding term does not: lam has to follow"
    return "write ||R f - norm y||^2 as a factor times ||A f - y||^2, and take the factor out of the whole loss"


@exercise("ct.ramp")
def ramp(answer):
    """A function y (..., D) -> the same shape, filtered by the ramp that is sampled in space; no wrap-around."""
    y = torch.randn((3, 21), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ours, D = answer(y), y.shape[-1]
    if fault := tensor_fault(ours, y.shape):
        return fault
    n = torch.arange(D)
    n = (n[:, None] - n).double()  # (D, D)

    def by(kernel):
        return close(ours, y @ kernel)

    odd = torch.where(n % 2 == 1, -1 / (math.pi * n.abs().clamp(min=1)) ** 2, torch.zeros_like(n))
    h = odd + torch.eye(D) / 4
    if by(h):
        return None
    if by(-h):
        return "the sign: the centre is positive, its neighbours are negative"
    if by(2 * math.pi * h):
        return "2 pi too large: |sigma| counts cycles per bin, not radians"
    if by(odd):
        return "h(0) is missing: at n = 0 the integral of |sigma| from -1/2 to 1/2 is 1/4"
    if by(torch.where(n != 0, -1 / (math.pi * n.abs().clamp(min=1)) ** 2, torch.full_like(n, 0.25))):
        return "for even n the integral is 0: cos(pi n) - 1 vanishes there"
    if by(h.tril()) or by(h.triu()):
        return "one side only: h(-n) = h(n), each bin has neighbours to its left and to its right"
    wrapped = torch.minimum(n.abs(), D - n.abs())
    if by(torch.where(wrapped % 2 == 1, -1 / (math.pi * wrapped.clamp(min=1)) ** 2, torch.eye(D).double() / 4)):
        return "wrapped around: bins at one end hear from the other end; zero-pad to 2 D before an FFT"
    for length in (D, 2 * D):
        response = torch.fft.rfftfreq(length, dtype=torch.float64)
        if close(ours, torch.fft.irfft(torch.fft.rfft(y, length) * response, length)[..., :D]):
            return ("|sigma| sampled in frequency: its kernel repeats with the FFT's length, and the mean of each view "
                    "is lost; sample h(n) in space instead")
    return "(h * y)(j) = sum over i of h(j - i) y(i), with h(0) = 1/4, h(n) = -1 / (pi n)^2 for odd n, 0 for even n"


@exercise("ct.views")
def views(answer):
    """A function N -> views that sampling theory asks for, pi N / 2; rounding either way is right."""
    tries = (96, 512)
    got = [answer(n) for n in tries]
    if nothing(*got):
        return NOTHING

    def about(rule):
        return all(abs(float(ours) - rule(n)) <= 1 for ours, n in zip(got, tries, strict=True))

    if about(lambda n: math.pi * n / 2):
        return None
    if about(lambda n: math.pi * n):
        return "twice too many: bins of width 1 carry frequencies up to 1/2 only, where the spokes are pi / (2 V) apart"
    if about(lambda n: n):
        return "as many as pixels: the right order, but the gap at the rim is pi / V times the radius, and pi is not 2"
    if about(lambda n: 2 * n / math.pi):
        return "upside down: that is how far from a point the first streaks begin if there are N views"
    if about(lambda n: math.pi / 4 * n):
        return "counting equations against unknowns: the outermost spokes must be no farther apart than 1 / N"
    return "spokes are pi / V apart in angle; at the largest radius, 1/2, the gap must be at most 1 / N: solve for V"
