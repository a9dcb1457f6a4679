"""What a check has found, before it is told: one fault of many calls is told once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from .._show.words import counted
from ..plan.tasks import Finding


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one call.

    Args:
        finding: in words.
        key: equal for faults that are the same one: it has no numbers of tasks in it.
    """

    finding: Finding
    key: Hashable


def findings(faults: Iterable[Fault]) -> list[Finding]:
    """The faults, each told once, in the order in which they were first found.

    Args:
        faults: of all calls.
    """
    times: dict[Hashable, int] = {}
    first: dict[Hashable, Finding] = {}
    for fault in faults:
        key = fault.finding.where, fault.key
        times[key] = times.get(key, 0) + 1
        first.setdefault(key, fault.finding)
    return [each if times[key] == 1 else _with_count(each, times[key]) for key, each in first.items()]


def by_place(given: Iterable[Finding]) -> list[Finding]:
    """Findings in the order of the lines that they are at, file by file.

    Args:
        given: in any order; that of the files is the order in which they come first.
    """
    files: dict[str, int] = {}

    def place(finding: Finding) -> tuple[int, int]:
        file, _, rest = finding.where.rpartition(", in ")[0].rpartition(":")
        return files.setdefault(file, len(files)), int(rest) if rest.isdecimal() else 0

    return sorted(given, key=place)


def _with_count(finding: Finding, times: int) -> Finding:
    return replace(finding, what=f"{finding.what} (so in {counted(times, 'call')} of this line)")
