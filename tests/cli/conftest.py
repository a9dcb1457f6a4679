from __future__ import annotations

import pytest

from .kit import Here


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str]) -> Here:
    return Here(capfd)
