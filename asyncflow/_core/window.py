"""The window of a stream: which items are under way, and which of those that are over is given next. Pure.

An item is *taken* from the source, is *over* when its task has ended, and *given* when the consumer has it. No more
than the window's size are taken and not given: so a consumer that stops stops the source.
"""

from __future__ import annotations

from collections import deque


class Window:
    """The items of one stream, by number; the first is 1.

    Args:
        size: how many items may be taken and not given.
        ordered: whether items are given in the order in which they were taken, or as they are over.
    """

    __slots__ = ("_head", "_over", "_ready", "given", "is_closed", "ordered", "size", "taken")

    def __init__(self, size: int, *, ordered: bool) -> None:
        self.size = size
        self.taken = 0
        self.given = 0
        self.is_closed = False
        """Whether no more items are taken: the source has ended, or the consumer has left."""
        self.ordered = ordered
        self._ready: deque[int] = deque()  # over and not given, in the order in which they will be
        self._over: set[int] = set()  # over, behind one that is not
        self._head = 1  # of an ordered window: the first that is not over

    @property
    def ready(self) -> int:
        """How many items could be given now."""
        return len(self._ready)

    @property
    def over(self) -> int:
        """How many items are over, given or not."""
        return self.given + len(self._ready) + len(self._over)

    @property
    def running(self) -> int:
        """How many items are taken and not over."""
        return self.taken - self.over

    @property
    def is_done(self) -> bool:
        """Whether all that was taken was given, and no more will be taken."""
        return self.is_closed and self.given == self.taken

    def room(self) -> int:
        """How many items may be taken now."""
        return 0 if self.is_closed else self.size - (self.taken - self.given)

    def take(self) -> int:
        """An item is taken. Returns its number."""
        self.taken += 1
        return self.taken

    def end(self, number: int) -> None:
        """An item is over."""
        if not self.ordered:
            self._ready.append(number)
            return
        self._over.add(number)
        while self._head in self._over:
            self._over.discard(self._head)
            self._ready.append(self._head)
            self._head += 1

    def give(self) -> int | None:
        """The number of the item to give next; None if there is none now."""
        if not self._ready:
            return None
        self.given += 1
        return self._ready.popleft()

    def close(self) -> None:
        """Take no more."""
        self.is_closed = True


def least_room(size: int, workers: int) -> int:
    """How much room there is to be before more is taken: a burst of calls costs less than as many single ones. While
    less is taken than that, all workers have something to do, and something to go on with.

    Args:
        size: of the window.
        workers: how many items can run at once.
    """
    return max(1, min(size // 2, size - 2 * workers))
