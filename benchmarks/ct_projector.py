"""Speed of the CT projectors: milliseconds of A x and of A^T y, and their ratios to the strip matrix.

    python benchmarks/ct_projector.py                     512 x 512, detector 729, 30 views
    python benchmarks/ct_projector.py --size 128 --views 18 --repeats 50

ASTRA's CPU projector (the same strip integrals, GPL-3) is timed in the same run if it can be
imported. Each figure is the least of the repeats: time on the clock and, in brackets, processor time of all
threads, which other programs hardly lengthen; ratios are of processor time.
"""

import time

import click
import numpy as np
import torch

from aseqdip_lite import dot_test
from aseqdip_lite.operators.projectors import MatrixProjector, RotationProjector, detector_bins, equal_angles


def milliseconds(function, repeats):
    """Least (clock, processor) milliseconds of a call, after one call that is not counted."""
    function()
    clock, processor = [], []
    for _ in range(repeats):
        began = time.perf_counter(), time.process_time()
        function()
        clock.append(1e3 * (time.perf_counter() - began[0]))
        processor.append(1e3 * (time.process_time() - began[1]))
    return min(clock), min(processor)


class Astra:
    """ASTRA's "strip" projector on the CPU, matrix-free, called as its users do: one data object per image."""

    def __init__(self, size, angles, detector):
        import astra

        self.astra = astra
        self.projector = astra.create_projector("strip", astra.create_proj_geom("parallel", 1.0, detector, angles),
                                                astra.create_vol_geom(size, size))

    def project(self, image):
        return self._free(*self.astra.create_sino(image, self.projector))

    def backproject(self, sinogram):
        return self._free(*self.astra.create_backprojection(sinogram, self.projector))

    def _free(self, name, array):
        self.astra.data2d.delete(name)
        return array


@click.command()
@click.option("--size", default=512, show_default=True)
@click.option("--views", default=30, show_default=True)
@click.option("--repeats", default=20, show_default=True)
def main(size, views, repeats):
    """Time the projectors of CT and, where it is installed, ASTRA's."""
    angles = equal_angles(views)
    detector = detector_bins(size)
    print(f"{size} x {size}, detector {detector}, {views} views, {torch.get_num_threads()} threads, "
          f"torch {torch.__version__}")

    began = time.perf_counter()
    matrix = MatrixProjector(size, angles)
    entries = matrix.matrix.values().numel()
    print(f"matrix built in {time.perf_counter() - began:.2f} s: {entries / 1e6:.1f} M entries, "
          f"{8 * entries / 2**20:.0f} MiB, twice that with the stored transpose")
    print(f"adjoint error: {dot_test(matrix):.1e} in double, {dot_test(matrix, double=False):.1e} in single precision")

    generator = torch.Generator().manual_seed(0)
    x = matrix.disc * torch.rand((1, 1, size, size), generator=generator)
    y = matrix(x)
    rotation = RotationProjector(size, angles)
    timed = {"matrix": (lambda: matrix(x), lambda: matrix.adjoint(y)),
             "rotation": (lambda: rotation(x), lambda: rotation.adjoint(y))}
    try:
        oracle = Astra(size, np.array(angles), detector)
    except ImportError as error:
        print(f"ASTRA cannot be imported ({error})")
    else:
        image, sinogram = x[0, 0].numpy(), y[0].numpy()
        timed["ASTRA strip, CPU"] = (lambda: oracle.project(image), lambda: oracle.backproject(sinogram))
        difference = np.linalg.norm(oracle.project(image) - sinogram) / np.linalg.norm(sinogram)
        print(f"sinograms of matrix and ASTRA differ by {difference:.1e}")

    print(f"{'':18}{'A x (ms)':>20}{'A^T y (ms)':>20}{'sum (ms)':>20}{'ratio':>8}")
    reference = None
    for name, pair in timed.items():
        forward, back = (milliseconds(function, repeats) for function in pair)
        total = tuple(map(sum, zip(forward, back, strict=True)))
        reference = reference or total[1]
        cells = "".join(f"{f'{clock:.1f} ({processor:.1f})':>20}" for clock, processor in (forward, back, total))
        print(f"{name:18}{cells}{total[1] / reference:8.2f}")


if __name__ == "__main__":
    main()
