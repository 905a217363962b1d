"""What is stored in results/ and written about it: complete, in step, and computed on images made for it."""

import json
import math
from pathlib import Path

import controls
import ledger_page
import performance_page
import pytest
import reliability_page
import results_page
import search_page
import tune

from aseqdip_lite import course, images, methods, tasks
from aseqdip_lite.files import plain, to_json
from aseqdip_lite.study.statistics import summarise

ROOT = Path(__file__).parent.parent
TASKS, RESULTS = tasks.names(), ROOT / "aseqdip_lite" / "results"


def stored(kind, task):
    return json.loads((ROOT / "aseqdip_lite" / "results" / f"{kind}_{task}.json").read_text())


def numbers(value, name=""):
    """{place: number} of all numbers of a nested structure."""
    if not isinstance(value, dict):
        return {name: value} if isinstance(value, int | float) else {}
    return {place: number for key, part in value.items() for place, number in numbers(part, f"{name}/{key}").items()}


def test_every_result_has_the_form_that_is_written():
    """Lists of numbers in a line, six digits; rows of a sweep a line each; no more than 100,000 lines and 5.5 MB."""
    texts = {file: file.read_text(encoding="utf-8") for file in RESULTS.rglob("*.json*")}
    for file, text in texts.items():
        rows = text.splitlines() if file.suffix == ".jsonl" else []
        assert (text == to_json(json.loads(text)) if not rows else
                all(json.loads(row) == plain(json.loads(row)) for row in rows)), file.name
    assert sum(text.count("\n") for text in texts.values()) < 100_000
    assert sum(file.stat().st_size for file in [*texts, *RESULTS.rglob("*.npz")]) < 5.5e6


def test_six_digits_lose_nothing_that_says_which_run_it_was():
    value = dict(psnr=[26.123456789, 1 / 3], seed=12345678, count=2**53 + 1, lr=3e-4, big=123456789.0, none=math.nan,
                 deep=[dict(settings=dict(lam=1 / 3, size=(64, 64)))], flag=True, word="1.23456789", empty=[{}, []])
    stored = json.loads(to_json(value))
    assert stored == dict(psnr=[26.1235, 0.333333], seed=12345678, count=2**53 + 1, lr=3e-4, big=123457000.0, none=None,
                          deep=[dict(settings=dict(lam=1 / 3, size=[64, 64]))], flag=True, word="1.23456789",
                          empty=[{}, []])
    assert plain(value) == plain(stored) == stored and to_json(stored) == to_json(value)


def test_a_list_of_numbers_is_one_line_and_a_table_one_line_a_row():
    text = to_json(dict(curve=[0.5] * 500, rows=[dict(name="x" * 60, value=1.5)] * 3))
    assert [len(line) > 120 for line in text.splitlines()] == [False, True, *[False] * 6]
    assert text.splitlines()[3] == '  {"name": "' + "x" * 60 + '", "value": 1.5},'


@pytest.mark.parametrize(("stops", "peak", "steps"), [
    (dict(wmv=dict(step=7, psnr=21.0, ssim=0.5), emv=dict(step=None, psnr=None, ssim=None),
          blend=dict(step=None, psnr=23.0, ssim=0.6)), 8, 10), (None, None, 1)])
def test_rows_of_earlier_versions_are_read(stops, peak, steps):
    """The old shape: residuals and scores by answer, picks of the rules under "stops"; none of a classic method."""
    scores = dict(start=10.0, final=22.0, blind=21.0 if peak else None, oracle=24.0)
    old = dict(method="m", steps=steps, psnr=scores, ssim=scores, data_residual=scores,
               heldout_residual=dict.fromkeys(scores)) | (dict(peak_step=peak, stops=stops) if stops else {})
    row = results_page.read_row(old)
    assert set(row) == {"method", "steps", "psnr", "ssim", "answers"} and results_page.read_row(row) is row
    found = {name: (answer["step"], answer["psnr"]) for name, answer in row["answers"].items()}
    assert found == (dict(start=(0, 10.0), final=(10, 22.0), blind=(7, 21.0), blend=(None, 23.0), oracle=(8, 24.0))
                     if stops else dict(start=(None, 10.0), final=(None, 22.0), oracle=(None, 24.0)))
    assert row["answers"]["final"]["data_residual"] == 22.0


def test_the_pages_are_in_step_with_the_stored_results():
    for script in (results_page, search_page, reliability_page, performance_page, ledger_page):
        assert script.PAGE.read_text(encoding="utf-8") == script.page()


def test_performance_is_one_report_of_all_parts_whose_targets_are_reached_or_missed():
    report = json.loads((ROOT / "aseqdip_lite" / "results" / "bench.json").read_text())
    assert report == performance_page.merged()
    assert {"speed", "sweep"} <= set(report["provenance"]) <= set(performance_page.PARTS)
    for entry in report["rows"]:
        assert set(entry) == {"name", "value", "target", "ok"}
        assert entry["ok"] is None if entry["target"] is None else entry["ok"] in (True, False)


