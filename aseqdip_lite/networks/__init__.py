"""The networks f_phi: U-Nets of several sizes, the Deep Decoder, and what they are made of."""

from .unet import (
    KINDS,
    PRECISIONS,
    PRESETS,
    Block,
    HalfUNet,
    ImageNetwork,
    UNet,
    build,
    compute,
    count_parameters,
    from_channels,
    initialise,
    to_channels,
)

__all__ = ["KINDS", "PRECISIONS", "PRESETS", "Block", "HalfUNet", "ImageNetwork", "UNet", "build", "compute",
           "count_parameters", "from_channels", "initialise", "to_channels"]
