"""`sweep`: every job once, in this process or in others, and stopped when asked."""

import os
import threading
import time

import pytest
import torch

from aseqdip_lite.study.sweep import sweep


def square(job, watch):
    watch(1)
    return dict(value=job["x"] ** 2, process=os.getpid(), threads=torch.get_num_threads())


def until_stopped(job, watch):
    """A run of many steps that ends when it is told to; the first one tells."""
    for step in range(10_000):
        if job["x"] == 0 and step == 3:
            watch.stop()
        if watch(step):
            return dict(stopped_at=step)
        time.sleep(0.01)
    return dict(stopped_at=None)


def broken(job, watch):
    raise ValueError(f"job {job['x']} is broken")


def jobs(count):
    return {f"job{x}": dict(x=x, budget=1) for x in range(count)}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers):
    seen = []
    results = sweep(square, jobs(5), workers=workers, finished=lambda key, result: seen.append(key), progress=False)
    assert list(results) == list(jobs(5)) and sorted(seen) == sorted(jobs(5))
    assert [result["value"] for result in results.values()] == [0, 1, 4, 9, 16]
    here = {result["process"] == os.getpid() for result in results.values()}
    assert here == {workers == 1}
    assert workers == 1 or {result["threads"] for result in results.values()} == {1}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_says_stop_ends_the_others(workers):
    results = sweep(until_stopped, jobs(6), workers=workers, progress=False)
    assert 1 <= len(results) <= 3  # those that ran, and perhaps one that was being handed out
    assert all(result["stopped_at"] is not None for result in results.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="job 0 is broken"):
        sweep(broken, jobs(1), workers=workers, progress=False)


def test_ctrl_c_ends_the_runs(monkeypatch):
    import signal
    timer = threading.Timer(1.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    results = sweep(until_stopped, {f"job{x}": dict(x=x, budget=1) for x in range(1, 5)}, workers=2, progress=False)
    timer.join()
    assert len(results) <= 3 and all(result["stopped_at"] is not None for result in results.values())


def test_the_bar_counts_the_steps_of_all_runs(capsys):
    sweep(square, {f"job{x}": dict(x=x, budget=7) for x in range(3)}, workers=1, label="squares")
    text = capsys.readouterr().err
    assert "squares" in text and "21/21" in text and "3 of 3 runs" in text


def test_no_jobs():
    assert sweep(square, {}, progress=False) == {}
