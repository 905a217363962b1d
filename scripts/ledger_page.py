"""docs/REPRODUCTION.md, the ledger of what was reproduced, from aseqdip_lite/results/ID.json.

    python scripts/ledger_page.py
"""

import inspect
from pathlib import Path

import click

from aseqdip_lite.course import RESULTS, experiments
from aseqdip_lite.course.experiments import t2
from aseqdip_lite.course.experiments.published import Plan, found
from aseqdip_lite.course.experiments.verdicts import VERDICTS, overall
from aseqdip_lite.networks import PRECISIONS
from aseqdip_lite.study.tables import markdown_table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "REPRODUCTION.md"

#: The page's prose, with a field for the table and one for the sections.
TEXT = PAGE.parent / "texts" / "reproduction.md"


def page():
    """The page's text: rules, a table of claims and verdicts, then a section with the figure of each experiment."""
    reports = [report for name in experiments.names() if (report := experiments.stored(name, RESULTS))]
    rows = []
    for report in reports:
        rows += claim_rows(report["id"], report["claims"])
        for plan in published(report["id"]):
            rows += claim_rows(report["id"], plan.claims(), " at the published size")
    return TEXT.read_text(encoding="utf-8").format(
        table=markdown_table(rows, ("id", "claim of the source", "verdict", "what decides it")).rstrip(),
        sections="".join(map(section, reports)).strip())


def claim_rows(name, claims, size=""):
    """An experiment's rows in the table of claims; T2's claims are one row."""
    if name == "T2" and claims:
        claims = [dict(claim=f"aSeqDIP first on the paper's list of {len(claims)} tasks and settings",
                       verdict=overall(claims), why=counted(claims))]
    return [[f"[{name}](#{name.lower()}){size}", claim["claim"], f"**{claim['verdict']}**", claim["why"]]
            for claim in claims]


def published(name):
    """The `Plan`s of an experiment of which runs at the published size are stored, one a precision."""
    experiment = experiments.get(name)
    if experiment.runs is None or not (RESULTS / experiment.profiles["paper"]["file"]).exists():
        return []
    return [plan for precision in PRECISIONS if (plan := Plan(name, RESULTS, precision)).done()]


def published_section(name):
    """What there is of an experiment at the published size; nothing for one that is not made of such runs."""
    if experiments.get(name).runs is None:
        return ""
    parts = []
    for plan in published(name):
        done, claims = plan.done(), plan.claims()
        parts.append(f"\nAt the published size: {len(done)} of {len(done) + len(plan.missing())} runs.\n\n")
        parts.append(markdown_table([[run, found(row)] for run, row in done.items()],
                                    ("run", "PSNR at the last step, time")))
        parts.append("\n" + claim_table(claims) if claims else "")
    return "".join(parts) or "\nAt the published size: not run.\n"


def claim_table(claims):
    """Claims with their verdicts."""
    return markdown_table([[claim["claim"], f"**{claim['verdict']}**", claim["why"]] for claim in claims],
                          ("claim", "verdict", "what decides it"))


def counted(claims):
    """How many claims have each verdict, in words."""
    return ", ".join(f"{number} {verdict}" for verdict in VERDICTS
                     if (number := sum(claim["verdict"] == verdict for claim in claims)))


def section(report):
    """An experiment's section."""
    experiment, made = experiments.get(report["id"]), report["provenance"]
    rule = " ".join(inspect.getdoc(experiment.judge).split())
    table = t2_table(report) if report["id"] == "T2" else claim_table(report["claims"])
    settings = ", ".join(f"{name} {words(value)}" for name, value in made["settings"].items() if name != "file")
    about, cost = report["about"][0].upper() + report["about"][1:], report["ours"].get("core_seconds")
    took = f"{cost:.0f} core-seconds" if cost else f"{made['seconds']:.0f} seconds"  # its runs may have been there
    return (f"\n## {report['id']}\n\n{about}. Published: {report['published']}.\n\nRule. {rule}\n\n{table}\n"
            f"Settings: profile {made['profile']}; {settings}; {took} on {made['device']}.\n\n"
            f"{report['why']}\n\n"
            f"![{experiment.alt}](../aseqdip_lite/results/{report['id']}.png)\n"
            f"{published_section(report['id'])}")


def words(value):
    """A setting in words."""
    if isinstance(value, dict):
        return " ".join(f"{name} {words(one)}" for name, one in value.items())
    return "; ".join(map(words, value)) if isinstance(value, list) else str(value)


def t2_table(report):
    """T2 twice: aSeqDIP against the best on the paper's own list, and its place among all methods that ran."""
    rows = []
    for part, claim in zip(report["ours"]["parts"], report["claims"], strict=True):
        table = list(t2.means(part))
        family = [name for name in table if not t2.is_classic(name)]
        places = [f"{among.index('aseqdip') + 1} of {len(among)}" for among in (family, table)]
        rows.append([t2.title(part), f"**{claim['verdict']}**", claim["why"], *places])
    return markdown_table(rows, ("task, setting", "first on the paper's list", "what decides it", "place in the family",
                                 "place among all"))


@click.command()
def main():
    """Write docs/REPRODUCTION.md."""
    PAGE.write_text(page(), encoding="utf-8")
    click.echo(f"written: {PAGE.name}")


if __name__ == "__main__":
    main()
