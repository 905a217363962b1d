"""The stored notebooks: in step with their sources, whole, readable; and each check finds the fault it is for.

That they run is tested by nbval, see `make test`.
"""

import base64
import copy
import io
import subprocess
import sys
from pathlib import Path

import build_lessons
import check_lessons
import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
STORED = [(source, solved) for source in build_lessons.sources() for solved in (False, True)]


@pytest.mark.parametrize("source, solved", STORED, ids=lambda value: getattr(value, "stem", value))
def test_stored_notebook_has_no_fault(source, solved):
    path = build_lessons.stored_path(source, solved)
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 10**6
    assert check_lessons.faults(notebook, build_lessons.notebook_of(source, solved), solved) == []


def test_no_notebook_without_a_source():
    sources = {build_lessons.stored_path(source, solved).resolve() for source, solved in STORED}
    assert {path.resolve() for path in build_lessons.LESSONS.rglob("*.ipynb")} == sources


# Each check finds its fault. The mutations start from a stored notebook without faults.

@pytest.fixture(scope="module")
def sound():
    """A stored notebook, and what its source makes."""
    source = build_lessons.LESSONS / "07_mri.py"
    return nbformat.read(build_lessons.stored_path(source, False), 4), build_lessons.notebook_of(source, False)


@pytest.fixture
def lesson(sound):
    return copy.deepcopy(sound)


def first(notebook, wanted):
    """The first code cell with a tag, or with an output of a kind."""
    return next(cell for cell in check_lessons.code_cells(notebook)
                if check_lessons.tagged(cell, wanted) or any(wanted in o.get("data", {}) for o in cell.outputs))


def strip_checked(notebook):
    cell = first(notebook, "nbval-check-output")
    cell.outputs, cell.execution_count = [], None


def strip_everything(notebook):
    for cell in check_lessons.code_cells(notebook):
        cell.outputs, cell.execution_count = [], None


def edit_output(notebook):
    first(notebook, "nbval-check-output").outputs[0].text += "holds: everything\n"


def edit_code(notebook):
    notebook.cells[3].source += "\nprint(1)"


def add_markdown(text):
    return lambda notebook: notebook.cells.append(nbformat.v4.new_markdown_cell(text))


def drop_tag(notebook):
    first(notebook, "nbval-check-output").metadata.tags = []


def run_out_of_order(notebook):
    cells = check_lessons.code_cells(notebook)
    cells[0].execution_count, cells[1].execution_count = 2, 1


def add_output(*kind, **content):
    """A mutation: the first code cell has one more output."""
    return lambda notebook: check_lessons.code_cells(notebook)[0].outputs.append(
        nbformat.v4.new_output(*kind, **content))


add_error = add_output("error", ename="ValueError", evalue="", traceback=[])
add_stderr = add_output("stream", name="stderr", text="a warning")
store_view = add_output("display_data", {build_lessons.WIDGET: {}, "text/plain": "Panel()"})
store_path = add_output("stream", text="saved to /ho" "me/jane/recon.png")
second_title = add_markdown("text\n\n# Another title")


def change_html(change):
    """A mutation: the first picture's HTML becomes change(HTML)."""
    def mutate(notebook):
        data = first(notebook, "text/html").outputs[0].data
        data["text/html"] = change(data["text/html"])
    return mutate


def other_picture(source):
    """A mutation: the first picture has another source, and its alt text."""
    return change_html(lambda html: f'<img src="{source}" alt{html.split(" alt")[1]}')


def sharp_png():
    buffer = io.BytesIO()
    Image.new("L", (9, 9)).save(buffer, format="png", dpi=(300, 300))
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


drop_alt = change_html(lambda html: html.split(" alt=")[0] + ">")
shorten_alt = change_html(lambda html: html.split(" alt=")[0] + ' alt="figure">')
other_alt = change_html(lambda html: html.replace('alt="', 'alt="Not so: '))
huge_picture = change_html(lambda html: html.replace('" alt', 4 * "A" * 300_000 + '" alt'))
remote_picture = other_picture("https://site.org/a.png")
sharp_picture = other_picture(sharp_png())


def plain_png(notebook):
    first(notebook, "text/html").outputs[0].data = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"}


def nameless_markdown_picture(notebook):
    notebook.cells[2] = nbformat.v4.new_markdown_cell("![](brain.png)")


def store_widgets(notebook):
    notebook.metadata["widgets"] = {}


def change_exercise(change):
    """A mutation: the first exercise's source becomes change(source)."""
    def mutate(notebook):
        cell = first(notebook, "exercise")
        cell.source = change(cell.source)
    return mutate


exercise_without_check = change_exercise(lambda source: source.split("check(")[0])
exercise_with_unknown_check = change_exercise(lambda source: source.replace('check("mri.', 'check("ct.'))
leave_marks = change_exercise(lambda source: source + "\n    # end")


def too_few_exercises(notebook):
    for cell in check_lessons.code_cells(notebook)[5:]:
        if check_lessons.tagged(cell, "exercise"):
            cell.metadata.tags = []


def answer_it(notebook):
    first(notebook, "exercise").outputs[0].data["text/plain"] = "mri.adjoint: right"


def ask_otherwise(notebook):
    cell = next(cell for cell in check_lessons.code_cells(notebook) if "\nquiz(" in cell.source)
    cell.outputs[0].data["text/html"] += "<p>Another question</p>"


