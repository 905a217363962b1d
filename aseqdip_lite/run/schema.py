"""What a checkpoint may contain: each field with its kind, shape, dtype and bounds; it is copied before it is used.

A file that loads without pickle may still be wrong in every field. So nothing of it is taken as it is: `conform` checks
a part against a pattern and returns a copy of it, tensors in memory of their own.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..tensors import copied

MOST_TEXT = 300  #: longest accepted text
MOST_COLUMNS = 50  #: most columns of a curve, and most packages whose versions are named
MOST_STRETCHES = 10_000  #: most times that a run was gone on with


@dataclass(frozen=True)
class Maybe:
    """Nothing, which is None or {} as `nothing` says, or what matches the pattern."""

    pattern: Any
    nothing: type = type(None)


@dataclass(frozen=True)
class Each:
    """A list of at most `most` parts, each of the pattern."""

    pattern: Any
    most: int


@dataclass(frozen=True)
class Some:
    """A dictionary with some of the keys of `parts`; or, where that is a pattern, of at most `most` texts to it."""

    parts: Any
    most: int = MOST_COLUMNS


@dataclass(frozen=True)
class Count:
    """A whole number from 0 to `most`."""

    most: int


@dataclass(frozen=True)
class Number:
    """A real number, or a tensor of one; finite unless it says otherwise."""

    low: float = -math.inf
    finite: bool = True


def pattern_of(carry, recorder, steps):
    """The pattern of a run's state: what `Carry.state_dict` and `Recorder.state_dict` give within `steps` steps.

    Args:
        carry, recorder: of a run of the same settings that has just begun.
    """
    image = recorder.case.observation.start
    count, number, any_number = Count(steps), Number(), Number(finite=False)
    vector = torch.view_as_real(image).flatten() if image.is_complex() else image.flatten()
    picture, real = Maybe(image), Maybe(image.abs())

    def moments(optimizer):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        whole = {index: dict(step=number, exp_avg=weight.detach(), exp_avg_sq=weight.detach())
                 for index, weight in enumerate(weights)}
        return Maybe(whole, dict)  # nothing before the first step

    def rule(one):
        """Of a stopping rule: what it was told stays equal, what it gathers is bounded."""
        total = Maybe(vector.double())
        gathered = dict(value=any_number, best=any_number, best_step=count, count=count, squares=number, total=total,
                        ring=Each(vector, getattr(one, "window", 0)), variance=number, mean=total)
        return {name: gathered.get(name, value) for name, value in one.state_dict().items()}

    def controller(one):
        pair = (any_number, count)
        remembered = {name: pair for name in ("swap", "motion", "variance")} | dict(mean=image) | dict.fromkeys(
            ("least", "white", "whiteness", "time", "last", "T", "spread"), number)
        best = dict(risk=number, step=count, average=image, z=image, network=carry.network.state_dict(),
                    optimizer=moments(carry.optimizer))
        fixed = [isinstance(given, (int, float)) for given in one.settings]  # else it follows a schedule
        parts = dict(lam=one.lam if fixed[0] else Number(low=0), N=one.N if fixed[1] else Count(2**31),
                     memory=dict.fromkeys(one.memory, Some(remembered)),
                     average=picture, risk=number, best=Maybe(best), since=count)
        return {name: parts[name] for name in one.state_dict()}

    fields = dict(network=lambda: carry.network.state_dict(), optimizer=lambda: moments(carry.optimizer),
                  z_optimizer=lambda: moments(carry.z_optimizer), z=lambda: carry.z.detach(),
                  generator=lambda: carry.generator.get_state(), drawn=lambda: Maybe(carry.generator.get_state()),
                  controller=lambda: controller(carry.controller), rule=lambda: rule(carry.rule), step=lambda: count,
                  stage=lambda: count, inner=lambda: count, count=lambda: count, done=lambda: bool, swap=lambda: number,
                  average=lambda: picture, pick=lambda: picture, mean=lambda: picture, scatter=lambda: real)
    return dict(carry={name: fields[name]() for name in carry.state_dict()},
                recorder=dict(images=dict.fromkeys(recorder.images, picture), deviation=real, flat=count,
                              at=Some(dict.fromkeys(recorder.images, count)), curve=Some(Each(any_number, steps)),
                              oracle_psnr=any_number, rules={name: rule(one) for name, one in recorder.rules.items()}),
                seconds=Number(low=0), ended=bool,
                stretches=Each(dict(first=count, device=str, hardware=str, threads=Count(2**16),
                                    versions=Some(Maybe(str)), deterministic=bool,
                                    peak_memory_mib=Maybe(Number(low=0))), MOST_STRETCHES))


def conform(value, pattern, name=""):
    """A copy of `value`, tensors in fresh memory, if it matches the pattern; else ValueError names the part."""
    def need(holds, what):
        if not holds:
            raise ValueError(f"{name or 'the state'} must be {what}")

    match pattern:
        case torch.Tensor():
            return copied(value, pattern, need)
        case Maybe():
            nothing = type(value) is pattern.nothing and not value
            return pattern.nothing() if nothing else conform(value, pattern.pattern, name)
        case Each():
            need(isinstance(value, list) and len(value) <= pattern.most, f"a list of at most {pattern.most}")
            return [conform(part, pattern.pattern, f"{name}[{index}]") for index, part in enumerate(value)]
        case Some():
            need(isinstance(value, dict), "a dictionary")
            fixed = isinstance(pattern.parts, dict)
            need(all(key in pattern.parts if fixed else isinstance(key, str) and len(key) <= MOST_TEXT for key in value)
                 and (fixed or len(value) <= pattern.most), "a dictionary of known names")
            return {key: conform(part, pattern.parts[key] if fixed else pattern.parts, f"{name}.{key}")
                    for key, part in value.items()}
        case dict():
            need(isinstance(value, dict) and value.keys() == pattern.keys(),
                 f"a dictionary of {', '.join(map(str, pattern))}"[:MOST_TEXT])
            return {key: conform(value[key], part, f"{name}.{key}".strip(".")) for key, part in pattern.items()}
        case tuple():
            need(isinstance(value, tuple) and len(value) == len(pattern), f"{len(pattern)} values")
            return tuple(conform(part, each, name) for part, each in zip(value, pattern, strict=True))
        case Count():
            need(type(value) is int and 0 <= value <= pattern.most, f"a whole number from 0 to {pattern.most}")
        case Number() if isinstance(value, torch.Tensor):
            need(value.dtype in (torch.float32, torch.float64), "a real number")
            value = copied(value, torch.empty((), dtype=value.dtype), need)
            conform(float(value), pattern, name)
        case Number():
            need(type(value) in (int, float) and (math.isfinite(value) or not pattern.finite), "a number")
            need(not value < pattern.low, f"at least {pattern.low}")
        case type():
            need(type(value) is pattern and (pattern is not str or len(value) <= MOST_TEXT),
                 f"of type {pattern.__name__}" + f", at most {MOST_TEXT} characters" * (pattern is str))
        case _:
            need(type(value) is type(pattern) and value == pattern, f"{pattern!r}")
    return value
