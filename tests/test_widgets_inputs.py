"""The panel of lesson 03: its input is the one of experiment F1, and its run is Deep Image Prior with that input."""

import asyncio

import numpy as np
import pytest
import torch

from aseqdip_lite import InputError, configure, iterate, metrics
from aseqdip_lite.course.experiments import f1
from aseqdip_lite.course.input_panel import input_panel

TINY = dict(size=32, coils=2, lam=0.0, N=4, K=1, lr=3e-3)


def tiny_panel(**settings):
    return input_panel(**dict(profile="smoke", device="cpu") | TINY | settings)


@pytest.mark.parametrize("kind", f1.KINDS)
def test_one_stage_without_lam_is_deep_image_prior_with_this_input(kind):
    result = tiny_panel(input=kind, std=0.3, seed=1, data_seed=2).run_sync()
    case, x, generator = f1.scan("brain-070", 32, 2, 2)
    z = f1.network_input(kind, 0.3, x, generator)
    dip = configure("vanilla", "mri", steps=4, lr=3e-3, network=configure("aseqdip", "mri").network)
    curve = [metrics.psnr(case.display(state.image), case.truth, case.data_range)
             for state in iterate(case.observation, dip, seed=1, z0=z)]
    np.testing.assert_array_equal(result.curve["psnr"], curve)


def test_the_first_picture_is_the_input_and_its_psnr():
    view = tiny_panel(std=0.0)
    assert torch.equal(view.session.case.observation.start, f1.scan("brain-070", 32, 2, 0)[1])
    assert view.session.psnr(0) > 100  # the truth itself
    view.controls["std"].value = 0.3
    assert view.session.psnr(0) < 20
    view.controls["input"].value = "zero-filled"
    observation = view.session.case.observation
    assert torch.allclose(observation.start, observation.A.adjoint(observation.y))


def test_more_noise_in_the_input_is_a_worse_picture():
    scores = []
    view = tiny_panel()
    for std in (0.01, 0.1, 1.0):
        view.controls["std"].value = std
        scores.append(view.session.psnr(0))
    assert scores == sorted(scores, reverse=True)


def test_the_settings_of_the_input_are_told_apart_in_the_table():
    view = tiny_panel(std=0.1)
    view.run_sync()
    view.controls["std"].value = 1.0
    view.run_sync()
    assert "<b>std 0.1</b>" in view.table.value and "<b>std 1</b>" in view.table.value
    assert "input truth + noise" in view.table.value


def test_the_line_of_python_repeats_the_run():
    view, names = tiny_panel(input="noise", std=0.3, seed=1, data_seed=2, image="brain-096"), {}
    result = view.run_sync(steps=3)
    exec(view.code.value, names)
    assert names["result"].metrics["psnr"] == result.metrics["psnr"]


def test_run_and_stop_by_buttons():
    async def pressed():
        view = tiny_panel(N=5000)
        view.buttons["Run"].click()
        while view.session.steps < 2:
            await asyncio.sleep(0.001)
        assert view.controls["std"].disabled
        view.buttons["Stop"].click()
        await asyncio.sleep(0.01)
        return view

    view = asyncio.run(pressed())
    assert view.state == "done" and view.session.reason == "interrupted" and not view.controls["std"].disabled


def test_mistakes_are_said_in_the_panel_or_raised():
    view = tiny_panel()
    view.controls["std"].value = -1.0
    assert "std must be at least 0.0, got -1.0" in view.message.value
    view.controls["std"].value = 0.1
    view.controls["data_seed"].value = -1
    assert "seed must be a whole number" in view.message.value
    with pytest.raises(InputError, match="std must be at least 0.0"):
        tiny_panel(std=-1.0)
    with pytest.raises(InputError, match="unknown input 'nois': did you mean 'noise'"):
        tiny_panel(input="nois")
    with pytest.raises(InputError, match="unknown setting of mri or its methods 'sigma'"):
        tiny_panel(sigma=1.0)
