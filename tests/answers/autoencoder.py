"""Answers to the exercises of lesson 13."""

import torch


def filters(value=1.0, place=(1, 1), mix=((1, 0), (0, 1))):
    """Weights (2, 2, 3, 3) with `value` at one place of the filters that `mix` names."""
    weight = torch.zeros(2, 2, 3, 3)
    weight[:, :, place[0], place[1]] = value * torch.tensor(mix, dtype=torch.float32)
    return weight


def by_autograd(z, g, Jt, A, At, y, lam):
    z = z.clone().requires_grad_()
    loss = (A(g(z)) - y).square().sum() + lam * (g(z) - z).square().sum()
    return torch.autograd.grad(loss, z)[0]


def rolled(g, x, shifts, there=1, back=-1):
    moved = [g(torch.roll(x, (there * i, there * j), (2, 3))) for i, j in shifts]
    return torch.stack([torch.roll(m, (back * i, back * j), (2, 3)) for m, (i, j) in zip(moved, shifts, strict=True)])


RIGHT = {
    "auto.skip": [filters, lambda: torch.nn.init.dirac_(torch.empty(2, 2, 3, 3))],
    "auto.count": [lambda H, W: (2 * H * W, 24 * (H // 8) * (W // 8)), lambda H, W: [2.0 * H * W, 0.375 * H * W]],
    "auto.gradient": [
        lambda z, g, Jt, A, At, y, lam: 2 * Jt(At(A(g(z)) - y)) + 2 * lam * (Jt(g(z) - z) - (g(z) - z)),
        lambda z, g, Jt, A, At, y, lam: 2 * Jt(At(A(g(z)) - y) + lam * (g(z) - z)) + 2 * lam * (z - g(z)),
        by_autograd,
    ],
    "auto.spin": [
        lambda g, x, shifts: rolled(g, x, shifts).mean(dim=0),
        lambda g, x, shifts: rolled(g, x, shifts, -1, 1).mean(dim=0),
    ],
}

WRONG = {
    "auto.skip": {
        "sum of both": lambda: filters(mix=((1, 1), (1, 1))),
        "exchanged": lambda: filters(mix=((0, 1), (1, 0))),
        "moved by a pixel": lambda: filters(place=(0, 0)),
        "multiplies the image by 2": lambda: filters(2.0),
        "all weights 0": lambda: filters(0.0),
        "a single weight": lambda: torch.ones(2, 2, 3, 3) / 9,
        "shape (2, 2, 3, 3)": lambda: torch.eye(3),
        "returns nothing": lambda: None,
    },
    "auto.count": {
        "other way round": lambda H, W: (24 * H * W / 64, 2 * H * W),
        "two real numbers": lambda H, W: (H * W, 24 * H * W / 64),
        "divided by 64": lambda H, W: (2 * H * W, 24 * H * W / 8),
        "24 channels": lambda H, W: (2 * H * W, H * W / 64),
        "number of channels": lambda H, W: (2 * H * W, 24),
        "2 numbers a pixel": lambda H, W: (2 * H * W, 48 * H * W / 64),
        "return a pair": lambda H, W: 2 * H * W,
        "returns nothing": lambda H, W: None,
    },
    "auto.gradient": {
        "a factor 2": lambda z, g, Jt, A, At, y, lam: by_autograd(z, g, Jt, A, At, y, lam) / 2,
        "the sign": lambda z, g, Jt, A, At, y, lam: -by_autograd(z, g, Jt, A, At, y, lam),
        "derivative of -z is missing": lambda z, g, Jt, A, At, y, lam: 2 * Jt(At(A(g(z)) - y) + lam * (g(z) - z)),
        "g(z) depends on z": lambda z, g, Jt, A, At, y, lam: 2 * Jt(At(A(g(z)) - y)) - 2 * lam * (g(z) - z),
        "J - I": lambda z, g, Jt, A, At, y, lam: 2 * Jt(At(A(g(z)) - y)) + 2 * lam * (Jt(g(z) - z) + g(z) - z),
        "data term alone": lambda z, g, Jt, A, At, y, lam: 2 * Jt(At(A(g(z)) - y)),
        "back through g": lambda z, g, Jt, A, At, y, lam: 2 * At(A(g(z)) - y) + 2 * lam * (g(z) - z),
        "the weight lam": lambda z, g, Jt, A, At, y, lam: by_autograd(z, g, Jt, A, At, y, 1.0),
        "chain rule": lambda z, g, Jt, A, At, y, lam: Jt(z),
        "shape of z": lambda z, g, Jt, A, At, y, lam: (A(g(z)) - y).square().sum(),
        "returns nothing": lambda z, g, Jt, A, At, y, lam: None,
    },
    "auto.spin": {
        "move each one back": lambda g, x, shifts: rolled(g, x, shifts, 1, 0).mean(dim=0),
        "same direction": lambda g, x, shifts: rolled(g, x, shifts, 1, 1).mean(dim=0),
        "a sum": lambda g, x, shifts: rolled(g, x, shifts).sum(dim=0),
        "not the inputs": lambda g, x, shifts: g(sum(torch.roll(x, s, (2, 3)) for s in shifts) / len(shifts)),
        "between the two": lambda g, x, shifts: g(x),
        "along the last two axes": lambda g, x, shifts: torch.stack(
            [g(x.roll((i, j), (3, 2))).roll((-i, -j), (3, 2)) for i, j in shifts]).mean(dim=0),
        "of shape": lambda g, x, shifts: rolled(g, x, shifts),
        "returns nothing": lambda g, x, shifts: None,
    },
}
