"""The verdicts of the ledger follow from the numbers: made-up results on either side of each bar."""

import numpy as np
import pytest

from aseqdip_lite.course.experiments import a1, arms, c3, f4, f5, f6, f7, f8, f9, f10, g1, g2, g3, g4, l1, t2
from aseqdip_lite.study import trials


def trajectories(ends, slope):
    """What A1 judges: mean errors at the greatest width by kind, one slope for all."""
    run = dict(kernel=0.04, worst=0.02)
    return dict(widths=dict(
        widths=[16, 512], runs={kind: [[run | dict(relative=0.3)], [run | dict(relative=end)]]
                                for kind, end in ends.items()},
        slopes={kind: dict(relative=dict(slope=slope, std_error=0.1)) for kind in ends}))


@pytest.mark.parametrize(("ends", "slope", "verdict"), [
    ({"a": 0.04, "b": 0.01}, -0.5, "reproduced"), ({"a": 0.06, "b": 0.01}, -0.5, "same direction"),
    ({"a": 0.04, "b": 0.01}, -0.15, "not reproduced")])
def test_a1_needs_a_small_error_and_a_slope_that_is_no_accident(ends, slope, verdict):
    found, why = a1.judge(trajectories(ends, slope))
    assert found == verdict and "width 512" in why and "4.0 %" in why


def delayed(ratio, is_bound=False):
    """What F6 judges: the truth as input overfits `ratio` times later than noise, or has not by the last step."""
    inputs = dict(x=[dict(overfitting=None if is_bound else ratio)], noise=[dict(overfitting=1)])
    return dict(steps=100, inputs=inputs, distances=[0.1], by_distance=[[dict(overfitting=5)]],
                ratios=dict(overfitting=[dict(ratio=ratio, is_bound=is_bound)]))


@pytest.mark.parametrize(("ratio", "verdict"), [(25, "reproduced"), (4, "same direction"), (0.5, "not reproduced"),
                                                (None, "not reproduced")])
def test_f6_asks_for_ten_times(ratio, verdict):
    assert f6.judge(delayed(ratio))[0] == verdict


def test_f6_says_that_a_run_without_overfitting_gives_a_bound():
    verdict, why = f6.judge(delayed(100, is_bound=True))
    assert verdict == "reproduced" and "at least 100 times later" in why and "step none with the truth" in why


@pytest.mark.parametrize(("mean", "verdict"), [([20, 24, 22], "reproduced"), ([20, 22, 24], "same direction"),
                                               ([22.0, 22.2, 22.1], "not reproduced")])
def test_f7_asks_for_a_maximum_inside(mean, verdict):
    found, why = f7.judge(dict(mean=mean, lams=[0.0, 1.0, 8.0], start=[19.0], ceiling=[27.0]))
    assert found == verdict and f"{max(mean):.2f} dB" in why


@pytest.mark.parametrize(("decoder", "cnn", "verdict"), [(0.05, 0.3, "reproduced"), (0.25, 0.3, "same direction"),
                                                         (0.2, 0.1, "not reproduced")])
def test_g1_compares_the_best_of_both(decoder, cnn, verdict):
    networks = {name: dict(adam=[[1.0, best, 1.5 * best]], limit=[0.2], lazy=[0.5])
                for name, best in (("decoder", decoder), ("cnn", cnn))}
    assert g1.judge(dict(networks=networks, zero_filled=[0.2]))[0] == verdict


@pytest.mark.parametrize(("learned", "verdict"), [
    ((10, 40, 90), "reproduced"), ((10, 40, None), "reproduced"), ((40, 10, 90), "same direction"),
    ((90, 40, 10), "not reproduced"), ((None, None, None), "not reproduced")])
def test_g2_asks_for_the_order_of_the_bands(learned, verdict):
    steps = dict(zip(("low", "mid", "high"), learned, strict=True))
    assert g2.judge(dict(runs=[dict(snr=25.0, learned=steps, best=dict(low=1, mid=2, high=3))]))[0] == verdict


@pytest.mark.parametrize(("free", "guided", "verdict"), [
    ((24, 20), (26, 25), "reproduced"), ((26, 20), (24, 24), "same direction"), ((26, 26), (24, 20), "not reproduced"),
    ((24, 24), (26, 26), "same direction")])
def test_g3_compares_peak_and_fall(free, guided, verdict):
    runs = [dict(alpha=alpha, best=[5, peak], psnr=[peak, end])
            for alpha, (peak, end) in ((0.0, free), (2.0, guided))]
    assert g3.judge(dict(runs=runs, start=20.0))[0] == verdict


@pytest.mark.parametrize(("end", "verdict"), [(24.0, "reproduced"), (10.0, "same direction"), (5.0, "not reproduced")])
def test_g4_asks_for_an_image(end, verdict):
    assert g4.judge(dict(snapshots=[dict(psnr=6.0)], input=[7.0, end], average=[end]))[0] == verdict


