"""What the code of a task can learn and keep, wherever it runs."""

from __future__ import annotations

import asyncio

from .. import inside_tasks as inside
from ._base import Conformance, Engine, applies, asynchronous


@asynchronous
class Inside(Conformance):
    """Which task it is."""

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
