"""Names and numbers of users: escaped or refused before a step; a stream that fails; sweeps that say what they left."""

import csv
import io
import json
import os
import sys
import threading
import time

import numpy as np
import pytest
from checks import contents, error_of
from click.testing import CliRunner

from aseqdip_lite import InputError, Vanilla, reconstruct
from aseqdip_lite.cli.streams import Steady
from aseqdip_lite.course.commands import main
from aseqdip_lite.methods.schedules import parse
from aseqdip_lite.run.bar import Bar, say
from aseqdip_lite.run.engine import check_divides, check_run
from aseqdip_lite.settings import checked_name, printable
from aseqdip_lite.study import compare as comparison
from aseqdip_lite.study.compare import compare
from aseqdip_lite.study.store import Store
from aseqdip_lite.study.tables import as_markdown

TINY = dict(profile="smoke", progress=False, workers=1)


def picture(folder, name, seed=0):
    """A 16 x 16 gray picture in a file of this name."""
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        np.save(file, np.random.default_rng(seed).random((16, 16), dtype=np.float32))
    return path


def cli(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


# ---------------------------------------------------------------- names

@pytest.mark.parametrize("name", ["two\nlines", "a\ttab", "bell\x07", "esc\x1b[2J", os.fsdecode(b"caf\xe9"), "x" * 230])
def test_a_name_that_no_file_takes_is_refused_before_a_step(name, tmp_path):
    image, out = picture(tmp_path, f"{name}.npy"), tmp_path / "out"
    said = error_of(compare, "denoising", ["vanilla"], images=[image], steps=1, out=out, **TINY)
    assert said.isprintable() and not out.exists()
    assert ("rename it" in said) or ("shorten it" in said)
    ran = cli("run", "denoising", "--image", image, "--steps", 1, "--method", "vanilla", "--quiet", "--out", out)
    assert (ran.exit_code, len(ran.stderr.splitlines())) == (2, 1) or len(name) == 230
    assert ran.stderr.rstrip("\n").isprintable()


NAMES = ["a|b", "`tick`", "=HYPERLINK(1)", "+1", "-2", "@x", "a,b", 'quote"d', "[a](b)", "<b>"]


def test_names_that_mean_something_elsewhere_are_escaped(tmp_path):
    images = [picture(tmp_path, f"{name}.npy") for name in NAMES]
    report = compare("denoising", ["nlm"], images=images, out=tmp_path / "out", **TINY)
    rows = [line for line in as_markdown(report["summary"]).splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1  # as many columns in each row
    stored = json.loads((tmp_path / "out" / "compare.json").read_text())["rows"]
    table = list(csv.DictReader((tmp_path / "out" / "compare.csv").read_text().splitlines()))
    assert [row["image"] for row in stored] == [f"{name}.npy" for name in NAMES]
    assert [row["image"].lstrip("'") for row in table] == [f"{name}.npy" for name in NAMES]
    assert not any(row["image"].startswith(("=", "+", "-", "@")) for row in table)


@pytest.mark.parametrize("names", [("a.npy", "A.npy"), ("é.npy", "e\u0301.npy"), ("a.npy", "a.npy")])
def test_names_that_a_file_system_may_take_for_one_are_refused(names, tmp_path):
    images = [picture(tmp_path, name) for name in names]
    said = error_of(compare, "denoising", ["vanilla"], images=images, steps=1, out=tmp_path / "o", **TINY)
    assert "rename one" in said


def test_a_name_in_words():
    assert checked_name("Straße é 画像 b.png", "it") == "Straße é 画像 b.png"
    assert printable("a\nb\x1b\udce9\u202e") == "a\\nb\\x1b\\udce9\\u202e"


# ---------------------------------------------------------------- numbers

@pytest.mark.parametrize("record_every, budget, near", [
    (7, 10**7, 8), (7, 9999991, 1), (2, 9, 1), (4, 9, 3), (5000, 9999, 3333)])
def test_the_nearest_divisor_is_found_at_once(record_every, budget, near):
    began = time.perf_counter()
    assert error_of(check_divides, record_every, budget).endswith(f"choose {near}")
    assert time.perf_counter() - began < 1
    assert near == min((n for n in range(1, 10**4 + 1) if budget % n == 0), key=lambda n: abs(n - record_every))


@pytest.mark.parametrize("numbers", [dict(steps=10**18), dict(seeds=10**8), dict(workers=10**6), dict(patience=10**12),
                                     dict(record_every=10**9), dict(window=2 * 10**7)])
def test_numbers_have_bounds(numbers):
    assert "must be at most" in error_of(check_run, **numbers)


@pytest.mark.parametrize("args", ["run mri --K 99999999", "run mri --N 10000 --K 10000",
                                  "run mri --steps 999999999999999999",
                                  "compare mri --seeds 100000000", "compare mri --workers 1000000",
                                  "run mri --method sense --steps 1000000000",
                                  "run ct --angles " + ",".join(map(str, range(20_000)))])
def test_the_command_refuses_them_in_a_line(args, tmp_path):
    result = cli(*args.split(), "--profile", "smoke", "--out", tmp_path / "out")
    line, = result.stderr.splitlines()
    assert result.exit_code == 2 and "must be at most" in line and not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["geometric:first=1,first=2", "growth:power=2,first=3,power=2",
                                  "heldout:first=1, first=1"])
def test_a_schedule_with_a_key_twice_is_refused(text):
    with pytest.raises(InputError, match="given twice"):
        parse(text)


def test_a_run_that_diverges_does_not_exit_with_0(tmp_path):
    args = ("--image", picture(tmp_path, "a.npy"), "--steps", 40, "--quiet", "--out", tmp_path / "out")
    result = cli("run", "denoising", "--method", "vanilla", "--lr", "1e30", *args)
    assert result.exit_code == 1 and result.stderr.startswith(("diverged: ", "dead network: "))
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["stop_reason"] in ("diverged", "dead network")


# ---------------------------------------------------------------- streams

class Failing(io.TextIOBase):
    """A stream that takes so many writes and then fails."""

    def __init__(self, error, after=0):
        self.error, self.after = error, after

    def write(self, text):
        self.after -= 1
        if self.after < 0:
            raise self.error
        return len(text)

    flush = lambda self: self.write("")  # noqa: E731


@pytest.mark.parametrize("stream", [
    Failing(OSError(28, "full")), Failing(BrokenPipeError()), Failing(BlockingIOError()), Failing(ValueError("closed")),
    Failing(OSError(5, "gone"), 3), None])
def test_a_bar_whose_stream_fails_is_disabled_and_holds_no_lock(stream, monkeypatch, smoke_case):
    case = smoke_case("mri", size=16, coils=1)
    monkeypatch.setattr(sys, "stderr", stream)
    result = reconstruct(case, Vanilla(steps=3), progress=True)
    say("a line")
    assert result.metrics["stop_reason"] == "budget"
    got = []

    def take():
        with Bar.get_lock():
            got.append(True)

    other = threading.Thread(target=take, daemon=True)
    other.start()
    other.join(10)
    assert got == [True]


def test_bytes_that_a_descriptor_does_not_take_are_dropped():
    """What a full pipe and a broken one refuse counts as written; what the full one had taken arrives as it was."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    raw = Steady(write, "w")
    stream = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8")
    for _ in range(100):  # more than a pipe holds
        print("x" * 7999, file=stream, flush=True)
    with pytest.raises(BlockingIOError):
        os.write(write, bytes(8000))
    assert raw.write(bytes(8000)) == 8000
    taken = os.read(read, 10**6)
    assert 0 < len(taken) < 100 * 8000 and taken == ((b"x" * 7999 + b"\n") * 100)[:len(taken)]
    os.close(read)
    with pytest.raises(BrokenPipeError):
        os.write(write, b"x")
    assert raw.write(b"x") == 1
    print("x", file=stream, flush=True)
    stream.close()
    assert stream.closed and raw.closed


# ---------------------------------------------------------------- sweeps

def test_a_comparison_is_refused_before_its_first_step(tmp_path):
    """The second method's folder is of another run: the first one's is not made."""
    image, other = picture(tmp_path, "a.npy"), picture(tmp_path, "b.npy", seed=1)
    out = tmp_path / "out"
    compare("denoising", ["vanilla"], images=[image], steps=2, out=out, **TINY)
    os.replace(other, image)
    before = {folder.name: contents(folder) for folder in out.iterdir() if folder.is_dir()}
    said = error_of(compare, "denoising", ["tv", "es_dip", "vanilla"], images=[image], steps=2, out=out, **TINY)
    assert "belongs to another run" in said
    assert before == {folder.name: contents(folder) for folder in out.iterdir() if folder.is_dir()}


@pytest.mark.parametrize("how", ["changed", "removed"])
def test_an_image_that_changes_in_mid_sweep_is_seen(how, tmp_path, monkeypatch):
    image, load = picture(tmp_path, "a.npy"), comparison.Trial.case

    def case(trial):
        found = load(trial)
        if trial.method == "vanilla":
            picture(tmp_path, "a.npy", seed=1) if how == "changed" else os.remove(image)
        return found

    monkeypatch.setattr(comparison.Trial, "case", case)
    said = error_of(compare, "denoising", ["tv", "vanilla"], images=[image], steps=2, out=tmp_path / "out", **TINY)
    assert said.startswith(f"{image} has changed since this comparison began")
    assert not (tmp_path / "out" / "a-vanilla-seed0").exists()


def test_pictures_that_are_listed_are_those_made_now(tmp_path):
    (tmp_path / "compare-old.png").write_bytes(b"old")
    result = cli("compare", "denoising", "--profile", "smoke", "--size", "16", "--methods", "tv,vanilla", "--steps",
                 "3", "--workers", "1", "--quiet", "--out", tmp_path)
    assert result.exit_code == 0 and "compare.png" in result.stdout and "compare-old.png" not in result.stdout


@pytest.mark.parametrize("row", [7, [], "x", None, dict(y=1), dict(x=1), dict(x=1, z="text")])
def test_a_row_of_another_kind_is_refused(row, tmp_path):
    file = tmp_path / "rows.jsonl"
    assert "a row must be a dictionary with x, z of type int" in error_of(Store(file, ("x",), dict(z=int)).add, row)
    assert not file.exists()
    file.write_text(json.dumps(row) + "\n")
    assert f"{file}, line 1 is damaged" in error_of(Store, file, ("x",), dict(z=int))


def test_what_is_no_file_of_rows_is_refused(tmp_path):
    assert "it is not a file" in error_of(Store, tmp_path, ("x",))
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("fifo", "nowhere"):
        assert "it is not a file" in error_of(Store, tmp_path / name, ("x",))
    assert "plain JSON" in error_of(Store(None, ("x",)).add, dict(x={1, 2}))
    (tmp_path / "deep").write_text("[" * 100_000 + "\n")
    assert "line 1 is damaged" in error_of(Store, tmp_path / "deep", ("x",))
