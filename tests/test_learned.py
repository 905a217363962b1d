"""Learned priors: VarNet against what is known of gradient descent, its training, and the files of weights."""

import hashlib
import json
import math
from dataclasses import replace
from functools import partial

import brains
import numpy as np
import pytest
import torch
import train_denoiser
import train_varnet
from checks import Trap, error_of, generator, randn, resumed_training, same_training

from aseqdip_lite import load_case, methods, reconstruct
from aseqdip_lite.course.theory.autoencoder import Autoencoder
from aseqdip_lite.images import DATA, Image, catalogue
from aseqdip_lite.learned import varnet, weights
from aseqdip_lite.learned.denoiser import KINDS, Denoiser
from aseqdip_lite.learned.varnet import Correction, VarNet, initialise
from aseqdip_lite.learned.weights import facts, load_weights, save_weights
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.networks import count_parameters
from aseqdip_lite.operators.ct import CTOperator
from aseqdip_lite.operators.mri import MRIOperator, simulated_maps
from aseqdip_lite.operators.projectors import MatrixProjector, equal_angles, fbp
from aseqdip_lite.operators.sampling import column_mask
from aseqdip_lite.run.metrics import psnr
from aseqdip_lite.tasks.ct import CT

#: The shipped weights, and the network of each.
EVERY = {"autoencoder": Autoencoder, **dict.fromkeys(varnet.WEIGHTS["mri"], VarNet)} | {
    "varnet-ct": partial(VarNet, is_complex=False)} | {
    f"denoiser-{kind}": partial(Denoiser, channels, 1.0) for kind, channels in KINDS.items()}


def operator(shape=(8, 12), coils=2, acceleration=2):
    """A small A in double precision."""
    return MRIOperator(simulated_maps(coils, shape), column_mask(shape[1], acceleration, generator())).to(double=True)


def ct(size=8, views=5):
    """The same of CT."""
    return CTOperator(MatrixProjector(size, equal_angles(views))).to(double=True)


both = pytest.mark.parametrize("A", [operator(), ct()], ids=["mri", "ct"])
tasks = pytest.mark.parametrize("task", ["mri", "ct"])


def network(A=None, cascades=2, heads=0.1, widths=(4, 6)):
    """A small VarNet for an A in double precision whose corrections are not 0; without A for complex images."""
    made, draw = VarNet(cascades, widths, is_complex=A is None or A.in_complex), generator(3)
    initialise(made, draw)
    with torch.no_grad():
        for correction in made.corrections:
            correction.network.head.weight.normal_(0.0, heads, generator=draw)
    return made.double()


def measured(A, seed=0):
    return randn(1, *A.out_shape, seed=seed, dtype=torch.complex128 if A.out_complex else torch.float64)


# The network.

@both
def test_without_corrections_it_is_gradient_descent(A):
    """T Landweber steps from x_0, with A = U s V^H: x_0 + V diag((1 - (1 - s^2)^T) / s) (U^H y - s V^H x_0).

    x_0 is A^H y, in CT the filtered back-projection.
    """
    y, cascades, pixels = measured(A), 3, math.prod(A.in_shape)
    columns = torch.eye(pixels, dtype=y.dtype).reshape(pixels, *A.in_shape)
    U, s, Vh = torch.linalg.svd(A(columns).flatten(1).T, full_matrices=False)
    start = (A.adjoint(y) if A.in_complex else fbp(A.projector, y / A.factor)).flatten()
    filtered = torch.where(s > 1e-9, (1 - (1 - s**2) ** cascades) / s.clamp(min=1e-9), 0.0)
    expected = start + Vh.mH @ (filtered * (U.mH @ y.flatten() - s * (Vh @ start)))
    with torch.no_grad():
        found = network(A, cascades, heads=0.0)(A, y)
    assert torch.allclose(found.flatten(), expected, atol=1e-12)


