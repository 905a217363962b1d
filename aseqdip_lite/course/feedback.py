"""What a reader sees of a verdict: a box with a mark and words, and sentences in place of two kinds of traceback."""

import ast
import html
import traceback

#: How a hint begins to an answer that is not there yet; it counts as no attempt.
UNANSWERED = "not answered yet"

#: Mark and colour of the box's edge. The colours keep their contrast on white and on black.
MARKS = {"right": ("✓", "#2e8b57"), "not yet": ("✗", "#c77700"), UNANSWERED: ("○", "#808080")}


class Box:
    """A verdict: HTML in a notebook, the same words as text everywhere else.

    Args:
        name: what was answered, e.g. "mri.adjoint"; may be "".
        hint: None for right, else what to think about.
        *notes: further sentences, such as the number of attempts.
        why: why the answer is right; shown with "right" alone.
    """

    def __init__(self, name, hint, *notes, why=""):
        self.state = "right" if hint is None else UNANSWERED if hint.startswith(UNANSWERED) else "not yet"
        self.name, self.notes = name, notes
        right = f"right: {why}" if why else "right"
        self.words = f"not yet: {hint}" if self.state == "not yet" else hint or right

    def __repr__(self):
        mark, _ = MARKS[self.state]
        return " | ".join((f"{mark} {self.name}: {self.words}" if self.name else f"{mark} {self.words}", *self.notes))

    def _repr_html_(self):
        mark, colour = MARKS[self.state]
        name, words, notes = (html.escape(part) for part in (self.name, self.words, " | ".join(self.notes)))
        return (f'<div role="status" style="border-left: 0.4em solid {colour}; padding: 0.2em 0.8em; margin: 0.3em 0">'
                f"<b>{mark} {name and f'{name}: '}</b>{words}{notes and f'<br><small>{notes}</small>'}</div>")


def sentence(error, cell):
    """What an exception of a cell with a check means, None for all that needs its traceback.

    Args:
        error: the exception, with its traceback.
        cell: the cell's text.

    Returns:
        A sentence, if the cell's own code is no Python yet, or if the cell itself (not a function that it calls) uses a
        name that does not exist: a letter without quotation marks, or a name of a cell that was not run.
    """
    if "check(" not in cell:
        return None
    if isinstance(error, SyntaxError):
        return None if is_python(cell) else (
            f"This cell is not finished: Python cannot read line {error.lineno}, {(error.text or '').strip()!r} "
            f"({error.msg}). Complete or mend the line, then run the cell again.")
    if not isinstance(error, NameError) or len(list(traceback.walk_tb(error.__traceback__))) > 2:  # IPython, the cell
        return None
    return (f"'{error.name}' is not defined. If it is your answer, put it in quotation marks: \"{error.name}\". If it "
            "comes from a cell above, run the cells above first.")


def is_python(cell):
    """Whether a cell can be read, so that a SyntaxError comes from code that it runs or imports."""
    try:
        ast.parse(cell)
    except SyntaxError:
        return False
    return True


def explain_slips():
    """In IPython, show `sentence` in place of the traceback where there is one; elsewhere do nothing.

    The cell fails all the same, so tools that run notebooks stop at it. A handler that somebody else has set stays.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((NameError, SyntaxError), show_slip)


def show_slip(shell, kind, error, trace, tb_offset=None):
    """IPython's handler of the exceptions that `explain_slips` registers."""
    words = sentence(error, shell.history_manager.input_hist_parsed[-1])
    if words is None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:
        shell._showtraceback(kind, error, [words])  # the hook by which every shell shows a traceback of its own
