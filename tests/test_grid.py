"""The lam x N grid: what a run measures, that finished runs are kept, the verdict on made-up rows of known answer."""

import json

import numpy as np
import pytest
import torch

from aseqdip_lite import ASeqDIP, InputError, Vanilla, iterate, load_case, reconstruct
from aseqdip_lite.course.theory import grid
from aseqdip_lite.course.theory.figures_dynamics import plot_grid
from aseqdip_lite.course.theory.verdict import failed, onset, verdict
from aseqdip_lite.files import plain

SMALL = dict(tasks=("denoising",), images=dict(denoising=("coffee",)), lams=(0, 1), Ns=(2,), fixed=(0, 1), seeds=(0,),
             size=16, steps=3)


def never(step):
    return False


def run_of(input, lam, N, task="denoising", steps=6):
    runs = grid.grid(**SMALL | dict(tasks=(task,), images=None, lams=(lam,), Ns=(N or 1,), fixed=(lam,), steps=steps,
                                   size=32))
    return next(run for run in runs.values() if (run["input"], run["N"]) == (input, N))


# When overfitting starts.

def curve(peak, fall, steps=1000):
    """PSNR that rises by 10 dB to step `peak` and then falls by `fall` dB until the last step, in straight lines."""
    t = np.arange(1, steps + 1)
    return np.where(t <= peak, 20 + 10 * t / peak, 30 - fall * (t - peak) / max(steps - peak, 1))


def test_overfitting_starts_once_the_fall_exceeds_a_tenth_of_a_decibel():
    start = grid.overfitting_start(curve(400, 6.0))  # falls by 0.01 dB a step
    assert 400 < start < 440
    assert grid.overfitting_start(curve(400, 0.05)) is None and grid.overfitting_start(curve(1000, 0.0)) is None


def test_a_dip_that_recovers_is_not_the_start():
    dip = curve(400, 6.0)
    dip[200:230] -= 8  # a spike on the way up
    assert grid.overfitting_start(dip) == grid.overfitting_start(curve(400, 6.0))
    late = np.concatenate([curve(400, 3.0), curve(400, 3.0)])  # falls, rises again, falls
    assert grid.overfitting_start(late) > 1400


def test_short_and_empty_curves():
    assert grid.overfitting_start([]) is None and grid.overfitting_start([1.0, 2.0]) is None
    assert grid.smoothed([1.0, 3.0]) == {2: 2.0} and grid.smoothed([]) == {}
    assert grid.first_within(grid.smoothed(curve(400, 6.0)), 1.0) == pytest.approx(350, abs=10)


# One run.

@pytest.mark.parametrize("task", ["denoising", "mri"])
def test_fixed_input_without_lam_is_vanilla_dip_from_the_same_input(task):
    run = run_of("fixed", 0, None, task)
    observation = load_case(task, run["image"], seed=0, size=32, **run["settings"]).observation
    fixed = iterate(observation, grid.method(run), seed=0, steps=6)
    vanilla = iterate(observation, Vanilla(lr=run["lr"]), seed=0, steps=6, z0=observation.start)
    for one, other in zip(fixed, vanilla, strict=True):
        assert torch.equal(one.image, other.image) and torch.equal(one.carry.z, observation.start)


def test_row_is_what_a_reconstruction_records():
    run = run_of("moving", 1, 2)
    row = grid.measure(run, never)
    case = load_case("denoising", run["image"], seed=0, size=32, **run["settings"])
    result = reconstruct(case, ASeqDIP(lam=1.0, N=2, K=3, lr=run["lr"]), seed=0, progress=False)
    assert row["curve"]["psnr"] == pytest.approx(result.curve["psnr"], abs=1e-3)
    psnr = result.metrics["psnr"]
    assert row["psnr"] == plain(dict(start=psnr["start"], best=psnr["oracle"], final=psnr["final"]))
    assert row["best_step"] == int(np.argmax(result.curve["psnr"])) + 1
    assert row["curve"]["step"] == [1, 2, 3, 4, 5, 6]
    moved, norm = row["curve"]["moved"], row["curve"]["norm"]
    assert moved[0] == 0 and norm[0] == 1 and moved[1] == moved[2] > 0 and moved[3] != moved[2]  # z moves every N steps
    z, start = result.images["final"], case.observation.start
    assert moved[-1] == pytest.approx(float((z - start).norm() / start.norm()), rel=1e-4)
    assert norm[-1] == pytest.approx(float(z.norm() / start.norm()), rel=1e-4)
    energy = float(case.observation.y.norm()) ** 2
    assert row["curve"]["data"][-1] == pytest.approx(result.curve["data"][-1] / energy, rel=1e-4)
    assert row["versions"]["torch"] and json.loads(json.dumps(row)) == row


