"""Exercises of lesson 04: the kernel, the largest rate, the antithetic partner, noise learned, the proximal point."""

import math

import torch

from ..theory.dynamics import proximal_point
from ..theory.nets import as_function, conv_net
from ..theory.ntk import ntk_matrix
from . import NOTHING, exercise, nothing
from .double import close, draw

#: Length of the signals that answers are tried on; smaller than the number of weights.
LENGTH = 7


def agree(pairs):
    """Whether all pairs (got, expected) of numbers agree to a relative 1e-6."""
    return all(math.isclose(float(got), float(expected), rel_tol=1e-6) for got, expected in pairs)


@exercise("ntk.kernel")
def kernel(answer):
    """A function (f, params, z) -> Theta = J J^T (m, m), J the derivative of all m outputs by all weights."""
    f, params = as_function(conv_net(3, layers=2, seed=1), residual=True)
    params = {name: p + 0.1 * draw(*p.shape, seed=2) for name, p in params.items()}  # biases other than 0
    z = draw(1, 1, LENGTH)
    theta = answer(f, params, z)
    if nothing(theta):
        return NOTHING
    expected = ntk_matrix(f, params, z)
    p = sum(part.numel() for part in params.values())
    if not isinstance(theta, torch.Tensor) or theta.shape == (p, p):
        return (f"Theta has a row for each of the {LENGTH} outputs. J^T J has one for each weight: it says how weights "
                "interact, not how outputs do")
    if theta.shape != expected.shape:
        return f"the shape must be ({LENGTH}, {LENGTH}), yours is {tuple(theta.shape)}: flatten the output, (1, 1, m)"
    if close(theta, expected):
        return None
    by_input = torch.func.jacrev(lambda z: f(params, z).flatten())(z).flatten(1)
    if close(theta, by_input @ by_input.T):
        return "that is the derivative by the input z: the kernel needs the one by the weights"
    if any(close(theta, part) for part in _partial(f, params, z)):
        return "some of the parameters are missing: the sum is over all tensors, biases and every layer included"
    return "not J J^T: flatten the Jacobian of each tensor to (m, p), multiply it by its transpose, add over tensors"


def _partial(f, params, z):
    """The kernels of the weights without biases, of the biases alone, and of each single tensor."""
    single = {}
    for name in params:
        def of_one(part, z, name=name):
            return f(params | part, z)
        single[name] = ntk_matrix(of_one, {name: params[name]}, z)
    for kind in ("weight", "bias"):
        yield sum(theta for name, theta in single.items() if name.endswith(kind))
    yield from single.values()


@exercise("ntk.rate")
def rate(answer):
    """A function (lambda_max, m, loss) -> largest stable rate; loss is "half", "sum" or "mean" of the squares."""
    tries = {loss: [(answer(v, m, loss), v, m) for v, m in ((30000.0, 100), (8.0, 64))]
             for loss in ("half", "sum", "mean")}
    if nothing(*(got for rows in tries.values() for got, *_ in rows)):
        return NOTHING
    right = {"half": lambda v, m: 2 / v, "sum": lambda v, m: 1 / v, "mean": lambda v, m: m / v}
    wrong = [loss for loss, rows in tries.items() if not agree((got, right[loss](v, m)) for got, v, m in rows)]
    if not wrong:
        return None
    if all(agree((got, right[loss](v, m) / 2) for got, v, m in rows) for loss, rows in tries.items()):
        return ("half of it: at 1 / lambda_max the fastest mode arrives in one step; it swings beyond, but shrinks, "
                "until |1 - beta lambda_max| = 1")
    if "half" in wrong:
        return '"half" is the loss of the derivation: its modes shrink by 1 - beta lambda, so |1 - beta lambda_max| < 1'
    if agree((got, 2 / v) for loss in wrong for got, v, m in tries[loss]):
        return f'the loss counts: the gradient of "{wrong[0]}" is another multiple of f - y than that of "half"'
    if agree((got, 4 / v if loss == "sum" else 4 / (v * m)) for loss in wrong for got, v, m in tries[loss]):
        return "upside down: where the gradient is larger, the rate must be smaller"
    if wrong == ["mean"] and agree((got, 2 * m / v) for got, v, m in tries["mean"]):
        return '"mean" has no 1/2: its gradient is 2/m times f - y, not 1/m times'
    return f'write the gradient of "{wrong[0]}" as c (f - y): c lr takes the place of beta, so c lr = 2 / lambda_max'


