"""Experiment T3: its verdicts follow from the numbers, and it says how near training and test slices are."""

import pytest

from aseqdip_lite.course.experiments import t3, verdicts


def measured(finals, images="abc", seeds=3):
    """What T3 judges: the last PSNR of VarNet with 18, 4 and 1 slices, of aSeqDIP and of TV on each image; 9 dB more on
    the problems that are told only.
    """
    parts = [(t3.INSIDE, image, seed, 0.0) for image in images for seed in range(seeds)]
    parts += [(part, "a", 0, 9.0) for part in t3.OUTSIDE]
    rows = [dict(part=part, arm=arm, image=image, seed=seed, start=20.0, psnr=psnr + more)
            for part, image, seed, more in parts for arm, psnr in zip(t3.arms(0.1), finals, strict=True)]
    return dict(rows=rows, tried=[dict(lamda=0.1, psnr=23.0)], lamda=0.1, training=t3.training(t3.IMAGES[:2]),
                runs=len(rows), core_seconds=120.0)


def words(found):
    claims, _ = found
    return [each["verdict"] for each in claims]


@pytest.mark.parametrize(("finals", "seeds", "found"), [
    ((25.0, 24.0, 22.0, 23.0, 21.0), 3, ["agree"] * 2), ((22.0, 23.0, 25.0, 24.0, 30.0), 3, ["disagree"] * 2),
    ((24.0, 25.0, 22.0, 23.0, 21.0), 3, ["agree", "agree"]),
    ((23.1, 23.0, 22.9, 23.0, 21.0), 1, ["undecided"] * 2)])  # of one seed each, within the task's noise floor
def test_one_training_is_compared_with_aseqdip_and_decides_nothing_on_more_slices(monkeypatch, finals, seeds, found):
    monkeypatch.setattr(verdicts, "task_floor", lambda task, seeds, networks=2: 0.4)
    ours = measured(finals, seeds=seeds)
    _, why = judged = t3.judge(ours)
    assert words(judged) == [*found, "undecided", "undecided", "not tested"]
    assert all(f"{arm} {psnr:.2f}" in why for arm, psnr in zip(t3.arms(0.1), finals, strict=True))
    assert words(t3.judge(measured(finals, images="ab"))) == ["undecided"] * 4 + ["not tested"]
    assert len(t3.figure(ours).axes) == 3


def test_the_distance_to_the_training_slices():
    """The slices 30 to 46, 60, 92 and 112 to 124, or 38, 60, 92 and 118, or 92 alone; the images 56 and 82."""
    found = t3.training(("brain-056", "brain-082"))
    assert [(one["slices"], one["nearest"]) for one in found] == [(18, [4, 10]), (4, [4, 10]), (1, [36, 10])]
