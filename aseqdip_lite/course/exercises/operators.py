"""Exercises of lesson 01: the dot test, broken adjoints, the gradient of any A, null spaces, filter factors."""

import torch

from ...operators import LinearOperator, Mask, random_like
from ...operators.blur import MotionBlur, motion_path, path_kernel
from ...operators.ct import CTOperator
from ...operators.mri import MRIOperator
from ...operators.projectors import MatrixProjector, RotationProjector, equal_angles
from .mri import SHAPE, one_coil, small_operator
from .table import REGISTRY, exercise

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


def probes():
    """(A, x, v) with right and wrong adjoints, the last two with an x of another size."""
    tried = suspects()
    mri, rays, views = tried["coils 2"], tried["views 1"], tried["views 2"]
    negative = Pair(mri, -1 * mri), Pair(rays, -1 * rays)
    operators = tried["hole"], rays, mri, *negative, tried["coils 1"], views, views, views
    return [(A, scale * random_like(A, "in", 1, True), random_like(A, "out", 2, True))
            for A, scale in zip(operators, [1.0] * 7 + [1e-6, 1e6], strict=True)]


def finding(error, A, x, v):
    """What an error says of A, whatever size it was divided by."""
    y = A(x)
    least = 0.03 * float((torch.vdot(y.flatten(), v.flatten()) - torch.vdot(x.flatten(), A.adjoint(v).flatten())).abs()
                         / (y.norm() * v.norm()))
    return ("rounding" if abs(error) < 1e-10 else "a fault" if least < abs(error) < 10 else
            "a smaller number" if abs(error) < 1 else "a larger number")


@exercise("operators.dot_test", probes, trait=finding, stepwise=True, otherwise=lambda error, A, x, v: (
    "a wrong adjoint passes: compare <A x, v> with <x, A^H v>, and keep the imaginary parts of x and v"
    if finding(error, A, x, v) == "rounding" else "a right adjoint is called wrong: compare <A x, v> with <x, A^H v>"))
def dot(A, x, v):
    """A function (A, x, v) -> relative error of <A x, v> = <x, A^H v>, tried on right and on wrong adjoints."""
    y, u = A(x), A.adjoint(v)
    left, right, size = torch.vdot(y.flatten(), v.flatten()), torch.vdot(x.flatten(), u.flatten()), y.norm() * v.norm()
    error = (left - right).abs() / size
    return {
        None: error,
        "a right adjoint of a real A is called wrong: compare the numbers <A x, v> and <x, A^H v>; A^H is no inverse, "
        "so A^H A x need not be x": (A.adjoint(y) - x).norm() / x.norm(),
        "a right adjoint of a complex A is called wrong: <a, b> = sum conj(a) b, one factor is conjugated (torch.vdot "
        "does it)": ((y * v).sum() - (x * u).sum()).abs() / size,
        "-A^H passes: compare the two inner products themselves, not their absolute values and not norms":
            (left.abs() - right.abs()).abs() / size,
        "the back-projection of another projector passes: do not round, and do not cut small errors off":
            error.round(decimals=2),
        "for an x of another size the error is another: divide by a size that grows alike, such as ||A x|| ||v||":
            [error * size, error * y.norm(), error * x.norm(), error / x.norm()],
    }


def verdict(answer):
    """A name that is accused wrongly, else the first of the broken ones that is not among the names, else None."""
    names = {answer} if isinstance(answer, str) else set(answer)
    missing = [name for name in ("coils 1", "views 2", "shake") if name not in names]
    return [*sorted(map(str, names - BROKEN)), *missing, None][0]


def acquitted(answer):
    """The hint to names of which one is accused wrongly."""
    if verdict(answer) not in suspects():
        return f"there is no suspect '{verdict(answer)}': the names are {', '.join(suspects())}"
    return (f"'{verdict(answer)}' is innocent: its error is rounding, about 1e-16 in double precision; set the "
            "threshold well above that")


@exercise("operators.suspects", [()], acquitted, trait=verdict)
def suspect():
    """The names of the broken ones among `suspects`, in any collection."""
    return {
        None: set(BROKEN),
        "one more is broken, and its x and v are complex: does your inner product conjugate one factor?":
            BROKEN - {"coils 1"},
        "one more is broken, by less than a percent of ||A x|| ||v||: rounding is about 1e-16 here; lower the "
        "threshold": BROKEN - {"views 2"},
        "one more is broken: blurring twice looks harmless, but the adjoint of a blur turns its kernel round":
            BROKEN - {"shake"},
    }


def residuals():
    """(A, x, y) for a camera, which is not linear, and for MRI, which is complex."""
    camera = MotionBlur((1, *SHAPE), shake_kernel()).to(double=True)
    generator = torch.Generator().manual_seed(5)
    x, y = (0.25 + 0.5 * torch.rand((1, 1, *SHAPE), generator=generator, dtype=torch.float64) for _ in range(2))
    mri = suspects()["coils 2"]
    return [(camera, x, y), (mri, random_like(mri, "in", 1, True), random_like(mri, "out", 2, True))]


