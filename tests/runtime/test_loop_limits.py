"""A limit counts for one event loop at a time, by its clock, and keeps none alive."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from asyncflow._core.limits import Limit, Queue
from asyncflow._runtime.loop_limits import watch, watches


def _names(queue: Queue[str], now: float = 0.0) -> list[str]:
    return [each.what for each in queue.admit(now)]


class Loop:
    """Stands in for whoever has tasks wait on one event loop."""

    def __init__(self, queue: Queue[Any]) -> None:
        self.queue = queue
        self.is_open = True
        self.told = 0

    def changed(self) -> None:
        self.told += 1

    def is_at_work(self) -> bool:
        return self.is_open

    def waits(self) -> bool:
        return len(self.queue) > 0


def test_a_limit_counts_for_one_event_loop_at_a_time() -> None:
    api, queue = Limit("api", concurrency=1), Queue[str]()
    first, second = Loop(queue), Loop(Queue[str]())
    watch(api, first)
    queue.join("a", {api: 1})
    with pytest.raises(RuntimeError, match="'api' is in use on another event loop"):
        watch(api, second)
    assert _names(queue) == ["a"]
    with pytest.raises(RuntimeError, match="'api' is in use on another event loop"):
        watch(api, second)
    first.is_open = False  # what used it is gone
    watch(api, second)
    assert (api.used, watches(api, first), watches(api, second)) == (0, False, True)


def test_another_loops_clock_neither_gives_nor_takes_tokens() -> None:
    api, queue = Limit("api", rate=1, burst=1), Queue[str]()
    for now in (1000.0, 0.0, 1000.0):
        loop = Loop(queue)
        watch(api, loop)
        queue.join("a", {api: 1})
        assert [*_names(queue, now), *_names(queue, now + 1)] == ["a"]


def test_a_limit_keeps_no_loop_alive() -> None:
    api, loop = Limit("api", concurrency=1), Loop(Queue[str]())
    watch(api, loop)
    gone = weakref.ref(loop)
    del loop
    assert gone() is None
    api.change(concurrency=2)  # nobody is to be told
