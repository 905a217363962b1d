"""Convolution and BatchNorm whose sums keep their order whatever the number of threads, where PyTorch is asked to.

On a CPU PyTorch shares some sums among its threads, so that their number decides the order of additions: those of
BatchNorm over the pixels, and the weights' gradients of convolutions that oneDNN does not make, or makes with kernels
of one pixel. Adam turns such roundings into whole steps, and after some hundred of them two runs differ in the first
digits. With `torch.use_deterministic_algorithms(True)` these layers add in an order of their own, at some cost.
docs/RELIABILITY.md has what that gives. Without that mode, and on a GPU, they are PyTorch's layers.
"""

import torch
from torch import nn
from torch.nn import functional as F

#: Inputs of a batch of one with no more numbers than this are not convolved by oneDNN (torch 2.13), unless the kernel
#: is wider than 3 pixels.
SMALL = 20480


def keeps_order(x):
    """Whether sums over x must not depend on the number of threads."""
    return x.device.type == "cpu" and torch.are_deterministic_algorithms_enabled()


class Conv2d(nn.Conv2d):
    """PyTorch's convolution with an odd square kernel, stride 1 and zeros around: (B, c_in, H, W) -> (B, c_out, H, W).

    To keep the order of its sums, a kernel that oneDNN would leave to others gets zeros around it, up to 5 x 5.
    """

    def forward(self, x):
        if not keeps_order(x):
            return super().forward(x)
        side = self.weight.shape[-1]
        margin = max(0, 5 - side) // 2 if side == 1 or x.numel() <= SMALL else 0
        kernel = F.pad(self.weight, 4 * (margin,))  # (c_out, c_in, side, side) -> the same + 2 margin on both sides
        return F.conv2d(x, kernel, self.bias, padding=side // 2 + margin)


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
