"""What type checkers know of streams, generators, graphs and services. Checked, never run."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

from asyncflow import Graph, Plan, TaskFuture, WorkflowEngine, ref, step
from asyncflow.serve import Job, Service
from asyncflow.streams import ItemOutcome, Stream

engine = WorkflowEngine()


@engine.function_task
def size(path: Path, scale: int = 1) -> int:
    return len(path.name) * scale


@engine.function_task
async def later(x: int) -> str:
    return str(x)


@engine.function_task
def rows(path: Path) -> Iterator[bytes]:
    yield b""


@engine.block
async def pages(n: int) -> AsyncIterator[float]:
    yield 1.0


@engine.block
def wired(n: int) -> Iterator[TaskFuture[str]]:
    yield later(n)


@engine.block
async def whole(path: Path) -> str:
    return ""


class Box:
    def __init__(self, n: int) -> None:
        self.n = n

    @engine.function_task
    def items(self, by: int) -> Iterator[int]:
        yield self.n * by


async def main(paths: list[Path]) -> None:
    assert_type(size.stream(paths), Stream[int])
    assert_type(later.stream(size.stream(paths, window=3)), Stream[str])
    assert_type(rows(paths[0]), Stream[bytes])
    assert_type(rows(path=paths[0]), Stream[bytes])
    assert_type(pages(engine.submit(len, paths)), Stream[float])
    assert_type(Box(3).items(10), Stream[int])
    assert_type(Box(3).items(engine.submit(len, paths)), Stream[int])
    assert_type(pages(3), Stream[float])
    assert_type(wired(3), Stream[str])
    assert_type(pages.stream([1, 2], ordered=True), Stream[float])
    async for value in whole.stream(paths):
        assert_type(value, str)
    async for each in whole.stream(paths, key=str, errors="collect").outcomes():
        assert_type(each, ItemOutcome[str])
    await rows(paths[0])  # type: ignore[misc]
    await size.stream(paths)  # type: ignore[misc]
    for _ in rows(paths[0]):  # type: ignore[attr-defined]
        pass
    list(size.stream(paths))  # type: ignore[call-overload]
    len(rows(paths[0]))  # type: ignore[arg-type]
    rows(paths[0])[0]  # type: ignore[index]
    with rows(paths[0]):  # type: ignore[attr-defined]
        pass
    rows.map(paths)  # type: ignore[attr-defined]
    async for _ in rows:  # type: ignore[attr-defined]
        pass
    if rows(paths[0]) == [b""]:  # type: ignore[comparison-overlap]
        pass

    service = engine.serve(size, concurrency=2)
    assert_type(service, Service[int])
    assert_type(service.submit(Path("a")), Job[int])
    assert_type(await service.job("a").result(), int)
    await service.submit(Path("a"))  # type: ignore[misc]
    assert_type(service.threadsafe.submit(Path("a")).result(3), int)

    graph = Graph({"a": step(size, Path("a")), "b": step(later, ref("a"))})
    assert_type(await engine.plan(graph), Plan)
