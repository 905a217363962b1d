"""Multi-coil MRI: y = M F S x + n.

S multiplies the image by the coil sensitivities, F is the orthonormal centred 2D FFT and M
keeps the sampled columns or points of k-space (paper, section 2.1; `masks`). Measurements are
stored zero-filled: (1, coils, H, W) complex64 with zeros where nothing was sampled.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from ..case import Case, Observation, robust_peak
from ..images import KSpace, Sinogram, fit
from ..operators import Composition, LinearOperator, Mask
from ..operators.sampling import PATTERNS, calibration_width, draw_mask, hold_out
from ..settings import InputError, Settings, setting
from . import register

#: Most complex samples of a simulated scan, coils x height x width: 512 MiB, of which a run holds a few copies.
MOST_SAMPLES = 2**26


class SensitivityMaps(LinearOperator):
    """S: one image (1, H, W) -> coil images (coils, H, W), multiplied by sens_maps (coils, H, W) complex."""

    def __init__(self, sens_maps):
        coils, h, w = sens_maps.shape
        super().__init__((1, h, w), (coils, h, w), in_complex=True, out_complex=True)
        self.sens_maps = sens_maps

    def _apply(self, x):
        return self.sens_maps * x

    def _adjoint(self, y):
        return (self.sens_maps.conj() * y).sum(dim=1, keepdim=True)


class Fourier(LinearOperator):
    """F: centred orthonormal 2D FFT of complex images (C, H, W), any even or odd size; F^H F = I."""

    def __init__(self, shape):
        super().__init__(shape, shape, in_complex=True, out_complex=True)

    def _apply(self, x):
        x = torch.fft.ifftshift(x, dim=(-2, -1))
        return torch.fft.fftshift(torch.fft.fft2(x, norm="ortho"), dim=(-2, -1))

    def _adjoint(self, y):
        y = torch.fft.ifftshift(y, dim=(-2, -1))
        return torch.fft.fftshift(torch.fft.ifft2(y, norm="ortho"), dim=(-2, -1))


class MRIOperator(Composition):
    """A = M F S for sens_maps (coils, H, W) complex and mask (W,) or (H, W) real; both stay readable."""

    def __init__(self, sens_maps, mask):
        S = SensitivityMaps(sens_maps)
        super().__init__(Mask(mask, S.out_shape, is_complex=True) @ Fourier(S.out_shape), S)

    @property
    def sens_maps(self):
        return self.B.sens_maps

    @property
    def mask(self):
        return self.A.A.mask


def simulated_maps(coils, shape):
    """Birdcage coil sensitivities (coils, H, W) complex64 with sum_c |S_c|^2 = 1 at every pixel (sigpy's)."""
    if coils == 1:
        return torch.ones((1, *shape), dtype=torch.complex64)
    from sigpy.mri import birdcage_maps

    return torch.from_numpy(birdcage_maps((coils, *shape)).astype(np.complex64))


def espirit_maps(kspace, mask):
    """Coil sensitivities (coils, H, W) estimated by sigpy's ESPIRiT from the calibration centre of y alone.

    kspace: (coils, H, W) complex, zero-filled; mask: (W,) or (H, W). The calibration square is the
    largest fully sampled one around the zero frequency, at most 24 wide; the kernel is a third of
    it, between 3 and 6 wide, since few calibration lines hold too few patches for the usual 6. Maps
    are normalised to sum |S|^2 = 1, and zero where ESPIRiT's eigenvalue is below 0.9: outside of the object.

    Raises:
        InputError: the square is less than 6 wide, too few lines for ESPIRiT.
    """
    from sigpy.mri.app import EspiritCalib

    width = calibration_width(torch.broadcast_to(mask, kspace.shape[-2:]))
    if width < 6:
        raise InputError(f"ESPIRiT needs a fully sampled centre of at least 6 lines, got {width}: use "
                         "a lower acceleration, a larger image or, for simulated coils, --maps true")
    maps = EspiritCalib(kspace.numpy(), calib_width=width, kernel_width=max(3, min(6, width // 3)), thresh=0.02,
                        crop=0.9, show_pbar=False).run()
    return torch.from_numpy(np.ascontiguousarray(maps, dtype=np.complex64))


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

    `pattern` and `acceleration` say how a picture or a fully sampled scan is undersampled; a
    scan that is undersampled already keeps its mask. `acceleration` R means: "random" samples
    exactly round(W / R) columns of k-space, "equispaced" as many to within one column, and
    "variable-density" exactly round(H W / R) points. See `masks`.

    `holdout` keeps a share of the measurements from the methods: columns of a mask of columns, points
    of a mask of points, none of the calibration centre. The error of an answer on them, the
    `heldout_residual`, needs no truth and, unlike the data residual, does not fall by fitting noise.
    """

    name: ClassVar[str] = "mri"
    about: ClassVar[str] = "multi-coil MRI from undersampled k-space, A = M F S"
    default_image: ClassVar[str] = "brain-070"
    profiles: ClassVar[dict] = {
        "smoke": dict(size=64, coils=4),
        "laptop": dict(size=192, coils=8),
        "paper": dict(size=320, coils=15),
    }

    acceleration: float = setting(4.0, "undersampling factor: 4 or 8 in the paper", low=1)
    pattern: str = setting("random", "what is sampled: columns, random or equispaced, or points of k-space",
                           choices=PATTERNS)
    coils: int = setting(8, "simulated receive coils", low=1, high=128)
    snr: float | None = setting(25.0, "signal to noise ratio of the sampled k-space in dB", low=-20, high=200)
    maps: str = setting("true", "coil maps given to the methods: the simulated ones, or estimated from y by ESPIRiT",
                        choices=("true", "espirit"))
    holdout: float | None = setting(None, "share of the measurements outside of the calibration centre that methods "
                                    "do not see, to check answers by, e.g. 0.05", above=0, below=1)
    size: int | None = setting(192, "side in pixels to which shipped images are resampled", low=16, high=2048)

    def observe(self, image, seed=0):
        """Simulate (from an `Image`) or take over (from a `KSpace`) a scan and return its `Case`.

        Raises:
            InputError: a setting does not fit the image or the data.
        """
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
            samples = self.coils * int(mask.expand(truth.shape).sum())
            norm = float(y.to(torch.complex128).norm(dim=-1).norm())  # by rows: no number of threads changes that
            noise_std = norm * 10 ** (-self.snr / 20) / (2 * samples) ** 0.5
            y = y + mask * noise_std * 2**0.5 * torch.randn(y.shape, generator=generator, dtype=y.dtype)
        notes = ("simulated coils, phase and noise",)
        return self._case(image.name, y, mask, maps, np.abs(truth), noise_std, generator, seed, notes)

    def _measured(self, data, generator, seed):
        y = torch.from_numpy(data.kspace)[None]  # (1, coils, H, W)
        mask, notes = data.mask, ("measured k-space, coil maps by ESPIRiT from y alone",)
        facts = dict(snr=None, maps="espirit")  # for the record, in place of settings that do not apply
        if mask is None:
            mask = draw_mask(self.pattern, y.shape[-2:], self.acceleration, generator)
            notes += ("retrospectively undersampled",)
        else:
            mask = torch.from_numpy(mask.astype(np.float32))
            notes += ("undersampled as measured, acceleration and pattern do not apply",)
            facts |= dict(acceleration=None, pattern=None)
        if not bool(mask.any()):
            raise InputError(f"{data.name}: the sampling mask is empty")
        case = self._case(data.name, y * mask, mask, None, data.reference, None, generator, seed, notes)
        return replace(case, settings=case.settings | facts)

    def _case(self, name, y, mask, maps, truth, noise_std, generator, seed, notes):
        held = None
        if self.holdout is not None:
            mask, held = hold_out(mask, y.shape[-2:], self.holdout, generator)
            y, y_held = y * mask, y * held
            share = float(held.sum() / (mask + held).sum())
            notes += (f"{share:.1%} of the measured k-space held out from the methods",)
        if maps is None or self.maps == "espirit":
            maps = espirit_maps(y[0], mask)
        A = MRIOperator(maps, mask)
        start = A.adjoint(y)
        scale = robust_peak(start)
        observation = Observation(A, y / scale, start / scale, scale,
                                  None if noise_std is None else noise_std / scale)
        peak = None if truth is None else float(truth.max())
        crop = None if truth is None or truth.shape == A.in_shape[1:] else truth.shape
        heldout = None if held is None else (MRIOperator(maps, held), y_held / scale)
        settings = self.to_dict() | dict(coils=y.shape[1], size=list(y.shape[-2:]), sampled=float(mask.mean()))
        return Case(self.name, name, observation, truth, peak, settings, seed, crop=crop, notes=notes,
                    window=(0.0, peak if peak else float(scale)), heldout=heldout)
