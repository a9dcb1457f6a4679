"""Checks of what is given for an option, so that the errors of plugins read as all others do."""

from __future__ import annotations

from ..._core.given import above_0, whole

__all__ = ["above_0", "whole"]
