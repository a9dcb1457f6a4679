"""What a task waits for: futures anywhere in its arguments, of this engine and of others."""

from __future__ import annotations

import asyncio
import itertools
import threading
import types
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from asyncflow import CircularDependency, ForeignFuture, UpstreamFailed, WorkflowEngine, awaited
from asyncflow.backend import pass_as_they_are
from asyncflow.testing import ManualBackend, no_leaks

from .kit import never_called, turns

Point = namedtuple("Point", "x y")
COLOUR: ContextVar[str] = ContextVar("COLOUR", default="none")


@dataclass(frozen=True)
class Job:
    size: Any
    note: str = "kept"


async def test_task_starts_the_moment_its_last_input_is_there(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    one = engine.function_task(lambda: None, name="one")
    both = engine.function_task(lambda *_: None, name="both")
    both(one(), one())
    await hands.received(2)
    hands.succeed(2)
    await turns()
    assert "both" not in hands.waiting
    hands.succeed(1)
    await hands.received("both")


@pytest.mark.parametrize(
    "shape",
    [
        lambda future: [future],
        lambda future: (future, 1),
        lambda future: {"key": future},
        lambda future: {future},
        lambda future: frozenset({future}),
        lambda future: Point(future, 2),
        lambda future: Job(future),
        lambda future: [{"deep": ([Job([future])],)}],
        lambda future: OrderedDict(key=future),
        lambda future: defaultdict(list, key=future),
        lambda future: [future, future, [future]],
    ],
)
async def test_futures_anywhere_in_containers_are_waited_for_and_filled_in(
    threads: WorkflowEngine, shape: Any
) -> None:
    future = threads.submit(lambda: "value")
    given = shape(future)
    assert await threads.submit(lambda got: got, given) == shape("value")
    assert given == shape(future)  # the caller's own container is as it was


async def test_containers_without_futures_are_passed_as_they_are(threads: WorkflowEngine) -> None:
    for plain in ([1], {"a": 1}, Job(1), {1}):
        assert await threads.submit(lambda got: got, plain) is plain


async def test_changing_a_list_after_the_call_changes_nothing_where_it_held_a_future(
    threads: WorkflowEngine,
) -> None:
    items = [threads.submit(lambda: 1), 2]
    total = threads.submit(sum, items)
    items.append(100)
    assert await total == 3


async def test_same_future_may_stand_more_than_once(threads: WorkflowEngine) -> None:
    one = threads.submit(lambda: 1)
    assert await threads.submit(lambda *args, last: [*args, last], one, one, [one], last=one) == [
        1,
        1,
        [1],
        1,
    ]


async def test_future_that_is_done_is_an_argument_like_any_other(threads: WorkflowEngine) -> None:
    one = threads.submit(lambda: 1)
    await one
    assert await threads.submit(lambda value: value + 1, one) == 2


async def test_value_that_does_not_fit_where_its_future_stood_fails_that_task_alone(
    threads: WorkflowEngine,
) -> None:
    unhashable = threads.submit(list)
    with pytest.raises(TypeError, match="unhashable"):
        await threads.submit(never_called, {unhashable})
    assert await unhashable == []


async def test_dependents_of_many_run_once(engine: WorkflowEngine) -> None:
    runs = []

    async def add(*values: int) -> int:
        runs.append(values)
        return sum(values)

    task = engine.function_task(add)
    layer = [task(number) for number in range(4)]
    for _ in range(4):
        layer = [task(*layer) for _ in range(4)]
    assert await task(*layer) == 6 * 4**4
    assert len(runs) == 4 + 16 + 1


# -- awaitables of others ---------------------------------------------------------------------------------


async def test_future_of_a_thread_pool_is_a_dependency(threads: WorkflowEngine) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert await threads.submit(lambda *got: got, pool.submit(pow, 2, 5), [pool.submit(int)]) == (32, [0])


async def test_asyncio_future_is_a_dependency(engine: WorkflowEngine, hands: ManualBackend) -> None:
    theirs: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    ours = engine.function_task(lambda value: value + 1, name="plus")(theirs)
    await turns()
    assert hands.waiting == []
    assert ours.state == "PENDING"
    theirs.set_result(1)
    await hands.received("plus")
    hands.run("plus")
    assert await ours == 2


async def test_asyncio_task_gather_and_shield_are_dependencies(threads: WorkflowEngine) -> None:
    async def value(number: int) -> int:
        await turns(1)
        return number

    task = asyncio.create_task(value(1))
    gathered = asyncio.gather(value(2), value(3))
    shielded = asyncio.shield(value(4))
    assert await threads.submit(lambda *got: got, task, gathered, shielded) == (1, [2, 3], 4)


async def test_coroutine_is_a_dependency(threads: WorkflowEngine) -> None:
    async def value() -> int:
        await turns(1)
        return 20

    assert await threads.submit(lambda got, also: got + also, value(), also=22) == 42


async def test_same_coroutine_may_stand_twice_in_a_call(threads: WorkflowEngine) -> None:
    async def value() -> int:
        return 3

    coroutine = value()
    assert await threads.submit(lambda *got: got, coroutine, [coroutine]) == (3, [3])


async def test_coroutine_argument_sees_the_context_of_the_call(threads: WorkflowEngine) -> None:
    async def colour() -> str:
        return COLOUR.get()

    COLOUR.set("red")
    future = threads.submit(lambda got: got, colour())
    COLOUR.set("blue")
    assert await future == "red"


class Later:
    """As a pool of connections is: a value, and what opens it when it is awaited."""

    opened = 0

    def __await__(self) -> Generator[Any, None, str]:
        yield from turns(1).__await__()
        self.opened += 1
        return "later"


async def test_an_object_that_can_be_awaited_is_passed_as_it_is(threads: WorkflowEngine) -> None:
    pool = Later()
    got, inside = await threads.submit(lambda got, inside: (got, inside), pool, {"inside": pool})
    assert got is inside["inside"] is pool and not pool.opened

    @threads.block
    async def opened(pool: Later) -> Any:
        return pool

    assert await opened(pool) is pool and not pool.opened


async def test_an_object_that_can_be_awaited_is_waited_for_where_that_is_said(
    threads: WorkflowEngine,
) -> None:
    submitted = threads.submit(
        lambda got, inside: (got, inside), awaited(Later()), {"inside": awaited(Later())}
    )
    assert await submitted == ("later", {"inside": "later"})

    @threads.function_task
    def last() -> int:
        return pool.opened

    pool = Later()
    assert await last.with_options(after=pool)() == 1
    assert await last.with_options(after=[pool])() == 2
    later = last.with_options(after=pool)
    assert await later() == 3 and await later() == 4


async def test_an_asyncio_task_and_futures_of_any_kind_are_waited_for_unasked(
    threads: WorkflowEngine,
) -> None:
    class Theirs:
        """As futures of other libraries are."""

        def __await__(self) -> Generator[Any, None, str]:
            yield from turns(1).__await__()
            return "theirs"

        def add_done_callback(self, fn: Any) -> None:
            raise AssertionError("nobody asked")

    pool: Future[str] = Future()
    pool.set_result("pool")
    task = asyncio.get_running_loop().create_task(turns(1))
    assert await threads.submit(lambda *got: got, Theirs(), pool, task) == ("theirs", "pool", None)


LAZY: dict[str, Callable[[Any], Any]] = {
    "generator": lambda call: (call(path) for path in ["a", "b"]),
    "map": lambda call: map(call, ["a", "b"]),
    "zip": lambda call: zip([call("a")], [1], strict=True),
    "filter": lambda call: filter(lambda future: future is not None, [call("a")]),
    "enumerate": lambda call: enumerate([call("a")]),
    "reversed": lambda call: reversed([call("a")]),
    "iterator of a list": lambda call: iter([call("a")]),
    "iterator of a dict": lambda call: iter({"a": call("a")}.values()),
}


@pytest.mark.parametrize("lazy", LAZY.values(), ids=LAZY)
async def test_what_makes_its_items_later_is_refused_at_the_call(
    threads: WorkflowEngine, lazy: Callable[[Any], Any]
) -> None:
    called = []

    @threads.function_task
    def load(path: str) -> str:
        called.append(path)
        return path

    @threads.function_task
    def total(first: int, rows: Any = (), *more: Any, **others: Any) -> None: ...

    @threads.block
    async def flow(rows: Any) -> None: ...

    for call, argument in [
        (lambda rows: total(1, rows), "rows"),
        (lambda rows: total(1, rows=[rows]), "rows"),
        (lambda rows: total(1, 2, 3, {"k": rows}), r"\*more"),
        (lambda rows: total(1, others=rows), "others"),
        (lambda rows: flow(rows), "rows"),
    ]:
        with pytest.raises(
            TypeError, match=rf"was given an? \w+ in argument '{argument}', which[^\n]+\n  Pass a list"
        ):
            call(lazy(load))


@pytest.mark.parametrize("endless", [itertools.cycle([1]), itertools.repeat(1)], ids=["cycle", "repeat"])
async def test_nobody_is_told_to_make_a_list_of_what_has_no_end(engine: WorkflowEngine, endless: Any) -> None:
    task = engine.function_task(never_called)
    with pytest.raises(TypeError, match=r"It has no end, .* make it in the task") as told:
        task([endless])
    assert "list(" not in str(told.value)
    with pytest.raises(TypeError, match="Pass a list"):
        task(itertools.repeat(1, 3))


async def test_a_generator_that_a_block_returns_is_refused(threads: WorkflowEngine) -> None:
    @threads.block
    async def flow() -> Any:
        return {"rows": (threads.submit(len, path) for path in ["a", "b"])}

    with pytest.raises(TypeError, match=r"'flow' \(#1\) returned a generator, which[^\n]+\n  Return a list"):
        await flow()


@dataclass
class Box:
    rows: Any


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "a dict's values": lambda future: {"a": future}.values(),
    "a deque": lambda future: deque([future]),
    "a user dict": lambda future: UserDict(a=future),
    "a namespace": lambda future: types.SimpleNamespace(a=future),
    "a partial": lambda future: partial(print, future),
    "a read-only dict": lambda future: types.MappingProxyType({"a": future}),
    "a dataclass": Box,
}


