"""Sweeps over a real Dask scheduler with real workers, one of which is killed in the middle of a run."""

import gc
import os
import signal
import threading
import time

import dask
import pytest
from checks import error_of
from distributed import Client, LocalCluster

from aseqdip_lite.files import is_temporary
from aseqdip_lite.study.compare import compare
from aseqdip_lite.study.sweep import sweep

SMALL = dict(profile="smoke", size=32, coils=2, progress=False)


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
                      host="127.0.0.1") as cluster:
        yield cluster


def square(job, watch):
    watch(1)
    return dict(value=job["x"] ** 2, process=os.getpid())


def slow(job, watch):
    """A run of 20 steps that says in a file of its own that it began, where, and that it ended."""
    begun = job["folder"] / f"{job['x']}-{os.getpid()}"
    begun.touch()
    for step in range(1, 21):
        watch(step)
        time.sleep(0.05)
    return dict(x=job["x"], process=os.getpid())


def test_workers_of_the_scheduler_do_every_job_once(cluster):
    jobs = {f"job{x}": dict(x=x, budget=1) for x in range(6)}
    seen = []
    results = sweep(square, jobs, scheduler=cluster.scheduler_address, progress=False,
                    finished=lambda key, result: seen.append(key))
    assert [result["value"] for result in results.values()] == [0, 1, 4, 9, 16, 25]
    assert sorted(seen) == sorted(jobs)
    assert os.getpid() not in {result["process"] for result in results.values()}


def test_a_killed_worker_loses_no_job_and_none_is_done_twice(cluster, tmp_path):
    jobs = {f"job{x}": dict(x=x, budget=20, folder=tmp_path) for x in range(4)}
    seen, killed = [], []

    def kill():
        while not list(tmp_path.iterdir()):
            time.sleep(0.02)
        time.sleep(0.2)  # in the middle of its second of work
        name = sorted(path.name for path in tmp_path.iterdir())[0]
        killed.append(name)
        os.kill(int(name.split("-")[1]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    results = sweep(slow, jobs, scheduler=cluster.scheduler_address, folder=tmp_path.parent, progress=False,
                    finished=lambda key, result: seen.append(key))
    killer.join()
    assert sorted(seen) == sorted(jobs) == sorted(results)
    assert all(result["x"] == jobs[key]["x"] for key, result in results.items())
    x, process = killed[0].split("-")
    assert results[f"job{x}"]["process"] != int(process)  # another worker took it
    begun = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert begun.count(x) == 2 and set(begun) == {"0", "1", "2", "3"}


def deadly(job, watch):
    """A run that kills its worker, if it is the bad one, while others wait at the same worker."""
    watch(1)
    if job["x"] == job["bad"]:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3)
    return dict(x=job["x"])


def test_a_run_that_kills_every_worker_is_lost_alone(capsys):
    """A scheduler that gives up at once blames every run that waits at the worker, too: each is tried once more."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1") as small:
        jobs, lost = {f"job{x}": dict(x=x, budget=1, bad=1) for x in range(6)}, []
        results = sweep(deadly, jobs, scheduler=small.scheduler_address, lost=lost, progress=False)
    assert results == {key: dict(x=job["x"]) for key, job in jobs.items() if job["x"] != 1} and lost == ["job1"]
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("job")]
    assert len(said) == 1 and said[0].startswith("job1 is given up: its process was killed each time")


def test_a_comparison_over_the_scheduler_is_that_of_one_process(cluster, tmp_path):
    names = ["vanilla", "zero_filled"]
    rows = [compare("mri", names, steps=4, out=tmp_path / name, **where, **SMALL)["rows"]
            for name, where in (("here", dict(workers=1)), ("there", dict(scheduler=cluster.scheduler_address)))]
    assert [(row["method"], row["psnr"]) for row in rows[0]] == [(row["method"], row["psnr"]) for row in rows[1]]
    assert (tmp_path / "there" / "compare.md").exists()
    shared = [path for path in (tmp_path / "there").iterdir() if is_temporary(path.name)]
    assert not shared  # the sweep clears its folder away


@pytest.mark.parametrize("address", ["nonsense", "", "tcp://127.0.0.1", "nothing://127.0.0.1:1", "tcp://127.0.0.1:1"])
def test_an_address_that_fails_leaves_no_open_client_to_the_garbage_collector(address):
    """It would be closed while any code runs; under the lock of Dask's loops, which closing takes, that never ends."""
    said = error_of(sweep, square, dict(job=dict(x=1, budget=1)), scheduler=address, progress=False)
    assert said.startswith(f"no Dask scheduler answers at {address}: start one with `dask schedul")
    clients = [thing for thing in gc.get_objects() if type(thing) is Client]
    assert all(client.status in ("closed", "newly-created") for client in clients)


def test_a_scheduler_without_workers_is_a_clear_error():
    with LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as empty:
        said = error_of(sweep, square, dict(job=dict(x=1, budget=1)), scheduler=empty.scheduler_address, progress=False)
        assert said == (f"the scheduler at {empty.scheduler_address} has no workers: start them with "
                        f"`dask worker {empty.scheduler_address} --nthreads 1`")


@pytest.mark.parametrize("there", [None, "0.0.1"])
def test_a_worker_without_this_version_of_the_package_is_named(cluster, monkeypatch, there):
    """The workers answer as they are; what is asked for is another package, or another version than theirs."""
    if there is None:
        monkeypatch.setattr("aseqdip_lite.study.sweep.PACKAGE", "no-such-package")
    else:
        monkeypatch.setattr("aseqdip_lite.study.sweep.installed", lambda package: there)
    said = error_of(sweep, square, dict(job=dict(x=1, budget=1)), scheduler=cluster.scheduler_address, progress=False)
    assert ("lacks it" in said) == (there is None) and "install it there" in said


def test_one_worker_makes_the_runs_and_when_it_has_left_the_sweep_ends(monkeypatch, tmp_path):
    monkeypatch.setattr("aseqdip_lite.study.sweep.AWAY", 0.5)
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None,
                      host="127.0.0.1") as single:
        def leave():
            while not list(tmp_path.iterdir()):
                time.sleep(0.02)
            single.scale(0)

        jobs = {f"job{x}": dict(x=x, budget=20, folder=tmp_path) for x in range(3)}
        results = sweep(square, jobs, scheduler=single.scheduler_address, progress=False)
        assert [result["value"] for result in results.values()] == [0, 1, 4]
        assert os.getpid() not in {result["process"] for result in results.values()}
        leaver = threading.Thread(target=leave)
        leaver.start()
        said = error_of(sweep, slow, jobs, scheduler=single.scheduler_address, progress=False)
        leaver.join()
    assert "has no workers any more" in said
