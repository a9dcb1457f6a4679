"""Random programs that are ill-treated: cancels in one turn, entries and exits at once, cancels of all that runs on the
loop, forks, blocks that return several failures. Whatever happens, each future has its end, and all tell the same."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow import EngineClosed, TaskFuture, WorkflowEngine

from .kit import turns


class Failure(Exception):
    """Raised by a task of the program."""


def body(ran: str, call: int, end: str, *values: Any) -> int:
    """What a function does, wherever it runs: tells that it was here, and ends in one way or the other.

    Args:
        ran: the file where all tell it.
    """
    with open(ran, "a") as file:
        file.write(f"{call}\n")
    if end == "fails":
        raise Failure(call)
    if end == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    return call


async def coroutine(ran: str, call: int, end: str, waits: int, *values: Any) -> int:
    for _ in range(waits):
        await asyncio.sleep(0)
    return body(ran, call, end)


@dataclass
class Pair:
    """A container that a block may return."""

    one: Any
    other: Any


class Program:
    """One, while it runs.

    Args:
        backend: where its functions run.
        chance: decides what it does.
        folder: is its own.
        kills: whether a function may end the process that it runs in.
    """

    def __init__(self, backend: str, chance: random.Random, folder: str, kills: bool) -> None:
        self.engine = WorkflowEngine(backend, workers=2)
        self.called: list[TaskFuture[Any]] = []
        self._ran = Path(folder, "ran")
        self._ran.touch()
        self._calls = 0
        self._chance = chance
        self._requests: list[asyncio.Task[Any]] = []
        self._tests_own: set[asyncio.Task[Any]] = set()
        self._kills = kills
        self._plain = self.engine.function_task(body)
        self._quick = self.engine.function_task(coroutine)
        self._block = self.engine.block(self._wire)
        self._asking = self.engine.block(self._ask)
        self.bodies: dict[int, TaskFuture[Any]] = {}

    # -- what blocks do -----------------------------------------------------------------------------------

    def _wire(self, depth: int, *values: Any) -> Any:
        inside = [self.call(depth + 1) for _ in range(self._chance.randrange(5))]
        match self._chance.randrange(4):
            case 0:
                return inside
            case 1:
                return {number: future for number, future in enumerate(inside)}
            case 2:
                return Pair(inside[:1], tuple(inside[1:]))
        return inside[0] if inside else None

    async def _ask(self, depth: int, *values: Any) -> Any:
        inside = [self.call(depth + 1) for _ in range(self._chance.randrange(4))]
        if inside and self._chance.random() < 0.5:
            with suppress(Exception):
                await inside[0]
        return Pair(inside, None)

    # -- what the program does ----------------------------------------------------------------------------

    def call(self, depth: int = 0) -> TaskFuture[Any]:
        """Call something, perhaps with what was called before."""
        chance = self._chance
        before = [] if depth else chance.sample(self.called, min(len(self.called), chance.randrange(3)))
        kind = chance.randrange(4 if depth > 2 else 8)
        if kind >= 4:
            future: Any = (self._block if kind < 6 else self._asking)(depth, *before)
        else:
            self._calls += 1
            number, end = self._calls, self._end()
            if kind < 2:
                future = self._plain(str(self._ran), number, end, *before)
            else:
                future = self._quick(str(self._ran), number, end, chance.randrange(3), *before)
            self.bodies[number] = future
        self.called.append(future)
        return future

    def _end(self) -> str:
        if self._kills and self._chance.random() < 0.1:
            return "kills"
        return "fails" if self._chance.random() < 0.25 else ""

    async def _request(self) -> None:
        """Somebody else who enters the engine, and leaves it in one way or the other."""
        async with self.engine:
            futures = [self.call() for _ in range(self._chance.randrange(3))]
            await turns(self._chance.randrange(3))
            if self._chance.random() < 0.3:
                raise Failure("a bad request")
            await asyncio.gather(*futures, return_exceptions=True)

    def _cancel_some(self) -> None:
        for future in self._chance.sample(self.called, min(len(self.called), self._chance.randint(1, 6))):
            future.cancel()

    def _fork(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # later Pythons advise against forks beside threads
            child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

    async def _step(self) -> None:
        match self._chance.randrange(12):
            case 0 | 1:
                self._cancel_some()
            case 2:
                for each in asyncio.all_tasks() - self._tests_own:
                    each.cancel()
            case 3:
                self._fork()
            case 4 | 5:
                self._requests.append(asyncio.create_task(self._request()))
            case 6 | 7:
                await turns(self._chance.randrange(4))
            case 8 if self.called:
                await asyncio.wait([self._chance.choice(self.called)])

    async def run(self) -> None:
        """All of it."""
        self._tests_own = asyncio.all_tasks()
        async with self.engine:
            for _ in range(self._chance.randint(1, 20)):
                self.call()
                await self._step()
            if self._chance.random() < 0.5:
                await asyncio.gather(*self._requests, return_exceptions=True)
        await asyncio.gather(*self._requests, return_exceptions=True)
        with pytest.raises(EngineClosed):
            self.engine.submit(abs, 1)

    def check(self) -> None:
        """Each future has its end, which is what its state says and what the report counts."""
        for future in self.called:
            assert future.done()
            assert future.cancelled() == (future.state == "CANCELLED")
            if not future.cancelled():
                assert (future.exception() is None) == (future.state == "SUCCEEDED")
        ran = Counter(map(int, self._ran.read_text().split()))
        for number, future in self.bodies.items():
            assert ran[number] <= 1
            assert ran[number] == future.attempts or future.state == "CANCELLED"
            if future.state == "SUCCEEDED":
                assert future.result() == number
        for task in self.engine.report().tasks:
            if task.kind != "awaitable":
                assert task.state in {each.state for each in self.called if each.id == task.id}


def _run(backend: str, seed: int, kills: bool = False) -> None:
    async def main(folder: str) -> None:
        program = Program(backend, random.Random(seed), folder, kills)
        async with asyncio.timeout(15):
            await program.run()
        program.check()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))


@pytest.mark.parametrize("backend", ["sequential", "thread"])
@given(seed=st.integers(0, 2**32))
@settings(examples(40))
def test_whatever_is_done_to_a_program_each_future_has_its_end_and_all_tell_the_same(
    backend: str, seed: int
) -> None:
    _run(backend, seed)


@pytest.mark.parametrize("kills", [False, True])
@given(seed=st.integers(0, 2**32))
@settings(examples(5))
def test_so_it_is_where_it_runs_in_processes_even_if_these_are_killed(kills: bool, seed: int) -> None:
    _run("process", seed, kills)
