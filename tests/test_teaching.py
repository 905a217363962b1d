"""The pages for teaching: each number of the examination is computed anew, each quoted one is stored, starters run."""

import math
import re
import runpy
from pathlib import Path
from statistics import mean, stdev

import build_site
import check_docs
import numpy as np
import pytest
from scipy import integrate, stats

from aseqdip_lite import settings
from aseqdip_lite.course import stored

ROOT = Path(__file__).resolve().parent.parent
TEACHING = ROOT / "docs" / "teaching"


def page(name):
    return (TEACHING / f"{name}.md").read_text(encoding="utf-8")


def shown(value, like):
    """A number with as many decimals as the text has that shows it."""
    return f"{value + 0:.{len(like.partition('.')[2])}f}"  # + 0: no minus sign before 0


def test_links_lead_to_files():
    dead = [(path.name, link) for path in TEACHING.glob("*.md")
            for link in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
            if not (TEACHING / link).is_file()]
    assert dead == []


def test_the_site_has_every_page():
    assert sorted(build_site.TEACHING) == sorted(path.stem for path in TEACHING.glob("*.md"))


# The examination. Nothing of the solutions' algebra is used where an iteration can be run.

def inner(a, b):
    return np.vdot(a, b)  # the first argument is conjugated


def question_1():
    A, x, v = np.array([[1, 1j], [0, 2]]), np.array([1, 1j]), np.array([1j, 1])
    assert inner(A @ x, v) == pytest.approx(inner(x, A.conj().T @ v))
    return {"1b imaginary part of both inner products": inner(A @ x, v).imag,
            "1c modulus with the transpose": abs(inner(x, A.T @ v))}


def question_2():
    A, y = np.diag([1.0, 1, 0, 1]), np.array([3.0, 1, 0, 2])
    path = [np.array([0.0, 0, 5, 0])]
    for _ in range(100):
        path.append(path[-1] - A.T @ (A @ path[-1] - y))
    assert path[1] == pytest.approx([3, 1, 5, 2]) and path[100] == pytest.approx([3, 1, 5, 2])
    c = np.linspace(0, 4, 4001)
    return {"2b third pixel after one step": path[1][2], "2b third pixel after a hundred steps": path[100][2],
            "2c third pixel of the smoothest signal": c[np.argmin((c - 1) ** 2 + (2 - c) ** 2)]}


def landweber(s, steps, tau=1.0):
    """Coefficients over those of the naive inverse, for steps 0 to `steps`; the data are 1."""
    c = [0.0]
    for _ in range(steps):
        c.append(c[-1] + tau * s * (1 - s * c[-1]))
    return np.array(c) * s


def question_3():
    factors = landweber(0.1, 5000)
    error = (1 - factors) ** 2 + factors**2 * (0.05 / 0.1) ** 2
    best = int(np.argmin(error))
    stable = max(tau for tau in np.arange(190, 211) / 100 if abs(landweber(1.0, 500, tau)[-1]) < 10)
    return {**{f"3b filter factor at s = {s:g}": landweber(s, 10)[10] for s in (1, 0.5, 0.1)},
            "3c best filter factor": factors[best], "3c best step": best,
            "3c least expected squared error": error[best], "3c expected squared error in the end": error[-1],
            "3d upper bound of the stable step sizes": stable}  # 2 itself swings without growing


def descent(y, theta, beta, steps):
    """Outputs (steps + 1, modes) of gradient descent on half the squared error, from 0."""
    f = [np.zeros(len(y))]
    for _ in range(steps):
        f.append(f[-1] + beta * theta * (y - f[-1]))
    return np.array(f)


def question_4():
    theta, x, n = np.array([1, 0.01]), np.array([2.0, 0]), np.array([0.2, 0.5])
    f = descent(x + n, theta, 0.5, 5000)
    error = np.square(f - x).sum(axis=1)
    residual = x + n - f
    factors = [(2.2 - descent([2.2], theta[:1], beta, 1)[1][0]) / 2.2 for beta in (1.5, 2.5)]
    stable = max(beta for beta in np.arange(190, 211) / 100 if abs(descent([2.2], theta[:1], beta, 500)[-1][0]) < 10)
    return {**{f"4b residual of mode {i + 1} after 10 steps": residual[10, i] for i in (0, 1)},
            **{f"4b output of mode {i + 1} after 10 steps": f[10, i] for i in (0, 1)},
            "4b squared error after 10 steps": error[10], "4b squared error in the end": error[-1],
            "4c step at which half of the noise is fitted": int(np.argmax(f[:, 1] >= 0.25)),
            "4d factor of mode 1 at the rate 1.5": factors[0], "4d factor of mode 1 at the rate 2.5": factors[1],
            "4d upper bound of the stable rates": stable}


