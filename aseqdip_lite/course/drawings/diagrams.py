"""Boxes and arrows whose numbers are read from the code: networks, the family, two ways to use one, two orders."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from ... import networks
from ...images import fit, load_image
from ...learned import sampling
from ...methods.aseqdip import ASeqDIP
from ...run.plots import NAMES, STYLE
from ...tasks import load_case
from ..theory.bands import complex_truth
from .parts import FIRST, SECOND, arrow, box, bright, canvas

#: What each method of the family changes against vanilla DIP.
FAMILY = {"input z": ("self_guided", "reference_guided", "aseqdip"), "network": ("deep_decoder",),
          "loss": ("tv_dip", "rethinking_dip"), "path": ("sgld_dip",), "end": ("es_dip",)}


class Stage(NamedTuple):
    """A part of a network as an image met it: input, down, up, full or head; its channels and side, those of a skip."""

    kind: str
    channels: int
    side: int
    skip: int


def met(preset, side=64):
    """The `Stage`s of a preset in the order in which an image of side x side pixels of one channel passes them."""
    network = networks.build(preset, torch.zeros(1, 1, side, side), torch.Generator().manual_seed(0)).network
    found = [Stage("input", 1, side, 0)]

    def look(kind):
        def hook(module, given, made):
            extra = given[0].shape[1] - found[-1].channels if kind == "up" else 0
            found.append(Stage(kind, made.shape[1], made.shape[-1], extra))
        return hook

    for kind in ("down", "up", "full", "head"):
        part = getattr(network, kind, ())
        for module in (part,) if kind in ("full", "head") and part else part:
            module.register_forward_hook(look(kind))
    with torch.no_grad():
        network(torch.zeros(1, 1, side, side))
    return found


@rc_context(STYLE)
def network(*presets, side=64):
    """Presets as boxes: heights are sides of the image, widths are channels; skips are dashed."""
    figure = Figure(figsize=(min(9.2, 1.2 + 4.4 * len(presets)), 3.4), layout="constrained")
    axes = figure.subplots(1, len(presets), squeeze=False)[0]
    for axis, preset in zip(axes, presets, strict=True):
        _boxes(axis, met(preset, side), side)
        about = networks.KINDS.get(preset, networks.UNet).about
        axis.set_title(f'{about[0].upper()}{about[1:]}: "{preset}"')
    axes[0].legend(handles=[Patch(facecolor=FIRST, edgecolor="black", label="down"), Patch(
        facecolor=SECOND, edgecolor="black", label="up"), Line2D([], [], color="black", linestyle="--", label="skip")],
        loc="lower left", frameon=False)
    return figure


def _boxes(axis, stages, side, gap=16, drop=0.62):
    """One box a stage, a unit high a pixel and half a unit wide a channel; coarser levels stand lower."""
    left, partners, end = 0, {}, None
    for stage in stages:
        width, middle = max(2.0, stage.channels / 2), -drop * side * ((side // stage.side).bit_length() - 1)
        axis.add_patch(Rectangle((left, middle - stage.side / 2), width, stage.side, edgecolor="black",
                                 facecolor={"down": FIRST, "up": SECOND}.get(stage.kind, "white")))
        axis.text(left + width / 2, middle + stage.side / 2 + 2, stage.channels, ha="center", va="bottom", fontsize=9)
        if end is not None:
            arrow(axis, end, (left - 1, middle), coordinates="data", linewidth=1.0)
        if stage.skip:
            start, high = partners[stage.side]
            arrow(axis, (start, high), (left - 1, high), coordinates="data", linewidth=1.2, linestyle="--")
        end = left + width + 1, middle
        if stage.kind == "down":
            partners[stage.side] = left + width + 1, middle + 0.3 * stage.side
        left += width + gap
    sides = {stage.side: -drop * side * ((side // stage.side).bit_length() - 1) for stage in stages}
    for pixels, middle in sides.items():
        axis.text(left, middle, f"{pixels} x {pixels}", va="center", fontsize=9)
    axis.set(xlim=(-4, left + 26), ylim=(min(sides.values()) - 14, side / 2 + 14))
    axis.set_axis_off()


@rc_context(STYLE)
def family(size=64):
    """One round of Deep Image Prior, and above each part the methods that change it."""
    case = load_case("denoising", "coffee", size=size, sigma=25.0, fill="zero")
    z = torch.rand(size, size, generator=torch.Generator().manual_seed(0))
    figure = Figure(figsize=(9.2, 3.3), layout="constrained")
    axis = canvas(figure.subplots(), 9.2, 3.2)
    _inset(axis, z, (0.2, 0.9), "input z")
    box(axis, 2.2, 1.0, 1.5, 1.0, "network\n$f_\\phi$")
    box(axis, 4.5, 1.15, 1.2, 0.7, "output\n$f_\\phi(z)$")
    box(axis, 6.4, 1.15, 0.7, 0.7, "A")
    _inset(axis, case.display(case.observation.y), (7.8, 0.9), "data y")
    for start, end in ((1.45, 2.15), (3.75, 4.45), (5.75, 6.35), (7.15, 7.75)):
        arrow(axis, (start, 1.5), (end, 1.5), coordinates="data")
    arrow(axis, (7.45, 1.45), (2.95, 0.95), coordinates="data", linestyle="--",
          connectionstyle="bar,angle=180,fraction=-0.25")
    for part, left, bottom in (("input z", 0.1, 2.35), ("network", 2.2, 2.35), ("loss", 6.0, 2.35), ("path", 3.3, 0.0),
                               ("end", 5.6, 0.0)):
        axis.text(left, bottom, f"{part}: " + ",\n".join(NAMES[name] for name in FAMILY[part]), va="bottom",
                  bbox=dict(facecolor=SECOND, edgecolor="black", boxstyle="round"))
    return figure


def _inset(axis, image, corner, title, side=1.2):
    """An image with a title below, at a corner of a canvas."""
    inner = axis.inset_axes((*corner, side, side), transform=axis.transData)
    inner.imshow(np.asanyarray(image), cmap="gray", vmin=0, vmax=1)
    inner.set(xticks=[], yticks=[], xlabel=title)


@rc_context(STYLE)
def two_ways(size=48):
    """Two ways to use a network on one scan: to fit its weights, or to train them before and fit its input."""
    scan = load_case("mri", "brain-070", size=size, coils=4)
    start = scan.display(scan.observation.start)
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    axis = canvas(figure.subplots(), 9.2, 3.9)
    for place, number in enumerate(("050", "076", "088", "102")):
        _inset(axis, bright(fit(load_image(f"brain-{number}"), size)), (0.1 + 0.95 * place, 1.45), "", 0.85)
    box(axis, 5.3, 1.5, 1.5, 0.7, "autoencoder g")
    _step(axis, 1.85, "train once, Eq. 17", 3.85)
    for bottom, name, what in ((2.8, "network f\nrandom weights", "fit the weights"), (
            0.1, "autoencoder g\nweights frozen", "fit the input z, Eq. 18")):
        _inset(axis, bright(start), (2.6, bottom), "", 1.05)
        axis.text(2.5, bottom + 0.5, "one scan,\nshown: $A^Hy$", ha="right", va="center", fontsize=9)
        _step(axis, bottom + 0.5, what, 3.75)
        box(axis, 5.3, bottom + 0.15, 1.5, 0.7, name)
        _step(axis, bottom + 0.5, "", 6.85, 7.55)
        box(axis, 7.6, bottom + 0.15, 1.4, 0.7, f"answer {name.split()[1]}(z)", SECOND)
    arrow(axis, (6.05, 1.45), (6.05, 1.0), coordinates="data")
    return figure


def _step(axis, height, text, start, end=5.25):
    arrow(axis, (start, height), (end, height), text, coordinates="data")


class Calls(NamedTuple):
    """The calls of one stage in their order: "forward", "backward", "step"; number of the pass whose output is z_k."""

    order: list
    taken: int


def calls(refresh, N=2):
    """What aSeqDIP of the library calls in its first stage, recorded as it runs."""
    observation = load_case("denoising", "camera", size=16, sigma=25.0, fill="zero").observation
    method = ASeqDIP(network="lite-half", N=N, K=1, refresh=refresh)
    carry, order, outputs = method.init(observation, 0), [], []

    def forward(module, given, made):
        order.append("forward")
        outputs.append(made.detach())
        if made.requires_grad:
            made.register_hook(lambda _: order.append("backward"))

    carry.network.register_forward_hook(forward)
    carry.optimizer.register_step_post_hook(lambda *_: order.append("step"))
    for _ in range(N):
        method.step(observation, carry)
    return Calls(order, next(number for number, made in enumerate(outputs) if torch.equal(made, carry.z)))


@rc_context(STYLE)
def two_orders():
    """The calls of one stage in Algorithm 1 and with the stale output, in the order in which the library makes them."""
    figure = Figure(figsize=(9.2, 2.7), layout="constrained")
    axis = canvas(figure.subplots(), 11.2, 3.4)
    for bottom, (refresh, title) in zip((1.9, 0.0), {"fresh": "Algorithm 1, a fresh pass", "stale": (
            "stale: the output at hand")}.items(), strict=True):
        found, left, passes = calls(refresh), 0.0, []
        axis.text(0, bottom + 1.25, title, fontsize=10)
        for call in found.order:
            fill = dict(forward=FIRST, backward="white", step=SECOND)[call]
            text = f"$f_{{\\phi_{len(passes)}}}(z)$" if call == "forward" else call
            box(axis, left, bottom + 0.5, 1.15, 0.6, text, fill)
            passes += [left + 0.575] * (call == "forward")
            left += 1.3
        box(axis, 10.0, bottom + 0.5, 1.1, 0.6, "next z", FIRST)
        start, low = passes[found.taken], bottom + 0.2
        axis.plot((start, start, 10.55), (bottom + 0.45, low, low), color="black", linewidth=1.4)
        arrow(axis, (10.55, low), (10.55, bottom + 0.48), coordinates="data")
    return figure


#: Where the data enter a sampler's step: the methods that put them there, and what they do.
ENTRIES = {"the noisy image": (("score_mri", "mcg"), "$x \\leftarrow x + A^H(y - Ax)$\nMCG: by conjugate gradients"),
           "the slope through D": (("dps", "mcg"), "$x \\leftarrow x - w\\,\\nabla_x\\Vert y - A\\,D(x; s)\\Vert$"),
           "the clean image": (("ddnm",), "$x_0 \\leftarrow x_0 + A^+(y - Ax_0)$\nwhat A sees is replaced")}


@rc_context(STYLE)
def samplers(size=96, level=0.3):
    """One denoiser in the middle, and where each of four samplers lets the data y in."""
    case = load_case("mri", "brain-070", size=size, coils=4)
    prior = sampling.trained_prior(case.observation)
    s = prior.unit * level
    x = complex_truth(case).to(torch.complex64)
    x = x + s * sampling.normal(x, torch.Generator().manual_seed(0))
    shown = [bright(case.display(image)) for image in (x, prior(x, s), case.observation.start)]
    figure = Figure(figsize=(9.2, 4.4), layout="constrained")
    axis = canvas(figure.subplots(), 9.2, 4.4)
    _inset(axis, shown[0], (0.9, 2.9), "noisy $x = x_0 + sn$", 1.3)
    box(axis, 3.75, 3.15, 1.7, 0.8, "denoiser\n$D(x; s)$")
    _inset(axis, shown[1], (7.0, 2.9), "clean $x_0 = D(x; s)$", 1.3)
    _inset(axis, shown[2], (0.1, 0.25), "y, as $A^Hy$", 1.0)
    for start, end, text in (((2.3, 3.55), (3.7, 3.55), ""), ((5.5, 3.55), (6.9, 3.55), "")):
        arrow(axis, start, end, text, coordinates="data")
    arrow(axis, (7.65, 4.25), (1.55, 4.25), "again at a lower level s, with less noise", coordinates="data",
          connectionstyle="arc3")
    for left, (middle, end), (names, what) in zip((1.35, 4.0, 6.65), ((1.55, 2.5), (4.6, 3.1), (7.65, 2.5)),
                                                  ENTRIES.values(), strict=True):
        box(axis, left, 0.35, 2.5, 1.3, " and ".join(NAMES[name] for name in names) + "\n\n" + what, SECOND)
        arrow(axis, (middle, 1.7), (middle, end), coordinates="data", linestyle="--")
    return figure
