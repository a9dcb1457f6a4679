"""What has happened during some thousand calls, in arrays, which `record` writes, and `from_logs` and `news` read."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from copy import copy
from typing import Final

from .._core.states import SUCCEEDED
from .history import Ending, Site

LOOP: Final = 1  # the worker that is the event loop
PAUSE: Final = 0  # in the loop's log: from here on the next one begins


class Segment:
    """The logs of some thousand calls, and of what happened meanwhile to these and to earlier ones.

    Args:
        first: number of the first task.
    """

    __slots__ = (
        "admitted",
        "aliases",
        "bad_at",
        "bad_id",
        "bad_root",
        "bad_state",
        "bad_why",
        "batch_at",
        "batch_end",
        "begun",
        "edge_id",
        "edge_n",
        "edges",
        "first",
        "item_at",
        "item_id",
        "item_keys",
        "item_n",
        "item_stream",
        "kept",
        "labels",
        "late_at",
        "late_id",
        "loading",
        "loop_at",
        "loop_id",
        "optional",
        "order_id",
        "order_n",
        "published",
        "ran_began",
        "ran_ended",
        "ran_id",
        "ran_worker",
        "returned",
        "services",
        "sites",
        "staged",
        "submitted",
        "taken_at",
        "taken_end",
        "tried",
        "turn_at",
        "turn_block",
        "turn_id",
        "turn_site",
        "unstopped",
        "voids",
        "whys",
    )

    def __init__(self, first: int) -> None:
        self.first = first
        # From this call on, calls are made here: its number, site, block, and when.
        self.turn_id = array("I")
        self.turn_site = array("I")
        self.turn_block = array("I")
        self.turn_at = array("d")
        self.sites: dict[Site, int] = {}
        # Tasks that wait for others, for how many, and for which.
        self.edge_id = array("I")
        self.edge_n = array("I")
        self.edges = array("I")
        # For how many, the last among them, without taking a value.
        self.order_id = array("I")
        self.order_n = array("I")
        # Tasks in the order in which they were handed over, and how many of them had been so by when.
        self.submitted = array("I")
        self.batch_end = array("Q")
        self.batch_at = array("d")
        # Tasks that a worker has run, and how many of these reports had been taken by when.
        self.ran_id = array("I")
        self.ran_began = array("d")
        self.ran_ended = array("d")
        self.ran_worker = array("H")
        self.taken_end = array("Q")
        self.taken_at = array("d")
        # Tasks that have run on the event loop without waiting: each began when the one before it ended.
        self.loop_id = array("I")
        self.loop_at = array("d")
        # Those that were over later than what has run them: blocks, and tasks whose files were published.
        self.late_id = array("I")
        self.late_at = array("d")
        # Those that gave no value; the first of the tasks because of which, or 0; and what else there is to say.
        self.bad_id = array("I")
        self.bad_state = array("B")
        self.bad_at = array("d")
        self.bad_root = array("I")
        self.bad_why = array("I")
        self.whys: dict[Ending, int] = {}
        self.labels: dict[
            int, str
        ] = {}  # of those among them that have one, and of calls that were given one
        # Those among them whose work had not stopped when the next segment began.
        self.unstopped: list[int] = []
        # What happens to few.
        self.begun: list[tuple[int, float, str]] = []  # only if somebody listens
        self.returned: list[tuple[int, float]] = []
        self.loading: list[tuple[int, float]] = []
        self.staged: list[tuple[int, float, int]] = []
        self.published: list[tuple[int, int]] = []
        self.kept: list[tuple[int, str, int]] = []  # results that stay where they were made: where, and bytes
        # Attempts that have failed and that others follow: of which task, when that was known, the error, the delay.
        self.tried: list[tuple[int, float, str, float]] = []
        self.admitted: list[tuple[int, float, float]] = []  # has waited for limits since then, until then
        self.services: list[tuple[int, float, str]] = []  # that have ended: when, and how
        # Tasks of items of streams, where these are in a row: the first, how many, of which stream, index of the first.
        self.item_id = array("I")
        self.item_n = array("I")
        self.item_stream = array("I")
        self.item_at = array("Q")
        self.item_keys: dict[int, str] = {}
        self.voids: set[int] = set()  # numbers that no task has
        # Of futures that are no tasks: those that make what they are of. Which of them may do without a value.
        self.aliases: dict[int, tuple[int, ...]] = {}
        self.optional: set[int] = set()

    def copied(self) -> Segment:
        """Another with the same logs, which stays as it is while this one is written to."""
        other = Segment.__new__(Segment)
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(other, name, value if isinstance(value, int) else copy(value))
        return other


def ends(segment: Segment) -> Iterator[tuple[int, int, float]]:
    """What a segment tells of ends: the number of a task, how it ended, and how long it ran.

    One that ran, and of whose end more is told than that, is there twice: when it ran with 0 for its state.

    Args:
        segment: which.
    """
    told = {*segment.bad_id, *segment.late_id, *(each[0] for each in segment.tried)}
    for task_id, state in zip(segment.bad_id, segment.bad_state, strict=True):
        yield task_id, state, 0.0
    for task_id in segment.late_id:
        yield task_id, SUCCEEDED, 0.0
    for task_id, began, ended in zip(segment.ran_id, segment.ran_began, segment.ran_ended, strict=True):
        yield task_id, 0 if task_id in told else SUCCEEDED, ended - began
    before = 0.0
    for task_id, at in zip(segment.loop_id, segment.loop_at, strict=True):
        if task_id != PAUSE:
            yield task_id, 0 if task_id in told else SUCCEEDED, at - before
        before = at
