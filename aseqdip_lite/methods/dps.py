"""DPS: guidance by the gradient of the data's misfit through the denoiser (Chung et al., ICLR 2023)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from ..learned import sampling
from ..settings import setting
from . import register
from .sampler import Sampler


@register
@dataclass(frozen=True)
class DPS(Sampler):
    """DPS, diffusion posterior sampling: an ancestral step from level s to s', and a step down the misfit's slope,

        x <- x' - zeta_s grad_x ||y - A D(x; s)||,   x' ~ q(x_s' | x_s = x, x_0 = D(x; s))   (`learned.sampling`).

    It is the norm's gradient, not that of its square, so a step's length does not depend on how far off the data are.
    Any differentiable A will do, the nonlinear blur among them. In the published chain u = sqrt(abar) x, abar = 1 /
    (1 + s^2), the weight is a constant, so here zeta_s = zeta sqrt((1 + s^2) (1 + s'^2)) in the prior's unit of x.

    However many pixels there are, the norm's gradient is about as long. So zeta is counted as a change of the image's
    root mean square, and for 1000 steps: the weight in the equation is zeta sqrt(C H W) sqrt(1000 / steps).

    Published setting: 1000 steps of the DDPM levels with learned variances, weight 0.3 to 1 for pictures of 256 x 256
    in [-1, 1], which is a zeta of 0.0003 to 0.001 for pictures in [0, 1]. Ours: fewer steps with a larger zeta, the
    levels above 10 left out, the posterior's variance, no clipping of D, and the last D as the answer.
    """

    name: ClassVar[str] = "dps"
    about: ClassVar[str] = "diffusion posterior sampling, data by a gradient through D (ICLR 2023)"
    guided: ClassVar[bool] = True

    steps: int = setting(200, "noise levels, from pure noise to none", low=1)
    zeta: float = setting(0.02, "weight of the data's gradient in each step, for 1000 steps", low=0.0)

    def move(self, observation, carry, s, lower):
        """The samples at the level `lower`, and their denoised images at the level s."""
        x, unit = carry.z, carry.network.unit
        x0, slope = sampling.slope(carry.network, x, s, lambda x0: observation.y - observation.A(x0))
        weight = self.zeta * math.sqrt(1000 / self.steps * x[0].numel())
        size = weight * math.sqrt((unit**2 + s**2) * (unit**2 + lower**2)) / unit
        return sampling.ancestral(x, x0, s, lower, self.noise(carry)) - size * slope, x0
