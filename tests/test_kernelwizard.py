"""KernelWizard: names, shapes and counts of the published network, strict loading, and its use as an operator."""

import pickle
import zipfile

import pytest
import torch
from checks import Trap, error_of, generator, rand, randn

from aseqdip_lite import InputError, iterate, load_case
from aseqdip_lite.methods import configure
from aseqdip_lite.networks import count_parameters
from aseqdip_lite.operators.kernelwizard import STRIDE, KernelWizard, KernelWizardBlur, load_kernelwizard

#: Names and shapes in the published checkpoint: the ends of each part.
PUBLISHED = {
    "feature_extractor.0.weight": (64, 3, 3, 3),
    "feature_extractor.15.conv2.bias": (64,),
    "kernel_extractor.model.1.weight": (64, 128, 7, 7),
    "kernel_extractor.model.16.weight": (1024, 1024, 3, 3),
    "kernel_extractor.model.22.conv_block.5.weight": (1024, 1024, 3, 3),
    "adapter.model.down.0.weight": (64, 64, 4, 4),
    "adapter.model.submodule.submodule.down.1.weight": (256, 128, 4, 4),
    "adapter.model.submodule.submodule.submodule.submodule.up.1.weight": (1024, 512, 4, 4),
    "adapter.model.up.1.bias": (64,),
    "recon_trunk.19.conv1.weight": (64, 64, 3, 3),
    "recon_trunk.23.weight": (256, 64, 3, 3),
    "recon_trunk.28.weight": (3, 64, 3, 3),
}


def full_shapes():
    """{name: shape} of the whole network, without its 461 MB."""
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in KernelWizard().state_dict().items()}


