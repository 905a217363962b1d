"""Answers to the exercises of lesson 04."""

import torch

from aseqdip_lite.course.theory.dynamics import hessian, proximal_point
from aseqdip_lite.course.theory.nets import antithetic
from aseqdip_lite.course.theory.ntk import NTK, ntk_matrix


def blocks(f, params, z):
    """The Jacobian of each tensor, (m, p)."""
    rows = torch.func.jacrev(lambda params: f(params, z).flatten())(params)
    return {name: block.flatten(1) for name, block in rows.items()}


def by_jacrev(f, params, z, names=lambda name: True):
    return sum(J @ J.T for name, J in blocks(f, params, z).items() if names(name))


def by_rows(f, params, z):
    leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
    entries = f(leaves, z).flatten()
    rows = [torch.autograd.grad(entry, list(leaves.values()), retain_graph=True) for entry in entries]
    J = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    return J @ J.T


def by_operator(f, params, z):
    return NTK(f, params, z)(torch.eye(z.numel(), dtype=z.dtype)[:, None])[:, 0]


def of_weights(f, params, z):
    """J^T J."""
    J = torch.cat(list(blocks(f, params, z).values()), dim=1)
    return J.T @ J


def by_input(f, params, z):
    J = torch.func.jacrev(lambda z: f(params, z).flatten())(z).flatten(1)
    return J @ J.T


def by_gradient(lambda_max, m, loss):
    """2 / (c lambda_max), with c (f - y) the gradient as autograd has it."""
    f = torch.ones(m, requires_grad=True)
    value = {"half": 0.5 * f.square().sum(), "sum": f.square().sum(), "mean": f.square().mean()}[loss]
    return 2 / (float(torch.autograd.grad(value, f)[0][0]) * lambda_max)


def negated(params, *layers):
    return {name: -p if name.partition(".")[0] in layers else p for name, p in params.items()}


def in_place(params):
    """Wrong: changes the weights that it was given."""
    params["4.weight"] = params["4.weight"].neg_()
    return params


def scaled(params):
    """Wrong: -g_0 by another way, with another kernel."""
    return {name: -2 * p if name.startswith("4") else p / 2 if name.startswith("2") else p
            for name, p in params.items()}


def simulated(values, beta, t, sigma):
    """Right: the recursion f <- f + beta Theta (y - f) from f = x = 0, for a unit of noise in each mode."""
    f = torch.zeros_like(values)
    for _ in range(t):
        f = f + beta * values * (1 - f)
    return sigma**2 * f.square().mean()


def left(values, beta, t):
    return (1 - beta * values) ** t


def by_least_squares(A, y, z, lam):
    """Right: the stacked system [A; sqrt(lam) I] u = [y; sqrt(lam) z]."""
    stacked = torch.cat([A, lam**0.5 * torch.eye(len(z), dtype=z.dtype)])
    return torch.linalg.lstsq(stacked, torch.cat([y, lam**0.5 * z])).solution


RIGHT = {
    "ntk.kernel": [ntk_matrix, by_jacrev, by_rows, by_operator],
    "ntk.rate": [lambda v, m, loss: {"half": 2, "sum": 1, "mean": m}[loss] / v, by_gradient],
    "ntk.partner": [antithetic, lambda params: negated(params, "4"),
                    lambda params: params | {"4.weight": -params["4.weight"]}],
    "ntk.error": [lambda v, beta, t, s: s**2 * ((1 - (1 - beta * v) ** t) ** 2).mean(), simulated,
                  lambda v, beta, t, s: sum((s * (1 - (1 - beta * float(q)) ** t)) ** 2 for q in v) / len(v)],
    "ntk.proximal": [proximal_point, by_least_squares,
                     lambda A, y, z, lam: torch.linalg.inv(hessian(A, lam)) @ (A.T @ y + lam * z)],
}

WRONG = {
    "ntk.kernel": {
        "J^T J has one for each weight": of_weights,
        "flatten the output": lambda f, params, z: ntk_matrix(f, params, z)[None],
        "derivative by the input": by_input,
        "some of the parameters are missing": lambda f, params, z: by_jacrev(f, params, z, lambda n: "weight" in n),
        "every layer included": lambda f, params, z: by_jacrev(f, params, z, lambda n: n == "2.weight"),
        "not J J^T": lambda f, params, z: 2 * ntk_matrix(f, params, z),
        "returns nothing": lambda f, params, z: None,
    },
    "ntk.rate": {
        "half of it": lambda v, m, loss: {"half": 1, "sum": 0.5, "mean": m / 2}[loss] / v,
        "is the loss of the derivation": lambda v, m, loss: {"half": 3, "sum": 1, "mean": m}[loss] / v,
        "the loss counts": lambda v, m, loss: 2 / v,
        "upside down": lambda v, m, loss: {"half": 2, "sum": 4, "mean": 4 / m}[loss] / v,
        "has no 1/2": lambda v, m, loss: {"half": 2, "sum": 1, "mean": 2 * m}[loss] / v,
        'gradient of "mean" as c (f - y)': lambda v, m, loss: {"half": 2, "sum": 1, "mean": m**2}[loss] / v,
        "returns nothing": lambda v, m, loss: None,
    },
    "ntk.partner": {
        "has not changed its sign": lambda params: dict(params),
        "the kernel is not": scaled,
        "behind the first layer": lambda params: negated(params, "0"),
        "a hidden layer was negated": lambda params: negated(params, "2", "4"),
        "which layer is g linear in": lambda params: {name: p / 2 for name, p in params.items()},
        "params itself has changed": in_place,
        "the same names": lambda params: {"4.weight": -params["4.weight"]},
        "returns nothing": lambda params: None,
    },
    "ntk.error": {
        "not learned yet": lambda v, beta, t, s: s**2 * (left(v, beta, t) ** 2).mean(),
        "that is the sum": lambda v, beta, t, s: s**2 * ((1 - left(v, beta, t)) ** 2).sum(),
        "squared as well": lambda v, beta, t, s: s**2 * (1 - left(v, beta, t)).mean(),
        "is not 1 - q^2": lambda v, beta, t, s: s**2 * (1 - left(v, beta, t) ** 2).mean(),
        "a standard deviation": lambda v, beta, t, s: s * ((1 - left(v, beta, t)) ** 2).mean(),
        "one number": lambda v, beta, t, s: s**2 * (1 - left(v, beta, t)) ** 2,
        "in eigenvectors of Theta": lambda v, beta, t, s: s**2,
        "returns nothing": lambda v, beta, t, s: None,
    },
    "ntk.proximal": {
        "the matrix in front of u": lambda A, y, z, lam: A.T @ y + lam * z,
        "towards 0": lambda A, y, z, lam: torch.linalg.solve(hessian(A, lam), A.T @ y),
        "lam is missing": lambda A, y, z, lam: proximal_point(A, y, z, 0.0),
        "without 1/2": lambda A, y, z, lam: proximal_point(A, y, z, 2 * lam),
        "the wrong term": lambda A, y, z, lam: proximal_point(A, y, z, 1 / lam),
        "set the gradient to 0": lambda A, y, z, lam: z,
        "where z lies": lambda A, y, z, lam: y,
        "returns nothing": lambda A, y, z, lam: None,
    },
}