@exercise("ntk.partner")
def partner(answer):
    """A function of params -> weights with g_0 -> -g_0 and the same kernel: the last layer negated."""
    f, params = as_function(conv_net(4, layers=3, seed=3))
    z, before = draw(1, 1, LENGTH), {name: p.clone() for name, p in params.items()}
    got = answer(params)
    if nothing(got):
        return NOTHING
    if not all(torch.equal(before[name], p) for name, p in params.items()):
        return "params itself has changed: return a new dict, for f still needs the old weights"
    if not isinstance(got, dict) or set(got) != set(params):
        return "return a dict with the same names as params"
    flipped, same = close(f(got, z), -f(params, z)), close(ntk_matrix(f, got, z), ntk_matrix(f, params, z))
    if flipped and same:
        return None
    if close(f(got, z), f(params, z)):
        return "the output has not changed its sign: negate the layer that has no ReLU behind it"
    if flipped:
        return "the output is right, the kernel is not: change nothing but a sign"
    if close(got["0.weight"], -params["0.weight"]):
        return "a ReLU stands behind the first layer, and relu(-u) is not -relu(u): take a layer without one"
    if close(got["2.weight"], -params["2.weight"]):
        return "a hidden layer was negated: a ReLU stands behind it too, and does not pass a sign on"
    return "not -g_0: which layer is g linear in, whatever the others do?"


@exercise("ntk.error")
def error(answer):
    """A function (values, beta, t, sigma) -> E ||f_t - x||^2 / m by Eq. 13 for z = x, noise N(0, sigma^2 I)."""
    tries = [(draw(9, seed=seed).abs(), 0.3, t, sigma) for seed, t, sigma in ((4, 3, 1.0), (5, 12, 0.5), (6, 1, 2.0))]
    found = [answer(*arguments) for arguments in tries]
    if nothing(*found):
        return NOTHING
    if any(torch.as_tensor(got).numel() != 1 for got in found):
        return "one number is asked for: the mean over the m modes"

    def matches(formula):
        return agree((got, formula((1 - beta * v) ** t, s)) for got, (v, beta, t, s) in zip(found, tries, strict=True))

    if matches(lambda left, s: s**2 * ((1 - left) ** 2).mean()):
        return None
    if matches(lambda left, s: s**2 * (left**2).mean()):
        return "that is the part of the noise that is not learned yet: with z = x the error is (I - M_t) n"
    if matches(lambda left, s: s**2 * ((1 - left) ** 2).sum()):
        return "that is the sum: the mean squared error divides by m, the number of modes"
    if matches(lambda left, s: s**2 * (1 - left).mean()):
        return "the error is squared, so each mode's factor is squared as well"
    if matches(lambda left, s: s**2 * (1 - left**2).mean()):
        return "(1 - q)^2 is not 1 - q^2: first the factor of n in each mode, then its square"
    if matches(lambda left, s: s * ((1 - left) ** 2).mean()):
        return "sigma is a standard deviation: the energy of the noise in a mode is sigma^2"
    return ("with z = x, Eq. 13 gives f_t - x = (I - M_t) n: write it in eigenvectors of Theta, where n has the same "
            "energy sigma^2 in each")


@exercise("ntk.proximal")
def proximal(answer):
    """A function (A, y, z, lam) -> argmin_u ||A u - y||^2 + lam ||u - z||^2 for real A (m, n) and lam > 0."""
    tries = []
    for seed, lam in ((7, 0.5), (8, 3.0)):
        A, y, z = draw(4, 6, seed=seed), draw(4, seed=seed + 10), draw(6, seed=seed + 20)
        got = answer(A, y, z, lam)
        if nothing(got):
            return NOTHING
        if not isinstance(got, torch.Tensor) or got.shape != z.shape:
            return f"u lies where z lies: shape {tuple(z.shape)}"
        tries.append((got, A, y, z, lam))

    def matches(formula):
        return all(close(got, formula(*arguments)) for got, *arguments in tries)

    if matches(proximal_point):
        return None
    if matches(lambda A, y, z, lam: A.T @ y + lam * z):
        return "the right-hand side, but the matrix in front of u is missing: H u = A^T y + lam z"
    if matches(lambda A, y, z, lam: torch.linalg.solve(A.T @ A + lam * torch.eye(6, dtype=z.dtype), A.T @ y)):
        return "that pulls u towards 0: the second term is ||u - z||^2, so lam z stands on the right-hand side"
    if matches(lambda A, y, z, lam: proximal_point(A, y, z, 0.0)):
        return "lam is missing: that is the limit lam -> 0, the solution of A u = y nearest to z"
    if matches(lambda A, y, z, lam: proximal_point(A, y, z, 2 * lam)):
        return "both terms are squares without 1/2: the factor 2 is in both gradients and cancels"
    if matches(lambda A, y, z, lam: proximal_point(A, y, z, 1 / lam)):
        return "lam stands at the wrong term: a large lam keeps u at z, not at the data"
    return "set the gradient to 0: A^T (A u - y) + lam (u - z) = 0, and solve for u"
