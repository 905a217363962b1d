"""Theorem A.1 of the aSeqDIP paper: the trajectory that a fixed kernel predicts, against trained networks.

For gradient descent with rate beta on 1/2 ||f - y||^2 and a kernel Theta that does not move (Eq. 12)

    f_t = y - (I - beta Theta)^t (y - f_0).

A residual network f = z + g has the kernel of g and f_0 = z + g_0; over initialisations E g_0 = 0, so that
E f_t = y - (I - beta Theta)^t (y - z) where Theta is deterministic, that is at infinite width (Eq. 13).

Two comparisons, kept apart. `measure_widths`: each network against its own Theta and its own f_0, so that only the
kernel's movement is left, which falls with width. `measure_expectation`: the mean over networks against Eq. 13.
In He's initialisation g_0 is no small term: its variance is about 2 mean(z^2) at every width, so single networks start
far from z and only their mean does not.
"""

import numpy as np
import torch

from ...study.sweep import sweep
from .descent import descend, log_steps, sinusoid
from .nets import antithetic, as_function, conv_net
from .ntk import ntk_matrix

#: Sizes of `measure_widths`. Training stops at `steps` where the residual has not halved by then.
WIDTHS = {
    "smoke": dict(widths=(8, 16), seeds=1, n=24, layers=3, steps=30),
    "laptop": dict(widths=(16, 32, 64, 128, 256, 512), seeds=3, n=100, layers=5, steps=300),
    "paper": dict(widths=(16, 32, 64, 128, 256, 512), seeds=10, n=100, layers=5, steps=3000),
}

#: Sizes of `measure_expectation`.
EXPECTATION = {
    "smoke": dict(width=8, networks=4, n=24, layers=3, steps=20),
    "laptop": dict(width=64, networks=20, n=100, layers=5, steps=300),
    "paper": dict(width=512, networks=100, n=100, layers=5, steps=3000),
}

#: (input, residual network or plain) of `measure_widths`.
KINDS = (("noise", True), ("noise", False), ("y", True), ("x", True))


def predicted(theta, f0, y, beta, steps):
    """Eq. 12 by eigendecomposition: y - (I - beta Theta)^t (y - f_0) for each t of `steps`.

    Args:
        theta: (m, m) symmetric kernel; f0, y: outputs of m entries, any one shape; beta: learning rate.
        steps: step numbers, T of them.

    Returns: (T, *shape of f0).
    """
    values, modes = torch.linalg.eigh(theta)
    coefficients = modes.T @ (y - f0).flatten()  # (m,)
    times = torch.as_tensor(steps, dtype=theta.dtype)[:, None]
    left = (1 - beta * values) ** times * coefficients  # (T, m)
    return y - (left @ modes.T).reshape(-1, *f0.shape)


def trained(f, params, z, y, beta, steps, until=0.0):
    """Outputs of gradient descent on 1/2 ||f - y||^2 after each t of `steps` (see `descent.descend`).

    Args:
        f, params, z, y, beta: as for `descend`.
        steps: step numbers, ascending.
        until: stop after the first recorded step at which ||f_t - y|| is at most this share of ||f_0 - y||.

    Returns:
        steps: those reached; outputs: (T, *shape); weights: {name: tensor} after the last of them.
    """
    reached, outputs, wanted, enough = [], [], set(steps), until * float((f(params, z) - y).norm())
    for step, (output, weights) in enumerate(descend(f, params, z, y, beta)):
        if step in wanted:
            reached.append(step)
            outputs.append(output)
            if step == max(wanted) or float((output - y).norm()) <= enough:
                return reached, torch.stack(outputs), {name: w.detach() for name, w in weights.items()}


def trajectory_error(prediction, outputs, y):
    """Three relative errors of a predicted trajectory, each (T, *shape); the first entry is step 0.

    Returns:
        dict: "relative" ||P - F|| / ||F|| over all steps together; "worst" the largest ||p_t - f_t|| / ||y - f_0||, in
        units of the residual at the start; "change" ||P - F|| over all steps relative to ||F - f_0||, the strictest,
        for a prediction that nothing moves scores 1.
    """
    P, F, y = prediction.flatten(1), outputs.flatten(1), y.flatten()
    difference = P - F
    return dict(relative=float(difference.norm() / F.norm()),
                worst=float(difference.norm(dim=1).max() / (y - F[0]).norm()),
                change=float(difference.norm() / (F - F[0]).norm()))


def run_width(width, kind, residual, seed, *, n=100, layers=5, steps=3000, beta_lambda=0.5):
    """One network against its own kernel until its training residual ||f_t - y|| has halved, or until `steps`.

    Args:
        width, layers: of the network; n: length of the signal; seed: of data and weights.
        kind: its input, "x", "y" or "noise"; residual: f = z + g rather than f = g.
        beta_lambda: beta times the largest eigenvalue of Theta, the same for all widths.

    Returns:
        dict: the errors of `trajectory_error`; "steps" made; "left", the share of the residual that is left;
        "lambda_max"; "kernel", the relative change ||Theta_t - Theta_0|| / ||Theta_0|| by the end; "start",
        ||f_0 - z|| / ||z||.
    """
    signals = sinusoid(n, seed=seed)
    z, y = getattr(signals, kind), signals.y
    f, params = as_function(conv_net(width, layers, seed=seed), residual)
    theta = ntk_matrix(f, params, z)
    lambda_max = float(torch.linalg.eigvalsh(theta)[-1])
    beta = beta_lambda / lambda_max
    reached, outputs, weights = trained(f, params, z, y, beta, range(steps + 1), until=0.5)
    errors = trajectory_error(predicted(theta, outputs[0], y, beta, reached), outputs, y)
    moved = ntk_matrix(f, weights, z) - theta
    return dict(errors, steps=reached[-1], left=float((outputs[-1] - y).norm() / (outputs[0] - y).norm()),
                lambda_max=lambda_max, kernel=float(moved.norm() / theta.norm()),
                start=float((outputs[0] - z).norm() / z.norm()))