def test_fixed_input_does_not_move():
    row = grid.measure(run_of("fixed", 1, None), never)
    assert set(row["curve"]["moved"]) == {0.0} and set(row["curve"]["norm"]) == {1.0}


def test_a_run_that_diverges_says_at_which_step():
    row = grid.measure(run_of("moving", 1, 2) | dict(lr=1e30), never)
    assert row["diverged"] is not None and failed(row)


def test_a_stopped_run_is_no_row():
    assert grid.measure(run_of("moving", 1, 2), lambda step: step == 2) is None


# The grid.

def test_grid_holds_every_combination_once_and_its_controls():
    runs = grid.grid()
    assert len(runs) == 2 * 2 * 2 * (5 * 3 + 2)
    assert {run["lam"] for run in runs.values() if run["input"] == "fixed"} == {0.0, 1.0}
    assert {run["lam"] for run in runs.values()} == {0.0, 0.5, 1.0, 2.0, 4.0}


def test_finished_runs_are_never_run_again(tmp_path, monkeypatch):
    made, measure = [], grid.measure

    def counted(run, watch):
        made.append(grid.key(run, grid.KEYS))
        return measure(run, watch)

    monkeypatch.setattr(grid, "measure", counted)
    rows = grid.run_grid(tmp_path, workers=1, progress=False, **SMALL)
    assert len(rows) == len(made) == 4 and (tmp_path / "grid.jsonl").read_text().count("\n") == 4
    assert grid.run_grid(tmp_path, workers=1, progress=False, **SMALL) == rows and len(made) == 4
    lines = (tmp_path / "grid.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "grid.jsonl").write_text("".join(lines[:2]))  # an interruption after two runs
    again = grid.run_grid(tmp_path, workers=1, progress=False, **SMALL)
    assert len(made) == 6 and made[4:] == made[2:4]
    assert [row["curve"] for row in again] == [row["curve"] for row in rows]
    more = grid.run_grid(tmp_path, workers=1, progress=False, **SMALL | dict(lams=(0, 1, 2)))
    assert len(more) == 5 and len(made) == 7  # the same file serves a larger grid


def test_a_stopped_grid_keeps_what_has_finished(tmp_path, monkeypatch):
    measure, made = grid.measure, []

    def stops(run, watch):
        made.append(run)
        if len(made) == 2:
            watch.stop()
            return None
        return measure(run, watch)

    monkeypatch.setattr(grid, "measure", stops)
    assert len(grid.run_grid(tmp_path, workers=1, progress=False, **SMALL)) == 1
    monkeypatch.setattr(grid, "measure", measure)
    assert len(grid.run_grid(tmp_path, workers=1, progress=False, **SMALL)) == 4


def test_bad_input_is_named(tmp_path):
    with pytest.raises(InputError, match="unknown task of the grid 'ct': known: mri, denoising"):
        grid.grid(tasks=("ct",))
    with pytest.raises(InputError, match="unknown image 'cofee': did you mean 'coffee'"):
        grid.run_grid(tmp_path, **SMALL | dict(images=dict(denoising=("cofee",))))
    (tmp_path / "grid.jsonl").write_text('{"task": \n')
    with pytest.raises(InputError, match="grid.jsonl, line 1 is damaged"):
        grid.run_grid(tmp_path, **SMALL)


# The verdict.

def made_up(onset_of, steps=1500):
    """Rows of a grid whose overfitting starts at onset_of(input, N, lam), None for never, "failed" for a failed run."""
    rows = []
    for run in grid.grid(steps=steps, fixed=(0, 0.5, 1, 2, 4)).values():
        found = onset_of(run["input"], run["N"], run["lam"])
        best = 19.0 if found == "failed" else 28.0
        rows.append({name: run[name] for name in grid.KEYS} | dict(
            psnr=dict(start=20.0, best=best, final=best - 2), best_step=100, rise=50, diverged=None, truth_norm=0.95,
            overfitting=None if found == "failed" else found, curve=dict(
                step=[750, steps], psnr=[28.0, 26.0], moved=[0.1, 0.2], norm=[0.8, 0.9], data=[0.1, 0.05])))
    return rows


def test_verdict_on_a_delay_by_lam_and_by_the_moving_input():
    found = verdict(made_up(lambda input, N, lam: int(300 + 100 * lam + (200 if input == "moving" else 0))))
    for task in ("mri", "denoising"):
        zero, positive = found["order"][task]["moving"].values()
        assert zero == dict(later=48, earlier=0, undecided=0, failed=0, holds="holds")
        assert positive == dict(later=72, earlier=0, undecided=0, failed=0, holds="holds")
        delay = found["delay"][task]
        assert [entry["median"] for entry in delay["moving input"]] == [200] * 3
        assert [entry["median"] for entry in delay["lam, input fixed"]] == [50, 100, 200, 400]
        assert {entry["median"] for entry in delay["lam, input moving"] if entry["lam"] == 4} == {400}
        assert {entry["median"] for entry in delay["both"] if entry["lam"] == 4} == {600}
        assert all(entry["pairs"] == 4 and entry["bounds"] == 0 for kind in delay.values() for entry in kind)
    assert found["sentences"][:2] == [
        "mri, input fixed, lam = 0 against lam > 0: 'holds'; of 16 pairs the larger lam overfits later in 16, earlier "
        "in 0, 0 undecided, 0 with a run that failed",
        "mri, input fixed, among lam > 0: 'holds'; of 24 pairs the larger lam overfits later in 24, earlier in 0, "
        "0 undecided, 0 with a run that failed"]


def test_verdict_the_other_way_round_and_without_effect():
    opposite = verdict(made_up(lambda input, N, lam: int(900 - 100 * lam)))
    assert {kind["holds"] for kind in opposite["order"]["mri"]["moving"].values()} == {"the opposite"}
    nothing = verdict(made_up(lambda input, N, lam: 500))["order"]["mri"]["moving"]["among lam > 0"]
    assert nothing == dict(later=0, earlier=0, undecided=72, failed=0, holds="undecided")


def test_a_term_that_hastens_and_a_weight_that_delays_are_two_verdicts():
    """lam = 0 never overfits, and among lam > 0 a larger one does so later: what one count of all pairs would hide."""
    zero, positive = verdict(made_up(lambda input, N, lam: int(300 + 100 * lam) if lam else None))[
        "order"]["denoising"]["moving"].values()
    assert zero == dict(later=0, earlier=48, undecided=0, failed=0, holds="the opposite")
    assert positive == dict(later=72, earlier=0, undecided=0, failed=0, holds="holds")


def test_pairs_that_are_not_in_a_grid_have_no_sentence():
    rows = [row for row in made_up(lambda input, N, lam: 500) if row["input"] == "moving" or row["lam"] < 1]
    assert [sentence.split(":")[0] for sentence in verdict(rows)["sentences"][:2]] == [
        "mri, input fixed, lam = 0 against lam > 0", "mri, input moving, lam = 0 against lam > 0"]


def test_overfitting_that_has_not_begun_is_later_and_a_bound():
    found = verdict(made_up(lambda input, N, lam: None if lam >= 2 else 500))
    zero, positive = found["order"]["denoising"]["fixed"].values()
    assert zero == dict(later=8, earlier=0, undecided=8, failed=0, holds="holds")
    assert positive == dict(later=16, earlier=0, undecided=8, failed=0, holds="holds")
    entry = next(e for e in found["delay"]["mri"]["lam, input fixed"] if e["lam"] == 4)
    assert entry == dict(lam=4.0, N=None, pairs=4, failed=0, bounds=4, median=1001)
    assert onset(dict(steps=1500, overfitting=None)) == 1501


def test_failed_runs_are_counted_apart():
    found = verdict(made_up(lambda input, N, lam: "failed" if (input, lam) == ("moving", 0.0) else 500))
    order = found["order"]["mri"]
    assert [kind["failed"] for kind in (*order["moving"].values(), *order["fixed"].values())] == [48, 0, 0, 0]
    entries = found["delay"]["mri"]["moving input"]
    assert all(entry["median"] is None and entry["failed"] == 4 for entry in entries)
    row = next(r for r in found["table"] if (r["task"], r["input"], r["N"], r["lam"]) == ("mri", "moving", 2, 0.0))
    assert row["runs"] == row["failed"] == 4 and row["best"] == 19.0 and row["fall"] == 2 and row["least"] == 0.8


def test_grid_figure_draws_every_line_and_every_onset():
    rows = made_up(lambda input, N, lam: "failed" if (input, lam) == ("moving", 0.0) else 500 if lam < 4 else None)
    figure = plot_grid(rows)
    assert len(figure.axes) == 8
    moving, fixed, onsets, size = figure.axes[:4]
    assert [text.get_text() for text in moving.get_legend().get_texts()] == [f"lam = {v:g}" for v in (0, .5, 1, 2, 4)]
    assert len(fixed.lines) == 5 and len(size.lines) == 6
    assert [text.get_text() for text in onsets.get_legend().get_texts()] == [
        "fixed", "moving, N = 1", "moving, N = 2", "moving, N = 4"]
    hollow = [line for line in onsets.lines if line.get_fillstyle() == "none"]
    assert len(hollow) == 4 and all(line.get_ydata()[0] == 1501 for line in hollow)
    assert sum(line.get_marker() == "x" for line in onsets.lines) == 3
