"""The plan of the house: imports point down, without a circle; a small core beside the course."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aseqdip_lite"


def lint(folder):
    """Run the contracts of pyproject.toml on the package in a folder."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()",
               "--no-cache"]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path):
    """The package's sources and its contracts in a folder of their own."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "aseqdip_lite", ignore=lambda folder, names: [
        name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())])
    return tmp_path


def test_imports_point_down_without_a_circle(copy):
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module, line", [
    ("case.py", "from .run import engine"),
    ("methods/tv.py", "from ..course import claim"),
    ("images/types.py", "from .files import load_file"),
    ("learned/varnet.py", "from ..methods.base import square_norm"),
])
def test_an_arrow_up_or_a_circle_is_found(copy, module, line):
    with (copy / "aseqdip_lite" / module).open("a") as file:
        file.write(f"\n\n{line}\n")
    assert lint(copy).returncode == 1


def test_the_root_holds_five_modules_and_the_core_stays_small():
    files = [file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py")]
    assert len([file for file in files if len(file.parts) == 1 and file.name != "__init__.py"]) <= 5
    lines = {file: len((PACKAGE / file).read_text(encoding="utf-8").splitlines()) for file in files}
    assert max(lines.values()) <= 300
    learned = sum(count for file, count in lines.items() if file.parts[0] == "learned")
    outside = sum(count for file, count in lines.items() if file.parts[0] in ("course", "widgets"))
    assert learned <= 1_200 and sum(lines.values()) - outside - learned <= 11_590
