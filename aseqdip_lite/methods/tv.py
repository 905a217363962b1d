"""Total variation, min over x of 1/2 ||A x - y||^2 + lamda TV(x), for every task.

`solve_tv` chooses the solver by the type of the operator A. Gradient descent serves every differentiable A; a file
with a better solver for its operator registers it, with its defaults of `lamda` and `iterations`:

    @solve_tv.register(MyOperator)
    def _(A, observation, lamda=1e-2, iterations=100):
        ...                      # returns the image (1, *A.in_shape) in the units of observation.y
"""

from dataclasses import dataclass
from functools import singledispatch
from typing import ClassVar

import torch

from ..operators.mri import MRIOperator
from ..settings import setting
from . import register
from .base import square_norm
from .classic import Classic, solve_with_sigpy

EPSILON = 0.01  #: rounding of the corner of the norm in `total_variation`, in units where the image is of size about 1


@register
@dataclass(frozen=True)
class TV(Classic):
    """Total variation regularisation, min 1/2 ||A x - y||^2 + lamda TV(x), by the solver that A calls for.

    Linear A: see the solvers in `classic`, `classic_ct` and `classic_images`. Any other A:
    gradient descent on a rounded TV (`descend_tv`), which finds a stationary point.
    """

    name: ClassVar[str] = "tv"
    about: ClassVar[str] = "total variation regularisation"
    tasks: ClassVar[None] = None

    lamda: float | None = setting(None, "weight of the total variation, in units where the image is of size about 1; "
                                  "by default the solver's own", low=0.0)
    iterations: int | None = setting(None, "iterations of the solver; by default the solver's own", low=1)

    def solve(self, observation):
        given = {name: value for name, value in self.to_dict().items() if value is not None}
        return solve_tv(observation.A, observation, **given)


def total_variation(x):
    """Isotropic TV of (B, C, H, W): sum of sqrt(|dx/drow|^2 + |dx/dcolumn|^2 + EPSILON^2) - EPSILON, a scalar.

    Forward differences, zero across the lower and right border, summed over channels; `EPSILON` makes it
    differentiable where the image is flat.
    """
    rows = torch.nn.functional.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    columns = torch.nn.functional.pad(x[..., :, 1:] - x[..., :, :-1], (0, 1))
    squares = rows.abs().square() + columns.abs().square()
    return ((squares + EPSILON**2).sqrt() - EPSILON).sum()


def descend_tv(A, y, start, lamda, iterations):
    """Gradient descent on 1/2 ||A(x) - y||^2 + lamda TV(x) from `start`, for any differentiable A.

    The step is halved until the objective falls by at least a tenth of what its slope promises (Armijo) and doubled
    after each success. The search ends early where no step down to 1e-12 lowers the objective.

    Args:
        A: operator; y: (1, *A.out_shape); start: (1, *A.in_shape), real or complex.
        lamda, iterations: weight of TV, number of descent steps.

    Returns:
        (image, objectives): the last image and the objective at the start and after each step.
    """
    def objective(x):
        return 0.5 * square_norm(A(x) - y) + lamda * total_variation(x)

    x, step = start.detach(), 1.0
    history = [float(objective(x))]
    for _ in range(iterations):
        x = x.requires_grad_()
        gradient, = torch.autograd.grad(objective(x), x)
        x, slope = x.detach(), float(square_norm(gradient))
        while True:
            ahead = x - step * gradient
            value = float(objective(ahead))
            if value <= history[-1] - 0.1 * step * slope:
                break
            step /= 2
            if step < 1e-12:
                return x, history
        x, step = ahead, 2 * step
        history.append(value)
    return x, history


@singledispatch
def solve_tv(A, observation, lamda=0.015, iterations=100):
    """The TV image (1, *A.in_shape) of an observation; here for any differentiable A, from z_0, by `descend_tv`."""
    return descend_tv(A, observation.y, observation.start, lamda, iterations)[0]


@solve_tv.register(MRIOperator)
def _(A, observation, lamda=2e-3, iterations=300):
    """Primal-dual steps with anisotropic TV and periodic borders (Block et al., MRM 2007; sigpy).

    The dual step 10 lamda is of the size of the dual variables, which lie in [-lamda, lamda]; with
    sigpy's own, 1, a hundred iterations end some 4 dB short of where they are heading.
    """
    from sigpy.mri.app import TotalVariationRecon
    return solve_with_sigpy(TotalVariationRecon, observation, lamda, iterations, sigma=10 * lamda)
