"""Exercises of lesson 04b: the proximal point of the data term, a stage of aSeqDIP, the factor of a blind network."""

import torch

from ..theory.dynamics import hessian, largest_step, proximal_point, stage_map, step_matrix
from .drawing import draw
from .table import exercise


def systems():
    """(A, y, z, lam) of two systems with fewer equations than unknowns."""
    return [(draw(4, 6, seed=seed), draw(4, seed=seed + 10), draw(6, seed=seed + 20), lam)
            for seed, lam in ((7, 0.5), (8, 3.0))]


@exercise("stage.proximal", systems, (
    "set the gradient to 0: A^T (A u - y) + lam (u - z) = 0, and solve for u"), form=": u lies where z lies")
def proximal(A, y, z, lam):
    """A function (A, y, z, lam) -> argmin_u ||A u - y||^2 + lam ||u - z||^2 for real A (m, n) and lam > 0."""
    return {
        None: proximal_point(A, y, z, lam),
        "the right-hand side, but the matrix in front of u is missing: H u = A^T y + lam z": A.T @ y + lam * z,
        "that pulls u towards 0: the second term is ||u - z||^2, so lam z stands on the right-hand side":
            torch.linalg.solve(hessian(A, lam), A.T @ y),
        "lam is missing: that is the limit lam -> 0, the solution of A u = y nearest to z":
            proximal_point(A, y, z, 0.0),
        "both terms are squares without 1/2: the factor 2 is in both gradients and cancels":
            proximal_point(A, y, z, 2 * lam),
        "lam belongs to the other term: a large lam keeps u at z, not at the data": proximal_point(A, y, z, 1 / lam),
    }


@exercise("stage.proximal:half", systems, (
    "set the gradient to 0: A^T (A u - y) + 2 lam (u - z) = 0, and solve for u"), form=": u lies where z lies",
          instead="the data term has a 1/2: return the minimiser over u of ||A u - y||^2 / 2 + lam ||u - z||^2",
          solution="lambda A, y, z, lam: z + (A.T @ A + 2 * lam * A.new_ones(A.shape[1]).diag()).inverse() @ "
                   "(A.T @ (y - A @ z))")
def half(A, y, z, lam):
    """A function (A, y, z, lam) -> argmin_u ||A u - y||^2 / 2 + lam ||u - z||^2 for real A (m, n) and lam > 0."""
    return {
        None: proximal_point(A, y, z, 2 * lam),
        "only one term has the 1/2: the factor 2 of the other gradient stays": proximal_point(A, y, z, lam),
        "the right-hand side, but the matrix in front of u is missing: H u = A^T y + 2 lam z": A.T @ y + 2 * lam * z,
        "that pulls u towards 0: the second term is ||u - z||^2, so 2 lam z stands on the right-hand side":
            torch.linalg.solve(hessian(A, 2 * lam), A.T @ y),
        "lam is missing: that is the limit lam -> 0, the solution of A u = y nearest to z":
            proximal_point(A, y, z, 0.0),
        "the 2 is on the wrong term: the gradient of lam ||u - z||^2 is the one that keeps it":
            proximal_point(A, y, z, lam / 2),
    }


def begun():
    """(theta, A, y, z, u, lam, N, beta): what a stage begins with, for steps at which no mode grows."""
    cases = []
    for seed, lam, N, share in ((1, 0.5, 1, 0.6), (2, 2.0, 3, 0.3), (3, 1.0, 4, 0.4)):
        J, A = draw(6, 9, seed=seed) / 3, draw(4, 6, seed=seed + 10) / 2
        theta = J @ J.T
        cases.append((theta, A, draw(4, seed=seed + 20), draw(6, seed=seed + 30), draw(6, seed=seed + 40), lam, N,
                      share * largest_step(theta, A, lam)))
    return cases


@exercise("stage.output", begun, (
    "z_k = t + M^N (u - t) with t = H^{-1} (A^T y + lam z), H = A^T A + lam I and M = I - 2 beta Theta H"),
          form=": z_k lies where z lies")
def output(theta, A, y, z, u, lam, N, beta):
    """A function (theta, A, y, z, u, lam, N, beta) -> output of a linear network after a stage that began at u."""
    t, M, power = proximal_point(A, y, z, lam), step_matrix(theta, A, lam, beta), torch.linalg.matrix_power
    one = torch.eye(len(z), dtype=z.dtype)
    return {
        None: stage_map(theta, A, y, z, u, lam, N, beta),
        "your answer is the remaining distance: add the target t": power(M, N) @ (u - t),
        "your answer is the target alone: it is reached only after many steps": t,
        "the stage begins at u, the old network's output at the new input, and not at z": t + power(M, N) @ (z - t),
        "Theta H, not H Theta: the loss pulls at the output with H, then Theta moves it": t + power(M.T, N) @ (u - t),
        "H is missing in M: the gradient is 2 H (u - t)": t + power(one - 2 * beta * theta, N) @ (u - t),
        "the squares have no 1/2: M contains 2 beta": t + power(one - beta * theta @ hessian(A, lam), N) @ (u - t),
        "the N-th power of the matrix, not of its entries: N steps one after the other": t + M**N @ (u - t),
        "one step too many or too few: M acts once in each of the N steps": [
            t + power(M, N - 1) @ (u - t), t + power(M, N + 1) @ (u - t)],
        "the target stays near z: its right-hand side contains lam z":
            (s := torch.linalg.solve(hessian(A, lam), A.T @ y)) + power(M, N) @ (u - s),
        "H = A^T A + lam I; (1 + lam) I is right only for A = I":
            t + power(one - 2 * beta * (1 + lam) * theta, N) @ (u - t),
    }


@exercise("stage.factor", [(0.5, 1.0, 2, 0.2), (1.5, 4.0, 3, 0.05), (0.8, 0.5, 1, 0.3)], (
    "put G = 0 into the recursion: the error is multiplied by 1 - a / (1 + lam), with a = 1 - q^N and "
    "q = 1 - 2 beta (1 + lam) theta"))
def factor(theta, lam, N, beta):
    """A function (theta, lam, N, beta) -> factor of a mode's error in a stage, A = I, network blind to its input."""
    q = 1 - 2 * beta * (1 + lam) * theta
    return {
        None: (lam + q**N) / (1 + lam),
        "your answer is the remaining share of the distance to the target t(z), and the target is not y": q**N,
        "your answer is the share of the distance to y that is covered: the factor is what is left":
            (1 - q**N) / (1 + lam),
        "the pull of both terms drives a mode: q contains 1 + lam":
            (lam + (1 - 2 * beta * theta) ** N) / (1 + lam),
        "the squares have no 1/2: q contains 2 beta": (lam + (1 - beta * (1 + lam) * theta) ** N) / (1 + lam),
        "your answer is what N steps of plain gradient descent leave: lam cancels for N = 1 only":
            (1 - 2 * beta * theta) ** N,
        "your answer is the limit for very fast modes, where q^N is 0": lam / (1 + lam),
        "lam and 1 are swapped: a large lam keeps the target near z": (1 + lam * q**N) / (1 + lam),
        "one step too many or too few: a stage has N steps": [
            (lam + q ** (N - 1)) / (1 + lam), (lam + q ** (N + 1)) / (1 + lam)],
    }
