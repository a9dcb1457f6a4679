"""A task's future is an asyncio future: whatever takes one takes this."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import importlib
import inspect
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from asyncflow import HiddenFuture, InputFile, OutputFile, TaskFuture, WorkflowEngine
from asyncflow._runtime import inputs, touched, wiring
from asyncflow.testing import Gate, ManualBackend
from asyncflow.testing.conformance._base import release_of

from .kit import never_called


async def test_gather_gives_results_in_the_order_of_the_calls(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    futures = engine.function_task(lambda _: None).map("abc")
    gathered = asyncio.gather(*futures)
    await hands.received(3)
    for number in (3, 1, 2):
        hands.succeed(number, number)
    assert await gathered == [1, 2, 3]


async def test_gather_returns_exceptions_where_asked(threads: WorkflowEngine) -> None:
    @threads.function_task
    def inverse(value: int) -> float:
        return 1 / value

    half, error = await asyncio.gather(inverse(2), inverse(0), return_exceptions=True)
    assert half == 0.5
    assert isinstance(error, ZeroDivisionError)


async def test_as_completed_gives_the_first_first(engine: WorkflowEngine, hands: ManualBackend) -> None:
    futures = engine.function_task(lambda _: None).map("abc")
    await hands.received(3)
    seen = []
    order = iter((2, 3, 1))
    hands.succeed(2, 2)
    next(order)
    for earliest in asyncio.as_completed(futures):
        seen.append(await earliest)
        for number in order:
            hands.succeed(number, number)
            break
    assert seen == [2, 3, 1]


async def test_wait_returns_at_the_first_that_is_done(engine: WorkflowEngine, hands: ManualBackend) -> None:
    futures = engine.function_task(lambda _: None).map("ab")
    await hands.received(2)
    hands.succeed(2)
    done, pending = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    assert done == {futures[1]}
    assert pending == {futures[0]}


async def test_shield_keeps_a_task_from_its_awaiters_cancel(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.function_task(lambda: None)()

    async def awaiter() -> None:
        await asyncio.shield(future)

    waiting = asyncio.ensure_future(awaiter())
    await hands.received(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not future.cancelled()
    hands.succeed(1, "whole")
    assert await future == "whole"


async def test_done_callbacks_are_called_once_with_the_future(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.function_task(lambda: None)()
    seen: list[Any] = []
    future.add_done_callback(seen.append)
    await hands.received(1)
    hands.succeed(1)
    await future
    assert seen == [future]


async def test_many_may_await_one_future(engine: WorkflowEngine, hands: ManualBackend) -> None:
    future = engine.function_task(lambda: None)()

    async def awaiter() -> Any:
        return await future

    async with asyncio.TaskGroup() as group:
        awaiters = [group.create_task(awaiter()) for _ in range(10)]
        await hands.received(1)
        hands.succeed(1, "shared")
    assert [each.result() for each in awaiters] == ["shared"] * 10


async def test_future_that_is_done_can_be_awaited_again(threads: WorkflowEngine) -> None:
    future = threads.submit(list)
    assert await future is await future


async def test_future_is_a_plain_subclass_with_nothing_patched_on(engine: WorkflowEngine) -> None:
    future = engine.function_task(never_called)()
    assert type(future) is TaskFuture
    assert not hasattr(future, "__dict__")


async def test_awaiting_from_another_loop_is_an_error_and_no_hang(engine: WorkflowEngine) -> None:
    future = engine.function_task(never_called)()

    async def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            await future

    await asyncio.get_running_loop().run_in_executor(None, asyncio.run, elsewhere())


async def test_result_of_a_future_nobody_holds_is_let_go(threads: WorkflowEngine) -> None:
    class Result: ...

    kept = threads.submit(Result)
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    value = weakref.ref(await kept, lambda _: loop.call_soon_threadsafe(gone.set))
    assert value() is not None
    del kept
    await asyncio.wait_for(gone.wait(), 30)  # the worker thread may be the last that lets go
    assert value() is None


async def test_arguments_of_a_task_that_is_over_are_let_go(threads: WorkflowEngine) -> None:
    class Argument: ...

    argument = Argument()
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    seen = weakref.ref(argument, lambda _: loop.call_soon_threadsafe(gone.set))
    future = threads.submit(lambda given, also=None: None, argument, also=[argument])
    await future
    del argument
    await asyncio.wait_for(gone.wait(), 30)  # the worker thread may be the last that lets go
    assert seen() is None
    assert future.done()


async def test_result_goes_to_dependents_and_is_not_kept_for_them(
    threads: WorkflowEngine, gate: Gate
) -> None:
    class Big: ...

    loop = asyncio.get_running_loop()
    born: list[asyncio.Event] = []

    def big() -> Big:
        value = Big()
        born.append(release_of(value, loop))
        return value

    user = threads.submit(lambda value: type(value).__name__, threads.submit(big))
    assert await user == "Big"
    await born[0].wait()


async def test_task_runs_though_nobody_holds_its_future(threads: WorkflowEngine) -> None:
    ran = asyncio.Event()
    loop = asyncio.get_running_loop()
    threads.submit(loop.call_soon_threadsafe, ran.set)
    gc.collect()
    await ran.wait()


async def test_explain_tells_why_a_task_waits_runs_and_ended(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    first = engine.function_task(lambda: None, name="load")()
    second = engine.function_task(lambda _: None, name="fit")(first)
    assert "'fit' (#2) waits for 1 of 1 dependencies: load (#1, READY)" in second.explain()
    assert f"called at {__file__}:" in second.explain()
    await hands.received("load")
    assert "was handed to backend 'manual', which has not begun it" in first.explain()
    hands.begin("load")
    assert "runs on backend 'manual'" in first.explain()
    hands.succeed("load")
    await first
    assert "succeeded on backend 'manual'" in first.explain()
    await hands.received("fit")
    hands.fail("fit", ValueError("need 2 rows"))
    with pytest.raises(ValueError, match="need 2 rows"):
        await second
    assert "'fit' (#2) failed on backend 'manual': ValueError: need 2 rows" in second.explain()
    assert "story: PENDING -> READY -> SUBMITTED -> FAILED" in second.explain()


async def test_state_is_up_to_date_without_awaiting_anything(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.function_task(lambda: None)()
    assert future.state == "READY"
    await hands.received(1)
    assert future.state == "SUBMITTED"
    hands.begin(1)
    assert future.state == "RUNNING"
    hands.succeed(1)
    assert future.state == "SUCCEEDED"
    assert future.done()


async def test_repr_of_a_future_in_each_state_names_it(engine: WorkflowEngine, hands: ManualBackend) -> None:
    first = engine.function_task(lambda: None, name="one")()
    second = engine.function_task(lambda _: None, name="two")(first)
    assert repr(second) == "<TaskFuture two#2 PENDING>"
    second.cancel()
    assert repr(second) == "<TaskFuture two#2 CANCELLED>"


# -- a future is not its value ----------------------------------------------------------------------------


async def test_a_future_is_neither_true_nor_false(threads: WorkflowEngine) -> None:
    pending = threads.submit(len, "abc")
    for future in (pending, threads.submit(len, "abc")):
        for ask in (
            bool,
            lambda it: not it,
            lambda it: 1 if it else 2,
            lambda it: it and 1,
            lambda it: all([it]),
        ):
            with pytest.raises(
                TypeError, match=r"is a future here, and not yet its value.*\n  Await it first:  if await"
            ):
                ask(future)
        await future


async def test_a_future_cannot_be_compared_with_what_is_none(threads: WorkflowEngine) -> None:
    future, other = threads.submit(len, "abc"), threads.submit(len, "abc")
    for value in (1, None, "abc", [1], 1.5):
        for compare in (lambda a, b: a == b, lambda a, b: a != b, lambda a, b: b == a, lambda a, b: b in [a]):
            with pytest.raises(TypeError, match=r"cannot be compared with.*\n  Await it first:  await len\("):
                compare(future, value)
    with pytest.raises(TypeError, match="cannot be compared"):
        match future:
            case 3:
                raise AssertionError
    pool: concurrent.futures.Future[int] = concurrent.futures.Future()
    for theirs in (other, pool, asyncio.get_running_loop().create_future()):
        assert future != theirs and theirs != future
    await asyncio.gather(future, other)


async def test_futures_are_keys_and_members_and_asyncio_has_no_trouble_with_them(
    threads: WorkflowEngine,
) -> None:
    futures = threads.function_task(len).map(["a", "bb", "ccc"])
    names = dict(zip(futures, "abc", strict=True))
    assert [names[future] for future in futures] == ["a", "b", "c"]
    assert futures.index(futures[1]) == 1 and futures[2] in futures and len({*futures, *futures}) == 3
    assert futures == list(futures) and [futures[0]] != [futures[1]]
    assert await asyncio.gather(*futures, *futures) == [1, 2, 3] * 2
    assert await asyncio.shield(futures[0]) == await asyncio.wait_for(futures[0], 5) == 1
    done, pending = await asyncio.wait(futures)
    assert done == set(futures) and not pending
    assert sorted([await each for each in asyncio.as_completed(futures)]) == [1, 2, 3]
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(asyncio.wait_for(threads.submit(len, "abc"), 5))
    assert waiting.result() == 3
    weakly = weakref.WeakSet(futures)
    assert futures[0] in weakly


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_a_future_cannot_be_set_by_its_user(backend: str) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:

        @engine.block
        async def flow() -> int:
            return await engine.submit(len, "abc")

        for future in (engine.submit(len, "abc"), flow()):
            with pytest.raises(
                RuntimeError, match=r"set_result\(\): a task's value is what its function returns"
            ):
                future.set_result(4)
            with pytest.raises(RuntimeError, match=r"set_exception\(\): .*to stop it:  .cancel\(\)"):
                future.set_exception(ValueError())
            assert not future.done()
            assert await future == 3


# -- the text of a future ---------------------------------------------------------------------------------


async def test_the_text_of_a_future_is_refused_where_its_value_was_meant() -> None:
    async with WorkflowEngine(workers=1, keep="none") as engine:
        await _texts_are_refused(engine)


async def _texts_are_refused(threads: WorkflowEngine) -> None:
    @threads.function_task
    def save(path: Any, *more: Any) -> None:
        raise AssertionError

    @threads.block
    async def flow(path: Any) -> None:
        raise AssertionError

    @threads.executable_task
    def run(path: Any = None) -> str:
        return f"echo {number}"

    number = threads.submit(len, "abc")
    texts = [f"out-{number}.txt", str(number), repr([number]), Path(f"{number}") / "a"]
    for text in texts:
        for given in (text, [text], {"a": (text,)}, {text: 1}, OutputFile("o", to=text), InputFile(text)):
            for task in (save, flow, run):
                with pytest.raises(
                    TypeError, match=r"^argument 'path' of '.*' has the text of a f"
                ) as caught:
                    task(given)
                assert "\n  Await the future first" in str(caught.value)
    with pytest.raises(TypeError, match=r"^argument '\*more' of 'save' has the text"):
        save(1, 2, texts[0])
    with pytest.raises(TypeError, match=r"^'save': name= has the text of a future"):
        save.with_options(name=f"save-{number}")
    for option in ({"env": {"A": str(number)}}, {"cwd": str(number)}, {"stdin": f"{number}"}):
        with pytest.raises(TypeError, match=r"^'run': (env|cwd|stdin)= has the text of a future"):
            run.with_options(**option)
    with pytest.raises(TypeError, match=r"^the command of 'run' has the text of a future"):
        await run()
    assert await number == 3


async def test_what_looks_a_little_like_the_text_of_a_future_is_none(threads: WorkflowEngine) -> None:
    future = threads.submit(len, "abc")
    str(future)
    assert await threads.submit(str.upper, "<TaskFuture of mine>") == "<TASKFUTURE OF MINE>"
    files = (OutputFile("o", to=future), [InputFile(future)])
    assert wiring.place_of_text(files, {}, inputs.KINDS) is None
    assert await future == 3


async def test_arguments_are_not_searched_for_texts_before_any_was_made(
    threads: WorkflowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "place_of_text", never_called)
    assert await threads.submit(len, "abc") == 3
    assert await threads.submit(lambda *given: given, [threads.submit(len, "abc")], "text") == ([3], "text")


async def test_the_tab_key_shows_the_public_face_alone(threads: WorkflowEngine) -> None:
    future = threads.submit(len, "a")
    await future
    shown = {name for name in dir(future) if not name.startswith("__")}
    theirs = {name for name in dir(asyncio.Future) if not name.startswith("_")} - {
        "set_result",
        "set_exception",
    }
    ours = {"attempts", "explain", "id", "label", "name", "outputs", "sandbox", "state", "workflow"}
    assert shown == theirs | ours
    command = threads.executable_task(lambda: "true", name="true")()
    await command
    assert set(dir(command)) - set(dir(future)) == {"command", "returncode", "stderr"}
    assert all(hasattr(command, name) for name in dir(command) if name != "outputs")


@pytest.mark.parametrize("module", ["errors", "plan", "report"])
def test_modules_that_help_are_not_shown(module: str) -> None:
    package = importlib.import_module(f"asyncflow.{module}")
    assert dir(package) == sorted(package.__all__)


def test_shutdown_shows_no_more_than_it_takes() -> None:
    assert list(inspect.signature(WorkflowEngine.shutdown).parameters) == ["self", "wait"]


# -- futures where calls do not look for them -------------------------------------------------------------


class Own:
    """A class of one's own."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def get(self) -> Any:
        return self.rows


