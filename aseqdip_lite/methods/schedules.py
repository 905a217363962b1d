"""lam and N that change along a run: each a number, or a schedule that reads what training shows.

The paper leaves adaptive lam and N as future work; this is the course's answer. A schedule is a frozen
dataclass with a text form, which the command line takes and which metrics and checkpoints store:

    geometric:first=1,last=64,begin=300,end=1500
    growth:first=1,power=2,begin=white,most=64
    heldout:first=0.25,factor=4,share=0.05              (see `heldout`; "auto" is this one)

After each stage it sees a `Stage`, never the truth, and may write to a plain dictionary that the run's controller
keeps and checkpoints store.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

import torch

from ..case import Observation
from ..settings import InputError, Settings, fields_of, nearest, setting

REGISTRY = {}  #: {name: Schedule class}, filled by `register`
AUTO = "heldout"  #: what `--lam auto` stands for
PASSED = 0.2  #: a curve is past its minimum when it has had no new one for this share of the steps made

#: Weight of the newest input in the moving variance, and the steps before it counts.
ALPHA, WARM_UP = 0.1, 100

DRAWS = 8  #: draws of white noise whose correlation behind A^H is what `whiteness` is measured from


@dataclass(frozen=True)
class Stage:
    """What a schedule may look at after a stage, all of it known in training.

    Attributes:
        observation: the `Observation`.
        step: Adam steps made so far.
        z: the stage's input z_{k-1}; output: the next one, z_k; both (1, C, H, W).
        residual: A f - y of the stage's last step, in the shape of y.
        swap: ||f(z_{k-1}) - z_{k-1}||^2 at the stage's first step.
    """

    observation: Observation
    step: int
    z: torch.Tensor
    output: torch.Tensor
    residual: torch.Tensor
    swap: float


class Schedule(Settings):
    """Base of all schedules: subclasses are frozen dataclasses with a field `first`, the value at first.

    Those that read the run have `next(stage, memory)`, the value of the next stage after this `Stage`, `memory` being
    the schedule's own dictionary of the run. `heldout` has none: `HeldOutController` sets its value.
    """

    name: ClassVar[str] = ""

    def __str__(self):
        return self.name + ":" + ",".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))

    def damping(self, value):
        """What the whole loss is multiplied by while the weight is `value`: 1 unless a subclass says so."""
        return 1.0


def register(cls):
    """Class decorator: add a schedule under its `name`."""
    REGISTRY[cls.name] = cls
    return cls


@register
@dataclass(frozen=True)
class Geometric(Schedule):
    """`first` until step `begin`, then by equal factors per step to `last` at step `end`, and `last` from there on."""

    name: ClassVar[str] = "geometric"

    first: float = setting(1.0, "value at first", above=0.0)
    last: float = setting(64.0, "value at the end", above=0.0)
    begin: int = setting(300, "step at which it begins to change", low=0)
    end: int = setting(1500, "step at which it has changed", low=1)

    def __post_init__(self):
        super().__post_init__()
        if self.end <= self.begin:
            raise InputError(f"a geometric schedule must end after it begins, got begin {self.begin}, end {self.end}")

    def next(self, stage, memory):
        share = min(max((stage.step - self.begin) / (self.end - self.begin), 0.0), 1.0)
        return self.first * (self.last / self.first) ** share


@register
@dataclass(frozen=True)
class Growth(Schedule):
    """`first` until a signal says, at step T, that the image has formed; then first (step / T)^power.

    T is the run's own unit of time, so that one rule serves runs that form their image in 200 steps
    and in 2000. A stage whose residual stands out, by more than `bound` times the least so far,
    does not count as time: while the run is unsteady, the value is kept.

    As the weight of a term, a value above first `most` damps the whole loss so that the term's own weight stays at
    first `most`: at first the term's pull grows, then that of the data fades.
    """

    name: ClassVar[str] = "growth"

    first: float = setting(1.0, "value at first", above=0.0)
    power: float = setting(3.0, "exponent of the growth in the time since the image formed", above=0.0, high=8.0)
    begin: str = setting("white", "the signal that the image has formed, see SIGNALS")
    most: float = setting(16.0, "multiple of the first value above which the loss is damped", low=1.0)
    bound: float = setting(2.0, "the value is held while ||A f - y||^2 is above this many times its least", above=1.0)

    def __post_init__(self):
        super().__post_init__()
        nearest(self.begin, SIGNALS, "signal")

    def next(self, stage, memory):
        data = energy(stage.residual)
        memory["least"] = min(data, memory.get("least", data))
        if "T" not in memory:
            if SIGNALS[self.begin](stage, memory):
                memory["T"] = memory["time"] = stage.step
        elif data <= self.bound * memory["least"]:
            memory["time"] += stage.step - memory["last"]
        memory["last"] = stage.step
        if "T" not in memory:
            return self.first
        return self.first * (memory["time"] / memory["T"]) ** self.power

    def damping(self, value):
        return min(1.0, self.first * self.most / value)


def first(value):
    """The value at first of a number or a schedule."""
    return value.first if isinstance(value, Schedule) else value


def whole(N):
    """Steps of a stage: the whole number from 1 that is nearest to N, or to the value at first of a schedule."""
    return max(1, round(first(N)))


def parse(text):
    """A schedule of its text form, e.g. "growth:first=1,power=2"; settings that are left out have their defaults.

    "auto" is `AUTO`; a schedule is returned as it is. InputError for another form or a value out of its bounds.
    """
    if isinstance(text, Schedule):
        return text
    if not isinstance(text, str):
        raise InputError(f"got {text!r}")
    name, colon, rest = text.partition(":")
    if name == "auto" and colon:
        raise InputError(f"auto takes no settings: write {AUTO}:{rest}".rstrip(":"))
    cls = REGISTRY[AUTO if name == "auto" else nearest(name, [*REGISTRY, "auto"], "schedule")]
    kinds = {field.name: kind for field, kind, _ in fields_of(cls)}
    values = {}
    for part in filter(None, rest.split(",")):
        key, sign, value = (word.strip() for word in part.partition("="))
        nearest(key, kinds, f"setting of the schedule {name}")
        if key in values:
            raise InputError(f"{key} of the schedule {name} is given twice: leave one out")
        try:
            values[key] = kinds[key](value)
        except ValueError:
            raise InputError(f"{key} of the schedule {name} must be of type {kinds[key].__name__}, got '{value}'"
                             ) from None
    return cls(**values)


# Signals: functions of a stage and a memory that are True once the image has formed.


def white(stage, memory):
    """The residual is no longer smoother than white noise: what is left to fit looks like noise. Needs no level."""
    if "white" not in memory:
        memory["white"] = correlation_of_noise(stage.observation)
    memory["whiteness"] = lag_one(as_picture(stage.observation, stage.residual)) - memory["white"]
    return memory["whiteness"] <= 0


def discrepancy(stage, memory):
    """||A f - y||^2 is at most the energy of the noise; needs the noise level, and is never True without."""
    expected = stage.observation.noise_energy
    return expected is not None and energy(stage.residual) <= expected


def swap(stage, memory):
    """The swap of the input changes the output less and less while the image forms; True past its minimum."""
    return past_minimum("swap", stage.swap, stage.step, memory)


def motion(stage, memory):
    """True past the minimum of ||z_k - z_{k-1}||^2, the distance that the input moves in a stage."""
    return past_minimum("motion", energy(stage.output - stage.z), stage.step, memory)


def variance(stage, memory):
    """True past the minimum of the exponential moving variance of the inputs z_k (see `run.stopping`)."""
    mean = memory.setdefault("mean", stage.z)
    gap = stage.output - mean
    memory["mean"] = mean + ALPHA * gap
    memory["spread"] = (1 - ALPHA) * (memory.get("spread", 0.0) + ALPHA * energy(gap))
    return stage.step > WARM_UP and past_minimum("variance", memory["spread"], stage.step, memory)


SIGNALS = dict(white=white, discrepancy=discrepancy, swap=swap, motion=motion, variance=variance)


def past_minimum(name, value, step, memory):
    """Whether `value` has had no new minimum for a share `PASSED` of the steps made."""
    best, at = memory.get(name, (float("inf"), 0))
    if value < best:
        best, at = value, step
    memory[name] = (best, at)
    return step - at > PASSED * step


def energy(x):
    """||x||^2 of a real or complex tensor, as a number."""
    return float(torch.linalg.vector_norm(x)) ** 2


def as_picture(observation, residual):
    """A residual where neighbours are neighbours: k-space (complex) through A^H as an image, all else as it is."""
    return observation.A.adjoint(residual) if observation.y.is_complex() else residual


def lag_one(x):
    """Correlation of (1, C, H, W) with itself one row down and one column across, the mean of the two; in [-1, 1]."""
    pairs = ((x[..., 1:, :], x[..., :-1, :]), (x[..., :, 1:], x[..., :, :-1]))
    return float(sum((a.conj() * b).real.sum() for a, b in pairs) / (2 * x.abs().square().sum()))


def correlation_of_noise(observation):
    """What `lag_one` is for white noise instead of a residual: 0 for pictures; not so for k-space behind A^H."""
    y = observation.y
    if not y.is_complex():
        return 0.0
    generator = torch.Generator().manual_seed(0)  # measures the operator, so that it is the same for all seeds
    draws = (torch.randn(y.shape, generator=generator, dtype=y.dtype).to(y.device) for _ in range(DRAWS))
    return sum(lag_one(as_picture(observation, noise)) for noise in draws) / DRAWS
