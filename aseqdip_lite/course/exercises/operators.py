"""Exercises of lesson 01: the dot test, broken adjoints, the gradient of any A, null spaces, filter factors."""

import math

import torch

from ...operators import LinearOperator, Mask, random_like
from ...operators.blur import MotionBlur, motion_path, path_kernel
from ...operators.ct import CTOperator
from ...operators.mri import MRIOperator
from ...operators.projectors import MatrixProjector, RotationProjector, equal_angles
from . import NOTHING, exercise, tensor_fault
from .mri import SHAPE, small_operator

#: The wrong ones among `suspects`.
BROKEN = frozenset({"coils 1", "shake", "views 2"})


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
    """Six operators in double precision, some with an adjoint that is not theirs: {name: LinearOperator}."""
    mri, _ = small_operator(normalised=False)
    hole = Mask((torch.arange(SHAPE[1]) > 4).float(), (1, *SHAPE))
    shake = Convolution((1, *SHAPE), shake_kernel())
    rays = MatrixProjector(16, equal_angles(9))
    pairs = {
        "coils 1": Pair(mri, MRIOperator(mri.sens_maps.conj(), mri.mask)),  # maps not conjugated
        "coils 2": Pair(mri, mri),
        "hole": Pair(hole, hole),
        "shake": Pair(shake, shake.H),  # blurred again in place of correlated
        "views 1": Pair(rays, rays),
        "views 2": Pair(rays, RotationProjector(16, equal_angles(9))),  # the back-projection of another projector
    }
    return {name: A.to(double=True) for name, A in pairs.items()}


def close(answer, expected, tolerance=1e-4):
    """Whether two tensors agree to a tolerance relative to the expected one."""
    return answer.shape == expected.shape and float((answer - expected).norm()) <= tolerance * float(expected.norm())


def image_fault(answer, like):
    """A hint if an answer is not a tensor with the shape and kind of `like`, else None."""
    if fault := tensor_fault(answer, like.shape):
        return fault
    if answer.is_complex() != like.is_complex():
        return "the answer must be complex where the image is complex, and real where it is real"
    return None


@exercise("operators.dot_test")
def dot(answer):
    """A function (A, x, v) -> relative error of <A x, v> = <x, A^H v>, tried on right and on wrong adjoints."""
    tried = suspects()

    def error(A, scale=1.0):
        return answer(A, scale * random_like(A, "in", 1, True), random_like(A, "out", 2, True))

    first = error(tried["hole"])
    if first is ... or first is None:
        return NOTHING
    if isinstance(first, bool) or getattr(first, "dtype", None) == torch.bool:
        return "a verdict: return the error itself, a number, so that one can see how far off an adjoint is"
    if not all(abs(error(tried[name])) < 1e-9 for name in ("hole", "views 1")):
        return ("a right adjoint of a real A is called wrong: compare the numbers <A x, v> and <x, A^H v>; "
                "A^H is no inverse, so A^H A x need not be x")
    if not abs(error(tried["coils 2"])) < 1e-9:
        return ("a right adjoint of a complex A is called wrong: <a, b> = sum conj(a) b, one factor is conjugated "
                "(torch.vdot does it)")
    mri, rays = tried["coils 2"], tried["views 1"]
    if min(abs(error(Pair(A, -1 * A))) for A in (mri, rays)) < 1e-6:
        return "-A^H passes: compare the two inner products themselves, not their absolute values and not norms"
    if abs(error(tried["coils 1"])) < 1e-6:
        return "an adjoint with unconjugated coil maps passes: keep the imaginary parts of x and v"
    if abs(error(tried["views 2"])) < 1e-8:
        return "the back-projection of another projector passes: do not round, and do not cut small errors off"
    growth = abs(error(tried["views 2"], 1000.0)) / abs(error(tried["views 2"]))
    if not 0.5 < growth < 2:
        return (f"for 1000 x the error is {float(growth):.3g} times as large: divide by a size that grows alike, "
                "such as ||A x|| ||v||")
    return None


@exercise("operators.suspects")
def suspect(answer):
    """The names of the broken ones among `suspects`, in any collection."""
    named = {answer} if isinstance(answer, str) else set(answer)
    if unknown := sorted(map(str, named - set(suspects()))):
        return f"there is no suspect '{unknown[0]}': the names are {', '.join(suspects())}"
    if accused := sorted(named - BROKEN):
        return (f"'{accused[0]}' is innocent: its error is rounding, about 1e-16 in double precision; "
                "set the threshold well above that")
    if "coils 1" not in named:
        return "one more is broken, and its x and v are complex: does your inner product conjugate one factor?"
    if "views 2" not in named:
        return ("one more is broken, by less than a percent of ||A x|| ||v||: rounding is about 1e-16 here; "
                "lower the threshold")
    if "shake" not in named:
        return "one more is broken: blurring twice looks harmless, but the adjoint of a blur turns its kernel round"
    return None


