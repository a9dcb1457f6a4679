"""An await or a call that was forgotten, or one too many, and names that are nearly right."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, TypedDict

from asyncflow import OutputFile, WorkflowEngine

from .kit import right, wrong


@dataclass
class Fit:
    error: float = 0.0


class Row(TypedDict):
    score: float


@wrong("what 'count' gives is a future here", "count", "flow", mend="await count(...)")
def a_future_in_a_sum(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count(rows: list[float]) -> int: ...

    async def flow() -> Any:
        return count([1.0]) + 1  # type: ignore[operator]  # here

    return flow


@wrong("what 'count' gives is a future here", "count", "flow", mend="await count(...)")
def a_future_by_a_dotted_name(engine: WorkflowEngine) -> Any:
    class Steps:
        @engine.function_task
        def count(self, rows: list[float]) -> int: ...

    steps = Steps()

    async def flow() -> Any:
        return len(steps.count([1.0]))  # type: ignore[arg-type]  # here

    return flow


@wrong("what 'load' gives is a future here", "load", "flow", mend="await load(...)")
def a_future_to_be_mapped(engine: WorkflowEngine) -> Any:
    class Steps:
        @engine.function_task
        def load(self) -> list[float]: ...

        @engine.function_task
        def clean(self, row: Any) -> float: ...

    steps = Steps()

    async def flow() -> Any:
        return await asyncio.gather(*steps.clean.map(steps.load()))  # here

    return flow


@wrong("what 'count' gives is a future here", "count", "flow", mend="await count(...)")
def a_future_for_a_library(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        return json.dumps({"n": count()})  # here

    return flow


@wrong("can't be used in 'await' expression", "flow", mend="await asyncio.gather(*...)")
def a_list_that_is_awaited(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        return await [count(), count()]  # type: ignore[misc]  # here

    return flow


@wrong("can't be used in 'await' expression", "flow", mend="leave out the await")
def a_value_that_is_awaited_again(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        number = await count()
        return await number  # type: ignore[misc]  # here

    return flow


@wrong("'count' is the task itself, not called", "count", "flow", mend="await count(...)")
def a_task_that_is_awaited_and_not_called(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        return await count  # type: ignore[misc]  # here

    return flow


@wrong("'fit' is the task itself, not called", "fit", "flow", mend="await fit(...)")
def a_result_of_a_task_that_was_not_called(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Fit: ...

    async def flow() -> Any:
        return fit.error  # type: ignore[attr-defined]  # here

    return flow


@wrong("asyncio.run() cannot be called from a running event loop", "flow", mend="await it instead")
def a_loop_inside_of_the_loop(engine: WorkflowEngine) -> Any:
    async def flow() -> Any:
        asyncio.run(None)  # type: ignore[arg-type]  # here

    return flow


@wrong("no attribute 'eror'", "fit", "flow", mend="did you mean 'error'?")
def a_field_that_is_nearly_right(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Fit: ...

    async def flow() -> Any:
        best = await fit()
        return best.eror  # type: ignore[attr-defined]  # here

    return flow


@wrong("KeyError: 'scoer'", "row", "flow", mend="did you mean 'score'?")
def a_key_that_is_nearly_right(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def row() -> Row: ...

    async def flow() -> Any:
        first = await row()
        return first["scoer"]  # type: ignore[typeddict-item]  # here

    return flow


@right
def what_is_awaited_as_it_should_be(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Fit: ...

    async def flow() -> Any:
        one, two = await asyncio.gather(fit(), fit())
        later = [fit.fn, fit.with_options(name="other")]
        try:
            asyncio.run(None)  # type: ignore[arg-type]
        except RuntimeError:
            later.clear()
        return one.error + two.error

    return flow


class Client:
    async def get(self, url: str) -> int:
        return len(url)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *error: object) -> None: ...


@right
def what_is_called_on_a_result_may_be_awaited(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def connect(): ...  # type: ignore[no-untyped-def]

    @engine.function_task
    def typed() -> Client: ...

    @engine.function_task
    def count(rows: int) -> int: ...

    @engine.block
    async def flow() -> Any:
        async with await connect() as one, await typed() as two:
            found = await asyncio.gather(one.get("a"), two.get("b"))
            function = await one.lookup("a")
            return await count(await one.get("a")), await (await function(3)).save(), found, one.get("c")

    return flow


@wrong("can't be used in 'await' expression", "flow", mend="leave out the await")
def a_result_of_which_nothing_is_known_that_is_awaited_twice(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def connect(): ...  # type: ignore[no-untyped-def]

    async def flow() -> Any:
        client = await connect()
        return await client  # here

    return flow


@wrong("it is neither true nor false", "check", mend="if await check(...)")
def a_future_as_a_condition(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def check() -> bool: ...

    async def flow() -> int:
        return 1 if check() else 2  # here

    return flow


@wrong("it is neither true nor false", "check", mend="if await check(...)")
def a_future_that_ends_a_loop(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def check(number: int) -> bool: ...

    @engine.block
    async def flow() -> int:
        number = 0
        while not check(number):  # here
            number += 1
        return number

    return flow


@wrong("it cannot be compared with 'int'", "count", mend="await count(...) == ...")
def a_future_in_a_comparison(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> bool:
        return count() == 1  # here

    return flow


@wrong("argument 'path' of 'save' has the text of a future in it", "save", mend="Await the future first")
def a_future_in_a_file_name(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    @engine.executable_task
    def save(path: OutputFile) -> str:
        return f"touch {path}"

    async def flow() -> str:
        number = count()
        await number
        return await save(OutputFile(f"out-{number}.txt"))  # here

    return flow


@wrong("'count': name= has the text of a future in it", "flow", mend="Await the future first")
def a_future_in_a_name(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> int:
        number = count()
        return await count.with_options(name=str(number))() + await number  # here

    return flow


@right
def futures_that_are_looked_at_as_futures(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        last = None
        for _ in range(2):
            last = count() if last is None else last
        other = count()
        print(f"{last} and {other}, {last == other}")
        return await asyncio.gather(*{last, other})

    return flow
