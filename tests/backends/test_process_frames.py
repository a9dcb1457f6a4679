"""How calls that wait are put into frames for worker processes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from asyncflow._core.pace import FRAME_LEAST, FRAME_SECONDS, Pace
from asyncflow.backends.process.generators import Generators
from asyncflow.backends.process.waiting import Waiting


class Book:
    """Packs calls of a function that takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._function = SimpleNamespace(pace=Pace(seconds), number=1, size=0)

    def is_outdated(self) -> bool:
        return False

    def pack(self, work: Any, linked: bool) -> Any:
        return SimpleNamespace(work=work, function=self._function, parts=None, is_heavy=False, size=10)


async def frame_of(seconds: float, many: int, most: int) -> int:
    generators = Generators[object](lambda events: None)
    waiting = Waiting(lambda events: None, Book(seconds), None, 2, lambda: None, generators)
    waiting.add([SimpleNamespace(id=number, link=None, generator=None) for number in range(many)])  # type: ignore[misc]
    frame, heads = waiting.frame(most, ())
    assert [each.work.id for each in frame] == heads == list(range(len(frame)))
    return len(frame)


async def test_calls_that_take_hardly_any_time_go_to_one_worker_together() -> None:
    assert await frame_of(FRAME_LEAST / 100, many=10, most=5) == 10
    assert await frame_of(1.01 * FRAME_LEAST / 8, many=100, most=5) == 8


@pytest.mark.parametrize("seconds", [FRAME_LEAST, FRAME_SECONDS / 10])
async def test_calls_that_take_longer_are_spread_over_workers(seconds: float) -> None:
    assert await frame_of(seconds, many=10, most=5) == 5


async def test_a_frame_has_no_more_work_than_nobody_notices() -> None:
    assert await frame_of(FRAME_SECONDS / 2, many=10, most=5) == 2
