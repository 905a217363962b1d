"""G1: a square wave from Fourier samples, Deep Decoder against a wide CNN (Self-Guided DIP paper, Fig. 1)."""

import numpy as np

from ..theory import square_wave
from . import Experiment, register
from .verdicts import claim, graded


def judge(ours):
    """A demonstration with two claims: the best RMSE of the Deep Decoder lies below that of the zero-filled signal in
    every draw of the network, and that of the wide CNN lies above it in every draw."""
    draws = {name: [min(curve) for curve in found["adam"]] for name, found in ours["networks"].items()}
    best = {name: float(np.mean([min(curve) for curve in found["adam"]])) for name, found in ours["networks"].items()}
    zero = float(np.mean(ours["zero_filled"]))
    limit = {name: float(np.mean(found["limit"])) for name, found in ours["networks"].items()}
    lazy = {name: float(np.mean(found["lazy"])) for name, found in ours["networks"].items()}
    seen = {name: f"best RMSE {', '.join(f'{one:.3f}' for one in values)}, zero-filled {zero:.3f}"
            for name, values in draws.items()}
    below = {name: (max(values) < zero, min(values) > zero) for name, values in draws.items()}
    claims = [claim("The Deep Decoder recovers the wave", graded(*below["decoder"]), seen["decoder"]),
              claim("The wide CNN does not", graded(*below["cnn"][::-1]), seen["cnn"])]
    return claims, (
        f"Best RMSE with Adam: Deep Decoder {best['decoder']:.3f}, wide CNN {best['cnn']:.3f}, zero-filled {zero:.3f}. "
        f"Limit of the fixed kernel: {limit['decoder']:.3f} and {limit['cnn']:.3f}; gradient descent leaves the "
        f"kernel's path by {100 * lazy['decoder']:.0f} % and {100 * lazy['cnn']:.0f} % of the truth's norm.")


register(Experiment(
    id="G1", about="a square wave from Fourier samples: Deep Decoder and wide CNN, trained and as the kernels predict",
    published="visual: the Deep Decoder recovers the wave, the wide CNN does not",
    profiles=square_wave.SIZES, measure=square_wave.measure, judge=judge, figure=square_wave.figure,
    alt="Reconstructions of a square wave by a Deep Decoder and a wide CNN, their error curves, and the spectra of the "
        "left singular vectors of their kernels"))
