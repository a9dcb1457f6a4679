"""The process backend: what users choose, and what the engine talks to. The work is done in `worker_pool`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ..._core.given import whole_or_none
from ...backend import Concurrency, ExecutionBackend, Report, Work
from ..thread import usable_cpus
from .imported import refuse_while_imported
from .interpreter import interpreter
from .options import ProcessKeywords, ProcessOptions, shows_process_options
from .program import ThisProgram
from .start_with import math_variables
from .worker_pool import WorkerPool, exchange_here


@shows_process_options
class ProcessBackend(ExecutionBackend):
    """Worker processes on this machine (Linux 5.3 or later).

    They are fresh interpreters that never run the main script again, started when work needs them, replaced when they
    die, and ended by the kernel when the engine's process ends in whatever way. Each has the environment and the
    directory that this program has at the moment when it is started, and the interpreter's flags (``-O``, ``-W``,
    ``-X`` and so on).

    Args:
        workers: the most of them; None for as many as there are usable CPUs.
        python: path of the interpreter; None for the one that runs this program. A program that was frozen, or that has
            Python built in, has none, and needs one here with all that the tasks import.
        options: of worker processes.
    """

    name = "process"
    concurrency = Concurrency.PARALLEL
    runs_coroutines = True
    can_kill = True
    needs_pickle = True
    takes_chains = True
    keeps_event_loop = True
    reports_runs = True
    keeps_generators = True

    def __init__(
        self,
        workers: int | None = None,
        *,
        python: str | None = None,
        **options: Unpack[ProcessKeywords],
    ) -> None:
        self.workers: int = whole_or_none("workers", workers) or usable_cpus()
        self._python = python
        self._options = ProcessOptions(**options)
        self._pool: WorkerPool | None = None

    async def start(self, report: Report) -> None:
        """Processes are started with the first work that needs them.

        Raises:
            RuntimeError: there is no interpreter to run in them, or this is a worker process that imports a module.
        """
        refuse_while_imported()
        self.abandon()  # what an engine that was shut down without its backends has left
        options = self._options
        threads = options.math_threads or max(1, usable_cpus() // self.workers)
        program = ThisProgram(self._python or interpreter(), math_variables(threads), options.start_with())
        self._pool = WorkerPool(self.workers, report, program, options.bounds, exchange_here())

    def submit(self, batch: Sequence[Work]) -> None:
        """Give the work out."""
        assert self._pool is not None
        self._pool.submit(batch)

    async def cancel(self, task_id: int) -> bool:
        """Stop a task: asked first, killed after the grace time."""
        return self._pool is not None and self._pool.cancel(task_id)

    async def close_generator(self, number: int) -> None:
        """Close a generator in its process."""
        if self._pool is not None:
            await self._pool.close_generator(number)

    def look_now(self) -> None:
        """Report which tasks run."""
        if self._pool is not None:
            self._pool.look_now()

    def recover(self, submitted: Sequence[int], lost: Sequence[int]) -> Sequence[int]:
        """Replace the processes of which nobody knows any more what they have."""
        return self._pool.recover(submitted) if self._pool is not None else submitted

    async def shutdown(self, *, grace: float) -> list[int]:
        """End all processes."""
        if self._pool is None:
            return []
        left = await self._pool.leave(grace)
        self._pool = None  # not before: Ctrl-C may come meanwhile, and then there is another shutdown
        return left

    def abandon(self) -> None:
        """Kill all processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.abandon()
