"""Why aSeqDIP works: the law of N (1 + lam), the kernel at a moving input, damping; on problems with known answers."""

import math

import numpy as np
import pytest
import torch

from aseqdip_lite import InputError
from aseqdip_lite.course import experiments
from aseqdip_lite.course.experiments import w1, w2, w3
from aseqdip_lite.course.theory import dynamics, friction, gains, peaks, shares
from aseqdip_lite.course.theory.nets import as_function, conv_net
from aseqdip_lite.course.theory.ntk import NTK, modes, ntk_matrix

PAIRS = np.array(w1.PAIRS)
NUMBERS = {name: [number(lam, N) for N, lam in PAIRS] for name, number in w1.NUMBERS.items()}


def table_of(values, images=4, noise=0.0, seed=0):
    """A table of peaks (images, settings): an image's own level plus a value of the setting, plus noise."""
    draw = np.random.default_rng(seed)
    return 20 + 5 * draw.standard_normal((images, 1)) + values + noise * draw.standard_normal((images, len(values)))


# What explains the differences of settings.

def test_peaks_that_depend_on_one_number_are_explained_by_it_and_not_by_the_others():
    for name, values in NUMBERS.items():
        found = {other: shares.explained(table_of(3 * np.log(values)), numbers)["share"]
                 for other, numbers in NUMBERS.items()}
        assert found[name] == pytest.approx(1.0, abs=1e-9)
        assert all(share < 0.8 for other, share in found.items() if other != name), found


def test_the_product_as_a_factor_needs_no_form():
    """Any six values, one a level, are explained: the polynomial of degree five has a mean for each."""
    level = {value: float(index % 3) for index, value in enumerate(sorted(set(NUMBERS["N (1 + lam)"])))}
    table = table_of(np.array([level[value] for value in NUMBERS["N (1 + lam)"]]))
    assert shares.explained(table, NUMBERS["N (1 + lam)"])["share"] == pytest.approx(1.0, abs=1e-9)


def test_a_flexible_model_gains_nothing_from_noise():
    noise = [shares.explained(table_of(np.zeros(18), noise=1.0, seed=seed), values)["share"]
             for seed in range(20) for values in NUMBERS.values()]
    assert np.mean(noise) < 0 and max(noise) < 0.3


def test_an_image_that_differs_is_seen_in_its_own_share():
    values = np.log(NUMBERS["N (1 + lam)"])
    table = table_of(values)
    table[2] = 20 - values
    found = shares.explained(table, NUMBERS["N (1 + lam)"])
    assert found["images"][2] < 0 < found["images"][0] and len(found["images"]) == 4


def test_the_ceiling_is_the_share_that_is_no_noise():
    draw = np.random.default_rng(0)
    truth = np.linspace(-2, 2, 400)
    runs = 20 + truth[None, :, None] + draw.standard_normal((4, 400, 3))
    expected = truth.var() / (truth.var() + 1 / 3)
    assert shares.ceiling(runs) == pytest.approx(expected, abs=0.03)


def test_slopes_are_those_of_each_doubling():
    values = 2 * np.log2(NUMBERS["N"]) - 1.5 * np.log2(NUMBERS["1 + lam"])
    found = shares.slopes(table_of(values), {name: NUMBERS[name] for name in ("N", "1 + lam")})
    assert found == pytest.approx({"N": 2.0, "1 + lam": -1.5})


# The theory of friction.

def test_each_product_has_three_pairs_with_n_and_lam_at_their_ends():
    values = NUMBERS["N (1 + lam)"]
    assert sorted(set(values)) == [3, 4, 6, 10, 16, 32] and all(values.count(value) == 3 for value in values)
    for value in set(values):
        mine = PAIRS[np.array(values) == value]
        assert mine[:, 0].min() == 1 and mine[:, 1].min() == 0 and len(set(mine[:, 0])) == 3


def test_an_overdamped_mode_goes_home_in_p_over_rho_steps_whatever_theta_is():
    for lam, N, rho in ((7.0, 4, 1.0), (15.0, 1, 1.0), (0.0, 4, 0.1)):
        beta, steps = 0.5, friction.product(lam, N, rho)
        strong = [share / (1 + lam) for share in (0.8, 0.95)]  # 2 beta theta (1 + lam)
        found = [friction.pace(theta, lam, N, beta, rho) for theta in strong]
        assert found == pytest.approx([steps] * 2, rel=0.1)