@exercise("operators.gradient")
def gradient(answer):
    """A function (A, x, y) -> gradient at x of 1/2 ||A(x) - y||^2, for linear and nonlinear A."""
    camera = MotionBlur((1, *SHAPE), shake_kernel()).to(double=True)
    generator = torch.Generator().manual_seed(5)
    x, y = (0.25 + 0.5 * torch.rand((1, 1, *SHAPE), generator=generator, dtype=torch.float64) for _ in range(2))
    try:
        ours = answer(camera, x, y)
    except AttributeError:
        return "this A is not linear, so it has no adjoint: A.vjp(x, v) gives J(x)^H v for every A"
    if fault := image_fault(ours, x):
        return fault
    residual = camera(x) - y
    expected = camera.vjp(x, residual)
    if close(ours, -expected):
        return "the sign: that is the direction of descent, the gradient points uphill, along J^H (A(x) - y)"
    if close(ours, 2 * expected):
        return "twice too large: the 1/2 in front of the square cancels the 2 of its derivative"
    if close(ours, camera.vjp(x, camera(x))):
        return "y is missing: the chain rule sends the residual A(x) - y back, not A(x)"
    if close(ours, camera.vjp(y, residual)):
        return "the Jacobian is taken at y: A is linearised at the current x, where the gradient is wanted"
    if close(ours, residual):
        return "the residual lives in the space of y: J(x)^H brings it back to the space of images"
    if not close(ours, expected):
        return "not the gradient: the chain rule gives J(x)^H (A(x) - y), which is one call of A.vjp"
    mri = suspects()["coils 2"]
    x, y = random_like(mri, "in", 1, True), random_like(mri, "out", 2, True)
    ours = answer(mri, x, y)
    return image_fault(ours, x) or (None if close(ours, mri.adjoint(mri(x) - y)) else
                                     "right for a real A, but not for the complex one of MRI: there it is "
                                     "A^H (A x - y), with the complex conjugate")


@exercise("operators.unseen")
def unseen(answer):
    """A function (A, w) -> part of the image w in the null space of a linear A, tried on a mask, MRI and CT."""
    mri, _ = small_operator(coils=1)
    mri = MRIOperator(torch.ones_like(mri.sens_maps), mri.mask).to(double=True)
    rays = CTOperator(MatrixProjector(16, equal_angles(2))).to(double=True)
    for A in (suspects()["hole"], mri, rays):
        w = random_like(A, "in", 4, True)
        u = answer(A, w)
        if fault := image_fault(u, w):
            return fault
        expected = w - seen(A, w)
        if close(u, expected, 1e-2):
            continue
        if close(u, -expected, 1e-2):
            return "the sign: w = seen part + unseen part, so the unseen part is w minus the seen one"
        if close(u, w - expected, 1e-2):
            return "that is the seen part, the shortest image with these measurements: subtract it from w"
        if close(u, w - A.adjoint(A(w)), 1e-2):
            return ("A^H is not the inverse of A: w - A^H A w is in the null space only if all singular values are "
                    "0 or 1, as for masks; for CT use the least-squares solution")
        if float(A(u).norm()) > 1e-2 * float(A(w).norm()):
            left = float(A(u).norm() / A(w).norm())
            return f"A u is not zero, ||A u|| / ||A w|| = {left:.2g}: take all of the seen part off"
        return "in the null space, but not w's part of it: what you take off w must be the shortest image with A w"
    return None


def seen(A, w):
    """The part of w (1, *A.in_shape) that is orthogonal to the null space of A, by the explicit pseudo-inverse."""
    n = math.prod(A.in_shape)
    basis = torch.eye(n, dtype=w.dtype).reshape(n, *A.in_shape)
    matrix = A(basis).reshape(n, -1).T  # (m, n)
    return (torch.linalg.pinv(matrix, rtol=1e-6) @ (matrix @ w.flatten())).reshape(w.shape)


@exercise("operators.filter")
def filters(answer):
    """A function (s, k, step) -> the filter factors of k Landweber steps for a tensor s of singular values."""
    s, tries = torch.tensor([1.0, 0.7, 0.2, 0.01, 0.0], dtype=torch.float64), ((1, 0.5), (2, 1.3), (40, 0.9))
    ours = [answer(s, k, step) for k, step in tries]
    if fault := image_fault(ours[0], s):
        return fault

    def agrees(rule):
        return all(close(got, rule(s, k, step), 1e-6) for (k, step), got in zip(tries, ours, strict=True))

    if agrees(lambda s, k, step: 1 - (1 - step * s**2) ** k):
        return None
    if agrees(lambda s, k, step: (1 - step * s**2) ** k):
        return "that is what is still missing after k steps: the filter factor is the share that has arrived"
    if agrees(lambda s, k, step: 1 - (1 - s**2) ** k):
        return "the step is missing: each step multiplies what is missing by 1 - step s^2"
    if agrees(lambda s, k, step: 1 - (1 - step * s) ** k):
        return "s must be squared: a step applies A and then A^H, each of which brings a factor s"
    if agrees(lambda s, k, step: step * s**2 * k):
        return "right for small k step s^2 only: what has arrived changes the residual of the next step"
    if any(agrees(lambda s, k, step, j=j: 1 - (1 - step * s**2) ** (k + j)) for j in (-1, 1)):
        return "one step too many or too few: from c_0 = 0 the first step gives step s b, that is step s^2 times b / s"
    if not all(bool(torch.isfinite(got).all()) for got in ours):
        return "not finite at s = 0: the factor multiplies b / s, so it does not hold the division by s itself"
    return "subtract the fixed point b / s: what is missing, c_k - b / s, is multiplied by the same number each step"
