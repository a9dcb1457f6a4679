"""What pages say of states, errors and options is what the code has: tests/pages_made.py makes it."""

from __future__ import annotations

import pytest
from pages_made import MADE, PAGES, ROOT, parts

PARTS = [
    pytest.param(page, name, id=f"{page.relative_to(ROOT)}: {name}") for page in PAGES for name in parts(page)
]


@pytest.mark.parametrize(("page", "name"), PARTS)
def test_a_part_that_is_made_from_the_code_is_up_to_date(page: object, name: str) -> None:
    text = parts(page)[name]  # type: ignore[arg-type]
    assert text == MADE[name](), "write it anew:  python tests/pages_made.py"


def test_every_part_stands_on_some_page() -> None:
    assert {name for page in PAGES for name in parts(page)} == set(MADE)
