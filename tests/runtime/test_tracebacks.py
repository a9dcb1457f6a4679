"""What a user sees of a failure: frames of the user's own code, and none of ours."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import asyncflow
from asyncflow import CommandFailed, UpstreamFailed, WorkflowEngine
from asyncflow.errors import ServiceClosed

OURS = str(Path(asyncflow.__file__).parent)
BACKENDS = ["thread", "sequential", "process"]


def fit(rows: int) -> int:
    raise ValueError("need 2 rows")


async def afit(rows: int) -> int:
    raise ValueError("need 2 rows")


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def frames(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def caught(call: Callable[[], Any]) -> BaseException:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("body", [fit, afit])
def test_a_failed_task_shows_the_call_and_the_function_alone(backend: str, body: Callable[..., Any]) -> None:
    engine = WorkflowEngine(backend)
    task = engine.function_task(body)
    error = caught(lambda: engine.run(task, 1))
    assert OURS not in shown(error)
    assert "asyncio" not in shown(error)
    assert body.__name__ in shown(error)
    assert frames(error)[:2] == ["caught", "<lambda>"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_did_not_run_shows_who_awaited_it_and_the_functions_frame(backend: str) -> None:
    engine = WorkflowEngine(backend)
    task = engine.function_task(fit)

    @engine.block
    async def inner() -> Any:
        return await task(task(1))

    @engine.block
    async def outer() -> Any:
        return await inner()

    error = caught(lambda: engine.run(outer))
    assert isinstance(error, UpstreamFailed)
    assert OURS not in shown(error)
    assert frames(error)[2:] == ["outer", "inner"]
    assert "in fit" in shown(error)


async def test_what_an_await_raises_shows_no_frame_of_ours(threads: WorkflowEngine) -> None:
    with pytest.raises(ValueError, match="need 2 rows") as caught:
        await threads.submit(fit, 1)
    assert frames(caught.value) == ["test_what_an_await_raises_shows_no_frame_of_ours", "fit"]
    failed = threads.submit(fit, 1)
    with pytest.raises(ValueError, match="need 2 rows"):
        await failed
    with pytest.raises(ValueError, match="need 2 rows") as caught:
        failed.result()
    assert OURS not in shown(caught.value)


def test_a_failed_command_shows_no_frame_of_ours() -> None:
    engine = WorkflowEngine(keep="none")
    error = caught(lambda: engine.run(engine.executable_task(lambda: "exit 3", name="three")))
    assert isinstance(error, CommandFailed)
    assert OURS not in shown(error)


async def test_calls_and_options_that_are_refused_are_raised_in_the_users_line(
    threads: WorkflowEngine,
) -> None:
    task = threads.function_task(fit)
    elsewhere = WorkflowEngine().function_task(fit)
    refused: list[Callable[[], Any]] = [
        lambda: task(),
        lambda: task.map([1], [2]),
        lambda: threads.submit(fit, 1, 2),
        lambda: threads.from_thread(fit, 1),
        lambda: elsewhere(task(1)),
        lambda: task.with_options(timeout=-1),
        lambda: task.with_options(backend="elsewhere"),
        lambda: threads.function_task(timeout=-1)(fit),
        lambda: threads.function_task(3),
        lambda: threads.executable_task(env=3)(fit),
        lambda: threads.block(3),
        lambda: WorkflowEngine("nowhere"),
        lambda: WorkflowEngine(workers="2"),  # type: ignore[arg-type]
        lambda: WorkflowEngine(worker=2),  # type: ignore[call-arg]
        lambda: threads.run(task, 1),
    ]
    for call in refused:
        assert frames(caught(call)) == ["caught", "<lambda>"], shown(caught(call))
    await threads.shutdown(wait=False)


def test_a_variable_of_the_environment_shows_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_FULL_TRACEBACK", "1")
    engine = WorkflowEngine()
    error = caught(lambda: engine.run(engine.function_task(fit), 1))
    assert OURS in shown(error)
    assert "run_target" in frames(error)
    monkeypatch.setenv("ASYNCFLOW_FULL_TRACEBACK", "0")
    assert OURS not in shown(caught(lambda: engine.run(engine.function_task(fit), 1)))


def test_what_is_likely_a_bug_of_ours_keeps_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    task = WorkflowEngine().function_task(fit)
    monkeypatch.delattr(task, "_engine")
    assert "_call" in frames(caught(lambda: task(1)))


async def test_a_target_or_job_that_is_refused_shows_no_frames_of_ours() -> None:
    engine, other = WorkflowEngine(), WorkflowEngine()
    task = engine.function_task(fit)
    for target in (3, other.function_task(fit)):
        with pytest.raises((TypeError, ValueError)) as refused:
            await engine.plan(target)  # type: ignore[arg-type]
        assert OURS not in shown(refused.value)
    async with engine:
        service = engine.serve(task, concurrency=1, queue=0)
        with pytest.raises(TypeError) as refused:
            service.submit()
        assert OURS not in shown(refused.value)
    with pytest.raises(ServiceClosed) as closed:
        service.submit(1)
    assert OURS not in shown(closed.value)
