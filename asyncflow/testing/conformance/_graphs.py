"""Workflows on a real engine: what is called is run, in the order that the arguments ask for."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import threading
from typing import Any

import pytest

from ... import State, UpstreamFailed, WorkflowEngine
from .. import bad_tasks as bad
from .. import failing_tasks
from .. import untidy_tasks as untidy
from ._base import Conformance, Engine, applies, asynchronous, failure_of, told


@dataclasses.dataclass
class _Pair:
    left: object
    right: object


async def _colour_later() -> str:
    await asyncio.sleep(0)
    return untidy.COLOUR.get()


@asynchronous
class Graphs(Conformance):
    """Chains, fans, blocks, coroutines, context variables."""

    async def test_a_chain_runs_to_its_end(self, engine: Engine) -> None:
        future = engine.submit(bad.add, 0, 1)
        for _ in range(200):
            future = engine.submit(bad.add, future, 1)
        result = await future
        assert future.state is State.SUCCEEDED
        if self.executes:
            assert result == 201

    async def test_a_fan_out_and_in_runs_to_its_end(self, engine: Engine) -> None:
        source = engine.submit(bad.add, 0, 1)
        leaves = [engine.submit(bad.add, source, number) for number in range(200)]
        result = await engine.submit(bad.total, leaves)
        assert {leaf.state for leaf in leaves} == {State.SUCCEEDED}
        if self.executes:
            assert result == sum(range(1, 201))

    async def test_a_diamond_runs_each_task_once(self, engine: Engine) -> None:
        top = engine.submit(bad.add, 1, 0)
        sides = engine.submit(bad.add, top, 1), engine.submit(bad.add, top, 2)
        bottom = engine.submit(bad.add, *sides)
        result = await bottom
        assert [future.attempts for future in (top, *sides, bottom)] == [1, 1, 1, 1]
        if self.executes:
            assert result == 5

    async def test_two_thousand_independent_tasks_all_end(self, engine: Engine) -> None:
        results = await asyncio.gather(*(engine.submit(bad.add, number, 1) for number in range(2000)))
        assert len(results) == 2000
        if self.executes:
            assert results == list(range(1, 2001))

    async def test_a_task_with_two_thousand_dependencies_gets_them_all(self, engine: Engine) -> None:
        futures = [engine.submit(bad.same, 1) for _ in range(2000)]
        result = await engine.submit(bad.total, futures)
        if self.executes:
            assert result == 2000

    @applies(executes=True)
    async def test_futures_are_found_in_every_kind_of_container(self, engine: Engine) -> None:
        one = engine.submit(bad.same, 1)
        given: dict[str, object] = {
            "list": [one],
            "tuple": (one, {"deep": one}),
            "set": {one, 2},
            "plain": [3],
        }
        got = await engine.submit(bad.same, given)
        assert got == {"list": [1], "tuple": (1, {"deep": 1}), "set": {1, 2}, "plain": [3]}

    @applies(executes=True, in_process=True)
    async def test_futures_are_found_in_dataclasses(self, engine: Engine) -> None:
        got = await engine.submit(bad.same, _Pair(engine.submit(bad.same, 1), [engine.submit(bad.same, 2)]))
        assert got == _Pair(1, [2])

    @applies(executes=True)
    async def test_closures_and_lambdas_are_tasks_like_others(self, engine: Engine) -> None:
        three = 3

        def times_three(number: int) -> int:
            return number * three

        assert await engine.submit(lambda number: number + 1, engine.submit(times_three, 2)) == 7

    @applies(executes=True)
    async def test_a_failed_task_skips_only_its_dependents(self, engine: Engine) -> None:
        failing, sibling = engine.submit(failing_tasks.fail, "plain"), engine.submit(bad.add, 1, 2)
        after = engine.submit(bad.add, failing, 1)
        at_last = engine.submit(bad.add, after, sibling)
        error = await failure_of(at_last)
        assert isinstance(error, UpstreamFailed)
        assert [root.name for root in error.root_causes] == ["fail"]
        assert isinstance(error.__cause__, ValueError)
        assert await sibling == 3
        await asyncio.gather(engine.settled(after), engine.settled(at_last))
        assert [after.state, at_last.state] == [State.UPSTREAM_FAILED] * 2
        assert [after.attempts, at_last.attempts] == [0, 0]
        assert failing.exception() is error.__cause__
        assert isinstance(after.exception(), UpstreamFailed)

    async def test_a_block_holds_no_worker_while_it_waits(self, engine: Engine) -> None:
        async def nest(depth: int) -> object:
            return await (engine.block(nest)(depth - 1) if depth else engine.submit(bad.add, 20, 22))

        result = await engine.block(nest)(10 * self.workers)
        if self.executes:
            assert result == 42

    @applies(runs_coroutines=False)
    async def test_coroutines_run_on_the_loop_where_no_backend_is_named(self) -> None:
        assert await self._thread_of_a_coroutine() == threading.get_ident()

    @applies(executes=True, takes_coroutines=True)
    async def test_coroutines_run_on_the_backend_that_takes_them_and_is_named(self) -> None:
        thread = await self._thread_of_a_coroutine(backend="it")
        assert isinstance(thread, int)
        assert thread != threading.get_ident() or self.backend.needs_pickle

    async def _thread_of_a_coroutine(self, **options: Any) -> Any:
        async def here() -> int:
            await asyncio.sleep(0)
            return threading.get_ident()

        async with WorkflowEngine(backends={"it": self.backend}, grace=self.grace) as engine:
            thread = await engine.function_task(here).with_options(**options)()
            await self.check_next_tasks(engine)
        return thread

    # Context variables do not leave the process.
    @applies(executes=True, in_process=True)
    async def test_context_variables_of_the_call_reach_a_plain_function(self, engine: Engine) -> None:
        await self._check_colours(engine.function_task(untidy.colour))

    @applies(executes=True, runs_coroutines=False)
    async def test_context_variables_of_the_call_reach_a_coroutine(self, engine: Engine) -> None:
        await self._check_colours(engine.function_task(_colour_later))

    @applies(executes=True)
    async def test_context_variables_of_the_call_reach_a_block(self, engine: Engine) -> None:
        await self._check_colours(engine.block(_colour_later))

    async def _check_colours(self, task: Any) -> None:
        futures = []
        for name in ("red", "blue"):
            token = untidy.COLOUR.set(name)
            futures.append(task())
            untidy.COLOUR.reset(token)
        futures.append(task())
        assert await asyncio.gather(*futures) == ["red", "blue", "none"]

    @applies(executes=True)
    async def test_a_def_task_may_run_an_event_loop_of_its_own(self, engine: Engine) -> None:
        assert await asyncio.gather(*(engine.submit(bad.run_a_loop) for _ in range(4))) == [42] * 4

    @pytest.mark.parametrize(
        "name",
        [
            "Größe ∑ 数据",
            "two\nlines",
            "n" * 300,
            "../x",
            "-rf",
            "nul\0nul",
            "/",
            ".",
            "",
            " ",
            "a b",
            "%s{}",
        ],
    )
    async def test_any_name_is_kept_as_written_and_shown_harmlessly(self, engine: Engine, name: str) -> None:
        named = engine.function_task(bad.same, name=name or None)
        future = named(1)
        await future
        assert future.name == (name or "same")
        shown = repr(future)
        assert shown.isprintable() and (future.name in shown or not future.name.isprintable())
        assert repr(future.name) in future.explain()

    @applies(executes=True)
    @pytest.mark.parametrize("name", ["Größe ∑ 数据", "two\nlines", "n" * 300, "../x", "-rf", "nul\0nul"])
    async def test_an_error_names_its_task_by_any_name(self, engine: Engine, name: str) -> None:
        error = await failure_of(engine.function_task(failing_tasks.fail, name=name)("plain"))
        assert repr(name) in told(error)
        assert f"{sys._getframe().f_code.co_filename}:" in told(error)

    @applies(executes=True)
    async def test_a_container_that_holds_futures_is_a_snapshot_of_the_call(self, engine: Engine) -> None:
        numbers: list[Any] = [engine.submit(bad.same, 1), 2]
        future = engine.submit(bad.total, numbers)
        numbers.append(100)
        numbers[0] = 100
        assert await future == 3

    @applies(executes=True, in_process=False)
    async def test_what_a_task_does_to_its_argument_is_seen_by_nobody(self, engine: Engine) -> None:
        numbers = [1, 2, 3]
        assert await engine.submit(bad.clear, numbers) == 3
        assert numbers == [1, 2, 3]
        shared = engine.submit(bad.same, [1, 2, 3])
        assert await asyncio.gather(*(engine.submit(bad.clear, shared) for _ in range(4))) == [3] * 4
        assert await shared == [1, 2, 3]

    @applies(executes=True, in_process=True)
    async def test_in_this_process_arguments_are_the_callers_own_objects(self, engine: Engine) -> None:
        numbers = [1, 2, 3]
        assert await engine.submit(bad.same, numbers) is numbers
        assert await engine.submit(bad.clear, numbers) == 3
        assert numbers == []

    @applies(executes=True)
    async def test_several_backends_work_side_by_side(self) -> None:
        async with WorkflowEngine(
            backends={"one": self.backend, "two": self.make_backend()}, grace=self.grace
        ) as engine:
            add = engine.function_task(bad.add)
            future = add(0, 0)
            for name in ["one", "two"] * 5:
                future = add.with_options(backend=name)(future, 1)
            assert await future == 10
            await self.check_next_tasks(engine)
