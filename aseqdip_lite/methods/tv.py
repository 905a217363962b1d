"""Total variation, min over x of 1/2 ||A x - y||^2 + lamda TV(x), for every task.

`solve_tv` chooses the solver by the type of the operator A: primal-dual steps (`primal_dual`) where A is linear,
gradient descent (`descend_tv`) where it is only differentiable. A file whose operator needs another start, or other
steps, registers that:

    @solve_tv.register(MyOperator)
    def _(A, observation, lamda, iterations=100):
        ...                      # returns the image (1, *A.in_shape) in the units of observation.y
"""

from dataclasses import dataclass
from functools import singledispatch
from typing import ClassVar

import torch

from ..operators import LinearOperator, Mask
from ..settings import setting
from . import register
from .base import square_norm
from .classic import Classic

EPSILON = 0.01  #: rounding of the corner of the norm in `total_variation`, in units where the image is of size about 1
DUAL_STEP = 3.0  #: step of the dual variables of TV, vectors of length at most 1, where the image is of size about 1
RELAXATION = 1.8  #: over-relaxation of the primal-dual steps, below 2


@register
@dataclass(frozen=True)
class TV(Classic):
    """Total variation, min 1/2 ||A x - y||^2 + lamda sqrt(C) TV(x), C channels (Rudin, Osher, Fatemi, Physica D 1992).

    TV is isotropic, without differences across the border, and couples the channels of a colour picture (`gradient`).
    With sqrt(C) three equal channels have the answer of the gray picture, so one lamda suits both. Linear A:
    primal-dual steps, which find the minimum; in CT over x >= 0, since attenuation is not negative; lamda 0 is then the
    limit of small weights, the image of least TV with A x = y. Any other A: gradient descent on a rounded TV
    (`descend_tv`), which finds a stationary point, and has no TV at all with lamda 0.
    """

    name: ClassVar[str] = "tv"
    about: ClassVar[str] = "total variation regularisation"
    tasks: ClassVar[None] = None

    lamda: float | None = setting(None, "weight of the total variation, in units where the image is of size about 1; "
                                  "by default strength times the noise level", low=0.0)
    strength: float = setting(0.7, "weight of the total variation in noise levels, if no lamda is given", low=0.0)
    iterations: int | None = setting(None, "iterations of the solver; by default the solver's own", low=1)

    def solve(self, observation):
        lamda = self.strength * (observation.noise_std or 0.0) if self.lamda is None else self.lamda
        own = {} if self.iterations is None else dict(iterations=self.iterations)
        return solve_tv(observation.A, observation, lamda * observation.start.shape[1] ** 0.5, **own)


