"""Plug-and-play: any method of denoising as the prior of any linear task."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..case import Observation
from ..learned.sampling import least_squares
from ..operators import Identity
from ..operators.ct import CTOperator
from ..settings import setting
from . import configure, register
from .classic import Classic

LEAST_STD = 0.02  #: noise level that the denoiser is told where the data have none or it is not known
CG_STEPS = 10  #: conjugate gradient steps of each least-squares problem, from the last image


@register
@dataclass(frozen=True)
class PnP(Classic):
    """Plug-and-play ADMM (Venkatakrishnan, Bouman and Wohlberg, GlobalSIP 2013) with a denoiser D:

        x <- argmin 1/2 ||A x - y||^2 + rho/2 ||x - (v - u)||^2,   v <- D(x + u),   u <- u + x - v.

    At a fixed point v = D(v + A^H (y - A v) / rho). Where D is the proximal step of a penalty R, that is the minimum of
    1/2 ||A x - y||^2 + rho R(x); NLM and BM3D are no such steps, and need not converge: `iterations` is then part
    of the method. The last v is the answer. Real and imaginary part are denoised as two channels. In CT, v is kept at
    or above 0, as attenuation is.
    """

    name: ClassVar[str] = "pnp"
    about: ClassVar[str] = "plug-and-play: a denoiser as the prior, by ADMM"
    tasks: ClassVar[tuple[str, ...]] = ("mri", "ct", "denoising", "inpainting")
    limit: ClassVar[str] = "its least-squares problems need a linear A"

    denoiser: str = setting("nlm", "method of denoising that is plugged in, with its defaults",
                            choices=("nlm", "tv", "bm3d"))
    denoiser_std: float | None = setting(None, "noise level that the denoiser is told, in units where the image is of "
                                         f"size about 1; by default that of y, at least {LEAST_STD}", above=0.0)
    rho: float = setting(1.0, "weight of the denoised image in each least-squares problem", above=0.0)
    iterations: int = setting(20, "ADMM iterations", low=1)

    def solve(self, observation):
        std = self.denoiser_std or max(observation.noise_std or 0.0, LEAST_STD)
        method = configure(self.denoiser, "denoising")
        is_attenuation = isinstance(observation.A, CTOperator)

        def denoise(x):
            channels = torch.view_as_real(x[:, 0]).movedim(-1, 1) if x.is_complex() else x  # (1, 2 or C, H, W)
            denoised = method.solve(Observation(Identity(channels.shape[1:]), channels, channels, noise_std=std))
            if x.is_complex():
                return torch.view_as_complex(denoised.movedim(1, -1).contiguous())[:, None]
            return denoised.clamp(min=0) if is_attenuation else denoised

        return admm(observation, denoise, self.rho, self.iterations)


def admm(observation, denoise, rho, iterations):
    """The last v of plug-and-play ADMM, (1, *A.in_shape), from v = z_0; `denoise` maps such an image to another."""
    A, y = observation.A, observation.y
    x = v = observation.start
    u = torch.zeros_like(v)
    for _ in range(iterations):
        near = v - u
        x = near + least_squares(A, y - A(near), CG_STEPS, rho, start=x - near)
        v = denoise(x + u)
        u = u + x - v
    return v
