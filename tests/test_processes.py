"""Processes: whatever signal ends a command, what it made is stored, no process stays, and nothing foreign is run."""

import json
import os
import signal
import time
import urllib.request
from contextlib import suppress

import pytest
from checks import alive, command, descendants, until

SMALL = ("--profile", "smoke", "--size", "16", "--coils", "1", "--quiet")
LONG = ("--steps", "100000")
WORKER = "popen_loky_posix"


def ended(process, seconds=180):
    """(exit code, stderr) of a process, without a page of traceback."""
    _, said = process.communicate(timeout=seconds)
    assert "Traceback" not in said
    return process.returncode, said


def answers(address):
    """Whether a server answers at the address."""
    with suppress(OSError), urllib.request.urlopen(address, timeout=60):
        return True


def sweep(out, *more, methods="vanilla,es_dip", **environment):
    """A comparison of two long runs in two processes that have made their first checkpoints, and its processes."""
    process = command("compare", "mri", *SMALL, *LONG, "--workers", "2", "--methods", methods, "--out", out, *more,
                      **environment)
    until(lambda: len(list(out.glob("*/checkpoint.pt"))) == 2 or process.poll() is not None)
    return process, descendants(process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_stores_what_it_has_made(number, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests that run under nohup would hand on that it is ignored
    try:
        process = command("run", "mri", *SMALL, *LONG, "--out", tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    until((tmp_path / "checkpoint.pt").exists)
    process.send_signal(number)
    process.send_signal(number)  # a terminal that closes sends several
    code, said = ended(process)
    assert code == 130 and said == "interrupted: the partial result is stored; continue with --resume\n"
    assert json.loads((tmp_path / "metrics.json").read_text())["stop_reason"] == "interrupted"


def test_a_run_that_still_loads_stops_in_one_line(tmp_path):
    process = command("run", "mri", *SMALL, *LONG, "--out", tmp_path / "out")
    until(lambda: "libtorch" in maps(process.pid))
    process.terminate()
    code, said = ended(process)
    assert code == 130 and said.strip() == "aseqdip: stopped" and not (tmp_path / "out").exists()


def maps(pid):
    with open(f"/proc/{pid}/maps") as file:
        return file.read()


def test_under_nohup_a_closed_terminal_ends_nothing(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = command("run", "mri", *SMALL, "--steps", "100", "--out", tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    until((tmp_path / "checkpoint.pt").exists)
    process.send_signal(signal.SIGHUP)
    assert ended(process)[0] == 0


@pytest.mark.parametrize("group", [False, True])
def test_a_comparison_that_is_terminated_marks_partial_runs_and_leaves_no_process(group, tmp_path):
    process, below = sweep(tmp_path)
    for pid in [*below] * group + [process.pid]:
        os.kill(pid, signal.SIGTERM)
    code, said = ended(process)
    assert code == 130 and said == "interrupted: start the same command again to continue\n"
    until(lambda: not alive(below), 20)
    report = json.loads((tmp_path / "compare.json").read_text())
    assert [row["stop_reason"] for row in report["rows"]] == ["interrupted"] * 2 and report["summary"] == []
    assert [entry["why"] for entry in report["left_out"]] == [
        f"seed 0: interrupted at step {row['steps']} of 100000" for row in report["rows"]]


def test_a_comparison_that_is_killed_leaves_no_process(tmp_path):
    process, below = sweep(tmp_path)
    assert len(below) >= 3
    process.kill()
    process.communicate()
    until(lambda: not alive(below), 30)
    before = [file.stat().st_mtime_ns for file in tmp_path.glob("*/*")]
    assert before == [file.stat().st_mtime_ns for file in tmp_path.glob("*/*")]


def test_a_killed_worker_costs_its_run_alone(tmp_path):
    """Killed once, its run is made again; killed each time, it is given up and named, and the other is whole."""
    options = ("compare", "mri", *SMALL, "--workers", "2", "--methods", "vanilla,zero_filled", "--out", tmp_path)
    process = command(*options, "--steps", "100000")

    def workers():
        return [pid for pid, line in descendants(process.pid).items() if WORKER in line]

    until((tmp_path / "brain-070-zero_filled-seed0" / "metrics.json").exists)
    until((tmp_path / "brain-070-vanilla-seed0" / "checkpoint.pt").exists)
    time.sleep(1)  # the result of the one that is done is on its way
    while process.poll() is None:
        for pid in workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    code, said = ended(process)
    assert code == 1 and "brain-070 vanilla 0: its process was killed" in said
    assert "brain-070 vanilla 0 is given up" in said and len(said.splitlines()) == 2
    report = json.loads((tmp_path / "compare.json").read_text())
    assert [row["method"] for row in report["summary"]] == ["zero_filled"]
    assert [entry["why"] for entry in report["left_out"]] == ["seed 0: its process was killed each time"]


def test_files_of_the_working_directory_are_not_imported(tmp_path):
    """Modules of the library, of Python and of this package's dependencies, in a user's folder."""
    for name in ("torch", "json", "random", "numpy", "joblib", "tempfile", "click", "runpy", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open('{tmp_path}/run-{name}', 'w'); raise SystemExit('{name}')")
    tiny = ("--profile", "smoke", "--size", "16", "--coils", "1", "--quiet", "--steps", "2")
    for args in (("run", "mri", *tiny), ("compare", "mri", *tiny, "--workers", "2", "--methods", "vanilla,zero_filled"),
                 ("list", "tasks")):
        assert ended(command(*args, where=tmp_path))[0] == 0
    assert not list(tmp_path.glob("run-*"))


def test_the_lab_is_the_server_itself_and_ends_by_a_signal(tmp_path):
    pytest.importorskip("jupyterlab")
    for name in ("json", "random", "tornado"):
        (tmp_path / f"{name}.py").write_text(f"open('{tmp_path}/run-{name}', 'w'); raise SystemExit('{name}')")
    process = command("lab", "--no-browser", "--port", "28917", where=tmp_path, HOME=str(tmp_path), MPLBACKEND="bogus")
    line = until(lambda: next((line for line in process.stderr if "token=" in line), None))
    assert "127.0.0.1:28917/lab/tree/00_start_here.ipynb" in line
    until(lambda: answers("http://127.0.0.1:28917/login"))  # the line comes while the server still starts
    below = descendants(process.pid)
    process.terminate()
    process.communicate(timeout=90)
    assert not alive(below) and not list(tmp_path.glob("run-*"))


def test_a_lab_without_a_home_is_refused_in_one_line(tmp_path):
    pytest.importorskip("jupyterlab")
    code, said = ended(command("lab", "--no-browser", where=tmp_path, HOME="/dev/null"))
    assert code == 2 and said.startswith("aseqdip: JupyterLab has no home folder") and len(said.splitlines()) == 1
