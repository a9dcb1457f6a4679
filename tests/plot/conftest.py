"""One browser for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .chromium_kit import CHROMIUM, Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; tests that need it are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    browser = Browser()
    yield browser
    browser.close()
