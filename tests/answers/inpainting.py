"""Answers to the exercises of lesson 10."""

import math

import numpy as np
import torch
from scipy.sparse.linalg import cg, spsolve


def solved(L, y, known, sign=-1):
    x = y.copy()
    x[~known] = spsolve(L[~known][:, ~known].tocsc(), sign * (L[~known][:, known] @ y[known]))
    return x


def by_rows(L, y, known):
    """Rows of known pixels say x = y, the others L x = 0."""
    rows = np.where(known[:, None], np.eye(len(y)), L.toarray())
    return np.linalg.solve(rows, np.where(known, y, 0))


def by_cg(L, y, known):
    """Conjugate gradients on what is left of L in the hole."""
    hole = np.flatnonzero(~known)
    x, _ = cg(L[hole][:, hole], -(L @ y)[hole], rtol=1e-10)
    return torch.from_numpy(y).index_put((torch.from_numpy(hole),), torch.from_numpy(x))


def in_hole(y, known, values):
    x = y.copy()
    x[~known] = values
    return x


RIGHT = {
    "inpainting.hole": [
        lambda psnr, h: psnr + 10 * math.log10(h),
        lambda psnr, h: -10 * np.log10(10 ** (-psnr / 10) / h),
    ],
    "inpainting.harmonic": [solved, by_rows, by_cg],
    "inpainting.stage": [
        lambda y, z, lam, M: (y + lam * z) / (M + lam),
        lambda y, z, lam, M: torch.where(M == 1, (y + lam * z) / (1 + lam), z),
    ],
    "inpainting.paste": [
        lambda f, y, A: (1 - A.mask) * f + y,
        lambda f, y, A: f + A.adjoint(y - A(f)),
        lambda f, y, A: torch.where(A.mask.bool(), y, f),
    ],
}

WRONG = {
    "inpainting.hole": {
        "the other way": lambda psnr, h: psnr - 10 * math.log10(h),
        "10 log10 h, not 20": lambda psnr, h: psnr + 20 * math.log10(h),
        "base 10": lambda psnr, h: psnr + 10 * math.log(h),
        "dB are logarithms": lambda psnr, h: psnr * h,
        "share of the known pixels": lambda psnr, h: psnr + 10 * math.log10(1 - h),
        "averages the hole's error": lambda psnr, h: psnr,
        "solve for MSE_hole": lambda psnr, h: 0.0,
        "returns nothing": lambda psnr, h: None,
    },
    "inpainting.harmonic": {
        "the sign": lambda L, y, known: solved(L, y, known, sign=1),
        "whole image is expected": lambda L, y, known: solved(L, y, known)[~known],
        "they are no unknowns": lambda L, y, known: np.linalg.solve(L.toarray() + 1e-3 * np.eye(len(y)), y),
        "still black": lambda L, y, known: y,
        "still to be solved": lambda L, y, known: in_hole(y, known, -(L @ y)[~known]),
        "its own neighbours": lambda L, y, known: in_hole(y, known, y[known].mean()),
        "columns of the known pixels": lambda L, y, known: in_hole(y, known, 0.5),
        "returns nothing": lambda L, y, known: None,
    },
    "inpainting.stage": {
        "there x = z": lambda y, z, lam, M: (y + lam * z) / (1 + lam),
        "the hole is black": lambda y, z, lam, M: M * (y + lam * z) / (1 + lam),
        "a weighted mean": lambda y, z, lam, M: y + (1 - M) * z,
        "lam weights z": lambda y, z, lam, M: (lam * y + z) / (lam * M + 1),
        "lam is missing": lambda y, z, lam, M: (y + z) / (M + 1),
        "set the derivative to zero": lambda y, z, lam, M: z,
        "the shape must be": lambda y, z, lam, M: y[0],
        "of type int": lambda y, z, lam, M: 0,
        "returns nothing": lambda y, z, lam, M: None,
    },
    "inpainting.paste": {
        "that is f": lambda f, y, A: f,
        "that is y": lambda f, y, A: y,
        "the wrong way round": lambda f, y, A: A.mask * f + y,
        "do not add y": lambda f, y, A: f + y,
        "only one of two parts": lambda f, y, A: (1 - A.mask) * f,
        "the sign": lambda f, y, A: f + A.adjoint(A(f) - y),
        "f's own costs nothing": lambda f, y, A: (f + y) / 2,
        "returns nothing": lambda f, y, A: None,
    },
}
