"""What plugins take options by and check them with, so that theirs read as all others do."""

from __future__ import annotations

from ..._core.given import above_0, whole
from ..process.options import ProcessKeywords, shows_process_options

__all__ = ["ProcessKeywords", "above_0", "shows_process_options", "whole"]
