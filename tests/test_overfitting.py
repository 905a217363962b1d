"""Experiment A.2 (F6): the overfitting step on curves made by hand, and the training against torch's own."""

import json
import math

import pytest
import torch
from checks import error_of

from aseqdip_lite.course.theory import figures, overfitting
from aseqdip_lite.course.theory.descent import log_steps, sinusoid
from aseqdip_lite.course.theory.nets import as_function, conv_net
from aseqdip_lite.course.theory.overfitting import curve, overfitting_step

# The overfitting step.


@pytest.mark.parametrize("errors, expected", [
    ([1.0, 0.2, 0.4, 0.59, 0.61, 0.9, 1.0], 40),  # least error 0.2, noise 1: half way is 0.6
    ([0.0, 0.1, 0.5, 0.7, 0.8, 0.9, 1.0], 20),  # perfect at the start, as with the truth as input
    ([3.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5], None),  # still falling
    ([0.7, 2.0, 0.2, 0.3, 0.61, 0.3, 0.3], 40),  # a peak before the least error does not count
    ([1.0] * 7, None),  # flat at the noise level: nothing to rise from
    ([3.0, 2.0, 1.5, 1.2, 1.1, 1.1, 1.1], None)])
def test_overfitting_step_by_hand(errors, expected):
    assert overfitting_step(list(range(0, 70, 10)), errors, noise=1.0) == expected


def test_overfitting_step_is_invariant_to_the_unit_of_the_error():
    errors = [1.0, 0.25, 0.5, 0.75, 1.0]
    assert overfitting_step(list(range(5)), errors, noise=1.0) == 3
    assert overfitting_step(list(range(5)), [8 * e for e in errors], noise=8.0) == 3


# The problem.

def test_sinusoid_and_its_noise():
    signals = sinusoid(5000, periods=7, sigma=0.5, seed=2)
    assert {s.shape for s in signals} == {(1, 1, 5000)} and {s.dtype for s in signals} == {torch.float64}
    spectrum = torch.fft.rfft(signals.x).abs().flatten()
    assert int(spectrum.argmax()) == 7 and float(spectrum[7]) == pytest.approx(2500)
    error = signals.y - signals.x
    assert float(error.std()) == pytest.approx(0.5, rel=0.05)
    assert float(signals.noise.std()) == pytest.approx(1.0, rel=0.05)
    assert abs(float((error * signals.noise).mean())) < 4 * 0.5 / math.sqrt(5000)  # two draws, not one


def test_the_seed_determines_the_problem():
    assert all(torch.equal(a, b) for a, b in zip(sinusoid(seed=1), sinusoid(seed=1), strict=True))
    assert not torch.equal(sinusoid(seed=1).y, sinusoid(seed=2).y)
    assert torch.equal(sinusoid(seed=1).x, sinusoid(seed=2).x)


@pytest.mark.parametrize("last", [1, 2, 7, 100, 12345])
def test_recorded_steps(last):
    steps = log_steps(last)
    assert steps[0] == 0 and steps[-1] == last
    assert steps == sorted(set(steps))
    ratios = [b / a for a, b in zip(steps[1:], steps[2:], strict=False) if a > 20]
    assert all(ratio < 10 ** (1 / 20) * 1.06 for ratio in ratios)


def test_no_steps_are_refused():
    assert error_of(log_steps, 0) == "steps must be at least 1, got 0"


# The curve.

@pytest.mark.parametrize("residual", [True, False])
def test_curve_is_gradient_descent_on_the_mean_squared_error(residual):
    signals, record = sinusoid(20), [0, 1, 5, 12]
    found = curve(signals, signals.noise, record, width=6, layers=3, lr=5e-4, residual=residual, seed=3)
    network = conv_net(6, layers=3, seed=3)
    optimiser = torch.optim.SGD(network.parameters(), lr=5e-4)
    for step in range(13):
        output = network(signals.noise) + (signals.noise if residual else 0.0)
        if step in record:
            place, shown = record.index(step), output.detach()
            assert found["truth"][place] == pytest.approx(float(((shown - signals.x) ** 2).mean()), rel=1e-10)
            assert found["data"][place] == pytest.approx(float(((shown - signals.y) ** 2).mean()), rel=1e-10)
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(output, signals.y).backward()
        optimiser.step()


