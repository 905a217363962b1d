"""Means to be quicker, each alone against the defaults of aSeqDIP: seconds to the default's peak but for 0.3 dB.

    python benchmarks/means.py                        denoising and MRI; what is stored with today's settings stays
    python benchmarks/means.py --tasks mri --images 1
    python benchmarks/means.py --quick                20 steps on one image; stores nothing

On tuning images at 128 x 128 pixels, on 2 threads, one run after the other; nothing else should run. A mean pays if
it is quicker on every image and its own peak is no lower. Seconds are those of the steps and of a start that is
computed; recording does not count. Since a machine is not the same at all times, a step's cost is also measured with
the means taking turns. Stores results/bench_means.json and .png.
"""

import itertools
import math
import statistics
import time
from dataclasses import replace

import click
import torch
from common import Measured, as_text, benchmark, follow, row, until
from matplotlib.figure import Figure
from torch.nn import functional as F

from aseqdip_lite import configure, iterate, load_case
from aseqdip_lite.case import Observation
from aseqdip_lite.networks import ImageNetwork, UNet, initialise
from aseqdip_lite.operators import Identity
from aseqdip_lite.operators.mri import Fourier, MRIOperator
from aseqdip_lite.run.threads import use

SIZE, SLACK = 128, 0.3

#: Where the figure puts a ratio that there is none of.
NEVER = 2.25

#: Of the costs: turns that are measured, and steps of each, whole stages of all means.
TURNS, STEPS = 9, 20

#: Tuning images: the choice of a mean is a choice of settings. Only two tuning pictures ship.
IMAGES = dict(denoising=("chelsea", "rocket"), mri=("brain-050", "brain-076", "brain-088"))

#: The classic method of each task whose image is a start.
CLASSIC = dict(denoising="nlm", mri="tv")


def with_settings(**settings):
    """The default with other settings."""
    return lambda case, method: iterate(case.observation, replace(method, **settings))


def with_carry(change):
    """The default whose carry is changed before the first step."""
    def states(case, method):
        carry = method.init(case.observation, 0)
        change(carry, method, case.observation.start)
        yield from iterate(case.observation, method, carry=carry)
    return states


def unfused(carry, method, image):
    carry.optimizer = torch.optim.Adam(carry.network.parameters(), lr=method.lr, fused=False)


def contiguous(carry, method, image):
    carry.network.to(memory_format=torch.contiguous_format)


def widths(*channels):
    """A network of other widths, drawn from the same seed."""
    def change(carry, method, image):
        c = image.shape[1] * (2 if image.is_complex() else 1)
        unet = UNet(channels, c, c)
        initialise(unet, torch.Generator().manual_seed(0))
        carry.network = ImageNetwork(unet, image.is_complex()).to(memory_format=torch.channels_last)
        carry.optimizer = torch.optim.Adam(carry.network.parameters(), lr=method.lr, fused=True)
    return change


def rate(peak, cosine):
    """A learning rate of `peak` times the default's, which stays or falls to 0 along half a cosine."""
    def states(case, method):
        carry = method.init(case.observation, 0)
        while carry.step < method.steps:
            for group in carry.optimizer.param_groups:
                group["lr"] = peak * method.lr * ((1 + math.cos(math.pi * carry.step / method.steps)) / 2
                                                  if cosine else 1)
            yield method.step(case.observation, carry)
    return states


def stages(first, then):
    """N = `first` for half of the budget, N = `then` for the rest."""
    def states(case, method):
        carry, half = method.init(case.observation, 0), method.steps // 2 // (first * then) * first * then
        for N, steps in ((first, half), (then, method.steps)):
            yield from iterate(case.observation, replace(method, N=N), steps=steps, carry=carry)
    return states


def classic_start(case, method):
    """z_0 is the image of the task's classic method; its seconds count."""
    solved = next(iterate(case.observation, configure(CLASSIC[case.task], case.task)))
    yield from iterate(case.observation, method, z0=solved.image)


