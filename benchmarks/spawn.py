"""What starting a command costs: executable tasks beside asyncio's own subprocesses, and beside ``xargs``."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from functools import partial
from time import perf_counter

from asyncflow import WorkflowEngine

from . import fresh
from .measuring import Options, Row, Rows, compared, in_turns
from .places import WORKERS

NOTE = (
    "ms a command, `true` without a shell and `sh -c true`, two at a time; output kept as the value, a new directory "
    "for each on our side. Bare: asyncio.create_subprocess_exec with pipes, and a semaphore. xargs: `xargs -P 2`."
)
TARGET = 1.15
_COMMANDS = {"true": ["true"], "sh -c true": ["sh", "-c", "true"]}


def measure(options: Options) -> Rows:
    """Both commands."""
    n = 200 if options.quick else 1_000
    for name in _COMMANDS:
        row: Row = {"command": name}
        try:
            row |= fresh.run(compare, name, n, options.repeat)
        except fresh.Failed as error:
            row["failed"] = str(error)
        yield f"{n:,} commands", row


def compare(name: str, n: int, repeat: int) -> Row:
    """One row."""
    return asyncio.run(_compare(_COMMANDS[name], n, repeat))


async def _compare(command: list[str], n: int, repeat: int) -> Row:
    async with WorkflowEngine(workers=WORKERS) as engine:
        task = engine.executable_task(lambda: command)

        async def ours() -> float:
            began = perf_counter()
            await asyncio.gather(*[task() for _ in range(n)])
            return (perf_counter() - began) / n * 1e3

        samples = await in_turns({"ours": ours, "bare": partial(_bare, command, n)}, repeat)
        row = compared("ms", samples["ours"], samples["bare"], TARGET)
    if shutil.which("xargs"):
        row["xargs_ms"] = _xargs(command, n)
    return row


async def _bare(command: list[str], n: int) -> float:
    slots = asyncio.Semaphore(WORKERS)

    async def one() -> None:
        async with slots:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            await process.communicate()

    began = perf_counter()
    await asyncio.gather(*[one() for _ in range(n)])
    return (perf_counter() - began) / n * 1e3


def _xargs(command: list[str], n: int) -> float:
    quoted = " ".join(f"'{word}'" for word in command)
    began = perf_counter()
    subprocess.run(["sh", "-c", f"seq {n} | xargs -P {WORKERS} -I {{}} {quoted}"], check=True)
    return (perf_counter() - began) / n * 1e3
