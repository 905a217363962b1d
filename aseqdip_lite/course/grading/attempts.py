"""Attempts, as the stored outputs of a notebook tell them: the student's own count, which nothing vouches for.

`check` and `quiz_answers` write below a cell how often an exercise or a question was tried since the kernel
was started. Outputs are read as text. They can be edited, cleared or of an older day, so no point depends on them.
"""

import re

#: A box of `feedback.Box` as text: what was answered, and how often.
BOX = re.compile(r"[✓✗] (?:question (?P<question>\d{1,3})|(?P<exercise>[\w.]+)): ")
COUNT = re.compile(r" \| attempts: (\d{1,6})(?= \|[^|]*$|$)")

#: Letters at the end of a box that hold its notes.
NOTES = 200


def attempts(cells, number):
    """{exercise or question, e.g. "mri.lam" or "quiz.07.2": attempts} of a notebook, the largest number of each.

    Args:
        cells: its cells, plain JSON of any content.
        number: that of the lesson, e.g. "07".
    """
    found = {}
    for text in texts(cells):
        box, count = BOX.match(text), COUNT.search(text[-NOTES:])
        if box and count:
            name = box["exercise"] or f"quiz.{number}.{int(box['question'])}"
            found[name] = max(found.get(name, 0), int(count[1]))
    return found


def texts(cells):
    """The texts that cells have displayed."""
    for cell in cells:
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            data = output.get("data") if isinstance(output, dict) else None
            text = data.get("text/plain") if isinstance(data, dict) else None
            lines = text if isinstance(text, list) else [text]
            if all(isinstance(line, str) for line in lines):
                yield "".join(lines)
