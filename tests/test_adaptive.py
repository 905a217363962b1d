"""The study of lam by itself: images it was not made on, the same budget for all arms, trials that are run once."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import adaptive  # noqa: E402
from tune import SEARCHES  # noqa: E402

TASKS = list(adaptive.TASKS)


@pytest.fixture
def searched():
    """Stored searches in which lam 4, N 2 won for every task."""
    rows = [trial | dict(psnr=dict(final=30.0 if trial["settings"] == dict(lam=4.0, N=2) else 20.0))
            for task in TASKS for trial in adaptive.searches(task)]
    return rows


@pytest.mark.parametrize("task", TASKS)
def test_no_test_image_was_tuned_on(task, searched):
    tuned = {problem["image"] for problem in SEARCHES[task]["problems"]} | {adaptive.TUNING[task]["image"]}
    assert not tuned & {trial["problem"]["image"] for trial in adaptive.tests(task, searched)}


@pytest.mark.parametrize("task", TASKS)
def test_all_arms_have_the_same_problems_seeds_and_budget(task, searched):
    trials = adaptive.tests(task, searched)
    assert len({adaptive.key(trial) for trial in trials}) == len(trials) == 2 * 3 * 2 * len(adaptive.ARMS)
    by_arm = {arm: {adaptive.case_of(trial) for trial in trials if trial["arm"] == arm} for arm in adaptive.ARMS}
    assert all(cases == by_arm["auto"] for cases in by_arm.values()) and len(by_arm["auto"]) == 12
    assert {trial["steps"] for trial in trials} == {2 * adaptive.budget(task)}
    assert all(trial["settings"] == dict(lam=4.0, N=2) for trial in trials if trial["arm"] == "fixed")


@pytest.mark.parametrize("arm", ["auto", "geometric"])
def test_a_trial_is_read_at_half_of_its_steps_too(arm):
    method, settings = adaptive.ARMS[arm]
    trial = dict(part="test", task="denoising", arm=arm, method=method, settings=settings, seed=0, steps=8, budget=8,
                 problem=dict(image="coffee", sigma=25.0, size=32))
    row = json.loads(json.dumps(adaptive.run(trial, lambda step: False)))
    assert row["steps"] == row["made"] == 8 and row["at_half"] != row["psnr"]["final"]
    assert adaptive.key(row) == adaptive.key(trial)
    assert adaptive.run(trial, lambda step: step == 3) is None


def test_the_report_pairs_arms_by_case(searched, monkeypatch, capsys):
    monkeypatch.setattr(adaptive, "TASKS", {"ct": adaptive.TASKS["ct"]})
    rows = list(searched)
    for trial in adaptive.tests("ct", searched):
        final = 30.0 + len(trial["problem"]["image"]) + (0.5 if trial["arm"] == "auto" else 0.0)
        rows.append(trial | dict(psnr=dict(final=final, oracle=final + 1), at_half=final - 1, made=100))
    adaptive.report(rows)
    line, = (line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("auto  "))
    assert line.split()[-3:] == ["+0.50"] * 3