@both
def test_its_gradient_is_that_of_finite_differences(A):
    made, step, y = network(A), 1e-5, measured(A)
    target = randn(1, *A.in_shape, seed=5, dtype=y.dtype)
    loss = square_norm(made(A, y) - target)
    slopes = torch.autograd.grad(loss, list(made.parameters()))
    for weight, slope in zip(made.parameters(), slopes, strict=True):
        direction = randn(*weight.shape, seed=7)
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                weight.add_(sign * step * direction)
                ends.append(float(square_norm(made(A, y) - target)))
                weight.sub_(sign * step * direction)
        expected = (ends[0] - ends[1]) / (2 * step)
        assert float((slope.detach() * direction).sum()) == pytest.approx(expected, rel=1e-5, abs=1e-6 * loss.item())


@both
def test_it_does_not_depend_on_the_unit_nor_a_correction_on_the_mean(A):
    made, y = network(A), measured(A)
    with torch.no_grad():
        assert torch.allclose(made(A, 7.3 * y), 7.3 * made(A, y), rtol=1e-10)
        correction = made.corrections[0].network
        x, level = randn(1, 1 + A.in_complex, 8, 12), randn(1 + A.in_complex, 1, 1, seed=2)
        assert torch.allclose(correction(x + level), correction(x), rtol=1e-9, atol=1e-12)


def test_unitary_changes_of_the_coils_change_nothing():
    """Coils mixed by a unitary matrix Q, in A and in y, leave A^H A and A^H y: only these reach the network."""
    A, made = operator(coils=3), network()
    Q = torch.linalg.qr(randn(3, 3, dtype=torch.complex128))[0]
    mixed = MRIOperator(torch.einsum("ij,jhw->ihw", Q, A.sens_maps), A.mask)
    y = measured(A) * A.mask
    with torch.no_grad():
        assert torch.allclose(made(mixed, torch.einsum("ij,bjhw->bihw", Q, y)), made(A, y), atol=1e-12)


@pytest.mark.parametrize("A", [operator((16, 16), 1), operator((17, 23), 5), operator((20, 9), 2), ct(16, 1),
                               ct(17, 7)])
def test_any_size_and_number_of_coils_or_views(A):
    y = measured(A)
    with torch.no_grad():
        found = network(A)(A, y)
    assert found.shape == (1, *A.in_shape) and found.dtype == y.dtype and bool(found.isfinite().all())


def test_a_flat_image_has_no_correction_and_a_finite_gradient():
    x = torch.full((1, 2, 8, 8), 3.0, requires_grad=True)
    correction = Correction()
    correction(x).square().sum().backward()
    assert float(correction(x).detach().abs().max()) < 1e-3 and bool(x.grad.isfinite().all())


# The training.

def test_training_slices_keep_away_from_every_other_one():
    """By the names of all images of this head, whatever they serve."""
    others = {int(facts["key"][-3:]) for name, facts in catalogue().items() if "Colin27" in facts["what"]
              or facts.get("key", "").startswith("brain-")}
    assert others == {50, 56, 64, 70, 76, 82, 88, 96, 102, 108}
    chosen = brains.training_slices()
    assert len(chosen) == 18 and all(abs(z - other) >= 3 for z in chosen for other in others)
    for name, count in dict(zip(varnet.WEIGHTS["mri"], (18, 4, 1), strict=True)).items() | {("varnet-ct", 18)}:
        assert train_varnet.slices_of(facts(name)["trained_on"]["task"], count) == (name, facts(name)["slices"])
        assert len(set(facts(name)["slices"])) == count and set(facts(name)["slices"]) <= set(chosen)


def ellipses():
    """Two pictures like slices: a bright disc with darker ones in it."""
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, brains.SIDE),) * 2, indexing="ij")
    one = 0.8 * (x**2 + 1.4 * y**2 < 0.6) - 0.4 * ((x - 0.2) ** 2 + y**2 < 0.05)
    return torch.stack([one, one.T])[:, None].float()


