"""Questions whose numbers are free: a variant draws them, and all texts and answers follow.

A number question may have a table `given` of names with the values that each may take:

    given = {N = [10, 5, 20], K = [45, 60, 30]}
    ask = "aSeqDIP runs with N = {N} and K = {K}. How many Adam steps does it make in all?"
    right = "N * K"
    why = "K = {K} stages of N = {N} Adam steps each make {K} · {N} = {N * K} steps."

`right` and the keys of `wrong` are formulas, and so is all that stands in braces in a text. Where a text needs words, a
value is a pair such as ["a tenth", 10]: {h} shows the words, {+h} and each formula take the number. Without a variant
each name has the first of its values.

An order or a match may have a `pool`: how many entries of `right` a variant keeps.
"""

import ast
import math
import operator
import re

from ...settings import InputError

OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
              ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: operator.pos}
FUNCTIONS = dict(sqrt=math.sqrt, log10=math.log10, round=round)
FORMULA = re.compile(r"\{([^{}]+)\}")


def evaluate(formula, given):
    """The number that a formula has: of numbers, the names in `given`, pi, + - * / **, sqrt, log10 and round.

    Raises:
        InputError: it holds anything else, or has no value.
    """
    def value(node):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        if isinstance(node, ast.Name) and node.id in names:
            return names[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](value(node.operand))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            return FUNCTIONS[node.func.id](*map(value, node.args))
        raise ValueError(ast.unparse(node))

    names = dict(pi=math.pi) | given
    try:
        return value(ast.parse(formula, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError) as error:
        raise InputError(f"the formula '{formula}' of a question cannot be read ({error}): write it with numbers, "
                         f"{', '.join(names)}, + - * / **, {', '.join(FUNCTIONS)}") from None


def plain(number):
    """A number without the last digits, which are rounding, e.g. "0.36"."""
    return f"{number:.10g}"


def fill(question, values):
    """The fields of a number question with a value for each name of `given`, as `Question` takes them."""
    numbers = {name: value[1] if isinstance(value, list) else value for name, value in values.items()}

    def shown(match):
        value = values.get(match[1])
        return value[0] if isinstance(value, list) else plain(evaluate(match[1], numbers)).replace("-", "−")

    def text(words):
        return FORMULA.sub(shown, words)

    texts = {name: text(question[name]) for name in ("ask", "why", "hint") if name in question}
    wrong = {plain(evaluate(slip, numbers)): text(why) for slip, why in question["wrong"].items()}
    return question | texts | dict(right=float(plain(evaluate(question["right"], numbers))), wrong=wrong)


def draw(question, rng):
    """The fields of a question of a quiz's file, as `Question` takes them.

    Args:
        question: the fields as they are in the file.
        rng: random.Random of a variant; None for the first values and whole pools.
    """
    given, pool = question.get("given"), question.get("pool")
    question = {name: value for name, value in question.items() if name not in ("given", "pool")}
    if given:
        question = fill(question, {name: rng.choice(values) if rng else values[0] for name, values in given.items()})
    return question | dict(right=some(question["right"], pool, rng)) if rng and pool else question


def some(entries, number, rng):
    """As many of the entries of a list or a dictionary, in their order."""
    kept = sorted(rng.sample(range(len(entries)), number))
    if isinstance(entries, dict):
        return dict(pair for place, pair in enumerate(entries.items()) if place in kept)
    return [entries[place] for place in kept]