def stage(z, y=1.0, lam=1.0, beta=0.05, theta=1.0, N=2):
    """Output of a stage that starts at z, by gradient steps on the loss as it is written."""
    u = z
    for _ in range(N):
        u -= beta * theta * (2 * (u - y) + 2 * lam * (u - z))
    return u


def rest(**settings):
    z = 0.0
    for _ in range(2000):
        z = stage(z, **settings)
    return z


def question_5():
    u = np.linspace(0, 1, 1001)
    one = stage(0.0, N=1)
    target = u[np.argmin((u - 1) ** 2 + u**2)]
    return {"5c target": target, "5c factor a step": (one - target) / (0 - target),
            "5c output of the stage": stage(0.0),
            "5d factor of the error a stage": 1 - stage(0.0), "5e fixed point, lam 1 and N 2": rest(),
            "5e fixed point, lam 4 and N 5": rest(lam=4.0, N=5),
            **{f"5f factor of a slow mode, lam {lam}": 1 - stage(0.0, theta=1e-3, lam=lam) for lam in (1, 4)}}


def question_6():
    def hole(whole, h):
        return -10 * math.log10(10 ** (-whole / 10) / h)

    known = 0.75 * 0.02**2
    filled = known + 0.25 * 10 ** (-hole(24, 0.25) / 10)
    small, large = hole(27, 0.05), hole(23, 0.2)
    return {"6a PSNR in the hole": hole(24, 0.25), "6b PSNR in the holes of 5 %": small,
            "6b PSNR in the holes of 20 %": large, "6b difference": large - small,
            "6c PSNR with a perfect hole": -10 * math.log10(known),
            "6c PSNR with the hole of a)": -10 * math.log10(filled)}


def question_7():
    data = {100: 60, 200: 34, 300: 27, 400: 24, 500: 20}
    m, sigma = 10_000, 0.05
    level, spread = m * sigma**2, math.sqrt(2 * m) * sigma**2
    assert min(data.values()) > m * 0.04**2  # never reached
    return {"7a level": level, "7a step": min(step for step in data if data[step] <= level), "7b level": m * 0.04**2,
            "7c level": 2 * level, "7c step": min(step for step in data if data[step] <= 2 * level),
            "7d standard deviation of the energy of the noise": spread,
            "7d difference in standard deviations": (level - data[400]) / spread}


def question_8():
    gaps = (0.9, -0.2, 0.5)
    error, t = stdev(gaps) / math.sqrt(3), stats.t.ppf(0.975, 2)
    return {"8d mean difference": mean(gaps), "8d standard error": error,
            "8d lower end of the interval": mean(gaps) - t * error,
            "8d upper end of the interval": mean(gaps) + t * error}


def question_9():
    luck, _ = integrate.quad(lambda v: v * 6 * stats.norm.pdf(v) * stats.norm.cdf(v) ** 5, -9, 9)
    return {"9b expected maximum of six normal variables": luck, "9b dB gained by the choice": 0.4 * luck}


QUESTIONS = (question_1, question_2, question_3, question_4, question_5, question_6, question_7, question_8, question_9)


def listed(text):
    """{"1b what": value as it is printed} of the last section of the solutions."""
    return {f"{part} {what}": value for part, what, value in
            re.findall(r"^\| (\d[a-z]) \| (.+?) \| (\S+) \|$", text, re.MULTILINE)}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_solutions_are_what_the_iterations_give(question):
    number = question.__name__[-1]
    printed = {name: value for name, value in listed(page("exam_solutions")).items() if name[0] == number}
    computed = question()
    assert computed.keys() == printed.keys()
    assert {name: shown(value, printed[name]) for name, value in computed.items()} == printed


