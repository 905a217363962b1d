"""The parts of `aseqdip list`: each function returns its sections, {heading: rows}.

A row is a tuple of columns; the last one may be long or have several lines.
"""

import importlib.util
import inspect

from ..files import installed
from ..settings import InputError
from .options import catalogue

#: Explains each choice of the CT setting `projector`.
PROJECTORS = {
    "auto": "matrix where that takes at most 512 MiB, else rotation",
    "matrix": "strip integrals as a sparse matrix, exact adjoint",
    "rotation": "turn and add up without a matrix, exact adjoint; for many views",
    "torch-radon": "CUDA kernels, approximate adjoint; for GPUs alone"}

#: Optional parts: module -> (name of its package, what it serves, how to install it).
OPTIONAL = {
    "jupyterlab": ("jupyterlab", "the lessons, aseqdip lab", "pip install 'aseqdip-lite[lessons]'"),
    "torch_radon": ("torch-radon", "projector of ct on a CUDA GPU, GPL-3.0",
                    "conda install -c conda-forge carterbox-torch-radon"),
    "bm3d": ("bm3d", "the method bm3d, and pnp with it; for non-commercial use only",
             "pip install 'aseqdip-lite[bm3d]'"),
    "astra": ("astra-toolbox", "a test compares the projectors of ct with it, GPL-3.0", "pip install astra-toolbox")}


def list_tasks():
    return {"Tasks": [(name, facts["about"]) for name, facts in catalogue()["tasks"].items()]}


def list_methods():
    return {"Methods": [(name, ", ".join(facts["tasks"] or ("all tasks",)), facts["about"])
                        for name, facts in catalogue()["methods"].items()]}


def list_schedules():
    """Schedules of lam and N with their defaults as text, and the signals that one of them can wait for."""
    from ..methods import schedules

    def about(documented):
        return inspect.getdoc(documented).split("\n\n")[0].replace("`", "").replace("\n", " ")

    rows = [(name, f"{cls()}".replace(",", ", ") + f"\n{about(cls)}") for name, cls in schedules.REGISTRY.items()]
    signals = [(name, about(signal)) for name, signal in schedules.SIGNALS.items()]
    return {"Schedules of lam and N": [("auto", schedules.AUTO), *rows], "Signals (begin=...)": signals}


def list_networks():
    from .. import networks

    return {"Networks": [(name, f"{networks.KINDS.get(name, networks.UNet).about}, of widths "
                                f"{'-'.join(map(str, widths))}") for name, widths in networks.PRESETS.items()]}


def list_projectors():
    state = {"torch-radon": version("torch_radon") or "not installed"}
    return {"Projectors of ct": [(name, state.get(name, "installed"), what) for name, what in PROJECTORS.items()]}


def list_images():
    """One section per task or group of tasks: name, role, licence, where it is, what it shows."""
    from .. import images

    sections = {}
    for name, facts in images.everything().items():
        row = name, facts["role"], facts["licence"], state_of(name, facts), facts["what"]
        sections.setdefault(f"Images for {facts['task']}", []).append(row)
    return sections


def list_parts():
    """Optional parts: package, its version, what it serves and, if it is missing, how to install it; the GPU."""
    import torch

    found = {module: version(module) for module in OPTIONAL}
    rows = [(package, found[module] or "not installed", what if found[module] else f"{what}\n{install}")
            for module, (package, what, install) in OPTIONAL.items()]
    count = torch.cuda.device_count()
    rows.append(("CUDA GPU", f"{count} found", torch.cuda.get_device_name(0) if count else "all runs on the CPU"))
    return {"Optional parts": rows}


def state_of(name, facts):
    """"ships"; or of a data set its size and whether it is here, to fetch, to bring, or here but faulty."""
    from ..images import fetch

    if facts["source"] != "fetch":
        return "ships"
    try:
        state = "here" if fetch.find(name) else "to fetch" if facts["url"] else "to bring"
    except InputError:
        state = "faulty"
    return f"{state}, {fetch.megabytes(facts)}"


def version(module):
    """Version of an optional part, None if it is not installed."""
    if importlib.util.find_spec(module) is None:
        return None
    return installed(OPTIONAL[module][0]) or "installed"  # some builds have another name


#: The parts of the list, in this order; the course adds its own.
PARTS = {"tasks": list_tasks, "methods": list_methods, "schedules": list_schedules, "networks": list_networks,
         "projectors": list_projectors, "images": list_images, "parts": list_parts}
