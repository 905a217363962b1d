"""Further right answers to the exercises, each found in another way than the one of the exercise's table."""

import math
import statistics

import numpy as np
import torch
from scipy import stats
from scipy.ndimage import uniform_filter1d
from scipy.sparse.linalg import cg, spsolve
from skimage.metrics import peak_signal_noise_ratio
from torch.nn import functional as F

from aseqdip_lite.course.exercises.operators import BROKEN
from aseqdip_lite.course.exercises.table import draw
from aseqdip_lite.course.theory.dynamics import hessian
from aseqdip_lite.course.theory.ntk import NTK
from aseqdip_lite.operators.blur import to_display, to_light
from aseqdip_lite.operators.projectors import ramp_filter


def way(z, x, y):
    error, noise = (np.asarray(part, dtype=float).ravel() for part in (z - x, y - x))
    a = np.linalg.lstsq(noise[:, None], error, rcond=None)[0][0]
    return a, np.sqrt(np.mean((error - a * noise) ** 2))


def drawn_gap(gap, m, sigma):
    noise = np.random.default_rng(0).normal(0, sigma, (5000, m))
    return np.std((noise**2).mean(axis=1) - ((gap - noise) ** 2).mean(axis=1))


def drawn_average(w, s):
    rng, m = np.random.default_rng(0), np.zeros(10_000)
    for _ in range(400):
        m = w * m + (1 - w) * rng.normal(0, s, m.shape)
    return m.std()


def stage_by_stage(z, y, lam, k):
    for _ in range(k):
        z = (y + lam * z) / (1 + lam)
    return z


def least_norm(A, y):
    """A z = y by a gradient step from a random image: it keeps what A cannot see of it."""
    z = torch.randn((1, *A.in_shape), dtype=torch.complex64 if A.in_complex else torch.float32)
    return z - A.adjoint(A(z) - y)


def by_cases(less, more):
    if less is None or more is None:
        return "undecided" if less is more else "later" if more is None else "earlier"
    return ("earlier", "undecided", "later")[(more > less) - (more < less) + 1]


def by_autograd(z, g, Jt, A, At, y, lam):
    z = z.clone().requires_grad_()
    return torch.autograd.grad((A(g(z)) - y).square().sum() + lam * (g(z) - z).square().sum(), z)[0]


def project(x, angles, detector):
    """The lesson's projector, whose vjp is its adjoint."""
    axis, rows = torch.arange(len(x), dtype=x.dtype) - (len(x) - 1) / 2, []
    for angle in angles:
        position = math.cos(angle) * axis - math.sin(angle) * axis[:, None] + (detector - 1) / 2
        left = position.floor().long()
        row = torch.zeros(detector, dtype=x.dtype).index_add(0, left.flatten(), ((left + 1 - position) * x).flatten())
        rows.append(row.index_add(0, left.flatten() + 1, ((position - left) * x).flatten()))
    return torch.stack(rows)


def by_convolution(y):
    D = y.shape[-1]
    n = torch.arange(-D + 1, D)
    h = torch.where(n % 2 == 1, -1 / (math.pi * n.double()) ** 2, 0.0)
    h[D - 1] = 0.25
    return F.conv1d(y[:, None], h[None, None], padding=D - 1)[:, 0]


def slope_by_autograd(light, g, d):
    light = light.clone().requires_grad_()
    curve = ((light + d) ** (1 / g) - d ** (1 / g)) / ((1 + d) ** (1 / g) - d ** (1 / g))
    return torch.autograd.grad(curve.sum(), light)[0]


def pixel_by_pixel(A, x):
    """Each column of J, by forward mode."""
    units = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *A.in_shape)
    columns = torch.func.jvp(A, (x.repeat(x.numel(), 1, 1, 1),), (units,))[1]
    return (columns.abs().flatten(1).amax(dim=1) < 1e-9).reshape(x.shape)


def overlapping(y):
    rows = y[..., 1:, :] - y[..., :-1, :]
    return float(((rows[..., 1:] - rows[..., :-1]) / 2).abs().flatten().quantile(0.5)) / 0.6745


def least_loss(y, z, lam):
    t = y + lam / (1 + lam) * (z - y)
    return t, float((t - y).square().sum() + lam * (t - z).square().sum())


def first_by_search(data, sigma, m):
    hits = np.flatnonzero(np.asarray(data) <= sigma**2 * m)
    return int(hits[0]) + 1 if len(hits) else None


