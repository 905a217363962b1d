"""The published size within minutes: the order of the runs, resumed as uninterrupted, the time kept, refusals."""

import json
import shutil
import signal
from dataclasses import replace
from types import SimpleNamespace

import ledger_page
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from matplotlib.figure import Figure

from aseqdip_lite.course import experiments
from aseqdip_lite.course.commands import main
from aseqdip_lite.course.experiments import Experiment, arms, published, t2, verdicts
from aseqdip_lite.course.experiments.published import Plan, Runs
from aseqdip_lite.course.theory.grid import overfitting_start
from aseqdip_lite.run import engine
from aseqdip_lite.study.trials import Trial

CPU, STEPS = torch.device("cpu"), 4
ARMS = {"moving": dict(method="aseqdip", N=2, network="lite"), "fixed": dict(method="vanilla"),
        "none": dict(method="tv")}


def blocks(seeds, profile):
    problem = dict(task="denoising", image="coffee", size=16)
    return arms.blocks(ARMS, [problem], steps=STEPS, seeds=seeds, profile=profile)


RUNS = Runs("F99", blocks, lambda found: dict(rows=arms.rows_in(ARMS, found)), arms.course)
FAKE = Experiment(
    id="F99", about="a fake", published="42", measure=RUNS.measure, runs=RUNS, alt="nothing",
    judge=lambda ours: ([verdicts.claim("42", "undecided", f"{len(ours['rows'])} rows")], "42"),
    figure=lambda ours: Figure(),
    profiles=dict(paper=dict(seeds=1, profile="smoke", record_every=2, progress=False, file="F99_runs_paper.jsonl")))


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """F99 has two networks and a classic method, on one image of 16 pixels."""
    monkeypatch.setitem(experiments.REGISTRY, "F99", FAKE)


def aseqdip(*args):
    return CliRunner().invoke(main, [str(argument) for argument in args])


def scores(plan):
    """What does not depend on the clock of the runs that are done."""
    clocks = ("seconds", "peak_memory_mib")
    return {name: {key: value for key, value in row.items() if key not in clocks} for name, row in plan.done().items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The `Plan` of F99 with all its runs, made without an interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(experiments.REGISTRY, "F99", FAKE)
        plan = Plan("F99", tmp_path_factory.mktemp("whole"))
        assert plan.make(60, CPU) is False and not plan.missing()
        assert [path.name for path in plan.file.parent.iterdir()] == ["F99_runs_paper.jsonl"]
        return plan


def test_without_time_each_call_makes_a_step_of_one_run_and_in_the_end_all_is_as_uninterrupted(tmp_path, whole):
    seen = []
    for _ in range(3 * (STEPS + 1)):
        plan = Plan("F99", tmp_path)
        if not plan.missing():
            break
        assert plan.make(0, CPU) is False
        begun = [line for line in plan.told() if line.startswith("  begun")]
        seen.append((len(plan.done()), int(begun[0].split()[-4]) if begun else 0))
        assert len(begun) <= 1
    assert seen == sorted(set(seen)) and (0, 1) in seen  # each call has come further
    assert scores(plan) == scores(whole)


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, whole, monkeypatch):
    made, call = [], published.Clock.__call__

    def killed(clock, step):
        made.append(step)
        if len(made) == 3:
            raise MemoryError
        return call(clock, step)

    monkeypatch.setattr(published.Clock, "__call__", killed)
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 2)
    with pytest.raises(MemoryError):
        Plan("F99", tmp_path).make(60, CPU)
    plan = Plan("F99", tmp_path)
    assert not plan.done() and plan.make(60, CPU) is False
    assert made[:3 + STEPS - 2] == [1, 2, 3, 3, 4] and scores(plan) == scores(whole)


