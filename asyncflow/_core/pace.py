"""How much work goes to a backend, and to one worker, at a time. Pure: times are measured elsewhere and told."""

from __future__ import annotations

from typing import Final

MOST: Final = 500
"""Tasks that are submitted at a time, so that a large burst leaves others on the same event loop their turns."""
FRAME_SECONDS: Final = 0.001
"""Seconds of work in one frame: long against what a frame costs to send, short against what anybody notices."""
AHEAD: Final = 0.002
"""Seconds of work that a worker may have before it is given more, so that it need not wait for us."""
_WEIGHT: Final = 0.2  # of the newest measurement
_MOST: Final = 256  # calls in one frame
_WINDOW: Final = 4000
_WINDOW_EACH: Final = 512  # for each worker: several chains


class Pace:
    """The run time of one function, as measured so far."""

    __slots__ = ("_weight", "seconds")

    def __init__(self) -> None:
        self.seconds = FRAME_SECONDS  # until it is known: one call a frame
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
