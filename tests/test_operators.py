"""Operators against their explicit matrices; every registered task's operator against its adjoint or gradient."""

import math
import re

import pytest
import torch

from aseqdip_lite import tasks
from aseqdip_lite.operators import (
    Adjoint,
    DotTestError,
    Identity,
    LinearOperator,
    Mask,
    Operator,
    device_of,
    dot_test,
    random_like,
)
from aseqdip_lite.operators.mri import Fourier, MRIOperator, SensitivityMaps


class Matrix(LinearOperator):
    """x -> M x for a real or complex matrix M (m, n)."""

    def __init__(self, matrix):
        kind = matrix.is_complex()
        super().__init__((matrix.shape[1],), (matrix.shape[0],), in_complex=kind, out_complex=kind)
        self.matrix = matrix

    def _apply(self, x):
        return x @ self.matrix.T

    def _adjoint(self, y):
        return y @ self.matrix.conj()


class WithoutConjugate(Matrix):
    """A matrix with its transpose for an adjoint: right for real matrices only."""

    def _adjoint(self, y):
        return y @ self.matrix


class SlightlyOff(Matrix):
    """A matrix whose adjoint is off by one part in a million."""

    def _adjoint(self, y):
        return (1 + 1e-6) * (y @ self.matrix.conj())


class Square(Operator):
    """The nonlinear operator x -> w x^2."""

    def __init__(self, weights):
        super().__init__(weights.shape, weights.shape)
        self.weights = weights

    def _apply(self, x):
        return self.weights * x**2


def randn(*shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def small_mri(coils=2, h=4, w=5):
    """A = M F S with arbitrary maps and mask, small enough for an explicit matrix."""
    mask = torch.tensor([1.0, 0, 1, 1, 0, 1, 0, 1])[:w]
    return MRIOperator(randn(coils, h, w, dtype=torch.complex64), mask)


def real(m=5, n=4, seed=0):
    return Matrix(randn(m, n, seed=seed))


def cplx(m=5, n=4, seed=0):
    return Matrix(randn(m, n, dtype=torch.complex64, seed=seed))


LINEAR = {
    "real matrix": real(),
    "complex matrix": cplx(),
    "identity": Identity((3, 4, 5)),
    "complex identity": Identity((1, 4, 5), is_complex=True),
    "pixel mask": Mask(torch.tensor([[1.0, 0, 1], [0, 1, 1]]), (2, 2, 3)),
    "column mask": Mask(torch.tensor([1.0, 0, 1]), (2, 2, 3), is_complex=True),
    "Fourier": Fourier((2, 4, 5)),
    "coil maps": SensitivityMaps(randn(3, 4, 5, dtype=torch.complex64)),
    "MRI": small_mri(),
    "adjoint": cplx().H,
    "MRI adjoint": small_mri().H,
    "composition": real(6, 5, 1) @ real(5, 4, 2),
    "triple composition": cplx(3, 6, 1) @ cplx(6, 5, 2) @ cplx(5, 4, 3),
    "adjoint of a composition": (cplx(6, 5, 1) @ cplx(5, 4, 2)).H,
    "normal": small_mri().N,
    "sum": real(seed=1) + real(seed=2),
    "sum of unlike": small_mri().N + Identity((1, 4, 5), is_complex=True),
    "real scaling": -2.5 * real(),
    "real scaling of complex": cplx() * 3,
    "complex scaling": (1 - 2j) * cplx(),
    "nested": (2j * (cplx(5, 4, 1) + cplx(5, 4, 2)).H @ cplx(5, 4, 3)).H + Identity((4,), is_complex=True),
}
linear = pytest.mark.parametrize("A", LINEAR.values(), ids=LINEAR)


def matrix_of(A):
    """The explicit complex128 matrix (m, n) of a linear operator, from its values on the unit vectors."""
    A = A.to(double=True)
    n = math.prod(A.in_shape)
    basis = torch.eye(n, dtype=torch.complex128 if A.in_complex else torch.float64).reshape(n, *A.in_shape)
    return A(basis).reshape(n, -1).T.to(torch.complex128)


def gradient_error(A, seed=0):
    """Relative error of Re<v, J d> by central differences against Re<vjp(x, v), d>, at x between 0.25 and 0.75."""
    A = A.to(double=True)
    generator = torch.Generator().manual_seed(seed)
    x = 0.25 + 0.5 * torch.rand((1, *A.in_shape), generator=generator, dtype=torch.float64)
    x = x.to(torch.complex128) if A.in_complex else x
    d, v, step = random_like(A, "in", seed + 1, True), random_like(A, "out", seed + 2, True), 1e-6
    slope = (A(x + step * d) - A(x - step * d)) / (2 * step)
    left, right = torch.vdot(v.flatten(), slope.flatten()).real, torch.vdot(A.vjp(x, v).flatten(), d.flatten()).real
    return float((left - right).abs() / (slope.norm() * v.norm() / v.numel() ** 0.5))


# Registered tasks: a new task is tested here by being registered.

@pytest.mark.parametrize("task", tasks.REGISTRY)
def test_operator_of_every_task_has_its_adjoint_or_gradient(task, smoke_case):
    A = smoke_case(task).observation.A
    if isinstance(A, LinearOperator):
        assert dot_test(A) <= 1e-10
        assert dot_test(A, double=False) <= 1e-5
    else:
        assert gradient_error(A) <= 1e-6


@pytest.mark.parametrize("task", tasks.REGISTRY)
def test_gradient_of_every_task_reaches_its_input(task, smoke_case):
    A, y = smoke_case(task).observation.A, smoke_case(task).observation.y
    x = smoke_case(task).observation.start.clone().requires_grad_()
    with torch.enable_grad():
        (A(x) - 0.5 * y).abs().square().sum().backward()
    assert x.grad.shape == (1, *A.in_shape)
    assert torch.isfinite(torch.view_as_real(x.grad) if A.in_complex else x.grad).all()
    assert x.grad.norm() > 0


# The adjoint.

@linear
def test_dot_test(A):
    assert dot_test(A) <= 1e-10
    assert dot_test(A, double=False) <= 1e-5


@linear
def test_adjoint_is_the_conjugate_transpose_of_the_explicit_matrix(A):
    torch.testing.assert_close(matrix_of(A.H), matrix_of(A).mH, rtol=1e-12, atol=1e-12)


@linear
def test_adjoint_of_the_adjoint_is_the_operator(A):
    plain = A.H if isinstance(A, Adjoint) else A
    assert plain.H.H is plain


@linear
def test_vjp_of_a_linear_operator_is_its_adjoint(A):
    A = A.to(double=True)
    x, v = random_like(A, "in", 1, True), random_like(A, "out", 2, True)
    torch.testing.assert_close(A.vjp(x, v), A.adjoint(v), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wrong, tolerance", [
    (WithoutConjugate(cplx().matrix), "1e-10"),
    (SlightlyOff(real().matrix), "1e-10"),
    (SlightlyOff(cplx().matrix).H, "1e-10"),
    (real(4, 4) @ SlightlyOff(real(4, 4).matrix), "1e-10"),
])
def test_wrong_adjoint_raises_and_shows_both_numbers(wrong, tolerance):
    with pytest.raises(DotTestError) as caught:
        dot_test(wrong, seed=3)
    message = str(caught.value)
    found = re.fullmatch(r"(.+): <A x, y> = (\S+) but <x, A\^H y> = (\S+) \(error (\S+), tolerance (\S+)\)", message)
    assert found, message
    A = wrong.to(double=True)
    x, y = random_like(A, "in", 3, True), random_like(A, "out", 4, True)
    left, right = (A(x) * y.conj()).sum().item(), (x * A.adjoint(y).conj()).sum().item()
    assert complex(found[2]) == pytest.approx(left, rel=1e-12)
    assert complex(found[3]) == pytest.approx(right, rel=1e-12)
    assert found[2] != found[3]
    assert float(found[4]) > 1e-10
    assert (found[1], found[5]) == (repr(wrong), tolerance)


