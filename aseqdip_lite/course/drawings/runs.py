"""Pictures from tiny runs: aSeqDIP's stages, inputs that swing or do not, what a kernel learns first, what is left."""

from dataclasses import replace

import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

from ...methods.aseqdip import ASeqDIP
from ...run.engine import iterate
from ...run.plots import STYLE
from ...tasks import load_case
from ..theory import dynamics, gains, path
from ..theory.ntk import NTK, modes
from .parts import SECOND, arrow, box, canvas, chain

#: The tiny run: a photograph in noise, and stages of two Adam steps that go far for their number.
PROBLEM = dict(image="camera", size=48, sigma=25.0, fill="zero")
TINY = ASeqDIP(network="lite", lr=2e-3, lam=1.0, N=2, K=50)

#: Eigenvalues of the kernel of `spring`: a fast mode and a slow one.
SPEEDS = 0.4, 0.02

#: What the film of `stages` shows, for those who do not see it.
STAGES = (
    "Above, one stage as boxes from left to right: input z with index k - 1; two Adam steps on phi, the output to be "
    "near the data y and near the input; output; input z with index k. Below, four pictures of a man with a camera "
    "and arrows between them: in noise; after 20 steps a dark shape; after 20 more his head and the camera can be "
    "told; after 60 more the man with his camera, soft and with hardly any grain.")


def inputs(case, method, looks):
    """{k: z_k} of a run at the stages `looks`, each (1, 1, H, W)."""
    found = {0: case.observation.start}
    for state in iterate(case.observation, method, seed=0):
        if state.carry.inner == 0 and state.stage in looks:
            found[state.stage] = state.carry.z
        if state.stage > max(looks):
            break
    return found


@rc_context(STYLE)
def stages(looks=(10, 20, 50)):
    """aSeqDIP as a film: one stage as boxes, and the input after more and more stages of a tiny run."""
    case = load_case("denoising", **PROBLEM)
    film = inputs(case, TINY, looks)
    figure = Figure(figsize=(9.2, 3.1), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    axis = canvas(above.subplots(), 9.2, 1.3)
    box(axis, 0.1, 0.4, 1.3, 0.5, "input $z_{k-1}$")
    box(axis, 2.2, 0.15, 2.9, 1.0, f"N = {TINY.N} Adam steps on $\\phi$:\n$f_\\phi(z_{{k-1}})$ near the data y\n"
        "and near $z_{k-1}$", SECOND)
    box(axis, 5.9, 0.4, 1.7, 0.5, r"output $f_\phi(z_{k-1})$")
    box(axis, 8.1, 0.4, 1.0, 0.5, "input $z_k$")
    for start, end in ((1.45, 2.15), (5.15, 5.85), (7.65, 8.05)):
        arrow(axis, (start, 0.65), (end, 0.65), coordinates="data")
    items = [(("$z_0 = y$" if k == 0 else f"$z_{{{k}}}$"), case.display(z), (0, 1)) for k, z in film.items()]
    steps = [""] + [f"{TINY.N * (b - a)} steps" for a, b in zip(film, list(film)[1:], strict=False)]
    chain(below, [each for step, item in zip(steps, items, strict=True) for each in ([step] if step else []) + [item]])
    return figure


@rc_context(STYLE)
def two_explanations(stages=15):
    """How far the input moves in each stage, without the autoencoding term and with it; and where it then is."""
    case, films = load_case("denoising", **PROBLEM), {}
    for lam in (0.0, 1.0):
        films[f"$\\lambda$ = {lam:g}"] = inputs(case, replace(TINY, lam=lam, K=stages), range(1, stages + 1))
    figure = Figure(figsize=(9.2, 2.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.7))
    axis = left.subplots()
    later = range(2, stages + 1)  # the first stage leaves y, which is far for both
    for (name, film), look in zip(films.items(), ("o-", "s--"), strict=True):
        axis.plot(later, [path.rms(film[k] - film[k - 1]) for k in later], look, label=name)
    axis.set(xlabel="stage k", title="way from $z_{k-1}$ to $z_k$, rms", ylim=(0, None), xticks=later[1::3])
    axis.grid(alpha=0.3)
    axis.legend()
    chain(right, [("input $z_0 = y$", case.display(case.observation.start), (0, 1)), *[
        (f"input $z_{{{stages}}}$, {name}", case.display(film[stages]), (0, 1)) for name, film in films.items()]])
    return figure


@rc_context(STYLE)
def first_modes(count=4, size=24):
    """An input, and the leading modes of the tangent kernel there, of an untrained U-Net and of an hourglass."""
    case = load_case("denoising", "camera", size=size, sigma=0.0, fill="zero")
    z = case.observation.start
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    for part, preset in zip(figure.subfigures(2, 1), ("lite-half", "hourglass"), strict=True):
        values, found = modes(NTK(*gains.untrained(case, preset, 0), z), count, tol=0.1)
        items = [(f"{preset}: input z", z[0, 0], (0, 1)), "  "]
        for number, (value, mode) in enumerate(zip(values / values[0], found, strict=True), start=1):
            items.append((f"mode {number}: {value:.2g}", mode[0], (-abs(mode).max(), abs(mode).max())))
        chain(part, items)
    return figure


@rc_context(STYLE)
def split(stage=50):
    """The last image of a tiny run, and y, each as the truth, a share of the noise, and a rest."""
    case = load_case("denoising", **PROBLEM)
    x, y = gains.truth_of(case), case.observation.y
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    shown = {f"$z_{{{stage}}}$ of a run": inputs(case, TINY, (stage,))[stage], "y": y}
    for part, (name, image) in zip(figure.subfigures(2, 1), shown.items(), strict=True):
        share, rms = path.split(image - x, y - x)
        rest = image - x - share * (y - x)
        chain(part, [(name, image[0, 0]), "=", ("truth x", x[0, 0]), "+", (
            f"noise, share {share:.2f}\n(mid gray is 0)", share * (y - x)[0, 0], (-0.3, 0.3)), "+", (
            f"rest, rms {rms:.2f}\n(mid gray is 0)", rest[0, 0], (-0.3, 0.3))], narrow=0.3)
    return figure


@rc_context(STYLE)
def spring(stages=60, N=2, beta=0.25):
    """aSeqDIP's input with two modes of a linear network, as a path to the data y and as a curve of its slow mode."""
    one = torch.eye(2, dtype=torch.float64)
    theta, y, start = torch.diag(torch.tensor(SPEEDS, dtype=torch.float64)), one[0] + one[1], 0 * one[0]
    figure = Figure(figsize=(9.2, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    for (name, gain, lam), look in zip((("blind to its input", 0, 1.0), ("passes it on, $\\lambda$ = 0", 1, 0.0), (
            "passes it on, $\\lambda$ = 4", 1, 4.0)), ("s:", "o-", "^--"), strict=True):
        found = dynamics.momentum_path(theta, gain * one, one, y, start, start, lam, N, beta, stages)  # (stages + 1, 2)
        left.plot(found[:, 1], found[:, 0], look, markersize=3, linewidth=1, label=name)
        right.plot(found[:, 1], look[1:], label=name)
    left.plot(*y, "*", color="black", markersize=13, label="the data y")
    left.set(xlabel="slow mode of the input", ylabel="fast mode of the input", ylim=(-0.1, 1.45))
    left.legend(loc="lower right", fontsize=9)
    right.axhline(1, color="black", linewidth=0.8)
    right.set(xlabel="stage k", title="slow mode of the input")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return figure
