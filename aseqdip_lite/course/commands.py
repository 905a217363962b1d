"""What the course adds to the command line: `experiment`, `lab`, `grade`, `bank`, and a section of `list`."""

import importlib.util
import json
import math
import os
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import click

from ..cli.commands import DEVICE, PROFILE, main
from ..cli.inventory import PARTS
from ..cli.options import checked_device, checked_folder
from ..settings import PROFILES, InputError, checked_name, nearest, printable
from . import jupyterlab, student


def list_experiments():
    """The ledger's experiments, by id."""
    from . import experiments

    return {"Experiments": [(name, experiments.get(name).about) for name in experiments.names()]}


PARTS["experiments"] = list_experiments


class Finite(click.FloatRange):
    """A number in a range: neither inf nor nan, which no bound refuses."""

    def convert(self, value, option, context):
        number = super().convert(value, option, context)
        return number if math.isfinite(number) else self.fail(f"{value} is no finite number", option, context)


@contextmanager
def going_on(told, *arguments):
    """Ctrl-C, TERM and HUP in this block end the command by a line, told(*arguments): what is stored, how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        click.echo(f"interrupted: {str(error) or told(*arguments)}", err=True)
        raise click.exceptions.Exit(130) from None


@main.command()
@click.argument("name", metavar="ID", required=False)
@click.option("--all", "everything", is_flag=True, help="Every experiment that has no result in --out yet.")
@PROFILE
@click.option("--out", default=None, help="Folder of ID.json and ID.png [out/experiments].")
@click.option("--workers", type=click.IntRange(1, 1000), help="Runs at a time, where an experiment lets you choose.")
@click.option("--minutes", type=Finite(0.01, 10**6), help="For F4a, F4b, F9, F10 or T2 with --profile paper: do as "
              "many runs as fit into this many minutes; the same command continues.")
@DEVICE
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
              help="What networks compute in; like --device, only with --minutes.")
def experiment(name, everything, profile, out, workers, minutes, device, precision):
    """Reproduce a table or figure of the papers.

    ID is one of those that `aseqdip list` shows, e.g. F6. Writes ID.json (what was measured, the
    published result, a verdict for each claim, settings and seconds) and the figure ID.png.
    Ctrl-C says what is stored and how to go on.

    With --minutes it writes ID_runs_paper.jsonl, a line for each finished run of the published size, the most
    informative first, and keeps a checkpoint of the one that is cut off. When all are there, the command without
    --minutes makes ID.json and ID.png of them.
    """
    from . import experiments

    if everything == (name is not None):
        raise InputError("give one experiment's ID, or --all; `aseqdip list` shows the IDs")
    out = checked_folder("out/experiments" if out is None else out)
    if minutes is not None:
        if everything or profile != "paper" or workers:
            raise InputError("--minutes needs one experiment's ID and --profile paper, and has no use for --workers")
        return within(minutes, name, out, device, precision)
    if (device, precision) != ("cpu", "float32"):
        raise InputError("--device and --precision do nothing here: leave them out, or also give --minutes")
    wanted = [name] if name else [known for known in experiments.names() if experiments.stored(known, out) is None]
    for known in wanted:
        with going_on(experiments.kept, known, profile, out):
            report = experiments.run(known, profile, out=out, workers=workers)
        click.echo(f"{known}: {report['verdict']}. {report['why']}")
        show(report["claims"])
        click.echo(f"written to {out}: {known}.json {known}.png ({report['provenance']['seconds']:.0f} s)")


def show(claims):
    """Print claims with their verdicts."""
    for claim in claims:
        click.echo(f"  {claim['verdict']}: {claim['claim']} ({claim['why']})")


def within(minutes, name, out, device, precision):
    """Make so many minutes' runs of an experiment at the published size, and say what is done and what is missing."""
    from .experiments.published import Plan

    plan, device = Plan(name, out, precision), checked_device(device)
    before = plan.done()
    click.echo("\n".join(plan.told()))
    interrupted = bool(plan.missing()) and plan.make(minutes, device)
    click.echo("\n".join(plan.told(before)))
    show(plan.claims())
    if interrupted:
        click.echo("interrupted: start the same command again to continue", err=True)
    return 130 if interrupted else None


