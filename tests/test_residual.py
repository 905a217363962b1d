"""Theorem A.1: exact where the network is linear in its weights, and its conditions where it is not."""

import functools
import json

import numpy as np
import pytest
import torch
from checks import randn

from aseqdip_lite.course.theory import figures, limits, residual
from aseqdip_lite.course.theory.descent import descend, sinusoid
from aseqdip_lite.course.theory.limits import path_distance, step_size
from aseqdip_lite.course.theory.nets import antithetic, as_function, conv_net
from aseqdip_lite.course.theory.ntk import ntk_matrix
from aseqdip_lite.course.theory.residual import loglog_slope, predicted, run_width, trained, trajectory_error


def small_network(width=8, n=12, layers=3, is_residual=True, seed=0):
    signals = sinusoid(n, seed=seed)
    f, params = as_function(conv_net(width, layers, seed=seed), is_residual)
    return f, params, signals


def linear_model(m=6, p=15):
    """f = (z + J w) for a fixed J: linear in its weights, so Theta = J J^T does not move."""
    J = randn(m, p, seed=3)

    def f(params, z):
        return z + (J @ params["w"])[None, None]

    return f, dict(w=randn(p, seed=4)), randn(1, 1, m, seed=5), randn(1, 1, m, seed=6), J @ J.T


def largest(theta):
    return float(torch.linalg.eigvalsh(theta)[-1])


# The closed form.

def test_closed_form_solves_the_recursion():
    """Eq. 12 is the solution of Eq. 11, f_{t+1} = f_t + beta Theta (y - f_t)."""
    root, f, y = randn(5, 5), randn(1, 1, 5, seed=1), randn(1, 1, 5, seed=2)
    theta = root @ root.T
    beta = 1.3 / largest(theta)
    forecast = predicted(theta, f, y, beta, range(30))
    assert forecast.shape == (30, 1, 1, 5)
    for step in range(30):
        torch.testing.assert_close(forecast[step], f, rtol=1e-11, atol=1e-11)
        f = f + beta * ((y - f).flatten() @ theta).reshape(1, 1, 5)


def test_closed_form_at_chosen_steps_is_the_same():
    root, f0, y = randn(5, 3), randn(1, 1, 5, seed=1), randn(1, 1, 5, seed=2)
    forecast = predicted(root @ root.T, f0, y, 0.01, range(101))
    torch.testing.assert_close(predicted(root @ root.T, f0, y, 0.01, [0, 7, 100]), forecast[[0, 7, 100]])


def test_closed_form_fits_the_range_and_leaves_the_null_space():
    root, f0, y = randn(5, 3), randn(1, 1, 5, seed=1), randn(1, 1, 5, seed=2)
    theta = root @ root.T
    last = predicted(theta, f0, y, 1.0 / largest(theta), [10**6])[0]
    P = root @ torch.linalg.pinv(root)
    expected = (y - f0).flatten() @ P + f0.flatten()
    torch.testing.assert_close(last.flatten(), expected, rtol=1e-8, atol=1e-8)


def test_step_limit_is_two_over_the_largest_eigenvalue():
    root, f0, y = randn(5, 5), randn(1, 1, 5, seed=1), randn(1, 1, 5, seed=2)
    theta = root @ root.T
    for factor, grows in ((1.99, False), (2.01, True)):
        residuals = (predicted(theta, f0, y, factor / largest(theta), [5000, 6000]) - y).flatten(1).norm(dim=1)
        assert bool(residuals[1] > residuals[0]) == grows


# Remark A.2.

def test_prediction_from_the_measurement_is_flat_and_from_the_truth_starts_perfect():
    f, params, signals = small_network()
    theta = ntk_matrix(f, params, signals.y)
    beta = 1 / largest(theta)
    torch.testing.assert_close(predicted(theta, signals.y, signals.y, beta, [0, 5, 500]),
                               signals.y.expand(3, 1, 1, -1), rtol=0, atol=1e-14)
    start, end = predicted(theta, signals.x, signals.y, beta, [0, 10**7])
    torch.testing.assert_close(start, signals.x, rtol=0, atol=1e-13)
    assert float((end - signals.y).norm()) < 0.2 * float((start - signals.y).norm())


@pytest.mark.parametrize("width", [3, 16])
def test_measurement_as_input_is_flat_in_expectation_at_every_width(width):
    """With z = y the network learns 0 = y - z; the partner's path is its mirror image, so the pair's mean is y."""
    f, params, signals = small_network(width)
    y = signals.y
    beta = 1.0 / largest(ntk_matrix(f, params, y))
    one = trained(f, params, y, y, beta, range(40))[1]
    other = trained(f, antithetic(params), y, y, beta, range(40))[1]
    torch.testing.assert_close((one + other) / 2, y.expand(40, 1, 1, -1), rtol=0, atol=1e-12)
    assert float((one[0] - y).norm()) > 0.1  # a single network is not flat


