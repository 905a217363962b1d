"""The operator of parallel-beam CT, on one of three projectors."""

from functools import lru_cache

from ..settings import InputError, nearest
from .base import Scaled
from .projectors import MatrixProjector, RotationProjector, distinct, matrix_bytes

#: Largest size in bytes of the matrix and its stored transpose together; "auto" goes matrix-free above it.
MOST_BYTES = 512 * 2**20


class CTOperator(Scaled):
    """A = R / ||R|| for a projector R, so that ||A|| = 1 and lam means the same as in every other task.

    Ten power iterations give the norm to 1e-4 from two views on, to 2 % for a single one.
    """

    def __init__(self, projector):
        super().__init__(projector, 1 / projector.norm(iterations=10))

    @property
    def projector(self):
        """R, in pixels: sinogram = projector(image) for an image in any unit."""
        return self.A


@lru_cache(maxsize=2)
def ct_operator(kind, size, angles, detector):
    """The `CTOperator` of a geometry; the last two are kept, each at most `MOST_BYTES` large."""
    return CTOperator(make_projector(kind, size, angles, detector))


def make_projector(kind, size, angles, detector=None):
    """A projector by name: "matrix", "rotation", "torch-radon" or "auto", the matrix up to `MOST_BYTES`, else rotation.

    InputError for an unknown name, bad angles, a matrix that is too large, or torch-radon is not installed.
    """
    from .torch_radon import TorchRadonProjector

    kinds = {"matrix": MatrixProjector, "rotation": RotationProjector, "torch-radon": TorchRadonProjector}
    nearest(kind, ("auto", *kinds), "projector")
    needed = matrix_bytes(size, distinct(angles))
    if kind == "auto":
        kind = "matrix" if needed <= MOST_BYTES else "rotation"
    elif kind == "matrix" and needed > MOST_BYTES:
        raise InputError(f"the matrix of {len(angles)} views of {size} x {size} pixels would take {needed >> 20} MiB, "
                         f"at most {MOST_BYTES >> 20} are used: choose the projector rotation or auto")
    return kinds[kind](size, angles, detector)
