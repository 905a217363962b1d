"""Settings that check themselves, the base of every task and every method; the profile and the device by default.

A task or a method is a frozen dataclass whose fields are made by `setting`. Its facts (help, bounds, choices) serve the
check, the command line, `aseqdip list` and the panels.
"""

import dataclasses
import difflib
import functools
import math
import operator
import os
import typing

#: From seconds to hours; a profile changes sizes and numbers of steps, nothing else.
PROFILES = ("smoke", "laptop", "paper")


class InputError(ValueError):
    """A mistake in what was asked for; its one line names the fault and the way out."""


def setting(default, help, *, low=None, above=None, high=None, below=None, choices=None, parse=None, repr=True):
    """Dataclass field with a help text and bounds: low <= value <= high, above < value < below.

    `parse` turns a text that is no number into a value that is no number, e.g. a schedule of lam. `repr` says whether
    the field is printed with the others.
    """
    facts = dict(help=help, low=low, above=above, high=high, below=below, choices=choices, parse=parse)
    return dataclasses.field(default=default, metadata=facts, repr=repr)


def nearest(name, known, kind):
    """Return `name` if it is among `known`, else raise InputError with the nearest known name."""
    if name in known:
        return name
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise InputError(f"unknown {kind} '{name}': {hint}known: {', '.join(known)}")


@functools.cache
def profile():
    """The profile, "smoke", "laptop" (default) or "paper": ASEQDIP_PROFILE, read once; InputError for another word."""
    return nearest(os.environ.get("ASEQDIP_PROFILE", "laptop"), PROFILES, "profile in ASEQDIP_PROFILE")


@functools.cache
def device():
    """"cuda" if PyTorch finds a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def whole_number(name, value, low):
    """InputError unless `value` is a whole number from `low` to 2^63 - 1, the largest that torch takes as a seed."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**63:
        raise InputError(f"{name} must be a whole number of at least {low} and below 2^63, got {value}")


class Settings:
    """Base of frozen dataclasses made of `setting` fields; InputError for a wrong type, not finite or out of bounds."""

    def __post_init__(self):
        for field, kind, optional in fields_of(type(self)):
            value = getattr(self, field.name)
            if value is not None or not optional:
                object.__setattr__(self, field.name, _checked(field, kind, value))

    def to_dict(self):
        """The settings as a plain dictionary, ready for JSON; a schedule in its text form."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: str(value) if isinstance(value, Settings) else value for name, value in values.items()}


def fields_of(cls):
    """(field, type, whether None is allowed) of each field of a Settings class; the first type where there are two."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        options = typing.get_args(hints[field.name])
        yield field, (options[0] if options else hints[field.name]), type(None) in options


def _checked(field, kind, value):
    name, facts = field.name, field.metadata
    if facts.get("parse") is not None and isinstance(value, str | Settings):
        try:
            value = kind(value)
        except (TypeError, ValueError):
            try:
                return facts["parse"](value)
            except InputError as error:
                raise InputError(f"{name} must be of type {kind.__name__} or a schedule: {error}") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{name} must be of type {kind.__name__}, got {value!r}")
    if kind is float and not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value}")
    if facts.get("choices") is not None:
        return nearest(value, facts["choices"], name)
    for key, words, holds in (("low", "at least", operator.ge), ("above", "above", operator.gt),
                              ("high", "at most", operator.le), ("below", "below", operator.lt)):
        if facts.get(key) is not None and not holds(value, facts[key]):
            raise InputError(f"{name} must be {words} {facts[key]}, got {value}")
    return value
