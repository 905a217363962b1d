"""F4a and F4b: when Deep Image Priors overfit (aSeqDIP paper, Fig. 4)."""

from . import Experiment, arms, register
from .arms import by_image, draw_curves, fall, lasts, later, mean, onset_text, rate, rows_in, rows_of
from .published import Runs
from .verdicts import by_signs, claim

#: The four arms of the figure. aSeqDIP has the published lam and N; network and learning rates are `arms.NARROW`.
ARMS = {"vanilla": dict(method="vanilla"), "self-guided": dict(method="self_guided"),
        "aSeqDIP, lam 0": dict(method="aseqdip", lam=0.0, N=2, lr=3e-4, network="lite"),
        "aSeqDIP, lam 1": dict(method="aseqdip", lam=1.0, N=2, lr=3e-4, network="lite")}

#: The two that answer a claim; the other two stand in the figure.
PAIR = ("aSeqDIP, lam 1", "aSeqDIP, lam 0")

#: The step up to which the published curves go.
LAST = 4000


def blocks(problems, steps, seeds=1, profile="laptop"):
    """The runs of the four `ARMS` on the problems, see `arms.blocks`.

    The claims that can be tested are about the `PAIR`, so its blocks come first, on all images with the first seed
    before further seeds; lam 1 first, which has a claim of its own.
    """
    others = [name for name in ARMS if name not in PAIR]
    return [block for names in (PAIR, others) for block in arms.blocks(
        {name: ARMS[name] for name in names}, problems, steps=steps, seeds=seeds, profile=profile)]


def gather(found):
    """{"rows": see `arms.run_arms`} of [(label, row)]."""
    return dict(rows=rows_in(ARMS, found))


def judge(ours):
    """Three claims. Vanilla and Self-Guided DIP run at other learning rates than aSeqDIP, so their onsets and its are
    not compared. With equal rates: lam 0 overfits before lam 1, image by image and seed by seed; and lam 1 does not
    overfit before step `LAST`, 4000, of which a run that ended or collapsed before it says nothing."""
    rows = {arm: rows for arm in ARMS if (rows := rows_of(ours["rows"], arm))}
    one, zero = (rows.get(arm, []) for arm in PAIR)
    rates = ", ".join(f"{arm} {rate(rows[arm], ARMS[arm]):g}" for arm in rows)
    claims = [claim("Vanilla DIP overfits first, then Self-Guided DIP", "not tested",
                    f"learning rates differ: {rates}" if len(rows) == len(ARMS) else f"run: {', '.join(rows)} alone"),
              by_signs("aSeqDIP with lam 0 overfits before aSeqDIP with lam 1", by_image(zero, one, later),
                       f"lam 0 {onset_text(zero)}; lam 1 {onset_text(one)}"),
              by_signs(f"aSeqDIP with lam 1 does not overfit before step {LAST}",
                       by_image(one, one, lambda row, _: lasts(row, LAST)), onset_text(one))]
    return claims, "Onset of overfitting of each run, mean peak, mean dB lost by the last step: " + "; ".join(
        f"{arm} {onset_text(found)}, {mean(found, 'oracle'):.2f} dB, {fall(found):.2f} dB"
        for arm, found in rows.items()) + "."


def profiles(name, task, image, **settings):
    """Sizes of an experiment on a task: the laptop profile runs two images, and ends before `LAST`; at the published
    size three run to beyond it, as an onset shows only some steps later.
    """
    def problems(images, size, **extra):
        return [dict(task=task, image=name, size=size) | settings | extra for name in images]

    coils = dict(coils=2) if task == "mri" else {}
    full = dict(coils=15, size=320) if task == "mri" else dict(size=512)
    return dict(smoke=dict(problems=problems(image[:1], 32, **coils), steps=3, progress=False),
                laptop=dict(problems=problems(image[:2], 96), steps=3000),
                paper=dict(problems=[problem | full for problem in problems(image, 128)], steps=LAST + 1000, seeds=3,
                           profile="paper", record_every=10, file=f"{name}_runs_paper.jsonl"))


RUNS = Runs("F4", blocks, gather, arms.course)
ALT = ("PSNR against Adam steps of vanilla DIP, Self-Guided DIP and aSeqDIP with lam 0 and lam 1, means over the "
       "images, the peak of each curve circled, and the level of the start")
register(Experiment(
    id="F4a", about="when the PSNR begins to fall, MRI 4x", published="vanilla near step 500, Self-Guided and aSeqDIP "
    "with lam 0 near 1600, aSeqDIP with lam 1 not before 4000",
    profiles=profiles("F4a", "mri", ("brain-070", "brain-096", "brain-056")), measure=RUNS.measure, runs=RUNS,
    judge=judge, figure=lambda ours: draw_curves(ours["rows"]), alt=ALT))
register(Experiment(
    id="F4b", about="when the PSNR begins to fall, CT from 18 views", published="vanilla near step 750, Self-Guided "
    "1250, aSeqDIP with lam 0 near 3800, with lam 1 not before 4000",
    profiles=profiles("F4b", "ct", ("ct-head", "ct-brain-064", "shepp-logan"), views=18), measure=RUNS.measure,
    runs=RUNS, judge=judge, figure=lambda ours: draw_curves(ours["rows"]), alt=ALT))
