"""G4: how the learned input of Self-Guided DIP becomes an image (Fig. 4 of its paper)."""

from ..theory import learned_input
from . import Experiment, register
from .verdicts import claim, graded


def judge(ours):
    """A demonstration on one image. Agree if the input's PSNR ends at least 10 dB above its start; disagree if it ends
    no higher than it starts."""
    start, end = ours["snapshots"][0]["psnr"], ours["input"][-1]
    best = max(ours["input"])
    gained = end - start
    claims = [claim("The input turns from noise into an image", graded(gained >= 10, gained <= 0),
                    f"its PSNR rises by {gained:.1f} dB")]
    return claims, (
        f"PSNR of the input: {start:.1f} dB as uniform noise, {best:.1f} dB at best, {end:.1f} dB at the last step. "
        f"The moving average ends at {ours['average'][-1]:.1f} dB.")


register(Experiment(
    id="G4", about="evolution of the learned input of Self-Guided DIP, MRI 4x",
    published="visual: noise becomes an image",
    profiles=learned_input.SIZES, measure=learned_input.measure, judge=judge, figure=learned_input.figure,
    alt="Snapshots of the magnitude of the learned input beside the truth, and the PSNR of input, output and moving "
        "average against the Adam step"))
