"""Score-MRI: a predictor, a Langevin corrector, and the data after each (Chung and Ye, Medical Image Analysis 2022)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..learned import sampling
from ..settings import setting
from . import register
from .sampler import Sampler


@register
@dataclass(frozen=True)
class ScoreMRI(Sampler):
    """Score-MRI: from level s to s' a step of the reverse diffusion, a Langevin step at s', and after each of them

        x <- x + lam A^H (y - A x)

    (`predict` and `correct` of `learned.sampling`). With normalised coil maps A^H A has norm 1, and lam = 1, which the
    run begins with, is the largest stable step; lam falls linearly to `lam_end`, so that noise of y stays out of the
    answer. The answer is D(x; s') at the last level, and a data step.

    The data put in are clean although x has noise of level s: that takes x off the noisy images that D knows. MCG and
    DPS answer to that.

    Published setting: 2000 levels, 500 in its multi-coil scripts, from 378 to 0.01, ratio 0.16; each coil image is
    sampled alone, with its measured k-space put in, and in one variant all with the maps at every 50th step. Ours: the
    given maps in every data step, levels from 10 to 0.01, and the corrector at the level s' that the predictor has
    reached, not at s.
    """

    name: ClassVar[str] = "score_mri"
    about: ClassVar[str] = "score-based sampling with a data step after each step (MedIA 2022)"
    tasks: ClassVar[tuple[str, ...]] = ("mri",)
    limit: ClassVar[str] = "it needs complex images and an A of norm 1, as in MRI"
    _schedule: ClassVar = staticmethod(sampling.geometric_levels)

    steps: int = setting(150, "noise levels, from pure noise to 0.01", low=1)
    ratio: float = setting(0.16, "size of the corrector's drift to that of its noise", low=0.0, high=10.0)
    lam_end: float = setting(1.0, "weight of the last data step; the first has 1", low=0.0, high=1.0)

    @torch.no_grad()
    def move(self, observation, carry, s, lower):
        """The samples at the level `lower`, and their denoised images there after a data step."""
        A, y, D, x = observation.A, observation.y, carry.network, carry.z
        lam = 1 + (self.lam_end - 1) * carry.step / max(self.steps - 1, 1)

        def with_data(image):
            return image + lam * A.adjoint(y - A(image))

        x = with_data(sampling.predict(x, D(x, s), s, lower, self.noise(carry)))
        x0 = D(x, lower)
        return with_data(sampling.correct(x, x0, lower, self.noise(carry), self.ratio)), with_data(x0)
