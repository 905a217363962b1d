"""The first press of each lesson's panel beats its start, as the stored notebook printed the run that it repeats."""

import re
from pathlib import Path

import nbformat
import pytest

from aseqdip_lite import load_case, metrics
from aseqdip_lite.course import lesson_files

LESSONS = Path(__file__).parent.parent / "lessons"

#: Lesson -> the problem of its panel, and where its notebook printed the final PSNR of a run with the panel's settings.
TABLE = r"[^\n]*\n.*\nPSNR \(dB\) +[\d.]+ +([\d.]+)"  # of a `Result`
PRINTED = {
    "00": (dict(task="mri", size=96, coils=4, snr=10.0), r"with lam = 0: ([\d.]+) dB"),
    "02": (dict(task="denoising", image="coffee", size=96, fill="zero"), r"vanilla on coffee: 120 steps" + TABLE),
    "05": (dict(task="mri", size=64, coils=8), r"PSNR: ([\d.]+) dB at the last step"),
    "06": (dict(task="denoising", size=64, fill="zero"), r"K=200, .*: ([\d.]+) dB"),
    "06b": (dict(task="denoising", image="camera", size=64, sigma=25.0, fill="zero"), r"K=150, .*: ([\d.]+) dB"),
    "07": (dict(task="mri", size=128, coils=8), r"(?m)^([\d.]+) dB after 300 steps"),
    "08": (dict(task="ct", size=96, views=30, start="paper"), r"lam = 1.0, N = 5: ([\d.]+) dB"),
    "09": (dict(task="denoising", image="astronaut", size=96, fill="zero"), r"aSeqDIP, lam 4 +[\d.]+ +\d+ +([\d.]+)"),
    "10": (dict(task="inpainting", image="coffee", size=64, start="paper", paste=False),
           r"aseqdip on coffee: 600 steps" + TABLE),
    "11": (dict(task="deblurring", size=96, motion=7.5, fill="zero"), r"aSeqDIP +([\d.]+)"),
    "12": (dict(task="denoising", image="coffee", size=64, fill="zero"), r"K=200, .*: ([\d.]+) dB"),
    "13": (dict(task="mri", size=128, coils=8), r" aSeqDIP: ([\d.]+) dB"),
    "14": (dict(task="mri", size=64, coils=4), r"K=200, .*: ([\d.]+) dB"),
    "15": (dict(task="denoising", image="coffee", size=64, fill="zero"), r"K=200, .*: ([\d.]+) dB"),
    "16": (dict(task="mri", size=96, coils=8), r"samples=4, .*: ([\d.]+) dB"),
}
#: The start of the panel of lesson 03 holds the truth, on purpose: no run has to beat it.
ON_PURPOSE = {"03"}


def printed(lesson):
    """What the code cells of a stored notebook up to its panel printed."""
    texts = []
    for cell in nbformat.read(lesson_files(LESSONS, "ipynb")[lesson], 4).cells:
        if cell.cell_type == "code":
            if re.search(r"^(input_)?panel\(", cell.source, re.MULTILINE):
                return "".join(texts)
            texts += [output.text for output in cell.outputs if output.output_type == "stream"]
    return None


def test_every_panel_is_looked_at():
    assert {number for number in lesson_files(LESSONS, "ipynb") if printed(number)} == {*PRINTED, *ON_PURPOSE}


@pytest.mark.parametrize("lesson", PRINTED)
def test_the_first_press_of_a_panel_beats_its_start(lesson):
    problem, pattern = PRINTED[lesson]
    case = load_case(**problem)
    start = metrics.psnr(case.display(case.observation.start), case.truth, case.data_range)
    final = float(re.findall(pattern, printed(lesson))[-1])
    assert final > start, f"lesson {lesson}: {final:.2f} dB from {start:.2f} dB"
