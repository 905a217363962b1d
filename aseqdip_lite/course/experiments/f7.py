"""F7: a trained autoencoder as reconstructor, PSNR against lam_a (aSeqDIP paper, appendix B, Fig. 7)."""

import numpy as np

from ..theory import autoencoder
from . import Experiment, register
from .verdicts import claim


def judge(ours):
    """Not tested: the paper's autoencoder is a U-Net that was trained on 3000 scans; ours has no skips and has seen
    other slices of the same head. Our best gain over the zero-filled image is reported."""
    mean, lams = np.array(ours["mean"]), ours["lams"]
    best = int(mean.argmax())
    claims = [claim("A trained autoencoder serves as a reconstructor", "not tested",
                    "the paper's is a U-Net trained on 3000 scans, ours has no skips and was trained on slices of one "
                    f"head; ours gains {mean[best] - np.mean(ours['start']):+.2f} dB over the zero-filled image")]
    curve = ", ".join(f"{lam:g}: {value:.2f}" for lam, value in zip(lams, mean, strict=True))
    return claims, (
        f"Mean PSNR by lam_a ({curve} dB): our maximum is {mean[best]:.2f} dB, at {lams[best]:g}; the zero-filled "
        f"image has {np.mean(ours['start']):.2f} dB, and the truth passed through the bottleneck has "
        f"{np.mean(ours['ceiling']):.2f} dB. The autoencoder was trained on other slices of the same head.")


register(Experiment(
    id="F7", about="a trained autoencoder as reconstructor: PSNR against lam_a, MRI 4x",
    published="PSNR varies with lam_a",
    profiles=autoencoder.SIZES, measure=autoencoder.measure, judge=judge, figure=autoencoder.figure,
    alt="PSNR of the autoencoder's output and of its input against the weight lam_a, with the zero-filled image and "
        "the ceiling set by the bottleneck as horizontal lines"))
