"""What samplers with a denoiser as their prior share: noise levels, the denoiser in a case's units, steps, and CGLS.

All noise is added to images of one size ("variance exploding", VE): at level s a sample is x_s = x_0 + s z with z ~
N(0, I). The images u_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) z of DDPM ("variance preserving", VP) are the same ones in
another size: u_t = sqrt(abar_t) x_s with abar_t = 1 / (1 + s^2). So one denoiser and one chain serve both families, and
all follows from D(x; s) ~ E[x_0 | x_s = x]: the noise z is (x - D) / s, the score (D - x) / s^2 (Tweedie).

Real images have noise of standard deviation s in each value, complex ones s in the real and s in the imaginary part.
Samples are a batch (n, C, H, W); norms and inner products are those of each sample, (n, 1, 1, 1).
"""

import math

import numpy as np
import torch

from ..case import robust_peak
from ..operators.ct import CTOperator
from ..operators.projectors import fbp
from . import denoiser
from .weights import compared, facts

HIGHEST = denoiser.GREATEST  #: noise level that sampling begins at; an image's energy is some 1000 times below it
LOWEST = 0.01  #: level of the last noise, as in DDPM and Score-MRI
NOMINAL = 0.003  #: noise level of y where it is unknown, and at least that in CT, whose data do not fit A exactly
DIM = 1.2  #: by which the peak of |A^H y| is too small where k-space is undersampled: 1.1 to 1.5 on tuning images


class Prior:
    """A denoiser in the units of an observation: prior(x, s) ~ E[x_0 | x_s = x] for (n, C, H, W) and a number s.

    The denoiser knows images of size about 1 without an offset. So it is called on (x + offset) / unit. A denoiser of
    three channels sees a gray picture as a colour one with equal channels. Their common noise of level s becomes white
    noise of level sqrt(3) s on each by the noise sqrt(3) s `tint`, which has the mean 0 over the channels.

    Args:
        denoiser: D(x, s), with its `sd`, the standard deviation of its images.
        unit: size of the observation's images, in its units; offset: as in `Observation`, (C, 1, 1) or a number.
        tint: (1, 3, H, W) standard normal less its mean over the channels, for gray pictures; else None.
    """

    def __init__(self, denoiser, unit=1.0, offset=0.0, tint=None):
        self.denoiser, self.unit, self.offset, self.tint = denoiser, unit, offset, tint

    @property
    def sd(self):
        """Standard deviation of an image in the observation's units."""
        return self.unit * float(self.denoiser.sd)

    def __call__(self, x, s):
        image, level = (x + self.offset) / self.unit, s / self.unit
        if self.tint is None:
            return self.unit * self.denoiser(image, level) - self.offset
        level = 3**0.5 * level
        return self.unit * self.denoiser(image + level * self.tint, level).mean(dim=1, keepdim=True) - self.offset


def kind_of(observation):
    """The kind of an observation's images, "mri", "ct" or "pictures", which says whose denoiser fits them."""
    return "ct" if isinstance(observation.A, CTOperator) else "mri" if observation.A.in_complex else "pictures"


def trained_prior(observation):
    """The `Prior` of the denoiser that was trained on images of the observation's kind."""
    start, tint = observation.start, None
    if kind_of(observation) == "pictures" and start.shape[1] == 1:
        tint = torch.randn((1, 3, *start.shape[2:]), generator=torch.Generator().manual_seed(0)).to(start)
        tint = tint - tint.mean(dim=1, keepdim=True)
    network = denoiser.load(kind_of(observation)).to(start.device)
    offset = torch.as_tensor(observation.offset).reshape(-1, 1, 1).to(start.device, start.real.dtype)
    return Prior(network, unit_of(observation), offset, tint)


def remarks(observation):
    """One sentence, in a list: what the denoiser was trained on, and what is unlike that in an observation."""
    known, start = facts(f"denoiser-{kind_of(observation)}"), observation.start
    told, unlike = known["trained_on"], []
    if start.shape[2:] != (told["size"], told["size"]):
        unlike.append(" x ".join(map(str, start.shape[2:])) + " pixels")
    return compared(f"the prior was trained on {told['image']}: {told['size']} x {told['size']} pixels", unlike)


def unit_of(observation):
    """Size of the images of an observation in its units, from y alone: their 99.5th percentile of magnitude, roughly.

    In MRI it is that of |A^H y| times `DIM`, in CT that of the filtered back-projection without its negative values.
    Pictures are in their unit.
    """
    A, y = observation.A, observation.y
    if kind_of(observation) == "ct":
        return robust_peak(fbp(A.projector, y / A.factor).clamp(min=0))
    return DIM * robust_peak(A.adjoint(y)) if kind_of(observation) == "mri" else 1.0


def noise_of(observation):
    """Standard deviation of y's noise, as in `Observation`; `NOMINAL` where it is unknown, and at least that in CT."""
    least = NOMINAL if isinstance(observation.A, CTOperator) else 0.0
    return NOMINAL if observation.noise_std is None else max(observation.noise_std, least)


