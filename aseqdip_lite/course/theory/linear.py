"""What lessons 01 and 01b look at: the five tasks at two sizes, an operator as a matrix, its derivative as an operator.
"""

import math

import torch
from matplotlib.figure import Figure

from ...operators import LinearOperator
from ...tasks import load_case


def five_tasks(size, views, motion):
    """{task: Case} of the five tasks, size x size pixels; in four of them A is linear, MRI has one coil.

    Args:
        size: pixels of a side. views: of CT. motion: extent of the camera's shake in pixels.
    """
    return {
        "MRI": load_case("mri", "brain-070", size=size, coils=1, acceleration=4),
        "CT": load_case("ct", "ct-head", size=size, views=views, i0=1000, start="paper"),
        "denoising": load_case("denoising", "astronaut", size=size, fill="zero"),
        "in-painting": load_case("inpainting", "astronaut", size=size, fill="zero", start="paper", paste=False),
        "deblurring": load_case("deblurring", "astronaut", size=size, motion=motion, fill="zero"),
    }


def small_tasks():
    """The same at 24 x 24 pixels, small enough for A as a matrix."""
    return {
        "MRI": load_case("mri", "brain-070", size=24, coils=1),
        "CT": load_case("ct", "ct-brain", size=24, views=18),
        "denoising": load_case("denoising", "brain-070", size=24),
        "in-painting": load_case("inpainting", "brain-070", size=24, start="paper"),
        "deblurring": load_case("deblurring", "brain-070", size=24, motion=5.0, fill="zero"),
    }


def in_double(t):
    """The same numbers in double precision, so that rounding does not hide what we look for."""
    return t.to(torch.promote_types(t.dtype, torch.float64))


def image_of(case, like):
    """The truth of a case as a tensor (1, C, H, W), in the units and of the kind of `like`."""
    array = torch.from_numpy(case.truth)
    channels = array[None] if array.ndim == 2 else array.permute(2, 0, 1)  # (C, H, W)
    return (channels[None] / case.observation.scale).to(like.dtype)


def noise_share(case):
    """Expected norm of the noise, relative to that of the data."""
    y = in_double(case.observation.y)
    numbers = int((y != 0).sum()) * (2 if y.is_complex() else 1)
    return case.observation.noise_std * numbers**0.5 / float(y.norm())


def matrix_of(A):
    """The matrix (m, n) of a linear operator, in double precision: its column j is A of the j-th unit image."""
    n = math.prod(A.in_shape)
    kind = torch.complex128 if A.in_complex else torch.float64
    basis = torch.eye(n, dtype=kind).reshape(n, *A.in_shape)  # a batch of n unit images
    return A(basis).reshape(n, -1).T  # (n, m) -> (m, n)


class Jacobian(LinearOperator):
    """J(x) of an operator A at one image x (1, C, H, W): d -> derivative of A(x + t d) at t = 0."""

    def __init__(self, A, x):
        super().__init__(A.in_shape, A.out_shape, in_complex=A.in_complex, out_complex=A.out_complex)
        self.A, self.x = A, x

    def _apply(self, d):
        return torch.func.jvp(self.A, (self.x.expand_as(d),), (d,))[1]  # forward mode

    def _adjoint(self, v):
        return self.A.vjp(self.x.expand(len(v), *self.in_shape), v)  # reverse mode


def gallery(columns, rows):
    """A figure of {title: [array, ...]} as columns of pictures, each from its 0 (black) to its largest value (white).

    Args:
        columns: arrays (H, W) or (H, W, 3). rows: a label for each row.
    """
    figure = Figure(figsize=(1.32 * len(columns) + 0.3, 1.32 * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for axis_column, (title, arrays) in zip(axes.T, columns.items(), strict=True):
        for axis, array in zip(axis_column, arrays, strict=True):
            shown = array / array.max() if array.ndim == 2 else array.clip(0, 1)
            axis.imshow(shown, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        axis_column[0].set_title(title)
    for axis, name in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(name)
    return figure
