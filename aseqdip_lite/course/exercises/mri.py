"""Exercises of lesson 07: the adjoint, the null space, what lam means, and data consistency."""

import torch

from ...operators.mri import MRIOperator
from ...operators.sampling import column_mask
from .drawing import shifted
from .table import exercise

#: The small problem that answers are tried on: odd and even sides, so that a wrong shift shows.
SHAPE = (12, 15)

#: The second one, with sides of the other kind.
OTHER = (9, 14)


def small_operator(coils=3, normalised=True, shape=SHAPE):
    """An MRIOperator with random coil maps, sum |S|^2 = 1 if `normalised`, and its random generator."""
    generator = torch.Generator().manual_seed(shifted(7))
    maps = torch.randn((coils, *shape), generator=generator, dtype=torch.complex64)
    if normalised:
        maps = maps / maps.abs().square().sum(dim=0).sqrt()
    return MRIOperator(maps, column_mask(shape[1], 3, generator)), generator


def one_coil(shape=SHAPE):
    """An MRIOperator of one coil with S = 1."""
    A, _ = small_operator(coils=1, shape=shape)
    return MRIOperator(torch.ones_like(A.sens_maps), A.mask)


def draw(shape, generator):
    """A random complex tensor (1, *shape)."""
    return torch.randn((1, *shape), generator=generator, dtype=torch.complex64)


AXES = ": batch and channel axes stay, and the adjoint ends with a sum over coils"


@exercise("mri.adjoint", lambda: [(draw(A.out_shape, generator), A.sens_maps, A.mask)
                                  for A, generator in (small_operator(normalised=False),
                                                       small_operator(2, False, OTHER))],
          tol=1e-4, form=AXES, otherwise=(
    "not A^H y: apply the adjoints of the three steps in reverse order: M, then F^H, then S^H"))
def adjoint(y, s, mask):
    """A^H as a function of (y, sens_maps, mask); tried on maps that are not normalised and y that is not masked."""
    A = MRIOperator(s, mask)
    M, F, S = A.A.A, A.A.B, A.B
    right, root = A.adjoint(y), (y.shape[-2] * y.shape[-1]) ** 0.5

    def shifted(before, after):
        moved = [lambda k: k, *(lambda k, move=move: move(k, dim=(-2, -1))
                                for move in (torch.fft.ifftshift, torch.fft.fftshift))]
        return S._adjoint(moved[after](torch.fft.ifft2(moved[before](mask * y), norm="ortho")))

    return {
        None: right,
        "M is missing: (M F S)^H = S^H F^H M, and y need not be zero where nothing was sampled":
            S._adjoint(F._adjoint(y)),
        "the coil maps are not conjugated: the adjoint of a multiplication by s multiplies by conj(s)":
            (s * F._adjoint(M(y))).sum(dim=1, keepdim=True),
        "F is used twice: the adjoint of the orthonormal F is its inverse, not F again": S._adjoint(F._apply(M(y))),
        "a mean over coils: the adjoint of copying an image to all coils is the sum over coils": right / len(s),
        "divided by sum |S|^2: that gives an inverse of S, but the adjoint divides by nothing":
            right / s.abs().square().sum(dim=0),
        "the shifts are missing: k-space has its centre in the middle, so ifftshift comes before the FFT and fftshift "
        "after it": [factor * shifted(*moves) for moves in ((0, 0), (0, 2), (1, 0)) for factor in (1, root, 1 / root)],
        "fftshift and ifftshift are exchanged: they agree for even sides only, and ifftshift comes before the FFT":
            [shifted(2, 1), shifted(2, 2), shifted(1, 1)],
        'a factor sqrt(HW): F is orthonormal, norm="ortho", and only then is its adjoint its inverse':
            [right / root, right * root],
    }


def part_seen(u, A):
    """||A u|| / ||u||, to five digits: 0 in the null space; -1 for u = 0."""
    top = u.abs().max()  # squares of what is small vanish in single precision
    return round(float(A(u / top).norm() / (u / top).norm()), 5) if float(top) else -1.0


@exercise("mri.unseen", lambda: [(one_coil(),), (one_coil(OTHER),)], trait=part_seen, form=AXES, real=True,
          otherwise=lambda u, A: (
    f"A u is not zero, ||A u|| / ||u|| = {part_seen(u, A):.2g}: build u in k-space, where M acts, then transform back"))
def unseen(A):
    """A non-zero image (1, 1, H, W), a function of the operator A of one coil with S = 1, with A u = 0."""
    w = draw(A.in_shape, torch.Generator().manual_seed(2))
    return {
        None: w - A.adjoint(A(w)),
        "zero is in every null space: find an image that is not zero": 0 * w,
        "all of it is measured: you kept the sampled columns, so take the others": A.adjoint(A(w)),
    }


@exercise("mri.lam", [(1.0, 128, 128), (0.5, 320, 256)], (
    "write the new data term as a factor times the old one, and take the factor out of the whole loss"))
def lam(lam, H, W):
    """A function (lam, H, W) -> the weight that means the same with an FFT that is not normalised."""
    return {
        None: lam * H * W,
        "the norm is squared: a factor sqrt(HW) in A and y is a factor HW in the data term": lam * (H * W) ** 0.5,
        "your answer is upside down: the data term grew, so lam has to grow with it to keep their ratio": lam / (H * W),
        "only the data term contains A: it changes with the FFT's factor, but the autoencoding term does not": lam,
    }


@exercise("mri.project", lambda: [(draw(A.in_shape, generator), A(draw(A.in_shape, generator)), A)
                                  for A, generator in (small_operator(), small_operator(2, shape=OTHER))],
          tol=1e-4, form=AXES, otherwise=(
    "replace the sampled k-space of S f by y, keep the rest, and return to the image by F^-1 and S^H"))
def project(f, y, A):
    """A function (f, y, A) -> S^H F^-1((1 - M) F S f + M y), for maps with sum |S|^2 = 1."""
    return {
        None: f + A.adjoint(y - A(f)),
        "your answer is the zero-filled image: where nothing was measured, keep the k-space of f": A.adjoint(y),
        "your answer is only the correction: add it to f": A.adjoint(y - A(f)),
        "the sign is wrong: the correction leads from A f towards y": f + A.adjoint(A(f) - y),
        "the sampled k-space of f is still there: replace it by y instead of adding y to it": f + A.adjoint(y),
    }


@exercise("mri.lam:forward", [(1.0, 128, 128), (0.5, 320, 256)], (
    "write the new data term as a factor times the old one, and take the factor out of the whole loss"),
          instead='the other FFT has norm="forward": it is the orthonormal one divided by sqrt(HW). Return the weight '
                  "that means the same with it",
          solution="lambda lam, H, W: lam / (H * W)")
def lam_forward(lam, H, W):
    """A function (lam, H, W) -> the weight that means the same with an FFT that is divided by sqrt(HW)."""
    return {
        None: lam / (H * W),
        "the norm is squared: a factor 1 / sqrt(HW) in A and y is a factor 1 / (HW) in the data term":
            lam / (H * W) ** 0.5,
        "your answer is upside down: the data term shrank, so lam has to shrink with it to keep their ratio":
            lam * (H * W),
        "only the data term contains A: it changes with the FFT's factor, but the autoencoding term does not": lam,
    }
