"""What is measured and what is not: two pixels, coils, rays, photons, a shaken camera, noise, bands of frequency."""

import math

import matplotlib
import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ...images import fit, load_image
from ...methods import configure
from ...operators.blur import MotionBlur, motion_path, path_kernel
from ...operators.mri import Fourier
from ...operators.projectors import MatrixProjector, equal_angles
from ...run.engine import reconstruct
from ...run.plots import STYLE
from ...tasks import load_case
from ...tasks.ct import FIELD_OF_VIEW, MU_WATER
from ..theory.bands import BANDS, complex_truth, ring_masks
from .parts import SECOND, arrow, bright, chain, picture

#: The toy: one measurement of two pixels, y = A x.
TOY = np.array([1.0, 1.0]) / math.sqrt(2)
TRUTH = np.array([0.9, 0.3])
STARTS = {"a": np.array([0.1, 0.25]), "b": np.array([0.55, 0.05]), "0": np.zeros(2)}
#: Two measurements of two pixels: their sum and, fainter, their difference; and the noise of both.
FAINT = np.array([[1.0, 1.0], [0.2, -0.2]]) / math.sqrt(2)
NOISE = np.array([-0.03, 0.1])


def landweber(start, y, steps, tau=0.4, A=TOY):
    """x_0 to x_steps of x <- x + tau A^T (y - A x) for a matrix A (m, 2), or for the toy's row: (steps + 1, 2)."""
    A, found = np.atleast_2d(A), [np.asarray(start, dtype=float)]
    for _ in range(steps):
        found.append(found[-1] + tau * A.T @ (y - A @ found[-1]))
    return np.array(found)


@rc_context(STYLE)
def two_pixels():
    """An image of two pixels and one measurement, their sum: the line of all solutions, and where iterations end."""
    y, figure = TOY @ TRUTH, Figure(figsize=(8.6, 3.9), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.35, 1))
    axis = left.subplots()
    ends = np.array([-0.15, 1.35])
    axis.plot(ends, math.sqrt(2) * y - ends, "-", color="0.45", linewidth=2, label="all images with Ax = y")
    for name, look in zip(STARTS, ("o-", "s-", "^-"), strict=True):
        path = landweber(STARTS[name], y, 12)
        axis.plot(*path.T, look, markersize=4, linewidth=1, fillstyle="none")
        axis.annotate(name, path[0], (-9, -4), textcoords="offset points", ha="center")
    axis.plot(*TRUTH, "*", color="black", markersize=12, label="the truth")
    arrow(axis, (0.84, 0.48), (1.04, 0.28), coordinates="data")
    axis.text(0.97, 0.42, "null space of A")
    axis.set(xlim=(-0.1, 1.4), ylim=(-0.1, 1.0), aspect="equal", xlabel="pixel 1", ylabel="pixel 2")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper right", fontsize=9)
    shown = {"the truth": TRUTH} | {f"from {name}": landweber(start, y, 60)[-1] for name, start in STARTS.items()}
    for axis, (name, pixels) in zip(right.subplots(4, 1), shown.items(), strict=True):
        picture(axis, "", pixels[None], (0, 1.2))
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        for column, value in enumerate(pixels):
            axis.text(column, 0, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.6 else "black")
    right.suptitle("four images, one measurement", fontsize=10)
    return figure


