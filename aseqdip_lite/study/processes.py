"""Worker processes of this machine, each of which makes one run at a time: one that dies costs its own run alone."""

import os
import shutil
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import contextmanager
from itertools import islice

from joblib.externals.loky import ProcessPoolExecutor

from ..run.bar import say
from ..run.interrupt import leave_to_parent

#: What a run comes to whose process died in each of `TRIES` tries.
LOST, TRIES = "lost", 2

#: Seconds between two looks of a worker at whether its parent is still there.
LOOK = 1.0

#: Seconds after which the main thread looks for a signal that another thread of this process was given.
PULSE = 0.2

#: The libraries with threads of their own have one each in a worker.
ONE_THREAD = dict.fromkeys([f"{library}_NUM_THREADS" for library in (
    "OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB", "NUMBA", "NUMEXPR")], "1")


@contextmanager
def processes(workers, shared):
    """Yield a function that makes calls in so many processes and yields what they return, as it comes.

    A call is a tuple (function, key, ...) and returns (key, result); one whose process dies is made again, and after
    `TRIES` deaths gives (key, `LOST`). What a call raises is raised, and the workers are then killed. Workers have no
    wider import path than this process, leave signals to it, and end when it does; the folder `shared` then goes, too.
    """
    crew = []

    def hire():
        crew.append(ProcessPoolExecutor(1, initializer=_begin, initargs=(os.getpid(), shared), env=ONE_THREAD))
        return crew[-1]

    def run_all(calls):
        calls, deaths, running = iter(calls), Counter(), {}

        def give(call, worker=None):
            try:
                worker = worker or hire()
                running[worker.submit(*call)] = call, worker
            except BrokenExecutor:  # it died while it had nothing to do
                give(call)

        for call in islice(calls, workers):
            give(call)
        while running:
            for future in wait(running, PULSE, FIRST_COMPLETED).done:
                call, worker = running.pop(future)
                if isinstance(future.exception(), BrokenExecutor):
                    key, worker = call[1], None
                    deaths[key] += 1
                    if deaths[key] < TRIES:
                        say(f"{named(key)}: its process was killed, perhaps for lack of memory; it is run again")
                        give(call)
                        continue
                    outcome = key, LOST
                else:
                    outcome = future.result()
                for following in islice(calls, 1):
                    give(following, worker)
                yield outcome

    with safe_path():
        try:
            yield run_all
        except BaseException:
            for worker in crew:
                worker.shutdown(kill_workers=True)
            raise
        for worker in crew:
            worker.shutdown()


def named(key):
    """The key of a run in words."""
    return key if isinstance(key, str) else " ".join(map(str, key))


@contextmanager
def safe_path():
    """Interpreters that are started in this block do not put the working directory on their import path.

    Nor do loky's helpers warn, at the end, of what a killed worker has left to them to clear away.
    """
    before = {name: os.environ.get(name) for name in ("PYTHONSAFEPATH", "PYTHONWARNINGS")}
    quiet = filter(None, (before["PYTHONWARNINGS"], "ignore:resource_tracker"))
    os.environ |= dict(PYTHONSAFEPATH="1", PYTHONWARNINGS=",".join(quiet))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _begin(parent, shared):
    """What a worker does first: leave signals to its parent, and watch it."""
    leave_to_parent()
    threading.Thread(target=_watch, args=(parent, shared), daemon=True).start()


def _watch(parent, shared):
    while os.getppid() == parent:
        time.sleep(LOOK)
    shutil.rmtree(shared, ignore_errors=True)
    os._exit(1)
