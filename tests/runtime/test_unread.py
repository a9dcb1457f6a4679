"""Streams and jobs that are taken for their values: each mistake is told by the user's own name, with the mend."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow.serve import Job
from asyncflow.streams import Stream

GIVES = r"^{0} gives a stream here, and not yet its values: .*\n  "


def rows(n: int) -> Iterator[int]:
    yield from range(n)


def total(values: Any) -> int:
    return sum(values)


async def total_later(values: Any) -> int:
    return sum(values)


async def numbers() -> AsyncIterator[int]:
    yield 1


@dataclass
class Holding:
    values: Any


def tried(mistake: Callable[[Any], object]) -> Callable[[Any], Awaitable[object]]:
    async def called(stream: Any) -> object:
        return mistake(stream)

    return called


async def awaited(stream: Any) -> object:
    return await stream


async def gathered(stream: Any) -> object:
    return await asyncio.gather(stream)


async def taken_one_by_one(stream: Any) -> object:
    return [each for each in stream]


async def entered(stream: Any) -> None:
    with stream:
        pass


READ = r"Read it:  async for each in {0}: \.\.\.\n  Or all at once:  \[each async for each in {0}\]$"
MISTAKES = [
    (awaited, READ),
    (gathered, READ),
    (taken_one_by_one, READ),
    (tried(list), READ),
    (tried(sum), READ),
    (tried(lambda stream: dict(zip(stream, [1], strict=False))), READ),
    (tried(next), r"Take one of them:  values = aiter\({0}\); first = await anext\(values\)$"),
    (tried(anext), r"Take one of them:  values = aiter\({0}\); first = await anext\(values\)$"),
    (tried(len), r"Read it first:  len\(\[each async for each in {0}\]\)$"),
    (
        tried(lambda stream: stream[0]),
        r"Read it first:  values = \[each async for each in {0}\]; values\[...\]$",
    ),
    (tried(lambda stream: 1 in stream), r"Read it first:  \.\.\. in \[each async for each in {0}\]$"),
    (tried(lambda stream: [1, *stream]), READ),
    (
        tried(lambda stream: operator.add([1], stream)),
        r"Read it first:  \[each async for each in {0}\] \+ \.\.\.$",
    ),
    (
        tried(lambda stream: operator.add(stream, [1])),
        r"Read it first:  \[each async for each in {0}\] \+ \.\.\.$",
    ),
    (tried(lambda stream: stream == [0, 1]), r"Read it first:  \[each async for each in {0}\] == \.\.\.$"),
    (
        tried(bool),
        r"Read it first:  if \[each async for each in {0}\]: \.\.\.  Whether .*`is not None` tells$",
    ),
    (entered, r"Say async with:  async with {0} as values: \.\.\.$"),
]


@pytest.mark.parametrize("mistake, mend", MISTAKES)
async def test_a_stream_that_is_taken_for_its_values_says_how_to_read_it(mistake: Any, mend: str) -> None:
    async with WorkflowEngine() as engine:
        many, each = engine.function_task(rows), engine.function_task(total)
        for stream, shown in ((many(3), r"rows\(\.\.\.\)"), (each.stream([[1]]), r"total\.stream\(\.\.\.\)")):
            with pytest.raises(TypeError, match=(GIVES + mend).format(shown)):
                await mistake(stream)
            assert stream.counts.taken == 0


async def test_a_stream_is_itself_and_no_other_and_may_be_a_key() -> None:
    async with WorkflowEngine() as engine:
        many = engine.function_task(rows)
        one, other = many(1), many(1)
        assert [one, other].index(other) == 1 and {one: 1, other: 2}[one] == 1
        assert [value async for value in one] == [value async for value in other] == [0]


async def test_a_second_reading_is_refused_with_the_call_that_makes_another_stream() -> None:
    async with WorkflowEngine() as engine:
        stream = engine.function_task(rows)(3)
        async for _ in stream:
            break
        with pytest.raises(
            RuntimeError, match=r"is read once, and this one was.\n  Make another one:  rows\(\.\.\.\)"
        ):
            [value async for value in stream]


async def test_no_stream_and_no_job_is_an_order_for_a_task() -> None:
    async with WorkflowEngine() as engine:
        each = engine.function_task(total)
        job = engine.serve(each).submit([1])
        for given in (engine.function_task(rows)(3), job, [job]):
            with pytest.raises(TypeError, match=r"'total' was given after=(.|\n)*which is no future"):
                each.with_options(after=given)  # type: ignore[arg-type]
        assert await job.result() == 1


async def test_a_generator_task_refuses_map_and_a_loop_over_itself() -> None:
    many: Any = WorkflowEngine().function_task(rows)
    assert not hasattr(many, "map")
    with pytest.raises(AttributeError, match=r"async for each in rows\.stream\(\[...\]\)"):
        many.map([1, 2])
    told = r"^'rows' is a generator function here, .*\n  Call it:  async for each in rows\(\.\.\.\)"
    with pytest.raises(TypeError, match=told):
        list(many)
    with pytest.raises(TypeError, match=told):
        async for _ in many:
            pass


async def test_a_future_in_an_async_for_says_that_it_is_awaited_first() -> None:
    async with WorkflowEngine() as engine:
        future: Any = engine.submit(len, "abc")
        with pytest.raises(TypeError, match=r"Await it first:  for each in await len\(\.\.\.\)"):
            async for _ in future:
                pass
        assert await future == 3


async def test_a_job_that_is_awaited_says_that_its_result_is() -> None:
    async with WorkflowEngine() as engine:
        job: Any = engine.serve(engine.function_task(total)).submit([1, 2], id="order-17")
        with pytest.raises(
            TypeError, match=r"^<Job total 'order-17' .*\n  Await its result:  await job.result\(\)$"
        ):
            await job
        assert await job.result() == 3


def test_a_generator_or_a_stream_is_no_run_and_no_plan_and_says_what_is() -> None:
    engine = WorkflowEngine()
    many: Any = engine.function_task(rows)
    block = r"\n  (Run|Plan) a block that reads (it|them):  return \[each async for each in rows\(\.\.\.\)\]$"
    for given in (many, rows):
        with pytest.raises(
            TypeError, match=r"^engine.run got 'rows', a generator function" + f"(.|\n)*{block}"
        ):
            engine.run(given, 3)
        with pytest.raises(
            TypeError, match=r"^engine.plan got 'rows', a generator function" + f"(.|\n)*{block}"
        ):
            asyncio.run(engine.plan(given, 3))
    with pytest.raises(TypeError, match=r"^engine.run got <Stream of rows.*cannot be called"):
        engine.run(many(3))

    async def main() -> Stream[int]:
        return many(3)  # type: ignore[no-any-return]

    with pytest.raises(TypeError, match=r"^'main' returned what rows\(\.\.\.\) gives, a stream"):
        engine.run(main)


# -- as arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["thread", "process", "sequential", "noop"])
@pytest.mark.parametrize("fn", [total, total_later])
async def test_a_stream_as_an_argument_of_a_task_is_refused_at_the_call_on_every_backend(
    backend: str, fn: Any
) -> None:
    async with WorkflowEngine(backend=backend, workers=1) as engine:
        many, task = engine.function_task(rows), engine.function_task(fn)
        name = fn.__name__
        told = (
            rf"^'{name}' was given what {{0}} gives, a stream, in argument 'values', (.|\n)*"
            rf"\n  Pass its values:  {name}\(\[each async for each in {{0}}\]\)"
            rf"\n  Or each by itself:  {name}\.stream\({{0}}\)"
            rf"\n  Or make '{name}' a block, which runs on the event loop.$"
        )
        for wrapped in (lambda x: x, lambda x: [0, [x]], lambda x: {"a": x}, Holding, lambda x: {x}):
            for stream, shown in (
                (many(3), r"rows\(\.\.\.\)"),
                (task.stream([[1]]), rf"{name}\.stream\(\.\.\.\)"),
            ):
                with pytest.raises(TypeError, match=told.format(shown)):
                    task(wrapped(stream))
                with pytest.raises(TypeError, match=told.format(shown)):
                    task(values=wrapped(stream))
        assert not engine.report().tasks


async def test_jobs_and_async_generators_are_refused_as_streams_are() -> None:
    async with WorkflowEngine() as engine:
        task = engine.function_task(total)
        job = engine.serve(task).submit([3], id="a")
        with pytest.raises(
            TypeError, match=r"a job, in argument(.|\n)*Pass its value:  total\(await job.result\(\)\)"
        ):
            task([job])
        with pytest.raises(
            TypeError, match=r"an async_generator, in argument(.|\n)*total\(\[each async for each in"
        ):
            task(numbers())
        assert await task([await job.result(), *[each async for each in numbers()]]) == 4


async def test_a_generator_task_takes_no_stream_either_and_one_of_items_fails_its_item() -> None:
    async with WorkflowEngine() as engine:
        many, each = engine.function_task(rows), engine.function_task(total)
        with pytest.raises(
            TypeError, match=r"^'rows' was given what rows\(\.\.\.\) gives, a stream, in argument 'n'"
        ):
            many(many(3))  # type: ignore[call-overload]
        [outcome] = [item async for item in each.stream([many(3)]).outcomes()]
        assert str(outcome.error).startswith("'total' was given what rows(...) gives, a stream")


async def test_a_block_takes_streams_jobs_and_async_generators_and_reads_them() -> None:
    async with WorkflowEngine() as engine:
        many = engine.function_task(rows)

        @engine.block
        async def read(values: Any, more: list[Any], job: Job[int]) -> list[int]:
            read = [each async for each in values]
            for source in more:
                read += [each async for each in source]
            return [*read, await job.result()]

        @engine.block
        async def twice(values: Any) -> AsyncIterator[int]:
            async for each in values:
                yield 2 * each

        job = engine.serve(engine.function_task(total)).submit([9])
        assert await read(many(2), [numbers(), many(1)], job) == [0, 1, 1, 0, 9]
        assert [each async for each in twice(many(3))] == [0, 2, 4]


async def test_a_plan_tells_of_a_stream_that_is_passed_to_a_task() -> None:
    engine = WorkflowEngine()
    many, task = engine.function_task(rows), engine.function_task(total)

    @engine.block
    async def flow() -> int:
        return await task(many(3))

    plan = await engine.plan(flow)
    assert any("'total' was given what rows(...) gives, a stream" in each.what for each in plan.findings)
