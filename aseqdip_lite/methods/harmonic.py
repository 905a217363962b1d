"""Harmonic in-painting: the hole is the solution of Laplace's equation between the pixels that are known."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import diags_array, eye_array, kron
from scipy.sparse.linalg import spsolve

from . import register
from .classic import Classic


def laplacian(shape):
    """-Laplace on images (H, W) as a sparse matrix (H W, H W): each pixel minus its up to four neighbours.

    Nothing flows across the picture's border (Neumann): a pixel there has fewer neighbours.
    """
    def second(n):  # of one axis: D^T D, D the n - 1 forward differences
        D = diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n))
        return D.T @ D

    h, w = shape
    return (kron(second(h), eye_array(w)) + kron(eye_array(h), second(w))).tocsr()


@register
@dataclass(frozen=True)
class Harmonic(Classic):
    """Harmonic in-painting: the hole solves Laplace x = 0, known pixels stay (Chan and Shen, 2002, section 3).

    Every pixel of the hole is the mean of its neighbours, so it lies between the least and the greatest known pixel.
    Unlike the biharmonic filling it does not overshoot, and it does not continue slopes into the hole.
    """

    name: ClassVar[str] = "harmonic"
    about: ClassVar[str] = "the filling of the hole as a membrane, Laplace x = 0"
    tasks: ClassVar[tuple[str, ...]] = ("inpainting",)

    def solve(self, observation):
        y = observation.y
        hole = (observation.A.mask == 0).flatten().cpu().numpy()  # (H W,)
        pixels = y[0].flatten(1).T.cpu().double().numpy()  # (H W, C)
        L = laplacian(y.shape[-2:])[hole]
        pixels[hole] = spsolve(L[:, hole].tocsc(), -L[:, ~hole] @ pixels[~hole]).reshape(-1, pixels.shape[1])
        return torch.from_numpy(pixels.T.reshape(y.shape)).to(y)
