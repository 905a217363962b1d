"""What the tasks on natural images share: a truth in [0, 1], Gaussian noise given in 1/255, and the `Case`.

Pictures, and y in the same unit, are display values, 0 black and 1 white: the observation's scale is 1. Answers are
clipped to [0, 1] before they are shown and measured; PSNR has data range 1.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..case import Case, Observation
from ..images import Image, fit
from ..operators import LinearOperator, Shifted
from ..settings import InputError, Settings, setting

OVERSHOOT = 1e-3  #: how far beyond 0 and 1 the rounding of resampling and conversions may go: such values are clipped
OWN_NOISE = 5.0  #: noise of a picture taken as truth, of 255, from which on it is named; sharp pictures have up to 4


def fill_setting(default):
    """The setting `fill`, see `centred`, of the tasks on natural images."""
    return setting(default, "gray level that stands for zero, where a network's output begins: the mean of what is "
                   "known, or black as in the paper", choices=("mean", "zero"))


@dataclass(frozen=True)
class PictureTask(Settings):
    """What the tasks on natural images share: their size, and pictures that were measured as they are."""

    measured: bool = setting(False, "your picture is y itself, with its own noise and damage: nothing is added, no "
                             "truth is known; sigma is given or estimated")
    fill: str = fill_setting("zero")
    size: int | None = setting(128, "side in pixels to which shipped images are resampled", low=16, high=2048)

    def with_estimated_sigma(self, image):
        """(these settings with the sigma of the picture's own noise, the picture with a note of it)."""
        sigma = estimated_sigma(natural_truth(self, image, self.size), self.known(image))
        note = f"noise of sigma {sigma:.3g} of 255, estimated from the picture; sigma sets another"
        return replace(self, sigma=sigma), replace(image, notes=(*image.notes, note))

    def known(self, image):
        """(H, W) bool, the pixels of the picture that were measured; None for all."""
        return None


def estimated_sigma(picture, known=None):
    """Standard deviation of the white noise of a picture (H, W) or (H, W, 3) in [0, 1], of 255, averaged over channels.

    The median magnitude of the finest diagonal wavelet coefficients, divided by 0.6745 (Donoho and Johnstone, Ideal
    spatial adaptation by wavelet shrinkage, 1994). With `known` (H, W), those that an unknown pixel enters are left
    out; InputError where fewer than 64 remain.
    """
    import pywt

    if known is not None:
        picture = np.where(known.reshape(known.shape + (1,) * (picture.ndim - 2)), picture, np.nan)
    detail = np.abs(pywt.dwt2(picture, "db2", axes=(0, 1))[1][-1])  # about (H / 2, W / 2) or (H / 2, W / 2, 3)
    detail = detail[np.isfinite(detail)]
    if detail.size < 64:
        raise InputError("too few pixels beside each other are known to estimate the noise from: give sigma")
    return round(float(255 * np.median(detail) / 0.6745), 2)


def natural_truth(task, image, size):
    """The picture that a task works on, (H, W) gray or (H, W, 3) RGB, float32 in [0, 1].

    Shipped images are resampled to size x size and clipped; a user's image keeps its pixels. InputError for a scan
    instead of a picture, a complex image, or values outside of [0, 1] by more than `OVERSHOOT`.
    """
    if not isinstance(image, Image):
        raise InputError(f"{image.name} is a measured scan: {task.name} needs a picture")
    if np.iscomplexobj(image.array):
        raise InputError(f"{image.name} is complex: {task.name} needs a real picture in [0, 1], take its magnitude")
    low, high = float(image.array.min()), float(image.array.max())
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise InputError(f"{image.name} has values from {low:.7g} to {high:.7g}: {task.name} needs 0 (black) to 1 "
                         f"(white), so {_way_out(low, high)} before saving it")
    if task.measured and image.shipped:
        raise InputError(f"{image.name} ships as a truth: measured is for a picture of your own, give it with --image")
    return fit(image, size).clip(0, 1)


def _way_out(low, high):
    """What brings values of a range to [0, 1], by what they most likely are."""
    if low >= -1 - OVERSHOOT and low < -0.9 and high <= 1 + OVERSHOOT:
        return "add 1 and halve it"
    if low < -OVERSHOOT:
        return "undo what was subtracted from it and divided by, until black is 0 and white 1,"
    if low >= 0 and 1.1 < high < 40:
        return "divide it by the value to be shown as white (for attenuation of CT e.g. 2) and clip it to 1"
    return f"divide it by its white value ({'65535 for 16' if high > 255 else '255 for 8'} bit)"


def to_tensor(picture):
    """(H, W) or (H, W, C) array -> (1, C, H, W) float32 tensor."""
    channels = picture[None] if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
    return torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32))[None]


def gaussian(like, sigma, generator):
    """White Gaussian noise of standard deviation sigma / 255 in the shape of `like`."""
    return sigma / 255 * torch.randn(like.shape, generator=generator, dtype=like.dtype)


def known_mean(y, mask=None):
    """Mean of the known pixels of each channel of y (1, C, H, W), zero elsewhere: (C,), or a number if C is 1.

    mask: (H, W), 1 where a pixel is known; None for all.
    """
    total = y[0, 0].numel() if mask is None else mask.sum()
    mean = (y.sum(dim=(-2, -1))[0] / total).numpy()  # (C,)
    return mean if len(mean) > 1 else float(mean[0])


def centred(task, A, y, noise_std, mask=None):
    """The `Observation` with z_0 = y of data y = A x + n.

    With `fill` "mean" the images are kept as their difference from the mean of y, for each channel, so that zero is
    this mean and not black: a network's first output is near zero everywhere, and small steps move it slowly where few
    data pull.
    """
    if task.fill == "zero":
        return Observation(A, y, y, noise_std=noise_std)
    offset = known_mean(y, mask)
    shift = torch.as_tensor(offset).reshape(1, -1, 1, 1).expand(1, *A.in_shape).to(y)
    if isinstance(A, LinearOperator):  # A (x - shift) = y - A shift
        y = y - A(shift)
        return Observation(A, y, y, noise_std=noise_std, offset=offset)
    return Observation(Shifted(A, shift), y, y - shift, noise_std=noise_std, offset=offset)


def natural_case(task, image, picture, observation, seed, notes=(), paste=False, **facts):
    """The `Case` of an observed picture, which is its truth unless it is measured.

    `paste` as in `Case`; `notes` follow those of the image; `facts` join the settings in the record.
    """
    settings = task.to_dict() | dict(size=list(picture.shape[:2]), channels=observation.start.shape[1]) | facts
    if task.measured:
        notes = ("measured: y is the picture as it is, no truth is known", *notes)
    elif not image.shipped and (own := estimated_sigma(picture)) > OWN_NOISE:
        notes = (*notes, f"{image.name} has noise or fine texture of its own, sigma about {own:.0f} of 255, and PSNR "
                 f"counts it as truth: a clean answer reaches {20 * np.log10(255 / own):.1f} dB. To clean the picture "
                 "itself: --measured")
    return Case(task.name, image.name, observation, None if task.measured else picture, 1.0, settings, seed,
                window=(0.0, 1.0), clip=True, notes=(*image.notes, *notes), paste=paste)
