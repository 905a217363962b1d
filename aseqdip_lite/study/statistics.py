"""Statistics of a comparison: means, spread over seeds, and paired differences with their intervals."""

import numpy as np
from scipy.stats import bootstrap

from ..run.recorder import ANSWERS
from ..run.result import answer

#: What is measured of an answer; "psnr" and "ssim" need the truth, the residuals do not.
MEASURES = ("step", "psnr", "ssim", "data_residual", "heldout_residual")

#: Name of the rows that hold the mean over all images.
ALL = "all images"


def summarise(rows):
    """One row for each image and method, and, of several images, one for each method over all of them.

    Args:
        rows: metrics of finished runs, as in metrics.json.

    Returns:
        list of dict, each
        image, method, runs: which, and how many runs; steps, seconds, gradients, peak_memory_mib: means of them.
        answers: {name: {"step", "psnr", "ssim", "data_residual", "heldout_residual", "lost"}} of the answers of the
            runs, those that are known, each {"mean", "std"}; "lost" is dB below the highest PSNR over the steps.
        to_aseqdip: {"mean", "low", "high"} or None, see `paired`.

        "std" is the sample deviation over the seeds of an image, or None of a single seed; over all images it is the
        root mean square of theirs: what another seed changes, not how unlike the images are. What is unknown of one
        run is unknown of all.
    """
    rows = list(rows)
    images = list(dict.fromkeys(row["image"] for row in rows))
    names = list(dict.fromkeys(row["method"] for row in rows))
    groups = [(image, name, [image]) for image in images for name in names]
    if len(images) > 1:
        groups += [(ALL, name, images) for name in names]
    reference = {(row["image"], row["seed"]): answer(row, "final", "psnr")
                 for row in rows if row["method"] == "aseqdip"}
    summary = []
    for label, name, members in groups:
        found = [row for row in rows if row["method"] == name and row["image"] in members]
        if found:
            gaps = None if name == "aseqdip" else paired(found, reference)
            summary.append(dict(image=label, method=name, runs=len(found)) | costs(found)
                           | dict(answers=answers(found), to_aseqdip=gaps))
    return summary


def costs(rows):
    """Mean steps, seconds, gradients through the network and peak memory of some runs; None where unknown."""
    values = {name: [row.get(name) for row in rows] for name in ("steps", "seconds", "gradients", "peak_memory_mib")}
    return {name: None if None in found else float(np.mean(found)) for name, found in values.items()}


def answers(rows):
    """Means and deviations of the answers of some runs, see `summarise`."""
    found = {name: {value: [answer(row, name, value) for row in rows] for value in MEASURES}
             | dict(lost=[lost(row, name) for row in rows]) for name in ANSWERS}
    known = {name: {value: spread(rows, numbers) for value, numbers in measured.items() if None not in numbers}
             for name, measured in found.items()}
    return {name: values for name, values in known.items() if values}


def lost(row, name):
    """dB from a run's highest PSNR over its steps down to that of an answer; None where either is unknown."""
    peak, psnr = answer(row, "oracle", "psnr"), answer(row, name, "psnr")
    known = psnr is not None and answer(row, "oracle", "step")  # a classic method has no steps
    return peak - psnr if known else None


def spread(rows, values):
    """{"mean", "std"} of one value a run: over the runs, and over the seeds of an image (see `summarise`)."""
    by_image = {}
    for row, value in zip(rows, values, strict=True):
        by_image.setdefault(row["image"], []).append(value)
    variances = [np.var(group, ddof=1) for group in by_image.values() if len(group) > 1]
    return dict(mean=float(np.mean(values)), std=float(np.mean(variances) ** 0.5) if variances else None)


def paired(rows, reference):
    """`interval` of the final PSNR of some runs minus the reference's, {(image, seed): final PSNR}."""
    pairs = [(answer(row, "final", "psnr"), reference.get((row["image"], row["seed"]))) for row in rows]
    return interval([final - other for final, other in pairs if final is not None and other is not None])


def interval(gaps):
    """{"mean", "low", "high"} of differences, None without any; the bounds are those of the 95 % bootstrap interval of
    the mean (percentiles of 9999 draws), None of fewer than three.
    """
    if not len(gaps):
        return None
    gaps, low, high = np.array(gaps), None, None
    if len(gaps) > 2:
        found = bootstrap((gaps,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
        low, high = float(found.low), float(found.high)
    return dict(mean=float(gaps.mean()), low=low, high=high)
