"""Generator functions as tasks and blocks: their values come as they are made, and one that waits holds no worker."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    BlockOptions,
    DeadlinePassed,
    InputFile,
    TaskFuture,
    TaskOptions,
    TaskTimeout,
    WorkflowEngine,
)
from asyncflow._runtime import taking
from asyncflow._worker.generators import SLICE
from asyncflow.streams import Stream
from asyncflow.testing.yielding_tasks import untidy

BACKENDS = ["thread", "sequential", "process"]


def rows(n: int) -> Iterator[int]:
    yield from range(n)


def twice(x: int) -> int:
    return 2 * x


async def read(stream: Stream[Any]) -> list[Any]:
    return [value async for value in stream]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_call_gives_what_the_function_yields(backend: str) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        task = engine.function_task(rows)
        for n in (0, 1, 63, 64, 65, 500):
            assert await read(task(n)) == [*range(n)]
            assert await read(task(engine.submit(twice, n))) == [*range(2 * n)]


async def test_an_async_generator_is_a_block_with_many_outputs() -> None:
    engine = WorkflowEngine()
    step = engine.function_task(twice)

    @engine.block
    async def pages(n: int) -> AsyncIterator[int]:
        for x in range(n):
            yield await step(x)

    @engine.block
    def wired(n: int) -> Iterator[TaskFuture[int]]:
        for x in range(n):
            yield step(x)

    async with engine:
        assert await read(pages(4)) == await read(wired(4)) == [0, 2, 4, 6]
        for block in (pages, wired):
            assert await read(block.stream([1, 2, 3], ordered=True)) == [0, 0, 2, 0, 2, 4]
            assert sorted(await read(block.stream([1, 2, 3], window=2))) == [0, 0, 0, 2, 2, 4]
        owners = {row.block for row in engine.report().tasks if row.name == "twice"}
        assert None not in owners


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_generator_is_a_source_though_there_is_one_worker(backend: str) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        task, generate = engine.function_task(twice), engine.function_task(rows)
        assert sorted(await read(task.stream(generate(500), window=5))) == [2 * x for x in range(500)]
        nested = engine.function_task(rows).stream(generate(20), window=3)
        assert len(await read(nested)) == sum(range(20))


async def test_a_generator_is_no_further_ahead_than_there_is_room() -> None:
    made = 0

    def count() -> Iterator[int]:
        nonlocal made
        while True:
            made += 1
            yield made

    async with WorkflowEngine() as engine:
        async with engine.function_task(count)() as values:
            async for value in values:
                assert made - value <= 64
                if value == 1000:
                    break
        assert made <= 1065


async def test_a_value_does_not_wait_for_the_next_one_also_if_all_workers_were_busy() -> None:
    gates = [threading.Event() for _ in range(4)]

    def slow() -> Iterator[int]:
        for number, gate in enumerate(gates[1:]):
            yield number
            gate.wait(60)
        raise ValueError("the end")

    async with WorkflowEngine(workers=1) as engine, asyncio.timeout(60):
        busy = engine.submit(gates[0].wait, 60)
        values = aiter(engine.function_task(slow)())
        first = asyncio.ensure_future(anext(values))
        await asyncio.sleep(2 * SLICE)  # so that it is looked at before a worker has it, too
        gates[0].set()
        assert await first == 0 and await busy
        for number, gate in enumerate(gates[1:], 1):
            gate.set()
            if number < len(gates) - 1:
                assert await anext(values) == number
        with pytest.raises(ValueError, match="the end"):
            await anext(values)


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_after_a_break_the_generator_is_closed(backend: str) -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    async with WorkflowEngine(backend) as engine:
        async with engine.function_task(endless)() as values:
            async for value in values:
                if value > 200:
                    break
        assert closed.is_set()


async def test_a_generator_in_the_midst_of_its_work_is_closed_when_that_is_over() -> None:
    begun, opened, closed = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        try:
            yield 1
            begun.set()
            opened.wait(60)
            yield 2
        finally:
            closed.set()

    async with WorkflowEngine() as engine:
        stream = engine.function_task(slow)()
        reading = asyncio.create_task(read(stream))
        await asyncio.to_thread(begun.wait, 60)
        reading.cancel()
        opened.set()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert closed.is_set()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_was_made_is_given_before_the_error(backend: str) -> None:
    def bad(n: int) -> Iterator[int]:
        yield from range(n)
        raise ValueError("no more")

    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(bad)
        for n in (0, 3, 100):
            got = []
            with pytest.raises(ValueError, match="no more"):
                async for value in task(n):
                    got.append(value)
            assert got == [*range(n)]
        with pytest.raises(ExceptionGroup, match="3 of 3 items of 'bad' have failed"):
            await read(task.stream([1, 2, 3], errors="collect"))


async def test_a_backend_that_cannot_keep_a_generator_says_so_at_the_call() -> None:
    with ProcessPoolExecutor(1) as pool:
        async with WorkflowEngine(pool) as engine:
            task = engine.function_task(rows)
            with pytest.raises(
                TypeError, match=r"'rows' is a generator function, which backend 'executor' cannot run"
            ):
                task(3)
            with pytest.raises(TypeError, match="as 'thread' and 'process'"):
                task.stream([3])


async def test_arguments_that_do_not_fit_are_told_at_the_call() -> None:
    async with WorkflowEngine() as engine:
        task: Any = engine.function_task(rows)
        with pytest.raises(TypeError, match=r"rows\(\) missing a required argument: 'n'"):
            task()


async def test_outcomes_are_refused_for_what_makes_many_values_of_an_item() -> None:
    task = WorkflowEngine().function_task(rows)
    with pytest.raises(TypeError, match="'rows' makes many values of an item"):
        task(3).outcomes()


async def test_a_generator_of_a_library_runs_on_its_users_engine() -> None:
    library = WorkflowEngine()

    class Box:
        @library.function_task(timeout=9)
        def items(self, n: int) -> Iterator[int]:
            yield from range(n)

        @library.block
        async def later(self, n: int) -> AsyncIterator[int]:
            yield n

    async with WorkflowEngine() as engine:
        assert await read(Box().items.on(engine)(3)) == [0, 1, 2]
        assert await read(Box().later.on(engine).stream([4])) == [4]
        assert {each.name for each in engine.report().tasks} == {"items", "later"}
        with pytest.raises(TypeError, match=r"^items\.on\(\) got 3; a WorkflowEngine is needed"):
            Box().items.on(3)  # type: ignore[arg-type]


async def test_methods_and_options_are_as_for_other_tasks() -> None:
    engine = WorkflowEngine(backends={"a": "thread", "b": "process"})

    class Box:
        def __init__(self, n: int) -> None:
            self.n = n

        @engine.function_task
        def items(self, by: int) -> Iterator[int]:
            for x in range(self.n):
                yield x * by

    async with engine:
        box = Box(3)
        assert await read(box.items(10)) == [0, 10, 20]
        assert await read(box.items.with_options(name="others")(10)) == [0, 10, 20]
        assert await read(engine.function_task(Box.items.fn, backend="b")(box, 10)) == [0, 10, 20]
        elsewhere: Any = engine.function_task(rows).with_options(backend="b")
        assert await read(elsewhere(3)) == [0, 1, 2]
        assert await read(engine.function_task(partial(rows, 2))()) == [0, 1]
        assert repr(elsewhere) == "<generator function rows: backend='b'>"
        assert elsewhere.fn is rows


async def test_a_dry_run_and_a_plan_have_values_stand_in_for_those_of_a_generator() -> None:
    engine = WorkflowEngine()
    generate, step = engine.function_task(rows), engine.function_task(twice)

    @engine.block
    async def total() -> int:
        return sum(await read(step.stream(generate(10))))

    plan = await engine.plan(total)
    plan.check()
    names = [task.name for task in plan.tasks]
    assert names.count("twice") == 3 and names.count("rows") >= 3
    async with WorkflowEngine(dry_run=True) as dry:
        assert len(await read(dry.function_task(rows)(10))) == 3
    there = WorkflowEngine("process")
    plan = await there.plan(there.block(lambda: read(there.function_task(rows)(3)), name="all"))
    assert [task.name for task in plan.tasks].count("rows") >= 3


def test_another_attempt_is_refused_since_it_would_give_values_twice() -> None:
    with pytest.raises(TypeError, match="'rows' is a generator function, and retries=2 would give again"):
        WorkflowEngine().function_task(retries=2)(rows)


async def test_callbacks_of_streams_run_in_no_context_of_whoever_came_first() -> None:
    assert not [*taking._NO_CONTEXT]


async def test_a_generator_function_that_is_submitted_is_refused_with_the_mend() -> None:
    async with WorkflowEngine() as engine:
        for given in (rows, engine.function_task(rows)):
            with pytest.raises(TypeError, match=r"submit\(\) got 'rows', a generator function"):
                engine.submit(given, 3)  # type: ignore[call-overload]


async def pids(n: int) -> AsyncIterator[int]:
    for _ in range(n):
        await asyncio.sleep(0)
        yield os.getpid()


async def test_an_async_generator_runs_in_a_process_if_it_names_its_backend() -> None:
    closed = []

    async def endless(path: str) -> AsyncIterator[int]:
        try:
            while True:
                yield os.getpid()
        finally:
            await asyncio.sleep(0)
            Path(path).write_text("closed")

    async with WorkflowEngine(backends={"a": "thread", "b": "process"}) as engine:
        there = engine.function_task(backend="b")(pids)
        [pid] = {*await read(there(300))}
        assert pid != os.getpid()
        assert {*await read(engine.function_task(pids)(3))} == {os.getpid()}
        with tempfile.NamedTemporaryFile() as file:
            async with engine.function_task(backend="b")(endless)(file.name) as values:
                async for value in values:
                    closed.append(value)
                    if len(closed) == 100:
                        break
            assert file.read() == b"closed"
        assert os.getpid() not in closed
        refused: Any = engine.function_task(backend="a")(pids)
        with pytest.raises(
            TypeError, match="'pids' is an async generator function, and on backend 'thread' each"
        ):
            refused(3)


async def test_what_a_generator_does_not_do_is_not_done_in_a_dry_run_either() -> None:
    began = []

    async with WorkflowEngine(dry_run=True) as engine:

        @engine.function_task
        async def outside(n: int) -> AsyncIterator[int]:
            began.append(n)
            yield n

        assert await read(outside(5)) == [1, 1, 1]
    assert began == []


async def test_files_that_a_generator_declares_are_refused_with_the_mend() -> None:
    async with WorkflowEngine() as engine:

        @engine.function_task
        def lines(path: Any) -> Iterator[str]:
            yield from path.read_text().splitlines()

        with pytest.raises(TypeError, match="'lines' is a generator function, and declares files"):
            lines(InputFile("a.txt"))
        with pytest.raises(TypeError, match="Pass the path itself"):
            await read(lines.stream([InputFile("a.txt")]))


async def test_options_of_a_generator_are_of_its_slices_or_of_the_whole() -> None:
    def forever() -> Iterator[int]:
        yield from itertools.count()

    async def waits() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async with WorkflowEngine() as engine:
        clock = engine.function_task(deadline=0.2)(forever)
        got = []
        with pytest.raises(DeadlinePassed, match="forever"):
            async for value in clock():
                got.append(value)
                await asyncio.sleep(0)
        assert len(got) > 64
        with pytest.raises(TaskTimeout, match="waits"):
            await read(engine.function_task(timeout=0.05)(waits)())
        with pytest.raises(TypeError, match="retries=1 would give again"):
            engine.block(retries=1)(waits)


@pytest.mark.parametrize("backend", ["thread", "process"])
@pytest.mark.parametrize("kind", ["function_task", "block"])
@pytest.mark.parametrize("is_async", [False, True])
async def test_limits_of_a_generator_are_asked_by_its_own_arguments_and_hold(
    backend: str, kind: str, is_async: bool
) -> None:
    def many(n: int, *, weight: int) -> Iterator[int]:
        yield from range(n)

    async def many_later(n: int, *, weight: int) -> AsyncIterator[int]:
        for x in range(n):
            yield x

    async with WorkflowEngine(backend, workers=2) as engine:
        scarce = engine.limit("scarce", concurrency=5)
        decorate = getattr(engine, kind)(limits={scarce: lambda n, *, weight: weight}, max_concurrent=1)
        task = decorate(many_later if is_async else many)
        for variant in (task, task.with_options(label="another")):
            assert await read(variant(100, weight=5)) == [*range(100)]
            with pytest.raises(ValueError, match=r"limit 'scarce': 6 can never be met"):
                await read(variant(3, weight=6))


async def test_defaults_of_an_engine_are_for_generators_as_options_are() -> None:
    begun: list[int] = []

    async def fails(n: int) -> AsyncIterator[int]:
        begun.append(n)
        yield n
        raise ValueError("after one")

    async def waits() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    def forever() -> Iterator[int]:
        yield from itertools.count()

    defaults = [TaskOptions(retries=2, timeout=0.05), BlockOptions(retries=2)]
    async with WorkflowEngine(defaults=defaults) as engine:
        for decorate in (engine.function_task, engine.block):
            with pytest.raises(ValueError, match="after one"):  # and no value twice
                await read(decorate(fails)(0))
        assert len(begun) == 2
        with pytest.raises(TaskTimeout, match="waits"):
            await read(engine.function_task(waits)())
    async with WorkflowEngine(defaults=TaskOptions(deadline=0.1)) as engine:
        with pytest.raises(DeadlinePassed, match="forever"):  # of the whole, however short its slices are
            async for _ in engine.function_task(forever)():
                await asyncio.sleep(0)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_generator_is_told_of_as_the_user_has_called_it(backend: str) -> None:
    def fails(n: int) -> Iterator[int]:
        yield n
        raise ValueError("after one")

    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(fails)
        with pytest.raises(ValueError, match="after one") as caught:
            await read(task(3))
        [told] = [note for note in caught.value.__notes__ if "called at" in note]
        assert told.startswith("in generator 'fails' (#1), called at ") and told.endswith(", as fails(n=3)")
        with pytest.raises(ValueError, match="after one"):
            await read(task.stream([3]))
        called_at = {each.called_at.rpartition(":")[0] for each in engine.report().tasks}
        assert called_at == {__file__}

        async def program() -> None:
            await read(task(3))

        plan = await engine.plan(program)
        assert {each.called_at.rpartition(":")[0] for each in plan.tasks} == {__file__}


async def test_a_generator_has_the_resources_of_the_worker_that_runs_it() -> None:
    engine = WorkflowEngine("process", workers=1)

    @engine.resource
    def where() -> Iterator[int]:
        yield os.getpid()

    @engine.function_task
    def with_it(n: int, where: int = where) -> Iterator[tuple[int, int]]:  # type: ignore[assignment]
        for _ in range(n):
            yield where, os.getpid()

    async with engine:
        for here, pid in await read(with_it(100)):
            assert here == pid != os.getpid()


SCOPE = ContextVar("SCOPE", default="none")


def scoped(n: int) -> Iterator[str]:
    before = SCOPE.get()
    token = SCOPE.set("inside")
    try:
        for _ in range(n):
            yield SCOPE.get()
    finally:
        SCOPE.reset(token)
    yield before


async def scoped_later(n: int) -> AsyncIterator[str]:
    for value in scoped(n):
        yield value


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("body", [scoped, scoped_later])
async def test_all_slices_of_a_generator_have_one_context(backend: str, body: Any) -> None:
    SCOPE.set("outside")
    async with WorkflowEngine(backend, workers=2) as engine:
        options: Any = {"backend": "process"} if backend == "process" else {}
        task = engine.function_task(**options)(body)
        *values, last = await read(task(200))
        assert values == ["inside"] * 200
        assert last == ("none" if backend == "process" else "outside")
        async with task(200) as some:
            async for _ in some:
                break
    assert SCOPE.get() == "outside"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_error_of_a_generator_that_is_closed_is_logged(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with WorkflowEngine(backend) as engine, engine.function_task(untidy)(Path(os.devnull)) as values:
        async for _ in values:
            break
    [record] = caplog.records
    assert record.getMessage() == (
        "the generator of 'untidy' failed when it was closed: RuntimeError: not cleaned up"
    )


async def test_a_generator_begins_after_what_it_is_to_wait_for() -> None:
    order: list[str] = []

    async with WorkflowEngine() as engine:

        @engine.function_task
        def generate() -> Iterator[int]:
            order.append("generator")
            yield 1

        first = engine.submit(order.append, "first")
        assert await read(generate.with_options(after=first).with_options(label="late")()) == [1]
        assert order == ["first", "generator"]
        with pytest.raises(TypeError, match="after='first', which is no future"):
            generate.with_options(after="first")  # type: ignore[arg-type]


async def test_an_argument_that_cannot_be_sent_is_told_by_its_name() -> None:
    def locked(n: int, lock: object) -> Iterator[int]:
        yield n

    async with WorkflowEngine("process") as engine:
        task = engine.function_task(locked)
        with pytest.raises(TypeError, match=r"argument 'lock' of 'locked' .*: cannot pickle '_thread.lock'"):
            await read(task(1, threading.Lock()))


class Rows:
    def __init__(self, first: int) -> None:
        self.first = first

    def __call__(self, n: int) -> Iterator[int]:
        yield from range(self.first, n)


class RowsLater(Rows):
    async def __call__(self, n: int) -> AsyncIterator[int]:  # type: ignore[override]
        for x in range(self.first, n):
            yield x


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_object_whose_call_yields_is_a_generator_function_too(backend: str) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        for rows in (Rows(1), RowsLater(1), partial(Rows(1), n=3), partial(RowsLater(1), n=3)):
            task: Any = engine.function_task(rows)
            assert await read(task() if isinstance(rows, partial) else task(3)) == [1, 2]
            with pytest.raises(TypeError, match="a call gives a stream and no future"):
                engine.submit(rows, 3)
        assert await read(engine.block(RowsLater(1)).stream([2, 3], ordered=True)) == [1, 1, 2]


async def test_what_is_yielded_and_cannot_be_sent_is_told_by_what_it_is() -> None:
    def locks() -> Iterator[object]:
        yield 1
        yield threading.Lock()

    def files() -> Iterator[object]:
        with open(os.devnull) as file:
            yield file

    def generators() -> Iterator[object]:
        yield (x for x in range(3))

    async with WorkflowEngine("process", workers=1) as engine:
        for fn, told in (
            (locks, r"'locks' .* a lock, which cannot be sent to another process"),
            (files, "yields is an open file"),
            (generators, "yields is a generator"),
        ):
            with pytest.raises(TypeError, match=told):
                await read(engine.function_task(fn)())
        assert await read(engine.function_task(rows)(3)) == [0, 1, 2]
