"""MCG: manifold constrained gradients for CT (Chung, Sim, Ryu and Ye, NeurIPS 2022)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..learned import sampling
from ..operators.projectors import fbp
from ..settings import setting
from . import register
from .sampler import Sampler

NULL_CG = 20  #: conjugate gradient iterations of the projection onto the null space


@register
@dataclass(frozen=True)
class MCG(Sampler):
    """MCG: Score-MRI's sampler, its corrector joined by a gradient through the denoiser. From level s to s':

        x <- predict,   G = (I - A^+ A) w grad_x ||B (y - A D(x; s'))||,   x <- P(Langevin step of x) - G,

    B the filtered back-projection and P the data step. G is projected onto the null space of A, where the data step
    does not undo it: what the data say of the image reaches its unmeasured part through the denoiser.

    `data_step` "sirt", as published: P x = x + lam A^T (y - A x) / A^T A 1, lam falling linearly from 1 to `lam_end`.
    "cg": P x minimises ||A x' - y||^2 / sigma_y^2 + ||x' - x||^2 / s'^2, by conjugate gradients; so it moves x less
    and less as the noise of x vanishes.

    Published setting: 2000 levels from 378 to 0.01, ratio 0.16, w 0.1 for images of 256 x 256 in [0, 1], lam to 0.6, 30
    views; the projection by the 180 views of a full scan; the answer is the last noisy image. Ours: fewer levels, from
    10 to 0.01, the projection by conjugate gradients on A, w counted for an image's root mean square, as in DPS, and D
    of the last image, after a data step, as the answer.
    """

    name: ClassVar[str] = "mcg"
    about: ClassVar[str] = "score-based sampling with a gradient along the image manifold (NeurIPS 2022)"
    tasks: ClassVar[tuple[str, ...]] = ("ct",)
    limit: ClassVar[str] = "it needs the filtered back-projection of CT"
    guided: ClassVar[bool] = True
    _schedule: ClassVar = staticmethod(sampling.geometric_levels)

    steps: int = setting(150, "noise levels, from pure noise to 0.01", low=1)
    ratio: float = setting(0.16, "size of the corrector's drift to that of its noise", low=0.0, high=10.0)
    w: float = setting(0.001, "weight of the gradient through the denoiser", low=0.0)
    data_step: str = setting("cg", "how the data enter: by conjugate gradients, or by SIRT as published",
                             choices=("cg", "sirt"))
    cg: int = setting(8, "conjugate gradient iterations of each data step", low=1)
    lam_end: float = setting(0.6, "weight of the last data step of sirt; the first has 1", low=0.0, high=1.0)

    def move(self, observation, carry, s, lower):
        """The samples at the level `lower`, and their denoised images there after a data step."""
        A, y, D, x = observation.A, observation.y, carry.network, carry.z
        with torch.no_grad():
            x = sampling.predict(x, D(x, s), s, lower, self.noise(carry))
        x0, G = sampling.slope(D, x, lower, lambda x0: fbp(A.projector, (y - A(x0)) / A.factor))
        G = self.w * x[0].numel() ** 0.5 * null_part(A, G)
        x = sampling.correct(x, x0, lower, self.noise(carry), self.ratio)
        return self.with_data(observation, carry, x, lower) - G, self.with_data(observation, carry, x0, lower)

    def with_data(self, observation, carry, x, s):
        """P x, see above, (n, 1, N, N)."""
        A, y = observation.A, observation.y
        if self.data_step == "cg":
            return x + sampling.least_squares(A, y - A(x), self.cg, (sampling.noise_of(observation) / s) ** 2)
        lam = 1 + (self.lam_end - 1) * carry.step / max(self.steps - 1, 1)
        sums = A.adjoint(A(torch.ones_like(x[:1])))
        return x + lam * A.adjoint(y - A(x)) * torch.where(sums > 0, 1 / sums, 0.0)


def null_part(A, x, iterations=NULL_CG):
    """x without what A sees of it, x - A^+ A x, by so many conjugate gradient iterations: (n, *A.in_shape)."""
    return x - sampling.least_squares(A, A(x), iterations)
