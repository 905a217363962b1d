"""The 1D denoising problem of the theory, and full-batch gradient descent on it."""

import math
from typing import NamedTuple

import torch

from ...settings import InputError


class Signals(NamedTuple):
    """One draw of the 1D problem: truth, measurement y = x + n, and noise as an input; each (1, 1, n) float64."""

    x: torch.Tensor
    y: torch.Tensor
    noise: torch.Tensor


def sinusoid(n=100, *, periods=3, sigma=1.0, seed=0):
    """A sinusoid of amplitude 1 in noise N(0, sigma^2) (aSeqDIP paper, A.2, which does not give the periods)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.sin(2 * math.pi * periods * torch.arange(n, dtype=torch.float64) / n)[None, None]
    draw = torch.randn((2, 1, 1, n), generator=generator, dtype=torch.float64)
    return Signals(x, x + sigma * draw[0], draw[1])


def descend(f, params, z, y, beta, adam=False):
    """Yield (f(z), weights) before the first step and after each one of gradient descent on 1/2 ||f(z) - y||^2 (Eq. 7).

    Args:
        f, params: a function f(params, z) and its initial weights, which are not changed (see `nets.as_function`).
        z, y: input and target; y has the shape of the output.
        beta: learning rate.
        adam: Adam with the usual memory (0.9, 0.999) in place of gradient descent.

    Endless: leave the loop to stop. The output is detached; the weights are the ones in use, which the next step
    changes.
    """
    weights = {name: p.clone().requires_grad_() for name, p in params.items()}
    parts = list(weights.values())
    optimiser = torch.optim.Adam(parts, lr=beta) if adam else None
    while True:
        output = f(weights, z)
        yield output.detach(), weights
        # The gradient of the loss is J^T (f - y): the residual itself is the cotangent.
        gradients = torch.autograd.grad(output, parts, output.detach() - y)
        if adam:
            for part, gradient in zip(parts, gradients, strict=True):
                part.grad = gradient
            optimiser.step()
        else:
            with torch.no_grad():
                torch._foreach_add_(parts, gradients, alpha=-beta)


def log_steps(last, per_decade=20):
    """0 and whole numbers up to `last`, spaced evenly in the logarithm, without repetition: [0, 1, 2, ..., last].

    Raises:
        InputError: `last` is below 1.
    """
    if last < 1:
        raise InputError(f"steps must be at least 1, got {last}")
    count = math.ceil(per_decade * math.log10(last)) + 1
    return sorted({0, last, *(round(last ** (i / max(count - 1, 1))) for i in range(count))})
