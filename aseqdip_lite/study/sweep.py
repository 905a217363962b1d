"""Many independent runs at once, in processes of one thread each or by workers of a Dask scheduler."""

import logging
import os
import threading
import time
from collections import deque
from contextlib import contextmanager, nullcontext, suppress
from importlib import metadata
from pathlib import Path

from ..files import installed, temporary_folder
from ..run.bar import Bar, say
from ..run.interrupt import deferred_interrupt
from ..settings import InputError
from .processes import LOST, PULSE, named, processes

#: Seconds between two looks at how far the runs are, and after which a scheduler's workers that are gone stay away.
REFRESH, AWAY = 0.5, 60.0

FEW = 250  #: steps of all jobs together below which processes would take longer to start than to work
PACKAGE = "aseqdip-lite"


class Watch:
    """What a run calls with each step that it has made; a true answer asks it to stop. Files carry both ways."""

    def __init__(self, folder, number):
        self._step, self._stop = Path(folder) / f"{number}.step", Path(folder) / "stop"

    def __call__(self, step):
        with suppress(OSError):  # a full disk must not end a run that only reports its step
            self._step.write_text(str(step))
        return self.stopped

    @property
    def stopped(self):
        """Whether all runs of the sweep shall stop."""
        return self._stop.exists()

    @property
    def step(self):
        """The step last reported; 0 before the first, or while it is being written."""
        try:
            return int(self._step.read_text())
        except (OSError, ValueError):
            return 0

    def stop(self):
        """Tell all runs of the sweep to stop."""
        self._stop.touch()


class NearWatch:
    """A `Watch` over a run of this process, which needs no files; `asked` is a threading.Event of all runs."""

    def __init__(self, asked):
        self.step, self._asked = 0, asked
        self.stop = asked.set

    def __call__(self, step):
        self.step = step
        return self.stopped

    @property
    def stopped(self):
        return self._asked.is_set()


def sweep(function, jobs, *, workers=None, scheduler=None, folder=None, finished=None, lost=None, progress=True,
          label="sweep"):
    """Run function(job, watch) for every job and return what they return.

    One worker is this process; several are processes of one thread each, as small networks gain little from a second.
    If a worker dies, another one takes its job from the beginning, and all others go on. Ctrl-C, TERM and HUP, or a job
    that calls `watch.stop()`, end the running jobs after their current step and start no other.

    Args:
        function: a module's function of (job, watch); it calls watch(step) after each step and ends early if the answer
            is true. A result that is None counts as not finished.
        jobs: {key: job}; a job is a dictionary with "budget", its number of steps.
        workers: jobs at a time; by default one for each core, for fewer than `FEW` steps one. A scheduler has its own.
        scheduler: address of a Dask scheduler, e.g. "tcp://10.0.0.5:8786"; None for processes of this machine.
        folder: a folder that all workers see, for a temporary one in it; by default this machine's.
        finished: called with (key, result) in this process as jobs finish.
        lost: a list that takes the keys of the jobs that are given up, because their workers died again and again.
        progress, label: whether to show a bar over the steps of all jobs, and its name.

    Returns:
        {key: result} of the jobs that finished, in the order of `jobs`.

    Raises:
        InputError: a job is given up, and there is no list `lost`: all others are then done. Dask, the scheduler, its
            workers, or this version of the package with one of them, is not there.
    """
    results, gone, done, asked = {}, [] if lost is None else lost, threading.Event(), threading.Event()
    usual = 1 if sum(job["budget"] for job in jobs.values()) < FEW else os.cpu_count()
    workers = min(workers or usual, max(len(jobs), 1))
    apart = scheduler is not None or workers > 1
    with deferred_interrupt() as interrupted, (temporary_folder(folder) if apart else nullcontext()) as shared, (
            cluster(scheduler) if scheduler is not None else
            processes(workers, shared) if apart else nullcontext(here)) as run_all:
        watches = {key: Watch(shared, number) if apart else NearWatch(asked) for number, key in enumerate(jobs)}
        follower = threading.Thread(target=_follow, args=(jobs, watches, results, interrupted, done, progress, label))
        follower.start()
        try:
            for key, result in run_all((_call, key, function, job, watches[key]) for key, job in jobs.items()):
                if result is LOST:
                    say(f"{named(key)} is given up: its process was killed each time; take fewer workers or a smaller "
                        "image, or a machine with more memory, and start again: what is done is kept")
                    gone.append(key)
                elif result is not None:
                    results[key] = result
                    if finished is not None:
                        finished(key, result)
        finally:
            done.set()
            follower.join()
    if gone and lost is None:
        raise InputError(f"{label}: the process of {len(gone)} of {len(jobs)} runs was killed each time, perhaps for "
                         "lack of memory: take fewer workers, and start again, it continues there")
    return {key: results[key] for key in jobs if key in results}


