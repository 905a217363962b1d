"""Classic reconstructions of MRI, and the base of all methods that are done in one step."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from ..settings import setting
from . import register
from .base import Method, State


@dataclass
class Solved:
    """Carry of a method that is done in one step."""

    step: int = 0
    done: bool = False  # its budget ends it

    def state_dict(self):
        return dict(step=self.step)

    def load_state_dict(self, state):
        self.step = state["step"]


@dataclass(frozen=True)
class Classic(Method):
    """Base of the classic methods: one step that solves; subclasses define `solve(observation)`."""

    tasks: ClassVar[tuple[str, ...] | None] = ("mri",)
    steps: ClassVar[int] = 1
    budget: ClassVar[str] = ""
    gradients: ClassVar[int] = 0

    def with_steps(self, steps):
        """Solvers take `steps` as their iterations; direct methods have none and stay as they are."""
        return replace(self, iterations=steps) if hasattr(self, "iterations") else self

    def init(self, observation, seed, z0=None):
        return Solved()

    def step(self, observation, carry):
        """Solve; the image is the answer, the one term ||A x - y||^2."""
        image = self.solve(observation)
        carry.step = 1
        data = (observation.A(image) - observation.y).abs().square().sum()
        return State(1, image, dict(data=float(data)), carry)


@register
@dataclass(frozen=True)
class ZeroFilled(Classic):
    """The adjoint A^H y: what was not measured counts as zero."""

    name: ClassVar[str] = "zero_filled"
    about: ClassVar[str] = "the adjoint A^H y, unmeasured k-space set to zero"

    def solve(self, observation):
        return observation.start


@register
@dataclass(frozen=True)
class Sense(Classic):
    """SENSE: min 1/2 ||A x - y||^2 + lamda/2 ||x||^2 by conjugate gradients (Pruessmann et al., MRM 1999; sigpy)."""

    name: ClassVar[str] = "sense"
    about: ClassVar[str] = "regularised least squares by conjugate gradients"

    lamda: float = setting(0.01, "weight of ||x||^2", low=0.0)
    iterations: int = setting(30, "conjugate gradient iterations", low=1)

    def solve(self, observation):
        from sigpy.mri.app import SenseRecon
        A, y = observation.A, observation.y
        image = SenseRecon(y[0].cpu().numpy(), A.sens_maps.cpu().numpy(), self.lamda,
                           weights=A.mask.expand(A.in_shape[1:]).cpu().numpy(), max_iter=self.iterations,
                           tol=1e-6 * float(observation.start.norm()),  # sigpy diverges beyond single precision
                           show_pbar=False).run()
        return torch.from_numpy(np.asarray(image, dtype=np.complex64))[None, None].to(y.device)


@register
@dataclass(frozen=True)
class L1Wavelet(Classic):
    """L1-wavelet SENSE: min 1/2 ||A x - y||^2 + lamda ||W x||_1, W Daubechies-4 (Lustig et al., MRM 2007).

    FISTA (Beck and Teboulle, 2009), whose steps of length 1 suit ||A|| <= 1; with `fixed_grid` it finds that minimum.
    By default the image is shifted circularly by a random number of pixels before each shrinkage of the coefficients,
    and shifted back after it: no grid of wavelets is favoured, and the blocks that a fixed one leaves average out
    (cycle spinning, Coifman and Donoho, 1995; with random shifts Figueiredo and Nowak, 2003, and BART). No fixed
    objective is minimised then.
    """

    name: ClassVar[str] = "l1_wavelet"
    about: ClassVar[str] = "compressed sensing with an L1 penalty on cycle-spun wavelet coefficients"

    lamda: float = setting(1e-3, "weight of the L1 norm, in units where the image peaks near 1", low=0.0)
    iterations: int = setting(100, "accelerated proximal gradient iterations", low=1)
    fixed_grid: bool = setting(False, "keep one grid of wavelets instead of shifting the image at random")

    def solve(self, observation):
        from sigpy.linop import Wavelet

        A, y = observation.A, observation.y
        W = Wavelet(A.in_shape[1:], wave_name="db4")
        generator = torch.Generator().manual_seed(0)
        x = ahead = observation.start  # (1, 1, H, W) complex
        t = 1.0
        for _ in range(self.iterations):
            shift = [0 if self.fixed_grid else int(torch.randint(side, (), generator=generator))
                     for side in A.in_shape[1:]]
            last, x = x, shrink(W, ahead - A.adjoint(A(ahead) - y), self.lamda, shift)
            t_last, t = t, (1 + (1 + 4 * t**2) ** 0.5) / 2
            ahead = x + (t_last - 1) / t * (x - last)
        return x


def shrink(W, x, lamda, shift):
    """T^-1 W^H soft(W T x), T a circular shift by (rows, columns): the proximal step of lamda ||W T x||_1.

    soft(c) = c max(1 - lamda / |c|, 0) takes lamda off each coefficient's magnitude.

    Args:
        W: sigpy's Wavelet of images (H, W), with W^H W = I; x: (1, 1, H, W) complex.
    """
    coefficients = W(torch.roll(x, shift, (-2, -1))[0, 0].cpu().numpy())
    size = np.abs(coefficients)
    kept = np.divide(np.maximum(size - lamda, 0), size, out=np.zeros_like(size), where=size > 0)
    image = torch.from_numpy(W.H(kept * coefficients)).to(x)[None, None]  # (1, 1, H, W)
    return torch.roll(image, [-by for by in shift], (-2, -1))
