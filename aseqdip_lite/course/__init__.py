"""What the lessons import: profile, banner, pictures with alt text, claims, quizzes, and the check of exercises."""

import base64
import html
import json
import platform
import re
from pathlib import Path

from ..files import installed
from ..settings import PROFILES, InputError, device, nearest, profile
from .feedback import explain_slips
from .quizzes import quiz  # noqa: F401  (lessons import it from here)

#: Folder of the results that ship with the package.
RESULTS = Path(__file__).parents[1] / "results"

#: The repository's address, written here and nowhere else; `scripts/build_lessons.py` stamps the lessons with it.
REPOSITORY = "https://github.com/aseqdip-lite/aseqdip-lite"


def lesson_files(folder, ending):
    """{number: path} of the files NN_name.ENDING of a folder, in order. NN has two digits; a lesson between two others
    has a letter, too, as 06b has.
    """
    found = {path: re.match(r"(\d\d[a-z]?)_", path.name) for path in sorted(Path(folder).glob(f"*.{ending}"))}
    return {number[1]: path for path, number in found.items() if number}


def pick(smoke, laptop, paper):
    """The one of three values that belongs to the profile: a size or a number of steps."""
    return dict(smoke=smoke, laptop=laptop, paper=paper)[profile()]


def stored(name):
    """A result that ships with the package, e.g. stored("F1"), stored("compare_ct") or stored("G1.npz").

    Returns:
        What NAME.json holds, or a list of the lines of NAME.jsonl; of NAME.npz its arrays by name.

    Raises:
        InputError: there is no such result in this installation.
    """
    there = {str(file.relative_to(RESULTS)).split(".json")[0]: file for file in RESULTS.rglob("*.*")}
    if name not in there:
        raise InputError(f"no stored result '{name}' in {RESULTS}: check the name, or install aseqdip-lite again")
    if there[name].suffix == ".npz":
        import numpy as np

        with np.load(there[name], allow_pickle=False) as arrays:
            return dict(arrays)
    text = there[name].read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if there[name].suffix == ".jsonl" else json.loads(text)


def banner():
    """Print profile, versions and device: what a reader needs to compare their numbers with the stored ones.

    From here on a notebook says in a sentence what is wrong with an unfinished answer (`feedback.explain_slips`), and
    its figures have the style of the package.

    On a CPU PyTorch is set to one thread, but for the profile "paper". The order of additions depends on the number
    of threads; Adam turns the rounding of small gradients into whole steps, so that after some hundred
    steps two numbers of threads have given two images. The stored outputs were made with one.
    """
    import matplotlib
    import torch

    from ..run import plots, threads

    matplotlib.rcParams.update(plots.STYLE)
    if device() == "cpu" and profile() != "paper":
        threads.use(1)

    explain_slips()
    versions = ", ".join(f"{name} {installed(name)}" for name in ("aseqdip-lite", "torch", "numpy", "sigpy"))
    hardware = torch.cuda.get_device_name() if device() == "cuda" else f"CPU threads: {torch.get_num_threads()}"
    print(f"profile {profile()} (for another, set ASEQDIP_PROFILE to {' | '.join(PROFILES)} before Jupyter starts)")
    print(f"{versions}, Python {platform.python_version()}")
    print(f"device {device()}, {hardware}")


def show(figure, alt):
    """Display a matplotlib Figure with the profile stamped on it and a text for readers who cannot see it.

    The output is an <img> with its alt attribute, because JupyterLab ignores alt text that comes
    as metadata of an image/png output. The PNG is part of the output, at most 100 dpi.

    Args:
        figure: matplotlib.figure.Figure.
        alt: what the picture shows, in a sentence or two; also the output's plain text.

    Raises:
        InputError: alt is empty.
    """
    from IPython.display import display

    from ..run.plots import to_png

    alt = " ".join(alt.split())
    if not alt:
        raise InputError("every figure of a lesson needs an alt text: show(figure, alt='what it shows')")
    data = base64.b64encode(to_png(stamp(figure))).decode()
    img = f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}">'
    display({"text/html": img, "text/plain": f"Figure: {alt}"}, raw=True)


def stamp(figure):
    """Write the profile into the lower right corner, below everything else; returns the figure."""
    height = 0.16 / figure.get_figheight()  # inches as a share of the figure
    if figure.get_layout_engine() is not None:
        figure.get_layout_engine().set(rect=(0, height, 1, 1 - height))
    figure.text(0.995, 0.2 * height, f"profile: {profile()}", ha="right", va="bottom", fontsize=7, color="0.35")
    return figure


def claim(condition, text, needs="laptop"):
    """Assert what the prose says; prints "holds: ..." with the text, which states the tolerance.

    Args:
        condition: what must be true.
        text: the claim in words, with its tolerance.
        needs: the smallest profile whose sizes and steps suffice; in a smaller one nothing is
            asserted, and the line says so.

    Raises:
        AssertionError: the condition is false in a profile that suffices.
    """
    if PROFILES.index(profile()) < PROFILES.index(nearest(needs, PROFILES, "profile")):
        print(f"not checked in {profile()}: {text}")
        return
    if not bool(condition):
        raise AssertionError(f"does not hold: {text}. If you changed nothing above, your processor rounds otherwise: "
                             "see 'Numbers that differ' in docs/troubleshooting.md; the cells below run all the same")
    print(f"holds: {text}")


def __getattr__(name):
    """`check` and `quiz_answers`, which notebooks import from here, on first use: they import PyTorch or IPython."""
    if name == "check":
        from .exercises import check

        return check
    if name == "quiz_answers":
        from .quizzes.answers import quiz_answers

        return quiz_answers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
