"""docs/PERFORMANCE.md and aseqdip_lite/results/bench.json from what the benchmarks have stored, bench_PART.json.

    python benchmarks/performance_page.py
"""

from pathlib import Path

from common import load, save

from aseqdip_lite.study.tables import markdown_table

PAGE = Path(__file__).parent.parent / "docs" / "PERFORMANCE.md"

#: The page's prose, with a field for the tables of each part; and the parts in its order.
TEXT = PAGE.parent / "texts" / "performance.md"
PARTS = ("quality", "means", "speed", "precision", "growth", "sweep", "gpu")


def number(value):
    """Three significant digits, without powers of ten."""
    return "never" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def tables(rows):
    """Rows named "where: what" as Markdown tables, a line for each place; another first column begins a new table."""
    grids = []
    for entry in rows:
        where, what = entry["name"].rsplit(": ", 1)
        if not grids or (where not in grids[-1] and what not in next(iter(grids[-1].values()))):
            grids.append({})
        verdict = {None: "", True: " (reached)", False: " (missed)"}[entry["ok"]]
        grids[-1].setdefault(where, {})[what] = number(entry["value"]) + verdict
    return "\n".join(map(table, grids))


def table(grid):
    """{line: {column: cell}} in Markdown; a missing cell is a dash."""
    columns = list(dict.fromkeys(column for cells in grid.values() for column in cells))
    return markdown_table([[where, *(cells.get(column, "-") for column in columns)] for where, cells in grid.items()],
                          ["", *(f"{column}:" for column in columns)])


def merged():
    """All parts that are stored as one report: rows, and the provenance of each part."""
    reports = {part: report for part in PARTS if (report := load(f"bench_{part}"))}
    return dict(rows=[entry for report in reports.values() for entry in report["rows"]],
                provenance={part: report["provenance"] for part, report in reports.items()})


def verdict(rows):
    """How many targets are reached, and which are missed."""
    aimed = [entry for entry in rows if entry["target"] is not None]
    missed = [f"* {entry['name']}: {number(entry['value'])}, target {entry['target']:g}\n"
              for entry in aimed if not entry["ok"]]
    return (f"{len(aimed) - len(missed)} of {len(aimed)} targets are reached"
            + (f"; missed:\n\n{''.join(missed)}" if missed else ".\n"))


def machine_of(provenance):
    """One line on where a part was measured."""
    where = f"{provenance['versions']['torch']}, {provenance.get('cpu') or provenance['hardware']}"
    if provenance["device"] != "cpu":
        return f"Measured with torch {where}.\n"
    kinds = ", ".join(provenance.get("bfloat16", [])) or "not recorded"
    return f"Measured with {provenance['threads']} threads, torch {where}; bfloat16 in hardware: {kinds}.\n"


def page():
    """The page's text."""
    found = {part: load(f"bench_{part}") for part in PARTS}
    parts = {part: f"{machine_of(report['provenance'])}\n{tables(report['rows'])}".rstrip() if report
             else "Not measured yet." for part, report in found.items()}
    return TEXT.read_text(encoding="utf-8").format(verdict=verdict(merged()["rows"]).rstrip(), **parts)


def main():
    report = merged()
    save("bench", report)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{tables(report['rows'])}\n{verdict(report['rows'])}\nwritten: {PAGE.name}, bench.json")


if __name__ == "__main__":
    main()
