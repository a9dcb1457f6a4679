"""Squares on Ray: on a cluster, if ``RAY_ADDRESS`` names one, else on one that is started here."""

import asyncio
import os

from asyncflow import WorkflowEngine

engine = WorkflowEngine(backend="ray", workers=2)


@engine.function_task
def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


@engine.function_task
def total(squares: list[tuple[int, int]]) -> int:
    return sum(value for value, _ in squares)


async def main() -> None:
    async with engine:
        squares = [square(number) for number in range(100)]
        print("the sum is", await total(squares))
        print("computed by", len({process for _, process in await asyncio.gather(*squares)}), "processes")


asyncio.run(main())
