"""Exercises of lesson 04: the kernel, the largest rate, the antithetic partner, noise learned."""

import torch

from ..theory.nets import antithetic, as_function, conv_net
from ..theory.ntk import ntk_matrix
from .drawing import draw
from .table import REGISTRY, all_close, exercise

#: Length of the signals that answers are tried on; smaller than the number of weights.
LENGTH = 7


def small_nets():
    """(f, params, z) of two networks of two layers, with biases other than 0."""
    cases = []
    for width, length, size in ((3, LENGTH, 3), (4, 6, 5)):
        f, params = as_function(conv_net(width, layers=2, kernel=size, seed=1), residual=True)
        cases.append((f, {name: p + 0.1 * draw(*p.shape, seed=2) for name, p in params.items()}, draw(1, 1, length)))
    return cases


@exercise("ntk.kernel", small_nets, form=": flatten the output, (1, 1, m)", otherwise=(
    "not J J^T: flatten the Jacobian of each tensor to (m, p), multiply it by its transpose, and add up the tensors"))
def kernel(f, params, z):
    """A function (f, params, z) -> Theta = J J^T (m, m), J the derivative of m outputs with respect to all weights."""
    blocks = torch.func.jacrev(lambda params: f(params, z).flatten())(params)
    blocks = {name: block.flatten(1) for name, block in blocks.items()}
    J = torch.cat(list(blocks.values()), dim=1)
    by_input = torch.func.jacrev(lambda z: f(params, z).flatten())(z).flatten(1)
    single = {name: block @ block.T for name, block in blocks.items()}
    return {
        None: ntk_matrix(f, params, z),
        "your answer is J^T J: it has a row for each weight and says how weights interact. Theta has a row for each "
        "output":
            J.T @ J,
        "your answer is J itself, for all tensors: the kernel is its product with its transpose": J,
        "your answer is the derivative with respect to the input z: the kernel needs the one with respect to the "
        "weights":
            by_input @ by_input.T,
        "some of the parameters are missing: the sum is over all tensors, biases and every layer included":
            [sum(part for name, part in single.items() if name.endswith(kind)) for kind in ("weight", "bias")]
            + list(single.values()),
    }


@exercise("ntk.rate", [(v, m, loss) for loss in ("half", "sum", "mean") for v, m in ((30000.0, 100), (8.0, 64))],
          otherwise=lambda rate, v, m, loss: (
              '"half" is the loss of the derivation: its modes shrink by 1 - beta lambda, so |1 - beta lambda_max| < 1'
              if loss == "half" else
              f'write the gradient of "{loss}" as c (f - y): c lr takes the place of beta, so c lr = 2 / lambda_max'))
def rate(v, m, loss):
    """A function (lambda_max, m, loss) -> largest stable rate; loss is "half", "sum" or "mean" of the squares."""
    right = {"half": 2 / v, "sum": 1 / v, "mean": m / v}
    upside_down = {"half": 2 / v, "sum": 4 / v, "mean": 4 / (v * m)}
    return {
        None: right[loss],
        "half of it: at 1 / lambda_max the fastest mode arrives in one step; it overshoots, but shrinks, until "
        "|1 - beta lambda_max| = 1": right[loss] / 2,
        'the loss counts: "half", "sum" and "mean" have gradients that are different multiples of f - y':
            [2 / v] + [(right | {kind: 2 / v})[loss] for kind in ("sum", "mean")],
        "your answer is upside down: where the gradient is larger, the rate must be smaller":
            [upside_down[loss]] + [(right | {kind: upside_down[kind]})[loss] for kind in ("sum", "mean")],
        '"mean" has no 1/2: its gradient is 2/m times f - y, not 1/m times': (right | {"mean": 2 * m / v})[loss],
    }


def deep_net(width=4):
    """(f, params, z) of three layers."""
    f, params = as_function(conv_net(width, layers=3, seed=3))
    return f, params, draw(1, 1, LENGTH)


def negated(params, *layers):
    """Weights with the given layers negated."""
    return {name: -p if name.partition(".")[0] in layers else p for name, p in params.items()}


