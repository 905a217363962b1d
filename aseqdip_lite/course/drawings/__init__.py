"""Drawings on the first screens of the lessons, each a function that returns a matplotlib Figure, made for `show`.

All are drawn from data, networks and runs of the package, in seconds and alike in every profile, so no drawing can
fall behind the code. They are white like all figures here, which is read on a dark page, too; nothing is told by
colour alone.
"""

from .diagrams import calls, family, met, network, samplers, two_orders, two_ways
from .runs import STAGES, first_modes, split, spring, stages, two_explanations
from .scans import (
    camera,
    coil_places,
    coils,
    denoised,
    frequencies,
    inputs,
    landweber,
    rays,
    semiconvergence,
    two_pixels,
)

__all__ = ["STAGES", "calls", "camera", "coil_places", "coils", "denoised", "family", "first_modes", "frequencies",
           "inputs", "landweber", "met", "network", "rays", "samplers", "semiconvergence", "split", "spring",
           "stages", "two_explanations", "two_orders", "two_pixels", "two_ways"]
