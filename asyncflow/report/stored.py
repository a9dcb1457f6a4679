"""A report as JSON, column by column, and back without loss."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from math import isnan
from typing import Any, Final, NoReturn

from .._core.states import STATES, State
from .._core.streamed import SlowItem, Streamed
from .._record.history import NOT_YET, OPTIONAL, ORDER, Ending, History, Site, Totals, Try
from .._show import document

VERSION: Final = 1

_TIMES: Final = ("called", "ready", "staged", "submitted", "started", "finished", "over")
_COLUMNS: Final = {
    each.name: made.typecode for each in fields(History) if isinstance(made := getattr(History(), each.name), array)
}  # fmt: skip
_STREAM: Final[dict[str, type]] = {
    **dict.fromkeys(("name", "called_at", "state"), str),
    **dict.fromkeys(("began", "first", "last"), float),
    "ordered": bool,
}
_OF_ITEMS: Final = ("stream", "item")
_MAY_BE_EMPTY: Final = ("bytes_in", "bytes_out", *_OF_ITEMS)
_PLAIN: Final = {"run": str, "began": float, "now": float, "is_over": bool, "planning": float, "dropped": int}


def to_json(history: History) -> str:
    """Text that tells all that a history does."""
    return "".join(_parts(history))


def _parts(history: History) -> Iterator[str]:
    head = {
        "format": document.format_of("Report"),
        "version": VERSION,
        **{name: getattr(history, name) for name in _PLAIN},
        "dry_run": history.dry_run,
        "about": dict(history.about),
        "workers": dict(history.workers),
        "names": list(history.names),
        "sites": [_as_told(site) for site in history.sites],
        "endings": [[number, *ending] for number, ending in history.endings.items()],
        "loading": [list(each) for each in history.loading.items()],
        "tries": [[number, *map(list, tries)] for number, tries in history.tries.items()],
        "held": [[number, *map(list, spans)] for number, spans in history.held.items()],
        "services": [[number, *end] for number, end in history.services.items()],
        "kept": [[number, *where] for number, where in history.kept.items()],
        "streams": [list(each) for each in history.streams],
        "keys": [list(each) for each in history.keys.items()],
        "labels": [list(each) for each in history.labels.items()],
        "lost": [list(each) for each in history.lost.items()],
        "lost_events": history.lost_events,
        "earlier": {
            name: [dict(each.states), each.run, each.longest] for name, each in history.earlier.items()
        },
    }
    yield json.dumps(head, allow_nan=False)[:-1]
    yield ', "columns": {'
    for place, name in enumerate(_COLUMNS):  # one after another: all as lists would be ten times the text
        values = getattr(history, name).tolist()
        if name in _TIMES:
            values = [None if time != time else time for time in values]  # noqa: PLR0124 - NaN only
        yield f"{', ' * (place > 0)}{json.dumps(name)}: {json.dumps(values, allow_nan=False, separators=(',', ':'))}"
    yield "}}"


def from_json(given: str | bytes) -> History:
    """The history that such a text tells of.

    Raises:
        ValueError: it is no such text, or of a version that is not known here.
    """
    told = document.read(given, "Report", VERSION, _no_number)
    try:
        history = _history(told)
        check(history)
    except ValueError as error:
        raise ValueError(f"no report: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"no report: {type(error).__name__}: {error}") from None
    return history


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


# -- reading ----------------------------------------------------------------------------------------------


def _history(told: Mapping[str, Any]) -> History:
    given: dict[str, Any] = {name: _of(told[name], kind, name) for name, kind in _PLAIN.items()}
    given["dry_run"] = _of(told.get("dry_run", False), bool, "dry_run")  # earlier versions do not tell
    columns = {name: [] for name in _OF_ITEMS} | told["columns"]
    given |= {name: _column(columns[name], name) for name in _COLUMNS}
    return History(
        **given,
        about={  # earlier versions do not tell
            name: _of(text, str, "about") for name, text in told.get("about", {}).items()
        },
        workers={
            place: None if number is None else _of(number, int, "workers")
            for place, number in told["workers"].items()
        },
        names=[_of(name, str, "names") for name in told["names"]],
        sites=[_site(each) for each in told["sites"]],
        endings={
            _of(number, int, "endings"): Ending(
                _of(error, str, "endings"), tuple(_of(root, int, "endings") for root in roots)
            )
            for number, error, roots in told["endings"]
        },
        loading={  # earlier versions do not tell
            _of(number, int, "loading"): _of(since, float, "loading")
            for number, since in told.get("loading", ())
        },
        tries={  # nor of these
            _of(number, int, "tries"): [_try(each) for each in tries]
            for number, *tries in told.get("tries", ())
        },
        held={
            _of(number, int, "held"): [
                (_of(since, float, "held"), _of(until, float, "held")) for since, until in spans
            ]
            for number, *spans in told.get("held", ())
        },
        services={
            _of(number, int, "services"): (_of(at, float, "services"), _of(how, str, "services"))
            for number, at, how in told.get("services", ())
        },
        kept={
            _of(number, int, "kept"): (_of(node, str, "kept"), _of(size, int, "kept"))
            for number, node, size in told.get("kept", ())
        },
        streams=[_stream(each) for each in told.get("streams", ())],
        keys={_of(number, int, "keys"): _of(key, str, "keys") for number, key in told.get("keys", ())},
        labels={
            _of(number, int, "labels"): _of(each, str, "labels") for number, each in told.get("labels", ())
        },
        earlier={name: _totals(*each) for name, each in told["earlier"].items()},
        lost={_of(number, int, "lost"): _of(name, str, "lost") for number, name in told.get("lost", ())},
        lost_events=_of(told.get("lost_events", 0), int, "lost_events"),
    )


def _of(value: Any, kind: type, name: str) -> Any:
    is_right = type(value) in (int, float) if kind is float else type(value) is kind
    if not is_right:
        raise TypeError(f"its {name!r} has {value!r:.100}, and {kind.__name__} is needed")
    return float(value) if kind is float else value


def _as_told(site: Site) -> list[object]:
    """Without what is at the end and as usual."""
    told: list[object] = list(site)
    for name, usual in reversed(Site._field_defaults.items()):
        if getattr(site, name) != usual:
            break
        del told[-1]
    return told


def _site(told: Any) -> Site:
    site = Site(*told)
    for name, value in zip(Site._fields, site, strict=True):
        if name == "detached":  # earlier versions do not tell
            _of(value, bool, "sites")
        elif name == "priority":
            _of(value, float, "sites")
        elif not isinstance(value, str) and (name, value) != ("workflow", None):
            raise TypeError(f"its 'sites' have {value!r:.100} as {name}, and text is needed")
    return site


def _try(told: Any) -> Try:
    known = Try(*told)
    for name, value in known._asdict().items():
        kind = str if name in ("worker", "error") else float
        if value is not None or name not in ("submitted", "started", "finished"):
            _of(value, kind, "tries")
    return known


def _stream(told: Any) -> Streamed:
    stream = Streamed(*told)
    stream = stream._replace(slowest=tuple(SlowItem(*each) for each in stream.slowest))
    for name, value in stream._asdict().items():
        is_open = name in ("total", "first") and value is None
        if name != "slowest" and not is_open:
            _of(value, _STREAM.get(name, int), "streams")
    for each in stream.slowest:
        for value, kind in zip(each, (float, int, str, int), strict=True):
            _of(value, kind, "streams")
    return stream


def _totals(states: Mapping[str, object], run: object, longest: object) -> Totals:
    counts = {State(state).value: _of(number, int, "earlier") for state, number in states.items()}
    return Totals(counts, _of(run, float, "earlier"), _of(longest, float, "earlier"))


def _column(values: object, name: str) -> array[Any]:
    if type(values) is not list:
        raise TypeError(f"its {name!r} are no list")
    if name not in _TIMES:
        return array(_COLUMNS[name], values)
    return array("d", [NOT_YET if time is None else _of(time, float, name) for time in values])


def check(history: History) -> None:
    """See that what refers to something refers to something that is there.

    Raises:
        ValueError: it does not.
    """
    size, edges = len(history.id), len(history.dependencies)
    for name in _COLUMNS:
        length = len(getattr(history, name))
        wanted = edges if name in ("dependencies", "edges") else size + 1 if name == "starts" else size
        if length != wanted and not (name in _MAY_BE_EMPTY and not length):
            raise ValueError(f"its {name!r} are {length:,}, and {wanted:,} are needed")
    wrong = {
        "id": any(one >= other for one, other in pairwise(history.id)) or 0 in history.id,
        "site": _above(history.site, len(history.sites)),
        "worker": _above(history.worker, len(history.names)),
        "state": _above(history.state, len(STATES) + 1) or 0 in history.state,
        "block": any(block >= id for block, id in zip(history.block, history.id, strict=True)),
        "starts": history.starts[0] != 0
        or history.starts[-1] != edges
        or any(one > other for one, other in pairwise(history.starts)),
        "called": any(map(isnan, history.called)),
        "edges": any(edge > ORDER | OPTIONAL for edge in history.edges),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise ValueError(f"something in its {name!r} cannot be")


def _above(column: array[int], size: int) -> bool:
    return any(value >= size for value in column)
