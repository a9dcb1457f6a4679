"""Recorded workflows as graphs: each step takes the time of the task that was recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from os import PathLike
from pathlib import Path
from typing import Any, Final

from .._core.files import InputFile, OutputFile
from .._core.quoting import sh
from .._graph.wfformat import unused
from ..plan.tasks import Edge, PlannedTask
from ..plan.wfformat import read
from .steps import OutputRef, Step

_SMALLER: Final = 1000  # times than the recorded files are those of a replay
_LARGEST: Final = 10_000  # bytes
_LONGEST: Final = 60  # characters of a file's name, each of at most 4 bytes
_NOT_IN_FILES: Final = re.compile(r"[^\w.+=@,-]")


def steps_of(path: str | PathLike[str] | Mapping[str, Any], run: str, scale: float) -> dict[str, Step]:
    """The steps that replay a recorded workflow."""
    ways = {"sleep": _sleeper, "burn": _burner}
    if run not in ("command", *ways):
        raise ValueError(f"run={run!r}: one of 'sleep', 'burn' and 'command' is needed")
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise TypeError(f"scale={scale!r}: a number is needed, how many times faster than recorded")
    if not scale > 0:
        raise ValueError(f"scale={scale!r}: a number above 0 is needed, how many times faster than recorded")
    tasks, edges = read(path)
    names = _names(tasks)
    needs: dict[int, dict[str, None]] = {task.id: {} for task in tasks}
    for edge in edges:
        needs[edge.dependent][names[edge.dependency]] = None
    ahead = _ahead(tasks, edges)
    if run == "command":
        return _commands(tasks, names, needs, ahead, scale)
    bodies: dict[str, Callable[[float], None]] = {}
    steps: dict[str, Step] = {}
    for task in tasks:
        body = bodies.get(task.name) or bodies.setdefault(task.name, _called(ways[run](), task.name))
        seconds = (task.expected or 0.0) / scale
        options = {"expected": seconds, "priority": ahead[task.id]}
        steps[names[task.id]] = Step(body, (seconds,), {}, options, tuple(needs[task.id]))
    return steps


def _ahead(tasks: list[PlannedTask], edges: list[Edge]) -> dict[int, float]:
    """The recorded seconds of the longest way from each task to the end: of what is ready, the plan's makespan takes
    that with the longest way first, and so does the replay."""
    dependents: dict[int, list[int]] = {task.id: [] for task in tasks}
    for edge in edges:
        dependents[edge.dependency].append(edge.dependent)
    took = {task.id: task.expected or 0.0 for task in tasks}
    ahead: dict[int, float] = {}
    try:
        order = [*TopologicalSorter(dependents).static_order()]  # dependents first
    except CycleError:  # which the graph draws
        return took
    for number in order:
        ahead[number] = took[number] + max((ahead[each] for each in dependents[number]), default=0.0)
    return ahead


def _names(tasks: list[PlannedTask]) -> dict[int, str]:
    return {task.id: task.called_at for task in tasks}


def _called(body: Callable[..., Any], name: str) -> Callable[..., Any]:
    body.__name__ = body.__qualname__ = name
    return body


def _sleeper() -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    return sleep


def _burner() -> Callable[[float], None]:
    def burn(seconds: float) -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    return burn


# -- as commands ------------------------------------------------------------------------------------------


def _commands(
    tasks: list[PlannedTask],
    names: Mapping[int, str],
    needs: Mapping[int, Mapping[str, None]],
    ahead: Mapping[int, float],
    scale: float,
) -> dict[str, Step]:
    makers = {file.name: names[task.id] for task in tasks for file in task.outputs}
    file_names = _file_names(tasks)
    bodies: dict[str, Callable[..., str]] = {}
    steps: dict[str, Step] = {}
    for task in tasks:
        body = bodies.get(task.name) or bodies.setdefault(task.name, _called(_commander(), task.name))
        own = names[task.id]
        # What nobody has made was there before: a replay has no such file to read.
        made = [file.name for file in task.inputs if makers.get(file.name, own) != own]
        inputs = [
            InputFile(OutputRef(makers[name], file_names[name]), name=file_names[name]) for name in made
        ]
        outputs = [OutputFile(file_names[file.name]) for file in task.outputs]
        sizes = [min(_LARGEST, (file.size or 0) // _SMALLER) for file in task.outputs]
        seconds = (task.expected or 0.0) / scale
        args = (seconds, inputs, outputs, sizes)
        options = {"expected": seconds, "priority": ahead[task.id]}
        after = tuple(name for name in needs[task.id] if name not in {makers[each] for each in made})
        steps[own] = Step(body, args, {}, options, after, is_command=True)
    return steps


def _commander() -> Callable[..., str]:
    def command(seconds: float, inputs: list[Path], outputs: list[Path], sizes: list[int]) -> str:
        reads = [sh("cat {} > /dev/null", path) for path in inputs]
        makes = [
            sh("head -c {} /dev/zero > {}", size, path) for size, path in zip(sizes, outputs, strict=True)
        ]
        return "\n".join(["set -e", *reads, sh("sleep {}", f"{seconds:.6f}"), *makes])

    return command


def _file_names(tasks: list[PlannedTask]) -> dict[str, str]:
    """What the recorded files are called in a sandbox, each otherwise; those that were recorded may be whole paths, be
    patterns there, or have more characters than a name can."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for file in (each for task in tasks for each in (*task.inputs, *task.outputs)):
        if file.name not in found:
            plain = _NOT_IN_FILES.sub("_", file.name.strip("/"))[-_LONGEST:]
            name = found[file.name] = unused(plain if plain.strip(".") else "file", used)
            used.add(name)
    return found
