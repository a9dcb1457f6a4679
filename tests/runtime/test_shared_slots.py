"""What an engine's options say of how much may run at once holds for tasks with limits and without, all together."""

from __future__ import annotations

import asyncio

from asyncflow import WorkflowEngine


async def test_coroutines_with_limits_and_without_share_max_coroutines():
    running: list[int] = []
    most = 0

    async with WorkflowEngine(max_coroutines=2) as engine:
        engine.limit("api", concurrency=2)

        async def work(number):
            nonlocal most
            running.append(number)
            most = max(most, len(running))
            for _ in range(5):
                await asyncio.sleep(0)
            running.remove(number)

        plain = engine.function_task(work)
        limited = engine.function_task(work, limits="api")
        tried_again = engine.function_task(work, retries=1)
        await asyncio.gather(
            *(task(3 * n + i) for n in range(10) for i, task in enumerate((plain, limited, tried_again)))
        )
    assert most == 2


async def test_commands_with_limits_and_without_share_executables(tmp_path):
    async with WorkflowEngine(executables=2) as engine:
        engine.limit("licence", concurrency=2)

        def work(number):
            # Each tells of itself before it counts those that run: of three at once the last would see all.
            return f"touch {tmp_path}/{number}; ls {tmp_path} | wc -l; rm {tmp_path}/{number}"

        plain = engine.executable_task(work)
        limited = engine.executable_task(work, limits="licence")
        seen = await asyncio.gather(
            *(task(2 * n + i) for n in range(8) for i, task in enumerate((plain, limited)))
        )
    assert max(map(int, seen)) <= 2


async def test_coroutines_that_nothing_limits_are_handed_over_as_chains():
    async with WorkflowEngine() as engine, WorkflowEngine(max_coroutines=2) as limited:

        async def link(before):
            return before + 1

        for one in (engine, limited):
            task = one.function_task(link)
            assert await task(task(1)) == 3
            assert task._lane.links is (one is engine)
            assert (task._lane.admission is None) is (one is engine)
