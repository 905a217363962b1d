"""Reference-guided DIP: the input is an image of a similar subject (Zhao, Zhao and Gan, Sensors 20(1):308, 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..case import robust_peak
from ..images import Image, fit, load_image
from ..settings import InputError, setting
from . import register
from .base import FixedInput, network_setting, start_network


@register
@dataclass(frozen=True)
class ReferenceGuided(FixedInput):
    """Reference-guided DIP: min over phi of ||A f_phi(z) - y||^2 with z fixed, a prior image of a similar subject.

    The reference, a shipped image or a file, is brought to the size of the case and the scale of y (99.5th percentile
    1), real where images are complex: nobody knows the phase. Another slice of the same head, as among the shipped
    ones, is closer than any reference in practice and flatters the method. Only MRI ships a second image of a similar
    subject.

    Published setting: a U-Net, the mean of a data base or another subject's scan as reference, 5000 steps.
    """

    name: ClassVar[str] = "reference_guided"
    about: ClassVar[str] = "Deep Image Prior whose input is an image of a similar subject (2020)"
    tasks: ClassVar[tuple[str, ...]] = ("mri",)

    network: str = network_setting()
    reference: str = setting("brain-088", "image of a similar subject: a shipped name or a file")

    def check_image(self, name):
        """InputError where the reference is the image that is to be found."""
        if self.reference == name:
            raise InputError(f"the reference {self.reference} is the image itself: give another, e.g. "
                             "--reference brain-102")

    def init(self, observation, seed, z0=None):
        z = reference_like(self.reference, observation.start) if z0 is None else z0
        return start_network(observation, z, self, seed)


def reference_like(name, start):
    """The image `name` as an input (1, C, H, W) of the size, kind and device of `start`.

    InputError if the image is a scan, or a file of another size.
    """
    image = load_image(name)
    if not isinstance(image, Image):
        raise InputError(f"the reference {name} is a measured scan: give a picture")
    h, w = start.shape[-2:]
    array = fit(image, max(h, w))
    array = array.mean(axis=-1) if array.ndim == 3 else array
    top, left = ((side - n) // 2 for side, n in zip(array.shape, (h, w), strict=True))
    if min(top, left) < 0:
        raise InputError(f"the reference {name} has {array.shape[0]} x {array.shape[1]} pixels, the case {h} x {w}: "
                         "resize it to that")
    z = torch.from_numpy(abs(array[top:top + h, left:left + w]))[None, None]  # (1, 1, H, W)
    return (z / robust_peak(z)).to(start.dtype).expand(start.shape).to(start.device)
