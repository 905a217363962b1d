"""An experiment at the published size: as many of its runs as fit into some minutes, and the others the next time.

Its runs stand in blocks, and each block says something by itself, e.g. two arms on one image with one seed. The most
informative blocks come first; why their order is what it is, each experiment says where it makes them.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ... import methods
from ...files import make_folder
from ...networks import PRECISIONS
from ...run.bar import Bar, say
from ...run.checkpoint import interrupted_at
from ...run.identity import digest
from ...run.interrupt import deferred_interrupt
from ...run.result import answer
from ...settings import InputError
from ...study.store import Store
from ...study.trials import KINDS, NAMES, record, run_trial
from . import get, names

#: A run's pace is measured over at least `LOOK` seconds, of quick steps after the first `SETTLED`: a GPU records these.
SETTLED, LOOK = 3, 2.0

#: Steps between two checkpoints on a GPU, which makes 50 in less time than one takes to be written.
ON_GPU = 1000


@dataclass(frozen=True)
class Runs:
    """How an experiment is made of runs.

    Attributes:
        label: its name on a progress bar.
        blocks: function of its sizes, see `Experiment.profiles`: [[(words, Trial)]], the most informative block first.
        gather: function of [(words, row)] that returns what `Experiment.judge` takes.
        read: what is read of each run, see `trials.run_trial`.
    """

    label: str
    blocks: Callable
    gather: Callable
    read: Callable | None = None

    def measure(self, *, file=None, record_every=1, progress=True, **sizes):
        """Make all runs that the file does not hold, and return what `gather` makes of all.

        Args:
            file: where each run is recorded, so that a stopped experiment goes on when it is started again; runs of the
                same settings that it holds are not made again. None keeps nothing.
            record_every: see `reconstruct`.
            progress: show a bar, and make as many runs at a time as there are cores.
            **sizes: see `blocks`.
        """
        runs = [run for block in self.blocks(**sizes) for run in block]
        rows = record([trial for _, trial in runs], file=file, read=self.read, label=self.label, progress=progress,
                      record_every=record_every)
        return self.gather([(words, row) for (words, _), row in zip(runs, rows, strict=True)])


class Plan:
    """The runs of an experiment's profile "paper", and those of them that an out folder holds.

    Args:
        name: id of the experiment. out: the folder. precision: in which the networks compute, of `PRECISIONS`.

    Attributes:
        blocks: [[(words, Trial)]], in order; rows: {key of a trial: row} of the runs that are there.

    Raises:
        InputError: the experiment has no such runs, or what the folder holds of them is damaged.
    """

    def __init__(self, name, out, precision=PRECISIONS[0]):
        experiment = get(name)
        if experiment.runs is None:
            known = ", ".join(other for other in names() if get(other).runs)
            raise InputError(f"{name} is not made of runs that fit into minutes: leave out --minutes, or choose one of "
                             f"{known}")
        sizes = dict(experiment.profiles["paper"])
        self.experiment, self.runs = experiment, experiment.runs
        self.file, self.every = Path(out) / sizes.pop("file"), sizes.pop("record_every", 1)
        self.progress = sizes.pop("progress", True)
        self.blocks = [[(words, computed(trial, precision)) for words, trial in block]
                       for block in self.runs.blocks(**sizes)]
        self.store = Store(self.file, NAMES, KINDS)
        self.rows = self.store.rows

    def done(self):
        """{title of a run: its row} of the runs that are there."""
        return {title(words, trial): self.rows[trial.key] for block in self.blocks for words, trial in block
                if trial.key in self.rows}

    def missing(self):
        """{title of a run: its `Trial`} of the others."""
        return {title(words, trial): trial for block in self.blocks for words, trial in block
                if trial.key not in self.rows}

    def told(self, before=()):
        """What is done, but for the titles of `before`, and what is missing, in lines."""
        done, missing = self.done(), self.missing()
        lines = [f"  done: {name}: {found(row)}" for name, row in done.items() if name not in before]
        for name, trial in missing.items():
            if (made := interrupted_at(self.folder(trial))) is not None:
                lines.append(f"  begun: {name}: {made} of {trial.budget} steps")
        lines.append(f"{len(done)} of {len(done) + len(missing)} runs at the published size are done"
                     + (f", next: {'; '.join(list(missing)[:3])}" if missing else ""))
        return lines

    def claims(self):
        """The claims, see `Experiment.judge`, by the blocks of which all runs are there; [] while there is none."""
        whole = [block for block in self.blocks if all(trial.key in self.rows for _, trial in block)]
        runs = [(words, self.rows[trial.key]) for block in whole for words, trial in block]
        return self.experiment.judge(self.runs.gather(runs))[0] if runs else []

    def folder(self, trial):
        """Where a run that is not finished has its checkpoint."""
        return self.file.with_suffix("") / digest(trial.key)

    def make(self, minutes, device):
        """Make missing runs until the minutes are up, the first one by a step at least; whether a signal ended it.

        A run that is cut off goes on from its checkpoint the next time. No run begins when the time is up.

        Args:
            minutes: from now on; device: a torch.device.

        Raises:
            InputError: a folder cannot be written, or another process makes the same run.
        """
        deadline = time.monotonic() + 60 * minutes
        make_folder(self.file.parent)
        with deferred_interrupt() as interrupted:
            for name, trial in self.missing().items():
                with Bar(total=trial.budget, desc=name, unit="step", disable=not self.progress) as bar:
                    row = run_trial(trial, Clock(name, trial.budget, deadline, bar), self.runs.read, device=device,
                                    out=self.folder(trial), record_every=self.every,
                                    checkpoint_every=ON_GPU if device.type == "cuda" else None)
                if row is not None:
                    self.store.add(row)
                    shutil.rmtree(self.folder(trial), ignore_errors=True)
                if interrupted or row is None or time.monotonic() >= deadline:
                    break
        with suppress(OSError):
            self.file.with_suffix("").rmdir()  # only if it is empty
        return bool(interrupted)


class Clock:
    """What a run calls with each step: ends it when the time is up, moves its bar, and says early how long it takes."""

    def __init__(self, name, budget, deadline, bar):
        self.name, self.budget, self.deadline, self.bar = name, budget, deadline, bar
        self.calls, self.since, self.said = 0, (0, 0.0), False

    def __call__(self, step):
        now, self.calls = time.monotonic(), self.calls + 1
        quick = now - self.since[1] < LOOK
        if self.calls == 1 or (quick and self.calls <= SETTLED):
            self.since = step, now
        elif not (quick or self.said):
            pace, self.said = (now - self.since[1]) / (step - self.since[0]), True
            say(f"{self.name}: {pace:.3g} s a step, {lasting(pace * self.budget)} for all {self.budget} steps, "
                f"{lasting(pace * (self.budget - step))} for the {self.budget - step} that are left")
        self.bar.update(step - self.bar.n)
        return now >= self.deadline

    def stop(self):
        """There are no other runs to tell."""


def computed(trial, precision):
    """A trial whose network, if its method has one, computes in a precision."""
    if not hasattr(methods.get(trial.method), "precision"):
        return trial
    return replace(trial, settings=trial.settings | dict(precision=precision))


def title(words, trial):
    """A run in words."""
    return f"{words}: {trial.task} {trial.method} on {trial.problem['image']}, seed {trial.seed}"


def found(row):
    """What a finished run has come to, in words."""
    final, best, step = answer(row, "final", "psnr"), answer(row, "oracle", "psnr"), answer(row, "oracle", "step")
    end = row["stop_reason"] if final is None else f"{final:.2f} dB"
    peak = f", at best {best:.2f} at step {step}" if step else ""  # classic methods make no steps
    where = f"{row['hardware']} {row['settings'].get('precision', '')}".rstrip()
    return f"{end}{peak}; {lasting(row['seconds'])} on {where}"


def lasting(seconds):
    """A time in words: seconds, minutes or hours."""
    return next(f"{seconds / unit:.3g} {name}" for name, unit in (("h", 3600), ("min", 60), ("s", 1))
                if seconds >= unit or unit == 1)