def test_rows_become_tables():
    def entry(name, value, target=None, ok=None):
        return dict(name=name, value=value, target=target, ok=ok)

    rows = [entry("a 1: ms", 123.4), entry("a 1: ratio", 0.12345, 0.1, False), entry("b: ms", None),
            entry("c: seconds", 2.0, 2.5, True)]
    assert performance_page.tables(rows) == """\
|  | ms | ratio |
|---|---:|---:|
| a 1 | 123 | 0.123 (missed) |
| b | never | - |

|  | seconds |
|---|---:|
| c | 2 (reached) |
"""
    assert performance_page.verdict(rows) == "1 of 2 targets are reached; missed:\n\n* a 1: ratio: 0.123, target 0.1\n"


@pytest.mark.parametrize("task", TASKS)
def test_a_comparison_is_complete_and_computed_on_result_images(task):
    report = stored("compare", task)
    runs = {(row["image"], row["method"], row["seed"]) for row in report["rows"]}
    names, seeds = {run[1] for run in runs}, {run[2] for run in runs}
    pictures = {run[0] for run in runs}
    assert len(runs) == len(report["rows"]) == len(pictures) * len(names) * len(seeds)
    assert len(pictures) >= 3 and len(seeds) >= 3 and "aseqdip" in names
    classics = {name for name in methods.names(task) if not (methods.get(name).budget or methods.get(name).trained)}
    assert classics - names <= {"pnp"}  # of denoising: there it is the plugged-in denoiser
    assert all(images.everything()[picture]["role"] == "result" for picture in pictures)
    rows = summarise(report["rows"])  # means of rounded numbers, where the stored ones are rounded means
    assert all(numbers(kept) == pytest.approx(numbers(row), rel=1e-5, abs=1e-3)
               for kept, row in zip(report["summary"], rows, strict=True))
    assert all(row["stop_reason"] == "budget" and row["psnr"]["final"] <= row["psnr"]["oracle"] + 1e-6
               for row in report["rows"])


@pytest.mark.parametrize("task", TASKS)
def test_a_comparison_was_run_with_todays_defaults(task):
    for row in stored("compare", task)["rows"]:
        method = methods.configure(row["method"], task)
        ours, unset = method.to_dict(), type(method)().to_dict()  # a setting newer than the run must not be set now
        assert {name: row["settings"].get(name, unset[name]) for name in ours} == ours


@pytest.mark.parametrize("name", [name for name, search in tune.SEARCHES.items() if search.get("default")])
def test_the_defaults_of_lite_half_are_what_its_search_found(name):
    task = tune.SEARCHES[name]["task"]
    _, method, settings, steps = tune.ranking(name, search_page.entered(name))[0]
    assert methods.configure("aseqdip", task, network="lite-half") == methods.configure(method, task, **settings,
                                                                                       steps=steps)


@pytest.mark.parametrize("task", tune.SEARCHES)
def test_a_search_used_tuning_images_alone_and_the_same_budget(task):
    rows = tune.stored(task).values()
    assert all(images.everything()[row["problem"]["image"]]["role"] == "tuning" for row in rows)
    assert len({row["steps"] for row in rows}) == 1


def test_a_control_has_the_network_rate_budget_and_data_of_todays_default():
    ours = {(task, row["image"], row["seed"]): row for task in controls.TASKS
            for row in stored("compare", task)["rows"] if row["method"] == "aseqdip"}
    rows = course.stored("controls")
    assert {row["task"] for row in rows} >= {"denoising", "ct"}
    for row in rows:
        default = methods.configure("aseqdip", row["task"])
        assert row["settings"] == dict(network=default.network, lr=default.lr) and row["steps"] == default.steps
        same = ours[row["task"], row["image"], row["seed"]]
        assert row["data_seed"] == same["data_seed"]
        assert row["answers"]["start"]["psnr"] == same["answers"]["start"]["psnr"]


def test_verdict_counts_images():
    """Against the start +5, -1 and +0.1 dB; two seeds whose runs differ by 0.2 dB tell the noise."""
    def row(image, method, seed, start, final):
        final += 0.1 * (-1) ** seed * (method == "aseqdip")
        return dict(image=image, method=method, seed=seed, steps=1, answers={
            name: dict(psnr=value) for name, value in dict(start=start, final=final).items()})

    rows = [row(image, method, seed, 20.0, final) for seed in (0, 1) for image, ours, theirs in (
                ("a", 25.0, 24.0), ("b", 19.0, 24.0), ("c", 20.1, 20.0)) for method, final in (("aseqdip", ours),
                                                                                               ("fbp", theirs))]
    said = results_page.verdict(rows)
    assert "against the start, above on 1, level on 1 and below on 1" in said
    assert ("against the best classic method of each above on 1, level on 1 and below on 1 (a +1.00 to fbp, "
            "b -5.00 to fbp, c +0.10 to fbp, in dB)") in said
