"""Statistics of a comparison: means, spread over seeds, and paired differences with their intervals."""

import numpy as np
from scipy.stats import bootstrap

#: What is measured of a run, and of which of its images; "psnr" and "ssim" need the truth, the residuals do not.
MEASURES = ("psnr", "ssim", "data_residual", "heldout_residual")
SCORES = ("start", "final", "blind", "oracle")

#: Rules that pick an image without the truth, see `run.stopping`, and the mean of some, see `Recorder.blend`.
RULES = ("wmv", "emv", "discrepancy", "blend")

#: Name of the rows that hold the mean over all images.
ALL = "all images"


def summarise(rows):
    """One row for each image and method, and, of several images, one for each method over all of them.

    Args:
        rows: metrics of finished runs, as in metrics.json.

    Returns:
        list of dict, each
        image, method, runs: which, and how many runs; steps, seconds, gradients, peak_memory_mib: means of them.
        psnr, ssim, data_residual, heldout_residual: {"start", "final", "blind", "oracle"}, each {"mean", "std"}.
        peak_step: step of the highest PSNR; fall: dB from there to the last step; each {"mean", "std"}.
        regret: {rule: {"mean", "std"}}, dB from the highest PSNR over the steps to that of the rule's pick.
        to_aseqdip: {"mean", "low", "high"} or None, see `paired`.

        "std" is the sample deviation over the seeds of an image; over all images it is the root mean
        square of theirs, so that it says what another seed changes and not how unlike the images
        are. None where a number is unknown in one of the runs, or of a single seed.
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
            gaps = None if name == "aseqdip" else paired(found, reference)
            summary.append(dict(image=label, method=name, runs=len(found)) | costs(found) | qualities(found)
                           | dict(to_aseqdip=gaps))
    return summary


def costs(rows):
    """Mean steps, seconds, gradients through the network and peak memory of some runs; None where unknown."""
    values = {name: [row.get(name) for row in rows] for name in ("steps", "seconds", "gradients", "peak_memory_mib")}
    return {name: None if None in found else float(np.mean(found)) for name, found in values.items()}


def qualities(rows):
    """Means and deviations of the scores of some runs, and of what they lose after their peak and by each rule."""
    scores = {measure: {column: spread(rows, [row.get(measure, {}).get(column) for row in rows]) for column in SCORES}
              for measure in MEASURES}
    picks = {rule: [row.get("stops", {}).get(rule, {}).get("psnr") for row in rows] for rule in RULES}
    return scores | dict(peak_step=spread(rows, [row.get("peak_step") for row in rows]),
                         fall=spread(rows, below_peak(rows, [row["psnr"]["final"] for row in rows])),
                         regret={rule: spread(rows, below_peak(rows, found)) for rule, found in picks.items()})


def below_peak(rows, psnrs):
    """dB from each run's highest PSNR over its steps down to the given one; None where either is unknown."""
    peaks = [row["psnr"]["oracle"] if row.get("peak_step") else None for row in rows]  # a classic method has none
    return [None if None in (peak, psnr) else peak - psnr for peak, psnr in zip(peaks, psnrs, strict=True)]


def spread(rows, values):
    """{"mean", "std"} of one value a run: over the runs, and over the seeds of an image (see `summarise`)."""
    by_image = {}
    for row, value in zip(rows, values, strict=True):
        by_image.setdefault(row["image"], []).append(value)
    if None in values:
        return dict(mean=None, std=None)
    variances = [np.var(group, ddof=1) for group in by_image.values() if len(group) > 1]
    return dict(mean=float(np.mean(values)), std=float(np.mean(variances) ** 0.5) if variances else None)


def paired(rows, reference):
    """Final PSNR minus the reference's of the same image and seed; None without pairs.

    Args:
        rows: runs of one method; reference: {(image, seed): final PSNR}.

    Returns:
        As of `interval`.
    """
    pairs = [(row["psnr"]["final"], reference.get((row["image"], row["seed"]))) for row in rows]
    return interval([final - other for final, other in pairs if final is not None and other is not None])


def interval(gaps):
    """{"mean", "low", "high"} of differences: from three on the 95 % bootstrap interval of their mean (percentiles of
    9999 draws); None without any.
    """
    if len(gaps) == 0:
        return None
    gaps, low, high = np.array(gaps), None, None
    if len(gaps) > 2:
        found = bootstrap((gaps,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
        low, high = float(found.low), float(found.high)
    return dict(mean=float(gaps.mean()), low=low, high=high)
