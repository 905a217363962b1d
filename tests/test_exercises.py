"""Checks of the exercises: right answers pass in every form, wrong ones get the hint that names the mistake."""

import functools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from checks import error_of
from mutants import answer_of, each
from right_forms import FORMS, MISTAKES, RIGHT

from aseqdip_lite import InputError
from aseqdip_lite.course.exercises import REGISTRY, aseqdip, check, chosen, dip, judge, own
from aseqdip_lite.course.exercises.denoising import haar
from aseqdip_lite.course.exercises.drawing import drawn_in
from aseqdip_lite.course.exercises.input_sensitivity import bumps, kind, scans
from aseqdip_lite.course.exercises.operators import Convolution, Pair, shake_kernel, suspects
from aseqdip_lite.course.exercises.table import Exercise, all_close, attempt, entries, parts_of
from aseqdip_lite.course.theory.grid import overfitting_start
from aseqdip_lite.operators import DotTestError, dot_test
from aseqdip_lite.run.recorder import MovingVariance

ENTRIES = [(name, number, hint) for name, exercise in REGISTRY.items()
           for number, (hint, _) in enumerate(entries(exercise.table(*exercise.cases()[0])))]


@pytest.mark.parametrize("name, number, hint", ENTRIES)
def test_every_entry_of_every_table_gets_its_own_hint(name, number, hint):
    assert judge(name, answer_of(name, number)) == hint


@pytest.mark.parametrize("name", list(REGISTRY))
def test_a_table_names_two_mistakes_and_each_once(name):
    hints = [hint for other, _, hint in ENTRIES if other == name]
    assert hints[0] is None and len(set(hints)) >= 3 and all("\n" not in (hint or "") for hint in hints)


@pytest.mark.parametrize("name, answer", [(name, answer) for name, answers in RIGHT.items() for answer in answers])
def test_right_answers_pass_in_every_form(name, answer):
    assert judge(name, answer) is None


@pytest.mark.parametrize("name, form", sorted({(name, form) for name in REGISTRY for form in FORMS} - MISTAKES))
def test_numbers_may_come_in_any_form(name, form):
    assert judge(name, answer_of(name, 0, lambda value: each(FORMS[form], value))) is None


def words(change):
    """Right answers to exercises that ask for a word, changed."""
    return [(name, lambda *case, name=name: change(answer_of(name)(*case))) for name in ("aseqdip.later",
                                                                                         "paper.gradient")]


@pytest.mark.parametrize("name, answer", [
    *words(np.str_), *words(str.upper), *words(lambda word: f" {word}\n"), *words(lambda word: [word]),
    ("start.truth", "b:"), ("start.truth", "'B'"), ("start.truth", "(B)."),
    ("start.psnr", lambda *case: np.longdouble(answer_of("start.psnr")(*case))),
    ("start.psnr", lambda *case: Decimal(answer_of("start.psnr")(*case))),
    ("start.steps", lambda N, K: (Fraction(N * K), Fraction(K))), ("start.steps", lambda N, K: map(int, (N * K, K))),
    ("start.steps", lambda N, K: (part for part in (N * K, K))),
    ("start.steps", lambda N, K: dict(a=N * K, b=K).values()),
    ("family.wins", lambda M, n, w: sum(Fraction(math.comb(n, k) * (M - 1)**(n - k), M**n) for k in range(w, n + 1))),
    ("denoising.sigma", lambda y: np.median([float(haar(part).abs().median()) / 0.6745 for part in y[0]]))])
def test_unusual_right_answers_pass(name, answer):
    assert judge(name, answer) is None


@pytest.mark.parametrize("name", ["adaptive.way", "dip.share", "family.paired", "inpainting.hole",
                                  "inpainting.hole:whole", "inpainting.harmonic", "inpainting.stage",
                                  "inpainting.paste", "start.psnr"])
@pytest.mark.parametrize("change", [abs, lambda value: value.clip(min=0)])
def test_a_sign_that_is_lost_is_found(name, change):
    wrong = answer_of(name, 0, lambda value: each(lambda part: change(torch.as_tensor(part)), value))
    assert judge(name, wrong)


def test_unusual_wrong_answers_do_not():
    def leak(A):
        w = answer_of("mri.unseen")(A)
        return w + 4e-4 * A.adjoint(A(torch.ones_like(w))) * w.norm() / w.numel() ** 0.5

    assert "is not zero" in judge("mri.unseen", leak)
    assert judge("start.truth", "B, A") and judge("aseqdip.later", lambda less, more: ["later", "earlier"])
    assert judge("start.steps", lambda N, K: iter(int, 1)).startswith("2 things are expected")
    hint = judge("denoising.sigma", lambda y: 1.05 * answer_of("denoising.sigma")(y))
    assert hint.startswith("near") and "tensor" not in hint


