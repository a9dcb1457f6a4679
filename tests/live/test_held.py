"""What holds a run up, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow._core.overview import Full, Overview, Retry, Running, Workers, in_short

NOTHING = Overview(
    head="", live=5, waiting=(), behind=None, running=(), runs=0, full=(), retries=(), places=(), slotless=()
)
BUSY = {
    "waiting": [("backend 'thread' to take them", 40), ("others", 3)],
    "places": [Workers("backend 'thread'", 4, 4)],
    "running": [Running("fit (#1)", 1.0, "w")],
    "runs": 4,
}


@pytest.mark.parametrize(
    "known, words",
    [
        ({}, "nothing runs"),
        ({"live": 0}, ""),
        ({"runs": 2}, ""),
        (BUSY, "40 tasks waiting for 4 busy workers of backend 'thread'"),
        (
            BUSY | {"behind": ("fit (#1)", 3, True)},
            "40 tasks waiting for 4 busy workers of backend 'thread'; 3 or more behind fit (#1)",
        ),
        (
            {"full": [Full("'api', 2 of 2 in use", ["a"], 7)], "waiting": [("limits", 7)]},
            "7 tasks waiting for limit 'api', 2 of 2 in use",
        ),
        (
            {"retries": [Retry("fit (#1)", 3.0, "OSError: x")]},
            "next attempt of fit (#1) in 3 s, after OSError: x",
        ),
        (
            {
                "slotless": [("backend 'carried'", "a crew")],
                "waiting": [("backend 'carried' to take them", 4)],
            },
            "backend 'carried' has nothing to run tasks on: a crew",
        ),
        (
            {"waiting": [("others", 1)], "behind": ("evil\x1b[2J (#1)", 2, False)},
            "1 task waiting for others; 2 behind evil\\x1b[2J (#1)",
        ),
    ],
)
def test_what_holds_a_run_up_most_is_said_in_one_line(known: dict[str, Any], words: str) -> None:
    assert in_short(NOTHING._replace(**known)) == words
