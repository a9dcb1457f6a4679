"""Plans and reports to be drawn, with names that mean harm."""

from __future__ import annotations

import asyncio
import random

from asyncflow import WorkflowEngine
from asyncflow.plan import Edge, Finding, Plan, PlannedFile, PlannedTask
from asyncflow.report import Report

HOSTILE = (
    "two\nlines",
    "\x1b[31mred\x1b[0m\x07",
    "<script>alert(1)</script>",
    "\"quoted\" & 'so' `too`",
    "]]> --> <!-- </svg></style>",
    "%% end }; ]) |x| [[",
    "#quot; &lt; \\N \\",
    "\u202eevil right to left",
    "שלום عالم",
    "漢字漢字漢字",
    "long " * 200,
    "",
    "subgraph",
    "}\ndigraph{",
)


def hostile_plan() -> Plan:
    """Each name as a task, a block around one, a file, a place and a finding."""
    tasks = [PlannedTask(1, HOSTILE[2], "block", called_at="a\nb.py:1, in <b>")]
    kinds = ("function", "executable", "service", "awaitable")
    for number, name in enumerate(HOSTILE, 2):
        block = 1 if number % 5 == 0 else None
        files = (PlannedFile(name),)
        tasks.append(PlannedTask(number, name, kinds[number % 4], block, name, name, inputs=files))  # type: ignore[arg-type]
    kinds_of_edges = ("data", "order", "file")
    edges = [
        Edge(n, n + 1, kind, HOSTILE[n % len(HOSTILE)] if kind == "file" else None, n % 4 == 0)  # type: ignore[arg-type]
        for n in range(2, len(HOSTILE) + 1)
        for kind in [kinds_of_edges[n % 3]]
    ]
    findings = [Finding(name, name, (HOSTILE[2], HOSTILE[3]), name) for name in HOSTILE[:4]]
    return Plan(tasks, edges, findings=findings)


def shapes(tasks: int) -> dict[str, Plan]:
    """Plans of about so many tasks, each of another shape."""
    chance = random.Random(1)
    width = max(2, round(tasks**0.5))

    def plan(names: list[str], pairs: list[tuple[int, int]]) -> Plan:
        return Plan([PlannedTask(n, name) for n, name in enumerate(names)], [Edge(a, b) for a, b in pairs])

    half = tasks // 2
    leaves = (tasks + 1) // 2
    return {
        "chain": plan(["step"] * tasks, [(n, n + 1) for n in range(tasks - 1)]),
        "map": plan(
            ["load"] * half + ["fit"] * half + ["report"],
            [(n, n + half) for n in range(half)] + [(n + half, 2 * half) for n in range(half)],
        ),
        "tree": plan(
            ["leaf"] * leaves + ["add"] * (leaves - 1),
            [(child, leaves + n) for n in range(leaves - 1) for child in (2 * n, 2 * n + 1)],
        ),
        "stencil": plan(
            ["cell"] * tasks,
            [
                (n - width + step, n)
                for n in range(width, tasks)
                for step in (-1, 0, 1)
                if 0 <= n % width + step < width
            ],
        ),
        "many functions": plan(
            [f"function_{n % 997}_{chance.randrange(40)}" for n in range(tasks)],
            [(chance.randrange(n), n) for n in range(1, tasks)],
        ),
    }


async def report_of_a_run() -> Report:
    """Tasks that succeed, fail, do not run and are skipped; a block, retries, a command."""
    from asyncflow import Skip

    engine = WorkflowEngine("thread")

    @engine.function_task
    def load(number: int) -> int:
        return number

    @engine.function_task(retries=1)
    def fit(number: int) -> int:
        if number % 5 == 4:
            raise ValueError(f"need 2 rows, <b>not</b> {number}")
        return number

    @engine.function_task
    def publish(number: int) -> int:
        if number == 2:
            raise Skip("nothing new")
        return number

    @engine.executable_task
    def render(number: int) -> list[str]:
        return ["echo", str(number)]

    @engine.block
    async def pipeline(first: int) -> int:
        fits = [fit(load(first + n)) for n in range(4)]
        published = [publish(each) for each in fits]
        await asyncio.gather(*published, return_exceptions=True)
        return await published[0]

    async with engine:
        ends = [pipeline(4 * n) for n in range(5)]
        done = render(ends[2])
        for each in (*ends, done):
            try:
                await each
            except Exception:
                pass
    return engine.report()
