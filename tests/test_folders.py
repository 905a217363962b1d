"""Out folders: one writer at a time, results that are switched at once, nothing mixed, nothing left behind."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from checks import contents, error_of
from click.testing import CliRunner

from aseqdip_lite import ASeqDIP, files, reconstruct
from aseqdip_lite.course.commands import main
from aseqdip_lite.files import hold, write_together
from aseqdip_lite.run import engine
from aseqdip_lite.run.result import read_saved

OLD, NEW = (dict.fromkeys(("a", "b", "c"), text) for text in (b"old", b"new"))

#: Writes NEW over OLD and removes "stale", in a process that dies at the call number N of those that change a folder.
DIES = """
import os, sys
from aseqdip_lite import files
left = [int(sys.argv[2])]
def dying(call):
    def at(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
        return call(*args, **kwargs)
    return at
for name in ("replace", "unlink", "fsync", "chmod", "close"):
    setattr(os, name, dying(getattr(os, name)))
files.write_together(sys.argv[1], dict.fromkeys(("a", "b", "c"), b"new"), remove=["stale"])
"""

#: Holds a folder for a second, or says why it cannot, and then writes its own number into three files.
RACES = """
import sys, time
from aseqdip_lite import files, settings
folder, number = sys.argv[1], sys.argv[2].encode()
try:
    with files.hold(folder):
        print("held", flush=True)
        time.sleep(0.2)
        files.write_together(folder, dict.fromkeys(("a", "b", "c"), number * 1000))
except settings.InputError as error:
    print(error, flush=True)
"""


def python(text, *args):
    return subprocess.Popen([sys.executable, "-c", text, *map(str, args)], stdout=subprocess.PIPE, text=True)


def test_a_kill_in_any_phase_of_a_switch_leaves_all_old_or_all_new(tmp_path):
    seen = set()
    for number in range(60):
        folder = tmp_path / str(number)
        write_together(folder, OLD | dict(stale=b"old"))
        code = python(DIES, folder, number).wait()
        with hold(folder):
            pass
        found = contents(folder)
        assert found in (OLD | dict(stale=b"old"), NEW)  # and nothing else lies there
        seen.add((code, found == NEW))
        if code == 0:
            break
    assert seen == {(9, False), (9, True), (0, True)}


def test_a_switch_that_fails_changes_nothing(tmp_path, monkeypatch):
    write_together(tmp_path, OLD)
    calls = []

    def full(handle):
        calls.append(handle)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError):
        files._write_together(tmp_path, NEW, ())
    assert contents(tmp_path) == OLD


@pytest.mark.parametrize("plan", [b"", b"[]", b'{"rename": {"../x": "a"}, "remove": []}', b'{"remove": []}',
                                  b'{"rename": {}, "remove": ["../../a"]}', b'{"rename": {"a": "b"}, "remove": []}'])
def test_a_plan_that_is_not_ours_is_refused(tmp_path, plan):
    (tmp_path / "out").mkdir()
    write_together(tmp_path / "out", OLD)
    (tmp_path / "out" / files.COMMIT).write_bytes(plan)
    assert "is damaged: delete it" in error_of(lambda: hold(tmp_path / "out").__enter__())
    assert {name: text for name, text in contents(tmp_path / "out").items() if name in OLD} == OLD


def test_a_folder_has_one_writer_at_a_time(tmp_path):
    first = python(RACES, tmp_path, 1)
    assert first.stdout.readline() == "held\n"
    said = error_of(lambda: hold(tmp_path).__enter__())
    assert f"is in use by process {first.pid} on " in said and "--out" in said
    first.wait()
    with hold(tmp_path), hold(tmp_path):  # it went with its process; and one process may hold it twice over
        pass
    assert contents(tmp_path) == dict.fromkeys("abc", b"1" * 1000)


def test_races_mix_nothing_and_lose_nothing_silently(tmp_path):
    for race in range(4):
        both = [python(RACES, tmp_path / str(race), number) for number in (1, 2)]
        said = [process.communicate()[0] for process in both]
        winners = [number for number, text in zip((1, 2), said, strict=True) if text == "held\n"]
        assert all(text == "held\n" or "is in use by process" in text for text in said) and winners
        found = contents(tmp_path / str(race))
        assert found.keys() == {"a", "b", "c"} and len(set(found.values())) == 1
        assert found["a"][:1] in [str(number).encode() for number in winners]


def test_a_lock_left_by_a_killed_process_holds_nobody_up(tmp_path):
    process = python(RACES, tmp_path, 1)
    process.stdout.readline()
    process.kill()
    process.wait()
    with hold(tmp_path):
        pass
    assert contents(tmp_path) == {}


# ---------------------------------------------------------------- a result is one run's

@pytest.fixture(scope="module")
def case(smoke_case):
    return smoke_case("mri", size=16, coils=1)


def run(case, out, steps=4, **kwargs):
    return reconstruct(case, ASeqDIP(K=steps // 2), out=out, progress=False, **kwargs)


def test_a_mixture_of_two_results_is_seen(case, tmp_path):
    run(case, tmp_path / "a").save(tmp_path / "a")
    metrics, recon, rows = read_saved(tmp_path / "a")
    assert len(rows) == metrics["steps"] == 4 and np.array_equal(recon, np.load(tmp_path / "a" / "recon.npy"))
    run(case, tmp_path / "b", steps=6).save(tmp_path / "b")
    for name in ("recon.npy", "curve.csv", "metrics.json"):
        write_together(tmp_path / "mixed", contents(tmp_path / "a") | {name: (tmp_path / "b" / name).read_bytes()})
        assert "is not of the run that metrics.json tells of" in error_of(read_saved, tmp_path / "mixed")
    assert "contains no valid result" in error_of(read_saved, tmp_path)


def test_each_stretch_keeps_its_own_provenance(case, tmp_path, monkeypatch):
    first = run(case, tmp_path).metrics
    monkeypatch.setattr(engine, "provenance", lambda device: dict(device="cpu", hardware="another", threads=7,
                                                                  versions=dict(torch="0")))
    again = run(case, tmp_path, resume=True).metrics
    assert all(again[name] == first[name] for name in ("versions", "hardware", "threads", "peak_memory_mib"))
    assert "stretches" not in again
    longer = run(case, tmp_path, steps=8, resume=True).metrics
    assert longer["hardware"] == "another" and longer["threads"] == 7
    parts = [(part["first"], part["hardware"]) for part in longer["stretches"]]
    assert parts == [(1, first["hardware"]), (5, "another")]


@pytest.mark.parametrize("change", ["truth", "mask", "maps", "noise", "support"])
def test_a_run_of_other_numbers_is_not_gone_on_with(change, case, tmp_path):
    """Each decides a number of the result, and none of them is seen in y."""
    from dataclasses import replace
    observation = case.observation
    run(case, tmp_path)
    if change == "truth":
        other = replace(case, truth=case.truth * 1.01)
    elif change == "noise":
        other = replace(case, observation=replace(observation, noise_std=2 * observation.noise_std))
    elif change == "support":
        other = replace(case, support=np.ones((16, 16), np.float32))
    else:
        A = observation.A.to("cpu")
        if change == "mask":
            A.A.mask = torch.ones_like(A.mask)
        else:
            A.B.sens_maps = 2 * A.sens_maps
        other = replace(case, observation=replace(observation, A=A))
    assert "belongs to another run: problem is" in error_of(run, other, tmp_path, resume=True)


def test_deterministic_is_part_of_a_run(case, tmp_path):
    run(case, tmp_path)
    torch.use_deterministic_algorithms(True)
    try:
        assert "deterministic is True here" in error_of(run, case, tmp_path, resume=True)
    finally:
        torch.use_deterministic_algorithms(False)


# ---------------------------------------------------------------- a forgotten --resume

COMMAND = ("run", "mri", "--profile", "smoke", "--size", "16", "--coils", "1", "--quiet", "--steps", "6")


def aseqdip(*args):
    return CliRunner().invoke(main, [*COMMAND, *map(str, args)])


def test_an_interrupted_run_is_not_overwritten_without_a_word(case, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert aseqdip("--out", out).exit_code == 0 and aseqdip("--out", out).exit_code == 0  # a finished one may be
    stop = engine.Run.advance

    def interrupted(self):
        state = stop(self)
        if state.step == 4:
            self.interrupt(state)
        return state

    monkeypatch.setattr(engine.Run, "advance", interrupted)
    assert aseqdip("--overwrite", "--out", out).exit_code == 130
    monkeypatch.undo()
    before = contents(out)
    refused = aseqdip("--out", out)
    assert refused.exit_code == 2 and contents(out) == before
    assert all(word in refused.stderr for word in ("step 4", "--resume", "--overwrite"))
    resumed = aseqdip("--resume", "--out", out)
    assert resumed.exit_code == 0, resumed.stderr
    assert json.loads((out / "metrics.json").read_text())["steps"] == 6
    assert aseqdip("--resume", "--overwrite", "--out", out).exit_code == 2


def test_the_command_holds_its_folder(tmp_path):
    other = python(RACES, tmp_path, 1)
    other.stdout.readline()
    refused = aseqdip("--out", tmp_path)
    other.wait()
    assert refused.exit_code == 2 and "is in use by process" in refused.stderr


def test_files_of_a_user_are_left_alone(tmp_path):
    """Names that only look like ours are left alone."""
    (tmp_path / "mine.part").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    with hold(tmp_path):
        pass
    assert set(os.listdir(tmp_path)) == {"mine.part", ".hidden"}