# Training.

@pytest.mark.parametrize("factor", [0.3, 1.9])
def test_training_a_model_linear_in_its_weights_is_the_closed_form(factor):
    f, params, z, y, theta = linear_model()
    beta = factor / largest(theta)
    steps, outputs, weights = trained(f, params, z, y, beta, range(60))
    forecast = predicted(theta, f(params, z), y, beta, steps)
    torch.testing.assert_close(outputs, forecast, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(f(weights, z), outputs[-1])


@pytest.mark.parametrize("is_residual", [True, False])
def test_first_step_follows_the_kernel_to_first_order(is_residual):
    """f_1 - f_0 = beta Theta (y - f_0) + O(beta^2): half the rate, a quarter of the difference."""
    f, params, signals = small_network(is_residual=is_residual)
    z, y = signals.noise, signals.y
    theta = ntk_matrix(f, params, z)

    def difference(beta):
        outputs = trained(f, params, z, y, beta, [0, 1])[1]
        return float((outputs[1] - predicted(theta, outputs[0], y, beta, [1])).norm())

    beta = 1e-3 / largest(theta)
    assert difference(beta) / difference(beta / 2) == pytest.approx(4.0, rel=0.02)


def test_descent_is_torchs_own():
    f, params, signals = small_network()
    for adam, optimiser in ((False, torch.optim.SGD), (True, torch.optim.Adam)):
        weights = {name: p.clone().requires_grad_() for name, p in params.items()}
        oracle = optimiser(weights.values(), lr=1e-4)
        run = descend(f, params, signals.noise, signals.y, 1e-4, adam)
        for _ in range(15):
            output, _ = next(run)
            loss = 0.5 * ((f(weights, signals.noise) - signals.y) ** 2).sum()
            torch.testing.assert_close(output, f(weights, signals.noise).detach(), rtol=1e-10, atol=1e-10)
            oracle.zero_grad()
            loss.backward()
            oracle.step()


def test_training_leaves_the_initial_weights_alone():
    f, params, signals = small_network()
    before = {name: p.clone() for name, p in params.items()}
    trained(f, params, signals.noise, signals.y, 1e-3, range(5))
    assert all(torch.equal(before[name], p) for name, p in params.items())


def test_training_stops_where_the_residual_has_halved():
    f, params, z, y, theta = linear_model()
    steps, outputs, _ = trained(f, params, z, y, 0.5 / largest(theta), range(10**4), until=0.5)
    left = (outputs - y).flatten(1).norm(dim=1) / (outputs[0] - y).norm()
    assert left[-1] <= 0.5 < left[-2]
    assert steps == list(range(len(outputs)))


def test_training_records_the_steps_asked_for():
    f, params, signals = small_network()
    every = trained(f, params, signals.noise, signals.y, 1e-3, range(11))[1]
    steps, some, _ = trained(f, params, signals.noise, signals.y, 1e-3, [0, 4, 10])
    assert steps == [0, 4, 10]
    assert torch.equal(some, every[[0, 4, 10]])


# Errors and slopes.

def test_errors_of_a_trajectory_by_hand():
    y = torch.tensor([[[3.0, 4.0]]])
    outputs = torch.tensor([[[[0.0, 0.0]]], [[[1.0, 2.0]]], [[[2.0, 2.0]]]])
    forecast = torch.tensor([[[[0.0, 0.0]]], [[[1.0, 1.0]]], [[[2.0, 4.0]]]])
    found = trajectory_error(forecast, outputs, y)
    assert found["relative"] == pytest.approx((5 / 13) ** 0.5)
    assert found["worst"] == pytest.approx(2 / 5)
    assert found["change"] == pytest.approx((5 / 13) ** 0.5)


def test_errors_of_the_right_prediction_and_of_none():
    y, outputs = randn(1, 1, 4), randn(6, 1, 1, 4, seed=1)
    assert trajectory_error(outputs, outputs, y) == dict(relative=0.0, worst=0.0, change=0.0)
    assert trajectory_error(outputs[:1].expand(6, 1, 1, 4), outputs, y)["change"] == pytest.approx(1.0)


@pytest.mark.parametrize("power", [-1.0, -0.5, 0.7])
def test_slope_recovers_a_power_law(power):
    widths = (16, 64, 256)
    found = loglog_slope(widths, [[3.0 * w**power] * 2 for w in widths])
    assert found["slope"] == pytest.approx(power)
    assert found["std_error"] == pytest.approx(0.0, abs=1e-9)


def test_slope_and_its_error_agree_with_numpy():
    widths, values = (8, 16, 32, 64), [[1.0, 1.3], [0.8, 0.6], [0.5, 0.45], [0.2, 0.4]]
    u = np.log(np.repeat(widths, 2))
    coefficients, covariance = np.polyfit(u, np.log(np.concatenate(values)), 1, cov=True)
    found = loglog_slope(widths, values)
    assert found["slope"] == pytest.approx(coefficients[0])
    assert found["std_error"] == pytest.approx(covariance[0, 0] ** 0.5)
    assert loglog_slope((2, 4), [[1.0], [2.0]]) == dict(slope=pytest.approx(1.0), std_error=None)


# Width and expectation.

def test_error_and_kernel_movement_fall_with_width():
    narrow, wide = ([run_width(width, "noise", True, seed, n=16, layers=3, steps=200) for seed in range(3)]
                    for width in (8, 128))
    for name in ("relative", "worst", "change", "kernel"):
        assert np.mean([run[name] for run in wide]) < 0.6 * np.mean([run[name] for run in narrow]), name
    assert all(run["left"] <= 0.5 for run in wide)


def test_pairs_start_at_the_input_and_lie_nearer_to_the_theorem():
    found = residual.measure_expectation(width=32, networks=8, n=16, layers=3, steps=20)
    for kind, curve in found["inputs"].items():
        assert curve["start"]["antithetic"] < 1e-12 < 0.1 < curve["start"]["independent"], kind
        assert curve["error"]["antithetic"] < curve["error"]["independent"], kind
        assert len(curve["theorem"]) == len(found["steps"])
    y = found["inputs"]["y"]
    assert y["theorem"] == pytest.approx([found["noise"]] * len(found["steps"]))
    assert y["antithetic"] == pytest.approx(y["theorem"])
    assert found["inputs"]["x"]["theorem"][0] == pytest.approx(0.0, abs=1e-20)


# What breaks it.

def test_linear_model_diverges_above_the_step_limit_as_predicted():
    f, params, z, y, theta = linear_model()
    for factor, diverges in ((1.9, False), (3.0, True)):
        found = step_size(f, params, z, y, theta, factor, 100)
        assert found["diverged"] == diverges
        assert found["trained"][:len(found["predicted"])] == pytest.approx(found["predicted"], rel=1e-6)
        assert (found["kernel"] is None) == diverges
    assert step_size(f, params, z, y, theta, 1.5, 10)["kernel"] == pytest.approx(1.5)


def test_network_above_the_step_limit_shrinks_its_kernel_where_the_prediction_diverges():
    f, params, signals = small_network(width=32, n=24, layers=4)
    theta = ntk_matrix(f, params, signals.noise)
    found = step_size(f, params, signals.noise, signals.y, theta, 3.0, 200)
    assert len(found["predicted"]) < len(found["trained"]) == 201
    assert not found["diverged"]
    assert found["kernel"] < 2.2
    assert found["trained"][-1] < 1.0


def test_path_of_descent_on_a_linear_model_is_the_predicted_one_and_adams_is_not():
    f, params, z, y, theta = linear_model()
    slow = path_distance(f, params, z, y, theta, 0.01 / largest(theta), 3000)
    assert slow["left"] <= 0.5
    assert slow["distance"] < 0.01
    adam = path_distance(f, params, z, y, theta, 1e-3, 3000, adam=True)
    assert adam["left"] <= 0.5
    assert adam["distance"] > 10 * slow["distance"]


# Measurements and their figures.

@pytest.mark.parametrize("measure, sizes, draw", [
    (functools.partial(residual.measure_widths, workers=1, progress=False), residual.WIDTHS, figures.widths),
    (residual.measure_expectation, residual.EXPECTATION, figures.expectation),
    (limits.measure, limits.SIZES, figures.limits)])
def test_measurements_are_plain_and_can_be_drawn(measure, sizes, draw):
    assert set(sizes) == {"smoke", "laptop", "paper"}
    measured = json.loads(json.dumps(measure(**sizes["smoke"]), allow_nan=False))
    figure = draw(measured)
    figure.canvas.draw()
    assert all(axis.get_xlabel() for axis in figure.axes) and figure.axes[0].get_ylabel()


def test_runs_of_a_measurement_are_those_of_run_width():
    measured = residual.measure_widths((4, 6), 2, 12, 2, 15, kinds=(("y", False),), workers=1, progress=False)
    assert list(measured["runs"]) == ["y, plain"]
    assert measured["runs"]["y, plain"][1][0] == run_width(6, "y", False, 0, n=12, layers=2, steps=15)
    errors = [[run["worst"] for run in row] for row in measured["runs"]["y, plain"]]
    assert measured["slopes"]["y, plain"]["worst"] == loglog_slope((4, 6), errors)
