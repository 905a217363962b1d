"""docs/REPRODUCTION.md, the ledger of what was reproduced, from aseqdip_lite/results/ID.json.

    python scripts/ledger_page.py
"""

from pathlib import Path

import click

from aseqdip_lite.course import RESULTS, experiments
from aseqdip_lite.study.tables import markdown_table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "REPRODUCTION.md"

HEAD = """# What was reproduced

Made by `python scripts/ledger_page.py` from the results that `aseqdip experiment --all --out aseqdip_lite/results`
stores. The papers' data cannot be redistributed, so our numbers come from other images: a verdict is about the effect.

"""


def page():
    """The page's text: a table of published results and verdicts, then a section with the figure of each."""
    reports = [report for name in experiments.names() if (report := experiments.stored(name, RESULTS))]
    rows = [[f"[{report['id']}](#{report['id'].lower()})", report["about"], report["published"],
             f"**{report['verdict']}**", report["provenance"]["profile"], f"{report['provenance']['seconds']:.0f}"]
            for report in reports]
    table = markdown_table(rows, ("id", "what", "published", "verdict", "profile", "seconds:"))
    return HEAD + table + "".join(map(section, reports))


def section(report):
    """An experiment's section."""
    return (f"\n## {report['id']}\n\n{report['about']}. Published: {report['published']}.\n\n"
            f"**{report['verdict'].capitalize()}.** {report['why']}\n\n"
            f"![{experiments.get(report['id']).alt}](../aseqdip_lite/results/{report['id']}.png)\n")


@click.command()
def main():
    """Write docs/REPRODUCTION.md."""
    PAGE.write_text(page(), encoding="utf-8")
    click.echo(f"written: {PAGE.name}")


if __name__ == "__main__":
    main()
