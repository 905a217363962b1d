"""Rethinking-DIP: denoising by an unbiased estimate of the error (Jo, Chun and Choi, ICCV 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from .. import networks
from ..settings import InputError, setting
from . import register
from .base import AverageCarry, Method, State, descend, detached, network_setting, precision_setting, square_norm


@register
@dataclass(frozen=True)
class RethinkingDIP(Method):
    """Rethinking-DIP: the noisy image y is the input, and Stein's unbiased risk estimate is the loss.

        L(phi) = ||f_phi(y) - y||^2 / n + (2 sigma^2 / n) div_y f_phi(y) - sigma^2

    Its expectation over the noise is the mean squared error to the truth. One random direction b per step estimates the
    divergence, b^T J b with E b b^T = I and J the Jacobian of f_phi at y. Where the estimate falls below 0 it has been
    fitted to the noise, and the run ends. sigma must be known. The answer is the moving average of the outputs.

    Published setting: RAdam, lr 0.1 times 0.9 every 300 steps, 3000 steps, a moving average with factor 0.99, fresh
    noise added to the input at each step. Ours adds no noise, has its learning rate from a search of equal budget, and
    a shorter average, since runs end within some hundred steps. A step costs a second derivative, about two further
    passes.
    """

    name: ClassVar[str] = "rethinking_dip"
    about: ClassVar[str] = "denoising by Stein's unbiased risk estimate, stops where it crosses zero (ICCV 2021)"
    tasks: ClassVar[tuple[str, ...]] = ("denoising",)
    limit: ClassVar[str] = "its estimate of the risk holds for A = I"
    gradients: ClassVar[int] = 2  # one to the input for the divergence, one through both to the weights

    steps: int = setting(2000, "Adam steps", low=1)
    lr: float = setting(0.01, "learning rate of RAdam at the first step", above=0.0)
    decay: float = setting(0.9, "factor of the learning rate every 300 steps", above=0.0, high=1.0)
    ema: float = setting(0.9, "factor of the moving average of the outputs", low=0.0, below=1.0)
    network: str = network_setting()
    precision: str = precision_setting()

    def init(self, observation, seed, z0=None):
        """Network drawn from `seed`; input y, or z0. InputError if the noise level is not known."""
        if observation.noise_std is None:
            raise InputError("rethinking_dip needs the noise level, which is not known here: use es_dip")
        generator = torch.Generator().manual_seed(seed)
        z = (observation.start if z0 is None else z0).detach().clone()
        network = networks.build(self.network, observation.start, generator, precision=self.precision)
        return AverageCarry(network, torch.optim.RAdam(network.parameters(), lr=self.lr), z, generator)

    def step(self, observation, carry):
        """One RAdam step on the estimate; the end, where it is below 0. Returns a `State`."""
        z, n = carry.z.requires_grad_(), observation.y.numel()
        output = carry.network(z) if carry.output is None else carry.output
        data = square_norm(observation.A(output) - observation.y)
        divergence = probed_divergence(output, z, carry.generator)
        loss = (data + 2 * observation.noise_std**2 * divergence) / n - observation.noise_std**2
        terms = dict(loss=loss, data=data, divergence=divergence)
        if loss < 0:
            carry.done, carry.step, carry.output = True, carry.step + 1, None
            return State(carry.step, output.detach(), detached(terms), carry, average=carry.average)
        for group in carry.optimizer.param_groups:
            group["lr"] = self.lr * self.decay ** (carry.step // 300)
        terms = descend(carry, loss, terms)
        z.grad = None  # the input is not learned
        carry.output = carry.network(z)
        image = carry.output.detach()
        carry.update_average(image, self.ema)
        return State(carry.step, image, terms, carry, average=carry.average)


def probed_divergence(output, z, generator):
    """b^T J b for one standard normal b, an unbiased estimate of div_z f = trace J; differentiable in the weights.

    output: f(z) with its graph, (1, C, H, W) real; z: of the same shape, requires a gradient.
    """
    b = torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
    pulled, = torch.autograd.grad(output, z, b, create_graph=True)  # J^T b
    return (b * pulled).sum()
