"""The table of other executors in the docs is what they do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/where-code-runs.md"


def rows() -> dict[str, list[bool]]:
    """The cells of the table, by executor."""
    section = PAGE.read_text().split("## Other executors")[1].split("\n## ")[0]
    _, _, *lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all({*answers} <= {"yes", "no"} for _, *answers in cells)
    return {name.replace("`", ""): [answer == "yes" for answer in answers] for name, *answers in cells}


@pytest.fixture
def executors(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The part of the benchmarks that tries them."""
    monkeypatch.syspath_prepend(str(ROOT))
    yield pytest.importorskip("benchmarks.executors")
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.mark.soak  # others take their time, up to a minute each
@pytest.mark.parametrize("name", rows())
def test_each_row_of_the_table_of_executors_is_true(
    name: str, executors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # of what they leave there, others would be suspected
    row = executors.tried(name)
    if "skipped" in row:
        pytest.skip(row["skipped"])
    together = ("closures", "errors", "coroutines", "two_at_once", "large")
    alone = ("cancel_waiting", "cancel_running", "clean", "exit_alone", "death_alone", "ends_with_program")
    assert [all(row[each] for each in together), *(row[each] for each in alone)] == rows()[name], row


def test_the_table_has_all_executors_that_are_tried(executors: Any) -> None:
    assert [*rows()] == [*executors.SYSTEMS]
