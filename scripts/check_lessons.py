"""What a stored notebook of a lesson must fulfil. Each check takes the notebook and returns a list of faults."""

import ast
import base64
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser

from build_lessons import WIDGET, digest
from PIL import Image

from aseqdip_lite.course import exercises, quiz
from aseqdip_lite.run.plots import LARGEST_DPI

#: Absolute paths of a machine; an address such as https://site.org/home/ is none.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])(?:/(?:home|root|tmp|work|Users|mnt|usr|opt|var)/|[A-Z]:\\\\)\w+")
LARGEST_FIGURE = 1_000_000  # bytes
SHORTEST_ALT = 20  # characters


def faults(notebook, expected, solved, profile="laptop"):
    """All faults of a stored notebook, each with the lesson's title in front.

    Args:
        notebook: the stored notebook.
        expected: the notebook that its source makes, not executed.
        solved: whether it is the one with solutions.
        profile: the profile that it must have been executed in.
    """
    found = in_step(notebook, expected) + sealed(notebook, profile) + answered(notebook, solved)
    for check in (execution_counts, no_errors, checked_cells, figures, no_widget_state, no_machine_paths, one_title,
                  exercises_checked, quiz_of_today, alts_of_today):
        found += check(notebook)
    title = expected.cells[0].source.splitlines()[0].lstrip("# ")
    return [f"{title}: {fault}" for fault in found]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(cell, tag):
    return tag in cell.metadata.get("tags", ())


def outputs(notebook):
    """(cell, output) of all outputs."""
    return [(cell, output) for cell in code_cells(notebook) for output in cell.outputs]


def in_step(notebook, expected):
    """Cells, their kinds, texts and tags are those of the source."""
    def text(nb):
        return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in nb.cells]

    stored, wanted = text(notebook), text(expected)
    if len(stored) != len(wanted):
        return [f"{len(stored)} cells, the source makes {len(wanted)}"]
    return [f"cell {i} differs from the source" for i, pair in enumerate(zip(stored, wanted, strict=True))
            if pair[0] != pair[1]]


def sealed(notebook, profile):
    """The outputs are those that the build stored, of the right profile."""
    build = notebook.metadata.get("aseqdip", {})
    found = [] if build.get("profile") == profile else [f"executed in {build.get('profile')}, not in {profile}"]
    return found if build.get("outputs") == digest(notebook) else [*found, "outputs were changed after the build"]


def execution_counts(notebook):
    """Executed once, from the first cell to the last."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts are {counts}, not 1..n"]


def no_errors(notebook):
    """No error and nothing on stderr."""
    return [f"{cell.id} has an error output" for cell, output in outputs(notebook)
            if output.output_type == "error" or output.get("name") == "stderr"]


def checked_cells(notebook):
    """Cells whose output nbval compares have one; nbval passes a cell without outputs and count."""
    checked = [cell for cell in code_cells(notebook)
               if tagged(cell, "nbval-check-output") or "# NBVAL_CHECK_OUTPUT" in cell.source]
    if not checked:
        return ["no cell is tagged nbval-check-output"]
    return [f"{cell.id} is to be compared but has no stored output" for cell in checked
            if not cell.outputs or cell.execution_count is None]


class Images(HTMLParser):
    """Collects the attributes of the <img> elements of a text."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.found.append(dict(attributes))


def figures(notebook):
    """Every picture has an alt text; those in outputs are PNG under 1 MB and at most 100 dpi."""
    found = []
    for cell, output in outputs(notebook):
        data = output.get("data", {})
        if "text/html" not in data and any(kind.startswith("image/") for kind in data):
            found.append(f"{cell.id} has a picture without alt text: use show(figure, alt=...)")
        for image in Images(data.get("text/html", "")).found:
            if len(image.get("alt") or "") < SHORTEST_ALT:
                found.append(f"{cell.id} has a picture without alt text")
            found += [f"{cell.id} has a picture {fault}" for fault in png_faults(image.get("src", ""))]
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            found.append(f"{cell.id} has a picture without alt text")
    return found


