"""aSeqDIP as a linear dynamical system: what lam and N do while the network's kernel stands still.

aSeqDIP minimises L = ||A f - y||^2 + lam ||f - z||^2 (sums of squares) by gradient descent of step
beta, N steps a stage, then takes the output as the next input z. If the network is linear in its
parameters, with kernel Theta = J J^T, a step moves the output by -2 beta Theta (H f - A^H y - lam z)
with H = A^H A + lam I. From this alone follow the formulas of this module:

    t(z) = argmin_u ||A u - y||^2 + lam ||u - z||^2         the proximal point of the data term
    z_k = t(z_{k-1}) + M^N (u_k - t(z_{k-1}))               (1)    M = I - 2 beta Theta H
    B_N = 2 beta sum_{j<N} M^j Theta,  I - M^N = B_N H      (2)
    z_k = z_{k-1} + B_N A^H (y - A z_{k-1}) + M^N G v_{k-1} (3)    v_k = z_k - z_{k-1}

u_k = f(z_{k-1}) is the output after the input was swapped and before the stage trains; in (3) the swap
is linear, u_k - z_{k-1} = G v_{k-1} with G = df/dz. The first stage has no swap behind it: u_1 = f_0(z_0).

Where the input is damped, z_k = (1 - rho) z_{k-1} + rho f, the output at hand is z_{k-2} + v_{k-1} / rho, so that
u_k - z_{k-1} = (G + 1 / rho - 1) v_{k-1}, and

    z_k = z_{k-1} + rho B_N A^H (y - A z_{k-1}) + M^N (rho G + 1 - rho) v_{k-1}           (4)

rho weakens the pull of the data and leaves, with G = I, the momentum M^N as it is: the same friction on a weaker
spring. What follows for one mode is in `friction`.
The kernel and G of a real network move; `stages` measures what that costs. The derivation is this
project's own; the paper (Alkhouri, Liang et al., NeurIPS 2024) treats one fixed input (Theorem A.1).

Three statements need no linearity; they hold for any network (tests/test_dynamics.py shows them on the U-Net):

* E1. At the first step of stage k >= 2 the autoencoding term's gradient is 2 lam J^T (u_k - z_{k-1}), the swap's
  mismatch, and zero where the swap leaves the output unchanged. lam acts on that and on the way made within the
  stage, nothing else. (At k = 1 it is 2 lam J^T (f_0(z_0) - z_0); with a "stale" refresh the last update counts too.)
* E2. Where f(z) = z and no step changes the weights, J^T A^H (A z - y) = 0: lam and N are gone. If J has full row
  rank, A^H (A z - y) = 0: for A = I the end is y, noise and all.
* E3. Any z with A^H (A z - y) = 0 and f(z) = z is a global minimiser of ||A f(z) - y||^2 subject to f(z) = z
  (Eq. 6): A^H y is one if A A^H y = y (denoising, masks, one coil; not several coils). A network that starts there
  never moves: under gradient descent, and under Adam if the residual is exactly 0. A residual of rounding errors is
  enough for Adam, which divides by the gradient's size, to leave.

So what is good about the image comes from the path, not from where it ends.

Signals are real float64 vectors (n,); A is a matrix (m, n), real, or complex for Fourier samples of a
real signal. Then A^H r stands for Re(A^H r), the gradient with respect to a real signal.
"""

import torch


def real_system(A, y):
    """A complex A (m, n) and y (m,) as the real system [Re A; Im A], [Re y; Im y]; a real one as it is."""
    if not A.is_complex():
        return A, y
    y = y.to(A.dtype)
    return torch.cat([A.real, A.imag]), torch.cat([y.real, y.imag])


def hessian(A, lam):
    """H = A^H A + lam I, (n, n): half of the Hessian of the stage's loss with respect to the output."""
    A, _ = real_system(A, A.new_zeros(len(A)))
    return A.T @ A + lam * torch.eye(A.shape[1], dtype=A.dtype)


def proximal_point(A, y, z, lam):
    """t(z) = argmin_u ||A u - y||^2 + lam ||u - z||^2, (n,).

    At lam = 0 the minimiser that is nearest to z, the limit lam -> 0: for an A with a null space there
    are many, and (1) holds for each of them.
    """
    A, y = real_system(A, y)
    if lam == 0:
        return z + torch.linalg.pinv(A) @ (y - A @ z)
    return z + torch.linalg.solve(hessian(A, lam), A.T @ (y - A @ z))


def stage_map(theta, A, y, z, u, lam, N, beta):
    """Output after one stage, formula (1): t(z) + M^N (u - t(z)), (n,).

    Args:
        theta: kernel Theta(z, z) (n, n) of the network at the stage's input.
        A, y: operator (m, n) and measurements (m,).
        z: the stage's input z_{k-1} (n,).
        u: the network's output at z before the stage trains (n,).
        lam, N, beta: weight of the autoencoding term, gradient steps, step size.
    """
    t = proximal_point(A, y, z, lam)
    return t + torch.linalg.matrix_power(step_matrix(theta, A, lam, beta), N) @ (u - t)


