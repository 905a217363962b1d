"""The networks f_phi: U-Nets of several sizes, the Deep Decoder, and what they are made of."""

from .hourglass import Hourglass  # noqa: F401
from .unet import *  # noqa: F403  what its __all__ names
