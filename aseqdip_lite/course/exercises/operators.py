"""Exercises of lesson 01: the dot test, mending an adjoint, gradients through any A, null spaces."""

import torch

from ...operators import LinearOperator, Mask, random_like
from ...operators.blur import MotionBlur, motion_path, path_kernel
from ...operators.ct import CTOperator
from ...operators.mri import MRIOperator
from ...operators.projectors import MatrixProjector, RotationProjector, equal_angles
from .drawing import shifted
from .mri import SHAPE, one_coil, small_operator
from .table import REGISTRY, exercise


class Pair(LinearOperator):
    """The forward map of A with the adjoint of B, both linear and of the same shapes: right only where B = A."""

    def __init__(self, A, B):
        super().__init__(A.in_shape, A.out_shape, in_complex=A.in_complex, out_complex=A.out_complex)
        self.A, self.B = A, B

    def _apply(self, x):
        return self.A._apply(x)

    def _adjoint(self, y):
        return self.B._adjoint(y)


class Convolution(LinearOperator):
    """Circular convolution of real images (1, H, W) with a kernel (k, k), by FFT."""

    def __init__(self, shape, kernel):
        super().__init__(shape, shape)
        self.kernel = kernel

    def _filtered(self, x, conjugate):
        size = self.in_shape[-2:]
        response = torch.fft.rfft2(self.kernel, s=size)
        return torch.fft.irfft2(torch.fft.rfft2(x) * (response.conj() if conjugate else response), s=size)

    def _apply(self, x):
        return self._filtered(x, conjugate=False)

    def _adjoint(self, y):
        return self._filtered(y, conjugate=True)


def shake_kernel():
    """A small motion blur without symmetry: (k, k), sum 1."""
    return path_kernel(motion_path(4.0, torch.Generator().manual_seed(3)))


def suspects():
    """Six operators in double precision, some with the adjoint of another operator: {name: LinearOperator}."""
    mri, _ = small_operator(normalised=False)
    hole = Mask((torch.arange(SHAPE[1]) > 4).float(), (1, *SHAPE))
    shake = Convolution((1, *SHAPE), shake_kernel())
    rays = MatrixProjector(16, equal_angles(9))
    pairs = {
        "coils 1": Pair(mri, MRIOperator(mri.sens_maps.conj(), mri.mask)),  # maps not conjugated
        "coils 2": Pair(mri, mri),
        "hole": Pair(hole, hole),
        "shake": Pair(shake, shake.H),  # blurred again instead of correlated
        "views 1": Pair(rays, rays),
        "views 2": Pair(rays, RotationProjector(16, equal_angles(9))),  # the back-projection of another projector
    }
    return {name: A.to(double=True) for name, A in pairs.items()}


def probes():
    """(A, x, v) with right and wrong adjoints, two with an x of another size, the last adjoint wrong by 0.1 %."""
    tried = suspects()
    mri, rays, views = tried["coils 2"], tried["views 1"], tried["views 2"]
    negative = Pair(mri, -1 * mri), Pair(rays, -1 * rays)
    operators = tried["hole"], rays, mri, *negative, tried["coils 1"], views, views, views, Pair(rays, 1.001 * rays)
    return [(A, scale * random_like(A, "in", 1, True), random_like(A, "out", 2, True))
            for A, scale in zip(operators, [1.0] * 7 + [1e-6, 1e6, 1.0], strict=True)]


def mismatch(A, x, v):
    """|<A x, v> - <x, A^H v>| / (||A x|| ||v||)."""
    y = A(x)
    gap = torch.vdot(y.flatten(), v.flatten()) - torch.vdot(x.flatten(), A.adjoint(v).flatten())
    return gap.abs() / (y.norm() * v.norm())


def finding(error, A, x, v):
    """What an error says about A, whatever size it was divided by."""
    true = float(mismatch(A, x, v))
    most = min(10, 1000 * true) if true > 1e-10 else 10
    return ("rounding" if abs(error) < 1e-10 else "a fault" if 0.03 * true < abs(error) < most else
            "a smaller number" if abs(error) < 1 else "a larger number")


