"""What the docstring of a function says of it and of its parameters, in any of the styles that are in use."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Params)\s*:?\s*$")
_GOOGLE = re.compile(r"^(\*{0,2}\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_SPHINX = re.compile(r"^:(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?(\*{0,2}\w+)\s*:\s*(.*)$")


def told(doc: str | None) -> tuple[str, dict[str, str]]:
    """The first paragraph of a docstring, and what it says of each parameter, by name.

    Args:
        doc: in the style of Google, NumPy or Sphinx; None for none.
    """
    lines = inspect.cleandoc(doc or "").splitlines()
    summary = " ".join("\n".join(lines).partition("\n\n")[0].split())
    if _SECTION.match(summary) or _SPHINX.match(summary):
        summary = ""
    found = dict(_sphinx(lines))
    for number, line in enumerate(lines):
        if _SECTION.match(line):
            is_numpy = number + 1 < len(lines) and set(lines[number + 1].strip()) == {"-"}
            found |= dict(_numpy(lines[number + 2 :]) if is_numpy else _google(lines[number + 1 :]))
    return summary, {name.lstrip("*"): " ".join(text.split()) for name, text in found.items()}


def _google(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Entries that stand further right than their heading: "name: text"."""
    indent, name, text = 0, "", ""
    for line in lines:
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        if not depth:
            break
        entry = _GOOGLE.match(line.strip())
        if entry and (not indent or depth <= indent):
            if name:
                yield name, text
            indent, (name, text) = depth, entry.groups()
        else:
            text += f" {line}"
    if name:
        yield name, text


def _numpy(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Entries at the left, "name : type", each with its text further right."""
    names: list[str] = []
    text = ""
    for number, line in enumerate(lines):
        if line[:1].isspace() or not line.strip():
            text += f" {line}"
            continue
        if number + 1 < len(lines) and set(lines[number + 1].strip()) == {"-"}:
            break  # the next section
        yield from ((name, text) for name in names)
        entry = _NUMPY.match(line)
        names, text = ([each.strip() for each in entry[1].split(",")] if entry else []), ""
    yield from ((name, text) for name in names)


def _sphinx(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Fields: ":param name: text"."""
    name, text = "", ""
    for line in lines:
        entry = _SPHINX.match(line.strip())
        if entry or line.strip().startswith(":") or not line.strip():
            if name:
                yield name, text
            name, text = entry.groups() if entry else ("", "")
        elif name:
            text += f" {line}"
    if name:
        yield name, text
