"""Results that nobody uses, and what is used twice."""

import asyncio
from typing import Any

from asyncflow import WorkflowEngine
from asyncflow._runtime.future import TaskFuture

from .kit import right, wrong


@wrong("nobody uses what 'fit' gives", "fit", mend="await it or pass it on")
def a_call_of_its_own(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(rows: list[int]) -> float: ...

    @engine.function_task
    def load() -> list[int]: ...

    async def flow() -> list[int]:
        rows = await load()
        fit(rows)  # here
        return rows

    return flow


@wrong("nobody uses what 'fit' gives", "fit", mend="_ = fit(...)")
def a_name_that_nobody_reads(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(rows: list[int]):  # type: ignore[no-untyped-def]
        return sum(rows)

    @engine.block
    async def flow() -> None:
        model = fit([1])  # noqa: F841  # here

    return flow


@wrong("nobody uses what 'fit' gives (so in 3 calls of this line)", "fit")
def a_list_that_nobody_reads(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(degree: int) -> float: ...

    @engine.block
    async def flow() -> None:
        models = [fit(degree) for degree in range(3)]  # noqa: F841  # here

    return flow


@wrong("nobody uses what 'clean' gives", "clean")
def the_step_that_was_left_out(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[int]: ...

    @engine.function_task
    def clean(rows: list[int]) -> list[int]: ...

    @engine.function_task
    def fit(rows: list[int]) -> float: ...

    async def flow() -> float:
        rows = load()
        cleaned = clean(rows)  # noqa: F841  # here
        return await fit(rows)

    return flow


@wrong(
    "'total' and 'mean' are given the same range_iterator, which can be read once",
    "total",
    "mean",
    mend="make a list of it",
)
def one_generator_for_two(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def total(rows: Any) -> float: ...

    @engine.function_task
    def mean(rows: Any) -> float: ...

    async def flow() -> Any:
        rows = iter(range(3))
        return await total(rows) / await mean(rows)  # here

    return flow


@wrong("'total' and 'total' are given the same bytes_iterator, which can be read once", "total", "total")
def one_iterator_in_a_loop(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def total(rows: Any, degree: int) -> float: ...

    async def flow() -> Any:
        rows = iter(b"123")
        return [await total(rows, degree) for degree in range(2)]  # here

    return flow


@right
def called_for_their_effect(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def save(rows: list[int]) -> None: ...

    @engine.function_task
    def log(text: str):  # type: ignore[no-untyped-def]
        print(text)

    @engine.function_task
    def send(text: str) -> int: ...

    @engine.executable_task
    def clean_up() -> str:
        return "true"

    @engine.block
    def inner() -> int:
        save([1])
        return 3

    @engine.block
    async def flow() -> None:
        save([1])
        log("a")
        clean_up()
        inner()
        _ = send("a")
        _sent = send("b")

    return flow


@right
def used_in_some_way(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(degree: int) -> float: ...

    async def flow() -> Any:
        first, second, third, fourth = (fit(degree) for degree in range(4))
        await asyncio.wait([first])
        async with asyncio.TaskGroup() as group:
            group.create_task(waits(second))
        third.add_done_callback(lambda done: None)
        later = fit(5)
        await fit.with_options(after=later)(6)
        made = {"a": fit(7), "b": [fit(8)]}
        await asyncio.gather(*made["b"], made["a"])  # type: ignore[misc]
        return fourth

    async def waits(future: TaskFuture[float]) -> float:
        return await future

    return flow


@right
def used_in_a_branch_not_taken(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    @engine.function_task
    def fit(degree: int) -> float: ...

    @engine.function_task
    def refine(model: float) -> float: ...

    async def flow() -> float:
        rough, fine = fit(1), fit(2)
        if await count() > 1000:
            return await refine(rough)
        return await fine

    return flow


@right
def kept_for_later(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(degree: int) -> float: ...

    class Kept:
        futures: list[Any] = []  # noqa: RUF012

    async def flow() -> None:
        Kept.futures.append(fit(1))
        Kept.last = fit(2)  # type: ignore[attr-defined]
        for degree in range(2):
            future = fit(degree)
            print(future.name)

    return flow


@right
def one_list_for_two(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def total(rows: list[int]) -> float: ...

    @engine.function_task
    def mean(rows: Any) -> float: ...

    async def flow() -> Any:
        rows = [1, 2]
        return await total(rows) / await mean(iter("12")) + await mean(iter("12"))

    return flow


class Box:
    def __init__(self, rows: Any) -> None:
        self.rows = rows


@wrong(
    "in argument 'box' (box.rows): calls do not look for futures inside of Box",
    "load",
    "fit",
    mend="of its own",
)
def a_future_in_an_object_of_ones_own(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[int]: ...

    @engine.function_task
    def fit(degree: int, box: Box) -> float: ...

    async def flow() -> float:
        rows = load()
        await rows
        return await fit(1, Box(rows))  # here

    return flow


@wrong("in argument 'self' (self.rows)", "load", "fit")
def a_future_that_a_method_finds_in_self(engine: WorkflowEngine) -> Any:
    class Steps:
        def __init__(self) -> None:
            self.rows = self.load()

        @engine.function_task
        def load(self) -> list[int]: ...

        @engine.function_task
        def fit(self) -> float:
            return float(sum(self.rows))  # type: ignore[arg-type]

    async def flow() -> float:
        steps = Steps()
        await steps.rows
        return await steps.fit()  # here

    return flow


@right
def futures_in_an_object_that_its_method_does_not_ask_for(engine: WorkflowEngine) -> Any:
    class Steps:
        def __init__(self) -> None:
            self.made: list[Any] = []

        @engine.function_task
        def load(self) -> list[int]: ...

        @engine.block
        async def all(self) -> Any:
            for _ in range(2):
                self.made.append(self.load())
            return self.made

    async def flow() -> Any:
        return await Steps().all()

    return flow
