"""Time to quality: PSNR against seconds of aSeqDIP as published, of Deep Image Prior, and of our defaults.

    python benchmarks/quality.py                      all tasks; what is stored with today's settings stays
    python benchmarks/quality.py --tasks denoising
    python benchmarks/quality.py --quick              60 steps of each arm on denoising; stores nothing

All arms of a task see the same measurements of one image at 128 x 128 pixels, on 2 threads, one arm after the other;
nothing else should run. An arm ends at its budget, at 4000 steps, or when its PSNR has not risen for 500 steps
(not where its own budget is shorter: then its last step is what a user gets). The reference and our defaults run with
several seeds, whose means count; what all are to reach is the mean of the reference's peaks, less 0.3 dB.
Hours lie between the arms, and a machine is not the same at all times: so seconds are steps times what a step costs,
measured on one machine with a task's arms taking turns. Recording does not count. On another machine the stored curves,
PSNR against steps, stay, and the costs of all arms are measured anew. The arm "deepinv" needs that library, see
deepinv_peer.py; without it, what is stored of the arm stays. Stores results/bench_quality.json and .png.
"""

import time
from functools import partial
from importlib.util import find_spec

import click
from common import Measured, as_text, below_peak, benchmark, follow, machine, row, steps_of, until
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from skip_network import OriginalDIP

from aseqdip_lite import configure, iterate, load_case, tasks
from aseqdip_lite.run.plots import NAMES
from aseqdip_lite.run.threads import use

#: Pixels a side, steps at most, and steps without a rise after which a published arm has passed its peak.
SIZE, LIMIT, PATIENCE = 128, 4000, 500

#: What a curve is to reach: the published peak but for this many dB.
SLACK = 0.3

#: Of the costs: turns that are measured, and seconds of an arm in a turn, first to warm up and then by the clock.
TURNS, WARM, TIMED = 7, 0.3, 1.0

#: Arms: a name, and its method for a task. The first is the reference.
ARMS = {
    "aseqdip, published": lambda task: configure("aseqdip", task, "paper"),
    "vanilla, as in the paper": lambda task: configure("vanilla", task, "paper"),
    "vanilla, original": lambda task: OriginalDIP() if task == "denoising" else None,
    "deepinv": lambda task: peer(),
    "aseqdip": lambda task: configure("aseqdip", task, network="lite"),
    "aseqdip, bfloat16": lambda task: configure("aseqdip", task, network="lite", precision="bfloat16"),
    "aseqdip, lite-half": lambda task: configure("aseqdip", task, network="lite-half"),
    "aseqdip, lite-half, bfloat16": lambda task: configure("aseqdip", task, network="lite-half", precision="bfloat16"),
    f"aseqdip, {LIMIT} steps": lambda task: configure("aseqdip", task, steps=LIMIT, network="lite"),
}
REFERENCE = "aseqdip, published"
OURS = "aseqdip", "aseqdip, bfloat16", "aseqdip, lite-half", "aseqdip, lite-half, bfloat16"

#: How many seeds of the network an arm has, from 0 on; the others have one.
SEEDS = dict.fromkeys((REFERENCE, *OURS), 3)


def peer():
    """DeepInverse's method; None where it is not installed."""
    if find_spec("deepinv") is None:
        return None
    from deepinv_peer import DeepinvDIP
    return DeepinvDIP()


def name_of(task, arm, seed):
    """What the run of an arm is stored as."""
    return f"{task}: {arm}, seed {seed}" if seed else f"{task}: {arm}"


def measure(task, arm, steps, seed):
    """One run of an arm of a task, as of `common.follow`, with its settings."""
    method = ARMS[arm](task)
    case = load_case(task, size=SIZE)
    run = follow(case, iterate(case.observation, method, seed=seed), steps=min(steps, method.steps),
                 patience=None if arm in OURS else PATIENCE)
    print(f"{task:12} {arm:26} seed {seed} {as_text(run)}", flush=True)
    return run | dict(image=case.image, settings=method.to_dict(), cpu=machine()["cpu"])


def costs(task, methods, turns):
    """What a step of each arm costs on this machine: {"seconds": {arm: ...}, "settings": {arm: ...}, "cpu": ...}.

    In a turn each arm goes on for TIMED seconds, in whole stages, after as many as another arm's memory and caches
    need to be gone. The least of the turns counts: what else a machine does can only add.
    """
    case = load_case(task, size=SIZE)
    ways = {arm: iterate(case.observation, method, steps=10**6) for arm, method in methods.items()}

    def seconds(arm):
        stage = getattr(methods[arm], "N", 1)
        spend(ways[arm], stage, WARM)
        return spend(ways[arm], stage, TIMED)

    rounds = [{arm: seconds(arm) for arm in methods} for _ in range(1 + turns)][1:]  # the first one has the starts
    found = {arm: min(one[arm] for one in rounds) for arm in methods}
    print(f"{task:12} ms a step: {', '.join(f'{arm} {1e3 * cost:.1f}' for arm, cost in found.items())}", flush=True)
    return dict(seconds=found, settings={arm: method.to_dict() for arm, method in methods.items()},
                cpu=machine()["cpu"])


def spend(states, stage, least):
    """Seconds a step of as many whole stages as take `least` seconds."""
    began, steps, spent = time.perf_counter(), 0, 0.0
    while spent < least:
        for _ in range(stage):
            next(states)
        steps, spent = steps + stage, time.perf_counter() - began
    return spent / steps


