"""What the denoising term does in Self-Guided DIP (Fig. 3 of its paper; experiment G3).

The same MRI scan is reconstructed with several weights alpha of ||E[f(z + eta)] - z||^2, alpha = 0 leaving the input
free. Followed are the PSNR of the answer (the moving average) and of the raw output, and how far z lies from it.
"""

from matplotlib.figure import Figure

from ...methods.self_guided import SelfGuided
from ...run.engine import iterate
from ...run.metrics import psnr
from ...tasks import load_case
from .figures import finish

#: Sizes of `measure`: pixels, weights alpha, Adam steps, learning rate of the weights, steps between two measurements.
SIZES = {
    "smoke": dict(size=64, alphas=(0.0, 2.0), steps=3, lr=1e-3, every=1),
    "laptop": dict(size=96, alphas=(0.0, 0.5, 2.0, 8.0), steps=500, lr=1e-3, every=10),
    "paper": dict(size=320, alphas=(0.0, 0.5, 2.0, 8.0), steps=4000, lr=3e-4, every=10, network="paper-medium"),
}


def measure(size, alphas, steps, lr, every, network="lite", image="brain-070", snr=19.0, seed=0):
    """Self-Guided DIP on MRI 4x with each weight alpha.

    Returns:
        dict with the settings, "start" (PSNR of the zero-filled image, dB) and "runs": one dict an alpha with "step",
        "psnr" (of the moving average), "raw" (of the output), both in dB, "data" and "gap", the two terms of
        the loss without weight, and "best": [step, PSNR] of the best average.
    """
    case = load_case("mri", image, seed=seed, size=size, snr=snr)

    def score(image):
        return psnr(case.display(image), case.truth, case.data_range)

    runs = []
    for alpha in alphas:
        method = SelfGuided(alpha=alpha, steps=steps, lr=lr, network=network)
        run = dict(alpha=alpha, step=[], psnr=[], raw=[], data=[], gap=[])
        for state in iterate(case.observation, method, seed=seed):
            if state.step % every == 0:
                for name, value in (("step", state.step), ("psnr", score(state.average)), ("raw", score(state.image)),
                                    ("data", state.losses["data"]), ("gap", state.losses["denoising"])):
                    run[name].append(value)
        top = max(range(len(run["psnr"])), key=run["psnr"].__getitem__)
        runs.append(run | dict(best=[run["step"][top], run["psnr"][top]]))
    return dict(size=size, image=image, snr=snr, seed=seed, settings=method.to_dict(),
                start=score(case.observation.start), runs=runs)


def figure(result):
    """PSNR of average (thick) and raw output (thin), and the distance of z from the output, against the step."""
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for run, style in zip(result["runs"], ("-", "--", "-.", ":") * 3, strict=False):
        line, = left.plot(run["step"], run["psnr"], style, linewidth=2, label=f"alpha = {run['alpha']:g}")
        left.plot(run["step"], run["raw"], style, linewidth=0.8, color=line.get_color(), alpha=0.7)
        right.plot(run["step"], run["gap"], style, linewidth=1.6, color=line.get_color())
    left.axhline(result["start"], color="0.6", linewidth=1, label="zero-filled")
    finish(left, xlabel="Adam step", ylabel="PSNR (dB)")
    finish(right, xlabel="Adam step", yscale="log", ylabel="||E f(z + eta) - z||$^2$ (image units squared)")
    left.legend(fontsize=9, title="thick: average, thin: output")
    return figure
