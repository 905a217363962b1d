"""Harmonic in-painting: the hole is the solution of Laplace's equation between the pixels that are known."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from scipy.sparse.linalg import LaplacianNd, cg

from . import register
from .classic import Classic


@register
@dataclass(frozen=True)
class Harmonic(Classic):
    """Harmonic in-painting: the hole solves Laplace x = 0, known pixels stay (Chan and Shen, SIAM J. Appl. Math. 2002).

    Every pixel of the hole is the mean of its neighbours, of which it has fewer at the picture's border (Neumann), so
    it lies between the least and the greatest known pixel. Unlike the biharmonic filling it never overshoots, and it
    does not continue slopes into the hole. Conjugate gradients, channel by channel, to 1e-7 of the right-hand side.
    """

    name: ClassVar[str] = "harmonic"
    about: ClassVar[str] = "the filling of the hole as a membrane, Laplace x = 0"
    tasks: ClassVar[tuple[str, ...]] = ("inpainting",)

    def solve(self, observation):
        y = observation.y
        hole = (observation.A.mask == 0).flatten().cpu().numpy()  # (H W,)
        pixels = y[0].flatten(1).cpu().double().numpy()  # (C, H W)
        L = -LaplacianNd(tuple(y.shape[-2:]), boundary_conditions="neumann", dtype=float).tosparse().tocsr()[hole]
        for channel in pixels:
            channel[hole] = cg(L[:, hole], -L[:, ~hole] @ channel[~hole], rtol=1e-7)[0]
        return torch.from_numpy(pixels.reshape(y.shape)).to(y)
