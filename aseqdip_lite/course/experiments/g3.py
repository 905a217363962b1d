"""G3: the denoising term of Self-Guided DIP (Fig. 3 of its paper)."""

from ..theory import guidance
from . import Experiment, register
from .verdicts import claim, compared, graded

#: Decibels from the best to the last image from which on a run counts as overfitted.
FALL = 0.1


def judge(ours):
    """A demonstration on one image with two claims: the best positive alpha peaks above alpha = 0 by more than the
    noise floor; and it loses less by the last step, which can be judged only if alpha = 0 loses at least `FALL`, 0.1
    dB."""
    def peak(run):
        return run["best"][1]

    def fall(run):
        return run["best"][1] - run["psnr"][-1]

    free = next(run for run in ours["runs"] if run["alpha"] == 0)
    best = max((run for run in ours["runs"] if run["alpha"] > 0), key=peak)
    falls = fall(free) >= FALL
    lost = f"lost by the last step: {fall(free):.2f} dB without the term, {fall(best):.2f} dB with it"
    claims = [compared("With the denoising term the image is better", dict(one=[peak(best) - peak(free)]), "mri",
                       fewest=1),
              claim("With the denoising term it stays better", graded(falls and fall(best) < fall(free), falls),
                    lost + ("" if falls else "; the run is too short to fall without the term"))]
    return claims, (
        f"Best PSNR of the moving average: {peak(free):.2f} dB with alpha 0, {peak(best):.2f} dB with alpha "
        f"{best['alpha']:g}; by the last step they lose {fall(free):.2f} and {fall(best):.2f} dB. The "
        f"zero-filled image has {ours['start']:.2f} dB.")


register(Experiment(
    id="G3", about="effect of the denoising term of Self-Guided DIP, MRI 4x",
    published="visual: with the term the image is better and stays so",
    profiles=guidance.SIZES, measure=guidance.measure, judge=judge, figure=guidance.figure,
    alt="PSNR of Self-Guided DIP against the Adam step for several weights alpha of the denoising term, and the "
        "distance of its input from its output"))
