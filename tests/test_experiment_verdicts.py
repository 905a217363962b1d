"""The verdicts of the ledger follow from the numbers: made-up results on either side of each bar."""

import pytest

from aseqdip_lite.experiments import a1, f6, f7, g1, g2, g3, g4


def trajectories(ends, slope):
    """What A1 judges: mean errors at the greatest width by kind, one slope for all."""
    run = dict(kernel=0.04, worst=0.02)
    return dict(widths=dict(
        widths=[16, 512], runs={kind: [[run | dict(relative=0.3)], [run | dict(relative=end)]]
                                for kind, end in ends.items()},
        slopes={kind: dict(relative=dict(slope=slope, std_error=0.1)) for kind in ends}))


@pytest.mark.parametrize(("ends", "slope", "verdict"), [
    ({"a": 0.04, "b": 0.01}, -0.5, "reproduced"), ({"a": 0.06, "b": 0.01}, -0.5, "same direction"),
    ({"a": 0.04, "b": 0.01}, -0.15, "not reproduced")])
def test_a1_needs_a_small_error_and_a_slope_that_is_no_accident(ends, slope, verdict):
    found, why = a1.judge(trajectories(ends, slope))
    assert found == verdict and "width 512" in why and "4.0 %" in why


def delayed(ratio, is_bound=False):
    """What F6 judges: the truth as input overfits `ratio` times later than noise, or has not by the last step."""
    inputs = dict(x=[dict(overfitting=None if is_bound else ratio)], noise=[dict(overfitting=1)])
    return dict(steps=100, inputs=inputs, distances=[0.1], by_distance=[[dict(overfitting=5)]],
                ratios=dict(overfitting=[dict(ratio=ratio, is_bound=is_bound)]))


@pytest.mark.parametrize(("ratio", "verdict"), [(25, "reproduced"), (4, "same direction"), (0.5, "not reproduced"),
                                                (None, "not reproduced")])
def test_f6_asks_for_ten_times(ratio, verdict):
    assert f6.judge(delayed(ratio))[0] == verdict


def test_f6_says_that_a_run_without_overfitting_gives_a_bound():
    verdict, why = f6.judge(delayed(100, is_bound=True))
    assert verdict == "reproduced" and "at least 100 times later" in why and "step none with the truth" in why


@pytest.mark.parametrize(("mean", "verdict"), [([20, 24, 22], "reproduced"), ([20, 22, 24], "same direction"),
                                               ([22.0, 22.2, 22.1], "not reproduced")])
def test_f7_asks_for_a_maximum_inside(mean, verdict):
    found, why = f7.judge(dict(mean=mean, lams=[0.0, 1.0, 8.0], start=[19.0], ceiling=[27.0]))
    assert found == verdict and f"{max(mean):.2f} dB" in why


@pytest.mark.parametrize(("decoder", "cnn", "verdict"), [(0.05, 0.3, "reproduced"), (0.25, 0.3, "same direction"),
                                                         (0.2, 0.1, "not reproduced")])
def test_g1_compares_the_best_of_both(decoder, cnn, verdict):
    networks = {name: dict(adam=[[1.0, best, 1.5 * best]], limit=[0.2], lazy=[0.5])
                for name, best in (("decoder", decoder), ("cnn", cnn))}
    assert g1.judge(dict(networks=networks, zero_filled=[0.2]))[0] == verdict


@pytest.mark.parametrize(("learned", "verdict"), [
    ((10, 40, 90), "reproduced"), ((10, 40, None), "reproduced"), ((40, 10, 90), "same direction"),
    ((90, 40, 10), "not reproduced"), ((None, None, None), "not reproduced")])
def test_g2_asks_for_the_order_of_the_bands(learned, verdict):
    steps = dict(zip(("low", "mid", "high"), learned, strict=True))
    assert g2.judge(dict(runs=[dict(snr=25.0, learned=steps, best=dict(low=1, mid=2, high=3))]))[0] == verdict


@pytest.mark.parametrize(("free", "guided", "verdict"), [
    ((24, 20), (26, 25), "reproduced"), ((26, 20), (24, 24), "same direction"), ((26, 26), (24, 20), "not reproduced"),
    ((24, 24), (26, 26), "same direction")])
def test_g3_compares_peak_and_fall(free, guided, verdict):
    runs = [dict(alpha=alpha, best=[5, peak], psnr=[peak, end])
            for alpha, (peak, end) in ((0.0, free), (2.0, guided))]
    assert g3.judge(dict(runs=runs, start=20.0))[0] == verdict


@pytest.mark.parametrize(("end", "verdict"), [(24.0, "reproduced"), (10.0, "same direction"), (5.0, "not reproduced")])
def test_g4_asks_for_an_image(end, verdict):
    assert g4.judge(dict(snapshots=[dict(psnr=6.0)], input=[7.0, end], average=[end]))[0] == verdict