@main.command()
@click.argument("folder", required=False, default="aseqdip-lessons")
@click.option("--port", type=click.IntRange(1, 65535), default=8888, show_default=True, help="Port on this machine.")
@click.option("--browser/--no-browser", default=True, help="Open a browser window.")
@click.option("--variant", type=click.IntRange(0), help="Whole number: exercises and quizzes of your own.")
def lab(folder, port, browser, variant):
    """Copy the lessons into FOLDER and open lesson 00 in JupyterLab.

    FOLDER is aseqdip-lessons by default. Your answers in it are safe: a file that you have changed is never written
    over; a newer version of it is put beside it, with .new in its name.

    JupyterLab answers this machine only, and asks for a token. It ends by Ctrl-C, and with the terminal.
    """
    if not folder:
        raise InputError("the folder's name is empty: name one, or leave it out for aseqdip-lessons")
    folder = Path(checked_name(folder, "the folder")).absolute()
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed: pip install 'aseqdip-lite[lessons]'")
    jupyterlab.check_home()
    written, beside = student.renew(folder, variant)
    click.echo(f"lessons: {printable(folder)} ({len(written)} files are new)")
    for name in beside:
        click.echo(f"you have changed this one, its new version is beside it: {printable(name)}")
    sys.stdout.flush()
    jupyterlab.end_with_parent()
    command = jupyterlab.server(folder, port, browser)
    os.execve(sys.executable, command, jupyterlab.settings())  # signals then reach it, not a parent


GRADING = """\b
Example:
  handins/ada.ipynb            a notebook a student,
  handins/bob/07_mri.ipynb     or a folder a student
  aseqdip grade handins --csv grades.csv --html pages --jobs 2
"""


@main.command(epilog=GRADING)
@click.argument("folder")
@click.option("--csv", "out", required=True, help="File of the grades. A .jsonl beside it keeps what is done: a "
              "later call continues from it.")
@click.option("--lesson", help="Grade this lesson alone: its number or name  [all].")
@click.option("--lessons", default="lessons", show_default=True, help="Folder of the lessons as they were handed out.")
@click.option("--minutes", type=Finite(0.1, 1440), default=10, show_default=True, help="Limit for a notebook.")
@click.option("--cell-seconds", type=Finite(1, 86400), default=120, show_default=True,
              help="Limit for each cell and each answer.")
@click.option("--memory", type=click.IntRange(512, 10**6), default=3072, show_default=True, help="MiB for a notebook.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Notebooks at a time.")
@click.option("--points", help="JSON file {exercise: points}  [1 each].")
@click.option("--deduct", type=Finite(0, 1000), default=0, show_default=True,
              help="Points off for each cell that fails.")
@click.option("--quiz-points", type=Finite(0, 1000), default=0, show_default=True,
              help="Points for each question of the quiz that the notebook's `quiz_answers` has right.")
@click.option("--variant", type=click.IntRange(0), help="Variant of all notebooks  [the one in the notebook].")
@click.option("--variants", "each", help="JSON file {student: variant}, as `aseqdip bank` writes it.")
@click.option("--html", "pages", help="Folder for one page per student: marks and hints.")
@click.option("--gradebook", help="File for the grades in the columns of `nbgrader export`.")
@click.option("--profile", type=click.Choice(PROFILES), default="smoke", show_default=True,
              help="Sizes and steps; exercises are the same in each.")
