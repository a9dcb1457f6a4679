"""Options that say nothing are refused where they are given, in words that name the task and the mend."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError as ThreadsCancelled
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from asyncflow import EngineClosed, Report, UnknownBackend, WorkflowEngine, WrongLoop
from asyncflow.backends.process import ProcessBackend
from asyncflow.backends.thread import ThreadBackend
from asyncflow.testing import ManualBackend


def load(path: str) -> int:
    return len(path)


@pytest.mark.parametrize("timeout", ["3 minutes", [3], object])
def test_a_timeout_that_is_no_number_is_refused(timeout: Any) -> None:
    with pytest.raises(TypeError, match=r"'load': timeout=.*: it takes seconds as a number, or a timedelta$"):
        WorkflowEngine().function_task(timeout=timeout)(load)


def test_a_name_or_a_task_to_wait_for_is_refused() -> None:
    task = WorkflowEngine().function_task(load)
    for after in ("load", b"load", task, None, 5, [None], ["load"], [task]):
        with pytest.raises(TypeError, match=r"'load' was given after=.*, which is no future\.\n  Pass what"):
            task.with_options(after=after)  # type: ignore[arg-type]


def test_a_plan_that_is_not_awaited_is_named_as_its_user_wrote_it() -> None:
    engine = WorkflowEngine()
    with pytest.warns(
        RuntimeWarning, match=r"in a script asyncio\.run\(engine\.plan\(\.\.\.\)\)' was never awaited"
    ):
        engine.plan(engine.function_task(load), "a")  # type: ignore[unused-coroutine]
    with pytest.warns(
        RuntimeWarning, match=r"in a script asyncio\.run\(engine\.plan\(\.\.\.\)\)' was never awaited"
    ):
        engine.plan()  # type: ignore[unused-coroutine]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert engine.run(engine.plan(engine.function_task(load), "a")).tasks


WRONG_TYPES = [
    ("workers", "2"), ("workers", 2.5), ("workers", True), ("max_coroutines", "3"), ("executables", 1.5),
    ("report_limit", "3"), ("max_tasks", None), ("grace", "5"), ("grace", True), ("journal", 3), ("work_dir", 3),
    ("dry_run", "no"), ("implicit_data", 1), ("check_types", None), ("backends", ["thread"]),
    ("backends", {1: "thread"}), ("backend", 3), ("backends", {"a": 3}), ("backends", {"a": ManualBackend}),
]  # fmt: skip


@pytest.mark.parametrize(("option", "given"), WRONG_TYPES)
def test_an_option_of_an_engine_of_the_wrong_type_is_named_with_its_value(option: str, given: Any) -> None:
    with pytest.raises(TypeError) as caught:
        WorkflowEngine(**{option: given})
    assert str(caught.value).startswith(f"{option}={given!r}: ")


@pytest.mark.parametrize(
    "given", [{"backend": 3}, {"backends": {"a": 3}}, {"backends": {"a": ManualBackend}}]
)
def test_a_dry_run_refuses_what_is_no_backend_too(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"^backend.*: expected a name, an ExecutionBackend"):
        WorkflowEngine(**given, dry_run=True)


@pytest.mark.parametrize(
    ("option", "given"),
    [("workers", 0), ("grace", -1), ("grace", float("nan")), ("grace", timedelta(-1)), ("report_limit", -1),
     ("backends", {})],
)  # fmt: skip
def test_an_option_of_an_engine_that_is_out_of_range_is_named_with_its_value(option: str, given: Any) -> None:
    with pytest.raises(ValueError, match=option) as caught:
        WorkflowEngine(**{option: given})
    assert str(caught.value).startswith(f"{option}={given!r}: ")


@pytest.mark.parametrize("backend", ["thread", "process", ManualBackend()])
def test_a_backend_beside_several_is_refused(backend: Any) -> None:
    with pytest.raises(TypeError, match=r"backend=.* and backends=\{'io': 'thread'\}: give one of the two"):
        WorkflowEngine(backend, backends={"io": "thread"})


def test_a_grace_may_be_a_timedelta() -> None:
    assert WorkflowEngine(grace=timedelta(seconds=2))._settings.grace == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: ThreadBackend(workers=-1),
        lambda: ThreadBackend(workers="2"),  # type: ignore[arg-type]
        lambda: ProcessBackend(workers=0),
        lambda: ProcessBackend(workers=1.5),  # type: ignore[arg-type]
        lambda: ProcessBackend(stop_grace=-1),
        lambda: ProcessBackend(most_memory="1G"),  # type: ignore[arg-type]
        lambda: ProcessBackend(recycle_after=-1),
        lambda: ProcessBackend(math_threads="1"),  # type: ignore[arg-type]
    ],
)
def test_options_of_a_backend_are_checked_by_itself(make: Callable[[], object]) -> None:
    with pytest.raises(
        (TypeError, ValueError), match=r"^(workers|stop_grace|most_memory|recycle_after|math_threads)=.*: "
    ):
        make()


@pytest.mark.parametrize(
    ("option", "given"),
    [("env", "A=1"), ("ok_codes", 1.5), ("ok_codes", True), ("cwd", 5), ("clean_env", "no"), ("capture_stdio", 3)],
)  # fmt: skip
def test_an_option_of_a_command_of_the_wrong_type_is_named_with_its_value(option: str, given: Any) -> None:
    engine = WorkflowEngine()
    for call in (engine.executable_task, engine.executable_task(load).with_options):
        with pytest.raises(TypeError, match=option) as caught:
            made = call(**{option: given})
            made(load)
        assert str(caught.value).startswith(f"'load': {option}={given!r}: ")


def test_a_name_and_a_backend_of_a_task_are_text() -> None:
    engine = WorkflowEngine()
    with pytest.raises(TypeError, match=r"'load': name=5: text is needed"):
        engine.function_task(name=5)(load)  # type: ignore[call-overload]
    for backend in (3, ["thread"], ManualBackend()):
        with pytest.raises(TypeError, match=r"'load': backend=.*: text is needed, the name of"):
            engine.function_task(load).with_options(backend=backend)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "meant"),
    [
        (lambda engine: WorkflowEngine(worker=2), TypeError, "workers"),
        (lambda engine: WorkflowEngine("proces"), UnknownBackend, "process"),
        (lambda engine: WorkflowEngine("das"), UnknownBackend, "dask"),
        (lambda engine: WorkflowEngine(keep="fail"), ValueError, "failed"),
        (lambda engine: engine.function_task(timeot=3), TypeError, "timeout"),
        (lambda engine: engine.executable_task(ok_code=3), TypeError, "ok_codes"),
        (lambda engine: engine.block(nam=3), TypeError, "name"),
        (lambda engine: engine.function_task(load).with_options(afte=()), TypeError, "after"),
        (lambda engine: engine.executable_task(load).with_options(shel="sh"), TypeError, "shell"),
        (lambda engine: engine.function_task(load).with_options(backend="thred"), UnknownBackend, "thread"),
    ],
)
def test_an_unknown_name_says_what_was_likely_meant(
    call: Callable[[Any], object], error: type[Exception], meant: str
) -> None:
    with pytest.raises(error, match=rf"Did you mean {meant!r}\?"):
        call(WorkflowEngine())


def test_a_backend_that_ships_separately_is_not_what_was_meant_by_its_own_name() -> None:
    with pytest.raises(UnknownBackend) as caught:
        WorkflowEngine("dask")
    assert "Did you mean" not in str(caught.value)


# -- from other threads -----------------------------------------------------------------------------------


async def in_a_thread(work: Callable[[], Any]) -> Any:
    """What a thread that knows nothing of the engine gives."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def run() -> None:
        try:
            value = work()
        except BaseException as error:
            loop.call_soon_threadsafe(answer.set_exception, error)
        else:
            loop.call_soon_threadsafe(answer.set_result, value)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        return await answer
    finally:
        thread.join()


