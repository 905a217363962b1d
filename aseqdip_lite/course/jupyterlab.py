"""How `aseqdip lab` becomes JupyterLab: its command line, its settings, its end, and the folders that it needs."""

import ctypes
import os
import signal
import sys
from pathlib import Path

from ..cli.options import checked_folder
from ..settings import InputError
from . import student


def server(folder, port, browser):
    """The command line of JupyterLab with lesson 00 of a folder open, and with tabs of its own there."""
    command = [sys.executable, "-P", "-m", "jupyterlab", f"--notebook-dir={folder}", "--ip=127.0.0.1", f"--port={port}",
               f"--LabApp.default_url=/lab/tree/{student.FIRST}", f"--LabApp.workspaces_dir={folder / '.workspaces'}",
               "--ServerApp.answer_yes=True"]  # one Ctrl-C ends it
    if os.name == "posix" and os.geteuid() == 0:
        command.append("--allow-root")
    return command if browser else [*command, "--no-browser"]


def settings():
    """The environment in which JupyterLab finds the course's defaults, no news and pages shown as pages; a user's own
    settings count more.
    """
    paths = [str(Path(__file__).parent / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH")]
    return os.environ | dict(JUPYTER_CONFIG_PATH=os.pathsep.join(filter(None, paths)))


def end_with_parent():
    """Linux sends TERM to this process, and to the server that it becomes, when its parent ends; not under nohup."""
    if sys.platform == "linux" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


def check_home():
    """InputError unless JupyterLab can make the folders that it writes to."""
    from jupyter_core import paths

    try:
        for folder in (paths.jupyter_runtime_dir(), paths.jupyter_config_dir(), paths.jupyter_data_dir()):
            checked_folder(folder)
            Path(folder).mkdir(parents=True, exist_ok=True)
    except (InputError, OSError, RuntimeError) as error:
        raise InputError(f"JupyterLab has no home folder to write to ({getattr(error, 'strerror', None) or error}): "
                         "set HOME to one, or JUPYTER_CONFIG_DIR, JUPYTER_DATA_DIR and JUPYTER_RUNTIME_DIR") from None
