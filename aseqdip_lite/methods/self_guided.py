"""Self-Guided Deep Image Prior (Liang, Bell, Qu, Wang, Ravishankar; arXiv 2402.04097): the input is learned too."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..settings import setting
from . import register
from .base import AverageCarry, Method, State, descend, network_setting, precision_setting, square_norm, start_network


@dataclass
class SelfGuidedCarry(AverageCarry):
    """An `AverageCarry` whose input z is a variable with an optimiser of its own.

    Attributes:
        z_optimizer: Adam over z; it refers to z itself, so z only ever changes in place.
        drawn: state of the generator before the draws of eta behind the kept `output`.
    """

    z_optimizer: torch.optim.Optimizer | None = None
    drawn: torch.Tensor | None = None

    def state_dict(self):
        """As in `Carry`, with the generator as it was before eta was drawn: `output` is drawn again from there."""
        generator = self.generator.get_state() if self.output is None else self.drawn
        return super().state_dict() | dict(generator=generator)

    def load_state_dict(self, state):
        z = self.z
        super().load_state_dict(state)
        with torch.no_grad():
            z.copy_(self.z)
        self.z = z


@register
@dataclass(frozen=True)
class SelfGuided(Method):
    """Self-Guided DIP: Adam on the weights phi and on the input z at once, on

        ||A E[f_phi(z + eta)] - y||^2 + alpha ||E[f_phi(z + eta)] - z||^2       (Eq. 2 of the aSeqDIP paper)

    with E the mean over `draws` draws of eta, fresh at each step. The raw output is E[f_phi(z + eta)] after the step;
    the answer is its moving average, which starts at the first output and trails by about 1 / (1 - ema) steps.

    Published setting: alpha 2, learning rates 3e-4 (phi) and 0.1 (z), 3 draws, average with factor 0.99, a U-Net of
    five poolings, z uniform on [0, 1) at the start. Each draw is a pass of its own, since BatchNorm would mix the
    images of a batch: a step costs `draws` forward and backward passes, those to the input included.

    eta is uniform on [0, max|z| / 2), drawn for real and imaginary part alike where z is complex; no gradient runs
    through its size. The released code has no squares, and takes the largest entry of z's real channels for max|z|:
    equal for real images that are nowhere very negative, but it changes when the phase of the whole image turns.
    """

    name: ClassVar[str] = "self_guided"
    about: ClassVar[str] = "self-guided DIP: weights and input are learned, with a denoising term (2024)"

    steps: int = setting(2000, "Adam steps", low=1)
    alpha: float = setting(2.0, "weight of the denoising term", low=0.0)
    lr: float = setting(3e-4, "learning rate of Adam on the weights", above=0.0)
    z_lr: float = setting(0.1, "learning rate of Adam on the input", above=0.0)
    draws: int = setting(3, "draws of the input noise in each step", low=1, high=100)
    ema: float = setting(0.99, "factor of the moving average of the outputs", low=0.0, below=1.0)
    network: str = network_setting()
    precision: str = precision_setting()

    @property
    def gradients(self):
        return self.draws

    def init(self, observation, seed, z0=None):
        """Network, then a uniform input, drawn from `seed`; z0 replaces the uniform input by a given image."""
        start = start_network(observation, observation.start, self, seed)
        z = uniform_like(observation.start, start.generator) if z0 is None else z0.detach().clone()
        z.requires_grad_()
        return SelfGuidedCarry(start.network, start.optimizer, z, start.generator,
                               z_optimizer=type(start.optimizer)([z], lr=self.z_lr))

    def step(self, observation, carry):
        """One Adam step on weights and input. Returns a `State`."""
        output = self.expect(carry) if carry.output is None else carry.output
        data = square_norm(observation.A(output) - observation.y)
        denoising = square_norm(output - carry.z)
        loss = data + self.alpha * denoising
        carry.z_optimizer.zero_grad()
        terms = descend(carry, loss, dict(loss=loss, data=data, denoising=denoising))
        carry.z_optimizer.step()
        carry.output = self.expect(carry)
        image = carry.output.detach()
        carry.update_average(image, self.ema)
        return State(carry.step, image, terms, carry, average=carry.average)

    def expect(self, carry):
        """E[f_phi(z + eta)] over fresh draws of eta, (1, C, H, W), differentiable in phi and z."""
        carry.drawn = carry.generator.get_state()
        reach = carry.z.detach().abs().max() / 2
        return sum(carry.network(carry.z + reach * uniform_like(carry.z, carry.generator))
                   for _ in range(self.draws)) / self.draws


def uniform_like(image, generator):
    """Uniform numbers on [0, 1) in the shape, kind and device of an image, drawn on the CPU."""
    parts = [torch.rand(image.shape, generator=generator, dtype=image.real.dtype)
             for _ in range(2 if image.is_complex() else 1)]
    return (torch.complex(*parts) if image.is_complex() else parts[0]).to(image.device)
