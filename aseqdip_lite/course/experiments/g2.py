"""G2: which frequencies Deep Image Prior learns first, on MRI (Self-Guided DIP paper, Fig. 2)."""

import math

from ..theory import bands
from . import Experiment, register
from .verdicts import claim, graded


def judge(ours):
    """A demonstration on one image. Agree if at each noise level the low band is learned before the mid band, and the
    mid band before the high band; disagree if at each level the high band is learned before the low band."""
    orders = [[math.inf if run["learned"][band] is None else run["learned"][band] for band in bands.BANDS]
              for run in ours["runs"]]
    ordered = [low < mid <= high for low, mid, high in orders]
    claims = [claim("Low bands are learned first", graded(all(ordered), all(low > high for low, _, high in orders)),
                    f"low, mid, high is the order at {sum(ordered)} of {len(orders)} noise levels")]
    parts = [f"at {run['snr']:g} dB {', '.join(listed(run, band) for band in bands.BANDS)}" for run in ours["runs"]]
    return claims, (f"First step with a relative error of at most {bands.LEARNED:g}, and the step of the least error: "
                     f"{'; '.join(parts)}.")


def listed(run, band):
    """What a run says of a band, in words."""
    learned = run["learned"][band]
    return f"{band} {'never' if learned is None else learned} and {run['best'][band]}"


register(Experiment(
    id="G2", about="error by frequency band during Deep Image Prior, MRI 4x",
    published="low bands are learned first",
    profiles=bands.SIZES, measure=bands.measure, judge=judge, figure=bands.figure,
    alt="Three ring masks of k-space, and the relative error of the low, mid and high band against the Adam step at "
        "two noise levels, with the PSNR"))