def test_below_the_critical_eigenvalue_a_mode_swings_and_above_it_does_not():
    for lam, N, rho in ((0.0, 4, 0.5), (1.0, 2, 1.0), (7.0, 1, 1.0)):
        theta, beta = friction.critical(lam, N, 1e-3, rho), 1e-3
        swings = [bool(dynamics.mode_roots(theta * factor, 1.0, lam, N, beta, rho).imag.abs().max() > 0)
                  for factor in (0.98, 1.02)]
        assert swings == [True, False]


def test_equal_products_lose_equal_shares_of_their_velocity():
    found = [friction.lost(1.0, lam, N, 1e-5) for N, lam in ((1, 7.0), (2, 3.0), (8, 0.0))]
    assert found == pytest.approx([found[0]] * 3, rel=1e-4)
    assert friction.lost(1.0, 0.0, 8, 1e-5, s=0.0) == 0 < friction.lost(1.0, 1.0, 8, 1e-5, s=0.0)  # the null space


# Runs.

def curve(*parts):
    return [value for value, count in parts for _ in range(count)]


def test_a_run_is_over_some_steps_after_its_peak_and_some_decibels_below():
    assert not peaks.over(curve((20.0, 1), (19.0, 499)))  # 1 dB
    assert not peaks.over(curve((20.0, 1), (18.0, 299)))  # too soon
    assert peaks.over(curve((20.0, 10), (18.0, 300)))
    assert not peaks.over(curve((20.0, 10), (18.0, 300), (25.0, 10)))  # it came back


def test_a_row_says_start_peak_and_end():
    row = peaks.summary(15.0, [*np.linspace(10, 25, 100), *np.linspace(25, 20, 100)], [24.0, 23.0], "budget")
    assert row["psnr"] == [15.0, 25.0, 20.0] and row["step"][1] == 100 and row["step"][3] == 200
    assert row["step"][0] < 100 < row["step"][2]
    empty = peaks.summary(15.0, [], [-math.inf] * 2, "diverged")
    assert empty["psnr"] == [15.0] * 3 and empty["step"][3] == 0


def test_runs_are_recorded_once_and_told_apart(tmp_path):
    runs = peaks.plan([dict(lam=0.0), dict(lam=0.0, rho=0.5), dict(lam=0.0, N=None)], tasks=("denoising",), images=1,
                      seeds=1, size=16, steps=2)
    assert len({peaks.label(run) for run in runs}) == 3
    file = tmp_path / "runs.jsonl"
    first = peaks.record(runs[:2], file=file, progress=False)
    again = peaks.record(runs, file=file, progress=False)
    assert again[:2] == first and len(file.read_text().splitlines()) == 3
    assert all(len(line) < 200 for line in file.read_text().splitlines())


def test_a_fixed_input_is_never_refreshed():
    run, = peaks.plan([dict(N=None)], tasks=("denoising",), images=1, seeds=1, size=16, steps=3)
    case, seen = peaks.problem(run), []
    peaks.follow(run, case, lambda step: False, look=lambda state: seen.append(state.carry.z))
    assert len(seen) == 3 and all(torch.equal(z, case.observation.start) for z in seen)


# W1's rule.

def judged(values, noise=0.05, images=4, seeds=3):
    """Verdicts of W1 on peaks that are `values` of each setting plus an image's level and noise."""
    draw = np.random.default_rng(1)
    peak = table_of(np.asarray(values), images)[:, :, None] + noise * draw.standard_normal((images, len(PAIRS), seeds))
    found = dict(images=list("abcd"[:images]), N=[int(N) for N, _ in PAIRS], lam=[float(lam) for _, lam in PAIRS],
                 peak=peak.tolist(), at=[100.0] * 18, late=[0.0] * 18, lost=[0.0] * 18)
    ours = dict(tasks=dict(denoising=found | w1.analysed(found)), grid={}, runs=1, steps=1)
    return [claim["verdict"] for claim in w1.judge(ours)[0]]


def test_w1_agrees_where_the_product_decides_and_disagrees_where_lam_or_n_does():
    logs = {name: 2 * np.log2(values) for name, values in NUMBERS.items()}
    assert judged(logs["N (1 + lam)"]) == ["agree", "agree"]
    assert judged(logs["1 + lam"]) == ["disagree", "disagree"]
    assert judged(logs["N"]) == ["disagree", "disagree"]
    assert judged(logs["N (1 + lam)"] + 0.5 * logs["1 + lam"])[1] == "disagree"


def test_w1_is_undecided_between_its_bars_and_untested_with_too_little():
    logs = {name: 2 * np.log2(values) for name, values in NUMBERS.items()}
    assert judged(logs["N (1 + lam)"], noise=6.0)[0] in ("undecided", "disagree")
    assert judged(logs["N (1 + lam)"] + 0.6 * logs["1 + lam"])[0] == "undecided"
    assert judged(logs["N (1 + lam)"], images=1) == ["not tested", "not tested"]


