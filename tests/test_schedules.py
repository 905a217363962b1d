"""lam and N as schedules: what they do along a run, what they are shown, and that a run with one can be resumed."""

import json
import math
from dataclasses import dataclass, replace

import pytest
import torch
from checks import error_of
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from aseqdip_lite import InputError, iterate, load_case, reconstruct
from aseqdip_lite.cli.commands import main
from aseqdip_lite.methods import schedules
from aseqdip_lite.methods.aseqdip import ASeqDIP
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.methods.schedules import Geometric, Growth, Stage, parse


@pytest.fixture(scope="module")
def case():
    return load_case("denoising", profile="smoke", size=32)


def stage_of(case, step=1, residual=None, swap=1.0, move=0.0):
    """A `Stage` of the case's observation with what a test wants to be seen."""
    z = case.observation.start
    return Stage(case.observation, step, z, z + move, torch.ones_like(z) if residual is None else residual, swap)


def values(schedule, stages):
    """The schedule's value after each stage."""
    memory = {}
    return [schedule.next(stage, memory) for stage in stages]


# Texts.

@given(first=st.floats(1e-3, 1e3), last=st.floats(1e-3, 1e3), begin=st.integers(0, 99), end=st.integers(100, 10**6))
def test_a_schedule_is_its_text(first, last, begin, end):
    schedule = Geometric(first, last, begin, end)
    assert parse(str(schedule)) == schedule and parse(schedule) is schedule


def test_what_a_text_leaves_out_has_its_default():
    assert parse("growth:power=2, first=0.5") == Growth(power=2.0, first=0.5) and parse("growth") == Growth()
    assert parse("auto") == parse(schedules.AUTO)
    assert ASeqDIP(lam="4", N="3") == ASeqDIP(lam=4.0, N=3)


@pytest.mark.parametrize("settings, words", [
    (dict(lam="often"),
     "lam must be of type float or a schedule: unknown schedule 'often': known: geometric, growth, heldout, auto"),
    (dict(N="geometrc"), "N must be of type int or a schedule: unknown schedule 'geometrc': did you mean 'geometric'? "
                         "known: geometric, growth, heldout, auto"),
    (dict(lam="growth:xyz=2"), "lam must be of type float or a schedule: unknown setting of the schedule growth "
                               "'xyz': known: first, power, begin, most, bound"),
    (dict(lam="growth:power=fast"), "lam must be of type float or a schedule: power of the schedule growth must be of "
                                    "type float, got 'fast'"),
    (dict(lam="growth:begin=red"), "lam must be of type float or a schedule: unknown signal 'red': known: white, "
                                   "discrepancy, swap, motion, variance"),
    (dict(lam="geometric:first=0"), "lam must be of type float or a schedule: first must be above 0.0, got 0.0"),
    (dict(lam="geometric:begin=9,end=9"),
     "lam must be of type float or a schedule: a geometric schedule must end after it begins, got begin 9, end 9"),
    (dict(lam="auto:first=1"),
     "lam must be of type float or a schedule: auto takes no settings: write heldout:first=1"),
    (dict(N="auto:"), "N must be of type int or a schedule: auto takes no settings: write heldout"),
    (dict(lam=ASeqDIP), f"lam must be of type float, got {ASeqDIP!r}"),
])
def test_what_is_no_schedule_is_refused(settings, words):
    assert error_of(ASeqDIP, **settings) == words


def test_a_field_without_bounds_or_help_is_checked_by_its_type():
    @dataclass(frozen=True)
    class Plain(ASeqDIP):
        network: str = "lite"

    assert Plain(network="other").network == "other"
    with pytest.raises(InputError, match="network must be of type str, got 3"):
        Plain(network=3)


# What a schedule does.

def test_a_geometric_schedule_changes_by_equal_factors(case):
    stages = [stage_of(case, step) for step in (1, 10, 20, 30, 40, 50, 90)]
    found = values(Geometric(2.0, 32.0, begin=10, end=50), stages)
    assert found == pytest.approx([2, 2, 4, 8, 16, 32, 32])


def test_growth_begins_with_its_signal_and_goes_with_the_power_of_time(case):
    white, smooth = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.ones(1, 3, 32, 32)
    white = white * smooth.norm() / white.norm()
    if schedules.lag_one(white) > 0:
        white[..., ::2] *= -1
    stages = [stage_of(case, step, smooth if step < 40 else white) for step in (20, 40, 60, 80, 120)]
    assert values(Growth(first=0.5, power=2.0), stages) == pytest.approx([0.5, 0.5, 0.5 * 1.5**2, 0.5 * 4, 0.5 * 9])


