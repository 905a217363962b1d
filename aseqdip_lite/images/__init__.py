"""Images: what ships with the project, what a user fetches and what a user brings.

`load_image` takes a name or the path of a file and returns an `Image` (a truth to simulate from)
or what a scanner measured: a `KSpace` (MRI) or a `Sinogram` (CT).
"""

from .fetch import DATA, catalogue, everything
from .load import load_image
from .types import Image, KSpace, Sinogram, fit

__all__ = ["DATA", "Image", "KSpace", "Sinogram", "catalogue", "everything", "fit", "load_image"]
