"""Grading of handed-in notebooks that are not trusted: `aseqdip grade`.

Each notebook runs in a process of its own (`pupil`), behind walls (`wall`, `watch`). That process does not judge. It
calls the student's functions with the exercise's cases and sends what they return (`exchange`), as plain numbers; the
grader holds these against the right answers in its own process, which runs nothing of the student's. So nothing is
gained by editing a check, by overwriting `check`, `judge` or the library, by printing "right" or by storing false
outputs: all that a notebook can do is to send values, and only right values are right.

Which value answers an exercise: the one that the notebook, as it runs, gives last to `check` under this name; where it
gives none, the variable that the lesson's own check takes.

A cell that ends its process, or has to be ended, is left out, and the notebook starts anew, so that it costs the
student no other exercise.

An exercise is judged in the variant of the hand-in, which the instructor assigns or the notebook's first cell names.
The answers to a quiz are read from the text of the notebook, see `answers`.

What remains possible: the course is open and its tables of right answers are installed where the notebook runs. A
student's code can look them up, as a student can, and send what it finds; or know the cases, those of its variant, and
answer these alone. Words in the code that point to it are remarks for a person to follow up, not proof, and code can
hide them.
"""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ... import __version__
from ...run.interrupt import deferred_interrupt
from ...settings import InputError
from ...study.store import key as store_key
from . import handins
from .wall import OPEN
from .watch import PULSE, TIME_IS_UP, Server

#: What identifies a row of the store.
KEY = ("notebook", "lesson", "limits")

#: How many cells of a notebook may end its process before it is given up.
MOST_STARTS = 6

#: Letters of a hint, an error or a remark that are kept, and names of students who share a notebook.
MOST_LETTERS, MOST_NAMES = 400, 5

#: The hint to an exercise that a notebook does not answer.
NO_ANSWER = "no answer was found"


class StartError(Exception):
    """A notebook's process did not come as far as its first cell: a fault of this machine, not of the student's."""


@dataclass(frozen=True)
class Limits:
    """What a notebook may use: seconds in all and of a cell or an answer, MiB of memory; and the profile it runs in."""

    seconds: float = 600.0
    cell: float = 120.0
    memory: int = 3072
    profile: str = "smoke"


@dataclass(frozen=True)
class Grade:
    """What became of a hand-in.

    Attributes:
        student, file: names of the student and of the notebook.
        lesson: name of the lesson, "" if it belongs to none.
        marks: {exercise: None for a right answer, else the hint to the last answer, in the lesson's order}.
        failed: [(number of the code cell from 1, its first line, the error)].
        seconds: how long it ran.
        remarks: for the instructor: why it could not be run, or what looks odd.
        attempts: {exercise or question: attempts} by the student's own count, see `attempts`.
    """

    student: str
    file: str
    lesson: str
    marks: dict = field(default_factory=dict)
    failed: list = field(default_factory=list)
    seconds: float = 0.0
    remarks: list = field(default_factory=list)
    attempts: dict = field(default_factory=dict)

    def points(self, worth, deduct=0.0):
        """Points of the exercises that are right, `worth` {exercise: points} or 1 each, less the deductions, if any."""
        return max(0.0, sum(worth.get(name, 1) for name, hint in self.marks.items() if hint is None)
                   - deduct * len(self.failed))

    def out_of(self, worth):
        """Points of all exercises of the lesson."""
        return sum(worth.get(name, 1) for name in self.marks)


