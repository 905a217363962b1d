"""VarNet as a method of MRI: the network of `learned.varnet` with weights that were trained beforehand."""

from dataclasses import dataclass
from typing import ClassVar

from ..learned import varnet
from ..settings import setting
from . import register
from .classic import Classic


@register
@dataclass(frozen=True)
class VarNet(Classic):
    """VarNet: x <- x - eta_t A^H (A x - y) - C_t(x) from A^H y, eta_t and the networks C_t trained on other images.

    See `learned.varnet.VarNet` (Sriram et al., MICCAI 2020), also for what is published and what is ours. Training and
    shipped slices come from one head, at least 3 mm apart, which flatters it.
    """

    name: ClassVar[str] = "varnet"
    about: ClassVar[str] = "unrolled gradient steps with networks trained on other slices (MICCAI 2020)"
    trained: ClassVar[bool] = True

    weights: str = setting(varnet.WEIGHTS[0], "trained on 18 slices, or on 4 or 1 of them", choices=varnet.WEIGHTS)

    def remarks(self, observation):
        """What the weights were trained on, and how the case differs from it."""
        return varnet.remarks(observation, self.weights)

    def solve(self, observation):
        return varnet.load(self.weights).to(observation.y.device)(observation.A, observation.y)
