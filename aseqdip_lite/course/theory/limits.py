"""What breaks Theorem A.1's prediction: a step above 2 / lambda_max, a kernel that moves, Adam in place of descent.

The width's part is measured by `residual.measure_widths`. Here:

* step size: for beta lambda_max > 2 the prediction of Eq. 12 grows without bound, as |1 - beta lambda_max|^t. A
  network need not follow: its kernel can shrink until the step is stable again.
* Adam moves the output by -beta J D J^T (f - y) with a diagonal D that follows the gradients: another kernel, and one
  that moves. Time has no common unit, so Adam's path is held against Eq. 12 at the step where the prediction is
  nearest to it: what is left is a difference of path and not of speed.
"""

import torch

from .descent import descend, sinusoid
from .nets import as_function, conv_net
from .ntk import ntk_matrix
from .residual import predicted

FACTORS = (0.25, 0.5, 1.0, 1.5, 1.9, 2.1, 2.5, 3.0, 4.0, 6.0, 10.0, 16.0, 25.0)

SIZES = {
    "smoke": dict(width=8, n=24, layers=3, steps=20, seeds=1, factors=(1.0, 2.5), adam=(1e-3,)),
    "laptop": dict(width=64, n=100, layers=5, steps=200, seeds=3, factors=FACTORS, adam=(1e-5, 1e-4, 1e-3)),
    "paper": dict(width=512, n=100, layers=5, steps=1000, seeds=10, factors=FACTORS, adam=(1e-6, 1e-5, 1e-4, 1e-3)),
}

#: A run whose residual is this many times the one at its start has diverged; it is stopped there.
DIVERGED = 1e3


def measure(width, n, layers, steps, seeds, factors, adam, kind="noise"):
    """`step_size` for each beta lambda_max of `factors` and `path_distance` for each rate of `adam`, residual networks.

    Args:
        width, layers: of the networks; n: length; steps: most gradient steps of a run; seeds: how many runs of each.
        factors: values of beta lambda_max; adam: learning rates of Adam; kind: input, "x", "y" or "noise".

    Returns:
        {"factors", "step_size": [[found of each seed] of each factor], "adam": rates, "adam_path": [[`path_distance` of
        each seed] of each rate], "descent_path": [of gradient descent with beta lambda_max = 0.5, of each seed]}.
    """
    setups = [_setup(width, layers, n, kind, seed) for seed in range(seeds)]
    found = [[step_size(*setup, factor, steps) for setup in setups] for factor in factors]
    return dict(
        factors=list(factors), step_size=found, adam=list(adam),
        adam_path=[[path_distance(*setup, rate, steps, adam=True) for setup in setups] for rate in adam],
        descent_path=[path_distance(*setup, 0.5 / largest(setup[-1]), steps) for setup in setups])


def _setup(width, layers, n, kind, seed):
    signals = sinusoid(n, seed=seed)
    f, params = as_function(conv_net(width, layers, seed=seed), residual=True)
    z = getattr(signals, kind)
    return f, params, z, signals.y, ntk_matrix(f, params, z)


def largest(theta):
    """Largest eigenvalue of a symmetric matrix."""
    return float(torch.linalg.eigvalsh(theta)[-1])


def step_size(f, params, z, y, theta, factor, steps):
    """Gradient descent with beta = factor / lambda_max(Theta_0), predicted and trained.

    Returns:
        dict: "predicted" and "trained", the residuals ||f_t - y|| / ||f_0 - y|| of each step from 0, which end at
        `steps` or where they pass `DIVERGED`; "diverged", whether the trained one did; "kernel", lambda_max of the
        trained network's kernel at the end times beta, None if it diverged.
    """
    beta = factor / largest(theta)
    f0 = f(params, z)
    start = (f0 - y).norm()
    forecast = (predicted(theta, f0, y, beta, range(steps + 1)) - y).flatten(1).norm(dim=1) / start
    residuals, last = [], params
    for output, weights in descend(f, params, z, y, beta):
        residuals.append(float((output - y).norm() / start))
        if len(residuals) > steps or not residuals[-1] < DIVERGED:  # also for nan
            last = {name: w.detach() for name, w in weights.items()}
            break
    diverged = not residuals[-1] < DIVERGED
    return dict(predicted=_until_diverged(forecast.tolist()), trained=_until_diverged(residuals), diverged=diverged,
                kernel=None if diverged else beta * largest(ntk_matrix(f, last, z)))


def _until_diverged(values):
    """The values before the first that is not below `DIVERGED`."""
    return values[:next((i for i, value in enumerate(values) if not value < DIVERGED), len(values))]


def path_distance(f, params, z, y, theta, beta, steps, adam=False):
    """How far a run's path lies from the path of Eq. 12, whatever its speed, until its residual has halved.

    Returns:
        dict: "distance", the largest over steps of min_s ||f_t - p_s|| / ||y - f_0||, with p_s on the predicted path
        (s on a fine logarithmic grid); "left", the share of the residual at the end; "steps" made.
    """
    f0 = f(params, z)
    start = float((f0 - y).norm())
    times = torch.cat([torch.zeros(1), torch.logspace(-3, 7, 1001)])  # steps of beta lambda_max = 1, not whole
    path = predicted(theta, f0, y, 1e-3 / largest(theta), 1e3 * times.to(theta.dtype)).flatten(1)
    worst = 0.0
    for step, (output, _) in enumerate(descend(f, params, z, y, beta, adam)):
        left = float((output - y).norm()) / start
        worst = max(worst, float((path - output.flatten()).norm(dim=1).min()) / start)
        if left <= 0.5 or step == steps:
            return dict(distance=worst, left=left, steps=step)
