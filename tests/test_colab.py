"""Google Colab: its first cell, its versions (in .venv-colab, see `make colab`), and the packages that it has not."""

import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from licences import applies
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
COLAB = Path(sys.prefix).name == ".venv-colab"

#: What Colab's image does not have, and the first cell does not install.
NOT_THERE = ("jupytext", "nbval", "playwright")


def pins(file):
    """{package: its pin} of a list of exact versions."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(pin.name): pin for line in lines
            if "==" in line and applies(pin := Requirement(line), ())}


@pytest.mark.skipif(not COLAB, reason="only in .venv-colab: make colab")
def test_this_environment_has_the_versions_of_colab_in_front_of_its_own():
    for pin in pins("constraints-colab.txt").values():
        assert pin.specifier.contains(version(pin.name)), f"{pin.name} {version(pin.name)}, not {pin.specifier}"
    import ipykernel
    import IPython
    import ipywidgets

    seen = dict(ipywidgets=ipywidgets.__version__, ipykernel=ipykernel.__version__, IPython=IPython.__version__)
    assert seen == dict(ipywidgets="7.7.1", ipykernel="6.17.1", IPython="7.34.0")
    assert all(".venv-colab" in module.__file__ for module in (ipywidgets, ipykernel, IPython))


# The first code cell, as it is stored in the notebook that Colab opens. In tests, google.colab is an empty module.

@pytest.fixture
def setup():
    """The source of the cell that sets up Colab."""
    notebook = nbformat.read(ROOT / "lessons" / "00_start_here.ipynb", 4)
    cell, = [cell for cell in notebook.cells if "colab-setup" in cell.metadata.get("tags", ())]
    assert cell is next(cell for cell in notebook.cells if cell.cell_type == "code"), "it must be the first code cell"
    return cell.source


@pytest.fixture
def on_colab(monkeypatch):
    """Pretend to be on Colab; returns the commands that were called, none of which is run."""
    calls = []
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append((command, check)))
    return calls


def test_the_first_cell_does_nothing_elsewhere(setup, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a command was called"))
    exec(setup, {})
    assert capsys.readouterr().out == ""


def test_on_colab_it_installs_the_course_and_those_dependencies_that_colab_lacks(setup, on_colab):
    exec(setup, {})
    (command, check), = on_colab
    assert check is True and command[:4] == [sys.executable, "-m", "pip", "install"]
    *options, repository = command[4:]
    assert options[:2] == ["--quiet", "--no-deps"] and repository.startswith("git+https://github.com/")
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = {canonicalize_name(one.name): one for one in map(Requirement, facts["dependencies"])}
    there = pins("constraints-colab.txt") | pins("colab-image.txt") | dict(torch=Requirement("torch==2.11.0"))
    assert set(options[2:]) == set(ours) - set(there)  # what Colab lacks, no more
    assert all(one.specifier.contains(str(there[name].specifier)[2:]) for name, one in ours.items() if name in there)
    needs = {canonicalize_name(one.name) for name in options[2:] for one in map(Requirement, requires(name) or ())
             if applies(one, ())}
    assert needs <= set(there) | set(options[2:])


def test_on_colab_it_refuses_a_changed_torch(setup, on_colab, monkeypatch):
    versions = iter(("2.11.0+cu128", "2.13.0"))
    monkeypatch.setattr("importlib.metadata.version", lambda name: next(versions))
    with pytest.raises(RuntimeError, match="the installation changed PyTorch: restart the runtime and report this"):
        exec(setup, {})


@pytest.mark.parametrize("there, line", [(True, "Tesla T4"), (False, "CPU: about 1 min")])
def test_on_colab_it_prints_the_gpu_or_the_time_on_a_cpu(setup, on_colab, monkeypatch, capsys, there, line):
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Tesla T4")
    exec(setup, {})
    assert capsys.readouterr().out.strip() == line


def test_what_colab_lacks_is_not_needed_by_a_run_and_a_panel():
    code = f"""
import sys
sys.modules.update(dict.fromkeys({NOT_THERE}))  # None: importing it raises ImportError
from aseqdip_lite import ASeqDIP, load_case, reconstruct
from aseqdip_lite.course import banner, check, show
from aseqdip_lite.widgets import panel
case = load_case("mri", size=32, coils=2)
print(reconstruct(case, ASeqDIP(K=1), progress=False).metrics["steps"])
print(panel("mri", profile="smoke", device="cpu", size=32, coils=2, N=2, K=1).run_sync().metrics["steps"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["2", "2"], done.stderr
