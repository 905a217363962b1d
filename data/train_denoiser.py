"""Train a denoiser of white noise of any level and write its weights, float16, with what was done in weights.json.

    python data/train_denoiser.py --kind mri       or ct, or pictures

A step draws a batch from a pool of images, of which every third step replaces one, and noise with its levels. Every
draw comes from one seed; a run that was ended goes on from its checkpoint as if it had not been. Threads and processor
types round differently, so a second machine gives other last digits. "mri" and "ct" need ch2.nii.gz and nibabel, see
`brains`; "pictures" needs scikit-learn.
"""

import math
from functools import partial

import brains
import click
import torch
import training
from brains import uniform
from torch.nn import functional as F

from aseqdip_lite.learned.denoiser import GREATEST, KINDS, LEAST, Denoiser, initialise
from aseqdip_lite.operators.projectors import disc

SIDE = 96  #: pixels of a training image
LARGER = (0, 16, 32)  #: by how many pixels a slice or a phantom may be larger, of which a cut of SIDE is taken
BATCH, POOL, KEPT = 4, 128, 3  #: images of a step; those it draws from; steps from one new image to the next
LEVEL, SPREAD = -1.6, 1.3  #: mean and standard deviation of ln s
SD = {"mri": 0.3, "ct": 0.45, "pictures": 0.4}  #: root mean square of the images, rounded
STEPS = {"mri": 10_000, "ct": 15_000, "pictures": 18_000}  #: by default
STEADY = 1000  #: steps from which on the learning rate falls as 1 / sqrt(step)
WHAT = {"mri": "complex images of MRI", "ct": "images of CT", "pictures": "colour pictures"}
IMAGES = {"mri": "slices of one head (Colin27, T1)",
          "ct": "slices of one head (Colin27, T1 read as attenuation) and random ellipses",
          "pictures": "five pictures of scikit-learn and scikit-image"}
#: Those of the two wheels that serve neither results nor tuning and whose licence is stated there.
PICTURES = {"china": "CC BY 2.0, danielbuechele", "flower": "CC BY 2.0, vultilion",
            "ihc": "CMMI, no known copyright restrictions", "coins": "Brooklyn Museum, no known copyright restrictions",
            "brick": "CC0"}
ORIGIN = "this project, trained on pictures of scikit-learn and scikit-image"


def whole(*bounds, generator):
    """A random whole number, of those that torch.randint draws from these bounds."""
    return int(torch.randint(*bounds, (), generator=generator))


def draw_levels(count, generator):
    """Noise levels (count,): ln s ~ N(LEVEL, SPREAD^2), clipped, one of each of `count` equally likely ranges."""
    chance = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return torch.exp(LEVEL + SPREAD * torch.special.ndtri(chance)).clamp(LEAST, GREATEST)


def weighted_error(denoiser, x, s, noise):
    """The squared error (B,) of D(x + s noise; s) a number, times (s^2 + sd^2) / (s sd)^2: where F = 0, about 1."""
    sd, across = denoiser.sd, s[:, None, None, None]
    noisy = (x + across * noise).contiguous(memory_format=torch.channels_last)
    return (s**2 + sd**2) / (s * sd) ** 2 * (denoiser(noisy, s) - x).square().mean(dim=(1, 2, 3))


class Training(training.Training):
    """The training of a denoiser on images that draw(side, generator) gives, (channels, side, side) each."""

    SAVED = (*training.Training.SAVED, "pool")

    def __init__(self, draw, channels, sd, seed, side=SIDE, pool=POOL, **network):
        super().__init__(Denoiser(channels, sd, **network), initialise, seed)
        self.draw, self.side = draw, side
        self.pool = torch.stack([draw(side, self.generator) for _ in range(pool)])

    def rate(self):
        return super().rate() * min(1.0, STEADY / self.step) ** 0.5

    def loss(self):
        """The weighted error of a batch."""
        if self.step % KEPT == 0:
            self.pool[whole(len(self.pool), generator=self.generator)] = self.draw(self.side, self.generator)
        x = self.pool[torch.randint(len(self.pool), (BATCH,), generator=self.generator)]
        s = draw_levels(BATCH, self.generator)
        return weighted_error(self.network, x, s, torch.randn(x.shape, generator=self.generator)).mean()


def cut(x, side, generator):
    """A random square (..., side, side) of an image (..., H, W)."""
    row, column = (whole(n - side + 1, generator=generator) for n in x.shape[-2:])
    return x[..., row:row + side, column:column + side]


def draw_mri(slices, side, generator):
    """Re and Im (2, side, side) of a random slice with phase."""
    size = side + LARGER[whole(len(LARGER), generator=generator)]
    parts = torch.view_as_real(brains.draw_image(slices, size, generator))  # (size, size, 2)
    return cut(parts.permute(2, 0, 1), side, generator)


