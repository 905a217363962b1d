"""Forward operators: what the tasks measure with, each with its exact adjoint or its derivative."""

from .base import (
    Adjoint,
    Composition,
    DotTestError,
    Identity,
    LinearOperator,
    Mask,
    Operator,
    Scaled,
    Sum,
    device_of,
    dot_test,
    random_like,
)

__all__ = ["Adjoint", "Composition", "DotTestError", "Identity", "LinearOperator", "Mask", "Operator", "Scaled", "Sum",
           "device_of", "dot_test", "random_like"]
