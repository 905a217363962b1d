"""Exercises of lesson 09: sigma from y, the divergence by a probe, Stein's unbiased risk estimate, aSeqDIP's target."""

import math

import torch

from . import NOTHING, exercise, nothing
from .dip import close, number_fault
from .double import close as same
from .double import draw

#: A normal variable lies within this many standard deviations of its mean with probability one half.
QUARTILE = 0.6744897501960817

#: Noise level of the pictures of `sigma`.
LEVEL = 0.1


def haar(y):
    """Diagonal Haar coefficients (..., H/2, W/2) of an image (..., H, W) of even sides: (a - b - c + d) / 2."""
    a, b, c, d = y[..., ::2, ::2], y[..., ::2, 1::2], y[..., 1::2, ::2], y[..., 1::2, 1::2]
    return (a - b - c + d) / 2


def edgy_picture():
    """y = x + n, (1, 3, 256, 256), n of level `LEVEL`; x: ramps, and edges in every tenth block of one channel."""
    rows, columns = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    checks = ((rows + columns) % 2) * ((columns // 2) % 10 == 0)
    x = torch.stack([rows / 256, columns / 256, 0.5 * checks])[None].double()
    return x + LEVEL * draw(*x.shape, seed=4)


@exercise("denoising.sigma")
def sigma(answer):
    """A function y -> the noise level from the median of |diagonal Haar coefficients|; tried on y with edges."""
    y = edgy_picture()
    ours = answer(y)
    if fault := number_fault(ours):
        return fault
    ours, w = float(ours), haar(y)
    median = float(w.abs().median())
    if math.isclose(ours, median / QUARTILE, rel_tol=0.02):  # overlapping blocks, and other medians, are as good
        return None
    if math.isclose(ours, float(y.std()), rel_tol=0.02):
        return "that is the spread of the picture itself: take differences first, which the picture hardly has"
    if math.isclose(ours, float(w.std()), rel_tol=0.02) or math.isclose(ours, float(w.square().mean().sqrt()),
                                                                        rel_tol=0.02):
        return "edges count with their squares in a standard deviation: take the median of the sizes"
    if math.isclose(ours, median, rel_tol=0.02):
        return "the median of |w| is 0.6745 sigma, not sigma: half of a normal variable's values lie within that"
    if math.isclose(ours, median * QUARTILE, rel_tol=0.02):
        return "upside down: the median is smaller than sigma, so divide it by 0.6745"
    if any(math.isclose(ours, factor * median / QUARTILE, rel_tol=0.02) for factor in (0.5, 2)):
        return "the four signs of a block: their sum has the variance 4 sigma^2, so divide it by 2"
    if abs(ours) < 0.2 * LEVEL:
        return "signs cancel: take the absolute values before the median"
    if math.isclose(ours, float((y - y.median()).abs().median()) / QUARTILE, rel_tol=0.02):
        return "right on noise alone, but y holds the picture too: take the diagonal differences of its 2 x 2 blocks"
    return "w = (a - b - c + d) / 2 for each 2 x 2 block, then the median of |w| over all blocks, divided by 0.6745"


@exercise("denoising.divergence")
def divergence(answer):
    """A function (h, y, b, eps) -> <b, h(y + eps b) - h(y)> / eps: the divergence of h, estimated by the probe b."""
    y, b, eps = draw(1, 3, 5, 7, seed=1), draw(1, 3, 5, 7, seed=2), 1e-3
    J = draw(105, 105, seed=3) / 10
    maps = {
        "linear": lambda v: (J @ v.flatten()).reshape(v.shape),  # (1, 3, 5, 7) -> (105,) -> (1, 3, 5, 7)
        "not linear": lambda v: v**2 + 0.5,
    }
    expected = {"linear": float(b.flatten() @ J @ b.flatten()), "not linear": float((2 * y * b * b).sum())}
    for kind, h in maps.items():
        ours = answer(h, y, b, eps)
        if fault := number_fault(ours):
            return fault
        ours, change, right = float(ours), h(y + eps * b) - h(y), expected[kind]
        if math.isclose(ours, right, rel_tol=1e-2):  # differences to one side or to both
            continue
        if close(ours, (b * change).sum()):
            return "divide by eps: the change is eps times a derivative"
        if close(ours, (b * change).mean() / eps):
            return "that is the mean over the pixels: the divergence is a sum of derivatives, of size m and not 1"
        if close(ours, change.sum() / eps):
            return "the probe is missing: only with <b, J b> do the entries outside of the diagonal cancel on average"
        if close(ours, -(b * change).sum() / eps):
            return "the sign: the value at y + eps b minus the value at y"
        if close(ours, (b * h(y + eps * b)).sum() / eps) or close(ours, (b * h(eps * b)).sum() / eps):
            return "a derivative is a difference: subtract h(y)"
        if close(ours, (b * (h(y + b) - h(y))).sum()):
            return "the step must be small, y + eps b: h need not be linear"
        return f"wrong for a map that is {kind}: take the probe's inner product with (h(y + eps b) - h(y)) / eps"
    return None


@exercise("denoising.sure")
def sure(answer):
    """A function (residual, divergence, noise_std, m) -> residual - m sigma^2 + 2 sigma^2 divergence."""
    numbers = (70.0, 250.0, 0.3, 1000), (4.0, 10.0, 2.0, 50), (0.0, 50.0, 0.1, 50)
    tries = [(given, answer(*given)) for given in numbers]
    for _, ours in tries:
        if fault := number_fault(ours):
            return fault

    def agree(formula):
        return all(close(ours, formula(r, d, s, m)) for (r, d, s, m), ours in tries)

    if agree(lambda r, d, s, m: r - m * s**2 + 2 * s**2 * d):
        return None
    if agree(lambda r, d, s, m: (r - m * s**2 + 2 * s**2 * d) / m):
        return "that is the error of a pixel: here the sum over all of them is asked for, ||h(y) - x||^2"
    if agree(lambda r, d, s, m: r - m * s**2):
        return "the divergence is missing: h(y) depends on the noise, so <h(y), n> is not 0 on average"
    if agree(lambda r, d, s, m: r + 2 * s**2 * d):
        return "test it with h(y) = y: residual 0, divergence m, and the error is m sigma^2, not 2 m sigma^2"
    if agree(lambda r, d, s, m: r - m * s**2 + s**2 * d):
        return "test it with h(y) = y: residual 0, divergence m, and the error is m sigma^2, not 0"
    if agree(lambda r, d, s, m: r - m * s**2 - 2 * s**2 * d):
        return "the sign: what follows the noise (a positive divergence) looks better in the residual than it is"
    if agree(lambda r, d, s, m: r + m * s**2 - 2 * s**2 * d):
        return "that is right for the error against a second picture with fresh noise, not against x: mind both signs"
    if agree(lambda r, d, s, m: r - m * s + 2 * s * d):
        return "sigma is squared in both terms"
    return "||h - x||^2 = ||h - y||^2 + 2 <h - y, n> + ||n||^2, with E<y, n> = E||n||^2 = m sigma^2"


@exercise("denoising.target")
def target(answer):
    """A function (y, z, lam) -> (t, c) with ||f - y||^2 + lam ||f - z||^2 = (1 + lam) ||f - t||^2 + c for every f."""
    y, z = draw(1, 3, 4, 5, seed=1), draw(1, 3, 4, 5, seed=2)
    for lam in (4.0, 0.25, 0.0):
        pair = answer(y, z, lam)
        if nothing(pair):
            return NOTHING
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or nothing(*pair):
            return "two things are expected, (t, c): an image and a number"
        t, c = pair
        if not isinstance(t, torch.Tensor) or t.shape != y.shape:
            return "t is an image of the shape of y: where the loss is least, its derivative in f is zero"
        if fault := number_fault(c):
            return fault
        gap = float((y - z).square().sum())
        if not same(t, (y + lam * z) / (1 + lam)):
            if same(t, (z + lam * y) / (1 + lam)):
                return "the weights are swapped: lam pulls to z, and with lam = 0 the target must be y"
            if same(t, y + lam * z):
                return "the weights 1 and lam must add up to 1: divide by 1 + lam"
            if same(t, (y + z) / 2):
                return "that is right for lam = 1 alone: y has the weight 1 and z the weight lam"
            return "set the gradient 2 (f - y) + 2 lam (f - z) to zero: its solution f is t"
        if close(c, lam / (1 + lam) * gap):
            continue
        if close(c, lam * gap):
            return "that is the loss at f = y: put in f = t, where the loss is c"
        if close(c, 0.0):
            return "the two distances are not both 0 at f = t unless z = y: put f = t into the loss, it gives c"
        if close(c, gap / (1 + lam)) or close(c, gap):
            return "put f = t into the loss: t - y = lam (z - y) / (1 + lam) and t - z = (y - z) / (1 + lam)"
        return "c does not depend on f, so put in f = t: what the loss is there is c"
    return None
