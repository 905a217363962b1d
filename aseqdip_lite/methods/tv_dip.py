"""TV-DIP: Deep Image Prior with total variation (Liu, Sun, Xu and Kamilov, ICASSP 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from ..settings import setting
from . import register
from .tv import total_variation
from .vanilla import Vanilla


@register
@dataclass(frozen=True)
class TVDIP(Vanilla):
    """TV-DIP: min over phi of ||A f_phi(z) - y||^2 + rho TV(f_phi(z)) with z fixed uniform noise; rho 0 is vanilla DIP.

    TV is isotropic, of each channel by itself, and rounded at its corner, see `total_variation`; of complex images it
    takes the magnitudes of the differences. The aSeqDIP paper compares at weight 1 in its own units. Here rho weighs a
    sum over pixels against a sum of squares over measurements, in units where the image is of size about 1; a search of
    equal budget found it.
    """

    name: ClassVar[str] = "tv_dip"
    about: ClassVar[str] = "Deep Image Prior with total variation (ICASSP 2019)"

    rho: float = setting(0.1, "weight of the total variation of the output", low=0.0)

    def objective(self, observation, output):
        data, terms = super().objective(observation, output)
        variation = total_variation(output.flatten(0, 1)[:, None])  # (C, 1, H, W): channel by channel
        loss = data + self.rho * variation
        return loss, terms | dict(loss=loss, variation=variation)