def stop_after_falls(variance, patience):
    """The least value so far, but the wait counts steps in a row that do not fall."""
    best, pick, wait, before = math.inf, 0, 0, math.inf
    for step, value in enumerate(variance, start=1):
        wait = 0 if math.isnan(value) or value < before else wait + 1
        if value < best:
            best, pick = value, step
        before = math.inf if math.isnan(value) else value
        if wait >= patience:
            return pick, step
    return pick, None


def rounded(c):
    """A number to one decimal, real or complex."""
    return complex(round(c.real, 1), round(c.imag, 1)) if isinstance(c, complex) else round(c, 1)


#: Wrong answers that a reader may well give, and a word of their hints.
PLAUSIBLE = [
    ("dip.stop", stop_after_falls, "least one so far"),
    ("why.passes", lambda lam, N, rho, left: (1 + 3 * N) * next(
        k for k in range(1, 10_000) if (1 - rho / (1 + lam)) ** k < left), "is enough"),
    ("operators.dot_test", lambda A, x, v: float(not torch.allclose(
        torch.vdot(A(x).flatten(), v.flatten()), torch.vdot(x.flatten(), A.adjoint(v).flatten()))), "verdict"),
    ("operators.factor", answer_of("operators.factor", 0, lambda c: c if c is None else rounded(c.item())),
     "B = c A^H"),
    ("denoising.target", lambda y, z, lam: [(y + lam * z) / (1 + lam), 0.0], "two distances"),
    ("paper.target", lambda z: z.real, "two squares"),
    *(("input.onset", functools.partial(overfitting_start, window=window), "mean is over") for window in (40, 75)),
    *(("input.onset", functools.partial(overfitting_start, drop=drop), "0.1 dB") for drop in (0.15, 0.2))]


@pytest.mark.parametrize("name, answer, word", PLAUSIBLE)
def test_plausible_wrong_answers_get_a_hint_to_their_mistake(name, answer, word):
    assert word in (judge(name, answer) or "")


@pytest.mark.parametrize("name", [name for name in REGISTRY
                                  if isinstance(answer_of(name)(*REGISTRY[name].cases()[0]), tuple)])
def test_a_list_counts_as_a_tuple(name):
    assert judge(name, lambda *case: list(answer_of(name)(*case))) is None


