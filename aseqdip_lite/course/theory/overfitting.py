"""Experiment A.2 of the aSeqDIP paper (Fig. 6): when a network learns the noise, by its input.

A sinusoid of length 100 in noise N(0, I); a 5-layer ReLU network of 64 channels with a residual connection,
f = z + g, trained by gradient descent with rate 5e-4 from the inputs x, y and noise. The paper says neither the
number of periods nor whether its loss is a sum or a mean. With the sum this rate diverges (lambda_max of the kernel is
about 3e4, so 2 / lambda_max is below 1e-4). With the theorem's 1/2 ||f - y||^2 the rate is beyond that limit as well,
though runs from x and from noise do not diverge in 200 steps (lesson 04). So here it is the mean, the only loss of the
three within the limit, and beta = 2 lr / n = 1e-5 in Theorem A.1's terms.
"""

from ...study.sweep import sweep
from .descent import descend, log_steps, sinusoid
from .nets import as_function, conv_net
from .ntk import ntk_matrix
from .residual import predicted

#: Sizes of `measure`; 1e5 steps at width 64 take about 100 s on one core.
SIZES = {
    "smoke": dict(n=24, width=8, layers=3, steps=50, seeds=1, distances=(0.5,)),
    "laptop": dict(n=100, width=64, layers=5, steps=100_000, seeds=1, distances=(0.1, 0.2, 0.5, 1.0)),
    "paper": dict(n=100, width=64, layers=5, steps=300_000, seeds=10, distances=(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)),
}

INPUTS = ("x", "y", "noise")

#: A run ends where mean((f - y)^2) is this share of mean((y - x)^2): the noise is learned, nothing more happens.
FITTED = 0.01

#: Steps between two reports of a run to the bar.
REPORT = 500


def measure(n, width, layers, steps, seeds, distances, lr=5e-4, residual=True, *, workers=None, progress=True):
    """`curve` for the inputs x, y and noise, and for x + d noise at each distance d.

    Args:
        n: length; width, layers: of the network; steps: gradient steps; lr: rate for the mean squared error.
        seeds: how many draws of data and weights, the same for all inputs of a draw.
        distances: values of d, the root mean square distance of z from x; residual: f = z + g, else f = g.
        workers: processes, by default one for each core; progress: show a bar.

    Returns:
        {"steps": the last one, "inputs": {kind: [curve of each seed]}, "distances", "by_distance": [[curve of each
        seed] of each d], "ratios": {"overfitting" | "fitted": [`ratio` of each seed]}}.
    """
    record = log_steps(steps)
    sizes = dict(n=n, width=width, layers=layers, lr=lr, residual=residual, record=record, budget=steps)
    jobs = {f"{z} {seed}": dict(sizes, z=z, seed=seed) for z in (*INPUTS, *distances) for seed in range(seeds)}
    found = sweep(run, jobs, workers=workers, progress=progress, label="F6")
    inputs = {kind: [found[f"{kind} {seed}"] for seed in range(seeds)] for kind in INPUTS}
    ratios = {name: [ratio(x[name], noise[name], steps) for x, noise in zip(inputs["x"], inputs["noise"], strict=True)]
              for name in ("overfitting", "fitted")}
    return dict(steps=steps, inputs=inputs, distances=list(distances), ratios=ratios,
                by_distance=[[found[f"{d} {seed}"] for seed in range(seeds)] for d in distances])


def ratio(late, early, last):
    """{"ratio", "is_bound"} of two steps: a bound with `last` for `late` where that is None; None without `early`."""
    return dict(ratio=(late or last) / early if early else None, is_bound=late is None)


def run(job, watch):
    """One `curve` of the sweep; the job's z is a name of `INPUTS` or the distance d of x + d noise."""
    signals, z = sinusoid(job["n"], seed=job["seed"]), job["z"]
    z = getattr(signals, z) if z in INPUTS else signals.x + z * signals.noise
    settings = {name: job[name] for name in ("record", "width", "layers", "lr", "residual", "seed")}
    return curve(signals, z, **settings, watch=watch)


def curve(signals, z, record, width=64, layers=5, lr=5e-4, residual=True, seed=0, watch=None):
    """One network trained on y from input z: its errors at the recorded steps, and what its initial kernel predicts.

    Args:
        signals: the `descent.Signals` of the problem; z: (1, 1, n) input; record: ascending step numbers.
        width, layers, residual, seed: of the network; lr: rate for the mean squared error.
        watch: called with the step now and then; the run ends, with None, if the answer is true.

    Returns:
        dict: "steps", the recorded ones until the end or until the noise is learned (`FITTED`); "truth" mean((f - x)^2)
        and "data" mean((f - y)^2) at each; "noise" mean((y - x)^2); "best" and "best_step", the least error to the
        truth and where; "overfitting", see `overfitting_step`; "fitted", the step where the noise is learned, or None;
        "predicted" and "predicted_overfitting", the error to the truth that Eq. 12 gives with the kernel at the start,
        at all of "predicted_steps", and its step.
    """
    x, y = signals.x, signals.y
    f, params = as_function(conv_net(width, layers, seed=seed), residual)
    beta = 2 * lr / y.numel()  # mean((f - y)^2) has 2 / n times the gradient of 1/2 ||f - y||^2
    noise, wanted, truth, data = float(((y - x) ** 2).mean()), set(record), [], []
    for step, (output, _) in enumerate(descend(f, params, z, y, beta)):
        if step in wanted:
            truth.append(float(((output - x) ** 2).mean()))
            data.append(float(((output - y) ** 2).mean()))
            if step == record[-1] or data[-1] <= FITTED * noise:
                break
        if watch is not None and step % REPORT == 0 and watch(step):
            return None
    forecast = predicted(ntk_matrix(f, params, z), f(params, z), y, beta, record)
    forecast = ((forecast - x) ** 2).flatten(1).mean(dim=1).tolist()
    steps, best = record[:len(truth)], min(truth)
    return dict(steps=steps, truth=truth, data=data, noise=noise, best=best, best_step=steps[truth.index(best)],
                overfitting=overfitting_step(steps, truth, noise),
                fitted=steps[-1] if data[-1] <= FITTED * noise else None,
                predicted_steps=record, predicted=forecast,
                predicted_overfitting=overfitting_step(record, forecast, noise))


def overfitting_step(steps, errors, noise):
    """First recorded step after the least error at which the error has risen half of the way to the noise level.

    Args:
        steps: recorded steps; errors: error to the truth at each; noise: the error of y, mean((y - x)^2).

    Returns: a step; None if the error has not risen so far by the last one, or never was below the noise level.
    """
    lowest = min(range(len(errors)), key=errors.__getitem__)
    if errors[lowest] >= noise:
        return None
    level = (errors[lowest] + noise) / 2
    return next((step for step, error in zip(steps[lowest:], errors[lowest:], strict=True) if error >= level), None)
