"""Harmonic in-painting: the hole is the solution of Laplace's equation between the pixels that are known."""

from dataclasses import dataclass
from typing import ClassVar

from ..tasks.inpainting import harmonic
from . import register
from .classic import Classic


@register
@dataclass(frozen=True)
class Harmonic(Classic):
    """Harmonic in-painting: the hole solves Laplace x = 0, known pixels stay (Chan and Shen, SIAM J. Appl. Math. 2002).

    Every pixel of the hole is the mean of its neighbours (`tasks.inpainting.harmonic`), so it lies between the least
    and the greatest known pixel. Unlike the biharmonic filling it never overshoots, and it does not continue slopes
    into the hole.
    """

    name: ClassVar[str] = "harmonic"
    about: ClassVar[str] = "the filling of the hole as a membrane, Laplace x = 0"
    tasks: ClassVar[tuple[str, ...]] = ("inpainting",)
    limit: ClassVar[str] = "it fills a hole"

    def solve(self, observation):
        return harmonic(observation.y, observation.A.mask)
