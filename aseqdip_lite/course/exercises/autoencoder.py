"""Exercises of lesson 13: a skip that is the identity, the size of a code, the gradient of Eq. 18, cycle spinning."""

import torch

from .drawing import draw
from .table import exercise


def filters(value=1.0, place=(1, 1), mix=((1, 0), (0, 1))):
    """Weights (2, 2, 3, 3), `value` at one place of the filters that `mix` names."""
    weight = torch.zeros(2, 2, 3, 3, dtype=torch.float64)
    weight[:, :, place[0], place[1]] = value * torch.tensor(mix, dtype=torch.float64)
    return weight


def share(weight):
    """Weights in units of the first one in the middle, which a factor does not change; and whether that is 1."""
    middle = float(weight[0, 0, 1, 1])
    return (weight / middle if middle else weight), abs(middle - 1) < 1e-6


@exercise("auto.skip", [()], trait=share, form=" (out, in, 3, 3), from 2 to 2 channels", otherwise=(
    "a single weight in each channel's own filter is enough: which of its 3 x 3 places is the output's own pixel?"))
def skip():
    """A function () -> weights (2, 2, 3, 3) of a convolution, zero padding and no bias, that returns its input."""
    return {
        None: filters(),
        "all weights 0 return 0, not the input": filters(0.0),
        "every output channel gets the sum of both: only weight[c, c] may be different from 0":
            filters(mix=((1, 1), (1, 1))),
        "real and imaginary part are exchanged: output channel c takes input channel c": filters(mix=((0, 1), (1, 0))),
        "the image is shifted by a pixel: the middle of a 3 x 3 filter has the indices 1, 1":
            [filters(place=(i, j)) for i in range(3) for j in range(3) if (i, j) != (1, 1)],
        "this multiplies the image by a number: the weight in the middle must be 1": filters(2.0),
    }


def sizes(H, W, channels, side):
    """The table of `auto.count` for a code of so many channels on a grid whose sides are H / side and W / side."""
    n, grid = H * W, H * W / side**2
    codes = [channels * grid, channels * n / side, grid, channels]
    return {
        None: (2 * n, channels * grid),
        "your answer is the other way round: first the image, then the code": (channels * grid, 2 * n),
        "a complex pixel has two real numbers, and the network has a channel for each": [(n, code) for code in codes],
        f"both sides are divided by {side}, so the number of pixels is divided by {side**2}":
            (2 * n, channels * n / side),
        f"the code has {channels} channels: {channels} numbers for each pixel of the small grid": (2 * n, grid),
        f"{channels} is the number of channels; each has one number for every {side} x {side} pixels of the image":
            (2 * n, channels),
    }


@exercise("auto.count", [(64, 64), (128, 192)], (
    "the image has 2 numbers for each pixel; the code has 24 for each pixel of a grid with sides H / 8 and W / 8"),
          form=": the numbers of the image and the numbers of the code")
def count(H, W):
    """A function (H, W) -> (real numbers of a complex H x W image, numbers of its code: 24 channels at an eighth)."""
    return sizes(H, W, 24, 8)


def chain():
    """(z, g, Jt, A, At, y, lam) with a g that is not linear and its transposed Jacobian at z, of two sizes."""
    def problem(m, n, lam):
        M, K, z, y = draw(m, n, seed=1), draw(n, n, seed=2), draw(n, seed=3), draw(m, seed=4)

        def g(z):
            return torch.tanh(K @ z)

        return z, g, lambda u: torch.func.vjp(g, z)[1](u)[0], lambda x: M @ x, lambda v: M.T @ v, y, lam

    return [problem(5, 9, 0.7), problem(4, 6, 3.0)]


@exercise("auto.gradient", chain, form=": a gradient in z has the shape of z", otherwise=(
    "chain rule: ||r(z)||^2 has the gradient 2 R^T r with R the Jacobian of r; r is A g(z) - y, then g(z) - z"))
def gradient(z, g, Jt, A, At, y, lam):
    """A function (z, g, Jt, A, At, y, lam) -> gradient in z of ||A g(z) - y||^2 + lam ||g(z) - z||^2, real tensors."""
    residual, gap = 2 * At(A(g(z)) - y), 2 * lam * (g(z) - z)
    data, back = Jt(residual), Jt(gap)
    right = data + back - gap
    return {
        None: right,
        "your answer is wrong by a factor 2: the terms are squared norms without 1/2 in front": right / 2,
        "the sign is wrong: that is the direction of descent, and the gradient points the other way": -right,
        "z occurs twice in the second term, in g(z) and in -z: the derivative of -z is missing": data + back,
        "z occurs twice in the second term: you differentiated -z, but g(z) also depends on z": data - gap,
        "one sign is wrong: the derivative of g(z) - z is J - I": data + back + gap,
        "your answer is the gradient of the data term alone: the second term also depends on z": data,
        "the gradient of the data term in x = g(z) must go back through g: apply Jt to it":
            [residual + back - gap, residual + gap],
        "lam is missing: it multiplies the whole gradient of the second term": data + (back - gap) / lam,
    }


def seeing():
    """(g, x, shifts) with a g that sees where it is, and is not linear."""
    return [(lambda x, size=size: torch.tanh(draw(1, 1, *size, seed=1) * x), draw(1, 1, *size, seed=2), shifts)
            for size, shifts in (((6, 8), [(0, 0), (1, 3), (4, 2)]), ((5, 7), [(2, 1), (0, 3)]))]


@exercise("auto.spin", seeing,
          form=": an image is expected", otherwise=(
    "for each (i, j): roll x by (i, j) along the last two axes, apply g, roll back by (-i, -j); then the mean"))
def spin(g, x, shifts):
    """A function (g, x, shifts) -> mean over shifts (i, j) of g between a roll by (i, j) and the roll back."""
    def mean(there, back):
        return sum(g(x.roll((there * i, there * j), dims=(2, 3))).roll((back * i, back * j), dims=(2, 3))
                   for i, j in shifts) / len(shifts)

    return {
        None: mean(1, -1),
        "your answer is the other way round: roll by (i, j) before g, and by (-i, -j) after it": mean(-1, 1),
        "the outputs are shifted against each other: roll each one back before you average": [mean(1, 0), mean(-1, 0)],
        "you rolled twice in the same direction: roll back by (-i, -j)": [mean(1, 1), mean(-1, -1)],
        "your answer is the sum: divide by the number of shifts": len(shifts) * mean(1, -1),
        "average the outputs, not the inputs: g is not linear":
            g(sum(x.roll(s, dims=(2, 3)) for s in shifts) / len(shifts)),
        "rolling there and back before g changes nothing: g belongs between the two": g(x),
    }


@exercise("auto.count:quarter", [(64, 64), (128, 192)], (
    "the image has 2 numbers for each pixel; the code has 16 for each pixel of a grid with sides H / 4 and W / 4"),
          form=": the numbers of the image and the numbers of the code",
          instead="the code of another network has 16 channels, on a grid whose sides are a quarter of the image's",
          solution="lambda H, W: (2 * H * W, 16 * (H // 4) * (W // 4))")
def count_quarter(H, W):
    """A function (H, W) -> (real numbers of a complex H x W image, numbers of its code: 16 channels at a quarter)."""
    return sizes(H, W, 16, 4) | {
        "your answer is the lesson's own network, with 24 channels at an eighth": sizes(H, W, 24, 8)[None]}
