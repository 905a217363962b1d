"""From a lesson's source to its two notebooks, not executed."""

import build_lessons
import pytest

SOURCE = '''\
# ---
# jupyter:
#   minutes: 7
# ---

# %% [markdown]
# # Title
# {colab} about {minutes} minutes

# %% tags=["exercise"]
def double(x):
    # blank: ...
    twice = 2 * x
    return twice
    # end


# blank: answer = ...
answer = double(21)
# end
check("mri.lam", answer)
'''


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "99_test.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_exercises_are_blank_in_one_tree_and_solved_in_the_other(source):
    blank, solved = (build_lessons.notebook_of(source, solved).cells[-1].source for solved in (False, True))
    assert blank == 'def double(x):\n    ...\n\n\nanswer = ...\ncheck("mri.lam", answer)'
    assert solved == ('def double(x):\n    twice = 2 * x\n    return twice\n\n\n'
                      'answer = double(21)\ncheck("mri.lam", answer)')


def test_title_gets_badge_and_minutes_and_colab_is_set_up_first(source):
    notebook = build_lessons.notebook_of(source, solved=True)
    assert notebook.cells[0].source == (
        "# Title\n[Open in Google Colab](https://colab.research.google.com/github/aseqdip-lite/aseqdip-lite/blob/main/"
        "lessons/solutions/99_test.ipynb) about 7 minutes")
    setup = notebook.cells[1]
    assert setup.metadata.tags == ["colab-setup"]
    assert "git+https://github.com/aseqdip-lite/aseqdip-lite" in setup.source
    assert "CPU: about 7 min" in setup.source


def test_code_before_the_first_section_is_folded_and_no_other(source):
    source.write_text(SOURCE.replace('# %% tags=["exercise"]', """# %%
import math

# %% [markdown]
# ## A section

# %% tags=["exercise"]"""), encoding="utf-8")
    cells = build_lessons.notebook_of(source, solved=False).cells
    assert [cell.metadata.get("jupyter") for cell in cells if cell.cell_type == "code"] == [
        dict(source_hidden=True), dict(source_hidden=True), None]


def test_the_same_source_makes_the_same_notebook(source):
    assert build_lessons.notebook_of(source, False) == build_lessons.notebook_of(source, False)
