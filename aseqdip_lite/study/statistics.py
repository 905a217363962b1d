"""Statistics of a comparison: means, spread over seeds, and paired differences with noise floor and interval."""

import numpy as np
from scipy.special import stdtrit  # quantiles of Student's t

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
        to_aseqdip: None, or `difference` of the final PSNR to aSeqDIP's of the same image and seed.

        "std" is the sample deviation over the seeds of an image, left out of a single seed; over all images it is the
        root mean square of theirs: what another seed changes, not how unlike the images are. What is unknown of one
        run is unknown of all.
    """
    rows = list(rows)
    images = list(dict.fromkeys(row["image"] for row in rows))
    names = list(dict.fromkeys(row["method"] for row in rows))
    groups = [(image, name, [image]) for image in images for name in names]
    if len(images) > 1:
        groups += [(ALL, name, images) for name in names]
    runs = {name: [row for row in rows if row["method"] == name] for name in names}
    reference = {(row["image"], row["seed"]): answer(row, "final", "psnr") for row in runs.get("aseqdip", ())}
    summary = []
    for label, name, members in groups:
        found = [row for row in runs[name] if row["image"] in members]
        if found:
            gaps = {} if name == "aseqdip" else paired(runs[name], reference)
            summary.append(dict(image=label, method=name, runs=len(found)) | costs(found)
                           | dict(answers=answers(found), to_aseqdip=difference(gaps, members)))
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
    return dict(mean=float(np.mean(values))) | (dict(std=float(np.mean(variances) ** 0.5)) if variances else {})


def paired(rows, reference):
    """{image: [final PSNR minus the reference's of the same seed]}; the reference is {(image, seed): final PSNR}."""
    gaps = {}
    for row in rows:
        pair = answer(row, "final", "psnr"), reference.get((row["image"], row["seed"]))
        if None not in pair:
            gaps.setdefault(row["image"], []).append(pair[0] - pair[1])
    return gaps


def difference(gaps, images=None):
    """`interval` over some images or all of `gaps`, {image: [paired gap of a seed]}, and its `floor`; or None."""
    found = [gaps[image] for image in images or gaps if image in gaps]
    means = interval([float(np.mean(seeds)) for seeds in found])
    return means and means | dict(floor=floor(gaps, list(map(len, found))))


def floor(gaps, seeds):
    """The noise floor of a mean over images with so many seeds each (a list), by `gaps` as in `difference`, or None.

    Between two methods that are equal on these images the mean difference exceeds it once in 20 times. Another seed
    changes a difference by the deviation s of the gaps of an image, pooled over all images, and their mean by s over
    the root of their number; Student's t takes into account that s is an estimate. What both methods see of the data is
    no part of it, as they are paired by seed; roundings are, since each seed has its own. Nothing of one seed each.
    """
    freedom = sum(len(group) - 1 for group in gaps.values())
    if not freedom:
        return None
    variance = sum(len(group) * np.var(group) for group in gaps.values()) / freedom
    return float(stdtrit(freedom, 0.975) * (variance * np.mean(1 / np.array(seeds)) / len(seeds)) ** 0.5)


def interval(values):
    """{"mean", "values", "low", "high"} of one value an image, or None; low and high from six images on, else None.

    They bound the 95 % interval, by Student's t, of the mean over all images like these. Measured on 6, 10 and 20 of
    them it holds that mean in 95 % of normal samples, in 93 to 94 % with a skewness of 1 and in 89 to 92 % with 2; the
    percentiles of a bootstrap hold it in 85, 89 and 93 % of the normal ones.
    """
    if not values:
        return None
    count, mean, low, high = len(values), float(np.mean(values)), None, None
    if count > 5:
        half = float(stdtrit(count - 1, 0.975) * np.std(values, ddof=1) / count**0.5)
        low, high = mean - half, mean + half
    return dict(mean=mean, values=values, low=low, high=high)
