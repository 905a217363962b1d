"""Nonlinear deblurring: y = A(x) + n, a motion blur in linear light seen through a camera's response.

Neither of the two forward models has an adjoint: z_0 = y, and autograd gives gradients. `MotionBlur` is physical and
needs no file; `kernelwizard.KernelWizardBlur`, the paper's learned blur (Tran et al., CVPR 2021), needs its checkpoint.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..case import Observation
from ..operators.blur import MotionBlur, motion_path, path_kernel
from ..operators.kernelwizard import KernelWizardBlur
from ..settings import InputError, Settings, setting
from . import register
from .pictures import gaussian, natural_case, natural_truth, to_tensor


@register
@dataclass(frozen=True)
class Deblurring(Settings):
    """Nonlinear deblurring of pictures in [0, 1]; z_0 = y (paper: 256 x 256, learned blur, noise 0.05 = 12.75 / 255).

    The data seed draws the motion path or the latent kernel, once. y is not clipped after the noise.
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
    size: int | None = setting(128, "side in pixels to which shipped images are resampled", low=16, high=2048)

    def __post_init__(self):
        super().__post_init__()
        if (self.blur == "kernelwizard") != (self.checkpoint is not None):
            raise InputError("blur kernelwizard and a checkpoint go together: give --blur kernelwizard "
                             "--checkpoint FILE, or neither")

    def observe(self, image, seed=0):
        """Blur a picture, add noise and return its `Case`; InputError for a bad picture or checkpoint."""
        generator = torch.Generator().manual_seed(seed)
        truth = natural_truth(self, image, self.size)
        x = to_tensor(truth)
        A = self._operator(tuple(x.shape[1:]), generator)
        with torch.no_grad():
            blurred = A(x)
        y = blurred + gaussian(x, self.sigma, generator)
        return natural_case(self, image, truth, Observation(A, y, y, noise_std=self.sigma / 255), seed)

    def _operator(self, shape, generator):
        if self.blur == "kernelwizard":
            return KernelWizardBlur.load(self.checkpoint, shape, generator)
        kernel = path_kernel(motion_path(self.motion, generator))
        return MotionBlur(shape, kernel, self.gamma, self.exposure, self.knee)
