"""Further right answers to the exercises, each found in another way than the one of the exercise's table."""

import functools
import math

import numpy as np
import torch
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio

from aseqdip_lite.course.exercises import REGISTRY
from aseqdip_lite.course.exercises.drawing import draw
from aseqdip_lite.operators import random_like
from aseqdip_lite.operators.blur import to_display, to_light
from aseqdip_lite.operators.projectors import ramp_filter


def by_autograd(function, x):
    """The gradient of a real function."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x)[0]


def by_vjp(function, like, v):
    """J^H v of a function at 0, in the shape of `like`: the adjoint of a linear one."""
    return torch.func.vjp(function, torch.zeros_like(like))[1](v)[0]


def drawn_gap(gap, m, sigma):
    noise = np.random.default_rng(0).normal(0, sigma, (5000, m))
    return np.std((noise**2).mean(axis=1) - ((gap - noise) ** 2).mean(axis=1))


def project(x, angles, detector):
    """The lesson's projector, whose vjp is its adjoint."""
    axis, rows = torch.arange(len(x), dtype=x.dtype) - (len(x) - 1) / 2, []
    for angle in angles:
        position = math.cos(angle) * axis - math.sin(angle) * axis[:, None] + (detector - 1) / 2
        left = position.floor().long()
        row = torch.zeros(detector, dtype=x.dtype).index_add(0, left.flatten(), ((left + 1 - position) * x).flatten())
        rows.append(row.index_add(0, left.flatten() + 1, ((position - left) * x).flatten()))
    return torch.stack(rows)


def pixel_by_pixel(A, x):
    """Each column of J, by forward mode."""
    units = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *A.in_shape)
    columns = torch.func.jvp(A, (x.repeat(x.numel(), 1, 1, 1),), (units,))[1]
    return (columns.abs().flatten(1).amax(dim=1) < 1e-9).reshape(x.shape)


def onset_by_loop(psnr, window=50, drop=0.1):
    """With a window that ends at its step."""
    means = [sum(psnr[i - window:i]) / window for i in range(window, len(psnr) + 1)]
    last = max(i for i, mean in enumerate(means) if mean >= max(means) - drop)
    return None if last == len(means) - 1 else last + 1 + window


def fft(x, transform=torch.fft.fft2):
    """The centred, orthonormal FFT, or its inverse."""
    return torch.fft.fftshift(transform(torch.fft.ifftshift(x, dim=(-2, -1)), norm="ortho"), dim=(-2, -1))


def combine(s, k):
    return torch.einsum("chw,bchw->bhw", s.conj(), fft(k, torch.fft.ifft2))[:, None]


def simulated(values, beta, t, sigma):
    """The recursion f <- f + beta Theta (y - f) from f = x = 0, for a unit of noise in each mode."""
    f = torch.zeros_like(values)
    for _ in range(t):
        f = f + beta * values * (1 - f)
    return sigma**2 * f.square().mean()


def by_score(u, abar, D):
    """Tweedie's formula for u: its score is (sqrt(abar) x_0 - u) / (1 - abar), and z is -sqrt(1 - abar) times that."""
    x0 = D(u / abar**0.5, (1 / abar - 1) ** 0.5)
    return -((1 - abar) ** 0.5) * (abar**0.5 * x0 - u) / (1 - abar)


def misses(A, x, v):
    return torch.vdot(A(x).flatten(), v.flatten()) - torch.vdot(x.flatten(), A.adjoint(v).flatten())


def by_mending(A):
    """The factor from one entry of B v and of the true A^H v, by autograd; what is left tells whether it mends B."""
    v = random_like(A, "out", 7, True)
    right, found = by_vjp(A, random_like(A, "in", 7, True), v), A.adjoint(v)
    largest = right.abs().argmax()
    c = (found.flatten()[largest] / right.flatten()[largest]).item()
    return c if torch.allclose(found, c * right) else None


