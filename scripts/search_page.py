"""docs/SEARCH.md from the recorded searches, aseqdip_lite/results/tuning_SEARCH.jsonl.

    python scripts/search_page.py
"""

from statistics import median

from tune import OWN_RULE, ROOT, SEARCHES, edges, means, ranking, seeds_of, stored, trials, with_budget

from aseqdip_lite.study.tables import markdown_table

PAGE = ROOT / "docs" / "SEARCH.md"

#: The page's prose, with a field for the searches.
TEXT = PAGE.parent / "texts" / "search.md"


def section(name, rows):
    """A search as Markdown."""
    search = SEARCHES[name]
    problems = "; ".join(", ".join(f"{key} {value}" for key, value in problem.items())
                         for problem in search["problems"])
    lines = [f"## {name}\n", f"On {problems}." + (f" {search['steps']} Adam steps" if search["steps"] else "")
             + (f", read after {', '.join(map(str, search['budgets']))}" if "budgets" in search else "")
             + (f". {seeds_of(name)} seeds" if seeds_of(name) > 1 else "") + "." * bool(search["steps"]) + "\n"]
    first, on_first = {}, [row for row in rows if row["problem"] == search["problems"][0]]
    for (method, _), scores in means(on_first, seeds_of(name)).items():
        first.setdefault(method, []).append(max(scores.values()))
    table = {}
    for mean, method, settings, steps in ranking(name, rows):
        if method in table:
            continue
        chosen = settings if method in OWN_RULE else with_budget(method, settings, steps)
        values = ", ".join(f"{key} {value}" for key, value in chosen.items())
        count = sum(row["method"] == method for row in rows)
        table[method] = [method, count, f"{mean:.2f}", f"{max(first[method]):.2f}", f"{median(first[method]):.2f}",
                         values, ", ".join(edges(name, method, settings, steps)) or "-"]
    columns = ("method", "trials:", "mean:", "first image:", "median:", "winner", "at an edge")
    return "\n".join([*lines, markdown_table(table.values(), columns)])


def entered(name):
    """The stored rows of the trials that are part of today's search; none unless all of them are done."""
    rows, wanted = stored(name), []
    for number in range(len(SEARCHES[name]["problems"])):
        wanted += [trial.key for trial in trials(name, number, rows.values())]
        if not rows.keys() >= set(wanted):
            return []
    return [rows[trial] for trial in wanted]


def page():
    """The page's text: the tasks whose search is complete."""
    searched = {name: entered(name) for name in SEARCHES}
    sections = "\n".join(section(name, rows) for name, rows in searched.items() if rows)
    return TEXT.read_text(encoding="utf-8").format(searches=sections.rstrip())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
