"""How a run stands while it goes on: in a terminal, in a notebook, or line by line; and, at its end, how it went."""

from __future__ import annotations

from .summary import summary
from .watching import watch

__all__ = ["summary", "watch"]