def here(calls):
    """Make the calls one by one in this process."""
    return (function(*arguments) for function, *arguments in calls)


@contextmanager
def cluster(scheduler):
    """As `processes`, with the workers of the Dask scheduler at an address."""
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import get_address_host_port
    except ImportError:
        raise InputError("a scheduler needs Dask: pip install 'aseqdip-lite[cluster]'") from None
    try:
        # At an invalid address Client fails half made; closed by the garbage collector at any time, it can deadlock.
        get_address_host_port(scheduler)
        client = Client(scheduler, timeout=5)
    except (OSError, ValueError):
        raise InputError(f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`, and on each "
                         "machine `dask worker ADDRESS --nthreads 1`") from None
    for name in ("distributed", "distributed.client"):  # of a lost scheduler they log pages
        logging.getLogger(name).setLevel(logging.CRITICAL)
    gone = InputError(f"the scheduler at {scheduler} is gone: start it and its workers again, and then this, which "
                      "continues where it was")
    with client:
        if not client.nthreads():
            raise InputError(f"the scheduler at {scheduler} has no workers: start them with "
                             f"`dask worker {scheduler} --nthreads 1`")
        for address, found in client.run(metadata.version, PACKAGE, on_error="return").items():
            if found != installed(PACKAGE):
                has = f"has {found}" if isinstance(found, str) else "lacks it"
                raise InputError(f"all workers need {PACKAGE} {installed(PACKAGE)}, but {address} {has}: install it "
                                 "there, and start the worker again")

        def run_all(calls):
            suspects = []
            for call, outcome in made(calls):
                if outcome is LOST:
                    suspects.append(call)
                else:
                    yield outcome
            for call, outcome in made(suspects, 1):  # one by one: none pays for what its neighbour does to the worker
                yield (call[1], LOST) if outcome is LOST else outcome

        def made(calls, most=None):
            """(call, what it returns, or `LOST`) of calls, of which as many are handed out as there are threads."""
            calls, waiting, seen = deque(calls), {}, time.monotonic()
            while calls or waiting:
                if room := sum(workers().values()):
                    seen = time.monotonic()
                elif time.monotonic() - seen > AWAY:  # one that was killed is started again within some seconds
                    raise InputError(f"the scheduler at {scheduler} has no workers any more: start them again, and "
                                     "then this, which continues where it was")
                while calls and len(waiting) < min(most or room, room):
                    call = calls.popleft()
                    waiting[client.submit(*call, pure=False)] = call
                for future in [future for future in waiting if future.done()]:  # distributed.wait never returns once
                    if future.status == "cancelled":  # the scheduler is gone; its client then cancels what it waits for
                        raise gone
                    call = waiting.pop(future)
                    try:
                        outcome = future.result()
                    except KilledWorker:  # its worker died again and again
                        outcome = LOST
                    yield call, outcome
                time.sleep(PULSE)

        def workers():
            try:
                return client.nthreads()
            except OSError:
                raise gone from None

        yield run_all


def _call(key, function, job, watch):
    """A job's key and result, in the process that makes it; None where all shall stop."""
    return key, None if watch.stopped else function(job, watch)


def _follow(jobs, watches, results, interrupted, done, progress, label):
    """Move the bar as runs of several steps report them, the others have no pace; pass an interrupt on to all."""
    budgets = {key: job["budget"] for key, job in jobs.items() if job["budget"] > 1}
    with Bar(total=sum(budgets.values()), desc=label, unit="step", disable=not progress) as bar:
        steps = dict.fromkeys(budgets, 0)
        while True:
            last = done.wait(REFRESH)
            if interrupted:
                with suppress(OSError):  # a full disk: it is tried again
                    next(iter(watches.values())).stop()
            for key, budget in budgets.items():
                steps[key] = budget if key in results else max(steps[key], watches[key].step)
            bar.update(sum(steps.values()) - bar.n)  # its time left is by the pace of the last steps
            bar.set_postfix_str(f"{len(results)} of {len(jobs)} runs", refresh=False)
            bar.refresh()
            if last:
                return
