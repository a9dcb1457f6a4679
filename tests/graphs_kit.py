"""Sees what a real run calls, as a plan: to be compared with what a rehearsal says that it would call.

It looks at futures as they are made, and shares no code with rehearsals.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from asyncflow._core.files import InputFile, declared
from asyncflow._core.story import called_at
from asyncflow._runtime import inputs
from asyncflow._runtime.joins import Joins
from asyncflow._runtime.outputs import path_of_output
from asyncflow._runtime.run import Run
from asyncflow._runtime.scope import SCOPE
from asyncflow.plan import Edge, Plan, PlannedFile, PlannedTask


class Recorder:
    """The calls of real runs."""

    def __init__(self) -> None:
        self._futures: dict[int, Any] = {}
        self._blocks: dict[int, int | None] = {}
        self._files: dict[int, tuple[tuple[PlannedFile, ...], tuple[PlannedFile, ...]]] = {}
        self._edges: list[Edge] = []
        self._outputs: dict[int, tuple[int, str]] = {}
        self._joins: dict[int, list[Any]] = {}

    def joined(self, future: Any, sources: Any) -> None:
        """A future was made that goes by how others end."""
        self._joins[future.id] = list(sources)

    def add(self, future: Any, args: tuple[Any, ...], kwargs: Any) -> None:
        """A call was just made."""
        awaited = inputs.awaited(future)
        if future.definition.fn is path_of_output:
            self._outputs[future.id] = args[0].id, args[2]
            return
        for (
            each
        ) in awaited:  # what was adopted for the call is older than its future, and known to nobody yet
            if not any(each.id in known for known in (self._outputs, self._futures, self._joins)):
                self._add(each)
                each.site = each.site.changed(code=future.site.code, at=future.site.at)
        self._add(future)
        for number, each in enumerate(awaited):
            is_order = number < len(future.after)  # these come first
            for source, is_optional in self._sources(each):
                maker, file = self._outputs.get(source.id, (source.id, None))
                kind: Any = "order" if is_order else "data" if file is None else "file"
                file = file if kind == "file" else None
                self._edges.append(Edge(maker, future.id, kind, file, is_optional))
        if future.files is not None:
            files = declared(args, kwargs)
            reads = tuple(self._read(each, future, awaited) for each in files.inputs)
            self._files[future.id] = reads, tuple(PlannedFile(name) for name in files.outputs)

    def _sources(self, future: Any) -> list[tuple[Any, bool]]:
        if future.id not in self._joins:
            return [(future, False)]
        return [(source, True) for each in self._joins[future.id] for source, _ in self._sources(each)]

    def _add(self, future: Any) -> None:
        self._futures[future.id] = future
        # A detached task is nobody's, but was called somewhere.
        block: Any = SCOPE.get().block if future.definition.options.detached else future.owner
        self._blocks[future.id] = None if block is None else block.id

    def _read(self, file: InputFile, future: Any, awaited: list[Any]) -> PlannedFile:
        source = file.source
        if not isinstance(source, (str, os.PathLike)):
            name = self._outputs[source.id][1] if source.id in self._outputs else source.name
            return PlannedFile(file.name or name)
        for each in awaited:
            if each.files is not None and source in each.files.declares:
                self._edges.append(
                    Edge(self._outputs.get(each.id, (each.id,))[0], future.id, "file", str(source))
                )
                return PlannedFile(file.name or str(source))
        there = os.path.isfile(source)
        return PlannedFile(file.name or os.path.basename(source), os.path.getsize(source) if there else None)

    def plan(self) -> Plan:
        """All that was called."""
        return Plan([self._task(future) for future in self._futures.values()], self._edges)

    def _task(self, future: Any) -> PlannedTask:
        definition = future.definition
        kind: Any = (
            "block"
            if definition.is_block
            else "service"
            if definition.is_service
            else "executable"
            if definition.is_command
            else "awaitable"
            if future.lane is future._run.places.foreign
            else "function"
        )
        reads, makes = self._files.get(future.id, ((), ()))
        return PlannedTask(
            future.id,
            definition.name,
            kind,
            self._blocks[future.id],
            future.lane.place,
            called_at(future),
            definition.options.expected,
            reads,
            makes,
            detached=definition.options.detached,
        )


@contextmanager
def recorded() -> Iterator[Recorder]:
    """See all calls that are made meanwhile for real."""
    recorder = Recorder()
    call = Run.call

    def watched(self: Run, definition: Any, lane: Any, args: Any, kwargs: Any, *rest: Any) -> Any:
        future = call(self, definition, lane, args, kwargs, *rest)
        if not future._run.is_rehearsal:
            recorder.add(future, future.args, future.kwargs)
        return future

    make = Joins.make

    def joined(self: Joins, sources: Any, *rest: Any) -> Any:
        future = make(self, sources, *rest)
        if not future._run.is_rehearsal:
            recorder.joined(future, sources)
        return future

    with patch.object(Run, "call", watched), patch.object(Joins, "make", joined):
        yield recorder