def stop_by_prefix(variance, patience):
    """From numpy's running minimum: the first step whose minimum lies `patience` steps back."""
    values = np.where(np.isnan(variance), np.inf, variance)
    for step in range(1, len(values) + 1):
        pick = int(np.argmin(values[:step])) + 1
        if np.isfinite(values[pick - 1]) and step - pick == patience:
            return pick, step
    return pick, None


def by_stages(passes, method, N, draws):
    if method == "aseqdip":
        return N * passes / (3 * N + 1)
    return passes / (3 * (draws if method == "self_guided" else 1))


def paired(a, b):
    gaps = [left - right for left, right in zip(a, b, strict=True)]
    return statistics.fmean(gaps), statistics.stdev(gaps) / math.sqrt(len(gaps))


def drawn_wins(M, n, w):
    return np.mean(np.random.default_rng(0).binomial(n, 1 / M, 100_000) >= w)


def by_rows(L, y, known):
    """Rows of known pixels say x = y, the others L x = 0."""
    return np.linalg.solve(np.where(known[:, None], np.eye(len(y)), L.toarray()), np.where(known, y, 0))


def by_cg(L, y, known):
    hole = np.flatnonzero(~known)
    x, _ = cg(L[hole][:, hole], -(L @ y)[hole], rtol=1e-10)
    return torch.from_numpy(y).index_put((torch.from_numpy(hole),), torch.from_numpy(x))


def by_elimination(L, y, known):
    x = y.copy()
    x[~known] = spsolve(L[~known][:, ~known].tocsc(), -(L[~known][:, known] @ y[known]))
    return x.tolist()


def onset_by_loop(psnr, window=50, drop=0.1):
    """With a window that ends at its step."""
    means = [sum(psnr[i - window:i]) / window for i in range(window, len(psnr) + 1)]
    onset = None
    for i, mean in enumerate(means):
        if mean >= max(means) - drop:
            onset = None
        elif onset is None:
            onset = i + window
    return onset


def onset_by_scipy(psnr):
    """With a centred window that repeats the ends."""
    smooth = uniform_filter1d(np.asarray(psnr), 50, mode="nearest")
    last = int(np.flatnonzero(smooth >= smooth.max() - 0.1)[-1])
    return None if last == len(smooth) - 1 else last + 2


def least_squares(observation):
    """A^H A z = A^H y by gradient descent from 0."""
    A, z = observation.A, torch.zeros_like(observation.start)
    for _ in range(20):
        z = z + A.adjoint(observation.y - A(z))
    return z


def fft(x, transform=torch.fft.fft2):
    """The centred, orthonormal FFT, or its inverse."""
    return torch.fft.fftshift(transform(torch.fft.ifftshift(x, dim=(-2, -1)), norm="ortho"), dim=(-2, -1))


def combine(s, k):
    return torch.einsum("chw,bchw->bhw", s.conj(), fft(k, torch.fft.ifft2))[:, None]


def kernel_by_rows(f, params, z):
    leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
    rows = [torch.autograd.grad(entry, list(leaves.values()), retain_graph=True) for entry in f(leaves, z).flatten()]
    J = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    return J @ J.T


def rate_by_gradient(lambda_max, m, loss):
    """2 / (c lambda_max), with c (f - y) the gradient as autograd has it."""
    f = torch.ones(m, requires_grad=True)
    value = {"half": 0.5 * f.square().sum(), "sum": f.square().sum(), "mean": f.square().mean()}[loss]
    return 2 / (float(torch.autograd.grad(value, f)[0][0]) * lambda_max)


def simulated(values, beta, t, sigma):
    """The recursion f <- f + beta Theta (y - f) from f = x = 0, for a unit of noise in each mode."""
    f = torch.zeros_like(values)
    for _ in range(t):
        f = f + beta * values * (1 - f)
    return sigma**2 * f.square().mean()


def stacked(A, y, z, lam):
    """The least squares system [A; sqrt(lam) I] u = [y; sqrt(lam) z]."""
    rows = torch.cat([A, lam**0.5 * torch.eye(len(z), dtype=z.dtype)])
    return torch.linalg.lstsq(rows, torch.cat([y, lam**0.5 * z])).solution


def inner(a, b):
    return torch.vdot(a.flatten(), b.flatten())


def misses(A, x, v):
    return inner(A(x), v) - inner(x, A.adjoint(v))


