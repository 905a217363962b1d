"""The one way through: `iterate` steps a method, `reconstruct` records, saves and resumes a run."""

import hashlib
import math
import signal
import threading
import time
from contextlib import contextmanager

from tqdm.auto import tqdm

from ..settings import InputError, whole_number
from . import checkpoint, memory
from .recorder import Recorder, is_constant
from .result import Result

#: Steps between two checkpoints.
CHECKPOINT_EVERY = 50

#: A run whose data term is above this many times its first one has diverged: it misses y by a thousand times what an
#: untrained network does. Rates of use come nowhere near it; docs/RELIABILITY.md has the growth measured at each rate.
DIVERGED = 1e6

#: A network is dead after more than so many constant outputs in a row. Fewer may be a stumble: Adam's momentum, 0.9,
#: still moves the weights by a tenth of its last step after 20 steps without a gradient, and so might revive it.
DEAD = 20

#: Stop reasons of a run that cannot go on.
FAULTS = ("diverged", "dead network")


def iterate(observation, method, *, seed=0, steps=None, z0=None, carry=None):
    """Yield the `State` after each Adam step. To pause, stop pulling; to stop, leave the loop.

    A method with a stopping rule of its own may end before the last step: its carry is then `done`.

    Args:
        observation: the `Observation`; the truth is not part of it.
        method: a method with its settings, e.g. ASeqDIP(lam=1.0, N=2, K=2000).
        seed: seed of the initial weights and of all the run's random numbers.
        steps: last step to make, counted from the start of the run; the method's own by default.
        z0: network input (1, C, H, W) to start from instead of the method's own.
        carry: go on from this carry (e.g. the last state's) instead of starting anew; the method may have other
            settings than the one that made it, but for network and optimiser, which the carry brings along.

    Yields:
        State: step, stage, image, losses, carry; images are in the units of `observation.y`.
    """
    memory.keep()
    carry = method.init(observation, seed, z0) if carry is None else carry
    while carry.step < (method.steps if steps is None else steps) and not carry.done:
        yield method.step(observation, carry)


def reconstruct(case, method, *, seed=0, steps=None, out=None, resume=False, patience=None, window=100,
                record_every=1, progress=True, watch=None):
    """Run a method on a case and return its `Result`.

    Args:
        case: the `Case`; its truth, if known, is read by the recorder alone.
        method: a method with its settings.
        seed: initialisation seed.
        steps: last Adam step; the method's own budget by default.
        out: folder for `checkpoint.pt` (every 50 steps or where recorded after that, and at the end); None keeps
            nothing.
        resume: go on from the checkpoint in `out`; start anew where there is none.
        patience: stop when the moving variance of the outputs has had no new minimum for this
            many steps; the answer is then the image at the minimum. None runs to the budget.
        window: window of the moving variance, in steps; at least 3 recorded outputs.
        record_every: steps from one recorded step to the next, a divisor of the budget. Recording waits for the
            device and measures the image; a step that is not recorded does neither, so a GPU runs ahead. Images,
            stopping rules, faults and checkpoints are those of the recorded steps.
        progress: show a progress bar with loss, PSNR where the truth is known, and time left.
        watch: function that is called with the step after each step; a true answer ends the run as Ctrl-C does.

    The result says why the run ended, its `stop_reason`: "budget"; "early stopping", by patience; "own rule", the
    method's; "interrupted", by watch or Ctrl-C, after the current step (a second Ctrl-C ends it at once);
    "diverged" or "dead network", see `fault`: the last good image is kept, and the last checkpoint.

    A checkpoint that cannot be written, on a full disk, is said once and tried again; the one before stays whole.

    Raises:
        InputError: a checkpoint that is damaged or of another run; an out folder that cannot be written to; bad
            settings; a method that cannot honestly be run on the case.
    """
    check_run(seed=seed, steps=steps, patience=patience, window=window, record_every=record_every)
    method.check_image(case.image)
    budget = method.steps if steps is None else steps
    check_divides(record_every, budget)
    carry, recorder = method.init(case.observation, seed), Recorder(case, window, record_every)
    kept = checkpoint.Keeper(out, describe(case, method, seed, window, record_every))
    seconds = kept.restore(carry, recorder, case.observation.y.device) if resume else 0.0
    began = time.perf_counter() - seconds

    def stalled():
        best = recorder.variance.best_step  # 0 before a whole window was seen
        return patience is not None and best > 0 and recorder.steps - best >= patience

    memory.reset(case.observation.y.device)
    reason = "early stopping" if stalled() else None
    budget = carry.step if stalled() else budget
    bar = tqdm(total=budget, initial=min(carry.step, budget), desc=f"{case.task} {method.name}", unit="step",
               disable=not progress, mininterval=0.5)
    with bar, deferred_interrupt() as interrupted:
        for state in iterate(case.observation, method, steps=budget, carry=carry):
            if state.step % record_every == 0 or carry.done:
                reason = fault(state, recorder)
                if reason:
                    break
                row = recorder.record(state)
                bar.set_postfix({k: f"{row[k]:.4g}" for k in ("loss", "psnr") if k in row}, refresh=False)
                if state.step // CHECKPOINT_EVERY > (state.step - record_every) // CHECKPOINT_EVERY:
                    kept.save(carry, recorder, time.perf_counter() - began)
            bar.update()
            if (watch is not None and watch(state.step)) or interrupted:
                reason = fault(state, recorder) or "interrupted"  # nobody may have looked at this step
                break
            if stalled():
                reason = "early stopping"
                break
        if reason not in FAULTS:
            kept.save(carry, recorder, time.perf_counter() - began)
    reason = reason or ("own rule" if carry.done else "budget")
    return Result.of(recorder, method, seed=seed, steps=recorder.steps, stop_reason=reason,
                     seconds=time.perf_counter() - began)