@exercise("operators.dot_test", probes, trait=finding, stepwise=True, otherwise=lambda error, A, x, v: (
    "a wrong adjoint passes: compare <A x, v> with <x, A^H v>, and keep the imaginary parts of x and v"
    if finding(error, A, x, v) == "rounding" else
    "a right adjoint is called wrong: compare <A x, v> with <x, A^H v>" if mismatch(A, x, v) < 1e-10 else
    "a wrong adjoint is found, but the error has another size: divide |<A x, v> - <x, A^H v>| by ||A x|| ||v||"))
def dot(A, x, v):
    """A function (A, x, v) -> relative error of <A x, v> = <x, A^H v>, tried on right and on wrong adjoints."""
    y, u = A(x), A.adjoint(v)
    left, right, size = torch.vdot(y.flatten(), v.flatten()), torch.vdot(x.flatten(), u.flatten()), y.norm() * v.norm()
    error = mismatch(A, x, v)
    return {
        None: error,
        "a right adjoint of a real A is called wrong: compare the numbers <A x, v> and <x, A^H v>; A^H is not A^-1, "
        "so A^H A x need not be x": (A.adjoint(y) - x).norm() / x.norm(),
        "a right adjoint of a complex A is called wrong: in <a, b> = sum conj(a) b one factor is conjugated "
        "(torch.vdot does this)": ((y * v).sum() - (x * u).sum()).abs() / size,
        "the wrong adjoint -A^H passes your test: compare the two inner products themselves, not their absolute "
        "values or norms":
            (left.abs() - right.abs()).abs() / size,
        "the back-projection of another projector passes your test: do not round the error, and do not set small "
        "errors to 0":
            error.round(decimals=2),
        "the error changes with the size of x: divide by something that scales in the same way, such as ||A x|| ||v||":
            [error * size, error * y.norm(), error * x.norm(), error / x.norm()],
        "that is a verdict, 0 or 1: return the error itself, which tells how wrong the adjoint is":
            (error > 1e-10).double(),
    }


def scaled():
    """(A,) with the right adjoint, with a real or complex multiple of it, and with another operator's."""
    tried = suspects()
    rays, mri = tried["views 1"], tried["coils 2"]
    return [(A,) for A in (tried["hole"], Pair(rays, -0.437 * rays), tried["shake"], tried["views 2"],
                           Pair(mri, (0.613 - 1.127j) * mri), tried["coils 1"])]


def ratio(A, seed):
    """<x, B v> / <A x, v> for random x, v, where B is what A uses as its adjoint."""
    x, v = random_like(A, "in", seed, True), random_like(A, "out", seed + 1, True)
    return torch.vdot(x.flatten(), A.adjoint(v).flatten()) / torch.vdot(A(x).flatten(), v.flatten())


def number(answer, A):
    """The answer; only that it is a number, where every number is wrong."""
    return "a number" if answer is not None and factor(A)[None] is None else answer


@exercise("operators.factor", scaled, trait=number, stepwise=True,
          nothing="not answered yet: your function returns None for every operator",
          otherwise=lambda c, A: (
              "None means that no number mends the adjoint, but a number mends this one: compare <x, B v> with <A x, v>"
              if c is None else "no number mends this adjoint: return None" if factor(A)[None] is None else
              f"if B = c A^H, then <x, B v> = c <A x, v> for all x and v; with your c = {c:.3g} this is not true"))
