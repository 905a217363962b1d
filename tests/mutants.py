"""Mutants: wrong answers to an exercise that are made from the right one, by changing its values or its arguments.

docs/EXERCISES.md is what the checks say of them.
"""

import copy
import functools
import itertools
import math

import numpy as np
import torch

from aseqdip_lite.course.exercises import REGISTRY, judge
from aseqdip_lite.course.exercises.table import as_tensor, attempt, entries

SINGLE = (torch.float32, torch.complex64)

#: Mutants that are right answers, too: {why: {exercise: mutants}}.
EQUIVALENT = {
    "only the square of this number, or its size, is in the answer": {
        "adaptive.risk": ("sigma: negated",), "ct.lam": ("norm: negated",), "denoising.sure": ("noise_std: negated",),
        "dip.discrepancy": ("noise_std: negated",), "dip.path": ("speed: negated", "W: negated"),
        "input.eps": ("c: negated",), "ntk.error": ("sigma: negated",), "landweber.filter": ("s: negated",),
        "landweber.error": ("s: negated", "c: negated", "sigma: negated"), "landweber.tikhonov": ("s: negated",),
        "operators.gradient": ("eps: negated",), "ct.lam:normed": ("norm: negated",),
        "denoising.sure:pixel": ("noise_std: negated",), "dip.path:sample": ("speed: negated",),
        "input.eps:divided": ("c: negated",),
        "ntk.error:left": ("sigma: negated",), "landweber.filter:missing": ("s: negated",),
        "operators.gradient:mean": ("eps: negated",),
        "learned.step": ("s: negated", "sd: negated", "sigma: negated")},
    "the answer is symmetric in the two": {
        "adaptive.paired": ("gap and sigma exchanged",), "auto.count": ("H and W exchanged",),
        "learned.step": ("s and sd exchanged",),
        "mri.lam": ("H and W exchanged",), "paper.lam": ("lam and data exchanged",),
        "spectral.steps": ("beta and mu exchanged",), "stage.factor": ("theta and beta exchanged",),
        "start.psnr": ("image and truth exchanged",), "auto.count:quarter": ("H and W exchanged",),
        "mri.lam:forward": ("H and W exchanged",), "paper.lam:unsquared": ("lam and gap exchanged",),
        "spectral.steps:tenth": ("beta and mu exchanged",)},
    "the order of what is averaged does not matter": {
        "auto.spin": ("shifts: backwards",), "spectral.guided": ("etas: backwards",)},
    "the filters hold zeros and ones, in places that lie symmetrically": {
        "auto.skip": ("square", "root", "flipped", "transposed")},
    "any image of the null space is right, and it stays there when it is scaled or moved": {
        "mri.unseen": ("sign", "twice", "half", "mean", "nearly", "rolled")},
    "an error may be divided by any size that grows with x; faults and rounding lie far apart": {
        "operators.dot_test": ("sign", "twice", "half", "nearly", "x: 1", "x: twice", "x: negated", "v: 1", "v: twice",
                               "v: negated")},
    "noise has no sign, and the picture drops out": {"denoising.sigma": ("y: negated",)},
    "any small step is right within the 1 % that are allowed, and to either side": {
        "denoising.divergence": ("b: negated", "eps: as in the first case", "eps: twice", "eps: squared", "eps: root",
                                 "eps: negated")},
    "any real multiple that lies far enough away is right": {
        "input.far": ("sign", "twice", "nearly", "x: twice", "x: negated")},
    "wherever a window of 50 steps is put is right, so the onset may move by half of it": {
        "input.onset": ("one more", "one less", "psnr: without its last")},
    "an input that is like the image is asked for, and brightness, a sign or a pixel's shift do not matter to that": {
        "input.blind": ("sign", "twice", "half", "mean", "square", "one more", "one less", "nearly", "root", "rolled")},
    "the matrix is symmetric": {"ntk.kernel": ("transposed",), "spectral.kernel": ("transposed",)},
    "the answer is real": {"paper.target": ("conjugate", "real part")},
    "a number other than 0 is True": {"paper.test": ("1 for True",)},
    "a factor of the kernel cancels": {
        "spectral.limit": ("W: twice", "W: negated"),
        "spectral.kernel": ("twice", "half", "mean", "nearly", "x: twice", "x: negated")},
    "the kernel may offer one more direction, here that of constants": {"spectral.kernel": ("one more",)},
}


def answer_of(name, number=0, change=lambda value: value):
    """Entry `number` of a table as a function of a reader's, its values changed; 0 is the right one."""
    def answer(*case):
        value = entries(REGISTRY[name].table(*case))[number][1]
        return change(value() if callable(value) else value)
    return answer