def gradient(x):
    """Forward differences of (B, C, H, W): (2, B, C, H, W), along rows and columns, 0 across the far borders.

    TV(x) is the sum over pixels of the length of the differences of all channels together, a matrix of 2 x C in the
    Frobenius norm: vectorial TV (Bresson and Chan, Inverse Problems and Imaging 2, 2008). One edge in all channels
    costs less than an edge in each at another place. Of complex images the magnitudes of the differences count.
    """
    g = x.new_zeros((2, *x.shape))
    g[0, ..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
    g[1, ..., :-1] = x[..., 1:] - x[..., :-1]
    return g


def gradient_adjoint(p):
    """The adjoint of `gradient`: (2, B, C, H, W) -> (B, C, H, W). Entries of p across the far borders are left out."""
    x = p.new_zeros(p.shape[1:])
    x[..., 1:, :] += p[0, ..., :-1, :]
    x[..., :-1, :] -= p[0, ..., :-1, :]
    x[..., 1:] += p[1, ..., :-1]
    x[..., :-1] -= p[1, ..., :-1]
    return x


def lengths(g):
    """Frobenius norm over directions and channels of (2, B, C, H, W): (1, B, 1, H, W) real."""
    return g.abs().square().sum(dim=(0, 2), keepdim=True).sqrt()


def total_variation(x):
    """TV of (B, C, H, W), a scalar: sum over pixels of sqrt(length of the `gradient`^2 + EPSILON^2) - EPSILON.

    `EPSILON` makes it differentiable where the image is flat.
    """
    squares = gradient(x).abs().square().sum(dim=(0, 2))
    return ((squares + EPSILON**2).sqrt() - EPSILON).sum()


def primal_dual(A, y, start, lamda, iterations, nonnegative=False, data_step=30.0):
    """argmin over x of 1/2 ||A x - y||^2 + lamda TV(x), or over x >= 0, by over-relaxed primal-dual steps.

    Chambolle and Pock (J. Math. Imaging Vis. 40, 2011, algorithm 1; relaxed as by Condat, J. Optim. Theory Appl. 158,
    2013, algorithm 3.1) on the saddle point of <A x - y, q> - lamda/2 ||q||^2 + <gradient(x), p>, |p| <= 1 at each
    pixel, where q becomes (A x - y) / lamda. With lamda 0 that is the least TV with A x = y. The primal step
    1 / (data_step + 8 DUAL_STEP) is small enough for ||A|| <= 1, since the squared norm of the gradient is below 8.

    Args:
        A: LinearOperator with ||A|| <= 1, real or complex; y: (1, *A.out_shape); start: (1, *A.in_shape).
        lamda, iterations: weight of TV, number of steps. nonnegative: whether x >= 0 is asked for; x is then real.
        data_step: dual step of the data term; small singular values of A converge faster with a larger one.

    Returns:
        (x, q, p): the image and the dual variables, like y and like `gradient(x)`.
    """
    step = 1 / (data_step + 8 * DUAL_STEP)
    x, q, p = start, torch.zeros_like(y), torch.zeros_like(gradient(start))
    for _ in range(iterations):
        image = x - step * (A.adjoint(q) + gradient_adjoint(p))
        if nonnegative:
            image = image.clamp(min=0)
        ahead = 2 * image - x
        data = (q + data_step * (A(ahead) - y)) / (1 + data_step * lamda)
        edges = p + DUAL_STEP * gradient(ahead)
        edges = edges / lengths(edges).clamp(min=1)
        x, q, p = (old + RELAXATION * (new - old) for old, new in ((x, image), (q, data), (p, edges)))
    return image, data, edges


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
        uphill, = torch.autograd.grad(objective(x), x)
        x, slope = x.detach(), float(square_norm(uphill))
        while True:
            ahead = x - step * uphill
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
def solve_tv(A, observation, lamda, iterations=200):
    """The TV image (1, *A.in_shape) of an observation; here for any differentiable A, from z_0, by `descend_tv`."""
    return descend_tv(A, observation.y, observation.start, lamda, iterations)[0]


@solve_tv.register(LinearOperator)
def _(A, observation, lamda, iterations=150):
    """Primal-dual steps from z_0."""
    return on_data(A, observation.y, primal_dual(A, observation.y, observation.start, lamda, iterations)[0], lamda)


@solve_tv.register(Mask)
def _(A, observation, lamda, iterations=600):
    """Primal-dual steps from y with the hole at the mean of each channel's known pixels.

    The data step is small: a mask has no singular values between 0 and 1, and the way into a large hole is long.
    """
    y, known = observation.y, A(torch.ones_like(observation.y))
    mean = y.sum(dim=(-2, -1), keepdim=True) / known.sum(dim=(-2, -1), keepdim=True)
    return on_data(A, y, primal_dual(A, y, y + (1 - known) * mean, lamda, iterations, data_step=3.0)[0], lamda)


def on_data(A, y, x, lamda):
    """x, where lamda is 0 after a step x + A^H (y - A x), which ends at A x = y exactly if A is a mask or I."""
    return x if lamda else x + A.adjoint(y - A(x))