def factor(A):
    """A function A -> the number c with B = c A^H, where A uses B as its adjoint; None if there is no such number."""
    c, other = ratio(A, 1), ratio(A, 3)
    right = c if (c - other).abs() < 1e-6 * c.abs() else None
    return {
        None: right,
        "one pair x, v always gives some ratio: try a second pair, and return None if its ratio is different":
            c,
        "your answer is upside down: B contains the factor c, so c is <x, B v> divided by <A x, v>":
            right if right is None else 1 / c,
        "your answer is c minus 1: return c itself, which is 1 if nothing is wrong": right if right is None else c - 1,
        "c may be negative or complex: divide the inner products themselves, not their absolute values and not norms":
            right if right is None else c.abs(),
        "a factor other than 1 can be mended: return it, and None only if the ratio changes with x and v":
            right if right is not None and (c - 1).abs() < 1e-6 else None,
        "a complex factor of a complex A can also be mended: in <a, b> = sum conj(a) b one factor is conjugated "
        "(torch.vdot does this), and the real and the imaginary part both count": None if c.is_complex() else right,
        "your answer is the conjugate of c: <a, b> conjugates its first argument, so B v must be the second one, as "
        "in <x, B v>":
            right if right is None else c.conj(),
    }


def residuals():
    """(A, x, y, eps) for a camera, which is not linear, and for MRI, which is complex."""
    camera = MotionBlur((1, *SHAPE), shake_kernel()).to(double=True)
    generator = torch.Generator().manual_seed(shifted(5))
    x, y = (0.25 + 0.5 * torch.rand((1, 1, *SHAPE), generator=generator, dtype=torch.float64) for _ in range(2))
    mri = suspects()["coils 2"]
    return [(camera, x, y, 0.1), (mri, random_like(mri, "in", 1, True), random_like(mri, "out", 2, True), 0.7)]


@exercise("operators.gradient", residuals, tol=1e-4, otherwise=(
    "not the gradient: move x by d, keep the terms of first order in d, and write them as Re <d, g>; J(x)^H is a call "
    "of A.vjp, applied to the derivative of the sum of roots with respect to r = A(x) - y"))
def gradient(A, x, y, eps):
    """A function (A, x, y, eps) -> gradient at x of the sum of sqrt(|r_i|^2 + eps^2), r = A(x) - y, for every A."""
    r = A(x) - y
    size = (r.abs() ** 2 + eps**2).sqrt()
    right = A.vjp(x, r / size)
    return {
        None: right,
        "the sign is wrong: your answer points downhill, and the gradient points uphill": -right,
        "your answer is the gradient of half the squared residual: differentiate the root of this loss with respect "
        "to r":
            A.vjp(x, r),
        "your answer is wrong by a factor 2: the root has the derivative 1 / (2 root), and the 2 from |r|^2 cancels "
        "this one":
            [2 * right, right / 2],
        "the inner derivative is missing: by the chain rule, |r|^2 under the root must also be differentiated":
            A.vjp(x, (1 / size).to(r.dtype)),
        "the root is lost: the derivative of sqrt(u) is 1 / (2 sqrt(u)), not 1 / u": A.vjp(x, r / size**2),
        "eps must be squared under the root": A.vjp(x, r / (r.abs() ** 2 + eps).sqrt()),
        "eps is missing: without it a small residual counts as much as a large one": A.vjp(x, torch.sgn(r)),
        "each r_i is divided by its own root, not by one of the whole residual: the sum stands outside of the root":
            A.vjp(x, r / (r.norm() ** 2 + eps**2).sqrt()),
        "y is missing: the residual is A(x) - y, not A(x)": A.vjp(x, A(x) / (A(x).abs() ** 2 + eps**2).sqrt()),
        "the Jacobian is taken at y: A is linearised at the current x, where the gradient is wanted":
            lambda: A.vjp(y, r / size),
        "your answer lives in the space of y: J(x)^H brings it back to the space of images": r / size,
        "this A is not linear, so it has no adjoint: A.vjp(x, v) gives J(x)^H v for every A":
            lambda: A.adjoint(r / size),
        "your answer is right for a real A, but not for MRI, where A is complex: the gradient needs J^H, with the "
        "complex conjugate":
            [right.conj(), A.vjp(x, (r / size).conj())],
        "your answer is right for a real A; for a complex r, |r|^2 is r times its conjugate: r.abs() ** 2, not r ** 2":
            A.vjp(x, r / (r**2 + eps**2).sqrt()),
    }


