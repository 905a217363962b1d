"""What every method shares: the carry that is stepped, the state that is shown, the Adam step."""

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch

from .. import networks
from ..settings import Settings


@dataclass
class Carry:
    """All that changes while a method runs, and all that a checkpoint needs to go on bit for bit.

    Attributes:
        network, optimizer: f_phi and its one Adam object.
        z: the network's input (1, C, H, W).
        generator: the run's own random numbers.
        step: Adam steps made so far; stage k and inner index i follow from it.
        output: f_phi(z) with its graph, kept for the next step if it is already computed.
    """

    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    z: torch.Tensor
    generator: torch.Generator
    step: int = 0
    output: torch.Tensor | None = None

    def state_dict(self):
        """Tensors, numbers and dictionaries only, so that it loads with weights_only=True.

        `output` is left out: it is recomputed from the same weights and the same z.
        """
        return dict(network=self.network.state_dict(), optimizer=self.optimizer.state_dict(), z=self.z,
                    generator=self.generator.get_state(), step=self.step)

    def load_state_dict(self, state):
        """Take over a copy of a `state_dict`; the next step is the one that the saved run would have made."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))  # torch would share the moments
        self.z, self.step, self.output = state["z"].to(self.z.device, copy=True), state["step"], None
        self.generator.set_state(state["generator"].cpu())


@dataclass(frozen=True)
class State:
    """What one step shows.

    Attributes:
        step: Adam steps made (1 for the first state).
        stage: outer stage k of sequential methods, from 1; 0 otherwise.
        image: raw output (1, C, H, W) under the weights after this step, in the units of y.
        losses: the loss and its terms at which this step took its gradient.
        carry: the method's carry, to look into or to go on from.
        average: a running average of the outputs, for methods whose answer is one.
    """

    step: int
    image: torch.Tensor
    losses: dict[str, float]
    carry: Any
    stage: int = 0
    average: torch.Tensor | None = field(default=None)

    @property
    def estimate(self):
        """What the method would return now: its average if it keeps one, else the raw output."""
        return self.image if self.average is None else self.average

    @property
    def is_finite(self):
        """Whether losses and estimate hold finite numbers only; a run that does not is ended."""
        return math.isfinite(sum(self.losses.values())) and bool(self.estimate.isfinite().all())


@dataclass(frozen=True)
class Method(Settings):
    """Base of all methods. Subclasses define `steps`, `init` and `step`.

    Class attributes: `name`, `about` (one line), `tasks` (names, or None for all), `budget` (the
    field that only says when to end, so that a run may be resumed with more of it).
    """

    name: ClassVar[str] = ""
    about: ClassVar[str] = ""
    tasks: ClassVar[tuple[str, ...] | None] = None
    budget: ClassVar[str] = "steps"

    def with_steps(self, steps):
        """The same method with a budget of `steps` Adam steps."""
        return replace(self, steps=steps)


def start_network(observation, z, preset, lr, generator, c_in=None):
    """Carry with a network initialised for the observation's image, a fused Adam and input z."""
    network = networks.build(preset, observation.start, generator, c_in=c_in)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    return Carry(network, optimizer, z, generator)


def descend(carry, loss):
    """One Adam step on a scalar loss; the kept output belongs to the old weights and is dropped."""
    carry.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    carry.optimizer.step()
    carry.step += 1
    carry.output = None


def square_norm(x):
    """||x||^2, the sum of squared magnitudes, for real and complex tensors; differentiable."""
    return torch.view_as_real(x).square().sum() if x.is_complex() else x.square().sum()
