"""An exercise as a table: a right answer, and wrong ones each with the hint that names its mistake.

    @exercise("ct.lam", [(1.0, 50.0), (0.1, 38.6)], "write ||R f - norm y||^2 as a factor times ||A f - y||^2")
    def lam(lam, norm):
        '''A function (lam, norm) -> the weight that means the same with A = R in place of R / norm.'''
        return {
            None: lam * norm**2,
            "the data term is squared: a factor norm in A and y is a factor norm^2 in it": lam * norm,
        }
"""

import copy
from collections.abc import Callable, Collection, Iterator, ValuesView
from dataclasses import dataclass, field
from itertools import islice
from numbers import Number

import numpy as np
import torch

from .drawing import SHIFT

#: The hint to a function that has not been written yet.
NOTHING = "not answered yet: your function returns nothing"

#: Entries of an answer that is an iterator, at most: it may have no end.
MOST_PARTS = 10_000

#: The exercises by name.
REGISTRY = {}


def exercise(name, cases, otherwise, *, tol=1e-6, trait=None, stepwise=False, form="", nothing=NOTHING,
             instead="", solution="", real=False):
    """Decorator: enter a table under a name such as "mri.adjoint".

    A name such as "mri.lam:forward" belongs to the same exercise in another convention, which a variant may draw.

    The table is a function of a case that returns {hint: answer}: what a reader with this mistake gets for the case. A
    right answer has the hint None and stands first. A list holds alternatives; a function of nothing is called, and
    what it raises is an answer as well.

    Args:
        name: lesson and exercise.
        cases: tuples of arguments that answers are tried on, or a function that draws them, the same each time.
        otherwise: the hint to a wrong answer that is not in the table, or a function (answer, *case) that writes it.
        tol: relative tolerance of numbers and tensors.
        trait: function (answer, *case) -> what answers are compared by, where many are right or wrong alike. It sees
            answers of the right form only.
        stepwise: whether answers are compared at the first case that goes wrong, and not in all of them.
        form: end of the hint to an answer of another shape.
        nothing: the hint to a function that returns nothing in all cases.
        instead: of another convention, what it asks for in place of the lesson's text.
        solution: of another convention, a right answer as an expression of Python, for instructors.
        real: whether a real answer counts as the complex one without an imaginary part.
    """
    def register(table):
        draw_cases = cases if callable(cases) else lambda: copy.deepcopy(cases)
        REGISTRY[name] = Exercise(table, draw_cases, otherwise, tol, trait, stepwise, form, nothing, instead,
                                  solution, real)
        return table
    return register


def as_tensor(value):
    """Numbers in any form (float, list, array, tensor) as a dense tensor of their own precision, else None."""
    try:
        if isinstance(value, torch.Tensor):
            return None if value.is_meta or value.is_quantized else value.to_dense()
        array = np.array(value, dtype=float if type(value) is int else None)
        if array.dtype.char in "gGO" and all(isinstance(part, Number) for part in array.flat):
            array = array.astype(complex if array.dtype.char == "G" else float)  # a long double, Fraction or Decimal
        return torch.from_numpy(array)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def parts_of(value):
    """The entries of a tuple, list, array or tensor, else the value alone."""
    many = isinstance(value, (tuple, list, torch.Tensor, np.ndarray)) and getattr(value, "ndim", 1)
    return list(value) if many else [value]


def all_close(got, wanted, tol=1e-6):
    """Whether two answers agree: tensors and numbers to `tol` of the wanted norm, all else exactly.

    Single precision agrees to 1e-4 at least, NaN with NaN, and an error with any of its type.
    """
    if isinstance(wanted, tuple):
        parts = parts_of(got)
        return len(parts) == len(wanted) and all(all_close(a, b, tol) for a, b in zip(parts, wanted, strict=True))
    if isinstance(wanted, dict):
        return isinstance(got, dict) and set(got) == set(wanted) and all(
            all_close(got[name], wanted[name], tol) for name in wanted)
    a, b = as_tensor(got), as_tensor(wanted)
    if a is None or b is None:
        plain = not isinstance(got, (torch.Tensor, np.ndarray)) and type(got) is type(wanted)
        return plain and (isinstance(got, Exception) or got == wanted)
    a = a.reshape(()) if b.ndim == 0 and a.numel() == 1 else a
    if a.shape != b.shape or a.is_complex() != b.is_complex():
        return False
    tol = max(tol, 1e-4) if a.dtype in (torch.float16, torch.float32, torch.complex64) else tol
    a, b = (part.detach().to(torch.complex128) for part in (a, b))
    finite = b.isfinite()
    return torch.equal(a.isfinite(), finite) and bool((a - b)[finite].norm() <= tol * b[finite].norm() + 1e-12)


