"""A network that hands nothing through: everything in its output has passed its narrowest level."""

from torch import nn

from .layers import BatchNorm2d, Conv2d, enlarged

SLOPE = 0.2  #: of the leaky ReLU for negative numbers


class Level(nn.Sequential):
    """3x3 convolution -> BatchNorm -> leaky ReLU; with stride 2 the image has half the height and width after it."""

    def __init__(self, c_in, c_out, stride=1):
        super().__init__(Conv2d(c_in, c_out, 3, normalised=True, stride=stride), BatchNorm2d(c_out),
                         nn.LeakyReLU(SLOPE, inplace=True))


class Hourglass(nn.Module):
    """Strided convolutions down, bilinear upsampling up, no skip connection and no output activation.

    A U-Net's first level sees its input at full resolution and hands its features to the last one. Here a pixel of the
    output comes from the coarse levels alone, which see far around it: a hole can only be filled from its surroundings.
    After the encoder-decoder of Deep Image Prior (Ulyanov et al., CVPR 2018, supplement) with its skip channels left
    out.

    Input (B, c_in, H, W) with H and W divisible by `stride`; output (B, c_out, H, W).

    Args:
        widths: channels after each halving, e.g. (32, 32, 32, 32) for four of them.
        c_in, c_out: channels of input and output.
    """

    about = "hourglass without skip connections"

    def __init__(self, widths, c_in, c_out):
        super().__init__()
        self.stride = 2 ** len(widths)
        self.down = nn.Sequential(*(nn.Sequential(Level(a, b, stride=2), Level(b, b))
                                    for a, b in zip((c_in, *widths), widths, strict=False)))
        self.up = nn.ModuleList(Level(a, b) for a, b in zip(widths[::-1], (*widths[-2::-1], widths[0]), strict=True))
        self.head = Conv2d(widths[0], c_out, 1)

    def forward(self, x):
        x = self.down(x)  # (B, widths[-1], H / stride, W / stride)
        for level in self.up:
            x = level(enlarged(x))
        return self.head(x)