def each(change, value):
    """A value with all of its numbers changed; None, words and sets of words stay."""
    if isinstance(value, dict):
        return {name: each(change, part) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(each(change, part) for part in value)
    return value if value is None or isinstance(value, (str, set)) else change(value)


def changes_of_numbers(values, tol):
    """{mutant: change of a tensor} for the numbers in an answer to the cases, where it means something.

    "nearly" is a change by ten times the tolerance, which is 1e-4 at least in single precision.
    """
    parts = []
    each(lambda part: parts.append(as_tensor(part)), tuple(values))
    if not parts:
        return {}
    if parts[0].dtype == torch.bool:
        return {"opposite": torch.logical_not, "always True": torch.ones_like, "always False": torch.zeros_like,
                } | ({} if parts[0].ndim else {"1 for True": torch.Tensor.double})
    changes = {
        "sign": torch.neg, "twice": lambda v: 2 * v, "half": lambda v: v / 2, "square": torch.square,
        "zero": lambda v: 0 * v, "one more": lambda v: v + 1, "one less": lambda v: v - 1,
        "NaN": lambda v: v * math.nan, "infinite": lambda v: 0 * v.abs() + math.inf,
        "nearly": lambda v: v * (1 + 10 * (max(tol, 1e-4) if v.dtype in SINGLE else tol))}
    if all(part.is_complex() or bool((part >= 0).all()) for part in parts):
        changes["root"] = lambda v: v.to(torch.complex128 if v.is_complex() else torch.float64).sqrt()
    if any(part.ndim for part in parts):
        changes |= {"rolled": lambda v: v.roll(1, -1) if v.ndim else v, "mean": lambda v: v / v.numel(),
                    "flipped": lambda v: v.flip(-1) if v.ndim else v}
    if any(part.ndim > 1 for part in parts):
        changes["transposed"] = lambda v: v.mT if v.ndim > 1 else v
    if any(part.is_complex() for part in parts):
        changes |= {"conjugate": torch.conj, "real part": torch.real, "magnitude": torch.abs}
    if any(part.requires_grad for part in parts):
        changes["detached"] = torch.detach
    return changes


def changes_of_argument(value):
    """{mutant: change} for an argument of this value in the first case."""
    changes = {"as in the first case": lambda v: copy.deepcopy(value)}
    if isinstance(value, (int, float)):
        changes |= {"1": lambda v: type(v)(1), "0": lambda v: type(v)(0), "twice": lambda v: 2 * v,
                    "squared": lambda v: v**2, "root": lambda v: abs(v) ** 0.5, "negated": lambda v: -v,
                    "one more": lambda v: v + 1, "one less": lambda v: v - 1}
    elif isinstance(value, (torch.Tensor, np.ndarray)) and value.dtype not in (bool, torch.bool):
        changes |= {"0": lambda v: 0 * v, "1": lambda v: 0 * v + 1, "twice": lambda v: 2 * v, "negated": lambda v: -v}
        if isinstance(value, torch.Tensor) and value.is_complex():
            changes |= {"conjugate": lambda v: v.conj(), "magnitude": lambda v: v.abs() + 0j}
    elif isinstance(value, list):
        changes |= {"backwards": lambda v: v[::-1], "without its last": lambda v: v[:-1]}
    return changes


def mutants_of_values(name, values):
    """{mutant: answer} with the right answer's values changed, all of them or, in a tuple, one."""
    exercise, right = REGISTRY[name], answer_of(name)

    def changed(change, part=None):
        def answer(*case):
            value, mutated = right(*case), functools.partial(each, lambda v: change(as_tensor(v)))
            return mutated(value) if part is None else (*value[:part], mutated(value[part]), *value[part + 1:])
        return answer

    made = {"None": lambda *case: None}
    made |= {kind: changed(change) for kind, change in changes_of_numbers(values, exercise.tol).items()}
    if len(values) > 1:
        made["as in the first case"] = lambda *case: copy.deepcopy(values[0])
    if isinstance(values[0], tuple):
        made["in the other order"] = lambda *case: right(*case)[::-1]
        for i, parts in enumerate(zip(*values, strict=True)):
            made |= {f"part {i + 1}: {kind}": changed(change, i)
                     for kind, change in changes_of_numbers(parts, exercise.tol).items()}
    if isinstance(values[0], str):
        wrong = {hint for case in exercise.cases() for value in exercise.table(*case).values()
                 for hint in (value if isinstance(value, list) else [value]) if isinstance(hint, str)}
        made |= {f"always {word}": lambda *case, word=word: word for word in sorted(wrong) if {word} != set(values)}
    if isinstance(values[0], set):
        made |= {f"without {word}": lambda word=word: right() - {word} for word in sorted(values[0])}
        made["one more name"] = lambda: right() | {"another"}
    return made


def mutants_of_arguments(name, case):
    """{mutant: answer} with the right answer's arguments changed, exchanged or returned; `case` is the first one."""
    right = answer_of(name)

    def called(i, change):
        return lambda *case: right(*case[:i], change(case[i]), *case[i + 1:])

    def exchanged(i, j):
        return lambda *case: right(*(case[{i: j, j: i}.get(k, k)] for k in range(len(case))))

    made, names = {}, REGISTRY[name].table.__code__.co_varnames[:len(case)]
    for i, (parameter, value) in enumerate(zip(names, case, strict=True)):
        made[f"{parameter} returned"] = lambda *case, i=i: case[i]
        made |= {f"{parameter}: {kind}": called(i, change) for kind, change in changes_of_argument(value).items()}
    return made | {f"{names[i]} and {names[j]} exchanged": exchanged(i, j)
                   for i, j in itertools.combinations(range(len(case)), 2) if type(case[i]) is type(case[j])}


@functools.cache
def mutants(name):
    """{mutant: answer} of an exercise."""
    cases = REGISTRY[name].cases()
    values = [answer_of(name)(*case) for case in cases]
    return mutants_of_values(name, values) | mutants_of_arguments(name, cases[0])


def raises(name, answer, number=None):
    """Whether an answer itself raises an exception, in the first `number` cases or in any."""
    return any(isinstance(attempt(answer, *case), Exception) for case in REGISTRY[name].cases()[slice(number)])


@functools.cache
def verdicts(name):
    """{mutant: hint, or None if it survives} of an exercise, without those that raise an exception in the first case.
    """
    found = {mutant: (answer, judge(name, answer)) for mutant, answer in mutants(name).items()}
    return {mutant: hint for mutant, (answer, hint) in found.items()
            if not (hint or "").startswith("your answer raised") or not raises(name, answer, 1)}


def equivalent(name):
    """{mutant: why it is right} of an exercise."""
    return {mutant: why for why, found in EQUIVALENT.items() for mutant in found.get(name, ())}
