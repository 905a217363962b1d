"""What happens in the process that a handed-in notebook runs in, see `wall`.

It reads the task as JSON from stdin and runs the code cells one after the other in IPython's shell, the one that a
Jupyter kernel has inside. It writes a line of JSON at each step to what was its stdout. Whatever it writes is a claim
of the student's: it holds what answers returned, never whether they are right.
"""

import functools
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
    """Run the cells and, after each, try the answers that it gave to a check; in the end those that no check was given.

    A step in task["skip"] is left out: it has ended a process before.
    """
    from . import exchange

    exercises, checked, given = task["exercises"], set(), watched_check(task["exercises"])
    record = functools.partial(exchange.record, variant=task["variant"])

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

    def try_answer(when, name, value):
        checked.add(name)
        asked = task["asked"][name]
        notes = step(f"answer {when} {name}", lambda: answered(record, asked, value, task["seconds"]))
        if notes is not None:
            send(answer=name, notes=notes)

    for number, source in enumerate(task["cells"]):
        error = step(f"cell {number}", lambda source=source: run_cell(source))
        if error is not None:
            send(failed=number, text=f"{type(error).__name__}: {error}"[:500])
        if isinstance(error, MemoryError):
            os._exit(1)  # what the cell has filled stays full: anew, without it
        for name in list(given):
            try_answer(number, name, given.pop(name))
    for name, variable in exercises.items():  # those that no check was given: what the lesson's own check would take
        if name not in checked and variable in shell.user_ns:
            try_answer("end", name, shell.user_ns[variable])


def watched_check(exercises):
    """{exercise: the last answer} that fills as a notebook calls `check`, under whatever name and from wherever."""
    from ... import course
    from .. import exercises as checks

    given, check = {}, checks.check

    @functools.wraps(check)
    def watched(name, answer):
        if isinstance(name, str) and name in exercises:
            given[name] = answer
        return check(name, answer)

    course.check = checks.check = watched
    return given


def answered(record, name, value, seconds):
    """Notes on an answer; of one that does not come to an end, that."""
    try:
        return record(name, value)
    except Overtime:
        return dict(hint=f"your answer took more than {seconds} s")
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
