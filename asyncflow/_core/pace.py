"""How much work goes to a backend, and to one worker, at a time. Pure: times are measured elsewhere and told."""

from __future__ import annotations

from typing import Final

MOST: Final = 500
"""Tasks that are submitted at a time, so that a large burst leaves others on the same event loop their turns."""
FRAME_SECONDS: Final = 0.001
"""Seconds of work in one frame: long against what a frame costs to send, short against what anybody notices."""
FRAME_LEAST: Final = 5e-5
"""Seconds of work that are not spread over several workers: sending one more frame takes as long."""
AHEAD: Final = 0.002
"""Seconds of work that a worker may have before it is given more, so that it need not wait for us."""
_WEIGHT: Final = 0.2  # of the newest measurement
_MOST: Final = 256  # calls in one frame
_LEAST: Final = 5e-5  # seconds that a task takes at least, with what it costs to hand it over
_WINDOW: Final = 4000
_WINDOW_EACH: Final = 512  # for each worker: several chains
_ORDERED_AHEAD: Final = (AHEAD, 0.04)
"""Seconds of work that a worker may have before it where order matters: long against a turn of the loop, in which it is
given more, and short against what anybody notices who is in a hurry. More of it where the loop's turns are long."""


class Pace:
    """The run time of one function, as measured so far.

    Args:
        guess: seconds that a call takes, as long as that is not known. With `FRAME_SECONDS` it is one call a frame.
    """

    __slots__ = ("_weight", "seconds")

    def __init__(self, guess: float = FRAME_SECONDS) -> None:
        self.seconds = guess
        self._weight = (
            1.0  # of the next measurement: that of the first is known at once, and then a mean of all
        )

    def saw(self, seconds: float) -> None:
        """Take the run time of one call into account."""
        weight = self._weight
        self.seconds += (seconds - self.seconds) * weight
        if weight > _WEIGHT:
            self._weight = weight / (1 + weight)


def window(workers: int) -> int:
    """The number of tasks after which a backend is handed no more: it is busy while the engine does other things. A
    chain is not cut for it."""
    return max(_WINDOW, _WINDOW_EACH * workers)


def share(waiting: int, workers: int) -> int:
    """The most calls to send in one frame, so that few waiting calls are spread over all free workers."""
    return min(_MOST, -(-waiting // max(1, workers)))


class Ahead:
    """How many tasks a place is handed where their order matters: what it has goes in the order in which it came, so it
    has no more than it needs. That is a task for each worker, and behind these what they do in a moment, by how long
    those took that were run there. Where workers have run out of tasks all the same, the moment was too short.

    Args:
        workers: of the place.
    """

    __slots__ = ("_moment", "_seconds", "_workers", "taken")

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._moment = _ORDERED_AHEAD[0]
        self._seconds: float | None = None  # that a task takes; None until that is known
        self.taken = 0
        """How many tasks it had when it was handed some last."""

    def saw(self, seconds: float) -> None:
        """Take the run time of one task into account."""
        seconds = max(seconds, _LEAST)
        if self._seconds is None:
            self._seconds = seconds
        self._seconds += (seconds - self._seconds) * _WEIGHT

    def capacity(self, taken: int) -> int:
        """How many tasks it may have, which has so many now."""
        least, most = _ORDERED_AHEAD
        if taken < self._workers < self.taken:
            self._moment = min(most, self._moment * 2)
        elif taken < self.taken:
            self._moment = max(least, self._moment * 0.9)
        self.taken = taken
        if self._seconds is None:
            return self._workers
        return self._workers + int(self._workers * self._moment / self._seconds)