def test_transpose_for_an_adjoint_passes_for_real_matrices():
    assert dot_test(WithoutConjugate(real().matrix)) <= 1e-10


def test_dot_test_takes_a_tolerance():
    assert 1e-9 < dot_test(SlightlyOff(real().matrix), tol=1e-4) < 1e-4


# The algebra, against matrices.

def test_algebra_agrees_with_matrices():
    A, B, C = cplx(5, 4, 1), cplx(5, 4, 2), cplx(4, 5, 3)
    a, b, c = matrix_of(A), matrix_of(B), matrix_of(C)
    for operator, expected in [
        (C @ A, c @ a), (A + B, a + b), (2 * A, 2 * a), (A * -0.5, -0.5 * a), ((1 + 2j) * A, (1 + 2j) * a),
        (((1 + 2j) * A).H, (1 - 2j) * a.mH), (A.N, a.mH @ a), (A.H @ B, a.mH @ b),
        ((C @ (A + 3j * B)).H, (c @ (a + 3j * b)).mH),
    ]:
        torch.testing.assert_close(matrix_of(operator), expected, rtol=1e-12, atol=1e-12)


@linear
def test_batch_is_the_same_as_one_by_one(A):
    A = A.to(double=True)
    x = torch.cat([random_like(A, "in", seed, True) for seed in range(3)])
    torch.testing.assert_close(A(x), torch.cat([A(one[None]) for one in x]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("A", [real(9, 6), cplx(9, 6), cplx(4, 7), small_mri(), small_mri(coils=5, w=8).H, 3j * cplx(),
                               Mask(torch.tensor([0.0, 1, 1]), (1, 2, 3))])
def test_norm_is_the_largest_singular_value(A):
    largest = float(torch.linalg.svdvals(matrix_of(A))[0])
    assert A.to(double=True).norm(iterations=500, double=True) == pytest.approx(largest, rel=1e-8)
    assert A.norm(iterations=500) == pytest.approx(largest, rel=1e-4)


def test_norm_is_a_lower_bound_that_rises():
    A = real(9, 6).to(double=True)
    largest = float(torch.linalg.svdvals(matrix_of(A))[0])
    norms = [A.norm(iterations=n, double=True) for n in (1, 2, 4, 8)]
    assert norms == sorted(norms)
    assert norms[-1] <= largest * (1 + 1e-12)


# Autograd.

@linear
def test_gradcheck_through_the_operator_and_its_adjoint(A):
    A = A.to(double=True)
    x, y = random_like(A, "in", 1, True).requires_grad_(), random_like(A, "out", 2, True).requires_grad_()
    assert torch.autograd.gradcheck(A, (x,))
    assert torch.autograd.gradcheck(A.H, (y,))


def test_gradient_of_a_nonlinear_operator():
    A = Square(randn(1, 3, 4))
    assert gradient_error(A) <= 1e-8
    x, v = randn(1, 1, 3, 4, seed=1), randn(1, 1, 3, 4, seed=2)
    torch.testing.assert_close(A.vjp(x, v), 2 * A.weights * x * v)


# Precision and device.

@linear
def test_double_precision_reaches_every_part(A):
    double = A.to(double=True)
    x = random_like(A, "in", 1, True)
    assert double(x).dtype == (torch.complex128 if A.out_complex else torch.float64)
    assert double.to(double=False)(random_like(A, "in", 1)).dtype == (torch.complex64 if A.out_complex
                                                                      else torch.float32)
    assert double(double.adjoint(double(x))).dtype == double(x).dtype
    torch.testing.assert_close(double(x), A(x.to(random_like(A, "in").dtype)), check_dtype=False, rtol=1e-4, atol=1e-4)


def test_conversion_leaves_the_original_alone():
    A = 2 * (small_mri().N + Identity((1, 4, 5), is_complex=True))
    A.to(double=True)
    assert A(random_like(A, "in")).dtype == torch.complex64


def test_device_of_nested_operators():
    A = (2 * small_mri()).H @ small_mri()
    assert device_of(A).type == "cpu"
    assert device_of(A.to("meta")).type == "meta"
    assert device_of(Identity((1, 2, 2))).type == "cpu"


# Errors.

def message(call):
    with pytest.raises(ValueError) as caught:
        call()
    return str(caught.value)


def test_shape_and_kind_mismatches_name_operator_expected_and_received():
    A = small_mri()
    assert message(lambda: A(randn(1, 1, 4, 5))) == (
        "MRIOperator(1, 4, 5)->(2, 4, 5): input must be complex of shape (B, 1, 4, 5), "
        "got real of shape (1, 1, 4, 5)")
    assert message(lambda: A.adjoint(randn(1, 3, 4, 5, dtype=torch.complex64))) == (
        "MRIOperator(1, 4, 5)->(2, 4, 5): measurements must be complex of shape (B, 2, 4, 5), "
        "got complex of shape (1, 3, 4, 5)")
    assert message(lambda: Identity((1, 2, 3))(randn(1, 2, 3))) == (
        "Identity(1, 2, 3)->(1, 2, 3): input must be real of shape (B, 1, 2, 3), got real of shape (1, 2, 3)")
    assert message(lambda: Square(randn(1, 2)).vjp(randn(1, 1, 2), randn(1, 1, 3))) == (
        "Square(1, 2)->(1, 2): cotangent must be real of shape (B, 1, 2), got real of shape (1, 1, 3)")
    assert message(lambda: A.H(randn(1, 1, 4, 5, dtype=torch.complex64))) == (
        "Adjoint(2, 4, 5)->(1, 4, 5): input must be complex of shape (B, 2, 4, 5), "
        "got complex of shape (1, 1, 4, 5)")


def test_impossible_algebra_names_both_operators():
    assert message(lambda: real(5, 4) @ real(5, 4)) == (
        "cannot compose Matrix(4,)->(5,) after Matrix(4,)->(5,): shapes or kinds do not match")
    assert message(lambda: cplx(4, 5) @ real(5, 4)) == (
        "cannot compose Matrix(5,)->(4,) after Matrix(4,)->(5,): shapes or kinds do not match")
    assert message(lambda: real(5, 4) + real(6, 4)) == (
        "cannot add Matrix(4,)->(5,) and Matrix(4,)->(6,): shapes or kinds do not match")
    assert message(lambda: real() + cplx()).startswith("cannot add")
    assert message(lambda: 2j * real()) == (
        "cannot scale Matrix(4,)->(5,) by the complex number 2j: it is a real operator")


@pytest.mark.parametrize("attempt", [lambda: real() @ 3, lambda: real() + 1, lambda: "2" * real(),
                                     lambda: real() @ Square(randn(4)), lambda: Square(randn(4)) * 2])
def test_algebra_with_other_things_is_a_type_error(attempt):
    with pytest.raises(TypeError):
        attempt()


def test_base_classes_say_what_they_lack():
    with pytest.raises(TypeError, match="^Operator defines no forward map$"):
        Operator((2,), (2,))(randn(1, 2))
    with pytest.raises(TypeError, match="^LinearOperator defines no adjoint$"):
        LinearOperator((2,), (2,)).adjoint(randn(1, 2))
