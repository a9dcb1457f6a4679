"""The pictures that pages show are those that the code beside them makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages_kit import PAGES, ROOT
from pictures_made import PICTURES, made_by, shown, skeleton

WITH_PICTURES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if shown(page)]


@pytest.mark.parametrize("page", WITH_PICTURES)
def test_a_page_shows_what_its_scripts_draw(page: Path, tmp_path: Path) -> None:
    made_by(page, tmp_path)
    for name in shown(page):
        now, there = skeleton((tmp_path / name).read_text()), skeleton((PICTURES / name).read_text())
        assert now["labels"]
        assert now == there, "make it anew:  python tests/pictures_made.py"
