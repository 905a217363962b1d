"""Faults: a full disk, a read-only folder, a damaged checkpoint, numbers that are not finite, a dead network."""

import errno
import io
import os
import resource
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import determinism
import numpy as np
import pytest
import torch
from checks import contents, error_of
from click.testing import CliRunner
from torch import nn

from aseqdip_lite import InputError, Vanilla, files, reconstruct
from aseqdip_lite.case import Observation
from aseqdip_lite.cli.commands import main
from aseqdip_lite.methods.deep_decoder import Decoder
from aseqdip_lite.operators import Identity
from aseqdip_lite.run import checkpoint, engine
from aseqdip_lite.run.identity import describe
from aseqdip_lite.run.recorder import is_constant
from aseqdip_lite.run.stopping import StopReason
from aseqdip_lite.widgets.session import Session

STEPS = 12


@pytest.fixture(scope="module")
def case(smoke_case):
    return smoke_case("mri", size=16, coils=1)


@pytest.fixture(autouse=True)
def frequent(monkeypatch):
    """A checkpoint every fourth step."""
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 4)


@contextmanager
def file_limit(size):
    """No file can grow beyond `size` bytes, as on a full disk: the system itself then refuses to write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run(case, method=None, **kwargs):
    return reconstruct(case, method or Vanilla(steps=STEPS), progress=False, **dict(window=4) | kwargs)


# ---------------------------------------------------------------- a full disk, a read-only folder

def test_a_disk_that_is_full_in_mid_run_ends_nothing(case, tmp_path, capsys):
    """Three checkpoints fail: one line, the answer of a run without a folder, and the old checkpoint whole."""
    run(case, steps=2, out=tmp_path)
    before, whole = contents(tmp_path), run(case)
    with file_limit(files.PROBE):
        result = run(case, out=tmp_path, resume=True)
    assert capsys.readouterr().err == (f"no checkpoint at step 4 in {tmp_path}: File too large; the run continues and "
                                       "tries again at the next one\n")
    assert result.metrics["stop_reason"] == "budget" and torch.equal(result.answer, whole.answer)
    assert contents(tmp_path) == before
    assert run(case, out=tmp_path, resume=True).curve["loss"] == whole.curve["loss"]
    assert capsys.readouterr().err == "" and contents(tmp_path) != before


def test_a_disk_that_has_room_again_gets_its_checkpoint(case, tmp_path):
    def watch(step):
        resource.setrlimit(resource.RLIMIT_FSIZE, (files.PROBE if step < 6 else hard, hard))

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    with file_limit(files.PROBE):
        run(case, steps=8, out=tmp_path, watch=watch)
    stored = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert stored["carry"]["step"] == 8


def test_what_a_killed_run_left_half_written_is_cleared_away(case, tmp_path):
    for name in (".checkpoint.pt-x7.part", ".recon.npy-a_1.part", ".mine", "mine.part"):
        (tmp_path / name).write_bytes(b"half")
    run(case, steps=2, out=tmp_path)
    assert set(contents(tmp_path)) == {"checkpoint.pt", ".mine", "mine.part"}


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_folder_that_takes_no_file_is_refused_before_a_step(fault, case, tmp_path, monkeypatch, scripted):
    run(case, steps=2, out=tmp_path).save(tmp_path)
    before = contents(tmp_path)
    never = scripted(lambda step: pytest.fail("a step was made"))
    if fault == "full":
        with file_limit(files.PROBE // 2):
            said = error_of(lambda: run(case, never, out=tmp_path))
        words = "File too large"
    else:
        monkeypatch.setattr(files.tempfile, "TemporaryFile", refuses)
        said, words = error_of(lambda: run(case, never, out=tmp_path)), "Read-only file system"
    assert said == f"cannot write to the out folder {tmp_path}: {words}, choose another --out or make room"
    assert contents(tmp_path) == before


def refuses(*args, **kwargs):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_the_command_says_in_one_line_that_the_folder_takes_no_file(tmp_path):
    with file_limit(files.PROBE // 2):
        result = CliRunner().invoke(main, ["run", "mri", "--profile", "smoke", "--size", "16", "--coils", "1",
                                           "--quiet", "--out", str(tmp_path / "new")])
    assert result.exit_code == 2 and result.stdout == "" and len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"aseqdip: cannot write to the out folder {tmp_path / 'new'}: File too large")


def test_a_folder_that_becomes_read_only_in_mid_run(case, tmp_path, monkeypatch, capsys):
    """The run goes on, its result is refused in one line, and nothing of the folder is changed."""
    run(case, steps=4, out=tmp_path).save(tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(files.tempfile, "mkstemp", refuses)
    result = run(case, out=tmp_path, resume=True)
    assert capsys.readouterr().err.startswith(f"no checkpoint at step 8 in {tmp_path}: Read-only file system; ")
    said = error_of(lambda: result.save(tmp_path))
    assert said == (f"cannot write the result to {tmp_path}: Read-only file system; nothing there was changed; make "
                    "room and continue (run: with --resume), or choose another folder")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["blend.png", "recon.npy", "metrics.json"])
def test_a_folder_in_the_way_of_a_file_changes_nothing(name, case, tmp_path):
    (tmp_path / name).mkdir()
    said = error_of(lambda: run(case, steps=2).save(tmp_path))
    assert said.startswith(f"{tmp_path / name} is in the way and is not a file: remove it")
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("file", range(4))
def test_a_result_that_finds_no_room_changes_no_earlier_file(file, case, tmp_path, monkeypatch):
    """Whichever of the four files is the one that is too much."""
    run(case, steps=2).save(tmp_path)
    before, other, done = contents(tmp_path), run(case, steps=3), []

    def fsync(handle):
        done.append(handle)
        if len(done) > file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", fsync)
        assert "No space left on device" in error_of(lambda: other.save(tmp_path))
    assert len(done) == file + 1 and contents(tmp_path) == before
    other.save(tmp_path)
    assert set(contents(tmp_path)) == set(before) and contents(tmp_path)["recon.npy"] != before["recon.npy"]


# ---------------------------------------------------------------- a damaged checkpoint

#: A method of few weights, whose checkpoint is small: it is written again and again.
SMALL = Decoder(steps=STEPS, channels=4)


@pytest.fixture(scope="module")
def intact(case, tmp_path_factory):
    """(bytes of a checkpoint of `SMALL`, identity of its run)."""
    folder = tmp_path_factory.mktemp("intact")
    run(case, SMALL, steps=6, out=folder)
    return (folder / "checkpoint.pt").read_bytes(), identity_of(case)


def identity_of(case):
    return describe(engine.Run(case, SMALL, window=4), 4)


@pytest.fixture(scope="module")
def parts(intact):
    """What this checkpoint holds."""
    return torch.load(io.BytesIO(intact[0]), weights_only=True)


def refused(path, load):
    """The file is refused as damaged and left as it was."""
    before = path.read_bytes()
    said = error_of(load)
    assert said.startswith(f"{path}: the checkpoint is damaged (")
    assert said.endswith("): delete it to start again")
    assert path.read_bytes() == before


def test_a_checkpoint_cut_off_anywhere_is_refused(intact, tmp_path):
    data, identity = intact
    path = tmp_path / "checkpoint.pt"
    for length in [*np.geomspace(1, len(data) - 1, 40).astype(int), *range(len(data) - 40, len(data))]:
        path.write_bytes(data[:length])
        refused(path, lambda: checkpoint.load(path, identity))


def test_a_fault_in_any_member_is_refused(intact, tmp_path):
    """One byte in the middle of each file of the archive is changed: of every weight, moment, image and number."""
    data, identity = intact
    path, content = tmp_path / "checkpoint.pt", bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [member for member in archive.infolist() if member.file_size]
    assert len(members) > 30
    for member in members:
        head = member.header_offset + 26  # lengths of name and extra field, two bytes each; then these; then the data
        lengths = sum(np.frombuffer(data[head:head + 4], "<u2").tolist())
        spot = head + 4 + lengths + member.file_size // 2
        content[spot] ^= 0x55
        path.write_bytes(content)
        refused(path, lambda: checkpoint.load(path, identity))
        content[spot] ^= 0x55
    assert content == data


def test_a_fault_in_the_directory_of_the_archive_is_refused_or_harmless(case, intact, tmp_path):
    data, _ = intact
    path, content = tmp_path / "checkpoint.pt", bytearray(data)
    path.write_bytes(data)
    good = values(restore(case, path).state_dict())
    for spot in np.random.default_rng(0).integers(len(data) - 3000, len(data), size=60):
        content[spot] ^= 0xFF
        path.write_bytes(content)
        try:
            assert values(restore(case, path).state_dict()) == good
        except InputError as error:
            assert "the checkpoint is damaged (" in str(error)
        content[spot] ^= 0xFF


def values(part):
    """Nested dictionaries and lists with every tensor as its bytes and every other part as text, to compare."""
    if isinstance(part, dict):
        return {key: values(inner) for key, inner in part.items()}
    if isinstance(part, list):
        return [values(inner) for inner in part]
    return part.resolve_conj().numpy().tobytes() if isinstance(part, torch.Tensor) else repr(part)


def leaves(part, path=()):
    """Paths to all parts of nested dictionaries; of weights, moments and parameter groups only the first of each."""
    for index, key in enumerate(part):
        if isinstance(part, dict) and (index == 0 or path[-1:] not in (("network",), ("optimizer",))):
            yield (*path, key)
            if isinstance(part[key], dict):
                yield from leaves(part[key], (*path, key))


def changed(stored, path, value):
    """A copy of nested dictionaries in which the part at `path` is `value`, or is missing for a value of None."""
    *ways, last = path
    copy = dict(stored)
    if ways:
        copy[ways[0]] = changed(copy[ways[0]], path[1:], value)
    elif value is None:
        del copy[last]
    else:
        copy[last] = value
    return copy


def test_a_checkpoint_with_a_part_missing_or_of_another_kind_is_refused(case, parts, tmp_path):
    path = tmp_path / "checkpoint.pt"
    paths = [found for found in leaves(parts) if found[0] not in ("format", "identity")]
    assert {("carry", "z"), ("carry", "optimizer", 0, "exp_avg"), ("recorder", "rules", "blind", "ring"),
            ("recorder", "curve", "loss"), ("carry", "generator"), ("seconds",)} <= set(paths)
    for index, found in enumerate([*paths, ("format",), ("identity",)]):
        for value in (None, "nonsense" if index % 2 else torch.zeros(3)):
            torch.save(changed(parts, found, value), path)
            if value is None and found[:2] == ("recorder", "curve") and found[2:] not in ((), ("step",)):
                assert "has a curve of" in error_of(lambda: run(case, SMALL, out=tmp_path, resume=True))
            else:
                refused(path, lambda: restore(case, path))


def restore(case, path):
    begun = engine.Run(case, SMALL, window=4)
    checkpoint.Keeper(path.parent, identity_of(case)).restore(begun)
    return begun


@pytest.mark.parametrize("found", [("carry", "network"), ("carry", "z"), ("recorder", "curve"), ("recorder",),
                                   ("carry", "optimizer"), ("seconds",)])
def test_a_sound_file_of_other_parts_is_refused(found, case, parts, tmp_path):
    """As another version of this package might write it, in the same format."""
    path = tmp_path / "checkpoint.pt"
    other = {key: part for key, part in changed(parts, found, None).items() if key != "format"}
    checkpoint.save(path, other.pop("identity"), **other)
    refused(path, lambda: restore(case, path))


def edited(parts, *ways):
    """A copy of what a checkpoint holds with changes (path, function of the old value)."""
    copy = parts
    for path, change in ways:
        old = parts
        for name in path:
            old = old[name]
        copy = changed(copy, path, change(old))
    return copy


def sparse(tensor):
    return tensor.to_sparse()


HOSTILE = {
    "a step beyond the budget's": (("carry", "step"), lambda old: STEPS + 1),
    "a negative step": (("carry", "step"), lambda old: -1),
    "a step in words": (("carry", "step"), lambda old: "six"),
    "a step that is true": (("carry", "step"), lambda old: True),
    "a carry before its curve": (("carry", "step"), lambda old: old - 1),
    "seconds that are no number": (("seconds",), lambda old: float("nan")),
    "negative seconds": (("seconds",), lambda old: -1.0),
    "seconds in words": (("seconds",), str),
    "an input of another shape": (("carry", "z"), lambda old: old[..., :-1]),
    "an input of another kind": (("carry", "z"), lambda old: old.to(torch.float64)),
    "a sparse input": (("carry", "z"), sparse),
    "a tensor without memory": (("carry", "z"), lambda old: old.to("meta")),
    "moments that are not finite": (("carry", "optimizer", 0, "exp_avg"), lambda old: old * float("nan")),
    "moments of another weight": (("carry", "optimizer", 0, "exp_avg"), lambda old: old[:1]),
    "a short column": (("recorder", "curve", "loss"), lambda old: old[:-1]),
    "a column of texts": (("recorder", "curve", "loss"), lambda old: ["x"] * len(old)),
    "steps that go back": (("recorder", "curve", "step"), lambda old: old[::-1]),
    "a shorter window": (("recorder", "rules", "blind", "ring"), lambda old: old[:-1]),
    "another window": (("recorder", "rules", "blind", "window"), lambda old: old + 1),
    "a generator of other size": (("carry", "generator"), lambda old: old[:-8]),
    "a generator of zeros": (("carry", "generator"), torch.zeros_like),
    "a run done that is not": (("carry", "done"), lambda old: 1),
    "stretches without end": (("stretches",), lambda old: old * 10_001),
    "a stretch of another shape": (("stretches",), lambda old: [dict(old[0], threads="many")]),
    "a very long text": (("stretches",), lambda old: [dict(old[0], hardware="x" * 10_000)]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_checkpoint_that_is_wrong_in_one_field_is_refused(name, case, parts, tmp_path):
    path, (where, change) = tmp_path / "checkpoint.pt", HOSTILE[name]
    torch.save(edited(parts, (where, change)), path)
    said = error_of(lambda: restore(case, path))
    assert "the checkpoint is damaged (" in said or "steps are already done" in said


def test_what_is_taken_over_has_memory_of_its_own(case, parts, tmp_path):
    """Tensors that lie in one memory in the file, and one that is a view into a larger one, are told apart."""
    path = tmp_path / "checkpoint.pt"
    one = torch.zeros(2, *parts["carry"]["z"].shape, dtype=parts["carry"]["z"].dtype)
    torch.save(edited(parts, (("carry", "z"), lambda old: one[1])), path)
    begun = restore(case, path)
    assert begun.carry.z.untyped_storage().nbytes() == begun.carry.z.numel() * begun.carry.z.element_size()


def test_a_member_that_is_shorter_than_its_tensor_is_refused(intact, case, tmp_path):
    path = tmp_path / "checkpoint.pt"
    with zipfile.ZipFile(io.BytesIO(intact[0])) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            new.writestr(member.filename, data[:len(data) // 2] if "/data/" in member.filename else data)
    refused(path, lambda: restore(case, path))


def test_a_packed_checkpoint_is_refused_before_it_is_unpacked(intact, case, tmp_path):
    """100 MB of zeros in 0.1 MB: PyTorch itself packs nothing."""
    path = tmp_path / "checkpoint.pt"
    with zipfile.ZipFile(io.BytesIO(intact[0])) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
        new.writestr("archive/data/999", bytes(10**8))
    refused(path, lambda: restore(case, path))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "dangling link"])
def test_only_regular_files_are_read(kind, case, tmp_path):
    path = tmp_path / "checkpoint.pt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else tmp_path / "nothing")
    assert "the checkpoint is damaged (" in error_of(lambda: restore(case, path))


def test_a_checkpoint_of_another_network_is_refused(case, tmp_path):
    class Wider(Decoder):
        def init(self, observation, seed, z0=None):
            carry = SMALL.init(observation, seed, z0)
            carry.network = nn.Sequential(carry.network, nn.Identity())  # other names of the same weights
            return carry

    path = tmp_path / "checkpoint.pt"
    run(case, Wider(steps=STEPS, channels=4), steps=2, out=tmp_path)
    refused(path, lambda: run(case, SMALL, out=tmp_path, resume=True))


# ---------------------------------------------------------------- numbers that are not finite, growth, a dead network

@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_measurements_that_are_not_finite_are_refused(bad, case):
    y = case.observation.y.clone()
    y[0, 0, 3, 4] = bad
    assert error_of(lambda: replace(case.observation, y=y)) == (
        "the measurements hold NaN or infinite numbers: replace them, or leave them out of the mask")
    good = torch.zeros(1, 1, 4, 4)
    with pytest.raises(InputError, match="the start image holds NaN or infinite numbers"):
        Observation(Identity((1, 4, 4)), good, bad + good)


class Struck(Vanilla):
    """Vanilla DIP to whose network `strike` is done before the step after number `at`."""

    at = 6

    def step(self, observation, carry):
        if carry.step == self.at:
            self.strike(carry.network)
            carry.output = None  # it was computed by the network as it was
        return super().step(observation, carry)


class Poisoned(Struck):
    """One gradient has a NaN."""

    def strike(self, network):
        weight = next(network.parameters())
        weight.register_hook(lambda gradient: gradient.index_fill(0, torch.tensor([0]), float("nan")))


class Dying(Struck):
    """The last normalisation, before the last ReLU, lets nothing through."""

    def strike(self, network):
        norm = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)][-1]
        torch.nn.init.zeros_(norm.weight)
        torch.nn.init.constant_(norm.bias, -1.0)


@pytest.mark.parametrize("method, reason, recorded", [(Poisoned, "diverged", Struck.at),
                                                      (Dying, "dead network", Struck.at + engine.DEAD)])
def test_a_struck_run_keeps_the_last_good_image_and_its_checkpoint(method, reason, recorded, case, tmp_path):
    result, good = run(case, method(steps=60), out=tmp_path), run(case, Vanilla(steps=60), steps=Struck.at)
    assert result.metrics["stop_reason"] == reason and result.metrics["steps"] == recorded
    assert torch.equal(result.answer, good.answer) and not is_constant(result.answer)
    assert torch.equal(result.images["blind"], good.images["blind"])
    assert set(result.metrics["psnr"]) == set(good.metrics["psnr"])
    result.save(tmp_path)
    assert checkpoint.interrupted_at(tmp_path) is None  # another rate may be tried in the same folder
    again = run(case, method(steps=60), out=tmp_path, resume=True)  # from the last checkpoint to the same end
    assert again.metrics["stop_reason"] == reason and again.curve["loss"] == result.curve["loss"]
    assert torch.equal(again.answer, good.answer)


def test_a_poisoned_run_is_mended_from_its_checkpoint(case, tmp_path):
    run(case, Poisoned(steps=STEPS), out=tmp_path)
    assert torch.equal(run(case, out=tmp_path, resume=True).answer, run(case).answer)


@pytest.mark.parametrize("factor, reason", [(1.0, "budget"), (1.001, "diverged")])
def test_a_data_term_that_grows_past_the_bound_ends_the_run(factor, reason, case, scripted):
    images = {step: case.observation.start * (1 + step) for step in range(1, 7)}

    def script(step):
        data = {1: 2.0, 5: 2.0 * factor * engine.DIVERGED}.get(step, 0.1)
        return dict(image=images[step], terms=dict(loss=-1.0, data=data))

    result = run(case, scripted(script, steps=6))
    assert result.metrics["stop_reason"] == reason
    assert torch.equal(result.answer, images[6 if reason == "budget" else 4])


def test_a_rate_far_too_large_diverges_before_numbers_overflow(case):
    result = run(case, Vanilla(steps=60, lr=100.0))
    assert result.metrics["stop_reason"] == "diverged" and bool(result.answer.isfinite().all())


@pytest.mark.parametrize("stumble, reason", [(engine.DEAD, "budget"), (engine.DEAD + 1, "dead network")])
def test_a_network_is_dead_after_so_many_constant_outputs_in_a_row(stumble, reason, case, scripted):
    """Cut in two by a resumption, the count is the same. From step 3 on `stumble` outputs are constant."""
    start = case.observation.start

    def script(step):
        dead = 3 <= step < 3 + stumble
        return dict(image=torch.full_like(start, 0.3 - 0.1j) if dead else start * step)

    result = run(case, scripted(script, steps=40))
    assert result.metrics["stop_reason"] == reason
    assert torch.equal(result.answer, start * (40 if reason == "budget" else 2))
    assert result.curve["step"] == list(range(1, 41 if reason == "budget" else 3 + engine.DEAD))


def test_the_count_of_constant_outputs_goes_through_a_checkpoint(case, scripted, tmp_path):
    start = case.observation.start
    method = scripted(lambda step: dict(image=start if step < 3 else torch.zeros_like(start)), steps=60)
    for steps in (5, 9, 60):
        result = run(case, method, steps=steps, out=tmp_path, resume=True)
    assert result.metrics["stop_reason"] == "dead network" and result.metrics["steps"] == 2 + engine.DEAD
    assert torch.equal(result.answer, start)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_constant_is_one_value_at_all_pixels_of_a_channel(dtype):
    levels = torch.tensor([0.3, -2.0, 0.0], dtype=dtype).reshape(1, 3, 1, 1)
    flat = levels.expand(1, 3, 5, 6).clone()
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    assert is_constant(flat) and is_constant(flat + 1e-6 * noise) and is_constant(0 * flat)
    assert not is_constant(flat + 1e-3 * noise) and not is_constant(1e-12 * noise)
    flat[0, 0, -1, -1] += 1e-3
    assert not is_constant(flat)


def test_a_constant_answer_of_a_method_of_one_step_is_its_answer(case, scripted):
    constant = torch.ones_like(case.observation.start)
    result = run(case, scripted(lambda step: dict(image=constant), steps=1))
    assert result.metrics["stop_reason"] == "budget" and torch.equal(result.answer, constant)


def test_the_panel_ends_such_runs_too(case):
    for method, reason, steps in ((Poisoned, "diverged", Struck.at), (Dying, "dead network", Struck.at + engine.DEAD)):
        session = Session(case, method(steps=60))
        while session.actions:
            session.step()
        assert (session.reason, session.steps) == (reason, steps)
        assert torch.equal(session.result().answer, run(case, Vanilla(steps=60), steps=Struck.at).answer)


def test_every_stop_reason_is_explained():
    assert all(reason.explanation.endswith(".") for reason in StopReason)
    faults = [reason for reason in StopReason if reason.is_fault]
    page = (Path(__file__).parent.parent / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert len(faults) == 2 and all(f"`{reason}`" in page for reason in faults)


# ---------------------------------------------------------------- determinism

def test_spread_and_same_bits_are_read_off_the_runs():
    def row(seed, threads, digest, peak):
        return dict(task="mri", size=64, seed=seed, threads=threads, digest=digest,
                    psnr=dict(peak=peak, final=20.0, blind=20.0 + seed))

    rows = [row(0, 1, "a", 25.0), row(0, 2, "b", 25.1), row(0, 1, "a", 25.0), row(0, 2, "c", 25.2),
            row(1, 1, "d", 30.0), row(1, 2, "e", 30.5)]
    assert determinism.same_bits(rows) == dict(pairs=2, equal=1)
    assert determinism.same_bits(rows, ("threads",)) == dict(pairs=2, equal=0)
    assert determinism.spread(rows, "seed") == [dict(task="mri", size=64, peak=0.5, final=0.0, blind=0.0)]
    assert determinism.spread(rows, "threads") == [dict(task="mri", size=64, peak=5.4, final=0.0, blind=1.0)]
