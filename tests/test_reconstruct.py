"""The one way through: iterate, checkpoints, resuming, interruptions, and what a result holds."""

import csv
import io
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from checks import Trap, error_of
from PIL import Image as Picture

from aseqdip_lite import ASeqDIP, Vanilla, files, iterate, methods, reconstruct
from aseqdip_lite.run.engine import deferred_interrupt
from aseqdip_lite.run.result import summary

METHODS = {"aseqdip": ASeqDIP(N=3, K=30), "damped": ASeqDIP(N=3, K=30, rho=0.25), "vanilla": Vanilla(steps=90)}


def run(case, method, **kwargs):
    return reconstruct(case, method, progress=False, **dict(window=20) | kwargs)


def assert_same(one, other):
    """Two results agree bit for bit: images, curve and scores."""
    assert list(one.curve) == list(other.curve)
    np.testing.assert_array_equal(np.array(list(one.curve.values())), np.array(list(other.curve.values())))
    for name, image in one.images.items():
        theirs = other.images[name]
        assert theirs is None if image is None else torch.equal(image, theirs), name
    assert one.metrics["psnr"] == other.metrics["psnr"] and one.metrics["ssim"] == other.metrics["ssim"]


# iterate.


def test_iterate_can_be_paused_and_goes_on(tiny_mri):
    observation, method = tiny_mri.observation, ASeqDIP(N=2, K=5)
    whole = [state.image for state in iterate(observation, method)]
    paused = iterate(observation, method)
    first = [state.image for state in itertools.islice(paused, 3)]
    assert all(torch.equal(a, b) for a, b in zip(whole, first + [state.image for state in paused], strict=True))
    states = list(itertools.islice(iterate(observation, method), 3))
    rest = [state.image for state in iterate(observation, method, carry=states[-1].carry)]
    assert len(rest) == 7
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], rest, strict=True))


def test_iterate_counts_steps_from_the_start_of_the_run(tiny_mri):
    observation, method = tiny_mri.observation, ASeqDIP(N=2, K=50)
    carry = list(iterate(observation, method, steps=3))[-1].carry
    assert [state.step for state in iterate(observation, method, steps=5, carry=carry)] == [4, 5]
    assert list(iterate(observation, method, steps=5, carry=carry)) == []


def test_the_case_and_its_observation_are_told_apart(tiny_mri):
    for other in (tiny_mri, tiny_mri.truth, tiny_mri.observation.y, None):
        assert error_of(next, iterate(other, ASeqDIP(K=1))).endswith("pass case.observation")
    for other in (tiny_mri.observation, tiny_mri.truth, [tiny_mri], None):
        assert error_of(reconstruct, other, ASeqDIP(K=1)).endswith("pass the case, not case.observation")


def test_reconstruct_records_what_iterate_yields(tiny_mri):
    method = ASeqDIP(N=2, K=3)
    states = list(iterate(tiny_mri.observation, method, seed=5))
    result = run(tiny_mri, method, seed=5)
    assert torch.equal(result.answer, states[-1].image)
    assert result.curve["loss"] == [state.losses["loss"] for state in states]
    assert result.curve["stage"] == [1, 1, 2, 2, 3, 3]


# Recording every n steps.

@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_recording_less_often_leaves_out_rows_and_changes_nothing_else(method, tiny_mri, tmp_path):
    whole, sparse = run(tiny_mri, method, steps=60), run(tiny_mri, method, steps=60, record_every=15)
    assert sparse.curve["step"] == [15, 30, 45, 60] and torch.equal(sparse.answer, whole.answer)
    for column in {"loss", "data", "psnr"} & set(whole.curve):
        assert sparse.curve[column] == [whole.curve[column][step - 1] for step in sparse.curve["step"]]
    run(tiny_mri, method, steps=60, record_every=15, out=tmp_path, watch=lambda step: step == 52)
    assert_same(run(tiny_mri, method, steps=60, record_every=15, out=tmp_path, resume=True), sparse)