@exercise("operators.gradient", residuals, tol=1e-4, otherwise=(
    "not the gradient: the chain rule gives J(x)^H (A(x) - y), which is one call of A.vjp"))
def gradient(A, x, y):
    """A function (A, x, y) -> gradient at x of 1/2 ||A(x) - y||^2, for linear and nonlinear A."""
    r = A(x) - y
    right = A.vjp(x, r)
    return {
        None: right,
        "the sign: that is the direction of descent, the gradient points uphill, along J^H (A(x) - y)": -right,
        "twice too large: the 1/2 in front of the square cancels the 2 of its derivative": 2 * right,
        "y is missing: the chain rule sends the residual A(x) - y back, not A(x)": A.vjp(x, A(x)),
        "the Jacobian is taken at y: A is linearised at the current x, where the gradient is wanted":
            lambda: A.vjp(y, r),
        "the residual lives in the space of y: J(x)^H brings it back to the space of images": r,
        "this A is not linear, so it has no adjoint: A.vjp(x, v) gives J(x)^H v for every A": lambda: A.adjoint(r),
        "right for a real A, but not for the complex one of MRI: there it is A^H (A x - y), with the complex conjugate":
            [right.conj(), A.vjp(x, r.conj())],
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
    return (f"A u is not zero, ||A u|| / ||A w|| = {left:.2g}: take all of the seen part off" if left > 1e-2 else
            "in the null space, but not w's part of it: what you take off w must be the shortest image with A w")


@exercise("operators.unseen", images, not_unseen, tol=1e-2)
def unseen(A, w):
    """A function (A, w) -> part of the image w in the null space of a linear A, tried on a mask, MRI and CT."""
    part = seen(A, w)
    return {
        None: w - part,
        "the sign: w = seen part + unseen part, so the unseen part is w minus the seen one": part - w,
        "that is the seen part, the shortest image with these measurements: subtract it from w": part,
        "A^H is not the inverse of A: w - A^H A w is in the null space only if all singular values are 0 or 1, as for "
        "masks; for CT use the least-squares solution": w - A.adjoint(A(w)),
    }


@exercise("operators.filter", lambda: [(torch.tensor([1.0, *middle, 0.01, 0.0], dtype=torch.float64), k, step)
                                       for middle, k, step in (((0.7, 0.2), 1, 0.5), ((0.6, 0.3), 2, 1.3),
                                                               ((0.5,), 40, 0.9))], otherwise=(
    "subtract the fixed point b / s: what is missing, c_k - b / s, is multiplied by the same number each step"))
def filters(s, k, step):
    """A function (s, k, step) -> the filter factors of k Landweber steps for a tensor s of singular values."""
    q = 1 - step * s**2
    return {
        None: 1 - q**k,
        "that is what is still missing after k steps: the filter factor is the share that has arrived": q**k,
        "the step is missing: each step multiplies what is missing by 1 - step s^2": 1 - (1 - s**2) ** k,
        "s must be squared: a step applies A and then A^H, each of which brings a factor s": 1 - (1 - step * s) ** k,
        "right for small k step s^2 only: what has arrived changes the residual of the next step": step * s**2 * k,
        "one step too many or too few: from c_0 = 0 the first step gives step s b, that is step s^2 times b / s":
            [1 - q ** (k - 1), 1 - q ** (k + 1)],
        "not finite at s = 0: the factor multiplies b / s, so it does not hold the division by s itself":
            (1 - q**k) / s,
        "not finite where step s^2 > 1: 1 - step s^2 is negative there and has no logarithm, take its power":
            -torch.expm1(k * torch.log1p(-step * s**2)),
    }


@exercise("operators.filter:missing", REGISTRY["operators.filter"].cases, otherwise=(
    "what is missing, b / s - c_k, is multiplied by the same number each step: find that number"),
          instead="return the share that is still missing after k steps, in place of the share that has arrived: "
                  "(b / s - c_k) divided by b / s, and 1 where s = 0",
          solution="lambda s, k, step: (1 - step * s**2) ** k")
def missing(s, k, step):
    """A function (s, k, step) -> the share that k Landweber steps leave missing for a tensor s of singular values."""
    q = 1 - step * s**2
    return {
        None: q**k,
        "that is the share that has arrived: what is missing is the rest": 1 - q**k,
        "the step is missing: each step multiplies what is missing by 1 - step s^2": (1 - s**2) ** k,
        "s must be squared: a step applies A and then A^H, each of which brings a factor s": (1 - step * s) ** k,
        "right for small k step s^2 only: what has arrived changes the residual of the next step": 1 - step * s**2 * k,
        "one step too many or too few: from c_0 = 0 all is missing before the first step": [q ** (k - 1), q ** (k + 1)],
        "not finite where step s^2 > 1: 1 - step s^2 is negative there and has no logarithm, take its power":
            torch.exp(k * torch.log1p(-step * s**2)),
    }