def partnership(new, params):
    """How new weights are related to the old ones."""
    f, _, z = deep_net(len(params["0.weight"]))
    if all_close(f(new, z), f(params, z)):
        return "the same output"
    if all_close(f(new, z), -f(params, z)):
        return "partner" if all_close(ntk_matrix(f, new, z), ntk_matrix(f, params, z)) else "another kernel"
    return next((layer for layer in ("0.weight", "2.weight") if all_close(new[layer], -params[layer])), "neither")


@exercise("ntk.partner", lambda: [(deep_net(width)[1],) for width in (4, 5)], trait=partnership, otherwise=(
    "not -g_0: which layer is g linear in, whatever the others do?"))
def partner(params):
    """A function of params -> weights with g_0 -> -g_0 and the same kernel: the last layer negated."""
    return {
        None: antithetic(params),
        "the output has not changed its sign: negate the layer that has no ReLU behind it": dict(params),
        "the output is right, the kernel is not: change nothing but a sign":
            {name: p * {"4": -2, "2": 0.5}.get(name[0], 1) for name, p in params.items()},
        "a ReLU stands behind the first layer, and relu(-u) is not -relu(u): take a layer without one":
            negated(params, "0"),
        "a hidden layer was negated: a ReLU stands behind it too, and does not pass a sign on":
            negated(params, "2", "4"),
    }


@exercise("ntk.error", lambda: [(draw(9, seed=seed).abs(), beta, t, sigma)
                                for seed, beta, t, sigma in ((4, 0.3, 3, 1.0), (5, 0.2, 12, 0.5), (6, 0.4, 1, 2.0))], (
    "with z = x, Eq. 13 gives f_t - x = (I - M_t) n: write it in eigenvectors of Theta, where n has the same energy "
    "sigma^2 in each"), form=": the mean over the m modes")
def error(values, beta, t, sigma):
    """A function (values, beta, t, sigma) -> E ||f_t - x||^2 / m by Eq. 13 for z = x, noise N(0, sigma^2 I)."""
    left = (1 - beta * values) ** t
    right = sigma**2 * (1 - left).square().mean()
    return {
        None: right,
        "your answer is the part of the noise that is not learned yet: with z = x the error is (I - M_t) n":
            sigma**2 * left.square().mean(),
        "your answer is the sum: the mean squared error divides by m, the number of modes": right * len(values),
        "the error is squared, so each mode's factor is squared as well": sigma**2 * (1 - left).mean(),
        "(1 - q)^2 is not 1 - q^2: first the factor of n in each mode, then its square":
            sigma**2 * (1 - left.square()).mean(),
        "sigma is a standard deviation: the energy of the noise in a mode is sigma^2": right / sigma,
    }


@exercise("ntk.error:left", REGISTRY["ntk.error"].cases, (
    "with z = x, Eq. 13 gives f_t - y = -M_t n: write it in eigenvectors of Theta, where n has the same energy "
    "sigma^2 in each"), form=": the mean over the m modes",
          instead="return what of the data y = x + n is not fitted yet, E ||f_t - y||^2 / m, instead of the error "
                  "E ||f_t - x||^2 / m",
          solution="lambda values, beta, t, sigma: sigma**2 * ((1 - beta * values) ** (2 * t)).mean()")
def left(values, beta, t, sigma):
    """A function (values, beta, t, sigma) -> E ||f_t - y||^2 / m by Eq. 13 for z = x, noise N(0, sigma^2 I)."""
    left = (1 - beta * values) ** t
    right = sigma**2 * left.square().mean()
    return {
        None: right,
        "your answer is the error against x: the residual is f_t - y = -M_t n": sigma**2 * (1 - left).square().mean(),
        "your answer is the sum: the mean squared residual divides by m, the number of modes": right * len(values),
        "the residual is squared, so each mode's factor is squared as well":
            [sigma**2 * left.mean(), sigma**2 * left.abs().mean()],
        "the energies left and learned do not add up to sigma^2: (1 - q)^2 + q^2 is not 1":
            sigma**2 * (1 - (1 - left).square()).mean(),
        "sigma is a standard deviation: the energy of the noise in a mode is sigma^2": right / sigma,
    }
