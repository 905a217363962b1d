"""VarNet: gradient steps on the data term, unrolled, with a small trained network in each (image domain).

The weights that ship come from `data/train_varnet.py`.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..networks import ImageNetwork
from ..operators.ct import CTOperator
from ..operators.projectors import equal_angles, fbp
from ..settings import InputError, nearest
from .sampling import kind_of
from .weights import compared, facts, load_weights

#: {task: the names of those that ship, its default first}: trained on all 18 slices of `data/brains.py`, 4, one.
WEIGHTS = {"mri": ("varnet-mri", "varnet-mri-4", "varnet-mri-1"), "ct": ("varnet-ct",)}
CASCADES = 4  #: gradient steps, each with weights of its own
MARGIN = 3.0  #: decibels by which the noise may differ from that of the training and still be like it
TOLERANCE = 0.05  #: share by which an acceleration may differ from that of the training and still be like it
LEAST_VARIANCE = 1e-12  #: of a channel, by which it is standardised, in units where the image is of size about 1


class Correction(nn.Module):
    """A small U-Net of two levels on standardised channels, the network C_t of a cascade.

    Each channel is brought to mean 0 and variance 1 over the pixels, and the output is multiplied by the standard
    deviation. So C(a x + b) = a C(x) for a > 0 and any b: neither the unit of the image nor its mean level matters.
    (E2E-VarNet adds the mean to the output again. Here it stays out, so that C = 0 where the last layer is 0.)

    Pixels are folded 2 x 2 into channels; the upper level works at half the size of the image, the lower at a quarter.
    Input and output (B, c, H, W) with H and W divisible by `stride`.

    Args:
        c: channels, 2 for a complex image. widths: channels of the upper and of the lower level.
    """

    stride = 4

    def __init__(self, c=2, widths=(16, 48)):
        super().__init__()
        top, bottom = widths
        self.down = layers(4 * c, top, top, top)
        self.low = layers(top, bottom, bottom)
        self.up = layers(top + bottom, top, top)
        self.head = nn.Conv2d(top, 4 * c, 3, padding=1)

    def forward(self, x):
        mean = x.mean(dim=(-2, -1), keepdim=True)
        deviation = x.var(dim=(-2, -1), keepdim=True, correction=0).clamp(min=LEAST_VARIANCE).sqrt()  # (B, c, 1, 1)
        high = self.down(F.pixel_unshuffle((x - mean) / deviation, 2))  # (B, top, H/2, W/2)
        low = self.low(F.avg_pool2d(high, 2))  # (B, bottom, H/4, W/4)
        low = F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        return deviation * F.pixel_shuffle(self.head(self.up(torch.cat([high, low], dim=1))), 2)


def layers(*widths):
    """(3x3 convolution -> SiLU) from each width to the next."""
    pairs = zip(widths, widths[1:], strict=False)
    return nn.Sequential(*(layer for a, b in pairs for layer in (nn.Conv2d(a, b, 3, padding=1), nn.SiLU())))


class VarNet(nn.Module):
    """x_{t+1} = x_t - eta_t A^H (A x_t - y) - C_t(x_t) from x_0 = A^H y, `cascades` steps; the last x is the answer.

    In CT x_0 is the filtered back-projection: A^H A damps fine detail, which a few steps from A^H y do not bring back.
    Any linear operator with ||A|| of about 1 fits, of any size, mask, number of coils or views: A enters through itself
    and its adjoint alone. All C_t = 0 and eta_t = 1, the initial state, is gradient descent on 1/2 ||A x - y||^2, which
    is stable for eta_t < 2 / ||A||^2. As each C_t, the whole is equivariant to the unit: a y gives a x for a > 0.

    Source: Sriram et al., End-to-End Variational Networks for Accelerated MRI Reconstruction, MICCAI 2020. There the
    steps are made in k-space, k <- k - eta M (k - y) - F S C(S^H F^H k). Where sum_c |S_c|^2 = 1, S^H F^H of that is
    the step here, but for what coil data hold outside of the range of F S: the image form drops it. Published are 12
    cascades, maps from a second network, the loss 1 - SSIM, and thousands of fastMRI slices. The weights that ship have
    4 cascades, given maps, squared error, and a few slices of the head that the shipped ones come from. CT has the same
    steps on real images; its start and its training are ours.

    Args:
        cascades: number of steps; widths: see `Correction`. is_complex: whether images are complex, as in MRI.
    """

    def __init__(self, cascades=CASCADES, widths=(16, 48), is_complex=True):
        super().__init__()
        self.eta = nn.Parameter(torch.ones(cascades))
        self.corrections = nn.ModuleList(
            ImageNetwork(Correction(1 + is_complex, widths), is_complex) for _ in range(cascades))

    def forward(self, A, y):
        """The reconstruction (B, 1, H, W) of y (B, *A.out_shape), in the units of y."""
        back = A.adjoint(y)
        x = fbp(A.projector, y / A.factor) if isinstance(A, CTOperator) else back
        for eta, correction in zip(self.eta, self.corrections, strict=True):
            x = x - eta * (A.adjoint(A(x)) - back) - correction(x)
        return x


@torch.no_grad()
def initialise(network, generator):
    """He initialisation in module order, weights N(0, 2 / fan-in), biases 0; heads 0, so that all C_t start at 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.normal_(0.0, (2 / module.weight[0].numel()) ** 0.5, generator=generator)
            module.bias.zero_()
    for correction in network.corrections:
        correction.network.head.weight.zero_()


