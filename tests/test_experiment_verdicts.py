"""The verdicts of the ledger follow from the numbers: made-up results on either side of each bar."""

import numpy as np
import pytest

from aseqdip_lite.course.experiments import a1, arms, c3, f4, f5, f6, f7, f8, f9, f10, g1, g2, g3, g4, l1, t2, verdicts
from aseqdip_lite.study import trials

FLOOR = 0.4  #: The noise floor in dB of one run of these tests.


@pytest.fixture(autouse=True)
def known_noise(monkeypatch):
    """A noise floor that the stored comparisons do not move: that of the mean of n differences is FLOOR / sqrt(n)."""
    monkeypatch.setattr(verdicts, "task_floor", lambda task, seeds, networks=2: FLOOR / sum(seeds) ** 0.5)
    monkeypatch.setattr(t2, "task_floor", verdicts.task_floor)


def words(found):
    """The verdicts of what a judge returns, in its order."""
    claims, _ = found
    assert all(each["verdict"] in verdicts.VERDICTS and each["claim"] and each["why"] for each in claims)
    return [each["verdict"] for each in claims]


@pytest.mark.parametrize(("gaps", "verdict"), [
    (dict(a=[0.5], b=[0.4], c=[0.6]), "agree"), (dict(a=[-0.5], b=[-0.4], c=[-0.6]), "disagree"),
    (dict(a=[5.0], b=[4.0]), "undecided"),  # two images
    (dict(a=[0.1], b=[0.2], c=[0.2]), "undecided"),  # within the noise floor
    (dict(a=[0.9], b=[0.9], c=[-0.1]), "undecided"),  # an image says otherwise
    (dict(a=[5.0, 5.1, 4.9], b=[4.0, 3.9, 4.1], c=[3.0, 3.1, 3.2]), "agree"),
    (dict(a=[5.0, -4.0], b=[4.0, -3.0], c=[3.0, -2.0]), "undecided")])  # seeds of its own tell the noise
def test_a_difference_needs_images_of_one_sign_above_the_noise_floor(gaps, verdict):
    assert verdicts.compared("a claim", gaps, "mri")["verdict"] == verdict


@pytest.mark.parametrize(("found", "word"), [
    (["agree", "undecided"], "undecided"), (["agree", "disagree", "undecided"], "disagree"), (["agree"], "agree"),
    (["not tested", "agree"], "agree"), (["not tested"], "not tested")])
def test_one_word_for_all_claims(found, word):
    assert verdicts.overall([verdicts.claim("text", verdict, "why") for verdict in found]) == word


def test_a_verdict_is_one_of_four_words():
    with pytest.raises(ValueError, match="one of"):
        verdicts.claim("text", "reproduced", "why")


def trajectories(ends, slope):
    """What A1 judges: mean errors at the greatest width by kind, one slope for all."""
    run = dict(kernel=0.04, worst=0.02)
    return dict(widths=dict(
        widths=[16, 512], runs={kind: [[run | dict(relative=0.3)], [run | dict(relative=end)]]
                                for kind, end in ends.items()},
        slopes={kind: dict(relative=dict(slope=slope, std_error=0.1)) for kind in ends}))


@pytest.mark.parametrize(("ends", "slope", "said"), [
    ({"a": 0.04, "b": 0.01}, -0.5, "by more than two standard errors, and at the greatest width all kinds"),
    ({"a": 0.06, "b": 0.01}, -0.5, "by more than two standard errors, and at the greatest width not all kinds"),
    ({"a": 0.04, "b": 0.01}, -0.15, "does not always fall with width")])
def test_a1_asks_for_a_small_error_and_a_slope_that_is_no_accident(ends, slope, said):
    claims, why = found = a1.judge(trajectories(ends, slope))
    assert words(found) == ["not tested"] and said in claims[0]["why"]
    assert "width 512" in why and f"{100 * ends['a']:.1f} %" in why