def step_matrix(theta, A, lam, beta):
    """M = I - 2 beta Theta H, (n, n): what one gradient step does to the distance from t(z)."""
    return torch.eye(len(theta), dtype=theta.dtype) - 2 * beta * theta @ hessian(A, lam)


def preconditioner(theta, A, lam, N, beta):
    """B_N = 2 beta sum_{j<N} M^j Theta, (n, n): the matrix that a stage puts before A^H (y - A z).

    Symmetric; positive semidefinite if beta is at most `largest_step`. No inverse is needed, so lam = 0 and an
    A with a null space are allowed.
    """
    M, term = step_matrix(theta, A, lam, beta), 2 * beta * theta
    total = torch.zeros_like(theta)
    for _ in range(N):
        total, term = total + term, M @ term
    return total


def largest_step(theta, A, lam):
    """The step size up to which no mode of M grows: 1 / (largest eigenvalue of Theta H)."""
    half = torch.linalg.cholesky(hessian(A, lam)) if lam > 0 else real_system(A, A.new_zeros(len(A)))[0].T
    return 1 / float(torch.linalg.eigvalsh(half.T @ theta @ half)[-1])  # Theta H and this share their eigenvalues


def momentum_path(theta, G, A, y, z0, f0, lam, N, beta, stages, rho=1.0):
    """z_0, z_1, ..., z_stages by the momentum form (3), or (4) where rho is below 1, (stages + 1, n).

    Landweber's iteration with the preconditioner B_N, and a heavy ball's momentum M^N G. G = 0 is a network that is
    blind to its input; G = I a residual network z + g whose g is.

    Args:
        theta, G: kernel and input derivative df/dz (n, n), both frozen.
        z0, f0: first input, and the network's output there before training (n,).
        rho: share of its way that the input moves; others: as in `stage_map`.
    """
    B, carried = preconditioner(theta, A, lam, N, beta), torch.linalg.matrix_power(step_matrix(theta, A, lam, beta), N)
    A, y = real_system(A, y)
    push, momentum = rho * B @ A.T, carried @ (rho * G + (1 - rho) * torch.eye(len(G), dtype=G.dtype))
    path = [z0, (1 - rho) * z0 + rho * (carried @ f0 + B @ (A.T @ y + lam * z0))]
    for _ in range(stages - 1):
        z, before = path[-1], path[-2]
        path.append(z + push @ (y - A @ z) + momentum @ (z - before))
    return torch.stack(path[:stages + 1])


def linear_simulation(jacobian, G, A, y, z0, f0, lam, N, beta, stages, rho=1.0):
    """aSeqDIP carried out step by step on f_w(z) = f0 + G (z - z0) + J w: gradient descent on w, then z <- f_w(z), or
    (1 - rho) z + rho f_w(z).

    The gradient is autograd's of the loss as it is written, so nothing of (1) to (4) is used.

    Args:
        jacobian: J (n, p), so that Theta = J J^T; w starts at 0.
        others: as in `momentum_path`.

    Returns:
        z_0, ..., z_stages (stages + 1, n).
    """
    w, path = torch.zeros(jacobian.shape[1], dtype=jacobian.dtype), [z0]

    def f(w, z):
        return f0 + G @ (z - z0) + jacobian @ w

    for _ in range(stages):
        z = path[-1]
        for _ in range(N):
            w.requires_grad_()
            loss = (A @ f(w, z).to(A.dtype) - y).abs().square().sum() + lam * (f(w, z) - z).square().sum()
            w = w.detach() - beta * torch.autograd.grad(loss, w)[0]
        path.append((1 - rho) * z + rho * f(w, z))
    return torch.stack(path)


def mode_roots(theta, gain, lam, N, beta, rho=1.0):
    """The two factors by which a mode of the error shrinks per stage for A = I, complex (2,).

    With a = 1 - (1 - 2 beta (1 + lam) theta)^N the error e = z - y of an eigenvector of Theta (eigenvalue theta) that
    G multiplies by `gain` obeys e_k = (1 - rho a / (1 + lam) + (1 - a) g) e_{k-1} - (1 - a) g e_{k-2} with
    g = rho gain + 1 - rho; the roots are those of its characteristic polynomial. At rho = 1, gain = 0: (lam + q^N) /
    (1 + lam) and 0. gain = 1: a damped spring, with complex roots (it swings) where a (2 + lam)^2 < 4 (1 + lam); far
    beyond, the slow root is 1 - 1 / (1 + lam), so lam sets the pace and theta does not.
    """
    a = 1 - (1 - 2 * beta * (1 + lam) * theta) ** N
    gain = rho * gain + 1 - rho
    total, product = 1 - rho * a / (1 + lam) + (1 - a) * gain, (1 - a) * gain
    spread = torch.tensor(complex(total**2 / 4 - product), dtype=torch.complex128).sqrt()
    return torch.stack([total / 2 + spread, total / 2 - spread])