def load(name):
    """The `VarNet` with the weights of a name of `WEIGHTS`, frozen; InputError if their file is damaged."""
    network = VarNet(is_complex=name in WEIGHTS["mri"])
    return load_weights(network, name).to(memory_format=torch.channels_last).requires_grad_(False)


def chosen(observation, name=None):
    """A name of weights, or None for the default of an observation's task, as a name; InputError if it has none such.
    """
    if (task := kind_of(observation)) not in WEIGHTS:
        raise InputError(f"varnet was not trained for {task}: it reconstructs {' and '.join(WEIGHTS)}")
    return WEIGHTS[task][0] if name is None else nearest(name, WEIGHTS[task], f"weights of varnet for {task}")


def is_comb(mask):
    """Whether the columns of a mask (W,) have one spacing, to a column, but for a dense centre and the gaps beside it.
    """
    gaps = mask.nonzero().flatten().diff()
    dense = F.pad(gaps == 1, (1, 1))
    inner = gaps[~(dense[:-2] | dense[1:-1] | dense[2:])]
    return len(inner) > 2 and int(inner.max() - inner.min()) <= 1


def signal_to_noise(observation):
    """Signal to noise ratio of the whole k-space in dB, with A^H y for the image: 0.5 dB too low at 4x."""
    A, noise_std = observation.A, observation.noise_std
    noise = noise_std * math.sqrt(2 * math.prod(A.out_shape))
    return 20 * math.log10(float(observation.start.norm()) / noise) if noise else math.inf


def unlike_mri(observation, told):
    """(what weights of MRI were trained on, [what of an observation is unlike that])."""
    A, unlike = observation.A, []
    (low, high), (least, most), coils = told["coils"], told["snr"], A.out_shape[0]
    sampled = float(A.mask.mean())
    if not low <= coils <= high:
        unlike.append(f"{coils} coil{'s' * (coils > 1)}")
    if A.mask.ndim > 1:
        unlike.append("points instead of columns")
    elif is_comb(A.mask):
        unlike.append("equally spaced columns")
    if abs(1 / sampled - told["acceleration"]) > TOLERANCE * told["acceleration"]:
        unlike.append(f"acceleration {1 / sampled:.3g}")
    if observation.noise_std is None:
        unlike.append("a measured scan")
    elif not least - MARGIN <= (level := signal_to_noise(observation)) <= most + MARGIN:
        unlike.append(f"noise of some {round(level)} dB" if level < math.inf else "no noise")
    return (f"{low} to {high} coils, random columns, acceleration {told['acceleration']:g}, noise of {least:g} to "
            f"{most:g} dB"), unlike


def unlike_ct(observation, told):
    """(what weights of CT were trained on, [what of an observation is unlike that])."""
    angles, views, unlike = observation.A.projector.angles, told["views"], []
    if len(angles) != views:
        unlike.append(f"{len(angles)} view{'s' * (len(angles) > 1)}")
    if not np.allclose(angles, equal_angles(len(angles))):
        unlike.append("other angles")
    if observation.noise_std is None:
        unlike.append("a measured scan")
    elif observation.noise_std:
        unlike.append("noise")
    return f"{views} equally spaced views, no noise", unlike


def remarks(observation, name=None):
    """One sentence, in a list: what weights, `chosen`, were trained on, and what is unlike that in an observation."""
    known = facts(chosen(observation, name))
    told, count, sides = known["trained_on"], len(known["slices"]), observation.A.in_shape[1:]
    domain, unlike = (unlike_ct if told["task"] == "ct" else unlike_mri)(observation, told)
    if sides != (told["size"], told["size"]):
        unlike = [" x ".join(map(str, sides)) + " pixels", *unlike]
    return compared(f"varnet was trained on {count} slice{'s' * (count > 1)} of {told['image']}: {told['size']} x "
                    f"{told['size']} pixels, {domain}", unlike)
