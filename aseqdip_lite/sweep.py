"""Many independent runs at once: joblib starts processes of one thread each and hands them the jobs."""

import os
import tempfile
import threading
from pathlib import Path

import torch
from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from .engine import deferred_interrupt

#: Seconds between two looks at how far the runs are.
REFRESH = 0.5


class Watch:
    """How a run in another process tells its step, and hears that it shall stop: both by files of a folder.

    Call it with the step that was made; the answer says whether to stop.
    """

    def __init__(self, desk, key):
        self.desk, self.key = Path(desk), key

    def __call__(self, step):
        (self.desk / f"{self.key}.step").write_text(str(step))
        return (self.desk / "stop").exists()

    def stop(self):
        """Tell all runs of the sweep to stop."""
        (self.desk / "stop").touch()


def sweep(function, jobs, *, workers=None, finished=None, progress=True, label="sweep"):
    """Run function(job, watch) for every job and return what they return.

    With several workers each is a process with one thread: on a CPU these small networks gain
    little from a second thread. With one, the jobs run in this process, one after the other.

    Ctrl-C stops the running jobs after their current step and starts no other; so does a job that
    calls `watch.stop()`.

    Args:
        function: a module's function of (job, watch); it calls watch(step) after each step and ends
            early if the answer is true. A result that is None counts as not finished.
        jobs: {key: job}; a job is a dictionary with "budget", its number of steps, for the bar.
        workers: processes; by default one for each core, but no more than jobs.
        finished: called with (key, result) in this process as jobs finish.
        progress: show a bar over the steps of all jobs, with time left.
        label: what stands before the bar.

    Returns:
        {key: result} of the jobs that finished, in the order of `jobs`.
    """
    workers = min(workers or os.cpu_count(), max(len(jobs), 1))
    results, done = {}, threading.Event()
    with tempfile.TemporaryDirectory() as desk, deferred_interrupt() as interrupted:
        watches = {key: Watch(desk, index) for index, key in enumerate(jobs)}

        def waiting():
            for key, job in jobs.items():
                if (Path(desk) / "stop").exists():
                    return
                yield delayed(_call)(function, key, job, watches[key], workers > 1)

        follower = threading.Thread(target=_follow, args=(jobs, watches, results, interrupted, done, progress, label))
        follower.start()
        try:
            with parallel_config(backend="loky", inner_max_num_threads=1 if workers > 1 else None):
                parallel = Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch=workers)
                for key, result in parallel(waiting()):
                    results[key] = result
                    if finished is not None and result is not None:
                        finished(key, result)
        finally:
            done.set()
            follower.join()
    return {key: results[key] for key in jobs if results.get(key) is not None}


def _call(function, key, job, watch, alone):
    """A job in its process; `alone` if that process has no other work, so that one thread is best."""
    if alone:
        torch.set_num_threads(1)
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
                steps[key] = max(steps[key], _steps(watches[key], job["budget"], key in results))
            bar.n = sum(steps.values())
            bar.set_postfix_str(f"{len(results)} of {len(jobs)} runs", refresh=False)
            bar.refresh()
            if last:
                return


def _steps(watch, budget, finished):
    """Steps of a run so far."""
    if finished:
        return budget
    try:
        return int((watch.desk / f"{watch.key}.step").read_text())
    except (OSError, ValueError):  # not begun, or in the middle of being written
        return 0
