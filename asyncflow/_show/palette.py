"""How states look: a colour, a mark and a pattern each, on light ground and on dark.

The colours are those of M. Okabe and K. Ito ("Color Universal Design", 2008), which people with any colour vision tell
apart, made darker or lighter until they stand out from the ground. A state is never told by colour alone: each has
its mark, and borders and patterns that a black-and-white print keeps.

All colours are CSS variables, defined for whatever has the class ``af``. They follow what the reader's system
prefers and the themes of Jupyter and VS Code, unless the class ``af-light`` or ``af-dark`` says which. Print is on
light ground.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

CATEGORIES: Final = 8
"""How many colours there are for what has no state, such as functions: ``--af-cat-0`` and so on."""

FONT: Final = "Arial, Helvetica, 'Liberation Sans', Arimo, 'Noto Sans', 'DejaVu Sans', sans-serif"
"""Of the first four, letters are as wide as each other's, and one is on nearly every system."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a state looks; its colours are ``--af-<name>`` for lines, bars and marks, and ``--af-<name>-fill`` for what
    text stands on.

    Args:
        name: of its variables and classes: the state's in lower case with hyphens, or "planned".
        words: what it means, for a legend.
        glyph: a character for texts.
        mark: the same as the path of an SVG in a square from 0 to 10, drawn as a line of width 1.6 without filling.
        dash: of borders, as SVG's ``stroke-dasharray``; "" for a line without gaps.
        pattern: name of the pattern that lies over bars and boxes; "" for none.
        light: colour of lines, and that of the ground for text, on light ground.
        dark: the same on dark ground.
    """

    name: str
    words: str
    glyph: str
    mark: str
    dash: str
    pattern: str
    light: tuple[str, str]
    dark: tuple[str, str]


_CROSS: Final = "M2 2L8 8M8 2L2 8"
_RING: Final = "M5 1.2A3.8 3.8 0 1 1 4.99 1.2Z"

PLANNED: Final = Look(
    "planned", "planned", "□", "M2 2H8V8H2Z", "", "", ("#57606a", "#eef1f5"), ("#9aa5b1", "#262d36")
)
LOOKS: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "PENDING": Look(
            "pending", "waits for others", "○", _RING, "2 3", "", ("#6b747e", "#ffffff"), ("#8f99a4", "#191e24")
        ),
        "READY": Look(
            "ready", "could run", "◎", f"{_RING}M5 4.2V5.8M4.2 5H5.8", "6 2", "",
            ("#2a7db0", "#edf6fc"), ("#7cc4ef", "#132733"),
        ),
        "SUBMITTED": Look(
            "submitted", "handed to the backend", "↑", "M5 9V1.5M1.8 4.7L5 1.5L8.2 4.7", "8 3", "",
            ("#1f6fa3", "#dceefa"), ("#62b6ea", "#15303f"),
        ),
        "RUNNING": Look(
            "running", "running", "▶", "M2.5 1.5V8.5L8.5 5Z", "", "", ("#0067a3", "#cbe4f5"), ("#4fb0ea", "#143d58")
        ),
        "CANCELLING": Look(
            "cancelling", "being stopped", "◪", "M2 2H8V8H2ZM2 8L8 2", "1 2", "rising",
            ("#9c4a80", "#faf0f6"), ("#dd98c2", "#2e1c29"),
        ),
        "SUCCEEDED": Look(
            "succeeded", "succeeded", "✓", "M1.5 5.5L4 8.2L8.5 2", "", "",
            ("#007d5b", "#dcf3ea"), ("#2fc79b", "#12382d")
        ),
        "FAILED": Look(
            "failed", "failed", "✗", _CROSS, "", "hatched", ("#b83a00", "#fde2d2"), ("#ff7d3f", "#4d2310")
        ),
        "UPSTREAM_FAILED": Look(
            "upstream-failed", "not run, as another failed", "!", "M5 1V6M5 8.2V9", "4 2", "dotted",
            ("#b58100", "#fff8e4"), ("#f4c95d", "#3c2d0b"),
        ),
        "SKIPPED": Look(
            "skipped", "skipped", "»", "M2 2L5 5L2 8M5.5 2L8.5 5L5.5 8", "2 4", "",
            ("#59636e", "#f4f6f8"), ("#a3adb8", "#1f252c"),
        ),
        "CANCELLED": Look(
            "cancelled", "cancelled", "⊘", f"{_RING}M2.3 7.7L7.7 2.3", "", "rising",
            ("#8f3d73", "#f6e4ee"), ("#dd98c2", "#3d2235"),
        ),
    }
)  # fmt: skip

_GROUND: Final = {
    # name: (light, dark)
    "bg": ("#ffffff", "#14181d"),
    "fg": ("#1b2026", "#e8ecf1"),
    "muted": ("#57606a", "#a0aab5"),  # text that is less important
    "line": ("#7b8590", "#77828d"),  # edges and axes
    "grid": ("#e3e7eb", "#2b323a"),
    "box": ("#f6f8fa", "#1b2128"),  # ground of blocks, panels and tooltips
    "critical": ("#1b2026", "#ffffff"),  # the critical path: the strongest line there is
    "finding": ("#b3261e", "#ff8f86"),
    "focus": ("#0067a3", "#7cc4ef"),  # what the keyboard is at
}
_CATEGORIES: Final = (
    ("#0072b2", "#4fb0ea"), ("#d55e00", "#ff8a4c"), ("#00825f", "#2fc79b"), ("#a94f86", "#dd98c2"),
    ("#2e8bc0", "#8fd0f5"), ("#967000", "#e6c84a"), ("#6550a8", "#a99be0"), ("#616b75", "#a3adb8"),
)  # fmt: skip

_DARK_THEMES: Final = (
    '[data-jp-theme-light="false"]',  # JupyterLab
    ".vscode-dark",  # VS Code
    '[data-theme="dark"]',  # Furo, marimo, Colab
)
_LIGHT_THEMES: Final = ('[data-jp-theme-light="true"]', ".vscode-light", '[data-theme="light"]')
_PATTERNS: Final = {
    "hatched": ("6", "M-1 1L1 -1M0 6L6 0M5 7L7 5"),
    "rising": ("8", "M-1 -1L9 9M-1 7L1 9M7 -1L9 1"),
    "dotted": ("5", "M2 2.5H3"),
    "shaded": ("4", "M0 2H4"),
}
_VARIABLE: Final = re.compile(r"var\(--af-([a-z0-9-]+)\)")
_USED: Final = re.compile(r"([a-z-]+):([^;{}]*var\(--af-[^;{}]*)")


def look_of(state: str | None) -> Look:
    """How a state looks, or what has none because it has not run.

    Args:
        state: its name, or None.
    """
    return PLANNED if state is None else LOOKS[state]


def colours(dark: bool) -> dict[str, str]:
    """All colours by the names of their variables, without ``--af-``."""
    made = {name: pair[dark] for name, pair in _GROUND.items()}
    for look in (PLANNED, *LOOKS.values()):
        made[look.name], made[f"{look.name}-fill"] = look.dark if dark else look.light
    return made | {f"cat-{number}": pair[dark] for number, pair in enumerate(_CATEGORIES)}


def css() -> str:
    """Rules that define the variables for the class ``af``; the same for all that stands in one page."""
    light_rules, dark_rules = _defined(False), _defined(True)
    of_dark = ",".join(f"{theme} .af" for theme in _DARK_THEMES)
    of_light = ",".join(f"{theme} .af" for theme in _LIGHT_THEMES)
    return (
        f".af{{{light_rules}}}\n"
        f"@media (prefers-color-scheme:dark){{.af{{{dark_rules}}}}}\n"
        f"{of_dark}{{{dark_rules}}}\n"
        f"{of_light}{{{light_rules}}}\n"
        # as strong as those of themes, and after them
        f".af.af-dark{{{dark_rules}}}\n"
        f".af.af-light{{{light_rules}}}\n"
        f"@media print{{.af,.af.af,:root .af.af{{{light_rules}}}}}\n"
    )


def with_fallbacks(rules: str, dark: bool = False) -> str:
    """CSS rules in which colours stand before the variables, for viewers that know none.

    Args:
        rules: with variables.
        dark: whether they are those for dark ground.
    """
    known = colours(dark)
    return _USED.sub(lambda found: f"{found[1]}:{_resolved(found[2], known)};{found[0]}", rules)


def resolved(text: str, dark: bool) -> str:
    """CSS or SVG with colours in place of the variables, for what knows none."""
    return _resolved(text, colours(dark))


def patterns(prefix: str = "af") -> str:
    """``<pattern>`` elements for the ``<defs>`` of an SVG; they are lines in ``currentColor``.

    Args:
        prefix: of their ids, which are like ``af-hatched``: two pictures in one page may have one each.
    """
    return "".join(
        f'<pattern id="{prefix}-{name}" width="{size}" height="{size}" patternUnits="userSpaceOnUse">'
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1"/></pattern>'
        for name, (size, path) in _PATTERNS.items()
    )


def _defined(dark: bool) -> str:
    variables = "".join(f"--af-{name}:{colour};" for name, colour in colours(dark).items())
    return f"color-scheme:{'dark' if dark else 'light'};{variables}"


def _resolved(text: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: known[found[1]], text)