def form_fault(got, wanted, form=""):
    """A hint if an answer is not of the kind and shape of the wanted one or not finite, else None."""
    if isinstance(got, Exception):
        return f"your answer raised {type(got).__name__}: {got}"
    if isinstance(wanted, (str, set)):
        words = [got] if isinstance(got, str) else list(got) if isinstance(got, Collection) and getattr(
            got, "ndim", 1) else [None]
        return None if all(isinstance(word, str) for word in words) else (
            f"words in quotation marks are expected, your answer is of type {type(got).__name__}")
    if wanted is None:
        return None if got is None else form_fault(got, 0.0)
    if is_unanswered(got):
        return NOTHING
    if isinstance(wanted, dict):
        if not isinstance(got, dict) or set(got) != set(wanted):
            return f"return a dict with the names {', '.join(wanted)}"
        return next((fault for name in wanted if (fault := form_fault(got[name], wanted[name]))), None)
    if isinstance(wanted, tuple):
        parts = parts_of(got)
        if len(parts) != len(wanted):
            return f"{len(wanted)} things are expected{form}; your answer has {len(parts)}"
        return next((fault for a, b in zip(parts, wanted, strict=True) if (fault := form_fault(a, b))), None)
    a, b = as_tensor(got), as_tensor(wanted)
    kind = "tensor" if b.ndim else "number"
    if a is None:
        return f"a {kind} is expected, your answer is of type {type(got).__name__}"
    if a.shape != b.shape and (b.ndim or a.numel() != 1):
        expected = f"the shape must be {tuple(b.shape)}" if b.ndim else "one number is expected"
        return f"{expected}, yours has the shape {tuple(a.shape)}{form}"
    if a.dtype != torch.bool and b.dtype == torch.bool and b.ndim:
        return "a tensor of True and False is expected: compare with a threshold"
    if a.dtype == torch.bool and b.dtype != torch.bool:
        return f"True and False are a verdict: return the {kind} itself"
    if a.is_complex() != b.is_complex():
        return (f"the {kind} must be complex: the real part or the magnitude alone loses the phase" if b.is_complex()
                else f"your {kind} is complex, it must be real here: |r|^2 of a complex r is (r * r.conj()).real")
    return None if bool(a.isfinite().all()) else f"the {kind} must be finite, yours holds NaN or infinity"


def like(answer, wanted):
    """An answer of the right form, its numbers as tensors of the wanted precision, arrays or numbers, as is wanted."""
    if isinstance(wanted, tuple):
        return tuple(like(a, b) for a, b in zip(parts_of(answer), wanted, strict=True))
    if isinstance(wanted, dict):
        return {name: like(answer[name], part) for name, part in wanted.items()}
    if answer is None or isinstance(wanted, (str, set)):
        return answer
    if isinstance(wanted, torch.Tensor):
        return as_tensor(answer).to(wanted.dtype).reshape(wanted.shape)
    numbers = as_tensor(answer).detach().to(torch.complex128).numpy()
    numbers = numbers if np.iscomplexobj(wanted) else numbers.real
    return numbers if np.ndim(wanted) else numbers.item()


def spelled(answer, wanted, real=False):
    """An answer as it is meant: a word bare and in small letters, a list as a tuple, if `real` numbers as complex."""
    answer = tuple(answer) if isinstance(wanted, tuple) and isinstance(answer, list) else answer
    if real and (numbers := as_tensor(answer)) is not None and numbers.dtype != torch.bool:
        return numbers + 0j
    word = answer[0] if isinstance(answer, (list, tuple)) and len(answer) == 1 else answer
    return str(word).strip().lower() if isinstance(wanted, str) and isinstance(word, str) else answer


def is_unanswered(answer):
    """Whether what a reader's function returned is None or the dots, or holds the dots."""
    return answer is None or answer is ... or isinstance(answer, tuple) and any(part is ... for part in answer)


def attempt(answer, *case):
    """What an answer returns for a case, or the exception that it raises; a value that is no function is itself."""
    try:
        value = answer(*case) if callable(answer) else answer
        return tuple(islice(value, MOST_PARTS)) if isinstance(value, (Iterator, ValuesView)) else value
    except Exception as error:  # whatever a reader's own function raises
        if error.__traceback__.tb_next is None:  # not even called: it takes other arguments
            raise
        return error


def entries(table):
    """The pairs (hint, answer) of a table, a pair for each alternative."""
    return [(hint, answer) for hint, answers in table.items()
            for answer in (answers if isinstance(answers, list) else [answers])]


