"""Exercises of lesson 07: the adjoint, the null space, what lam means, and data consistency."""

import torch

from ...operators.mri import MRIOperator
from ...operators.sampling import column_mask
from . import NOTHING, exercise, tensor_fault

#: The small problem that answers are tried on: odd and even sides, so that a wrong shift shows.
SHAPE = (12, 15)


def small_operator(coils=3, normalised=True):
    """An MRIOperator with random coil maps, sum |S|^2 = 1 if `normalised`, and its random generator."""
    generator = torch.Generator().manual_seed(7)
    maps = torch.randn((coils, *SHAPE), generator=generator, dtype=torch.complex64)
    if normalised:
        maps = maps / maps.abs().square().sum(dim=0).sqrt()
    return MRIOperator(maps, column_mask(SHAPE[1], 3, generator, centre=1)), generator


def draw(shape, generator):
    """A random complex tensor (1, *shape)."""
    return torch.randn((1, *shape), generator=generator, dtype=torch.complex64)


def close(answer, expected):
    """Whether two tensors agree to 1e-4 relative to the expected one."""
    return answer.shape == expected.shape and float((answer - expected).norm()) <= 1e-4 * float(expected.norm())


def image_fault(answer, shape):
    """A hint if a reader's answer is not a complex tensor of the shape (1, *shape), else None."""
    remark = ": batch and channel axes stay, and the adjoint ends with a sum over coils"
    if fault := tensor_fault(answer, (1, *shape), remark):
        return fault
    if not answer.is_complex():
        return "the image is complex: taking the real part or the magnitude loses its phase"
    return None


@exercise("mri.adjoint")
def adjoint(answer):
    """A^H as a function of (y, sens_maps, mask); tried on maps that are not normalised and y that is not masked."""
    A, generator = small_operator(normalised=False)
    y = draw(A.out_shape, generator)
    ours = answer(y, A.sens_maps, A.mask)
    if fault := image_fault(ours, A.in_shape):
        return fault
    M, F, S = A.A.A, A.A.B, A.B
    if close(ours, A.adjoint(y)):
        return None
    if close(ours, S._adjoint(F._adjoint(y))):
        return "M is missing: (M F S)^H = S^H F^H M, and y need not be zero where nothing was sampled"
    if close(ours, (A.sens_maps * F._adjoint(M(y))).sum(dim=1, keepdim=True)):
        return "the coil maps are not conjugated: the adjoint of a multiplication by s multiplies by conj(s)"
    if close(ours, S._adjoint(F._apply(M(y)))):
        return "F is used twice: the adjoint of the orthonormal F is its inverse, not F again"
    if close(ours, A.adjoint(y) / len(A.sens_maps)):
        return "a mean over coils: the adjoint of copying an image to all coils is their sum"
    if close(ours, A.adjoint(y) / A.sens_maps.abs().square().sum(dim=0)):
        return "divided by sum |S|^2: that is an inverse of S, but the adjoint divides by nothing"
    return "not A^H y: undo the three steps in reverse order, each by its adjoint: M, then F^H, then S^H"


@exercise("mri.unseen")
def unseen(answer):
    """A non-zero image (1, 1, H, W), a function of the operator A of one coil with S = 1, with A u = 0."""
    A, _ = small_operator(coils=1)
    A = MRIOperator(torch.ones_like(A.sens_maps), A.mask)
    u = answer(A)
    if fault := image_fault(u, A.in_shape):
        return fault
    size = float(u.norm())
    if size < 1e-6:
        return "zero is in every null space: find an image that is not zero"
    if float(A(u).norm()) > 1e-4 * size:
        seen = float(A(u).norm()) / size
        if seen > 0.999:
            return "all of it is measured: you kept the sampled columns, take the others"
        return f"A u is not zero, ||A u|| / ||u|| = {seen:.2f}: build u in k-space, where M acts, then transform back"
    return None


@exercise("mri.lam")
def lam(answer):
    """A function (lam, H, W) -> the weight that means the same with an FFT that is not normalised."""
    tries = [(lam, h, w, answer(lam, h, w)) for lam, h, w in ((1.0, 128, 128), (0.5, 320, 256))]
    if any(got is ... or got is None for *_, got in tries):
        return NOTHING
    if all(abs(got - lam * h * w) <= 1e-6 * lam * h * w for lam, h, w, got in tries):
        return None
    if all(abs(got - lam * (h * w) ** 0.5) <= 1e-6 * got for lam, h, w, got in tries):
        return "the norm is squared: a factor sqrt(HW) in A and y is a factor HW in the data term"
    if all(abs(got - lam / (h * w)) <= 1e-6 * got for lam, h, w, got in tries):
        return "upside down: the data term grew, so lam has to grow with it to keep their ratio"
    if all(got == lam for lam, _, _, got in tries):
        return "only the data term holds A: it changes with the FFT's factor, the autoencoding term does not"
    return "write the new data term as a factor times the old one, and take the factor out of the whole loss"


@exercise("mri.project")
def project(answer):
    """A function (f, y, A) -> S^H F^-1((1 - M) F S f + M y), for maps with sum |S|^2 = 1."""
    A, generator = small_operator()
    f, y = draw(A.in_shape, generator), A(draw(A.in_shape, generator))
    ours = answer(f, y, A)
    if fault := image_fault(ours, A.in_shape):
        return fault
    S, F, M = A.B, A.A.B, A.mask
    if close(ours, S._adjoint(F._adjoint((1 - M) * F._apply(S(f)) + M * y))):
        return None
    if close(ours, A.adjoint(y)):
        return "that is the zero-filled image: where nothing was measured, keep the k-space of f"
    if close(ours, A.adjoint(y - A(f))):
        return "that is only the correction: add it to f"
    if close(ours, f + A.adjoint(A(f) - y)):
        return "the sign: the correction leads from A f towards y"
    if close(ours, f + A.adjoint(y)):
        return "the sampled k-space of f is still in it: replace it by y, do not add y to it"
    return "replace the sampled k-space of S f by y, keep the rest, and return to the image by F^-1 and S^H"
