"""F7: a trained autoencoder as reconstructor, PSNR against lam_a (aSeqDIP paper, appendix B, Fig. 7)."""

import numpy as np

from ..theory import autoencoder
from . import Experiment, graded, register

#: Decibels between the best and the worst lam_a from which on the PSNR "varies with" it.
VARIES = 0.5


def judge(ours):
    """Reproduced if the mean PSNR varies by `VARIES` and its maximum lies inside of the range of lam_a."""
    mean, lams = np.array(ours["mean"]), ours["lams"]
    best, spread = int(mean.argmax()), float(np.ptp(mean))
    varies, inside = spread >= VARIES, 0 < best < len(lams) - 1
    verdict = graded(varies and inside, varies)
    curve = ", ".join(f"{lam:g}: {value:.2f}" for lam, value in zip(lams, mean, strict=True))
    return verdict, (
        f"Mean PSNR by lam_a ({curve} dB): our maximum lies at {lams[best]:g}, {mean[best]:.2f} dB; zero-filled "
        f"{np.mean(ours['start']):.2f} dB, and the bottleneck lets {np.mean(ours['ceiling']):.2f} dB of the truth "
        f"through. The autoencoder was trained on other slices of the same head.")


register(Experiment(
    id="F7", about="a trained autoencoder as reconstructor: PSNR against lam_a, MRI 4x",
    published="PSNR varies with lam_a",
    profiles=autoencoder.SIZES, measure=autoencoder.measure, judge=judge, figure=autoencoder.figure,
    alt="PSNR of the autoencoder's output and of its input against the weight lam_a, with the zero-filled image and "
        "the ceiling set by the bottleneck as horizontal lines"))