@exercise("operators.gradient:mean", residuals, tol=1e-4, otherwise=REGISTRY["operators.gradient"].otherwise,
          instead="return the gradient of the mean of these roots over all i, instead of their sum",
          solution="lambda A, x, y, eps: A.vjp(x, (A(x) - y) / ((A(x) - y).abs() ** 2 + eps**2).sqrt()) / y.numel()")
def mean_gradient(A, x, y, eps):
    """A function (A, x, y, eps) -> gradient at x of the mean of sqrt(|r_i|^2 + eps^2), r = A(x) - y, for every A."""
    r = A(x) - y
    size = (r.abs() ** 2 + eps**2).sqrt()
    right = A.vjp(x, r / size) / y.numel()
    return {
        None: right,
        "your answer is the gradient of the sum: the mean divides by the number of entries of y": right * y.numel(),
        "the sign is wrong: your answer points downhill, and the gradient points uphill": -right,
        "your answer is the gradient of half the mean square: differentiate the root of this loss with respect to r":
            A.vjp(x, r) / y.numel(),
        "your answer is wrong by a factor 2: the root has the derivative 1 / (2 root), and the 2 from |r|^2 cancels "
        "this one":
            [2 * right, right / 2],
        "the root is lost: the derivative of sqrt(u) is 1 / (2 sqrt(u)), not 1 / u":
            A.vjp(x, r / size**2) / y.numel(),
        "eps must be squared under the root": A.vjp(x, r / (r.abs() ** 2 + eps).sqrt()) / y.numel(),
        "y is missing: the residual is A(x) - y, not A(x)":
            A.vjp(x, A(x) / (A(x).abs() ** 2 + eps**2).sqrt()) / y.numel(),
        "the Jacobian is taken at y: A is linearised at the current x, where the gradient is wanted":
            lambda: A.vjp(y, r / size) / y.numel(),
        "your answer lives in the space of y: J(x)^H brings it back to the space of images": r / size / y.numel(),
    }


def seen(A, w):
    """The part of w (1, *A.in_shape) that is orthogonal to the null space of A, by the explicit pseudo-inverse."""
    basis = torch.eye(w.numel(), dtype=w.dtype).reshape(-1, *A.in_shape)
    matrix = A(basis).reshape(len(basis), -1).T  # (m, n)
    return (torch.linalg.pinv(matrix, rtol=1e-6) @ (matrix @ w.flatten())).reshape(w.shape)


def images():
    """(A, w) for a mask, MRI of one coil and CT from two angles."""
    rays = CTOperator(MatrixProjector(16, equal_angles(2)))
    operators = suspects()["hole"], one_coil().to(double=True), rays.to(double=True)
    return [(A, random_like(A, "in", 4, True)) for A in operators]


def not_unseen(u, A, w):
    """The hint to an image that is not the unseen part of w."""
    left = float(A(u).norm() / A(w).norm())
    return (f"A u is not zero, ||A u|| / ||A w|| = {left:.2g}: subtract all of the seen part" if left > 1e-2 else
            "in the null space, but not w's part of it: what you subtract must be the shortest image with the data A w")


@exercise("operators.unseen", images, not_unseen, tol=1e-2)
def unseen(A, w):
    """A function (A, w) -> part of the image w in the null space of a linear A, tried on a mask, MRI and CT."""
    part = seen(A, w)
    return {
        None: w - part,
        "the sign is wrong: w = seen part + unseen part, so the unseen part is w minus the seen one": part - w,
        "your answer is the seen part, the shortest image with these measurements: subtract it from w": part,
        "A^H is not the inverse of A: w - A^H A w is in the null space only if all singular values are 0 or 1, as for "
        "masks; for CT use the least-squares solution": w - A.adjoint(A(w)),
    }
