"""Services in dry runs and plans: nothing is started, what stands in is what they yield, and one that nobody uses is
told."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from asyncflow import RunningService, WorkflowEngine, port
from asyncflow.plan import Plan


def engine_of_services(**options: Any) -> tuple[WorkflowEngine, dict[str, Any]]:
    engine = WorkflowEngine(**options)

    @engine.service
    async def db() -> AsyncIterator[str]:
        raise AssertionError
        yield "db"

    @engine.service
    def cache(db: str) -> Generator[int, None, None]:
        raise AssertionError
        yield 3

    @engine.executable_task(service=True, ready=lambda number: port(number))
    def server(number: int) -> list[str]:
        return [sys.executable, "-m", "http.server", str(number)]

    @engine.function_task
    def use(db: str, cache: int, server: RunningService) -> float:
        raise AssertionError

    return engine, {"db": db, "cache": cache, "server": server, "use": use}


async def test_nothing_starts_in_a_dry_run_and_what_stands_in_is_what_services_yield() -> None:
    engine, tasks = engine_of_services(dry_run=True)
    async with engine:
        db = tasks["db"]()
        cache = tasks["cache"](db)
        server = tasks["server"](8080)
        assert await tasks["use"](db, cache, server) == 1.0
        assert (await db, await cache) == ("1", 1)
        assert isinstance(await server, RunningService)
        assert server.command == [sys.executable, "-m", "http.server", "8080"]


async def test_a_plan_has_services_as_such_and_finds_nothing_wrong_with_those_that_are_used() -> None:
    engine, tasks = engine_of_services()

    @engine.block
    async def pipeline() -> float:
        db = tasks["db"]()
        return await tasks["use"](db, tasks["cache"](db), tasks["server"](8080))

    plan = await engine.plan(pipeline)
    assert plan.findings == ()
    assert [(each.name, each.kind) for each in plan.tasks] == [
        ("pipeline", "block"),
        ("db", "service"),
        ("cache", "service"),
        ("server", "service"),
        ("use", "function"),
    ]
    assert {each.place for each in plan.tasks if each.kind == "service"} == {"this machine"}
    assert Plan.from_json(plan.to_json()) == plan


async def test_a_service_that_nobody_uses_is_found() -> None:
    engine, tasks = engine_of_services()

    @engine.block
    async def pipeline() -> None:
        tasks["db"]()
        await tasks["db"]()

    [finding] = (await engine.plan(pipeline)).findings
    assert finding.what == "nobody uses the service 'db', which would never start"
    assert "test_rehearsed_services.py" in finding.where


@pytest.mark.parametrize("annotation", [Iterator[str], AsyncIterator[str], AsyncGenerator[str, None]])
async def test_a_task_that_takes_another_type_than_a_service_yields_is_found(annotation: Any) -> None:
    engine = WorkflowEngine()

    async def db() -> Any:
        yield "db"

    db.__annotations__["return"] = annotation
    service = engine.service(db)

    @engine.function_task
    def use(db: int) -> int:
        return db

    @engine.block
    async def pipeline() -> int:
        return await use(service())

    [finding] = (await engine.plan(pipeline)).findings
    assert "str" in finding.what
    assert "int" in finding.what
