"""Exercises of lesson 10: PSNR in the hole, the harmonic filling, pasting, and what an exact stage does to a hole."""

import math

import numpy as np
import torch
from scipy import sparse

from ...operators import Mask
from ...tasks.inpainting import random_mask
from . import NOTHING, exercise, nothing, tensor_fault

#: The small picture that answers are tried on: a random mask, so that the hole touches the border, too.
SHAPE = (6, 7)


def small_problem():
    """(A, y, f): a mask with half of the pixels missing, measurements (1, 3, H, W) and any other image f."""
    generator = torch.Generator().manual_seed(5)
    A = Mask(random_mask(SHAPE, 0.5, generator), (3, *SHAPE))
    x, f = (1 + torch.rand((1, 3, *SHAPE), generator=generator) for _ in range(2))
    return A, A(x), f


def laplacian(shape):
    """L = D^T D (HW, HW), sparse, D the differences of neighbours below and to the right."""
    first, second = (sparse.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n)) for n in shape)
    D = sparse.vstack([sparse.kron(first, sparse.eye(shape[1])), sparse.kron(sparse.eye(shape[0]), second)])
    return (D.T @ D).tocsr()


def close(answer, expected):
    """Whether two arrays or tensors of one shape agree to 1e-4 relative to the expected one."""
    return float(abs(answer - expected).max()) <= 1e-4 * float(abs(expected).max())


@exercise("inpainting.hole")
def hole(answer):
    """A function (psnr, h) -> PSNR in the hole, from that of the whole image whose known pixels are exact."""
    tries = [(psnr, h, answer(psnr, h)) for psnr, h in ((20.0, 0.25), (30.0, 0.1), (14.0, 0.97))]
    if nothing(*(ours for *_, ours in tries)):
        return NOTHING

    def all_close(formula):
        return all(abs(float(ours) - formula(psnr, h)) < 1e-3 for psnr, h, ours in tries)

    if all_close(lambda psnr, h: psnr + 10 * math.log10(h)):
        return None
    if all_close(lambda psnr, h: psnr - 10 * math.log10(h)):
        return "the other way: the same squared error on fewer pixels is a larger mean, so a lower PSNR"
    if all_close(lambda psnr, h: psnr + 20 * math.log10(h)):
        return "PSNR takes 10 log10 of a mean square: a factor h in the MSE is 10 log10 h, not 20"
    if all_close(lambda psnr, h: psnr + 10 * math.log(h)):
        return "the logarithm in PSNR has base 10: math.log10"
    if all_close(lambda psnr, h: psnr * h) or all_close(lambda psnr, h: psnr / h):
        return "dB are logarithms: a factor in the MSE becomes a term in dB, not a factor"
    if all_close(lambda psnr, h: psnr + 10 * math.log10(1 - h)):
        return "1 - h is the share of the known pixels, and they have no error: take the share of the hole"
    if all_close(lambda psnr, h: psnr):
        return "the whole image averages the hole's error over all its pixels: MSE = h MSE_hole"
    return "known pixels without error: MSE = h MSE_hole; solve for MSE_hole and take -10 log10"


@exercise("inpainting.harmonic")
def harmonic(answer):
    """A function (L, y, known) -> x (HW,), the minimiser of x^T L x with x = y where `known`."""
    generator = np.random.default_rng(3)
    L = laplacian(SHAPE)
    known = generator.permutation(math.prod(SHAPE)) < 15
    y = np.where(known, 1 + generator.random(known.size), 0.0)
    pull = -L[~known][:, known] @ y[known]
    inner = L[~known][:, ~known].toarray()
    ours = answer(L.copy(), y.copy(), known.copy())
    if nothing(ours):
        return NOTHING
    ours = np.asarray(ours, dtype=float)
    if ours.shape != y.shape:
        return f"the whole image is expected, shape {y.shape}, yours is {ours.shape}: put the hole's pixels into y"

    def filled(values):
        x = y.copy()
        x[~known] = values
        return x

    if close(ours, filled(np.linalg.solve(inner, pull))):
        return None
    if not np.allclose(ours[known], y[known], atol=1e-4):
        return "known pixels have changed: they are no unknowns, only the rows and columns of the hole are solved for"
    if close(ours, filled(-np.linalg.solve(inner, pull))):
        return "the sign: what the known pixels contribute goes to the right-hand side"
    if close(ours, y):
        return "the hole is still black: the right-hand side, -L_ug y_g, is what the known pixels pull with"
    if close(ours, filled(pull)):
        return "that is the right-hand side: the system L_uu x_u = -L_ug y_g is still to be solved"
    if close(ours, filled(y[known].mean())):
        return "that is the mean of the known pixels: each pixel of the hole has to be the mean of its own neighbours"
    return "take the rows of L in the hole; move the columns of the known pixels to the right: L_uu x_u = -L_ug y_g"


@exercise("inpainting.stage")
def stage(answer):
    """A function (y, z, lam, mask) -> argmin over images x of ||mask x - y||^2 + lam ||x - z||^2."""
    A, y, z = small_problem()
    M = A.mask
    tries = [(lam, answer(y, z, lam, M)) for lam in (0.5, 2.0)]
    for _, ours in tries:
        if fault := tensor_fault(ours, y.shape):
            return fault

    def all_close(formula):
        return all(close(ours, formula(lam)) for lam, ours in tries)

    if all_close(lambda lam: (y + lam * z) / (M + lam)):
        return None
    if all_close(lambda lam: (y + lam * z) / (1 + lam)):
        return "in the hole the data term is missing, so 1 is missing in the denominator, too: there x = z"
    if all_close(lambda lam: M * (y + lam * z) / (1 + lam)):
        return "the hole is black: only lam ||x - z||^2 is left there, and its minimiser is not zero"
    if all_close(lambda lam: y + (1 - M) * z):
        return "the hole is right; a known pixel is pulled to y and, with weight lam, to z: a weighted mean"
    if all_close(lambda lam: (lam * y + z) / (lam * M + 1)):
        return "lam weights z, not y"
    if all_close(lambda lam: (y + z) / (M + 1)):
        return "lam is missing: it weights z against y at the known pixels"
    return "set the derivative to zero for one pixel: M (M x - y) + lam (x - z) = 0, once with M = 1, once with M = 0"


@exercise("inpainting.paste")
def paste(answer):
    """A function (f, y, A) -> the image nearest to f among all that fit y exactly; A a mask."""
    A, y, f = small_problem()
    M = A.mask
    ours = answer(f, y, A)
    if fault := tensor_fault(ours, f.shape):
        return fault
    if close(ours, (1 - M) * f + y):
        return None
    if close(ours, f):
        return "that is f: its known pixels do not fit y"
    if close(ours, y):
        return "that is y: it fits, but in the hole every value fits, and f's own is the nearest"
    if close(ours, M * f + y) or close(ours, M * f):
        return "the wrong way round: M keeps the known pixels of f, 1 - M keeps its hole"
    if close(ours, f + y):
        return "the known pixels of f are still in it: replace them by y, do not add y to them"
    if close(ours, (1 - M) * f) or close(ours, A.adjoint(y - A(f))):
        return "only one of two parts: y at the known pixels, f in the hole"
    if close(ours, f + A.adjoint(A(f) - y)):
        return "the sign: the correction leads from A f towards y"
    return "known pixels must be y, so there is no choice; in the hole all values fit, and f's own costs nothing"
