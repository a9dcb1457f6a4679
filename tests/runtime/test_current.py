"""A task's own code can ask which task it is, wherever it runs."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asyncflow import CurrentTask, WorkflowEngine, current
from asyncflow.testing import ManualBackend

from .kit import script
from .test_retries import failing

PLACES = ["thread", "process", "sequential", "pool of threads", "pool of processes"]


POOLS = {"pool of threads": ThreadPoolExecutor, "pool of processes": ProcessPoolExecutor}


@pytest.fixture(params=PLACES)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    if request.param in POOLS:
        with POOLS[request.param](1) as pool:
            async with WorkflowEngine(pool) as engine:
                yield engine
    else:
        async with WorkflowEngine(request.param) as engine:
            yield engine


def me() -> CurrentTask:
    return current()


async def ame() -> CurrentTask:
    await asyncio.sleep(0)
    return await asyncio.create_task(afriend())


async def afriend() -> CurrentTask:
    return current()


def again(path: str) -> CurrentTask:
    failing(path, 2)
    return current()


@pytest.mark.parametrize("body", [me, ame])
async def test_a_task_knows_its_id_name_attempt_label_and_workflow(engine: WorkflowEngine, body: Any) -> None:
    task = engine.function_task(body)
    plain = task()
    with engine.workflow_scope("nightly"):
        tagged = task.with_options(name="who", label="first")()
        many = task.map(label=[])
    assert many == []
    assert await plain == CurrentTask(plain.id, body.__name__, 1, None, None)
    assert await tagged == CurrentTask(tagged.id, "who", 1, "first", "nightly")


async def test_labels_of_map_are_the_calls_own(engine: WorkflowEngine) -> None:
    @engine.function_task
    def label(number: int) -> str | None:
        return current().label

    assert await asyncio.gather(*label.map(range(3), label=str)) == ["0", "1", "2"]


async def test_the_attempt_is_told_in_each(engine: WorkflowEngine, tmp_path: Path) -> None:
    task = engine.function_task(again, retries=3, retry_delay=0)
    future = task(str(tmp_path / "count"))
    assert await future == CurrentTask(future.id, "again", 3, None, None)


async def test_links_of_a_chain_are_told_apart(engine: WorkflowEngine) -> None:
    @engine.function_task
    def chained(before: list[int]) -> list[int]:
        return [*before, current().id]

    future = chained([])
    for _ in range(9):
        future = chained(future)
    assert await future == list(range(1, 11))


async def test_methods_partials_and_callable_objects_have_their_names(engine: WorkflowEngine) -> None:
    class Model:
        def fit(self) -> str:
            return current().name

        def __call__(self) -> str:
            return current().name

    assert await engine.submit(Model().fit) == "fit"
    assert await engine.submit(Model()) == "Model"


async def test_blocks_and_functions_of_commands_know_it_and_what_they_call_is_not_them() -> None:
    async with WorkflowEngine() as engine:

        @engine.executable_task
        def command() -> list[str]:
            return ["echo", current().name]

        @engine.block
        async def outer() -> list[str]:
            async def beside() -> str:
                await asyncio.sleep(0)
                return current().name

            inner = await asyncio.gather(engine.submit(me), engine.submit(ame), plain())
            names = [each.name for each in inner] + [await command(), await asyncio.gather(beside())]
            return [*names, current().name]

        @engine.block
        def plain() -> CurrentTask:
            return current()

        assert await outer() == ["me", "ame", "plain", "command\n", ["outer"], "outer"]


async def test_a_task_driven_by_hand_knows_it() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:
        future = engine.submit(me)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        hands.run("me")
        assert (await future).id == future.id


async def test_engines_inside_of_tasks_are_not_confused_with_those_around(engine: WorkflowEngine) -> None:
    def outer() -> list[str]:
        inner = WorkflowEngine("sequential")

        async def beside() -> str:
            await asyncio.sleep(0)
            return current().name

        @inner.function_task
        async def within() -> str:
            return await asyncio.create_task(beside())

        @inner.function_task
        def plain() -> str:
            return current().name

        @inner.block
        async def main() -> list[str]:
            return [await within(), await plain(), current().name]

        return [*inner.run(main), current().name]

    assert await engine.submit(outer) == ["within", "plain", "main", "outer"]


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_plan_and_a_dry_run_tell_blocks_and_functions_of_commands_who_they_are(dry_run: bool) -> None:
    told: list[CurrentTask] = []
    engine = WorkflowEngine(dry_run=dry_run)

    @engine.executable_task
    def command() -> list[str]:
        told.append(current())
        return ["true"]

    @engine.block
    async def main() -> None:
        told.append(current())
        await command.with_options(label="x")()

    if dry_run:
        async with engine:
            await main()
    else:
        (await engine.plan(main)).check()
    assert [(each.name, each.attempt, each.label) for each in told] == [
        ("main", 1, None),
        ("command", 1, "x"),
    ]


# -- outside of tasks ---------------------------------------------------------------------------------------------


async def test_outside_of_a_task_it_is_an_error_that_tells_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"current\(\) was called outside of a task"):
        current()
    async with WorkflowEngine("thread") as engine:
        await engine.submit(me)
        with pytest.raises(RuntimeError, match="outside of a task"):
            current()


async def test_listeners_and_callbacks_are_no_task() -> None:
    told: list[str] = []

    def ask(_: object) -> None:
        try:
            told.append(current().name)
        except RuntimeError:
            told.append("none")

    async with WorkflowEngine("sequential") as engine:
        engine.subscribe(ask)
        await engine.submit(ame)
        future = engine.submit(me)
        future.add_done_callback(ask)
        await future
    assert set(told) == {"none"}


async def test_a_thread_that_a_task_has_started_is_no_task(engine: WorkflowEngine) -> None:
    def body() -> str:
        told: list[str] = []

        def ask() -> None:
            try:
                told.append(current().name)
            except RuntimeError as error:
                told.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return told[0]

    assert re.search(r"handed what it needs:  Thread\(target", await engine.submit(body))


# -- those who begin before anybody asks --------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["thread", "process", "sequential"])
def test_the_first_to_ask_is_told_whatever_had_begun_before(place: str) -> None:
    ran = script(
        f"""
        import asyncio
        import asyncflow

        engine = asyncflow.WorkflowEngine({place!r})

        @engine.function_task
        def plain():
            return asyncflow.current().name

        @engine.function_task
        async def coroutine():
            await asyncio.sleep(0)
            return asyncflow.current().name

        @engine.executable_task
        async def command():
            await asyncio.sleep(0)
            return ["echo", "-n", asyncflow.current().name]

        @engine.block
        async def main():
            names = await asyncio.gather(plain(), coroutine(), command())
            return [*names, asyncflow.current().name]

        print(engine.run(main))
        """
    )
    assert (ran.stdout, ran.stderr) == ("['plain', 'coroutine', 'command', 'main']\n", "")


def test_programs_that_do_not_ask_do_not_load_it() -> None:
    ran = script(
        """
        import sys
        from asyncflow import WorkflowEngine

        engine = WorkflowEngine()
        engine.run(engine.function_task(print), "done")
        print("asyncflow._worker.current" in sys.modules)
        """
    )
    assert (ran.stdout, ran.stderr) == ("done\nFalse\n", "")


def test_what_it_gives_does_not_change() -> None:
    told = CurrentTask(1, "name", 1, None, None)
    with pytest.raises(AttributeError):
        told.id = 2  # type: ignore[misc]


async def test_what_a_task_was_told_is_not_told_to_the_next() -> None:
    def ask(number: int) -> int:
        return current().id

    async def ask_later(number: int) -> int:
        return (await asyncio.create_task(ame())).id

    async with WorkflowEngine("process", workers=1) as engine:
        futures = [engine.submit(body, number) for number in range(20) for body in (ask, ask_later)]
        assert await asyncio.gather(*futures) == [each.id for each in futures]