def parts_of(box: Any) -> list[Any]:
    if isinstance(box, (types.SimpleNamespace, Box)):
        return list(vars(box).values())
    if isinstance(box, partial):
        return list(box.args)
    return list(box.values() if isinstance(box, (UserDict, types.MappingProxyType)) else box)


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_futures_in_any_container_are_waited_for_on_every_backend(
    wrap: Callable[[Any], Any], backend: str
) -> None:
    if backend == "process" and wrap is WRAPPED["a read-only dict"]:
        wrap = WRAPPED["a dict's values"]  # that one cannot be pickled, with futures or without
    async with WorkflowEngine(backend, workers=1) as engine:
        assert await engine.submit(parts_of, wrap(engine.submit(len, "abc"))) == [3]

        @engine.block
        async def flow() -> Any:
            return wrap(engine.submit(len, "abc"))

        assert parts_of(await flow()) == [3]


async def test_failure_of_anothers_awaitable_keeps_the_task_from_running(threads: WorkflowEngine) -> None:
    async def broken() -> None:
        raise ValueError("theirs")

    theirs: Future[None] = Future()
    theirs.set_exception(KeyError("pool"))
    for awaitable, error in [(broken(), ValueError), (theirs, KeyError)]:
        with pytest.raises(UpstreamFailed) as caught:
            await threads.function_task(never_called, name="mine")(awaitable)
        assert isinstance(caught.value.__cause__, error)
        assert str(caught.value).startswith("'mine' (#")
        assert [root.error for root in caught.value.root_causes] == [caught.value.__cause__]


