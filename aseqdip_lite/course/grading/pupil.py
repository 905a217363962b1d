"""What happens in the process that a handed-in notebook runs in, see `wall`.

It reads the task as JSON from stdin and runs the code cells one after the other in IPython's shell, the one that a
Jupyter kernel has inside. It writes a line of JSON at each step to what was its stdout. Whatever it writes is a claim
of the student's: it holds what answers returned, never whether they are right.
"""

import ast
import contextlib
import io
import json
import os
import resource
import signal
import sys
from contextlib import contextmanager

#: Bytes of a file and letters that a cell prints, at most.
LARGEST_FILE, MOST_PRINTED = 2**28, 2**20


class Overtime(BaseException):
    """A step has used up its time; no `except Exception` of a notebook stops it."""


class Printed(io.TextIOBase):
    """Streams that keep nothing, and raise once in a cell that prints too much."""

    encoding, left = "utf-8", MOST_PRINTED

    def writable(self):
        return True

    def write(self, text):
        Printed.left -= len(text)
        if Printed.left < 0:
            Printed.left = float("inf")
            raise RuntimeError(f"the cell printed more than {MOST_PRINTED} letters")
        return len(text)


def main():
    """Run the task: see the module."""
    task = json.load(sys.stdin)
    channel = os.dup(1)  # not inherited by what the notebook starts
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    limit(task["memory"])
    sys.stdout = sys.stderr = Printed()
    me = os.getpid()

    def send(**event):
        if os.getpid() != me:
            os._exit(0)  # a child that the notebook forked, and that has come back into this loop
        data = json.dumps(event).encode() + b"\n"
        while data:
            data = data[os.write(channel, data):]

    run(task, send, make_shell())
    send(end=True)
    os._exit(0)  # threads and exit handlers of the notebook are not waited for


def limit(memory):
    """Bounds that this process and its children cannot raise: MiB of memory, size of a file, no core dumps."""
    for what, most in ((resource.RLIMIT_DATA, memory * 2**20), (resource.RLIMIT_FSIZE, LARGEST_FILE),
                       (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))


def make_shell():
    """IPython's shell, without history, colours and tracebacks."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config(HistoryManager=dict(enabled=False)))
    shell.showtraceback = shell.showsyntaxerror = lambda *args, **kwargs: None
    return shell


def run(task, send, shell):
    """Run the cells and, after each, try the answers that it hands to a check or, where no cell does, that it defines.

    A step in task["skip"] is left out: it has ended a process before.
    """
    from . import exchange

    exercises, checked = task["exercises"], set()

    def step(name, work):
        if name in task["skip"]:
            return
        send(step=name)
        Printed.left = MOST_PRINTED
        with alarm(task["seconds"]):
            return work()

    def run_cell(source):
        try:
            result = shell.run_cell(source, store_history=True)
            return result.error_before_exec or result.error_in_exec
        except BaseException as error:  # text that is no Python at all, or overtime outside of the cell's own code
            return error

    def answer(name, expression):
        try:
            value = eval(compile(expression, "<answer>", "eval"), shell.user_ns)
        except Exception as error:
            return dict(hint=f"{type(error).__name__}: {error}")
        return exchange.record(name, value)

    for number, source in enumerate(task["cells"]):
        error = step(f"cell {number}", lambda source=source: run_cell(source))
        if error is not None:
            send(failed=number, text=f"{type(error).__name__}: {error}"[:500])
        if isinstance(error, MemoryError):
            os._exit(1)  # what the cell has filled stays full: anew, without it
        statements = step(f"reading {number}", lambda source=source: parsed(source, shell))
        for name, expression in checks(statements, exercises):
            checked.add(name)
            notes = step(f"answer {number} {name}", lambda name=name, e=expression: answered(answer, name, e, task))
            if notes is not None:
                send(answer=name, notes=notes)
    for name, expression in exercises.items():  # those whose check is gone: their answer is what the lesson would check
        if name not in checked and expression in shell.user_ns:
            notes = step(f"answer end {name}", lambda name=name, e=expression: answered(answer, name, e, task))
            if notes is not None:
                send(answer=name, notes=notes)


def answered(answer, name, expression, task):
    """Notes on an answer; of one that does not come to an end, that."""
    try:
        return answer(name, expression)
    except Overtime:
        return dict(hint=f"your answer took more than {task['seconds']} s")
    except BaseException as error:
        return dict(hint=f"your answer raised {type(error).__name__}: {error}")


@contextmanager
def alarm(seconds):
    """Raise `Overtime` in the body after so many seconds, and again each second after."""
    def ring(number, frame):
        raise Overtime(f"more than {seconds} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def parsed(source, shell):
    """The statements of a cell, none if it is no Python."""
    with contextlib.suppress(Exception):
        return ast.parse(shell.transform_cell(source)).body
    return []


def outer(statements):
    """The nodes of statements, but for those inside of functions and classes, whose names only they know."""
    waiting = list(statements or [])
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def checks(statements, exercises):
    """(exercise, expression of the answer) of each call whose first argument is an exercise's name."""
    for node in outer(statements):
        if isinstance(node, ast.Call):
            given = dict(zip(("name", "answer"), node.args, strict=False)) | {
                part.arg: part.value for part in node.keywords if part.arg}
            name = given.get("name")
            if isinstance(name, ast.Constant) and name.value in list(exercises) and "answer" in given:
                yield name.value, ast.fix_missing_locations(ast.Expression(given["answer"]))
