"""Replay a recorded workflow: how long it should take on so many workers, and how long it does.

    python examples/replay.py [RUN.json] [--scale 100] [--workers 8] [--run sleep|burn|command]

Without a file, it replays a small one that is made here: fork, work, join. Recorded ones are at wfcommons.org.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from asyncflow import Graph, WorkflowEngine


def fork_and_join(width: int) -> dict[str, Any]:
    """A run in WfFormat 1.5: one task, ``width`` tasks that need it, and one that needs these."""
    middle = [f"work_{number}" for number in range(width)]
    tasks = [
        {"id": "fork_0", "name": "fork_0", "parents": [], "children": middle},
        *({"id": each, "name": each, "parents": ["fork_0"], "children": ["join_0"]} for each in middle),
        {"id": "join_0", "name": "join_0", "parents": middle, "children": []},
    ]
    runs = [{"id": task["id"], "runtimeInSeconds": 2.0 + index % 5} for index, task in enumerate(tasks)]
    return {
        "schemaVersion": "1.5",
        "workflow": {"specification": {"tasks": tasks}, "execution": {"tasks": runs}},
    }


async def main(args: argparse.Namespace) -> None:
    graph = Graph.from_wfformat(args.file or fork_and_join(20), run=args.run, scale=args.scale)
    engine = WorkflowEngine(workers=args.workers, executables=args.workers)
    planned = (await engine.plan(graph)).makespan(args.workers)
    async with engine:
        began = time.perf_counter()
        await engine.run_graph(graph)
        took = time.perf_counter() - began
    print(f"{len(graph)} steps in {len(graph.stages)} stages, on {args.workers} workers")
    print(f"planned: {planned:.2f} s   took: {took:.2f} s   that is {took / planned:.2f} times the plan")
    print(engine.report())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", help="a run in WfFormat 1.5")
    parser.add_argument("--scale", type=float, default=100.0, help="times faster than recorded")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--run", choices=["sleep", "burn", "command"], default="sleep")
    asyncio.run(main(parser.parse_args()))
