"""Denoising: y = x + n, the forward operator is the identity (paper, section 4: sigma 15, 25 and 30 of 255)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..operators import Identity
from ..settings import InputError, setting, unseeded
from . import register
from .pictures import PictureTask, centred, gaussian, natural_case, natural_truth, to_tensor


@register
@dataclass(frozen=True)
class Denoising(PictureTask):
    """Denoising of gray or RGB pictures in [0, 1]; z_0 = y (paper: RGB 512 x 512, sigma 15, 25, 30).

    y is not clipped: its noise is unbiased, with values below 0 and above 1. Poisson noise
    counts photons, y = Poisson(peak_photons x) / peak_photons; the noise level that the methods
    are told is then the root mean square of sqrt(x / peak_photons), estimated from y's mean.
    """

    name: ClassVar[str] = "denoising"
    about: ClassVar[str] = "denoising of pictures, A = I"
    default_image: ClassVar[str] = "astronaut"
    profiles: ClassVar[dict] = {"smoke": dict(size=64), "laptop": dict(size=128), "paper": dict(size=512)}

    sigma: float = setting(25.0, "standard deviation of the Gaussian noise, of 255", low=0, high=255)
    noise: str = setting("gaussian", "kind of noise", choices=("gaussian", "poisson"))
    peak_photons: float = setting(60.0, "photons of a white pixel, for Poisson noise", low=1e-3, high=1e6)

    def idle(self, image):
        """See `Settings.idle`."""
        poisson = self.noise == "poisson"
        unused = unseeded(not self.measured and (poisson or self.sigma))
        if poisson:
            return unused | dict(sigma="the level of Poisson noise follows from peak_photons")
        return unused | dict(peak_photons="they count for noise poisson")

    def observe(self, image, seed=0):
        """Add noise to a picture, or take it as `measured`, and return its `Case`.

        InputError for a bad picture (`natural_truth`), or one of a user's that gets no noise.
        """
        generator, poisson = torch.Generator().manual_seed(seed), self.noise == "poisson"
        picture = natural_truth(self, image, self.size)
        x = to_tensor(picture)
        if not (self.measured or poisson or self.sigma or image.shipped):
            raise InputError(f"sigma 0 adds no noise to {image.name}, so there is none to remove: if the picture is "
                             "noisy already, add --measured")
        if self.measured:
            y = x
        elif poisson:
            y = torch.poisson(self.peak_photons * x, generator=generator) / self.peak_photons
        else:
            y = x + gaussian(x, self.sigma, generator)
        noise_std = (float(y.mean()) / self.peak_photons) ** 0.5 if poisson else self.sigma / 255
        notes = (f"Poisson noise of {self.peak_photons:g} photons in a white pixel: peak_photons sets your camera's",)
        observation = centred(self, Identity(x.shape[1:]), y, noise_std)
        return natural_case(self, image, picture, observation, seed, notes * (self.measured and poisson))
