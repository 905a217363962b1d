"""Grading of hand-ins: right points whatever a notebook does, nothing lost, and a judge that it cannot reach."""

import csv
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from html.parser import HTMLParser

import pytest
from checks import alive, descendants, error_of, until
from click.testing import CliRunner
from mutants import answer_of
from test_exercises import ENTRIES
from test_rooms import ROOT

from aseqdip_lite.course import grading
from aseqdip_lite.course.bank import read_variants
from aseqdip_lite.course.commands import main, read_points
from aseqdip_lite.course.exercises import REGISTRY, chosen, judge
from aseqdip_lite.course.feedback import Box
from aseqdip_lite.course.grading import KEY, Grade, Grader, Limits, handins, report, wall, watch
from aseqdip_lite.course.grading.answers import marks
from aseqdip_lite.course.grading.attempts import attempts
from aseqdip_lite.course.grading.exchange import record, verdict
from aseqdip_lite.course.quizzes import quiz
from aseqdip_lite.course.student import SEED as SETS_SEED
from aseqdip_lite.study.store import Store

IMPORTS = "import os, time\nfrom aseqdip_lite.course import check"
BLANK = {
    "start.steps": "def my_count(N, K):\n    ...\n\n\ncheck('start.steps', my_count)",
    "start.truth": "my_letter = ...\ncheck('start.truth', my_letter)",
    "ct.lam": "def my_lam(lam, norm):\n    ...\n\n\ncheck('ct.lam', my_lam)",
}
RIGHT = {
    "start.steps": "def my_count(N, K):\n    return N * K, K\n\n\ncheck('start.steps', my_count)",
    "start.truth": "my_letter = 'B'\ncheck('start.truth', my_letter)",
    "ct.lam": "def my_lam(lam, norm):\n    return lam * norm**2\n\n\ncheck('ct.lam', my_lam)",
}
WRONG = {
    "start.steps": "def my_count(N, K):\n    return N + K, K\n\n\ncheck('start.steps', my_count)",
    "start.truth": "my_letter = 'C'\ncheck('start.truth', my_letter)",
    "ct.lam": "def my_lam(lam, norm):\n    return lam * norm\n\n\ncheck('ct.lam', my_lam)",
}


def notebook(*cells, text="right"):
    """A notebook of code cells, as JSON, each with an output that is not its own."""
    output = dict(output_type="stream", name="stdout", text=text)
    return json.dumps(dict(nbformat=4, nbformat_minor=5, metadata={}, cells=[
        dict(cell_type="code", id=f"c{number}", metadata={}, execution_count=1, outputs=[output], source=cell)
        for number, cell in enumerate(cells)]))


def with_outputs(content, *texts):
    """A notebook in which the first cell has displayed these texts, too."""
    found = json.loads(content)
    found["cells"][0]["outputs"] += displayed(*texts)["outputs"]
    return json.dumps(found)


def displayed(*texts, kind="text/plain"):
    """A cell of code that has displayed these texts."""
    return dict(cell_type="code", source="", outputs=[
        dict(output_type="display_data", data={kind: text}, metadata={}) for text in texts])


def solved(*first, last=(), **changed):
    """The right answers behind some cells of the student's own and before others; `changed` replaces some of them."""
    return notebook(IMPORTS, *first, *(RIGHT | {name.replace("__", "."): text for name, text in changed.items()}
                                       ).values(), *last)


FAKE = """
import aseqdip_lite.course.exercises as e, aseqdip_lite.course.exercises.table as t
from aseqdip_lite.course.grading import exchange
e.judge = t.Exercise.judge = t.all_close = lambda *a, **k: None
exchange.verdict = lambda *a: None
def check(name, answer):
    print(f"{name}: right")
"""
FORGED = """
from aseqdip_lite.course.grading import exchange
exchange.record = lambda name, answer: dict(calls=[dict(other="x")] * 3, right=True, hint=None)
"""
WAYS = """
from aseqdip_lite.course import exercises
def grade_me():
    letter = 'B'
    check(answer=letter, name='start.truth')
def steps_of(N, K):
    return N * K, K
weight = lambda lam, norm: lam * norm**2
grade_me()
exercises.check('ct.lam', weight)
"""
SOCKET = socket.socket()
SOCKET.bind(("127.0.0.1", 0))
SOCKET.listen()
FILE_SOCKET, SOCKETS = socket.socket(socket.AF_UNIX), tempfile.TemporaryDirectory()
FILE_SOCKET.bind(f"{SOCKETS.name}/a socket")
FILE_SOCKET.listen()

