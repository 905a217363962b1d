"""The one way through: `iterate` steps a method, a `Run` records it, `reconstruct` saves and resumes it."""

import math
import time

import torch

from ..case import Case, Observation
from ..files import provenance
from ..settings import MOST, InputError, whole_number
from . import checkpoint, memory, threads
from .bar import Bar
from .identity import describe
from .interrupt import deferred_interrupt
from .recorder import Recorder, is_constant
from .result import Result
from .stopping import StopReason

#: Steps between two checkpoints.
CHECKPOINT_EVERY = 50

#: A run whose data term is above this many times its first one has diverged. Rates of use come nowhere near it:
#: docs/RELIABILITY.md has the growth measured at each rate.
DIVERGED = 1e6

#: A network is dead after more than so many constant outputs in a row. Fewer may be a stumble: after 20 steps without
#: a gradient Adam's momentum still moves the weights by a tenth of its last step.
DEAD = 20

#: The largest numbers of a run and a sweep that have a bound of their own.
LIMITS = dict(seed=2**63 - 1, seeds=1000, workers=1000)


def iterate(observation, method, *, seed=0, steps=None, z0=None, carry=None):
    """Yield the `State` after each Adam step, until the last or until the method's own rule ends the run.

    Args:
        observation: the `Observation`; the truth is not part of it. InputError for anything else.
        method: a method with its settings, e.g. ASeqDIP(lam=1.0, N=2, K=2000).
        seed: seed of the initial weights and of all the run's random numbers.
        steps: last step to make, counted from the start of the run; the method's own by default.
        z0: network input (1, C, H, W) to start from instead of the method's own.
        carry: continue from this carry (e.g. the last state's), which brings its network and optimiser along; all other
            settings are those of `method`.

    Yields:
        State: step, stage, image, losses, carry; images are in the units of `observation.y`.
    """
    if not isinstance(observation, Observation):
        raise InputError("iterate takes only the measurements, no method sees the truth: pass case.observation")
    memory.keep()
    with threads.suited(observation):
        carry = method.init(observation, seed, z0) if carry is None else carry
    while carry.step < (method.steps if steps is None else steps) and not carry.done:
        with threads.suited(observation):
            state = method.step(observation, carry)
        yield state


class Run:
    """A run of a method on a case that records itself and knows why it ended.

    Args:
        case, method, seed, steps, patience, window, record_every: see `reconstruct`.

    Attributes:
        carry: the method's carry; recorder: the `Recorder`, with the curves and the images.
        budget: the last Adam step.
        reason: the `StopReason`; None while there are steps to make.
        seconds: wall time since each `start`, as of the last step.
        stretches: where and with what each part of the run was made, {"first": its first step, ...}, see `provenance`.

    Raises:
        InputError: see `reconstruct`.
    """

    def __init__(self, case, method, *, seed=0, steps=None, patience=None, window=100, record_every=1):
        check_run(seed=seed, steps=steps, patience=patience, window=window, record_every=record_every)
        if not isinstance(case, Case):
            raise InputError("a run is measured against the truth of its case: pass the case, not case.observation")
        if method.tasks is not None and case.task not in method.tasks:
            raise InputError(f"{method.name} is not defined for {case.task}: it serves {' and '.join(method.tasks)}")
        method.check_image(case.image)
        self.case, self.method, self.seed = case, method.suited(case.observation), seed
        self.budget = method.steps if steps is None else steps
        check_divides(record_every, self.budget)
        self.patience, self.record_every = patience, record_every
        with threads.suited(case.observation):
            self.carry = method.init(case.observation, seed)
        self.recorder = Recorder(case, window, record_every)
        self.reason, self.seconds, self.stretches, self._making = None, 0.0, [], False
        self._states = iterate(case.observation, method, steps=self.budget, carry=self.carry)

    @property
    def steps(self):
        """The last step that was recorded; 0 before the first."""
        return self.recorder.steps

    def start(self):
        """Start the clock, or continue after a pause; the run ends here if nothing is left to do."""
        self._since, self.reason = time.perf_counter(), self._ended()
        if not (self.reason or self._making):
            device = self.case.observation.y.device
            memory.reset(device)
            with threads.suited(self.case.observation):
                self.stretches.append(dict(first=self.carry.step + 1, **provenance(device), peak_memory_mib=None,
                                           deterministic=torch.are_deterministic_algorithms_enabled()))
            self._making = True

    def advance(self):
        """Make the next Adam step, record it where it is due, and return its `State`; a fault is not recorded."""
        with threads.suited(self.case.observation):
            state = next(self._states)
            if state.step % self.record_every == 0 or self.carry.done:
                self.reason = fault(state, self.recorder)
                if self.reason is None:
                    self.recorder.record(state)
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.reason = self.reason or self._ended()
        return state

    def interrupt(self, state=None):
        """End the run after `state`, its last one, whether or not that step was recorded."""
        unseen = state is not None and state.step > self.steps
        self.reason = (fault(state, self.recorder) if unseen else None) or StopReason.INTERRUPTED

    def result(self):
        """The run so far as a `Result`."""
        return Result.of(self.recorder, self.method, seed=self.seed, steps=self.steps, stretches=self.stretches,
                         stop_reason=self.reason or StopReason.INTERRUPTED, seconds=self.seconds, budget=self.budget)

    def state_dict(self):
        """What a checkpoint keeps, in tensors, numbers, texts, lists and dictionaries; see `schema.pattern_of`."""
        if self._making:
            self.stretches[-1]["peak_memory_mib"] = memory.peak(self.case.observation.y.device)
        return dict(carry=self.carry.state_dict(), recorder=self.recorder.state_dict(), seconds=self.seconds,
                    stretches=self.stretches, ended=self.reason not in (None, StopReason.INTERRUPTED))

    def load_state_dict(self, state):
        """Take over a `state_dict` that was checked."""
        self.carry.load_state_dict(state["carry"])
        self.recorder.load_state_dict(state["recorder"])
        self.seconds, self.stretches = state["seconds"], state["stretches"]

    def _ended(self):
        best = self.recorder.variance.best_step  # 0 before a whole window was seen
        if self.patience is not None and best > 0 and self.steps - best >= self.patience:
            return StopReason.EARLY
        if self.carry.done:
            return StopReason.OWN_RULE
        return StopReason.BUDGET if self.carry.step >= self.budget else None


