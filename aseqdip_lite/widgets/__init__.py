"""The interactive panel of the lessons: one line, `panel("mri")`, shows controls, pictures and curves.

It drives the same `iterate` and `Recorder` as `reconstruct`, so its numbers are the same. It uses
only what ipywidgets 7.7.1 has, the version of Google Colab.
"""

from pathlib import Path

from .. import methods as registry
from .. import settings as defaults
from .buttons import Panel
from .form import Form
from .session import Session

__all__ = ["Panel", "Session", "panel"]


def panel(task="mri", image=None, method=None, *, seed=0, data_seed=None, profile=None, methods=None,
          device=None, out="out", **settings):
    """An interactive panel to reconstruct an image: make it the last line of a cell.

    Args:
        task: "mri", ...
        image: a shipped image's name or a file's path; the task's default image if None.
        method: the method chosen at first; aseqdip if it is among `methods`, else the first of them.
        seed: seed of the initial weights.
        data_seed: seed of the data; `seed` by default.
        profile: "smoke", "laptop" or "paper"; that of ASEQDIP_PROFILE by default.
        methods: names of the methods to choose from; all that the task has by default.
        device: "cpu" or "cuda"; a GPU if there is one by default.
        out: folder for "Save".
        **settings: first values of settings of the task or of the methods, e.g. lam=0.0, K=300.

    Raises:
        InputError: unknown task, method, profile or setting, or a value out of its bounds. Later faults,
            such as an unknown image, are shown in the panel.
    """
    offered = list(methods or registry.names(task))
    method = method or ("aseqdip" if "aseqdip" in offered else offered[0])
    form = Form(task, image, method, seed, seed if data_seed is None else data_seed, profile or defaults.profile(),
                offered, settings)
    return Panel(form, device or defaults.device(), Path(out))
