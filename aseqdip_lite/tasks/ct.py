"""Sparse-view CT: y = C R x + n, parallel beam, a few views out of half a turn.

The unit of images is attenuation relative to water, mu / mu_water: water 1, air 0.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from ..case import Case, Observation, robust_peak
from ..images import Image, Sinogram, fit
from ..images.hounsfield import attenuation, no_attenuation, no_hounsfield, without_air
from ..images.projections import rebinned, usable_bins
from ..operators.ct import ct_operator, make_projector
from ..operators.projectors import detector_bins, disc, distinct, equal_angles, fbp, strip_sinogram
from ..settings import InputError, Settings, setting, unseeded
from . import register

MU_WATER = 0.0193  #: linear attenuation coefficient of water at 70 keV in 1/mm (NIST XCOM, interpolated)
FIELD_OF_VIEW = 250.0  #: side of an image in mm where neither its file nor a setting says it
LEAST_BODY = 0.6  #: largest attenuation below which a user's image is hardly relative to water, which is 1
MOST_VIEWS = 4096  #: of a scan that is simulated
MOST_SIDE = 2048  #: side in pixels of the largest image that is taken as it is


def fine_object(image, size):
    """The object on a grid twice as fine as the reconstruction's: (2N, 2N) float32, at least 0, 0 outside the disc.

    An image is averaged to gray, padded to a square and resampled by cubic splines; N is `size` for shipped images and
    the longer side of a user's own. Data made from this grid differ from what A makes of the truth, its means over 2 x
    2 pixels, as real data do: no inverse crime.
    """
    array = image.array.mean(axis=-1) if image.array.ndim == 3 else image.array
    side = size if image.shipped and size is not None else max(array.shape)
    if side > MOST_SIDE:
        raise InputError(f"{image.name} is {side} pixels wide: CT takes at most {MOST_SIDE}, resample it first")
    fine = fit(replace(image, array=array.clip(0), shipped=True), 2 * side)  # fit resamples shipped images alone
    return fine * np.kron(disc(side).numpy(), np.ones((2, 2), dtype=np.float32))


def transmission(sinogram, i0, mu, generator):
    """Post-log data of photon counts: N ~ Poisson(i0 exp(-mu p)), p^ = -log(max(N, 1) / i0) / mu.

    A ray on which no photon arrives counts as one photon, so that its logarithm is finite but too small.

    Args:
        sinogram: line integrals p (views, D) in pixels. i0: photons sent along each ray.
        mu: attenuation of water per pixel. generator: torch.Generator of the counts.

    Returns:
        (p^, std, starved): noisy line integrals, the standard deviation of their noise (root mean square of
        1 / (mu sqrt(max(N, 1))), read off the counts), the number of rays without a photon.
    """
    counts = torch.poisson(i0 * torch.exp(-mu * sinogram), generator=generator)
    seen = counts.clamp(min=1)
    std = float((1 / seen).mean().sqrt()) / mu
    return torch.log(i0 / seen) / mu, std, int((counts == 0).sum())


@register
@dataclass(frozen=True)
class CT(Settings):
    """Sparse-view parallel-beam CT (paper: 512 x 512, 18 and 30 of 180 views, noiseless post-log data).

    Values of an image are attenuation relative to water. DICOM files and the `hu` of an .npz are converted when they
    are loaded; a .npy or a picture contains attenuation, or, with unit "hu", Hounsfield units; values that are neither
    are refused. Values below 0 become 0. All outside the field of view, the disc inscribed in the square, is left out.

    Measured projections (a `Sinogram`) are taken over instead of simulated: `views` of them, rebinned to `size`. They
    are compared with the FBP of all views, which is no truth: it has noise and streaks, in part those of the data. A
    high PSNR then says that the answer is close to that FBP.

    z_0 is A^T y times the number that fits the data best, ||A^T y||^2 / ||A A^T y||^2: the unfiltered back-projection
    in the right size, from y alone. The scale is the 99.5th percentile of it. With `start` "fbp", z_0 is the filtered
    back-projection instead.
    """

    name: ClassVar[str] = "ct"
    about: ClassVar[str] = "sparse-view parallel-beam CT, A = C R"
    default_image: ClassVar[str] = "ct-head"
    profiles: ClassVar[dict] = {"smoke": dict(size=64, views=18), "laptop": dict(size=128), "paper": dict(size=512)}

    views: int = setting(30, "views, equally spaced over half a turn: 18 or 30 in the paper", low=1, high=MOST_VIEWS)
    angles: str | None = setting(None, "angles of the views in degrees, separated by commas, instead of equal spacing")
    i0: float | None = setting(None, "photons sent along each ray, for Poisson noise; noiseless by default",
                               low=1, high=1e12)
    fov: float | None = setting(None, "side of the image in mm, which sets how many photons are absorbed; by default "
                                "the file's, else 250", low=1e-3, high=1e4)
    projector: str = setting("auto", "how rays are computed; auto: matrix, or rotation where that would be too large",
                             choices=("auto", "matrix", "rotation", "torch-radon"))
    unit: str = setting("mu", "unit of a user's image: attenuation relative to water, or Hounsfield units",
                        choices=("mu", "hu"))
    start: str = setting("paper", "z_0: A^T y as in the paper, or the filtered back-projection",
                         choices=("paper", "fbp"))
    window: float | None = setting(None, "attenuation shown as white, and the peak value of PSNR and SSIM; by default "
                                   "the truth's largest", low=1e-3)
    size: int | None = setting(128, "side in pixels to which shipped images are resampled, and bins to which measured "
                               "projections are added up", low=16, high=2048)

    def idle(self, image):
        """See `Settings.idle`."""
        unused = unseeded(self.i0 is not None)
        if isinstance(image, Image) and self.i0 is None:
            unused["fov"] = "it matters for the noise alone, which i0 asks for"
        if self.angles is not None:
            unused["views"] = "angles say which views there are"
        return unused

    def observe(self, image, seed=0):
        """Project an `Image`, or take over a measured `Sinogram`, and return its `Case`.

        InputError for k-space, a complex image, a wrong unit, an empty field of view, a setting that does not fit.
        """
        if isinstance(image, Sinogram):
            return self._measured(image, seed)
        image = self._attenuation(image)
        fine = fine_object(image, self.size)
        n = len(fine) // 2
        truth = fine.reshape(n, 2, n, 2).mean(axis=(1, 3))
        if truth.max() < 1e-3 * image.array.max():  # the splines ring a little
            raise InputError(f"{image.name} is empty inside the field of view, the disc inscribed in the square")
        angles, detector = self._angles(), detector_bins(n)
        sinogram = torch.from_numpy(strip_sinogram(fine, angles, detector, pixel=0.5))
        notes = (*image.notes, "projected from a grid twice as fine", "field of view: the inscribed disc")
        if self.angles and len(angles) == 1:
            notes += (f"angles {self.angles} is one view, at that angle: --views N gives N views",)
        noise_std = 0.0
        fov = self.fov or (FIELD_OF_VIEW if image.spacing_mm is None else image.spacing_mm * max(image.array.shape[:2]))
        if self.i0 is not None:
            generator = torch.Generator().manual_seed(seed)
            sinogram, noise_std, starved = transmission(sinogram, self.i0, MU_WATER * fov / n, generator)
            notes += (f"{starved} of {sinogram.numel()} rays without a photon, counted as one photon",)
        A = ct_operator(self.projector, n, angles, detector)
        return self._case(image.name, A, sinogram.float()[None], truth, noise_std, seed, notes, fov=fov)

    def _measured(self, scan, seed):
        """The `Case` of `views` of a measured scan; D = N bins cover the disc, and all views make the reference."""
        for name in ("angles", "i0", "fov"):
            if getattr(self, name) is not None:
                raise InputError(f"{scan.name} is a measured scan: {name} is for simulated ones, leave it out")
        if self.unit != "mu":
            raise InputError(f"{scan.name} is a measured scan: leave unit at mu")
        found, bins = scan.sinogram.shape
        if self.views > found:
            raise InputError(f"{scan.name} has {found} views: views must be at most {found}, got {self.views}")
        n = min(self.size or MOST_SIDE, int(usable_bins(scan)))
        sinogram = torch.from_numpy(rebinned(scan, n)).float()[None]  # (1, views, N)
        complete = make_projector("auto", n, scan.angles, n)
        reference = (complete.disc * fbp(complete, sinogram)[0, 0]).numpy()
        chosen = [round(view * found / self.views) for view in range(self.views)]
        A = ct_operator(self.projector, n, tuple(scan.angles[chosen].tolist()), n)
        notes = (*scan.notes, f"measured scan: {self.views} of its {found} views over half a turn",
                 f"compared with the FBP of all {found} views: no truth, it has noise and streaks, partly the data's",
                 f"axis of rotation at bin {scan.centre:.1f} of {bins}, from the centroids of the views",
                 "values are attenuation per bin of the detector", "field of view: the inscribed disc")
        return self._case(scan.name, A, sinogram[:, chosen], reference, None, seed, notes,
                          reference=f"fbp of all {found} views", centre=scan.centre)

    def _case(self, name, A, sinogram, truth, noise_std, seed, notes, **facts):
        y = A.factor * sinogram
        back = A.adjoint(y)
        start = back * float(back.square().sum() / A(back).square().sum())
        scale = robust_peak(start)
        if self.start == "fbp":
            start = A.projector.disc * fbp(A.projector, sinogram)
        observation = Observation(A, y / scale, start / scale, scale,
                                  None if noise_std is None else A.factor * noise_std / scale)
        peak = float(truth.max()) if self.window is None else self.window
        settings = self.to_dict() | dict(views=y.shape[1], size=list(truth.shape), detector=y.shape[2],
                                         projector=type(A.projector).__name__) | facts
        return Case(self.name, name, observation, truth, peak, settings, seed, window=(0.0, peak),
                    support=A.projector.disc.numpy(), notes=notes)

    def _angles(self):
        if self.angles is None:
            return equal_angles(self.views)
        try:
            degrees = [float(number) for number in self.angles.split(",")]
        except ValueError:
            raise InputError(f"angles must be numbers of degrees separated by commas, got '{self.angles}'") from None
        if len(degrees) > MOST_VIEWS:
            raise InputError(f"angles must be at most {MOST_VIEWS}, got {len(degrees)}")
        return distinct(map(math.radians, degrees))

    def _attenuation(self, image):
        if not isinstance(image, Image) or np.iscomplexobj(image.array):
            raise InputError(f"{image.name} is not a picture of attenuation: ct needs real values (H, W), not k-space")
        if self.unit == "hu":
            if doubt := no_hounsfield(image.array):
                way_out = "save attenuation relative to water" if no_attenuation(image.array) else "leave --unit at mu"
                raise InputError(f"{image.name} {doubt}, or {way_out}")
            return replace(image, array=attenuation(image.array), notes=image.notes + without_air(image.array))
        if doubt := no_attenuation(image.array):
            raise InputError(f"{image.name} {doubt}")
        high = float(image.array.max())
        if high < LEAST_BODY and not image.shipped:
            note = f"its largest value is {high:.3g}, water being 1: 1/cm or 1/mm would be divided by 0.193 or 0.0193"
            return replace(image, notes=(*image.notes, note))
        return image
