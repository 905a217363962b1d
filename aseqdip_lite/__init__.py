"""aseqdip_lite: untrained image reconstruction, from Deep Image Prior to aSeqDIP.

One way through: image -> Case -> iterate -> Result.

    from aseqdip_lite import load_case, reconstruct, ASeqDIP
    case = load_case("mri", acceleration=4, seed=0)
    result = reconstruct(case, ASeqDIP(lam=1.0, N=2, K=500))
    print(result)

Names are imported on first use, so that `aseqdip --help` does not wait for torch.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "ASeqDIP": ".methods.aseqdip", "Vanilla": ".methods.vanilla", "Case": ".case", "Observation": ".case",
    "InputError": ".settings", "LinearOperator": ".operators", "Operator": ".operators", "Result": ".run.result",
    "State": ".methods.base", "configure": ".methods", "dot_test": ".operators", "iterate": ".run.engine",
    "load_case": ".tasks", "load_image": ".images", "reconstruct": ".run.engine"}
_MODULES = {
    "methods": ".methods", "tasks": ".tasks", "networks": ".networks", "operators": ".operators", "images": ".images",
    "loaders": ".images.files", "metrics": ".run.metrics", "plots": ".run.plots", "widgets": ".widgets",
    "course": ".course"}

__all__ = [*_HOME, *_MODULES]


def __getattr__(name):
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name], __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(_MODULES[name], __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
