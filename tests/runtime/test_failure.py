"""How failures travel: as themselves to whoever awaits, as `UpstreamFailed` to what depends on them."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import asyncflow
from asyncflow import AsyncflowError, TaskCrashed, UpstreamFailed, WorkflowEngine
from asyncflow.testing import ManualBackend

from .kit import line, never_called, turns


def boom() -> None:
    raise ValueError("boom")


async def async_boom() -> None:
    await turns(1)
    raise ValueError("boom")


def deeper() -> None:
    boom()


@pytest.fixture(params=["thread", "sequential", "loop", "coroutine in a thread", "block", "async block"])
async def kind(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Any]]:
    """Decorates a plain function as each kind of task in turn."""
    engine = WorkflowEngine("sequential" if request.param == "sequential" else "thread", workers=2)

    def decorate(fn: Callable[..., Any], **options: Any) -> Any:
        async def coroutine(*args: Any) -> Any:
            return fn(*args)

        coroutine.__name__ = fn.__name__
        match request.param:
            case "loop":
                return engine.function_task(**options)(coroutine)
            case "coroutine in a thread":
                return engine.function_task(backend="thread", **options)(coroutine)
            case "block":
                return engine.block(**options)(fn)
            case "async block":
                return engine.block(**options)(coroutine)
            case _:
                return engine.function_task(**options)(fn)

    async with engine:
        yield decorate


# -- as itself --------------------------------------------------------------------------------------------


async def test_exception_reaches_every_awaiter_as_the_very_object_that_was_raised(
    kind: Callable[..., Any],
) -> None:
    error = ValueError("the very one")

    def fail() -> None:
        raise error

    future = kind(fail)()

    async def awaiter() -> BaseException:
        with pytest.raises(ValueError) as caught:
            await future
        return caught.value

    assert all(each is error for each in await asyncio.gather(*[awaiter() for _ in range(5)]))
    assert future.exception() is error
    assert future.state == "FAILED"


async def test_traceback_shows_the_users_frames_down_to_the_line_that_raised(
    kind: Callable[..., Any],
) -> None:
    future = kind(deeper)()
    await asyncio.wait([future])
    error = future.exception()
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    ours = os.path.dirname(asyncflow.__file__)
    assert not [frame for frame in frames if frame.filename.startswith(ours)]
    assert [frame.name for frame in frames][-2:] == ["deeper", "boom"]


async def test_note_names_task_number_and_the_line_of_the_call(kind: Callable[..., Any]) -> None:
    task = kind(boom, name="exploding")
    future, called = task(), line()
    with pytest.raises(ValueError) as caught:
        await future
    (note,) = caught.value.__notes__
    assert f"'exploding' (#1), called at {__file__}:{called}, in test_note_names_task" in note


async def test_note_tells_the_line_where_a_call_over_many_lines_stands(threads: WorkflowEngine) -> None:
    first = line()
    future = threads.function_task(lambda *_: boom())(
        1,
        2,
    )
    last = line()
    with pytest.raises(ValueError) as caught:
        await future
    number = int(caught.value.__notes__[0].split(f"{__file__}:")[1].split(",")[0])
    assert first < number < last


async def test_note_of_map_and_submit_names_the_users_own_line(threads: WorkflowEngine) -> None:
    futures, called = threads.function_task(lambda _: boom()).map([1, 2]), line()
    submitted, also_called = threads.submit(boom), line()
    decorated, then_called = threads.submit(threads.function_task(boom)), line()
    for future, number in [
        *((each, called) for each in futures),
        (submitted, also_called),
        (decorated, then_called),
    ]:
        with pytest.raises(ValueError) as caught:
            await future
        assert f"called at {__file__}:{number}, in test_note_of_map" in caught.value.__notes__[0]


def test_note_of_engine_run_names_the_line_of_the_run() -> None:
    engine = WorkflowEngine()
    task = engine.function_task(boom)
    with pytest.raises(ValueError) as caught:
        called = line() + 1
        engine.run(task)
    assert f"called at {__file__}:{called}, in test_note_of_engine_run" in caught.value.__notes__[0]


async def test_call_in_a_block_is_noted_with_its_line_inside_the_block(threads: WorkflowEngine) -> None:
    called = []

    @threads.block
    async def pipeline() -> None:
        called.append(line() + 1)
        await threads.submit(boom)

    with pytest.raises(ValueError) as caught:
        await pipeline()
    inner, outer = caught.value.__notes__
    assert f":{called[0]}, in pipeline" in inner
    assert "in block 'pipeline' (#1)" in outer


async def test_cause_and_context_of_an_exception_are_kept(kind: Callable[..., Any]) -> None:
    def chained() -> None:
        try:
            boom()
        except ValueError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError) as caught:
        await kind(chained)()
    assert isinstance(caught.value.__cause__, ValueError)


async def test_siblings_of_a_failed_task_go_on(engine: WorkflowEngine, hands: ManualBackend) -> None:
    bad, good = engine.function_task(lambda _: None).map("ab")
    await hands.received(2)
    hands.fail(1, ValueError())
    with pytest.raises(ValueError):
        await bad
    hands.succeed(2, "fine")
    assert await good == "fine"


class Rude(Exception):
    """Takes other arguments than it passes on, refuses notes, and cannot be shown."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__()

    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __repr__(self) -> str:
        raise RuntimeError("no words")

    def add_note(self, note: str) -> None:
        raise RuntimeError("no notes")


