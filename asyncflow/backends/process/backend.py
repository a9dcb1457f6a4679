"""The process backend: what users choose, and what the engine talks to. The work is done in `worker_pool`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..._core.given import duration, whole, whole_or_none
from ...backend import Concurrency, ExecutionBackend, Report, Work
from ..thread import usable_cpus
from .imported import refuse_while_imported
from .interpreter import interpreter
from .program import ThisProgram
from .start_with import checked, math_variables, start_with
from .worker_pool import Bounds, WorkerPool, exchange_here


class ProcessBackend(ExecutionBackend):
    """Worker processes on this machine (Linux 5.3 or later).

    They are fresh interpreters that never run the main script again, started when work needs them, replaced when they
    die, and ended by the kernel when the engine's process ends in whatever way. Each has the environment and the
    directory that this program has at the moment when it is started, and the interpreter's flags (``-O``, ``-W``,
    ``-X`` and so on).

    Args:
        workers: the most of them; None for as many as there are usable CPUs.
        recycle_after: tasks after which a process is replaced by a fresh one; 0 for never.
        most_memory: bytes that a process may hold when a task is over before it is replaced; 0 for any.
        stop_grace: seconds that a cancelled or timed-out task has to end by itself before its process is killed.
        math_threads: threads that numerical libraries use in each process; None to share the CPUs evenly. A variable
            that is set in the environment (``OMP_NUM_THREADS`` and the like) stays as it is.
        python: path of the interpreter; None for the one that runs this program. A program that was frozen, or that has
            Python built in, has none, and needs one here with all that the tasks import.
        initializer: called once in each process before its first task, as to open a connection or to load a model that
            tasks then find in a global name. What it sets in the process stays. When it fails, the tasks of its process
            fail with its error.
        initargs: what it is called with.
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
        recycle_after: int = 0,
        most_memory: int = 0,
        stop_grace: float = 1.0,
        math_threads: int | None = None,
        python: str | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[object] = (),
    ) -> None:
        self.workers: int = whole_or_none("workers", workers) or usable_cpus()
        self._recycle_after = whole("recycle_after", recycle_after, 0)
        self._most_memory = whole("most_memory", most_memory, 0)
        self._stop_grace = duration("stop_grace", stop_grace)
        threads = whole_or_none("math_threads", math_threads)
        self._math_threads = threads or max(1, usable_cpus() // self.workers)
        self._python = python
        self._initializer = checked(initializer)
        self._initargs = tuple(initargs)
        self._pool: WorkerPool | None = None

    async def start(self, report: Report) -> None:
        """Processes are started with the first work that needs them.

        Raises:
            RuntimeError: there is no interpreter to run in them, or this is a worker process that imports a module.
        """
        refuse_while_imported()
        self.abandon()  # what an engine that was shut down without its backends has left
        program = ThisProgram(
            self._python or interpreter(),
            math_variables(self._math_threads),
            start_with(self._initializer, self._initargs),
        )
        bounds = Bounds(self._recycle_after, self._most_memory, self._stop_grace)
        self._pool = WorkerPool(self.workers, report, program, bounds, exchange_here())

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
