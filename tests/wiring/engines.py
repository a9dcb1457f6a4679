"""Workflows of tasks of two engines."""

from pathlib import Path
from typing import Any

from asyncflow import InputFile, OutputFile, WorkflowEngine

from .kit import right, wrong


@wrong("'name' takes int as 'number', and is given '3', a str", "name", mend="pass an int")
def an_argument_of_another_engines_task(engine: WorkflowEngine) -> Any:
    other = WorkflowEngine()

    @engine.function_task
    def count(rows: list[float]) -> int: ...

    @other.function_task
    def name(number: int) -> str: ...

    async def flow() -> Any:
        return await count([1.0]), await name("3")  # type: ignore[arg-type]  # here

    return flow


@wrong("'name' takes list[int] as 'numbers', and 'count' gives int", "count", "name")
def an_edge_between_tasks_of_another_engine(engine: WorkflowEngine) -> Any:
    other = WorkflowEngine()

    @other.function_task
    def count(rows: list[float]) -> int: ...

    @other.function_task
    def name(numbers: list[int]) -> str: ...

    async def flow() -> Any:
        return await name(count([1.0]))  # type: ignore[arg-type]  # here

    return flow


@right
def values_from_one_engine_to_another(engine: WorkflowEngine) -> Any:
    other = WorkflowEngine()

    @engine.function_task
    def count(rows: list[float]) -> int: ...

    @other.function_task
    def name(number: int) -> str: ...

    async def flow() -> Any:
        return await name(await count([1.0]))

    return flow


@right
def files_from_one_engine_to_another(engine: WorkflowEngine) -> Any:
    other = WorkflowEngine()

    @other.executable_task
    def make(out=OutputFile("a.csv", to="made/a.csv")) -> str: ...  # type: ignore[no-untyped-def]

    @engine.function_task
    def read(path: Path) -> str: ...

    async def flow() -> Any:
        await make()
        return await read(InputFile("made/a.csv"))

    return flow
