"""What an answer returned, as JSON that passes between two processes: nothing is unpickled, nothing is run.

`record` tries an answer on an exercise's cases and notes what comes back. `verdict` plays the notes to the exercise's
judge, in another process, as if they were the answer: the judge calls a function, and gets what was noted.
"""

import base64
import builtins
from collections.abc import Collection, Mapping
from itertools import islice

import numpy as np
import torch

from ...operators import DotTestError
from ...settings import InputError
from ..exercises import REGISTRY, judge
from ..exercises.drawing import drawn_in
from ..exercises.table import as_tensor, attempt, change

#: Bounds of what is noted: bytes of an array, letters of a text, entries of a collection, collections in each other.
MOST_BYTES, MOST_LETTERS, MOST_ENTRIES, DEEPEST = 2**22, 2000, 10_000, 20

#: Errors by name that Python does not have itself, and that an answer may be right or wrong by.
ERRORS = {kind.__name__: kind for kind in (InputError, DotTestError, torch.linalg.LinAlgError, np.linalg.LinAlgError)}


def record(name, answer, variant=None):
    """Notes on an answer to the exercise `name`, plain JSON: what it returns for each case, or that it is a value.

    The cases are those of a variant, a whole number, or everybody's.
    """
    asked = REGISTRY[name]
    if not callable(answer):
        return dict(value=pack(answer))
    with drawn_in(variant):
        given, same = asked.cases(), asked.cases()
        try:
            calls = [pack(attempt(answer, *case), case) for case in given]
        except Exception as error:  # it takes other arguments
            return dict(hint=f"your answer raised {type(error).__name__}: {error}")
        return dict(calls=calls, changed=change(given, same))


def verdict(name, notes, variant=None):
    """None if the notes are those of a right answer in a variant, else a hint, as `judge` gives it to that answer.

    The notes come from a process that is not trusted: any that `record` does not make are wrong.
    """
    try:
        if "hint" in notes:
            return str(notes["hint"])[:MOST_LETTERS] or "no answer"
        hint = judge(name, replay(notes["calls"]) if "calls" in notes else unpack(notes["value"]), variant)
        return hint if hint is None or not notes.get("changed") else str(notes["changed"])[:MOST_LETTERS]
    except Exception as error:  # notes that were forged
        return f"the answer cannot be read: {type(error).__name__}"


def replay(calls):
    """A function that returns, or raises, at each call what was noted of one."""
    left = iter(calls)

    def answer(*case):
        value = unpack(next(left), case)
        if isinstance(value, Exception):
            raise value
        return value
    return answer


def pack(value, case=(), depth=0):
    """A value as plain JSON: numbers, texts, arrays, tensors and collections of them; of all else its type's name.

    Of a loss that hangs together with tensors of the case its gradients are noted, too.
    """
    if value is None or isinstance(value, bool):
        return value
    if value is ...:
        return dict(dots=True)
    if isinstance(value, str):
        return value[:MOST_LETTERS]
    if isinstance(value, Exception):
        return dict(error=type(value).__name__, args=[part[:MOST_LETTERS] if isinstance(part, str) else
                                                      repr(part)[:MOST_LETTERS] for part in value.args[:9]])
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc" and value.nbytes <= MOST_BYTES:
        return dict(array=value.dtype.str, shape=value.shape, data=encoded(value.tobytes()),
                    scalar=isinstance(value, np.generic))
    if isinstance(value, (int, float)) and type(value) in (int, float):
        return value
    if isinstance(value, complex):
        return dict(complex=[value.real, value.imag])
    if depth < DEEPEST and not isinstance(value, torch.Tensor) and getattr(value, "ndim", 1):
        if isinstance(value, np.ndarray) and value.dtype.kind in "US":
            value = value.tolist()
        if isinstance(value, Mapping) and len(value) <= MOST_ENTRIES:
            return dict(dict=[[pack(part, depth=depth + 1) for part in pair] for pair in value.items()])
        kinds = dict(tuple=tuple, set=(set, frozenset), list=Collection)
        for kind, types in kinds.items():
            if isinstance(value, types) and not isinstance(value, (bytes, np.ndarray)) and len(value) <= MOST_ENTRIES:
                return {kind: [pack(part, depth=depth + 1) for part in islice(iter(value), MOST_ENTRIES)]}
    tensor = as_tensor(value)
    if tensor is None or tensor.nbytes > MOST_BYTES:
        return dict(other=type(value).__name__)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return dict(tensor=str(tensor.dtype).removeprefix("torch."), shape=list(tensor.shape),
                data=encoded(plain.view(torch.uint8).numpy().tobytes()), gradients=gradients(tensor, case))


def gradients(tensor, case):
    """Packed gradients of a real number in those tensors of a case that have one; None for anything else."""
    if not tensor.requires_grad or tensor.numel() != 1 or tensor.is_complex():
        return None
    known = leaves(case)
    found = torch.autograd.grad(tensor.sum(), known, retain_graph=True, allow_unused=True) if known else ()
    return [pack(part) for part in found]


def leaves(case):
    """The tensors of a case that gradients are taken in."""
    return [part for part in case if isinstance(part, torch.Tensor) and part.requires_grad]


def encoded(data):
    """Bytes as text."""
    return base64.b64encode(data).decode()


def unpack(packed, case=()):
    """The value that `pack` was given, or its like: an object of a strange type comes back as an empty one.

    Raises:
        Exception: of any type, for JSON that `pack` does not make.
    """
    if packed is None or isinstance(packed, (bool, int, float, str)):
        return packed
    kind = next(iter(packed))
    content = packed[kind]
    if kind == "dots":
        return ...
    if kind == "complex":
        return complex(*content)
    if kind == "dict":
        return {unpack(name): unpack(value) for name, value in content}
    if kind in ("tuple", "set", "list"):
        return getattr(builtins, kind)(unpack(part) for part in content)
    if kind == "array":
        array = np.frombuffer(base64.b64decode(packed["data"]), np.dtype(content)).reshape(packed["shape"]).copy()
        return array[()] if packed["scalar"] else array
    if kind == "tensor":
        return unpacked_tensor(packed, case)
    if kind == "error":
        known = ERRORS.get(content) or getattr(builtins, content, None)
        sound = isinstance(known, type) and issubclass(known, Exception)
        try:
            return known(*packed["args"]) if sound else type(content, (Exception,), {})(*packed["args"])
        except TypeError:  # one that takes other arguments
            return type(content, (Exception,), {})(*packed["args"])
    return type(str(packed["other"]), (), {})()


def unpacked_tensor(packed, case):
    """A tensor of its bytes; with noted gradients it is a function of the case's tensors that has these."""
    dtype = getattr(torch, packed["tensor"])
    data = bytearray(base64.b64decode(packed["data"]))
    tensor = (torch.frombuffer(data, dtype=dtype) if data else torch.zeros(0, dtype=dtype)).reshape(packed["shape"])
    if packed["gradients"] is None:
        return tensor
    tensor = tensor.clone().requires_grad_() * 1
    for leaf, slope in zip(leaves(case), map(unpack, packed["gradients"]), strict=True):
        if slope is not None:
            tensor = tensor + (slope.conj() * (leaf - leaf.detach())).real.sum()
    return tensor
