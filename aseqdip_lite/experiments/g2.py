"""G2: which frequencies Deep Image Prior learns first, on MRI (Self-Guided DIP paper, Fig. 2)."""

from ..theory import bands
from . import Experiment, register


def judge(ours):
    """Reproduced if at each noise level low frequencies are half learned before mid and mid before high ones."""
    halves = [run["half"] for run in ours["runs"]]
    ordered = [half["low"] <= half["mid"] <= half["high"] and half["low"] < half["high"] for half in halves]
    ends = [half["low"] < half["high"] for half in halves]
    verdict = "reproduced" if all(ordered) else "same direction" if any(ends) else "not reproduced"
    parts = [f"at {run['snr']:g} dB steps {run['half']['low']}, {run['half']['mid']}, {run['half']['high']}; "
             f"least error at {run['best']['low']}, {run['best']['mid']}, {run['best']['high']}"
             for run in ours["runs"]]
    return verdict, f"Half learned, low, mid and high band: {'. '.join(parts)}."


register(Experiment(
    id="G2", about="error by frequency band during Deep Image Prior, MRI 4x",
    published="low bands first",
    profiles=bands.SIZES, measure=bands.measure, judge=judge, figure=bands.figure,
    alt="Three ring masks of k-space, and the relative error of the low, mid and high band against the Adam step at "
        "two noise levels, with the PSNR"))
