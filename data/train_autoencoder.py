"""Train the autoencoder of appendix B (Eq. 17) on the tuning slices and write its weights and, in weights.json, how.

    python data/train_autoencoder.py             a few minutes on one core

Every draw comes from one seed. Threads and processor types round differently, so a second machine gives
other last digits.
"""

import time

import click
import torch

from aseqdip_lite.case import robust_peak
from aseqdip_lite.course.theory.autoencoder import Autoencoder
from aseqdip_lite.images import catalogue, fit, load_image
from aseqdip_lite.learned.weights import save_weights
from aseqdip_lite.networks import to_channels
from aseqdip_lite.tasks.mri import smooth_phase

SIDES = (128, 160, 192, 224)  # pixels to which each slice is resampled, so that structures come at several scales
PATCH = 64
LARGEST_GRADIENT = 0.02  # norm: without a limit a rare batch throws the weights off, and they stay there


def patches(pictures, count, generator):
    """(count, 2, PATCH, PATCH): random cuts of random pictures under one smooth random phase, turned and mirrored."""
    phase, cuts = torch.exp(1j * smooth_phase((max(SIDES), max(SIDES)), generator)), []
    for _ in range(count):
        picture = pictures[int(torch.randint(len(pictures), (), generator=generator))]
        rows, columns = (slice(first, first + PATCH) for first in
                         (int(torch.randint(n - PATCH + 1, (), generator=generator)) for n in picture.shape))
        x = picture[rows, columns] * phase[rows, columns] * (0.7 + 0.6 * torch.rand((), generator=generator))
        x = torch.rot90(x, int(torch.randint(4, (), generator=generator)))
        cuts.append(x.flip(0) if torch.rand((), generator=generator) < 0.5 else x)
    return to_channels(torch.stack(cuts)[:, None])


@torch.no_grad()
def initialise(network, generator):
    """He initialisation: weights N(0, 2 / fan-in), biases 0, in module order."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.normal_(0.0, (2 / module.weight[0].numel()) ** 0.5, generator=generator)
            module.bias.zero_()


@click.command()
@click.option("--steps", default=4000, show_default=True)
@click.option("--batch", default=8, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(steps, batch, seed):
    """Train the autoencoder of lesson 13 and write its weights."""
    generator = torch.Generator().manual_seed(seed)
    names = [name for name, facts in catalogue().items() if facts["task"] == "mri" and facts["role"] == "tuning"]
    pictures = [torch.from_numpy(fit(load_image(name), side)) for name in names for side in SIDES]
    pictures = [picture / robust_peak(picture) for picture in pictures]  # the unit in which methods see an image
    network = Autoencoder()
    initialise(network, generator)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    began, mean = time.perf_counter(), None
    for step in range(1, steps + 1):
        x = patches(pictures, batch, generator).contiguous(memory_format=torch.channels_last)
        loss = (network(x) - x).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        mean = loss.item() if mean is None else 0.99 * mean + 0.01 * loss.item()
        if step % 250 == 0:
            print(f"step {step}: mean squared error {mean:.3e}, {time.perf_counter() - began:.0f} s", flush=True)
    known = save_weights(
        network, "autoencoder", "float32", what="the trained autoencoder of lesson 13", licence="BSD-3-Clause",
        origin="this project, trained on slices of colin27.npz",
        command=f"python data/train_autoencoder.py --steps {steps} --batch {batch} --seed {seed}", steps=steps,
        seed=seed, torch=torch.__version__, error=mean, slices=[int(name.split("-")[1]) for name in names])
    print(f"trained on {', '.join(names)}: {known['numbers']} weights, {known['bytes'] / 1e6:.2f} MB")
    print("sha256", known["sha256"])


if __name__ == "__main__":
    main()
