"""Random graphs give the same whatever of their results stays where it was made."""

from __future__ import annotations

import asyncio
import gc
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow import ResultLost, UpstreamFailed, WorkflowEngine, optional, outcome
from asyncflow.backend import Kept, Work
from asyncflow.testing import KeepingBackend, run_with_fake_clock

Plan = list[tuple[str, list[int], bool]]
KINDS = ["here", "there", "coroutine", "block", "handed on", "optional", "outcome"]


class _Runs(KeepingBackend):
    """Runs all that it gets in an order of its own, and keeps some results."""

    def __init__(self, name: str, random: Random, loses: bool) -> None:
        super().__init__(name)
        self._random = random
        self._loses = loses
        self._work: list[Work] = []

    def submit(self, batch: Any) -> None:
        super().submit(batch)
        for work in batch:
            asyncio.get_running_loop().call_later(self._random.random(), self._run, work.id)

    def _run(self, task_id: int) -> None:
        work = self.work(task_id)
        for each in work.args[1]:
            if isinstance(each, Kept) and self._loses and self._random.random() < 0.2:
                self._lost[self._number(each)] = "it was lost"
            if isinstance(each, Kept) and self._number(each) in self._lost:
                self.cannot_begin(task_id, each)
                return
        value = work.fn(work.args[0], [self.value(each) for each in work.args[1]])
        if self._random.random() < 0.5:
            self.keep(task_id, value)
        else:
            self.succeed(task_id, value)

    async def fetch(self, kept: Kept) -> object:
        await asyncio.sleep(self._random.random())
        if self._loses and self._random.random() < 0.2:
            self._lost[self._number(kept)] = "it was lost"
        self.bring(self._names[self._number(kept)])
        if self._number(kept) in self._lost:
            raise kept.lost("it was lost")
        return self.values[self._number(kept)]


def add(own: int, values: list[int]) -> int:
    return (own + sum(values)) % 1_000_003


async def add_later(own: int, values: list[int]) -> int:
    return add(own, values)


def call(engine: WorkflowEngine, kind: str, own: int, needs: list[Any]) -> Any:
    if kind == "coroutine":
        return engine.submit(add_later, own, needs)
    task = engine.function_task(add, backend="there" if kind == "there" else "here")
    if kind == "block":
        return engine.block(lambda own, values: task(own, [task(0, values)]), name="block")(own, needs)
    if kind == "handed on":
        return engine.block(lambda: task(own, needs), name="hands on")()
    if kind == "optional":
        return optional(task(own, needs))
    if kind == "outcome":
        return engine.submit(value_of, outcome(task(own, needs)))
    return task(own, needs)


async def value_of(how: Any) -> int:
    if how.error is not None:
        raise how.error
    value: int = how.value
    return value


def expected(plan: Plan) -> list[int]:
    values: list[int] = []
    for own, (_, needs, _) in enumerate(plan):
        values.append(add(own, [values[each] for each in needs]))
    return values


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    size = draw(st.integers(1, 12))
    return [
        (
            draw(st.sampled_from(KINDS)),
            draw(st.lists(st.integers(0, number - 1), max_size=3)) if number else [],
            draw(st.booleans()),
        )
        for number in range(size)
    ]


async def ends(plan: Plan, seed: int, loses: bool) -> list[object]:
    """The values or errors of those that are awaited; nothing is kept at the end."""
    random = Random(seed)
    backends = {name: _Runs(name, random, loses) for name in ("here", "there")}
    async with WorkflowEngine(backends=backends) as engine:
        futures: list[Any] = []
        for own, (kind, needs, waits) in enumerate(plan):
            futures.append(call(engine, kind, own, [futures[each] for each in needs]))
            if waits:
                await asyncio.sleep(random.random())
        awaited = [random.random() < 0.5 for _ in plan]
        chosen = [future for future, is_awaited in zip(futures, awaited, strict=True) if is_awaited]
        del futures
        found = iter(await asyncio.gather(*chosen, return_exceptions=True))
        told = [next(found) if is_awaited else None for is_awaited in awaited]
        del chosen, found
    del engine
    gc.collect()
    if not any(isinstance(each, BaseException) for each in told):
        assert all(not backend.values for backend in backends.values())
    return told


@settings(examples(100))
@given(plans(), st.integers(0, 1 << 30))
def test_random_graphs_give_the_same_whatever_is_kept(plan: Plan, seed: int) -> None:
    found = run_with_fake_clock(ends, plan, seed, False)
    for value, wanted in zip(found, expected(plan), strict=True):
        assert value in (None, wanted)


@settings(examples(100))
@given(plans(), st.integers(0, 1 << 30))
def test_random_losses_hang_nobody_and_are_told(plan: Plan, seed: int) -> None:
    found = run_with_fake_clock(ends, plan, seed, True)
    for value, wanted in zip(found, expected(plan), strict=True):
        if isinstance(value, BaseException):
            assert all(isinstance(each, ResultLost) for each in roots_of(value)), value
        else:
            assert value in (None, wanted)


def roots_of(error: BaseException | None) -> list[BaseException | None]:
    """What is behind an error, through blocks, too."""
    if not isinstance(error, UpstreamFailed):
        return [error]
    return [each for root in error.root_causes for each in roots_of(root.error)]
