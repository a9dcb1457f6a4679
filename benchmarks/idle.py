"""What an engine does in a second in which nothing happens: nothing, if it never polls."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Any

from . import fresh
from .measuring import Options, Row, Rows, judged
from .places import PLACES, Call
from .processes import sleeps

NOTE = (
    "Wake-ups: how often the loop's selector returned in a second, less the same of a loop without an engine. "
    "Sleeps: how often any thread of the process or of its workers went to sleep again, less the same. CPU: ms used "
    "by the process in that second, less the same."
)
_SITUATIONS = ("after 1,000 tasks", "1,000 tasks wait", "one task runs")


def measure(options: Options) -> Rows:
    """All places, three kinds of quiet."""
    for name, place in PLACES.items():
        for situation in _SITUATIONS:
            if situation == "one task runs" and name not in ("threads", "processes"):
                continue  # elsewhere it runs on the loop itself, or not at all
            row: Row = {"place": name, "situation": situation}
            if reason := place.missing():
                row["skipped"] = reason
            else:
                try:
                    row |= fresh.run(watch, name, situation, timeout=60)
                except fresh.Failed as error:
                    row["failed"] = str(error)
            yield "An idle second", row


class _Counting(selectors.DefaultSelector):
    """Counts how often it wakes its loop."""

    returns = 0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(timeout)
        self.returns += 1
        return found


def watch(name: str, situation: str) -> Row:
    """One row."""
    selector = _Counting()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        return runner.run(_watch(selector, name, situation))


async def _watch(selector: _Counting, name: str, situation: str) -> Row:
    place = PLACES[name]
    opened = asyncio.Event()

    async def gate() -> None:
        await opened.wait()

    without = await _second(selector)
    async with place.engine() as engine:
        task: Call = engine.function_task(place.body)
        await asyncio.gather(*[task() for _ in range(1_000)])
        if situation == "1,000 tasks wait":
            closed = engine.block(gate)()
            waiting = [task(closed) for _ in range(1_000)]
        elif situation == "one task runs":
            waiting = [engine.function_task(time.sleep)(2)]
        else:
            waiting = []
        await asyncio.sleep(0.5)  # the last window of a burst has passed
        within = await _second(selector)
        opened.set()
        await asyncio.gather(*waiting)
    wake_ups, slept, cpu = (after - before for after, before in zip(within, without, strict=True))
    row: Row = {"wake_ups": int(wake_ups)} | judged("wake_ups", wake_ups, 0)
    return row | {"sleeps": int(slept), "cpu_ms": cpu * 1e3}


async def _second(selector: _Counting) -> tuple[float, float, float]:
    before = selector.returns, sleeps(), time.process_time()
    await asyncio.sleep(1)
    after = selector.returns, sleeps(), time.process_time()
    wake_ups, slept, cpu = (late - early for late, early in zip(after, before, strict=True))
    return wake_ups, slept, cpu
