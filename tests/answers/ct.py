"""Answers to the exercises of lesson 08."""

import math

import torch
from torch.nn import functional as F

from aseqdip_lite.operators.projectors import ramp_filter

MU = 0.0193


def bins(angle, size, detector, like, up=-1):
    axis = torch.arange(size, dtype=like.dtype) - (size - 1) / 2
    position = math.cos(angle) * axis[None, :] + up * math.sin(angle) * axis[:, None] + (detector - 1) / 2
    left = position.floor().long()
    return left, position - left


def project(x, angles, detector):
    rows = []
    for angle in angles:
        left, w = bins(angle, x.shape[-1], detector, x)
        row = torch.zeros(detector, dtype=x.dtype)
        row = row.index_add(0, left.flatten(), ((1 - w) * x).flatten())
        rows.append(row.index_add(0, left.flatten() + 1, (w * x).flatten()))
    return torch.stack(rows)


def back(y, angles, size, shares=lambda w: (1 - w, w), up=-1):
    image = 0
    for row, angle in zip(y, angles, strict=True):
        left, w = bins(angle, size, len(row), y, up)
        first, second = shares(w)
        image = image + first * row[left] + second * row[left + 1]
    return image


def kernel(D, even=0.0, centre=0.25):
    n = (torch.arange(D)[:, None] - torch.arange(D)).abs().double()
    h = -1 / (math.pi * n.clamp(min=1)) ** 2
    h = torch.where(n % 2 == 1, h, even * h)
    return h.fill_diagonal_(centre)


def by_convolution(y):
    D = y.shape[-1]
    h = torch.cat([kernel(D)[0].flip(0), kernel(D)[0, 1:]])  # (2 D - 1,)
    return F.conv1d(y[:, None], h[None, None], padding=D - 1)[:, 0]


def in_frequency(y, length):
    return torch.fft.irfft(torch.fft.rfft(y, length) * torch.fft.rfftfreq(length, dtype=y.dtype), length)[..., :21]


def circular(y):
    return sum(h * y.roll(k, -1) for k, h in ring_taps(y.shape[-1]))


def ring_taps(D):
    distances = ((k, min(k, D - k)) for k in range(D))
    return [(k, 0.25 if n == 0 else -1 / (math.pi * n) ** 2 if n % 2 else 0.0) for k, n in distances]


RIGHT = {
    "ct.photons": [
        lambda i0, hu, mm: i0 * math.exp(-MU * (1 + hu / 1000) * mm),
        lambda i0, hu, mm: torch.tensor(i0, dtype=torch.float64) * torch.exp(torch.tensor(-MU * mm * (hu + 1000) / 1e3,
                                                                                          dtype=torch.float64)),
    ],
    "ct.backproject": [
        back,
        # the definition: the gradient of <project(x), y> at any x
        lambda y, angles, size: torch.func.vjp(lambda x: project(x, angles, y.shape[1]),
                                               torch.zeros(size, size, dtype=y.dtype))[1](y)[0],
    ],
    "ct.lam": [lambda lam, norm: lam * norm**2, lambda lam, norm: norm * lam * norm],
    "ct.ramp": [ramp_filter, lambda y: y @ kernel(y.shape[-1]), by_convolution],
    "ct.views": [lambda N: math.ceil(math.pi * N / 2), lambda N: math.pi / 2 * N, lambda N: int(math.pi * N / 2)],
}

WRONG = {
    "ct.photons": {
        "water absorbs nothing": lambda i0, hu, mm: i0 * math.exp(-MU * hu / 1000 * mm),
        "relative to water: times": lambda i0, hu, mm: i0 * math.exp(-(1 + hu / 1000) * mm),
        "that is the line integral": lambda i0, hu, mm: MU * (1 + hu / 1000) * mm,
        "more photons": lambda i0, hu, mm: i0 * math.exp(MU * (1 + hu / 1000) * mm),
        "no straight line": lambda i0, hu, mm: i0 * (1 - MU * (1 + hu / 1000) * mm),
        "it is the integral p": lambda i0, hu, mm: i0 * 10 ** (-MU * (1 + hu / 1000) * mm),
        "returns nothing": lambda i0, hu, mm: None,
    },
    "ct.backproject": {
        "a mean over views": lambda y, angles, size: back(y, angles, size) / len(angles),
        "pi / views": lambda y, angles, size: math.pi / len(angles) * back(y, angles, size),
        "no inverse": lambda y, angles, size: back(ramp_filter(y), angles, size),
        "upside down": lambda y, angles, size: back(y, angles, size).flip(0),
        "shares are exchanged": lambda y, angles, size: back(y, angles, size, lambda w: (w, 1 - w)),
        "one bin a pixel": lambda y, angles, size: back(y, angles, size, lambda w: (1, 0)),
        "row 0 is the top": lambda y, angles, size: back(y, angles, size, up=1),
        "each pixel reads": lambda y, angles, size: back(y[:1], angles[:1], size),
        "the shape must be": lambda y, angles, size: back(y, angles, size)[None],
        "type list": lambda y, angles, size: [1.0],
        "returns nothing": lambda y, angles, size: None,
    },
    "ct.lam": {
        "squared": lambda lam, norm: lam * norm,
        "upside down": lambda lam, norm: lam / norm**2,
        "lam has to follow": lambda lam, norm: lam,
        "take the factor out": lambda lam, norm: lam + norm,
        "returns nothing": lambda lam, norm: None,
    },
    "ct.ramp": {
        "the sign": lambda y: -ramp_filter(y),
        "2 pi too large": lambda y: 2 * math.pi * ramp_filter(y),
        "h(0) is missing": lambda y: y @ kernel(y.shape[-1], centre=0.0),
        "for even n": lambda y: y @ kernel(y.shape[-1], even=1.0),
        "one side only": lambda y: y @ kernel(y.shape[-1]).triu(),
        "wrapped around": circular,
        "mean of each view": lambda y: in_frequency(y, y.shape[-1]),
        "sampled in frequency": lambda y: in_frequency(y, 2 * y.shape[-1]),
        "h(0) = 1/4, h(n)": lambda y: y,
        "the shape must be": lambda y: y[0],
        "returns nothing": lambda y: None,
    },
    "ct.views": {
        "twice too many": lambda N: math.pi * N,
        "as many as pixels": lambda N: N,
        "upside down": lambda N: 2 * N / math.pi,
        "counting equations": lambda N: math.pi / 4 * N,
        "solve for V": lambda N: N**2,
        "returns nothing": lambda N: None,
    },
}
