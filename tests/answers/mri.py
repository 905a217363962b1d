"""Answers to the exercises of lesson 07."""

import torch


def fft(x):
    return torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(x, dim=(-2, -1)), norm="ortho"), dim=(-2, -1))


def ifft(k):
    return torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(k, dim=(-2, -1)), norm="ortho"), dim=(-2, -1))


def combine(s, k):
    return (s.conj() * ifft(k)).sum(dim=1, keepdim=True)


def noise(A):
    return torch.randn((1, *A.in_shape), dtype=torch.complex64)


def replaced(f, y, A):
    return combine(A.sens_maps, (1 - A.mask) * fft(A.sens_maps * f) + y)


RIGHT = {
    "mri.adjoint": [
        lambda y, s, m: combine(s, m * y),
        lambda y, s, m: torch.einsum("chw,bchw->bhw", s.conj(), ifft(y * m))[:, None],
        # the definition: the gradient of Re<A x, y> at any x
        lambda y, s, m: torch.func.vjp(lambda x: m * fft(s * x), torch.zeros_like(y[:, :1]))[1](y)[0],
    ],
    "mri.unseen": [
        lambda A: ifft((1 - A.mask) * fft(noise(A))),
        lambda A: (lambda x: x - A.adjoint(A(x)))(noise(A)),
    ],
    "mri.lam": [lambda lam, H, W: lam * H * W, lambda lam, H, W: lam * (H * W) ** 0.5 * (H * W) ** 0.5],
    "mri.project": [lambda f, y, A: f + A.adjoint(y - A(f)), replaced],
}

WRONG = {
    "mri.adjoint": {
        "M is missing": lambda y, s, m: combine(s, y),
        "not conjugated": lambda y, s, m: (s * ifft(m * y)).sum(dim=1, keepdim=True),
        "F is used twice": lambda y, s, m: (s.conj() * fft(m * y)).sum(dim=1, keepdim=True),
        "a mean over coils": lambda y, s, m: (s.conj() * ifft(m * y)).mean(dim=1, keepdim=True),
        "divided by sum": lambda y, s, m: combine(s, m * y) / s.abs().square().sum(dim=0),
        "sum over coils": lambda y, s, m: s.conj() * ifft(m * y),
        "loses its phase": lambda y, s, m: combine(s, m * y).abs(),
        "undo the three steps": lambda y, s, m: (s.conj() * torch.fft.ifft2(m * y)).sum(dim=1, keepdim=True),
        "returns nothing": lambda y, s, m: None,
        "type list": lambda y, s, m: [1.0],
        "raised TypeError": lambda y: y,
    },
    "mri.unseen": {
        "every null space": lambda A: 0 * noise(A),
        "all of it is measured": lambda A: ifft(A.mask * fft(noise(A))),
        "is not zero": lambda A: (1 - A.mask) * noise(A),
        "the shape must be": lambda A: noise(A)[0],
    },
    "mri.lam": {
        "the norm is squared": lambda lam, H, W: lam * (H * W) ** 0.5,
        "upside down": lambda lam, H, W: lam / (H * W),
        "only the data term holds A": lambda lam, H, W: lam,
        "take the factor out": lambda lam, H, W: lam * H,
        "returns nothing": lambda lam, H, W: None,
    },
    "mri.project": {
        "zero-filled image": lambda f, y, A: A.adjoint(y),
        "only the correction": lambda f, y, A: A.adjoint(y - A(f)),
        "the sign": lambda f, y, A: f + A.adjoint(A(f) - y),
        "do not add y": lambda f, y, A: f + A.adjoint(y),
        "keep the rest": lambda f, y, A: f,
    },
}
