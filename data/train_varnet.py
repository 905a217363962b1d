"""Train a VarNet on slices of Colin27 and write its weights, float16, with what was done in weights.json.

    python data/train_varnet.py                 of MRI, on all 18 slices, some 15 minutes of one core
    python data/train_varnet.py --slices 4      on four of them, as long
    python data/train_varnet.py --task ct       of CT, on all 18 and on random ellipses, as long

Every step of MRI draws an image (`brains.draw_image`), coils, a mask of random columns at 4x, noise and its level; one
of CT draws a body, as the training of the denoiser does, and measures it as the task does. Every draw comes from one
seed; a run that was ended goes on from its checkpoint as if it had not been. Threads and processor types round
differently, so a second machine gives other last digits. It needs ch2.nii.gz and nibabel, see `brains`.
"""

import functools

import brains
import click
import torch
import training
from torch.nn import functional as F
from train_denoiser import IMAGES, draw_body

from aseqdip_lite.case import Observation, robust_peak
from aseqdip_lite.learned.varnet import CASCADES, WEIGHTS, VarNet, initialise
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.operators.ct import ct_operator, make_projector
from aseqdip_lite.operators.mri import MRIOperator, simulated_maps
from aseqdip_lite.operators.projectors import detector_bins, equal_angles
from aseqdip_lite.operators.sampling import draw_mask

SIZE = 96  #: pixels
ACCELERATION = 4.0
COILS = (4, 6, 8, 12)
SNR = (15.0, 30.0)  #: dB, of the whole k-space
VIEWS = 30  #: of CT
#: Of the training slices, fewer: four, spread over the head, and one of its middle.
FEWER = {4: (38, 60, 92, 118), 1: (92,)}
#: What the weights are good for, read by the method `varnet` to say when a case is unlike it.
DOMAIN = {
    "mri": dict(task="mri", size=SIZE, acceleration=ACCELERATION, pattern="random", coils=[min(COILS), max(COILS)],
                snr=list(SNR), image="one head (Colin27, T1)"),
    "ct": dict(task="ct", size=SIZE, views=VIEWS, image=IMAGES["ct"].removeprefix("slices of "))}


@functools.cache
def coil_maps(coils, size):
    return simulated_maps(coils, (size, size))


def draw_mri(slices, size, generator):
    """(Observation, target (1, 1, size, size)): simulated MRI of a new image, in the units that a method sees."""
    x = brains.draw_image(slices, size, generator)[None, None]
    coils = COILS[int(torch.randint(len(COILS), (), generator=generator))]
    turns, mirror = (int(torch.randint(n, (), generator=generator)) for n in (4, 2))
    maps = torch.rot90(coil_maps(coils, size), turns, (1, 2))
    maps = maps.flip(2) if mirror else maps
    A = MRIOperator(maps.contiguous(), draw_mask("random", (size, size), ACCELERATION, generator))
    level = 10 ** (-float(brains.uniform(*SNR, generator)) / 20)
    noise_std = float(x.norm()) * level / (2 * coils * size**2) ** 0.5  # sum_c |S_c|^2 = 1, so ||F S x|| = ||x||
    noise = torch.randn((1, *A.out_shape), generator=generator, dtype=x.dtype)
    y = A(x) + A.mask * noise_std * 2**0.5 * noise
    start = A.adjoint(y)
    scale = robust_peak(start)
    return Observation(A, y / scale, start / scale, scale, noise_std / scale), x / scale


@functools.cache
def ct_geometry(size):
    """(A of CT, its projector on a grid twice as fine, with bins half as wide)."""
    angles, bins = equal_angles(VIEWS), detector_bins(size)
    return ct_operator("matrix", size, angles, bins), make_projector("matrix", 2 * size, angles, 2 * bins)


def draw_ct(slices, size, generator):
    """(Observation, target (1, 1, size, size)): CT of a new body as the task simulates it, from a grid twice as fine.

    A pixel and a bin there are half as wide: two bins, summed, are a bin here, four times as large.
    """
    A, fine = ct_geometry(size)
    inside = A.projector.disc.repeat_interleave(2, 0).repeat_interleave(2, 1)
    body = (inside * draw_body(slices, 2 * size, generator))[None, None]
    y = A.factor * fine(body).unflatten(-1, (-1, 2)).sum(-1) / 4  # (1, views, 2 D) -> (1, views, D)
    start = A.adjoint(y)
    start = start * float(start.square().sum() / A(start).square().sum())
    scale = robust_peak(start)
    return Observation(A, y / scale, start / scale, scale, 0.0), F.avg_pool2d(body, 2) / scale


DRAW = {"mri": draw_mri, "ct": draw_ct}


class Training(training.Training):
    """The training of a task's VarNet; a step draws one sample, `error` is the running mean of the squared error a
    pixel.
    """

    def __init__(self, task, slices, seed, size=SIZE, **network):
        super().__init__(VarNet(is_complex=task == "mri", **network), initialise, seed)
        self.task, self.slices, self.size = task, slices, size

    def loss(self):
        """The squared error of one new sample."""
        observation, target = DRAW[self.task](self.slices, self.size, self.generator)
        return square_norm(self.network(observation.A, observation.y) - target) / target.numel()


def slices_of(task, count):
    """(name of the weights, numbers of the slices) of a training on so many slices: 18, all, or a key of `FEWER`."""
    if count in FEWER:
        return f"varnet-{task}-{count}", list(FEWER[count])
    return f"varnet-{task}", brains.training_slices()


@click.command()
@click.option("--task", type=click.Choice(list(DRAW)), default="mri", show_default=True, help="What it reconstructs.")
@click.option("--slices", type=click.Choice(["18", *map(str, FEWER)]), default="18", show_default=True,
              help="Slices that training images are made of.")
@training.options(steps=8_000)
def main(task, slices, source, **options):
    """Train a VarNet, of MRI 4x or of CT with 30 views, and write its weights, with what was done in weights.json."""
    torch.set_num_threads(1)
    name, numbers = slices_of(task, int(slices))
    if name not in WEIGHTS[task]:
        raise click.UsageError(f"{task} is trained on all slices: leave --slices out")
    training.train(
        Training(task, brains.read_slices(numbers, source), options["seed"]), name,
        f"data/train_varnet.py --task {task} --slices {slices}", **options,
        what=f"VarNet of {task.upper()}, {CASCADES} cascades", licence="BSD-3-Clause", origin=brains.ORIGIN,
        trained_on=DOMAIN[task], slices=numbers)


if __name__ == "__main__":
    main()
