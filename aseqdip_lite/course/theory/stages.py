"""The linear dynamics of aSeqDIP against trained 1D networks: what holds within a stage, what fails across stages.

Everything here trains by plain gradient descent on L = ||A f - y||^2 + lam ||f - z||^2, so it can be held against
`dynamics`. Three predictions of growing cost:

* frozen: kernel and input derivative of the initial network at z_0 for all stages, formula (3), closed form;
* linearised: linear in the weights, but kernel and input derivative follow the moving z (`linearised`);
* current: formula (1) for one stage with the network's kernel at that stage (`one_stage_error`).

From frozen to linearised one gains what the movement of z changes; what is left is feature learning, the only part
that vanishes with the network's width.

Networks are functions f(params, z) of `nets.as_function` on z of shape (1, 1, n); signals and operators are vectors
(n,) and matrices (m, n) in float64 as in `dynamics`.
"""

import torch

from . import dynamics
from .ntk import ntk_matrix


def output(f, params, z):
    """f(params, z) for a signal z (n,), as a signal (n,)."""
    return f(params, z[None, None]).flatten()


def centred(g, params, anchor=None):
    """f(z) = z + g(params', z) - g(params, z): starts as the identity, whatever network g is (G_0 = I).

    anchor: a signal (n,) in place of the leading z: f starts as this constant and blind to its input (G_0 = 0).
    """
    def f(trained, z):
        return (z if anchor is None else anchor) + g(trained, z) - g(params, z)
    return f


def linearised(f, params):
    """f to first order in the weights around `params`: f(params, z) + J(z) (params' - params), exact in z."""
    def linear(trained, z):
        change = {name: trained[name] - params[name] for name in params}
        value, slope = torch.func.jvp(lambda p: f(p, z), (params,), (change,))
        return value + slope
    return linear


def blind(f, z0):
    """f with its input held at the signal z0 (n,); with N = 1 and lam = 0 aSeqDIP on it is DIP with input z0."""
    return lambda params, z: f(params, z0[None, None])


def descend(f, params, A, y, z, lam, N, beta):
    """The weights after N gradient steps of one stage with input z (n,)."""
    for _ in range(N):
        leaves = {name: p.detach().requires_grad_() for name, p in params.items()}
        u = output(f, leaves, z)
        loss = (A @ u.to(A.dtype) - y).abs().square().sum() + lam * (u - z).square().sum()
        slopes = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)  # an output bias may cancel
        params = {name: p.detach() if slope is None else p.detach() - beta * slope
                  for (name, p), slope in zip(leaves.items(), slopes, strict=True)}
    return params


def trained_path(f, params, A, y, z0, lam, N, beta, stages):
    """z_0, z_1, ... of aSeqDIP by gradient descent, (stages + 1, n); ends early where z is no longer finite.

    Args:
        f, params: the network and its initial weights.
        A, y, z0: operator (m, n), measurements (m,), first input (n,).
        lam, N, beta, stages: weight of the autoencoding term, steps a stage, step size, stages.
    """
    path = [z0]
    for _ in range(stages):
        params = descend(f, params, A, y, path[-1], lam, N, beta)
        z = output(f, params, path[-1])
        if not bool(z.isfinite().all()):
            break
        path.append(z)
    return torch.stack(path)


def frozen_path(f, params, A, y, z0, lam, N, beta, stages):
    """The prediction of formula (3) with kernel and input derivative of `params` at z_0, (stages + 1, n)."""
    theta = ntk_matrix(f, params, z0[None, None])
    G = torch.func.jacrev(lambda z: output(f, params, z))(z0)
    return dynamics.momentum_path(theta, G, A, y, z0, output(f, params, z0), lam, N, beta, stages)


def frozen_kernel_error(f, params, A, y, z0, lam, N, beta, stages):
    """How far the frozen prediction leaves the trained run.

    Returns:
        dict of `trained` and `frozen` (stages + 1, n), and `error`: root mean square over the stages of
        ||frozen - trained||, relative to the greatest ||z_k - z_0|| of the trained run. Both paths are cut where
        the trained one diverges.
    """
    trained = trained_path(f, params, A, y, z0, lam, N, beta, stages)
    frozen = frozen_path(f, params, A, y, z0, lam, N, beta, stages)[:len(trained)]
    return dict(trained=trained, frozen=frozen, error=path_error(frozen, trained))


def path_error(predicted, trained):
    """Root mean square over the stages 1, 2, ... of ||predicted - trained||, relative to the greatest ||z_k - z_0||."""
    distance = (predicted - trained)[1:].norm(dim=1).square().mean().sqrt()
    return float(distance / (trained - trained[0]).norm(dim=1).max())


def one_stage_error(f, params, A, y, z0, lam, N, beta, stages):
    """Error of formula (1) with the current kernel, for each stage of a trained run.

    At every stage Theta(z_{k-1}, z_{k-1}) and u_k are those of the network as it then is, so only what N steps
    change in the kernel is neglected.

    Returns:
        (stages,) ||predicted z_k - z_k|| / ||z_k - u_k||, relative to the change that training made in the stage.
    """
    z, errors = z0, []
    for _ in range(stages):
        u = output(f, params, z)
        predicted = dynamics.stage_map(ntk_matrix(f, params, z[None, None]), A, y, z, u, lam, N, beta)
        params = descend(f, params, A, y, z, lam, N, beta)
        reached = output(f, params, z)
        errors.append(float((predicted - reached).norm() / (reached - u).norm()))
        z = reached
    return torch.tensor(errors, dtype=torch.float64)
