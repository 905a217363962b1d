"""VarNet as a method of MRI: the network of `learned.varnet` with weights that were trained beforehand."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..learned import varnet
from . import register
from .classic import Classic


@register
@dataclass(frozen=True)
class VarNet(Classic):
    """VarNet: x <- x - eta_t A^H (A x - y) - C_t(x) from A^H y, eta_t and the networks C_t trained on other images.

    See `learned.varnet.VarNet` (Sriram et al., MICCAI 2020). Published setting: 12 cascades in k-space, maps from a
    second network, loss 1 - SSIM, thousands of fastMRI slices. Ours: 4 in the image domain, given maps, squared error,
    a few slices of the head that the shipped ones come from, at least 3 mm away from these, which flatters it.
    """

    name: ClassVar[str] = "varnet"
    about: ClassVar[str] = "unrolled gradient steps with networks trained on other slices (MICCAI 2020)"

    def remarks(self, observation):
        """What the weights were trained on, and how the case differs from it."""
        return varnet.remarks(observation)

    @torch.no_grad()
    def solve(self, observation):
        return varnet.load().to(observation.y.device)(observation.A, observation.y)
