"""A drawing: shows itself in a notebook, and becomes any of the formats when it is asked."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from os import PathLike, fspath
from pathlib import Path
from typing import Final

from .._show import palette, words

_FORMATS: Final = {
    ".svg": "to_svg",
    ".png": "to_png",
    ".html": "to_html",
    ".mmd": "to_mermaid",
    ".dot": "to_dot",
}


class Drawing:
    """A picture that can be shown and saved.

    In a notebook it shows itself, in the colours of the notebook's theme. Nothing is drawn before somebody asks.

    Args:
        noun: what it is of: "Plan".
        title: what there is in it.
        svg: makes the SVG, with dark ground, light ground, or for None either, as the reader's system prefers.
        html: makes the page that can be moved and searched; the same.
        mermaid: makes the text for Mermaid.
        dot: makes the text for Graphviz.
        dark: whether its ground is dark; None to follow the reader's system.
    """

    __slots__ = ("_dark", "_dot", "_html", "_mermaid", "_svg", "noun", "title")

    def __init__(
        self,
        noun: str,
        title: str,
        *,
        svg: Callable[[bool | None], str],
        html: Callable[[bool | None], str],
        mermaid: Callable[[], str],
        dot: Callable[[], str],
        dark: bool | None = None,
    ) -> None:
        self.noun = noun
        self.title = title
        self._svg = svg
        self._html = html
        self._mermaid = mermaid
        self._dot = dot
        self._dark = dark

    def to_mermaid(self) -> str:
        """The picture as text for Mermaid, which GitHub and many wikis draw; needs nothing installed."""
        return self._mermaid()

    def to_dot(self) -> str:
        """The picture as text for Graphviz; needs nothing installed."""
        return self._dot()

    def to_svg(self) -> str:
        """The picture as SVG.

        Raises:
            ImportError: the extra ``plot`` is not installed.
        """
        return self._svg(self._dark)

    def to_png(self, scale: float = 2.0) -> bytes:
        """The picture as PNG; on light ground, if nobody has said otherwise.

        Args:
            scale: pixels for each unit of the SVG.

        Raises:
            ImportError: the extra ``plot`` is not installed.
            ValueError: the picture would be too large.
        """
        from .png import png

        dark = bool(self._dark)
        return png(palette.resolved(self._svg(dark), dark), scale)

    def to_html(self) -> str:
        """The picture as one page that needs no network: move, zoom, search, and click a box for what is known of it.

        Raises:
            ImportError: the extra ``plot`` is not installed.
        """
        return self._html(self._dark)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the picture to a file, in the format that the end of its name says: .svg .png .html .mmd .dot

        Args:
            path: of the file; one that is there is overwritten.

        Returns:
            The path.

        Raises:
            TypeError: that is no path.
            ValueError: the end of the name is none of these.
            ImportError: the format needs the extra ``plot``, which is not installed.
            OSError: the file cannot be written.
        """
        if not isinstance(path, (str, PathLike)):
            raise TypeError(f"save() takes a path, and was given {words.given(path)}")
        file = Path(fspath(path))
        method = _FORMATS.get(file.suffix.lower())
        if method is None:
            known = " ".join(_FORMATS)
            raise ValueError(f"{file.name!r}: the end of the name says the format; it can be one of {known}")
        made: str | bytes = getattr(self, method)()
        file.write_bytes(made.encode() if isinstance(made, str) else made)
        return file

    def __repr__(self) -> str:
        article = "an" if self.noun[:1] in "AEIOU" else "a"
        return f"<Drawing of {article} {self.noun.lower()}: {words.plain(self.title)}>"

    def _repr_html_(self) -> str:
        try:
            return f'<div style="max-width:100%;overflow-x:auto">{self.to_svg()}</div>'
        except ImportError as error:
            return f"<p>{escape(str(error))}</p><pre>{escape(self.to_mermaid())}</pre>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def checked_dark(dark: object) -> bool | None:
    """Whether the ground is dark.

    Raises:
        TypeError: it is none of True, False and None.
    """
    if dark is None or isinstance(dark, bool):
        return dark
    raise TypeError(f"draw(dark={dark!r}): True, False or None is needed")
