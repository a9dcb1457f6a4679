"""A backend that tells starts late, and says so, passes what the suite asks of states."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from asyncflow.backend import RAN, STARTED, Event, Report
from asyncflow.backends.thread import ThreadBackend
from asyncflow.testing.conformance._cancels import Cancels
from asyncflow.testing.conformance._contract import Contract
from asyncflow.testing.conformance._policies import Policies
from asyncflow.testing.conformance._reports import Reports


class LateThreads(ThreadBackend):
    """Threads of which is told every 20 ms what they have begun, if it is not over by then."""

    tells_late = True

    async def start(self, report: Report) -> None:
        loop = asyncio.get_running_loop()
        begun: dict[int, Event] = {}

        def tell(task_id: int) -> None:
            event = begun.pop(task_id, None)
            if event is not None:
                report([event])

        def hear(events: Sequence[Event]) -> None:
            now = []
            for event in events:
                if event[0] == STARTED:
                    begun[event[1]] = event
                    loop.call_soon_threadsafe(loop.call_later, 0.02, tell, event[1])
                else:
                    if event[0] != RAN:
                        begun.pop(event[1], None)
                    now.append(event)
            report(now)

        await super().start(hear)


class TestLate(Contract, Reports, Cancels, Policies):
    """What is asked of states."""

    def make_backend(self) -> LateThreads:
        return LateThreads(self.workers)