def test_samples_are_seeded_and_what_they_say():
    pictures, draw, again = ellipses(), generator(), generator()
    masks = []
    for _ in range(6):
        observation, target = train_varnet.draw_mri(pictures, 32, draw)
        other, same = train_varnet.draw_mri(pictures, 32, again)
        assert torch.equal(observation.y, other.y) and torch.equal(target, same)
        A, noise = observation.A, observation.y - observation.A(target)
        assert int(A.mask.sum()) == 8 and bool((noise * (1 - A.mask) == 0).all())
        measured = 2 * 8 * 32 * A.out_shape[0]  # real numbers
        assert float(noise.abs().square().sum()) == pytest.approx(measured * observation.noise_std**2, rel=0.2)
        assert torch.allclose(A.sens_maps.abs().square().sum(0), torch.ones(32, 32), atol=1e-5)
        assert torch.equal(observation.start, A.adjoint(observation.y)) or torch.allclose(
            observation.start, A.adjoint(observation.y), atol=1e-6)
        peak = float(target.abs().quantile(0.995)) * observation.scale
        assert 0.79 < peak < 1.21 and float(target.imag.abs().max()) > 0.1
        masks.append(A.mask)
    assert not all(torch.equal(masks[0], mask) for mask in masks)


def test_samples_of_ct_are_what_the_task_measures_of_the_body():
    """The task sums strips of the fine grid in double precision, without a matrix."""
    for seed in range(4):
        observation, target = train_varnet.draw_ct(ellipses(), 32, generator(seed))
        body = train_denoiser.draw_body(ellipses(), 64, generator(seed))
        case = CT(size=32, views=30).observe(Image("body", body.numpy(), shipped=True))
        for mine, theirs in ((observation.y, case.observation.y), (observation.start, case.observation.start),
                             (observation.scale * target[0, 0], torch.from_numpy(case.truth))):
            assert torch.allclose(mine, theirs, atol=1e-5)
        assert observation.noise_std == case.observation.noise_std == 0


@tasks
def test_training_resumed_is_training_uninterrupted(task):
    def training():
        return train_varnet.Training(task, ellipses(), seed=1, size=16, cascades=2, widths=(4, 4))

    straight, resumed = resumed_training(training, 2, 3)
    assert straight.step == resumed.step == 5 and same_training(straight, resumed)
    resumed.advance()
    assert not same_training(straight, resumed)


@tasks
def test_training_lowers_the_error_of_a_sample_and_averages_the_weights(monkeypatch, task):
    training = train_varnet.Training(task, ellipses(), seed=0, size=16, cascades=2, widths=(8, 8))
    sample = train_varnet.DRAW[task](ellipses(), 16, generator(9))
    monkeypatch.setitem(train_varnet.DRAW, task, lambda *args: sample)
    history, errors = [[p.detach().clone() for p in training.network.parameters()]], []
    for _ in range(100):
        training.advance()
        errors.append(training.error)
        history.append([p.detach().clone() for p in training.network.parameters()])
    with torch.no_grad():
        last = float(square_norm(training.network(sample[0].A, sample[0].y) - sample[1])) / 16**2
    assert last < 0.5 * errors[0]
    average = history[0]
    for step, weights_now in enumerate(history[1:], 1):
        share = 1 - min(0.998, step / (9 + step))
        average = [a + share * (b - a) for a, b in zip(average, weights_now, strict=True)]
    assert all(torch.allclose(a, p, atol=1e-6) for a, p in zip(average, training.average.parameters(), strict=True))


# The files.

@pytest.mark.parametrize("name", EVERY)
def test_shipped_weights_are_small_and_say_what_they_are(name):
    known = facts(name)
    made = load_weights(EVERY[name](), name)
    assert (DATA / f"{name}.npz").stat().st_size == known["bytes"] < 1_000_000
    assert known["numbers"] == sum(p.numel() for p in made.parameters())
    for fact in ("what", "licence", "origin", "command", "steps", "seed", "torch", "error"):
        assert known[fact] is not None, fact
    assert known.get("slices") or known["pictures"]


@pytest.fixture
def folder(tmp_path):
    """A folder with the weights "small" of a small VarNet."""
    save_weights(network().float(), "small", "float16", tmp_path, command="python data/train.py")
    return tmp_path


def test_saved_weights_come_back_rounded(folder):
    original, found = network().float(), load_weights(VarNet(2, (4, 6)), "small", folder)
    for one, other in zip(original.parameters(), found.parameters(), strict=True):
        assert other.dtype == torch.float32 and torch.equal(one.half().float(), other)
    again = (folder / "small.npz").read_bytes()
    save_weights(original, "small", "float16", folder, command="python data/train.py")
    assert (folder / "small.npz").read_bytes() == again  # no time of day is in it


