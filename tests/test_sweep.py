"""`sweep`: every job once, in this process or in others, and stopped when asked."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from aseqdip_lite.files import LOCK, hold
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
    timer = threading.Timer(1.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    results = sweep(until_stopped, {f"job{x}": dict(x=x, budget=1) for x in range(1, 5)}, workers=2, progress=False)
    timer.join()
    assert len(results) <= 3 and all(result["stopped_at"] is not None for result in results.values())


def test_the_bar_counts_the_steps_of_all_runs(capsys):
    sweep(square, {f"job{x}": dict(x=x, budget=7) for x in range(3)}, workers=1, label="squares")
    text = capsys.readouterr().err
    assert "squares" in text and "21/21" in text and "3 of 3 runs" in text


def killed(job, watch):
    watch(1)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_sweep_of_one_process_leaves_nothing(tmp_path):
    """Nothing in the folder, and nothing where temporary files go."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "out").mkdir()
    code = "from test_sweep import *; sweep(killed, jobs(2), workers=1, folder=sys.argv[1], progress=False)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], cwd=Path(__file__).parent,
                          env=os.environ | dict(TMPDIR=str(tmp_path / "temporary")))
    assert done.returncode == -signal.SIGKILL
    assert [*(tmp_path / "temporary").iterdir(), *(tmp_path / "out").iterdir()] == []


def test_what_a_sweep_and_its_workers_left_goes_when_the_folder_is_held_again(tmp_path):
    """As if all of them had been killed at once."""
    inside = []

    def look(key, result):
        inside[:] = [path for path in tmp_path.iterdir() if path.is_dir()]

    sweep(square, jobs(2), workers=2, folder=tmp_path, finished=look, progress=False)
    (left,) = inside
    assert not left.exists()
    left.mkdir()
    (left / "0.step").write_text("1")
    (tmp_path / "mine").mkdir()
    with hold(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {"mine", LOCK}


def test_no_jobs():
    assert sweep(square, {}, progress=False) == {}
