"""The summary of a comparison as Markdown tables: what was reached at what cost, and what stopping is worth."""

from ..run.result import answer

#: Headings of the columns of PSNR.
HEADS = dict(start="PSNR start", final="PSNR final (dB)", blind="PSNR blind pick", oracle="PSNR oracle")

#: The answers that end a run without the truth, and their headings: the rules' names (see `stopping`).
STOPS = dict(final="the last step", blind="wmv", emv="emv", discrepancy="discrepancy", blend="blend")


def as_markdown(summary):
    """The two tables of `statistics.summarise`, the second only where peaks are known.

    Numbers are means over runs, in brackets the standard deviation over the seeds, in square brackets the
    interval of a difference. A column in which nothing is known is left out; without a truth
    the residuals stand in place of PSNR and SSIM.
    """
    known = any(answer(row, "final", "psnr") for row in summary)
    text = table(summary, quality_columns() if known else residual_columns())
    stopping = table(summary, stopping_columns())
    if stopping is not None and any(answer(row, "oracle", "step") for row in summary):
        blend = " (blend: the mean of the images of wmv, emv and the last step)" * ("lost by blend" in stopping)
        text += ("\nSteps to the highest PSNR, dB lost from there to the last step, and dB below it where a rule that "
                 f"needs no truth would have stopped{blend}:\n\n{stopping}")
    return text


def quality_columns():
    """{heading: (cell as a function of a summary row, digits)} of what was reached."""
    columns = {head: (lambda row, name=name: answer(row, name, "psnr"), 2) for name, head in HEADS.items()}
    columns["SSIM final"] = (lambda row: answer(row, "final", "ssim"), 3)
    columns["final - aseqdip (dB)"] = (lambda row: row["to_aseqdip"], 2)
    return columns | cost_columns()


def residual_columns():
    """The same where no truth is known."""
    return {"residual final": (lambda row: answer(row, "final", "data_residual"), 4),
            "residual held out": (lambda row: answer(row, "final", "heldout_residual"), 4)} | cost_columns()


def cost_columns():
    """What it took."""
    return {"steps": (lambda row: row["steps"], 0), "gradients": (lambda row: row["gradients"], 0),
            "seconds": (lambda row: row["seconds"], 0), "memory (MiB)": (lambda row: row["peak_memory_mib"], 0)}


def stopping_columns():
    """When a run was best, what it lost after that, and what each rule would have lost."""
    return {"step of the peak": (lambda row: answer(row, "oracle", "step"), 0)} | {
        f"lost by {rule}": (lambda row, name=name: answer(row, name, "lost"), 2) for name, rule in STOPS.items()}


def table(summary, columns):
    """A Markdown table with the method, and the image where there are several, in front; None if no column is known."""
    cells = {head: [cell(get(row), digits) for row in summary] for head, (get, digits) in columns.items()}
    cells = {head: found for head, found in cells.items() if set(found) != {"-"}}
    if not cells:
        return None
    first = ["image"] * (len({row["image"] for row in summary}) > 1) + ["method"]
    rows = [[*(row[name] for name in first), *(found[index] for found in cells.values())]
            for index, row in enumerate(summary)]
    return markdown_table(rows, [*first, *(f"{head}:" for head in cells)])


def markdown_table(rows, columns):
    """A Markdown table of rows, lists of cells; below a heading that ends in a colon they stand to the right."""
    sides = "|".join("---:" if head.endswith(":") else "---" for head in columns)
    head, *lines = (f"| {' | '.join(map(str, line))} |\n" for line in [[head.rstrip(":") for head in columns], *rows])
    return "".join([head, f"|{sides}|\n", *lines])


def cell(value, digits):
    """A number, a mean with its deviation, or a difference with its interval; "-" for what is not known."""
    if value is None:
        return "-"
    if not isinstance(value, dict):
        return f"{value:.{digits}f}"
    if "low" in value:
        interval = "" if value["low"] is None else f" [{value['low']:+.{digits}f}, {value['high']:+.{digits}f}]"
        return f"{value['mean']:+.{digits}f}{interval}"
    return f"{value['mean']:.{digits}f}" + ("" if value["std"] is None else f" ({value['std']:.{digits}f})")