class Claims:
    """What the process of a notebook says about itself, over all its starts.

    Attributes:
        notes: {exercise: notes on the last answer}, see `exchange`.
        failed: {number of the cell: its error}.
        step: the step that has begun last, "start" before the first and "end" after the last.
    """

    def __init__(self, cells, exercises):
        self.cells, self.exercises = cells, exercises
        self.notes, self.failed, self.step = {}, {}, "start"

    def take(self, event):
        """Take in what the process sends; what it would not send by itself is left out."""
        if "step" in event:
            self.step = str(event["step"])[:80]
        elif "end" in event:
            self.step = "end"
        elif event.get("failed") in range(len(self.cells)):
            self.failed[int(event["failed"])] = str(event.get("text"))[:MOST_LETTERS]
        elif isinstance(event.get("answer"), str) and event["answer"] in self.exercises:
            self.notes[event["answer"]] = event.get("notes")

    def blame(self, why):
        """Hold it against the present step that the process has ended, or had to be ended."""
        kind, _, rest = self.step.partition(" ")
        if kind == "cell" and rest.isdecimal() and int(rest) < len(self.cells):
            self.failed.setdefault(int(rest), why)
        elif kind == "answer":
            self.notes[rest.partition(" ")[2]] = dict(hint=f"your answer cannot be tried: {why}")


def run_notebook(cells, lesson, limits, server, stopped=lambda: False, variant=None):
    """Run the code cells of a notebook of a lesson; {"marks", "failed", "seconds", "remarks"} as in `Grade`.

    StartError if its process could not be started.
    """
    from ..exercises import chosen
    from .exchange import verdict

    asked = {name: chosen(name, variant) for name in lesson.exercises}
    claims, skip, remarks, begun = Claims(cells, lesson.exercises), [], [], time.monotonic()
    while claims.step != "end":
        claims.step = "start"
        task = dict(cells=cells, exercises=lesson.exercises, asked=asked, variant=variant, skip=skip,
                    seconds=limits.cell, memory=limits.memory)
        left = limits.seconds - (time.monotonic() - begun)
        why = server.run(task, claims.take, seconds=left, step_seconds=limits.cell, memory=limits.memory,
                         stopped=stopped) or "it ended the process"
        if claims.step == "start" and not stopped() and not (skip and why == TIME_IS_UP):
            raise StartError(f"its process could not be started on this machine ({why}); grade it again")
        if claims.step != "end":
            claims.blame(why)
            skip.append(claims.step)
            if stopped() or claims.step == "start" or len(skip) == MOST_STARTS or why == TIME_IS_UP:
                remarks.append(f"given up at {claims.step}: {why}")
                break
    marks = {name: verdict(asked[name], claims.notes[name], variant) if name in claims.notes else NO_ANSWER
             for name in lesson.exercises}
    return dict(marks={name: hint and " ".join(hint.split())[:MOST_LETTERS] for name, hint in marks.items()},
                failed=[[number + 1, title(cells[number]), text] for number, text in sorted(claims.failed.items())],
                seconds=round(time.monotonic() - begun, 1), remarks=remarks)


def title(source):
    """The first line of a cell that holds more than blanks."""
    return next((line.strip()[:80] for line in source.splitlines() if line.strip()), "")