def ended(arm, peak=28.0, final=27.0, onset=None, task="mri", steps=3000, image="a", curve=(20.0, 28.0, 27.0)):
    """One row of `arms.run_arms`."""
    answers = {name: dict(psnr=psnr) for name, psnr in dict(start=20.0, final=final, oracle=peak).items()}
    return dict(arm=arm, task=task, image=image, seed=0, answers=answers, onset=onset, steps=steps,
                curve=dict(step=[1, 2, 3][:len(curve)], psnr=list(curve)))


@pytest.mark.parametrize(("onsets", "verdict"), [
    ((500, 1600, 1600, None), "reproduced"), ((500, 1600, None, None), "reproduced"),
    ((900, 400, 1600, None), "same direction"), ((500, 1900, 1600, 1800), "same direction"),
    ((500, 1600, 2000, 1800), "not reproduced"),
    ((1000, None, None, 800), "not reproduced"), ((None, None, None, None), "not reproduced")])
def test_f4_asks_for_the_order_of_the_onsets(onsets, verdict):
    rows = [ended(arm, onset=onset) for arm, onset in zip(f4.ARMS, onsets, strict=True)]
    found, why = f4.judge(dict(rows=rows))
    first = "none by step 3000" if onsets[0] is None else f"step {onsets[0]}"
    assert found == verdict and f"vanilla {first}, 28.00 dB, 1.00 dB" in why


@pytest.mark.parametrize(("best", "verdict"), [(5, "reproduced"), (3, "same direction"), (2, "not reproduced")])
def test_f5_counts_the_tasks_whose_box_aseqdip_fits_best(best, verdict):
    ours = {task: dict(rows=dict(tv=dict(box=0.05), aseqdip=dict(box=0.04 if index < best else 0.06)))
            for index, task in enumerate(f5.PROBLEMS)}
    found, why = f5.judge(ours)
    assert found == verdict and f"on {best} of 5 tasks" in why and "mri tv 0.050, aseqdip 0.040" in why


def test_f5s_box_is_where_the_start_is_worst():
    truth = np.zeros((32, 32))
    start = truth.copy()
    start[9:15, 17:23] = 1.0
    top, left, side = f5.worst_box(start, truth, 8)
    assert side == 8 and top <= 9 and left <= 17 and top + 8 >= 15 and left + 8 >= 23


@pytest.mark.parametrize(("peak", "final", "verdict"), [
    (29.0, 28.8, "reproduced"), (29.0, 27.0, "same direction"), (27.0, 26.8, "same direction"),
    (27.0, 25.0, "not reproduced")])
def test_f8_asks_for_the_highest_peak_and_a_small_loss(peak, final, verdict):
    rows = [ended("vanilla", 28.0, 25.0, 400), ended("aseqdip", peak, final, 900)]
    found, why = f8.judge(dict(rows=rows))
    assert found == verdict and f"aseqdip {peak:.2f}, {peak - final:.2f}, step 900" in why


@pytest.mark.parametrize(("peaks", "onsets", "verdict"), [
    ((27, 29, 28), (800, 1500, None), "reproduced"), ((29, 28, 27), (800, 1500, None), "same direction"),
    ((27, 29, 28), (1500, 800, None), "same direction"), ((29, 28, 27), (1500, 800, None), "not reproduced")])
def test_f9_asks_for_lam_1_on_top_and_lam_half_first_to_fall(peaks, onsets, verdict):
    rows = [ended(f9.arm(lam), peak, peak - 1, onset) for lam, peak, onset in zip(f9.LAMS, peaks, onsets, strict=True)]
    assert f9.judge(dict(rows=rows))[0] == verdict


@pytest.mark.parametrize(("best", "verdict"), [(4, "reproduced"), (2, "same direction"), (1, "not reproduced")])
def test_f10_counts_the_tasks_that_n_2_wins(best, verdict):
    tasks = [problem["task"] for problem in f10.PROBLEMS]
    rows = [ended(f10.arm(N), final=28.0 if (N == 2) == (index < best) else 27.0, task=task)
            for index, task in enumerate(tasks) for N in f10.NS]
    found, why = f10.judge(dict(rows=rows))
    assert found == verdict and f"on {best} of 4 tasks" in why
    assert f10.figure(dict(rows=rows)).axes


@pytest.mark.parametrize(("finals", "verdict"), [
    ((26, 24, 25, 23), "reproduced"), ((24.5, 24, 25, 23), "same direction"), ((23.5, 24, 25, 23), "not reproduced")])
def test_c3_compares_with_what_was_run(finals, verdict):
    rows = [ended(arm, final=final) for arm, final in zip(c3.ARMS, finals, strict=True)]
    found, why = c3.judge(dict(rows=rows))
    assert found == verdict and "diffusion models were not run" in why


def test_the_mean_curve_leaves_out_runs_that_ended_early():
    rows = [ended("a", curve=(20.0, 22.0, 24.0)), ended("a", curve=(22.0, 24.0, 26.0)), ended("a", curve=(50.0,))]
    assert arms.mean_curves(rows) == dict(a=([1, 2, 3], [21.0, 23.0, 25.0]))
    assert arms.onset([ended("a", onset=10), ended("a"), ended("a", onset=30)]) == 30