def test_ctrl_c_keeps_what_is_made_and_the_same_command_goes_on(tmp_path, whole, monkeypatch):
    call, left = published.Clock.__call__, [3]

    def interrupting(clock, step):
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(signal.SIGINT)
        return call(clock, step)

    monkeypatch.setattr(published.Clock, "__call__", interrupting)
    command = "experiment", "F99", "--profile", "paper", "--minutes", 60, "--out", tmp_path
    first = aseqdip(*command)
    assert first.exit_code == 130 and "start the same command again" in first.stderr
    assert "3 of 4 steps" in first.stdout and "0 of 3 runs" in first.stdout and "42" not in first.stdout
    second = aseqdip(*command)
    assert second.exit_code == 0 and "3 of 3 runs" in second.stdout and "undecided: 42 (3 rows)" in second.stdout
    assert scores(Plan("F99", tmp_path)) == scores(whole)
    third = aseqdip(*command)
    assert third.exit_code == 0 and third.stdout.count("  done: ") == 3 and left[0] < 0


def test_without_minutes_the_result_is_made_of_the_same_runs(tmp_path, whole, monkeypatch):
    shutil.copy(whole.file, tmp_path)
    monkeypatch.setattr("aseqdip_lite.study.trials.run_trial", None)  # none is made again
    found = aseqdip("experiment", "F99", "--profile", "paper", "--out", tmp_path)
    assert found.exit_code == 0 and json.loads((tmp_path / "F99.json").read_text())["claims"][0]["why"] == "3 rows"


def test_the_ledger_has_the_runs_beside_the_laptops_or_says_that_there_are_none(whole, monkeypatch):
    monkeypatch.setattr(ledger_page, "RESULTS", whole.file.parent)
    text = ledger_page.published_section("F99")
    assert "3 of 3 runs" in text and "| 42 | **undecided** | 3 rows |" in text
    assert all(name in text for name in whole.done())
    assert ledger_page.published("F99")[0].claims() == whole.claims()
    assert ledger_page.published_section("F9") == "\nAt the published size: not run.\n"
    assert ledger_page.published_section("F6") == ""


def test_a_claim_is_judged_by_whole_blocks(tmp_path, monkeypatch):
    two = replace(FAKE, profiles=dict(paper=FAKE.profiles["paper"] | dict(seeds=2)))
    monkeypatch.setitem(experiments.REGISTRY, "F99", two)
    plan = Plan("F99", tmp_path)
    for count, trial in enumerate(plan.missing().values()):
        assert [claim["why"] for claim in plan.claims()] == ([f"{count // 3 * 3} rows"] if count > 2 else [])
        facts = dict(image="coffee", answers={}, onset=None, curve={}, made=1, stop_reason="budget", seconds=1.0)
        plan.store.add(vars(trial) | facts)
    assert plan.claims()[0]["why"] == "6 rows" and count == 5


def test_a_precision_has_runs_of_its_own_and_classic_methods_have_none(tmp_path):
    full, half = (Plan("F99", tmp_path, precision).missing() for precision in ("float32", "bfloat16"))
    assert [one.key == other.key for one, other in zip(full.values(), half.values(), strict=True)] == [
        False, False, True]
    assert {trial.configured().precision for trial in list(half.values())[:2]} == {"bfloat16"}


@pytest.mark.parametrize(("times", "line", "end"), [
    ([50, *[6] * 9], "6 s a step, 6.67 h for all 4000 steps, 5 h for the 2998 that are left", 10),
    ([20, 1.5, 1.5, *[0.5] * 9], "0.5 s a step, 33.3 min for all 4000 steps, 24.9 min for the 2993 that are left",
     None)])
