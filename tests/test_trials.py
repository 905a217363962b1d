"""Recorded trials: what is stored is not run again, an interruption loses nothing, a damaged file is said."""

import json

import pytest

from aseqdip_lite import InputError
from aseqdip_lite.study.trials import record, stored


def trials(count):
    return [dict(x=x, budget=1) for x in range(count)]


def square(trial, watch):
    if trial["x"] == 2:
        watch.stop()
        return None
    return trial | dict(y=trial["x"] ** 2)


def record_all(run, count, rows, file):
    record(run, trials(count), rows, file, lambda trial: str(trial["x"]), label="squares", workers=1, progress=False)


def test_an_interruption_keeps_what_was_done_and_goes_on_there(tmp_path):
    file, rows = tmp_path / "rows.json", []
    with pytest.raises(KeyboardInterrupt):
        record_all(square, 4, rows, file)
    assert stored(file) == rows == [dict(x=0, y=0), dict(x=1, y=1)]  # the budget is not stored
    rows, made = stored(file), []
    record_all(lambda trial, watch: made.append(trial["x"]) or trial, 4, rows, file)
    assert made == [2, 3] and [row["x"] for row in json.loads(file.read_text())] == [0, 1, 2, 3]


def test_a_file_that_is_not_there_or_damaged(tmp_path):
    file = tmp_path / "rows.json"
    assert stored(file) == []
    file.write_text('[{"x": ')
    with pytest.raises(InputError) as caught:
        stored(file)
    assert str(caught.value) == f"{file} is damaged: remove it to begin anew, or put it back as it was"
