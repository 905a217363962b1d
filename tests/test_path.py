"""The path of a run: the split of an error, what pulls an output, and that following a run does not change it."""

import math
from dataclasses import replace

import pytest
import torch

from aseqdip_lite import ASeqDIP, iterate, load_case, metrics
from aseqdip_lite.course.theory import path
from aseqdip_lite.methods.heldout import HeldOut

SETTINGS = dict(lam=1.0, N=3, K=4, lr=1e-3)


def draws(count, shape=(1, 3, 8, 8), seed=0):
    return torch.randn((count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def noisy():
    case = load_case("denoising", "coffee", size=32, sigma=25, seed=0)
    return case.observation, torch.from_numpy(case.truth).permute(2, 0, 1)[None]


def test_the_split_gives_the_error_back_by_pythagoras():
    noise, other = draws(2)
    other = other - path.along(other, noise) * noise
    share, rest = path.split(0.3 * noise + other, noise)
    assert share == pytest.approx(0.3) and rest == pytest.approx(path.rms(other))
    assert path.rms(0.3 * noise + other) ** 2 == pytest.approx(share**2 * path.rms(noise) ** 2 + rest**2)


def test_psnr_of_share_and_rest_is_that_of_the_image(noisy):
    observation, x = noisy
    noise = observation.y - x
    image = x + 0.4 * noise + 0.02 * draws(1)[0, :, :, :1, :1].float()
    share, rest = path.split(image - x, noise)
    assert float(path.psnr(share, rest, path.rms(noise))) == pytest.approx(
        metrics.psnr(image[0].numpy(), x[0].numpy(), 1.0), abs=1e-3)


@pytest.mark.parametrize("lam", [0.0, 0.25, 4.0])
@pytest.mark.parametrize("N", [1, 2, 10])
def test_under_a_kernel_that_is_the_same_for_all_patterns_friction_is_lam_times_the_spring(lam, N):
    u, z, y = draws(3)
    q = (1 - 0.05 * (1 + lam)) ** N  # theta is a number: 2 beta theta = 0.05
    target = (y + lam * z) / (1 + lam)
    friction, spring = path.pulls(u, z, target + q * (u - target), y)
    assert spring == pytest.approx((1 - q) / (1 + lam)) and friction == pytest.approx(lam * spring, abs=1e-12)


def test_no_pull_is_told_apart_where_there_is_one_direction():
    z, y = draws(2)
    assert path.pulls(z, z, y, y) == (0.0, 0.0)


def test_following_a_run_does_not_change_it_and_sees_its_stages(noisy):
    observation, x = noisy
    method = ASeqDIP(**SETTINGS)
    rows = list(path.follow(observation, method, x, seed=2))
    stages = [state.image for state in iterate(observation, method, seed=2) if state.carry.inner == 0]
    noise = observation.y - x
    assert [row["step"] for row in rows] == [6, 9, 12] and set(rows[0]) == set(path.COLUMNS)
    for row, before, z in zip(rows, stages[:-1], stages[1:], strict=True):
        assert (row["share"], row["rest"]) == pytest.approx(path.split(z - x, noise))
        assert row["motion"] == pytest.approx(path.rms(z - before))
    assert all(row["lam"] == 1.0 for row in rows)


def test_the_swap_is_what_the_first_step_of_the_next_stage_meets(noisy):
    """||u_k - z_{k-1}||^2 is the autoencoding term at the first step of stage k."""
    observation, x = noisy
    method = ASeqDIP(**SETTINGS)
    first = [state.losses["autoencoding"] for state in iterate(observation, method, seed=2)
             if state.carry.inner == 1][1:]
    rows = list(path.follow(observation, method, x, seed=2))
    assert [row["swap"] ** 2 * x.numel() for row in rows] == pytest.approx(first, rel=1e-4)


def test_freedom_is_what_arrives_of_a_second_noise(noisy):
    observation, x = noisy
    method = ASeqDIP(**SETTINGS)
    last = list(path.follow(observation, method, x, seed=2))[-1]
    generator = torch.Generator().manual_seed(3)
    probe = torch.randn(x.shape, generator=generator) * path.PROBE * (observation.y - x).std()
    ends = []
    for shift in (0, probe):
        changed = replace(observation, y=observation.y + shift, start=observation.start + shift)
        *_, state = iterate(changed, method, seed=2)
        ends.append(state.image)
    assert last["freedom"] == pytest.approx(path.along(ends[1] - ends[0], probe), rel=1e-6)


def test_a_schedule_shows_its_lam_and_held_out_measurements_have_no_freedom(noisy):
    observation, x = noisy
    ramp = replace(ASeqDIP(**SETTINGS), lam="geometric:first=1,last=8,begin=0,end=12")
    lams = [row["lam"] for row in path.follow(observation, ramp, x)]
    assert lams == pytest.approx([8 ** (step / 12) for step in (3, 6, 9)])
    rows = list(path.follow(observation, replace(ASeqDIP(**SETTINGS), lam="auto"), x))
    assert [row["freedom"] for row in rows] == [None] * len(rows) and rows[0]["lam"] == HeldOut().first


def test_measure_returns_the_paths_of_all_arms():
    arms = {"lam 0": dict(lam=0.0, N=2), "lam 4": dict(lam=4.0, N=2)}
    found = path.measure(["coffee"], 32, 25.0, 6, arms, workers=1, progress=False)
    assert [run["arm"] for run in found] == list(arms)
    assert all(set(run["path"]) == set(path.COLUMNS) and run["path"]["step"] == [4, 6] for run in found)
    assert all(math.isclose(run["noise"], 25 / 255, rel_tol=0.05) for run in found)
