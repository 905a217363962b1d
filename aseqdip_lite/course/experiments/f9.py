"""F9: the weight of the autoencoding term over many steps (aSeqDIP paper, Fig. 9)."""

from . import Experiment, arms, register
from .arms import by_image, draw_curves, fall, highest, later, mean, one_rate, onset_text, rows_in, rows_of
from .published import Runs
from .verdicts import by_signs

LAMS = (0.5, 1.0, 2.0)


def arm(lam):
    """Name of the arm of a lam."""
    return f"lam {lam:g}"


def blocks(images, size, steps, snr, coils=8, seeds=1, profile="laptop"):
    """The runs of aSeqDIP with N 2 and each of `LAMS`, MRI 4x, see `arms.blocks`.

    Both claims compare all three, so a block has the three on an image with a seed. A claim needs three images before
    it needs three seeds, so all images with the first seed come first. In a block the published lam 1 comes first.
    """
    lams = {arm(lam): dict(method="aseqdip", lam=lam, N=2, lr=3e-4, network="lite") for lam in (1.0, 0.5, 2.0)}
    problems = [dict(task="mri", image=image, size=size, coils=coils, snr=snr) for image in images]
    return arms.blocks(lams, problems, steps=steps, seeds=seeds, profile=profile)


def gather(found):
    """{"rows": see `arms.run_arms`} of [(label, row)]."""
    return dict(rows=rows_in(map(arm, LAMS), found))


def judge(ours):
    """Two claims, with one learning rate in all arms: lam 1 peaks above the better one of 0.5 and 2; and lam 0.5
    overfits before both, image by image and seed by seed."""
    rows = {lam: rows_of(ours["rows"], arm(lam)) for lam in LAMS}
    signs = [by_image(rows[0.5], rows[lam], later) for lam in LAMS[1:]]
    first = {image: [one if one == other else 0 for one, other in zip(seeds, signs[1][image], strict=True)]
             for image, seeds in signs[0].items()}
    claims = [highest("lam 1 peaks highest", ours["rows"], arm(1.0), "oracle", "mri"),
              by_signs("lam 0.5 is the first to overfit", first,
                       "; ".join(f"{arm(lam)} {onset_text(found)}" for lam, found in rows.items()))]
    return claims, f"{one_rate(ours['rows'])} Mean peak, last step, dB lost, onset of each run: " + "; ".join(
        f"{arm(lam)} {mean(found, 'oracle'):.2f}, {mean(found, 'final'):.2f}, {fall(found):.2f}, {onset_text(found)}"
        for lam, found in rows.items()) + "."


RUNS = Runs("F9", blocks, gather, arms.course)
register(Experiment(
    id="F9", about="lam in {0.5, 1, 2} over many steps, MRI 4x",
    published="10,000 steps: lam 1 best, lam 0.5 falls first",
    profiles=dict(smoke=dict(images=("brain-070",), size=32, coils=2, steps=3, snr=19.0, progress=False),
                  laptop=dict(images=("brain-070",), size=96, steps=6000, snr=19.0),
                  paper=dict(images=("brain-070", "brain-096", "brain-056"), size=320, coils=15, steps=10000, snr=19.0,
                             seeds=3, profile="paper", record_every=10, file="F9_runs_paper.jsonl")),
    measure=RUNS.measure, runs=RUNS, judge=judge, figure=lambda ours: draw_curves(ours["rows"]),
    alt="PSNR against Adam steps of aSeqDIP with lam 0.5, 1 and 2 on MRI, the peak of each circled, and the level of "
        "the start"))
