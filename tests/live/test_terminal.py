"""The display in a real terminal, as a person sees it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from asyncflow._show.columns import width

from .tmux_kit import Window, needs_tmux, window

pytestmark = needs_tmux
PROGRAM = Path(__file__).with_name("shown.py")
COLOUR = re.compile(r"\x1b\[[0-9;]*[39][0-7][0-9;]*m")


def is_aligned(shown: str, columns: int) -> bool:
    """The table's numbers end where their headings do, no line is as wide as the terminal, and the bar is the last."""
    lines = shown.rstrip("\n").split("\n")
    heads = [place for place, line in enumerate(lines) if re.match(r" *function ", line)]
    if len(heads) != 1 or "so far" not in lines[-1] or any(width(line) >= columns for line in lines):
        return False
    (head,) = heads
    ends = [found.end() for found in re.finditer(r"(waiting|running|done|failed)", lines[head])]
    rows = [line for line in lines[head + 1 :] if re.match(r" [○▶✓✗⊘] ", line)]
    spaced = [columns_of(row).ljust(columns) for row in rows]
    return len(rows) == 4 and all(
        row[end - 1].isdigit() and row[end] == " " for row in spaced for end in ends
    )


def columns_of(line: str) -> str:
    """A line with a character for each column."""
    return "".join(each + " " * (width(each) - 1) for each in line if width(each))


def gate(opened: Window) -> Path:
    made = opened.folder / "gate1"
    os.mkfifo(made)
    return made


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_what_is_shown_is_aligned_and_does_not_wrap_whatever_names_are(columns: int, tmp_path: Path) -> None:
    with window(tmp_path, columns) as opened:
        held = gate(opened)
        opened.run(PROGRAM, "all", "thread")
        shown = opened.until(lambda shown: "slowest" in shown and is_aligned(shown, columns))
        assert "\\x1b[31m" in shown  # spelled out
        assert "✗ fit (#" in shown
        assert "need 2 rows, got 33" in shown or columns == 40
        assert re.search(r"4\d of 4\d so far", shown)
        for wide in (60, 44, 40, 120, columns):
            opened.resize(wide, 24)
            opened.until(
                lambda shown, wide=wide: is_aligned(shown, wide) and ("waiting" in shown) is (wide > 50)
            )
        held.write_text("")
        ended, code = opened.ended()
        assert code == 0
        if columns > 40:
            assert "5 failed, 40 succeeded in" in ended
            assert "ValueError × 4: fit (#5), fit (#15), fit (#25), fit (#35)" in ended
        else:  # no word is broken at the edge
            assert re.search(r"^ *asyncflow: 5 failed, 40 succeeded in( |\n  )\d+.*$", ended, re.M)
            assert "ValueError × 4: fit (#5) and 3 more\n" in ended
            assert "to go on: engine.report(),\n  future.explain(); " in ended
        assert "OSError × 1:" in ended
        assert "function" not in ended  # nothing of the display is left


@pytest.mark.parametrize("backend", ["thread", "process"])
def test_what_is_printed_comes_out_whole_and_in_order(backend: str, tmp_path: Path) -> None:
    with window(tmp_path, 100, 30) as opened:
        held = gate(opened)
        opened.run(PROGRAM, "prints", backend)
        opened.until(lambda shown: "and its other half" in shown and "hold" in shown)
        held.write_text("")
        shown, code = opened.ended("-S", "-")
        assert code == 0
        lines = shown.split("\n")
        for who in range(3):
            mine = [line for line in lines if line.endswith(f"of {who}, which is whole")]
            assert mine == [f"line {number} of {who}, which is whole" for number in range(40)]
        printed = [line for line in lines if line.startswith("printed")]
        assert printed == [f"printed in the program {number}" for number in range(20)]
        assert [line for line in lines if line.startswith("warning")] == [
            f"warning {each}" for each in range(20)
        ]
        for whole in ("half a line, and its other half", "of a thread", "of a child"):
            assert whole in [line.rstrip() for line in lines], "\n".join(lines)
        assert lines.index("warning 5") < lines.index("printed in the program 5") < lines.index("warning 6")


def test_the_first_ctrl_c_stops_the_run_and_the_summary_comes(tmp_path: Path) -> None:
    with window(tmp_path, 80) as opened:
        gate(opened)
        opened.run(PROGRAM, "long", "process")
        opened.until(lambda shown: "slowest" in shown and re.search(r"hold +\d +2 ", shown))
        opened.press("C-c")
        ended, code = opened.ended()
        assert code == 130
        assert re.search(r"0 succeeded, 4 cancelled or not run in", ended)
        assert "Traceback" not in ended
        assert "slowest" not in ended


def test_a_second_ctrl_c_leaves_nothing_of_the_display(tmp_path: Path) -> None:
    with window(tmp_path, 80) as opened:
        gate(opened)
        opened.run(PROGRAM, "long", "thread")  # whose tasks nothing can stop
        opened.until(lambda shown: "slowest" in shown)
        opened.press("C-c")
        opened.press("C-c")
        ended, code = opened.ended()
        assert code == 130
        assert "slowest" not in ended


def test_no_colours_where_nobody_wants_any(tmp_path: Path) -> None:
    with window(tmp_path, 80) as opened:
        held = gate(opened)
        for before, has_colours in (("", True), ("NO_COLOR=1", False)):
            opened.run(PROGRAM, "all", "thread", before=before)
            shown = opened.until(lambda shown: "slowest" in shown, "-e")
            assert bool(COLOUR.search(shown)) == has_colours
            held.write_text("")
            assert bool(COLOUR.search(opened.ended("-e")[0])) == has_colours
