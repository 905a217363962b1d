"""Train the VarNet of MRI on slices of Colin27 and write its weights, float16, with what was done in weights.json.

    python data/train_varnet.py                 on all 18 slices, some 15 minutes of one core
    python data/train_varnet.py --slices 4      on four of them, as long

Every step draws an image (`brains.draw_image`), coils, a mask of random columns at 4x, noise and its level. Every draw
comes from one seed; a run that was ended goes on from its checkpoint as if it had not been. Threads and processor types
round differently, so a second machine gives other last digits. It needs ch2.nii.gz and nibabel, see `brains`.
"""

import copy
import functools
import time
from pathlib import Path

import brains
import click
import torch

from aseqdip_lite.case import Observation, robust_peak
from aseqdip_lite.files import write_atomically
from aseqdip_lite.images import DATA
from aseqdip_lite.learned.varnet import WEIGHTS, VarNet, initialise
from aseqdip_lite.learned.weights import save_weights
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.operators.mri import MRIOperator, simulated_maps
from aseqdip_lite.operators.sampling import draw_mask
from aseqdip_lite.run.bar import Bar

SIZE = 96  #: pixels
ACCELERATION = 4.0
COILS = (4, 6, 8, 12)
SNR = (15.0, 30.0)  #: dB, of the whole k-space
LR, WARM_UP = 2e-3, 100  #: Adam's learning rate, and the steps over which it rises to it
AVERAGE = 0.998  #: factor of the running average of the weights, which is what is written
LARGEST_GRADIENT = 1.0  #: norm
CHECKPOINT_EVERY = 250  #: steps
#: Of the training slices, fewer: four, spread over the head, and one of its middle.
FEWER = {4: (38, 60, 92, 118), 1: (92,)}
#: What the weights are good for, read by the method `varnet` to say when a case is unlike it.
DOMAIN = dict(task="mri", size=SIZE, acceleration=ACCELERATION, pattern="random", coils=[min(COILS), max(COILS)],
              snr=list(SNR), image="slices of one head (Colin27, T1)")


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


class Training:
    """A training that can be saved after any step and taken up again, bit for bit, also for more steps than planned.

    Attributes: network; average: the same network with the running average of the weights; step: steps made; seconds:
    processor time; error: running mean of the squared error a pixel.
    """

    SAVED = ("step", "seconds", "error")

    def __init__(self, slices, seed, size=SIZE, **network):
        self.slices, self.size = slices, size
        self.generator = torch.Generator().manual_seed(seed)
        self.network = VarNet(**network)
        initialise(self.network, self.generator)
        self.network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LR, betas=(0.9, 0.99))
        self.step, self.seconds, self.error = 0, 0.0, None

    def advance(self):
        """One Adam step on the squared error of one new sample, as a complex image."""
        began = time.process_time()
        observation, target = draw_sample(self.slices, self.size, self.generator)
        self.step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = LR * min(1.0, self.step / WARM_UP)
        loss = square_norm(self.network(observation.A, observation.y) - target) / target.numel()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        share = 1 - min(AVERAGE, self.step / (9 + self.step))  # larger at first, so that the start is soon forgotten
        for kept, weight in zip(self.average.parameters(), self.network.parameters(), strict=True):
            kept.lerp_(weight.detach(), share)
        loss = loss.item()
        self.error = loss if self.error is None else 0.99 * self.error + 0.01 * loss
        self.seconds += time.process_time() - began

    def state_dict(self):
        parts = dict(network=self.network, average=self.average, optimizer=self.optimizer)
        return dict({name: part.state_dict() for name, part in parts.items()}, generator=self.generator.get_state(),
                    **{name: getattr(self, name) for name in self.SAVED})

    def load_state_dict(self, state):
        for name in ("network", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.generator.set_state(state["generator"])
        for name in self.SAVED:
            setattr(self, name, state[name])


def slices_of(count):
    """(name of the weights, numbers of the slices) of a training on so many slices: 18, all, or a key of `FEWER`."""
    if count in FEWER:
        return f"{WEIGHTS}-{count}", list(FEWER[count])
    return WEIGHTS, brains.training_slices()


@click.command()
@click.option("--slices", type=click.Choice(["18", *map(str, FEWER)]), default="18", show_default=True,
              help="Slices that training images are made of.")
@click.option("--steps", type=click.IntRange(1), default=8_000, show_default=True, help="Adam steps, one image each.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--source", type=click.Path(exists=True, dir_okay=False), default=brains.SOURCE, show_default=True,
              help="ch2.nii.gz of Debian's mricron-data.")
@click.option("--checkpoints", type=click.Path(file_okay=False, path_type=Path), default=Path("out/training"),
              show_default=True, help="Folder of the checkpoint, from which a second call goes on.")
@click.option("--out", type=click.Path(exists=True, file_okay=False, path_type=Path), default=DATA,
              help="Folder of the weights and of weights.json; by default the package's data.")
def main(slices, steps, seed, source, checkpoints, out):
    """Train the VarNet of MRI 4x and write its weights, with what was done in weights.json."""
    torch.set_num_threads(1)
    name, numbers = slices_of(int(slices))
    training = Training(brains.read_slices(numbers, source), seed)
    checkpoints.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoints / f"{name}-{seed}.pt"
    if checkpoint.exists():
        training.load_state_dict(torch.load(checkpoint, weights_only=True))
    if training.step > steps:
        raise click.ClickException(f"{checkpoint} has {training.step} steps, more than {steps}: remove it first")
    with Bar(total=steps, initial=training.step, desc=name, unit="step", mininterval=1.0) as bar:
        while training.step < steps:
            training.advance()
            bar.set_postfix(error=f"{training.error:.2e}", cpu=f"{training.seconds:.0f} s", refresh=False)
            bar.update()
            if training.step % CHECKPOINT_EVERY == 0 or training.step == steps:
                write_atomically(checkpoint, lambda file: torch.save(training.state_dict(), file))
    known = save_weights(
        training.average, name, "float16", out, what=f"VarNet of MRI, {len(training.network.eta)} cascades",
        licence="BSD-3-Clause", origin="this project, trained on ch2.nii.gz of Debian's mricron-data (BSD-3-Clause)",
        command=f"python data/train_varnet.py --slices {slices} --steps {steps} --seed {seed}", steps=steps, seed=seed,
        cpu_seconds=round(training.seconds), torch=torch.__version__, error=training.error, trained_on=DOMAIN,
        slices=numbers)
    click.echo(f"{name}: {known['numbers']} weights, {known['bytes'] / 1e6:.2f} MB, sha256 {known['sha256']}")


if __name__ == "__main__":
    main()