@pytest.mark.parametrize("backend", ["thread", "sequential", "process"])
async def test_a_call_from_a_thread_gives_its_value_there(backend: str) -> None:
    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(load)

        @engine.block
        async def outline(path: str) -> int:
            return await task(path) + 1

        def elsewhere() -> list[Any]:
            calls = [engine.from_thread(each, "abc") for each in (task, outline, load)]
            return [call.result() for call in calls]

        assert await in_a_thread(elsewhere) == [3, 4, 3]


async def test_what_a_call_from_a_thread_fails_with_is_raised_there(threads: WorkflowEngine) -> None:
    task = threads.function_task(load)

    def elsewhere(*args: Any) -> Callable[[], Any]:
        return lambda: threads.from_thread(task, *args).result()

    with pytest.raises(TypeError, match="object of type 'int' has no len") as caught:
        await in_a_thread(elsewhere(3))
    assert "in test_what_a_call_from_a_thread_fails_with_is_raised_there" in "".join(
        caught.value.__notes__
    ) or ("in <lambda>" in "".join(caught.value.__notes__))
    with pytest.raises(TypeError, match="load"):
        await in_a_thread(elsewhere())


async def test_a_call_from_a_thread_can_be_cancelled(engine: WorkflowEngine, hands: ManualBackend) -> None:
    called = await in_a_thread(lambda: engine.from_thread(load, "abc"))
    await hands.received("load")
    called.cancel()
    with pytest.raises(ThreadsCancelled):
        called.result(0)
    await engine.shutdown()
    assert engine.report().counts == {"CANCELLED": 1}


