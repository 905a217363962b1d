"""A trial is one run of a study: what it is, how it is made, and the row that it leaves in a `Store`."""

from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import partial

from .. import methods
from ..files import plain
from ..run.bar import UNWRITABLE
from ..run.engine import reconstruct
from ..run.stopping import StopReason
from ..tasks import load_case
from . import store
from .sweep import sweep

#: What a row keeps of a run's metrics.
KEPT = ("image", "gradients", "seconds", "peak_memory_mib", "stop_reason", "answers", "device", "hardware", "threads",
        "versions")


@dataclass(frozen=True)
class Trial:
    """One run: a method with its settings on a problem, with both seeds.

    Attributes:
        task, method: names.
        problem: image and settings of the task, as `load_case` takes them.
        settings: of the method; the others are the profile's defaults.
        steps: Adam steps of a DIP method; None for the method's own. Classic methods keep their iterations.
        seed: initialisation seed; data_seed: of mask, phase and noise.
        profile: "smoke", "laptop" or "paper".
    """

    task: str
    method: str
    problem: dict
    settings: dict = field(default_factory=dict)
    steps: int | None = None
    seed: int = 0
    data_seed: int = 0
    profile: str = "laptop"

    @property
    def key(self):
        """What identifies the trial in a `Store` with `NAMES`."""
        return store.key(asdict(self), NAMES)

    @property
    def budget(self):
        """Adam steps of the run, for a bar; 1 for a classic method."""
        method = self.configured()
        return (self.steps or method.steps) if method.budget else 1

    def configured(self):
        """The method with its settings."""
        if "steps" in self.settings:  # then these are all settings, as `to_dict` gives them, the budget among them
            return methods.get(self.method)(**self.settings)
        steps = self.steps if methods.get(self.method).budget else None
        return methods.configure(self.method, self.task, self.profile, steps, **self.settings)

    def case(self):
        """The `Case`."""
        return load_case(self.task, seed=self.data_seed, profile=self.profile, **self.problem)

    def run(self, watch, *, device="cpu", out=None, case=None, record_every=1, checkpoint_every=None):
        """The `Result`, see `reconstruct`; with a folder `out` it goes on from its checkpoint. `case` may be given."""
        method, case = self.configured(), case or self.case()
        return reconstruct(case.to(device), method, seed=self.seed, steps=self.steps if method.budget else None,
                           out=out, resume=out is not None, progress=False, watch=watch,
                           record_every=record_every if method.budget else 1, checkpoint_every=checkpoint_every)


#: Names of a row's entries that identify its trial, and the kinds of others that a row has.
NAMES, KINDS = tuple(each.name for each in fields(Trial)), dict(answers=dict, made=int)


def run_trial(trial, watch, read=None, **options):
    """Make a trial and return its row: the trial, `KEPT` of its metrics (of the answers what is known), `made`, the
    steps made, and the dictionary that read(trial, result) returns. None if it was interrupted. `options`: of
    `Trial.run`.
    """
    result = trial.run(watch, **options)
    if result.stop_reason is StopReason.INTERRUPTED:
        watch.stop()  # a Ctrl-C that this run has caught is meant for all
        return None
    metrics = result.metrics
    known = {name: {score: value for score, value in found.items() if value is not None}
             for name, found in metrics["answers"].items()}
    return plain(asdict(trial) | {name: metrics[name] for name in KEPT} | dict(answers=known, made=metrics["steps"])
                  | (read(trial, result) if read else {}))


def record(trials, *, file=None, read=None, kinds=KINDS, label="trials", workers=None, progress=True, **options):
    """Make the trials that `file` does not hold, write each row as soon as it is there, and return the rows of all.

    Args:
        trials: list of `Trial`. file: of the `Store`; None keeps nothing.
        read: see `run_trial`. kinds: what rows must have, see `Store`. others: see `sweep`, `Trial.run`.

    Raises:
        InputError: the file is damaged or cannot be written.
        KeyboardInterrupt: it was interrupted; started again, it goes on there.
    """
    kept = store.Store(file, NAMES, kinds)
    jobs = {trial.key: dict(trial=trial, budget=trial.budget) for trial in trials if trial.key not in kept.rows}
    if progress:
        with suppress(*UNWRITABLE):
            print(f"{label}: {len(jobs)} trials to run, {len(trials) - len(jobs)} done before", flush=True)
    if jobs and len(sweep(partial(_run_job, read=read, **options), jobs, workers=workers, progress=progress,
                          label=label, finished=lambda _, row: kept.add(row))) < len(jobs):
        raise KeyboardInterrupt
    return [kept.rows[trial.key] for trial in trials]


def _run_job(job, watch, read, **options):
    return run_trial(job["trial"], watch, read, **options)
