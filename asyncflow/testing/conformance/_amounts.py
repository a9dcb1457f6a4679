"""Amounts: what runs at once has no more than there is, and each task is told which GPUs are its own."""

from __future__ import annotations

import asyncio

from .. import bad_tasks as bad
from ._base import Conformance, applies, asynchronous

_GPUS = 3


@asynchronous
class Amounts(Conformance):
    """``gpus=`` on the backend of an engine that has some."""

    @applies(executes=True)
    async def test_task_is_told_which_gpus_are_its_own(self) -> None:
        async with self.make_engine(amounts={"gpus": _GPUS}) as engine:
            tasks = [engine.function_task(bad.own_gpus, gpus=many) for many in range(_GPUS + 1)]
            for many, task in enumerate(tasks):
                assert await task() == tuple(range(many))
            told = await asyncio.gather(*(task() for _ in range(3) for task in tasks))
            assert sorted(map(len, told)) == sorted([*range(_GPUS + 1)] * 3)
            assert all(set(gpus) <= {*range(_GPUS)} for gpus in told)
            await self.check_next_tasks(engine)