def draw_ct(slices, side, generator):
    """(1, side, side): a square of a body."""
    size = side + LARGER[whole(len(LARGER), generator=generator)]
    return cut(draw_body(slices, size, generator)[None], side, generator)


def draw_body(slices, size, generator):
    """(size, size): a random slice, or a random phantom as often, in the disc that CT sees."""
    if whole(2, generator=generator):
        return brains.draw_picture(slices, size, generator) * disc(size)
    return draw_phantom(size, generator) * disc(size)


def draw_phantom(size, generator):
    """A random phantom (size, size): a body, mostly in a denser shell, with 4 to 15 ellipses denser or less in it.

    At least 0; its 99.5th percentile is between 0.8 and 1.2.
    """
    radii = [uniform(0.5, 0.95, generator), uniform(0.5, 0.95, generator)]
    shell, tissue = uniform(0.85, 1.05, generator).clamp(max=1.0), uniform(0.1, 1.0, generator)
    angle = uniform(0, math.pi, generator)
    body = ellipse(size, (0.0, 0.0), [radius * shell for radius in radii], angle)
    picture = ellipse(size, (0.0, 0.0), radii, angle) * (1 - body) + tissue * body
    for _ in range(whole(4, 16, generator=generator)):
        centre = [uniform(-0.6, 0.6, generator) for _ in range(2)]
        axes = [torch.exp(uniform(math.log(0.02), math.log(0.4), generator)) for _ in range(2)]
        inside = ellipse(size, centre, axes, uniform(0, math.pi, generator))
        picture = picture + body * inside * 0.4 * torch.randn((), generator=generator)
    picture = picture.clamp(min=0)
    return picture / picture.quantile(0.995).clamp(min=0.05) * uniform(0.8, 1.2, generator)


def ellipse(size, centre, radii, angle):
    """(size, size): 1 in an ellipse, 0 outside, and between these over about a pixel; the square is [-1, 1]^2."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    x, y = axis - centre[0], (axis - centre[1])[:, None]
    cos, sin = torch.as_tensor(angle).cos(), torch.as_tensor(angle).sin()
    radius = (((x * cos + y * sin) / radii[0]) ** 2 + ((y * cos - x * sin) / radii[1]) ** 2).sqrt()
    return ((1 - radius) * min(radii) * size / 2 + 0.5).clamp(0, 1)


def read_pictures():
    """The `PICTURES`, (1, 3, H, W) float32 in [0, 1] each, gray ones in three equal channels."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    arrays = [*load_sample_images().images, data.immunohistochemistry(), data.coins(), data.brick()]
    pictures = [torch.tensor(array).float().reshape(*array.shape[:2], -1).permute(2, 0, 1) for array in arrays]
    return [(picture / 255).expand(3, -1, -1)[None] for picture in pictures]


def draw_pictures(pictures, side, generator):
    """(3, side, side) in [0, 1]: a square of a picture, at a random scale, turned, mirrored, with other colours."""
    picture = pictures[whole(len(pictures), generator=generator)]
    square = cut(picture, whole(side, min(picture.shape[-2:]) + 1, generator=generator), generator)
    square = F.interpolate(square, size=(side, side), mode="bilinear", antialias=True)[0]
    square = torch.rot90(square, whole(4, generator=generator), (1, 2))[torch.randperm(3, generator=generator)]
    square = square.flip(2) if whole(2, generator=generator) else square
    gamma, gain = torch.exp(uniform(-0.4, 0.4, generator)), 1 - 0.3 * torch.rand((3, 1, 1), generator=generator)
    return square.clamp(0, 1) ** gamma * gain


DRAW = {"mri": draw_mri, "ct": draw_ct, "pictures": draw_pictures}


@click.command()
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What the denoiser is trained on.")
@training.options(steps=None)
def main(kind, source, **options):
    """Train a denoiser and write its weights, with what was done in weights.json."""
    torch.set_num_threads(1)
    options["steps"] = options["steps"] or STEPS[kind]
    if kind == "pictures":
        made_of, told = read_pictures(), dict(origin=ORIGIN, pictures=PICTURES)
    else:
        numbers = brains.training_slices()
        made_of, told = brains.read_slices(numbers, source), dict(origin=brains.ORIGIN, slices=numbers)
    training.train(
        Training(partial(DRAW[kind], made_of), KINDS[kind], SD[kind], options["seed"]), f"denoiser-{kind}",
        f"data/train_denoiser.py --kind {kind}", **options, what=f"denoiser, {WHAT[kind]}", licence="BSD-3-Clause",
        sd=SD[kind], trained_on=dict(task=kind, size=SIDE, levels=[LEAST, GREATEST], image=IMAGES[kind]), **told)


if __name__ == "__main__":
    main()
