"""Verdicts of the ledger, one for each claim of a source: agree, disagree, undecided, or not tested."""

import functools

from ...run.result import answer
from ...study.statistics import difference, floor, paired
from ...study.tables import cell
from .. import stored

VERDICTS = ("agree", "disagree", "undecided", "not tested")

#: Images that a claim on an order of methods or settings needs, and seeds of each where no noise floor is known.
IMAGES, SEEDS = 3, 3


def claim(text, verdict, why):
    """A claim of the source with its verdict, one of `VERDICTS`, and what decides it."""
    if verdict not in VERDICTS:
        raise ValueError(f"verdict must be one of {VERDICTS}, got {verdict!r}")
    return dict(claim=text, verdict=verdict, why=why)


def overall(claims):
    """The word for all claims together: of those that were tested "disagree" before "undecided" before "agree"."""
    found = {each["verdict"] for each in claims}
    return next((word for word in ("disagree", "undecided", "agree") if word in found), "not tested")


def graded(agrees, disagrees):
    """The verdict of two findings of a demonstration, the first of which decides; undecided if neither holds."""
    return "agree" if agrees else "disagree" if disagrees else "undecided"


@functools.cache
def run_gaps(task):
    """Final PSNR of aSeqDIP minus that of total variation, which has no noise of its own, on the same data, as in
    `statistics.difference`: with the network `lite`, as in the experiments, on three images, three seeds.
    """
    rows = stored(f"compare_{task}_lite")["rows"]
    reference = {(row["image"], row["seed"]): answer(row, "final", "psnr") for row in rows if row["method"] == "tv"}
    return paired([row for row in rows if row["method"] == "aseqdip"], reference)


def task_floor(task, seeds, networks=2):
    """The noise floor in dB of a mean over images with so many `seeds` each, a list, on a task, see `run_gaps`: of the
    difference of two networks, or of one to a classic method.
    """
    return networks**0.5 * floor(run_gaps(task), seeds)


def compared(text, gaps, task, networks=2, fewest=IMAGES):
    """The claim that a difference in dB is positive.

    Agree or disagree by the sign of the mean over the images, if there are `fewest` of them, all have this sign, and
    the mean is above the noise floor: that of the differences themselves, or where there is one seed `task_floor`.

    Args:
        gaps: {image: [difference of a seed]}; others: see `task_floor`.
    """
    found = difference(gaps)
    return judged(text, found, found["floor"] or task_floor(task, list(map(len, gaps.values())), networks), fewest)


def judged(text, found, level, fewest=IMAGES):
    """`compared` of a `statistics.difference` and its noise floor."""
    mean, values = found["mean"], found["values"]
    doubts = [f"fewer than {fewest} images"] * (len(values) < fewest)
    doubts += ["the difference is within the noise floor"] * (abs(mean) <= level)
    doubts += ["the images differ in sign"] * (min(values) * max(values) <= 0)
    verdict = "undecided" if doubts else graded(mean > 0, mean < 0)
    images = "one image" if len(values) == 1 else f"{len(values)} images"
    why = [f"{cell(found | dict(floor=None))} dB, {images}", f"noise floor {level:.2f} dB", *doubts]
    return claim(text, verdict, "; ".join(why))


def by_signs(text, signs, words):
    """The claim that an order holds, from {image: [+1, -1 or 0 (cannot be told) of each seed]}; `words` say what was
    seen. Agree or disagree if all runs say the same, of `SEEDS` seeds on `IMAGES` images: of a step there is no noise
    floor.
    """
    found = {sign for seeds in signs.values() for sign in seeds}
    enough = len(signs) >= IMAGES and min(map(len, signs.values())) >= SEEDS
    few = "" if enough else f"; fewer than {IMAGES} images with {SEEDS} seeds"
    unknown = "; some runs cannot tell" if 0 in found else ""
    return claim(text, graded(enough and found == {1}, enough and found == {-1}), f"{words}{few}{unknown}")
