"""Checks of the lessons' exercises, one file a lesson: an answer comes back with a hint, not with a mark.

A checker takes an answer and returns None if it is right, else a hint that names the likely
misconception. Every module of this folder is imported here, so a new file with `@exercise`d
checkers is at once known to `check` and to the tests.
"""

import importlib
import math
import pkgutil

from ...settings import nearest

REGISTRY = {}

#: The hint to a function that has not been written yet.
NOTHING = "not answered yet: your function returns nothing"


def nothing(*answers):
    """Whether any of the values that a reader's function returned is None or the dots."""
    return any(answer is ... or answer is None for answer in answers)


def are(got, wanted, tol=1e-6):
    """Whether all numbers agree, to `tol` relative to the wanted ones."""
    return all(math.isclose(float(a), float(b), rel_tol=tol, abs_tol=1e-12) for a, b in zip(got, wanted, strict=True))


def tensor_fault(answer, shape, remark=""):
    """A hint if what a reader's function returned is not a tensor of this shape, else None; `remark` ends the hint."""
    import torch

    if nothing(answer):
        return NOTHING
    if not isinstance(answer, torch.Tensor):
        return f"a tensor is expected, your answer is of type {type(answer).__name__}"
    if tuple(answer.shape) != tuple(shape):
        return f"the shape must be {tuple(shape)}, yours is {tuple(answer.shape)}{remark}"
    return None


def exercise(name):
    """Decorator: enter a checker under a name such as "mri.adjoint"."""
    def register(checker):
        REGISTRY[name] = checker
        return checker
    return register


def judge(name, answer):
    """None if `answer` solves the exercise, else a hint; Ellipsis counts as not answered.

    An exception raised by a reader's function becomes the hint.

    Raises:
        InputError: no exercise has this name.
    """
    checker = REGISTRY[nearest(name, REGISTRY, "exercise")]
    if answer is ...:
        return "not answered yet: put your answer in place of the dots"
    try:
        return checker(answer)
    except Exception as error:  # whatever a reader's own function raises
        return f"your answer raised {type(error).__name__}: {error}"


def check(name, answer):
    """Check an answer and print "right", or a hint.

    Args:
        name: the exercise, e.g. "mri.adjoint".
        answer: what the exercise asks for: a number, a tensor or a function.
    """
    hint = judge(name, answer)
    print(f"{name}: {'right' if hint is None else hint}")


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
