"""Exercises of lesson 10: PSNR in the hole, the harmonic filling, pasting, and what an exact stage does to a hole."""

import math

import numpy as np
import torch
from scipy import sparse

from ...operators import Mask
from ...tasks.inpainting import random_mask
from .drawing import shifted
from .table import exercise

#: The small picture that answers are tried on: a random mask, so that the hole also touches the border.
SHAPE = (6, 7)


def small_problem(shape=SHAPE, seed=5):
    """(A, y, f): a mask with half of the pixels missing, measurements (1, 3, H, W) and another image f, of both signs.

    One row of the image is 0, like the hole of y, so y alone does not say which pixels are known.
    """
    generator = torch.Generator().manual_seed(shifted(seed))
    A = Mask(random_mask(shape, 0.5, generator), (3, *shape))
    x, f = (1 + torch.rand((1, 3, *shape), generator=generator) for _ in range(2))
    x[..., 2, :] = 0.0
    return A, A(x), f - 1.6


def laplacian(shape):
    """L = D^T D (HW, HW), sparse, D the differences of neighbours below and to the right."""
    first, second = (sparse.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n)) for n in shape)
    D = sparse.vstack([sparse.kron(first, sparse.eye(shape[1])), sparse.kron(sparse.eye(shape[0]), second)])
    return (D.T @ D).tocsr()


@exercise("inpainting.hole", [(20.0, 0.25), (30.0, 0.1), (14.0, 0.97), (3.0, 0.1)], tol=2e-5, otherwise=(
    "known pixels without error: MSE = h MSE_hole; solve for MSE_hole and take -10 log10"))
def hole(psnr, h):
    """A function (psnr, h) -> PSNR in the hole, from that of the whole image whose known pixels are exact."""
    return {
        None: psnr + 10 * math.log10(h),
        "your answer is the other way round: the same squared error on fewer pixels is a larger mean, so a lower PSNR":
            psnr - 10 * math.log10(h),
        "PSNR takes 10 log10 of a mean square: a factor h in the MSE is 10 log10 h, not 20": psnr + 20 * math.log10(h),
        "the logarithm in PSNR has base 10: math.log10": psnr + 10 * math.log(h),
        "dB are logarithms: a factor in the MSE becomes a term in dB, not a factor": [psnr * h, psnr / h],
        "1 - h is the share of the known pixels, and they have no error: take the share of the hole":
            psnr + 10 * math.log10(1 - h),
        "the whole image averages the hole's error over all its pixels: MSE = h MSE_hole": psnr,
    }


def hole_to_fill():
    """(L, y, known) of two small pictures."""
    generator, cases = np.random.default_rng(shifted(3)), []
    for shape in SHAPE, (5, 6):
        known = generator.permutation(math.prod(shape)) < 15
        cases.append((laplacian(shape), np.where(known, generator.random(known.size) - 0.4, 0.0), known))
    return cases


def filling(x, L, y, known):
    """The hole of an image; nothing where known pixels have changed."""
    x = np.asarray(x)
    return tuple(x[~known]) if np.allclose(x[known], y[known], atol=1e-4) else ()


@exercise("inpainting.harmonic", hole_to_fill, (
    "take the rows of L in the hole; move the known pixels' columns to the right-hand side: L_uu x_u = -L_ug y_g"),
          tol=1e-4, trait=filling, form=": put the hole's pixels into y")
def harmonic(L, y, known):
    """A function (L, y, known) -> x (HW,), the minimiser of x^T L x with x = y where `known`."""
    pull = -L[~known][:, known] @ y[known]
    inner = L[~known][:, ~known].toarray()

    def filled(values):
        x = y.copy()
        x[~known] = values
        return x

    return {
        None: filled(np.linalg.solve(inner, pull)),
        "known pixels have changed: they are not unknowns, so solve only for the rows and columns of the hole":
            np.linalg.solve(L.toarray() + 1e-3 * np.eye(len(y)), y),
        "the sign is wrong: what the known pixels contribute goes to the right-hand side":
            filled(-np.linalg.solve(inner, pull)),
        "the hole is still black: the known pixels pull on it through the right-hand side, -L_ug y_g": y,
        "your answer is the right-hand side: the system L_uu x_u = -L_ug y_g is still to be solved": filled(pull),
        "your answer is the mean of the known pixels: each pixel of the hole has to be the mean of its own neighbours":
            filled(y[known].mean()),
    }


