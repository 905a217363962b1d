"""The denoiser that the samplers share: its preconditioning, its sizes and kinds, its training and its weights."""

import math

import brains
import pytest
import torch
import train_denoiser
from checks import generator, randn, resumed_training, same_training

from aseqdip_lite.images import catalogue, fit, load_image
from aseqdip_lite.learned import denoiser
from aseqdip_lite.learned.denoiser import GREATEST, KINDS, LEAST, Denoiser, initialise, mirrored
from aseqdip_lite.learned.weights import facts
from aseqdip_lite.networks import count_parameters

LEVELS = (LEAST, 0.05, 0.3, 1.0, GREATEST)


def network(channels=2, head=0.1, sd=0.3, widths=(4, 6)):
    """A small denoiser in double precision; with head 0, F = 0."""
    made, draw = Denoiser(channels, sd, widths), generator(3)
    initialise(made, draw)
    with torch.no_grad():
        for weight in made.parameters():
            if not weight.any():
                weight.normal_(0.0, head, generator=draw)
        if head == 0:
            made.network.head.weight.zero_()
    return made.double().requires_grad_(False)


# The preconditioning.

@pytest.mark.parametrize("s", LEVELS)
def test_without_a_network_it_is_the_posterior_mean_of_white_gaussian_data(s):
    """By numerical integration over x_0: E[x_0 | x] with x_0 ~ N(0, sd^2), x = x_0 + s z."""
    sd, x = 0.3, torch.tensor([-0.7, 0.1, 1.3], dtype=torch.float64)
    found = network(1, head=0.0, sd=sd)(x.reshape(3, 1, 1, 1).expand(3, 1, 8, 8), s)
    x0 = torch.linspace(-12 * sd, 12 * sd, 400_001, dtype=torch.float64)[:, None]
    logarithm = -x0**2 / (2 * sd**2) - (x - x0) ** 2 / (2 * s**2)
    posterior = torch.softmax(logarithm, dim=0)
    assert torch.allclose(found[:, 0, 4, 4], (posterior * x0).sum(0), atol=1e-9)
    assert found.amax((1, 2, 3)).equal(found.amin((1, 2, 3)))


def test_it_is_the_identity_without_noise_and_forgets_x_in_much_of_it():
    """Whatever the network, |D - x| <= c s for small s, and D does not grow with x = s z for large s."""
    made, x = network(), randn(1, 2, 16, 16)
    assert torch.equal(made(x, 0.0), x)
    near, nearer = (float((made(x, s) - x).abs().max()) for s in (1e-2, 1e-4))
    assert 0 < nearer < 0.02 * near
    far, farther = (made(s * x, s) for s in (1e3, 1e6))
    assert torch.allclose(far, farther, rtol=1e-2, atol=1e-3) and float(farther.abs().max()) > 0.1


def test_every_scale_of_the_image_is_seen_alike():
    """c_in x has variance 1, so D for data and noise k times as large is k D, but for the level that F is told."""
    x = randn(2, 2, 16, 16)
    one, other = network(sd=0.3), network(sd=1.2)
    for made in (one, other):
        made.network.tell[0].weight.zero_()  # F is not told the level
    assert torch.allclose(other(4 * x, 0.8), 4 * one(x, 0.2), rtol=1e-12)


def test_each_image_has_its_own_level():
    made, x = network(), randn(3, 2, 8, 12)
    s = torch.tensor([0.02, 0.3, 2.0], dtype=torch.float64)
    together = made(x, s)
    for image, level, expected in zip(x, s, together, strict=True):
        assert torch.allclose(made(image[None], float(level))[0], expected, rtol=1e-10, atol=1e-12)
    assert float((made(x[:1], 0.3) - made(x[:1], 0.31)).abs().max()) > 0


