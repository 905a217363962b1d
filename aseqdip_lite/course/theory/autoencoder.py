"""A trained autoencoder as the reconstructor (appendix B of the aSeqDIP paper, Eq. 17 and 18, Fig. 7; experiment F7).

The weights psi are trained once on clean images, min over psi of the mean of ||g_psi(x) - x||^2 (Eq. 17), and
then frozen. Given measurements y, the input alone is optimised,

    min over z of ||A g_psi(z) - y||^2 + lam_a ||g_psi(z) - z||^2          (Eq. 18)

and the answer is g_psi(z). The appendix trains a U-Net on 3000 scans. A U-Net with skip connections learns the
identity from Eq. 17, and then Eq. 18 is an unregularised least-squares fit: so the autoencoder here has a
bottleneck and no skips, which the paper does not say. It also does not say where z starts, how it is optimised
and whether g(z) or z is shown: here z starts at A^H y, Adam steps it, and both are measured.

The shipped weights, data/autoencoder.npz, come from `data/train_autoencoder.py`: patches of the four brain
slices of role "tuning", with simulated smooth phase. They come from the same head as the images that are
measured, 6 to 12 mm away, which flatters the autoencoder; the paper's 3000 scans are of other people.
"""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from ...images import DATA
from ...learned.weights import load_weights
from ...methods.base import square_norm
from ...networks import ImageNetwork
from ...run.metrics import psnr
from ...tasks import load_case
from .figures import finish

#: Sizes of `measure`: image names, pixels, weights lam_a, Adam steps.
SIZES = {
    "smoke": dict(images=("brain-056",), size=64, lams=(0.0, 1.0), steps=5),
    "laptop": dict(images=("brain-056", "brain-070", "brain-096"), size=128,
                   lams=(0.0, 0.1, 0.5, 1.0, 2.0, 8.0, 32.0, 128.0), steps=300),
    "paper": dict(images=("brain-056", "brain-064", "brain-070", "brain-082", "brain-096", "brain-108"), size=192,
                  lams=(0.0, 0.03, 0.1, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0), steps=1000),
}


class Autoencoder(nn.Module):
    """Convolutional autoencoder with a bottleneck: the 128 numbers of 8 x 8 complex pixels become `code` numbers.

    Pixels are folded 2 x 2 into channels, then two strided convolutions halve the sides again and a 1x1
    convolution makes the code; the decoder goes back by convolutions and pixel shuffles, in which each code
    sets every pixel of its block (with bilinear upsampling it learns a worse code, slowly). There are no skip
    connections, so nothing passes but the code, and no normalisation, so that a patch is coded alike wherever
    it lies.

    Input and output (B, 2, H, W), [Re, Im], with H and W divisible by `stride`.
    """

    stride = 8

    def __init__(self, widths=(48, 64, 64), code=24):
        super().__init__()
        a, b, c = widths
        self.encode = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(8, a, 3, padding=1), nn.SiLU(),  # (B, a, H/2, W/2)
            nn.Conv2d(a, b, 3, stride=2, padding=1), nn.SiLU(),  # (B, b, H/4, W/4)
            nn.Conv2d(b, c, 3, stride=2, padding=1), nn.SiLU(),  # (B, c, H/8, W/8)
            nn.Conv2d(c, code, 1))
        self.decode = nn.Sequential(
            nn.Conv2d(code, c, 3, padding=1), nn.SiLU(),
            nn.Conv2d(c, 4 * b, 1), nn.PixelShuffle(2), nn.SiLU(),  # (B, b, H/4, W/4)
            nn.Conv2d(b, b, 3, padding=1), nn.SiLU(),
            nn.Conv2d(b, 4 * a, 1), nn.PixelShuffle(2), nn.SiLU(),  # (B, a, H/2, W/2)
            nn.Conv2d(a, 8, 3, padding=1), nn.PixelShuffle(2))  # (B, 2, H, W)

    def forward(self, x):
        return self.decode(self.encode(x))


