"""What every method shares: the carry that is stepped, the state that is shown, the Adam step."""

import copy
import inspect
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch

from .. import networks
from ..settings import Settings, setting
from .cuda_graphs import Graphs


@dataclass
class Carry:
    """All that changes while a method runs: a checkpoint of it continues the run bit for bit.

    Attributes:
        network, optimizer: f_phi and its one Adam object.
        z: the network's input (1, C, H, W).
        generator: the run's own random numbers.
        step: Adam steps made so far.
        output: f_phi(z) with its graph, if it is already computed for the next step.
        done: whether the method has ended its run by a rule of its own, before the budget.
        replays: whether a GPU may record steps and replay them (`cuda_graphs`); graphs: the recording, once made.
    """

    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    z: torch.Tensor
    generator: torch.Generator
    step: int = 0
    output: torch.Tensor | None = None
    done: bool = False
    replays: bool = False
    graphs: Graphs | None = None

    #: Fields that a checkpoint leaves out, since settings, weights and z determine them.
    MADE_AGAIN: ClassVar = ("output", "replays", "graphs")

    @property
    def saved(self):
        """{name: value} of the fields that a checkpoint stores, with those that a subclass adds."""
        return {name: part for name, part in vars(self).items() if name not in self.MADE_AGAIN}

    def state_dict(self):
        """Tensors, numbers and dictionaries only, so that it loads with weights_only=True."""
        state = {name: part.state_dict() if hasattr(part, "state_dict") else part for name, part in self.saved.items()}
        state |= {name: moments(part) for name, part in self.saved.items() if isinstance(part, torch.optim.Optimizer)}
        return state | dict(z=self.z.detach(), generator=self.generator.get_state())

    def load_state_dict(self, state):
        """Take over a copy of a `state_dict`; the next step is the one that the saved run would have made."""
        device = self.z.device
        for name, part in self.saved.items():
            if isinstance(part, torch.Generator):
                part.set_state(state[name].cpu())
            elif isinstance(part, torch.optim.Optimizer):
                load_moments(part, state[name])
            elif hasattr(part, "load_state_dict"):
                part.load_state_dict(copy.deepcopy(state[name]))
            elif isinstance(state[name], torch.Tensor):
                setattr(self, name, state[name].to(device, copy=True))
            else:
                setattr(self, name, state[name])
        self.output = self.graphs = None  # a recording holds the moments that have just been replaced


@dataclass
class AverageCarry(Carry):
    """A `Carry` with an exponential moving average of the outputs, None before the first step."""

    average: torch.Tensor | None = None

    def update_average(self, image, factor):
        """average <- factor average + (1 - factor) image; it starts at the first image."""
        self.average = image if self.average is None else torch.lerp(image, self.average, factor)


@dataclass(frozen=True)
class State:
    """What one step shows.

    Attributes:
        step: Adam steps made (1 for the first state).
        stage: outer stage k of sequential methods, from 1; 0 otherwise.
        image: raw output (1, C, H, W) under the weights after this step, in the units of y.
        terms: the loss and its terms at which this step took its gradient. A scalar on a GPU makes its reader wait.
        carry: the method's carry, to inspect or to continue from.
        average: what the method would return now where that is not the raw output, e.g. a running average; else None.
        deviation: standard deviation of each pixel of `average`, (1, C, H, W) real, for methods that sample.
    """

    step: int
    image: torch.Tensor
    terms: dict[str, float | torch.Tensor]
    carry: Any
    stage: int = 0
    average: torch.Tensor | None = None
    deviation: torch.Tensor | None = None

    @cached_property
    def losses(self):
        """`terms` as plain numbers."""
        return {name: float(term) for name, term in self.terms.items()}

    @property
    def estimate(self):
        """What the method would return now: its average if it keeps one, else the raw output."""
        return self.image if self.average is None else self.average

    @property
    def is_finite(self):
        """Whether losses, image and estimate are finite; the engine ends a run where they are not."""
        images = [self.image] if self.average is None else [self.image, self.average]
        return math.isfinite(sum(self.losses.values())) and all(bool(image.isfinite().all()) for image in images)


@dataclass(frozen=True)
class Method(Settings):
    """Base of all methods. Subclasses define `steps`, `init` and `step`.

    Class attributes: `name`, `about` (one line), `tasks` (names, or None for all), `limit` (a clause: why it is defined
    for no others), `budget` (the field that says when to end), `planned` (whether all steps depend on the budget; if
    none does, a resumed run may raise it), `trained` (whether it uses networks that were trained on other images),
    `gradients` (those through the network that a step takes, by which to compare the cost of methods).
    """

    name: ClassVar[str] = ""
    about: ClassVar[str] = ""
    tasks: ClassVar[tuple[str, ...] | None] = None
    limit: ClassVar[str] = ""
    budget: ClassVar[str] = "steps"
    planned: ClassVar[bool] = False
    trained: ClassVar[bool] = False
    gradients: ClassVar[int] = 1

    def with_steps(self, steps):
        """The same method with a budget of `steps` Adam steps."""
        return replace(self, steps=steps)

    def check_image(self, name):
        """InputError if the method cannot honestly be run on the image of this name."""

    def suited(self, observation):
        """The method as it runs on this observation, with the settings that depend on it; InputError if there is none.
        """
        return self

    def remarks(self, observation, steps):
        """What a reader of the result of so many steps on this observation must know about the method: sentences."""
        return ()


