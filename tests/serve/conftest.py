from __future__ import annotations

from plot.conftest import browser

__all__ = ["browser"]