def test_the_clock_measures_the_pace_and_ends_when_the_time_is_up(times, line, end, monkeypatch):
    """After slow steps at once, after quick ones when they have settled; the first step does not count."""
    now, lines, bar = [0.0], [], SimpleNamespace(n=0, update=lambda steps: None)
    monkeypatch.setattr(published.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(published, "say", lines.append)
    clock, ends = published.Clock("lam 1", 4000, 100.0, bar), []
    for step, seconds in enumerate(times, 1001):
        now[0] += seconds
        ends.append(clock(step))
    assert lines == [f"lam 1: {line}"]
    assert ends == [number == end for number in range(1, len(times) + 1)]


def test_times_in_words():
    assert [published.lasting(seconds) for seconds in (0.5, 90, 5400)] == ["0.5 s", "1.5 min", "1.5 h"]


def test_an_onset_does_not_depend_on_how_often_a_run_is_recorded():
    step = np.arange(1, 2001)
    psnr = 25 + np.minimum(step / 100, 8) - np.maximum(step - 1000, 0) / 250
    rare = SimpleNamespace(curve=dict(step=step[9::10].tolist(), psnr=psnr[9::10].tolist()))
    every = SimpleNamespace(curve=dict(step=step.tolist(), psnr=psnr.tolist()))
    assert arms.course(None, every)["onset"] == overfitting_start(psnr.tolist())
    assert abs(arms.course(None, rare)["onset"] - arms.course(None, every)["onset"]) <= 20
    assert arms.course(None, rare)["curve"]["step"][-1] <= 2000


# ---------------------------------------------------------------- the orders

def ordered(name):
    """The blocks of an experiment at the published size."""
    return Plan(name, "nowhere").blocks


def places(block):
    return {(trial.problem["image"], trial.seed) for _, trial in block}


@pytest.mark.parametrize(("name", "first", "images"), [
    ("F9", ["lam 1", "lam 0.5", "lam 2"], 3), ("F4a", ["aSeqDIP, lam 1", "aSeqDIP, lam 0"], 3),
    ("F10", ["N 2", "N 4", "N 1"], 3), ("T2", ["mri, acceleration 4"] * 2, 3)])
def test_the_arms_of_a_claim_come_first_on_all_images_before_a_second_seed(name, first, images):
    found = ordered(name)
    assert [words for words, _ in found[0]] == first
    assert all(len(places(block)) == 1 for block in found)
    assert len(set().union(*map(places, found[:images]))) == images
    assert {seed for block in found[:images] for _, seed in places(block)} == {0}
    keys = [trial.key for block in found for _, trial in block]
    assert len(keys) == len(set(keys)) == len(Plan(name, "nowhere").missing())


@pytest.mark.parametrize("name", ["F9", "F4a"])
def test_runs_have_the_published_network_rate_and_size(name):
    """MRI 4x, 15 coils, 320 x 320, U-Net of the paper, Adam at 1e-4."""
    for block in ordered(name):
        for _, trial in block:
            assert (trial.problem["size"], trial.problem["coils"], trial.task) == (320, 15, "mri")
            if trial.method != "self_guided":  # which has its own paper's
                assert trial.settings["lr"] == 1e-4
            assert trial.settings["network"] == "paper-medium" and trial.budget > 4000
            assert trial.settings.get("N", 2) == 2 and trial.configured().lr == trial.settings["lr"]


def test_t2_makes_the_papers_list_before_further_seeds_and_other_methods():
    runs = [trial for block in ordered("T2") for _, trial in block]
    assert runs[0].problem["image"] == "brain-056" and [trial.method for trial in runs[:2]] == [*t2.PAIR]
    listed = [trial.method in (*t2.PAIR, *t2.PUBLISHED[trial.task]) for trial in runs]
    assert listed == sorted(listed, reverse=True)
    seeds = [trial.seed for trial, on_list in zip(runs, listed, strict=True) if on_list]
    assert seeds == sorted(seeds) and set(seeds) == {0, 1, 2}
    assert isinstance(runs[0], Trial) and "size" not in runs[0].problem  # the profile's own


@pytest.mark.parametrize(("args", "words"), [
    (("F6", "--profile", "paper", "--minutes", "1"), "choose one of F4a, F4b, F9, F10, F99, T2"),
    (("F9", "--minutes", "1"), "--profile paper"), (("--all", "--minutes", "1"), "needs one experiment's ID"),
    (("F99", "--profile", "paper", "--minutes", "nan"), "--minutes"),
    (("F99", "--profile", "paper", "--device", "cuda"), "do nothing here: leave them out"),
    (("F99", "--precision", "bfloat16"), "give --minutes"),
    (("F99", "--profile", "paper", "--minutes", "1", "--device", "none"), "unknown device 'none'")])
def test_what_cannot_be_meant_is_refused_in_a_line(args, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = aseqdip("experiment", *args)
    assert found.exit_code == 2 and words in found.stderr and len(found.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
