"""The nonlinear blur of a moving camera: light, motion, saturation, display values."""

import torch
from torch.nn import functional as F

from .base import Operator

DARK = 0.1  #: light added before the power law, so that the response's slope stays finite at black


def to_light(x, gamma):
    """Display values -> linear light, ((c x + DARK^(1/gamma))^gamma - DARK), 0 -> 0 and 1 -> 1, for any shape.

    c = (1 + DARK)^(1/gamma) - DARK^(1/gamma). Continued as an odd function below 0, so it is smooth and strictly
    increasing everywhere; gamma 1 is the identity.
    """
    sign = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
    foot, top = DARK ** (1 / gamma), (1 + DARK) ** (1 / gamma)
    return sign * (((top - foot) * sign * x + foot) ** gamma - DARK)


def to_display(light, gamma):
    """Linear light -> display values: the camera's response curve, the exact inverse of `to_light`."""
    sign = torch.where(light < 0, -1.0, 1.0).to(light.dtype)
    foot, top = DARK ** (1 / gamma), (1 + DARK) ** (1 / gamma)
    return sign * ((sign * light + DARK) ** (1 / gamma) - foot) / (top - foot)


def saturate(light, knee):
    """Sensor saturation: unchanged up to `knee`, then 1 - (1 - knee) exp(-(light - knee) / (1 - knee)).

    The shoulder meets the straight part with equal slope, rises strictly and never reaches 1, so
    gradients never vanish altogether. knee 1 is hard clipping, min(light, 1), without gradient above 1.
    """
    excess, room = F.relu(light - knee), 1 - knee
    return light - excess + (-room * torch.expm1(-excess / room) if room else 0.0)


def motion_path(extent, generator, samples=1024):
    """A smooth random path (samples, 2) of (row, column) pixels, centroid at 0, equally spaced in time.

    Each coordinate is a sum of four cosines of the exposure time with N(0, 1) / frequency weights: slow at both ends,
    as a hand-held camera that settles. The longer side of the path's bounding box is `extent` pixels.
    """
    time = (torch.arange(samples) + 0.5) / samples
    frequency = torch.arange(1, 5)
    waves = torch.cos(torch.pi * frequency * time[:, None]) / frequency  # (samples, 4)
    path = waves @ torch.randn((4, 2), generator=generator)
    path = path * (extent / (path.amax(dim=0) - path.amin(dim=0)).max())
    return path - path.mean(dim=0)


def path_kernel(path):
    """The point spread function (k, k), k odd, of a path: its time average, each instant spread bilinearly.

    Non-negative, with sum 1; element (r + i, r + j), r = k // 2, belongs to the shift (i, j).
    """
    radius = int(path.abs().max()) + 1
    places = torch.arange(-radius, radius + 1)
    rows, columns = ((1 - (places - p[:, None]).abs()).clamp(min=0) for p in path.T)  # (samples, k) each
    return rows.T @ columns / len(path)


class MotionBlur(Operator):
    """A(x) = response(saturate(exposure * (k * light(x)))): the camera moves while the shutter is open.

    Display values are turned into linear light, where motion averages, blurred by the kernel k with the border pixels
    repeated outwards, multiplied by the exposure, limited by the sensor and turned back. A constant image c stays
    constant, at response(saturate(exposure light(c))), which is c at exposure 1 below the knee.

    Args:
        shape: (C, H, W) of the images; channels are blurred alike.
        kernel: (k, k) real, k odd, sum 1 (see `path_kernel`).
        gamma: exponent of the response; 1 makes a linear camera.
        exposure: factor on linear light; above 1 it drives highlights into saturation.
        knee: linear light at which saturation sets in; 1 clips hard.
    """

    def __init__(self, shape, kernel, gamma=2.2, exposure=1.0, knee=0.8):
        super().__init__(shape, shape)
        self.kernel, self.gamma, self.exposure, self.knee = kernel, gamma, exposure, knee

    def _apply(self, x):
        light = self.exposure * self.blur(to_light(x, self.gamma))
        return to_display(saturate(light, self.knee), self.gamma)

    def blur(self, light):
        """k * light, (B, C, H, W): a linear convolution by FFT on the image with its border repeated."""
        k = len(self.kernel)
        padded = F.pad(light, (k // 2,) * 4, mode="replicate")
        size = padded.shape[-2:]
        product = torch.fft.rfft2(padded) * torch.fft.rfft2(self.kernel, s=size)
        return torch.fft.irfft2(product, s=size)[..., k - 1:, k - 1:]  # without what wraps around
