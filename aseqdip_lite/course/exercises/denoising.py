"""Exercises of lesson 09: sigma from y, the divergence by a probe, Stein's unbiased risk estimate, aSeqDIP's target."""

import torch

from .drawing import draw
from .table import all_close, as_tensor, exercise

#: A normal variable lies within this many standard deviations of its mean with probability one half.
QUARTILE = 0.6744897501960817


def haar(y):
    """Diagonal Haar coefficients (..., H/2, W/2) of an image (..., H, W) of even sides: (a - b - c + d) / 2."""
    a, b, c, d = y[..., ::2, ::2], y[..., ::2, 1::2], y[..., 1::2, ::2], y[..., 1::2, 1::2]
    return (a - b - c + d) / 2


def edgy_pictures():
    """y = x + n, (1, 3, 256, W), of two levels of noise; x: ramps, and edges in every tenth block of one channel."""
    cases = []
    for level, width in ((0.1, 256), (0.15, 280)):
        rows, columns = torch.meshgrid(torch.arange(256.0), torch.arange(float(width)), indexing="ij")
        checks = ((rows + columns) % 2) * ((columns // 2) % 10 == 0)
        x = torch.stack([rows / 256, columns / width, 0.5 * checks])[None].double()
        cases.append((x + level * draw(*x.shape, seed=4),))
    return cases


@exercise("denoising.sigma", edgy_pictures, tol=0.02, trait=lambda sigma, y: sigma * (abs(sigma) > 0.02),
          form=": the median is over all blocks", otherwise=(
    "v = (a - b - c + d) / 2 for each 2 x 2 block, then the median of |v| over all blocks, divided by 0.6745"))
def sigma(y):
    """A function y -> the noise level from the median of |diagonal Haar coefficients|; tried on y with edges.

    Overlapping blocks and other medians are as good: accepted within 2 %.
    """
    w = haar(y)
    median = w.abs().median()
    return {
        None: [median / QUARTILE, torch.stack([part.abs().median() for part in w[0]]).median() / QUARTILE],
        "your answer is the spread of the picture itself: take differences first, in which it hardly appears": y.std(),
        "edges count with their squares in a standard deviation: take the median of the absolute values":
            [w.std(), w.square().mean().sqrt()],
        "the median of |v| is 0.6745 sigma, not sigma: half of a normal variable's values lie within that": median,
        "your answer is upside down: the median is smaller than sigma, so divide it by 0.6745": median * QUARTILE,
        "a block's four numbers, with their signs, have a sum of variance 4 sigma^2, so divide it by 2":
            [median / 2 / QUARTILE, 2 * median / QUARTILE],
        "signs cancel: take the absolute values before the median": w.median() / QUARTILE,
        "your answer is right on noise alone, but y contains the picture as well: take the diagonal differences of "
        "its 2 x 2 blocks":
            (y - y.median()).abs().median() / QUARTILE,
    }


def two_maps():
    """(h, y, b, eps) with a linear h and with one that is not."""
    J = draw(105, 105, seed=3) / 10
    maps = (lambda v: (J @ v.flatten()).reshape(v.shape), 1e-3), (lambda v: v**2 + 0.5, 1e-4)
    return [(h, draw(1, 3, 5, 7, seed=seed), draw(1, 3, 5, 7, seed=seed + 1), eps)
            for seed, (h, eps) in enumerate(maps, start=1)]


@exercise("denoising.divergence", two_maps, lambda ours, h, y, b, eps: (
    f"wrong for a map that is {'not ' if float(h(0 * y).abs().max()) else ''}linear: take the probe's inner product "
    "with (h(y + eps b) - h(y)) / eps"), tol=1e-2, form=": sum over all pixels")
def divergence(h, y, b, eps):
    """A function (h, y, b, eps) -> <b, h(y + eps b) - h(y)> / eps: the divergence of h, estimated by the probe b.

    Accepted within 1 %: differences to one side or to both.
    """
    ahead = h(y + eps * b)
    change = ahead - h(y)
    return {
        None: (b * change).sum() / eps,
        "divide by eps: the change is eps times a derivative": (b * change).sum(),
        "your answer is the mean over the pixels: the divergence is a sum of derivatives, of size m and not 1":
            (b * change).mean() / eps,
        "the probe is missing: only with <b, J b> do the entries outside of the diagonal cancel on average":
            change.sum() / eps,
        "the sign is wrong: the value at y + eps b minus the value at y": -(b * change).sum() / eps,
        "a derivative is a difference: subtract h(y)": [(b * ahead).sum() / eps, (b * h(eps * b)).sum() / eps],
        "that subtracts y: the change of h is h(y + eps b) minus h(y)": (b * (ahead - y)).sum() / eps,
        "the step must be small, y + eps b: h need not be linear": (b * (h(y + b) - h(y))).sum(),
    }


@exercise("denoising.sure", [(70.0, 250.0, 0.3, 1000), (4.0, 10.0, 2.0, 50), (0.0, 50.0, 0.1, 50)], (
    "||h - x||^2 = ||h - y||^2 + 2 <h - y, n> + ||n||^2, with E<y, n> = E||n||^2 = m sigma^2"), tol=1e-4)
def sure(residual, divergence, noise_std, m):
    """A function (residual, divergence, noise_std, m) -> residual - m sigma^2 + 2 sigma^2 divergence."""
    noise, pull = m * noise_std**2, 2 * noise_std**2 * divergence
    return {
        None: residual - noise + pull,
        "your answer is the error per pixel: here the sum over all of them is asked for, ||h(y) - x||^2":
            (residual - noise + pull) / m,
        "the divergence is missing: h(y) depends on the noise, so <h(y), n> is not 0 on average": residual - noise,
        "test it with h(y) = y: residual 0, divergence m, and the error is m sigma^2, not 2 m sigma^2": residual + pull,
        "test it with h(y) = y: residual 0, divergence m, and the error is m sigma^2, not 0":
            residual - noise + pull / 2,
        "the sign is wrong: what follows the noise (a positive divergence) looks better in the residual than it is":
            residual - noise - pull,
        "your answer is right for the error against a second picture with fresh noise, not against x: mind both signs":
            residual + noise - pull,
        "sigma must be squared in both terms": residual - m * noise_std + 2 * noise_std * divergence,
    }


def target_first(pair, y, z, lam):
    """The target t if it is wrong, else c."""
    t, c = pair
    return c if all_close(t, (y + lam * z) / (1 + lam), 1e-4) else t


@exercise("denoising.target", lambda: [(draw(1, 3, 4, 5, seed=seed), draw(1, 3, 4, 5, seed=seed + 1), lam)
                                       for seed, lam in enumerate((4.0, 0.25, 0.0), start=1)],
          lambda pair, *case: ("set the gradient 2 (f - y) + 2 lam (f - z) to zero: its solution f is t"
                               if as_tensor(target_first(pair, *case)).ndim else
                               "c does not depend on f, so put in f = t: what the loss is there is c"),
          tol=1e-4, trait=target_first, stepwise=True, form=", (t, c): an image of the shape of y, and a number")
def target(y, z, lam):
    """A function (y, z, lam) -> (t, c) with ||f - y||^2 + lam ||f - z||^2 = (1 + lam) ||f - t||^2 + c for every f."""
    t, gap = (y + lam * z) / (1 + lam), (y - z).square().sum()
    c = lam / (1 + lam) * gap
    return {
        None: (t, c),
        "the weights are swapped: lam pulls to z, and with lam = 0 the target must be y":
            ((z + lam * y) / (1 + lam), c),
        "the weights 1 and lam must add up to 1: divide by 1 + lam": (y + lam * z, c),
        "your answer is right for lam = 1 alone: y has the weight 1 and z the weight lam": ((y + z) / 2, c),
        "your answer is the loss at f = y: put in f = t, where the loss is c": (t, lam * gap),
        "the two distances are not both 0 at f = t unless z = y: put f = t into the loss, it gives c": (t, 0.0),
        "put f = t into the loss: t - y = lam (z - y) / (1 + lam) and t - z = (y - z) / (1 + lam)":
            [(t, gap / (1 + lam)), (t, gap)],
    }


@exercise("denoising.sure:pixel", [(70.0, 250.0, 0.3, 1000), (4.0, 10.0, 2.0, 50), (0.0, 50.0, 0.1, 40)], (
    "||h - x||^2 = ||h - y||^2 + 2 <h - y, n> + ||n||^2, with E<y, n> = E||n||^2 = m sigma^2; then divide by m"),
          tol=1e-4,
          instead="estimate the mean squared error of a pixel, E ||h(y) - x||^2 / m, not the sum over all of them",
          solution="lambda residual, divergence, noise_std, m: residual / m - noise_std**2 + 2 * noise_std**2 * "
                   "divergence / m")
def sure_of_a_pixel(residual, divergence, noise_std, m):
    """A function (residual, divergence, noise_std, m) -> residual / m - sigma^2 + 2 sigma^2 divergence / m."""
    noise, pull = m * noise_std**2, 2 * noise_std**2 * divergence
    return {
        None: (residual - noise + pull) / m,
        "your answer is the sum over all pixels: here the mean squared error of one is asked for":
            residual - noise + pull,
        "the residual is a sum over all pixels as well: so divide it by m": residual - (noise - pull) / m,
        "the divergence is a sum over the pixels: divide it by m as well": (residual - noise) / m + pull,
        "the divergence is missing: h(y) depends on the noise, so <h(y), n> is not 0 on average":
            (residual - noise) / m,
        "test it with h(y) = y: residual 0, divergence m, and the error is sigma^2, not 2 sigma^2":
            (residual + pull) / m,
        "test it with h(y) = y: residual 0, divergence m, and the error is sigma^2, not 0":
            (residual - noise + pull / 2) / m,
        "the sign is wrong: what follows the noise (a positive divergence) looks better in the residual than it is":
            (residual - noise - pull) / m,
        "sigma must be squared in both terms": (residual - m * noise_std + 2 * noise_std * divergence) / m,
    }
