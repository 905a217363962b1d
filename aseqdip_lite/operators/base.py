"""Forward operators A: call, adjoint, algebra, dot test, norm.

An operator maps a batch of images (B, *in_shape) to a batch of measurements (B, *out_shape). It is made of torch
functions, so autograd runs through `A(x)` and `A.H(y)`; a linear operator adds its exact adjoint and the algebra
`A @ B`, `A + B`, `2 * A`, `A.H`, `A.N` (= A^H A).
"""

import copy

import torch

__all__ = ["Adjoint", "Composition", "DotTestError", "Identity", "LinearOperator", "Mask", "Operator", "Scaled",
           "Shifted", "Sum", "device_of", "dot_test", "random_like"]


class Operator:
    """A map A from images to measurements, linear or not.

    ValueError if called with a tensor of another shape or kind; names what was expected.

    Args:
        in_shape, out_shape: shapes of one image and of its measurements, without batch axis.
        in_complex, out_complex: whether the values are complex.
    """

    def __init__(self, in_shape, out_shape, *, in_complex=False, out_complex=False):
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.in_complex, self.out_complex = in_complex, out_complex

    def _apply(self, x):
        raise TypeError(f"{type(self).__name__} defines no forward map")

    def __call__(self, x):
        """A x for x of shape (B, *in_shape); returns (B, *out_shape)."""
        self._check("input", x, self.in_shape, self.in_complex)
        return self._apply(x)

    def vjp(self, x, v):
        """J(x)^H v, the gradient of Re<v, A(x)> at x: what a nonlinear A has for an adjoint.

        x: (B, *in_shape), v: (B, *out_shape); returns (B, *in_shape).
        """
        self._check("input", x, self.in_shape, self.in_complex)
        self._check("cotangent", v, self.out_shape, self.out_complex)
        return torch.func.vjp(self._apply, x)[1](v)[0]

    @property
    def replays(self):
        """Whether a GPU may record it (`methods.cuda_graphs`): only torch functions that read no number back."""
        return all(part.replays for part in vars(self).values() if isinstance(part, Operator))

    def to(self, device=None, *, double=None):
        """The same operator on another device and/or in double (True) or single (False) precision."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Operator):
                setattr(other, name, value.to(device, double=double))
            elif isinstance(value, torch.Tensor):
                setattr(other, name, value.to(device=device, dtype=_precision(value.dtype, double)))
        return other

    def _check(self, role, x, shape, is_complex):
        if tuple(x.shape[1:]) != shape or x.is_complex() != is_complex:
            kind, got = ("complex" if flag else "real" for flag in (is_complex, x.is_complex()))
            raise ValueError(f"{self}: {role} must be {kind} of shape (B, {', '.join(map(str, shape))}), "
                             f"got {got} of shape {tuple(x.shape)}")

    def __repr__(self):
        return f"{type(self).__name__}{self.in_shape}->{self.out_shape}"


class LinearOperator(Operator):
    """A linear operator with its exact adjoint; subclasses define `_apply` and `_adjoint`."""

    def _adjoint(self, y):
        raise TypeError(f"{type(self).__name__} defines no adjoint")

    def adjoint(self, y):
        """A^H y for y of shape (B, *out_shape); returns (B, *in_shape)."""
        self._check("measurements", y, self.out_shape, self.out_complex)
        return self._adjoint(y)

    @property
    def H(self):
        """The adjoint as an operator; A.H.H is A."""
        return Adjoint(self)

    @property
    def N(self):
        """The normal operator A^H A."""
        return self.H @ self

    def __matmul__(self, other):
        return Composition(self, other) if isinstance(other, LinearOperator) else NotImplemented

    def __add__(self, other):
        return Sum(self, other) if isinstance(other, LinearOperator) else NotImplemented

    def __mul__(self, factor):
        return Scaled(self, factor) if isinstance(factor, (int, float, complex)) else NotImplemented

    __rmul__ = __mul__

    def norm(self, iterations=60, seed=0, double=False):
        """Largest singular value of A by power iteration on A^H A (a lower bound that converges)."""
        x = random_like(self, "in", seed, double)
        for _ in range(iterations):
            x = self._adjoint(self._apply(x / x.norm()))
        return float(x.norm()) ** 0.5


class Adjoint(LinearOperator):
    """A^H of a linear operator A."""

    def __init__(self, A):
        super().__init__(A.out_shape, A.in_shape, in_complex=A.out_complex, out_complex=A.in_complex)
        self.A = A
        self._apply, self._adjoint = A._adjoint, A._apply

    @property
    def H(self):
        return self.A

    def to(self, device=None, *, double=None):
        return Adjoint(self.A.to(device, double=double))


class Composition(LinearOperator):
    """A B: first B, then A."""

    def __init__(self, A, B):
        if (A.in_shape, A.in_complex) != (B.out_shape, B.out_complex):
            raise ValueError(f"cannot compose {A!r} after {B!r}: shapes or kinds do not match")
        super().__init__(B.in_shape, A.out_shape, in_complex=B.in_complex, out_complex=A.out_complex)
        self.A, self.B = A, B

    def _apply(self, x):
        return self.A._apply(self.B._apply(x))

    def _adjoint(self, y):
        return self.B._adjoint(self.A._adjoint(y))


class Sum(LinearOperator):
    """A + B on the same spaces."""

    def __init__(self, A, B):
        if (A.in_shape, A.in_complex, A.out_shape, A.out_complex) != (
                B.in_shape, B.in_complex, B.out_shape, B.out_complex):
            raise ValueError(f"cannot add {A!r} and {B!r}: shapes or kinds do not match")
        super().__init__(A.in_shape, A.out_shape, in_complex=A.in_complex, out_complex=A.out_complex)
        self.A, self.B = A, B

    def _apply(self, x):
        return self.A._apply(x) + self.B._apply(x)

    def _adjoint(self, y):
        return self.A._adjoint(y) + self.B._adjoint(y)


class Scaled(LinearOperator):
    """c A for a number c; a complex c needs a complex operator."""

    def __init__(self, A, factor):
        if isinstance(factor, complex) and not (A.in_complex and A.out_complex):
            raise ValueError(f"cannot scale {A!r} by the complex number {factor}: it is a real operator")
        super().__init__(A.in_shape, A.out_shape, in_complex=A.in_complex, out_complex=A.out_complex)
        self.A, self.factor = A, factor

    def _apply(self, x):
        return self.factor * self.A._apply(x)

    def _adjoint(self, y):
        return self.factor.conjugate() * self.A._adjoint(y)


class Identity(LinearOperator):
    """A = I on images of the given shape: the forward operator of denoising."""

    def __init__(self, shape, *, is_complex=False):
        super().__init__(shape, shape, in_complex=is_complex, out_complex=is_complex)

    def _apply(self, x):
        return x

    _adjoint = _apply


class Mask(LinearOperator):
    """Pointwise multiplication by a 0/1 mask that broadcasts to the shape: what was not measured is 0.

    mask: real tensor, e.g. (W,) for k-space columns or (H, W) for pixels.
    """

    def __init__(self, mask, shape, *, is_complex=False):
        super().__init__(shape, shape, in_complex=is_complex, out_complex=is_complex)
        self.mask = mask

    def _apply(self, x):
        return self.mask * x

    _adjoint = _apply


class Shifted(Operator):
    """A(x + shift), for images that are kept as their difference from `shift`, a tensor (1, *in_shape)."""

    def __init__(self, A, shift):
        super().__init__(A.in_shape, A.out_shape, in_complex=A.in_complex, out_complex=A.out_complex)
        self.A, self.shift = A, shift

    def _apply(self, x):
        return self.A._apply(x + self.shift)


class DotTestError(AssertionError):
    """The adjoint is not the adjoint of the forward map."""


def dot_test(A, *, double=True, tol=None, seed=0):
    """Check <A x, y> = <x, A^H y> on random x, y and return the relative error.

    The error is |<A x, y> - <x, A^H y>| divided by ||A x|| ||y|| / sqrt(m), the number's typical size for random y with
    m entries; the inner products are summed in double. DotTestError if the error is above tol; the message holds both
    numbers.

    Args:
        A: LinearOperator (it is converted to the asked precision first).
        double: float64 / complex128 if True, float32 / complex64 if False.
        tol: largest accepted error; 1e-10 in double, 1e-5 in single precision by default.
        seed: seed of the random x and y.
    """
    A = A.to(double=double)
    tol = tol if tol is not None else (1e-10 if double else 1e-5)
    x, y = random_like(A, "in", seed, double), random_like(A, "out", seed + 1, double)
    Ax = A(x)
    left, right = _inner(Ax, y), _inner(x, A.adjoint(y))
    typical = float(Ax.norm()) * float(y.norm()) / y.numel() ** 0.5
    error = abs(left - right) / max(typical, torch.finfo(torch.float64).tiny)
    if not error <= tol:
        raise DotTestError(f"{A!r}: <A x, y> = {left:.15g} but <x, A^H y> = {right:.15g} "
                           f"(error {error:.2e}, tolerance {tol:.0e})")
    return error


def random_like(A, side, seed=0, double=False):
    """A standard normal element (1, *shape) of A's domain (side "in") or range (side "out")."""
    shape, is_complex = (A.in_shape, A.in_complex) if side == "in" else (A.out_shape, A.out_complex)
    dtype = _precision(torch.complex64 if is_complex else torch.float32, double)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((1, *shape), generator=generator, dtype=dtype).to(device_of(A))


def device_of(A):
    """The device that A's tensors lie on; the CPU for an operator without tensors."""
    for value in vars(A).values():
        if isinstance(value, torch.Tensor):
            return value.device
        if isinstance(value, Operator) and device_of(value).type != "cpu":
            return device_of(value)
    return torch.device("cpu")


def _inner(a, b):
    """<a, b> = sum a conj(b) in double precision: real for real tensors, else complex."""
    dtype = torch.complex128 if a.is_complex() or b.is_complex() else torch.float64
    return torch.vdot(b.to(dtype).flatten(), a.to(dtype).flatten()).item()


def _precision(dtype, double):
    """`dtype` in double (True) or single (False) precision; unchanged for None and for integers."""
    if double is None or not (dtype.is_floating_point or dtype.is_complex):
        return dtype
    real = torch.float64 if double else torch.float32
    return real.to_complex() if dtype.is_complex else real