@rc_context(STYLE)
def semiconvergence(steps=300):
    """Two pixels and two noisy measurements, one faint: the path of gradient descent passes the truth by."""
    y, figure = FAINT @ TRUTH + NOISE, Figure(figsize=(9.2, 3.7), layout="constrained")
    path, end = landweber((0, 0), y, steps, A=FAINT), np.linalg.solve(FAINT, y)
    errors = np.linalg.norm(path - TRUTH, axis=1) / np.linalg.norm(TRUTH)
    residuals, best = np.linalg.norm(y - path @ FAINT.T, axis=1) / np.linalg.norm(y), int(errors.argmin())
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    one, two = np.meshgrid(np.linspace(-0.1, 1.5, 160), np.linspace(-0.3, 0.9, 120))
    misfit = np.linalg.norm(np.stack([one, two], axis=-1) @ FAINT.T - y, axis=-1)
    left.contour(one, two, misfit, levels=(0.02, 0.06, 0.12, 0.24, 0.48), colors="0.7", linewidths=0.8)
    left.plot(*path.T, "o-", color="C0", markersize=3, linewidth=1, label="gradient descent from 0")
    left.plot(*TRUTH, "*", color="black", markersize=13, label="the truth")
    left.plot(*path[best], "s", color="black", fillstyle="none", markersize=11, label=f"the best step, k = {best}")
    left.plot(*end, "X", color="C1", markersize=9, label="the naive inverse")
    left.set(xlabel="pixel 1", ylabel="pixel 2", aspect="equal")
    left.legend(loc="upper right", fontsize=9)
    right.semilogx(range(1, steps + 1), errors[1:], "-", color="C0", label="error of the image")
    right.semilogx(range(1, steps + 1), residuals[1:], "--", color="0.3", label="residual of the data")
    right.plot(best, errors[best], "s", color="black", fillstyle="none", markersize=11)
    right.set(xlabel="gradient steps k", title="relative error and residual", ylim=(0, None))
    right.grid(alpha=0.3)
    right.legend()
    return figure


def coil_places(maps):
    """(coils, 2) places (column, row) outside of the image at which coils stand: where each |S_c|^2 leans to."""
    size = maps.shape[-1]
    weight = maps.abs().square() / maps.abs().square().sum(dim=(1, 2), keepdim=True)
    grid = torch.arange(size) - (size - 1) / 2
    lean = torch.stack([(weight * grid).sum(dim=(1, 2)), (weight * grid[:, None]).sum(dim=(1, 2))], dim=1)
    return (size - 1) / 2 + 0.62 * size * lean / lean.norm(dim=1, keepdim=True)


@rc_context(STYLE)
def coils(size=48, shown=(0, 2)):
    """A head and its coils; of two coils what each sees, its k-space, and the columns that the mask keeps."""
    case = load_case("mri", "brain-070", size=size, coils=4, snr=None)
    A, x = case.observation.A, complex_truth(case)[0]  # (1, H, W)
    images = A.sens_maps * x  # S x, (coils, H, W)
    spaces = Fourier(images.shape)(images[None])[0].abs()
    shades = (spaces / spaces.max()).clamp(min=1e-9).log10()
    figure = Figure(figsize=(9.2, 3.3), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 2.5))
    axis = left.subplots()
    picture(axis, "a head x and four coils", x[0].abs(), (0, 1))
    axis.set(xlim=(-0.3 * size, 1.3 * size), ylim=(1.3 * size, -0.3 * size))
    axis.set_axis_off()
    for number, place in enumerate(coil_places(A.sens_maps)):
        axis.add_patch(Circle(place, 0.11 * size, facecolor="#cfe6f5" if number in shown else "white", edgecolor="k"))
        axis.text(*place, str(number + 1), ha="center", va="center")
    gray = matplotlib.colormaps["gray"].with_extremes(bad="white")
    for part, coil in zip(right.subfigures(2, 1), shown, strict=True):
        kept = np.ma.masked_where(A.mask.expand(size, size).numpy() == 0, shades[coil].numpy())
        axes = chain(part, [(f"sensitivity of coil {coil + 1}", A.sens_maps[coil].abs(), (0.2, 0.8)), "times x", (
            "its picture Sx", images[coil].abs(), (0, 0.7)), "F ", ("its k-space FSx", shades[coil], (-3.5, 0)), "M ", (
            "measured, MFSx", kept, (-3.5, 0))])
        axes[-1].images[0].set_cmap(gray)
    return figure