def coarse(keep, share=0.5):
    """A share of the steps on the problem of half the size, then on; `keep` says whether phi and Adam go along.

    The network is convolutional, so the same weights serve both sizes. The coarse result becomes z.
    """
    def states(case, method):
        observation = case.observation
        small, enlarge = half_size(observation)
        carry, cut = method.init(small, 0), int(method.steps * share) // method.N * method.N
        for state in iterate(small, method, steps=cut, carry=carry):
            yield replace(state, image=enlarge(state.image))
        fine = method.init(observation, 0, z0=enlarge(carry.z))
        if keep:
            fine.network, fine.optimizer = carry.network, carry.optimizer
        fine.step = cut
        yield from iterate(observation, method, steps=method.steps, carry=fine)
    return states


def half_size(observation):
    """The observation at half the size, and a function that brings its images back to the full one.

    Denoising: means over 2 x 2 pixels. MRI: the central half of k-space in both directions; half of it
    keeps the image's intensity under orthonormal FFTs.
    """
    if isinstance(observation.A, Identity):
        y = F.avg_pool2d(observation.y, 2)
        return (Observation(Identity(y.shape[1:]), y, y),
                lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
    h, w = observation.A.sens_maps.shape[-2:]
    rows, columns = slice(h // 4, h // 4 + h // 2), slice(w // 4, w // 4 + w // 2)
    mask = observation.A.mask
    A = MRIOperator(observation.A.sens_maps[:, ::2, ::2].contiguous(),
                    (mask[..., columns] if mask.dim() == 1 else mask[..., rows, columns]).contiguous())
    y = observation.y[..., rows, columns] / 2
    small, large = Fourier((1, h // 2, w // 2)), Fourier((1, h, w))

    def enlarge(x):
        """Zeros around the spectrum: the trigonometric interpolation."""
        spectrum = torch.zeros((1, 1, h, w), dtype=x.dtype)
        spectrum[..., rows, columns] = 2 * small(x)
        return large.adjoint(spectrum)

    return Observation(A, y, A.adjoint(y)), enlarge


#: {name: (case, method) -> states}, the first is the default; the second says how far two readings of one are apart.
MEANS = {
    "default": with_settings(),
    "default, again": with_settings(),
    "bfloat16": with_settings(precision="bfloat16"),
    "widths 8-16-32-32": with_carry(widths(8, 16, 32, 32)),
    "widths 16-32-64": with_carry(widths(16, 32, 64)),
    "stale input": with_settings(refresh="stale"),
    "cosine to 0": rate(1.0, cosine=True),
    "lr x 2": rate(2.0, cosine=False),
    "lr x 2, cosine to 0": rate(2.0, cosine=True),
    "N 2, then 10": stages(2, 10),
    "N 10, then 2": stages(10, 2),
    "classic start": classic_start,
    "half size first, new network": coarse(keep=False),
    "half size first, same network": coarse(keep=True),
    "without fused Adam": with_carry(unfused),
    "without channels_last": with_carry(contiguous),
}


def measure(task, image, mean, steps):
    """One run, as of `common.follow`."""
    case, method = load_case(task, image, size=SIZE), configure("aseqdip", task, network="lite")
    run = follow(case, MEANS[mean](case, method), steps=min(steps, method.steps))
    print(f"{task:10} {image:10} {mean:30} {as_text(run)}", flush=True)
    return run | dict(settings=method.to_dict())


def costs(task, turns):
    """{mean: a step's cost over the default's}, the median over the turns in which each mean makes its next STEPS."""
    case, method = load_case(task, IMAGES[task][0], size=SIZE), configure("aseqdip", task, network="lite")
    ways = {mean: iter(way(case, method)) for mean, way in MEANS.items()}

    def seconds(mean):
        began = time.perf_counter()
        for _ in itertools.islice(ways[mean], STEPS):
            pass
        return time.perf_counter() - began

    rounds = [{mean: seconds(mean) for mean in MEANS} for _ in range(1 + turns)][1:]  # the first one has the starts
    ratios = {mean: statistics.median(one[mean] / one["default"] for one in rounds) for mean in MEANS}
    return dict(ratios=ratios, settings=method.to_dict())


def measured_images(runs, task):
    """The images of a task on which every mean was measured."""
    return [image for image in IMAGES[task] if all(f"{task}, {image}: {mean}" in runs for mean in MEANS)]


def against_default(runs, task, image, mean, unit="seconds"):
    """What it takes to the default's peak less SLACK, in seconds or in steps, over what the default takes.

    None if it never comes there.
    """
    default, run = (runs[f"{task}, {image}: {name}"] for name in ("default", mean))
    goal = default["answers"]["oracle"]["psnr"] - SLACK
    spent = until(run, goal, unit)
    return spent and spent / until(default, goal, unit)


def gain(runs, task, image, mean):
    """A mean's peak over the default's in dB."""
    mine, default = (runs[f"{task}, {image}: {name}"]["answers"]["oracle"]["psnr"] for name in (mean, "default"))
    return mine - default


def geometric(ratios):
    """Their geometric mean; None if one of them is."""
    return None if None in ratios else math.exp(sum(map(math.log, ratios)) / len(ratios))


def rows_of(runs):
    """The report's numbers of {"task, image: mean": run, "task: costs"}, from the images with every mean."""
    rows = []
    for task in IMAGES:
        images = measured_images(runs, task) if f"{task}: costs" in runs else []
        for mean in MEANS if images else ():
            seconds, steps = ([against_default(runs, task, image, mean, unit) for image in images]
                              for unit in ("seconds", "step"))
            where, goal = f"{task}, {mean}", f"to the default's peak - {SLACK} dB over the default's"
            rows += [row(f"{where}: steps {goal}", geometric(steps)),
                     row(f"{where}: a step, over one of the default's", runs[f"{task}: costs"]["ratios"][mean]),
                     row(f"{where}: seconds {goal}", geometric(seconds)),
                     row(f"{where}: peak over the default's in dB, least over the images",
                         min(gain(runs, task, image, mean) for image in images))]
    return rows


def draw(runs):
    """One line a mean, one mark an image: how long it takes beside the default, and how far its peak is from there."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    spent, peak = figure.subplots(1, 2, sharey=True)
    places = range(len(MEANS))
    measured = [(task, image) for task in IMAGES for image in measured_images(runs, task)]
    for index, (task, image) in enumerate(measured):
        ratios = [against_default(runs, task, image, mean) for mean in MEANS]
        shifted = [place + 0.15 * (index - (len(measured) - 1) / 2) for place in places]
        spent.plot([NEVER if ratio is None else ratio for ratio in ratios], shifted, f"C{index}o")
        peak.plot([gain(runs, task, image, mean) for mean in MEANS], shifted, f"C{index}o", label=f"{task}, {image}")
    spent.axvspan(NEVER - 0.1, NEVER + 0.1, color="0.9")
    spent.set_xticks([0.5, 1, 1.5, 2, NEVER], ["0.5", "1", "1.5", "2", "never"])
    spent.set_xlabel(f"seconds to the default's peak less {SLACK} dB,\nover the default's: left is quicker")
    peak.set_xlabel("its own peak over the default's in dB:\nright is better")
    spent.set_yticks(places, MEANS)
    spent.invert_yaxis()
    for axis, same in ((spent, 1), (peak, 0)):
        axis.axvline(same, color="k", linewidth=1)
        axis.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=len(measured))
    return figure


@benchmark("20 steps on one image")
@click.option("--tasks", default=",".join(IMAGES), show_default=True, help="denoising, mri or both.")
@click.option("--images", "count", type=int, help="Only so many images of each task.")
def main(threads, quick, anew, tasks, count):
    """Measure what shortens the time to quality."""
    use(threads)
    chosen = {task: IMAGES[task][:1 if quick else count] for task in tasks.split(",")}
    measured = Measured("bench_means", rows_of, dict(size=SIZE, slack=SLACK), keep=not quick, anew=anew)
    steps = 20 if quick else 10**6
    for task, images in chosen.items():
        def of_today(run, task=task):
            return run["settings"] == configure("aseqdip", task, network="lite").to_dict()

        measured.measure(f"{task}: costs", lambda task=task: costs(task, 1 if quick else TURNS),
                         valid=of_today)
        for image, mean in itertools.product(images, MEANS):
            measured.measure(f"{task}, {image}: {mean}",
                             lambda task=task, image=image, mean=mean: measure(task, image, mean, steps),
                             valid=of_today)
    measured.show(draw)


if __name__ == "__main__":
    main()