def delayed(ratio, is_bound=False):
    """What F6 judges: the truth as input overfits `ratio` times later than noise, or has not by the last step."""
    inputs = dict(x=[dict(overfitting=None if is_bound else ratio)], noise=[dict(overfitting=1)])
    return dict(steps=100, inputs=inputs, distances=[0.1], by_distance=[[dict(overfitting=5)]],
                ratios=dict(overfitting=[dict(ratio=ratio, is_bound=is_bound)]))


@pytest.mark.parametrize(("ratio", "verdict"), [(25, "agree"), (4, "undecided"), (0.5, "disagree"),
                                                (None, "undecided")])
def test_f6_asks_for_ten_times(ratio, verdict):
    assert words(f6.judge(delayed(ratio))) == [verdict]


def test_f6_says_that_a_run_without_overfitting_gives_a_bound():
    _, why = found = f6.judge(delayed(100, is_bound=True))
    assert words(found) == ["agree"] and "at least 100 times later" in why and "step none with the truth" in why


@pytest.mark.parametrize("mean", [[20, 24, 22], [22.0, 22.2, 22.1]])
def test_f7_tells_the_gain_and_tests_nothing(mean):
    claims, why = found = f7.judge(dict(mean=mean, lams=[0.0, 1.0, 8.0], start=[19.0], ceiling=[27.0]))
    assert words(found) == ["not tested"] and f"{max(mean):.2f} dB" in why
    assert f"{max(mean) - 19:+.2f} dB" in claims[0]["why"]


@pytest.mark.parametrize(("decoder", "cnn", "found"), [
    ([0.05, 0.06], [0.3, 0.4], ["agree", "agree"]), ([0.25, 0.3], [0.3, 0.3], ["disagree", "agree"]),
    ([0.05, 0.25], [0.1, 0.1], ["undecided", "disagree"])])
def test_g1_compares_the_best_of_every_draw_with_the_zero_filled_signal(decoder, cnn, found):
    networks = {name: dict(adam=[[1.0, best, 1.5 * best] for best in draws], limit=[0.2], lazy=[0.5])
                for name, draws in (("decoder", decoder), ("cnn", cnn))}
    assert words(g1.judge(dict(networks=networks, zero_filled=[0.2]))) == found


@pytest.mark.parametrize(("learned", "verdict"), [
    ((10, 40, 90), "agree"), ((10, 40, None), "agree"), ((40, 10, 90), "undecided"),
    ((90, 40, 10), "disagree"), ((None, None, None), "undecided")])
def test_g2_asks_for_the_order_of_the_bands(learned, verdict):
    steps = dict(zip(("low", "mid", "high"), learned, strict=True))
    assert words(g2.judge(dict(runs=[dict(snr=25.0, learned=steps, best=dict(low=1, mid=2, high=3))]))) == [verdict]


@pytest.mark.parametrize(("free", "guided", "found"), [
    ((24, 20), (26, 25), ["agree", "agree"]), ((26, 20), (24, 24), ["disagree", "agree"]),
    ((26, 26), (24, 20), ["disagree", "undecided"]), ((24, 24), (24.2, 24.2), ["undecided", "undecided"]),
    ((24, 23), (26, 20), ["agree", "disagree"])])
def test_g3_compares_peak_and_fall(free, guided, found):
    runs = [dict(alpha=alpha, best=[5, peak], psnr=[peak, end])
            for alpha, (peak, end) in ((0.0, free), (2.0, guided))]
    assert words(g3.judge(dict(runs=runs, start=20.0))) == found


@pytest.mark.parametrize(("end", "verdict"), [(24.0, "agree"), (10.0, "undecided"), (5.0, "disagree")])
def test_g4_asks_for_an_image(end, verdict):
    assert words(g4.judge(dict(snapshots=[dict(psnr=6.0)], input=[7.0, end], average=[end]))) == [verdict]