@click.option("--quiet", is_flag=True, help="No progress bar, no table.")
def grade(folder, out, lesson, lessons, minutes, cell_seconds, memory, jobs, points, deduct, quiz_points, variant, each,
          pages, gradebook, profile, quiet):
    """Grade the notebooks that students handed in.

    Each notebook of FOLDER runs on its own, with limits and without being trusted. What its functions return is judged
    outside of it: edited checks, overwritten names and false outputs gain nothing. A notebook that cannot be run gets a
    row that says why. Ctrl-C keeps what is done; the same command goes on there.
    """
    from ..run.bar import Bar, say
    from ..study.store import Store
    from . import grading
    from .bank import read_variants
    from .grading import handins, report, watch

    worth, each = read_points(points) | worth_of_quizzes(quiz_points), read_variants(each)
    known = handins.read_lessons(lessons)
    found, others = handins.find(folder, known, handins.named(known, lesson))
    found = [handins.assigned(handin, variant, each) for handin in found]
    places = report.checked_places(folder, out, gradebook, pages)
    store = Store(Path(out).with_suffix(".jsonl"), grading.KEY, dict(marks=dict, failed=list, remarks=list))
    limits = grading.Limits(60 * minutes, cell_seconds, memory, profile)
    grades, whole = [], False
    try:
        with (going_on(lambda: f"{len(grades)} of {len(found)} notebooks are graded and stored in "
                       f"{printable(store.file)}; the same command goes on there"),
              Bar(total=len(found), desc="grade", unit="notebook", disable=quiet) as bar):
            def done(grade):
                grades.append(grade)
                bar.update()
            grading.grade(found, limits, store=store, jobs=jobs, done=done, warn=say, with_quiz=quiz_points > 0,
                          hidden=watch.private(folder, lessons, *places))
        whole = True
    finally:
        grades.sort(key=lambda grade: (grade.student, grade.file))
        report.write_csv(out, grades, worth, deduct, whole)
        if gradebook:
            report.write_gradebook(gradebook, grades, worth, deduct, whole)
        if pages:
            left = Counter(handin.student for handin in found) - Counter(grade.student for grade in grades)
            report.write_pages(pages, [grade for grade in grades if grade.student not in left], worth, deduct)
    if not quiet:
        click.echo(report.table(grades, worth, deduct))
        if others:
            click.echo(f"left out, no notebooks: {printable(', '.join(others))}")


@main.command()
@click.argument("folder")
@click.option("--students", required=True, help="Text file with one name per line, or a number of students.")
@click.option("--secret", required=True, help="Any text that only you know; the same one gives the same variants.")
@click.option("--lesson", "lessons", multiple=True, help="Quiz of this lesson alone, may be repeated  [all].")
def bank(folder, students, secret, lessons):
    """Write a class's variants, with questions, answers and solutions, for the instructor.

    FOLDER gets variants.json, {student: variant}, which `aseqdip grade --variants` reads, and a page STUDENT.md for
    each student; more students may join it later, with the same secret. A student gets a variant by `aseqdip lab
    --variant NUMBER`. Keep FOLDER and the secret to yourself.
    """
    from . import bank
    from .quizzes import quiz

    wanted = [quiz(lesson).name for lesson in lessons]
    each = bank.write(checked_folder(folder), bank.students(students), secret, wanted)
    for name, variant in each.items():
        click.echo(f"{variant:8d}  {printable(name)}")
    click.echo(f"written to {printable(folder)}: variants.json and {len(each)} pages")


def read_points(file):
    """{exercise: points} of a JSON file, {} without one; InputError for another content, or an unknown exercise."""
    if file is None:
        return {}
    from .exercises import own

    try:
        worth = json.loads(Path(file).read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the points of --points '{file}': {error.strerror}; name a JSON file such as "
                         'points.json') from None
    except (ValueError, RecursionError):
        worth = None
    if not isinstance(worth, dict) or not all(
            type(value) in (int, float) and math.isfinite(value) and value >= 0 for value in worth.values()):
        raise InputError(f'{file} has no points: write JSON such as {{"start.psnr": 2, "start.steps": 0.5}}')
    for name in worth:
        nearest(name, own(), "exercise")
    return worth


def worth_of_quizzes(points):
    """{question: points} of all quizzes, each with the same."""
    from .quizzes import names, quiz

    return {f"quiz.{name.partition('_')[0]}.{number}": points
            for name in names() for number in range(1, len(quiz(name)) + 1)}
