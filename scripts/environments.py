"""environment.yml and environment-gpu.yml, for conda, from pyproject.toml.

    python scripts/environments.py
"""

import tomllib
from pathlib import Path

import click
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

#: What has another name on conda-forge.
NAMES = dict(build="python-build", matplotlib="matplotlib-base", torch="pytorch")

#: What conda-forge has not, without which the tests in a browser are skipped; and the package itself.
LEFT_OUT = ("axe-playwright-python", "playwright", "aseqdip-lite")

#: {file: (comment, other names, further packages)}.
FILES = {
    "environment.yml": ("", {}, ()),
    "environment-gpu.yml": (
        "# For linux-64 with an NVIDIA GPU: a CUDA build of PyTorch, and torch-radon (GPL-3.0-only), an optional CT "
        "projector.\n", dict(torch="pytorch-gpu"), ("carterbox-torch-radon>=3.0",)),
}


def environment(file):
    """The text of one of `FILES`: dependencies, extras for lessons and development, and what the build asks for."""
    comment, names, further = FILES[file]
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, extras = facts["project"], facts["project"]["optional-dependencies"]
    texts = [*project["dependencies"], *extras["lessons"], *extras["cluster"], *extras["dev"],
             *facts["build-system"]["requires"]]
    packages = sorted({*further, *(f"{(NAMES | names).get(one.name, one.name)}{one.specifier}"
                                   for one in map(Requirement, texts) if one.name not in LEFT_OUT)})
    name = file.replace("environment", "aseqdip-lite").removesuffix(".yml")
    lines = [f"python{project['requires-python']}", *packages, "pip", "pip:\n      - --no-deps -e ."]
    return (f"# Made by python scripts/environments.py from pyproject.toml.\n{comment}"
            f"#   conda env create -f {file} && conda activate {name}\n"
            f"name: {name}\nchannels: [conda-forge]\ndependencies:\n" + "".join(f"  - {line}\n" for line in lines))


@click.command()
def main():
    """Write both files."""
    for file in FILES:
        (ROOT / file).write_text(environment(file), encoding="utf-8")
        click.echo(f"written: {file}")


if __name__ == "__main__":
    main()