def arms_of(runs, task):
    """{arm: (runs of its seeds, seconds of a step)} of what is measured of a task; empty without reference or costs."""
    if not {name_of(task, REFERENCE, 0), f"{task}: costs"} <= runs.keys():
        return {}
    cost = runs[f"{task}: costs"]["seconds"]
    found = {arm: [runs[name] for seed in range(SEEDS.get(arm, 1)) if (name := name_of(task, arm, seed)) in runs]
             for arm in cost}
    return {arm: (found[arm], cost[arm]) for arm in ARMS if found.get(arm)}


def mean(values):
    """The mean of numbers; None where one of them is None."""
    values = list(values)
    return None if None in values else sum(values) / len(values)


def rows_of(runs):
    """The report's numbers of {"task: arm": run, "task: arm, seed 1": run, "task: costs"}: means over the seeds."""
    rows = []
    for task in tasks.names():
        arms = arms_of(runs, task)
        if not arms:
            continue
        published, unit = arms[REFERENCE]
        goal = mean(run["answers"]["oracle"]["psnr"] for run in published) - SLACK
        reference = mean(run["answers"]["oracle"]["step"] for run in published) * unit
        for arm, (made, cost) in arms.items():
            where, ours = f"{task}, {arm}", arm in OURS
            spent = [until(run, goal, "step") for run in made]
            steps = mean(spent)
            peak = {unit: mean(run["answers"]["oracle"][unit] for run in made) for unit in ("step", "psnr")}
            rows += [row(f"{where}: seeds", len(made)),
                     row(f"{where}: peak PSNR in dB", peak["psnr"]),
                     row(f"{where}: ms a step", 1e3 * cost),
                     row(f"{where}: seconds to the peak", peak["step"] * cost),
                     row(f"{where}: seeds that come to the published peak - {SLACK} dB", len(made) - spent.count(None)),
                     row(f"{where}: seconds to the published peak - {SLACK} dB", steps and steps * cost),
                     row(f"{where}: these seconds over those of the published configuration to its peak",
                         steps and steps * cost / reference, 0.1 if ours else None),
                     row(f"{where}: blind pick below the peak in dB",
                         mean(below_peak(run, "blind") for run in made), SLACK if ours else None),
                     row(f"{where}: last step below the peak in dB",
                         mean(below_peak(run, "final") for run in made))]
            if all("blend" in run["answers"] for run in made):
                rows.append(row(f"{where}: blend below the peak in dB", mean(below_peak(run, "blend") for run in made),
                                SLACK if ours else None))
    return rows


def draw(runs):
    """PSNR against seconds, one panel a task, from 3 dB below the lowest peak, three panels in a row."""
    shown = [task for task in tasks.names() if arms_of(runs, task)]
    rows = len(shown) // 3 + 1  # with room for the legend behind the last
    figure, lines = Figure(figsize=(9.6, 3.2 * rows), layout="constrained"), {}
    *axes, last = figure.subplots(rows, 3).flat
    for axis in (*axes[len(shown):], last):
        axis.set_axis_off()
    for axis, task in zip(axes, shown, strict=False):
        arms = arms_of(runs, task)
        for arm, (made, cost) in arms.items():
            index = list(ARMS).index(arm)
            style = ("-", "--", ":", "-.")[index % 4]
            for run in made:
                name, *words = arm.split(", ")
                label = ", ".join([(NAMES | dict(deepinv="DeepInverse")).get(name, name), *words])
                lines[label], = axis.semilogx([cost * step for step in steps_of(run)], run["curve"]["psnr"],
                                            f"C{index}", linewidth=1.2, linestyle=style)
                peak = run["answers"]["oracle"]
                axis.plot(cost * peak["step"], peak["psnr"], f"C{index}o", fillstyle="none")
        peaks = [run["answers"]["oracle"]["psnr"] for made, _ in arms.values() for run in made]
        axis.set_ylim(min(peaks) - 3, max(peaks) + 0.5)
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set(title=NAMES.get(task, task), xlabel="seconds of steps, 2 threads")
        axis.grid(alpha=0.3)
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("PSNR (dB); circles: the peak")
    last.legend(lines.values(), lines, loc="center", borderaxespad=0)
    return figure


def of_today(method, run):
    """Whether a stored run has the settings of today."""
    return run["settings"] == method.to_dict()


def costs_of_today(methods, found):
    """Whether stored costs are those of this machine, and of these methods at least."""
    settings = {arm: method.to_dict() for arm, method in methods.items()}
    return found["cpu"] == machine()["cpu"] and settings.items() <= found["settings"].items()


@benchmark("60 steps of each arm on denoising")
@click.option("--tasks", "names", default=",".join(tasks.names()), help="e.g. denoising,mri [all].")
def main(threads, quick, anew, names):
    """Measure the time to quality, ours and published."""
    use(threads)
    names, steps = (["denoising"], 60) if quick else (names.split(","), LIMIT)
    measured = Measured("bench_quality", rows_of, dict(size=SIZE, steps=steps, patience=PATIENCE),
                        keep=not quick, anew=anew, portable=True)
    methods = {task: {arm: method for arm, method_of in ARMS.items() if (method := method_of(task)) is not None}
               for task in names}
    for seed in range(1 if quick else max(SEEDS.values())):
        for task, arm in [(name, arm) for name in names for arm in methods[name]]:
            if seed < SEEDS.get(arm, 1):
                measured.measure(name_of(task, arm, seed), partial(measure, task, arm, steps, seed),
                                 valid=partial(of_today, methods[task][arm]))
    for task in names:
        measured.measure(f"{task}: costs", partial(costs, task, methods[task], 1 if quick else TURNS),
                         valid=partial(costs_of_today, methods[task]))
    measured.show(draw)


if __name__ == "__main__":
    main()
