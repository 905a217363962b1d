"""The panel, driven by `.value` and `.click()`: its numbers, its states, its errors, its memory."""

import asyncio
import base64
import functools
import io
import os
import re
import signal
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from aseqdip_lite import ASeqDIP, InputError, methods, reconstruct, tasks
from aseqdip_lite.methods.base import Method
from aseqdip_lite.settings import Settings, fields_of, setting
from aseqdip_lite.widgets import Panel, Session, classic, drawing, panel
from aseqdip_lite.widgets.controls import DecadeControl, OptionalControl, controls_for, decades
from aseqdip_lite.widgets.session import ACTIONS, Frames

TINY = dict(size=32, coils=2)


def tiny_panel(**settings):
    """A panel on the quickest case; K is large, so that a run lasts until it is stopped."""
    return panel("mri", **dict(profile="smoke", device="cpu", K=5000) | TINY | settings)


async def until(holds):
    """Let the panel's task run until `holds()`; fail if that never comes true."""
    for _ in range(20_000):
        if holds():
            return
        await asyncio.sleep(0.001)
    pytest.fail("the panel never got there")


def in_a_loop(test):
    """A test that is a coroutine, run by asyncio."""
    @functools.wraps(test)
    def run(*args, **kwargs):
        return asyncio.run(test(*args, **kwargs))
    return run


def enabled(view):
    """Names of the buttons that can be pressed."""
    return {name for name, button in view.buttons.items() if not button.disabled}


def alts(view):
    """Alt texts of the pictures on view."""
    return re.findall(r'alt="([^"]*)"', view.pictures.value)


# --- the same numbers as reconstruct ---------------------------------------------------------------------------------

@pytest.mark.parametrize("chosen, settings", [("aseqdip", dict(N=2, K=3)), ("vanilla", dict(steps=5)),
                                              ("zero_filled", {})])
def test_run_sync_gives_the_numbers_of_reconstruct(tiny_mri, chosen, settings):
    result = tiny_panel(method=chosen, seed=0, **settings).run_sync()
    expected = reconstruct(tiny_mri, methods.configure(chosen, "mri", "smoke", **settings), progress=False)
    for column in expected.curve:
        np.testing.assert_array_equal(result.curve[column], expected.curve[column])
    for name, image in expected.images.items():
        assert (image is None) == (result.images[name] is None)
        assert image is None or bool((image == result.images[name]).all())
    unlike = {"seconds", "peak_memory_mib"}
    assert ({key: value for key, value in result.metrics.items() if key not in unlike}
            == {key: value for key, value in expected.metrics.items() if key not in unlike})


def test_steps_shorten_run_sync_as_they_shorten_reconstruct(tiny_mri):
    result = tiny_panel(N=2, K=50).run_sync(steps=5)
    expected = reconstruct(tiny_mri, methods.configure("aseqdip", "mri", "smoke", N=2, K=50), steps=5, progress=False)
    assert result.curve["loss"] == expected.curve["loss"]
    assert result.metrics["steps"] == 5 and result.metrics["stop_reason"] == "budget"


@in_a_loop
async def test_a_run_that_is_paused_and_stepped_gives_the_same_curve_as_one_in_a_go():
    view = tiny_panel(N=2, K=4)
    view.buttons["Run"].click()
    await until(lambda: view.session.steps >= 2)
    for button in ("Pause", "Step", "Run"):
        view.buttons[button].click()
    await until(lambda: view.state == "done")
    assert view.session.result().curve["psnr"] == tiny_panel(N=2, K=4).run_sync().curve["psnr"]


def test_seed_and_data_seed_are_two():
    base = tiny_panel(K=2).run_sync()
    other_weights = tiny_panel(K=2, seed=1, data_seed=0).run_sync()
    other_data = tiny_panel(K=2, seed=0, data_seed=1).run_sync()
    assert other_weights.metrics["data_seed"] == base.metrics["data_seed"] == 0 and other_weights.metrics["seed"] == 1
    assert bool((other_weights.images["start"] == base.images["start"]).all())
    assert not bool((other_data.images["start"] == base.images["start"]).all())


