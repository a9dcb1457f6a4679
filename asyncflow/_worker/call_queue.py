"""The calls that a worker process has and has not begun."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable

from . import wire
from .records import NEVER, NOBODY, Records

Call = tuple[int, int, object, int]
"""Task id, flags, payload, and memory file or -1. The payload: function number and plain arguments; or those and any
keyword arguments pickled; or the sizes of what is in the file, which is the same."""


class CallQueue:
    """Calls in the order in which they are run. The main thread takes them from the front, and both threads give back
    what is at the end: each call is popped once, and whoever has popped it either runs it or records that it has not
    begun. So no lock is needed, but whatever was seen in the queue may be gone at the next look.

    Args:
        records: where it is told what is given back.
    """

    def __init__(self, records: Records) -> None:
        self.queue: deque[Call] = deque()
        self._records = records
        self._is_open = True

    def take(self, calls: Iterable[tuple[int, int, object]], files: list[int]) -> None:
        """Take the calls of a packet; a worker that retires gives them back at once, but for those that go on with
        generators which it has.

        Args:
            calls: id, flags and payload of each.
            files: the memory files that have come with them, in this order.
        """
        refused: list[int] = []
        for task_id, flags, payload in calls:
            file = files.pop(0) if flags & wire.IN_FILE else -1
            if self._is_open or flags & wire.PINNED:
                self.queue.append((task_id, flags, payload, file))
                continue
            refused.append(task_id)
            if file >= 0:
                os.close(file)
        if refused:
            self._records.add(wire.NOT_BEGUN, NOBODY, NEVER, refused)

    def retire(self, why: str) -> None:
        """Give up all that has not begun, and whatever still comes.

        Args:
            why: the worker takes no more.
        """
        if self._is_open:
            self._is_open = False
            self.hand_back()
            self._records.add(wire.RETIRES, NOBODY, NEVER, why)

    def link_follows(self) -> bool:
        """Whether the next call goes on with the value of the one that has just run."""
        try:
            return bool(self.queue[0][1] & wire.LINKED)
        except IndexError:
            return False

    def hand_back_links(self) -> None:
        """What follows a call without a value is not begun; said first, so that its story shows no start."""
        task_ids = []
        while self.link_follows():
            try:
                task_ids.append(self.queue.popleft()[0])
            except IndexError:  # the other thread has just given it back
                break
        if task_ids:
            self._records.add(wire.NOT_BEGUN, NOBODY, NEVER, task_ids)

    def hand_back(self) -> None:
        """Give up all that has not begun; on either thread."""
        task_ids = []
        while True:
            try:
                task_id, _, _, file = self.queue.pop()
            except IndexError:
                break
            task_ids.append(task_id)
            if file >= 0:
                os.close(file)
        if task_ids:
            self._records.add(wire.NOT_BEGUN, NOBODY, NEVER, task_ids[::-1])
