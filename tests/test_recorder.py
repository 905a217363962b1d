"""Recorder and moving variance: against the definition, and what stops a run."""

import math

import numpy as np
import pytest
import torch
from checks import generator, stored
from hypothesis import given
from hypothesis import strategies as st

from aseqdip_lite import State, Vanilla, load_case, reconstruct, tasks
from aseqdip_lite.run.recorder import MovingVariance, Recorder
from aseqdip_lite.run.stopping import in_dip


def sequence(n, seed=0, shape=(1, 2, 3, 4), dtype=torch.complex128):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(n)]


def variance_by_definition(images):
    """Mean of ||x - mean x||^2 over the images, in double precision."""
    stack = np.stack([image.numpy().astype(np.complex128).ravel() for image in images])
    return float((np.abs(stack - stack.mean(axis=0)) ** 2).sum(axis=1).mean())


# Moving variance.

@given(window=st.integers(2, 9), n=st.integers(1, 30), seed=st.integers(0, 999),
       dtype=st.sampled_from([torch.float32, torch.float64, torch.complex64, torch.complex128]))
def test_moving_variance_is_the_variance_of_the_window(window, n, seed, dtype):
    images, variance = sequence(n, seed, dtype=dtype), MovingVariance(window)
    values = {}
    for step, image in enumerate(images, start=1):
        minimum = variance.update(image, step)
        if step < window:
            assert math.isnan(variance.value) and not minimum
            continue
        values[step] = variance.value
        assert variance.value == pytest.approx(variance_by_definition(images[step - window:step]), rel=1e-10)
        assert minimum == (variance.value == min(values.values()) and list(values.values()).count(variance.value) == 1)
    if values:
        assert variance.best == min(values.values()) and values[variance.best_step] == variance.best
    else:
        assert variance.best == math.inf and variance.best_step == 0


def test_moving_variance_of_small_differences_between_large_images():
    base = 100 * sequence(1)[0]
    images, variance = [base + 1e-3 * noise for noise in sequence(40, seed=1)], MovingVariance(10)
    for step, image in enumerate(images, start=1):
        variance.update(image, step)
    assert variance.value == pytest.approx(variance_by_definition(images[-10:]), rel=1e-4)


def test_moving_variance_of_equal_images_is_zero():
    variance = MovingVariance(3)
    for step in range(1, 8):
        variance.update(torch.ones(1, 1, 4, 4), step)
    assert variance.value == 0 and variance.best_step == 3


@pytest.mark.parametrize("through_file", [True, False])
@pytest.mark.parametrize("cut", [0, 1, 4, 5, 6, 13])
def test_moving_variance_goes_on_from_its_state(cut, through_file):
    images, whole, first = sequence(20), MovingVariance(5), MovingVariance(5)
    for step, image in enumerate(images[:cut], start=1):
        whole.update(image, step)
        first.update(image, step)
    second = MovingVariance(5)
    second.load_state_dict(stored(first.state_dict()) if through_file else first.state_dict())
    for step, image in enumerate(images[cut:], start=cut + 1):
        assert whole.update(image, step) == second.update(image, step)
        first.update(-image, step)  # the first one goes another way and must not disturb the second
        assert (second.value == whole.value) or (math.isnan(second.value) and math.isnan(whole.value))
    assert (second.best, second.best_step) == (whole.best, whole.best_step)


# Recorder.

def states(images, averages=None):
    averages = averages or [None] * len(images)
    return [State(step, image, dict(loss=1.0 / step), None, average=average)
            for step, (image, average) in enumerate(zip(images, averages, strict=True), start=1)]


def images_like(case, n, seed=0):
    """Random images around the start of a case, in its units."""
    start = case.observation.start
    return [start + 0.1 * noise for noise in sequence(n, seed, start.shape, start.dtype)]


def test_curve_has_one_row_per_step(tiny_mri):
    recorder = Recorder(tiny_mri, window=3)
    rows = [recorder.record(state) for state in states(images_like(tiny_mri, 5))]
    assert list(recorder.curve) == ["step", "stage", "loss", "variance", "psnr"]
    assert recorder.curve["step"] == [1, 2, 3, 4, 5]
    assert [row["loss"] for row in rows] == recorder.curve["loss"] == [1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5]


