"""A run that is judged by measurements it does not see: the schedule "heldout", which `HeldOutController` applies.

The noise n of measurements that are held out of the data term is independent of an image x made without them, so

    E ||A x - y||^2 = E ||A x - A x_true||^2 + E ||n||^2        (over what is held out),

an unbiased estimate, up to a constant, of the error that counts. It needs no truth and no noise level, and takes any A.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import avg_pool2d

from ..operators.sampling import calibration_width, centre_square
from ..settings import InputError, setting
from ..tasks.inpainting import harmonic
from .schedules import Schedule, register


@register
@dataclass(frozen=True)
class HeldOut(Schedule):
    """`first` while the image predicts the held-out measurements better and better; whenever it has ceased to, the run
    goes back to where it was best and on with `factor` times the value, and above `most` it ends.

    What is judged, and returned, is the exponential average of the inputs z_k over about 1 / (1 - average) steps, where
    it was best. The loss is damped by (1 + first) / (1 + lam), so that a larger lam weighs the data less.

    The numbers are those that won the search of experiment L2, with N = 2.
    """

    name: ClassVar[str] = "heldout"

    first: float = setting(0.25, "value at first", above=0.0)
    factor: float = setting(4.0, "what the value is multiplied by each time", above=1.0)
    most: float = setting(1024.0, "the run ends above this value", above=0.0)
    share: float = setting(0.05, "share of the measurements that is held out", above=0.0, high=0.5)
    patience: float = setting(0.5, "share of the steps made without a better prediction until it has ceased", above=0.0)
    average: float = setting(0.98, "weight of the past in the average, for a step", low=0.0, below=1.0)
    warm_up: int = setting(100, "steps before the first prediction that counts, and the least patience", low=1)

    def damping(self, value):
        return (1 + self.first) / (1 + value)


def kept(observation, share, generator):
    """(H, W) ones and zeros over the last two axes of y: 0 at a random share of what was measured.

    The calibration centre of k-space is kept. InputError if the share rounds to nothing or to everything.
    """
    y = observation.y
    measured = (y != 0).reshape(-1, *y.shape[-2:]).any(dim=0).float().cpu()  # (n, H, W) -> (H, W)
    if y.is_complex():
        measured[centre_square(measured.shape, calibration_width(measured))] = 0
    places = measured.flatten().nonzero().flatten()
    count = round(share * len(places))
    if not 0 < count < len(places):
        raise InputError(f"share {share:g} holds out {count} of {len(places)} places: choose another")
    held = torch.zeros_like(measured).flatten()
    held[places[torch.randperm(len(places), generator=generator)[:count]]] = 1
    return (1 - held).reshape(measured.shape).to(y.device)


def start_without(observation, kept):
    """The observation's start, made without what is held out, (1, C, H, W).

    Where y is the picture itself, each held-out pixel takes the mean of its measured neighbours, or is filled with the
    hole where the start has that filled; else the start is A^H of what is kept, as large as the start is to A^H y.
    """
    A, y, start = observation.A, observation.y, observation.start
    if y.shape != start.shape or y.is_complex():
        return A.adjoint(kept * y) * (start.norm() / A.adjoint(y).norm())
    known = kept * (y != 0).any(dim=1, keepdim=True).to(y.dtype)  # (1, 1, H, W)
    if not torch.equal(start, y):
        return harmonic(known * y, known[0, 0])
    total, count = (avg_pool2d(image, 3, 1, 1) for image in (known * y, known))  # each a ninth of the sum
    return kept * start + (1 - kept) * total / count.clamp(min=1 / 9)