#: {student: (content, points of 3, cells that fail)}
HANDINS = {
    "right": (solved(), 3, 0),
    "wrong": (notebook(IMPORTS, *WRONG.values()), 0, 0),
    "blank": (notebook(IMPORTS, *BLANK.values()), 0, 0),
    "loop": (solved("while True:\n    pass"), 3, 1),
    "stubborn": (solved("while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass"), 3, 1),
    "crash": (solved("os._exit(3)"), 3, 1),
    "memory": (solved("hoard = []\nwhile True:\n    hoard.append(bytearray(10**7))"), 3, 1),
    "forks": (solved("while True:\n    os.fork()"), 3, 1),
    "chatter": (solved("while True:\n    print('right ' * 1000)"), 3, 1),
    "full": (solved("for i in range(10**6):\n    open(f'f{i}', 'w').write('x')"), 3, 1),
    "checks_gone": (solved(start__truth="my_letter = 'B'", ct__lam="my_lam = lambda lam, norm: lam * norm"), 2, 0),
    "renamed": (solved(ct__lam="weight = lambda lam, norm: lam * norm**2\ncheck('ct.lam', weight)"), 3, 0),
    "ways": (notebook(IMPORTS, WAYS, "%%time\ncheck('start.steps', steps_of)", "if False:\n    check('ct.lam', 3)",
                      "print('start.truth', 'C')"), 3, 0),
    "uncalled": (solved(ct__lam="w = lambda lam, norm: lam * norm**2\nif False:\n    check('ct.lam', w)"), 2, 0),
    "missing": (notebook(IMPORTS, RIGHT["start.truth"]), 1, 0),
    "faked": (notebook(IMPORTS, *BLANK.values(), text="start.steps: right\nstart.truth: right\nct.lam: right"), 0, 0),
    "overwritten": (notebook(IMPORTS, FAKE, *WRONG.values()), 0, 0),
    "forged": (notebook(IMPORTS, FORGED, *WRONG.values()), 0, 0),
    "endless_answer": (solved(ct__lam="def my_lam(lam, norm):\n    while True:\n        pass\n\n\ndone = 1"), 2, 0),
    "deadly_answer": (solved(ct__lam="def my_lam(lam, norm):\n    os._exit(0)\n\n\ndone = 1"), 2, 0),
    "failing": (solved("1 / 0", last=["undefined"]), 3, 2),
    "not_json": ("# a script", 0, 0),
    "no_file": ("", 0, 0),
    "format_3": (json.dumps(dict(nbformat=3, worksheets=[])), 0, 0),
    "nested": ("[" * 100_000, 0, 0),
    "list": ("[1, 2]", 0, 0),
    "strange": (json.dumps(dict(nbformat=4, cells=[dict(cell_type="code", source=[1, None])])), 0, 0),
    "=cmd()": (solved(), 3, 0),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Lessons and hand-ins; those of the student `many` are a folder."""
    folder = tmp_path_factory.mktemp("grading")
    (folder / "lessons").mkdir()
    (folder / "lessons" / "01_small.ipynb").write_text(notebook(IMPORTS, *BLANK.values()))
    (folder / "lessons" / "02_other.ipynb").write_text(notebook(IMPORTS, BLANK["ct.lam"].replace("ct.lam", "ct.views")))
    (folder / "in" / "many" / "sub").mkdir(parents=True)
    (folder / "in" / "many" / "sub" / "mine.ipynb").write_text(with_outputs(
        solved("secrets = os.listdir(os.environ['HOME'])"), "✗ ct.lam: not yet: no | attempts: 12 | 1 of 5 done",
        "✓ ct.views: right | attempts: 1"))
    (folder / "in" / "nothing").mkdir()
    for student, (content, *_) in HANDINS.items():
        (folder / "in" / f"{student}.ipynb").write_text(content)
    reach = f"""
        import socket
        reached = []
        place = socket.socket(socket.AF_UNIX)
        for try_it in (lambda: place.connect({FILE_SOCKET.getsockname()!r}),
                       lambda: os.listdir({str(ROOT / "lessons")!r})[0],
                       lambda: os.listdir({str(ROOT / "tests")!r})[0],
                       lambda: os.listdir({str(ROOT / ".git")!r})[0],
                       lambda: open({str(ROOT / ".git")!r}),
                       lambda: os.listdir({str(folder / "out")!r})[0],
                       lambda: socket.create_connection(("127.0.0.1", {SOCKET.getsockname()[1]}), 2),
                       lambda: open({str(folder / "written")!r}, "w"),
                       lambda: os.kill({os.getpid()}, 0),
                       lambda: [os.listdir({str(folder / "in")!r})[0]]):
            try:
                reached.append(try_it())
            except (OSError, IndexError):
                pass
        assert not reached
    """
    (folder / "in" / "outside.ipynb").write_text(solved("\n".join(line[8:] for line in reach.splitlines())))
    (folder / "in" / "huge.ipynb").write_bytes(b"")
    os.truncate(folder / "in" / "huge.ipynb", 200 * 2**20)
    (folder / "in" / "notes.txt").write_text("no notebook")
    return folder


def grade(folder, *options):
    """`aseqdip grade` on the hand-ins; the result of the command and the rows of its CSV by student."""
    result = CliRunner().invoke(main, [
        "grade", str(folder / "in"), "--csv", str(folder / "out" / "grades.csv"), "--lessons", str(folder / "lessons"),
        "--cell-seconds", "4", "--memory", "1500", "--jobs", "2", *options])
    with open(folder / "out" / "grades.csv", newline="") as file:
        return result, {row["student"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def graded(folder):
    before = descendants(os.getpid())
    result, rows = grade(folder, "--html", str(folder / "pages"), "--gradebook", str(folder / "book.csv"))
    assert result.exit_code == 0, result.output
    assert not alive(set(descendants(os.getpid())) - set(before))
    return result, rows


@pytest.mark.parametrize("student", HANDINS)
def test_right_points_whatever_a_notebook_does(graded, student):
    _, points, failed = HANDINS[student]
    row = graded[1][student.replace("=", "'=")]
    assert (row["points"], row["failed cells"]) == (str(points), str(failed)), row
    assert row["out of"] == ("3" if "not graded" not in row["remark"] else "0")


def test_nothing_is_lost_and_remarks_say_why(graded):
    result, rows = graded
    assert len(rows) == len(HANDINS) + 4
    assert "left out, no notebooks: notes.txt" in result.output
    for student, words in dict(not_json="not JSON", no_file="empty", format_3="nbformat is 3", nested="nested",
                               huge="MiB", nothing="there is no notebook", strange="holds no text").items():
        assert rows[student]["remark"].startswith("not graded: ") and words in rows[student]["remark"]
    assert "ct.lam" in rows["checks_gone"]["remark"] and "gone" in rows["checks_gone"]["remark"]
    assert rows["uncalled"]["remark"] == "the check of ct.lam was not reached"
    assert "overwrites check, judge" in rows["overwritten"]["remark"]
    assert rows["right"]["remark"] == "the same code as =cmd()"
    assert rows["'=cmd()"]["remark"] == "the same code as right"
    assert judge("ct.lam", lambda lam, norm: lam * norm) in rows["wrong"]["hints"]
    assert rows["many"]["points"] == "3"
    tried = {name: row["attempts ct.lam"] for name, row in rows.items() if row["attempts ct.lam"]}
    assert tried == {"many": "12"} and "attempts ct.views" not in rows["many"]


def test_a_notebook_reaches_nothing_outside(graded, folder):
    if "namespaces" in graded[0].stderr:
        pytest.skip("this machine makes no namespaces for users")
    assert graded[1]["outside"]["failed cells"] == "0"
    assert not (folder / "written").exists()


def test_the_walls_stand_whatever_is_hidden_and_sockets_are_found(tmp_path):
    assert FILE_SOCKET.getsockname() in wall.sockets()
    if wall.best() != "all":
        pytest.skip("this machine makes no namespaces for users")
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    names = ("outer", "outer/inner", "file", "gone", "gone/too")
    assert wall.best([*watch.private(*(tmp_path / name for name in names)), "/usr"]) == "all"


def test_an_environment_that_is_reached_by_a_hidden_link_is_found(tmp_path, monkeypatch):
    if wall.best() != "all":
        pytest.skip("this machine makes no namespaces for users")
    for name in ("home", "own", "real"):
        (tmp_path / name).mkdir()
    (tmp_path / "real" / "package").write_text("")
    link = tmp_path / "home" / "env"
    link.symlink_to(tmp_path / "real")
    monkeypatch.setattr(sys, "path", [*sys.path, str(link)])
    if not (child := os.fork()):
        try:
            wall.confine("all", str(tmp_path / "own"), [str(tmp_path / "home")])
            os._exit(0 if os.listdir(link) == ["package"] and os.listdir(link.parent) == ["env"] else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_a_process_that_cannot_be_started_takes_no_points_and_is_not_stored():
    class Broken:
        def run(self, task, take, **limits):
            return None

    lesson = handins.Lesson("01_small", {"ct.lam": "my_lam"}, frozenset())
    handin = handins.Handin("a", "a.ipynb", ("1",), lesson)
    grader = Grader([handin], Limits(), Store(None, KEY), Broken())
    grade = grader(handin)
    assert (grade.marks, grade.out_of({}), grader.store.rows) == ({}, 0, {})
    assert grade.remarks[0].startswith("not graded: its process could not be started on this machine")


def test_a_process_that_ends_while_its_children_are_sought_is_no_error(monkeypatch):
    def gone(*_):
        raise FileNotFoundError

    monkeypatch.setattr(watch.Path, "glob", gone)
    assert watch.descendants(os.getpid()) == set()


def test_long_code_is_looked_at_in_little_time_or_refused(tmp_path):
    lesson = handins.Lesson("01_small", {}, frozenset())
    for cell in ("\n" * 10**5, "(" + " " * 10**5, "exec " * 10**4 + "exec" + " " * 10**5):
        assert not handins.suspicions([cell], lesson)
    (tmp_path / "long.ipynb").write_text(notebook("1" * (handins.MOST_CODE + 1)))
    with pytest.raises(handins.UnreadableError, match="letters of code"):
        handins.read_cells(tmp_path / "long.ipynb")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_pages_have_marks_in_words_and_escape_all_text(graded, folder, tmp_path):
    page = Tags()
    page.feed((folder / "pages" / "wrong.html").read_text())
    assert "✗ not yet" in page.texts and "ct.lam" in page.texts and "script" not in page.tags
    assert "<td>12</td>" in (folder / "pages" / "many.html").read_text()
    hostile = Grade("<script>x", "f", "01", dict(a="<img src=x>"), [[1, "<b>", "</td><script>"]], 1.0, ["secret"])
    report.write_pages(tmp_path, [hostile], {}, 0)
    [file] = tmp_path.iterdir()
    page = Tags()
    page.feed(file.read_text())
    assert not {"script", "img"} & page.tags and "secret" not in file.read_text()


def test_a_later_call_goes_on_and_points_and_deductions_are_its_own(graded, folder, tmp_path):
    (tmp_path / "points.json").write_text('{"ct.lam": 2.5, "start.truth": 0}')
    result, rows = grade(folder, "--points", str(tmp_path / "points.json"), "--deduct", "0.25")
    assert result.exit_code == 0
    assert rows["right"]["seconds"] == graded[1]["right"]["seconds"]
    assert (rows["right"]["points"], rows["right"]["out of"], rows["failing"]["points"]) == ("3.5", "3.5", "3")
    assert rows["blank"]["points"] == "0"


def test_one_lesson_alone(graded, folder):
    assert set(grade(folder, "--lesson", "2")[1]) < {"nothing", "huge", *HANDINS}
    rows = grade(folder, "--lesson", "01_small")[1]
    assert rows.keys() == graded[1].keys()
    assert (rows["not_json"]["points"], rows["not_json"]["out of"]) == ("0", "3")


def test_the_gradebook_has_the_best_of_each_student_in_the_columns_of_nbgrader(graded, folder):
    with open(folder / "book.csv", newline="") as file:
        book = {row["student_id"]: row for row in csv.DictReader(file)}
    assert (book["right"]["assignment"], book["right"]["score"], book["right"]["max_score"]) == ("01_small", "3", "3")
    assert len(book) == sum("not graded" not in row["remark"] for row in graded[1].values())


def test_ctrl_c_keeps_what_is_done_and_leaves_no_process(folder, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ipynb").write_text(solved())
    (tmp_path / "in" / "b.ipynb").write_text(solved("while True:\n    pass"))
    store, before = tmp_path / "g.jsonl", descendants(os.getpid())

    ended = threading.Event()

    def interrupt():  # as soon as the first grade is stored, however long that takes on a busy machine
        while not ended.wait(0.05):
            if store.exists() and store.read_bytes().endswith(b"\n"):
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = CliRunner().invoke(main, ["grade", str(tmp_path / "in"), "--csv", str(tmp_path / "g.csv"), "--quiet",
                                       "--lessons", str(folder / "lessons")])
    ended.set()
    thread.join()
    assert result.exit_code == 130
    told = f"interrupted: 1 of 2 notebooks are graded and stored in {store}; the same command goes on there"
    assert result.stderr.splitlines()[-1] == told
    assert not alive(set(descendants(os.getpid())) - set(before))
    with open(tmp_path / "g.csv", newline="") as file:
        assert [(row["student"], row["points"]) for row in csv.DictReader(file)] == [("a", "3")]


class Fake:
    """A server whose process answers nothing and ends at once, but for the notebook `b`, which goes on till stopped."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def ready(self):
        return "all"

    def run(self, task, take, *, stopped, **limits):
        take(dict(step="cell 0"))
        if task["cells"] == ("b",):
            return until(stopped) and "stopped"
        return take(dict(end=True))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_while_a_grade_is_handed_on_does_not_lose_it(monkeypatch, number):
    monkeypatch.setattr(grading, "Server", Fake)
    lesson, taken = handins.Lesson("01_small", {"ct.lam": "my_lam"}, frozenset()), []
    found = [handins.Handin(name, f"{name}.ipynb", (name,), lesson) for name in "abc"]

    def done(grade):
        os.kill(os.getpid(), number)
        taken.append(grade.student)

    with pytest.raises(KeyboardInterrupt):
        grading.grade(found, Limits(), store=Store(None, KEY), done=done)
    assert taken == ["a"]


def test_a_process_is_ended_when_all_that_it_has_started_are_gone(monkeypatch):
    alive_for = {1: 1, 2: 4}  # looks at a killed process until it is gone
    killed, gone = set(), set()

    def kill(pid, _):
        killed.add(pid)

    def birth(pid):
        alive_for[pid] -= pid in killed
        gone.update({pid} if alive_for[pid] < 0 else ())
        return None if pid in gone else "1"

    monkeypatch.setattr(watch.os, "kill", kill)
    monkeypatch.setattr(watch, "birth", birth)
    monkeypatch.setattr(watch, "descendants", lambda pid: {(2, "1")})
    watch.end(1, "1", set())
    assert gone == {1, 2}


@pytest.mark.parametrize("cells, wanted", [
    ([displayed(repr(Box("ct.lam", None, "attempts: 3", "1 of 5 exercises of this lesson done")))], {"ct.lam": 3}),
    ([displayed(repr(Box("ct.lam", "a | attempts: 9", "your variant: x | y", "attempts: 4", "0 of 5 done")))],
     {"ct.lam": 4}),
    ([displayed(repr(Box("ct.lam", "2\nlines", "attempts: 7", "0 of 5 done")).splitlines(keepends=True))],
     {"ct.lam": 7}),
    ([displayed(repr(Box("question 2", "think", "attempts: 5"))), displayed("✓ question 2: right | attempts: 1")],
     {"quiz.08.2": 5}),
    ([displayed(repr(Box("ct.lam", "not answered yet: dots")))], {}),
    ([displayed("ct.lam: right | attempts: 3", "✓ ct.lam: right"), displayed("✓ a: b | attempts: 3", kind="text/html"),
      {}, dict(outputs=3), dict(outputs=[3, {}, dict(data=3), dict(data={"text/plain": 3}), dict(
          data={"text/plain": [3]})])], {})])
def test_attempts_are_read_from_the_boxes_that_a_notebook_stores(cells, wanted):
    assert attempts(cells, "08") == wanted


def test_an_interrupted_call_keeps_a_table_that_has_more_rows(tmp_path):
    both = [Grade(student, f"{student}.ipynb", "01", {"ct.lam": None}) for student in "ab"]
    for write in (report.write_csv, report.write_gradebook):
        file = tmp_path / f"{write.__name__}.csv"
        write(file, both[:1], {}, 0, whole=False)
        write(file, both, {}, 0, whole=False)
        before = file.read_text()
        write(file, both[1:], {}, 0, whole=False)
        assert file.read_text() == before and len(before.splitlines()) == 3
        write(file, both[1:], {}, 0)
        assert len(file.read_text().splitlines()) == 2


@pytest.mark.parametrize("places, words", [
    (("in/a.csv",), "among the hand-ins"), (("link.csv",), "among the hand-ins"), (("a.txt",), "does not end in .csv"),
    (("",), "--csv is empty"), (("a.csv", "a.csv"), "the same file"), (("a.csv", "in/../a.csv"), "the same file"),
    (("a.csv", ""), "--gradebook is empty"), (("a.csv", None, "file"), "cannot be made"),
    (("a.csv", None, "in/pages"), "among the hand-ins"), (("file/a.csv",), "cannot be made"),
    (("a.csv", None, ""), "--html is empty"), (("in.csv",), "is a folder")])
def test_a_place_where_nothing_may_be_written_is_refused(tmp_path, monkeypatch, places, words):
    monkeypatch.chdir(tmp_path)
    for name in ("in", "in.csv"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link.csv").symlink_to("in/ada.ipynb")
    assert words in error_of(report.checked_places, "in", *places)


@pytest.mark.parametrize("option", ["--minutes", "--cell-seconds", "--deduct", "--memory", "--jobs"])
@pytest.mark.parametrize("number", ["nan", "inf", "-1"])
def test_a_number_without_sense_is_refused(tmp_path, option, number):
    result = CliRunner().invoke(main, ["grade", str(tmp_path), "--csv", "g.csv", option, number])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1) and option in result.stderr


#: A variant with another convention, its line in a notebook, and right answers to it.
SEED = next(seed for seed in range(99) if chosen("start.steps", seed) != "start.steps")
LINE = SETS_SEED.format(variable="ASEQDIP_VARIANT", variant=SEED)
PASSES = RIGHT["start.steps"].replace("N * K, K", "K * (N + 1), K")
QUESTIONS = {number: question.right for number, question in enumerate(quiz("00", SEED), start=1)}


def answers(table, more=""):
    """A cell of answers to the quiz of lesson 00."""
    return f"%time 1\nfrom aseqdip_lite.course import quiz_answers\nquiz_answers('00', {table!r}{more})"


def test_a_hand_in_is_judged_in_its_variant_and_its_quiz_counts(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "00_start_here.ipynb").write_text(notebook(IMPORTS, *BLANK.values()))
    for name, cells in dict(own=[LINE, PASSES, answers(QUESTIONS)], plain=[LINE, RIGHT["start.steps"]],
                            assigned=[PASSES, answers(QUESTIONS | {2: -1})]).items():
        (tmp_path / "in" / f"{name}.ipynb").write_text(notebook(IMPORTS, *cells))
    (tmp_path / "each.json").write_text(json.dumps(dict(assigned=SEED)))
    result = CliRunner().invoke(main, [
        "grade", str(tmp_path / "in"), "--csv", str(tmp_path / "g.csv"), "--lessons", str(tmp_path / "lessons"),
        "--quiz-points", "0.5", "--variants", str(tmp_path / "each.json"), "--jobs", "2", "--quiet"])
    assert result.exit_code == 0, result.output
    with open(tmp_path / "g.csv", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    whole = len(QUESTIONS) / 2
    assert {float(row["out of"]) for row in rows.values()} == {3 + whole}
    assert {name: float(row["points"]) for name, row in rows.items()} == dict(
        own=1 + whole, plain=0, assigned=0.5 + whole)
    assert rows["plain"]["start.steps"] == "0" and "quiz.00.2: " in rows["assigned"]["hints"]


@pytest.mark.parametrize("cells, wrong, remark", [
    ([answers({}), answers(QUESTIONS), "x = 1"], set(), ""), ([answers(QUESTIONS, f", variant={SEED}")], set(), ""),
    ([answers(QUESTIONS), answers(QUESTIONS | {3: None})], {3}, ""),
    ([answers(QUESTIONS, ", variant=3")], set(), "of the variant 3, not of"), ([], set(QUESTIONS), ""),
    ([answers(QUESTIONS).replace("'00'", "'01'")], set(QUESTIONS), ""),
    (["quiz_answers('00', dict(a=1))"], set(QUESTIONS), "not read"),
    (["quiz_answers('00')"], set(QUESTIONS), "a table"),
    (["quiz_answers('00', {99: 1})"], set(QUESTIONS), "not '99'"), (["quiz_answers('00', {"], set(QUESTIONS), ""),
    (["quiz_answers('00', " + "[" * 5000 + "]" * 5000 + ")"], set(QUESTIONS), "")])
def test_the_answers_to_a_quiz_are_read_from_the_last_cell_that_has_them(cells, wrong, remark):
    found, remarks = marks(cells, "00_start_here", SEED)
    assert {int(name.split(".")[-1]) for name, hint in found.items() if hint} == wrong
    assert all(remark in line for line in remarks) and len(remarks) == bool(remark)


def test_a_lesson_that_is_not_of_the_course_has_no_quiz_to_grade():
    assert marks([answers(QUESTIONS)], "01_small", None) == ({}, [])


def test_the_variant_that_is_assigned_goes_before_the_one_in_the_notebook():
    handin = handins.Handin("ada", "ada.ipynb", (IMPORTS, LINE))
    assert handins.assigned(handin).variant == SEED == handins.assigned(handin, 3, dict(ada=SEED)).variant
    other = handins.assigned(handin, 10**6, dict(ben=1))
    assert other.variant == 10**6 and other.remarks == (f"its variant is {SEED}, not 1000000",)
    assert handins.assigned(handins.Handin("ada", "ada.ipynb", ("a = 1",))).variant is None


@pytest.mark.parametrize("content", ["[]", "{", '{"ada": -1}', '{"ada": "7"}', '{"ada": true}', "[" * 10**5])
def test_a_file_of_variants_that_is_none_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "each.json").write_text(content)
    assert "has no variants" in error_of(read_variants, tmp_path / "each.json")


TRIED = [(name, number) for name, number, _ in ENTRIES if number < 2 or name == "aseqdip.loss"]


@pytest.mark.parametrize("name", REGISTRY)
def test_an_answer_is_judged_from_its_notes_as_it_is_itself(name):
    for number in [number for other, number in TRIED if other == name]:
        notes = json.loads(json.dumps(record(name, answer_of(name, number))))
        assert verdict(name, notes) == judge(name, answer_of(name, number))


@pytest.mark.parametrize("name", ["aseqdip.loss", "dip.share", "input.blind"])
def test_notes_belong_to_the_images_of_their_variant(name):
    for number in (0, 1):
        notes = json.loads(json.dumps(record(name, answer_of(name, number), 7)))
        assert verdict(name, notes, 7) == judge(name, answer_of(name, number), 7)
    assert verdict(name, record(name, answer_of(name), 7), 8)


@pytest.mark.parametrize("notes", [{}, dict(calls=None), dict(calls=[]), dict(calls=[{}]), dict(value=dict(array="|O")),
                                   dict(calls=[dict(tensor="load", shape=[], data="", gradients=None)] * 3),
                                   dict(value=dict(error="exit", args=[])), dict(hint=None),
                                   dict(value=dict(set=[{}]))])
def test_forged_notes_are_wrong(notes):
    assert verdict("ct.lam", notes)


def test_a_lesson_is_named_by_its_number_with_or_without_a_zero():
    lessons = dict.fromkeys(("00_start", "06_aseqdip", "06b_why", "10_holes"))
    for wanted, name in {"0": "00_start", "6": "06_aseqdip", "06": "06_aseqdip", "6b": "06b_why", "06b": "06b_why",
                         "10": "10_holes", "06b_why": "06b_why"}.items():
        assert handins.named(lessons, wanted) == [name]


def test_mistakes_of_the_instructor_are_refused_in_one_line(tmp_path):
    assert "no lessons" in error_of(handins.read_lessons, tmp_path)
    assert "no folder" in error_of(handins.find, tmp_path / "no", {}, [])
    assert "nothing to grade" in error_of(handins.find, tmp_path, {}, [])
    for name in ("small", ""):
        assert "unknown lesson" in error_of(handins.named, {"00_start": None, "01_small": None}, name)
    for name in ("", tmp_path / "no"):
        assert "points.json" in error_of(read_points, name)
    for content in ("[]", "{", '{"ct.lam": -1}', '{"ct.lam": "2"}', '{"ct.lm": 1}'):
        (tmp_path / "points.json").write_text(content)
        error_of(read_points, tmp_path / "points.json")