async def test_a_call_from_a_thread_sees_the_threads_context(threads: WorkflowEngine) -> None:
    variable = ContextVar("variable", default="none")

    def elsewhere() -> Any:
        variable.set("the thread's")
        return threads.from_thread(variable.get).result()

    assert await in_a_thread(elsewhere) == "the thread's"


async def test_a_call_from_a_thread_that_cannot_be_is_refused_there(threads: WorkflowEngine) -> None:
    idle = WorkflowEngine()
    with pytest.raises(WrongLoop, match="'load', but the engine does not run"):
        await in_a_thread(lambda: idle.from_thread(load, "abc"))
    with pytest.raises(WrongLoop, match=r"would wait for itself\.\n  Call it as it is:  load\(\.\.\.\)"):
        threads.from_thread(load, "abc")
    with pytest.raises(ValueError, match="'load', a task of another engine"):
        await in_a_thread(lambda: threads.from_thread(idle.function_task(load), "abc"))
    await threads.shutdown()
    with pytest.raises(EngineClosed, match="'load' was called, but the engine has been shut down"):
        await in_a_thread(lambda: threads.from_thread(load, "abc"))


async def test_a_call_in_a_generator_that_a_worker_reads_says_so(threads: WorkflowEngine) -> None:
    task = threads.function_task(load)

    class Calls:  # nothing that could be looked into at the call
        def __init__(self) -> None:
            self.made = (task(each) for each in "ab")

    with pytest.raises(
        WrongLoop, match=r"'load' was called in a generator.*\n  Make the calls first:  \[load"
    ):
        await threads.submit(lambda calls: list(calls.made), Calls())


# -- dry runs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry", [True, False])
def test_the_report_of_a_dry_run_says_that_it_is_one(dry: bool, tmp_path: Path) -> None:
    engine = WorkflowEngine(dry_run=dry, journal=tmp_path / "journal")
    engine.run(engine.function_task(load), "abc")
    report = engine.report()
    for each in (report, Report.from_json(report.to_json()), Report.from_journal(tmp_path / "journal")):
        assert each.dry_run is dry
        assert str(each).startswith("Report: dry run, nothing ran: 1 task in" if dry else "Report: 1 task in")


def test_what_an_engine_is_begun_with_in_error_is_told_with_what_does() -> None:
    engine: Any = WorkflowEngine()
    with pytest.raises(TypeError, match=r"^an engine is started in async code:  async with engine"), engine:
        pass
    with pytest.raises(
        TypeError, match=r"^engine\.run got 'flow', a str, which cannot be called\.\n  Pass a block"
    ):
        engine.run("flow")
    with pytest.raises(
        TypeError, match=r"^@engine\.block got 'io', a str, not a function\.\n  Options are given by name"
    ):
        engine.block("io")
