"""What a check has found, before it is told: one problem of many calls is told once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from .._show.words import counted
from ..plan.tasks import Finding


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one call.

    Args:
        finding: in words.
        key: equal for problems that are the same one: it has no numbers of tasks in it.
    """

    finding: Finding
    key: Hashable


def findings(problems: Iterable[Problem]) -> list[Finding]:
    """The problems, each told once, in the order in which they were first found."""
    times: dict[Hashable, int] = {}
    first: dict[Hashable, Finding] = {}
    for problem in problems:
        key = problem.finding.where, problem.key
        times[key] = times.get(key, 0) + 1
        first.setdefault(key, problem.finding)
    return [each if times[key] == 1 else _with_count(each, times[key]) for key, each in first.items()]


def _with_count(finding: Finding, times: int) -> Finding:
    return replace(finding, what=f"{finding.what} (so in {counted(times, 'call')} of this line)")
