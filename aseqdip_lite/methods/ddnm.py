"""DDNM: the data's part of each denoised image is replaced (Wang, Yu and Zhang, ICLR 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..learned import sampling
from ..settings import setting
from . import register
from .sampler import Sampler


@register
@dataclass(frozen=True)
class DDNM(Sampler):
    """DDNM, denoising diffusion null-space model, in its damped form: from level s to s' (`learned.sampling`)

        x_0 = D(x; s),  x_0' = x_0 + (A^H A + d I)^-1 A^H (y - A x_0),  x <- x_0' + s' (eta z + sqrt(1 - eta^2) eps),

    eps = (x - x_0) / s, z fresh noise, d = sigma_y^2 / r^2, r^2 = s^2 sd^2 / (s^2 + sd^2). What A sees comes from the
    data, what it does not see, its null space, from the denoiser. Without noise in y, d = 0, the step is the published
    x_0' = x_0 + A^+ (y - A x_0), and A x_0' = y where y can be met. With noise, x_0' is the posterior mean for the
    prior N(x_0, r^2 I), r^2 the variance of x_0 given x_s where images have the variance sd^2. It stands for DDNM+,
    which needs the singular vectors of A; conjugate gradients stand for A^+.

    Where A sees nothing and the prior is white and Gaussian, the samples' variance tends to (1 + sqrt(1 - eta^2)) / 2
    of the prior's as the steps grow, 0.76 for eta 0.85: fresh noise makes the samples' spread too small. Only eta = 0
    keeps it.

    A nonlinear A has no A^+: DDNM is not defined for deblurring. The aSeqDIP paper prints a number of it there and does
    not say what stood for A^+.

    Published setting: 100 steps of the DDPM levels, eta 0.85, networks of ImageNet or faces. Ours: the same steps and
    eta, the levels above 10 left out, y in CT with a nominal noise of 0.3 %, as it does not fit A exactly.
    """

    name: ClassVar[str] = "ddnm"
    about: ClassVar[str] = "diffusion sampling, data put in by A^+, for a linear A (ICLR 2023)"
    tasks: ClassVar[tuple[str, ...]] = ("mri", "ct", "denoising", "inpainting")
    limit: ClassVar[str] = "a nonlinear A has no pseudo-inverse A^+"

    eta: float = setting(0.85, "share of fresh noise in each step's noise; 1 is all, 0 none", low=0.0, high=1.0)
    cg: int = setting(8, "conjugate gradient iterations of each A^+", low=1)

    @torch.no_grad()
    def move(self, observation, carry, s, lower):
        """The samples at the level `lower`, and their denoised images x_0' at the level s."""
        A, x, sd = observation.A, carry.z, carry.network.sd
        x0 = carry.network(x, s)
        damping = sampling.noise_of(observation) ** 2 * (1 / s**2 + 1 / sd**2)
        image = x0 + sampling.least_squares(A, observation.y - A(x0), self.cg, damping)
        fresh, kept = self.noise(carry), (x - x0) / s
        return image + lower * (self.eta * fresh + (1 - self.eta**2) ** 0.5 * kept), image
