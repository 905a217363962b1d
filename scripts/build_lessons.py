"""Make the lessons' notebooks from their sources.

    python scripts/build_lessons.py                      all lessons, executed in the laptop profile
    python scripts/build_lessons.py 07_mri --profile smoke --out out/lessons
    python scripts/build_lessons.py --check              only compare what is stored with the sources

A source is lessons/NN_name.py in jupytext's py:percent. It makes two notebooks: lessons/NN_name.ipynb,
whose exercises are blank, and lessons/solutions/NN_name.ipynb. In a cell tagged "exercise" the lines

    # blank: answer = ...
    answer = 6 * 7
    # end

become `answer = ...` in the first and `answer = 6 * 7` in the second. The first markdown cell may hold
{colab} (the badge) and {minutes} (from the header's `minutes`); the cell that sets up Google Colab is added.
Code before the first section, imports and the first picture, is folded, so that the picture is on the first screen.
"""

import copy
import hashlib
import json
import os
import re
import sys
from pathlib import Path

import click
import jupytext
import nbformat
from nbclient import NotebookClient

from aseqdip_lite.course import PROFILES, REPOSITORY, lesson_files

LESSONS = Path(__file__).resolve().parent.parent / "lessons"
WIDGET = "application/vnd.jupyter.widget-view+json"
SOLUTION = re.compile(r"^( *)# blank: (.*)\n((?:.*\n)*?)\1# end$", re.MULTILINE)

COLAB = '''\
# On Google Colab this cell installs the course; elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
    import subprocess
    from importlib.metadata import version

    before = version("torch")
    packages = ["sigpy", "pydicom", "git+{repository}"]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *packages], check=True)
    if version("torch") != before:
        raise RuntimeError("the installation changed PyTorch: restart the runtime and report this")
    import torch

    print(torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU: about {minutes} min")'''


def sources(names=()):
    """Paths of the lessons' sources, of the given names or all; click.BadParameter for an unknown name."""
    known = {path.stem: path for path in lesson_files(LESSONS, "py").values()}
    for name in names:
        if name not in known:
            raise click.BadParameter(f"there is no lesson '{name}': known: {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())


def notebook_of(source, solved):
    """The notebook of a source, not executed: exercises blank, or solved for the tree of solutions."""
    text = jupytext.read(source)
    minutes = str(text.metadata.pop("minutes"))
    notebook = nbformat.v4.new_notebook(metadata=dict(
        kernelspec=dict(name="python3", display_name="Python 3", language="python"), language_info=dict(name="python")))
    title, *cells = text.cells
    folder = "lessons/solutions" if solved else "lessons"
    title.source = title.source.replace("{colab}", badge(f"{folder}/{source.stem}.ipynb")).replace("{minutes}", minutes)
    setup = nbformat.v4.new_code_cell(COLAB.replace("{repository}", REPOSITORY).replace("{minutes}", minutes),
                                      metadata=dict(tags=["colab-setup"]))
    opening = True
    for number, cell in enumerate([title, setup, *cells]):
        cell.id = f"cell-{number:03d}"
        cell.metadata = dict(tags=cell.metadata["tags"]) if cell.metadata.get("tags") else {}
        opening &= not cell.source.startswith("## ")
        if opening and cell.cell_type == "code":
            cell.metadata["jupyter"] = dict(source_hidden=True)
        if "exercise" in cell.metadata.get("tags", ()):
            cell.source = SOLUTION.sub((lambda m: m[3].rstrip("\n")) if solved else r"\1\2", cell.source)
        notebook.cells.append(cell)
    return nbformat.from_dict(notebook)


def badge(path):
    """Markdown of the "open in Colab" link to a notebook of the repository."""
    address = REPOSITORY.replace("https://github.com", "https://colab.research.google.com/github")
    return f"[Open in Google Colab]({address}/blob/main/{path})"


def execute(blank, solved, profile):
    """Run the two notebooks of a lesson in a profile, and store their outputs.

    Both run in one kernel, cell by cell: an exercise is run blank and then solved, every other cell
    once for both. Nothing depends on what an exercise defines, so each also runs on its own, which
    nbval does in the tests.

    Raises:
        CellExecutionError: a cell fails.
    """
    os.environ["ASEQDIP_PROFILE"] = profile  # the kernel inherits it
    # a copy, for the client puts each executed cell into its own notebook
    client = NotebookClient(copy.deepcopy(blank), timeout=1800, kernel_name="python3", record_timing=False,
                            coalesce_streams=True, resources=dict(metadata=dict(path=str(LESSONS))))
    pairs = [pair for pair in enumerate(zip(blank.cells, solved.cells, strict=True)) if pair[1][0].cell_type == "code"]
    with client.setup_kernel():
        for count, (index, (cell, twin)) in enumerate(pairs, start=1):
            client.execute_cell(cell, index)
            cell.outputs = [without_widgets(output) for output in cell.outputs if not is_progress_bar(output)]
            if twin.source == cell.source:
                twin.outputs = copy.deepcopy(cell.outputs)
            else:
                client.execute_cell(twin, index)
            for executed in (cell, twin, *cell.outputs, *twin.outputs):
                if "execution_count" in executed:
                    executed.execution_count = count
    for notebook in (blank, solved):
        notebook.metadata.aseqdip = dict(profile=profile, outputs=digest(notebook))


def is_progress_bar(output):
    """Whether an output is a widget that a cell displayed on its way, not its result."""
    return output.output_type == "display_data" and WIDGET in output.data


def without_widgets(output):
    """An output without the view of a widget, which is alive only while its kernel is; its text stays."""
    output.get("data", {}).pop(WIDGET, None)
    return output


def digest(notebook):
    """SHA-256 of all stored outputs, so that an output edited by hand is found."""
    outputs = [cell.get("outputs") for cell in notebook.cells]
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()


def stored_path(source, solved, folder=LESSONS):
    """Where the notebook of a source lies."""
    return folder / ("solutions" if solved else ".") / f"{source.stem}.ipynb"


@click.command()
@click.argument("names", nargs=-1)
@click.option("--profile", type=click.Choice(PROFILES), default="laptop", show_default=True, help="Sizes and steps.")
@click.option("--out", type=click.Path(path_type=Path), default=LESSONS, help="Folder to write to [lessons].")
@click.option("--check", is_flag=True, help="Execute nothing: exit 1 if a stored notebook has a fault.")
def main(names, profile, out, check):
    """Execute the lessons NAMES (all by default) and store their notebooks, or check what is stored."""
    import check_lessons

    found = []
    for source in sources(names):
        paths = [stored_path(source, solved, out) for solved in (False, True)]
        wanted = [notebook_of(source, solved) for solved in (False, True)]
        if not check:
            execute(*wanted, profile)
            for path, notebook in zip(paths, wanted, strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, path)
        for path, solved in zip(paths, (False, True), strict=True):
            if path.exists():
                expected = notebook_of(source, solved)
                found += check_lessons.faults(nbformat.read(path, 4), expected, solved, profile)
            else:
                found.append(f"{path.name}: not built")
    click.echo("\n".join(found) or "no fault")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
