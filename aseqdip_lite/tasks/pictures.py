"""What the tasks on natural images share: a truth in [0, 1], Gaussian noise given in 1/255, and the `Case`.

Pictures, and y in the same unit, are display values, 0 black and 1 white: the observation's scale is 1. Answers are
clipped to [0, 1] before they are shown and measured; PSNR has data range 1.
"""

import numpy as np
import torch

from ..case import Case
from ..images import Image, fit
from ..settings import InputError


def natural_truth(task, image, size):
    """The picture that a task works on, (H, W) gray or (H, W, 3) RGB, float32 in [0, 1].

    Shipped images are resampled to size x size and clipped; a user's image keeps its pixels. InputError for a scan
    instead of a picture, a complex image, or values outside of [0, 1].
    """
    if not isinstance(image, Image):
        raise InputError(f"{image.name} is a measured scan: {task.name} needs a picture")
    if np.iscomplexobj(image.array):
        raise InputError(f"{image.name} is complex: {task.name} needs a real picture in [0, 1], take its magnitude")
    low, high = float(image.array.min()), float(image.array.max())
    if low < 0 or high > 1:
        raise InputError(f"{image.name} has values from {low:g} to {high:g}: {task.name} needs 0 (black) to 1 (white), "
                         "so divide it by its white value (255 for 8 bit) before saving it")
    return fit(image, size).clip(0, 1)


def to_tensor(picture):
    """(H, W) or (H, W, C) array -> (1, C, H, W) float32 tensor."""
    channels = picture[None] if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
    return torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32))[None]


def gaussian(like, sigma, generator):
    """White Gaussian noise of standard deviation sigma / 255 in the shape of `like`."""
    return sigma / 255 * torch.randn(like.shape, generator=generator, dtype=like.dtype)


def natural_case(task, image, truth, observation, seed, offset=0.0, **facts):
    """The `Case` of an observed picture; `offset` as in `Case`; `facts` join the task's settings in the record."""
    settings = task.to_dict() | dict(size=list(truth.shape[:2]), channels=observation.start.shape[1]) | facts
    return Case(task.name, image.name, observation, truth, 1.0, settings, seed, window=(0.0, 1.0), clip=True,
                offset=offset)
