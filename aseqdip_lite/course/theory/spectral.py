"""Where gradient descent ends when the kernel stays fixed: theorem 1 of the Self-Guided DIP paper, derived.

Setting. A network near its initialisation is linear in its weights, z(theta) = z_0 + J theta with theta = 0 at
the start, and W = J J^T is its neural tangent kernel (n, n). Gradient descent with step beta on
1/2 ||A z - y||^2, A of shape (p, n), moves theta <- theta - beta J^T A^T (A z - y).

Limit. theta never leaves the range of M^T, M = A J. For 0 < beta < 2 / lambda_max(A W A^T) it converges to the
least-squares solution of M theta = y - A z_0 in that range, M^+ (y - A z_0). With M^+ = M^T (M M^T)^+,

    z_inf = z_0 + W A^T (A W A^T)^+ (y - A z_0);      z_0 = 0:  z_inf = W A^T (A W A^T)^+ y.        (*)

After t steps each eigenvalue mu of A W A^T has let through the share 1 - (1 - beta mu)^t of its mode, so

    z_t = z_0 + W A^T h_t(A W A^T) (y - A z_0),       h_t(mu) = (1 - (1 - beta mu)^t) / mu.

Small mu come late: that is the spectral bias, and why a kernel with a steep spectrum is slow in its last modes.

Exact recovery (y = A x, z_0 = 0): z_inf = x if and only if x lies in the range of W A^T. "Only if": (*) lies in it.
"If": for x = W A^T v, z_inf = W A^T P v with P the projector onto the range of M M^T, which is the orthogonal
complement of null(J^T A^T); W A^T = J (J^T A^T) kills what P drops. Neither W nor A needs full rank. The range has
at most p dimensions: a kernel recovers the images that it was made for, and no others.

What null(A) does. x -> z_inf is the oblique projector R = W A^T (A W A^T)^+ A: onto the range of W A^T, along
{x : A x orthogonal to the range of A W A^T}, which is null(A) where A W A^T is invertible. Then A z_inf = y, noise
included, so data are always fitted in the end; for y = A x the error x - z_inf lies in null(A). What null(A) gets is
P_null W A^T (A W A^T)^-1 y: interpolation by the kernel, z_inf being, of the z in the range of W with A z = y, that of
least z^T W^+ z. (In the range: a singular W can have a z outside with less. W = [[1, 1], [1, 1]], A = [1 0], y = 1:
z_inf = (1, 1) has z^T W^+ z = 1, and z = (1, 0), outside, has 1/4.) If W commutes with A^T A this part is zero and
z_inf = A^+ y, the zero-filled image. Fourier sampling is diagonal in the Fourier basis, as circulant matrices are; the
kernel of a convolutional network on white noise of many channels comes the nearer to a circulant one the wider the
network is, and nearer with circular padding than with zeros. The network's own start, z_0 = f_0, is filled into
null(A) as it stands and never corrected.

The digest of the paper cuts theorem 1 off before its conclusion; the statement above is ours. Theorem 2 and
corollary 1 are only named there, so they are not reproduced here.
"""

import math

import torch


def fourier_rows(n, frequencies):
    """The real orthonormal Fourier samples of a signal of length n: A (p, n) float64 with A A^T = I.

    frequencies: integers from 0 to n / 2; each gives a cosine and a sine row, 0 and n / 2 a single row.
    """
    t = torch.arange(n, dtype=torch.float64)
    rows = []
    for k in frequencies:
        wave = 2 * math.pi * k * t / n
        rows += [torch.cos(wave)] if k == 0 or 2 * k == n else [torch.cos(wave), torch.sin(wave)]
    A = torch.stack(rows)
    return A / A.norm(dim=1, keepdim=True)


def limit(W, A, y, z0=None, rtol=1e-12):
    """z_inf of (*), (n,): where gradient descent on 1/2 ||A z - y||^2 ends under the fixed kernel W.

    W: (n, n) symmetric, positive semidefinite; A: (p, n); y: (p,); z0: (n,), 0 by default; all float64.
    rtol: eigenvalues of A W A^T below rtol times the largest count as 0.
    """
    start = torch.zeros_like(W[0]) if z0 is None else z0
    inverse = torch.linalg.pinv(A @ W @ A.T, rtol=rtol, hermitian=True)
    return start + W @ A.T @ (inverse @ (y - A @ start))


def trajectory(W, A, y, beta, steps, z0=None):
    """z_t after each number of `steps`, (len(steps), n): gradient descent with step beta under the fixed kernel W.

    Arguments as of `limit`. beta above 2 / lambda_max(A W A^T) diverges, as gradient descent itself does.
    """
    start = torch.zeros_like(W[0]) if z0 is None else z0
    mu, U = torch.linalg.eigh(A @ W @ A.T)  # (p,), (p, p)
    r = U.T @ (y - A @ start)
    small = mu.abs() <= 1e-14 * mu.max()
    safe = torch.where(small, torch.ones_like(mu), mu)
    shares = [torch.where(small, t * beta * torch.ones_like(mu), (1 - (1 - beta * mu) ** t) / safe) for t in steps]
    return start + torch.stack([W @ (A.T @ (U @ (h * r))) for h in shares])


def commutator(W, A):
    """||W A^T A - A^T A W|| / ||W|| (Frobenius): 0 where the kernel puts nothing into null(A)."""
    N = A.T @ A
    return float((W @ N - N @ W).norm() / W.norm())


def singular_spectra(W):
    """Singular values of W, (n,), from the largest, and |FFT| of its left singular vectors.

    Returns:
        (values, spectra): spectra (n // 2 + 1, n) holds in column i the magnitude of the orthonormal FFT of
        vector i, rows from frequency 0 to n / 2.
    """
    values, vectors = torch.linalg.eigh(W)  # W is symmetric and positive semidefinite: left singular = eigenvectors
    return values.flip(0).clamp_min(0), torch.fft.rfft(vectors.flip(1), dim=0, norm="ortho").abs()
