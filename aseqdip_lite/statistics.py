"""Statistics of a comparison: means, spread over seeds, and paired differences with their intervals."""

import numpy as np
from scipy.stats import bootstrap

SCORES = ("start", "final", "blind", "oracle")

#: Name of the rows that hold the mean over all images.
ALL = "all images"


def summarise(rows):
    """One row for each image and method, and, of several images, one for each method over all of them.

    Args:
        rows: metrics of finished runs, as in metrics.json.

    Returns:
        [{"image", "method", "runs", "steps", "seconds", "psnr": {"final": {"mean", "std"}, ...}, "ssim": the same,
        "to_aseqdip": {"mean", "low", "high"} or None}]. "std" is the sample deviation over the seeds
        of an image; over all images it is the root mean square of theirs, so that it says what
        another seed changes and not how unlike the images are. None where a score is unknown or a
        single seed was run. "to_aseqdip" is the final PSNR minus that of aSeqDIP on the same image
        and seed: its mean, and a 95 % bootstrap interval of the mean (percentiles of 9999 draws
        of the pairs) from three pairs on.
    """
    images = list(dict.fromkeys(row["image"] for row in rows))
    names = list(dict.fromkeys(row["method"] for row in rows))
    groups = [(image, name, [image]) for image in images for name in names]
    if len(images) > 1:
        groups += [(ALL, name, images) for name in names]
    reference = {(row["image"], row["seed"]): row["psnr"]["final"] for row in rows if row["method"] == "aseqdip"}
    summary = []
    for label, name, members in groups:
        found = [row for row in rows if row["method"] == name and row["image"] in members]
        if found:
            summary.append(dict(image=label, method=name, runs=len(found), steps=found[0]["steps"],
                                seconds=float(np.mean([row["seconds"] for row in found])),
                                **{score: {column: spread(found, score, column) for column in SCORES}
                                   for score in ("psnr", "ssim")},
                                to_aseqdip=None if name == "aseqdip" else paired(found, reference)))
    return summary


def spread(rows, score, column):
    """{"mean", "std"} of a score: over the runs, and over the seeds of an image (see `summarise`)."""
    values, by_image = [], {}
    for row in rows:
        values.append(row[score][column])
        by_image.setdefault(row["image"], []).append(row[score][column])
    if None in values:
        return dict(mean=None, std=None)
    variances = [np.var(group, ddof=1) for group in by_image.values() if len(group) > 1]
    return dict(mean=float(np.mean(values)), std=float(np.mean(variances) ** 0.5) if variances else None)


def paired(rows, reference):
    """{"mean", "low", "high"} of final PSNR minus the reference's of the same (image, seed); None without pairs."""
    pairs = [(row["psnr"]["final"], reference.get((row["image"], row["seed"]))) for row in rows]
    gaps = np.array([final - other for final, other in pairs if final is not None and other is not None])
    if len(gaps) == 0:
        return None
    low = high = None
    if len(gaps) > 2:
        interval = bootstrap((gaps,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
        low, high = float(interval.low), float(interval.high)
    return dict(mean=float(gaps.mean()), low=low, high=high)