def test_stopping_rules_see_the_recorded_outputs(tiny_mri, scripted):
    noise = torch.randn((100, *tiny_mri.observation.start.shape), generator=torch.Generator().manual_seed(0))
    method = scripted(lambda step: dict(image=tiny_mri.observation.start + abs(step - 30.5) * noise[step]), steps=99)
    result = run(tiny_mri, method, record_every=3, window=3)
    seen = [tiny_mri.observation.start + abs(step - 30.5) * noise[step] for step in range(3, 100, 3)]
    spreads = [torch.stack(seen[end - 3:end]).var(dim=0, correction=0).sum() for end in range(3, len(seen) + 1)]
    assert result.metrics["answers"]["blind"]["step"] == 3 * (3 + int(torch.stack(spreads).argmin()))


def test_a_run_that_ends_by_itself_is_recorded_at_its_end(tiny_mri, scripted):
    class Ending(type(scripted(lambda step: dict(image=tiny_mri.observation.start + step)))):
        def step(self, observation, carry):
            state = super().step(observation, carry)
            carry.done = carry.step == 7
            return state

    result = run(tiny_mri, Ending(), record_every=5)
    assert result.curve["step"] == [5, 7] and result.metrics["stop_reason"] == "own rule"


@pytest.mark.parametrize("end", [None, 130])
def test_a_fault_between_two_recorded_steps_overwrites_no_good_checkpoint(end, tiny_mri, tmp_path, scripted):
    def script(step):
        return dict(image=tiny_mri.observation.start * (math.nan if step > 120 else step))

    run(tiny_mri, scripted(script, steps=120), record_every=60, out=tmp_path)
    good = (tmp_path / "checkpoint.pt").read_bytes()
    result = run(tiny_mri, scripted(script, steps=300), record_every=60, out=tmp_path, resume=True,
                 watch=lambda step: step == end)
    assert result.metrics["stop_reason"] == "diverged" and result.curve["step"] == [60, 120]
    assert torch.equal(result.answer, 120 * tiny_mri.observation.start)
    assert (tmp_path / "checkpoint.pt").read_bytes() == good


@pytest.mark.parametrize("settings", [dict(window=10, patience=15), dict(record_every=3, window=3, patience=22)])
@pytest.mark.parametrize("steps", [3, 25, 57, 64, 90])
def test_early_stopping_is_resumed_as_if_uninterrupted(steps, settings, tiny_mri, tmp_path, scripted):
    noise = torch.randn((100, *tiny_mri.observation.start.shape), generator=torch.Generator().manual_seed(0))
    method = scripted(lambda step: dict(image=tiny_mri.observation.start + abs(step - 30.5) * noise[step]), steps=99)
    whole = run(tiny_mri, method, **settings)
    run(tiny_mri, method, out=tmp_path, watch=lambda step: step == steps, **settings)
    again = run(tiny_mri, method, out=tmp_path, resume=True, **settings)
    assert whole.metrics["stop_reason"] == again.metrics["stop_reason"] == "early stopping"
    assert_same(again, whole)


@pytest.mark.parametrize("name", ["aseqdip", "vanilla", "tv_dip", "deep_decoder"])
def test_steps_that_nobody_looks_at_are_not_waited_for(name, tiny_mri, monkeypatch):
    states = iterate(tiny_mri.observation, methods.configure(name, "mri"), steps=6)
    next(states)  # the first step of Adam makes its moments
    looks = []
    for look in ("item", "__float__", "__bool__", "__int__", "tolist", "numpy"):
        seen = getattr(torch.Tensor, look)
        monkeypatch.setattr(torch.Tensor, look, lambda self, *args, seen=seen: looks.append(self) or seen(self, *args))
    *_, last = states
    assert looks == [] and last.step == 6
    assert math.isfinite(last.losses["loss"]) and looks


# Resuming.

@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_resumed_run_equals_the_uninterrupted_one(method, tiny_mri, tmp_path):
    whole = run(tiny_mri, method)
    for steps in (1, 50, 71, 90):  # 50 ends on a regular checkpoint, 71 within a stage of three
        result = run(tiny_mri, method, steps=steps, out=tmp_path, resume=True)
        assert result.metrics["steps"] == steps
    assert_same(result, whole)