def test_facts_of_a_curve():
    signals, record = sinusoid(20), log_steps(30)
    found = curve(signals, signals.noise, record, width=6, layers=3)
    assert found["best"] == min(found["truth"])
    assert found["truth"][record.index(found["best_step"])] == found["best"]
    assert found["noise"] == pytest.approx(float(((signals.y - signals.x) ** 2).mean()))
    f, params = as_function(conv_net(6, layers=3), residual=True)
    start = float(((f(params, signals.noise) - signals.x) ** 2).mean())
    assert [found["truth"][0], found["predicted"][0]] == pytest.approx([start, start], rel=1e-12)
    assert found["data"] == sorted(found["data"], reverse=True)
    assert found["steps"] == record and found["fitted"] is None


def test_curve_ends_where_the_noise_is_learned():
    signals, record = sinusoid(8), list(range(0, 40001, 10))
    found = curve(signals, signals.noise, record, width=16, layers=2, lr=0.02)
    assert found["fitted"] == found["steps"][-1] < record[-1]
    assert found["data"][-1] <= 0.01 * found["noise"] < found["data"][-2]
    assert found["truth"][-1] == pytest.approx(found["noise"], rel=0.3)
    assert len(found["predicted"]) == len(found["predicted_steps"]) == len(record)


def test_prediction_of_a_wide_network_is_close_at_first():
    signals = sinusoid(20)
    found = curve(signals, signals.x, [0, 1, 2, 4], width=128, layers=3)
    assert found["predicted"] == pytest.approx(found["truth"], rel=0.05)


def test_curve_ends_early_when_told_to():
    signals, seen = sinusoid(20), []

    def watch(step):
        seen.append(step)
        return step >= 1000

    assert curve(signals, signals.noise, [0, 3000], width=2, layers=2, watch=watch) is None
    assert seen == [0, 500, 1000]


# The measurement.

def measure_here(**sizes):
    """`measure` in this process, without a bar."""
    return overfitting.measure(**sizes, workers=1, progress=False)


def test_measurement_is_plain_and_can_be_drawn():
    sizes = overfitting.SIZES
    assert set(sizes) == {"smoke", "laptop", "paper"}
    measured = json.loads(json.dumps(measure_here(**sizes["smoke"]), allow_nan=False))
    assert set(measured["inputs"]) == {"x", "y", "noise"}
    assert len(measured["by_distance"]) == len(sizes["smoke"]["distances"])
    figure = figures.overfitting(measured)
    figure.canvas.draw()
    assert all(axis.get_ylabel() for axis in figure.axes)


def test_distance_zero_is_the_truth_and_the_same_seed_serves_all_inputs():
    measured = measure_here(n=16, width=4, layers=2, steps=5, seeds=2, distances=(0.0,))
    assert measured["by_distance"][0] == measured["inputs"]["x"]
    assert measured["inputs"]["x"][0]["truth"] != measured["inputs"]["x"][1]["truth"]


def test_ratio_of_steps():
    assert overfitting.ratio(900, 30, 1000) == dict(ratio=30.0, is_bound=False)
    assert overfitting.ratio(None, 10, 1000) == dict(ratio=100.0, is_bound=True)
    assert overfitting.ratio(None, None, 1000) == dict(ratio=None, is_bound=True)


def test_ratios_are_those_of_the_truth_over_noise(monkeypatch):
    steps = {"x": [None, 900], "y": [5, 5], "noise": [10, 30]}

    def scripted(signals, z, seed, **settings):
        kind = next(kind for kind in steps if torch.equal(z, getattr(signals, kind)))
        return dict(overfitting=steps[kind][seed], fitted=2 * steps[kind][seed] if steps[kind][seed] else None)

    monkeypatch.setattr(overfitting, "curve", scripted)
    ratios = measure_here(n=8, width=2, layers=2, steps=1000, seeds=2, distances=())["ratios"]
    assert [r["ratio"] for r in ratios["overfitting"]] == [100.0, 30.0]
    assert [r["ratio"] for r in ratios["fitted"]] == [50.0, 30.0]