def fault(state, recorder):
    """Why a run cannot go on with this state, which is then not recorded; None if it can.

    * "diverged": a loss or an image is not finite, or the data term has grown beyond `DIVERGED` times the first.
    * "dead network": this output and the `DEAD` before it have one value at all pixels. Such a network no longer
      answers to its input, and no gradient reaches its inner weights.
    """
    first = recorder.curve.get("data", [math.inf])[0]
    if not state.is_finite or state.losses.get("data", 0.0) > DIVERGED * first:
        return "diverged"
    return "dead network" if recorder.flat >= DEAD and is_constant(state.image) else None


def describe(case, method, seed, window, record_every):
    """What makes a run this run, as a flat dictionary; the budget is left out so that it may grow."""
    digest = hashlib.sha256(case.observation.y.cpu().resolve_conj().numpy().tobytes())
    settings = {key: value for key, value in method.to_dict().items() if key != method.budget}
    return dict(task=case.task, image=case.image, method=method.name, seed=seed, data_seed=case.seed, window=window,
                record_every=record_every,
                **{f"{case.task} {key}": value for key, value in case.settings.items()},
                **{f"{method.name} {key}": value for key, value in settings.items()},
                measurements=digest.hexdigest()[:16])


def check_run(**numbers):
    """InputError unless seed is at least 0, and steps, patience, window and record_every are at least 1 (or None)."""
    for name, value in numbers.items():
        if value is not None:
            whole_number(name, value, 0 if name == "seed" else 1)


def check_divides(record_every, budget):
    """InputError unless every run of this budget ends at a recorded step; says the nearest number that would do."""
    if budget % record_every:
        divisors = (number for number in range(1, budget + 1) if budget % number == 0)
        near = min(divisors, key=lambda number: abs(number - record_every))
        raise InputError(f"record_every {record_every} does not divide the {budget} steps of the run: choose {near}")


@contextmanager
def deferred_interrupt():
    """Collect a first Ctrl-C in the yielded list instead of raising it; a second one raises KeyboardInterrupt.

    So a run never stops half way through an optimiser step. Only the main thread receives signals;
    elsewhere the list stays empty.
    """
    caught = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def handle(number, frame):
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, previous)
