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
import unicodedata

#: From seconds to hours; a profile changes sizes and numbers of steps, nothing else.
PROFILES = ("smoke", "laptop", "paper")

#: The largest number of steps, and of any whole setting without a bound of its own; so many take days and gigabytes.
MOST = 10**7


class InputError(ValueError):
    """A mistake in what was asked for; its one line names the fault and the way out."""


def setting(default, help, *, low=None, above=None, high=None, below=None, choices=None, parse=None, repr=True):
    """Dataclass field with a help text and bounds: low <= value <= high, above < value < below; a whole one <= `MOST`.

    `parse` turns a text that is no number into a value that is no number, e.g. a schedule of lam. `repr` says whether
    the field is printed with the others.
    """
    facts = dict(help=help, low=low, above=above, high=high, below=below, choices=choices, parse=parse)
    return dataclasses.field(default=default, metadata=facts, repr=repr)


def nearest(name, known, kind):
    """Return `name` if it is among `known`, else raise InputError with the nearest known name."""
    if isinstance(name, str | int) and name in known:
        return name
    close = difflib.get_close_matches(name := printable(name), list(known), n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise InputError(f"unknown {kind} '{name}': {hint}known: {', '.join(known)}")


def check_defined(method, task, known, limit):
    """InputError, with the reason `limit`, unless a method is among those `known` to be defined for a task."""
    if method not in known:
        raise InputError(f"{method} is not defined for {task}{limit and ': '}{limit}; known: {', '.join(known)}")


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
    """The value as an int; InputError unless it is whole and from `low` to 2^63 - 1, the largest seed of torch."""
    value = plain_value(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**63:
        raise InputError(f"{name} must be a whole number of at least {low} and below 2^63, got {value}")
    return value


def checked_name(name, what):
    """The name; InputError if it has control characters or is not UTF-8: no table, file or terminal takes it whole."""
    if bad := [letter for letter in str(name) if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]:
        fault = "is not UTF-8" if unicodedata.category(bad[0]) == "Cs" else f"holds the character {bad[0]!r}"
        raise InputError(f"the name of {what}, {printable(name)}, {fault}: rename it")
    return name


def printable(text):
    """A text with its control and format characters, and bytes that are not UTF-8, written as escapes, e.g. \\n."""
    return "".join(repr(letter)[1:-1] if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") else letter
                   for letter in str(text))


def plain_value(value):
    """The Python number of a scalar of numpy or torch, the text of a path; anything else as it is."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if getattr(value, "ndim", None) == 0 else value


def unseeded(drawn):
    """What `Settings.idle` says of the data seed; `drawn`: whether any number is drawn."""
    return {} if drawn else dict(data_seed="nothing is drawn at random, no seed changes anything")


class Settings:
    """Base of frozen dataclasses made of `setting` fields; InputError for a wrong type, not finite or out of bounds.

    Scalars of numpy and torch become plain numbers, paths texts.
    """

    def __post_init__(self):
        for field, kind, optional in fields_of(type(self)):
            value = plain_value(getattr(self, field.name))
            if value is not None or not optional:
                object.__setattr__(self, field.name, _checked(field, kind, value))

    def idle(self, image):
        """{setting: why it does nothing} for an image, with these settings; `load_case` refuses such a one.

        "data_seed" is among them where nothing is drawn (`unseeded`).
        """
        return {}

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
        value = float(value) if abs(value) < 2**1023 else math.inf
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{name} must be of type {kind.__name__}, got {value!r}")
    if kind is float and not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value}")
    if facts.get("choices") is not None:
        return nearest(value, facts["choices"], name)
    for key, words, holds in (("low", "at least", operator.ge), ("above", "above", operator.gt),
                              ("high", "at most", operator.le), ("below", "below", operator.lt)):
        bound = MOST if key == "high" and facts.get(key) is None and kind is int else facts.get(key)
        if bound is not None and not holds(value, bound):
            raise InputError(f"{name} must be {words} {bound}, got {value}")
    return value
