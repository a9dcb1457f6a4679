"""The checks of a plan's wiring: all that is wrong for sure, at once, each with the user's line and what would mend it.

Pure: they look at what a rehearsal has seen and at nothing else. Whatever a check cannot know is no finding, for one
false alarm costs more trust than ten misses; and no annotation and no value, however strange, makes one fail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from .._core.rehearsed import Lack, Rehearsed
from ..plan.tasks import Finding
from . import edges, files, others, pickles, returned, unused
from .faults import Fault, findings
from .seen import Seen

__all__ = ["findings_of"]

_OF_A_CALL: Final[tuple[Callable[[Rehearsed, Seen], Iterator[Fault]], ...]] = (
    edges.faults_of,
    edges.example_faults,
    returned.handed_on_faults,
)
_OF_ALL: Final[tuple[Callable[[Seen], Iterator[Fault]], ...]] = (
    others.lack_faults,
    files.input_faults,
    files.writer_faults,
    pickles.result_faults,
    pickles.argument_faults,
    others.iterator_faults,
    others.hidden_faults,
    unused.faults_of_all,
    returned.nothing_faults,
)


def findings_of(
    calls: Sequence[Rehearsed],
    task_of: Callable[[Any], int | None],
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
    seen = Seen(calls, task_of, exists, implicit_data, lacks, is_over)
    found = [fault for call in calls for check in _OF_A_CALL for fault in _quietly(lambda: check(call, seen))]  # noqa: B023
    for check_all in _OF_ALL:
        found += _quietly(lambda: check_all(seen))  # noqa: B023
    return findings(found)


def _quietly(check: Callable[[], Iterator[Fault]]) -> list[Fault]:
    """What a check finds until something of the user's, which it looks at, goes wrong under it."""
    found: list[Fault] = []
    try:
        found.extend(check())
    except KeyboardInterrupt:
        raise
    except BaseException:  # an annotation, a class, a value: all may run code of the user's when looked at
        pass
    return found