def test_a_complex_image_is_two_channels():
    made, x = network(), randn(2, 1, 9, 12, dtype=torch.complex128)
    found = made(x, 0.3)
    assert found.shape == x.shape and found.dtype == x.dtype
    parts = made(torch.cat([x.real, x.imag], dim=1), 0.3)
    assert torch.equal(found, torch.complex(*parts.chunk(2, dim=1)))


def test_its_gradient_is_that_of_finite_differences():
    """With respect to x, where DPS and MCG need it; a complex x has the gradient of both its parts."""
    made, x, step = network(), randn(1, 1, 9, 11, dtype=torch.complex128), 1e-6
    target, direction = (randn(1, 1, 9, 11, seed=seed, dtype=torch.complex128) for seed in (4, 5))

    def loss(x):
        return (made(x, 0.3) - target).abs().square().sum()

    slope, = torch.autograd.grad(loss(x.requires_grad_()), x)
    x = x.detach()
    expected = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
    assert float((slope.conj() * direction).real.sum()) == pytest.approx(float(expected), rel=1e-6)


# Sizes.

@pytest.mark.parametrize("n, stride, expected", [(8, 8, range(8)), (5, 8, [0, 1, 2, 3, 4, 4, 3, 2]),
                                                 (1, 4, [0] * 4), (3, 8, [0, 1, 2, 2, 1, 0, 0, 1])])
def test_an_image_is_continued_by_its_mirror_image(n, stride, expected):
    assert mirrored(n, stride).tolist() == list(expected)


@pytest.mark.parametrize("shape", [(16, 16), (17, 23), (5, 3), (1, 1)])
def test_any_size_is_the_cut_of_its_continuation(shape):
    made, x = network(), randn(1, 2, *shape)
    rows, columns = (mirrored(n, made.network.stride) for n in shape)
    whole = x[..., rows[:, None], columns]
    found = made(x, 0.2)
    assert found.shape == x.shape and torch.allclose(found, made(whole, 0.2)[..., :shape[0], :shape[1]])


# The training.

def pictures(side, draw):
    """Smooth random images of two channels, of RMS 0.3."""
    return 0.3 * brains.smooth_field(2, 4, side, draw)[0]


def training(seed=1, **settings):
    return train_denoiser.Training(pictures, 2, 0.3, seed, **dict(side=16, pool=8, widths=(8, 8)) | settings)


def test_the_loss_starts_at_one_at_every_level_and_falls():
    """F = 0 has the error s^2 sd^2 / (s^2 + sd^2) a number, for any image of RMS sd: 1, after the loss' weight."""
    made, draw = training(), generator(9)
    x = torch.stack([pictures(16, draw) for _ in range(32)])
    x = 0.3 * x / x.square().mean().sqrt()
    noise = torch.randn(x.shape, generator=draw)

    def errors():
        with torch.no_grad():
            return [float(train_denoiser.weighted_error(made.network, x, torch.full((32,), s), noise).mean())
                    for s in LEVELS]

    before = errors()
    assert before == pytest.approx([1.0] * len(LEVELS), abs=0.05)
    for _ in range(100):
        made.advance()
    assert all(after < 0.9 for after in errors()[2:4])  # s = 0.3 and 1, where training puts most of its effort


def test_training_resumed_is_training_uninterrupted():
    straight, resumed = resumed_training(training, 4, 3)
    assert straight.step == resumed.step == 7 and same_training(straight, resumed)
    assert torch.equal(straight.pool, resumed.pool) and not torch.equal(straight.pool, training().pool)


def test_levels_are_log_normal_and_within_bounds():
    s = torch.cat([train_denoiser.draw_levels(4, draw) for draw in [generator()] for _ in range(2000)])
    assert float(s.log().mean()) == pytest.approx(train_denoiser.LEVEL, abs=0.02)
    assert float(s.log().std()) == pytest.approx(train_denoiser.SPREAD, abs=0.02)
    assert float(s.min()) >= LEAST and float(s.max()) <= GREATEST
    median = math.exp(train_denoiser.LEVEL)
    assert bool(((s.reshape(-1, 4) < median).sum(1) == 2).all())  # half of every batch lies below the median


