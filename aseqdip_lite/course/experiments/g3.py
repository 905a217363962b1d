"""G3: the denoising term of Self-Guided DIP (Fig. 3 of its paper)."""

from ..theory import guidance
from . import Experiment, graded, register

#: Decibels from the best to the last image from which on a run counts as overfitted.
FALL = 0.1


def judge(ours):
    """Reproduced if alpha = 0 overfits, by `FALL`, and the best positive alpha peaks higher and loses less."""
    def peak(run):
        return run["best"][1]

    def fall(run):
        return run["best"][1] - run["psnr"][-1]

    free = next(run for run in ours["runs"] if run["alpha"] == 0)
    best = max((run for run in ours["runs"] if run["alpha"] > 0), key=peak)
    higher, steadier = peak(best) > peak(free), fall(free) >= FALL and fall(best) < fall(free)
    verdict = graded(higher and steadier, higher or steadier)
    return verdict, (
        f"Best PSNR of the moving average: {peak(free):.2f} dB with alpha 0, {peak(best):.2f} dB with alpha "
        f"{best['alpha']:g}; lost by the last step: {fall(free):.2f} and {fall(best):.2f} dB. Zero-filled "
        f"{ours['start']:.2f} dB.")


register(Experiment(
    id="G3", about="effect of the denoising term of Self-Guided DIP, MRI 4x",
    published="visual: with the term the image is better and stays so",
    profiles=guidance.SIZES, measure=guidance.measure, judge=judge, figure=guidance.figure,
    alt="PSNR of Self-Guided DIP against the Adam step for several weights alpha of the denoising term, and the "
        "distance of its input from its output"))
