"""The package's docstrings, which are plain text for a terminal, as reStructuredText for the site."""

import dataclasses
import inspect
import re

#: Headings; their indented lines are left to napoleon but for those of "Returns:", in which it looks for a type.
SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:")

CODE = re.compile(r"(`[^`\n]+`)")
ENTRY = re.compile(r"[\w, ]+: ")


def as_rst(lines):
    """The lines of a docstring as RST: headings and their indented lines by `section`, all others by `prose`."""
    blocks = [[]]
    for line in lines:
        if line in SECTIONS or (blocks[-1] and blocks[-1][0] in SECTIONS and line[:1].strip()):
            blocks.append([])
        blocks[-1].append(line)
    return [line for block in filter(None, blocks) for line in (section if block[0] in SECTIONS else prose)(block)]


def section(lines):
    """A heading with its indented lines."""
    heading, *lines = lines
    if heading != "Returns:":
        return [heading, *(escaped(line) for line in lines)]
    result = []
    for line in filter(str.strip, lines):
        text = escaped(line.strip())
        if result and ENTRY.match(line.strip()) and line[4] != " ":
            result += ["", f"    - {text}"]
        else:
            bullet = result and result[-1].startswith(("    - ", "      "))
            result.append(" " * (6 if bullet else 4) + text)
    return [":returns:", *result, ""]


def prose(lines):
    """Paragraphs and lists; lines that are indented below a paragraph stand as they are, they are formulas or code."""
    result, above, literal = [], 0, False  # above: indent of the text before
    for line in lines:
        text, indent = line.strip(), len(line) - len(line.lstrip())
        literal = literal and (not text or indent > above)
        if not text or literal:
            result.append(line)
        elif indent > above and result:
            result += ["", " " * above + "::", "", line]
            literal = True
        elif text.startswith(("* ", "- ")):
            result += ["", f"{line[:indent]}- {escaped(text[2:])}"]
            above = indent + 2
        else:
            result += ([""] if indent < above else []) + [escaped(line)]
            above = indent
    return result


def escaped(line):
    """A line of prose with `code` in double backticks and everything else that RST would read as markup escaped."""
    parts = CODE.split(line)
    for index, part in enumerate(parts):
        if index % 2:  # RST wants code apart from letters and signs such as ^: an escaped space does it
            before = "\\ " if re.search(r"[^\s'\"(\[{<:/-]$", parts[index - 1]) else ""
            after = "\\ " if re.match(r"[^\s'\")\]}>:/.,;!?-]", parts[index + 1]) else ""
            parts[index] = f"{before}`{part}`{after}"
        else:
            parts[index] = re.sub(r"([\\*|`]|_(?!\w))", r"\\\1", part)
    return "".join(parts)


def settings_of(cls):
    """RST list of the settings of a task or a method: name, default, help; nothing for other classes."""
    fields = dataclasses.fields(cls) if isinstance(cls, type) and dataclasses.is_dataclass(cls) else ()
    rows = [f"- ``{field.name}`` = ``{field.default!r}``: {escaped(field.metadata['help'])}"
            for field in fields if "help" in field.metadata]
    return ["", "**Settings**", "", *rows, ""] if rows else []


def process_docstring(app, what, name, obj, options, lines):
    """Handler of Sphinx's event "autodoc-process-docstring": changes the lines in place."""
    lines[:] = as_rst(lines) + settings_of(obj)


def skip_member(app, what, name, obj, skip, options):
    """Handler of "autodoc-skip-member": a function of another package that a class keeps is not documented here."""
    home = getattr(obj, "__module__", None) or "aseqdip_lite"
    return True if inspect.isroutine(obj) and not home.startswith("aseqdip_lite") else None
