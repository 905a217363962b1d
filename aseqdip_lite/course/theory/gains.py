"""What the kernel of the untrained network makes of the picture and of the noise, as the input moves (W2).

A step of gradient descent moves the output by Theta(z) times a residual, Theta = J J^T. So v^T Theta v / ||v||^2 =
||J^T v||^2 / ||v||^2, the gain of a direction v, says how fast the network learns it at the input z. Where the picture
has the larger gain it is learned before the noise. The weights are the initial ones throughout: what is seen is what
the input alone changes.

A gain costs one pass back. All gains are in dB, of directions without their mean over the pixels, which a network
learns at once.

With the truth: the picture x, and the noise as it comes to the image, A^H (y - A x). Without it: for a noise e that is
drawn again, of the level that the method knows, y + e and y - e have noises that do not correlate (Pang et al.,
Recorrupted-to-Recorrupted, CVPR 2021). Their product <J^T A^H (y + e), J^T A^H (y - e)> over that of the directions
themselves has the noise taken out, and the gain of A^H e stands for that of the noise. What remains of the noise in it
is that z has seen n, and not e.
"""

import math

import numpy as np
import torch

from ... import networks
from ...methods.self_guided import uniform_like
from ...tasks.mri import smooth_phase
from ...tasks.pictures import to_tensor
from .nets import as_function
from .ntk import NTK, modes

MODES = 5  #: leading modes that are held against the picture

FLOOR = 1e-12  #: the least gain that a decibel is taken of

#: Where an input may start, see `first_input`.
STARTS = ("own", "noise", "truth")


def truth_of(case):
    """The picture x of a simulated case, (1, C, H, W) in the units of y: a photograph, or a brain with its phase."""
    if case.observation.start.is_complex():
        phase = smooth_phase(case.truth.shape, torch.Generator().manual_seed(case.seed))  # the first that MRI draws
        return (torch.from_numpy(case.truth) * torch.exp(1j * phase))[None, None] / case.observation.scale
    return to_tensor(case.truth)


def first_input(case, start, seed):
    """z_0 of a start: "own", which is None, "noise", uniform on [0, 0.1) as DIP has it, or "truth"."""
    if start == "own":
        return None
    if start == "truth":
        return truth_of(case)
    return 0.1 * uniform_like(case.observation.start, torch.Generator().manual_seed(seed + 1))


def untrained(case, network, seed):
    """(f, params) of the network that a run with this seed begins with, on channels (1, c, H, W)."""
    return as_function(networks.build(network, case.observation.start, torch.Generator().manual_seed(seed)).network)


def directions(case, seed):
    """{"truth", "noise", "plus", "minus", "fresh"}: the directions of this module, (1, c, H, W), centred."""
    A, y, x = case.observation.A, case.observation.y, truth_of(case)
    draw = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=y.dtype)
    e = case.observation.noise_std * (2**0.5 if y.is_complex() else 1.0) * draw * (y != 0)
    images = dict(truth=x, noise=A.adjoint(y - A(x)), plus=A.adjoint(y + e), minus=A.adjoint(y - e), fresh=A.adjoint(e))
    return {name: centred(networks.to_channels(image)) for name, image in images.items()}


def centred(image):
    """An image (1, c, H, W) without the mean of each channel."""
    return image - image.mean(dim=(-2, -1), keepdim=True)


def gain(f, params, z, *directions):
    """||J^T v||^2 / ||v||^2 of one direction v (1, c, H, W); of two, <J^T v, J^T w> / <v, w>.

    Args:
        f, params: a network as a function of its weights (see `nets.as_function`); z: its input.
    """
    backward = torch.func.vjp(lambda p: f(p, z), params)[1]
    return ratio(backward, *directions)


def ratio(backward, v, w=None):
    """As `gain`, from the function v -> (J^T v,)."""
    left, = backward(v)
    right = left if w is None else backward(w)[0]
    return float(sum((left[name] * right[name]).sum() for name in left) / (v * (v if w is None else w)).sum())


def decibel(value):
    """10 log10 of a gain."""
    return 10 * math.log10(max(value, FLOOR))


def gains(f, params, z, given):
    """{"truth", "noise", "blind"} in dB at an input z (1, c, H, W): two gains, and the ratio that needs no truth.

    given: see `directions`.
    """
    backward = torch.func.vjp(lambda p: f(p, z), params)[1]
    blind = decibel(ratio(backward, given["plus"], given["minus"])) - decibel(ratio(backward, given["fresh"]))
    return dict(truth=decibel(ratio(backward, given["truth"])), noise=decibel(ratio(backward, given["noise"])),
                blind=blind)


def aligned(f, params, z, direction, count=MODES):
    """The share of ||direction||^2 in the leading modes of Theta(z), between 0 and 1."""
    found = modes(NTK(f, params, z), count, tol=1e-2)[1].reshape(count, -1)
    v = direction.flatten().double().numpy()
    return float(np.square(found @ v).sum() / np.square(v).sum())
