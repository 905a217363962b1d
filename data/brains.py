"""Training images of the learned methods: axial slices of Colin27 away from all catalogued ones, deformed at random.

Input: ch2.nii.gz of Debian's package mricron-data, see `make_brain_slices.py`; reading it needs nibabel.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aseqdip_lite.images import catalogue
from aseqdip_lite.tasks.mri import smooth_phase

SOURCE = Path("/usr/share/mricron/templates/ch2.nii.gz")
SHA256 = "a009051127f64dc3dd554d5f5b589870ea72106d9642c21b4e7093e478cfc309"
ORIGIN = "this project, trained on ch2.nii.gz of Debian's mricron-data (BSD-3-Clause)"  #: of weights
GAP = 3  #: mm, one slice each: what training slices keep at least from every slice that serves results or tuning
SIDE = 217  #: pixels, the longer side of a slice


def training_slices():
    """Numbers z of the axial slices to train on: 30 to 124 in steps of 2, `GAP` away from all that are catalogued."""
    taken = [int(facts["key"].split("-")[1]) for facts in catalogue().values() if facts.get("source") == "npz"]
    return [z for z in range(30, 125, 2) if min(abs(z - other) for other in taken) >= GAP]


def read_slices(numbers, source=SOURCE):
    """The slices of these numbers, (count, 1, SIDE, SIDE) float32 in [0, 1], the front of the head on top.

    ValueError if the file is not the one that `SHA256` names.
    """
    import nibabel

    if hashlib.sha256(Path(source).read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{source} is not the volume that the slices of the course come from: its sha256 differs")
    volume = np.asarray(nibabel.load(source).dataobj)  # (181, 217, 181) uint8, 1 mm, axes left-right, back-front, up
    slices = np.stack([np.rot90(volume[:, :, z]) for z in numbers])  # (count, 217, 181)
    margin = SIDE - slices.shape[2]
    padded = np.pad(slices, [(0, 0), (0, 0), (margin // 2, margin - margin // 2)])
    return torch.from_numpy(padded.astype(np.float32) / 255)[:, None]


def uniform(low, high, generator):
    """A random number between two bounds, a tensor without axes."""
    return low + (high - low) * torch.rand((), generator=generator)


def smooth_field(channels, knots, size, generator):
    """A random field (1, channels, size, size), standard normal at knots x knots points, bicubic between them."""
    points = torch.randn((1, channels, knots, knots), generator=generator)
    return F.interpolate(points, size=(size, size), mode="bicubic", align_corners=True)


def warped(picture, size, generator):
    """A picture (1, 1, SIDE, SIDE) turned, scaled, mirrored, shifted and bent at random: (1, 1, size, size).

    Rotation up to 0.3 rad, scale up to 15 % and aspect up to 10 % either way, shift up to 4 % of the side, and elastic
    fields of 6 x 6 and 3 x 3 knots. Sampled at twice the size and averaged, so that fine structures do not alias.
    """
    angle, scale = uniform(-0.3, 0.3, generator), torch.exp(uniform(-0.15, 0.15, generator))
    aspect, mirror = torch.exp(uniform(-0.1, 0.1, generator)), 1 - 2 * torch.randint(2, (), generator=generator)
    rows = [[mirror * scale * angle.cos(), -scale * aspect * angle.sin(), uniform(-0.08, 0.08, generator)],
            [mirror * scale * angle.sin(), scale * aspect * angle.cos(), uniform(-0.08, 0.08, generator)]]
    matrix = torch.stack([torch.stack([torch.as_tensor(entry) for entry in row]) for row in rows])
    grid = F.affine_grid(matrix[None], (1, 1, 2 * size, 2 * size), align_corners=False)
    bend = 0.035 * smooth_field(2, 6, 2 * size, generator) + 0.03 * smooth_field(2, 3, 2 * size, generator)
    fine = F.grid_sample(picture, grid + bend.permute(0, 2, 3, 1), align_corners=False)
    return F.avg_pool2d(fine, 2)


def recontrasted(picture, generator):
    """Another contrast of a picture (1, 1, H, W): gamma 0.67 to 1.5, a bump of the gray scale, a smooth bias field."""
    picture = (picture / picture.quantile(0.995)).clamp(min=1e-6)
    picture = picture ** torch.exp(uniform(-0.4, 0.4, generator))
    picture = picture + uniform(-0.075, 0.075, generator) * torch.sin(2 * math.pi * picture.clamp(max=1))
    return picture.clamp(min=0) * torch.exp(0.1 * smooth_field(1, 3, picture.shape[-1], generator))


def draw_picture(slices, size, generator):
    """A random real image (size, size) made of one of the slices, its 99.5th percentile between 0.8 and 1.2."""
    picture = slices[torch.randint(len(slices), (1,), generator=generator)]
    picture = recontrasted(warped(picture, size, generator), generator)[0, 0]
    return picture / picture.quantile(0.995) * uniform(0.8, 1.2, generator)


def draw_image(slices, size, generator):
    """A random complex image (size, size): `draw_picture` under a smooth random phase, as MRI simulates it, and one
    more random phase for all pixels.
    """
    picture = draw_picture(slices, size, generator)
    phase = smooth_phase((size, size), generator) + uniform(0, 2 * math.pi, generator)
    return torch.polar(picture, phase)
