"""VarNet as a method of MRI and CT: the network of `learned.varnet` with weights that were trained beforehand."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..learned import varnet
from ..settings import setting
from . import register
from .classic import Classic


@register
@dataclass(frozen=True)
class VarNet(Classic):
    """VarNet: x <- x - eta_t A^H (A x - y) - C_t(x) from A^H y, in CT from the FBP; eta_t and C_t are trained before.

    See `learned.varnet.VarNet` (Sriram et al., MICCAI 2020), also for what is published and what is ours. Training and
    shipped slices come from one head, at least 3 mm apart, which flatters it; the training of CT adds random ellipses.
    """

    name: ClassVar[str] = "varnet"
    about: ClassVar[str] = "unrolled gradient steps with networks trained on other slices (MICCAI 2020)"
    tasks: ClassVar[tuple[str, ...]] = ("mri", "ct")
    trained: ClassVar[bool] = True

    weights: str | None = setting(None, "for MRI varnet-mri, trained on 18 slices, varnet-mri-4 or varnet-mri-1, on 4 "
                                  "or 1 of them; for CT varnet-ct; the first by default")

    def suited(self, observation):
        """With the name of its weights."""
        return replace(self, weights=varnet.chosen(observation, self.weights))

    def remarks(self, observation, steps):
        """What the weights were trained on, and how the case differs from it."""
        return varnet.remarks(observation, self.weights)

    def solve(self, observation):
        network = varnet.load(varnet.chosen(observation, self.weights))
        return network.to(observation.y.device)(observation.A, observation.y)