def hollow(**changes):
    """A state dictionary of the right names and shapes whose tensors are one stored zero each."""
    return {name: torch.zeros(()).expand(shape) for name, shape in full_shapes().items()} | changes


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint file of random weights; the unused kernel extractor is hollow, to save 366 MB."""
    draw = generator(0)
    state = {name: tensor if name.startswith("kernel_extractor") else
             0.7 * torch.randn(tensor.shape, generator=draw) / max(tensor[0].numel(), 1) ** 0.5
             for name, tensor in hollow().items()}
    path = tmp_path_factory.mktemp("weights") / "kernel.pth"
    torch.save(state, path)
    return path


def small_blur(h=128, w=128, seed=0):
    """A KernelWizardBlur of 2 feature channels in double precision."""
    torch.manual_seed(seed)
    network = KernelWizard(nf=2, front=1, back=1)
    return KernelWizardBlur((3, h, w), network, randn(1, 16, h // STRIDE, w // STRIDE).float()).to(double=True)


def test_kernelwizard_has_the_published_names_shapes_and_counts():
    shapes = full_shapes()
    assert len(shapes) == 159 and sum(shape.numel() for shape in shapes.values()) == 115_265_475
    for name, shape in PUBLISHED.items():
        assert shapes[name] == torch.Size(shape), name


def test_checkpoint_is_loaded_bit_for_bit(checkpoint):
    network = load_kernelwizard(checkpoint)
    stored = torch.load(checkpoint, weights_only=True)
    used = {name: tensor for name, tensor in stored.items() if not name.startswith("kernel_extractor")}
    assert set(network.state_dict()) == set(used)
    assert all(torch.equal(tensor, used[name]) for name, tensor in network.state_dict().items())
    assert count_parameters(network) == 115_265_475 - 91_602_944  # without the kernel extractor


def test_kernelwizard_task_end_to_end(checkpoint):
    settings = dict(profile="smoke", size=128, blur="kernelwizard", checkpoint=str(checkpoint))
    case = load_case("deblurring", seed=3, **settings)
    A, truth = case.observation.A, torch.from_numpy(case.truth).permute(2, 0, 1)[None]
    assert torch.equal(A.kernel, torch.randn((1, 512, 1, 1), generator=generator(3)))
    blurred = A(truth)
    assert torch.equal(blurred, A(truth))  # the kernel is not drawn anew at each call
    assert float((case.observation.y - blurred).std()) == pytest.approx(0.05, rel=0.02)
    state = next(iterate(case.observation, configure("aseqdip", "deblurring")))
    assert state.step == 1 and bool(state.image.isfinite().all())


@pytest.mark.parametrize("h, w", [(128, 128), (256, 128)])
def test_kernelwizard_gradient_by_finite_differences(h, w):
    A = small_blur(h, w)
    x, d, v = rand(1, 3, h, w), randn(1, 3, h, w, seed=1), randn(1, 3, h, w, seed=2)
    slope = (A(x + 1e-6 * d) - A(x - 1e-6 * d)) / 2e-6
    typical = float(slope.norm() * v.norm()) / v.numel() ** 0.5
    assert abs(float((v * slope).sum() - (A.vjp(x, v) * d).sum())) <= 1e-6 * typical


def test_kernelwizard_adds_to_the_sharp_image_and_heeds_the_kernel():
    A, x = small_blur().to(double=False), rand(2, 3, 128, 128).float()
    torch.testing.assert_close(A(x)[1:], A(x[1:]), atol=1e-5, rtol=0)
    blurred = A(x)
    A.kernel = -A.kernel
    assert not torch.equal(A(x), blurred)
    torch.nn.init.zeros_(A.network.recon_trunk[-1].weight)
    torch.nn.init.zeros_(A.network.recon_trunk[-1].bias)
    assert torch.equal(A(x), x)


def test_precision_of_a_copy_leaves_the_operator_alone():
    single = small_blur().to(double=False)
    double = single.to(double=True)
    assert next(single.network.parameters()).dtype == single.kernel.dtype == torch.float32
    x = rand(1, 3, 128, 128)
    torch.testing.assert_close(double(x).float(), single(x.float()), atol=1e-5, rtol=1e-5)
    assert not any(p.requires_grad for p in double.network.parameters())


@pytest.mark.parametrize("shape, words", [
    ((1, 128, 128), "KernelWizard blurs RGB images, got 1 channel: use --blur physical"),
    ((3, 64, 128), "KernelWizard needs sides that are multiples of 128, got 64 x 128: use --size 128 or 256 for "
     "shipped images, or crop yours"),
])
def test_images_that_kernelwizard_cannot_blur(shape, words, tmp_path):
    """Refused before the checkpoint is opened: there is none here."""
    assert error_of(KernelWizardBlur.load, tmp_path / "none.pth", shape, generator()) == words


def without(name):
    state = hollow()
    del state[name]
    return state


@pytest.mark.parametrize("content, words", [
    (lambda: without("recon_trunk.28.bias"), "not KernelWizard's weights: 1 of 159 tensors are missing and 0 are "
     "foreign ('recon_trunk.28.bias' is missing)"),
    (lambda: hollow(extra=torch.zeros(3)), "not KernelWizard's weights: 0 of 159 tensors are missing and 1 are foreign "
     "('extra' is not part of it)"),
    (lambda: {f"module.{name}": tensor for name, tensor in hollow().items()}, "not KernelWizard's weights: 159 of 159 "
     "tensors are missing and 159 are foreign ('feature_extractor.0.weight' is missing)"),
    (lambda: hollow(**{"recon_trunk.28.bias": torch.zeros(4)}), "'recon_trunk.28.bias' must be real of shape (3,), got "
     "torch.float32 of shape (4,)"),
    (lambda: hollow(**{"recon_trunk.28.bias": torch.zeros(3, dtype=torch.int64)}), "'recon_trunk.28.bias' must be real "
     "of shape (3,), got torch.int64 of shape (3,)"),
    (lambda: hollow(**{"recon_trunk.28.bias": torch.full((3,), torch.nan)}), "the weights hold NaN or Inf"),
    (lambda: [torch.zeros(3)], "must hold one dictionary of tensors, the network's state_dict()"),
    (lambda: dict(state_dict=hollow()), "must hold one dictionary of tensors, the network's state_dict()"),
])
def test_wrong_weights(content, words, tmp_path):
    torch.save(content(), tmp_path / "kernel.pth")
    assert error_of(load_kernelwizard, tmp_path / "kernel.pth") == f"{tmp_path}/kernel.pth: {words}"


@pytest.mark.parametrize("write", [
    lambda path, trap: path.write_bytes(b""),
    lambda path, trap: path.write_bytes(b"PK not an archive"),
    lambda path, trap: path.write_bytes(pickle.dumps(trap, protocol=2)),
    lambda path, trap: torch.save(dict(weights=trap), path),
])
def test_damaged_and_dangerous_files(write, tmp_path):
    path, sprung = tmp_path / "kernel.pth", tmp_path / "sprung"
    write(path, Trap(sprung))
    with pytest.raises(InputError, match=r"kernel\.pth: not a checkpoint of plain tensors \([A-Za-z]+\)$"):
        load_kernelwizard(path)
    assert not sprung.exists()


def test_missing_checkpoint(tmp_path):
    assert error_of(load_kernelwizard, tmp_path / "kernel.pth") == f"{tmp_path}/kernel.pth: no such checkpoint file"


def test_size_is_checked_before_anything_is_unpacked(tmp_path, monkeypatch):
    """A small archive that would unpack to much more is refused, and so is a plain large file."""
    monkeypatch.setattr("aseqdip_lite.operators.kernelwizard.MOST_BYTES", 10_000)
    path = tmp_path / "kernel.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(100_000))
    assert path.stat().st_size < 1000
    for bytes_found in (100_000, 20_000):
        said = error_of(load_kernelwizard, path)
        assert said == (f"{path}: {bytes_found} bytes are too many for a KernelWizard checkpoint, at most "
                        "10000 are accepted")
        path.write_bytes(bytes(20_000))
