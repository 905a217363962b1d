"""Experiment T4: its verdicts follow from the numbers, and what is not defined is not run."""

import pytest

from aseqdip_lite.course.experiments import t4, verdicts
from aseqdip_lite.methods import get

TRIED = {part: {name: 20.0 for name in t4.CANDIDATES[problem["task"]]} for part, problem in t4.PARTS.items()}


def measured(ours, ddnm, dps, images="abc", seeds=3):
    """What T4 judges, of the last PSNR of the three methods in every part and on each image."""
    finals = {t4.OURS: ours, "DDNM": ddnm, "DPS": dps, t4.MEAN: ddnm + 1, t4.CLASSIC: 25.0, "start": 10.0}
    psnr = {part: {arm: {image: [finals[arm]] * seeds for image in images} for arm in ("start", *t4.arms(TRIED, part))}
            for part in t4.PARTS}
    return dict(psnr=psnr, tried=TRIED, prior=96, runs=9, core_seconds=120.0)


@pytest.mark.parametrize(("finals", "found"), [
    ((23.0, 22.0, 21.0), ["agree"] * 5 + ["disagree"] * 2), ((23.0, 23.2, 22.8), ["undecided"] * 7),
    ((23.0, 24.0, 22.0), ["disagree", "agree", "disagree", "agree", "agree", "agree", "disagree"])])
def test_each_rival_and_aseqdip_are_compared_with_the_published_order(monkeypatch, finals, found):
    """In the box, the last two claims, the published order is the other way round."""
    monkeypatch.setattr(verdicts, "task_floor", lambda task, seeds, networks=2: 0.4)
    ours = measured(*finals)
    claims, why = t4.judge(ours)
    assert [each["verdict"] for each in claims if each["verdict"] != "not tested"] == found
    assert "deblurring: aSeqDIP ends above DDNM" in [each["claim"] for each in claims
                                                     if each["verdict"] == "not tested"]
    assert all(f"{arm} {psnr:.2f}" in why for arm, psnr in zip((t4.OURS, "DDNM", "DPS"), finals, strict=True))
    assert len(t4.figure(ours).axes) == 1


def test_every_arm_runs_where_its_method_is_defined():
    for part, problem in t4.PARTS.items():
        arms = t4.arms({part: {name: float(name == "tv") for name in t4.CANDIDATES[problem["task"]]}}, part)
        assert ("DDNM" in arms) == (part != "deblurring") and arms[t4.CLASSIC] == dict(method="tv")
        assert all(get(settings["method"]).tasks is None or problem["task"] in get(settings["method"]).tasks
                   for settings in arms.values())
