"""What it costs to show how a run stands while it goes on, in a terminal and where there is none."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from statistics import median
from time import perf_counter, process_time
from typing import Any, cast

from asyncflow import WorkflowEngine
from asyncflow.live.display import Display

from . import fresh
from .measuring import Options, Row, Rows, in_turns, judged
from .places import PLACES, WORKERS, Call
from .shapes import SHAPES, WIDTH, run

NOTE = (
    "µs a task, the same graph of no-op tasks without and with a display, in turns in one process, on engines of "
    "their own; from the first call until the display is closed, its summary written. A terminal of 120 columns is "
    "painted, or lines are written. Medians; ratios are the median of the pairs', and CPU is that of this process. "
    "What the display itself has taken of that is measured as well, and its share is what the target is for: what "
    "else the machine does hits it less."
)
TARGET = 0.02
_PLACES = ("threads", "processes")


def measure(options: Options) -> Rows:
    """Without and with a display."""
    many = options.n if options.quick else 100_000
    for shown in ("a terminal", "lines"):
        title = f"A display in {shown}, {many:,} tasks, medians of {options.repeat}"
        for name in _PLACES:
            for shape in ("independent", "tree"):
                yield (
                    title,
                    {"place": name, "shape": shape} | _row(compare, name, shape, shown, many, options.repeat),
                )


def _row(fn: Any, *args: Any) -> Row:
    try:
        row: Row = fresh.run(fn, *args)
    except fresh.Failed as error:
        return {"failed": str(error)}
    return row


def compare(name: str, shape: str, shown: str, n: int, repeat: int) -> Row:
    """One row: without and with."""
    with _errors_go_to(shown):
        samples = asyncio.run(_timed(name, shape, n, repeat))
    row: Row = {}
    for what, place in (("wall", 0), ("cpu", 1)):
        off, on = ([each[place] for each in samples[side]] for side in ("off", "on"))
        ratio = median(with_it / without for without, with_it in zip(off, on, strict=True))
        row |= {f"{what}_off_us": median(off), f"{what}_on_us": median(on), f"{what}_ratio": ratio}
        row |= {f"{what}_off_samples_us": off, f"{what}_on_samples_us": on}
    cost = median(each[2] for each in samples["on"])
    share = cost / row["cpu_off_us"]
    return row | {"display_us": cost, "share": share} | judged("share", share, TARGET)


async def _timed(name: str, shape: str, n: int, repeat: int) -> dict[str, list[tuple[float, ...]]]:
    def side(shows: bool) -> Callable[[], Awaitable[tuple[float, ...]]]:
        async def once() -> tuple[float, ...]:
            async with WorkflowEngine(PLACES[name].backend, workers=WORKERS) as engine:
                call: Call = engine.function_task(PLACES[name].body)
                await run(SHAPES[shape], call, 2 * WIDTH)
                gc.collect()
                began, cpu = perf_counter(), process_time()
                cost = 0.0
                async with engine.live() if shows else nullcontext():
                    display = cast("Display | None", engine._display)
                    await run(SHAPES[shape], call, n)
                if display is not None:
                    cost = display.cost
                return tuple(each / n * 1e6 for each in (perf_counter() - began, process_time() - cpu, cost))

        return once

    await side(True)()  # what it needs is loaded
    return await in_turns({"off": side(False), "on": side(True)}, repeat)


@contextmanager
def _errors_go_to(shown: str) -> Iterator[None]:
    """Have what is written on the standard error read by somebody else: a terminal, or a pipe."""
    before = sys.stderr
    if shown == "lines":
        with open(os.devnull, "w") as sys.stderr:
            yield
        sys.stderr = before
        return
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    os.environ["TERM"] = "xterm-256color"
    reader = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL)
    os.close(ours)
    try:
        with open(theirs, "w") as sys.stderr:
            yield
    finally:
        sys.stderr = before
        reader.kill()
        reader.wait()
