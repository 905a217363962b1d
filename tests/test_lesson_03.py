"""Lesson 03 shows the stored experiment F1, and refuses one that contradicts what the lesson says."""

from pathlib import Path

import jupytext
import pytest
import torch

from aseqdip_lite import course
from aseqdip_lite.course import experiments
from aseqdip_lite.course.experiments import f1


@pytest.fixture
def cell():
    """cell(report): runs the lesson's cell of the stored result, returns the alt texts of what it showed."""
    lesson = Path(__file__).resolve().parent.parent / "lessons" / "03_input_sensitivity.py"
    source, = (cell.source for cell in jupytext.read(lesson).cells if "stored-result" in cell.metadata.get("tags", ()))

    def run(report):
        shown = []
        exec(source, dict(stored=lambda name: report, experiments=experiments, f1=f1, torch=torch,
                          claim=course.claim, show=lambda figure, alt: shown.append(alt)))
        return shown
    return run


def test_the_stored_result_is_shown_with_its_origin_and_agrees(cell, capsys):
    report = course.stored("F1")
    assert cell(report) == [experiments.get("F1").alt]
    printed = capsys.readouterr().out
    assert f"profile {report['provenance']['profile']}" in printed and report["verdict"] in printed
    assert printed.count("holds: stored:") == 4 and "does not hold" not in printed


@pytest.mark.parametrize("kind, row, psnr, words", [
    ("truth + noise", 0, 21.0, "falls by more than 2 dB"),
    ("noise", 0, 32.5, "more than 2 dB above noise"),
    ("noise", -1, 24.0, "they meet within 1.5 dB"),
    ("noise", 1, 24.0, "flat within 1.5 dB"),
])
def test_a_stored_result_that_contradicts_the_prose_fails(cell, kind, row, psnr, words):
    report = course.stored("F1")
    report["ours"]["best"][kind][row] = [psnr] * len(report["ours"]["images"])
    with pytest.raises(AssertionError, match=words):
        cell(report)
