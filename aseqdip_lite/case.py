"""Image -> Case: the truth and what was observed of it, kept apart.

A method receives the `Observation` alone. The truth stays in the `Case`: curves, metrics and pictures read it, no
method does.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from .operators import Operator
from .settings import InputError


@dataclass(frozen=True)
class Observation:
    """What a method may know: y = A x + n in units where the image is of size about 1.

    InputError if y or start hold NaN or infinite numbers.

    Attributes:
        A: the forward operator.
        y: measurements (1, *A.out_shape), divided by `scale`.
        scale: image in physical units = scale * image in the units of `y`; computed from y alone.
        start: z_0, (1, *A.in_shape): A^H y (MRI, CT) or y, in the units of `y`.
        noise_std: standard deviation of n per real component, in the units of `y`; None if unknown.
        offset: what was subtracted from the image before y was made, and is added to every answer, in physical units; a
            number or one for each channel, (C,); computed from y alone.
    """

    A: Operator
    y: torch.Tensor
    start: torch.Tensor
    scale: float = 1.0
    noise_std: float | None = None
    offset: float | np.ndarray = 0.0

    def __post_init__(self):
        for name, values in (("measurements", self.y), ("start image", self.start)):
            if not bool(values.isfinite().all()):
                raise InputError(f"the {name} hold{'s' * (name == 'start image')} NaN or infinite numbers: "
                                 "replace them, or leave them out of the mask")

    @property
    def noise_energy(self):
        """E ||n||^2 in the units of ||y||^2: noise_std^2 times the real numbers measured; None if not known.

        What is exactly 0 was not measured: a mask sets it so, and noise leaves no sample at 0.
        """
        measured = int(torch.count_nonzero(self.y)) * (2 if self.y.is_complex() else 1)
        return None if self.noise_std is None else self.noise_std**2 * measured

    def to(self, device):
        """The same observation on another device."""
        return replace(self, A=self.A.to(device), y=self.y.to(device), start=self.start.to(device))


@dataclass(frozen=True)
class Case:
    """One problem to solve: an observation, and the truth if it is known.

    Attributes:
        task: name of the task, e.g. "mri".
        image: name of the image or of the file it came from.
        observation: all that a method sees.
        truth: (H, W) or (H, W, 3) float array as displayed (magnitude, [0, 1], attenuation), or None.
        data_range: peak value of the metrics, in the unit of `truth`.
        settings: the task's settings and the image's size, for the record.
        seed: data seed.
        window: (low, high) of the gray scale of pictures; also clips natural images.
        clip: whether answers are clipped to `window` before they are measured (natural images).
        crop: (height, width) of the central part that is compared with the truth, or None for all.
        support: (H, W) of zeros and ones, the field of view of CT, outside of which images are 0; None for all.
        heldout: (A, y) of measurements that no method sees, in the units of the observation, to check answers without a
            truth; None if none are held out.
        paste: whether y, which a mask took without noise, replaces the known pixels of every answer.
        notes: facts about how the data were made that a reader must know.
    """

    task: str
    image: str
    observation: Observation
    truth: np.ndarray | None = None
    data_range: float | None = None
    settings: dict = field(default_factory=dict)
    seed: int = 0
    window: tuple[float, float] | None = None
    clip: bool = False
    crop: tuple[int, int] | None = None
    support: np.ndarray | None = None
    heldout: tuple[Operator, torch.Tensor] | None = None
    paste: bool = False
    notes: tuple[str, ...] = ()

    @property
    def offset(self):
        """What is added to every answer, see `Observation`."""
        return self.observation.offset

    def array(self, image):
        """An answer of the method (1, C, H, W) in physical units, (H, W) or (H, W, C); 0 outside of the support."""
        if self.paste:
            image = torch.where(self.observation.A.mask > 0, self.observation.y, image)
        array = self.raw(image)
        return array if self.support is None else array * self.support

    def raw(self, image):
        """An image of the method (1, C, H, W) in physical units, (H, W) or (H, W, C), as it is."""
        return to_array(image, self.observation.scale) + self.offset

    def display(self, image):
        """An image of the method (1, C, H, W) as shown and measured, in physical units: (H, W) or (H, W, 3) float32."""
        return self.shown(self.array(image))

    def shown(self, array):
        """What is shown of an answer in physical units, as `array` returns it and recon.npy holds it."""
        array = np.abs(array) if np.iscomplexobj(array) else array
        if self.crop is not None:
            array = centre_crop(array, self.crop)
        return np.clip(array, *self.window) if self.clip else array

    def to(self, device):
        """The same case with its observation, and what is held out of it, on another device."""
        heldout = None if self.heldout is None else tuple(part.to(device) for part in self.heldout)
        return replace(self, observation=self.observation.to(device), heldout=heldout)


def to_array(image, scale=1.0):
    """(1, C, H, W) tensor -> (H, W) array for C = 1, (H, W, C) otherwise, times `scale`; keeps complex values."""
    array = (scale * image.detach()[0]).cpu().numpy()  # (C, H, W)
    return array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)


def centre_crop(array, shape):
    """Central part of an array's first two axes (H, W)."""
    top, left = (array.shape[0] - shape[0]) // 2, (array.shape[1] - shape[1]) // 2
    if top < 0 or left < 0:
        raise InputError(f"cannot crop an image of {array.shape[0]} x {array.shape[1]} to {shape[0]} x {shape[1]}")
    return array[top:top + shape[0], left:left + shape[1]]


def robust_peak(image):
    """The 99.5th percentile of |image|: a scale taken from y alone that single pixels do not move.

    InputError if the image is zero almost everywhere or not finite, so y holds no signal.
    """
    magnitude = image.abs().flatten().cpu().numpy()
    peak = float(np.quantile(magnitude, 0.995)) or float(magnitude.max())
    if not np.isfinite(peak) or peak <= 0:
        raise InputError(f"the measurements contain no usable signal: the peak of |A^H y| is {peak}")
    return peak


def as_gray(shown, window):
    """A displayed image as whole numbers, uint8, 0 for window[0] (black) to 255 for window[1] (white)."""
    low, high = window
    return np.uint8(255 * np.clip((shown - low) / (high - low), 0, 1) + 0.5)
