"""Which frequencies Deep Image Prior learns first, on MRI (Fig. 2 of the Self-Guided DIP paper; experiment G2).

The error of each image on the way is split by three ring masks of k-space: low, mid and high frequencies, by the
distance from the centre as a share of the Nyquist frequency. A band's relative error is
||M_b F (x_t - x)|| / ||M_b F x|| with the complex truth x; an image without the band has error 1. Two noise levels are
run: with little noise the order in which bands arrive shows best, with more noise the overfitting.
"""

import numpy as np
import torch
from matplotlib.figure import Figure

from ...methods import configure
from ...operators.mri import Fourier
from ...run.engine import iterate
from ...run.metrics import psnr
from ...tasks import load_case
from .figures import finish

#: Bands by distance from the centre of k-space, 1 being the Nyquist frequency of one axis.
BANDS = {"low": (0.0, 0.15), "mid": (0.15, 0.5), "high": (0.5, 2.0)}

#: Relative error at which a band counts as learned; 1 is an image without the band.
LEARNED = 0.8

#: Sizes of `measure`: pixels, signal to noise ratios of k-space in dB, Adam steps, steps between two measurements.
SIZES = {
    "smoke": dict(size=64, snrs=(19.0,), steps=4, every=2),
    "laptop": dict(size=128, snrs=(19.0, 9.0), steps=1500, every=15),
    "paper": dict(size=320, snrs=(19.0, 9.0), steps=4000, every=20, coils=15, profile="paper"),
}


def ring_masks(shape):
    """{"low", "mid", "high": (H, W) bool} of centred k-space; each point lies in exactly one band."""
    rows, columns = (2 * torch.fft.fftshift(torch.fft.fftfreq(n)) for n in shape)  # 1 at the Nyquist frequency
    radius = (rows[:, None].square() + columns[None, :].square()).sqrt()
    return {name: (radius >= inner) & (radius < outer) for name, (inner, outer) in BANDS.items()}


def band_errors(image, truth):
    """{band: ||M_b F (image - truth)|| / ||M_b F truth||} of complex images (1, 1, H, W)."""
    F = Fourier(image.shape[1:])
    error, reference = F(image - truth)[0, 0], F(truth)[0, 0]
    return {name: float(error[mask].norm() / reference[mask].norm())
            for name, mask in ring_masks(image.shape[-2:]).items()}


def complex_truth(case):
    """The complex image behind a simulated MRI case, (1, 1, H, W), in the units of its observation.

    A scan of the same image and seed with every sample and no noise gives it back as A^H y: the phase is the
    first thing that the task draws.
    """
    settings = {name: case.settings[name] for name in ("coils",)} | dict(size=case.settings["size"][0])
    full = load_case("mri", case.image, seed=case.seed, acceleration=1, snr=None, **settings).observation
    return full.start * (full.scale / case.observation.scale)


def measure(size, snrs, steps, every, coils=8, profile="laptop", image="brain-070", seed=0):
    """Vanilla DIP on MRI 4x with the settings of a profile: PSNR and error of each band at every `every`-th step.

    Returns:
        dict with the settings, "step" and "runs": for each signal to noise ratio a dict with "snr", "psnr" (dB),
        "bands" {name: relative errors}, "best" {"psnr": step of the highest PSNR, name: step of the least error},
        "learned" {name: first step at which the band's error is at most `LEARNED`, None if it never is} and "start"
        {name: relative error of the zero-filled image}.
    """
    method, runs = configure("vanilla", "mri", profile, steps), []
    for snr in snrs:
        case = load_case("mri", image, seed=seed, size=size, snr=snr, coils=coils)
        truth, run = complex_truth(case), dict(snr=snr, psnr=[], bands={name: [] for name in BANDS})
        for state in iterate(case.observation, method, seed=seed):
            if state.step % every == 0:
                run["psnr"].append(psnr(case.display(state.image), case.truth, case.data_range))
                for name, error in band_errors(state.image, truth).items():
                    run["bands"][name].append(error)
        run["best"], run["learned"] = {"psnr": every * (1 + int(np.argmax(run["psnr"])))}, {}
        for name, errors in run["bands"].items():
            run["best"][name] = every * (1 + int(np.argmin(errors)))
            first = next((i for i, error in enumerate(errors) if error <= LEARNED), None)
            run["learned"][name] = None if first is None else every * (1 + first)
        runs.append(run | dict(start=band_errors(case.observation.start, truth)))
    return dict(size=size, image=image, seed=seed, settings=method.to_dict(),
                step=list(range(every, steps + 1, every)), runs=runs)


def figure(result):
    """The masks, the PSNR curves, and the band curves of each noise level, of what `measure` returned."""
    runs = result["runs"]
    figure = Figure(figsize=(3.4 * (1 + len(runs)), 5.6), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    for axis, (name, mask) in zip(top.subplots(1, 3), ring_masks((result["size"],) * 2).items(), strict=True):
        axis.imshow(mask.numpy(), cmap="gray", interpolation="nearest")
        inner, outer = BANDS[name]
        axis.set_title(f"{name}: " + (f"{inner:g} to {outer:g} Nyquist" if outer < 2 else f"from {inner:g} Nyquist"),
                       fontsize=10)
        axis.set(xticks=[], yticks=[])  # the frame stays: the high band is white up to it
    left, *others = bottom.subplots(1, 1 + len(runs))
    for run, style in zip(runs, ("-", "--", "-.") * 2, strict=False):
        left.plot(result["step"], run["psnr"], style, color="k", label=f"k-space at {run['snr']:g} dB")
    steps = dict(xlabel="Adam step", xscale="log")
    finish(left, legend=8, ylabel="PSNR (dB)", **steps)
    for axis, run in zip(others, runs, strict=True):
        for (name, errors), style in zip(run["bands"].items(), ("-", "--", "-."), strict=True):
            line, = axis.plot(result["step"], errors, style, label=name)
            axis.axvline(run["best"][name], color=line.get_color(), linestyle=":", linewidth=1)
        finish(axis, f"k-space at {run['snr']:g} dB (dotted: least error)", legend=8,
              ylabel="relative error of the band", **steps)
    return figure