def by_descent(A, w):
    """w minus its seen part, by gradient descent on ||A x - A w||^2 from 0."""
    x = torch.zeros_like(w)
    for _ in range(500):
        x = x + A.adjoint(A(w) - A(x)) / 1.01
    return w - x


def loss_by_autograd(A, x, y):
    x = x.clone().requires_grad_()
    (A(x) - y).abs().square().sum().div(2).backward()
    return x.grad


def equals(term):
    x, z = draw(1, 1, 7, 4, seed=3, dtype=torch.complex64), draw(1, 1, 7, 4, seed=4, dtype=torch.complex64)
    return abs(term(x, z) - float((x - z).norm()) ** 2) < 1e-3


def replay(order):
    """The three calls, made: what is in the gradient, by its round, when the third step comes."""
    held = used = None
    for turn in range(3):
        for call in order:
            if call == "step":
                used = held
            held = {"zero": None, "backward": turn, "step": held}[call]
    return {2: "own", 1: "last", None: "none"}[used]


def in_eigenbasis(W, A, y):
    """Gradient descent's fixed point in the eigenbasis of A W A^T."""
    mu, U = torch.linalg.eigh(A @ W @ A.T)
    kept = mu > 1e-10 * mu[-1]
    return W @ A.T @ (U[:, kept] @ ((U.T @ y)[kept] / mu[kept]))


def by_weights(W, A, y):
    """The solution of least norm in the weights of z = J theta, with the symmetric root of W as J."""
    values, V = torch.linalg.eigh(W)
    J = V @ torch.diag(values.clamp_min(0).sqrt()) @ V.T
    return J @ torch.linalg.lstsq(A @ J, y[:, None], rcond=1e-8, driver="gelsd").solution[:, 0]


def accumulated(f, A, y, z, etas, alpha):
    output = sum(f(z + eta) / len(etas) for eta in etas)
    return (A(output) - y).norm() ** 2 + alpha * (output - z).norm() ** 2


