"""torch-radon as an optional CT projector on CUDA devices.

It serves versions 2 and 3 of the package (carterbox), with `ParallelBeam(det_count, angles)`, and version 1
(Ronchetti), with `Radon(resolution, angles, det_count)`. Their sources use the geometry of `projectors`, with point
samples along each ray forward and pixel-driven interpolation back, so that the adjoint is approximate.
"""

import torch

from ..settings import InputError
from .projectors import Projector

INSTALL = ("projector torch-radon needs a CUDA device and the package torch-radon: conda install -c conda-forge "
           "carterbox-torch-radon, or, where nvcc is present, pip install --no-build-isolation --no-deps "
           "git+https://github.com/carterbox/torch-radon@v3.0.0; projector matrix needs neither")

DEVICE = "cuda"  #: where the kernels run


class TorchRadonProjector(Projector):
    """R by torch-radon's ray-driven kernel, R^T by its pixel-driven one, in float32 on a CUDA device.

    Tensors that lie elsewhere or in double precision are moved there and back. InputError if torch-radon is not
    installed, cannot be loaded, or there is no CUDA device.
    """

    replays = False  # whether its kernels follow torch's stream is not known

    def __init__(self, size, angles, detector=None):
        super().__init__(size, angles, detector)
        try:
            import torch_radon
            torch.empty(0, device=DEVICE)
        except (ImportError, OSError, RuntimeError, AssertionError) as error:
            raise InputError(f"{INSTALL} ({str(error).splitlines()[0]})") from None
        angles = torch.tensor(self.angles, dtype=torch.float32)  # a tuple of three would be read as a range
        if hasattr(torch_radon, "ParallelBeam"):
            self.radon = torch_radon.ParallelBeam(self.detector, angles)
            self.radon.volume.set_size(size, size)  # otherwise only a forward projection would set it
        else:
            self.radon = torch_radon.Radon(size, angles, self.detector)

    def project(self, x):
        return self.radon.forward(self._there(self.disc * x)[:, 0]).to(x)

    def backproject(self, y):
        return self.disc * self.radon.backward(self._there(y))[:, None].to(y)

    @staticmethod
    def _there(tensor):
        return tensor.detach().to(DEVICE, torch.float32).contiguous()