def reconstruct(case, method, *, seed=0, steps=None, out=None, resume=False, patience=None, window=100,
                record_every=1, progress=True, watch=None, seen=None, checkpoint_every=None):
    """Run a method on a case and return its `Result`.

    Args:
        case: the `Case`; its truth, if known, never reaches the method.
        method: a method with its settings.
        seed: initialisation seed.
        steps: last Adam step; the method's own budget by default.
        out: folder for `checkpoint.pt`, written at the first recorded step from each `checkpoint_every`-th [50th] on
            and at the end. A failed one, as on a full disk, is reported once; the one before it stays intact.
        resume: continue from the checkpoint in `out`, if there is one.
        patience: stop when the moving variance of the outputs has had no new minimum for this many steps; the answer is
            then the image at the minimum. None runs to the budget.
        window: window of the moving variance, in steps; at least 3 recorded outputs.
        record_every: steps from one recorded step to the next, a divisor of the budget. Images, stopping rules, faults
            and checkpoints are those of recorded steps; between them a GPU runs ahead.
        progress: show a progress bar with loss, PSNR where the truth is known, and time left.
        seen: called with the `State` after each step.
        watch: called with the step after each one; a true answer ends the run as Ctrl-C does: after its current step.

    Ctrl-C, TERM and HUP end it that way; a second Ctrl-C ends it at once. A fault, see `StopReason`,
    leaves the last good image and the last checkpoint.

    Raises:
        InputError: a checkpoint that is damaged or of another run; an out folder that cannot be written to; bad
            settings; a method that cannot honestly be run on the case.
    """
    run = Run(case, method, seed=seed, steps=steps, patience=patience, window=window, record_every=record_every)
    with checkpoint.Keeper(out, describe(run, window)) as kept:
        if resume:
            kept.restore(run)
        run.start()
        total, every = run.carry.step if run.reason else run.budget, checkpoint_every or CHECKPOINT_EVERY
        bar = Bar(total=total, initial=run.carry.step, desc=f"{case.task} {method.name}", unit="step",
                  disable=not progress, mininterval=0.5)
        with bar, deferred_interrupt() as interrupted:
            while run.reason is None:
                state = run.advance()
                if run.reason and run.reason.is_fault:
                    break
                if seen is not None:
                    seen(state)
                bar.set_postfix({name: f"{run.recorder.curve[name][-1]:.4g}" for name in ("loss", "psnr")
                                 if name in run.recorder.curve}, refresh=False)
                bar.update()
                due = state.step // every > (state.step - record_every) // every
                if due and state.step == run.steps:
                    kept.save(run)
                if (watch is not None and watch(state.step)) or interrupted:
                    run.interrupt(state)
            if run.reason.is_fault:
                kept.end()
            else:
                kept.save(run)
    return run.result()


def fault(state, recorder):
    """Why a run cannot continue with this state, which is then not recorded; None if it can.

    * "diverged": a loss or an image is not finite, or the data term has grown beyond `DIVERGED` times the first.
    * "dead network": this output and the `DEAD` before it have one value at all pixels. Such a network no longer
      answers to its input, and no gradient reaches its inner weights.
    """
    first = recorder.curve.get("data", [math.inf])[0]
    if not state.is_finite or state.losses.get("data", 0.0) > DIVERGED * first:
        return StopReason.DIVERGED
    return StopReason.DEAD if recorder.flat >= DEAD and is_constant(state.image) else None


def check_run(**numbers):
    """InputError unless seed is at least 0, and each other number at least 1 and at most `LIMITS`, `MOST`, or None."""
    for name, value in numbers.items():
        if value is not None and whole_number(name, value, 0 if name == "seed" else 1) > LIMITS.get(name, MOST):
            raise InputError(f"{name} must be at most {LIMITS.get(name, MOST)}, got {value}")


def check_divides(record_every, budget):
    """InputError, with the nearest divisor, unless a run of this budget ends at a recorded step."""
    check_run(steps=budget)
    if budget % record_every:
        small = [number for number in range(1, math.isqrt(budget) + 1) if budget % number == 0]
        near = min((number for pair in zip(small, [budget // number for number in small], strict=True)
                    for number in pair), key=lambda number: (abs(number - record_every), number))
        raise InputError(f"record_every {record_every} does not divide the {budget} steps of the run: choose {near}")