class Grader:
    """Grades hand-ins one by one, also from several threads. Arguments as those of `grade`; `stop` ends what runs."""

    def __init__(self, found, limits, store, server=None, with_quiz=False):
        self.limits, self.store, self.server, self.with_quiz = limits, store, server, with_quiz
        self.stop, self.adding = threading.Event(), threading.Lock()
        self.authors = {}
        for handin in found:
            self.authors.setdefault(handin.content, {})[handin.student] = None

    def key(self, handin):
        """What identifies the result of a hand-in in the store."""
        limits, lesson = self.limits, handin.lesson.digest
        lesson = lesson if handin.variant is None else handins.digest([lesson, handin.variant])
        return dict(notebook=handin.content, lesson=lesson,
                    limits=[limits.seconds, limits.cell, limits.memory, limits.profile, __version__])

    def is_new(self, handin):
        """Whether a hand-in has to be run."""
        return not handin.fault and store_key(self.key(handin), KEY) not in self.store.rows

    def result(self, handin):
        """The row of a hand-in, from the store or of a run; CancelledError if that was stopped."""
        if not self.is_new(handin):
            return self.store.rows[store_key(self.key(handin), KEY)]
        row = self.key(handin) | run_notebook(handin.cells, handin.lesson, self.limits, self.server, self.stop.is_set,
                                              handin.variant)
        if self.stop.is_set():
            raise CancelledError
        with self.adding:
            self.store.add(row)
        return row

    def __call__(self, handin):
        """The `Grade` of a hand-in."""
        facts = dict(student=handin.student, file=handin.file, lesson=handin.lesson.name if handin.lesson else "")
        if handin.fault:
            exercises = [*handin.lesson.exercises, *self.quiz_marks(handin)[0]] if handin.lesson else ()
            return Grade(**facts, marks=dict.fromkeys(exercises, "not graded"), remarks=[f"not graded: {handin.fault}"])
        try:
            row = self.result(handin)
        except (InputError, CancelledError):
            raise
        except StartError as error:
            return Grade(**facts, remarks=[f"not graded: {error}"])
        except Exception as error:  # a fault of ours costs one grade, and is named
            return Grade(**facts, remarks=[f"not graded: {type(error).__name__}: {error}"])
        lost = [name for name, hint in row["marks"].items() if hint == NO_ANSWER]
        questions, more = self.quiz_marks(handin)
        remarks = [*row["remarks"], *handin.remarks, *more, *handins.suspicions(handin.cells, handin.lesson, lost)]
        if others := [student for student in self.authors[handin.content] if student != handin.student]:
            more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
            remarks.append(f"the same code as {', '.join(others[:MOST_NAMES])}{more}")
        return Grade(**facts, marks=row["marks"] | questions, failed=row["failed"], seconds=row["seconds"],
                     remarks=remarks, attempts=handin.attempts)

    def quiz_marks(self, handin):
        """Marks and remarks of the quiz of a hand-in's lesson; none if quizzes are not graded, or it has no quiz."""
        from .answers import marks

        return marks(handin.cells, handin.lesson.name, handin.variant) if self.with_quiz else ({}, [])


def grade(found, limits, *, store, jobs=1, hidden=(), done, warn=print, with_quiz=False):
    """Grade hand-ins.

    Args:
        found: list of `handins.Handin`.
        limits: a `Limits`.
        store: a `study.store.Store` with the names `KEY`; what it holds of earlier calls is not run again.
        jobs: notebooks at a time.
        hidden: folders that no notebook shall see.
        done: called with each `Grade` as it comes; that of a hand-in which cannot be graded has a remark.
        warn: called with a line if this machine cannot keep notebooks in.
        with_quiz: whether the answers to the lessons' quizzes are graded, too.

    Raises:
        InputError: the store cannot be written.
        KeyboardInterrupt: what is done is in the store.
    """
    grader = Grader(found, limits, store, with_quiz=with_quiz)
    new = []
    for handin in found:
        if grader.is_new(handin):
            new.append(handin)
        else:
            done(grader(handin))
    if not new:
        return
    # an interrupt that was raised between two lines here would lose a grade, or leave a lock of the pool locked
    with (deferred_interrupt() as signals, Server(hidden, limits.profile) as grader.server,
          ThreadPoolExecutor(jobs) as pool):
        from . import exchange  # noqa: F401  # which takes as long as the server's start: both at a time

        if (walls := grader.server.ready()) in OPEN:
            warn(f"this machine makes no namespaces for users, so notebooks can reach {OPEN[walls]}: start this in a "
                 "container")
        running = {pool.submit(grader, handin) for handin in new}
        try:
            while running and not signals:
                for future in wait(running, PULSE, FIRST_COMPLETED).done:
                    running.discard(future)
                    done(future.result())
        finally:
            grader.stop.set()
            pool.shutdown(cancel_futures=True)
            for future in running:
                if not future.cancelled() and future.exception() is None:
                    done(future.result())
    if signals:
        raise KeyboardInterrupt