@exercise("inpainting.stage", lambda: [(y, z, lam, A.mask) for lam, *problem in ((0.5,), (2.0, SHAPE, 6))
                                      for A, y, z in [small_problem(*problem)]], (
    "set the derivative to zero for one pixel: M (M x - y) + lam (x - z) = 0, once with M = 1, once with M = 0"),
          tol=1e-4)
def stage(y, z, lam, M):
    """A function (y, z, lam, mask) -> argmin over images x of ||mask x - y||^2 + lam ||x - z||^2."""
    mean = (y + lam * z) / (1 + lam)
    return {
        None: (y + lam * z) / (M + lam),
        "in the hole there is no data term, so its 1 must also go from the denominator: there x = z": mean,
        "the hole is black: only lam ||x - z||^2 is left there, and its minimiser is not zero": M * mean,
        "the hole is right; a known pixel is pulled to y and, with weight lam, to z: a weighted mean": y + (1 - M) * z,
        "the weights are swapped: lam multiplies the distance to z, not to y": (lam * y + z) / (lam * M + 1),
        "lam is missing: it weights z against y at the known pixels": (y + z) / (M + 1),
    }


@exercise("inpainting.paste", lambda: [(f, y, A) for A, y, f in (small_problem(), small_problem((5, 8)))], tol=1e-4,
          otherwise=(
    "known pixels must equal y; in the hole every value fits, and f's own value is at distance zero"))
def paste(f, y, A):
    """A function (f, y, A) -> the image nearest to f among all that fit y exactly; A a mask."""
    M = A.mask
    return {
        None: (1 - M) * f + y,
        "your answer is f: its known pixels do not fit y": f,
        "your answer is y: it fits, but in the hole every value fits, and f's own is the nearest": y,
        "your answer is the wrong way round: M keeps the known pixels of f, 1 - M keeps its hole": [M * f + y, M * f],
        "the known pixels of f are still in it: replace them by y, do not add y to them": f + y,
        "your answer is only one of two parts: y at the known pixels, f in the hole":
            [(1 - M) * f, A.adjoint(y - A(f))],
        "the sign is wrong: the correction leads from A f towards y": f + A.adjoint(A(f) - y),
        "a known pixel may be 0: the mask says which pixels are known, y does not": torch.where(y != 0, y, f),
    }


@exercise("inpainting.hole:whole", [(20.0, 0.25), (30.0, 0.1), (14.0, 0.97), (-9.0, 0.5)], tol=2e-5, otherwise=(
    "known pixels without error: MSE = h MSE_hole; take -10 log10 of both sides"),
          instead="go the other way: psnr is the PSNR in the hole. Return the PSNR of the whole image",
          solution="lambda psnr, h: psnr - 10 * math.log10(h)")
def whole(psnr, h):
    """A function (psnr, h) -> PSNR of the whole image whose known pixels are exact, from that in the hole."""
    return {
        None: psnr - 10 * math.log10(h),
        "your answer is the other way round: pixels without error lower the mean, so the whole image has the higher "
        "PSNR":
            psnr + 10 * math.log10(h),
        "PSNR takes 10 log10 of a mean square: a factor h in the MSE is 10 log10 h, not 20": psnr - 20 * math.log10(h),
        "the logarithm in PSNR has base 10: math.log10": psnr - 10 * math.log(h),
        "dB are logarithms: a factor in the MSE becomes a term in dB, not a factor": [psnr * h, psnr / h],
        "1 - h is the share of the known pixels, and they have no error: take the share of the hole":
            psnr - 10 * math.log10(1 - h),
        "the whole image averages the hole's error over all its pixels: MSE = h MSE_hole": psnr,
    }