@pytest.mark.parametrize("check, mutate, fault", [
    ("checked_cells", strip_checked, "is to be compared but has no stored output"),
    ("checked_cells", strip_everything, "is to be compared but has no stored output"),
    ("execution_counts", strip_everything, "not 1..n"),
    ("execution_counts", run_out_of_order, "not 1..n"),
    ("no_errors", add_error, "has an error output"),
    ("no_errors", add_stderr, "has an error output"),
    ("figures", drop_alt, "without alt text"),
    ("figures", shorten_alt, "without alt text"),
    ("figures", plain_png, "without alt text: use show"),
    ("figures", nameless_markdown_picture, "without alt text"),
    ("figures", remote_picture, "not a PNG inside the notebook"),
    ("figures", huge_picture, "of 1 MB or more"),
    ("figures", sharp_picture, "of 300 dpi"),
    ("no_widget_state", store_widgets, "metadata.widgets is stored"),
    ("no_widget_state", store_view, "stores the view of a widget"),
    ("no_machine_paths", store_path, "is stored"),
    ("one_title", second_title, "H1 in the cells [0, "),
    ("exercises_checked", exercise_without_check, "is an exercise without a check"),
    ("exercises_checked", exercise_with_unknown_check, "is an exercise without a check"),
    ("exercises_checked", too_few_exercises, "exercises, not 3 to 5"),
    ("exercises_checked", leave_marks, "has marks of a solution left"),
    ("quiz_of_today", ask_otherwise, "shows an earlier quiz"),
    ("alts_of_today", other_alt, "stores another alt text"),
])
def test_check_finds_its_fault(lesson, check, mutate, fault):
    notebook, _ = lesson
    check = getattr(check_lessons, check)
    assert check(notebook) == []
    mutate(notebook)
    assert any(fault in found for found in check(notebook))


def test_alt_texts_are_read_as_they_are_written():
    cell = """%matplotlib inline
show(first, alt="a  b"
     "c")
show(second, f"d" + "e")
show(third, alt=f"{d} e")
show(fourth, alt=None)
other(alt="f")"""
    assert check_lessons.alts_stated(cell) == ["a bc", "de"]


@pytest.mark.parametrize("mutate, fault", [
    (edit_code, "differs from the source"), (edit_output, "changed after the build"),
    (strip_checked, "has no stored output"), (run_out_of_order, "not 1..n"), (add_error, "has an error output"),
    (drop_alt, "without alt text"), (store_widgets, "metadata.widgets"), (store_path, "is stored"),
    (second_title, "H1 in the cells"), (exercise_without_check, "without a check"), (answer_it, "not answered yet"),
])
def test_every_check_is_made_of_a_stored_notebook(lesson, mutate, fault):
    mutate(lesson[0])
    assert any(fault in found for found in check_lessons.faults(*lesson, solved=False))


def test_the_command_refuses_a_folder_with_an_edited_notebook(lesson, tmp_path):
    edit_output(lesson[0])
    (tmp_path / "solutions").mkdir()
    nbformat.write(lesson[0], tmp_path / "07_mri.ipynb")
    command = [sys.executable, ROOT / "scripts" / "build_lessons.py", "07_mri", "--check", "--out", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert "outputs were changed after the build" in run.stdout and "07_mri.ipynb: not built" in run.stdout


@pytest.mark.parametrize("mutate, fault", [
    (edit_code, "cell 3 differs from the source"),
    (drop_tag, "differs from the source"),
    (add_markdown("more"), "cells, the source makes"),
])
def test_notebook_out_of_step_with_its_source_is_found(lesson, mutate, fault):
    notebook, expected = lesson
    assert check_lessons.in_step(notebook, expected) == []
    mutate(notebook)
    assert any(fault in found for found in check_lessons.in_step(notebook, expected))


@pytest.mark.parametrize("mutate", [edit_output, strip_everything, drop_alt])
def test_outputs_changed_after_the_build_are_found(lesson, mutate):
    notebook, _ = lesson
    assert check_lessons.sealed(notebook, "laptop") == []
    mutate(notebook)
    assert check_lessons.sealed(notebook, "laptop") == ["outputs were changed after the build"]


def test_notebook_of_another_profile_is_found(lesson):
    notebook, _ = lesson
    notebook.metadata.aseqdip.profile = "smoke"
    assert check_lessons.sealed(notebook, "laptop") == ["executed in smoke, not in laptop"]


def test_answers_in_the_wrong_tree_are_found(lesson):
    notebook, _ = lesson
    assert check_lessons.answered(notebook, solved=False) == []
    assert any("does not say 'right'" in fault for fault in check_lessons.answered(notebook, solved=True))
    answer_it(notebook)
    assert any("does not say 'not answered yet'" in fault for fault in check_lessons.answered(notebook, solved=False))


def test_nbval_compares_tagged_cells(tmp_path):
    notebook = nbformat.v4.new_notebook(metadata=dict(kernelspec=dict(name="python3", display_name="Python 3")))
    stored = nbformat.v4.new_output("stream", text="3\n")
    notebook.cells = [nbformat.v4.new_code_cell("print(1 + 2)", execution_count=1, outputs=[stored],
                                                metadata=dict(tags=["nbval-check-output"]))]
    edited = copy.deepcopy(notebook)
    edited.cells[0].outputs[0].text = "4\n"
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider"]
    for name, book, status in (("same.ipynb", notebook, 0), ("edited.ipynb", edited, 1)):
        nbformat.write(book, tmp_path / name)
        run = subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == status, run.stdout + run.stderr
