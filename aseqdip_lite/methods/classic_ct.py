"""Classic reconstructions of CT: filtered back-projection, and the TV solver of the CT operator."""

import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from ..operators.ct import CTOperator
from ..operators.projectors import fbp
from . import register
from .classic import Classic
from .tv import solve_tv


@register
@dataclass(frozen=True)
class FBP(Classic):
    """Filtered back-projection with the ramp filter, pi/views R^T ramp(y) (Kak and Slaney, 1988, section 3.3)."""

    name: ClassVar[str] = "fbp"
    about: ClassVar[str] = "filtered back-projection with the ramp filter"
    tasks: ClassVar[tuple[str, ...] | None] = ("ct",)

    def solve(self, observation):
        A = observation.A
        return fbp(A.projector, observation.y / A.factor)


def as_sigpy(A):
    """A real LinearOperator on the CPU as a sigpy Linop, (*A.in_shape) -> (*A.out_shape) without batch axis."""
    from sigpy.linop import Linop

    class Wrapped(Linop):
        def __init__(self, operator):
            super().__init__(operator.out_shape, operator.in_shape)
            self.operator = operator

        def _apply(self, x):
            return self.operator(torch.from_numpy(np.ascontiguousarray(x))[None])[0].numpy()

        def _adjoint_linop(self):
            return Wrapped(self.operator.H)

    return Wrapped(A)


@solve_tv.register(CTOperator)
def _(A, observation, lamda=5e-4, iterations=300):
    """Primal-dual steps with anisotropic TV and periodic borders, from the FBP (sigpy).

    The dual step 30 lamda is of the size of the dual variables, which lie in [-lamda, lamda]: with
    sigpy's own, 1, far more iterations are needed for the small singular values of A.
    """
    import sigpy

    class RealL1(sigpy.prox.L1Reg):
        """Real for real arrays: numba takes sigpy's threshold for complex numbers if MRI was solved before."""

        def _prox(self, alpha, input):
            return np.real(super()._prox(alpha, input))

    operator, start = as_sigpy(A.to("cpu")), FBP().solve(observation)
    differences = sigpy.linop.FiniteDifference(A.in_shape, axes=(-2, -1))
    app = sigpy.app.LinearLeastSquares(
        operator, observation.y[0].cpu().numpy(), x=start[0].cpu().numpy(), G=differences,
        proxg=RealL1(differences.oshape, lamda), sigma=max(30 * lamda, 1e-3), max_iter=iterations,
        show_pbar=False)
    with warnings.catch_warnings():  # sigpy's soft threshold divides 0 by 0 and discards the result
        warnings.simplefilter("ignore", RuntimeWarning)
        return torch.from_numpy(app.run())[None].to(observation.y)