def test_growth_is_held_while_the_residual_stands_out(case):
    def at(step, size):
        return stage_of(case, step, size**0.5 * torch.ones(1, 3, 32, 32), swap=step)  # rises: past its minimum at once

    stages = [at(10, 1.0), at(20, 1.0), at(30, 2.1), at(40, 1.9), at(50, 0.5), at(60, 1.9)]
    found = values(Growth(first=1.0, power=1.0, begin="swap", bound=2.0), stages)
    assert found == pytest.approx([1, 1, 1, 1.5, 2, 2])  # T = 20; 30 and 60 do not count


def test_damping_keeps_the_terms_own_weight_and_lets_that_of_the_data_fade():
    schedule = Growth(first=2.0, most=8.0)
    for value in (2.0, 10.0, 16.0):
        assert schedule.damping(value) == 1
    for value in (32.0, 800.0):
        data, term = schedule.damping(value), value * schedule.damping(value)
        assert term == pytest.approx(16) and data == pytest.approx(16 / value)


# Signals.

def test_lag_one_is_a_correlation_of_neighbours():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 2, 300, 301, generator=generator)
    assert abs(schedules.lag_one(noise)) < 0.01
    mean = noise[..., 1:, 1:] + noise[..., :-1, 1:]  # of two rows: correlation 1/2 down and 0 across
    assert schedules.lag_one(mean) == pytest.approx(0.25, abs=0.01)
    assert schedules.lag_one(7 * mean) == pytest.approx(schedules.lag_one(mean))
    assert schedules.lag_one(mean * (1 - 2j)) == pytest.approx(schedules.lag_one(mean), abs=1e-5)
    board = torch.ones(1, 1, 40, 40)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = -1
    assert schedules.lag_one(board) == pytest.approx(-39 / 40)


@pytest.mark.parametrize("task", ["mri", "ct", "denoising", "deblurring"])
def test_white_noise_in_the_measurements_is_white(task):
    observation = load_case(task, profile="smoke").observation
    memory, found = {}, []
    for seed in range(6):
        noise = torch.randn(observation.y.shape, generator=torch.Generator().manual_seed(9 + seed),
                            dtype=observation.y.dtype)
        stage = Stage(observation, 1, observation.start, observation.start, noise, 1.0)
        schedules.white(stage, memory)
        found.append(memory["whiteness"])
    assert abs(sum(found)) / 6 < 0.02
    as_an_image = replace(stage, residual=observation.A(observation.start))
    assert not schedules.white(as_an_image, memory)


def test_discrepancy_waits_for_the_energy_of_the_noise(case):
    unit = case.observation.noise_energy / case.observation.y.numel()
    for size, expected in ((1.01, False), (0.99, True)):
        stage = stage_of(case, residual=(size * unit) ** 0.5 * torch.ones_like(case.observation.y))
        assert schedules.discrepancy(stage, {}) is expected
    unknown = replace(case.observation, noise_std=None)
    assert schedules.discrepancy(replace(stage, observation=unknown), {}) is False


@pytest.mark.parametrize("signal", ["swap", "motion", "variance"])
def test_a_minimum_is_passed_when_there_was_none_for_a_fifth_of_the_steps(case, signal):
    memory = {}
    falling = [(step, 1.0 / step) for step in range(10, 401, 10)]
    rising = [(step, 0.01 * step) for step in range(410, 1001, 10)]
    fired = [step for step, size in falling + rising
             if schedules.SIGNALS[signal](stage_of(case, step, swap=size, move=size), memory)]
    assert 500 <= fired[0] <= (510 if signal != "variance" else 600) and fired[-1] == 1000


# In a run.

def test_a_schedule_that_does_not_change_is_a_number(case):
    plain = ASeqDIP(lam=2.0, N=3, K=6)
    same = replace(plain, lam=Geometric(2.0, 2.0, 0, 10), N=Geometric(3.0, 3.0, 0, 10))
    for ours, theirs in zip(iterate(case.observation, same), iterate(case.observation, plain), strict=True):
        assert torch.equal(ours.image, theirs.image) and ours.stage == theirs.stage
        assert ours.losses == theirs.losses | dict(lam=2.0, N=3.0)


@pytest.mark.parametrize("before, after, terms", [(0.0, "geometric:first=2", {"lam"}), ("auto", 3.0, set()),
                                                  (1.0, "auto", {"lam", "risk"}), ("growth", "auto", {"lam", "risk"})])
