"""Trials and their store: a run is made once, an interruption or a kill loses nothing, a damaged file is refused."""

import errno
import json
import multiprocessing
import os

import pytest

from aseqdip_lite import InputError, configure
from aseqdip_lite.study import trials
from aseqdip_lite.study.store import Store
from aseqdip_lite.study.trials import NAMES, Trial, record, run_trial

ROWS = [dict(x=x, y=x**2, note="é") for x in range(3)]


def filled(file, rows=ROWS):
    store = Store(file, ("x",))
    for row in rows:
        store.add(row)
    return file


def read(file):
    return list(Store(file, ("x",)).rows.values())


def test_rows_come_back_in_their_order_and_the_last_of_a_key_counts(tmp_path):
    file = filled(tmp_path / "new" / "rows.jsonl")
    assert read(file) == ROWS and read(tmp_path / "none") == []
    assert read(filled(file, [dict(x=1, y=7)])) == [ROWS[0], dict(x=1, y=7), ROWS[2]]
    assert file.read_text().count("\n") == 4


def test_a_file_cut_off_anywhere_keeps_its_whole_lines_and_goes_on(tmp_path):
    """As SIGKILL leaves it in the middle of a write."""
    file = filled(tmp_path / "rows.jsonl")
    data = file.read_bytes()
    for length in range(len(data) + 1):
        whole = data[:length].count(b"\n")
        file.write_bytes(data[:length])
        assert read(file) == ROWS[:whole]
        filled(file, ROWS[whole:])
        assert file.read_bytes() == data


@pytest.mark.parametrize("line", [b'{"x": ', b"7", b'{"y": 1}', b"\xff", b""])
def test_a_damaged_line_is_named(line, tmp_path):
    file = filled(tmp_path / "rows.jsonl")
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([lines[0], line, lines[2], b""]))
    with pytest.raises(InputError) as caught:
        read(file)
    assert str(caught.value) == (f"{file}, line 2 is damaged: put the file back as it was, or take the line out to run "
                                 "its trial again")


def append(file, start):
    for x in range(start, start + 200):
        filled(file, [dict(x=x, y="y" * 5000)])


def test_two_processes_that_append_at_once_mix_no_lines(tmp_path):
    file, context = tmp_path / "rows.jsonl", multiprocessing.get_context("fork")
    processes = [context.Process(target=append, args=(file, start)) for start in (0, 200)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(row["x"] for row in read(file)) == list(range(400))


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = filled(tmp_path / "rows.jsonl", ROWS[:2])
    before = file.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot write to .*: No space left on device; correct that and start again"):
        filled(file, ROWS[2:])
    assert file.read_bytes() == before


def studied(count):
    return [Trial("denoising", "vanilla", dict(image="coffee", size=16), steps=2, seed=seed) for seed in range(count)]


def test_an_interruption_keeps_what_was_done_and_goes_on_there(tmp_path, monkeypatch):
    made, settings = [], dict(file=tmp_path / "rows.jsonl", workers=1, progress=False)

    def stops(trial, watch, read):
        if trial.seed == 2 and len(made) == 2:
            watch.stop()
            return None
        made.append(trial.seed)
        return run_trial(trial, watch, read)

    monkeypatch.setattr(trials, "run_trial", stops)
    with pytest.raises(KeyboardInterrupt):
        record(studied(4), **settings)
    assert made == [0, 1] and len(Store(settings["file"], NAMES).rows) == 2
    made.append("again")
    rows = record(studied(4), **settings)
    assert made == [0, 1, "again", 2, 3] and [row["seed"] for row in rows] == [0, 1, 2, 3]
    assert json.loads(json.dumps(rows)) == record(studied(4), **settings) and len(made) == 5


class Stop:
    """A watch that ends the run after a step, and knows whether the others were told."""

    told = False

    def __call__(self, step):
        return step == 1

    def stop(self):
        self.told = True


def test_a_row_holds_its_trial_its_scores_and_what_is_read_of_it():
    trial = Trial("denoising", "vanilla", dict(image="coffee", size=16, sigma=15), dict(lr=1e-3), 3, 1, 2)
    row = json.loads(json.dumps(run_trial(trial, lambda step: False, lambda trial, result: dict(z=trial.steps))))
    assert (row["seed"], row["data_seed"], row["steps"], row["made"], row["z"]) == (1, 2, 3, 3, 3)
    assert Trial(**{name: row[name] for name in NAMES}).key == trial.key
    watch = Stop()
    assert run_trial(trial, watch) is None and watch.told


def test_a_classic_method_keeps_its_iterations():
    trial = Trial("denoising", "tv", dict(image="coffee", size=16), steps=3)
    assert trial.budget == 1 and trial.configured() == Trial("denoising", "tv", {}).configured()
    assert Trial("denoising", "vanilla", {}, steps=3).budget == 3


def test_settings_may_be_all_of_a_methods():
    for name in ("sgld_dip", "aseqdip", "tv"):
        method = configure(name, "denoising", steps=7)
        assert Trial("denoising", name, {}, method.to_dict()).configured() == method
