"""The study of lam and N: images it was not made on, the same budget for all arms, trials that are run once."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import adaptive  # noqa: E402
from tune import SEARCHES  # noqa: E402

from aseqdip_lite import configure  # noqa: E402
from aseqdip_lite.heldout import HeldOut  # noqa: E402

TASKS = list(adaptive.TASKS)


@pytest.fixture
def searched():
    """Stored searches, won by lam 4, N 2 at the budget, lam 16, N 10 at its double, and of auto by first 0.25, N 10."""
    won = dict(half=dict(lam=4.0, N=2), double=dict(lam=16.0, N=10), rule=dict(first=0.25, patience=0.5, N=10))
    rows = []
    for task in TASKS:
        for trial in adaptive.search("fixed", task):
            rows.append(trial | dict(psnr=dict(final=20.0 + 10 * (trial["settings"] == won["double"])),
                                     at_half=20.0 + 10 * (trial["settings"] == won["half"])))
        for trial in adaptive.search("rule", task):  # another one is the best of one task, and no better on average
            luck = 8 * (task == "ct" and json.loads(trial["arm"]) == dict(first=4.0, patience=0.2, N=2))
            rows.append(trial | dict(psnr=dict(final=20.0 + 2 * (json.loads(trial["arm"]) == won["rule"]) + luck)))
    return rows


@pytest.mark.parametrize("task", TASKS)
def test_no_test_image_was_tuned_on(task, searched):
    tuned = {problem["image"] for problem in SEARCHES[task]["problems"]} | {adaptive.TUNING[task]["image"]}
    assert not tuned & {trial["problem"]["image"] for trial in adaptive.tests(task, searched)}


@pytest.mark.parametrize("task", TASKS)
def test_all_arms_have_the_same_problems_seeds_and_budget(task, searched):
    trials = adaptive.tests(task, searched)
    images = 3 * len(adaptive.SEEDS)
    assert len({adaptive.key(trial) for trial in trials}) == len(trials)
    by_arm = {arm: {adaptive.case_of(trial) for trial in trials if trial["arm"] == arm} for arm in adaptive.ARMS}
    for arm, cases in by_arm.items():
        assert len(cases) == images * (2 if arm in adaptive.SECOND else 1) and cases <= by_arm["auto"]
    assert {trial["steps"] for trial in trials} == {2 * adaptive.budget(task)}


@pytest.mark.parametrize("task", TASKS)
def test_the_arms_take_what_won_the_searches(task, searched):
    settings = {trial["arm"]: trial["settings"] for trial in adaptive.tests(task, searched)}
    assert settings["fixed"] == dict(lam=4.0, N=2) and settings["fixed for double"] == dict(lam=16.0, N=10)
    rule = configure("aseqdip", task, **settings["auto"])
    assert (rule.lam.first, rule.lam.patience, rule.lam.share, rule.N) == (0.25, 0.5, HeldOut().share, 10)
    ends_at_once = configure("aseqdip", task, **settings["auto, lam stays"])
    assert ends_at_once.lam.first * ends_at_once.lam.factor > ends_at_once.lam.most
    assert configure("aseqdip", task, **settings["auto, no average"]).lam.average == 0


@pytest.mark.parametrize("arm", ["auto", "geometric"])
def test_a_trial_is_read_at_half_of_its_steps_too(arm):
    method, settings_of = adaptive.ARMS[arm]
    settings = settings_of(dict(rule=dict(first=1.0, patience=0.2, N=2)))
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
        rows.append(trial | dict(psnr=dict(final=final, oracle=final + 1), at_half=final - 1, made=100,
                                 stops=dict(wmv=dict(psnr=final - 2), discrepancy=dict(psnr=None))))
    adaptive.report(rows)
    lines = {line[:22].strip(): line[22:] for line in capsys.readouterr().out.splitlines()}
    assert lines["auto"].endswith("+0.50 (+0.50 to +0.50)   +1.50 (+1.50 to +1.50)")
    assert lines["default, wmv"].endswith("-2.00 (-2.00 to -2.00)   -1.00 (-1.00 to -1.00)")
    assert "default, discrepancy" not in lines
