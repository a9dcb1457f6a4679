"""Copies large buffers on a thread of its own, so that the event loop goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class Porter:
    """One thread, started with the first job. Jobs must not raise."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def carry(self, job: Job) -> None:
        """Queue a job."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="asyncflow-porter", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # with the buffers that it holds, before the next one is waited for

    def dismiss(self) -> None:
        """Finish what was asked for, and end."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