def test_resumed_run_may_have_a_larger_budget_but_no_smaller_one_than_its_steps(tiny_mri, tmp_path):
    run(tiny_mri, ASeqDIP(K=3), out=tmp_path)
    longer = run(tiny_mri, ASeqDIP(K=5), out=tmp_path, resume=True)
    assert_same(longer, run(tiny_mri, ASeqDIP(K=5)))
    assert_same(run(tiny_mri, ASeqDIP(K=5), out=tmp_path, resume=True), longer)
    said = error_of(lambda: run(tiny_mri, ASeqDIP(K=2), out=tmp_path, resume=True))
    assert "10 steps are already done, more than the 4 asked for" in said


def test_without_resume_a_run_starts_anew(tiny_mri, tmp_path):
    run(tiny_mri, ASeqDIP(K=3), seed=1, out=tmp_path)
    assert_same(run(tiny_mri, ASeqDIP(K=2), out=tmp_path), run(tiny_mri, ASeqDIP(K=2)))


def test_time_adds_up_over_resumed_runs(tiny_mri, tmp_path):
    first = run(tiny_mri, ASeqDIP(K=2), out=tmp_path)
    second = run(tiny_mri, ASeqDIP(K=4), out=tmp_path, resume=True)
    assert second.metrics["seconds"] > first.metrics["seconds"] > 0


# Checkpoints.