class Endless(Exception):
    """Its message takes 10 MB."""

    def __str__(self) -> str:
        return "x" * 10_000_000


def _circular() -> Exception:
    error, other = ValueError("one"), ValueError("two")
    error.__cause__, other.__cause__ = other, error
    return error


BAD_ERRORS = [
    Rude(1, 2),
    Endless(),
    _circular(),
    ExceptionGroup("several", [ValueError(1), TypeError(2)]),
    TimeoutError(),
    StopIteration.__base__("plain"),
]


@pytest.mark.parametrize("error", BAD_ERRORS, ids=lambda error: type(error).__name__)
async def test_difficult_exceptions_arrive_and_their_dependents_are_told_in_bounds(
    kind: Callable[..., Any], threads: WorkflowEngine, error: Exception
) -> None:
    def fail() -> None:
        raise error

    future = kind(fail)()
    await asyncio.wait([future])
    assert future.exception() is error
    threads_own = threads.submit(fail)
    after = threads.submit(never_called, threads_own)
    with pytest.raises(UpstreamFailed) as caught:
        await after
    assert caught.value.__cause__ is error
    assert len(str(caught.value)) < 2_000
    assert type(error).__name__ in str(caught.value)
    assert len(threads_own.explain()) < 2_000
    assert await kind(lambda: "next")() == "next"


async def test_endless_recursion_is_an_error_and_the_next_task_works(kind: Callable[..., Any]) -> None:
    def forever() -> None:
        forever()

    with pytest.raises(RecursionError):
        await kind(forever)()
    assert await kind(lambda: "next")() == "next"


# -- what would stop a program ----------------------------------------------------------------------------


class Drastic(BaseException):
    """One of a user's own."""


class DrasticGroup(BaseExceptionGroup[BaseException]):
    """Several at once."""

    def __new__(cls, message: str) -> DrasticGroup:
        return super().__new__(cls, message, [KeyboardInterrupt()])


@pytest.mark.parametrize(
    "cls",
    [
        SystemExit,
        KeyboardInterrupt,
        GeneratorExit,
        StopIteration,
        StopAsyncIteration,
        asyncio.CancelledError,
        Drastic,
        DrasticGroup,
    ],
)
async def test_what_would_stop_a_program_is_a_crash_of_that_task_alone(
    kind: Callable[..., Any], cls: type[BaseException], request: pytest.FixtureRequest
) -> None:
    error = cls("on purpose")

    def crash() -> None:
        raise error

    future, innocent = kind(crash, name="crasher")(), kind(lambda: "unharmed")()
    if cls is asyncio.CancelledError and "block-" in request.node.name:
        # A block that awaits what was cancelled is cancelled with it, and this looks the same.
        with pytest.raises(asyncio.CancelledError):
            await future
        assert future.state == "CANCELLED"
    else:
        with pytest.raises(TaskCrashed, match=r"'crasher' \(#1\) ended by " + cls.__name__) as caught:
            await future
        assert caught.value.__cause__ is error
        assert isinstance(caught.value, AsyncflowError)
        assert (caught.value.task_id, caught.value.name) == (1, "crasher")
        assert "'crasher' (#1), called at" in caught.value.__notes__[0]
        assert future.state == "FAILED"
    assert await innocent == "unharmed"
    assert await kind(lambda: "next")() == "next"


