"""Parallel-beam projectors of CT: strip-integral matrix, matrix-free rotation; FBP.

All share one geometry. An image (N, N) has pixels of side 1 with centres at X = column - (N-1)/2 and Y = (N-1)/2 - row,
so Y points up. A ray of the view at angle theta (radians) is the line s = X cos(theta) + Y sin(theta); detector bin j
covers s from j - D/2 to j + 1 - D/2. A sinogram is [view, detector], in the unit of the image times pixels. Pixels
outside the field of view, the disc inscribed in the square, count as empty.
"""

import math
import warnings

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

from ..settings import InputError
from .base import LinearOperator


class _Linear(torch.autograd.Function):
    """A linear map whose gradient is its given adjoint, of any order and in either direction."""

    @staticmethod
    def forward(x, apply, adjoint):
        return apply(x.contiguous())

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.pair = inputs[1:]

    @staticmethod
    def backward(ctx, gradient):
        return _Linear.apply(gradient, *reversed(ctx.pair)), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _Linear.apply(tangent, *ctx.pair)


class Projector(LinearOperator):
    """R: images (B, 1, N, N) -> sinograms (B, views, D), real; R^T is the gradient.

    Subclasses define `project`, from contiguous images to sinograms, and its adjoint `backproject`, without autograd.
    InputError for no angle, or two that measure the same rays.

    Args:
        size: N. angles: one angle in radians per view. detector: D; as in `detector_bins` by default.
    """

    def __init__(self, size, angles, detector=None):
        self.size, self.angles = size, distinct(angles)
        self.detector = detector_bins(size) if detector is None else detector
        super().__init__((1, size, size), (len(self.angles), self.detector))
        self.disc = disc(size)

    def _apply(self, x):
        return _Linear.apply(x, self.project, self.backproject)

    def _adjoint(self, y):
        return _Linear.apply(y, self.backproject, self.project)


class MatrixProjector(Projector):
    """Strip integrals as a sparse matrix with its stored transpose: exact adjoint, on CPU and GPU.

    The matrix is rounded to float32; `to(double=True)` computes in double with the same numbers.
    """

    def __init__(self, size, angles, detector=None):
        super().__init__(size, angles, detector)
        matrix = strip_matrix(size, self.angles, self.detector)
        self.matrix, self.transpose = to_torch(matrix), to_torch(matrix.T.tocsr())

    def project(self, x):
        return multiply(self.matrix, x).reshape(-1, *self.out_shape)

    def backproject(self, y):
        return multiply(self.transpose, y).reshape(-1, *self.in_shape)


class RotationProjector(Projector):
    """Matrix-free: bilinear interpolation turns the image, then its pixels are summed along the rays, view by view.

    The adjoint is the gradient of this sum by autograd. Point samples one pixel apart stand for the strip integrals, so
    single pixels differ from the matrix while smooth images agree.
    """

    def project(self, x):
        return torch.stack([self._view(x, angle) for angle in self.angles], dim=1)

    def backproject(self, y):
        zero = y.new_zeros((len(y), *self.in_shape), requires_grad=True)
        image = torch.zeros_like(zero, requires_grad=False)
        for view, angle in enumerate(self.angles):  # one view's graph at a time bounds the memory
            with torch.enable_grad():
                image += torch.autograd.grad(self._view(zero, angle), zero, y[:, view])[0]
        return image

    def _view(self, x, angle):
        """One row of the sinogram (B, D)."""
        s = self._axis(self.detector, x)[:, None]  # (D, 1) across the rays
        t = self._axis(self.size, x)[None, :]  # (1, N) along them
        X, Y = s * math.cos(angle) - t * math.sin(angle), s * math.sin(angle) + t * math.cos(angle)
        grid = torch.stack([X, -Y], dim=-1) * (2 / self.size)  # (D, N, 2), grid_sample's y points down
        turned = F.grid_sample(self.disc * x, grid.expand(len(x), -1, -1, -1), align_corners=False)
        return turned.sum(dim=-1)[:, 0]

    @staticmethod
    def _axis(count, like):
        return torch.arange(count, dtype=like.dtype, device=like.device) - (count - 1) / 2


def distinct(angles):
    """The angles as a tuple of floats; InputError if there is none or if two differ by a multiple of pi."""
    angles = tuple(float(angle) for angle in angles)
    if not angles:
        raise InputError("a scan needs at least one view, got none")
    if not all(map(math.isfinite, angles)):
        raise InputError("the angles of the views must be finite")
    turned = sorted((angle % math.pi, math.degrees(angle)) for angle in angles)
    turned.append((turned[0][0] + math.pi, turned[0][1]))
    for (low, first), (high, second) in zip(turned[:-1], turned[1:], strict=True):
        if high - low < 1e-6:
            raise InputError(f"the views at {first:g} and {second:g} degrees measure the same rays: "
                             "angles must be distinct modulo 180 degrees")
    return angles


def equal_angles(views):
    """`views` angles in radians, equally spaced in [0, pi)."""
    return tuple(math.pi * view / views for view in range(views))


