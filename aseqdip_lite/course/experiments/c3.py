"""C3: in-painting with 97 % of the pixels missing at random places (aSeqDIP paper, appendix C.3)."""

from . import Experiment, register
from .arms import SEARCHED, draw_curves, mean, rows_of, run_arms
from .verdicts import claim

ARMS = {"aSeqDIP": dict(method="aseqdip", **SEARCHED["inpainting"]), "vanilla": dict(method="vanilla"),
        "tv": dict(method="tv"), "biharmonic": dict(method="biharmonic")}


def measure(images, size, missing, steps, seeds=1, progress=True):
    """Each of `ARMS` on pictures of which 1 - missing of the pixels are known: {"rows": see `arms.run_arms`}."""
    problems = [dict(task="inpainting", image=image, size=size, missing=missing) for image in images]
    return dict(rows=run_arms(ARMS, problems, steps=steps, seeds=seeds, progress=progress, label="C3"))


def judge(ours):
    """Not tested: the published rivals are diffusion models, which are run in T4 and not in this experiment; and 3 % of
    128 x 128 pixels are 491 known pixels, whereas the paper's 512 x 512 leave 7,864."""
    rows = ours["rows"]
    finals = {arm: mean(rows_of(rows, arm), "final") for arm in ARMS}
    images = len({row["image"] for row in rows})
    claims = [claim("aSeqDIP ends above the diffusion models DPS and DDNM", "not tested", "these models are run in "
                    "T4; 491 of the 128 x 128 pixels are known here, and 7,864 of 512 x 512 in the paper")]
    return claims, (f"PSNR at the last step, {images} images: " + ", ".join(
        f"{arm} {value:.2f}" for arm, value in sorted(finals.items(), key=lambda item: -item[1]))
        + f" dB; start {mean(rows, 'start'):.2f} dB. The diffusion models are run in T4.")


register(Experiment(
    id="C3", about="in-painting with 97 % of the pixels missing at random places",
    published="FFHQ: aSeqDIP 25.76 dB, against the diffusion models DPS 24.54 and DDNM 25.54",
    profiles=dict(smoke=dict(images=("astronaut",), size=32, missing=0.9, steps=3, progress=False),
                  laptop=dict(images=("astronaut", "coffee"), size=128, missing=0.97, steps=1500),
                  paper=dict(images=("astronaut", "coffee", "retina"), size=256, missing=0.97, steps=4000, seeds=3)),
    measure=measure, judge=judge, figure=draw_curves,
    alt="PSNR against Adam steps of aSeqDIP and vanilla DIP with 97 % of the pixels missing, the peaks circled, and "
        "the levels of total variation, biharmonic filling and start"))
