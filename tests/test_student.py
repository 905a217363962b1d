"""`aseqdip lab`: the student's copy of the lessons, which is never written over, and the server that shows it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from aseqdip_lite import InputError
from aseqdip_lite.course import jupyterlab, student
from aseqdip_lite.course.commands import main
from aseqdip_lite.course.exercises import REGISTRY, chosen
from aseqdip_lite.course.grading.handins import VARIANT

ROOT = Path(__file__).parent.parent


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A clone with two small lessons, in which the command is called."""
    home = tmp_path / "clone"
    for name in ("lessons/00_start_here.ipynb", "lessons/06_aseqdip.ipynb", *student.PAGES):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    (home / "README.md").write_text("| [00 Start here](lessons/00_start_here.ipynb) | the map |\n")
    monkeypatch.chdir(home)
    return home


def files(folder):
    """{name: text} of the files of a folder that are not hidden."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".")}


def test_a_copy_has_the_lessons_and_no_solutions():
    for name, content in student.contents(ROOT).items():
        if name.endswith(".ipynb"):
            assert nbformat.reads(content.decode(), 4).cells
    names = set(student.contents(ROOT))
    assert {path.name for path in (ROOT / "lessons").glob("*.ipynb")} < names
    assert not [name for name in names if name.endswith(".py") or "solutions" in name]


def test_a_copy_in_a_variant_sets_it_first_and_says_what_it_asks():
    plain, mine = student.contents(ROOT), student.contents(ROOT, 7)
    assert plain.keys() == mine.keys()
    noted = 0
    for name in [name for name in mine if name.endswith(".ipynb")]:
        before, after = (nbformat.reads(found[name].decode(), 4) for found in (plain, mine))
        nbformat.validate(after)
        code = [cell.source for cell in after.cells if cell.cell_type == "code"]
        assert code[1:] == [cell.source for cell in before.cells if cell.cell_type == "code"]
        assert VARIANT.findall(code[0]) == ["7"] and after.cells[0] == before.cells[0]
        for i, cell in enumerate(after.cells):
            for exercise in student.CHECK.findall(cell.source):
                asked = chosen(exercise, 7)
                if asked != exercise:
                    noted += 1
                    assert any(REGISTRY[asked].instead in other.source for other in after.cells[i - 2:i])
            assert not re.search("^quiz", cell.source, re.MULTILINE) or not cell.outputs
    assert noted >= 4


def test_no_later_cell_uses_an_answer_that_a_variant_may_change():
    varied, seen = {name.split(":")[0] for name in REGISTRY if ":" in name}, set()
    for path in (ROOT / "lessons").glob("*.ipynb"):
        code = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        for i, source in enumerate(code):
            for exercise, answer in re.findall(r'^check\("([^"]+)", (\w+)\)', source, re.MULTILINE):
                if exercise in varied:
                    seen.add(exercise)
                    assert not any(re.search(rf"\b{answer}\b", other) for other in code[:i] + code[i + 1:])
    assert seen == varied


def test_a_copy_keeps_its_variant(home):
    for name in ("00_start_here", "06_aseqdip"):
        (home / "lessons" / f"{name}.ipynb").write_text(json.dumps(dict(
            nbformat=4, nbformat_minor=5, metadata={}, cells=[dict(cell_type="code", source=["1"])])))
    mine = home / "mine"
    student.renew(mine, 7)
    assert student.renew(mine) == ([], []) == student.renew(mine, 7)
    assert '= \\"7\\"' in files(mine)["06_aseqdip.ipynb"]
    assert set(student.renew(mine, 8)[0]) == {"00_start_here.ipynb", "06_aseqdip.ipynb"}


def test_all_links_of_the_copied_pages_lead_to_something():
    found = student.contents(ROOT)
    assert len(student.LINK.findall(found["README.md"].decode())) == len(list((ROOT / "lessons").glob("*.ipynb"))) + 4
    for name, content in found.items():
        if name.endswith(".md"):
            for target in student.LINK.findall(content.decode()):
                assert os.path.normpath(Path(name).parent / target) in found, (name, target)
            for target in re.findall(r"/blob/main/([^)#]+)", content.decode()):
                assert (ROOT / target).is_file(), (name, target)


def test_what_a_student_changed_stays_and_the_new_version_is_put_beside_it_once(home):
    mine, lesson = home / "mine", home / "lessons" / "06_aseqdip.ipynb"
    written, beside = student.renew(mine)
    assert {"00_start_here.ipynb", "06_aseqdip.ipynb", "README.md", *student.PAGES} == set(written) == set(files(mine))
    assert student.renew(mine) == ([], []) == (beside, beside)

    (mine / "06_aseqdip.ipynb").write_text("an answer")
    assert student.renew(mine) == ([], [])
    lesson.write_text("second version")
    assert student.renew(mine) == ([], ["06_aseqdip.new.ipynb"])
    (mine / "06_aseqdip.new.ipynb").unlink()
    assert student.renew(mine) == ([], []), "a version is offered once"
    lesson.write_text("third version")
    student.renew(mine)
    (mine / "06_aseqdip.new.ipynb").write_text("an answer in the third version")
    lesson.write_text("fourth version")
    assert student.renew(mine) == ([], ["06_aseqdip.new.new.ipynb"])
    texts = files(mine)
    assert [texts[f"06_aseqdip{end}.ipynb"] for end in ("", ".new", ".new.new")] == [
        "an answer", "an answer in the third version", "fourth version"]


def test_what_a_student_did_not_change_is_renewed(home):
    mine, lesson = home / "mine", home / "lessons" / "06_aseqdip.ipynb"
    student.renew(mine)
    lesson.write_text("second version")
    (mine / "00_start_here.ipynb").unlink()
    assert set(student.renew(mine)[0]) == {"00_start_here.ipynb", "06_aseqdip.ipynb"}
    assert files(mine)["06_aseqdip.ipynb"] == "second version"


def test_files_that_were_there_before_stay(home):
    mine = home / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("notes")
    assert student.renew(mine)[1] == ["README.new.md"] and files(mine)["README.md"] == "notes"
    for damage in ("damaged", "[" * 100_000):
        (mine / student.MANIFEST).write_text(damage)
        assert student.read_manifest(mine) == {}
    (home / "lessons" / "06_aseqdip.ipynb").write_text("second version")
    assert student.renew(mine)[1] == ["06_aseqdip.new.ipynb"], "without a manifest all may be the student's"


@pytest.mark.parametrize("folder", [".", "lessons", "lessons/solutions", "docs", "docs/mine", "aseqdip_lite", ".git"])
def test_the_course_itself_is_no_copy(home, folder):
    before = files(home)
    with pytest.raises(InputError, match="the course's own folder: name another one"):
        student.renew(Path(folder))
    assert files(home) == before


def test_the_folders_of_the_clone_are_known():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {name.split("/")[0] for name in tracked.splitlines() if "/" in name} <= student.OWN


def test_a_folder_without_a_name_is_refused(home):
    result = CliRunner().invoke(main, ["lab", ""])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1) and not files(home).get("00_start_here.ipynb")


def test_a_folder_that_cannot_be_made_is_refused(home):
    (home / "file").write_text("in the way")
    for folder in ("file", "file/below"):
        with pytest.raises(InputError, match="cannot copy the lessons to .*; name another folder"):
            student.renew(home / folder)


def test_lab_opens_lesson_00_of_the_copy_on_this_machine_only(home, monkeypatch):
    calls = []
    monkeypatch.setattr(jupyterlab, "end_with_parent", lambda: None)  # this process is to go on
    monkeypatch.setattr(os, "execve", lambda program, command, environment: calls.append((command, environment)))
    result = CliRunner().invoke(main, ["lab", "--port", "9999", "--no-browser"])
    assert result.exit_code == 0 and result.stdout == f"lessons: {home / 'aseqdip-lessons'} (7 files are new)\n"
    (command, environment), = calls
    assert {"--ip=127.0.0.1", "--port=9999", "--no-browser", f"--notebook-dir={home / 'aseqdip-lessons'}",
            "--LabApp.default_url=/lab/tree/00_start_here.ipynb"} <= set(command)
    assert not any("token" in part or "password" in part for part in command), "Jupyter's own token stays in force"
    settings = Path(environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0])
    assert json.loads((settings / "labconfig" / "default_setting_overrides.json").read_text())
    (home / "aseqdip-lessons" / "README.md").write_text("notes")
    (home / "README.md").write_text("")
    result = CliRunner().invoke(main, ["lab", "--no-browser"])
    assert "you have changed this one, its new version is beside it: README.new.md\n" in result.stdout


def test_no_lessons_and_no_jupyter(home, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr("importlib.util.find_spec", lambda name: None)
        result = CliRunner().invoke(main, ["lab"])
        assert (result.exit_code, result.stderr) == (2, "aseqdip: JupyterLab is not installed: pip install "
                                                     "'aseqdip-lite[lessons]'\n")
    monkeypatch.setattr(student, "PACKAGE", home / "site-packages" / "aseqdip_lite")
    monkeypatch.chdir(home / "docs")
    result = CliRunner().invoke(main, ["lab"])
    assert result.exit_code == 2 and result.stderr.startswith("aseqdip: no folder lessons here: get it by git clone ")
    assert len(result.stderr.splitlines()) == 1 and not (home / "docs" / "aseqdip-lessons").exists()
