"""What a task without policies costs in the asyncflow that is found first, as JSON. Is run by its path, with
``PYTHONPATH`` at the root of one version or another, whose own graphs it draws."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from time import process_time
from typing import Any

from asyncflow import WorkflowEngine
from benchmarks.shapes import SHAPES, size


async def nothing_async(*values: object) -> None:
    """A no-op that takes whatever its dependencies gave."""


def nothing(*values: object) -> None:
    """The same on a thread."""


async def measured(n: int, repeat: int) -> dict[str, float]:
    """The least µs of CPU for each task, by place and shape: what else the machine does only adds to it."""
    least: dict[str, float] = {}
    for place, body in (("coroutines", nothing_async), ("threads", nothing)):
        async with WorkflowEngine("thread", workers=2) as engine:
            call: Any = engine.function_task(body)
            for name, shape in SHAPES.items():
                await asyncio.gather(*shape(call, max(200, n // 10)))
                samples = []
                for _ in range(repeat):
                    gc.collect()
                    began = process_time()
                    await asyncio.gather(*shape(call, n))
                    samples.append((process_time() - began) / size(shape, n) * 1e6)
                least[f"{place}, {name}"] = min(samples)
    return least


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(int(sys.argv[1]), int(sys.argv[2])))))
