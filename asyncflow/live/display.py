"""Shows how a run stands, until it is over, from a thread of its own. It cannot hurt the run: what goes wrong with it
is logged, and it is shown no more.

The numbers are taken on the event loop, in well under a millisecond; they are made into what is shown on the thread,
which waits for the terminal and keeps nobody else waiting. What both cost is measured, and the pause until the next
time is so long that it is no more than a hundredth of all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, perf_counter, thread_time
from typing import Final

from .._files.aside import aside
from .counts import CountsOfRun, Watched
from .painters import Painter, painter_for
from .progress import Progress

_log = logging.getLogger("asyncflow")
_SHARE: Final = 0.006
_PATIENCE: Final = 1.0  # seconds after which the last numbers are shown again: the loop is busy
_GRACE: Final = 2.0  # seconds for a terminal that does not take the last of it


class Display:
    """Shows one run.

    Args:
        run: that records.
        counts: takes how it stands, on its event loop.
        painter: shows it; given what is to be called when it wants to be painted soon.
        places: tells at the end where there is more to be seen.
    """

    def __init__(
        self,
        run: Watched,
        counts: CountsOfRun,
        painter: Callable[[Callable[[], None]], Painter] = painter_for,
        places: Callable[[Progress], Progress] = lambda progress: progress,
    ) -> None:
        self._run = run
        self._places = places
        self._counts = counts
        self._changed = threading.Condition()
        self._is_ending = self._says = False
        self._wants_flush = False
        self._taken: Progress | None = None
        self._last: Progress | None = None
        self._at = perf_counter()
        self.cost = 0.0
        """Seconds of a processor that it has taken, but for what was read when segments of the record ended."""
        self._paid = 0.0  # of these, those after which it has paused
        self._is_asked = False
        self._has_failed = False
        self._painter = painter(self._wake)
        self._thread = threading.Thread(target=self._work, name="asyncflow-live", daemon=True)

    def begin(self) -> None:
        """Show it from now on."""
        self._painter.begin(self._take)
        self._thread.start()

    async def close(self, says: bool = True) -> None:
        """Show how it stands now, and nothing any more; to be called on the run's event loop.

        Args:
            says: whether a summary is to be written.
        """
        self._take()
        self._counts.close()
        if self._painter.on_loop:
            self._end(says)
        else:
            await aside(lambda: self._end(says))

    def abandon(self) -> None:
        """Stop at once, from any thread."""
        self._end(False)

    def _end(self, says: bool) -> None:
        with self._changed:
            if self._is_ending:
                return
            self._is_ending, self._says = True, says
            self._changed.notify_all()
        self._thread.join(_GRACE)
        if self._painter.on_loop:
            self._say()  # else the thread does: a terminal that takes nothing keeps nobody waiting

    def _say(self) -> None:
        """Show how it ended."""
        if not self._has_failed:
            last = self._places(self._last) if self._says and self._last else None
            self._guarded(lambda: self._painter.end(last))

    # -- on the loop --------------------------------------------------------------------------------------

    def _take(self) -> None:
        began = thread_time()
        try:
            self._counts.catch_up()
            began = thread_time()  # what was caught up with had to be done anyway
            progress = self._counts.take()
            if self._painter.on_loop:
                self._painter.paint(progress)
        except Exception:
            self._failed()
            return
        with self._changed:
            self._is_asked = False
            self._taken = self._last = progress
            self._at = perf_counter()
            self.cost += thread_time() - began
            self._changed.notify_all()

    # -- on the thread ------------------------------------------------------------------------------------

    def _wake(self) -> None:
        with self._changed:
            self._wants_flush = True
            self._changed.notify_all()

    def _work(self) -> None:
        self._show()
        if not self._painter.on_loop:
            self._say()

    def _show(self) -> None:
        while not self._is_ending and not self._has_failed:
            if not self._ask():
                return
            began = thread_time()
            if self._taken is not None:
                self._taken = None
                self._guarded(self._paint)
            elif self._last is not None:
                self._guarded(self._paint_again)
            with self._changed:
                self.cost += thread_time() - began
                cost, self._paid = self.cost - self._paid, self.cost
            self._rest(monotonic() + max(self._painter.pause, cost / _SHARE))

    def _ask(self) -> bool:
        """Have the numbers taken, and wait for them. Returns whether the run goes on."""
        loop = self._run.loop
        if loop.is_closed():
            return False
        with suppress(RuntimeError):
            if not self._is_asked:
                self._is_asked = True
                loop.call_soon_threadsafe(self._take)
        with self._changed:
            self._changed.wait_for(lambda: self._taken or self._is_ending or self._has_failed, _PATIENCE)
            if self._taken is None:
                self._is_asked = False  # Ctrl-C may have lost it on the loop
        return True

    def _paint(self) -> None:
        if self._last is not None and not self._painter.on_loop:
            self._painter.paint(self._last)

    def _paint_again(self) -> None:
        """The loop has not answered."""
        assert self._last is not None
        late = perf_counter() - self._at
        if not self._painter.on_loop:
            holds = f"the event loop has been held up for {late:.0f} s by code that does not await"
            self._painter.paint(self._last._replace(lasts=self._last.lasts + late, holds=holds))

    def _rest(self, until: float) -> None:
        """Wait for the time of the next painting; what is printed meanwhile is shown."""
        while not self._is_ending and not self._has_failed:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_ending or self._wants_flush, max(0.0, until - monotonic())
                )
                flushes, self._wants_flush = self._wants_flush, False
            if flushes:
                self._guarded(self._painter.flush)
                with self._changed:  # not more often than that, however much is printed
                    self._changed.wait_for(lambda: self._is_ending, 0.04)
            if monotonic() >= until:
                return

    def _guarded(self, paint: Callable[[], None]) -> None:
        try:
            paint()
        except Exception:
            self._failed()

    def _failed(self) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        with suppress(Exception):
            self._painter.end(None)
        _log.exception("the display of progress raised, and is shown no more; the run goes on")