# --- buttons and states ----------------------------------------------------------------------------------------------

@in_a_loop
async def test_buttons_are_honest_at_each_stage():
    view = tiny_panel()
    assert (view.state, enabled(view)) == ("idle", {"Run", "Step"})
    view.buttons["Run"].click()
    await until(lambda: view.session.steps >= 2)
    view.draw()
    assert (view.state, enabled(view)) == ("running", {"Pause", "Stop", "Reset"})
    assert all(control.disabled for control in view.controls.values())
    view.buttons["Pause"].click()
    assert (view.state, enabled(view)) == ("paused", {"Run", "Step", "Stop", "Reset", "Save", "GIF"})
    assert "to change settings, press Stop" in view.message.value
    paused_at = view.session.steps
    await asyncio.sleep(0.05)
    assert view.session.steps == paused_at
    view.buttons["Step"].click()
    assert (view.state, view.session.steps) == ("paused", paused_at + 1)
    view.buttons["Run"].click()
    await until(lambda: view.session.steps > paused_at + 2)
    view.buttons["Stop"].click()
    assert (view.state, enabled(view)) == ("done", {"Run", "Step", "Reset", "Save", "GIF"})
    assert not any(control.disabled for control in view.controls.values())
    assert "Stopped" in view.message.value
    stopped_at = view.session.steps
    await asyncio.sleep(0.05)
    assert view.session.steps == stopped_at
    view.buttons["Reset"].click()
    assert (view.state, enabled(view), view.session.steps) == ("idle", {"Run", "Step"}, 0)
    assert view.previous is None and alts(view)[0].startswith("Reconstruction of run A: aseqdip, start")


@in_a_loop
async def test_pressing_pause_and_run_at_once_leaves_one_driver():
    view = tiny_panel()
    for _ in range(4):
        view.buttons["Run"].click()
        view.buttons["Pause"].click()
    view.buttons["Run"].click()
    await until(lambda: view.session.steps >= 3)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    view.buttons["Stop"].click()
    assert len(others) == 1


@in_a_loop
async def test_reset_while_running_ends_the_run():
    view = tiny_panel()
    view.buttons["Run"].click()
    await until(lambda: view.session.steps >= 1)
    view.buttons["Reset"].click()
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert view.state == "idle" and view.session.steps == 0


@in_a_loop
async def test_a_run_that_makes_all_its_steps_is_done():
    view = tiny_panel(N=1, K=3)
    view.buttons["Run"].click()
    await until(lambda: view.state == "done")
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert (view.session.steps, view.session.reason) == (3, "budget")
    assert "all its steps" in view.message.value and enabled(view) == {"Run", "Step", "Reset", "Save", "GIF"}


@in_a_loop
async def test_a_second_panel_pauses_the_first():
    first, second = tiny_panel(), tiny_panel(method="vanilla")
    first.buttons["Run"].click()
    await until(lambda: first.session.steps >= 1)
    second.buttons["Run"].click()
    await until(lambda: second.session.steps >= 1)
    assert (first.state, second.state) == ("paused", "running")
    assert "Run" in enabled(first) and "another panel runs now" in first.message.value
    second.buttons["Stop"].click()


@in_a_loop
async def test_an_interrupt_of_the_kernel_pauses_the_run_and_says_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a kernel between two cells
    try:
        view = tiny_panel()
        view.buttons["Run"].click()
        await until(lambda: view.session.steps >= 1)
        os.kill(os.getpid(), signal.SIGINT)
        await until(lambda: view.state == "paused")
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert "Interrupted" in view.message.value and "Run" in enabled(view)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_text_tells_step_stage_psnr_and_time_left():
    view = tiny_panel(N=2, K=50)
    for _ in range(3):
        view.buttons["Step"].click()
    psnr = view.session.recorder.curve["psnr"][-1]
    assert re.fullmatch(rf"Run A is paused, step 3 of 100, stage k = 2, PSNR {psnr:.2f} dB, \d+ seconds left",
                        view.status.value)
    assert f"{psnr:.2f} dB" in view.table.value and "lam 0.25, N 2, K 50" in view.table.value