def test_other_files_are_refused(folder, tmp_path):
    file, trap = folder / "small.npz", tmp_path / "trap"
    with np.load(file, allow_pickle=False) as archive:
        right = {name: archive[name] for name in archive.files}

    def said(content=None, entry=None, **arrays):
        """The fault of a file of these bytes or arrays, after weights.json was told of it unless `entry` says else."""
        if content is None:
            np.savez(file, **arrays)
            content = file.read_bytes()
        file.write_bytes(content)
        known = dict(command="python data/train.py", bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        (folder / weights.INDEX).write_text(json.dumps(dict(small=known | (entry or {}))))
        text = error_of(load_weights, VarNet(2, (4, 6)), "small", folder)
        head, tail = f"{file}: no weights of small (", ("): install aseqdip-lite again, or make them with python "
                                                      "data/train.py")
        assert text.startswith(head) and text.endswith(tail)
        return text.removeprefix(head).removesuffix(tail)

    good = file.read_bytes()
    assert said(good, dict(sha256="0" * 64)) == "its sha256 differs"
    assert said(good, dict(bytes=5)) == f"{len(good)} bytes instead of 5"
    assert said(x=np.zeros(3)) == said(**right, more=np.zeros(3)) == "the names of the weights differ"
    for wrong in (np.zeros(3, np.float16), np.zeros(2), np.zeros((2, 1), np.float32)):
        assert said(**right | dict(eta=wrong)) == "the shapes of the weights differ"
    poisoned = np.empty(2, dtype=object)
    poisoned[:] = [Trap(trap)] * 2
    assert said(**right | dict(eta=poisoned)) == ("holds pickled objects, which are never loaded: save a plain numeric "
                                                  "array")
    assert not trap.exists()
    assert said(b"not an archive") == "File is not a zip file"
    file.unlink()
    assert "No such file" in error_of(load_weights, VarNet(2, (4, 6)), "small", folder)


# The method.

@pytest.mark.parametrize("task, image, direct", [("mri", "brain-070", "zero_filled"), ("ct", "ct-brain-064", "fbp")])
def test_it_ends_above_a_direct_method_and_rounding_to_half_precision_does_not_matter(task, image, direct):
    """All float32 weights that round to the shipped ones lie within 2^-11 of them: the PSNR is the same to 0.02 dB."""
    case = load_case(task, image, size=96)
    observation, made, draw = case.observation, varnet.load(f"varnet-{task}"), generator()
    assert count_parameters(made) == 0  # frozen

    def score(image):
        return psnr(case.display(image), case.truth, case.data_range)

    shipped = score(made(observation.A, observation.y))
    assert shipped > score(methods.configure(direct, task).solve(observation)) + 2
    result = reconstruct(case, methods.configure("varnet", task), progress=False)
    assert result.metrics["psnr"]["final"] == pytest.approx(shipped, abs=1e-3)
    for weight in made.parameters():
        weight.mul_(1 + 2**-11 * (2 * torch.rand(weight.shape, generator=draw) - 1))
    assert score(made(observation.A, observation.y)) == pytest.approx(shipped, abs=0.02)


@pytest.mark.parametrize("settings, unlike", [
    (dict(size=96), None), (dict(size=96, coils=15), "15 coils"), (dict(size=64), "64 x 64 pixels"),
    (dict(size=96, acceleration=8), "acceleration 8"), (dict(size=96, coils=1), "1 coil"),
    (dict(size=96, pattern="variable-density"), "points instead of columns"),
    (dict(size=96, pattern="equispaced"), "equally spaced columns"), (dict(size=96, snr=5.0), "noise of some 5 dB"),
    (dict(size=96, snr=40.0), "noise of some 40 dB"), (dict(size=96, snr=29.0), None), (dict(size=96, snr=16.0), None)])
def test_the_result_says_what_it_was_trained_on_and_what_is_unlike_that(settings, unlike):
    case = load_case("mri", "brain-056", **settings)
    method = methods.configure("varnet", "mri")
    note, = method.remarks(case.observation, 1)
    assert note == ("varnet was trained on 18 slices of one head (Colin27, T1): 96 x 96 pixels, 4 to 12 coils, "
                    "random columns, acceleration 4, noise of 15 to 30 dB" + (
                        f"; this case is unlike that: {unlike}" if unlike else ""))
    if unlike is None:
        assert reconstruct(case, method, progress=False).metrics["notes"] == [*case.notes, note]


@pytest.mark.parametrize(("name", "slices"), [("varnet-mri-4", "4 slices of"), ("varnet-mri-1", "1 slice of")])
def test_each_file_of_weights_says_its_own_slices(name, slices):
    case = load_case("mri", "brain-056", size=96)
    method, whole = methods.configure("varnet", "mri", weights=name), methods.configure("varnet", "mri")
    assert method.remarks(case.observation, 1)[0].startswith(f"varnet was trained on {slices} one head")
    assert not torch.equal(method.solve(case.observation), whole.solve(case.observation))


@pytest.mark.parametrize("settings, unlike", [
    (dict(size=96), None), (dict(size=64, views=18), "64 x 64 pixels, 18 views"), (dict(size=96, views=1), "1 view"),
    (dict(size=96, angles="0,10,20"), "3 views, other angles"), (dict(size=96, i0=1e5), "noise")])
def test_in_ct_too(settings, unlike):
    case = load_case("ct", "ct-brain-064", **settings)
    note, = methods.configure("varnet", "ct").remarks(case.observation, 1)
    assert note == ("varnet was trained on 18 slices of one head (Colin27, T1 read as attenuation) and random "
                    "ellipses: 96 x 96 pixels, 30 equally spaced views, no noise" + (
                        f"; this case is unlike that: {unlike}" if unlike else ""))


@tasks
def test_a_measured_scan_is_named(task):
    observation = replace(load_case(task, "brain-056", size=96).observation, noise_std=None)
    note, = methods.configure("varnet", task).remarks(observation, 1)
    assert note.endswith("; this case is unlike that: a measured scan")


@pytest.mark.parametrize("task, other, known", [
    ("mri", "varnet-ct", "varnet-mri, varnet-mri-4, varnet-mri-1"), ("ct", "varnet-mri-4", "varnet-ct"),
    ("mri", "varnet-mri-5", "varnet-mri, varnet-mri-4, varnet-mri-1"), ("ct", "mine", "varnet-ct")])
def test_other_weights_than_those_of_the_task_are_refused_with_their_names(task, other, known):
    case = load_case(task, "brain-056", size=32)
    said = error_of(reconstruct, case, methods.configure("varnet", task, weights=other), progress=False)
    assert said.startswith(f"unknown weights of varnet for {task} '{other}': ") and said.endswith(f"known: {known}")


@pytest.mark.parametrize("task, given, used", [("mri", None, "varnet-mri"), ("mri", "varnet-mri-1", "varnet-mri-1"),
                                               ("ct", None, "varnet-ct")])
def test_the_result_names_the_weights_that_were_used(task, given, used):
    case = load_case(task, "brain-056", size=32)
    result = reconstruct(case, methods.configure("varnet", task, weights=given), progress=False)
    assert result.metrics["settings"]["weights"] == used
    named = methods.configure("varnet", task, weights=used)
    assert torch.equal(result.answer, named.solve(case.observation))


def test_pictures_are_refused():
    said = error_of(varnet.chosen, load_case("denoising", size=32).observation)
    assert said == "varnet was not trained for pictures: it reconstructs mri and ct"


@pytest.mark.parametrize("content", [None, b"{", b"{}", b"[]", b"\xff"])
def test_a_damaged_index_of_weights_says_the_way_out(tmp_path, content):
    if content is not None:
        (tmp_path / "weights.json").write_bytes(content)
    said = error_of(facts, "varnet-ct", tmp_path)
    assert said == f"{tmp_path / 'weights.json'} tells nothing of varnet-ct: install aseqdip-lite again"