def png_faults(source):
    kind, _, content = source.partition(",")
    if kind != "data:image/png;base64":
        return ["that is not a PNG inside the notebook"]
    found = ["of 1 MB or more"] if len(content) >= LARGEST_FIGURE else []
    dpi = Image.open(io.BytesIO(base64.b64decode(content))).info.get("dpi", (0, 0))
    return found if 0 < max(dpi) <= LARGEST_DPI + 0.5 else [*found, f"of {max(dpi):.0f} dpi, not 1 to {LARGEST_DPI}"]


def no_widget_state(notebook):
    """GitHub refuses a notebook with metadata.widgets, and shows nothing for a widget's view."""
    found = ["metadata.widgets is stored"] if "widgets" in notebook.metadata else []
    return found + [f"{cell.id} stores the view of a widget" for cell, output in outputs(notebook)
                    if WIDGET in output.get("data", {})]


def no_machine_paths(notebook):
    """No path of the machine that it was built on."""
    return [f"the path {path} is stored" for path in sorted(set(MACHINE_PATH.findall(json.dumps(notebook))))]


def one_title(notebook):
    """Exactly one H1, in the first cell."""
    titles = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            prose = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
            titles += [index for line in prose.splitlines() if line.startswith("# ")]
    return [] if titles == [0] else [f"H1 in the cells {titles}, not only in the first"]


def exercises_checked(notebook):
    """Three to five exercises, each with a check that is known, and no solution marks left."""
    cells = [cell for cell in code_cells(notebook) if tagged(cell, "exercise")]
    found = [] if 3 <= len(cells) <= 5 else [f"{len(cells)} exercises, not 3 to 5"]
    for cell in cells:
        names = re.findall(r'^check\("([^"]+)"', cell.source, re.MULTILINE)
        if not names or any(name not in exercises.REGISTRY for name in names):
            found.append(f"{cell.id} is an exercise without a check")
        if re.search(r"^ *# (blank: |end$)", cell.source, re.MULTILINE):
            found.append(f"{cell.id} has marks of a solution left")
    return found


def answered(notebook, solved):
    """Every exercise says "right" where the solutions are, and "not answered yet" where they are not."""
    wanted = ": right" if solved else ": not answered yet"
    return [f"{cell.id} does not say '{wanted[2:]}'" for cell in code_cells(notebook) if tagged(cell, "exercise")
            and not any(wanted in output.get("data", {}).get("text/plain", "") for output in cell.outputs)]


def quiz_of_today(notebook):
    """The quiz that is stored is the one that its cell shows now, with the questions of today."""
    found = []
    for cell, output in outputs(notebook):
        name = re.search(r'^quiz\("(\w+)"\)', cell.source, re.MULTILINE)
        if name and "data" in output and output.data.get("text/html") != quiz(name[1])._repr_html_():
            found.append(f"{cell.id} shows an earlier quiz: build the lesson again")
    return found


def alts_of_today(notebook):
    """Each alt text that a cell's calls of `show` state is stored with a picture; one that is put together at run time
    is left out.
    """
    found = []
    for cell in code_cells(notebook):
        stored = [image.get("alt") for output in cell.outputs
                  for image in Images(output.get("data", {}).get("text/html", "")).found]
        if stored:
            missing = Counter(alts_stated(cell.source)) - Counter(stored)
            found += [f"{cell.id} stores another alt text than '{alt[:40]}...'" for alt in sorted(missing)]
    return found


def alts_stated(source):
    """The alt texts of all calls of `show` in a cell, keyword or second argument, that stand in it word for word."""
    code = re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)  # commands of IPython
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)
             and getattr(node.func, "id", None) == "show"]
    given = [node for call in calls
             for node in [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "alt")]]
    return [" ".join(text.split()) for text in map(literal, given) if text is not None]


def literal(node):
    """The text of a string that is written out, alone, as an f-string without fields or as a sum; else None."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = node.values
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    else:
        return None
    texts = [literal(part) for part in parts]
    return None if None in texts else "".join(texts)
