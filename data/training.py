"""What the trainings of the learned methods share: a step, its running average, the checkpoint, the file of weights."""

import copy
import time
from pathlib import Path

import brains
import click
import torch

from aseqdip_lite.files import write_atomically
from aseqdip_lite.images import DATA
from aseqdip_lite.learned.weights import save_weights
from aseqdip_lite.run.bar import Bar

LR, WARM_UP = 2e-3, 100  #: Adam's learning rate, and the steps over which it rises to it
AVERAGE = 0.998  #: factor of the running average of the weights, which is what is written
LARGEST_GRADIENT = 1.0  #: norm
CHECKPOINT_EVERY = 250  #: steps


class Training:
    """A training that can be saved after any step and taken up again, bit for bit, also for more steps than planned.

    A kind of training adds `loss()`, which draws from the generator alone.

    Args:
        network: the network; initialise: called with it and the generator; seed: of every draw.

    Attributes: network; average: the same network with the running average of the weights; step: steps made; seconds:
    processor time; error: running mean of the loss.
    """

    SAVED = ("step", "seconds", "error")

    def __init__(self, network, initialise, seed):
        self.generator = torch.Generator().manual_seed(seed)
        initialise(network, self.generator)
        self.network = network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LR, betas=(0.9, 0.99))
        self.step, self.seconds, self.error = 0, 0.0, None

    def rate(self):
        """The learning rate of a step, as a share of `LR`."""
        return min(1.0, self.step / WARM_UP)

    def advance(self):
        """One Adam step on the loss of what is drawn."""
        began = time.process_time()
        self.step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = LR * self.rate()
        loss = self.loss()
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


def options(steps):
    """Gives a command the options that all trainings have; `steps` is the default of the first."""
    def given(command):
        for option in (
            click.option("--out", type=click.Path(exists=True, file_okay=False, path_type=Path), default=DATA,
                         help="Folder of the weights and of weights.json; by default the package's data."),
            click.option("--checkpoints", type=click.Path(file_okay=False, path_type=Path),
                         default=Path("out/training"), show_default=True,
                         help="Folder of the checkpoint, from which a second call goes on."),
            click.option("--source", type=click.Path(exists=True, dir_okay=False), default=brains.SOURCE,
                         show_default=True, help="ch2.nii.gz of Debian's mricron-data."),
            click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
            click.option("--steps", type=click.IntRange(1), default=steps, show_default=True, help="Adam steps."),
        ):
            command = option(command)
        return command
    return given


def train(training, name, script, steps, seed, checkpoints, out, **told):
    """Go on with a training from its checkpoint to so many steps, and write its weights with what was `told` of them.

    The command in weights.json is that of the script, its own options included, with steps and seed.
    """
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
    known = save_weights(training.average, name, "float16", out, **told,
                         command=f"python {script} --steps {steps} --seed {seed}", steps=steps, seed=seed,
                         cpu_seconds=round(training.seconds), torch=torch.__version__, error=training.error)
    click.echo(f"{name}: {known['numbers']} weights, {known['bytes'] / 1e6:.2f} MB, sha256 {known['sha256']}")
