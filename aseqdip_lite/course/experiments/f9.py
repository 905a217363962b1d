"""F9: the weight of the autoencoding term over many steps (aSeqDIP paper, Fig. 9)."""

from . import Experiment, arms, register
from .arms import BRAINS, ONE, by_image, draw_curves, fall, highest, later, mean, one_rate, onset_text, rows_in, rows_of
from .f4 import profiles
from .published import Runs
from .verdicts import by_signs

LAMS = (0.5, 1.0, 2.0)


def arm(lam):
    """Name of the arm of a lam."""
    return f"lam {lam:g}"


def blocks(problems, steps, seeds=1, profile="laptop"):
    """The runs of aSeqDIP with N 2 and each of `LAMS` on the problems, see `arms.blocks`.

    Both claims compare all three, so a block has the three on an image with a seed. A claim needs three images before
    it needs three seeds, so all images with the first seed come first. In a block the published lam 1 comes first.
    """
    lams = {arm(lam): dict(method="aseqdip", lam=lam, N=2) | ONE for lam in (1.0, 0.5, 2.0)}
    return arms.blocks(lams, problems, steps=steps, seeds=seeds, profile=profile)


def gather(found):
    """{"rows": see `arms.run_arms`} of [(label, row)]."""
    return dict(rows=rows_in(map(arm, LAMS), found))


def judge(ours):
    """Two claims, with the same learning rate in all arms: lam 1 peaks above the better one of 0.5 and 2; and lam 0.5
    overfits before both of them, image by image and seed by seed."""
    rows = {lam: rows_of(ours["rows"], arm(lam)) for lam in LAMS}
    signs = [by_image(rows[0.5], rows[lam], later) for lam in LAMS[1:]]
    first = {image: [one if one == other else 0 for one, other in zip(seeds, signs[1][image], strict=True)]
             for image, seeds in signs[0].items()}
    claims = [highest("lam 1 peaks highest", ours["rows"], arm(1.0), "oracle", "mri"),
              by_signs("lam 0.5 is the first to overfit", first,
                       "onset with " + "; ".join(f"{arm(lam)}: {onset_text(found)}" for lam, found in rows.items()))]
    return claims, (f"{one_rate(ours['rows'])} Mean PSNR in dB at the peak and at the last step, dB lost "
                    "between them, onset of each run: ") + "; ".join(
        f"{arm(lam)} {mean(found, 'oracle'):.2f}, {mean(found, 'final'):.2f}, {fall(found):.2f}, {onset_text(found)}"
        for lam, found in rows.items()) + "."


RUNS = Runs("F9", blocks, gather, arms.course)
register(Experiment(
    id="F9", about="aSeqDIP with lam 0.5, 1 and 2 over many steps, MRI 4x",
    published="over 10,000 steps lam 1 is best and lam 0.5 falls first",
    profiles=profiles("F9", "mri", BRAINS, last=10000), measure=RUNS.measure, runs=RUNS, judge=judge,
    figure=draw_curves,
    alt="PSNR against Adam steps of aSeqDIP with lam 0.5, 1 and 2 on MRI, the peak of each circled, and the level of "
        "the start"))