def test_four_images_are_what_their_names_say(tiny_mri):
    recorder, images = Recorder(tiny_mri, window=4), images_like(tiny_mri, 12)
    for state in states(images):
        recorder.record(state)
    curve = recorder.curve
    assert recorder.images["start"] is tiny_mri.observation.start
    assert recorder.images["final"] is images[-1]
    assert recorder.images["oracle"] is images[int(np.argmax(curve["psnr"]))]
    assert recorder.images["blind"] is images[int(np.nanargmin(curve["variance"]))]
    answers = recorder.answers()
    assert list(answers) == ["start", "final", "last", "blind", "emv", *["discrepancy"] * ("discrepancy" in answers),
                             "blend", "oracle"]
    at = dict(final=11, last=11, oracle=int(np.argmax(curve["psnr"])), blind=int(np.nanargmin(curve["variance"])))
    for name, index in at.items():
        assert (answers[name]["step"], answers[name]["psnr"]) == (index + 1, curve["psnr"][index])
    assert answers["start"]["step"] == 0 and answers["blend"]["step"] is None


def test_the_answer_is_never_a_dip_and_the_last_step_is_kept_beside_it(tiny_mri):
    """A tooth in a falling data term is passed over; a level that stays for a quarter of the run is accepted.

    Methods without stages answer with their last step.
    """
    data = [1 / step for step in range(1, 41)]
    data[20:24], data[39] = [0.2] * 4, 0.03  # 0.03 is above 1 / 39 by more than a twentieth
    far = 100 * tiny_mri.observation.noise_energy  # the unit of the data terms: none comes near the noise
    recorder, other, images = Recorder(tiny_mri, window=4), Recorder(tiny_mri, window=4), images_like(tiny_mri, 80)
    picked = []
    for step, (image, value) in enumerate(zip(images, data + [0.03] * 40, strict=True), start=1):
        recorder.record(State(step, image, dict(loss=far * value, data=far * value), None, stage=step))
        other.record(State(step, image, dict(loss=far * value, data=far * value), None))
        assert other.images["final"] is recorder.images["last"] is image
        assert recorder.images["final"] is images[recorder.at["final"] - 1]
        picked.append(recorder.at["final"])
    assert picked[20:24] == [20] * 4 and picked[24] == 25
    assert picked[51] == 39 and picked[52] == 53 and picked[-1] == 80  # 53 - 53 // 4 is the first above 39


def test_the_answer_of_a_method_in_stages_is_none_that_has_fitted_noise():
    """No step after the first whose data term is at most the energy of the noise, however well it fits."""
    case = load_case("denoising", size=16, seed=0)
    energy, images = case.observation.noise_energy, images_like(case, 6)
    for stage, expected in ((1, 3), (0, 6)):  # a method without stages answers with its last step
        recorder = Recorder(case, window=4)
        for step, (image, share) in enumerate(zip(images, (1.5, 1.2, 0.99, 0.9, 1.1, 0.7), strict=True), start=1):
            recorder.record(State(step, image, dict(loss=share * energy, data=share * energy), None, stage=stage))
        assert recorder.at["discrepancy"] == 3 and recorder.at["final"] == expected and recorder.at["last"] == 6


def test_what_counts_as_a_dip_does_not_depend_on_the_unit_of_the_data():
    data = torch.rand(60, generator=generator()).add(0.5).tolist()
    found = [in_dip(data[:step]) for step in range(1, 61)]
    assert found == [in_dip([7 * value for value in data[:step]]) for step in range(1, 61)]
    assert not found[0] and any(found) and not all(found[1:])
    assert not any(in_dip(sorted(data, reverse=True)[:step]) for step in range(1, 61))


def test_psnr_is_its_definition(tiny_mri):
    image = images_like(tiny_mri, 1)[0]
    shown = (image * tiny_mri.observation.scale)[0, 0].abs().double().numpy()
    mse = np.mean((shown - tiny_mri.truth.astype(float)) ** 2)
    expected = 10 * np.log10(tiny_mri.truth.max() ** 2 / mse)
    assert Recorder(tiny_mri).score("psnr", image) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("task", tasks.names())