def load_autoencoder(folder=DATA):
    """g_psi with the weights autoencoder.npz of a folder, frozen: maps complex images (1, 1, H, W) of any size to such.

    InputError: see `learned.weights.load_weights`.
    """
    network = load_weights(Autoencoder(), "autoencoder", folder)
    return ImageNetwork(network, is_complex=True).requires_grad_(False)


def reconstruct_input(observation, network, lam_a, steps, lr=0.02, z0=None):
    """Minimise Eq. 18 over z by Adam from z0, A^H y by default, with the network's weights fixed.

    Args:
        observation: y, A and start; network: g_psi; lam_a: weight of the autoencoding term, at least 0.
        steps, lr: Adam steps and learning rate, in units where the image is of size about 1.

    Returns:
        (g(z), z, losses): images (1, 1, H, W) after the last step and the loss before each step.
    """
    z = (observation.start if z0 is None else z0).detach().clone().requires_grad_()
    optimizer, losses = torch.optim.Adam([z], lr=lr), []
    for _ in range(steps):
        output = network(z)
        loss = square_norm(observation.A(output) - observation.y) + lam_a * square_norm(output - z)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        return network(z), z.detach(), losses


def measure(images, size, lams, steps, lr=0.02, snr=19.0, seed=0):
    """PSNR of Eq. 18's reconstructions on MRI 4x against lam_a, with the shipped weights.

    Returns:
        dict with the settings, "start" (zero-filled image), "ceiling" (g applied to the truth's magnitude: what the
        bottleneck lets through) and, for each lam_a, "output" (g(z)), "input" (z) and "unconverged" (share by which the
        loss still fell over the last tenth of the steps): PSNR in dB, one list an image. "mean" holds the mean
        "output" over the images for each lam_a and "best" the lam_a of its maximum.
    """
    network = load_autoencoder()
    result = dict(images=list(images), size=size, lams=list(lams), steps=steps, lr=lr, snr=snr, seed=seed,
                  start=[], ceiling=[], output=[], input=[], unconverged=[])
    for name in images:
        case = load_case("mri", name, seed=seed, size=size, snr=snr)

        def score(image, case=case):
            return psnr(case.display(image), case.truth, case.data_range)

        truth = torch.from_numpy(case.truth.astype(np.complex64))[None, None] / case.observation.scale
        result["start"].append(score(case.observation.start))
        result["ceiling"].append(score(network(truth)))
        rows = dict(output=[], input=[], unconverged=[])
        for lam_a in lams:
            output, z, losses = reconstruct_input(case.observation, network, lam_a, steps, lr)
            late = losses[-max(1, steps // 10):]
            for key, value in (("output", score(output)), ("input", score(z)),
                               ("unconverged", 1 - late[-1] / late[0])):
                rows[key].append(value)
        for key, values in rows.items():
            result[key].append(values)
    mean = np.mean(result["output"], axis=0)
    return result | dict(mean=mean.tolist(), best=lams[int(mean.argmax())])


def figure(result):
    """PSNR of g(z) and of z against lam_a, mean over the images, with the spread between images as thin lines."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axis = figure.subplots()
    places = range(len(result["lams"]))
    for key, style, color, label in (("output", "o-", "C0", "output g(z)"), ("input", "s--", "C1", "input z")):
        axis.plot(places, np.mean(result[key], axis=0), style, color=color, linewidth=2, label=label)
        for row in result[key]:
            axis.plot(places, row, style[1:], color=color, linewidth=0.6, alpha=0.7)
    for key, style, label in (("ceiling", "-.", "g(truth): the bottleneck's own loss"), ("start", ":", "zero-filled")):
        axis.axhline(np.mean(result[key]), linestyle=style, color="0.5", label=label)
    axis.set_xticks(places, [f"{lam:g}" for lam in result["lams"]])
    finish(axis, f"thick: mean of {len(result['images'])} images, thin: each", 10, legend=9,
          xlabel="lam_a (not to scale)", ylabel="PSNR (dB)")
    return figure