def by_components(z, x, c):
    """The standard deviation of a component, from the variance that c x leaves over."""
    left = torch.view_as_real(z - x).square().mean() - torch.view_as_real(c * x - x).square().mean()
    return None if left < 0 else left.sqrt()


def by_descent(A, w):
    """w minus its seen part, by gradient descent on ||A x - A w||^2 from 0."""
    x = torch.zeros_like(w)
    for _ in range(500):
        x = x + A.adjoint(A(w) - A(x)) / 1.01
    return w - x


def replay(order):
    """The three calls, made: what is in the gradient, by its round, when the third step comes."""
    held = used = None
    for turn in range(3):
        for call in order:
            used = held if call == "step" else used
            held = {"zero": None, "backward": turn, "step": held}[call]
    return {2: "own", 1: "last", None: "none"}[used]


def by_weights(W, A, y):
    """The solution of least norm in the weights of z = J theta, with the symmetric root of W as J."""
    values, V = torch.linalg.eigh(W)
    J = V @ torch.diag(values.clamp_min(0).sqrt()) @ V.T
    return J @ torch.linalg.lstsq(A @ J, y[:, None], rcond=1e-6, driver="gelsd").solution[:, 0]


RIGHT = {
    "why.noise": [lambda R, s: -math.expm1(math.log1p(-s) / 10 ** (0.1 * R))],
    "why.same": [lambda lam, N, M: next((w for w in [(N + N * lam - M) / M] if w >= 0), None)],
    "why.same:damped": [lambda lam, N, M: None if N + N * lam < M else M / N / (1 + lam)],
    "why.passes": [lambda lam, N, rho, left: (1 + 3 * N) * next(
        k for k in range(1, 10_000) if (1 - rho / (1 + lam)) ** k <= left)],
    "adaptive.paired": [drawn_gap],
    "adaptive.average": [lambda w, s: s * np.linalg.norm((1 - w) * w ** np.arange(2000.0))],
    "aseqdip.loss": [lambda x, z, A, y, lam: (torch.view_as_real(A(x) - y).square().sum()
                                              + lam * torch.linalg.vector_norm(x - z) ** 2)],
    "aseqdip.input": [lambda step, N: math.ceil(step / N) - 1],
    "aseqdip.exact": [lambda z0, y, lam, k: functools.reduce(lambda z, _: (y + lam * z) / (1 + lam), range(k), z0)],
    "auto.skip": [lambda: torch.nn.init.dirac_(torch.empty(2, 2, 3, 3))],
    "auto.count": [lambda H, W: [2.0 * H * W, 0.375 * H * W]],
    "auto.gradient": [lambda z, g, Jt, A, At, y, lam: by_autograd(
        lambda z: (A(g(z)) - y).square().sum() + lam * (g(z) - z).square().sum(), z)],
    "ct.photons": [lambda i0, hu, mm: i0 * np.exp(-0.0193 * mm * (hu + 1000) / 1000)],
    "ct.backproject": [lambda y, angles, size: by_vjp(
        lambda x: project(x, angles, y.shape[1]), y.new_empty(size, size), y)],
    "ct.ramp": [ramp_filter],
    "ct.views": [lambda N: math.ceil(math.pi * N / 2), lambda N: int(math.pi * N / 2)],
    "deblurring.slope": [lambda L, g, d: by_autograd(
        lambda t: ((t + d) ** (1 / g) - d ** (1 / g)) / ((1 + d) ** (1 / g) - d ** (1 / g)), L)],
    "deblurring.vjp": [lambda A, x, v: A.vjp(x, v)],
    "deblurring.unseen": [pixel_by_pixel],
    "deblurring.light": [lambda y, g, undo: to_display(undo(3 * to_light(y, g)) / 3, g)],
    "denoising.sigma": [lambda y: (y[..., 1:, :] - y[..., :-1, :]).diff(dim=-1).div(2).abs().quantile(0.5) / 0.6745],
    "denoising.divergence": [lambda h, y, b, eps: (b * (h(y + eps * b) - h(y - eps * b))).sum() / (2 * eps),
                             lambda h, y, b, eps: (b * torch.func.jvp(h, (y,), (b,))[1]).sum()],
    "dip.share": [lambda f, x, n: torch.linalg.lstsq(n.reshape(-1, 1), (f - x).reshape(-1, 1)).solution.item()],
    "dip.path": [lambda speed, W: (speed * np.arange(W)).var()],
    # by hand
    "dip.stop": [lambda variance, patience: {
        9: (4, 7), 7: (4, 6), 10: (10, None), 4: (1, 3), 6: (2, 4)}[len(variance)]],
    "family.paired": [lambda a, b: (np.mean(a) - np.mean(b), stats.sem(np.subtract(a, b)))],
    "family.luck": [lambda m, s: s * np.random.default_rng(1).normal(size=(4000, m)).max(axis=1).mean()],
    "family.wins": [lambda M, n, w: np.mean(np.random.default_rng(0).binomial(n, 1 / M, 100_000) >= w)],
    "inpainting.hole": [lambda psnr, h: -10 * np.log10(10 ** (-psnr / 10) / h)],
    "inpainting.harmonic": [lambda L, y, known: np.linalg.solve(
        np.where(known[:, None], np.eye(len(y)), L.toarray()), y)],
    "inpainting.stage": [lambda y, z, lam, M: torch.where(M == 1, (y + lam * z) / (1 + lam), z)],
    "inpainting.paste": [lambda f, y, A: f + A.adjoint(y - A(f)), lambda f, y, A: torch.where(A.mask.bool(), y, f)],
    "input.eps": [lambda eps, c: eps * abs(c) ** -2.0],
    "input.far": [lambda x: -x, lambda x: 100 * x],
    "input.sigma": [by_components],
    "input.onset": [onset_by_loop],
    "input.blind": [lambda o: o.A.adjoint(o.y), lambda o: 5 * o.start + 0.1],
    "learned.eps": [by_score],
    "learned.step": [lambda x0, y, s, sd, sigma: (x0 * (1 / s**2 + 1 / sd**2) + y / sigma**2)
                     / (1 / s**2 + 1 / sd**2 + 1 / sigma**2)],
    "learned.gain": [lambda m: 10 * math.log10(2) - 10 * math.log10(1 + 1 / m)],
    "learned.outside": [lambda m: math.factorial(m) * 2 / math.factorial(m + 1)],
    "learned.bill": [lambda training, slow, fast: np.roots([fast - slow, training])[0]],
    "mri.adjoint": [lambda y, s, m: combine(s, m * y),
                    lambda y, s, m: by_vjp(lambda x: m * fft(s * x), y[:, :1], y)],
    "mri.unseen": [lambda A: 1e-8 * fft((1 - A.mask) * draw(1, *A.in_shape, dtype=torch.complex64), torch.fft.ifft2)],
    "mri.project": [lambda f, y, A: combine(A.sens_maps, (1 - A.mask) * fft(A.sens_maps * f) + y)],
    "ntk.kernel": [lambda f, params, z: sum((J := block.flatten(1)) @ J.T for block in torch.func.jacrev(
        lambda params: f(params, z).flatten())(params).values())],
    "ntk.rate": [lambda v, m, loss: 2 / v / float(by_autograd(
        lambda r: r.square() * {"half": 0.5, "sum": 1, "mean": 1 / m}[loss], torch.ones(1)))],
    "ntk.partner": [lambda params: params | {"4.weight": -params["4.weight"]}],
    "ntk.error": [simulated],
    "stage.proximal": [lambda A, y, z, lam: torch.linalg.lstsq(
        torch.cat([A, lam**0.5 * torch.eye(6).double()]), torch.cat([y, lam**0.5 * z])).solution],
    "operators.dot_test": [lambda A, x, v: misses(A, x, v).abs().item() / x.norm().item(),
                           # the real part alone finds the faults too: Re<x, u> = 0 for all x means u = 0
                           lambda A, x, v: misses(A, x, v).real / (A(x).norm() * v.norm())],
    "operators.factor": [by_mending],
    "operators.gradient": [
        lambda A, x, y, eps: by_autograd(lambda x: ((A(x) - y).abs().square() + eps**2).sqrt(), x),
        lambda A, x, y, eps: torch.func.vjp(A, x)[1]((r := A(x) - y) / torch.hypot(r.abs(), torch.tensor(eps)))[0]],
    "operators.unseen": [by_descent],
    "landweber.filter": [lambda s, k, step, c: functools.reduce(
        lambda f, _: f + step * s**2 * (1 - f), range(k), c * s**2)],
    "landweber.error": [lambda s, c, f, sigma: sum(
        (a * (1 - b)) ** 2 + (sigma * b / d) ** 2 for a, b, d in zip(c.tolist(), f.tolist(), s.tolist(), strict=True))],
    "landweber.tikhonov": [lambda s, alpha: torch.linalg.solve(
        torch.diag(s**2 + alpha), torch.diag(s**2)).diagonal()],
    "stage.output": [lambda theta, A, y, z, u, lam, N, beta: functools.reduce(
        lambda v, _: v - 2 * beta * theta @ (A.T @ (A @ v - y) + lam * (v - z)), range(N), u)],
    "stage.factor": [lambda theta, lam, N, beta: functools.reduce(
        lambda e, _: e - 2 * beta * theta * (e + lam * (e - 1)), range(N), 1.0)],
    "paper.target": [lambda z: ((1 - 1j) * z).real / 2 + 0j],
    "paper.gradient": [replay],
    "spectral.band": [lambda k, x, m: math.sqrt(((m * (k - x)).abs() ** 2).sum() / ((m * x).abs() ** 2).sum())],
    "spectral.steps": [lambda beta, mu: -math.log2(1 - beta * mu) ** -1],
    "spectral.limit": [by_weights],
    "spectral.kernel": [lambda x: 3 * torch.outer(x, x) + torch.outer(draw(24, seed=9), draw(24, seed=9))],
    "spectral.guided": [lambda f, A, y, z, etas, alpha: (
        lambda E: (A(E) - y).norm() ** 2 + alpha * (E - z).norm() ** 2)(torch.stack([f(z + e) for e in etas]).mean(0))],
    "start.psnr": [lambda image, truth, peak: peak_signal_noise_ratio(truth, image, data_range=peak)],
    "start.steps": [lambda N, K: [sum(N for _ in range(K)), K]],
    "start.truth": ["b", " (b) ", ["B"]],
} | {name: [eval(asked.solution, dict(math=math))] for name, asked in REGISTRY.items() if asked.solution}


#: Forms in which the numbers of an answer may come.
FORMS = {
    "numpy": lambda value: np.asarray(value.detach() if isinstance(value, torch.Tensor) else value),
    "list": lambda value: torch.as_tensor(value).tolist(),
    "tensor": torch.as_tensor,
    "scalar": lambda value: FORMS["numpy"](value)[()],  # of NumPy, where it is a single number
    "single precision": lambda value: (value := torch.as_tensor(value)).to(
        value.dtype if value.dtype == torch.bool else torch.complex64 if value.is_complex() else torch.float32),
    "with a graph": lambda value: (value := torch.as_tensor(value)).clone().requires_grad_(
        value.is_floating_point() or value.is_complex()),
}


#: Where a form is a mistake: numbers without the graph of x; a kernel whose rank is that of rounding.
MISTAKES = {("aseqdip.loss", "numpy"), ("aseqdip.loss", "list"), ("aseqdip.loss", "scalar"),
            ("aseqdip.loss", "with a graph"), ("aseqdip.loss:mu", "numpy"), ("aseqdip.loss:mu", "list"),
            ("aseqdip.loss:mu", "scalar"), ("aseqdip.loss:mu", "with a graph"), ("spectral.kernel", "single precision")}