def ddpm_levels(steps, highest=HIGHEST):
    """Noise levels of `steps` steps of DDPM, a list of steps + 1 numbers, from `highest` down, and 0 at the end.

    DDPM's own are s_t = sqrt((1 - abar_t) / abar_t), abar_t the product of 1 - beta up to t, beta from 1e-4 to 0.02 in
    1000 steps (Ho, Jain and Abbeel, NeurIPS 2020). Of those up to `highest` `steps` are taken at equal distances of t;
    between two of them s is interpolated geometrically.
    """
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
    s = ((1 - kept) / kept).sqrt().numpy()
    last = np.interp(math.log(highest), np.log(s), np.arange(1000))
    times = np.linspace(last, 0, steps) if steps > 1 else np.array([last])
    return [*np.exp(np.interp(times, np.arange(1000), np.log(s))).tolist(), 0.0]


def geometric_levels(steps, highest=HIGHEST, lowest=LOWEST):
    """Noise levels from `highest` to `lowest`, a list of steps + 1 numbers, each the same share of the one before."""
    return np.geomspace(highest, lowest, steps + 1).tolist()


def normal(like, generator):
    """White noise of standard deviation 1 in each real component, drawn on the CPU, in the kind and shape of `like`."""
    noise = torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
    return 2**0.5 * noise if like.is_complex() else noise


def norms(x):
    """||x|| of each sample, (n, 1, 1, 1) real; differentiable where it is not 0."""
    x = torch.view_as_real(x).flatten(-2) if x.is_complex() else x
    return x.flatten(1).norm(dim=1)[:, None, None, None]


def score(x, x0, s):
    """grad log p_s(x) = (x0 - x) / s^2 for the denoised x0 = D(x; s): Tweedie's formula (Robbins, 1956)."""
    return (x0 - x) / s**2


def predict(x, x0, s, lower, noise):
    """From level s to `lower` by a step of the reverse VE-SDE: x + (s^2 - lower^2) score + sqrt(s^2 - lower^2) noise.

    Source: Song et al., Score-Based Generative Modeling through SDEs, ICLR 2021, algorithm 2.
    """
    width = s**2 - lower**2
    return x + width * score(x, x0, s) + width**0.5 * noise


def correct(x, x0, s, noise, ratio):
    """One Langevin step at level s: x + e g + sqrt(2 e) noise, g the score and e = 2 (ratio ||noise|| / ||g||)^2.

    Source: Song et al., ICLR 2021, algorithm 4. There the norms are means over the batch, here those of each sample.
    """
    slope = score(x, x0, s)
    size = 2 * (ratio * norms(noise) / norms(slope)) ** 2  # (n, 1, 1, 1)
    return x + size * slope + (2 * size) ** 0.5 * noise


def ancestral(x, x0, s, lower, noise):
    """From level s to `lower` by a draw from q(x_lower | x_s = x, x_0 = x0), N(x0 + c (x - x0), (1 - c) lower^2).

    c = lower^2 / s^2. It is DDPM's step with the posterior's variance (Ho, Jain and Abbeel, NeurIPS 2020, equations 6
    and 7) for u_t = sqrt(abar_t) x_s.
    """
    share = lower**2 / s**2
    return x0 + share * (x - x0) + (1 - share) ** 0.5 * lower * noise


@torch.enable_grad()
def slope(prior, x, s, misfit):
    """(D(x; s), grad_x of the norm of `misfit` of it), both (n, C, H, W) and without their graph, for each sample.

    The norm itself, not its square; its gradient is 0 where it is 0. Of a complex x it is the direction of ascent.
    """
    x = x.detach().requires_grad_()
    x0 = prior(x, s)
    gradient, = torch.autograd.grad(norms(misfit(x0)).sum(), x)
    return x0.detach(), gradient


def least_squares(A, y, iterations, damping=0.0, start=None):
    """The iterate (n, *A.in_shape) of CGLS for the minimum of ||A x - y||^2 + damping ||x||^2, sample by sample.

    Its limit is (A^H A + damping I)^-1 A^H y; with damping 0, from 0, A^+ y, the least-squares image of least norm.
    Stopping early damps, too. A sample that has arrived stays as it is.

    Source: Hestenes and Stiefel, J. Res. Nat. Bur. Standards 49, 1952, on the normal equations without forming them.

    Args:
        A: LinearOperator. y: (n, *A.out_shape). damping: a number, at least 0.
        start: (n, *A.in_shape); None is 0.
    """
    if start is None:
        residual, slope = y, A.adjoint(y)
        x = torch.zeros_like(slope)
    else:
        x, residual = start, y - A(start)
        slope = A.adjoint(residual) - damping * x
    direction, size = slope, norms(slope) ** 2
    least = torch.finfo(slope.dtype).eps ** 2 * size  # below it is rounding
    for _ in range(iterations):
        ahead = A(direction)
        along = norms(ahead) ** 2 + damping * norms(direction) ** 2
        step = torch.where(size > least, size / along, 0.0)
        x = x + step * direction
        residual = residual - step.reshape(-1, *[1] * (ahead.ndim - 1)) * ahead  # step (n, 1, 1, 1)
        slope, last = A.adjoint(residual) - damping * x, size
        size = norms(slope) ** 2
        direction = slope + torch.where(last > least, size / last, 0.0) * direction
    return x
