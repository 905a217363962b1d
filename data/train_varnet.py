"""Train the VarNet of MRI on slices of Colin27 and write its weights, float16, with what was done in weights.json.

    python data/train_varnet.py                 on all 18 slices, some 15 minutes of one core
    python data/train_varnet.py --slices 4      on four of them, as long

Every step draws an image (`brains.draw_image`), coils, a mask of random columns at 4x, noise and its level. Every draw
comes from one seed; a run that was ended goes on from its checkpoint as if it had not been. Threads and processor types
round differently, so a second machine gives other last digits. It needs ch2.nii.gz and nibabel, see `brains`.
"""

import functools

import brains
import click
import torch
import training

from aseqdip_lite.case import Observation, robust_peak
from aseqdip_lite.learned.varnet import CASCADES, WEIGHTS, VarNet, initialise
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.operators.mri import MRIOperator, simulated_maps
from aseqdip_lite.operators.sampling import draw_mask

SIZE = 96  #: pixels
ACCELERATION = 4.0
COILS = (4, 6, 8, 12)
SNR = (15.0, 30.0)  #: dB, of the whole k-space
#: Of the training slices, fewer: four, spread over the head, and one of its middle.
FEWER = {4: (38, 60, 92, 118), 1: (92,)}
#: What the weights are good for, read by the method `varnet` to say when a case is unlike it.
DOMAIN = dict(task="mri", size=SIZE, acceleration=ACCELERATION, pattern="random", coils=[min(COILS), max(COILS)],
              snr=list(SNR), image="one head (Colin27, T1)")


@functools.cache
def coil_maps(coils, size):
    return simulated_maps(coils, (size, size))


def draw_sample(slices, size, generator):
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


class Training(training.Training):
    """The training of a VarNet; a step draws one sample, `error` is the running mean of the squared error a pixel."""

    def __init__(self, slices, seed, size=SIZE, **network):
        super().__init__(VarNet(**network), initialise, seed)
        self.slices, self.size = slices, size

    def loss(self):
        """The squared error of one new sample, as a complex image."""
        observation, target = draw_sample(self.slices, self.size, self.generator)
        return square_norm(self.network(observation.A, observation.y) - target) / target.numel()


def slices_of(count):
    """(name of the weights, numbers of the slices) of a training on so many slices: 18, all, or a key of `FEWER`."""
    if count in FEWER:
        return f"{WEIGHTS[0]}-{count}", list(FEWER[count])
    return WEIGHTS[0], brains.training_slices()


@click.command()
@click.option("--slices", type=click.Choice(["18", *map(str, FEWER)]), default="18", show_default=True,
              help="Slices that training images are made of.")
@training.options(steps=8_000)
def main(slices, source, **options):
    """Train the VarNet of MRI 4x and write its weights, with what was done in weights.json."""
    torch.set_num_threads(1)
    name, numbers = slices_of(int(slices))
    training.train(
        Training(brains.read_slices(numbers, source), options["seed"]), name, f"data/train_varnet.py --slices {slices}",
        **options, what=f"VarNet of MRI, {CASCADES} cascades", licence="BSD-3-Clause", origin=brains.ORIGIN,
        trained_on=DOMAIN, slices=numbers)


if __name__ == "__main__":
    main()
