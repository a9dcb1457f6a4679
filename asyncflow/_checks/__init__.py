"""The checks of a plan's wiring: all that is wrong for sure, at once, each with the user's line and what would mend it.

Pure: they look at what a rehearsal has seen and at nothing else. Whatever a check cannot know is no finding, for one
false alarm costs more trust than ten misses; and no annotation and no value, however strange, makes one fail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from ..plan.rehearsed import Lack, RehearsedCall
from ..plan.tasks import Finding
from . import edges, files, others, pickles, returned, unused
from .call_graph import CallGraph
from .problems import Problem, findings

__all__ = ["findings_of"]

_OF_A_CALL: Final[tuple[Callable[[RehearsedCall, CallGraph], Iterator[Problem]], ...]] = (
    edges.problems_of,
    edges.example_problems,
    returned.handed_on_problems,
)
_OF_ALL: Final[tuple[Callable[[CallGraph], Iterator[Problem]], ...]] = (
    others.lack_problems,
    files.input_problems,
    files.writer_problems,
    pickles.result_problems,
    pickles.argument_problems,
    others.iterator_problems,
    others.hidden_problems,
    unused.problems_of_all,
    returned.nothing_problems,
)


def findings_of(
    calls: Sequence[RehearsedCall],
    task_of: Callable[[object], int | None],
    *,
    exists: Callable[[str], bool] = files.exists,
    implicit_data: bool = True,
    is_over: Callable[[int, int], bool] | None = None,
    lacks: Collection[Lack] = (),
) -> list[Finding]:
    """All that is wrong with how tasks are wired. It never raises.

    Args:
        calls: in the order in which they were made.
        task_of: the number of the task whose future something is; None if it is none.
        exists: whether a path leads to something.
        implicit_data: whether commands leave files to those that depend on them without declaring them.
        is_over: whether a task is over when a later one is called, because code has waited for it, both by number;
            None if nobody knows.
        lacks: what code has asked results for that their classes have not.
    """
    graph = CallGraph(calls, task_of, exists, implicit_data, lacks, is_over)
    found = [each for call in calls for check in _OF_A_CALL for each in _quietly(lambda: check(call, graph))]  # noqa: B023
    for check_all in _OF_ALL:
        found += _quietly(lambda: check_all(graph))  # noqa: B023
    return findings(found)


def _quietly(check: Callable[[], Iterator[Problem]]) -> list[Problem]:
    """What a check finds until something of the user's, which it looks at, goes wrong under it."""
    found: list[Problem] = []
    try:
        found.extend(check())
    except KeyboardInterrupt:
        raise
    except BaseException:  # an annotation, a class, a value: all may run code of the user's when looked at
        pass
    return found
