"""Checks of the lessons' exercises, one file a lesson: an answer comes back with a hint, not with a mark.

Every module of this folder is imported here, so a new file with `exercise`s is at once known to `check` and to the
tests.
"""

import importlib
import pkgutil

from ...settings import nearest
from .table import REGISTRY


def judge(name, answer):
    """None if `answer` solves the exercise, else a hint; Ellipsis counts as not answered.

    An exception raised by a reader's function becomes the hint.

    Raises:
        InputError: no exercise has this name.
    """
    asked = REGISTRY[nearest(name, REGISTRY, "exercise")]
    if answer is ...:
        return "not answered yet: put your answer in place of the dots"
    try:
        return asked.judge(answer)
    except Exception as error:  # whatever a reader's own types raise
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