# The kernel's gains.

def test_a_gain_is_the_quadratic_form_of_the_explicit_kernel():
    f, params = as_function(conv_net(4, 3, seed=0))
    z, v, w = (torch.randn(1, 1, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
               for seed in range(3))
    theta = ntk_matrix(f, params, z)
    a, b = v.flatten(), w.flatten()
    assert gains.gain(f, params, z, v) == pytest.approx(float(a @ theta @ a / (a @ a)), rel=1e-9)
    assert gains.gain(f, params, z, v, w) == pytest.approx(float(a @ theta @ b / (a @ b)), rel=1e-9)
    values, vectors = modes(NTK(f, params, z), 3, tol=1e-10)
    exact, basis = torch.linalg.eigh(theta)
    assert values == pytest.approx(exact.flip(0)[:3].numpy(), rel=1e-8)
    overlaps = [abs(float(basis[:, -1 - index] @ torch.from_numpy(vectors[index].flatten()))) for index in range(3)]
    assert overlaps == pytest.approx([1.0] * 3, abs=1e-6)
    share = gains.aligned(f, params, z, v, 3)
    assert share == pytest.approx(float((basis[:, -3:].T @ a).square().sum() / (a @ a)), abs=1e-2)


@pytest.fixture(params=["denoising", "mri"])
def seen(request):
    """A case of 32 pixels with its truth and directions."""
    run, = peaks.plan([{}], tasks=(request.param,), images=1, seeds=1, size=32, steps=1)
    case = peaks.problem(run)
    return case, gains.truth_of(case), gains.directions(case, 0)


def test_the_truth_explains_the_measurements_up_to_their_noise(seen):
    case, x, _ = seen
    energy = float((case.observation.A(x) - case.observation.y).abs().square().sum())
    assert energy == pytest.approx(case.observation.noise_energy, rel=0.1)
    assert np.abs(case.display(x) - case.truth).max() < 1e-5 * case.data_range


def test_the_two_recorrupted_measurements_share_the_picture_and_no_noise(seen):
    """Over many draws the product of the two directions is that of the picture's own, blurred by A^H A."""
    case, x, _ = seen
    clean = gains.centred(gains.networks.to_channels(case.observation.A.adjoint(case.observation.A(x))))
    drawn = [gains.directions(case, seed) for seed in range(20)]
    mean = np.mean([float((given["plus"] * given["minus"]).sum()) for given in drawn])
    cross = float((gains.centred(drawn[0]["noise"]) * clean).sum())  # n itself is the same in all draws
    noise = float(drawn[0]["noise"].square().sum() - np.mean([given["fresh"].square().sum() for given in drawn]))
    assert mean == pytest.approx(float(clean.square().sum()) + 2 * cross + noise, rel=0.05)
    assert float(drawn[0]["fresh"].square().sum()) == pytest.approx(float(drawn[0]["noise"].square().sum()), rel=0.2)


def test_a_kernel_that_knows_no_difference_has_no_gain_of_its_own(seen):
    _, x, given = seen
    shape = given["truth"].shape
    found = gains.gains(lambda params, z: 2 * params["w"].reshape(shape), dict(w=torch.zeros(given["truth"].numel())),
                        given["truth"], given)
    four = 10 * math.log10(4)
    assert found == pytest.approx(dict(truth=four, noise=four, blind=0.0), abs=1e-4)


# W2's rule.

def along_runs(heights, tops=(3.0, 1.0, 2.0, 4.0), places=(1, 2, 1, 2)):
    """Rows of an image: ratios that are greatest, `tops`, at the looks `places`, and peaks."""
    return [dict(arm="lam 1", task="mri", image="a", ratio=[top if place == index else 0.0 for index in range(3)],
                 blind=[0.0] * 3, peak=height, at=10 * place)
            for height, top, place in zip(heights, tops, places, strict=True)]


def test_a_prediction_is_a_rank_correlation_within_an_image():
    found = w2.predictions(along_runs((23.0, 21.0, 22.0, 24.0)), [0, 10, 20])
    assert found["ratio"] == dict(height={"mri a": pytest.approx(1.0)}, time={"mri a": pytest.approx(1.0)})
    assert found["blind"] == dict(height={}, time={})  # the same for all runs
    found = w2.predictions(along_runs((21.0, 23.0, 22.0, 20.0)), [0, 10, 20])
    assert found["ratio"]["height"] == {"mri a": pytest.approx(-1.0)}


@pytest.mark.parametrize(("values", "verdict"), [
    ([0.8, 0.7, 0.9, 0.75, 0.85, 0.8, 0.7, 0.9], "agree"), ([0.1, -0.2, 0.0, 0.2, 0.1, -0.1, 0.3, 0.0], "disagree"),
    ([0.9, 0.2, 0.8, 0.1, 0.7, 0.3, 0.4, 0.2], "undecided"), ([0.9] * 5, "not tested")])
def test_w2_asks_for_a_strong_correlation_on_images_like_these(values, verdict):
    assert w2.predicts("it", dict(enumerate(values)))["verdict"] == verdict


def kernels(rise, half, loss=1.0):
    """Verdicts of W2 where the ratio rises by `rise` dB, with lite-half by `half`, and then loses `loss` dB; the peak
    goes with the ratio.
    """
    draw, rows = np.random.default_rng(3), []
    for task in ("denoising", "mri"):
        for image in range(4):
            for seed in range(3):
                for index, arm in enumerate(w2.ARMS):
                    top = 10 + (half if arm == w2.HALF else rise) + 0.5 * index + 0.01 * draw.standard_normal()
                    ratio = [10 + 0.5 * index, top, top - loss]
                    rows.append(dict(arm=arm, task=task, image=f"image {image}", seed=seed, ratio=ratio, blind=ratio,
                                     aligned=None, peak=20 + top, at=100))
    ours = dict(looks=[0, 10, 20], rows=rows, steps=1, predicts=w2.predictions(rows, [0, 10, 20]))
    return [claim["verdict"] for claim in w2.judge(ours)[0]]


def test_w2_asks_whether_the_kernel_moves_and_where_it_should_not():
    predicted = ["agree", "not tested", "agree", "not tested"]  # the ratio is greatest at the same look in all runs
    assert kernels(3.0, 0.2) == ["agree"] * 6 + predicted
    assert kernels(3.0, 3.5) == ["agree", "agree", "disagree"] * 2 + predicted
    assert kernels(-0.5, -0.5)[:3] == ["disagree", "agree", "undecided"]
    assert kernels(3.0, 0.2, loss=-1.0)[:3] == ["agree", "disagree", "agree"]


# W3's rule.

def arms_of(peaks_of, onset=lambda arm: 300, images=4, seeds=3, at=lambda arm: 200):
    """W3's verdicts from the peak of each arm, 22 dB where none is given."""
    draw = np.random.default_rng(2)
    rows = [dict(arm=arm, task="mri", image=f"image {image}", seed=seed, final=20.0, rise=100, at=at(arm),
                 peak=peaks_of.get(arm, 22.0) + 0.05 * draw.standard_normal(), mean=[peaks_of.get("mean", 20.0)] * 2,
                 onset=onset(arm), made=500)
            for arm in w3.ARMS for image in range(images) for seed in range(seeds)]
    return [claim["verdict"] for claim in w3.judge(dict(rows=rows, steps=1))[0]]


def test_w3_asks_each_of_its_questions_apart():
    good = {"lam 0, rho 0.25": 25.0, "lam 0, rho 0.5": 25.1, "lam 1": 25.0}
    assert arms_of(good, lambda arm: 200 if arm == "lam 1" else None) == ["agree"] * 6
    assert arms_of({}) == ["undecided", "agree", "agree", "undecided", "agree", "undecided"]
    bad = {"lam 0, rho 0.25": 20.0, "lam 0, rho 0.5": 20.0, "mean": 23.0}
    assert arms_of(bad, lambda arm: None if arm == "lam 1" else 200) == ["disagree"] * 6
    assert arms_of(good | {"lam 0, rho 0.25": 25.5})[1] == "undecided"  # at the bar
    assert arms_of(good, images=2)[1] == "not tested"
    cut = arms_of(good, lambda arm: 200 if arm == "lam 1" else None, at=lambda arm: 480 if arm == "lam 0" else 200)
    assert cut == ["undecided", "agree", "agree", "agree", "undecided", "agree"]


def test_who_overfits_first_is_told_where_one_has_begun():
    def row(onset, made=500):
        return dict(onset=onset, made=made)
    assert [w3.sooner(row(300), row(200)), w3.sooner(row(None), row(200)), w3.sooner(row(200), row(300)),
            w3.sooner(row(200), row(None)), w3.sooner(row(None), row(None)), w3.sooner(row(None, 100), row(200)),
            w3.sooner(row(200), row(200))] == [1, 1, -1, -1, 0, 0, 0]


def test_workers_are_for_experiments_that_choose_them(tmp_path):
    with pytest.raises(InputError, match="leave out --workers"):
        experiments.run("C3", "smoke", out=tmp_path, workers=2)
