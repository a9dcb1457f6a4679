"""What has an outline shows itself by it."""

from __future__ import annotations

from abc import abstractmethod

from .outline import Outline
from .page import as_html
from .text import as_text


class Outlined:
    """Shows itself by its outline in a terminal and in a notebook."""

    __slots__ = ()

    @abstractmethod
    def _outline(self) -> Outline: ...

    def __str__(self) -> str:
        return as_text(self._outline())

    def __repr__(self) -> str:
        outline = self._outline()
        return f"<{outline.noun}: {outline.title}>"

    def _repr_html_(self) -> str:
        return as_html(self._outline())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        outline = self._outline()
        return {"text/plain": as_text(outline), "text/html": as_html(outline)}
