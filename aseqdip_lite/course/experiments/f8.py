"""F8: PSNR curves of the family in denoising (aSeqDIP paper, Fig. 8)."""

from ...methods import get, names
from . import Experiment, register
from .arms import SEARCHED, by_image, draw_curves, fall, highest, mean, onset_text, rows_of, run_arms
from .verdicts import claim, compared

#: Decibels by which a curve "falls very little".
LITTLE = 0.5


def family():
    """The DIP methods of denoising as arms, each as the search found it; classic methods have no curve."""
    arms = {name: dict(method=name) for name in names("denoising") if get(name).budget and not get(name).trained}
    return arms | dict(aseqdip=dict(method="aseqdip", **SEARCHED["denoising"]))


def measure(images, size, sigma, steps, seeds=1, progress=True):
    """PSNR against Adam steps of every DIP method: {"rows": see `arms.run_arms`}."""
    problems = [dict(task="denoising", image=image, size=size, sigma=sigma) for image in images]
    return dict(rows=run_arms(family(), problems, steps=steps, seeds=seeds, progress=progress, label="F8"))


def judge(ours):
    """Three claims: aSeqDIP peaks above the best other method, each with its own searched settings; from there it loses
    less than `LITTLE`, 0.5 dB; and it overfits earlier than in MRI, which is not tested, because no MRI is run here."""
    rows = ours["rows"]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    peaks = {arm: mean(rows_of(rows, arm), "oracle") for arm in arms}
    ours = rows_of(rows, "aseqdip")
    claims = [highest("aSeqDIP peaks highest", rows, "aseqdip", "oracle", "denoising"),
              compared(f"From its peak it falls very little (shown: {LITTLE} dB minus the fall)",
                       by_image(ours, ours, lambda row, _: LITTLE - fall([row])), "denoising", networks=1),
              claim("Its overfitting starts earlier than in MRI", "not tested",
                    f"its onset here: {onset_text(ours)}; MRI was not run")]
    return claims, "Mean peak in dB, mean dB lost by the last step, onset of each run: " + "; ".join(
        f"{arm} {peaks[arm]:.2f}, {fall(rows_of(rows, arm)):.2f}, {onset_text(rows_of(rows, arm))}"
        for arm in sorted(arms, key=peaks.get, reverse=True)) + "."


register(Experiment(
    id="F8", about="PSNR curves of the DIP family, denoising sigma 25",
    published="aSeqDIP is highest; its overfitting starts earlier than in MRI, but its PSNR falls very little",
    profiles=dict(smoke=dict(images=("astronaut",), size=40, sigma=25.0, steps=3, progress=False),
                  laptop=dict(images=("astronaut", "coffee"), size=96, sigma=25.0, steps=2000),
                  paper=dict(images=("astronaut", "coffee", "retina"), size=512, sigma=25.0, steps=4000, seeds=3)),
    measure=measure, judge=judge, figure=draw_curves,
    alt="PSNR against Adam steps of every DIP method in denoising, means over the images, the peak of each circled, "
        "and the level of the start"))