def part(task="mri", **finals):
    """One part of T2 with the final PSNR of each method."""
    return dict(task=task, settings=dict(acceleration=4.0), summary=[
        dict(image="a", method=name, runs=3, answers=dict(final=dict(psnr=dict(mean=value))))
        for name, value in finals.items()])


@pytest.mark.parametrize(("parts", "verdict", "counts"), [
    ([part(aseqdip=28.0, vanilla=27.0, tv=29.0), part(aseqdip=28.0, vanilla=27.0, tv=26.0)], "reproduced", (2, 1)),
    ([part(aseqdip=28.0, vanilla=27.0)] * 2 + [part(aseqdip=26.0, vanilla=27.0)], "same direction", (2, 2)),
    ([part(aseqdip=28.0, vanilla=27.0), part(aseqdip=26.0, vanilla=27.0)], "not reproduced", (1, 1))])
def test_t2_counts_where_aseqdip_is_first_of_the_family_and_of_all(parts, verdict, counts):
    ours = dict(parts=parts, runs=12, core_seconds=5400.0)
    found, why = t2.judge(ours)
    counted = f"first of the DIP methods that ran in {counts[0]} and first of all in {counts[1]}"
    assert found == verdict and counted in why
    assert why.startswith("12 runs, 1.5 core-hours, up to 3 runs a mean.")
    assert "mri, acceleration 4: " in why and t2.figure(ours).axes


def test_t2_goes_on_where_it_was_and_makes_no_run_twice(tmp_path, monkeypatch):
    made, run = [], trials.run_trial
    monkeypatch.setattr(trials, "run_trial", lambda trial, *rest: made.append(trial.key) or run(trial, *rest))
    sizes = dict(size=32, coils=2, images=1, steps=2, tasks=("denoising",), progress=False,
                 file=tmp_path / "runs.jsonl")
    once = t2.measure(seeds=1, **sizes)
    count = len(made)
    assert once["runs"] == count == len(set(made)) and once["core_seconds"] > 0
    assert t2.measure(seeds=1, **sizes) == once and len(made) == count
    twice = t2.measure(seeds=2, **sizes)
    assert twice["runs"] == 2 * count == len(made) == len(set(made))
    stds = {row["method"]: row["answers"]["final"]["psnr"]["std"] for row in twice["parts"][0]["summary"]}
    assert all(std is not None for std in stds.values())
    assert [row["runs"] for row in once["parts"][1]["summary"]] == [1] * len(once["parts"][1]["summary"])
    found = {row["method"] for row in once["parts"][1]["summary"]} - {"bm3d"}  # which not everybody has
    assert found == {"aseqdip", "vanilla", "self_guided", "nlm", "tv", "pnp"}


def walked(arm, *rests, image="a", steps=(100, 200, 300)):
    """A run of L1 with these rests at its levels; None where it has not come."""
    levels = [dict(step=None if rest is None else step, rest=rest) for step, rest in zip(steps, rests, strict=True)]
    return dict(arm=arm, image=image, seed=0, levels=levels, best=28.0, last=25.0, freedom_gap=0.01)


@pytest.mark.parametrize(("zero", "four", "sixteen", "verdict"), [
    ((1.1, 1.1, 1.1), (0.9, 0.9, 0.9), (0.8, 0.8, None), "reproduced"),
    ((1.1, 1.1, 1.1), (0.9, 1.01, 0.9), (0.8, 0.8, 0.8), "same direction"),
    ((1.0, 1.0, 1.0), (1.0, 1.01, 1.0), (0.9, 0.9, 0.9), "not reproduced"),
    ((0.8, 0.8, 0.8), (0.9, 0.9, 0.9), (0.9, 0.9, 0.9), "not reproduced"),
    ((0.95, 1.1, 1.1), (0.9, 0.9, 0.9), (0.9, 0.9, 0.9), "same direction")])
def test_l1_compares_ways_where_the_same_share_of_the_noise_is_fitted(zero, four, sixteen, verdict):
    runs = [walked("lam 0", *zero), walked("lam 1", 1.0, 1.0, 1.0), walked("lam 4", *four, steps=(50, 100, 150)),
            walked("lam 16", *sixteen), walked("lam 1 to 64", 1.0, 1.0, 1.0)]
    found, why = l1.judge(dict(runs=runs))
    assert found == verdict and "lam 4 0.50 times the steps of lam 1" in why


def test_l1_reads_a_path_at_a_share():
    columns = dict(step=np.array([2, 4, 6, 8]), share=np.array([0.0, 0.095, 0.105, 0.5]), rest=np.array([4.0, 3, 1, 7]))
    assert l1.at_level(columns, 0.1) == dict(step=6, rest=2.0)
    assert l1.at_level(columns, 0.3) == dict(step=8, rest=7.0)  # jumped over: the first beyond
    assert l1.at_level(columns, 0.6) == dict(step=None, rest=None)
