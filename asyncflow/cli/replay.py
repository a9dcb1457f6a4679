"""``asyncflow replay``: runs a recorded workflow, and compares with what its plan says."""

from __future__ import annotations

import os
from time import perf_counter
from typing import Any, Final, Literal

import click

from .._engine.commanded import Said, commanding
from .._show.columns import table_lines
from .._show.words import plain, seconds
from ..engine import WorkflowEngine
from ..graph import Graph
from .exits import FAILED, Refused
from .given import RECORDED, refuse_others
from .options import AboveZero, engine_parameters, json_flag, said
from .out import say, say_json, tell
from .outcome import users_code
from .plan import Numbers, what_if

_SLEEPERS: Final = 8  # workers of what only waits

_HELP: Final = """Run a workflow that was recorded in WfFormat (wfcommons.org): how long should it take on so many
workers, and how long does it take here?

Each task takes the recorded time, divided by --scale. With --run sleep it waits, with --run burn it takes CPU time, in
processes, with --run command it is a command that reads and makes files as recorded, in a thousandth of their size.

It is for what others have recorded; of your own runs, "asyncflow report JOURNAL" says how long they took.

\b
Examples:
  asyncflow replay run.json --scale 100 --workers 8
  asyncflow replay run.json --what-if 1,2,4,8,16       what would happen; nothing runs
"""


def _replay(
    file: str,
    scale: float,
    run: Literal["sleep", "burn", "command"],
    what_if_: list[int] | None,
    backend: str | None,
    workers: int | None,
    set_: tuple[str, ...],
    as_json: bool,
) -> None:
    graph = _read(file, run, scale)
    workers = workers or ((os.cpu_count() or 1) if run == "burn" else _SLEEPERS)
    settings = {name: Said(*each) for name, each in said(backend, workers, set_).items()}
    with commanding(settings), users_code():
        engine = WorkflowEngine("process" if run == "burn" else "thread", executables=workers)
        facts = engine.run(lambda: _compared(engine, graph, workers, what_if_))
    failed = facts.pop("failed", None)
    if as_json:
        say_json({"file": file, "run": run, "scale": scale, **facts, "failed": failed})
    else:
        _show(graph, workers, facts)
        if failed is not None:
            tell(f"it has failed: {failed}")
    if failed is not None:
        raise SystemExit(FAILED)


def _read(file: str, run: Literal["sleep", "burn", "command"], scale: float) -> Graph:
    try:
        return Graph.from_wfformat(file, run=run, scale=scale)
    except (OSError, ValueError) as problem:
        refuse_others(file, RECORDED, RECORDED)
        why = str(problem).removeprefix(f"{file}: ")
        raise Refused(f"{plain(file)}: {plain(why)}", f"{RECORDED} is needed, as of wfcommons.org") from None


async def _compared(
    engine: WorkflowEngine, graph: Graph, workers: int, numbers: list[int] | None
) -> dict[str, Any]:
    """What the plan says, and what the clock says if it is run."""
    plan = await engine.plan(graph)
    facts: dict[str, Any] = {
        "steps": len(graph),
        "stages": len(graph.stages),
        "work": plan.makespan(1),
        "limited_by": plan.limits(workers),
    }
    if numbers is not None:
        return {**facts, "workers": what_if(plan, numbers)}
    facts |= {"workers": workers, "planned": plan.makespan(workers)}
    began = perf_counter()
    try:
        await engine.run_graph(graph)
    except Exception as error:
        facts["failed"] = str(error)
    facts["took"] = perf_counter() - began
    facts["times_the_plan"] = facts["took"] / facts["planned"] if facts["planned"] else None
    facts["functions"] = {
        name: {"count": row.count, "seconds": row.total} for name, row in engine.report().functions.items()
    }
    return facts


def _show(graph: Graph, workers: int, facts: dict[str, Any]) -> None:
    say(f"{len(graph):,} steps in {facts['stages']} stages, {seconds(facts['work'])} of work")
    if "took" not in facts:
        header = ("workers", "time", "times as fast", "busy")
        rows = [
            (
                str(each["workers"]),
                seconds(each["time"]),
                f"{each['speedup']:.2f}",
                f"{each['efficiency']:.0%}",
            )
            for each in facts["workers"]
        ]
        say("\n".join(table_lines([header, *rows], right=(0, 1, 2, 3))))
        return
    times = facts["times_the_plan"]
    compared = f": {times:.2f} times the plan" if times is not None else ""
    say(
        f"planned on {workers} workers: {seconds(facts['planned'])}, took: {seconds(facts['took'])}{compared}"
    )
    say(facts["limited_by"])


command: Final = click.Command(
    "replay",
    callback=_replay,
    help=_HELP,
    params=[
        click.Argument(["file"], type=click.Path(exists=True, dir_okay=False), metavar="TRACE.json"),
        click.Option(
            ["--scale"],
            type=AboveZero(),
            default=100.0,
            metavar="N",
            help="How many times faster than recorded; 100 if not given.",
        ),
        click.Option(
            ["--run"],
            type=click.Choice(["sleep", "burn", "command"]),
            default="sleep",
            help="What a task does: sleep, take CPU time, or run a command with files.",
        ),
        click.Option(
            ["--what-if", "what_if_"],
            type=Numbers(),
            metavar="N,N,...",
            help="Run nothing: how long it would take on so many workers.",
        ),
        *engine_parameters(),
        json_flag(),
    ],
)