@rc_context(STYLE)
def rays(size=64, views=60, view=10, photons=100):
    """One view of a CT scan: its rays and its profile, the photons that were counted, and its row of the sinogram."""
    angles, mu = equal_angles(views), MU_WATER * FIELD_OF_VIEW / size  # attenuation of water per pixel
    truth = load_case("ct", "ct-head", size=size, views=views).truth
    R = MatrixProjector(size, angles, size)
    p = mu * R(torch.from_numpy(truth)[None, None].float())[0]  # (views, size), line integrals of mu
    counts = torch.poisson(photons * torch.exp(-p[view]), generator=torch.Generator().manual_seed(0)).numpy()
    figure = Figure(figsize=(9.2, 4.1), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1.25, 1.25, 0.95))
    _geometry(left.subplots(), truth, angles[view], p[view].numpy())
    _photons(*middle.subplots(2, 1, sharex=True), p[view].numpy(), counts, photons)
    axis = right.subplots()
    axis.imshow(p.numpy(), cmap="gray", aspect="auto", extent=(-size / 2, size / 2, 180, 0))
    degrees = math.degrees(angles[view])
    axis.axhline(degrees + 90 / views, color="C1", linewidth=2)
    axis.set(title="sinogram: a row per view", xlabel="s (pixels)", ylabel="angle of the view (degrees)")
    axis.set_yticks((0, degrees, 90, 180), ("0", f"{degrees:.0f}", "90", "180"))
    return figure


def _geometry(axis, truth, angle, profile):
    """The object in its field of view, the parallel rays of one view, and the profile beyond the detector."""
    half = len(truth) / 2
    across, along = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    axis.imshow(truth, cmap="gray", vmin=0, vmax=truth.max(), extent=(-half, half, -half, half))
    axis.add_patch(Circle((0, 0), half, fill=False, edgecolor="C0", linestyle="--", linewidth=1.4))
    for s in np.linspace(-0.8, 0.8, 5) * half:
        axis.annotate("", s * across - 1.15 * half * along, s * across + 1.15 * half * along,
                      arrowprops=dict(arrowstyle="-|>", color="C1", linewidth=1.2))
    s = np.arange(len(profile)) - (len(profile) - 1) / 2
    detector = s[:, None] * across - 1.2 * half * along
    axis.plot(*detector.T, color="black", linewidth=3)
    axis.plot(*(detector - (0.55 * half * profile / profile.max())[:, None] * along).T, color="black", linewidth=1.2)
    axis.set(xlim=(-1.45 * half, 1.65 * half), ylim=(-1.95 * half, 1.55 * half), aspect="equal",
             title=f"rays of the view at {math.degrees(angle):.0f} degrees")
    axis.set_axis_off()
    axis.text(-1.4 * half, 0.95 * half, "field of\nview", color="C0", va="center")
    axis.text(-1.4 * half, -1.8 * half, "detector (thick)\nand profile (thin)", va="bottom", fontsize=9)


def _photons(upper, lower, p, counts, photons):
    """Photons along the rays of one view, expected and counted, and the logarithm of both."""
    s = np.arange(len(p)) - (len(p) - 1) / 2
    none = counts == 0
    upper.semilogy(s, photons * np.exp(-p), color="C0", label="expected")
    upper.semilogy(s[~none], counts[~none], "o", color="C1", markersize=3, label="counted")
    upper.semilogy(s[none], np.full(none.sum(), 0.4), "x", color="black", markersize=5, label="none arrived")
    upper.set(title=f"photons that arrive, of {photons} sent", ylim=(0.25, 1.6 * photons))
    upper.set_yticks((1, 10, 100), ("1", "10", "100"))
    lower.plot(s, p, color="C0", label="true integral")
    logarithm = np.log(photons / counts.clip(1))
    lower.plot(s[~none], logarithm[~none], "o", color="C1", markersize=3, label="-log(counted / sent)")
    lower.plot(s[none], logarithm[none], "x", color="black", markersize=5, label="none: counted as one")
    lower.set(title="line integral, from the logarithm", xlabel="place on the detector, s (pixels)")
    for axis in (upper, lower):
        axis.legend(fontsize=8, loc="lower center" if axis is lower else "best")
        axis.grid(alpha=0.3)


