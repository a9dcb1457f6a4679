"""Failures that nobody looks at are named once, by their roots: where nobody can any more at once, else at shutdown.
Those that reached somebody are not."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asyncflow import UpstreamFailed, WorkflowEngine
from asyncflow.testing import ManualBackend
from asyncflow.testing.conformance._base import failure_of, release_of

from .kit import never_called, script, turns

Report = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Report:
    """What was logged, and by nobody else."""

    def report() -> list[str]:
        gc.collect()
        assert {record.name for record in caplog.records} <= {"asyncflow"}
        return [record.getMessage() for record in caplog.records]

    return report


async def boom(text: str = "boom") -> None:
    raise ValueError(text)


async def test_failure_nobody_looked_at_is_named_once_at_shutdown(said: Report) -> None:
    engine = WorkflowEngine("sequential")
    async with engine:
        future = engine.function_task(name="forgotten")(boom)("lost")
        await asyncio.wait([future])
        assert said() == []
    (message,) = said()
    assert "1 failed task that nobody looked at" in message
    assert "'forgotten' (#1): ValueError: lost" in message
    del future
    await engine.shutdown()
    async with engine:
        pass
    assert len(said()) == 1


async def test_it_is_an_error_of_the_logger_asyncflow(caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine("sequential") as engine:
        engine.submit(boom)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("asyncflow", logging.ERROR)


async def test_failure_whose_future_is_gone_is_named_at_once(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        future = engine.submit(boom, "dropped")
        await asyncio.wait([future])
        assert said() == []
        del future
        gc.collect()
        await turns(2)
        (message,) = said()
        assert "1 failed task that nobody can look at any more" in message
        assert "'boom' (#1): ValueError: dropped" in message
        engine.function_task(boom).map(["dropped at once"] * 3)
        await turns()
        assert "3 failed tasks that nobody can look at any more" in said()[1]
    assert len(said()) == 2


@pytest.mark.parametrize("backend", ["sequential", "thread", "executor", "loop"])
async def test_failed_future_and_its_error_are_in_no_circle(backend: str) -> None:
    def raise_it(_: object) -> None:
        raise ValueError

    async def raise_it_later(_: object) -> None:
        raise ValueError

    with ThreadPoolExecutor(1) as pool:
        async with WorkflowEngine({"executor": pool, "loop": "thread"}.get(backend, backend)) as engine:
            future = engine.submit(raise_it_later if backend == "loop" else raise_it, "it")
            assert isinstance(await failure_of(future), ValueError)
            gc.collect()
            gc.disable()
            try:
                released = release_of(future)
                del future
                await released.wait()
            finally:
                gc.enable()


@pytest.mark.parametrize("where", ["thread", "loop"])
async def test_failure_whose_future_is_let_go_on_another_thread_is_named_at_once(
    threads: WorkflowEngine, said: Report, where: str
) -> None:
    held = [threads.submit(boom, "dropped")]
    await asyncio.wait(held)
    if where == "thread":
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()
    else:
        held.clear()
    await turns(3)
    assert "'boom' (#1): ValueError: dropped" in said()[0]


async def test_one_line_is_said_for_each_root_failure(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        roots = [engine.function_task(boom, name=name)(name) for name in ("first", "second")]
        plot = engine.function_task(never_called, name="plot")
        kept = [plot(roots[0], number) for number in range(100)] + [plot(*roots)]
        await asyncio.wait(kept)
        assert said() == []
    (message,) = said()
    assert message.splitlines() == [
        "2 failed tasks that nobody looked at (await the future, or ask its exception()):",
        "  'first' (#1): ValueError: first; called as first(text='first'); not run because of it: "
        "plot (#3) and 100 more",
        "  'second' (#2): ValueError: second; called as second(text='second'); not run because of it: plot (#103)",
    ]
    del kept


@pytest.mark.parametrize("look", ["await", "exception", "result", "gather", "wait_for"])
async def test_failure_that_was_looked_at_is_not_named(said: Report, look: str) -> None:
    async with WorkflowEngine("sequential") as engine:
        future = engine.submit(boom)
        await asyncio.wait([future])
        if look == "exception":
            assert future.exception() is not None
        else:
            with pytest.raises(ValueError):
                match look:
                    case "await":
                        await future
                    case "result":
                        future.result()
                    case "gather":
                        await asyncio.gather(future)
                    case "wait_for":
                        await asyncio.wait_for(future, 60)
        del future
    assert said() == []


async def test_failure_delivered_through_a_dependent_is_not_named_again(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        middle = engine.submit(never_called, engine.submit(boom))
        last = engine.submit(never_called, middle)
        with pytest.raises(Exception, match="did not run"):
            await last
        del middle
    assert said() == []


async def test_of_a_chain_that_nobody_awaits_the_root_is_named(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        engine.function_task(never_called, name="end")(engine.submit(never_called, engine.submit(boom)))
    (message,) = said()
    assert "1 failed task that" in message
    assert message.endswith("\n  'boom' (#1): ValueError: boom; not run because of it: end (#3)")


async def test_failure_passed_to_a_task_after_it_happened_is_delivered_by_that(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        root = engine.submit(boom)
        await asyncio.wait([root])
        late = engine.submit(never_called, root)
        with pytest.raises(Exception, match="did not run"):
            await late
    assert said() == []


async def test_failure_passed_on_late_is_named_once_by_the_dependent(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        root = engine.submit(boom)
        await asyncio.wait([root])
        engine.function_task(never_called, name="late")(root)
        del root
    (message,) = said()
    assert "1 failed task that" in message
    assert message.endswith("\n  'boom' (#1): ValueError: boom; not run because of it: late (#2)")


async def test_failure_whose_only_dependent_was_cancelled_before_is_named(
    said: Report, hands: ManualBackend
) -> None:
    async with WorkflowEngine(hands) as engine:
        root = engine.function_task(never_called, name="root")()
        after = engine.function_task(never_called)(root)
        await hands.received("root")
        after.cancel()
        hands.fail("root", ValueError("lost"))
        del root, after
    (message,) = said()
    assert "'root' (#1): ValueError: lost" in message


async def test_failure_handled_inside_a_block_is_not_named(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def careful() -> str:
            try:
                await engine.submit(boom)
            except ValueError:
                return "handled"
            return "no failure"

        assert await careful() == "handled"
    assert said() == []


async def test_failure_inside_a_block_is_named_as_the_blocks_alone_where_it_left_it(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def awaits() -> None:
            await engine.submit(boom)

        @engine.block
        def returns() -> Any:
            return [engine.submit(boom)]

        for block in (awaits, returns):
            with pytest.raises(ValueError):
                await block()
    assert said() == []


async def test_block_nobody_awaited_is_named(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def pipeline() -> None:
            await engine.submit(boom)

        pipeline()
    (message,) = said()
    assert "1 failed task that" in message
    assert "'pipeline' (#1): ValueError: boom" in message


async def test_cancelled_tasks_are_no_failures(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        engine.submit(asyncio.Event().wait).cancel()
        engine.submit(asyncio.Event().wait)
        await turns()
        await engine.shutdown(wait=False)
    assert said() == []


async def test_of_thousands_the_first_few_and_a_count_are_named(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        kept = engine.function_task(boom).map(["x" * 10_000] * 5_000)
        await asyncio.wait(kept)
    (message,) = said()
    del kept
    assert "5000 failed tasks that nobody looked at" in message
    assert "more" in message.splitlines()[-1]
    assert len(message) < 20_000


async def test_exception_with_a_broken_str_is_named_all_the_same(said: Report) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    async def fail() -> None:
        raise Mute

    async with WorkflowEngine("sequential") as engine:
        engine.submit(fail)
    (message,) = said()
    assert "'fail' (#1): Mute" in message


async def test_asyncio_itself_complains_of_nothing(said: Report) -> None:
    engine = WorkflowEngine("sequential")
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with engine:
        future = engine.submit(boom)
        await asyncio.wait([future])
        del future
        gc.collect()
    assert len(said()) == 1
    assert complaints == []


def test_engine_that_is_never_shut_down_tells_when_its_script_ends() -> None:
    done = script("""
        import asyncio
        from asyncflow import WorkflowEngine

        engine = WorkflowEngine("sequential")

        @engine.function_task
        def forgotten():
            raise ValueError("lost")

        async def main():
            await asyncio.wait([forgotten()])

        asyncio.run(main())
    """)
    assert done.returncode == 0
    assert done.stderr.count("'forgotten' (#1): ValueError: lost") == 1


def as_list(futures: list[Any]) -> Any:
    return futures


def as_dict(futures: list[Any]) -> Any:
    return {"one": futures[0], "more": tuple(futures[1:])}


@dataclasses.dataclass
class Pair:
    """What a block may return."""

    one: Any
    more: Any


def as_dataclass(futures: list[Any]) -> Any:
    return Pair(futures[0], [{"nested": futures[1:]}])


@pytest.mark.parametrize("backend", ["sequential", "thread"])
@pytest.mark.parametrize("shape", [as_list, as_dict, as_dataclass])
@pytest.mark.parametrize("is_async", [False, True])
async def test_of_several_failures_that_a_block_returned_the_first_is_raised_and_none_is_lost(
    said: Report, shape: Callable[[list[Any]], Any], is_async: bool, backend: str
) -> None:
    async with WorkflowEngine(backend) as engine:

        @engine.function_task
        def save(name: str) -> None:
            if name != "fine":
                raise OSError(f"{name} not saved")

        def save_all() -> Any:
            return shape([save("fine"), save("cache"), save("results"), save(save("log"))])  # type: ignore[arg-type]

        async def save_all_later() -> Any:
            return save_all()

        with pytest.raises(OSError, match="cache not saved") as caught:
            await engine.block(save_all_later if is_async else save_all)()
        notes = "\n".join(caught.value.__notes__)
        assert "also failed, of what 'save_all" in notes
        assert "returned: 'save' (#4): OSError: results not saved" in notes
        assert "'save' (#6): UpstreamFailed: 'save' (#6) did not run" in notes
    lost = "\n".join(said())
    assert lost.count("OSError: results not saved") == lost.count("OSError: log not saved") == 1
    assert "cache" not in lost


async def test_failures_that_a_block_returned_for_one_reason_are_told_once(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        def all_for_one_reason() -> Any:
            bad = engine.submit(boom)
            return [engine.submit(never_called, bad), bad, engine.submit(never_called, bad)]

        with pytest.raises(UpstreamFailed) as caught:
            await all_for_one_reason()
        assert not any("also failed" in note for note in caught.value.__notes__)
    assert said() == []


async def test_a_failure_that_a_block_returned_goes_before_a_cancel(engine: WorkflowEngine) -> None:
    @engine.block
    async def mixed() -> Any:
        cancelled, failed = engine.submit(asyncio.sleep, 60), engine.submit(boom)
        cancelled.cancel()
        return [cancelled, failed]

    with pytest.raises(ValueError, match="boom"):
        await mixed()


async def test_notes_on_one_exception_that_fails_many_tasks_are_bounded() -> None:
    error = ValueError("the same for all")

    async def fails() -> None:
        raise error

    async with WorkflowEngine("sequential") as engine:
        await asyncio.wait([engine.submit(fails) for _ in range(1_000)])
        futures = [engine.submit(fails) for _ in range(1_000)]
        assert set(await asyncio.gather(*futures, return_exceptions=True)) == {error}
        assert len(error.__notes__) < 50
        assert error.__notes__[-1] == "and in other tasks, which are not named"


async def test_names_and_messages_do_nothing_to_the_terminal_that_shows_the_log(said: Report) -> None:
    async with WorkflowEngine("sequential") as engine:
        root = engine.function_task(boom, name="root\x1b[2J")("lost\x1b[2J")
        held = engine.function_task(never_called, name="held\x1b[2J")(root)
        await asyncio.wait([held])
    (message,) = said()
    assert "\x1b" not in message and message.count("\\x1b[2J") >= 3