@pytest.mark.parametrize("state", ACTIONS)
def test_a_session_refuses_what_its_state_does_not_allow(tiny_mri, state):
    for action in {"run", "pause", "step", "stop"} - set(ACTIONS[state]):
        session = Session(tiny_mri, ASeqDIP(K=1))
        session.state = state
        with pytest.raises(RuntimeError, match=f"cannot {action} a run that is {state}"):
            getattr(session, action)()


# --- settings --------------------------------------------------------------------------------------------------------

@in_a_loop
async def test_another_lam_gives_another_result():
    view, curves = tiny_panel(N=2, K=2), []
    for lam in (1.0, 0.0, 1.0):
        view.controls["lam"].value = lam
        view.buttons["Run"].click()
        await until(lambda: view.state == "done")
        curves.append(view.session.result().curve["psnr"])
    assert curves[0] == curves[2] != curves[1]


def test_every_setting_of_every_task_and_method_has_a_control_of_its_value():
    for registry in (tasks.REGISTRY, methods.REGISTRY):
        for cls in registry.values():
            controls = controls_for(cls, {})
            assert set(controls) == {field.name for field, _, _ in fields_of(cls)}
            assert cls(**{name: control.value for name, control in controls.items()}) == cls()


@pytest.mark.parametrize("task", tasks.names())
def test_a_panel_opens_on_every_task(task):
    view = panel(task, profile="smoke", device="cpu")
    assert view.message.value == ""
    assert "aseqdip, start" in alts(view)[0]
    assert list(view.controls["method"].options) == methods.names(task)


def test_settings_given_to_the_panel_reach_the_run():
    view = tiny_panel(lam=0.7, lr=2e-3, acceleration=2.0, method="aseqdip")
    assert view.session.method.lam == 0.7 and view.session.method.lr == 2e-3
    assert view.session.case.settings["acceleration"] == 2.0 and view.session.case.settings["coils"] == 2


def test_a_changed_problem_is_previewed_before_a_run_only():
    view = tiny_panel(K=1)
    before = view.pictures.value
    view.controls["image"].value = "brain-096"
    assert view.pictures.value != before and view.session.case.image == "brain-096"
    view.run_sync()
    view.controls["image"].value = "brain-070"
    assert view.session.case.image == "brain-096" and "next new run" in view.message.value
    view.controls["lam"].value = -1.0
    assert "lam must be at least 0.0, got -1.0" in view.message.value, "it is said before the next run"


def test_each_method_keeps_its_own_values():
    view = tiny_panel(methods=["aseqdip", "vanilla"])
    view.controls["lr"].value = 0.01
    view.controls["method"].value = "vanilla"
    assert "lam" not in view.controls and view.controls["lr"].value == methods.configure("vanilla", "mri", "smoke").lr
    view.controls["method"].value = "aseqdip"
    assert view.controls["lr"].value == 0.01


def test_slider_of_decades_and_box_are_one_value():
    @dataclass(frozen=True)
    class Weighted(Settings):
        lam: float = setting(1.0, "weight", low=0.0)

    control = controls_for(Weighted, {})["lam"]
    assert isinstance(control, DecadeControl) and control.slider.options[0] == ("0", 0.0)
    control.slider.value = 0.0
    assert control.value == control.box.value == 0.0
    control.box.value = 7.5
    assert control.value == 7.5 and control.slider.value == 10.0
    control.slider.value = 3.0
    assert control.value == control.box.value == 3.0
    control.disabled = True
    assert control.box.disabled and control.slider.disabled


