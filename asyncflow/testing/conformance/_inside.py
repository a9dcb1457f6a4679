"""What the code of a task can learn and keep, wherever it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from .. import inside_tasks as inside
from ._base import Conformance, Engine, applies, asynchronous


def _numbers() -> Iterator[list[int]]:
    yield []


def _as_on_workers(counted: list[int]) -> bool:
    """Whether each worker can have counted from 1 on. A backend may have a worker for each piece of work."""
    how_many = Counter(counted)
    return all(how_many[count] <= how_many[count - 1] for count in how_many if count > 1)


@asynchronous
class Inside(Conformance):
    """Which task it is, and what its worker keeps."""

    @applies(executes=True)
    async def test_each_function_knows_which_task_it_is(self, engine: Engine) -> None:
        task = engine.function_task(inside.which_task, name="which one")
        futures = [engine.submit(inside.which_task), *(task() for _ in range(50))]
        names = ["which_task", *["which one"] * 50]
        told = await asyncio.gather(*futures)
        assert told == [(each.id, name, 1) for each, name in zip(futures, names, strict=True)]

    @applies(executes=True)
    async def test_each_coroutine_and_what_it_begins_know_which_task_it_is(self, engine: Engine) -> None:
        futures = [
            engine.submit(body)
            for body in (inside.which_task_later, inside.which_task_beside)
            for _ in range(20)
        ]
        told = await asyncio.gather(*futures)
        assert told == [(each.id, each.name, 1) for each in futures]

    @applies(executes=True)
    async def test_workers_keep_what_tasks_put_there(self, engine: Engine) -> None:
        counted = await asyncio.gather(*(engine.submit(inside.count) for _ in range(50)))
        assert _as_on_workers(counted)

    @applies(executes=True)
    async def test_a_resource_is_set_up_once_on_each_worker(self, engine: Engine) -> None:
        numbers = engine.resource(_numbers)

        def add(number: int, numbers: list[int] = numbers) -> int:
            numbers.append(number)
            return len(numbers)

        task = engine.function_task(add)
        counted = await asyncio.gather(*(task(number) for number in range(50)))
        assert _as_on_workers(counted)
        assert await task(1, [1, 2]) == 3
