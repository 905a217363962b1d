"""F4a and F4b: when Deep Image Priors overfit (aSeqDIP paper, Fig. 4)."""

from . import Experiment, arms, register
from .arms import BRAINS, ONE, by_image, draw_curves, fall, lasts, later, mean, onset_text, rows_in, rows_of
from .published import Runs
from .verdicts import by_signs, claim

#: The four arms of the figure. aSeqDIP has the published lam and N.
ARMS = {"vanilla": dict(method="vanilla") | ONE, "self-guided": dict(method="self_guided") | ONE,
        "aSeqDIP, lam 0": dict(method="aseqdip", lam=0.0, N=2) | ONE,
        "aSeqDIP, lam 1": dict(method="aseqdip", lam=1.0, N=2) | ONE}

#: The claims on lam compare these two, that on the other methods compares `OTHERS`.
PAIR, OTHERS = ("aSeqDIP, lam 1", "aSeqDIP, lam 0"), ("vanilla", "self-guided")

#: The step up to which the published curves go.
LAST = 4000


def blocks(problems, steps, seeds=1, profile="laptop"):
    """The runs of the four `ARMS` on the problems, see `arms.blocks`.

    The paper is about lam, so the blocks of the `PAIR` come first, on all images with the first seed before further
    seeds; lam 1 first, which has a claim of its own.
    """
    return [block for names in (PAIR, OTHERS) for block in arms.blocks(
        {name: ARMS[name] for name in names}, problems, steps=steps, seeds=seeds, profile=profile)]


def gather(found):
    """{"rows": see `arms.run_arms`} of [(label, row)]."""
    return dict(rows=rows_in(ARMS, found))


def judge(ours):
    """Three claims, image by image and seed by seed. Vanilla DIP overfits before Self-Guided DIP, if both have the
    same learning rate; aSeqDIP with lam 0 overfits before lam 1; and lam 1 does not overfit before step `LAST`, 4000; a
    run that ended or collapsed before that step says nothing about it."""
    rows = {arm: rows for arm in ARMS if (rows := rows_of(ours["rows"], arm))}
    one, zero = (rows.get(arm, []) for arm in PAIR)
    claims = [others_first(rows),
              by_signs("aSeqDIP with lam 0 overfits before aSeqDIP with lam 1", by_image(zero, one, later),
                       f"onset with lam 0: {onset_text(zero)}; with lam 1: {onset_text(one)}"),
              by_signs(f"aSeqDIP with lam 1 does not overfit before step {LAST}",
                       by_image(one, one, lambda row, _: lasts(row, LAST)), f"onset: {onset_text(one)}")]
    return claims, "Onset of overfitting of each run, mean peak, mean dB lost by the last step: " + "; ".join(
        f"{arm}: {onset_text(found)}, {mean(found, 'oracle'):.2f} dB, {fall(found):.2f} dB"
        for arm, found in rows.items()) + "."


def others_first(rows):
    """The claim on the two other methods, of {arm: its rows}."""
    text, (first, second) = "Vanilla DIP overfits before Self-Guided DIP", (rows.get(arm, []) for arm in OTHERS)
    if not (first and second):
        return claim(text, "not tested", f"only these were run: {', '.join(rows)}")
    if (rate := first[0]["lr"]) != (other := second[0]["lr"]):
        return claim(text, "not tested", f"the learning rates differ: {rate:g} and {other:g}")
    return by_signs(text, by_image(first, second, later),
                    f"onset of vanilla: {onset_text(first)}; of self-guided: {onset_text(second)}")


def profiles(name, task, images, last=LAST + 1000, **settings):
    """Sizes of an experiment on a task, three images and seeds. Runs go beyond step `LAST`, as an onset shows only some
    steps later.

    Args:
        name: id of the experiment; task, images: names. last: Adam steps at the published size. settings: of the task.
    """
    def problems(images, **sizes):
        return [dict(task=task, image=image) | settings | sizes for image in images]

    few, full = (dict(coils=2), dict(coils=15, size=320)) if task == "mri" else ({}, dict(size=512))
    return dict(smoke=dict(problems=problems(images[:1], size=32, **few), steps=3, progress=False),
                laptop=dict(problems=problems(images, size=128), steps=LAST + 1000, seeds=3, file="F_runs.jsonl"),
                paper=dict(problems=problems(images, **full), steps=last, seeds=3, profile="paper", record_every=10,
                           file=f"{name}_runs_paper.jsonl"))


RUNS = Runs("F4", blocks, gather, arms.course)
ALT = ("PSNR against Adam steps of vanilla DIP, Self-Guided DIP and aSeqDIP with lam 0 and lam 1, means over the "
       "images, the peak of each curve circled, and the level of the start")
register(Experiment(
    id="F4a", about="when the PSNR begins to fall, MRI 4x", published="vanilla near step 500, Self-Guided and aSeqDIP "
    "with lam 0 near 1600, aSeqDIP with lam 1 not before 4000",
    profiles=profiles("F4a", "mri", BRAINS), measure=RUNS.measure, runs=RUNS, judge=judge, figure=draw_curves, alt=ALT))
register(Experiment(
    id="F4b", about="when the PSNR begins to fall, CT from 18 views", published="vanilla near step 750, Self-Guided "
    "1250, aSeqDIP with lam 0 near 3800, with lam 1 not before 4000",
    profiles=profiles("F4b", "ct", ("ct-head", "ct-brain-064", "shepp-logan"), views=18), measure=RUNS.measure,
    runs=RUNS, judge=judge, figure=draw_curves, alt=ALT))
