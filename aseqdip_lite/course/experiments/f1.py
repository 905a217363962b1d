"""F1: how the input decides what Deep Image Prior reaches (aSeqDIP paper, Fig. 1)."""

import math

import numpy as np
import torch
from matplotlib.figure import Figure

from ... import tasks
from ...images import Image, fit, load_image
from ...methods import configure
from ...run import metrics
from ...run.engine import iterate
from ...study.sweep import sweep
from ...tasks.mri import smooth_phase
from . import Experiment, register
from .verdicts import claim, compared, overall

KINDS = {"truth + noise": "z = x* + noise", "noise": "z = noise alone"}


def measure(images, sigmas, size, coils, steps, seed=0, progress=True):
    """Best PSNR over the steps of Deep Image Prior on MRI 4x, for inputs x* + delta and delta, delta ~ N(0, sigma^2).

    x* is the truth in the units of y, in which its 99.5th percentile is about 1; each of real and
    imaginary part has standard deviation sigma. Both the input and the best step use the truth:
    this measures what DIP is sensitive to, and is no method.

    Args:
        images: names of brain slices; sigmas: standard deviations; size, coils: of the MRI task.
        steps: Adam steps of each run; seed: of data, weights and noise.

    Returns:
        {"sigmas", "images", "best": {kind: [[PSNR of each image] of each sigma]}, "steps": the same of the best step}.
    """
    jobs = {f"{kind} {sigma} {image}": dict(kind=kind, sigma=sigma, image=image, size=size, coils=coils, seed=seed,
                                            budget=steps)
            for image in images for sigma in sigmas for kind in KINDS}
    found = sweep(run, jobs, progress=progress, label="F1")
    table = {what: {kind: [[found[f"{kind} {sigma} {image}"][what] for image in images] for sigma in sigmas]
                    for kind in KINDS} for what in ("psnr", "step")}
    return dict(sigmas=list(sigmas), images=list(images), best=table["psnr"], steps=table["step"])


def run(job, watch):
    """One run of the sweep: its best PSNR and the step where it was reached."""
    case, x, generator = scan(job["image"], job["size"], job["coils"], job["seed"])
    z = network_input(job["kind"], job["sigma"], x, generator)
    best = dict(psnr=-math.inf, step=0)
    method = configure("vanilla", "mri", steps=job["budget"])
    for state in iterate(case.observation, method, seed=job["seed"], z0=z):
        psnr = metrics.psnr(case.display(state.image), case.truth, case.data_range)
        best = max(best, dict(psnr=psnr, step=state.step), key=lambda found: found["psnr"])
        if watch(state.step):
            return None
    return best


def scan(image, size, coils, seed, **settings):
    """A simulated scan whose complex truth is known, which `load_case` does not hand out.

    Args:
        image: name of a shipped slice; size: its side in pixels; coils: of the MRI task.
        seed: of the image's phase, the mask and the noise.
        **settings: other settings of the MRI task, e.g. snr=4.0.

    Returns:
        case: the `Case`; x: the truth (1, 1, H, W) complex64 in the units of y, 99.5th percentile of |x| about 1;
        generator: the torch.Generator that drew the phase, to draw the input's noise from.
    """
    magnitude = torch.from_numpy(fit(load_image(image), size))  # (H, W)
    generator = torch.Generator().manual_seed(seed)
    x = magnitude * torch.exp(1j * smooth_phase(magnitude.shape, generator))
    case = tasks.get("mri")(coils=coils, **settings).observe(Image(image, x.numpy()), seed)
    return case, x[None, None] / case.observation.scale, generator


def network_input(kind, sigma, x, generator):
    """z of the shape of x (1, 1, H, W): complex noise of standard deviation sigma per component, plus x if asked for.

    kind: "truth + noise" or "noise", see `KINDS`.
    """
    noise = sigma * torch.view_as_complex(torch.randn((*x.shape, 2), generator=generator))
    return x + noise if kind == "truth + noise" else noise


def judge(ours):
    """Three claims: the curve of x* + delta falls from its least to its greatest sigma; so does the curve of noise
    alone; and x* + delta lies above noise at every sigma. The last claim disagrees if it disagrees at any sigma, and is
    otherwise undecided if it is undecided at any sigma."""
    truth, noise = (dict(zip(ours["sigmas"], ours["best"][kind], strict=True)) for kind in KINDS)

    def gaps(upper, lower):
        return {image: [one - other] for image, one, other in zip(ours["images"], upper, lower, strict=True)}

    low, high = ours["sigmas"][0], ours["sigmas"][-1]
    each = [compared(f"sigma {sigma:g}", gaps(truth[sigma], noise[sigma]), "mri") for sigma in ours["sigmas"]]
    claims = [compared("The best PSNR of x* + delta falls with sigma", gaps(truth[low], truth[high]), "mri"),
              compared("The best PSNR of noise alone also falls with sigma", gaps(noise[low], noise[high]), "mri"),
              claim("x* + delta lies above noise at every sigma", overall(each),
                    "; ".join(f"{one['claim']}: {one['verdict']}, {one['why']}" for one in each))]
    means = {kind: np.mean(ours["best"][kind], axis=1) for kind in KINDS}
    truth, noise = means["truth + noise"], means["noise"]
    above = truth > noise
    return claims, (
        f"Mean best PSNR with x* + noise: {truth[0]:.2f} dB at sigma {low:g}, {truth[-1]:.2f} dB at {high:g}; with "
        f"noise alone {noise[0]:.2f} and {noise[-1]:.2f} dB. The mean is above that of noise alone at {above.sum()} of "
        f"{len(above)} values of sigma.")


def figure(ours):
    """Mean best PSNR against sigma for both kinds of input, with a thin line for each image."""
    drawing = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = drawing.subplots()
    for kind, style, color in (("truth + noise", "o-", "#00204d"), ("noise", "s--", "#a59c74")):
        values = np.array(ours["best"][kind])  # (sigmas, images)
        axis.plot(ours["sigmas"], values, style[1:], color=color, linewidth=0.6, alpha=0.6)
        axis.plot(ours["sigmas"], values.mean(axis=1), style, color=color, label=KINDS[kind])
    axis.set(xscale="log", xlabel="standard deviation sigma of the noise in the input (image peak about 1)",
             ylabel="best PSNR over the steps (dB)")
    axis.grid(alpha=0.3)
    axis.legend()
    return drawing


register(Experiment(
    id="F1", about="best PSNR of Deep Image Prior against the noise in its input, MRI 4x",
    published="PSNR falls with sigma; x* + delta lies above noise alone (8 images)",
    profiles={"smoke": dict(images=["brain-070"], sigmas=[0.1, 1.0], size=32, coils=2, steps=20, progress=False),
              "laptop": dict(images=["brain-056", "brain-070", "brain-096"], sigmas=[0.03, 0.1, 0.3, 1.0, 3.0],
                             size=128, coils=8, steps=600),
              "paper": dict(images=["brain-056", "brain-064", "brain-070", "brain-082", "brain-096", "brain-108"],
                            sigmas=[0.01, 0.03, 0.1, 0.3, 1.0, 3.0], size=320, coils=15, steps=4000)},
    measure=measure, judge=judge, figure=figure,
    alt="Best PSNR of Deep Image Prior against the standard deviation of the noise in its input, one curve for the "
        "truth plus noise and one for noise alone"))
