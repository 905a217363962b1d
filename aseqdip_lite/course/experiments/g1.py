"""G1: a square wave from Fourier samples, Deep Decoder against a wide CNN (Self-Guided DIP paper, Fig. 1)."""

import numpy as np

from ..theory import square_wave
from . import Experiment, graded, register


def judge(ours):
    """Reproduced if the decoder's best RMSE lies below the CNN's and the zero-filled signal's; same direction if only
    below the CNN's."""
    best = {name: float(np.mean([min(curve) for curve in found["adam"]])) for name, found in ours["networks"].items()}
    zero = float(np.mean(ours["zero_filled"]))
    limit = {name: float(np.mean(found["limit"])) for name, found in ours["networks"].items()}
    lazy = {name: float(np.mean(found["lazy"])) for name, found in ours["networks"].items()}
    ahead = best["decoder"] < best["cnn"]
    verdict = graded(ahead and best["decoder"] < zero, ahead)
    return verdict, (
        f"Best RMSE with Adam: Deep Decoder {best['decoder']:.3f}, wide CNN {best['cnn']:.3f}, zero-filled {zero:.3f}. "
        f"Limit of the fixed kernel: {limit['decoder']:.3f} and {limit['cnn']:.3f}; gradient descent leaves the "
        f"kernel's path by {100 * lazy['decoder']:.0f} % and {100 * lazy['cnn']:.0f} % of the truth's norm.")


register(Experiment(
    id="G1", about="a square wave from Fourier samples: Deep Decoder and wide CNN, trained and as the kernels predict",
    published="visual: the Deep Decoder recovers the wave, the wide CNN does not",
    profiles=square_wave.SIZES, measure=square_wave.measure, judge=judge, figure=square_wave.figure,
    alt="Reconstructions of a square wave by a Deep Decoder and a wide CNN, their error curves, and the spectra of the "
        "left singular vectors of their kernels"))