def test_decades_hold_round_numbers_in_order():
    assert decades(1.0, True) == [0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
    ladder = decades(3e-4, False)
    assert 3e-4 in ladder and ladder == sorted(ladder) and ladder[0] > 0


def test_optional_control_gives_none_and_remembers_the_number():
    @dataclass(frozen=True)
    class Noisy(Settings):
        snr: float | None = setting(30.0, "noise", low=-20)
        share: float | None = setting(None, "share", above=0, below=1)

    snr, share = controls_for(Noisy, {}).values()
    assert isinstance(snr, OptionalControl) and (snr.value, share.value) == (30.0, None)
    snr.none.value = True
    assert snr.value is None and snr.inner.disabled
    snr.none.value = False
    assert snr.value == 30.0 and not snr.inner.disabled
    share.value = 0.5
    assert share.inner.value == 0.5 and not share.none.value
    share.value = None
    assert share.none.value
    snr.disabled = True
    assert snr.inner.disabled and snr.none.disabled


@pytest.mark.parametrize("arguments, text", [
    (dict(task="mir"), "unknown task 'mir': did you mean 'mri'?"),
    (dict(method="asqdip"), "unknown method of this panel 'asqdip': did you mean 'aseqdip'?"),
    (dict(methods=["vanila"]), "unknown method for mri 'vanila': did you mean 'vanilla'?"),
    (dict(profile="smoky"), "unknown profile 'smoky': did you mean 'smoke'?"),
    (dict(lamb=1.0), "unknown setting of mri or its methods 'lamb': did you mean 'lam'?"),
    (dict(lam=-1.0), "lam must be at least 0.0, got -1.0"),
])
def test_a_panel_refuses_what_it_does_not_know(arguments, text):
    with pytest.raises(InputError, match=re.escape(text)):
        panel(**dict(profile="smoke", device="cpu") | arguments)


# --- errors ----------------------------------------------------------------------------------------------------------

def test_a_bad_setting_is_said_and_a_good_one_takes_it_back():
    view = tiny_panel(K=2)
    view.controls["lam"].value = -1.0
    view.buttons["Step"].click()
    assert "<b>Error:</b> lam must be at least 0.0, got -1.0" in view.message.value
    assert (view.state, enabled(view)) == ("idle", {"Run", "Step"})
    view.controls["lam"].value = 1.0
    assert view.message.value == ""
    view.buttons["Step"].click()
    assert view.session.steps == 1


@pytest.mark.parametrize("name, value, text", [
    ("seed", -1, "seed must be a whole number of at least 0"),
    ("data_seed", -1, "seed must be a whole number of at least 0"),
    ("acceleration", 0.5, "acceleration must be at least 1, got 0.5"),
    ("coils", 0, "coils must be at least 1, got 0"),
])
def test_faults_of_problem_and_seeds_are_said(name, value, text):
    view = tiny_panel(K=1)
    view.controls[name].value = value
    assert text in view.message.value
    with pytest.raises(InputError, match=re.escape(text)):
        view.run_sync()


def test_an_image_that_is_not_there_is_said():
    view = tiny_panel(image="nowhere.png")
    assert "<b>Error:</b>" in view.message.value and "nowhere.png" in view.message.value
    assert view.state == "idle" and view.pictures.value == ""


def test_run_outside_of_a_notebook_says_what_to_do():
    view = tiny_panel()
    view.buttons["Run"].click()
    assert "call run_sync() instead" in view.message.value and view.state == "idle"


def test_run_sync_does_not_take_over_a_run_in_progress():
    view = tiny_panel()
    view.buttons["Step"].click()
    with pytest.raises(InputError, match="a run is paused: press Stop or Reset first"):
        view.run_sync()
    with pytest.raises(InputError, match="steps must be a whole number of at least 1"):
        view.run_sync(steps=0)


class Broken(Method):
    """Wraps a method; raises, or gives a loss that is not finite, at its third step."""

    def __init__(self, inner, fault):
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "fault", fault)

    steps, name = 10, "broken"

    def init(self, observation, seed, z0=None):
        return self.inner.init(observation, seed, z0)

    def step(self, observation, carry):
        state = self.inner.step(observation, carry)
        if state.step == 3 and self.fault == "raises":
            raise RuntimeError("out of <memory>")
        if state.step == 3:
            state.losses["loss"] = float("nan")
        return state

    def to_dict(self):
        return self.inner.to_dict()