async def test_cancel_of_anothers_future_cancels_its_dependents(threads: WorkflowEngine) -> None:
    theirs: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    pools: Future[int] = Future()
    futures = [threads.function_task(never_called)(each) for each in (theirs, pools)]
    theirs.cancel()
    pools.cancel()
    for future in futures:
        with pytest.raises(asyncio.CancelledError):
            await future
        assert future.state == "CANCELLED"


async def test_cancelling_a_task_leaves_anothers_future_alone(threads: WorkflowEngine) -> None:
    theirs: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    mine = threads.function_task(never_called)(theirs)
    await turns()
    mine.cancel()
    await threads.settled(mine)
    assert not theirs.cancelled()


async def test_future_that_another_thread_sets_wakes_the_engine(threads: WorkflowEngine) -> None:
    theirs: Future[int] = Future()
    mine = threads.submit(lambda value: value + 1, theirs)
    thread = threading.Thread(target=theirs.set_result, args=(1,))
    thread.start()
    assert await mine == 2
    thread.join()


async def test_coroutine_argument_begun_inside_a_block_ends_with_it(engine: WorkflowEngine) -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    @engine.block
    async def block() -> None:
        engine.function_task(never_called)(endless())
        await turns()
        raise ValueError("left")

    future = block()
    with pytest.raises(ValueError, match="left"):
        await future
    await engine.settled(future)
    assert ended.is_set()


async def test_shutdown_waits_for_the_clean_up_of_a_coroutine_argument() -> None:
    ended = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await turns()
            ended.append(True)

    with no_leaks():
        engine = WorkflowEngine("sequential")
        async with engine:
            future = engine.function_task(never_called)(endless())
            await turns()
            await engine.shutdown(wait=False)
        assert ended == [True]
        assert future.cancelled()


# -- futures of the wrong engine --------------------------------------------------------------------------


