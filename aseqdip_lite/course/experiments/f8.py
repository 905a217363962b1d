"""F8: PSNR curves of the family in denoising (aSeqDIP paper, Fig. 8)."""

from ...methods import get, names
from . import Experiment, graded, register
from .arms import draw_curves, fall, mean, onset_text, rows_of, run_arms

#: Decibels by which a curve "falls very little".
LITTLE = 0.5


def family():
    """The DIP methods of denoising as arms, each at its defaults; classic methods have no curve."""
    return {name: dict(method=name) for name in names("denoising") if get(name).budget}


def measure(images, size, sigma, steps, seeds=1, progress=True):
    """PSNR against Adam steps of every DIP method: {"rows": see `arms.run_arms`}."""
    problems = [dict(task="denoising", image=image, size=size, sigma=sigma) for image in images]
    return dict(rows=run_arms(family(), problems, steps=steps, seeds=seeds, progress=progress, label="F8"))


def judge(ours):
    """Reproduced if aSeqDIP peaks highest and loses at most `LITTLE`; same direction if one of the two holds."""
    rows = ours["rows"]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    peaks = {arm: mean(rows_of(rows, arm), "oracle") for arm in arms}
    highest, little = max(peaks, key=peaks.get) == "aseqdip", fall(rows_of(rows, "aseqdip")) <= LITTLE
    verdict = graded(highest and little, highest or little)
    return verdict, "Peak, dB lost by the last step, onset: " + "; ".join(
        f"{arm} {peaks[arm]:.2f}, {fall(rows_of(rows, arm)):.2f}, {onset_text(rows_of(rows, arm))}"
        for arm in sorted(arms, key=peaks.get, reverse=True)) + "."


register(Experiment(
    id="F8", about="PSNR curves of the DIP family, denoising sigma 25",
    published="aSeqDIP highest; its overfitting starts earlier than in MRI but falls very little",
    profiles=dict(smoke=dict(images=("astronaut",), size=40, sigma=25.0, steps=3, progress=False),
                  laptop=dict(images=("astronaut", "coffee"), size=96, sigma=25.0, steps=2000),
                  paper=dict(images=("astronaut", "coffee", "retina"), size=512, sigma=25.0, steps=4000, seeds=3)),
    measure=measure, judge=judge, figure=lambda ours: draw_curves(ours["rows"]),
    alt="PSNR against Adam steps of every DIP method in denoising, means over the images, the peak of each circled"))
