"""F9: the weight of the autoencoding term over many steps (aSeqDIP paper, Fig. 9)."""

from . import Experiment, graded, register
from .arms import draw_curves, fall, mean, onset, onset_text, rows_of, run_arms

LAMS = (0.5, 1.0, 2.0)


def arm(lam):
    """Name of the arm of a lam."""
    return f"lam {lam:g}"


def measure(images, size, steps, snr, coils=8, seeds=1, progress=True):
    """PSNR against Adam steps of aSeqDIP with N 2 and each of `LAMS`, MRI 4x: {"rows": see `arms.run_arms`}."""
    arms = {arm(lam): dict(method="aseqdip", lam=lam, N=2, lr=3e-4) for lam in LAMS}
    problems = [dict(task="mri", image=image, size=size, coils=coils, snr=snr) for image in images]
    return dict(rows=run_arms(arms, problems, steps=steps, seeds=seeds, progress=progress, label="F9"))


def judge(ours):
    """Reproduced if lam 1 peaks highest and lam 0.5 is the first to fall; same direction if one of the two holds."""
    rows = {lam: rows_of(ours["rows"], arm(lam)) for lam in LAMS}
    best = max(LAMS, key=lambda lam: mean(rows[lam], "oracle")) == 1.0
    first = onset(rows[0.5]) < min(onset(rows[lam]) for lam in LAMS[1:])
    verdict = graded(best and first, best or first)
    return verdict, "Peak, last step, dB lost, onset: " + "; ".join(
        f"{arm(lam)} {mean(found, 'oracle'):.2f}, {mean(found, 'final'):.2f}, {fall(found):.2f}, {onset_text(found)}"
        for lam, found in rows.items()) + "."


register(Experiment(
    id="F9", about="lam in {0.5, 1, 2} over many steps, MRI 4x",
    published="10,000 steps: lam 1 best, lam 0.5 falls first",
    profiles=dict(smoke=dict(images=("brain-070",), size=32, coils=2, steps=3, snr=25.0, progress=False),
                  laptop=dict(images=("brain-070",), size=96, steps=6000, snr=25.0),
                  paper=dict(images=("brain-070", "brain-096"), size=320, coils=15, steps=10000, snr=25.0, seeds=3)),
    measure=measure, judge=judge, figure=lambda ours: draw_curves(ours["rows"]),
    alt="PSNR against Adam steps of aSeqDIP with lam 0.5, 1 and 2 on MRI, the peak of each circled"))