def is_constant(answers, right):
    """Whether answers to several cases are all the same though the right ones are not."""
    return (not all(all_close(value, right[0]) for value in right)
            and all(all_close(value, answers[0]) for value in answers))


def change(given, cases):
    """A hint if the arguments that were given to an answer are no longer those of the cases, else None."""
    for after, before in zip(sum(given, ()), sum(cases, ()), strict=True):
        pairs = [(after[name], before[name]) for name in before] if isinstance(before, dict) else [(after, before)]
        if any(as_tensor(b) is not None and not all_close(a, b, 0) for a, b in pairs):
            return "your function changes its arguments, which others still need: work on a copy"
    return None


@dataclass(frozen=True)
class Exercise:
    """A table with its cases, see `exercise`."""

    table: Callable
    cases: Callable
    otherwise: str | Callable
    tol: float
    trait: Callable | None
    stepwise: bool
    form: str
    nothing: str = NOTHING
    instead: str = ""
    solution: str = ""
    real: bool = False
    last: dict = field(default_factory=dict, init=False, compare=False)  # {shift: `known`}, one, for it holds images

    def judge(self, answer):
        """None for an answer that agrees with a right one in the cases, else a hint.

        That is the hint of the first entry of the table that it agrees with, or to its form, or `otherwise`.
        """
        cases, right, wanted, columns = self.known
        given = self.cases()
        if given[0] and not callable(answer):
            return f"a function is expected, your answer is of type {type(answer).__name__}"
        got = [spelled(attempt(answer, *case), value, self.real) for case, value in zip(given, right, strict=True)]
        if all(map(is_unanswered, got)):
            return self.nothing
        if fault := change(given, cases):
            return fault
        seen = self.views(got, right, given)
        found = [hint for hint, views in columns if self.agree(seen, views, wanted)]
        if found and found[0] is not None:
            return found[0]
        first = self.first_difference(seen, wanted) or 0
        if fault := self.fault(got[first], right[first], right):
            return fault
        constant = is_constant(got, right)
        if found and not constant:
            return None
        if callable(general := self.otherwise):
            general = general(like(got[first], right[first]), *cases[first])
        elif self.tol >= 0.01 and all_close(got[first], right[first], 5 * self.tol):
            place = " at the arguments " + ", ".join(map(str, given[first])) if all(
                isinstance(part, Number) for part in given[first]) else ""
            general = f"near, but not within {self.tol:.0%}{place}: draw more often, or find the formula"
        return f"your answer is the same for all arguments that were tried; {general}" if constant else general

    @property
    def known(self):
        """(cases, right answers, views of these, [(hint, views of an entry)]): what all answers are held against."""
        if (found := self.last.get(SHIFT.get())) is not None:
            return found
        cases = self.cases()
        rows = [entries(self.table(*case)) for case in cases]
        columns = [(column[0][0], [attempt(value) for _, value in column]) for column in zip(*rows, strict=True)]
        right = columns[0][1]
        columns = [(hint, self.views(values, right, cases)) for hint, values in columns]
        self.last.clear()
        found = self.last[SHIFT.get()] = cases, right, columns[0][1], columns
        return found

    def views(self, answers, right, cases):
        """The traits of answers that have the right form, the others as they are."""
        def view(answer, wanted, case):
            plain = self.trait is None or form_fault(answer, wanted)
            return answer if plain else self.trait(like(answer, wanted), *case)
        return [view(*row) for row in zip(answers, right, cases, strict=True)]

    def first_difference(self, answers, others):
        """Number of the first case in which two lists of answers differ, or None."""
        pairs = enumerate(zip(answers, others, strict=True))
        return next((i for i, pair in pairs if not all_close(*pair, self.tol)), None)

    def agree(self, answers, others, right):
        """Whether answers agree with others in all cases, or as `stepwise` says; up to their first error, if any."""
        end = next((i for i, answer in enumerate(answers, start=1) if isinstance(answer, Exception)), len(answers))
        answers, others, right = answers[:end], others[:end], right[:end]
        first = self.first_difference(answers, right)
        if first is None or not self.stepwise:
            return self.first_difference(answers, others) is None
        return first == self.first_difference(others, right) and all_close(answers[first], others[first], self.tol)

    def fault(self, answer, wanted, right):
        """A hint if an answer has not the form of the wanted one, else None; None may be right for another case."""
        words = [value for value in right if isinstance(value, str)]
        fault = form_fault(answer, wanted, self.form)
        if fault == NOTHING and any(None in parts_of(value) for value in right if not isinstance(value, torch.Tensor)):
            return None
        if fault is None and len(words) > 1 and not (isinstance(answer, str) and answer in words):
            return f"the words are {', '.join(map(repr, dict.fromkeys(words)))}, not {answer!r}"
        return fault
