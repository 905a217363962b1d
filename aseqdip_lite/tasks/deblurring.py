"""Nonlinear deblurring: y = A(x) + n, a motion blur in linear light seen through a camera's response.

Neither of the two forward models has an adjoint: z_0 = y, and autograd gives gradients. `MotionBlur` is physical and
needs no file; `kernelwizard.KernelWizardBlur`, the paper's learned blur (Tran et al., CVPR 2021), needs its checkpoint.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from ..images.arrays import read_npy
from ..operators.blur import MotionBlur, motion_path, path_kernel
from ..operators.kernelwizard import KernelWizardBlur
from ..settings import InputError, setting, unseeded
from . import register
from .pictures import PictureTask, centred, gaussian, natural_case, natural_truth, to_tensor


@register
@dataclass(frozen=True)
class Deblurring(PictureTask):
    """Nonlinear deblurring of pictures in [0, 1]; z_0 = y (paper: 256 x 256, learned blur, noise 0.05 = 12.75 / 255).

    The data seed draws the motion path or the latent kernel, once, where no `kernel` is given. y is not clipped after
    the noise.
    """

    name: ClassVar[str] = "deblurring"
    about: ClassVar[str] = "nonlinear deblurring of pictures, motion blur through a camera's response"
    default_image: ClassVar[str] = "astronaut"
    profiles: ClassVar[dict] = {"smoke": dict(size=64, motion=6.0), "laptop": dict(size=128, motion=10.0),
                                "paper": dict(size=256, motion=20.0)}

    blur: str = setting("physical", "motion in linear light and a camera response, or the learned KernelWizard",
                        choices=("physical", "kernelwizard"))
    checkpoint: str | None = setting(None, "file of KernelWizard weights, for --blur kernelwizard")
    motion: float = setting(10.0, "longer side of the motion path's bounding box in pixels; 0 is no blur",
                            low=0, high=256)
    gamma: float = setting(2.2, "exponent of the camera response; 1 is a linear camera", low=1, high=5)
    exposure: float = setting(1.0, "factor on linear light; above 1 highlights saturate", above=0, high=16)
    knee: float = setting(0.8, "linear light where saturation sets in; 1 clips hard", low=0, high=1)
    sigma: float = setting(12.75, "standard deviation of the Gaussian noise, of 255", low=0, high=255)
    kernel: str | None = setting(None, "file (.npy) of your camera's blur, its picture of a point, instead of motion")

    def __post_init__(self):
        super().__post_init__()
        if (self.blur == "kernelwizard") != (self.checkpoint is not None):
            raise InputError("blur kernelwizard and a checkpoint go together: give --blur kernelwizard "
                             "--checkpoint FILE, or neither")

    def idle(self, image):
        """See `Settings.idle`."""
        unused = ("motion", "gamma", "exposure", "knee", "kernel") if self.blur == "kernelwizard" else (
            ("motion",) if self.kernel else ())
        why = f"the blur is that of {self.checkpoint or self.kernel}"
        path = self.kernel is None and self.motion
        drawn = path or self.blur == "kernelwizard" or (self.sigma and not self.measured)
        return dict.fromkeys(unused, why) | unseeded(drawn)

    def observe(self, image, seed=0):
        """Blur a picture and add noise, or take it as `measured`, and return its `Case`.

        InputError for a bad picture, kernel or checkpoint.
        """
        generator = torch.Generator().manual_seed(seed)
        picture = natural_truth(self, image, self.size)
        x = to_tensor(picture)
        A = self._operator(tuple(x.shape[1:]), generator)
        if self.measured:
            y = x
        else:
            with torch.no_grad():
                y = A(x) + gaussian(x, self.sigma, generator)
        drawn = self.measured and self.kernel is None
        notes = (f"the blur is not the picture's own but one drawn by data seed {seed}: give yours by kernel",) * drawn
        observation = centred(self, A, y, self.sigma / 255)
        return natural_case(self, image, picture, observation, seed, notes)

    def _operator(self, shape, generator):
        if self.blur == "kernelwizard":
            return KernelWizardBlur.load(self.checkpoint, shape, generator)
        kernel = read_kernel(self.kernel) if self.kernel else path_kernel(motion_path(self.motion, generator))
        return MotionBlur(shape, kernel, self.gamma, self.exposure, self.knee)


def read_kernel(path):
    """A point spread function of an .npy file, (k, k) float32 with sum 1.

    InputError unless it contains a square of finite numbers, k odd, none below 0, with a positive sum.
    """
    path = Path(path)
    if not os.path.isfile(path):  # nor a pipe or a device
        raise InputError(f"{path}: no such file")
    try:
        with open(path, "rb") as file:
            kernel = read_npy(file, path.stat().st_size)
    except Exception as error:  # a damaged header raises many kinds
        fault = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: a kernel must be an array in an .npy file ({fault})") from None
    k = len(kernel) if kernel.ndim else 0
    if kernel.shape != (k, k) or k % 2 == 0 or kernel.dtype.kind == "c" or not (
            np.isfinite(kernel).all() and kernel.min() >= 0 and kernel.sum() > 0):
        raise InputError(f"{path}: a kernel must be k x k real numbers, k odd, none below 0 and not all 0, got "
                         f"{kernel.dtype} of shape {kernel.shape}")
    return torch.from_numpy((kernel / kernel.sum(dtype=np.float64)).astype(np.float32))