class Slotted:
    """One without a dict."""

    __slots__ = ("rows",)

    def __init__(self, rows: Any) -> None:
        self.rows = rows


HOLDERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "own class": (Own, lambda box: box.rows, "box.rows"),
    "in a list": (lambda future: [Own(future)], lambda box: box[0].rows, "box.rows"),
    "list in it": (lambda future: Own([future]), lambda box: box.rows[0], "box.rows"),
    "slotted": (Slotted, lambda box: box.rows, "box.rows"),
    "object array": (lambda future: numpy.array([future, 1], dtype=object), lambda box: box[0], "box[...]"),
    "closure": (lambda future: lambda: future, lambda box: box(), "future around box"),
    "method": (lambda future: Own(future).get, lambda box: box(), "box.__self__.rows"),
}
USES: dict[str, Callable[[Any], Any]] = {
    "added to": lambda future: future + 1,
    "gone over": lambda future: [*future],
    "asked for an item": lambda future: future[0],
    "asked for an attribute": lambda future: future.shape,
    "asked whether it is true": bool,
    "compared": lambda future: future == 1,
    "asked for its result": lambda future: future.result(),
    "cancelled": lambda future: future.cancel(),
}


@pytest.mark.parametrize(("wrap", "unwrap", "path"), HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_a_future_that_no_call_finds_is_told_with_task_and_argument(
    wrap: Callable[[Any], Any], unwrap: Callable[[Any], Any], path: str, backend: str
) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        future = engine.submit(len, "abc")
        await future
        box = wrap(future)
        for use in USES.values():

            def work(first: int, box: Any, use: Any = use) -> Any:
                return use(unwrap(box))

            if backend == "sequential" and use is USES["cancelled"]:
                continue  # it runs on the loop's own thread
            with pytest.raises(HiddenFuture) as caught:
                await engine.submit(work, 1, box)
            error = caught.value
            assert (error.name, error.argument, error.path) == ("work", "box", path)
            assert "<TaskFuture len#1 " in error.future and "\n  Pass it as an argument of its own" in str(
                error
            )


async def test_a_future_in_a_coroutine_or_around_a_function_is_told_too(threads: WorkflowEngine) -> None:
    future = threads.submit(len, "abc")

    async def coroutine(box: Own) -> Any:
        return box.rows + 1

    def closure() -> Any:
        return future + 1  # type: ignore[operator]

    with pytest.raises(HiddenFuture, match=r"in argument 'box' \(box.rows\), inside of Own"):
        await threads.submit(coroutine, Own(future))
    with pytest.raises(HiddenFuture, match=r"it came with its function \(future around closure\)"):
        await threads.submit(closure)

    async def waits(box: Own) -> Any:
        return await box.rows  # which a coroutine on the loop may do

    assert await threads.submit(waits, Own(future)) == 3


async def test_other_errors_are_left_as_they_are_and_nothing_is_searched(
    threads: WorkflowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touched, "hidden_in", never_called)
    with pytest.raises(TypeError, match=r"^unsupported operand"):
        await threads.submit(lambda box: box.rows + "a", Own(1))
    assert await threads.submit(lambda box: box.rows, Own(1)) == 1


async def test_a_future_that_is_done_cannot_be_gone_over_as_if_it_was_empty(threads: WorkflowEngine) -> None:
    future = threads.submit(len, "abc")
    await future
    for use in (list, sum, set, lambda each: [*each]):
        with pytest.raises(
            TypeError, match=r"^<TaskFuture len#1 .*: it is not iterable\.\n  Await it first:  for"
        ):
            use(future)


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda future: future[0], r"it has no items\.\n  Await it first:  rows = await len\(\.\.\.\); rows"),
        (lambda future: 1 in future, r"nothing is in it\.\n  Await it first:  \.\.\. in await len"),
        (len, r"it has no length\.\n  Await it first:  len\(await len\(\.\.\.\)\)"),
        (
            lambda future: future + 1,
            r"it does not go with operators\.\n  Await it first:  await len\(\.\.\.\) \+",
        ),
        (lambda future: sum([future]), "it does not go with operators"),
        (lambda future: future < 1, "it does not go with operators"),
        (lambda future: sorted([future, future]), "it does not go with operators"),
        (lambda future: f"{future:.2f}", r"it has no format '\.2f'"),
    ],
)
async def test_an_await_that_was_forgotten_is_told_by_the_name_of_the_task(
    threads: WorkflowEngine, use: Callable[[Any], Any], told: str
) -> None:
    future = threads.submit(len, "abc")
    with pytest.raises(
        TypeError, match=f"^<TaskFuture len#1 .* is a future here, and not yet its value: {told}"
    ):
        use(future)
    assert await future == 3


async def test_an_attribute_of_the_value_is_told_to_be_there_after_an_await(threads: WorkflowEngine) -> None:
    @threads.block
    def shout(text: str) -> Any:
        future: Any = threads.submit(str, text)
        return future.upper()

    with pytest.raises(AttributeError, match=r"'TaskFuture' object has no attribute 'upper'") as caught:
        await shout("abc")
    assert (
        "it is a future, and not yet its value; await it first:  (await ...).upper" in caught.value.__notes__
    )