def ended(arm, peak=28.0, final=27.0, onset=None, task="mri", steps=3000, image="a", curve=(20.0, 28.0, 27.0), seed=0,
          **more):
    """One row of `arms.run_arms`."""
    answers = {name: dict(psnr=psnr) for name, psnr in dict(start=20.0, final=final, oracle=peak).items()}
    return dict(arm=arm, task=task, image=image, seed=seed, answers=answers, onset=onset, steps=steps, lr=3e-4,
                curve=dict(step=[1, 2, 3][:len(curve)], psnr=list(curve))) | more


def many(row, images="abc", seeds=3, **settings):
    """The same row on several images, with several seeds."""
    return [row(image=image, seed=seed, **settings) for image in images for seed in range(seeds)]


def run(arm):
    """A function that makes rows of an arm, see `ended`."""
    return lambda **settings: ended(arm, **settings)


@pytest.mark.parametrize(("zero", "one", "steps", "found"), [
    (1600, None, 4000, ["agree", "agree"]), (1600, 3000, 4000, ["agree", "disagree"]),
    (1600, 4500, 5000, ["agree", "agree"]), (1600, None, 3000, ["agree", "undecided"]),  # ended before step 4000
    (1800, 900, 4000, ["disagree", "disagree"]), (None, 1000, 3000, ["disagree", "disagree"]),
    (None, None, 4000, ["undecided", "agree"])])
def test_f4_asks_for_runs_that_are_long_enough(zero, one, steps, found):
    rows = many(run("vanilla"), onset=300) + many(run("self-guided")) + many(
        run("aSeqDIP, lam 0"), onset=zero, steps=steps) + many(run("aSeqDIP, lam 1"), onset=one, steps=steps)
    _, why = judged = f4.judge(dict(rows=rows))
    assert words(judged) == ["agree", *found] and "step 300" in why
    few = f4.judge(dict(rows=[row for row in rows if row["image"] != "c"]))
    assert words(few) == ["undecided"] * 3


@pytest.mark.parametrize(("vanilla", "guided", "rate", "verdict"), [
    (300, 900, 3e-4, "agree"), (900, 300, 3e-4, "disagree"), (None, None, 3e-4, "undecided"),
    (300, 900, 3e-3, "not tested")])
def test_f4_compares_methods_of_one_rate(vanilla, guided, rate, verdict):
    pair = many(run("aSeqDIP, lam 0"), onset=500) + many(run("aSeqDIP, lam 1"), onset=500)
    rows = many(run("vanilla"), onset=vanilla, lr=rate) + many(run("self-guided"), onset=guided) + pair
    assert words(f4.judge(dict(rows=rows)))[0] == verdict
    assert words(f4.judge(dict(rows=pair)))[0] == "not tested"


def test_a_collapse_is_no_overfitting():
    steps, cliff = [100, 120, 140, 160], dict(step=[100, 120, 140, 160], psnr=[23.4, 23.3, 15.3, 18.0])
    fallen = ended("a", onset=110, steps=160) | dict(curve=cliff)
    assert arms.event(fallen) == ("collapse", 140)
    assert arms.event(ended("a", onset=110) | dict(curve=dict(step=steps, psnr=[23.4, 23.3, 22.3, 21.4])))[0] == (
        "overfitting")
    assert arms.event(ended("a", onset=500) | dict(curve=cliff)) == ("overfitting", 500)  # long before its onset
    assert arms.event(ended("a", onset=50, stop_reason="dead network")) == ("collapse", 3000)
    assert arms.later(ended("a", onset=130), fallen) == 1 and arms.later(fallen, ended("a", onset=200)) == 0
    assert arms.later(fallen, ended("a", onset=130)) == -1 and arms.lasts(fallen, 4000) == 0


