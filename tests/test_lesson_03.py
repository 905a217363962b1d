"""Lesson 03 shows the stored experiment F1, and refuses one that contradicts what the lesson says."""

import copy
from pathlib import Path

import jupytext
import pytest
import torch

from aseqdip_lite import course
from aseqdip_lite.course import experiments
from aseqdip_lite.course.experiments import f1

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "03_input_sensitivity.py"

#: As F1 would store it: one row a sigma, one column an image.
AGREES = dict(
    id="F1", verdict="same direction", why="Mean best PSNR ...",
    ours=dict(images=["brain-056", "brain-070"], sigmas=[0.03, 0.3, 3.0],
              best={"truth + noise": [[29.0, 28.0], [24.0, 23.0], [20.5, 20.0]],
                    "noise": [[20.6, 20.1], [20.4, 20.0], [20.2, 20.0]]},
              steps={kind: [[600, 600]] * 3 for kind in f1.KINDS}),
    provenance=dict(profile="laptop", settings=dict(size=128, coils=8, steps=600), seconds=3600.0, device="cpu",
                    versions=dict(torch="2.0")))


def contradiction(kind, row, values):
    report = copy.deepcopy(AGREES)
    report["ours"]["best"][kind][row] = values
    return report


@pytest.fixture
def cell():
    """cell(report): runs the lesson's cell of the stored result, returns the alt texts of what it showed."""
    source, = (cell.source for cell in jupytext.read(LESSON).cells
               if "stored-result" in cell.metadata.get("tags", ()))

    def run(report):
        shown = []
        exec(source, dict(stored=lambda name: report, experiments=experiments, f1=f1, torch=torch,
                          claim=course.claim, show=lambda figure, alt: shown.append(alt)))
        return shown
    return run


def test_a_stored_result_is_shown_with_its_origin(cell, capsys):
    assert cell(AGREES) == [experiments.get("F1").alt]
    printed = capsys.readouterr().out
    assert "profile laptop: brain-056, brain-070, 128 x 128 pixels, 8 coils, 600 steps" in printed
    assert "60 minutes on cpu, torch 2.0" in printed and "same direction: Mean best PSNR" in printed
    assert printed.count("holds: stored:") == 4


@pytest.mark.parametrize("report, words", [
    (contradiction("truth + noise", 0, [21.0, 21.5]), "falls by more than 2 dB"),
    (contradiction("noise", 0, [28.0, 27.9]), "more than 2 dB above noise"),
    (contradiction("noise", 2, [24.0, 23.9]), "they meet within 1.5 dB"),
    (contradiction("noise", 1, [25.0, 24.0]), "flat within 1.5 dB"),
])
def test_a_stored_result_that_contradicts_the_prose_fails(cell, report, words):
    with pytest.raises(AssertionError, match=words):
        cell(report)


def test_the_result_that_ships_agrees(cell, capsys):
    cell(course.stored("F1"))
    assert "does not hold" not in capsys.readouterr().out
