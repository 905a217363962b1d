"""Exercises of lesson 13: a skip that is the identity, what a code holds, the gradient of Eq. 18, cycle spinning."""

import torch
from torch.nn.functional import conv2d

from . import NOTHING, exercise, nothing
from .double import close, draw


@exercise("auto.skip")
def skip(answer):
    """A function () -> weights (2, 2, 3, 3) of a convolution, zero padding and no bias, that returns its input."""
    weight = answer()
    if nothing(weight):
        return NOTHING
    if not isinstance(weight, torch.Tensor) or weight.shape != (2, 2, 3, 3):
        return "weights of a 3 x 3 convolution from 2 to 2 channels are a tensor of shape (2, 2, 3, 3): out, in, 3, 3"
    weight, x = weight.double(), draw(1, 2, 7, 8)
    y = conv2d(x, weight, padding=1)
    if close(y, x):
        return None
    if float(weight.abs().max()) == 0:
        return "all weights 0 return 0, not the input"
    if close(y, x.sum(dim=1, keepdim=True).expand_as(x)):
        return "every output channel gets the sum of both: only weight[c, c] may be different from 0"
    if close(y, x.flip(1)):
        return "real and imaginary part are exchanged: output channel c takes input channel c"
    interior = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    if any(close(y[interior], x.roll((i, j), dims=(2, 3))[interior]) for i in (-1, 0, 1) for j in (-1, 0, 1)):
        return "the image is moved by a pixel: the middle of a 3 x 3 filter has the indices 1, 1"
    scale = float((x * y).sum() / x.square().sum())
    if close(y, scale * x):
        return f"this multiplies the image by {scale:.3g}: the weight in the middle must be 1"
    return "a single weight in each channel's own filter is enough: which pixel of the 3 x 3 is the output's own place?"


@exercise("auto.count")
def count(answer):
    """A function (H, W) -> (real numbers of a complex H x W image, numbers of its code: 24 channels at an eighth)."""
    tries = []
    for H, W in ((64, 64), (128, 192)):
        got = answer(H, W)
        if nothing(got):
            return NOTHING
        try:
            image, code = (float(value) for value in got)
        except (TypeError, ValueError):
            return "return a pair: the numbers of the image and the numbers of the code"
        tries.append((H * W, image, code))
    if all(image == 2 * n and code == 24 * n / 64 for n, image, code in tries):
        return None
    if all(code == 2 * n and image == 24 * n / 64 for n, image, code in tries):
        return "the other way round: first the image, then the code"
    if any(image == n for n, image, _ in tries):
        return "a complex pixel has two real numbers, and the network has a channel for each"
    if any(code == 24 * n / 8 for n, _, code in tries):
        return "both sides are divided by 8, so the number of pixels is divided by 64"
    if any(code == n / 64 for n, _, code in tries):
        return "the code has 24 channels: 24 numbers a pixel of the small grid"
    if any(code == 24 for *_, code in tries):
        return "24 is the number of channels; each has one number for every 8 x 8 pixels of the image"
    return "the image has 2 numbers a pixel; the code has 24 a pixel of a grid whose sides are H / 8 and W / 8"


@exercise("auto.gradient")
def gradient(answer):
    """A function (z, g, Jt, A, At, y, lam) -> gradient in z of ||A g(z) - y||^2 + lam ||g(z) - z||^2, real tensors."""
    M, K, z, y, lam = draw(5, 9, seed=1), draw(9, 9, seed=2), draw(9, seed=3), draw(5, seed=4), 0.7

    def g(z):
        return torch.tanh(K @ z)

    def Jt(u):
        return torch.func.vjp(g, z)[1](u)[0]

    def A(x):
        return M @ x

    def At(v):
        return M.T @ v

    got = answer(z, g, Jt, A, At, y, lam)
    if nothing(got):
        return NOTHING
    if not isinstance(got, torch.Tensor) or got.shape != z.shape:
        return f"a gradient in z has the shape of z, {tuple(z.shape)}"
    data, gap = At(A(g(z)) - y), g(z) - z
    right = 2 * Jt(data) + 2 * lam * (Jt(gap) - gap)
    if close(got, right):
        return None
    if close(got, right / 2):
        return "a factor 2: the terms are squared norms without 1/2 in front"
    if close(got, -right):
        return "the sign: that is the direction of descent, the gradient points the other way"
    if close(got, 2 * Jt(data) + 2 * lam * Jt(gap)):
        return "z occurs twice in the second term, in g(z) and in -z: the derivative of -z is missing"
    if close(got, 2 * Jt(data) - 2 * lam * gap):
        return "z occurs twice in the second term: you differentiated -z, but g(z) depends on z, too"
    if close(got, 2 * Jt(data) + 2 * lam * (Jt(gap) + gap)):
        return "the derivative of g(z) - z is J - I, with a minus"
    if close(got, 2 * Jt(data)):
        return "that is the data term alone"
    if close(got, 2 * data + 2 * lam * (Jt(gap) - gap)) or close(got, 2 * data + 2 * lam * gap):
        return "the gradient of the data term in x = g(z) must go back through g: apply Jt to it"
    if close(got, 2 * Jt(data) + 2 * (Jt(gap) - gap)):
        return "the second term has the weight lam"
    return "chain rule: ||r(z)||^2 has the gradient 2 R^T r with R the Jacobian of r; r is A g(z) - y, then g(z) - z"


@exercise("auto.spin")
def spin(answer):
    """A function (g, x, shifts) -> mean over shifts (i, j) of g between a roll by (i, j) and the roll back."""
    mask, x, shifts = draw(1, 1, 6, 8, seed=1), draw(1, 1, 6, 8, seed=2), [(0, 0), (1, 3), (4, 2)]

    def g(x):
        return torch.tanh(mask * x)  # sees where it is

    got = answer(g, x, shifts)
    if nothing(got):
        return NOTHING
    if not isinstance(got, torch.Tensor) or got.shape != x.shape:
        return f"an image of shape {tuple(x.shape)} is expected"

    def mean(there, back):
        return sum(g(x.roll((there * i, there * j), dims=(2, 3))).roll((back * i, back * j), dims=(2, 3))
                   for i, j in shifts) / len(shifts)

    if close(got, mean(1, -1)) or close(got, mean(-1, 1)):
        return None
    if close(got, mean(1, 0)) or close(got, mean(-1, 0)):
        return "the outputs lie in different places: move each one back before you average"
    if close(got, mean(1, 1)) or close(got, mean(-1, -1)):
        return "moved twice in the same direction: the way back is by (-i, -j)"
    if close(got, len(shifts) * mean(1, -1)):
        return "a sum: divide by the number of shifts"
    if close(got, g(sum(x.roll(s, dims=(2, 3)) for s in shifts) / len(shifts))):
        return "average the outputs, not the inputs: g is not linear"
    if close(got, g(x)):
        return "moving there and back before g changes nothing: g belongs between the two"
    return "for each (i, j): roll x by (i, j) along the last two axes, apply g, roll back by (-i, -j); then the mean"