@pytest.mark.parametrize("best", [5, 3])
def test_f5_counts_the_tasks_whose_box_aseqdip_fits_best(best):
    ours = {task: dict(rows=dict(tv=dict(box=0.05), vanilla=dict(box=0.045),
                                 aseqdip=dict(box=0.04 if index < best else 0.06)))
            for index, task in enumerate(f5.PROBLEMS)}
    claims, why = found = f5.judge(ours)
    assert words(found) == ["undecided"] and f"on {best} of 5 tasks" in claims[0]["why"]
    assert f"on {best} of 5 tasks" in why and "mri tv 0.050, vanilla 0.045, aseqdip 0.040" in why


@pytest.mark.parametrize(("peak", "final", "found"), [
    (29.0, 28.8, ["agree", "agree"]), (29.0, 27.0, ["agree", "disagree"]), (27.0, 26.8, ["disagree", "agree"]),
    (28.1, 27.65, ["undecided", "undecided"])])
def test_f8_asks_for_the_highest_peak_and_a_small_loss(peak, final, found):
    rows = many(run("vanilla"), peak=28.0, final=25.0, onset=400, seeds=1) + many(
        run("aseqdip"), peak=peak, final=final, onset=900, seeds=1)
    _, why = judged = f8.judge(dict(rows=rows))
    assert words(judged) == [*found, "not tested"] and f"aseqdip {peak:.2f}, {peak - final:.2f}, step 900" in why


@pytest.mark.parametrize(("peaks", "onsets", "found"), [
    ((27, 29, 28), (800, 1500, None), ["agree", "agree"]), ((29, 28, 27), (800, 1500, None), ["disagree", "agree"]),
    ((27, 29, 28), (2500, 800, 900), ["agree", "disagree"]), ((28, 28.05, 28), (900, 800, None), ["undecided"] * 2)])
def test_f9_asks_for_lam_1_on_top_and_lam_half_first_to_fall(peaks, onsets, found):
    rows = [row for lam, peak, onset in zip(f9.LAMS, peaks, onsets, strict=True)
            for row in many(run(f9.arm(lam)), peak=peak, final=peak - 1, onset=onset)]
    if found[0] == "undecided":
        rows = [row for row in rows if row["seed"] == 0]  # nine equal differences have no noise
    assert words(f9.judge(dict(rows=rows))) == found


@pytest.mark.parametrize(("lead", "verdict"), [(1.0, "agree"), (-1.0, "disagree"), (0.1, "undecided")])
def test_f10_has_a_claim_for_each_task(lead, verdict):
    tasks = [problem["task"] for problem in f10.PROBLEMS]
    rows = [row for task in tasks for N in f10.NS
            for row in many(run(f10.arm(N)), final=27.0 + (lead if N == 2 else 0.0), task=task, seeds=1)]
    _, why = found = f10.judge(dict(rows=rows))
    assert words(found) == [verdict] * 4 and f"on {4 if lead > 0 else 0} of 4 tasks" in why
    assert words(f10.judge(dict(rows=[row for row in rows if row["image"] == "a"]))) == ["undecided"] * 4
    assert f10.figure(dict(rows=rows)).axes


def test_c3_tests_nothing_without_the_published_rivals():
    _, why = found = c3.judge(dict(rows=[ended(arm, final=final) for arm, final in zip(c3.ARMS, (26, 24, 25, 23),
                                                                                       strict=True)]))
    assert words(found) == ["not tested"] and "diffusion models are run in T4" in why


def test_the_mean_curve_leaves_out_runs_that_ended_early():
    rows = [ended("a", curve=(20.0, 22.0, 24.0)), ended("a", curve=(22.0, 24.0, 26.0)), ended("a", curve=(50.0,))]
    assert arms.mean_curves(rows) == dict(a=([1, 2, 3], [21.0, 23.0, 25.0]))
    assert arms.onset_text([ended("a", onset=10), ended("a")]) == "step 10, none by step 3000"


