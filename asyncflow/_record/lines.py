"""How events are written as lines of JSON, and read again. Pure: files are for others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import Any, Final, TypeAlias, get_args

from .._causes import spelled
from .._core.states import State
from ..events import Event, EventsLost, RunBegan

Json: TypeAlias = Any
"""A value as it was read, of whatever type it is."""
# A number of 0 says as little as None: no block, no bytes.
_EMPTY: Final = (None, "", (), 0)
Written = Event | EventsLost
_BEGINS: Final = b'{"event": '
"""How each line begins; nowhere else do these bytes stand, because JSON escapes quotation marks in text."""


def line_of(event: Written, run: str) -> bytes:
    """An event as a line. What says nothing is left out.

    Args:
        event: any.
        run: in which it happened; several may write at the same time.
    """
    fields = {name: value for name, value in event._asdict().items() if value not in _EMPTY}
    return json.dumps({"event": type(event).__name__, "run": run, **fields}).encode() + b"\n"


def events_in(lines: Iterable[bytes]) -> Iterator[tuple[str, Written]]:
    """The events that lines tell of, and in which run each has happened.

    What was cut off tells of nothing: the last line, and one to which another run has written on.

    Args:
        lines: each with its end.

    Raises:
        ValueError: a line is none that `line_of` has made.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        head, *rest = line.split(_BEGINS)
        for told in ([head] if head else []) + [_BEGINS + each for each in rest]:
            is_cut = not told.endswith(b"\n")
            try:
                fields = json.loads(told)
                is_cut = False
                yield _event(fields)
            except (
                ValueError,
                TypeError,
                LookupError,
                AttributeError,
                ArithmeticError,
                RecursionError,
            ) as error:
                if not is_cut:
                    why = str(error) if type(error) is ValueError else told.decode(errors="replace")
                    raise ValueError(
                        f"line {number} tells of no event: {spelled(f'{why.strip():.80}')}"
                    ) from None


def last_run(told: Iterable[tuple[str, Written]], run: str | None = None) -> list[Written]:
    """The events of one run.

    Args:
        told: of any number of runs, each with its run.
        run: which; None for the one that began last.

    Raises:
        LookupError: there is no such run.
    """
    found: list[Written] = []
    wanted, names = run, []
    for name, event in told:
        if isinstance(event, RunBegan):
            names.append(name)
            if run is None:
                wanted, found = name, []
        if name == wanted:
            found.append(event)
    if run is not None and run not in names:
        raise LookupError(f"there is no run {run!r}; there is: {', '.join(names) or 'none'}")
    return found


def _event(fields: dict[str, Any]) -> tuple[str, Written]:
    kind = _KINDS[fields.pop("event")]
    run = _text(fields["run"] if kind is RunBegan else fields.pop("run"))
    if unknown := fields.keys() - set(kind._fields):
        raise ValueError(f"{kind.__name__} has no field {min(unknown)!r}")
    values = []
    for name in kind._fields:
        read, nothing = _FIELDS[name]
        if name in fields:
            values.append(read(fields[name]))
        elif nothing is _NEEDED:
            raise ValueError(f"{kind.__name__} lacks its {name}")
        else:
            values.append(nothing)
    return run, kind(*values)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise TypeError(f"{value!r} is no number of a task, and none of bytes")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _time(value: Json) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise TypeError(f"{value!r} is no time")
    return float(value)


def _number(value: Json) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _tasks(value: Json) -> tuple[int, ...]:
    return tuple(map(_whole, value))


def _slowest(value: Json) -> tuple[tuple[float, int, str, int], ...]:
    return tuple((_time(lasts), _whole(index), _text(key), _whole(task)) for lasts, index, key, task in value)


def _state(value: Json) -> str:
    return State(value).value


def _pairs(value: Json) -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(text)) for name, text in value)


def _workers(value: Json) -> dict[str, int | None]:
    return {_text(place): None if many is None else _whole(many) for place, many in value.items()}


_NEEDED: Final = object()
# By the names of fields, which mean the same in all events: how each is read, and what it is where it is left out.
_FIELDS: Final[dict[str, tuple[Callable[[object], object], object]]] = {
    "about": (_pairs, ()),
    "block": (_whole, 0),
    "bytes": (_whole, 0),
    "bytes_kept": (_whole, 0),
    "called_at": (_text, ""),
    "delay": (_time, 0.0),
    "dependencies": (_tasks, ()),
    "detached": (_flag, False),
    "dry_run": (_flag, False),
    "error": (_text, ""),
    "events": (_whole, 0),
    "failed": (_whole, 0),
    "finished": (_time, None),
    "first": (_time, None),
    "given": (_whole, 0),
    "how": (_text, ""),
    "id": (_whole, _NEEDED),
    "item": (_whole, 0),
    "kept_on": (_text, ""),
    "key": (_text, ""),
    "label": (_text, ""),
    "kind": (_text, ""),
    "limit": (_text, ""),
    "loading": (_time, None),
    "name": (_text, ""),
    "optional": (_tasks, ()),
    "order": (_tasks, ()),
    "ordered": (_flag, False),
    "over": (_whole, 0),
    "place": (_text, ""),
    "planning": (_time, 0.0),
    "priority": (_number, 0.0),
    "roots": (_tasks, ()),
    "run": (_text, ""),
    "since": (_time, _NEEDED),
    "slowest": (_slowest, ()),
    "started": (_time, None),
    "state": (_state, _NEEDED),
    "stream": (_whole, 0),
    "taken": (_whole, 0),
    "time": (_time, _NEEDED),
    "total": (_whole, None),
    "window": (_whole, 0),
    "worker": (_text, ""),
    "workers": (_workers, {}),
    "workflow": (_text, None),
}
_KINDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in get_args(Written)}