@in_a_loop
async def run_broken(fault):
    view = tiny_panel()
    view.form.method = lambda: Broken(ASeqDIP(), fault)
    view.buttons["Run"].click()
    await until(lambda: view.state in ("done", "failed"))
    await until(lambda: len(asyncio.all_tasks()) == 1)
    return view


def test_an_exception_in_the_task_is_shown_with_its_traceback():
    view = run_broken("raises")
    assert (view.state, view.session.steps) == ("failed", 2)
    assert "RuntimeError: out of &lt;memory&gt;" in view.message.value and "traceback" in view.message.value
    assert enabled(view) == {"Run", "Step", "Reset", "Save", "GIF"}


def test_a_loss_that_is_not_finite_ends_the_run_with_the_last_finite_image():
    view = run_broken("diverges")
    assert (view.state, view.session.reason, view.session.steps) == ("done", "diverged", 2)
    assert "Try a lower lr" in view.message.value
    assert np.isfinite(view.session.frames.latest[1]).all()


# --- pictures, stored iterates, two runs -----------------------------------------------------------------------------

def test_slider_looks_back_and_returns():
    view = tiny_panel(N=2, K=5)
    view.run_sync()
    assert view.slider.max == view.slider.value == 10
    end = view.pictures.value
    view.slider.value = 4
    assert view.pictures.value != end and "step 4" in alts(view)[0]
    assert f"{view.session.recorder.curve['psnr'][3]:.2f} dB" in alts(view)[0]
    view.slider.value = 0
    assert "start" in alts(view)[0]
    view.slider.value = 10
    assert view.pictures.value == end


def test_slider_follows_the_run_until_it_is_moved_back():
    view = tiny_panel(K=20)
    for _ in range(3):
        view.buttons["Step"].click()
    assert view.slider.value == 3
    view.slider.value = 1
    view.draw()
    assert view.slider.value == 1
    view.slider.value = 3
    view.session.step()
    view.draw()
    assert view.slider.value == 4


def test_every_picture_has_width_and_alt_text():
    view = tiny_panel(K=1)
    view.run_sync()
    for part in (view.pictures, view.curves):
        tags = re.findall(r"<img[^>]*>", part.value)
        assert tags and all(re.search(r'width="\d+"', tag) and re.search(r'alt="[^"]{10,}"', tag) for tag in tags)
    assert "PSNR (dB) of run A from" in view.curves.value


def test_two_runs_side_by_side():
    view = tiny_panel(N=1, K=3)
    view.run_sync()
    first = view.session
    assert "run A: aseqdip" in alts(view)[0] and "run B" not in " ".join(alts(view)) + view.curves.value
    view.controls["lam"].value = 0.0
    view.run_sync(steps=2)
    assert view.previous is first and view.session is not first
    assert alts(view)[4].startswith("Run A minus run B, from -") and "striped: B is brighter" in view.pictures.value
    texts = " ".join(alts(view))
    assert "Reconstruction of run A: aseqdip, step 2" in texts and "Reconstruction of run B: aseqdip, step 2" in texts
    assert "<b>lam 0.25</b>" in view.table.value and "<b>lam 0</b>" in view.table.value
    assert "<b>N 1</b>" not in view.table.value and "of run A" in view.curves.value
    view.slider.value = 3  # the longer run A can be followed to its end
    assert "run A: aseqdip, step 3" in alts(view)[0]
    view.run_sync()
    assert view.previous is not first


