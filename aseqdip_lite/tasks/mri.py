"""Multi-coil MRI: y = M F S x + n.

S multiplies the image by the coil sensitivities, F is the orthonormal centred 2D FFT and M keeps the sampled columns
or points of k-space (paper, section 2.1; `operators.sampling`). Measurements are stored zero-filled:
(1, coils, H, W) complex64 with zeros where nothing was sampled.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from ..case import Case, Observation, robust_peak
from ..images import KSpace, Sinogram, fit
from ..operators.mri import FEW_LINES, MRIOperator, espirit_maps, simulated_maps
from ..operators.sampling import PATTERNS, draw_mask, hold_out
from ..settings import InputError, Settings, setting, unseeded
from . import register

#: Most complex samples of a simulated scan, coils x height x width: 512 MiB, of which a run holds a few copies.
MOST_SAMPLES = 2**26

#: Where the calibration lines come from of a scan that was undersampled as it was measured.
MEASURED_LINES = "save its calibration lines in k-space and mask, or one coil alone, kspace[:1], which needs no maps"


def smooth_phase(shape, generator):
    """A smooth random phase (H, W) in radians: six low-order cosine terms, as of field inhomogeneity."""
    h, w = shape
    rows, cols = torch.linspace(0, torch.pi, h)[:, None], torch.linspace(0, torch.pi, w)[None, :]
    weights = torch.randn(3, 3, generator=generator)
    return sum(weights[i, j] * torch.cos(i * rows) * torch.cos(j * cols)
               for i in range(3) for j in range(3) if 0 < i + j < 4) * 0.7


@register
@dataclass(frozen=True)
class MRI(Settings):
    """Multi-coil Cartesian MRI (paper: 15 coils, 320 x 320, columns at 4x and 8x).

    `pattern` and `acceleration` say how a picture or a fully sampled scan is undersampled; a scan that is undersampled
    already keeps its mask. `acceleration` R samples exactly round(W / R) columns of k-space ("random"), as many to
    within one column ("equispaced"), or exactly round(H W / R) points ("variable-density"). See `operators.sampling`.

    `holdout` keeps a share of the measurements from the methods: columns of a mask of columns, points of a mask of
    points, none of the calibration centre. The error of an answer on them, the `heldout_residual`, needs no truth and,
    unlike the data residual, does not fall by fitting noise.
    """

    name: ClassVar[str] = "mri"
    about: ClassVar[str] = "multi-coil MRI from undersampled k-space, A = M F S"
    default_image: ClassVar[str] = "brain-070"
    profiles: ClassVar[dict] = {"smoke": dict(size=64, coils=4), "laptop": dict(size=192, coils=8),
                                "paper": dict(size=320, coils=15)}

    acceleration: float = setting(4.0, "undersampling factor: 4 or 8 in the paper", low=1)
    pattern: str = setting("random", "what is sampled: columns, random or equispaced, or points of k-space",
                           choices=PATTERNS)
    coils: int = setting(8, "simulated receive coils", low=1, high=128)
    snr: float | None = setting(20.0, "signal to noise ratio in dB, of the whole k-space, sampled or not", low=-20,
                                high=200)
    maps: str = setting("true", "coil maps given to the methods: the simulated ones, or estimated from y by ESPIRiT",
                        choices=("true", "espirit"))
    holdout: float | None = setting(None, "share of the measurements outside of the calibration centre that methods "
                                    "do not see, to check answers, e.g. 0.05", above=0, below=1)
    size: int | None = setting(192, "side in pixels to which shipped images are resampled", low=16, high=2048)

    def idle(self, image):
        """See `Settings.idle`."""
        drawn = self.holdout is not None or (self.acceleration > 1 and getattr(image, "mask", None) is None)
        if not isinstance(image, KSpace):
            return unseeded(drawn or self.snr is not None or not np.iscomplexobj(getattr(image, "array", 0)))
        unused = unseeded(drawn)
        unused |= dict.fromkeys(("coils", "snr", "size"), "the scan was measured, with its own coils, noise and size")
        if self.maps == "true":
            unused["maps"] = "the coil maps of a measured scan are unknown, and estimated by ESPIRiT"
        if image.mask is not None:
            unused |= dict.fromkeys(("acceleration", "pattern"), "the scan was undersampled as it was measured")
        return unused

    def observe(self, image, seed=0):
        """The `Case` of a simulated (`Image`) or measured (`KSpace`) scan; InputError if a setting does not fit."""
        generator = torch.Generator().manual_seed(seed)
        if isinstance(image, KSpace):
            return self._measured(image, generator, seed)
        if isinstance(image, Sinogram):
            raise InputError(f"{image.name} is a CT scan: mri needs k-space or a picture")
        return self._simulated(image, generator, seed)

    def _simulated(self, image, generator, seed):
        truth = fit(image, self.size)
        if truth.ndim == 3:
            truth = truth.mean(axis=-1)
        if self.coils * truth.size > MOST_SAMPLES:
            raise InputError(f"{self.coils} coils of {' x '.join(map(str, truth.shape))} pixels are too large: at most "
                             f"{MOST_SAMPLES // truth.size} coils at this size")
        x = torch.from_numpy(truth.astype(np.complex64))
        if not np.iscomplexobj(truth):
            x = x * torch.exp(1j * smooth_phase(truth.shape, generator))
        maps = simulated_maps(self.coils, truth.shape)
        mask = draw_mask(self.pattern, truth.shape, self.acceleration, generator)
        y = MRIOperator(maps, mask)(x[None, None])
        noise_std = 0.0
        if self.snr is not None:
            coil_images = maps * x  # (coils, H, W), of the energy of the whole k-space: F is orthonormal
            norm = float(coil_images.to(torch.complex128).norm(dim=-1).norm())  # by rows: the same on all threads
            noise_std = norm * 10 ** (-self.snr / 20) / (2 * coil_images.numel()) ** 0.5
            y = y + mask * noise_std * 2**0.5 * torch.randn(y.shape, generator=generator, dtype=y.dtype)
        notes = (*image.notes, "simulated coils, phase and noise")
        return self._case(image.name, y, mask, maps, np.abs(truth), noise_std, generator, seed, notes)

    def _measured(self, data, generator, seed):
        y = torch.from_numpy(data.kspace)[None]  # (1, coils, H, W)
        one = y.shape[1] == 1  # the map of one coil cannot be told from the image: it is 1
        mask, maps = data.mask, torch.ones_like(y[0]) if one else None
        notes = (*data.notes, f"measured k-space, {'one coil' if one else 'coil maps by ESPIRiT from y alone'}")
        facts = dict(snr=None, maps=None if one else "espirit")  # in place of settings that do not apply
        if mask is None:
            support = None if data.support is None else torch.from_numpy(data.support)
            mask = draw_mask(self.pattern, y.shape[-2:], self.acceleration, generator, support)
            notes += ("retrospectively undersampled",)
        else:
            mask = torch.from_numpy(mask.astype(np.float32))
            notes += ("undersampled as measured, acceleration and pattern do not apply",)
            facts |= dict(acceleration=None, pattern=None)
        if not bool(mask.any()):
            raise InputError(f"{data.name}: the sampling mask is empty")
        try:
            case = self._case(data.name, y * mask, mask, maps, data.reference, None, generator, seed, notes,
                              FEW_LINES if data.mask is None else MEASURED_LINES)
        except InputError as error:  # a guess may be the reason
            raise InputError("; note that ".join([str(error), *data.notes])) from None
        return replace(case, settings=case.settings | facts, crop=case.crop or data.crop)

    def _case(self, name, y, mask, maps, truth, noise_std, generator, seed, notes, lines=FEW_LINES):
        held = None
        if self.holdout is not None:
            mask, held = hold_out(mask, y.shape[-2:], self.holdout, generator)
            y, y_held = y * mask, y * held
            share = float(held.sum() / (mask + held).sum())
            notes += (f"{share:.1%} of the measured k-space held out from the methods",)
        if maps is None or self.maps == "espirit":
            maps = espirit_maps(y[0], mask, lines)
        A = MRIOperator(maps, mask)
        start = A.adjoint(y)
        scale = robust_peak(start)
        observation = Observation(A, y / scale, start / scale, scale, None if noise_std is None else noise_std / scale)
        peak = None if truth is None else float(truth.max())
        crop = None if truth is None or truth.shape == A.in_shape[1:] else truth.shape
        heldout = None if held is None else (MRIOperator(maps, held), y_held / scale)
        settings = self.to_dict() | dict(coils=y.shape[1], size=list(y.shape[-2:]), sampled=float(mask.mean()))
        return Case(self.name, name, observation, truth, peak, settings, seed, crop=crop, notes=notes,
                    window=(0.0, peak if peak else float(scale)), heldout=heldout)
