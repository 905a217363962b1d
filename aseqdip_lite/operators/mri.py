"""The operator of multi-coil MRI, A = M F S, and the coil sensitivities S: simulated, or estimated by ESPIRiT."""

import numpy as np
import torch

from ..settings import InputError
from .base import Composition, LinearOperator, Mask
from .sampling import calibration_width

#: Where more calibration lines come from.
FEW_LINES = "use a lower acceleration, a larger image or, for simulated coils, --maps true"


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


def espirit_maps(kspace, mask, way_out=FEW_LINES):
    """Coil sensitivities (coils, H, W) estimated by sigpy's ESPIRiT from the calibration centre of y alone.

    The calibration square is the largest fully sampled one around the zero frequency, at most 24 wide; the kernel is a
    third of it, between 3 and 6 wide, since few calibration lines have too few patches for the usual 6. Maps are
    normalised to sum |S|^2 = 1, and zero where ESPIRiT's eigenvalue is below 0.9. With a wide calibration square that
    is outside the object; with a kernel of 3 hardly any pixel is below it, and the maps outside are arbitrary.
    InputError if the square is less than 6 wide, too few lines for ESPIRiT.

    Args:
        kspace: (coils, H, W) complex, zero-filled; mask: (W,) or (H, W).
        way_out: what the error says of where more lines come from.
    """
    from sigpy.mri.app import EspiritCalib

    width = calibration_width(torch.broadcast_to(mask, kspace.shape[-2:]))
    if width < 6:
        raise InputError(f"ESPIRiT needs a fully sampled centre of at least 6 lines, got {width}: {way_out}")
    maps = EspiritCalib(kspace.numpy(), calib_width=width, kernel_width=max(3, min(6, width // 3)), thresh=0.02,
                        crop=0.9, show_pbar=False).run()
    return torch.from_numpy(np.ascontiguousarray(maps, dtype=np.complex64))
