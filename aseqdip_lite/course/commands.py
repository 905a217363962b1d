"""What the course adds to the command line: `aseqdip experiment`, `aseqdip lab`, and a section of `aseqdip list`."""

import importlib.util
import os
import sys
from pathlib import Path

import click

from ..cli.commands import PROFILE, main
from ..cli.inventory import PARTS
from ..cli.options import checked_folder
from ..settings import InputError
from . import REPOSITORY


def list_experiments():
    """The ledger's experiments, by id."""
    from . import experiments

    return {"Experiments": [(name, experiments.get(name).about) for name in experiments.names()]}


PARTS["experiments"] = list_experiments


@main.command()
@click.argument("name", metavar="ID", required=False)
@click.option("--all", "everything", is_flag=True, help="Every experiment that has no result in --out yet.")
@PROFILE
@click.option("--out", default=None,
              help="Folder of ID.json and ID.png [out/experiments].")
def experiment(name, everything, profile, out):
    """Reproduce a table or figure of the papers.

    ID is one of those that `aseqdip list` shows, e.g. F6. Writes ID.json (what was measured, the
    published result, a verdict, settings and seconds) and the figure ID.png.
    """
    from . import experiments

    if everything == (name is not None):
        raise InputError("give one experiment's ID, or --all; `aseqdip list` shows the IDs")
    out = checked_folder("out/experiments" if out is None else out)
    wanted = [name] if name else [known for known in experiments.names() if experiments.stored(known, out) is None]
    for known in wanted:
        report = experiments.run(known, profile, out=out)
        click.echo(f"{known}: {report['verdict']}. {report['why']}")
        click.echo(f"written to {out}: {known}.json {known}.png ({report['provenance']['seconds']:.0f} s)")


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8888, show_default=True, help="Port on this machine.")
@click.option("--browser/--no-browser", default=True, help="Open a browser window.")
def lab(port, browser):
    """Open the folder lessons, here, in JupyterLab.

    It answers this machine only, and asks for a token.
    """
    if not Path("lessons").is_dir():
        raise InputError(f"no folder lessons here: get it by git clone {REPOSITORY}, and start this in the clone")
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed: pip install 'aseqdip-lite[lessons]'")
    command = [sys.executable, "-P", "-m", "jupyterlab", "--notebook-dir=lessons", "--ip=127.0.0.1", f"--port={port}"]
    if os.name == "posix" and os.geteuid() == 0:
        command.append("--allow-root")
    check_home()
    sys.stdout.flush()
    os.execv(sys.executable, command if browser else [*command, "--no-browser"])  # signals then reach it, not a parent


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
