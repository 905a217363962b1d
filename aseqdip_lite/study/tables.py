"""The summary of a comparison as tables: what was reached at what cost, and what stopping is worth."""

import re
import textwrap

from ..run.result import answer


def of(name, score, digits):
    """A column: what is shown of a row of the summary, here a score of an answer, and its digits."""
    return lambda row: answer(row, name, score), digits


def entry(name, digits=0):
    """A column that shows an entry of the row itself."""
    return lambda row: row[name], digits


#: {heading: column} of what it took, of what was reached, of the same where no truth is known, and of what stopping at
#: the pick of each rule would have lost.
COSTS = {name: entry(name) for name in ("steps", "gradients", "seconds")} | {"memory (MiB)": entry("peak_memory_mib")}
QUALITY = {"PSNR start": of("start", "psnr", 2), "PSNR final (dB)": of("final", "psnr", 2),
           "PSNR blind pick": of("blind", "psnr", 2), "PSNR oracle": of("oracle", "psnr", 2),
           "SSIM final": of("final", "ssim", 3), "final - aseqdip (dB)": entry("to_aseqdip", 2),
           "noise floor": (lambda row: row["to_aseqdip"] and row["to_aseqdip"]["floor"], 2)} | COSTS
RESIDUALS = {"residual final": of("final", "data_residual", 4),
             "residual held out": of("final", "heldout_residual", 4)} | COSTS
STOPPING = {"step of the peak": of("oracle", "step", 0), "lost by the final image": of("final", "lost", 2),
            "lost by wmv": of("blind", "lost", 2), "lost by emv": of("emv", "lost", 2),
            "lost by discrepancy": of("discrepancy", "lost", 2), "lost by blend": of("blend", "lost", 2)}


TERMINAL = 80  #: columns of a terminal


def escaped(name):
    """A name as Markdown shows it, whatever signs it has."""
    return re.sub(r"([\\`*|<\[&])", r"\\\1", name)


def markdown_table(rows, columns):
    """A Markdown table of rows, lists of cells; below a heading that ends in a colon they stand to the right."""
    sides = "|".join("---:" if head.endswith(":") else "---" for head in columns)
    head, *lines = (f"| {' | '.join(map(str, line))} |\n" for line in [[head.rstrip(":") for head in columns], *rows])
    return "".join([head, f"|{sides}|\n", *lines])


def text_table(rows, columns):
    """The same as aligned text with broken headings; columns beyond the width `TERMINAL` go on below."""
    heads = [textwrap.wrap(head.rstrip(":"), 9, break_long_words=False) for head in columns]
    names, blocks = [], [[]]
    for head, words, *cells in zip(columns, heads, *rows, strict=True):
        lines = [*[""] * (max(map(len, heads)) - len(words)), *words, *cells]
        width, right = max(map(len, lines)), head.endswith(":")
        column = [line.rjust(width) if right else line.ljust(width) for line in lines]
        if right and blocks[-1] and sum(len(one[0]) + 2 for one in (*names, *blocks[-1], column)) > TERMINAL + 2:
            blocks.append([])
        (blocks[-1] if right else names).append(column)
    return "\n".join("".join("  ".join(line).rstrip() + "\n" for line in zip(*names, *block, strict=True))
                     for block in blocks)


def as_markdown(summary, layout=markdown_table):
    """The two tables of `statistics.summarise`, the second only where peaks are known; by `text_table` for a terminal.

    Numbers are means over runs, in brackets the standard deviation over the seeds; for a difference see `cell`. Columns
    of which nothing is known are left out; without a truth residuals replace PSNR and SSIM.
    """
    text, _ = table(summary, QUALITY if any(answer(row, "final", "psnr") for row in summary) else RESIDUALS, layout)
    stopping, heads = table(summary, STOPPING, layout)
    if heads and any(answer(row, "oracle", "step") for row in summary):
        rules = ", and dB below it where a rule that needs no truth would have stopped" * (len(heads) > 2)
        blend = " (blend: the mean of the images of wmv and emv and the final one)" * ("lost by blend" in heads)
        caption = f"Steps to the highest PSNR, dB by which the final image is below it{rules}{blend}:"
        text += f"\n{caption if layout is markdown_table else textwrap.fill(caption, TERMINAL)}\n\n{stopping}"
    return text


def table(summary, columns, layout):
    """(table, headings) of the known columns, with the method, and the image where there are several, in front."""
    cells = {head: [cell(get(row), digits) for row in summary] for head, (get, digits) in columns.items()}
    cells = {head: found for head, found in cells.items() if set(found) != {"-"}}
    first = ["image"] * (len({row["image"] for row in summary}) > 1) + ["method"]
    names = [[escaped(row[name]) if layout is markdown_table else row[name] for name in first] for row in summary]
    rows = [[*names[index], *(found[index] for found in cells.values())] for index in range(len(names))]
    return layout(rows, [*first, *(f"{head}:" for head in cells)]), list(cells)


def cell(value, digits=2):
    """A number, a mean with its deviation, or a difference; "-" for what is not known.

    Behind the mean of a difference, or of an interval, of several images stands the interval in square brackets or, of
    too few for one, each image's own value in round ones; "level" says that it is within the noise floor.
    """
    if value is None:
        return "-"
    if not isinstance(value, dict):
        return f"{value:.{digits}f}"
    if "values" not in value:
        return f"{value['mean']:.{digits}f}" + (f" ({value['std']:.{digits}f})" if "std" in value else "")
    single, few = len(value["values"]) == 1, value["low"] is None
    shown = ", ".join(f"{each:+.{digits}f}" for each in (value["values"] if few else (value["low"], value["high"])))
    level = ", level" if abs(value["mean"]) <= (value.get("floor") or 0) else ""
    return f"{value['mean']:+.{digits}f}{'' if single else f' ({shown})' if few else f' [{shown}]'}{level}"
