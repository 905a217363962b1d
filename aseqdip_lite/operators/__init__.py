"""Forward operators: what the tasks measure with, each with its exact adjoint or its derivative."""

from .base import *  # noqa: F403  what its __all__ names
