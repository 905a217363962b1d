"""The map of lesson 00 knows which lessons there are, its links lead to them, and its letters are the glossary's."""

import re
from pathlib import Path

import check_docs
import pytest

from aseqdip_lite.course import lesson_files

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "lessons"


def map_faults(text, there):
    """Where the rows of the map differ from the lessons {number: file name} that there are, one line each."""
    found, rows = [], dict(re.findall(r"^# \| \[?(\d\d[a-z]?) (.*)$", text, re.MULTILINE))
    for number in sorted({*rows, *there} - {"00"}):
        row = rows.get(number, "")
        link = re.match(r".*?\]\((\S+?)\) \|", row)
        if number in there and (link is None or link[1] != there[number]):
            found.append(f"lesson {number} is there: link {there[number]}")
        if number not in there and (link or "(to come)" not in row):
            found.append(f"lesson {number} is not there: say (to come)")
    return found


@pytest.fixture(scope="module")
def source():
    return (LESSONS / "00_start_here.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def there():
    return {number: f"{path.stem}.ipynb" for number, path in lesson_files(LESSONS, "py").items()}


def test_the_map_is_that_of_the_course(source, there):
    assert map_faults(source, there) == []


@pytest.mark.parametrize("old, new, fault", [
    ("[01 Inverse problems](01_inverse_problems.ipynb)", "01 Inverse problems", "lesson 01 is there"),
    ("(02_deep_image_prior.ipynb) |", "(02_dip.ipynb) |", "lesson 02 is there"),
    ("# | [06 aSeqDIP](", "# | [60 aSeqDIP](", "lesson 60 is not there"),
    ("# | [07 MRI](", "# | [](", "lesson 07 is there"),
])
def test_a_map_that_is_wrong_is_found(source, there, old, new, fault):
    assert old in source
    assert any(found.startswith(fault) for found in map_faults(source.replace(old, new), there))


def test_every_link_to_a_notebook_leads_to_one(source):
    links = re.findall(r"\]\((\S+\.ipynb)\)", source)
    for folder in (LESSONS, LESSONS / "solutions"):
        assert [link for link in links if not (folder / link).is_file()] == []


def test_letters_mean_what_the_glossary_says(source):
    table = source.split("## The letters")[1].split("# %%")[0]
    rows = re.findall(r"^# \| (`.+?) \| (.*?) \| .* \| (\d\d) \|$", table, re.MULTILINE)
    glossary = check_docs.GLOSSARY.read_text(encoding="utf-8")
    known = {symbol: cells for symbol, cells in check_docs.symbol_rows(glossary) if cells[-1] <= "06"}
    assert len(rows) == 8
    for code, symbols, lesson in rows:
        for symbol, name in zip(re.findall(r"\$([^$]+)\$", symbols), re.findall(r"`(.+?)`", code), strict=False):
            assert f"`{name}`" in known[symbol][1] and known[symbol][-1] <= lesson, (symbol, name)
