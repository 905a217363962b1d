"""The autoencoder of appendix B: its bottleneck, its weights, Eq. 18 and the measurement F7."""

import numpy as np
import pytest
import torch
import train_autoencoder
from checks import generator, randn

from aseqdip_lite import load_case
from aseqdip_lite.case import Observation
from aseqdip_lite.course.theory import autoencoder
from aseqdip_lite.course.theory.autoencoder import Autoencoder, load_autoencoder, reconstruct_input
from aseqdip_lite.images import load_image
from aseqdip_lite.networks import ImageNetwork, count_parameters, to_channels
from aseqdip_lite.operators import Identity
from aseqdip_lite.tasks.mri import MRI


def square(x):
    return float(x.abs().square().sum())


def small(widths=(4, 5, 6), code=8):
    """A small autoencoder with seeded weights in float64, frozen, on complex images."""
    network = Autoencoder(widths, code)
    train_autoencoder.initialise(network, generator())
    return ImageNetwork(network.double(), is_complex=True).requires_grad_(False)


def small_observation(size=16):
    observation = MRI(coils=2, size=size, acceleration=2).observe(load_image("brain-070")).observation
    return Observation(observation.A.to(double=True), observation.y.to(torch.complex128),
                       observation.start.to(torch.complex128))


# The network.

def test_no_more_passes_than_the_code_holds():
    """The Jacobian's rank, 4 x 4 numbers for 512 of the image: with a skip connection it would be 512."""
    network = small(widths=(8, 16, 32), code=4).network
    J = torch.autograd.functional.jacobian(lambda x: network(x).flatten(), randn(1, 2, 16, 16)).reshape(512, 512)
    assert int(torch.linalg.matrix_rank(J)) == 16


@pytest.mark.parametrize("size", [(16, 16), (24, 40), (33, 50)])
def test_images_of_any_size(size):
    z = randn(1, 1, *size, dtype=torch.complex128)
    output = small()(z)
    assert output.shape == z.shape and output.is_complex()


# Eq. 18.

@pytest.mark.parametrize("lam_a", [0.0, 1.5])
def test_loss_and_gradient_are_those_of_the_equation(lam_a):
    """Adam's first step goes against the sign of the gradient by lr, in the real and in the imaginary part."""
    observation, network = small_observation(), small()
    z, step = observation.start, 1e-6

    def loss(z):
        output = network(z)
        return square(observation.A(output) - observation.y) + lam_a * square(output - z)

    _, moved, losses = reconstruct_input(observation, network, lam_a, steps=1, lr=1e-3)
    assert losses == [pytest.approx(loss(z), rel=1e-9)]
    for pixel in [(3, 4), (8, 8), (12, 5)]:
        change = torch.zeros_like(z)
        change[0, 0][pixel] = step
        slopes = [(loss(z + unit * change) - loss(z - unit * change)) / (2 * step) for unit in (1, 1j)]
        taken = (moved - z)[0, 0][pixel]
        # the moments are those of a complex number's two real parts: -lr g / (|g| + 1e-8)
        for slope, part in zip(slopes, (taken.real, taken.imag), strict=True):
            assert float(part) == pytest.approx(-1e-3 * slope / (abs(slope) + 1e-8), rel=1e-3, abs=1e-8)


def test_weights_and_start_stay_as_they_are_and_the_loss_falls():
    observation, network = small_observation(), small()
    weights, start = [p.clone() for p in network.parameters()], observation.start.clone()
    output, z, losses = reconstruct_input(observation, network, 1.0, steps=60)
    assert all(torch.equal(a, b) for a, b in zip(weights, network.parameters(), strict=True))
    assert torch.equal(observation.start, start) and losses[-1] < losses[0]
    assert torch.equal(output, network(z)) and not z.requires_grad
    again = reconstruct_input(observation, network, 1.0, steps=30)
    rest = reconstruct_input(observation, network, 1.0, steps=1, z0=again[1])
    assert rest[2][0] == pytest.approx(losses[30], rel=1e-12)  # the loss at which step 31 starts


def test_larger_lam_draws_input_and_output_together():
    observation, network = small_observation(), small()
    gaps = []
    for lam_a in (0.0, 1.0, 30.0):
        output, z, _ = reconstruct_input(observation, network, lam_a, steps=60)
        gaps.append(square(output - z))
    assert gaps[0] > gaps[1] > gaps[2]


def test_an_image_that_is_coded_without_loss_stays():
    """y = x = g(x) and A = I: both terms are 0 at z = x, whatever lam_a."""
    class Half(torch.nn.Module):
        def forward(self, z):
            return 0.5 * z + 0.5 * x

    x = randn(1, 1, 8, 8, dtype=torch.complex128)
    output, z, losses = reconstruct_input(Observation(Identity((1, 8, 8), is_complex=True), x, x), Half(), 2.0, 5)
    assert losses == [0.0] * 5 and torch.equal(z, x) and torch.equal(output, x)


# The shipped weights.

def test_shipped_weights_code_a_slice_that_they_never_saw():
    network = load_autoencoder()
    assert count_parameters(network) == 0 and sum(p.numel() for p in network.parameters()) == 153_104
    case = load_case("mri", "brain-070", size=128)
    x = torch.from_numpy(case.truth.astype(np.complex64))[None, None] / case.observation.scale
    error = square(network(x) - x) / square(x)
    assert error < 0.02
    untrained = Autoencoder()
    train_autoencoder.initialise(untrained, generator())
    assert square(ImageNetwork(untrained, is_complex=True)(x).detach() - x) / square(x) > 10 * error


def test_training_patches_are_seeded_cuts_in_the_units_of_a_method():
    pictures = [torch.rand(70, 90, generator=generator(1)), torch.ones(64, 64)]
    x = train_autoencoder.patches(pictures, 6, generator())
    assert x.shape == (6, 2, 64, 64) and x.dtype == torch.float32
    assert torch.equal(x, train_autoencoder.patches(pictures, 6, generator()))
    magnitude = x.square().sum(dim=1).sqrt()
    assert float(magnitude.max()) <= 1.3 and float((magnitude.amax(dim=(1, 2))).min()) >= 0.7 * 0.99
    assert float(x[:, 1].abs().max()) > 0.1  # complex: there is a phase
    assert to_channels(torch.complex(x[:, :1], x[:, 1:])).equal(x)


# F7.

def test_f7_measures_and_draws():
    result = autoencoder.measure(**autoencoder.SIZES["smoke"])
    assert result["images"] == ["brain-056"] and result["best"] in result["lams"]
    for key in ("output", "input", "unconverged"):
        assert np.shape(result[key]) == (1, 2)
    assert result["mean"] == result["output"][0]
    assert autoencoder.figure(result).axes