def slices():
    """Two pictures like slices: a bright disc with a darker one in it."""
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, brains.SIDE),) * 2, indexing="ij")
    one = 0.8 * (x**2 + 1.4 * y**2 < 0.6) - 0.4 * ((x - 0.2) ** 2 + y**2 < 0.05)
    return torch.stack([one, one.T])[:, None].float()


@pytest.mark.parametrize("kind", KINDS)
def test_training_images_are_seeded_and_in_the_unit_of_the_prior(kind):
    made_of = [picture.expand(1, 3, -1, -1) for picture in slices()[:, None]] if kind == "pictures" else slices()
    draw = train_denoiser.DRAW[kind]
    first, second = ([draw(made_of, 48, given) for _ in range(12)] for given in (generator(), generator()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    x = torch.stack(first)
    assert x.shape == (12, KINDS[kind], 48, 48) and bool(x.isfinite().all())
    assert 0.5 < float(x.square().sum(1).sqrt().quantile(0.995)) < 1.8
    assert bool((x >= 0).all()) or kind == "mri"
    if kind == "pictures":
        assert float(x.max()) <= 1


def test_a_phantom_of_ct_is_dark_outside_of_its_body_and_an_ellipse_has_its_area():
    for seed in range(5):
        phantom = train_denoiser.draw_phantom(64, generator(seed))
        assert float(phantom.min()) == 0 == float(phantom[0, 0])
    found = train_denoiser.ellipse(256, (0.1, -0.2), (0.5, 0.2), 0.7)
    assert float(found.mean()) * 4 == pytest.approx(math.pi * 0.5 * 0.2, rel=0.01)
    rows = (found.sum(1) * torch.arange(256)).sum() / found.sum()
    assert float(rows + 0.5) / 128 - 1 == pytest.approx(-0.2, abs=0.01)


def test_pictures_serve_neither_results_nor_tuning():
    catalogued = {entry["key"].split(".")[0] for entry in catalogue().values() if entry["source"] == "skimage"}
    assert not catalogued & set(train_denoiser.PICTURES) and {"astronaut", "coffee", "retina"} <= catalogued
    assert list(facts("denoiser-pictures")["pictures"]) == list(train_denoiser.PICTURES)


# The weights that ship.

#: A tuning image of each kind, and the noise levels at which it is denoised.
TUNING = {"mri": "brain-076", "ct": "ct-brain", "pictures": "chelsea"}


def tuning_image(kind):
    """(1, channels, 96, 96), in the unit of the prior; MRI without a phase."""
    image = torch.as_tensor(fit(load_image(TUNING[kind]), 96)).float()
    if kind == "pictures":
        return image.permute(2, 0, 1)[None]
    image = image / image.quantile(0.995)
    return torch.stack([image, torch.zeros_like(image)])[None] if kind == "mri" else image[None, None]


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_weights_halve_the_wiener_estimates_error_and_rounding_does_not_matter(kind):
    """All float32 weights that round to the shipped ones lie within 2^-11 of them: the same error to 1 %."""
    made, x, draw = denoiser.load(kind), tuning_image(kind), generator()
    assert count_parameters(made) == 0 and made.sd == facts(f"denoiser-{kind}")["sd"]

    def errors():
        return [float((made(x + s * torch.randn(x.shape, generator=generator(5)), s) - x).square().mean())
                for s in (0.05, 0.1, 0.3)]

    shipped = errors()
    for s, error in zip((0.05, 0.1, 0.3), shipped, strict=True):
        assert error < 0.5 * s**2 * made.sd**2 / (s**2 + made.sd**2)
    for weight in made.parameters():
        weight.mul_(1 + 2**-11 * (2 * torch.rand(weight.shape, generator=draw) - 1))
    assert errors() == pytest.approx(shipped, rel=0.01)
