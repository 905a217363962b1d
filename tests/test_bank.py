"""The instructor's bank: a variant for each student from one secret, and its answers, which are right."""

import json

import pytest
from checks import error_of
from click.testing import CliRunner

from aseqdip_lite.course import bank, quiz
from aseqdip_lite.course.bank import read_variants
from aseqdip_lite.course.commands import main
from aseqdip_lite.course.exercises import REGISTRY, chosen, own


def test_a_class_gets_variants_pages_and_a_table_that_the_grader_reads(tmp_path):
    (tmp_path / "class.txt").write_text("Ada\n\n Ben B.\n../Eve/*\n")
    call = ["bank", str(tmp_path / "out"), "--students", str(tmp_path / "class.txt"), "--secret", "s", "--lesson", "06"]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, result.output
    each = read_variants(tmp_path / "out" / "variants.json")
    assert list(each) == ["Ada", "Ben B.", "../Eve/*"] and len(set(each.values())) == 3
    pages = sorted(path for path in tmp_path.rglob("*.md"))
    assert len(pages) == 3 and {path.parent for path in pages} == {tmp_path / "out"}
    page = (tmp_path / "out" / "Ada.md").read_text(encoding="utf-8")
    for question in quiz("06", each["Ada"]):
        assert question.ask in page and f"**{question.solution}**" in page and question.why in page
    for name in own():
        asked = chosen(name, each["Ada"])
        assert asked == name or REGISTRY[asked].solution in page
    assert "Quiz of lesson 07" not in page
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")if path.is_file()}
    CliRunner().invoke(main, call)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_more_students_join_a_folder_and_another_secret_is_refused(tmp_path):
    bank.write(tmp_path, ["Ada", "Ben"], "s", ["06_aseqdip"])
    bank.write(tmp_path, ["Ben", "Eve"], "s", ["06_aseqdip"])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    each = read_variants(tmp_path / "variants.json")
    assert each == {name: bank.variant_of(name, "s") for name in ("Ada", "Ben", "Eve")}
    assert len(before) == 1 + len(each)
    for students in (["Ada"], ["Zoe"]):
        assert "name another folder" in error_of(bank.write, tmp_path, students, "t")
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("secret", ["", "  "])
def test_a_blank_secret_is_refused(tmp_path, secret):
    result = CliRunner().invoke(main, ["bank", str(tmp_path / "out"), "--students", "2", "--secret", secret])
    assert result.exit_code == 2 and "the secret is blank" in result.stderr and not (tmp_path / "out").exists()


def test_another_secret_gives_other_variants():
    first, second = ([bank.variant_of(student, secret) for student in bank.students("30")] for secret in "ab")
    assert len({*first, *second}) == 60 and max(first) < 10**8


def test_most_neighbours_do_not_share_an_answer():
    """Of two students, by number of the question as it stands: what one whispers to the other is seldom right."""
    same = total = 0
    for name in ("02", "06", "12"):
        quizzes = [quiz(name, bank.variant_of(student, "secret")) for student in bank.students("12")]
        for left, right in zip(quizzes, quizzes[1:], strict=False):
            same += sum(json.dumps(a.right) == json.dumps(b.right) for a, b in zip(left, right, strict=True))
            total += len(left)
    assert same < total / 4


@pytest.mark.parametrize("content, fault", [("", "0 students"), ("a\nb\na\n", "'a' is named twice")])
def test_a_class_that_is_none_is_refused_in_one_line(tmp_path, content, fault):
    (tmp_path / "class.txt").write_text(content)
    assert fault in error_of(bank.students, str(tmp_path / "class.txt"))
    assert "no list of students" in error_of(bank.students, str(tmp_path))
    for number in ("0", "10001", "99999999"):
        assert f"{number} students: give 1 to" in error_of(bank.students, number)
    assert bank.students("002") == ["student-1", "student-2"]
