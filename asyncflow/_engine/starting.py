"""The start of a run, which begins again where somebody has cancelled all that ran on the event loop."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .._runtime.home import Home

_AGAIN: Final = 0.01  # seconds after which it begins again, if the loop goes on


class Starting:
    """Starts the runs of an engine, one after another. When the engine is gone, nothing begins again."""

    def __init__(self) -> None:
        self._run: Home | None = None
        self._start: Callable[[], Coroutine[object, object, None]] | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, run: Home, start: Callable[[], Coroutine[object, object, None]]) -> None:
        """Begin to start a run.

        Args:
            run: which.
            start: starts it.
        """
        self._run, self._start = run, start
        self._begin()

    def _begin(self) -> None:
        this = weakref.ref(self)
        run, start = self._run, self._start
        assert run is not None
        assert start is not None

        def begun(task: asyncio.Task[None]) -> None:
            # Who called a task learns of a failed start from its future; who awaits the start, there.
            if not task.cancelled():
                task.exception()
                return
            # Somebody has cancelled all that ran on the loop, perhaps to close it next.
            run.loop.call_later(_AGAIN, again, task)

        def again(task: asyncio.Task[None]) -> None:
            starting = this()
            if starting is not None and starting._task is task and run.closed is None:
                starting._begin()

        self._task = run.loop.create_task(start())
        self._task.add_done_callback(begun)

    async def over(self) -> None:
        """Wait until the run has started; who is cancelled here does not cancel that.

        Raises:
            Exception: it could not.
        """
        while True:
            task = self._task
            assert task is not None
            await asyncio.wait([task])
            if not task.cancelled():
                return task.result()
            if self._task is task:
                self._begin()