async def test_future_of_another_engine_is_refused_at_the_call_and_named(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    async with WorkflowEngine("sequential") as other:
        theirs = other.function_task(lambda: 1, name="load")()
        fit = engine.function_task(never_called, name="fit")
        for given in (theirs, [theirs], {"rows": theirs}):
            with pytest.raises(ForeignFuture) as caught:
                fit(given)
            assert str(caught.value).startswith("'fit' was given <TaskFuture load#1 ")
            assert "a future of another engine" in str(caught.value)
            assert "fit(await load(...))" in str(caught.value)
        with pytest.raises(ForeignFuture):
            fit.with_options(after=theirs)(1)
        await theirs
        await turns()
        assert hands.batches == []


async def test_future_of_another_engine_may_be_awaited_inside() -> None:
    async with WorkflowEngine("sequential") as one, WorkflowEngine("sequential") as two:
        inner = two.function_task(lambda: 20)

        @one.block
        async def outer() -> int:
            return await inner() + 1

        assert await outer() == 21


async def test_future_of_an_earlier_run_is_refused_as_such() -> None:
    engine = WorkflowEngine("sequential")
    async with engine:
        old = engine.submit(int)
        await old
    async with engine:
        with pytest.raises(ForeignFuture, match="a future of an earlier run of this engine"):
            engine.submit(never_called, old)


async def test_asyncio_future_of_another_loop_is_refused_at_the_call(engine: WorkflowEngine) -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(ForeignFuture, match="another event loop"):
            engine.submit(never_called, loop.create_future())
    finally:
        loop.close()


async def test_block_that_returns_a_future_of_another_engine_fails(engine: WorkflowEngine) -> None:
    async with WorkflowEngine("sequential") as other:
        theirs = other.submit(int)

        @engine.block
        def leak() -> Any:
            return theirs

        with pytest.raises(ForeignFuture):
            await leak()
        await theirs


# -- circles ----------------------------------------------------------------------------------------------


async def test_list_that_holds_itself_and_a_future_is_an_error_at_the_call(engine: WorkflowEngine) -> None:
    circle: list[Any] = [engine.submit(never_called)]
    circle.append(circle)
    with pytest.raises(ValueError, match="contains itself and a future"):
        engine.submit(never_called, circle)


async def test_task_that_awaits_itself_is_told_so(engine: WorkflowEngine) -> None:
    futures: list[Any] = []

    @engine.function_task
    async def narcissus() -> None:
        await futures[0]

    futures.append(narcissus())
    with pytest.raises(CircularDependency, match=r"'narcissus' \(#1\) would wait for itself"):
        await futures[0]


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_a_future_that_is_a_default_is_waited_for(backend: str) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        size = engine.submit(len, "abc")

        @engine.function_task
        def plain(first: int, second: Any = size, *, third: Any = (size, 1)) -> Any:
            return first, second, third

        @engine.function_task
        async def coroutine(second: Any = {"k": size}, other: int = 7) -> Any:  # noqa: B006 - nobody changes it
            return second, other

        @engine.block
        async def flow(second: Any = size) -> Any:
            return second

        assert await plain(1) == (1, 3, (3, 1))
        assert await plain(1, 2) == (1, 2, (3, 1))
        assert await plain.with_options(name="p")(1, third=2) == (1, 3, 2)
        assert await coroutine() == ({"k": 3}, 7) and await coroutine(other=8) == ({"k": 3}, 8)
        assert await flow() == 3


async def test_a_partial_that_holds_a_future_is_no_function(threads: WorkflowEngine) -> None:
    future = threads.submit(len, "abc")
    for fn in (partial(max, future), partial(max, [future]), partial(max, key=future)):
        with pytest.raises(TypeError, match=r"holds a future from before the call\.\n  Pass it in the call"):
            threads.submit(fn, 1)
        with pytest.raises(TypeError, match="holds a future"):
            threads.block(fn)
    assert await threads.submit(partial(max, 1), future) == 3


class Elsewhere:
    """A future of another engine, with a value that its own workers get at."""

    def __await__(self) -> Generator[Any, Any, Any]:
        raise AssertionError("this was awaited")
        yield

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        raise AssertionError("this was waited for")


async def test_objects_of_a_class_that_a_backend_brings_the_values_of_are_passed_as_they_are() -> None:
    value = Elsewhere()
    async with WorkflowEngine("thread") as engine:
        with pytest.raises(UpstreamFailed, match="this was awaited"):
            await engine.submit(list, [value])
        pass_as_they_are(Elsewhere)  # from then on, though it was another kind before
        assert await engine.submit(list, [value]) == [value]
        assert engine.report().counts["SUCCEEDED"] == 1
