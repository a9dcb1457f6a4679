"""Pages that are whole by themselves: style, script and data inside, and no way out to any network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

from .._show import palette
from .._show.words import plain


@cache
def part(name: str) -> str:
    """A part of pages, by the name of its file in ``web``."""
    return (files(__package__) / "web" / name).read_text("utf-8").replace("FONT", palette.FONT)


def page(
    title: str,
    body: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    dark: bool | None = None,
    of: str = "",
) -> str:
    """A page. It may load nothing, and runs no script but its own.

    Args:
        title: of the window.
        body: HTML, in which everything that comes from somewhere else is escaped.
        styles: CSS, in order.
        scripts: JavaScript that is run at the end of the body, in order.
        dark: whether its ground is dark; None to follow the reader's system.
        of: class of the body.
    """
    root = "af" if dark is None else "af af-dark" if dark else "af af-light"
    own = (
        " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
        or "'none'"
    )
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {own}; "
        "base-uri 'none'; form-action 'none'"
    )
    style = "\n".join([palette.css(), *styles])
    code = "\n".join(f"<script>{script}</script>" for script in scripts)
    return (
        f'<!doctype html>\n<html lang="en" class="{root}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(plain(title))}</title>\n<style>\n{style}</style>\n</head>\n"
        f'<body class="{of}">\n{body}\n{code}\n</body>\n</html>\n'
    )


def data(text: str, name: str = "data") -> str:
    """An element that holds text in base64, for a script to read."""
    return f'<script type="application/octet-stream" id="{name}">{text}</script>'
