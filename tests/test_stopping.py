"""Rules that stop without the truth, against their definitions (the moving variance: see test_recorder)."""

import pytest
import torch
from checks import randn
from hypothesis import given
from hypothesis import strategies as st

from aseqdip_lite import Vanilla, load_case, reconstruct
from aseqdip_lite.case import Observation
from aseqdip_lite.operators import Identity
from aseqdip_lite.run.recorder import Recorder
from aseqdip_lite.run.stopping import Discrepancy, ExponentialVariance


@given(alpha=st.floats(0.05, 0.9), n=st.integers(1, 40), dtype=st.sampled_from([torch.float64, torch.complex128]))
def test_exponential_variance_is_the_variance_under_its_weights(alpha, n, dtype):
    """Weights alpha (1 - alpha)^j for the output j steps ago, and what is left, (1 - alpha)^(n - 1), for the first."""
    images = [randn(1, 2, 3, 4, seed=seed, dtype=dtype) for seed in range(n)]
    rule = ExponentialVariance(alpha, warm_up=1)
    for step, image in enumerate(images, start=1):
        rule.update(image, step)
    weights = torch.tensor([alpha * (1 - alpha) ** (n - 1 - i) for i in range(n)], dtype=torch.float64)
    weights[0] = (1 - alpha) ** (n - 1)
    stack, shape = torch.stack(images), (n, 1, 1, 1, 1)
    mean = (weights.view(shape) * stack).sum(dim=0)
    expected = float((weights * (stack - mean).abs().square().sum(dim=(1, 2, 3, 4))).sum())
    assert float(weights.sum()) == pytest.approx(1.0)
    assert rule.value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_exponential_variance_does_not_count_before_its_warm_up_and_then_keeps_the_minimum():
    rule, values = ExponentialVariance(0.3, warm_up=8), {}
    for step in range(1, 40):
        picked = rule.update(abs(step - 25) * randn(1, 1, 4, 4, seed=step), step)
        assert not picked or step >= 8
        if step >= 8:
            values[step] = rule.value
            assert picked == (rule.value == min(values.values()))
    assert rule.best_step == min(values, key=values.get) and rule.best == min(values.values())


def test_rules_go_on_from_their_state():
    images = [randn(1, 1, 4, 4, seed=seed) / (1 + seed) for seed in range(20)]
    whole, first, second = (ExponentialVariance(0.2, warm_up=3) for _ in range(3))
    picks = [whole.update(image, step) for step, image in enumerate(images, start=1)]
    for step, image in enumerate(images[:9], start=1):
        first.update(image, step)
    second.load_state_dict(first.state_dict())
    assert [second.update(image, step) for step, image in enumerate(images[9:], start=10)] == picks[9:]
    assert vars(second).keys() == vars(whole).keys() and second.value == whole.value


def test_discrepancy_picks_the_first_step_below_the_energy_of_the_noise_and_no_other():
    rule = Discrepancy(energy=5.0)
    assert [rule.update(data, step) for step, data in enumerate((9.0, 5.1, 5.0, 2.0, 7.0, 1.0), start=1)] == [
        False, False, True, False, False, False]
    assert rule.best_step == 3


@pytest.mark.parametrize("task, settings", [("mri", {}), ("denoising", {}), ("inpainting", dict(sigma=10.0)),
                                            ("deblurring", dict(sigma=5.0))])
def test_noise_energy_is_the_expected_energy_of_the_noise(task, settings):
    """Against the noise itself: y minus the y of the same draws without noise."""
    silent = dict(snr=None) if task == "mri" else dict(sigma=0.0)
    noisy, clean = (load_case(task, profile="smoke", seed=3, **settings | extra).observation for extra in ({}, silent))
    noise = noisy.y * noisy.scale - clean.y * clean.scale
    assert noisy.noise_energy * noisy.scale**2 == pytest.approx(float(noise.abs().square().sum()), rel=0.05)
    assert not clean.noise_energy


def test_noise_energy_of_an_unknown_level_is_unknown():
    y = torch.ones(1, 1, 4, 4)
    assert Observation(Identity((1, 4, 4)), y, y).noise_energy is None
    assert Observation(Identity((1, 4, 4)), y, y, noise_std=0.5).noise_energy == pytest.approx(16 * 0.25)


def test_a_run_reports_what_each_rule_would_have_picked():
    case = load_case("denoising", size=16, seed=0)
    result = reconstruct(case, Vanilla(steps=250, lr=1e-2), window=20, progress=False)
    answers, curve = result.metrics["answers"], result.curve
    assert list(answers) == ["start", "final", "last", "blind", "emv", "discrepancy", "blend", "oracle"]
    for answer in (answers[name] for name in ("final", "last", "blind", "emv", "discrepancy", "oracle")):
        assert answer["psnr"] == curve["psnr"][answer["step"] - 1]
    for score in ("psnr", "ssim"):
        assert result.metrics[score] == {name: answers[name][score] for name in ("start", "final", "blind", "oracle")}
    energy = case.observation.noise_energy
    assert [data <= energy for data in curve["data"]].index(True) + 1 == answers["discrepancy"]["step"]
    assert answers["oracle"]["step"] == curve["psnr"].index(max(curve["psnr"])) + 1


def test_without_noise_there_is_no_discrepancy():
    assert set(Recorder(load_case("inpainting", profile="smoke")).rules) == {"blind", "emv"}
