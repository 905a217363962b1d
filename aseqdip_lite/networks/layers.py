"""Convolution, BatchNorm and upsampling whose sums keep their order, where PyTorch is asked to and on a GPU.

On a CPU the number of threads decides the order in which PyTorch adds some sums: those of BatchNorm over the pixels,
and the weights' gradients of convolutions that oneDNN does not make, or makes with kernels of one pixel. Adam turns
such roundings into whole steps, and after some hundred of them two runs differ in the first digits. With
`torch.use_deterministic_algorithms(True)` these layers add in an order of their own, at some cost (measured in
docs/RELIABILITY.md). Without that mode they are PyTorch's layers.

On a GPU the pass back of PyTorch's bilinear upsampling adds in any order. `enlarged` makes it of matrix products there,
which do not, and cost no more. A bias before a BatchNorm, which costs a tenth of a step there, is left out.
"""

import functools

import torch
from torch import nn
from torch.nn import functional as F

#: Inputs of a batch of one with no more numbers than this are not convolved by oneDNN (torch 2.13), unless the kernel
#: is wider than 3 pixels.
SMALL = 20480


def on_gpu(x):
    """Whether x is where biases are left out and upsampling is made of products."""
    return x.is_cuda


def keeps_order(x):
    """Whether sums over x must not depend on the number of threads."""
    return x.device.type == "cpu" and torch.are_deterministic_algorithms_enabled()


class Conv2d(nn.Conv2d):
    """PyTorch's convolution with an odd square kernel and zeros around: (B, c_in, H, W) -> (B, c_out, H, W), or, with
    stride 2, (B, c_out, H / 2, W / 2).

    To keep the order of its sums, a kernel that oneDNN would leave to others gets zeros around it, up to 5 x 5.

    normalised: whether the output goes into a BatchNorm, which takes a bias away again. Then on a GPU none is added.
    """

    def __init__(self, c_in, c_out, side, normalised=False, stride=1):
        super().__init__(c_in, c_out, side, padding=side // 2, stride=stride)
        self.normalised = normalised

    def forward(self, x):
        if self.normalised and on_gpu(x):
            return UnusedBias.apply(F.conv2d(x, self.weight, padding=self.padding, stride=self.stride), self.bias)
        if not keeps_order(x):
            return super().forward(x)
        side = self.weight.shape[-1]
        margin = max(0, 5 - side) // 2 if side == 1 or x.numel() <= SMALL else 0
        kernel = F.pad(self.weight, 4 * (margin,))  # (c_out, c_in, side, side) -> the same + 2 margin on both sides
        return F.conv2d(x, kernel, self.bias, padding=side // 2 + margin, stride=self.stride)


class BatchNorm2d(nn.BatchNorm2d):
    """PyTorch's BatchNorm without running statistics: (B, C, H, W) -> the same, each channel of mean 0 and variance 1,
    then scaled and shifted.

    To keep the order of its sums, it adds up each row of pixels, which one thread does alone, and then the rows.
    """

    def __init__(self, channels):
        super().__init__(channels, track_running_stats=False)

    def forward(self, x):
        if not keeps_order(x):
            return super().forward(x)
        b, c, h, w = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(b * h, w, c).to(self.weight.dtype)  # no copy where channels come last
        centred = rows - rows.mean(1).mean(0)
        scale = self.weight * (centred.square().mean(1).mean(0) + self.eps).rsqrt()
        y = torch.addcmul(self.bias, centred, scale).to(x.dtype)
        return y.reshape(b, h, w, c).permute(0, 3, 1, 2)


class UnusedBias(torch.autograd.Function):
    """x as it is, beside a bias that has no effect on what follows: its gradient is zero, and not rounding.

    So a bias that is not added still has its gradient, also for `torch.autograd.grad` and `torch.func`.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, bias):
        return x[...]  # a view of the same strides, which `view_as` would not give a batch of one

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx, slope):
        return slope, torch.zeros_like(*ctx.saved_tensors)

    @staticmethod
    def jvp(ctx, change, _):
        return change[...]


def enlarged(x):
    """An image of twice the height and width, bilinear, corners on corners: (B, C, H, W) -> (B, C, 2H, 2W)."""
    if on_gpu(x):
        return upsample_matmul(x)
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def upsample_matmul(x):
    """`enlarged` as a matrix product along the rows and one along the columns; channels come last in memory."""
    b, c, h, w = x.shape
    down, across = (interpolation(n, x.device, x.dtype) for n in (h, w))
    x = x.permute(0, 2, 3, 1).reshape(b, h, w * c)  # (B, C, H, W) -> (B, H, W C), no copy where channels come last
    x = torch.bmm(down.expand(b, -1, -1), x)  # (B, 2H, W C)
    x = torch.bmm(across.expand(2 * b * h, -1, -1), x.reshape(2 * b * h, w, c))  # (2 B H, 2W, C)
    return x.reshape(b, 2 * h, 2 * w, c).permute(0, 3, 1, 2)  # (B, C, 2H, 2W)


@functools.cache  # and never let go: recorded steps read it where it was
def interpolation(n, device, dtype):
    """The matrix (2n, n) of linear interpolation from n points to 2n, the first and the last the same."""
    at = torch.linspace(0, n - 1, 2 * n, dtype=torch.float64)[:, None]  # (2n, 1), in units of the n points
    return (1 - (at - torch.arange(n)).abs()).clamp(min=0).to(device, dtype)