def test_every_listed_number_is_in_the_solution_of_its_question():
    text = page("exam_solutions")
    sections = dict(re.findall(r"^## (\d)\. .*?\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL))
    absent = [name for name, value in listed(text).items()
              if not re.search(rf"(?<![\d.]){re.escape(value)}(?![\d]|\.\d)", sections[name[0]])]
    assert absent == []


def test_points_add_up():
    """Those of the parts are those of the question, and there are 100 in all."""
    sections = re.findall(r"^## \d\. .*?\((\d+) points\)\n(.*?)(?=^## |\Z)", page("exam"), re.MULTILINE | re.DOTALL)
    parts = [[int(points) for points in re.findall(r"\((\d+)\)$", text, re.MULTILINE)] for _, text in sections]
    assert [sum(points) for points in parts] == [int(total) for total, _ in sections]
    assert sum(int(total) for total, _ in sections) == 100


# Outcomes.

def test_every_lesson_and_every_exercise_serves_an_outcome():
    assert check_docs.outcome_faults(page("outcomes"), check_docs.lesson_sources()) == []


@pytest.mark.parametrize("change, fault", [
    (("`dip.share`", "`dip.shore`"), "outcomes: no exercise 'dip.shore'"),
    (("`dip.share`, ", ""), "outcomes: nothing says what exercise 'dip.share' tests"),
    (("| 12, 15 |", "| 12, 99 |"), "outcomes: no lesson 99"),
], ids=["unknown exercise", "forgotten exercise", "unknown lesson"])
def test_an_outcome_that_is_behind(change, fault):
    text = page("outcomes")
    assert change[0] in text
    assert fault in check_docs.outcome_faults(text.replace(*change), check_docs.lesson_sources())


def test_minutes_of_a_class_are_those_of_the_lessons():
    sources = check_docs.lesson_sources()
    stated = {check_docs.number_of(name): int(re.search(r"minutes: (\d+)", text)[1]) for name, text in sources.items()}
    rows = re.findall(r"^\| ([\da-z, ]+) \| (\d+) \| (\d+) \| (\d+) \|$", page("running"), re.MULTILINE)
    assert {name: int(minutes) for names, minutes, *_ in rows for name in names.split(", ")} == stated
    assert [(few, many) for _, _, few, many in rows] == [
        (f"{30 * int(minutes) / 8:.0f}", f"{30 * int(minutes) / 32:.0f}") for _, minutes, *_ in rows]


# The sample report.

def looked_up(name, path):
    """What a stored result holds under a path such as "summary[image=coffee, method=nlm].answers.final.psnr.mean"."""
    found = stored(name)
    for key, condition in re.findall(r"([\w-]+)(?:\[(.+?)\])?", path):
        found = found[key]
        for wanted in filter(None, [condition]):
            pairs = [pair.split("=") for pair in wanted.split(", ")]
            found, = [row for row in found if all(str(row[key]) == value for key, value in pairs)]
    return found


def quoted(text):
    """(number as it is printed, stored result, path) of the report's last section."""
    return re.findall(r"^\| (\S+) \| `(\w+)` \| `(.+?)` \|$", text, re.MULTILINE)


def test_each_quoted_number_is_stored():
    rows = quoted(page("sample_report"))
    assert len(rows) > 20
    assert [(value, path) for value, name, path in rows if shown(looked_up(name, path), value) != value] == []


def test_the_report_quotes_no_other_number():
    """Each number with a decimal point, before the section that says where they are from, is in that section."""
    text = page("sample_report")
    body = text.split("## Where the numbers are stored")[0]
    known = {value.lstrip("-") for value, _, _ in quoted(text)}
    assert [number for number in re.findall(r"\d+\.\d+", body) if number not in known] == []


def test_the_mark_is_that_of_the_rubric():
    criteria = re.findall(r"^\| \*\*(.+?)\*\* \|", page("rubric"), re.MULTILINE)
    marked = re.findall(r"^\| ([A-Z].+?) \| (\d) \| (\d+) \|$", page("sample_report"), re.MULTILINE)
    assert [name for name, _, _ in marked] == criteria
    scale = re.search(r"Give (\d+), (\d+), (\d+) and (\d+) points", page("rubric")).groups()
    points = dict(zip("1234", scale, strict=True))
    assert [points[level] for _, level, _ in marked] == [given for _, _, given in marked]
    total, = re.findall(r"^\| all, of 80 \| \| (\d+) \|$", page("sample_report"), re.MULTILINE)
    assert sum(int(given) for _, _, given in marked) == int(total)


# Projects.

def test_weights_of_each_project_add_up():
    tables = re.findall(r"^\| weight in % \|(.+)\|$", page("projects"), re.MULTILINE)
    assert len(tables) == 6
    assert [sum(int(cell) for cell in table.split("|")) for table in tables] == [100] * 6


STARTERS = sorted((TEACHING / "starters").glob("*.py"))


def test_each_project_has_a_starter():
    assert len(STARTERS) == 6
    assert sorted(re.findall(r"\(starters/(\w+)\.py\)", page("projects"))) == [path.stem for path in STARTERS]


@pytest.fixture
def smoke(tmp_path, monkeypatch):
    """The profile smoke, in an empty folder; what is remembered of the environment is forgotten before and after."""
    monkeypatch.setenv("ASEQDIP_PROFILE", "smoke")
    monkeypatch.chdir(tmp_path)
    settings.profile.cache_clear()
    yield
    settings.profile.cache_clear()


@pytest.mark.parametrize("starter", STARTERS, ids=lambda path: path.stem)
def test_starter_runs(starter, smoke, capsys):
    """As a script, in the profile smoke: cells in the form of jupytext, an own part left for the student."""
    text = starter.read_text(encoding="utf-8")
    assert 6 <= len(re.findall(r"^# %%", text, re.MULTILINE)) <= 12 and "# your turn" in text
    runpy.run_path(str(starter), run_name="__main__")
    printed = capsys.readouterr().out
    assert "profile smoke" in printed and " dB" in printed