def detector_bins(size):
    """Odd number of detector bins that covers the diagonal of the square, as MATLAB's radon: 729 for 512."""
    return 2 * math.ceil(2**0.5 * (size - (size - 1) // 2 - 1)) + 3


def disc(size):
    """The field of view: float32 (N, N), 1 where the pixel's centre lies in the inscribed disc of radius N/2."""
    axis = torch.arange(size) - (size - 1) / 2
    return (axis[:, None] ** 2 + axis[None, :] ** 2 <= size**2 / 4).float()


def positions(size, angle, pixel=1.0):
    """s = X cos(theta) + Y sin(theta) of all pixel centres: float64 (size, size)."""
    axis = (np.arange(size) - (size - 1) / 2) * pixel
    return axis[None, :] * math.cos(angle) - axis[:, None] * math.sin(angle)


def strip_weights(s, angle, detector, pixel=1.0):
    """Strip integrals of pixels: how the area of each is shared out among the detector bins.

    The shadow of a square pixel is a trapezoid around s, flat over |u| <= v and falling to zero at |u| = w; bin weights
    are differences of its integral.

    Args:
        s: (P,) positions of the pixel centres. angle: theta. detector: D. pixel: side of a pixel in bins.

    Returns:
        (first, weights): first bin (P,) int and weights (K, P) of the bins first ... first + K - 1;
        each column sums to pixel^2, where the shadow lies on the detector.
    """
    a, b = sorted((abs(math.cos(angle)) * pixel / 2, abs(math.sin(angle)) * pixel / 2))
    v, w = b - a, b + a
    first = np.floor(s - w + detector / 2).astype(np.int64)
    edges = np.arange(math.ceil(2 * w) + 2)[:, None] + (first - detector / 2 - s)  # (K + 1, P) relative to s
    u = np.abs(edges)
    slope = np.clip(u - v, 0, 2 * a)
    integral = np.sign(edges) * (np.minimum(u, v) + slope - slope**2 / (4 * a or 1)) * (pixel**2 / (2 * b))
    weights = np.diff(integral, axis=0)
    weights[weights < 1e-9] = 0
    return first, weights


def strip_matrix(size, angles, detector):
    """R as a scipy CSR matrix (views * detector, size^2) of float32, with empty columns outside the disc."""
    inside = np.flatnonzero(disc(size).numpy())
    blocks = []
    for angle in angles:
        first, weights = strip_weights(positions(size, angle).ravel()[inside], angle, detector)
        bins = first + np.arange(len(weights))[:, None]
        used = (weights > 0) & (bins >= 0) & (bins < detector)
        columns = np.broadcast_to(inside, weights.shape)
        entries = weights[used].astype(np.float32), (bins[used].astype(np.int32), columns[used].astype(np.int32))
        blocks.append(sparse.csr_matrix(entries, shape=(detector, size**2)))
    return sparse.vstack(blocks, format="csr")


def matrix_bytes(size, angles):
    """Expected bytes of the matrix and its transpose: a shadow of width 2w touches 1 + 2w bins, 8 bytes an entry."""
    touched = sum(1 + abs(math.cos(angle)) + abs(math.sin(angle)) for angle in angles)
    return int(2 * 8 * math.pi / 4 * size**2 * touched)


def strip_sinogram(image, angles, detector, pixel=1.0):
    """Sinogram (views, D) float64 of an image on a grid of its own, view by view, without a matrix.

    image: (M, M) array, centred on the rotation axis; pixel: side of its pixels in detector bins.
    """
    filled = np.flatnonzero(image)
    values, rows = image.ravel()[filled].astype(np.float64), []
    for angle in angles:
        first, weights = strip_weights(positions(len(image), angle, pixel).ravel()[filled], angle, detector, pixel)
        bins = first + np.arange(len(weights))[:, None]
        used = (bins >= 0) & (bins < detector)
        rows.append(np.bincount(bins[used], (weights * values)[used], minlength=detector))
    return np.stack(rows)


def to_torch(matrix):
    """A scipy CSR matrix as a torch CSR tensor with 32 bit indices."""
    parts = [torch.from_numpy(part) for part in (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32),
                                                 matrix.data)]
    with warnings.catch_warnings():  # torch calls its CSR tensors beta; the operations used here are tested
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*parts, size=matrix.shape, check_invariants=False)


def multiply(matrix, x):
    """A sparse matrix times each row of a batch (B, ...): (B, rows); a batch of one takes the faster vector product."""
    return (matrix @ x.flatten())[None] if len(x) == 1 else (matrix @ x.flatten(1).T).T


def ramp_filter(y):
    """The ramp filter along the detector, any shape (..., D): Kak and Slaney (1988), eq. 3.29, bins of width 1.

    Kernel: h(0) = 1/4, h(n) = -1/(pi n)^2 for odd n, 0 for even n. Zero-padding to twice the detector keeps the
    convolution from wrapping around.
    """
    length = 2 * y.shape[-1]
    n = torch.arange(length, dtype=torch.float64, device=y.device)
    n = torch.minimum(n, length - n)
    kernel = torch.where(n % 2 == 1, -1 / (math.pi * n.clamp(min=1)) ** 2, torch.zeros_like(n))
    kernel[0] = 0.25
    response = torch.fft.rfft(kernel).real.to(y.dtype)
    return torch.fft.irfft(torch.fft.rfft(y, length) * response, length)[..., :y.shape[-1]]


def fbp(projector, y):
    """Filtered back-projection pi/views R^T ramp(y) of sinograms (B, views, D): images (B, 1, N, N).

    Exact in the limit of many views equally spaced in [0, pi).
    """
    return math.pi / y.shape[-2] * projector.adjoint(ramp_filter(y))