@rc_context(STYLE)
def camera(size=64, motion=12.0):
    """A portrait and its photograph by a shaken camera; and the same of three points of light, which draw the shake."""
    path = motion_path(motion, torch.Generator().manual_seed(0))
    A = MotionBlur((3, size, size), path_kernel(path))
    points = np.zeros((size, size, 3), dtype=np.float32)
    for row, column in ((16, 18), (30, 46), (48, 24)):
        points[row, column] = 1.0
    portrait = fit(load_image("astronaut"), size)
    seen = {image: A(torch.from_numpy(array).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
            for image, array in dict(portrait=portrait, points=points).items()}  # (H, W, 3)
    figure = Figure(figsize=(9.2, 2.4), layout="constrained")
    chain(figure, [("a portrait x", portrait), "A ", ("its photograph A(x)", seen["portrait"].clamp(0, 1)), " ", (
        "three points of light", points), "A ", ("their photograph", bright(seen["points"]).clamp(0, 1))], narrow=0.4)
    return figure


@rc_context(STYLE)
def frequencies(size=96, image="camera"):
    """A photograph, its k-space with two circles, and the parts of the photograph that lie in the three rings."""
    F, picture_of = Fourier((1, size, size)), torch.from_numpy(fit(load_image(image), size))
    space = F(picture_of.to(torch.complex64)[None, None])
    parts = {name: F.adjoint(ring * space)[0, 0].real for name, ring in ring_masks((size, size)).items()}
    shades = (space[0, 0].abs() / space.abs().max()).clamp(min=1e-9).log10()
    figure = Figure(figsize=(9.2, 2.2), layout="constrained")
    axes = chain(figure, [("photograph", picture_of), "F ", ("its k-space", shades, (-4, 0)), "$F^H$", (
        "low band", parts["low"]), "+", ("middle band\n(mid gray is 0)", parts["mid"], (-0.4, 0.4)), "+", (
        "high band\n(mid gray is 0)", parts["high"], (-0.2, 0.2))], narrow=0.38)
    for name, look in (("low", "-"), ("mid", "--")):
        radius = BANDS[name][1] * size / 2
        axes[1].add_patch(Circle((size // 2, size // 2), radius, fill=False, edgecolor="#E69F00", linestyle=look,
                                 linewidth=1.6))
    return figure


@rc_context(STYLE)
def denoised(size=96):
    """A photograph, the same in noise, what total variation makes of it, and what that took away and left behind."""
    case = load_case("denoising", "camera", size=size, sigma=25.0, fill="zero")
    y = case.display(case.observation.y)
    answer = case.display(reconstruct(case, configure("tv", "denoising"), progress=False).answer)
    figure = Figure(figsize=(9.2, 2.4), layout="constrained")
    chain(figure, [("the truth x", case.truth), "+ noise", ("measured, y", y), "TV", ("denoised", answer), " ", (
        "taken away\n(mid gray is 0)", y - answer, (-0.3, 0.3)), " ", (
        "error of the answer\n(mid gray is 0)", answer - case.truth, (-0.3, 0.3))], narrow=0.32)
    return figure


@rc_context(STYLE)
def inputs(size=64, level=0.3):
    """Four inputs of Deep Image Prior, one network, one scan."""
    x = bright(fit(load_image("brain-070"), size))
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(0)).numpy()
    figure = Figure(figsize=(9.2, 1.9), layout="constrained")
    chain(figure, [("the truth", x), (f"truth + {level:g} noise", x + level * noise), ("noise", noise, (-2, 2)), (
        "negative", -x, (-1, 0)), "one of them", ("network\nto be fitted",), "A ", ("near the\nsame data y?", SECOND)],
        narrow=0.7)
    return figure
