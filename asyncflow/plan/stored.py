"""A plan as JSON, and back without loss."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, NamedTuple, TypeVar

from .._show import document, words
from .streams import PlannedStream
from .tasks import Checkpoint, Edge, Finding, PlannedFile, PlannedLimit, PlannedTask

VERSION: Final = 1
_LONGEST: Final = 500  # characters of why something is refused

_DEFAULTS: Final = {
    kind: [(each.name, each.default) for each in fields(kind)]
    for kind in (PlannedFile, PlannedTask, PlannedLimit, PlannedStream, Edge, Finding, Checkpoint)
}
Record = TypeVar("Record", PlannedFile, PlannedTask, PlannedLimit, PlannedStream, Edge, Finding, Checkpoint)


class Parts(NamedTuple):
    """All that a plan tells, as its arguments are."""

    tasks: Sequence[PlannedTask]
    edges: Sequence[Edge]
    decisions: Sequence[str]
    findings: Sequence[Finding]
    checkpoints: Sequence[Checkpoint]
    capacities: Sequence[PlannedLimit]
    streams: Sequence[PlannedStream]


def to_json(parts: Parts) -> str:
    """Text that tells all that these are; what is as it mostly is, is left out."""
    told: dict[str, Any] = {
        "format": document.format_of("Plan"),
        "version": VERSION,
        "tasks": parts.tasks,
        "edges": parts.edges,
        "decisions": parts.decisions,
        "findings": parts.findings,
    }
    for name in ("checkpoints", "capacities", "streams"):
        if value := getattr(parts, name):
            told[name] = value
    return json.dumps(told, allow_nan=False, default=_fields)


def from_json(given: str | bytes) -> Parts:
    """What such a text tells.

    Raises:
        ValueError: it is no such text, or of a version that is not known here.
    """
    told = document.read(given, "Plan", VERSION)
    decisions = _list(told, "decisions")
    if not all(isinstance(each, str) for each in decisions):
        raise ValueError("no plan: its decisions are not all text")
    return Parts(
        [_task(each) for each in _list(told, "tasks")],
        [_record(Edge, each) for each in _list(told, "edges")],
        decisions,
        [_finding(each) for each in _list(told, "findings")],
        [_checkpoint(each) for each in _list(told, "checkpoints")] if "checkpoints" in told else [],
        [_record(PlannedLimit, each) for each in _list(told, "capacities")] if "capacities" in told else [],
        [_stream(each) for each in _list(told, "streams")] if "streams" in told else [],
    )


def _fields(record: Any) -> dict[str, Any]:
    """What in a record is not at its default."""
    values = ((name, getattr(record, name), default) for name, default in _DEFAULTS[type(record)])
    return {name: value for name, value, default in values if value != default}


def _list(told: Mapping[str, object], name: str) -> list[Any]:
    value = told.get(name)
    if not isinstance(value, list):
        raise ValueError(f"no plan: its {name} are no list")
    return value


def _record(kind: type[Record], told: object, **made: object) -> Record:
    if not isinstance(told, dict):
        raise ValueError(f"no plan: {_repr(told)} is no {kind.__name__}")
    try:
        return kind(**{**told, **made})
    except ValueError as error:
        raise ValueError(words.plain(str(error), _LONGEST)) from None
    except (TypeError, RecursionError) as error:
        why = words.plain(str(error), _LONGEST)
        raise ValueError(f"no plan: {_repr(told)} is no {kind.__name__}: {why}") from None


def _repr(told: object) -> str:
    return words.plain(reprlib.repr(told))


def _task(told: object) -> PlannedTask:
    made: dict[str, tuple[Any, ...]] = {}
    for name in ("inputs", "outputs"):
        if isinstance(told, dict) and name in told:
            made[name] = tuple(_record(PlannedFile, each) for each in _list(told, name))
    if isinstance(told, dict) and "limits" in told:
        made["limits"] = tuple(
            tuple(each) if isinstance(each, list) else each for each in _list(told, "limits")
        )
    return _record(PlannedTask, told, **made)


def _finding(told: object) -> Finding:
    ends = _list(told, "ends") if isinstance(told, dict) and "ends" in told else []
    return _record(Finding, told, ends=tuple(ends))


def _stream(told: object) -> PlannedStream:
    items = _list(told, "items") if isinstance(told, dict) and "items" in told else []
    return _record(PlannedStream, told, items=tuple(items))


def _checkpoint(told: object) -> Checkpoint:
    waited = _list(told, "waited_for") if isinstance(told, dict) else []
    return _record(Checkpoint, told, waited_for=tuple(waited))