def part(task="mri", unlike=0.0, **finals):
    """One part of T2 with the final PSNR of each method, on three images that differ in it by so much."""
    def row(image, name, shift):
        gap = None if name == "aseqdip" else dict(mean=finals[name] - finals["aseqdip"] + shift)
        return dict(image=image, method=name, runs=1, to_aseqdip=gap,
                    answers=dict(final=dict(psnr=dict(mean=finals[name] + shift))))

    return dict(task=task, settings=dict(acceleration=4.0), summary=[
        row(image, name, shift) for name in finals
        for image, shift in (("a", -unlike), ("b", unlike), ("c", 0.0), (t2.ALL, 0.0))])


WHOLE = dict(vanilla=25.0, es_dip=25.0, tv_dip=25.0, reference_guided=25.0)


@pytest.mark.parametrize(("found", "verdict"), [
    (part(aseqdip=28.0, self_guided=27.0, tv=29.0, sgld_dip=30.0, **WHOLE), "agree"),  # the others are not on its list
    (part(aseqdip=26.0, self_guided=27.0, **WHOLE), "disagree"),
    (part(aseqdip=28.0, self_guided=27.9, **WHOLE), "undecided"),
    (part(unlike=2.0, aseqdip=28.0, self_guided=27.0, **WHOLE), "undecided"),
    (part(aseqdip=28.0, self_guided=27.0), "undecided"),  # four of its list did not run
    (part(aseqdip=26.0, self_guided=27.0), "disagree"), (part(aseqdip=26.0, tv=27.0), "not tested")])
def test_t2_compares_with_the_best_of_the_papers_list(found, verdict):
    ours = dict(parts=[found], runs=12, core_seconds=5400.0)
    _, why = judged = t2.judge(ours)
    assert words(judged) == [verdict] and why.startswith("12 runs, 1.5 core-hours, up to 1 runs in a mean.")
    assert "mri, acceleration 4: " in why and t2.figure(ours).axes


def test_t2_goes_on_where_it_was_and_makes_no_run_twice(tmp_path, monkeypatch):
    made, run = [], trials.run_trial
    monkeypatch.setattr(trials, "run_trial", lambda trial, *rest, **options:
                        made.append(trial.key) or run(trial, *rest, **options))
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


@pytest.mark.parametrize(("steps", "best", "found"), [
    ((50, 100, 150), 27.0, ["agree", "agree"]), ((200, 300, 400), 29.0, ["disagree", "disagree"]),
    ((50, 200, 400), 28.05, ["undecided", "undecided"])])
def test_l1_compares_lam_1_with_lam_0_in_speed_and_peak(steps, best, found):
    rests = {"lam 0": (1.1, 1.1, 1.1), "lam 1": (1.0, 1.0, 1.0), "lam 4": (0.9, 0.9, 0.9), "lam 16": (0.8, 0.8, None),
             "lam 1 to 64": (1.0, 1.0, 1.0)}
    runs = [walked(arm, *rest, image=image, **(dict(steps=steps) if arm == "lam 0" else {})) | dict(seed=seed)
            for arm, rest in rests.items() for image in "abc" for seed in range(3 if found[0] != "undecided" else 1)]
    runs = [one | dict(best=best) if one["arm"] == "lam 0" else one for one in runs]
    _, why = judged = l1.judge(dict(runs=runs))
    assert words(judged) == found and "lam 16 1.00 times the steps of lam 1" in why


def test_l1_reads_a_path_at_a_share():
    columns = dict(step=np.array([2, 4, 6, 8]), share=np.array([0.0, 0.095, 0.105, 0.5]), rest=np.array([4.0, 3, 1, 7]))
    assert l1.at_level(columns, 0.1) == dict(step=6, rest=2.0)
    assert l1.at_level(columns, 0.3) == dict(step=8, rest=7.0)  # jumped over: the first beyond
    assert l1.at_level(columns, 0.6) == dict(step=None, rest=None)
