"""Checks of the exercises: right answers pass in every form, wrong ones get the hint that names the mistake."""

import pytest
import torch
from answers import RIGHT, WRONG

from aseqdip_lite import InputError
from aseqdip_lite.course.exercises import REGISTRY, aseqdip, check, judge
from aseqdip_lite.course.exercises.input_sensitivity import bumps
from aseqdip_lite.course.exercises.operators import BROKEN, Convolution, Pair, shake_kernel, suspects
from aseqdip_lite.course.theory.grid import overfitting_start
from aseqdip_lite.operators import DotTestError, dot_test
from aseqdip_lite.run.recorder import MovingVariance


def test_every_exercise_is_tried_with_two_right_and_two_wrong_answers():
    assert set(RIGHT) == set(WRONG) == set(REGISTRY)
    assert all(len(answers) >= 2 for answers in (*RIGHT.values(), *WRONG.values()))


@pytest.mark.parametrize("name, answer", [(n, a) for n, answers in RIGHT.items() for a in answers])
def test_right_answers_pass_in_every_form(name, answer):
    assert judge(name, answer) is None


@pytest.mark.parametrize("name, hint, answer", [(n, h, a) for n, answers in WRONG.items() for h, a in answers.items()])
def test_wrong_answers_get_the_hint_that_names_the_mistake(name, hint, answer):
    assert hint in judge(name, answer)


@pytest.mark.parametrize("name", list(REGISTRY))
def test_dots_are_not_an_answer(name):
    assert judge(name, ...) == "not answered yet: put your answer in place of the dots"


def test_check_prints_the_verdict_and_knows_its_exercises(capsys):
    check("mri.lam", lambda lam, H, W: lam * H * W)
    check("mri.lam", lambda lam, H, W: lam)
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == "mri.lam: right"
    assert wrong.startswith("mri.lam: only the data term holds A")
    with pytest.raises(InputError, match="unknown exercise 'mri.lamb': did you mean 'mri.lam'?"):
        check("mri.lamb", 1)


# What single exercises rest on.


def test_a_adjoint_gives_y_back_with_one_coil_and_not_with_three():
    for coils, holds in ((1, True), (3, False)):
        A = aseqdip.fourier(coils)
        y = A.mask * aseqdip.draw(1, *A.out_shape, seed=9)  # any masked data
        assert torch.allclose(A(A.adjoint(y)), y, atol=1e-5) == holds


@pytest.mark.parametrize("speed, W", [(0.3, 2), (0.3, 7), (2.0, 7)])
def test_variance_of_a_straight_path_is_that_of_the_library(speed, W):
    direction = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)  # of norm 1
    variance = MovingVariance(W)
    for t in range(W + 3):
        variance.update(5 + t * speed * direction, t + 1)
    assert variance.value == pytest.approx(speed**2 * (W**2 - 1) / 12, rel=1e-9)


def test_the_curves_of_the_onset_are_what_their_names_say():
    onsets = {name: overfitting_start(curve) for name, curve in bumps().items()}
    assert onsets["rising"] is None and onsets["recovers"] is None
    assert 200 < onsets["hill"] < 230 and abs(onsets["dip"] - onsets["hill"]) < 5 and 290 < onsets["noisy"] < 340


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