def test_a_real_image_counts_as_a_complex_one_without_an_imaginary_part():
    def unseen(A):
        """A cosine along the rows: one or two columns of k-space, as far from the centre as they must be."""
        W = A.in_shape[-1]
        seen = A.mask.flatten().bool()
        j = next(j for j in range(1, (W + 1) // 2) if not seen[W // 2 + j] and not seen[W // 2 - j])
        return torch.cos(2 * math.pi * j * torch.arange(W) / W).expand(1, *A.in_shape)

    assert judge("mri.unseen", unseen) is None and judge("paper.target", lambda z: (z.real + z.imag) / 2) is None
    assert "all of it is measured" in judge("mri.unseen", lambda A: torch.ones(1, *A.in_shape))


NO_ANSWERS = {
    "NaN": lambda value: value * math.nan,
    "infinite": lambda value: value * 0 + math.inf,
    "zero": lambda value: value * 0,
    "another": lambda value: value * 1.37 + 0.11,
    "of another shape": lambda value: torch.ones(3, 5, 2),
}


#: Where it is right: an input that is brighter is like the image, too, and a kernel may have one more direction.
EXCEPTIONS = {("input.blind", "another"), ("spectral.kernel", "another")}


@pytest.mark.parametrize("name, mutant", sorted({(name, no) for name in REGISTRY for no in NO_ANSWERS} - EXCEPTIONS))
def test_what_is_no_answer_gets_a_hint_in_one_line(name, mutant):
    wrong = answer_of(name, 0, lambda value: each(NO_ANSWERS[mutant], value))
    words = isinstance(answer_of(name)(*REGISTRY[name].cases()[0]), (str, set))
    hint = judge(name, (lambda *case: "?") if words else wrong)
    assert hint and "\n" not in hint and "raised" not in hint


@pytest.mark.parametrize("name", list(REGISTRY))
def test_dots_and_nothing_are_not_answers(name):
    assert judge(name, ...) == "not answered yet: put your answer in place of the dots"
    assert judge(name, lambda *case: None).startswith("not answered yet: your function returns ")


def test_a_variant_that_is_no_whole_number_is_refused_whatever_the_answer():
    for variant in ("x", 1.5, -1, True):
        assert "a variant is a whole number" in error_of(judge, "mri.lam", lambda lam, H, W: lam * H * W, variant)
    assert judge("mri.lam", lambda lam, H, W: lam * H * W, "7") is None


def test_a_name_that_is_no_text_is_refused():
    for name in (["mri.lam"], {}, None, 7):
        assert "unknown exercise" in error_of(judge, name, 3.0)


def test_an_exception_becomes_the_hint_and_so_does_an_answer_that_is_no_function():
    assert judge("mri.lam", lambda lam, H, W: lam / 0) .startswith("your answer raised ZeroDivisionError: ")
    assert "raised TypeError" in judge("mri.lam", lambda lam: lam)
    assert "raised TypeError" in judge("aseqdip.later", lambda less: "later")  # not the hint to a comparison with None
    assert judge("mri.lam", 3.0) == "a function is expected, your answer is of type float"
    assert judge("auto.count", lambda H, W: 3) == (
        "2 things are expected: the numbers of the image and the numbers of the code; your answer has 1")


def test_arguments_must_not_be_changed():
    def in_place(params):
        params["4.weight"].neg_()
        return params

    assert "changes its arguments" in judge("ntk.partner", in_place)


def disc(observation):
    """A bright disc with fresh noise."""
    axis = torch.linspace(-1, 1, observation.start.shape[-1])
    return (axis**2 + axis[:, None] ** 2 < 0.7) + 0.1 * torch.randn_like(observation.start)


@pytest.mark.parametrize("answer", [disc, lambda o: 1 + 1e-3 * torch.randn_like(o.start)])
def test_an_input_must_come_from_the_observation(answer):
    assert "little to do with the image" in judge("input.blind", answer)


def test_tables_compare_in_all_cases_or_at_the_first_that_goes_wrong():
    def table(x):
        return {None: x, "twice": 2 * x, "the square": [x**2, -x**2]}

    for stepwise, expected in ((False, "no idea"), (True, "twice")):
        asked = Exercise(table, lambda: [(1.0,), (2.0,), (3.0,)], "no idea", 1e-6, None, stepwise, "")
        assert asked.judge(lambda x: 2 * x if x == 1 else x**3) == expected
        assert asked.judge(lambda x: -x**2) == "the square"
        assert asked.judge(lambda x: 1.0) == "your answer is the same for all arguments that were tried; no idea"


def test_agreement_is_relative_to_the_norm_and_looser_in_single_precision():
    a = torch.tensor([1.0, 1e-9], dtype=torch.float64)
    assert all_close(a, torch.tensor([1.0, 0.0]).double()) and not all_close(a * (1 + 1e-5), a)
    assert all_close(a.float() * (1 + 1e-5), a) and not all_close(a, a[:1]) and not all_close(a + 0j, a)
    assert all_close((1, None), (1, None)) and not all_close((1, 2), (1, None)) and all_close(math.nan, math.nan)
    assert all_close(attempt(lambda: 1 / 0), ZeroDivisionError()) and not all_close(10**400, 1.0)


def test_check_prints_the_verdict_and_knows_its_exercises(capsys):
    check("mri.lam", lambda lam, H, W: lam * H * W)
    check("mri.lam", lambda lam, H, W: lam)
    right, wrong = capsys.readouterr().out.splitlines()
    assert "mri.lam: right" in right
    assert "mri.lam: not yet: only the data term contains A" in wrong
    with pytest.raises(InputError, match="unknown exercise 'mri.lamb': did you mean 'mri.lam'?"):
        check("mri.lamb", 1)


# Variants.

def all_alike(asked):
    """Whether an exercise has the same cases in a variant as without one."""
    def numbers(case):
        return [part for value in case for part in ([value.y] if hasattr(value, "y") else parts_of(value))
                if isinstance(part, (torch.Tensor, np.ndarray, float, int))]

    with drawn_in(1):
        other = asked.cases()
    return all(all_close(a, b) for pair in zip(asked.cases(), other, strict=True)
               for a, b in zip(*map(numbers, pair), strict=True))


OTHERS = {name: name.split(":")[0] for name in REGISTRY if ":" in name}


def test_each_lesson_has_an_exercise_in_another_convention():
    assert set(OTHERS.values()) <= set(own())
    assert {name.split(".")[0] for name in OTHERS} == {name.split(".")[0] for name in own()}


@pytest.mark.parametrize("name", OTHERS)
def test_neighbours_do_not_share_answers_and_a_solution_is_right(name):
    asked, base = REGISTRY[name], OTHERS[name]
    assert judge(name, answer_of(base)) and judge(base, answer_of(name))
    assert asked.instead and judge(name, eval(asked.solution, dict(math=math))) is None
    assert {chosen(base, seed) for seed in range(40)} == {other for other in REGISTRY if other.split(":")[0] == base}
    assert chosen(base) == base and chosen(base, 5) == chosen(base, 5)


#: Exercises whose cases are drawn anew in a variant; the others are tried on numbers and curves that were chosen.
DRAWN = {name for name, asked in REGISTRY.items() if not all_alike(asked)}


@pytest.mark.parametrize("variant", [0, 20])
@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_entry_gets_its_own_hint_on_the_images_of_a_variant(name, variant):
    for number, hint in [(number, hint) for other, number, hint in ENTRIES if other == name]:
        assert judge(name, answer_of(name, number), variant) == hint


def test_an_answer_that_knows_the_images_of_one_variant_is_wrong_in_another():
    def known(cases):
        return lambda f, x, n: next((right for one, right in cases if torch.equal(one, f)), 0.5)

    cases = REGISTRY["dip.share"].cases()
    answer = known([(case[0], answer_of("dip.share")(*case)) for case in cases])
    assert judge("dip.share", answer) is None and judge("dip.share", answer, 7)
    assert judge("dip.share", answer) is None, "the variant holds for one call alone"


def test_an_image_of_a_variant_is_another_shipped_slice():
    names = set()
    for variant in range(8):
        with drawn_in(variant):
            (first, x), (other, _) = scans()
            assert kind(x, first) == "image" and not torch.equal(first.y, other.y)
            names.add(float(x.abs().sum()))
    assert len(names) == 8


def test_check_asks_what_the_variant_asks_and_says_so(capsys, monkeypatch):
    seed = next(seed for seed in range(40) if chosen("mri.lam", seed) != "mri.lam")
    monkeypatch.setenv("ASEQDIP_VARIANT", str(seed))
    check("mri.lam", lambda lam, H, W: lam / (H * W))
    check("mri.lam", lambda lam, H, W: lam * H * W)
    right, wrong = capsys.readouterr().out.splitlines()
    assert "mri.lam: right" in right and "your variant: the other FFT" in right
    assert "not yet: your answer is upside down" in wrong
    check("start.truth", "B")
    assert "variant" not in capsys.readouterr().out


# What single exercises rest on.


def test_a_adjoint_gives_y_back_with_one_coil_and_not_with_three():
    for coils, holds in ((1, True), (3, False)):
        A = aseqdip.fourier(coils)
        y = A.mask * aseqdip.complex_draw(1, *A.out_shape, seed=9)  # any masked data
        assert torch.allclose(A(A.adjoint(y)), y, atol=1e-5) == holds


@pytest.mark.parametrize("speed, W", [(0.3, 2), (0.3, 7), (2.0, 7)])
def test_variance_of_a_straight_path_is_that_of_the_library(speed, W):
    direction = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)  # of norm 1
    variance = MovingVariance(W)
    for t in range(W + 3):
        variance.update(5 + t * speed * direction, t + 1)
    assert variance.value == pytest.approx(dip.path(speed, W)[None], rel=1e-9)


def test_the_curves_of_the_onset_are_what_their_names_say():
    onsets = {name: overfitting_start(curve) for name, curve in bumps().items()}
    assert onsets["rising"] is None and onsets["recovers"] is None
    assert 200 < onsets["hill"] < 230 and abs(onsets["dip"] - onsets["hill"]) < 5 and 290 < onsets["noisy"] < 340
    assert onsets["twice"] > 320 and 175 < onsets["stairs"] < 225 and 125 < onsets["waves"] < 175


BROKEN = {"coils 1", "shake", "views 2"}


@pytest.mark.parametrize("name", list(suspects()))
def test_the_librarys_dot_test_finds_exactly_the_broken_suspects(name):
    A = suspects()[name]
    if name in BROKEN:
        with pytest.raises(DotTestError):
            dot_test(A)
    else:
        assert dot_test(A) <= 1e-10


def test_convolution_has_its_adjoint_and_the_kernel_has_no_symmetry():
    blur = Convolution((1, 12, 15), shake_kernel())
    assert dot_test(blur) <= 1e-10
    with pytest.raises(DotTestError):
        dot_test(Pair(blur, blur.H))
    torch.testing.assert_close(blur(torch.ones(1, 1, 12, 15)), torch.ones(1, 1, 12, 15))
