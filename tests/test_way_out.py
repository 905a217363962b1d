"""What ends a command with one line: too little memory, a name that is taken, what cannot be printed or cannot act."""

import json
import os
import resource
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from checks import error_of
from click.testing import CliRunner

from aseqdip_lite.cli import options
from aseqdip_lite.course.commands import main
from aseqdip_lite.files import COMMIT, LOCK, hold
from aseqdip_lite.run import checkpoint
from aseqdip_lite.run.recorder import Recorder, first_value
from aseqdip_lite.study import compare as study

TINY = ("denoising", "--size", "16", "--quiet", "--profile", "smoke")
CLASSIC = (*TINY, "--method", "tv")


def aseqdip(*args):
    return CliRunner().invoke(main, [*map(str, args)])


def refused(*args):
    """The line of a command that must be refused."""
    found = aseqdip(*args)
    assert found.exit_code == 2 and found.stderr.count("\n") == 1, found.output
    return found.stderr


@pytest.mark.parametrize("mebibytes", [300, 900])
def test_too_small_a_limit_on_memory_is_refused_before_pytorch_is_loaded(mebibytes, tmp_path):
    limit, command = mebibytes * 2**20, [sys.executable, "-m", "aseqdip_lite", "run", *CLASSIC]
    found = subprocess.run([*command, "--out", tmp_path / "out"], timeout=60, text=True, capture_output=True,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert "raise it with `ulimit -v`" in found.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [
    RuntimeError("could not create a primitive"), RuntimeError("std::bad_alloc"), MemoryError(),
    RuntimeError("can't start new thread"), ImportError("libtorch_cpu.so: failed to map segment from shared object")])
def test_every_word_for_no_memory_is_one_line(error, monkeypatch):
    def fails(self, context):
        raise error

    monkeypatch.setattr(options.SettingsCommand, "invoke", fails)
    assert "out of memory: choose a smaller image" in refused("run", *TINY)


def make(path, kind):
    """Something other than a file at this path."""
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "socket"])
@pytest.mark.parametrize("name", [LOCK, COMMIT, "metrics.json", "raw.npy", checkpoint.FILE])
def test_what_is_no_file_under_a_name_of_a_run_is_refused_before_it(name, kind, tmp_path):
    make(tmp_path / name, kind)
    said = refused("run", *CLASSIC, "--out", tmp_path)
    assert f"{tmp_path / name} is in the way and is not a file: remove it, or choose another --out" in said
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", [LOCK, COMMIT, "compare.csv", "astronaut-tv-seed0/metrics.json"])
def test_so_it_is_by_a_comparison(name, tmp_path):
    (tmp_path / name).mkdir(parents=True)
    assert f"{tmp_path / name} is in the way" in refused("compare", *TINY, "--methods", "tv", "--out", tmp_path)


def test_left_overs_of_any_kind_are_cleared(tmp_path):
    (tmp_path / ".x.part").mkdir()
    (tmp_path / ".y.part").symlink_to(tmp_path)
    os.mkfifo(tmp_path / ".z.part")
    with hold(tmp_path):
        assert os.listdir(tmp_path) == [LOCK]


def as_format(file, version):
    """Rewrite a checkpoint as another version of the package would have written it."""
    stored = torch.load(file, weights_only=True)
    torch.save(stored | dict(format=version, carry={}), file)


def test_a_finished_run_is_read_whatever_the_format_of_its_checkpoint(tmp_path):
    again = dict(task="denoising", names=["vanilla", "tv"], size=16, profile="smoke", out=tmp_path, progress=False,
                 workers=1)
    first = study.compare(steps=4, **again)
    folder = tmp_path / "astronaut-vanilla-seed0"
    as_format(folder / checkpoint.FILE, checkpoint.FORMAT - 1)
    before = (folder / "metrics.json").stat().st_mtime_ns
    second = study.compare(steps=4, **again)
    assert first["rows"] == second["rows"] and (folder / "metrics.json").stat().st_mtime_ns == before
    words = "delete it to start again, or choose another --out"
    assert words in error_of(study.compare, steps=8, **again)  # it has steps left to make
    with (folder / "recon.npy").open("ab") as file:
        file.write(b"x")
    assert words in error_of(study.compare, steps=4, **again)  # its result is not sound
    assert "belongs to another run" in error_of(study.compare, steps=4, sigma=0.3, **again)


