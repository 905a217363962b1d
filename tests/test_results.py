"""What is stored in results/ and written about it: complete, in step, and computed on images made for it."""

import json
from pathlib import Path

import performance_page
import pytest
import reliability_page
import results_page
import search_page
import tune

from aseqdip_lite import images, methods
from aseqdip_lite.study.statistics import ALL, summarise

ROOT = Path(__file__).parent.parent
TASKS = list(results_page.BASELINE)


def stored(kind, task):
    return json.loads((ROOT / "aseqdip_lite" / "results" / f"{kind}_{task}.json").read_text())


def test_the_pages_are_in_step_with_the_stored_results():
    for script in (results_page, search_page, reliability_page, performance_page):
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
| --- | ---: | ---: |
| a 1 | 123 | 0.123 (missed) |
| b | never | - |

|  | seconds |
| --- | ---: |
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
    assert len(pictures) >= 3 and len(seeds) >= 3 and {"aseqdip", results_page.BASELINE[task]} <= names
    assert all(images.everything()[picture]["role"] == "result" for picture in pictures)
    assert report["summary"] == json.loads(json.dumps(summarise(report["rows"])))
    assert all(row["stop_reason"] == "budget" and row["psnr"]["final"] <= row["psnr"]["oracle"] + 1e-6
               for row in report["rows"])


@pytest.mark.parametrize("task", TASKS)
def test_a_comparison_was_run_with_todays_defaults(task):
    for row in stored("compare", task)["rows"]:
        method = methods.configure(row["method"], task)
        ours, unset = method.to_dict(), type(method)().to_dict()  # a setting newer than the run must not be set now
        assert {name: row["settings"].get(name, unset[name]) for name in ours} == ours


@pytest.mark.parametrize("task", TASKS)
def test_the_defaults_of_lite_half_are_what_its_search_found(task):
    name = f"{task}_lite-half"
    _, method, settings, steps = tune.ranking(name, search_page.entered(name))[0]
    assert methods.configure("aseqdip", task, network="lite-half") == methods.configure(method, task, **settings,
                                                                                       steps=steps)


@pytest.mark.parametrize("task", tune.SEARCHES)
def test_a_search_used_tuning_images_alone_and_the_same_budget(task):
    rows = stored("tuning", task)
    assert all(images.everything()[row["problem"]["image"]]["role"] == "tuning" for row in rows)
    assert len({row["steps"] for row in rows}) == 1


def test_verdict_counts_images():
    def row(image, method, start, final):
        return dict(image=image, method=method, psnr=dict(start=dict(mean=start), final=dict(mean=final)))

    rows = [row("a", "aseqdip", 20.0, 25.0), row("a", "fbp", 20.0, 24.0), row("b", "aseqdip", 20.0, 19.0),
            row("b", "fbp", 20.0, 24.0), row(ALL, "aseqdip", 20.0, 22.0), row(ALL, "fbp", 20.0, 24.0)]
    said = results_page.verdict("ct", rows)
    assert "above the start on 1 of 2 images" in said and "above fbp on 1 of 2 (a +1.00, b -5.00 dB)" in said
