"""What retries, limits, timeouts and deadlines cost a task for which they never come to anything."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, Final

from asyncflow import WorkflowEngine

from . import fresh
from .measuring import Options, Row, Rows, in_turns, judged
from .places import PLACES, WORKERS, Call
from .shapes import SHAPES, WIDTH, run

NOTE = (
    "µs of CPU a task, of all threads; the same function with options and without, in turns on one engine. The "
    "difference is the median of those of each turn. No policy comes to anything: nothing fails, is held or is late. "
    "'none, again' shows the noise."
)
_MANY: Final = 1_000_000  # of a limit: it never holds anybody
POLICIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "none, again": {},
    "retries": {"retries": 3},
    "limit": {"limits": "api"},
    "limit, retries": {"limits": "api", "retries": 3},
    "two limits": {"limits": {"api": 1, "memory": 2.5}},
    "max_concurrent": {"max_concurrent": _MANY},
    "timeout": {"timeout": 3600},
    "deadline": {"deadline": 3600},
}
_FEW: Final = 2_000  # tasks of a graph, beside another version
TARGET_US = 1.0
TARGET_RATIO = 1.03
TARGETED: Final = ("retries", "limit", "limit, retries", "max_concurrent")
_PLACES: Final = ("coroutines", "threads", "sequential")


def measure(options: Options) -> Rows:
    """Independent tasks everywhere, and a stencil of coroutines; what no policy costs, beside another version."""
    repeat = max(options.repeat, 3 if options.quick else 11)
    if options.beside is not None:
        title = (
            f"No policies, beside {Path(options.beside).name}, {_FEW:,} tasks, medians of {repeat} processes"
        )
        yield from ((title, row) for row in beside(options.beside, repeat))
    for name, shape in (*((name, "independent") for name in _PLACES), ("coroutines", "stencil")):
        title = f"Policies that never fire: {name}, {shape}, {options.n:,} tasks, medians of {repeat}"
        try:
            rows = fresh.run(compare, name, shape, options.n, repeat)
        except fresh.Failed as error:
            rows = [{"policy": "none", "failed": str(error)}]
        yield from ((title, row) for row in rows)


def compare(name: str, shape_name: str, n: int, repeat: int) -> list[Row]:
    """A row for each policy, beside none."""
    return asyncio.run(_compare(name, shape_name, n, repeat))


def beside(other: str, repeat: int) -> list[Row]:
    """A row for each place and shape: this version and another, each in processes of its own, in turns."""
    samples: dict[str, dict[str, list[float]]] = {}
    for _ in range(repeat):
        for side, root in (("there", other), ("here", str(fresh.ROOT))):
            for what, us in _hot_path(root).items():
                samples.setdefault(what, {}).setdefault(side, []).append(us)
    return [
        {"graph": what, "here_us": median(both["here"]), "there_us": median(both["there"])}
        | {"ratio": (ratio := median(both["here"]) / median(both["there"]))}
        | judged("ratio", ratio, TARGET_RATIO)
        for what, both in samples.items()
    ]


def _hot_path(root: str) -> dict[str, float]:
    script = str(Path(__file__).with_name("hot_path.py"))
    ran = subprocess.run(
        [sys.executable, script, str(_FEW), "7"],
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    least: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return least


async def _compare(name: str, shape_name: str, n: int, repeat: int) -> list[Row]:
    place, shape = PLACES[name], SHAPES[shape_name]
    async with WorkflowEngine(place.backend, workers=WORKERS) as engine:
        engine.limit("api", concurrency=_MANY)
        engine.limit("memory", concurrency=_MANY * 2.5)
        calls: dict[str, Call] = {"none": engine.function_task(place.body)}
        for policy, options in POLICIES.items():
            calls[policy] = engine.function_task(**options)(place.body)
        for call in calls.values():
            await run(shape, call, max(2 * WIDTH, n // 10))
        samples = await in_turns(
            {policy: partial(run, shape, call, n, process_time) for policy, call in calls.items()}, repeat
        )
    return [_row(policy, samples["none"], samples[policy]) for policy in calls]


def _row(policy: str, none: list[float], samples: list[float]) -> Row:
    row: Row = {"policy": policy, "us": median(samples)}
    if samples is not none:
        more = median(each - beside for beside, each in zip(none, samples, strict=True))
        row |= {"more_us": more, "ratio": 1 + more / median(none)}
        if policy in TARGETED:
            row |= judged("more_us", more, TARGET_US)
    return row | {"samples_us": samples}
