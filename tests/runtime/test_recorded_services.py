"""What reports, journals and listeners tell of services."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from asyncflow import Report, RunningService, WorkflowEngine
from asyncflow.events import Event, ServiceEnded, TaskEnded

from .kit import Heard, in_no_time


@in_no_time
async def test_a_report_tells_when_a_service_was_ready_when_it_ended_and_who_used_it(tmp_path: Path) -> None:
    events: list[Event] = []
    async with WorkflowEngine("sequential", journal=tmp_path / "journal") as engine:
        engine.subscribe(events.extend)

        @engine.service(stop_after="users")
        async def db() -> AsyncIterator[str]:
            yield "db"

        @engine.function_task
        async def use(db: str) -> str:
            await asyncio.sleep(1)
            return db

        service, unused = db(), db()
        await asyncio.gather(use(service), use(service))
    report = engine.report()
    told, idle = report.services
    assert (told.task.id, told.users, told.how) == (service.id, (3, 4), "stopped")
    assert told.ready is not None
    assert told.ended is not None
    assert told.ready <= told.ended <= report.total
    assert (idle.task.id, idle.ready, idle.ended, idle.how, idle.users) == (unused.id, None, None, "", ())
    assert idle.task.state == "CANCELLED"
    assert "Services: db (#1) stopped after" in str(report)
    assert "used by 2 tasks, db (#2) CANCELLED" in str(report)
    assert Report.from_json(report.to_json()) == report
    journal = Report.from_journal(tmp_path / "journal")
    assert [(each.users, each.how) for each in journal.services] == [((3, 4), "stopped"), ((), "")]
    ends = [each for each in events if isinstance(each, (ServiceEnded, TaskEnded)) and each.id == service.id]
    assert [type(each) for each in ends] == [TaskEnded, ServiceEnded]


async def test_a_report_tells_how_a_service_died_and_which_started_after_it() -> None:
    async with WorkflowEngine() as engine:

        @engine.executable_task(service=True, ready="up", retries=1, retry_delay=0)
        def server() -> str:
            return "echo up; exec sleep 1000"

        @engine.function_task
        def pid(server: RunningService) -> int:
            return server.pid

        service, heard = server(), Heard(engine)
        os.kill(await pid(service), signal.SIGKILL)
        await heard.of(ServiceEnded)
        await pid(service)
    first, second = engine.report().services
    assert (first.how, first.users) == ("signal SIGKILL", (2,))
    assert (second.how, second.users) == ("stopped", (3,))
    assert "server (#1) died (signal SIGKILL) after" in str(engine.report())
