"""Classic reconstructions of CT: filtered back-projection, SIRT, conjugate gradients, and how TV is solved there."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..learned.sampling import least_squares
from ..operators.ct import CTOperator
from ..operators.projectors import fbp
from ..settings import setting
from . import register
from .classic import Classic
from .tv import primal_dual, solve_tv


@register
@dataclass(frozen=True)
class FBP(Classic):
    """Filtered back-projection with the ramp filter, pi/views R^T ramp(y) (Kak and Slaney, 1988, section 3.3)."""

    name: ClassVar[str] = "fbp"
    about: ClassVar[str] = "filtered back-projection with the ramp filter"
    tasks: ClassVar[tuple[str, ...]] = ("ct",)
    limit: ClassVar[str] = "it inverts the projections of CT"

    def solve(self, observation):
        A = observation.A
        return fbp(A.projector, observation.y / A.factor)


@register
@dataclass(frozen=True)
class SIRT(Classic):
    """SIRT with x >= 0: x <- max(0, x + C A^T R (y - A x)) from x = 0, R and C the inverse row and column sums of A.

    Simultaneous iterative reconstruction (Gilbert, J. Theor. Biol. 36, 1972; in this form Gregor and Benson, IEEE TMI
    27, 2008): every ray hands its error back, shared out evenly along it. The limit minimises sum R (A x - y)^2 over
    x >= 0. Large structures come first and noise last, so stopping early regularises. A may have any factor: R and C
    take it out again.
    """

    name: ClassVar[str] = "sirt"
    about: ClassVar[str] = "SIRT: each ray spreads its error over its path, x >= 0"
    tasks: ClassVar[tuple[str, ...]] = ("ct",)

    iterations: int = setting(200, "iterations from x = 0; fewer give a smoother image", low=1)

    def solve(self, observation):
        return sirt(observation.A, observation.y, self.iterations)


@register
@dataclass(frozen=True)
class CGLS(Classic):
    """Least squares by conjugate gradients on A^T A x = A^T y from x = 0; the answer's negative values are set to 0.

    CGLS (Hestenes and Stiefel, J. Res. Nat. Bur. Standards 49, 1952). The iterations themselves know nothing of x >= 0:
    the k-th is the least-squares solution in the Krylov space of A^T y, ..., (A^T A)^(k-1) A^T y, and only the last one
    is clipped. Stopping early regularises, and after far fewer iterations than SIRT's.
    """

    name: ClassVar[str] = "cgls"
    about: ClassVar[str] = "least squares by conjugate gradients, stopped early, clipped at 0"
    tasks: ClassVar[tuple[str, ...]] = ("ct",)

    iterations: int = setting(15, "iterations from x = 0; fewer give a smoother image", low=1)

    def solve(self, observation):
        return least_squares(observation.A, observation.y, self.iterations).clamp(min=0)


def sirt(A, y, iterations):
    """The image (1, *A.in_shape) of `SIRT` for an A without negative entries; a pixel that no ray meets stays 0."""
    rows, columns = A(y.new_ones((1, *A.in_shape))), A.adjoint(torch.ones_like(y))
    R, C = (torch.where(sums > 0, 1 / sums, 0.0) for sums in (rows, columns))
    x = torch.zeros_like(columns)
    for _ in range(iterations):
        x = (x + C * A.adjoint(R * (y - A(x)))).clamp(min=0)
    return x


@solve_tv.register(CTOperator)
def _(A, observation, lamda, iterations=300):
    """Primal-dual steps over x >= 0 from the FBP."""
    start = FBP().solve(observation).clamp(min=0)
    return primal_dual(A, observation.y, start, lamda, iterations, nonnegative=True)[0]