def network_setting():
    """The setting `network` of every method with a U-Net."""
    return setting("lite", "preset of the U-Net; lite-half is quicker, and aseqdip has its own defaults for it",
                   choices=tuple(networks.PRESETS))


def precision_setting():
    """The setting `precision` of every method with a network; not printed: it says how, not what."""
    return setting("float32", "what the network computes in; bfloat16 is quicker on CPUs with AMX, AMD CPUs with "
                   "AVX512-BF16 and for wide networks on GPUs, and slower on other CPUs", choices=networks.PRECISIONS,
                   repr=False)


@dataclass(frozen=True)
class FixedInput(Method):
    """Base of the methods that fit a network at a fixed input z; subclasses define `init`."""

    steps: int = setting(2000, "Adam steps", low=1)
    lr: float = setting(1e-3, "learning rate of Adam", above=0.0)
    precision: str = precision_setting()

    def step(self, observation, carry):
        """One Adam step on the objective. Returns a `State`."""
        _, terms = advance(carry, lambda output, z: self.objective(observation, output))
        self.disturb(carry)
        carry.output = forward(carry)
        return State(carry.step, carry.output.detach(), terms, carry)

    def objective(self, observation, output):
        """What is minimised, and the terms to show, {"loss": it, "data": ||A output - y||^2, ...}: scalars."""
        data = square_norm(observation.A(output) - observation.y)
        return data, dict(loss=data, data=data)

    def disturb(self, carry):
        """Change the weights after an Adam step; by default leave them."""


def start_network(observation, z, method, seed, c_in=None):
    """A `Carry` with the method's network, drawn from `seed` for the observation's image, its Adam and input z."""
    generator = torch.Generator().manual_seed(seed)
    network = networks.build(method.network, observation.start, generator, c_in=c_in, precision=method.precision)
    return Carry(network, adam(network, method.lr), z, generator, replays=observation.A.replays)


class Adam(torch.optim.Adam):
    """PyTorch's Adam without its wrappers for torch.compile, whose import is half of what a process needs to start."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


def adam(network, lr):
    """A fused Adam on the network's weights; on a GPU it counts its steps there, so that it can be replayed."""
    weights = list(network.parameters())
    return Adam(weights, lr=lr, fused=True, capturable=weights[0].is_cuda)


def moments(optimizer):
    """What an optimiser remembers, {number of a weight: {"step", "exp_avg", "exp_avg_sq"}}, without its settings."""
    return optimizer.state_dict()["state"]


def load_moments(optimizer, state):
    """Take over a copy of what another run's optimiser remembers; the settings stay, they are those of the method."""
    optimizer.load_state_dict(dict(state=copy.deepcopy(state),  # else it would share the tensors
                                   param_groups=optimizer.state_dict()["param_groups"]))


def forward(carry):
    """f_phi(z) under the present weights, (1, C, H, W)."""
    return carry.network(carry.z) if carry.graphs is None else carry.graphs.forward(carry.z)


def advance(carry, objective):
    """One Adam step on an objective: the output at which it took the gradient, and the terms without their graph.

    On a GPU a carry that `replays` records its second step and replays it from then on. The objective must then read
    nothing that changes but output and z.

    objective: function of f_phi(z) and z that returns a scalar to minimise, with its graph, and {name: scalar} to show.
    """
    if carry.replays and carry.graphs is None and carry.z.is_cuda and carry.optimizer.state:
        carry.output = None  # its graph would tie the recording to the stream that it was made on
        carry.graphs = Graphs(carry.network, carry.optimizer, carry.z, objective)
    output = forward(carry) if carry.output is None else carry.output
    if carry.graphs is None:
        loss, terms = objective(output, carry.z)
        return output.detach(), descend(carry, loss, terms)
    carry.step, carry.output = carry.step + 1, None
    return output, carry.graphs.descend()


def descend(carry, loss, terms):
    """One Adam step on a scalar loss; drops the old weights' kept output. Returns the terms without their graph."""
    carry.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    carry.optimizer.step()
    carry.step += 1
    carry.output = None
    return detached(terms)


def detached(terms):
    """The same dictionary of scalars without their graph."""
    return {name: term.detach() for name, term in terms.items()}


def square_norm(x):
    """||x||^2, the sum of squared magnitudes, for real and complex tensors; differentiable.

    It sums rows first: of up to 32768 rows PyTorch adds in an order that does not depend on the threads.
    """
    x = torch.view_as_real(x).flatten(-2) if x.is_complex() else x  # (..., W) complex -> (..., 2W) real
    return x.square().sum(-1).sum()
