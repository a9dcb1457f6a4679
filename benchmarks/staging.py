"""What it costs to bring files to a task: beside `cp`, which makes the same copies and nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from asyncflow import InputFile, OutputFile, WorkflowEngine

from . import fresh
from .measuring import Options, Row, Rows, compared, in_turns
from .places import WORKERS

NOTE = (
    "ms until the files are in the sandbox of one task, which only looks at them: many small files of 1 KiB in one "
    "directory, the same as an input each, the same as an input of a task each, and one large file, in and out again. "
    "Bare: `cp -r`, and for the inputs of tasks `cp` once for each. What was written is in memory, not yet on disk."
)


def measure(options: Options) -> Rows:
    """Small files in three ways, then a large one."""
    count, gib = (1_000, 0.25) if options.quick else (10_000, 4)
    kinds = {
        f"{count:,} small files": (small, count, ("in a directory", "an input each", "a task each")),
        f"{gib} GiB in one file": (large, gib, ("in", "out")),
    }
    for title, (compare, size, ways) in kinds.items():
        for way in ways:
            row: Row = {"files": way}
            try:
                row |= fresh.run(compare, way, size, 3)
            except fresh.Failed as error:
                row["failed"] = str(error)
            yield title, row


def small(way: str, count: int, repeat: int) -> Row:
    """One row of small files."""
    with tempfile.TemporaryDirectory(prefix="asyncflow-bench-") as name:
        folder = Path(name) / "files"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.txt").write_bytes(b"x" * 1024)
        files = sorted(folder.iterdir())
        calls: dict[str, Callable[[Any], list[Any]]] = {
            "in a directory": lambda task: [task(InputFile(folder))],
            "an input each": lambda task: [task([InputFile(file) for file in files])],
            "a task each": lambda task: [task(InputFile(file)) for file in files],
        }
        sides = {
            "ours": partial(_ours, calls[way], Path(name)),
            "bare": partial(
                _cp, [folder] if way == "in a directory" else files, Path(name), way == "a task each"
            ),
        }
        samples = asyncio.run(in_turns(sides, repeat))
        return compared("ms", samples["ours"], samples["bare"])


def large(way: str, gib: float, repeat: int) -> Row:
    """One row of a large file."""
    with tempfile.TemporaryDirectory(prefix="asyncflow-bench-") as name:
        file = Path(name) / "large"
        with open(file, "wb") as written:
            for _ in range(int(gib * 64)):
                written.write(os.urandom(1 << 20) * 16)
        sides = {
            "ours": partial(_in if way == "in" else _out, file, Path(name)),
            "bare": partial(_cp, [file], Path(name), False),
        }
        samples = asyncio.run(in_turns(sides, repeat))
        row = compared("ms", samples["ours"], samples["bare"])
        row["ours_gb_s"] = gib * 1.074 / row["ours_ms"] * 1e3
        return row


async def _ours(call: Callable[[Any], list[Any]], place: Path) -> float:
    async with WorkflowEngine(workers=WORKERS, work_dir=place) as engine:
        task = engine.function_task(lambda files: None)
        began = perf_counter()
        await asyncio.gather(*call(task))
        return (perf_counter() - began) * 1e3


async def _in(file: Path, place: Path) -> float:
    return await _ours(lambda task: [task(InputFile(file))], place)


async def _out(file: Path, place: Path) -> float:
    """A command renames what is there already: all that costs is what follows."""
    async with WorkflowEngine(workers=WORKERS, work_dir=place) as engine:
        move = engine.executable_task(lambda source, out: ["ln", source, out])
        began = perf_counter()
        await move(file, OutputFile("large", to=place / "published"))
        taken = (perf_counter() - began) * 1e3
    (place / "published").unlink()
    return taken


async def _cp(sources: list[Path], place: Path, one_by_one: bool) -> float:
    target = place / "copies"
    target.mkdir()
    lists = [[source] for source in sources] if one_by_one else [sources]
    began = perf_counter()
    for each in lists:
        subprocess.run(["cp", "-r", *map(str, each), str(target)], check=True)
    taken = (perf_counter() - began) * 1e3
    shutil.rmtree(target)
    return taken