def test_a_carry_goes_on_with_the_lam_of_the_method_that_steps_it(case, before, after, terms):
    *_, last = iterate(case.observation, ASeqDIP(lam=before, K=2))
    method = ASeqDIP(lam=after, K=4)
    state = next(iterate(case.observation, method, carry=last.carry))
    assert state.step == 5 and set(state.losses) == {"loss", "data", "autoencoding"} | terms
    assert state.carry.controller.lam == schedules.first(method.lam) and not state.carry.replays


def test_stages_are_as_long_as_N_says_and_lam_weighs_the_term(case):
    method = ASeqDIP(lam=Geometric(1.0, 16.0, 2, 30), N=Geometric(1.0, 7.0, 0, 20), K=40)
    curve = reconstruct(case, method, progress=False).curve
    assert method.steps == 40 == curve["step"][-1]
    lengths = {stage: curve["stage"].count(stage) for stage in curve["stage"]}
    N = dict(zip(curve["stage"], curve["N"], strict=True))
    assert list(lengths.values())[:-1] == list(N.values())[:-1] and max(N.values()) == 7 > min(N.values()) == 1
    for lam, loss, data, term in zip(*(curve[name] for name in ("lam", "loss", "data", "autoencoding")), strict=True):
        assert loss == pytest.approx(data + lam * term, rel=1e-5)
    changes = [step for step, (a, b) in enumerate(zip(curve["lam"], curve["lam"][1:], strict=False)) if a != b]
    starts = [step for step, (a, b) in enumerate(zip(curve["stage"], curve["stage"][1:], strict=False)) if a != b]
    assert set(changes) <= set(starts)  # within a stage it stays


def test_the_swap_is_what_the_new_input_did_to_the_output(case):
    seen = []

    class Watch(Growth):
        def next(self, stage, memory):
            seen.append(stage)
            return self.first

    states = list(iterate(case.observation, ASeqDIP(lam=Watch(), N=2, K=3)))
    for k, stage in enumerate(seen):
        first, last = states[2 * k], states[2 * k + 1]
        assert stage.step == last.step and stage.swap == first.losses["autoencoding"]
        assert torch.equal(stage.output, last.image)
        assert float(square_norm(stage.residual)) == pytest.approx(last.losses["data"], rel=1e-6)
        if k:
            assert torch.equal(stage.z, seen[k - 1].output)


@pytest.mark.parametrize("settings", [
    dict(lam="growth:begin=motion,power=2,most=2"), dict(lam="growth:begin=variance", N=3),
    dict(lam="geometric:begin=3,end=20", N="geometric:first=1,last=5,begin=2,end=20"),
    dict(lam="heldout:first=1,warm_up=4,patience=0.01,share=0.1,average=0", N=3, lr=0.1)])  # goes back every few steps
@pytest.mark.parametrize("stop", [7, 15, 26])
def test_resumed_equals_uninterrupted(case, tmp_path, monkeypatch, settings, stop):
    monkeypatch.setattr(schedules, "WARM_UP", 5)
    monkeypatch.setattr(schedules, "PASSED", 0.02)  # so that something happens in so short a run
    method = ASeqDIP(**settings).with_steps(36)
    whole = reconstruct(case, method, steps=36, progress=False)
    reconstruct(case, method, steps=36, progress=False, out=tmp_path, watch=lambda step: step == stop)
    resumed = reconstruct(case, method, steps=36, progress=False, out=tmp_path, resume=True)
    assert torch.equal(resumed.answer, whole.answer)
    for name, column in whole.curve.items():
        assert all(a == b or math.isnan(a) and math.isnan(b) for a, b in zip(column, resumed.curve[name], strict=True))
    assert len(set(whole.curve["lam"])) > 1


def test_another_schedule_is_another_run(case, tmp_path):
    reconstruct(case, ASeqDIP(lam="auto", K=2), progress=False, out=tmp_path)
    with pytest.raises(InputError, match="lam"):
        reconstruct(case, ASeqDIP(lam="growth:power=1", K=2), progress=False, out=tmp_path, resume=True)


def test_auto_on_the_command_line(tmp_path):
    asked = f"run denoising --profile smoke --size 32 --lam auto --steps 6 --quiet --out {tmp_path}"
    assert CliRunner().invoke(main, asked.split()).exit_code == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert parse(metrics["settings"]["lam"]) == parse("auto")
    assert "lam" in (tmp_path / "curve.csv").read_text().splitlines()[0].split(",")
