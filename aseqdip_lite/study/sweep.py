"""Many independent runs at once: joblib hands them to processes of one thread each, or to workers of Dask."""

import os
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from ..run.engine import deferred_interrupt
from ..settings import InputError

#: Seconds between two looks at how far the runs are.
REFRESH = 0.5


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


def sweep(function, jobs, *, workers=None, scheduler=None, folder=None, finished=None, progress=True, label="sweep"):
    """Run function(job, watch) for every job and return what they return.

    One worker is this process; several are processes of one thread each, as small networks gain little from a second.
    If a scheduler's worker dies, another one takes its job from the beginning. Ctrl-C, or a job that calls
    `watch.stop()`, ends the running jobs after their current step and starts no other.

    Args:
        function: a module's function of (job, watch); it calls watch(step) after each step and ends early if the answer
            is true. A result that is None counts as not finished.
        jobs: {key: job}; a job is a dictionary with "budget", its number of steps.
        workers: jobs at a time; by default one for each core. A scheduler has its own.
        scheduler: address of a Dask scheduler, e.g. "tcp://10.0.0.5:8786"; None for processes of this machine.
        folder: a folder that all workers see, for a temporary one in it; by default this machine's.
        finished: called with (key, result) in this process as jobs finish.
        progress, label: whether to show a bar over the steps of all jobs, and its name.

    Returns:
        {key: result} of the jobs that finished, in the order of `jobs`.

    Raises:
        InputError: Dask is not installed, no scheduler answers at the address, or it has no workers.
    """
    results, done = {}, threading.Event()
    with (backend(min(workers or os.cpu_count(), max(len(jobs), 1)), scheduler) as workers,
          tempfile.TemporaryDirectory(dir=folder) as shared, deferred_interrupt() as interrupted):
        watches = {key: Watch(shared, number) for number, key in enumerate(jobs)}

        def waiting():
            for key, job in jobs.items():
                if watches[key].stopped:
                    return
                yield delayed(_call)(function, key, job, watches[key])

        follower = threading.Thread(target=_follow, args=(jobs, watches, results, interrupted, done, progress, label))
        follower.start()
        try:
            parallel = Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch=workers)
            for key, result in parallel(waiting()):
                results[key] = result
                if finished is not None and result is not None:
                    finished(key, result)
        finally:
            done.set()
            follower.join()
    return {key: results[key] for key in jobs if results.get(key) is not None}


@contextmanager
def backend(workers, scheduler):
    """Set joblib's backend to local processes or to a scheduler's workers; yields how many jobs run at a time."""
    if scheduler is None:
        with parallel_config(backend="loky", inner_max_num_threads=1 if workers > 1 else None):
            yield workers
        return
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError:
        raise InputError("a scheduler needs Dask: pip install 'aseqdip-lite[cluster]'") from None
    try:
        # An invalid address makes Client fail in its constructor. The garbage collector then closes the half-made
        # client at some later time, perhaps while this thread holds the lock that closing needs: a deadlock.
        get_address_host_port(scheduler)
        client = Client(scheduler, timeout=5)
    except (OSError, ValueError):
        raise InputError(f"no Dask scheduler answers at {scheduler}: start one by `dask scheduler`, and on each "
                         "machine `dask worker ADDRESS --nthreads 1`") from None
    with client:
        if not client.nthreads():
            raise InputError(f"the scheduler at {scheduler} has no workers: start them by "
                             f"`dask worker {scheduler} --nthreads 1`")
        with parallel_config(backend="dask"):
            yield sum(client.nthreads().values())


def _call(function, key, job, watch):
    """A job and its key, in the process that makes it."""
    return key, function(job, watch)


def _follow(jobs, watches, results, interrupted, done, progress, label):
    """Move the bar as the runs report their steps; pass an interrupt on to them."""
    with tqdm(total=sum(job["budget"] for job in jobs.values()), desc=label, unit="step", disable=not progress) as bar:
        steps = dict.fromkeys(jobs, 0)
        while True:
            last = done.wait(REFRESH)
            if interrupted:
                next(iter(watches.values())).stop()
            for key, job in jobs.items():
                steps[key] = job["budget"] if key in results else max(steps[key], watches[key].step)
            bar.n = sum(steps.values())
            bar.set_postfix_str(f"{len(results)} of {len(jobs)} runs", refresh=False)
            bar.refresh()
            if last:
                return