def test_signed_differences_tell_the_brighter_run_by_colour_and_by_stripes(tiny_mri):
    top = (tiny_mri.window[1] - tiny_mri.window[0]) / drawing.ERROR_SCALE
    array = np.zeros((16, 24))
    array[:, :8], array[:, 16:] = -0.8 * top, 0.8 * top
    figure = drawing.signed_difference(array, tiny_mri, width=48)
    assert f"from {-0.8 * top:.2g} to {0.8 * top:.2g}" in figure and f"{-top:.2g} <" in figure
    data = re.search("base64,([^\"]*)", figure)[1]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=int)
    dark, zero, bright = shown[:, :8], shown[:, 8:16], shown[:, 16:]
    assert (zero > 240).all() and len(np.unique(bright.reshape(-1, 3), axis=0)) == 1
    assert len(np.unique(dark.reshape(-1, 3), axis=0)) == 2, "stripes"
    assert (dark[..., 0] > dark[..., 2]).all() and (bright[..., 2] > bright[..., 0]).all(), "orange, purple"


@pytest.mark.parametrize("shape", [(32, 32), (30, 45, 3)])
def test_zoom_shows_a_box_of_every_picture(shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    assert (drawing.box(array, 1, 0.3, 0.9) == array).all()
    assert (drawing.box(array, 2, 0.0, 0.0) == array[:(shape[0] + 1) // 2, :(shape[1] + 1) // 2]).all()
    assert (drawing.box(array, 4, 1.0, 1.0) == array[-((shape[0] + 3) // 4):, -((shape[1] + 3) // 4):]).all()


def test_zoom_has_sliders_for_the_place_of_its_box():
    view = tiny_panel(K=1)
    whole = view.pictures.value
    assert view.across.layout.display == "none"
    view.zoom.value = 4
    assert view.across.layout.display is None and len(alts(view)) == 3
    middle = view.pictures.value
    view.across.value = view.down.value = 0.0
    assert len({whole, middle, view.pictures.value}) == 3
    view.zoom.value = 1
    assert view.pictures.value == whole


def test_run_a_can_be_kept():
    view = tiny_panel(N=1, K=1)
    assert view.keep.disabled
    view.run_sync()
    first = view.session
    view.run_sync()
    view.keep.value = True
    view.run_sync()
    assert view.previous is first and not view.keep.disabled


def test_two_runs_on_images_of_different_size_are_shown():
    view = tiny_panel(K=1)
    view.run_sync()
    view.controls["size"].value = 48
    view.run_sync()
    assert view.message.value.startswith("The run has taken all its steps") and len(alts(view)) == 5
    assert not any("minus" in alt for alt in alts(view))


def test_presets_set_what_goes_together_at_the_same_cost():
    view = tiny_panel(methods=["aseqdip", "vanilla"], lam=0.3, N=2, K=100)
    form, controls = view.form, view.controls
    assert list(form.preset.options) == ["own settings", "default", "paper", "vanilla DIP", "no lam", "exact stages"]
    form.preset.value = "exact stages"
    assert (controls["N"].value, controls["K"].value, controls["lam"].value) == (100, 2, 0.3)
    assert view.session.method.N == 100 and view.message.value == ""
    form.preset.value = "no lam"
    assert (controls["lam"].value, controls["N"].value, controls["K"].value) == (0.0, 2, 100)
    form.preset.value = "paper"
    assert view.session.method == methods.configure("aseqdip", "mri", "paper")
    form.preset.value = "vanilla DIP"
    assert view.session.method.name == "vanilla" and form.preset.value == "vanilla DIP"
    form.preset.value = "default"
    assert view.session.method.to_dict().items() >= dict(lam=0.3, N=2, K=100).items()
    view.controls["lr"].value = 0.01
    assert form.preset.value == "own settings"


def test_stored_frames_are_bounded_and_evenly_spaced():
    frames = Frames(limit=8)
    for step in range(1001):
        frames.add(step, np.full((2, 2), step))
        assert len(frames.kept) <= 8
    steps = list(frames.kept)
    assert steps == list(range(0, 1001, frames.stride)) and len(steps) > 4
    for step in (0, 1, 500, 999, 1000):
        stored, image = frames.at(step)
        assert (image == stored).all() and 0 <= step - stored < frames.stride
    assert frames.at(1000)[0] == 1000


@pytest.mark.parametrize("most", [dict(MOST_FRAMES=4), dict(MOST_BYTES=4 * 32 * 32 * 4)])
def test_a_session_keeps_few_iterates_and_few_bytes(tiny_mri, monkeypatch, most):
    for name, value in most.items():
        monkeypatch.setattr(f"aseqdip_lite.widgets.session.{name}", value)
    session = Session(tiny_mri, ASeqDIP(N=1, K=9))
    session.run()
    while session.state == "running":
        session.advance()
    assert list(session.frames.kept) == [0, 4, 8] and session.frames.latest[0] == session.steps == 9
    assert session.seconds_left is None and session.seconds > 0


# --- the line of Python, the classic answer, other panels ------------------------------------------------------------

def repeated(view):
    """The `Result` of the code that the panel shows."""
    names = {}
    exec(view.code.value, names)
    return names["result"]


@pytest.mark.parametrize("task, image, changed", [
    ("mri", "brain-096", dict(lam=0.5, N=2, K=3, data_seed=4, seed=5, acceleration=2.0, **TINY)),
    ("denoising", "coffee", dict(method="vanilla", lr=0.003, size=32, sigma=0.2)),
    ("ct", None, dict(method="fbp", size=32, views=12)),
])
def test_the_line_of_python_repeats_the_run(task, image, changed):
    view = panel(task, image, profile="smoke", device="cpu")
    for name, value in changed.items():
        view.controls[name].value = value
    result = view.run_sync(steps=6 if changed.get("method") == "vanilla" else None)
    again = repeated(view)
    assert again.metrics["psnr"] == result.metrics["psnr"] and again.metrics["settings"] == result.metrics["settings"]
    assert view.code.value.count("\n") == 1
    assert "network" not in view.code.value, "what is as by default is left out"


def test_the_line_of_python_repeats_what_a_stopped_run_has_made():
    view = tiny_panel()
    for _ in range(3):
        view.buttons["Step"].click()
    view.buttons["Stop"].click()
    assert repeated(view).metrics["psnr"]["final"] == view.session.result().metrics["psnr"]["final"]


@in_a_loop
async def test_a_classic_answer_is_found_at_rest_and_drawn_once(monkeypatch):
    monkeypatch.setattr("aseqdip_lite.widgets.classic.WAIT", 0.0)
    view = panel("denoising", profile="smoke", device="cpu", size=32, K=5000)
    view.buttons["Run"].click()
    await until(lambda: view.session.steps >= 3)
    assert "non-local means" not in view.curves.value, "no run waits for it"
    view.buttons["Stop"].click()
    await until(lambda: "non-local means" in view.curves.value)
    solved = reconstruct(view.session.case, methods.configure("nlm", "denoising"), progress=False)
    assert f"non-local means at {solved.metrics['psnr']['final']:.2f} dB" in view.curves.value
    assert f"start at {view.session.psnr(0):.2f} dB" in view.curves.value
    monkeypatch.setattr("aseqdip_lite.widgets.classic.reconstruct", None)  # a second time would fail
    view.buttons["Reset"].click()
    await asyncio.sleep(0.01)
    assert "non-local means at" in view.curves.value


def test_every_task_has_a_classic_answer():
    assert set(classic.QUICK) == set(tasks.names())
    for task, (method, _, _) in classic.QUICK.items():
        assert not methods.configure(method, task).budget


@in_a_loop
async def test_a_new_panel_says_that_a_run_goes_on_elsewhere_and_how_to_end_it():
    lost = tiny_panel()
    lost.buttons["Run"].click()
    await until(lambda: lost.session.steps >= 1)
    view = tiny_panel(N=1, K=1)
    assert "run of another panel continues, aseqdip at step" in view.message.value and "Run here" in view.message.value
    view.controls["lam"].value = 2.0
    assert "continues" in view.message.value
    view.buttons["Run"].click()
    assert "is paused at step" in view.message.value and lost.state == "paused"
    await until(lambda: view.state == "done")
    assert tiny_panel().message.value == ""


# --- files and looks -------------------------------------------------------------------------------------------------

def test_save_writes_the_result_and_never_over_another(tmp_path):
    view = tiny_panel(K=1, out=tmp_path)
    view.run_sync()
    for number in (1, 2):
        view.buttons["Save"].click()
        folder = tmp_path / f"panel-mri-aseqdip-{number}"
        assert {"recon.png", "recon.npy", "curve.csv", "metrics.json"} == {file.name for file in folder.iterdir()}
        assert str(folder) in view.message.value


def test_gif_shows_the_iterates_and_says_where_they_are(tmp_path):
    view = tiny_panel(N=1, K=40, out=tmp_path / "new")
    view.run_sync()
    view.buttons["GIF"].click()
    file = tmp_path / "new" / "panel-mri-aseqdip-1.gif"
    assert str(file) in view.message.value and "Iterates of aseqdip up to step 40" in view.message.value
    data = base64.b64decode(re.search("gif;base64,([^\"]*)", view.message.value)[1])
    assert data == file.read_bytes()
    frames = Image.open(file)
    assert 2 < frames.n_frames <= 40 and frames.size == (32, 32)
    frames.seek(frames.n_frames - 1)
    shown = np.asarray(frames.convert("L"), dtype=float) / 255
    expected = np.clip(view.session.frames.latest[1] / view.session.case.window[1], 0, 1)
    assert np.abs(shown - expected).max() < 0.02


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    view = tiny_panel(K=1, out=tmp_path / "file")
    view.run_sync()
    view.buttons["Save"].click()
    assert "<b>Error:</b>" in view.message.value and view.state == "done"


def test_a_panel_says_in_words_what_it_is_where_it_cannot_be_drawn():
    view = tiny_panel()
    assert isinstance(view, Panel)
    assert repr(view) == "Panel(mri, idle): run the notebook to use it, or call run_sync()"


# --- methods that draw samples ---------------------------------------------------------------------------------------

def test_a_sampler_shows_one_sample_and_their_deviation_at_the_latest_step():
    view = panel("mri", method="ddnm", methods=["ddnm"], profile="smoke", device="cpu", samples=2, **TINY)
    result = view.run_sync(steps=3)
    sample, spread = view.session.sampled
    np.testing.assert_array_equal(spread, result.deviation)
    assert not np.allclose(sample, result.case.display(result.answer))  # the answer is the mean of two
    assert sum("One sample" in alt or "Deviation" in alt for alt in alts(view)) == 2
    view.slider.value = 1
    assert not any("One sample" in alt for alt in alts(view))


def test_a_single_sample_has_no_deviation_and_no_further_pictures():
    view = panel("mri", method="ddnm", methods=["ddnm"], profile="smoke", device="cpu", **TINY)
    view.run_sync(steps=2)
    assert view.session.sampled is None and not any("One sample" in alt for alt in alts(view))


def test_number_of_samples_and_step_sizes_stand_with_the_settings_that_matter_most():
    view = panel("mri", method="ddnm", methods=["ddnm", "dps"], profile="smoke", **TINY)
    for name, settings in (("ddnm", ("samples", "eta")), ("dps", ("samples", "zeta"))):
        view.controls["method"].value = name
        assert set(view.form.first.children) >= {view.controls[setting] for setting in settings}
