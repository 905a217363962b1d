"""docs/LICENCES.md: version, licence and homepage of everything that an installation brings, from installed metadata.

Begins at the requirements in pyproject.toml and follows those of what they install; optional parts are listed apart.

    python scripts/licences.py
"""

import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aseqdip_lite.study.tables import markdown_table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "LICENCES.md"

#: Words by which a licence of the GPL family is known.
COPYLEFT = re.compile(r"GPL|General Public License")

#: The page's prose, with a field for the tables.
TEXT = PAGE.parent / "texts" / "licences.md"


def normal(name):
    """The one spelling of a distribution's name."""
    return canonicalize_name(name)


def project():
    """The table [project] of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def installed(requirements, found=None):
    """{name: Distribution} of what a list of requirements brings, on this Python and system, with all that it needs."""
    found = {} if found is None else found
    for requirement in map(Requirement, requirements):
        name = normal(requirement.name)
        if name in found or name == "aseqdip-lite":
            continue
        found[name] = distribution = metadata.distribution(name)
        needed = [text for text in distribution.requires or () if applies(Requirement(text), requirement.extras)]
        installed(needed, found)
    return found


def applies(requirement, extras):
    """Whether a requirement of a package counts here, if it is installed with these extras."""
    return requirement.marker is None or any(requirement.marker.evaluate(dict(extra=extra)) for extra in ("", *extras))


def groups():
    """{"default": {name: Distribution}, "cluster": what this extra adds, ...}; those that are not here are left out."""
    facts = project()
    found = dict(default=installed(facts["dependencies"]))
    for extra, requirements in facts["optional-dependencies"].items():
        try:
            whole = installed(requirements)
        except metadata.PackageNotFoundError:
            continue
        found[extra] = {name: one for name, one in whole.items() if name not in found["default"]}
    return found


def licence(distribution):
    """A package's licence: the SPDX expression (PEP 639), else the classifiers, else the field License."""
    facts = distribution.metadata
    entries = [entry.split(" :: ") for entry in facts.get_all("Classifier") or ()]
    classifiers = ", ".join(entry[-1] for entry in entries if entry[0] == "License")
    text = (facts.get("License") or "").split("\n")[0]  # some hold the whole text
    return facts.get("License-Expression") or classifiers or text or "not stated"


def homepage(distribution):
    """A package's address, "" if it states none."""
    links = dict(entry.split(", ", 1) for entry in distribution.metadata.get_all("Project-URL") or ())
    links = {name.lower(): address for name, address in links.items()}
    wanted = ("homepage", "home", "source", "source code", "repository", "documentation")
    return distribution.metadata.get("Home-page") or next((links[name] for name in wanted if name in links), "")


def carried(distribution):
    """Licences of the GPL family of parts inside of a wheel, as its licence files list them."""
    found = set()
    for file in distribution.files or ():
        if re.match(r"licen[sc]e", file.name, re.IGNORECASE):
            text = file.locate().read_text(encoding="utf-8", errors="replace")
            lines = re.findall(r"^Licen[sc]e: (.*)$", text, re.MULTILINE)
            found |= {line.strip() for line in lines if COPYLEFT.search(line)}
    return sorted(found)


def table(distributions):
    """A group as a Markdown table, sorted by name."""
    return markdown_table([[one.metadata["Name"], one.version.split("+")[0], licence(one), homepage(one)]
                           for _, one in sorted(distributions.items())], ("package", "version", "licence", "homepage"))


def page():
    """The page's text."""
    sections = []
    for group, found in groups().items():
        title = "The default installation" if group == "default" else f"What the extra `{group}` adds"
        family = [f"{name} ({licence(one)})" for name, one in sorted(found.items()) if COPYLEFT.search(licence(one))]
        inside = [f"{name} ({', '.join(parts)})" for name, one in sorted(found.items()) if (parts := carried(one))]
        sections += [f"## {title}: {len(found)} packages\n", table(found),
                     f"Under GPL, AGPL or LGPL: {', '.join(family) or 'none'}. Parts inside of wheels whose licence "
                     f"files name such a licence: {', '.join(inside) or 'none'}.\n"]
    return TEXT.read_text(encoding="utf-8").format(
        python=".".join(platform.python_version_tuple()[:2]), system=platform.system(),
        groups="\n".join(sections).rstrip())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
