"""Checkers of the exercises: two right forms of an answer pass, typical wrong ones get the hint that names them."""

import pytest
import torch

from aseqdip_lite import InputError
from aseqdip_lite.exercises import REGISTRY, check, judge


def fft(x):
    return torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(x, dim=(-2, -1)), norm="ortho"), dim=(-2, -1))


def ifft(k):
    return torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(k, dim=(-2, -1)), norm="ortho"), dim=(-2, -1))


def combine(s, k):
    return (s.conj() * ifft(k)).sum(dim=1, keepdim=True)


def noise(A):
    return torch.randn((1, *A.in_shape), dtype=torch.complex64)


def replaced(f, y, A):
    return combine(A.sens_maps, (1 - A.mask) * fft(A.sens_maps * f) + y)


RIGHT = {
    "mri.adjoint": [
        lambda y, s, m: combine(s, m * y),
        lambda y, s, m: torch.einsum("chw,bchw->bhw", s.conj(), ifft(y * m))[:, None],
        # the definition: the gradient of Re<A x, y> at any x
        lambda y, s, m: torch.func.vjp(lambda x: m * fft(s * x), torch.zeros_like(y[:, :1]))[1](y)[0],
    ],
    "mri.unseen": [
        lambda A: ifft((1 - A.mask) * fft(noise(A))),
        lambda A: (lambda x: x - A.adjoint(A(x)))(noise(A)),
    ],
    "mri.lam": [lambda lam, H, W: lam * H * W, lambda lam, H, W: lam * (H * W) ** 0.5 * (H * W) ** 0.5],
    "mri.project": [lambda f, y, A: f + A.adjoint(y - A(f)), replaced],
}

WRONG = {
    "mri.adjoint": {
        "M is missing": lambda y, s, m: combine(s, y),
        "not conjugated": lambda y, s, m: (s * ifft(m * y)).sum(dim=1, keepdim=True),
        "F is used twice": lambda y, s, m: (s.conj() * fft(m * y)).sum(dim=1, keepdim=True),
        "a mean over coils": lambda y, s, m: (s.conj() * ifft(m * y)).mean(dim=1, keepdim=True),
        "divided by sum": lambda y, s, m: combine(s, m * y) / s.abs().square().sum(dim=0),
        "sum over coils": lambda y, s, m: s.conj() * ifft(m * y),
        "loses its phase": lambda y, s, m: combine(s, m * y).abs(),
        "undo the three steps": lambda y, s, m: (s.conj() * torch.fft.ifft2(m * y)).sum(dim=1, keepdim=True),
        "returns nothing": lambda y, s, m: None,
        "type list": lambda y, s, m: [1.0],
        "raised TypeError": lambda y: y,
    },
    "mri.unseen": {
        "every null space": lambda A: 0 * noise(A),
        "all of it is measured": lambda A: ifft(A.mask * fft(noise(A))),
        "is not zero": lambda A: (1 - A.mask) * noise(A),
        "the shape must be": lambda A: noise(A)[0],
    },
    "mri.lam": {
        "the norm is squared": lambda lam, H, W: lam * (H * W) ** 0.5,
        "upside down": lambda lam, H, W: lam / (H * W),
        "only the data term holds A": lambda lam, H, W: lam,
        "take the factor out": lambda lam, H, W: lam * H,
        "returns nothing": lambda lam, H, W: None,
    },
    "mri.project": {
        "zero-filled image": lambda f, y, A: A.adjoint(y),
        "only the correction": lambda f, y, A: A.adjoint(y - A(f)),
        "the sign": lambda f, y, A: f + A.adjoint(A(f) - y),
        "do not add y": lambda f, y, A: f + A.adjoint(y),
        "keep the rest": lambda f, y, A: f,
    },
}


def test_every_exercise_is_tried_with_two_right_and_two_wrong_answers():
    assert set(RIGHT) == set(WRONG) == {name for name in REGISTRY if name.startswith("mri.")}
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