def measure_widths(widths, seeds, n, layers, steps, beta_lambda=0.5, kinds=KINDS, *, workers=None, progress=True):
    """`run_width` for each width and seed; how the errors fall with width.

    Args:
        widths: channels; seeds: how many draws of data and weights at each; n, layers, steps, beta_lambda: see there.
        kinds: pairs (input, residual or plain); workers: processes, by default one for each core; progress: a bar.

    Returns:
        {"widths", "beta_lambda", "runs": {kind: [[run of each seed] of each width]}, "slopes": {kind: {error:
        {"slope", "std_error"} of log error against log width, over all runs}}}; kinds such as "noise, residual".
    """
    labels = {f"{kind}, {'residual' if residual else 'plain'}": (kind, residual) for kind, residual in kinds}
    sizes = dict(n=n, layers=layers, steps=steps, beta_lambda=beta_lambda)
    jobs = {f"{label} {width} {seed}": dict(args=(width, *labels[label], seed), sizes=sizes, budget=1)
            for label in labels for width in widths for seed in range(seeds)}
    found = sweep(_run_job, jobs, workers=workers, progress=progress, label="Theorem A.1")
    runs = {label: [[found[f"{label} {width} {seed}"] for seed in range(seeds)] for width in widths]
            for label in labels}
    slopes = {label: {name: loglog_slope(widths, [[run[name] for run in row] for row in rows])
                      for name in ("relative", "worst", "change", "kernel")} for label, rows in runs.items()}
    return dict(widths=list(widths), beta_lambda=beta_lambda, runs=runs, slopes=slopes)


def _run_job(job, watch):
    return None if watch(0) else run_width(*job["args"], **job["sizes"])


def loglog_slope(widths, values):
    """Least-squares slope of log value against log width; values: one list of positive numbers for each width.

    Returns: {"slope", "std_error"}; the standard error is None below three points.
    """
    u = np.concatenate([np.full(len(row), np.log(w)) for w, row in zip(widths, values, strict=True)])
    v = np.log(np.concatenate([np.asarray(row) for row in values]))
    u = u - u.mean()
    slope = float(u @ v / (u @ u))
    if len(u) < 3:
        return dict(slope=slope, std_error=None)
    left = v - v.mean() - slope * u
    return dict(slope=slope, std_error=float(np.sqrt(left @ left / (len(u) - 2) / (u @ u))))


def measure_expectation(width, networks, n, layers, steps, beta_lambda=0.5, seed=0):
    """Eq. 13 against the mean of trained residual networks, for the inputs x, y and noise (Remark A.2).

    Two means over the same number of networks: independent draws, and antithetic pairs (`nets.antithetic`), whose mean
    starts exactly at z. Theta is the mean kernel and beta the same for all networks.

    Args:
        width, layers: of the networks; networks: how many in each mean, even; n: length; steps: gradient steps.
        beta_lambda: beta times the largest eigenvalue of the mean kernel; seed: of the data.

    Returns:
        {"steps", "noise": mean((y - x)^2), "inputs": {kind: curve}} with a curve of "theorem", "antithetic" and
        "independent", mean squared errors to the truth of the three mean trajectories, and "single", the mean over
        networks of their own errors; "start", ||mean f_0 - z|| / ||z||, and "error", the largest distance of a mean
        from Eq. 13 in units of ||y||, for each of the two means; "kernel", the spread of the kernels,
        the root mean square over networks of ||Theta - mean|| / ||mean||.
    """
    signals, record = sinusoid(n, seed=seed), log_steps(steps)
    inputs = {kind: _mean_against_theorem(signals, getattr(signals, kind), width, layers, networks, record, beta_lambda)
              for kind in ("x", "y", "noise")}
    return dict(steps=record, noise=float(((signals.y - signals.x) ** 2).mean()), inputs=inputs)


def _mean_against_theorem(signals, z, width, layers, networks, record, beta_lambda):
    x, y = signals.x, signals.y
    f = as_function(conv_net(width, layers), residual=True)[0]  # the same function for all weights
    weights = [as_function(conv_net(width, layers, seed=seed))[1] for seed in range(networks)]
    thetas = torch.stack([ntk_matrix(f, params, z) for params in weights])
    theta = thetas.mean(dim=0)
    beta = beta_lambda / float(torch.linalg.eigvalsh(theta)[-1])
    theorem = predicted(theta, z, y, beta, record)
    independent = torch.stack([trained(f, params, z, y, beta, record)[1] for params in weights])
    half = weights[:networks // 2]
    partners = torch.stack([trained(f, antithetic(params), z, y, beta, record)[1] for params in half])
    means = dict(independent=independent.mean(dim=0), antithetic=(independent[:len(half)] + partners).mean(dim=0) / 2)

    def mse(outputs):
        return ((outputs - x) ** 2).flatten(-2).mean(dim=-1)  # (..., 1, n) -> (...)

    return dict(
        theorem=mse(theorem)[:, 0].tolist(), single=mse(independent).mean(dim=0)[:, 0].tolist(),
        **{name: mse(mean)[:, 0].tolist() for name, mean in means.items()},
        start={name: float((mean[0] - z).norm() / z.norm()) for name, mean in means.items()},
        error={name: float((mean - theorem).flatten(1).norm(dim=1).max() / y.norm()) for name, mean in means.items()},
        kernel=float(((thetas - theta).flatten(1).norm(dim=1) ** 2).mean().sqrt() / theta.norm()))