async def test_sys_exit_and_friends_after_an_await_are_crashes_too(engine: WorkflowEngine) -> None:
    for error in (
        SystemExit(1),
        KeyboardInterrupt(),
        GeneratorExit(),
        StopIteration(),
        asyncio.CancelledError(),
    ):

        @engine.function_task(name="crasher")
        async def crash(error: BaseException) -> None:
            await turns(1)
            raise error

        with pytest.raises(TaskCrashed) as caught:
            await crash(error)
        assert caught.value.__cause__ is error


async def test_crash_of_a_dependency_is_told_as_such(threads: WorkflowEngine) -> None:
    def leave() -> None:
        raise SystemExit(4)

    with pytest.raises(
        UpstreamFailed, match=r"'leave' .* failed, TaskCrashed: 'leave' .* ended by SystemExit: 4"
    ):
        await threads.submit(never_called, threads.submit(leave))


async def test_coroutine_task_that_awaits_a_cancelled_future_has_crashed_not_been_cancelled(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    other = engine.submit(never_called)

    @engine.function_task
    async def waiter() -> None:
        await other

    future = waiter()
    await hands.received(1)
    await turns()
    other.cancel()
    with pytest.raises(TaskCrashed, match="CancelledError"):
        await future


# -- upstream ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(["bad one", "bad two", "good", "cancelled"])))
async def test_all_root_causes_are_told_whatever_the_order_of_completion(
    engine: WorkflowEngine, hands: ManualBackend, order: tuple[str, ...]
) -> None:
    names = ["bad one", "bad two", "good", "cancelled"]
    futures = {name: engine.function_task(lambda: None, name=name)() for name in names}
    plot = engine.function_task(never_called, name="plot")(*futures.values())
    await hands.received(4)
    for name in order:
        assert plot.state == "PENDING"  # its fate is decided when all is known
        if name == "good":
            hands.succeed(name)
        elif name == "cancelled":
            futures[name].cancel()
            await engine.settled(futures[name])
        else:
            hands.fail(name, ValueError(name))
    with pytest.raises(UpstreamFailed) as caught:
        await plot
    assert plot.state == "UPSTREAM_FAILED"
    assert [(root.task_id, root.name) for root in caught.value.root_causes] == [
        (1, "bad one"),
        (2, "bad two"),
        (4, "cancelled"),
    ]
    assert str(caught.value).splitlines()[0] == (
        "'plot' (#5) did not run: 'bad one' (#1) failed, ValueError: bad one; "
        "'bad two' (#2) failed, ValueError: bad two; 'cancelled' (#4) was cancelled."
    )
    assert caught.value.__cause__ is futures["bad one"].exception()
    assert futures["bad two"].exception() is not None


async def test_two_that_fail_at_the_same_moment_give_one_error_with_both(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    bad = engine.function_task(lambda _: None, name="bad").map("ab")
    after = engine.function_task(never_called)(bad)
    await hands.received(2)
    with hands.together():
        hands.fail(2, ValueError("two"))
        hands.fail(1, ValueError("one"))
    with pytest.raises(UpstreamFailed) as caught:
        await after
    assert [root.task_id for root in caught.value.root_causes] == [1, 2]


async def test_upstream_failed_tells_the_path_to_each_root(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    def named(name: str) -> Any:
        return engine.function_task(lambda *_: None, name=name)

    load, other = named("load")(), named("other")()
    plot = named("plot")(named("fit")(named("clean")(load)), other)
    report = named("report")(plot)
    await hands.received("other")
    hands.succeed("load")
    await hands.received("clean")
    hands.fail("clean", ValueError("need 2 rows"))
    hands.fail("other", KeyError("gone"))
    with pytest.raises(UpstreamFailed) as caught:
        await report
    error = caught.value
    assert (error.task_id, error.name) == (report.id, "report")
    clean, other_root = sorted(error.root_causes, key=lambda root: root.name)
    assert [node.name for node in error.path(clean)] == ["clean", "fit", "plot", "report"]
    assert [node.name for node in error.path(other_root)] == ["other", "plot", "report"]
    assert "  clean(None) (#" in str(error)
    assert "-> plot (#" in str(error)
    with pytest.raises(UpstreamFailed):
        await plot
    assert load.state == "SUCCEEDED"


async def test_upstream_failed_names_the_others_that_did_not_run(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    bad = engine.function_task(lambda: None, name="bad")()
    after = engine.function_task(never_called, name="after")
    futures = after.map([bad] * 10)
    await hands.received("bad")
    hands.fail("bad", ValueError())
    await asyncio.wait(futures)
    message = str(futures[0].exception())
    assert "Also not run for this reason: after (#3), after (#4), after (#5)" in message
    assert "and 4 more" in message
    assert all(future.exception() is not None for future in futures)


async def test_dependent_called_after_the_failure_is_told_the_same(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    bad = engine.function_task(lambda: None, name="bad")()
    await hands.received("bad")
    hands.fail("bad", ValueError("early"))
    with pytest.raises(ValueError):
        await bad
    late = engine.function_task(never_called, name="late")(bad)
    later = engine.function_task(never_called, name="later")(late)
    for future in (late, later):
        with pytest.raises(UpstreamFailed, match=r"'bad' .* failed, ValueError: early"):
            await future


async def test_dependent_of_a_cancelled_and_a_finished_task_is_cancelled(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    first, second = engine.function_task(lambda _: None).map("ab")
    after = engine.function_task(never_called)(first, second)
    await hands.received(2)
    hands.succeed(1)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await after
    assert after.state == "CANCELLED"


async def test_upstream_failed_survives_pickling_with_its_facts(threads: WorkflowEngine) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        await threads.submit(never_called, threads.submit(boom))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy).splitlines()[0] == str(caught.value).splitlines()[0]
    assert [root.name for root in copy.root_causes] == ["boom"]


async def test_message_of_a_thousand_root_causes_stays_short(engine: WorkflowEngine) -> None:
    @engine.function_task
    async def fail(number: int) -> None:
        raise ValueError("x" * 1_000)

    roots = fail.map(range(1_000))
    after = engine.function_task(never_called)(roots)
    with pytest.raises(UpstreamFailed) as caught:
        await after
    assert len(caught.value.root_causes) == 1_000
    assert len(str(caught.value)) < 10_000
    assert all(future.exception() for future in roots)


# -- faults of a backend ----------------------------------------------------------------------------------


async def test_backend_that_does_not_take_a_batch_fails_those_tasks_and_no_others(
    engine: WorkflowEngine, hands: ManualBackend, caplog: pytest.LogCaptureFixture
) -> None:
    hands.submit_error = OSError("no connection")
    futures = engine.function_task(never_called).map("ab")
    for future in futures:
        with pytest.raises(OSError, match="no connection"):
            await future
    assert "backend 'manual' did not take 2 tasks" in caplog.text
    good = engine.submit(int)
    await hands.received(good.id)
    hands.run(good.id)
    assert await good == 0


@pytest.mark.parametrize("how", ["with", "create", "call"])
async def test_backend_that_cannot_start_fails_what_was_called_and_can_be_started_again(
    hands: ManualBackend, how: str
) -> None:
    hands.start_error = OSError("no cluster")
    engine = WorkflowEngine(hands)
    if how == "call":
        with pytest.raises(OSError, match="no cluster"):
            await engine.submit(int)
    else:
        with pytest.raises(OSError, match="no cluster"):
            await (engine.start() if how == "with" else WorkflowEngine.create(hands))
    async with engine:
        future = engine.submit(int)
        await hands.received(1)
        hands.run(1)
        assert await future == 0


async def test_backends_that_did_start_are_shut_down_when_another_cannot() -> None:
    good, bad = ManualBackend(), ManualBackend()
    bad.start_error = OSError("no cluster")
    with pytest.raises(OSError, match="no cluster"):
        await WorkflowEngine(backends={"good": good, "bad": bad}).start()
    assert good.shutdowns == 1


async def test_reports_about_unknown_and_finished_tasks_are_dropped_and_counted(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(int)
    await hands.received(1)
    hands.tell(1, 99, "who?")
    hands.succeed(1, "first")
    hands.tell(1, 1, "again")
    hands.tell(2, 1, ValueError("too late"))
    assert await future == "first"
    await turns()
    assert future.state == "SUCCEEDED"
    assert engine._run is not None
    assert engine._run.reports.dropped == 3


async def test_work_that_a_backend_gives_back_is_submitted_again(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(int)
    await hands.received(1)
    hands.give_back(1)
    await hands.received(1)
    assert hands.batches == [["int"], ["int"]]
    hands.run(1)
    assert await future == 0
    assert future.attempts == 1