RIGHT = {
    "adaptive.way": [way],
    "adaptive.risk": [lambda risk, m, sigma: (risk - m * sigma**2) / m],
    "adaptive.paired": [drawn_gap],
    "adaptive.average": [drawn_average],
    "aseqdip.loss": [lambda x, z, A, y, lam: (torch.view_as_real(A(x) - y).square().sum()
                                              + lam * torch.linalg.vector_norm(x - z) ** 2)],
    "aseqdip.input": [lambda step, N: math.ceil(step / N) - 1],
    "aseqdip.exact": [stage_by_stage],
    "aseqdip.minimiser": [least_norm],
    "aseqdip.later": [by_cases],
    "auto.skip": [lambda: torch.nn.init.dirac_(torch.empty(2, 2, 3, 3))],
    "auto.count": [lambda H, W: [2.0 * H * W, 0.375 * H * W]],
    "auto.gradient": [by_autograd],
    "ct.photons": [lambda i0, hu, mm: i0 * np.exp(-0.0193 * mm * (hu + 1000) / 1000)],
    "ct.backproject": [lambda y, angles, size: torch.func.vjp(lambda x: project(x, angles, y.shape[1]),
                                                              torch.zeros(size, size, dtype=y.dtype))[1](y)[0]],
    "ct.ramp": [ramp_filter, by_convolution],
    "ct.views": [lambda N: math.ceil(math.pi * N / 2), lambda N: int(math.pi * N / 2)],
    "deblurring.slope": [slope_by_autograd],
    "deblurring.vjp": [lambda A, x, v: A.vjp(x, v)],
    "deblurring.unseen": [pixel_by_pixel],
    "deblurring.light": [lambda y, g, undo: to_display(undo(3 * to_light(y, g)) / 3, g)],
    "denoising.sigma": [overlapping],
    "denoising.divergence": [lambda h, y, b, eps: (b * (h(y + eps * b) - h(y - eps * b))).sum() / (2 * eps),
                             lambda h, y, b, eps: (b * torch.func.jvp(h, (y,), (b,))[1]).sum()],
    "denoising.target": [least_loss],
    "dip.share": [lambda f, x, n: 1 - float(((x + n - f) * n).sum()) / float(n.norm()) ** 2,
                  lambda f, x, n: torch.linalg.lstsq(n.reshape(-1, 1), (f - x).reshape(-1, 1)).solution.item()],
    "dip.discrepancy": [first_by_search],
    "dip.path": [lambda speed, W: (speed * np.arange(W)).var()],
    "dip.stop": [stop_by_prefix],
    "family.steps": [by_stages],
    "family.paired": [paired],
    "family.luck": [lambda m, s: s * np.random.default_rng(1).normal(size=(4000, m)).max(axis=1).mean()],
    "family.wins": [drawn_wins, lambda M, n, w: sum(stats.binom.pmf(j, n, 1 / M) for j in range(w, n + 1))],
    "inpainting.hole": [lambda psnr, h: -10 * np.log10(10 ** (-psnr / 10) / h)],
    "inpainting.harmonic": [by_rows, by_cg, by_elimination],
    "inpainting.stage": [lambda y, z, lam, M: torch.where(M == 1, (y + lam * z) / (1 + lam), z)],
    "inpainting.paste": [lambda f, y, A: f + A.adjoint(y - A(f)), lambda f, y, A: torch.where(A.mask.bool(), y, f)],
    "input.eps": [lambda eps, c: eps * abs(c) ** -2.0],
    "input.far": [lambda x: -x, lambda x: 100 * x],
    "input.sigma": [lambda z, x: torch.view_as_real(z - x).square().mean().sqrt(),
                    lambda z, x: np.sqrt(np.mean(np.abs((z - x).numpy()) ** 2) / 2)],
    "input.onset": [onset_by_loop, onset_by_scipy],
    "input.blind": [lambda o: o.A.adjoint(o.y), least_squares, lambda o: 5 * o.start + 0.1],
    "mri.adjoint": [lambda y, s, m: combine(s, m * y),
                    lambda y, s, m: torch.func.vjp(lambda x: m * fft(s * x), torch.zeros_like(y[:, :1]))[1](y)[0]],
    "mri.unseen": [lambda A: 1e-8 * fft((1 - A.mask) * draw(1, *A.in_shape, dtype=torch.complex64), torch.fft.ifft2)],
    "mri.project": [lambda f, y, A: combine(A.sens_maps, (1 - A.mask) * fft(A.sens_maps * f) + y)],
    "ntk.kernel": [kernel_by_rows, lambda f, params, z: NTK(f, params, z)(torch.eye(7).double()[:, None])[:, 0]],
    "ntk.rate": [rate_by_gradient],
    "ntk.partner": [lambda params: params | {"4.weight": -params["4.weight"]}],
    "ntk.error": [simulated],
    "ntk.proximal": [stacked, lambda A, y, z, lam: torch.linalg.inv(hessian(A, lam)) @ (A.T @ y + lam * z)],
    "operators.dot_test": [lambda A, x, v: float(misses(A, x, v).abs() / inner(A(x), v).abs()),
                           lambda A, x, v: misses(A, x, v).abs().item() / x.norm().item(),
                           # the real part alone finds the faults too: Re<x, u> = 0 for all x means u = 0
                           lambda A, x, v: misses(A, x, v).real / (A(x).norm() * v.norm())],
    "operators.suspects": [sorted(BROKEN), dict.fromkeys(BROKEN)],
    "operators.gradient": [loss_by_autograd, lambda A, x, y: torch.func.vjp(A, x)[1](A(x) - y)[0]],
    "operators.unseen": [by_descent],
    "operators.filter": [lambda s, k, step: sum(step * s**2 * (1 - step * s**2) ** j for j in range(k))],
    "paper.target": [lambda z: z + 1j * (z.real - z.imag)],
    "paper.test": [equals],
    "paper.gradient": [replay],
    "spectral.band": [lambda k, x, m: math.sqrt(((m * (k - x)).abs() ** 2).sum() / ((m * x).abs() ** 2).sum())],
    "spectral.steps": [lambda beta, mu: -math.log2(1 - beta * mu) ** -1],
    "spectral.limit": [in_eigenbasis, by_weights],
    "spectral.kernel": [lambda x: 3 * torch.outer(x, x) + torch.outer(draw(24, seed=9), draw(24, seed=9))],
    "spectral.guided": [accumulated],
    "start.psnr": [lambda image, truth, peak: 20 * np.log10(peak) - 10 * np.log10(np.mean((image - truth) ** 2)),
                   lambda image, truth, peak: peak_signal_noise_ratio(truth, image, data_range=peak)],
    "start.steps": [lambda N, K: [sum(N for _ in range(K)), K]],
    "start.truth": ["b", " (b) ", ["B"]],
}
