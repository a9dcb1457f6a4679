"""Tasks that fail are tried again, and while they wait for that they hold nothing."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import time
import weakref
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from asyncflow import InputFile, OutputFile, State, TaskTimeout, UpstreamFailed, WorkflowEngine
from asyncflow.errors import DeadlinePassed, GiveUp, Retry
from asyncflow.events import TaskAttemptFailed

from .kit import Heard, turns

BACKENDS = ["sequential", "thread", "process"]


@pytest.fixture(params=BACKENDS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(backend=request.param) as engine:
        yield engine


def failing(path: str, times: int) -> str:
    """Fails so many times; a file counts, since attempts may be in other processes."""
    with open(path, "a+") as file:
        file.write("x")
        file.seek(0)
        seen = len(file.read())
    if seen <= times:
        raise ValueError(f"attempt {seen}")
    return f"attempt {seen}"


async def afailing(path: str, times: int) -> str:
    return failing(path, times)


@pytest.mark.parametrize("body", [failing, afailing])
async def test_a_task_that_fails_is_tried_again(engine: WorkflowEngine, body: Any, tmp_path: Any) -> None:
    task = engine.function_task(body, retries=3, retry_delay=0)
    future = task(str(tmp_path / "count"), 2)
    assert await future == "attempt 3"
    assert future.attempts == 3


@pytest.mark.parametrize("body", [failing, afailing])
async def test_when_all_attempts_have_failed_the_last_error_is_told(
    engine: WorkflowEngine, body: Any, tmp_path: Any
) -> None:
    task = engine.function_task(body, retries=2, retry_delay=0)
    future = task(str(tmp_path / "count"), 9)
    with pytest.raises(ValueError, match="attempt 3"):
        await future
    assert future.attempts == 3


async def test_dependents_wait_for_the_attempt_that_succeeds(engine: WorkflowEngine, tmp_path: Any) -> None:
    task = engine.function_task(failing, retries=1, retry_delay=0)
    after = engine.function_task(str.upper)
    assert await after(task(str(tmp_path / "good"), 1)) == "ATTEMPT 2"
    with pytest.raises(UpstreamFailed, match=r"attempt 2"):
        await after(task(str(tmp_path / "bad"), 9))


async def test_a_block_is_run_anew_and_what_it_had_started_is_cancelled(tmp_path: Any) -> None:
    engine = WorkflowEngine(backend="thread")
    started: list[Any] = []

    @engine.function_task
    async def forever() -> None:
        await engine_loop_never()

    async def engine_loop_never() -> None:
        import asyncio

        await asyncio.get_running_loop().create_future()

    @engine.block(retries=1, retry_delay=0)
    async def block() -> int:
        started.append(forever())
        if len(started) == 1:
            raise OSError("again")
        started[-1].cancel()
        return len(started)

    async with engine:
        assert await block() == 2
        assert started[0].cancelled()


async def test_give_up_ends_it_and_retry_asks_for_it(engine: WorkflowEngine) -> None:
    @engine.function_task(retries=5, retry_delay=0)
    def give_up() -> None:
        raise GiveUp(OSError("no use"))

    @engine.function_task(retries=1, retry_on=OSError, retry_delay=100)
    def ask() -> None:
        raise Retry("not yet", after=0)

    future = give_up()
    with pytest.raises(GiveUp, match="OSError: no use"):
        await future
    assert future.attempts == 1
    future = ask()
    with pytest.raises(Retry, match="not yet"):
        await future
    assert future.attempts == 2


async def test_a_command_is_tried_again_in_a_sandbox_of_its_own(tmp_path: Path) -> None:
    engine = WorkflowEngine(work_dir=tmp_path / "work", keep="failed")
    count = tmp_path / "count"

    @engine.executable_task(retries=2, retry_delay=0)
    def command(source: InputFile, made: OutputFile) -> str:
        once = "test ! -e mark && touch mark"  # or the sandbox is not a new one
        return f"{once} && cat {source} > {made} && echo x >> {count} && test $(wc -l < {count}) = 3"

    (tmp_path / "in.txt").write_text("data")
    async with engine:
        future = command(InputFile(tmp_path / "in.txt"), OutputFile("out.txt", to=tmp_path / "out.txt"))
        await future
        assert future.attempts == 3
        assert (tmp_path / "out.txt").read_text() == "data"
    kept = sorted(each.name for each in (tmp_path / "work").glob("run-*/command-*") if each.is_dir())
    assert kept == ["command-1", "command-1-2"]


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_a_function_with_files_is_tried_again_with_fresh_copies(backend: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("data")

    def spoil(source: Path, made: Path, count: str) -> str:
        text = Path(source).read_text()
        Path(source).write_text("spoiled")
        Path(made).write_text(text)
        return failing(count, 1)

    async with WorkflowEngine(backend=backend, work_dir=tmp_path / "work") as engine:
        task = engine.function_task(spoil, retries=1, retry_delay=0)
        done = task(InputFile(tmp_path / "in.txt"), OutputFile("out.txt"), str(tmp_path / "count"))
        assert await done == "attempt 2"
        assert Path(await done.outputs["out.txt"]).read_text() == "data"


@pytest.mark.parametrize("backend", ["thread", "process"])
@pytest.mark.parametrize("kind", ["coroutine", "function", "command", "block"])
async def test_an_attempt_that_takes_too_long_is_stopped_and_then_tried_again(
    kind: str, backend: str, tmp_path: Path
) -> None:
    count = str(tmp_path / "count")
    options: Any = {"retries": 1, "retry_delay": 0, "timeout": 1.0}

    def seen() -> int:
        with open(count, "a+") as file:
            file.write("x")
            file.seek(0)
            return len(file.read())

    async def body() -> str:
        if seen() == 1:
            await asyncio.sleep(1000)
        return "done"

    def function() -> str:
        if seen() == 1:
            time.sleep(1000)
        return "done"

    engine = WorkflowEngine(backend=backend, work_dir=tmp_path / "work")
    task: Any
    if kind == "command":
        task = engine.executable_task(
            lambda: f"echo x >> {count}; test $(wc -l < {count}) = 2 || sleep 1000; echo done", **options
        )
    elif kind == "block":
        task = engine.block(body, **options)
    else:
        task = engine.function_task(body if kind == "coroutine" else function, **options)
    if kind == "function" and backend == "thread":
        pytest.skip("a thread cannot be stopped")
    async with engine:
        future = task()
        assert (await future).strip() == "done"
        assert future.attempts == 2


@pytest.mark.parametrize("backend", ["thread", "process"])
async def test_the_users_functions_are_asked_once_about_each_failure_a_timeout_included(
    backend: str, tmp_path: Path
) -> None:
    asked: list[str] = []
    failures: list[BaseException] = []

    def is_to_be_tried_again(error: BaseException) -> bool:
        asked.append("retry_on")
        failures.append(error)
        return True

    def delay(attempt: int, error: BaseException) -> float:
        asked.append(f"retry_delay {attempt}")
        assert error is failures[-1]
        return 0

    count = tmp_path / "count"

    async def body() -> str:
        with open(count, "a") as file:
            file.write("x")
        if len(count.read_text()) == 1:
            await asyncio.sleep(1000)
        if len(count.read_text()) == 2:
            raise OSError("reset")
        return "done"

    async with WorkflowEngine(backend=backend) as engine:
        options: Any = {"retries": 9, "retry_on": is_to_be_tried_again, "retry_delay": delay}
        future = engine.function_task(body, timeout=0.3, **options)()
        assert await future == "done"
    assert {TaskTimeout, OSError} == {type(each) for each in failures}
    # A slow machine may have let more than one attempt take too long.
    assert asked == [
        each for number in range(1, future.attempts) for each in ("retry_on", f"retry_delay {number}")
    ]


async def test_on_threads_a_timeout_is_the_end_since_two_attempts_never_run_at_once() -> None:
    gate = threading.Event()
    async with WorkflowEngine() as engine:
        future = engine.function_task(gate.wait, name="wait", retries=3, retry_delay=0, timeout=0.05)()
        with pytest.raises(TaskTimeout, match="cannot be stopped there") as caught:
            await future
        gate.set()
    assert "no other attempt was made: this one runs on, and two never run at once" in caught.value.__notes__
    assert future.attempts == 1


async def test_explain_tells_which_attempt_it_is_and_why_there_is_another() -> None:
    gate, begun_again = asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def fetch() -> None:
        seen.append(1)
        if len(seen) == 2:
            begun_again.set()
            await gate.wait()
        raise OSError(f"reset {len(seen)}")

    def told() -> str:
        return re.sub(r"\d[\d.]* (µs|ms|s|min( \d+ s)?)\b", "# s", future.explain().splitlines()[0])

    async with WorkflowEngine() as engine:
        heard = Heard(engine)
        future = engine.function_task(fetch, retries=3, retry_delay=[0.5, 1000])()
        await heard.of(TaskAttemptFailed)
        assert (
            told()
            == "'fetch' (#1) waits for attempt 2 of 4, # s from now; attempt 1 failed # s ago: OSError: reset 1"
        )
        await begun_again.wait()
        assert told() == "'fetch' (#1) runs on the event loop, attempt 2 of 4"
        gate.set()
        await heard.of(TaskAttemptFailed, times=2)
        assert told().startswith("'fetch' (#1) waits for attempt 3 of 4, # s from now; attempt 2 failed")
        future.cancel()


@pytest.mark.parametrize(
    ("times", "told"), [(1, "succeeded on # attempt 2 of 3"), (9, "failed on # attempt 3 of 3: ValueError")]
)
async def test_explain_tells_after_the_end_how_many_attempts_there_were(
    engine: WorkflowEngine, tmp_path: Path, times: int, told: str
) -> None:
    future = engine.function_task(failing, retries=2, retry_delay=0)(str(tmp_path / "count"), times)
    await asyncio.wait([future])
    assert re.search(told.replace("#", "backend .*,"), future.explain())
    future.exception()


async def test_the_last_error_tells_of_the_attempts_before(tmp_path: Path) -> None:
    async with WorkflowEngine() as engine:
        task = engine.function_task(failing, retries=2, retry_delay=0)
        with pytest.raises(ValueError, match="attempt 3") as caught:
            await task(str(tmp_path / "count"), 9)
        (note,) = [each for each in caught.value.__notes__ if each.startswith("attempt")]
        assert note == "attempt 3; before it failed 1: ValueError: attempt 1; 2: ValueError: attempt 2"


@pytest.mark.parametrize("state", ["PENDING", "READY", "RUNNING"])
async def test_a_deadline_counts_from_the_call_whatever_the_task_waits_for(state: str) -> None:
    async with WorkflowEngine() as engine:
        engine.limit("one", concurrency=1)

        @engine.function_task(limits="one")
        async def slow() -> None:
            await asyncio.sleep(0.2)

        @engine.function_task(limits="one", deadline=0.05)
        async def fit(given: None = None) -> None:
            await asyncio.sleep(1000)

        first = slow() if state != "RUNNING" else None
        future = fit(first) if state == "PENDING" else fit()
        with pytest.raises(DeadlinePassed, match=rf"'fit' .* was not over 0.05 s .*; it was {state} then"):
            await future
        if first is not None:
            await first
        await engine.settled(future)
        assert future.state is State.FAILED


async def test_a_deadline_ends_the_attempts() -> None:
    async with WorkflowEngine() as engine:

        @engine.function_task(retries=1000, retry_delay=0.01, deadline=0.1)
        async def never() -> None:
            raise OSError

        future = never()
        with pytest.raises(DeadlinePassed):
            await future
        assert 1 < future.attempts < 20


async def test_a_deadline_in_the_delay_after_an_attempt_counts_that_one_among_the_failed() -> None:
    async with WorkflowEngine() as engine:

        @engine.function_task(retries=1, retry_delay=1000, deadline=0.05)
        async def never() -> None:
            raise OSError("down")

        with pytest.raises(DeadlinePassed) as caught:
            await never()
        assert "attempt 1; all failed: 1: OSError: down" in caught.value.__notes__


@pytest.mark.parametrize(
    ("option", "given", "told"),
    [
        ("retries", -1, "a whole number is needed, 0 or more"),
        ("retries", "3", "a whole number is needed, 0 or more"),
        ("retry_delay", -1, "0 or more"),
        ("retry_delay", [1, "x"], "seconds as a number"),
        ("retry_on", "OSError", "a class of exceptions is needed"),
        ("retry_on", int, "a class of exceptions is needed"),
        ("deadline", 0, "more than 0"),
    ],
)
def test_an_option_that_cannot_be_is_refused(option: str, given: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"{option}=.*{told}"):
        WorkflowEngine().function_task(**{option: given})(failing)


async def test_a_dry_run_tries_nothing_again_and_no_deadline_passes() -> None:
    async with WorkflowEngine(dry_run=True) as engine:
        task = engine.function_task(failing, retries=3, deadline=0.001)
        assert type(await task("x", 3)) is str


async def test_a_deadline_goes_on_when_files_are_not_made_and_the_task_is_tried_again(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:

        @engine.function_task(retries=1000, retry_delay=0.01, deadline=0.2)
        async def makes_nothing(made: OutputFile) -> None: ...

        future = makes_nothing(OutputFile("out.txt"))
        with pytest.raises(DeadlinePassed):
            await asyncio.wait_for(future, 5)


async def test_a_deadline_goes_on_when_a_value_is_of_a_wrong_type_and_the_task_is_tried_again() -> None:
    async with WorkflowEngine(check_types=True) as engine:

        @engine.function_task(retries=1000, retry_delay=0.01, deadline=0.2)
        async def wrong() -> int:
            return "x"  # type: ignore[return-value]

        with pytest.raises(DeadlinePassed):
            await asyncio.wait_for(wrong(), 5)


async def test_a_deadline_that_is_far_off_keeps_nothing_of_the_caller() -> None:
    gone: list[weakref.ref[Any]] = []
    async with WorkflowEngine() as engine:

        @engine.function_task(deadline=1000, retries=1)
        async def quick() -> None: ...

        async def caller() -> None:
            large = Large()
            ContextVar[Any]("large").set(large)
            gone.append(weakref.ref(large))
            await quick()

        await asyncio.create_task(caller())
        await asyncio.sleep(0)
        gc.collect()
        assert gone[0]() is None


async def test_between_attempts_nothing_is_kept_of_the_one_that_failed() -> None:
    gone: list[weakref.ref[Any]] = []
    engine = await WorkflowEngine.create()

    @engine.function_task(retries=1, retry_delay=1000)
    async def fail() -> None:
        large = Large()
        gone.append(weakref.ref(large))
        raise ValueError

    heard = Heard(engine)
    fail()
    await heard.of(TaskAttemptFailed)
    await turns()
    gc.collect()
    assert gone[0]() is None
    await engine.shutdown(wait=False)


class Large(set[int]):
    """Can be referred to weakly."""


async def test_one_exception_for_all_attempts_does_not_grow(engine: WorkflowEngine) -> None:
    shared = ValueError("always this one")

    def fail() -> None:
        raise shared

    task = engine.function_task(fail, retries=2, retry_delay=0)
    futures = [task() for _ in range(60)]
    await asyncio.wait(futures)
    assert all(isinstance(each.exception(), ValueError) for each in futures)
    if any(each.exception() is shared for each in futures):  # else each is what came out of a process
        assert len(shared.__notes__) < 50


@pytest.mark.parametrize("option", ["retry_on", "retry_delay"])
@pytest.mark.parametrize("raised", [ZeroDivisionError, SystemExit])
async def test_a_function_that_cannot_say_whether_to_try_again_ends_it_with_the_tasks_own_error(
    option: str, raised: type[BaseException]
) -> None:
    def undecided(*_: Any) -> Any:
        raise raised

    async with WorkflowEngine() as engine:
        options: Any = {option: undecided}
        future = engine.function_task(failing, retries=3, **options)("/", 1)
        with pytest.raises(OSError) as caught:
            await future
        assert f"no other attempt was made: retry_on or retry_delay raised {raised.__name__}" in "".join(
            caught.value.__notes__
        )


@pytest.mark.parametrize("ends", ["cancel", "deadline", "shutdown"])
async def test_a_block_can_end_while_what_its_attempt_had_started_is_being_stopped(ends: str) -> None:
    engine = await WorkflowEngine.create()
    begun, go = asyncio.Event(), asyncio.Event()
    bodies = []

    @engine.function_task
    async def stubborn() -> None:
        try:
            begun.set()
            await asyncio.sleep(1000)
        finally:
            await go.wait()

    @engine.block(retries=3, retry_delay=0.001, deadline=0.1 if ends == "deadline" else None)
    async def block() -> None:
        bodies.append(stubborn())
        await begun.wait()
        raise OSError

    future = block()
    await begun.wait()
    await turns()
    assert future.state is State.RUNNING
    closing = None
    if ends == "cancel":
        future.cancel()
    elif ends == "shutdown":
        closing = asyncio.ensure_future(engine.shutdown(wait=False))
    await asyncio.wait([future])
    assert future.state is State.CANCELLING
    go.set()
    await asyncio.wait_for(engine.settled(future), 5)
    assert len(bodies) == 1
    await (closing or engine.shutdown())
    future.cancelled() or future.exception()