def test_data_residual_is_its_definition(task, smoke_case):
    """||A x - y|| / ||y|| of what the method returned, against double precision; nothing is held out by default."""
    case = smoke_case(task)
    recorder, image = Recorder(case), images_like(case, 1)[0]
    recorder.record(State(1, image, dict(loss=1.0), None))
    A, y = case.observation.A.to(double=True), case.observation.y.to(torch.promote_types(image.dtype, torch.float64))
    answers = recorder.answers()
    for name, x in (("start", case.observation.start), ("final", image), ("oracle", image)):
        expected = float((A(x.to(y.dtype)) - y).norm() / y.norm())
        assert answers[name]["data_residual"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert "blind" not in answers
    assert {answer["heldout_residual"] for answer in answers.values()} == {None}
    assert "heldout_residual" not in recorder.curve


def test_blind_image_is_unknown_before_one_window(tiny_mri):
    recorder, images = Recorder(tiny_mri, window=6), images_like(tiny_mri, 6)
    for state in states(images[:5]):
        recorder.record(state)
    assert recorder.images["blind"] is recorder.blend is None
    assert not {"blind", "blend"} & set(recorder.answers())
    recorder.record(State(6, images[5], dict(loss=1.0), None))
    assert recorder.images["blind"] is images[5]


def test_blend_is_the_mean_of_the_last_image_and_both_picks(tiny_mri):
    """By the identity that it is there for: its squared error is the mean of theirs less their spread."""
    recorder, images = Recorder(tiny_mri, window=4), images_like(tiny_mri, 15)
    for state in states(images):
        recorder.record(state)
    members = [images[recorder.rules[rule].best_step - 1] for rule in ("blind", "emv")] + [images[-1]]
    assert len({id(image) for image in members}) == 3
    torch.testing.assert_close(recorder.blend, torch.stack(members).mean(0))
    truth = tiny_mri.observation.start

    def error(one, other):
        return float((one - other).abs().square().sum())

    spread = sum(error(image, recorder.blend) for image in members) / 3
    assert spread > 0
    assert error(recorder.blend, truth) == pytest.approx(sum(error(image, truth) for image in members) / 3 - spread)


def test_blend_is_of_what_the_method_returns(tiny_mri):
    """Rules look at raw outputs; what is picked, and blended, is the method's answer at that step."""
    recorder, answers = Recorder(tiny_mri, window=4), images_like(tiny_mri, 15, seed=1)
    for state in states(images_like(tiny_mri, 15), answers):
        recorder.record(state)
    members = [answers[recorder.rules[rule].best_step - 1] for rule in ("blind", "emv")] + [answers[-1]]
    torch.testing.assert_close(recorder.blend, torch.stack(members).mean(0))
    blend = recorder.answers()["blend"]
    assert (blend["psnr"], blend["ssim"]) == tuple(recorder.score(name, recorder.blend) for name in ("psnr", "ssim"))


@pytest.mark.parametrize("every", [2, 3, 5])
def test_variances_look_back_over_steps_however_often_they_are_recorded(every, tiny_mri):
    """Outputs that stand still for `every` steps have, at the end of each rest, the variances of every step."""
    held = [image for image in images_like(tiny_mri, 12) for _ in range(every)]
    each, sparse = Recorder(tiny_mri, window=4 * every), Recorder(tiny_mri, window=4 * every, every=every)
    for state in states(held):
        each.record(state)
        if state.step % every == 0:
            sparse.record(state)
            assert sparse.rules["emv"].variance == pytest.approx(each.rules["emv"].variance)
    np.testing.assert_allclose(sparse.curve["variance"], each.curve["variance"][every - 1::every], rtol=1e-6)
    assert np.isfinite(sparse.curve["variance"]).sum() == 9


@pytest.mark.parametrize("every, outputs", [(1, 100), (10, 10), (50, 3), (500, 3)])
def test_a_variance_is_of_three_outputs_at_least(every, outputs, tiny_mri):
    recorder = Recorder(tiny_mri, every=every)
    for state in states(images_like(tiny_mri, outputs)):
        assert recorder.images["blind"] is None
        recorder.record(state)
    assert recorder.images["blind"] is not None


def test_average_is_the_answer_but_the_raw_output_is_watched(tiny_mri):
    images, averages = images_like(tiny_mri, 12), images_like(tiny_mri, 12, seed=1)
    plain, averaging = Recorder(tiny_mri, window=4), Recorder(tiny_mri, window=4)
    for one, other in zip(states(images), states(images, averages), strict=True):
        plain.record(one)
        averaging.record(other)
    np.testing.assert_array_equal(averaging.curve["variance"], plain.curve["variance"])
    assert averaging.images["final"] is averages[-1]
    assert averaging.images["blind"] is averages[int(np.nanargmin(plain.curve["variance"]))]
    assert averaging.images["oracle"] is averages[int(np.argmax(averaging.curve["psnr"]))]


@pytest.mark.parametrize("cut", [2, 7])
def test_recorder_goes_on_from_its_state(cut, tiny_mri):
    run = states(images_like(tiny_mri, 12))
    whole, first, second = (Recorder(tiny_mri, window=4) for _ in range(3))
    for state in run[:cut]:
        first.record(state)
    second.load_state_dict(stored(first.state_dict()))
    for state in run:
        whole.record(state)
    for state in run[cut:]:
        second.record(state)
    np.testing.assert_equal(second.curve, whole.curve)
    assert second.answers() == whole.answers()
    assert second.images["discrepancy"] is whole.images["discrepancy"] is None  # no step came so near to y
    assert all(torch.equal(second.images[name], whole.images[name]) for name in whole.images if name != "discrepancy")


# What ends a run.

def falling_and_rising(case, turn):
    """Script of outputs whose fluctuation is least at the step `turn`, as where DIP begins to fit noise."""
    noise = images_like(case, 200)
    start = case.observation.start
    return lambda step: dict(image=start + abs(step - turn - 0.5) * (noise[step] - start))


@pytest.mark.parametrize("patience", [5, 20])
def test_early_stopping_stops_and_returns_the_image_at_the_minimum(patience, tiny_mri, scripted):
    script = falling_and_rising(tiny_mri, turn=40)
    result = reconstruct(tiny_mri, scripted(script), window=10, patience=patience, progress=False)
    best = int(np.nanargmin(result.curve["variance"])) + 1
    assert result.metrics["stop_reason"] == "early stopping"
    assert 40 < best < 50  # the window lies around the turn
    assert result.metrics["steps"] == len(result.curve["step"]) == best + patience < 100
    assert torch.equal(result.answer, script(best)["image"])
    assert result.answer is result.images["blind"]
    assert torch.equal(result.images["final"], script(best + patience)["image"])


def test_without_patience_the_run_goes_to_its_budget(tiny_mri, scripted):
    result = reconstruct(tiny_mri, scripted(falling_and_rising(tiny_mri, 40)), window=10, progress=False)
    assert result.metrics["stop_reason"] == "budget" and result.metrics["steps"] == 100
    assert result.answer is result.images["final"]


def test_patience_is_not_used_up_before_one_window(tiny_mri, scripted):
    result = reconstruct(tiny_mri, scripted(falling_and_rising(tiny_mri, 40)), window=30, patience=3, steps=29,
                         progress=False)
    assert result.metrics["stop_reason"] == "budget" and result.images["blind"] is None


def test_early_stopped_run_shows_the_score_of_the_image_that_it_returns(tiny_mri, scripted):
    result = reconstruct(tiny_mri, scripted(falling_and_rising(tiny_mri, 40)), window=10, patience=20, progress=False)
    titles = [axis.get_title() for axis in result.plot().axes]
    assert f"scripted\n{result.metrics['psnr']['blind']:.2f} dB" in titles
    assert result.metrics["psnr"]["blind"] != result.metrics["psnr"]["final"]


@pytest.mark.parametrize("fault", ["loss", "image"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_diverged_run_keeps_the_last_good_image(fault, bad, tiny_mri, scripted):
    images = images_like(tiny_mri, 20)

    def script(step):
        if step < 8:
            return dict(image=images[step])
        if fault == "loss":
            return dict(image=images[step], terms=dict(loss=1.0, data=bad))
        return dict(image=bad * images[step])

    result = reconstruct(tiny_mri, scripted(script), window=4, progress=False)
    assert result.metrics["stop_reason"] == "diverged"
    assert result.curve["step"] == [1, 2, 3, 4, 5, 6, 7]
    assert torch.equal(result.answer, images[7])
    assert all(math.isfinite(result.metrics["psnr"][name]) for name in ("start", "final", "blind", "oracle"))


def test_run_that_diverges_at_once_returns_the_start(tiny_mri, scripted):
    script = dict(image=tiny_mri.observation.start, terms=dict(loss=math.nan))
    result = reconstruct(tiny_mri, scripted(lambda step: script), progress=False)
    assert result.metrics["stop_reason"] == "diverged"
    assert torch.equal(result.answer, tiny_mri.observation.start)


def test_learning_rate_that_is_far_too_large_diverges_and_leaves_finite_images(tiny_mri):
    result = reconstruct(tiny_mri, Vanilla(steps=20, lr=1e30), progress=False)
    assert result.metrics["stop_reason"] == "diverged"
    assert torch.isfinite(torch.view_as_real(result.answer)).all()
