"""Answers to the exercises, one module a lesson, from which these are gathered:

RIGHT: {exercise: [answers that must pass]}, the solution in two forms at least.
WRONG: {exercise: {part of the hint: answer that must get it}}, two typical mistakes at least.
"""

import importlib
import pkgutil

RIGHT, WRONG = {}, {}
for _module in pkgutil.iter_modules(__path__):
    _answers = importlib.import_module(f"{__name__}.{_module.name}")
    RIGHT |= _answers.RIGHT
    WRONG |= _answers.WRONG
