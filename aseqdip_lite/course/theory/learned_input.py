"""How the input of Self-Guided DIP becomes an image (Fig. 4 of its paper; experiment G4).

The input starts as uniform noise and is learned with the weights. Snapshots of |z| and the PSNR of z, of the raw
output and of the moving average show how z follows the reconstruction.
"""

import numpy as np
from matplotlib.figure import Figure

from ...methods.self_guided import SelfGuided
from ...run.engine import iterate
from ...run.metrics import psnr
from ...run.result import as_gray
from ...tasks import load_case
from .figures import finish

#: Sizes of `measure`: pixels, Adam steps, learning rate, steps at which z is kept, steps between two measurements.
SIZES = {
    "smoke": dict(size=64, steps=4, lr=1e-3, snapshots=(0, 4), every=2),
    "laptop": dict(size=96, steps=1200, lr=1e-3, snapshots=(0, 10, 50, 200, 1200), every=10),
    "paper": dict(size=320, steps=4000, lr=3e-4, snapshots=(0, 10, 100, 500, 1000, 4000), every=10,
                  network="paper-medium"),
}


def measure(size, steps, lr, snapshots, every, network="lite", image="brain-070", snr=19.0, seed=0):
    """Self-Guided DIP on MRI 4x with a look at its input.

    Returns:
        dict with the settings; "step" and, in dB, "input" (PSNR of z), "output" and "average"; "loss" at these
        steps; "snapshots": one dict a step with "step" and "psnr". And {"snapshots": (n, H, W), "truth": (H, W)},
        uint8: |z| at each of these steps and the truth, 255 for the peak of the truth.
    """
    case = load_case("mri", image, seed=seed, size=size, snr=snr)
    method = SelfGuided(steps=steps, lr=lr, network=network)

    def score(image):
        return psnr(case.display(image), case.truth, case.data_range)

    def keep(step, z):
        kept.append(dict(step=step, psnr=score(z)))
        pictures.append(as_gray(case.display(z), (0.0, case.data_range)))

    kept, pictures = [], []
    carry = method.init(case.observation, seed)
    if 0 in snapshots:
        keep(0, carry.z)
    curve = dict(step=[], input=[], output=[], average=[], loss=[])
    for state in iterate(case.observation, method, seed=seed, carry=carry):
        if state.step % every == 0:
            for name, value in (("step", state.step), ("input", score(carry.z)), ("output", score(state.image)),
                                ("average", score(state.average)), ("loss", state.losses["loss"])):
                curve[name].append(value)
        if state.step in snapshots:
            keep(state.step, carry.z)
    ours = dict(size=size, image=image, snr=snr, seed=seed, settings=method.to_dict(), **curve, snapshots=kept)
    return ours, dict(snapshots=np.stack(pictures), truth=as_gray(case.truth, (0.0, case.data_range)))


def figure(result, pictures):
    """The snapshots of |z| beside the truth, and PSNR curves of input, output and average."""
    kept = result["snapshots"]
    figure = Figure(figsize=(9.6, 5.2), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    titles = [f"z, step {one['step']}\n{one['psnr']:.1f} dB" for one in kept] + ["truth\n"]
    shown = [*pictures["snapshots"], pictures["truth"]]
    for axis, title, picture in zip(top.subplots(1, len(shown)), titles, shown, strict=True):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    axis = bottom.subplots()
    for name, style in (("input", "-"), ("output", ":"), ("average", "--")):
        axis.plot(result["step"], result[name], style, label={"input": "input z", "output": "output E f(z + eta)",
                                                              "average": "moving average"}[name])
    loss = axis.twinx()
    loss.plot(result["step"], result["loss"], "-.", color="0.6", linewidth=1)
    loss.set(yscale="log", ylabel="loss of Eq. 2 (dash-dotted)")
    finish(axis, xlabel="Adam step", ylabel="PSNR (dB)", xscale="log")
    axis.legend(loc="center right", fontsize=9)
    return figure
