"""Answers to the exercises of lesson 09."""

import torch


def blocks(y):
    return y[..., ::2, ::2], y[..., ::2, 1::2], y[..., 1::2, ::2], y[..., 1::2, 1::2]


def haar(y):
    a, b, c, d = blocks(y)
    return (a - b - c + d) / 2


def overlapping(y):
    rows = y[..., 1:, :] - y[..., :-1, :]
    return (rows[..., 1:] - rows[..., :-1]) / 2


def least(y, z, lam):
    t = y + lam / (1 + lam) * (z - y)
    return t, float((t - y).square().sum() + lam * (t - z).square().sum())


RIGHT = {
    "denoising.sigma": [
        lambda y: haar(y).abs().median() / 0.6745,
        lambda y: float(overlapping(y).abs().flatten().quantile(0.5)) / 0.6745,
        lambda y: (haar(y) - haar(y).median()).abs().median() * 1.4826,
    ],
    "denoising.divergence": [
        lambda h, y, b, eps: (b * (h(y + eps * b) - h(y))).sum() / eps,
        lambda h, y, b, eps: float(torch.vdot(b.flatten(), (h(y + eps * b) - h(y)).flatten())) / eps,
        lambda h, y, b, eps: (b * (h(y + eps * b) - h(y - eps * b))).sum() / (2 * eps),
        lambda h, y, b, eps: (b * torch.func.jvp(h, (y,), (b,))[1]).sum(),
    ],
    "denoising.sure": [
        lambda residual, divergence, noise_std, m: residual - m * noise_std**2 + 2 * noise_std**2 * divergence,
        lambda residual, divergence, noise_std, m: residual + noise_std**2 * (2 * divergence - m),
    ],
    "denoising.target": [
        lambda y, z, lam: ((y + lam * z) / (1 + lam), lam / (1 + lam) * (y - z).square().sum()),
        least,
    ],
}

WRONG = {
    "denoising.sigma": {
        "spread of the picture": lambda y: y.std(),
        "edges count with their squares": lambda y: haar(y).std(),
        "not sigma": lambda y: haar(y).abs().median(),
        "upside down": lambda y: haar(y).abs().median() * 0.6745,
        "the four signs": lambda y: (haar(y) / 2).abs().median() / 0.6745,
        "divide it by 2": lambda y: (2 * haar(y)).abs().median() / 0.6745,
        "signs cancel": lambda y: haar(y).median() / 0.6745,
        "right on noise alone": lambda y: (y - y.median()).abs().median() / 0.6745,
        "one number is expected": lambda y: haar(y).abs() / 0.6745,
        "for each 2 x 2 block": lambda y: 0.3,
        "returns nothing": lambda y: None,
    },
    "denoising.divergence": {
        "divide by eps": lambda h, y, b, eps: (b * (h(y + eps * b) - h(y))).sum(),
        "mean over the pixels": lambda h, y, b, eps: (b * (h(y + eps * b) - h(y))).mean() / eps,
        "the probe is missing": lambda h, y, b, eps: (h(y + eps * b) - h(y)).sum() / eps,
        "the sign": lambda h, y, b, eps: (b * (h(y) - h(y + eps * b))).sum() / eps,
        "subtract h(y)": lambda h, y, b, eps: (b * h(y + eps * b)).sum() / eps,
        "the step must be small": lambda h, y, b, eps: (b * (h(y + b) - h(y))).sum(),
        "wrong for a map": lambda h, y, b, eps: 7.0,
        "one number is expected": lambda h, y, b, eps: b * (h(y + eps * b) - h(y)) / eps,
        "returns nothing": lambda h, y, b, eps: None,
    },
    "denoising.sure": {
        "the error of a pixel": lambda r, d, s, m: (r - m * s**2 + 2 * s**2 * d) / m,
        "the divergence is missing": lambda r, d, s, m: r - m * s**2,
        "not 2 m sigma^2": lambda r, d, s, m: r + 2 * s**2 * d,
        "m sigma^2, not 0": lambda r, d, s, m: r - m * s**2 + s**2 * d,
        "looks better in the residual": lambda r, d, s, m: r - m * s**2 - 2 * s**2 * d,
        "fresh noise": lambda r, d, s, m: r + m * s**2 - 2 * s**2 * d,
        "sigma is squared": lambda r, d, s, m: r - m * s + 2 * s * d,
        "E<y, n>": lambda r, d, s, m: r,
        "returns nothing": lambda r, d, s, m: None,
    },
    "denoising.target": {
        "swapped": lambda y, z, lam: ((z + lam * y) / (1 + lam), 0.0),
        "must add up to 1": lambda y, z, lam: (y + lam * z, 0.0),
        "lam = 1 alone": lambda y, z, lam: ((y + z) / 2, (y - z).square().sum() / 2),
        "set the gradient": lambda y, z, lam: (y - z, 0.0),
        "loss at f = y": lambda y, z, lam: ((y + lam * z) / (1 + lam), lam * (y - z).square().sum()),
        "unless z = y": lambda y, z, lam: ((y + lam * z) / (1 + lam), 0.0),
        "t - y = lam": lambda y, z, lam: ((y + lam * z) / (1 + lam), (y - z).square().sum() / (1 + lam)),
        "does not depend on f": lambda y, z, lam: ((y + lam * z) / (1 + lam), 1.0),
        "two things": lambda y, z, lam: (y + lam * z) / (1 + lam),
        "t is an image": lambda y, z, lam: (1.0, 2.0),
        "returns nothing": lambda y, z, lam: None,
    },
}
