"""How much of what differs between settings one number explains, on images that were not used to say how.

The table of a study has one row an image and one column a setting, means over seeds. What an image adds to all settings
is taken out first (each row minus its mean). A model predicts the rest from one number of the setting. It is fitted on
all other images and asked about this one, so that a flexible model gains nothing by its flexibility. The image is the
unit.
"""

import numpy as np
from numpy.polynomial import legendre


def centred(table):
    """Rows minus their means: what settings change."""
    table = np.asarray(table, dtype=float)
    return table - table.mean(axis=1, keepdims=True)


def columns(values, degree):
    """Columns (settings, degree) of a polynomial in log(values), each with mean 0.

    Of a number with `degree` + 1 levels this is a factor: one mean for each level. With equal degrees two numbers have
    equally many free parameters, whatever their levels.
    """
    logs = np.log(np.asarray(values, dtype=float))
    span = np.ptp(logs)
    scaled = 2 * (logs - logs.min()) / span - 1 if span else np.zeros_like(logs)
    found = legendre.legvander(scaled, degree)[:, 1:]
    return found - found.mean(axis=0)


def explained(table, values, degree=5):
    """The share of the variance within images that a number of the settings predicts on an image left out.

    1 minus the squared errors over the squares of `centred`. It is 1 for a perfect prediction, and below 0 for one that
    is worse than the image's own mean.

    Args:
        table: (images, settings), two images or more.
        values: the number, one for each setting, positive. degree: see `columns`.

    Returns:
        {"share": of all images together, "images": [of each]}.
    """
    rows, design = centred(table), columns(values, degree)
    errors = []
    for index in range(len(rows)):
        others = np.delete(rows, index, axis=0).mean(axis=0)  # of one design, so this is the fit of all
        weights = np.linalg.lstsq(design, others, rcond=None)[0]
        errors.append(rows[index] - design @ weights)
    squares, left = np.square(rows).sum(axis=1), np.square(errors).sum(axis=1)
    return dict(share=float(1 - left.sum() / squares.sum()), images=[float(value) for value in 1 - left / squares])


def ceiling(runs):
    """The share that is left for any number of the settings, as seeds differ: (images, settings, seeds), two seeds on.

    1 minus the variance of a mean over the seeds, over the variance within images.
    """
    runs = np.asarray(runs, dtype=float)
    noise = runs.var(axis=2, ddof=1).mean() / runs.shape[2]
    return float(1 - noise * (1 - 1 / runs.shape[1]) / np.square(centred(runs.mean(axis=2))).mean())


def slopes(table, numbers):
    """Change per doubling of each of several numbers together, by least squares on the mean of all images.

    numbers: {name: values}, positive, one for each setting. Returns {name: change}.
    """
    design = np.stack([np.log2(np.asarray(values, dtype=float)) for values in numbers.values()], axis=1)
    design -= design.mean(axis=0)
    weights = np.linalg.lstsq(design, centred(table).mean(axis=0), rcond=None)[0]
    return dict(zip(numbers, map(float, weights), strict=True))
