"""Build the package and execute all lessons, in smoke, from its wheel, outside of the repository.

    python scripts/wheel_test.py              with our versions and with those of Google Colab
    python scripts/wheel_test.py colab        with one of the two

The wheel is made from the sdist and installed into an environment where nothing else of the project can be imported:
with our versions beside what its own metadata ask for, taken over from the environment that runs this; with Colab's
beside colab-image.txt, by the very cell that a notebook runs there. Only PyTorch is ours in both.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from importlib import metadata
from pathlib import Path

import click
from build_lessons import COLAB
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

#: What the cell for Colab does, told that it is there.
ON_COLAB = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')\n"


def call(*command, cwd=None, **variables):
    """What a command prints, run without PYTHONPATH and with further environment variables; ends this one if it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise click.ClickException(f"{' '.join(map(str, command[:4]))} ... failed:\n{done.stdout[-6000:]}")
    return done.stdout


def build(folder):
    """The wheel, made from the sdist; both are put into the folder."""
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    wheel, = folder.glob("*.whl")
    for file in sorted(folder.iterdir()):
        click.echo(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")
    return wheel


def needed(requirements, found=None):
    """{name: Distribution} of all that a list of requirements brings on this Python and system."""
    found = {} if found is None else found
    for one in map(Requirement, requirements):
        if one.name not in found and (one.marker is None or one.marker.evaluate(dict(extra=""))):
            found[one.name] = metadata.distribution(one.name)
            needed(found[one.name].requires or (), found)
    return found


def lend(distributions, site):
    """Link the modules of installed distributions, and their metadata, into another environment's folder `site`."""
    for distribution in distributions:
        for name in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            if not (site / name).exists():
                (site / name).symlink_to(distribution.locate_file(name))


def with_ours(python, site, wheel):
    """Our versions: the wheel, and what its metadata ask for."""
    call(python, "-m", "pip", "install", "--no-deps", wheel)
    own, = metadata.distributions(name="aseqdip-lite", path=[str(site)])
    lend(needed([*own.requires, "ipykernel"]).values(), site)


def with_colabs(python, site, wheel):
    """Colab's versions, and the first cell of a notebook there, which gets the wheel in place of the repository."""
    lend([metadata.distribution("torch")], site)
    call(python, "-m", "pip", "install", "--no-deps", "-r", ROOT / "colab-image.txt")
    call(python, "-c", ON_COLAB + COLAB.replace("git+{repository}", str(wheel)))


#: {name: (how it is installed, the notebooks)}; `make test` executes both trees of notebooks, so here each has one.
VERSIONS = dict(ours=(with_ours, "lessons/solutions"), colab=(with_colabs, "lessons"))


def lessons(python, folder, tree):
    """Execute all notebooks of a tree in `folder`, where nothing else is, by another environment's Python."""
    kernel = folder / "jupyter" / "kernels" / "wheel"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(dict(
        argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], display_name="wheel",
        language="python")))
    (folder / "lessons").mkdir()
    for notebook in (ROOT / tree).glob("*.ipynb"):
        shutil.copy(notebook, folder / "lessons")
    imported = call(python, "-c", "import aseqdip_lite; print(aseqdip_lite.__file__)", cwd=folder / "lessons").strip()
    if not Path(imported).is_relative_to(folder):
        raise click.ClickException(f"the lessons would import {imported}, not the wheel")
    out = call(sys.executable, "-m", "pytest", "lessons", "-q", "-n", "2", "--dist", "loadscope", "--nbval-lax",
               "--nbval-kernel-name", "wheel", "-p", "no:cacheprovider", cwd=folder,
               JUPYTER_PATH=str(folder / "jupyter"), ASEQDIP_PROFILE="smoke", OMP_NUM_THREADS="1")
    return out.strip().splitlines()[-1]


@click.command()
@click.argument("versions", nargs=-1, type=click.Choice(list(VERSIONS)))
def main(versions):
    """Build the wheel and execute all lessons from it, with each of the VERSIONS, by default all."""
    with tempfile.TemporaryDirectory() as temporary:
        wheel = build(Path(temporary))
        for name in versions or VERSIONS:
            folder = Path(temporary) / name
            venv.create(folder / "venv", with_pip=True, symlinks=True)
            python = folder / "venv" / "bin" / "python"
            site = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
            install, tree = VERSIONS[name]
            install(python, Path(site), wheel)
            click.echo(f"{name}: {lessons(python, folder, tree)}")


if __name__ == "__main__":
    main()
