"""Workflows in WfFormat 1.5, the JSON in which WfCommons records executions (wfcommons.org).

What that format calls parents and children are dependencies and dependents here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Final

from .._graph import wfformat
from .._graph.wfformat import VERSION
from .._show import words
from .._show.words import plain
from .task_network import TaskNetwork
from .tasks import Edge, PlannedFile, PlannedTask

_ID: Final = re.compile(r"[0-9a-zA-Z\-_.]+")
_NOT_IN_FILES: Final = re.compile(r"[^0-9a-zA-Z\-_./:#]")
_NUMBER: Final = re.compile(r"(?<=.)_(?:ID)?\d+$")


def read(given: str | PathLike[str] | Mapping[str, Any]) -> tuple[list[PlannedTask], list[Edge]]:
    """Tasks, numbered from 1 as they are recorded, and the edges between them.

    Args:
        given: path of a file, or what is in one.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not in this format, or an id in it that nothing has.
    """
    told = given if isinstance(given, Mapping) else _loaded(given)
    if told.get("schemaVersion") != VERSION:
        raise ValueError(
            f"schemaVersion is {told.get('schemaVersion')!r}; WfFormat {VERSION} is what is read here"
        )
    try:
        return _read(told["workflow"])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not WfFormat {VERSION}: {type(error).__name__}: {error}") from error


def written(
    tasks: Sequence[PlannedTask], net: TaskNetwork, name: str, executed_at: str, makespan: float
) -> dict[str, Any]:
    """The format's whole document, for `json.dump`.

    Raises:
        ValueError: there are no tasks.
    """
    points = [point for point, task in enumerate(tasks) if task.kind != "block"]
    if not points:
        raise ValueError("a plan without tasks cannot be told in WfFormat, which demands one")
    ids = _ids(tasks, points)
    waits_for = wfformat.parents(net.after, net.order, [task.kind != "block" for task in tasks])
    files = _files([tasks[point] for point in points])

    def files_of(point: int) -> tuple[list[str], list[str]]:
        task = tasks[point]
        return [files[file.name][0] for file in task.inputs], [files[file.name][0] for file in task.outputs]

    specified = wfformat.specified(ids, waits_for, lambda point: tasks[point].name, files_of)
    sizes = [{"id": id, "sizeInBytes": size or 0} for id, size in files.values()]
    runtimes = [(ids[point], tasks[point].expected) for point in points if tasks[point].expected is not None]
    execution = {
        "makespanInSeconds": makespan,
        "executedAt": executed_at,
        "tasks": [{"id": id, "runtimeInSeconds": runtime} for id, runtime in runtimes],
    }
    return wfformat.document(name or "plan", specified, sizes, execution if runtimes else None)


# -- reading ----------------------------------------------------------------------------------------------


def _loaded(given: str | PathLike[str]) -> Mapping[str, Any]:
    if not isinstance(given, (str, PathLike)):  # open(1) would be the program's own output
        raise TypeError(f"from_wfformat() takes a path or a mapping, and was given {words.given(given)}")
    with open(given, encoding="utf-8") as file:
        try:
            told = json.load(file)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{given}: not JSON ({error})") from None
    if not isinstance(told, dict):
        raise ValueError(f"{given}: not WfFormat {VERSION}: a {type(told).__name__}")
    return told


def _read(workflow: Mapping[str, Any]) -> tuple[list[PlannedTask], list[Edge]]:
    specification, execution = workflow["specification"], workflow.get("execution") or {"tasks": []}
    sizes = {file["id"]: file["sizeInBytes"] for file in specification.get("files", [])}
    runs = {each["id"]: each for each in execution["tasks"]}
    recorded = specification["tasks"]
    numbers = {each["id"]: number for number, each in enumerate(recorded, 1)}
    if len(numbers) < len(recorded):
        raise ValueError("two tasks have one id")
    if unknown := runs.keys() - numbers.keys():
        raise ValueError(f"{_shown(min(unknown))} was executed, and there is no such task")
    tasks = [_task(number, each, runs.get(each["id"], {}), sizes) for number, each in enumerate(recorded, 1)]
    edges: list[Edge] = []
    for first, then in _arrows(recorded, numbers):
        read_ = {file.name for file in tasks[then - 1].inputs}
        handed = sorted(read_.intersection(file.name for file in tasks[first - 1].outputs))
        edges += [Edge(first, then, "file", name) for name in handed] or [Edge(first, then, "order")]
    return tasks, edges


def _arrows(recorded: Sequence[Mapping[str, Any]], numbers: Mapping[str, int]) -> dict[tuple[int, int], None]:
    """Pairs of dependency and dependent, each once; they may be told at either end."""
    arrows: dict[tuple[int, int], None] = {}
    for each in recorded:
        own, parents, children = numbers[each["id"]], each["parents"], each["children"]
        for other in (*parents, *children):
            if other not in numbers:
                raise ValueError(f"{_shown(each['id'])}: there is no task {_shown(other)}")
        arrows.update(dict.fromkeys((numbers[parent], own) for parent in parents))
        arrows.update(dict.fromkeys((own, numbers[child]) for child in children))
    return arrows


def _task(
    number: int, recorded: Mapping[str, Any], run: Mapping[str, Any], sizes: Mapping[str, Any]
) -> PlannedTask:
    id = recorded["id"]
    if not isinstance(id, str):
        raise TypeError(f"the id {id!r} is no text")
    return PlannedTask(
        number,
        _name(recorded["name"], id, (run.get("command") or {}).get("program")),
        "executable",
        called_at=id,
        expected=run.get("runtimeInSeconds"),
        inputs=tuple(PlannedFile(name, sizes.get(name)) for name in recorded.get("inputFiles", ())),
        outputs=tuple(PlannedFile(name, sizes.get(name)) for name in recorded.get("outputFiles", ())),
    )


def _name(recorded: str, id: str, program: str | None) -> str:
    """What tasks of one sort have in common: "mProject" of "mProject_ID0000001"."""
    if recorded != id:
        return recorded
    name = _NUMBER.sub("", recorded)
    return program if program and name.startswith(program) else name


def _shown(id: object) -> str:
    return repr(plain(str(id)))


# -- writing ----------------------------------------------------------------------------------------------


def _ids(tasks: Sequence[PlannedTask], points: Sequence[int]) -> dict[int, str]:
    """By point; those that were recorded stay."""
    ids: dict[int, str] = {}
    used: set[str] = set()
    for point in points:
        task = tasks[point]
        id = task.called_at
        if not _ID.fullmatch(id) or id in used:
            id = wfformat.task_id(task.name, task.id, used)
        used.add(id)
        ids[point] = id
    return ids


def _files(tasks: Sequence[PlannedTask]) -> dict[str, tuple[str, int | None]]:
    """Ids and sizes by name."""
    files: dict[str, tuple[str, int | None]] = {}
    used: set[str] = set()
    for task in tasks:
        for file in (*task.inputs, *task.outputs):
            if file.name in files:
                id, size = files[file.name]
                files[file.name] = id, file.size if size is None else size
                continue
            id = wfformat.unused(_NOT_IN_FILES.sub("_", file.name) or "_", used)
            used.add(id)
            files[file.name] = id, file.size
    return files
