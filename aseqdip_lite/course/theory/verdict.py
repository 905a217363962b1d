"""The verdict of the lam x N grid on the sentence "lam delays overfitting" (paper, section 3.2.1), from its rows."""

from itertools import combinations
from statistics import mean, median

#: The kinds of pairs of runs, by the smaller lam. They are counted apart, for whether the autoencoding term is there at
#: all and how much it weighs are two questions.
PAIRS = {"lam = 0 against lam > 0": lambda less: less == 0, "among lam > 0": lambda less: less > 0}

#: What becomes of a pair.
COUNTS = ("later", "earlier", "undecided", "failed")


def verdict(rows):
    """What the rows of `grid.run_grid` say, with the numbers that it rests on.

    A run "failed" if it diverged or never came above the PSNR of z_0: then there is nothing to overfit, and its
    comparisons are counted apart. Overfitting that has not begun by the last step is later than any that has;
    in differences it counts as the last step, which makes them lower bounds.

    Returns:
        dict of
        table: one row per task, input, N and lam: means over images and seeds, see `table`.
        order: per task, input and kind of pair, see `PAIRS`: of the pairs of runs that differ in lam alone, how often
            the larger lam overfits "later", "earlier", "undecided" (neither has begun, or at the same step), or a run
            "failed"; "holds": the word.
        delay: per task, steps by which overfitting starts later, median over images and seeds: see `delays`.
        sentences: the order in words.
    """
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    order = {task: {arm: {kind: ordered([row for row in rows if (row["task"], row["input"]) == (task, arm)], fits)
                          for kind, fits in PAIRS.items()} for arm in ("fixed", "moving")} for task in tasks}
    sentences = [sentence(task, arm, kind, found) for task, arms in order.items() for arm, kinds in arms.items()
                 for kind, found in kinds.items() if any(found[count] for count in COUNTS)]
    return dict(table=table(rows), order=order, sentences=sentences,
                delay={task: delays([row for row in rows if row["task"] == task]) for task in tasks})


def failed(row):
    """Whether a run diverged or never came above the PSNR of its start."""
    return row["diverged"] is not None or row["psnr"]["best"] <= row["psnr"]["start"]


def onset(row):
    """First step of overfitting; one past the last step where it has not begun."""
    return row["steps"] + 1 if row["overfitting"] is None else row["overfitting"]


def table(rows):
    """Means over the images and seeds of each task, input, N and lam; of runs that diverged only the number is kept.

    runs, failed, not_begun: numbers of runs; best, final, fall: PSNR in dB, fall = best - final; best_step, rise,
    overfitting: steps (overfitting as a median, with `onset`); moved, norm: ||z - z_0|| / ||z_0|| and ||z|| / ||z_0||
    at the last step, least: the least ||z|| / ||z_0|| of the way, truth_norm: ||x|| / ||z_0||.
    """
    cells = {}
    for row in rows:
        cells.setdefault((row["task"], row["input"], row["N"], row["lam"]), []).append(row)
    return [dict(task=task, input=arm, N=N, lam=lam, **cell(found)) for (task, arm, N, lam), found in cells.items()]


def cell(rows):
    """One row of `table` but for its names."""
    kept = [row for row in rows if row["diverged"] is None]
    counts = dict(runs=len(rows), failed=sum(map(failed, rows)),
                  not_begun=sum(row["overfitting"] is None for row in kept))
    if not kept:
        return counts
    average = {name: mean(get(row) for row in kept) for name, get in {
        "best": lambda row: row["psnr"]["best"], "final": lambda row: row["psnr"]["final"],
        "fall": lambda row: row["psnr"]["best"] - row["psnr"]["final"],
        "best_step": lambda row: row["best_step"], "rise": lambda row: row["rise"],
        "moved": lambda row: row["curve"]["moved"][-1], "norm": lambda row: row["curve"]["norm"][-1],
        "least": lambda row: min(row["curve"]["norm"]), "truth_norm": lambda row: row["truth_norm"]}.items()}
    return counts | average | dict(overfitting=median(map(onset, kept)))


def ordered(rows, fits):
    """Counts of the pairs of runs that differ in lam alone and whose smaller lam `fits`; later: the larger lam is."""
    counts = dict.fromkeys(COUNTS, 0)
    groups = {}
    for row in rows:
        groups.setdefault((row["task"], row["image"], row["seed"], row["input"], row["N"]), []).append(row)
    for found in groups.values():
        for less, more in combinations(sorted(found, key=lambda row: row["lam"]), 2):
            if not fits(less["lam"]):
                continue
            if failed(less) or failed(more):
                counts["failed"] += 1
            elif onset(less) == onset(more):
                counts["undecided"] += 1
            else:
                counts["later" if onset(more) > onset(less) else "earlier"] += 1
    return counts | dict(holds=holds(counts["later"], counts["later"] + counts["earlier"]))


def holds(later, decided):
    """A word for how often the larger lam came later."""
    if not decided:
        return "undecided"
    share = later / decided
    words = ((0.9, "holds"), (2 / 3, "holds mostly"), (1 / 3, "no order"), (0.1, "mostly the opposite"))
    return next((word for least, word in words if share >= least), "the opposite")


def sentence(task, arm, kind, counts):
    """The counts of `ordered` in words."""
    return (f"{task}, input {arm}, {kind}: '{counts['holds']}'; of {sum(counts[name] for name in COUNTS)} pairs "
            f"the larger lam overfits later in {counts['later']}, earlier in {counts['earlier']}, "
            f"{counts['undecided']} undecided, {counts['failed']} with a run that failed")


def delays(rows):
    """Where the delay comes from: steps by which overfitting starts later, for the rows of one task.

    * "moving input": lam = 0, moving against fixed, for each N;
    * "lam, input fixed": lam against lam = 0, z = z_0 throughout;
    * "lam, input moving": lam against lam = 0, for each N;
    * "both": moving with lam against fixed with lam = 0.

    Each is a list of {"lam", "N", "median" (steps), "pairs", "bounds" (pairs with a run where it has not begun),
    "failed" (pairs left out)}.
    """
    found = {(row["image"], row["seed"], row["input"], row["N"], row["lam"]): row for row in rows}
    arms = sorted({(row["input"], row["N"] or 0, row["lam"]) for row in rows})
    kinds = {"moving input": lambda arm, N, lam: arm == "moving" and lam == 0 and ("fixed", None, 0.0),
             "lam, input fixed": lambda arm, N, lam: arm == "fixed" and lam > 0 and ("fixed", None, 0.0),
             "lam, input moving": lambda arm, N, lam: arm == "moving" and lam > 0 and ("moving", N, 0.0),
             "both": lambda arm, N, lam: arm == "moving" and lam > 0 and ("fixed", None, 0.0)}
    report = {}
    for kind, reference in kinds.items():
        report[kind] = []
        for arm, N, lam in ((arm, N or None, lam) for arm, N, lam in arms):
            other = reference(arm, N, lam)
            pairs = [(row, found[*place[:2], *other]) for place, row in found.items()
                     if other and place[2:] == (arm, N, lam) and (*place[:2], *other) in found]
            good = [pair for pair in pairs if not any(map(failed, pair))]
            if pairs:
                report[kind].append(dict(
                    lam=lam, N=N, pairs=len(good), failed=len(pairs) - len(good),
                    bounds=sum(any(row["overfitting"] is None for row in pair) for pair in good),
                    median=median(onset(row) - onset(base) for row, base in good) if good else None))
    return report
