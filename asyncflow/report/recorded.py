"""A report in WfFormat 1.5, the JSON in which WfCommons records executions (wfcommons.org)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from .._graph import wfformat
from .._graph.network import in_order
from .._show.words import plain
from . import waits
from .busy import busy
from .ran import Ran
from .rows import NOBODY, Rows
from .tasks import bytes_of

_NOT_IN_HOSTS: Final = re.compile(r"[^0-9a-zA-Z]+")
_LABEL: Final = 63  # characters of a host's name at most
_LATEST: Final = 253402300799.0  # the last second of the year 9999


def recorded(rows: Rows, name: str) -> dict[str, Any]:
    """The format's whole document, for `json.dump`.

    Raises:
        ValueError: there are no tasks.
    """
    is_task = [not rows.is_block(row) for row in range(len(rows))]
    if not any(is_task):
        raise ValueError("a report without tasks cannot be told in WfFormat, which demands one")
    history = rows.history
    used: set[str] = set()
    ids = {
        row: wfformat.task_id(_name(rows, row), history.id[row], used)
        for row, is_one in enumerate(is_task)
        if is_one
    }
    after = _network(rows, is_strict=False)
    order = in_order(after)
    if len(order) < len(after):  # tasks that took no time stand on a circle
        after = _network(rows, is_strict=True)
        order = in_order(after)
    waits_for = wfformat.parents(after, order, is_task)
    specified = wfformat.specified(ids, waits_for, lambda row: _name(rows, row), lambda row: ([], []))
    return wfformat.document(name or "report", specified, [], _execution(rows, ids))


def _network(rows: Rows, *, is_strict: bool) -> Sequence[Sequence[int]]:
    """What comes after each task, and after the closing of each block, which are points behind those of all rows.

    A block closes after what was called inside and had ended by then, or, if that is strict, before then.
    """
    size, ends = len(rows), rows.ends
    blocks = [row for row in range(size) if rows.is_block(row)]
    closings = {row: size + number for number, row in enumerate(blocks)}
    after: list[list[int]] = [[] for _ in range(size + len(blocks))]
    filled: set[int] = set()
    for row in range(size):
        for need in rows.needs(row):
            after[closings.get(need, need)].append(row)
        block = rows.block(row)
        if block == NOBODY:
            continue
        after[block].append(row)
        if ends[row] < ends[block] or (ends[row] == ends[block] and not is_strict):
            filled.add(block)
            after[closings.get(row, row)].append(closings[block])
    for block in blocks:
        if block not in filled:
            after[block].append(closings[block])
    return after


def _execution(rows: Rows, ids: dict[int, str]) -> dict[str, Any] | None:
    history = rows.history
    hosts = _hosts(history.names)
    ran: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row, id in ids.items():
        told = waits.times(history, row)
        if told.started == told.finished and history.started[row] != told.started:
            continue
        task = {
            "id": id,
            "runtimeInSeconds": told.finished - told.started,
            "executedAt": _date(history.began + told.started),
            "command": {"program": _name(rows, row), "arguments": []},
        }
        if history.bytes_in:
            task["readBytes"] = bytes_of(history, row, "bytes_in")
        if history.bytes_out:
            task["writtenBytes"] = bytes_of(history, row, "bytes_out")
        if host := hosts[history.worker[row]]:
            task["machines"] = [host]
            seen.add(host)
        ran.append(task)
    if not ran:
        return None
    execution: dict[str, Any] = {
        "makespanInSeconds": busy(rows, Ran(rows)).execution,
        "executedAt": _date(history.began),
        "tasks": ran,
    }
    if seen:
        execution["machines"] = [{"nodeName": host} for host in hosts if host in seen]
    return execution


def _name(rows: Rows, row: int) -> str:
    return plain(rows.history.sites[rows.history.site[row]].name) or "task"


def _hosts(names: Sequence[str]) -> list[str]:
    """Names of workers as the format allows them for machines, each another; "" for one that is not known."""
    hosts: list[str] = []
    used: set[str] = set()
    for name in names:
        host = ""
        if name:
            host = _NOT_IN_HOSTS.sub("-", name[:_LABEL]).strip("-") or "worker"
            number = 1
            while host in used:
                number += 1
                host = f"{host[: _LABEL - 8].rstrip('-')}-{number}"
            used.add(host)
        hosts.append(host)
    return hosts


def _date(moment: float) -> str:
    return datetime.fromtimestamp(min(max(moment, 0.0), _LATEST), UTC).isoformat()
