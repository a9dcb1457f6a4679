"""Functions that do not return what they say."""

import functools
import sys
from collections.abc import Callable, Hashable
from typing import Any, Literal, NoReturn

from asyncflow import OutputFile, WorkflowEngine

from .kit import right, wrong


@wrong("'load' is said to give list[float], and never returns anything", "load", mend="return its result")
def a_return_that_was_forgotten(engine: WorkflowEngine) -> Any:
    @engine.function_task  # here
    def load(path: str) -> list[float]:  # type: ignore[return]
        sorted(path)

    async def flow() -> Any:
        return [await load("a"), await load("b")]

    return flow


@wrong("'best' is said to give float, and never returns anything", "best")
def a_return_that_a_block_forgot(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> float: ...

    @engine.block  # here
    async def best() -> float:  # type: ignore[return]
        rows = await load()
        if rows > 3:
            return
        rows + 1

    async def flow() -> Any:
        return await best()

    return flow


@wrong("'make' never returns its command", "make", mend="return the command")
def a_command_that_is_not_returned(engine: WorkflowEngine) -> Any:
    @engine.executable_task  # here
    def make(n: int, out=OutputFile("a.txt")):  # type: ignore[no-untyped-def]
        print(f"echo {n} > {out}")

    async def flow() -> Any:
        return await make(1)

    return flow


@wrong("'best' is said to give int, and returns what 'load' gives, list[float]", "load", "best")
def a_block_that_hands_on_a_future_of_something_else(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[float]: ...

    @engine.block  # here
    def best() -> int:
        return load()  # type: ignore[return-value]

    async def flow() -> Any:
        return await best()

    return flow


@wrong("'best' is said to give str, and returns what 'load' gives, list[float]", "load", "best")
def a_block_that_hands_on_a_value_of_something_else(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[float]: ...

    @engine.block  # here
    async def best() -> str:
        return await load()  # type: ignore[return-value]

    async def flow() -> Any:
        return await best()

    return flow


@wrong("'all_of' is said to give dict[str, int], and returns what 'name' gives, str", "name", "all_of")
def a_block_with_a_future_in_a_dict(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.block  # here
    async def all_of() -> dict[str, int]:
        return {"first": name()}  # type: ignore[dict-item]

    async def flow() -> Any:
        return await all_of()

    return flow


@right
def what_may_return_nothing(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def log(text: str) -> None:
        sorted(text)

    @engine.function_task
    def maybe(rows: list[int]) -> int | None:
        sorted(rows)

    @engine.function_task
    def key(rows: list[int]) -> Hashable:
        sorted(rows)

    @engine.function_task
    def nothing(rows: list[int]) -> Literal["x", None]:
        sorted(rows)

    @engine.function_task
    def ends() -> NoReturn:
        sys.exit(3)

    @engine.function_task
    def silent(rows):  # type: ignore[no-untyped-def]
        sorted(rows)

    async def flow() -> Any:
        await log("a")
        return [await maybe([1]), await key([1]), await nothing([1]), await silent([1])], ends()

    return flow


@right
def bodies_that_are_not_there_yet(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def dots() -> int: ...

    @engine.function_task
    async def words() -> int:  # type: ignore[empty-body]
        """What it will give."""

    @engine.function_task
    def later() -> int:
        raise NotImplementedError

    @engine.function_task
    def forever(n: int) -> int:
        while True:
            n += 1

    @engine.executable_task
    def command() -> str: ...

    async def flow() -> Any:
        return [await dots(), await words(), await later(), await forever(1), await command()]

    return flow


@right
def what_is_returned_in_some_way(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def either(rows: list[int]) -> list[int]:
        return rows or None  # type: ignore[return-value]

    @engine.function_task
    def other(rows: list[int]) -> list[int]:
        return rows if rows else None  # type: ignore[return-value]

    @engine.function_task
    async def inside(path: str) -> str:
        with open(path) as file:
            return file.read()

    @engine.function_task
    def tried(path: str) -> str:
        try:
            return path.upper()
        finally:
            sorted(path)

    def timed(fn: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(fn)
        def timed(*args: Any) -> int:
            return fn(*args)

        return timed

    @engine.function_task
    @timed
    def count(rows: list[int]) -> int:
        return len(rows)

    async def flow() -> Any:
        return [
            await either([1]),
            await other([1]),
            await inside("there.csv"),
            await tried("a"),
            await count([1]),
        ]

    return flow


@right
def blocks_that_give_what_they_say(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[float]: ...

    @engine.function_task
    def name() -> str | None: ...

    @engine.function_task
    def anything():  # type: ignore[no-untyped-def]
        return 3

    @engine.block
    async def rows() -> list[list[float]]:
        return [load(), await load()]  # type: ignore[list-item]

    @engine.block
    async def text() -> str:
        return await name() or "nobody"

    @engine.block
    def pair() -> tuple[str, list[float]]:
        return name(), load()  # type: ignore[return-value]

    @engine.block
    async def number() -> int:
        return await anything()  # type: ignore[no-any-return]

    @engine.block
    async def total() -> str:
        return max(await load())  # type: ignore[return-value]

    async def flow() -> Any:
        return [await rows(), await text(), await pair(), await number(), await total()]

    return flow
