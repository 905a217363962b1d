"""What lam changes along a run of aSeqDIP in denoising: how fast it goes, or which way.

With n = y - x every input is z_k = x + a n + r, r orthogonal to n: a is the share of the noise that is in it, r what is
missing or wrong of the picture. A run is a path in the plane of a and |r|. If lam changed the speed alone, all paths
would be one, and no lam could reach a better image than another; so the paths are what to compare.
"""

from dataclasses import replace

import numpy as np
import torch

from ...run.engine import iterate
from ...study.sweep import sweep
from ...study.trials import Trial

#: Strength of the second noise, in units of the first, by which the degrees of freedom are probed.
PROBE = 0.3

#: Columns of a path; "freedom" is None for the schedule "heldout".
COLUMNS = ("step", "lam", "share", "rest", "freedom", "swap", "motion", "carried", "friction", "spring")


def measure(images, size, sigma, steps, arms, seeds=1, workers=None, progress=True):
    """The path of every arm on every picture; zero is black.

    Args:
        images: names; size: side in pixels; sigma: of the noise, in 1/255; seeds: of data and weights.
        steps: Adam steps; arms: {label: settings of aSeqDIP}, e.g. {"lam 1": {"lam": 1.0}}.
        workers, progress: see `sweep`.

    Returns:
        [{"arm", "image", "seed", "noise": rms of n, "path": {column: list with one value a stage}}], see `follow`.
    """
    problem = dict(size=size, sigma=sigma, fill="zero")
    jobs = {(arm, image, seed): dict(arm=arm, budget=steps, trial=Trial(
                "denoising", "aseqdip", problem | dict(image=image), settings, steps, seed, seed))
            for arm, settings in arms.items() for image in images for seed in range(seeds)}
    found = sweep(run, jobs, workers=workers, progress=progress, label="paths")
    if len(found) < len(jobs):
        raise KeyboardInterrupt
    return list(found.values())


def run(job, watch):
    """One arm on one picture, for `sweep`."""
    trial, rows = job["trial"], []
    case = trial.case()
    x = torch.from_numpy(case.truth).permute(2, 0, 1)[None]  # (H, W, 3) -> (1, 3, H, W)
    for row in follow(case.observation, trial.configured(), x, trial.seed):
        rows.append(row)
        if watch(row["step"]):
            return None
    noise = float((case.observation.y - x).square().mean().sqrt())
    return dict(arm=job["arm"], image=trial.problem["image"], seed=trial.seed, noise=noise,
                path={column: [row[column] for row in rows] for column in COLUMNS})


def follow(observation, method, x, seed=0):
    """Yield what happened in each stage of a run, a dictionary with `COLUMNS`.

    * lam: of the stage; step: at its end.
    * share, rest: a, and the rms of r, of z_k.
    * freedom: share of a second, small noise that arrives in z_k: y is changed by it and the run made again beside this
      one. Its mean is the effective degrees of freedom per pixel, and the truth does not occur in it.
    * swap: rms of u_k - z_{k-1}, where u_k = f_{phi_{k-1}}(z_{k-1}) is the output that the swap has left;
      motion: rms of v_k = z_k - z_{k-1}; carried: <u_{k+1} - z_k, v_k> / ||v_k||^2, how much further the swap carries.
    * friction, spring: see `pulls`.

    A stage after which the schedule "heldout" has gone back is left out.

    Args:
        observation: of denoising; method: an `ASeqDIP`; x: the truth, (1, C, H, W); seed: of the run and of the probe.
    """
    noise = observation.y - x
    probe = torch.randn(noise.shape, generator=torch.Generator().manual_seed(seed + 1)) * PROBE * noise.std()
    beside = iterate(replace(observation, y=observation.y + probe, start=observation.start + probe), method, seed=seed)
    alone = "risk" in next(iterate(observation, method, seed=seed)).terms  # the two runs would go back at other steps
    z, u = observation.start, None
    for state in iterate(observation, method, seed=seed):
        other = None if alone else next(beside, None)
        carry = state.carry
        if carry.inner:
            continue
        new, moved = state.image, carry.z is state.image
        with torch.no_grad():
            carried_to = carry.network(carry.z) if moved else None
        if u is not None and moved:
            share, rest = split(new - x, noise)
            motion = new - z
            friction, spring = pulls(u, z, new, observation.y)
            freedom = None if other is None else split(other.image - new, probe)[0]
            yield dict(step=state.step, lam=state.terms.get("lam", method.lam), share=share, rest=rest, freedom=freedom,
                       swap=rms(u - z), motion=rms(motion), carried=along(carried_to - new, motion),
                       friction=friction, spring=spring)
        z, u = carry.z, carried_to


def split(error, noise):
    """(a, rms of r) of error = a noise + r with r orthogonal to the noise."""
    share = along(error, noise)
    return share, rms(error - share * noise)


def pulls(u, z, new, y):
    """(friction, spring): the least squares fit of new - u = friction (z - u) + spring (y - u).

    For one step of size beta under a frozen kernel theta that is the same for all patterns, friction is
    2 beta theta lam and spring 2 beta theta: their ratio is lam. (0, 0) where z - u and y - u are one direction.
    """
    a, b, change = (part.flatten().double() for part in (z - u, y - u, new - u))
    matrix = torch.stack([torch.stack([a @ a, a @ b]), torch.stack([a @ b, b @ b])])
    if torch.linalg.det(matrix) <= 1e-12 * (a @ a) * (b @ b):
        return 0.0, 0.0
    return tuple(torch.linalg.solve(matrix, torch.stack([a @ change, b @ change])).tolist())


def along(a, b):
    """<a, b> / ||b||^2."""
    return float((a * b).sum() / b.square().sum())


def rms(a):
    """Root mean square."""
    return float(a.square().mean().sqrt())


def psnr(share, rest, noise):
    """PSNR in dB of x + share n + r, for a peak of 1 and without clipping; `rest` and `noise` are rms."""
    return -10 * np.log10(np.square(share) * noise**2 + np.square(rest))