def test_write_survives_an_exception(tmp_path):
    file = tmp_path / "checkpoint.pt"
    files.write_atomically(file, lambda stream: stream.write(b"old"))

    def fails(stream):
        stream.write(b"new, but only ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(file, fails)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
    files.write_atomically(file, lambda stream: stream.write(b"new"))
    assert file.read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_written_files_have_the_usual_mode(tmp_path):
    (tmp_path / "plain").touch()
    files.write_atomically(tmp_path / "ours", lambda stream: stream.write(b""))
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_checkpoint_of_other_settings_is_refused_with_the_differences(tiny_mri, smoke_case, tmp_path):
    run(tiny_mri, ASeqDIP(K=1), out=tmp_path)
    prefix = f"{tmp_path / 'checkpoint.pt'}: the checkpoint belongs to another run: "
    for changed, differences in [
        (dict(method=ASeqDIP(K=1, lam=2.0)), "aseqdip lam is 2.0 here and 1.0 there"),
        (dict(method=ASeqDIP(K=1, lam=2.0, N=3), seed=4), "seed is 4 here and 0 there; aseqdip lam is 2.0 here and "
                                                          "1.0 there; aseqdip N is 3 here and 2 there"),
        (dict(window=30), "window is 30 here and 20 there"),
    ]:
        arguments = dict(method=ASeqDIP(K=1)) | changed
        assert error_of(lambda a=arguments: run(tiny_mri, out=tmp_path, resume=True, **a)) == prefix + differences
    other_method = error_of(lambda: run(tiny_mri, Vanilla(steps=1), out=tmp_path, resume=True))
    assert other_method.startswith(prefix + "method is 'vanilla' here and 'aseqdip' there; ")
    assert "vanilla input_channels is 32 here and None there" in other_method
    other_data = smoke_case("mri", size=32, coils=2, acceleration=8)
    message = error_of(lambda: run(other_data, ASeqDIP(K=1), out=tmp_path, resume=True))
    assert "mri acceleration is 8.0 here and 4.0 there" in message and "measurements" not in message


@pytest.fixture(scope="module")
def intact(tiny_mri, tmp_path_factory):
    """The bytes of a checkpoint of ASeqDIP(K=1) on the tiny case."""
    folder = tmp_path_factory.mktemp("intact")
    run(tiny_mri, ASeqDIP(K=1), out=folder)
    return (folder / "checkpoint.pt").read_bytes()


def damages():
    yield "empty", lambda data: b""
    yield "cut in half", lambda data: data[:len(data) // 2]
    yield "random bytes", lambda data: np.random.default_rng(0).bytes(5000)
    yield "text", lambda data: b"not a checkpoint\n" * 100
    yield "zeros", lambda data: bytes(len(data))
    yield "one bit flipped", lambda data: data[:9**6] + bytes([data[9**6] ^ 1]) + data[9**6 + 1:]
    yield "beginning overwritten", lambda data: bytes(1000) + data[1000:]


@pytest.mark.parametrize("damage", [pytest.param(damage, id=name) for name, damage in damages()])
def test_damaged_checkpoint_is_refused(damage, intact, tiny_mri, tmp_path):
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(damage(intact))
    message = error_of(lambda: run(tiny_mri, ASeqDIP(K=1), out=tmp_path, resume=True))
    assert message.startswith(f"{file}: the checkpoint is damaged (")
    assert message.endswith("): delete it to start again")
    assert run(tiny_mri, ASeqDIP(K=1), out=tmp_path).metrics["steps"] == 2  # starting anew replaces it


def test_foreign_contents_are_refused_and_never_unpickled(tiny_mri, tmp_path):
    file, trap = tmp_path / "checkpoint.pt", tmp_path / "trap"
    for contents in ([1, 2, 3], dict(weights=torch.zeros(3)), Trap(trap), dict(format=Trap(trap), identity={})):
        torch.save(contents, file)
        message = error_of(lambda: run(tiny_mri, ASeqDIP(K=1), out=tmp_path, resume=True))
        assert message.startswith(f"{file}: the checkpoint is damaged (")
        assert not trap.exists()
    torch.save(dict(format=0, identity={}), file)
    assert error_of(lambda: run(tiny_mri, ASeqDIP(K=1), out=tmp_path, resume=True)).startswith(
        f"{file}: the checkpoint has format 0, this version reads ")


# Interruptions within the process.

def test_interrupt_ends_the_run_after_the_current_step(tiny_mri, tmp_path):
    class Interrupting(ASeqDIP):
        def step(self, observation, carry):
            if carry.step == 6:
                signal.raise_signal(signal.SIGINT)
            return super().step(observation, carry)

    handler = signal.getsignal(signal.SIGINT)
    result = run(tiny_mri, Interrupting(K=10), out=tmp_path)
    assert result.metrics["stop_reason"] == "interrupted" and result.metrics["steps"] == 7
    assert signal.getsignal(signal.SIGINT) is handler
    assert_same(run(tiny_mri, ASeqDIP(K=10), out=tmp_path, resume=True), run(tiny_mri, ASeqDIP(K=10)))


def test_second_interrupt_ends_it_at_once():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as caught:
        signal.raise_signal(signal.SIGINT)
        assert len(caught) == 1
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler


def test_run_in_another_thread(tiny_mri):
    results = []
    thread = threading.Thread(target=lambda: results.append(run(tiny_mri, ASeqDIP(K=2))))
    thread.start()
    thread.join()
    assert_same(results[0], run(tiny_mri, ASeqDIP(K=2)))


# Killed and interrupted processes.

STEPS = 250
COMMAND = [sys.executable, "-m", "aseqdip_lite", "run", "mri", "--profile", "smoke", "--size", "32",
           "--coils", "1", "--steps", str(STEPS), "--quiet"]
SECONDS = 300  # patience with a busy machine; a run takes a few seconds


def start(out, *more):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*COMMAND, "--out", str(out), *more], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    """Wait for the end; returns (exit code, stdout, stderr)."""
    output, errors = process.communicate(timeout=SECONDS)
    return process.returncode, output, errors


def stamp(file):
    return file.stat().st_mtime_ns if file.exists() else 0


def wait_for(process, condition):
    """Poll until the condition holds while the process lives."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


def curve_of(out):
    return (out / "curve.csv").read_text()


@pytest.fixture(scope="module")
def uninterrupted(smoke_case, tmp_path_factory):
    """Folder of the same run, made without interruption in this process."""
    out = tmp_path_factory.mktemp("uninterrupted")
    method = methods.configure("aseqdip", "mri", "smoke")
    reconstruct(smoke_case("mri", size=32, coils=1), method, steps=STEPS, progress=False).save(out)
    return out


def assert_same_files(out, reference):
    assert (out / "recon.npy").read_bytes() == (reference / "recon.npy").read_bytes()
    assert curve_of(out) == curve_of(reference)
    ours, theirs = (json.loads((folder / "metrics.json").read_text()) for folder in (out, reference))
    for key in ("psnr", "ssim", "steps", "stop_reason", "seed", "threads"):
        assert ours[key] == theirs[key]


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_run_resumes_to_the_uninterrupted_result(uninterrupted, tmp_path):
    """Killed twice: some steps after the first checkpoint, and while writing another."""
    file = tmp_path / "checkpoint.pt"

    def some_steps_later():
        before = stamp(file)
        return lambda: stamp(file) != before and time.time_ns() > stamp(file) + 30_000_000

    def being_written():
        old = set(tmp_path.glob(".checkpoint.pt-*"))
        return lambda: set(tmp_path.glob(".checkpoint.pt-*")) - old

    for moment in (some_steps_later, being_written):
        condition, process = moment(), start(tmp_path, "--resume")
        wait_for(process, condition)
        process.kill()
        assert finish(process)[0] == -signal.SIGKILL
        assert file.exists() and not (tmp_path / "recon.npy").exists()
    code, _, errors = finish(start(tmp_path, "--resume"))
    assert code == 0, errors
    assert_same_files(tmp_path, uninterrupted)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
def test_interrupted_run_stores_the_partial_result_and_resumes(uninterrupted, tmp_path):
    process = start(tmp_path)
    wait_for(process, (tmp_path / "checkpoint.pt").exists)
    process.send_signal(signal.SIGINT)
    code, output, errors = finish(process)
    assert code == 130
    assert errors.strip() == "interrupted: the partial result is stored; continue with --resume"
    partial = json.loads((tmp_path / "metrics.json").read_text())
    assert partial["stop_reason"] == "interrupted" and 50 <= partial["steps"] < STEPS
    assert (tmp_path / "recon.png").stat().st_size > 0 and np.load(tmp_path / "recon.npy").shape == (32, 32)
    assert curve_of(tmp_path) == "".join(curve_of(uninterrupted).splitlines(keepends=True)[:partial["steps"] + 1])
    code, _, errors = finish(start(tmp_path, "--resume"))
    assert code == 0, errors
    assert_same_files(tmp_path, uninterrupted)


# Results.

FIXED = {"task", "method", "image", "settings", "seed", "device", "versions", "seconds", "stop_reason", "psnr", "ssim"}


def test_the_blend_is_stored_and_that_of_an_earlier_run_goes(tiny_mri, tmp_path):
    result = run(tiny_mri, ASeqDIP(K=12), window=5)
    written = result.save(tmp_path)
    assert set(written) == {file.name for file in tmp_path.iterdir()} > {"blend.png", "blend.npy"}
    array = np.load(tmp_path / "blend.npy", allow_pickle=False)
    np.testing.assert_array_equal(array, (result.images["blend"] * tiny_mri.observation.scale)[0, 0].numpy())
    error = np.mean((np.abs(array).astype(float) - tiny_mri.truth) ** 2)
    psnr = result.metrics["answers"]["blend"]["psnr"]
    assert psnr == pytest.approx(10 * np.log10(tiny_mri.truth.max() ** 2 / error), abs=1e-3)
    assert f"{psnr:.2f}" in str(result)
    short = run(tiny_mri, ASeqDIP(K=1))
    assert set(short.save(tmp_path)) == {file.name for file in tmp_path.iterdir()}
    assert short.images["blend"] is None and not (tmp_path / "blend.npy").exists()


def test_saved_files(tiny_mri, tmp_path):
    result = run(tiny_mri, ASeqDIP(K=12), seed=3)
    result.save(tmp_path / "new" / "folder")
    out = tmp_path / "new" / "folder"
    assert {file.name for file in out.iterdir()} == {"recon.png", "recon.npy", "blend.png", "blend.npy", "curve.csv",
                                                     "metrics.json"}

    array = np.load(out / "recon.npy", allow_pickle=False)
    assert array.dtype == np.complex64 and array.shape == (32, 32)
    np.testing.assert_array_equal(array, (result.answer * tiny_mri.observation.scale)[0, 0].numpy())

    picture = np.asarray(Picture.open(out / "recon.png"))
    assert picture.dtype == np.uint8 and picture.shape == (32, 32)
    expected = np.clip(np.abs(array) / tiny_mri.truth.max(), 0, 1) * 255
    assert np.abs(picture - expected).max() <= 0.5 + 1e-3

    rows = list(csv.DictReader(io.StringIO((out / "curve.csv").read_text())))
    assert list(rows[0]) == list(result.curve) and len(rows) == 24
    for name, values in result.curve.items():
        np.testing.assert_array_equal([float(row[name]) for row in rows], values)

    metrics = json.loads((out / "metrics.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    assert set(metrics) >= FIXED
    for name in ("psnr", "ssim"):
        assert set(metrics[name]) == {"start", "final", "blind", "oracle"}
        assert all(isinstance(value, float) for value in metrics[name].values())
    assert (metrics["task"], metrics["method"], metrics["image"]) == ("mri", "aseqdip", "brain-070")
    assert (metrics["seed"], metrics["steps"], metrics["stop_reason"]) == (3, 24, "budget")
    assert metrics["settings"]["lam"] == 1.0 and metrics["settings"]["K"] == 12
    assert metrics["settings"]["acceleration"] == 4.0 and metrics["settings"]["coils"] == 2
    assert metrics["device"] == "cpu" and metrics["versions"]["torch"] == torch.__version__
    assert metrics["seconds"] > 0


def test_numbers_that_are_not_finite_are_null_in_json(tiny_mri, tmp_path):
    result = run(tiny_mri, ASeqDIP(K=1))
    result.metrics["psnr"]["final"] = float("inf")
    result.save(tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["psnr"] | {"start": 0, "oracle": 0} == {
        "start": 0, "final": None, "blind": None, "oracle": 0}


def test_result_as_text(tiny_mri):
    text = str(run(tiny_mri, ASeqDIP(K=1)))
    first, header, psnr, ssim = text.splitlines()
    assert first.startswith("mri aseqdip on brain-070: 2 steps in ") and first.endswith(" s (budget)")
    assert header.split() == ["start", "final", "blind", "oracle"]
    assert psnr.split()[:2] == ["PSNR", "(dB)"] and psnr.split()[4] == "-"
    assert ssim.split()[0] == "SSIM" and len(ssim.split()) == 5


@pytest.mark.parametrize("picks, step", [(dict(discrepancy=4), 4), ({}, None)])
def test_result_as_text_says_why_an_earlier_step_is_the_answer(picks, step, tiny_mri):
    """Noise was fitted after the pick of the discrepancy principle; without one the run ended in a dip."""
    metrics = run(tiny_mri, ASeqDIP(K=1)).metrics
    at = dict(final=4, last=9) | picks
    found = summary(metrics | dict(answers={name: dict(step=at.get(name), psnr=1.0, ssim=1.0)
                                            for name in ("start", "last", "final", *picks)}))
    reason = found.splitlines()[-1]
    assert reason.endswith(": final is of step 4.") and (f"After step {step} " in reason) == bool(picks)
    assert ("dip" in reason) != bool(picks)


def test_progress_bar_shows_task_method_and_scores(tiny_mri, capsys):
    reconstruct(tiny_mri, ASeqDIP(K=2), progress=True)
    shown = capsys.readouterr().err
    assert "mri aseqdip" in shown and "4/4" in shown
    run(tiny_mri, ASeqDIP(K=1))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("settings, message", [
    (dict(steps=0), "steps must be a whole number of at least 1"),
    (dict(steps=2.5), "steps must be a whole number of at least 1"),
    (dict(seed=-1), "seed must be a whole number of at least 0"),
    (dict(patience=0), "patience must be a whole number of at least 1"),
    (dict(window=0), "window must be a whole number of at least 1"),
    (dict(record_every=0), "record_every must be a whole number of at least 1"),
    (dict(record_every=7, steps=20), "record_every 7 does not divide the 20 steps of the run: choose 5"),
])
def test_bad_run_settings(settings, message, tiny_mri):
    assert error_of(lambda: run(tiny_mri, ASeqDIP(), **settings)).startswith(message)