@pytest.mark.parametrize("args", [("list", "tasks"), ("run", "mri", "--help"), ()])
def test_output_that_is_the_result_must_be_written(args):
    def run(out):
        command = [sys.executable, "-m", "aseqdip_lite", *args]
        return subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True)

    with open("/dev/full", "wb") as full:
        found = run(full)
    assert found.returncode == 1
    assert found.stderr == "aseqdip: the output could not be written: No space left on device\n"
    read, write = os.pipe()
    os.close(read)
    assert (gone := run(write)).returncode == 0 and not gone.stderr  # as of `aseqdip list | head -1`
    os.close(write)


def test_what_a_run_prints_does_not_end_it(tmp_path):
    with open("/dev/full", "wb") as full:
        found = subprocess.run([sys.executable, "-m", "aseqdip_lite", "run", *CLASSIC, "--out", tmp_path], stdout=full)
    assert found.returncode == 0 and (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"PK"), lambda file: file.write_bytes(b""),
                                    lambda file: torch.save(dict(format=1), file)])
def test_a_checkpoint_that_cannot_be_read_is_not_replaced_without_asking(damage, tmp_path):
    file = tmp_path / checkpoint.FILE
    damage(file)
    before = file.read_bytes()
    assert "delete it to start again" in refused("run", *CLASSIC, "--out", tmp_path)
    assert file.read_bytes() == before
    assert aseqdip("run", *CLASSIC, "--out", tmp_path, "--overwrite").exit_code == 0


@pytest.mark.parametrize(("every", "window"), [(1, 100), (20, 100), (50, 100), (30, 100), (1, 2), (7, 10)])
def test_the_moving_variance_begins_where_it_is_said_to(every, window, tiny_mri):
    """A window of outputs, of which one in `every` steps is recorded."""
    rule = Recorder(tiny_mri, window, every).variance
    step = 0
    while not np.isfinite(rule.value):
        step += every
        rule.update(torch.zeros(1, 1, 2, 2) + step, step)
    assert step == first_value(every, window)


@pytest.mark.parametrize(("args", "words"), [
    (("run", *TINY, "--steps", "20", "--patience", "5"), "--patience 5 does nothing here"),
    (("run", *TINY, "--steps", "100", "--patience", "5", "--record-every", "20"), "begins at step 100 of 100"),
    (("run", *TINY, "--out", ""), "--out is empty"),
    (("compare", *TINY, "--out", ""), "--out is empty"),
    (("experiment", "F6", "--out", ""), "--out is empty"),
    (("run", *TINY, "--out", "a\nb"), "the name of the out folder, a\\nb, holds the character '\\n': rename it"),
    (("compare", *TINY, "--methods", "vanilla,vanilla"), "vanilla is named twice in --methods: name each method once"),
    (("compare", *TINY, "--methods", "nlm", "--steps", "20"), "leave it out: no Adam steps are taken by nlm"),
    (("compare", *TINY, "--lr", "1"), "--lr belongs to a method"),
    (("run", "ct", "--profile", "smoke", "--window", "1e-300"), "window must be at least 0.001"),
])
def test_what_cannot_act_or_be_meant_is_refused(args, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused(*args)
    assert not os.listdir(tmp_path)


def test_a_suggestion_is_near():
    assert "did you mean" not in refused("compare", "mri", "--methods", "biharmonic")
    assert "brain-070 ships with the package" in refused("fetch", "brain-070")


def test_a_run_too_short_for_an_answer_says_so(tmp_path):
    found = aseqdip("run", *TINY, "--steps", "3", "--out", tmp_path)
    assert "note: 3 steps are too few for an answer; the blind pick needs 100" in found.stdout
    assert json.loads((tmp_path / "metrics.json").read_text())["answers"].get("blind") is None
