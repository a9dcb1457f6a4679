"""The contract between the engine and whatever does the work.

A backend is handed work that is ready to run and reports what becomes of it. It never sees a future, a task's
state or the graph, and it decides nothing: no retry, no limit, no order between tasks.

    engine -> backend    start(report)   submit([work, ...])   cancel(task_id)   shutdown(...)
    backend -> engine    report([(STARTED, 7, None), (SUCCEEDED, 7, value), ...])

To write one: subclass `ExecutionBackend`, register the class under the entry-point group ``asyncflow.backends``,
and let `asyncflow.testing.conformance` tell whether it keeps its promises.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import Context
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol, final

from ._core.carried_files import FILE, FOLDER, LINK, CarriedFiles, Entry
from ._core.containers import pass_as_they_are
from ._worker.chain import PREVIOUS
from ._worker.kept import noted, taken
from .errors import ResultLost

__all__ = [
    "CANCELLED",
    "FAILED",
    "FILE",
    "FOLDER",
    "INTERRUPTED",
    "LINK",
    "LOADING",
    "LOST",
    "PREVIOUS",
    "RAN",
    "RETURNED",
    "STARTED",
    "SUCCEEDED",
    "WAITS",
    "CarriedFiles",
    "Concurrency",
    "Entry",
    "Event",
    "ExecutionBackend",
    "Kept",
    "Report",
    "Work",
    "pass_as_they_are",
]

STARTED: Final = 0
"""The work has begun. Payload: None, or when it began and a name for the worker, as for `RAN`. May be left out for work
that is over at once."""
SUCCEEDED: Final = 1
"""The work is over. Payload: the value it returned; or, of a backend that `keeps_results`, a `Kept` in its place."""
FAILED: Final = 2
"""The work is over. Payload: the exception it raised, of any kind, `BaseException` included."""
CANCELLED: Final = 3
"""The work has stopped, or never began, because `cancel` was called. Payload: None."""
RETURNED: Final = 4
"""The work was not begun and will not be: the engine may submit it again. Payload: None."""
RAN: Final = 5
"""When and where the work has run, told before its end by a backend that `reports_runs`. Payload: when it began and
when it ended, by the clock of `time.perf_counter` in this process, and a name for the worker."""

LOADING: Final = 6
"""Since when a worker was being made ready for the work: its process was started, or what the work needs was imported
there. Told before the work is told to be over, if it took long enough to be worth it. Payload: the moment, by the clock
of `time.perf_counter` in this process."""

INTERRUPTED: Final = 7
"""Something like Ctrl-C came out of the backend's own code on the engine's loop: the engine asks it to `recover`. The
id and the payload mean nothing."""

WAITS: Final = 8
"""The backend `waits` for something to run work on, and has for so long that its user should hear of it: the engine
warns, once. The id and the payload mean nothing."""

LOST: Final = 9
"""The work was not begun and will not be, because a kept result among its arguments is no more. Payload: that `Kept`,
and why in words."""


@final
class Kept:
    """A result that stays where it was made: a backend that `keeps_results` reports it in place of the value.

    Nobody looks into it. Work that takes the result and runs on the same backend is submitted with this object among
    its arguments, perhaps inside containers; for all others, and for whoever awaits it, the engine has it fetched. When
    the last that could ask for it is gone, so is this object, and `let_go` is called.

    Args:
        node: where the bytes are, for people: "node7".
        size: how many bytes there are.
        key: means something to the backend alone.
        let_go: called once, when nobody can ask for the result any more. That may be on any thread, and in the midst of
            anything: it may only take note of it.
    """

    __slots__ = ("_let_go", "_maker", "key", "node", "size")

    def __init__(self, node: str, size: int, key: Hashable, let_go: Callable[[], object]) -> None:
        self.node = node
        self.size = size
        self.key = key
        self._let_go = let_go
        self._maker: tuple[int, str, str | None] = (0, "", None)  # number, name, label: set by the engine

    def lost(self, why: str) -> ResultLost:
        """The error of whoever asks for it when it is no more.

        Args:
            why: in words: "node7 does not answer".
        """
        number, name, _ = self._maker
        return ResultLost(number, name, self.node, why)

    def __del__(self) -> None:
        self._let_go()

    def __repr__(self) -> str:
        return f"<kept on {self.node}, {self.size:,} bytes>"

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[Hashable]]:
        noted.append(self)
        return taken, (self.key,)  # which a worker looks up where its call has told


Event = tuple[int, int, Any]
"""What became of one piece of work: kind, task id, payload."""

Report = Callable[[Sequence[Event]], None]
"""Tells the engine. May be called from any thread, at any time, with one event or many; it never raises and never
blocks. Events about unknown or finished tasks are dropped and counted."""


class Concurrency(enum.Enum):
    """What the work of one backend can do at the same time."""

    SEQUENTIAL = "sequential"
    """One piece after another."""
    CONCURRENT = "concurrent"
    """Many in turns: they wait at the same time, but compute one at a time."""
    PARALLEL = "parallel"
    """Many at the same time."""


class Work(Protocol):
    """One attempt at one task, as a backend sees it. Read only."""

    @property
    def id(self) -> int:
        """The number by which it is reported and cancelled."""

    @property
    def attempt(self) -> int:
        """1 for the first."""

    @property
    def name(self) -> str:
        """The task's name, for messages; any text."""

    @property
    def identity(self) -> tuple[int, str, int, str | None, str | None, tuple[int, ...]]:
        """What `asyncflow.current` tells inside of it: id, name, attempt, label, workflow, GPUs. Of work that runs in
        this process, the context tells it; a backend that sends work elsewhere sends it along."""

    @property
    def is_tagged(self) -> bool:
        """Whether there is more to that than id, attempt and the function's own name."""

    @property
    def fn(self) -> Callable[..., object]:
        """The function to call."""

    @property
    def is_coroutine(self) -> bool:
        """Whether calling it gives a coroutine, which the backend has to run to its end."""

    @property
    def args(self) -> tuple[object, ...]:
        """Positional arguments; all of them values, none a future. In place of a value that this backend keeps there is
        its `Kept`, perhaps inside containers."""

    @property
    def kwargs(self) -> Mapping[str, object]:
        """Keyword arguments."""

    @property
    def timeout(self) -> float | None:
        """Seconds that it may run. A backend whose work holds up the engine's loop, and with it the engine's clock,
        fails late work itself, with `TaskTimeout`."""

    @property
    def tells_start(self) -> bool:
        """Whether STARTED has to be reported at once: a clock starts with it, or somebody listens. If not, it may be
        left to `look_now`."""

    @property
    def link(self) -> Work | None:
        """Work that waits for this and for nothing else, for a backend that takes chains: to be run next in the same
        place, with this one's value where its arguments have `PREVIOUS`. It is reported over by itself; if this one
        gives no value, RETURNED. To be read before this one is reported over."""

    @property
    def carried(self) -> CarriedFiles | None:
        """For a backend that `carries_files`: what it has to bring to it before it begins, and back before it is
        reported to have succeeded. None for nearly all work. Paths in its own directory that are among the
        arguments become what they are there when they are unpickled where `asyncflow._worker.paths.SANDBOXES` leads to
        it."""

    @property
    def keep(self) -> bool | None:
        """Whether its result is to be kept, for a backend that `keeps_results`; None to go by its size."""

    @property
    def generator(self) -> int | None:
        """For a backend that `keeps_generators`: the number of the generator with which it goes on. It has to run in
        the process in which that stays: earlier work with this number as its first argument has made it there. If the
        process is no more, FAILED, with `WorkerDied`. None for nearly all work."""

    @property
    def example(self) -> object:
        """For a backend that does not run it: what its user says that its value would be, or, if that can be called,
        what makes one of the arguments; `...` if they have not said."""

    @property
    def returns(self) -> type | None:
        """For such a backend, too: the class of its value if the function's annotation does not speak of that, as of
        one that returns a command; else None."""

    @property
    def context(self) -> Context | None:
        """The context variables of the call site, a copy each time; a backend in the same process runs the function in
        it."""


class ExecutionBackend(ABC):
    """Does the work.

    All methods are called on the engine's event loop. One instance serves one engine at a time, which the engine sees
    to, and can be started again after a shutdown; also without one, if an engine has left it running.
    """

    name: str
    """What the user calls it."""
    concurrency: ClassVar[Concurrency] = Concurrency.PARALLEL
    runs_coroutines: ClassVar[bool] = False
    """Whether ``async def`` tasks are given to it unasked. Otherwise they run on the engine's loop, and come here
    only if the task names this backend."""
    takes_coroutines: ClassVar[bool] = True
    """Whether it can run a coroutine at all; if not, also a task that names it runs on the engine's loop."""
    can_kill: ClassVar[bool] = False
    """Whether `cancel` stops work that has begun."""
    needs_pickle: ClassVar[bool] = False
    """Whether functions, arguments and results leave this process."""
    takes_chains: ClassVar[bool] = False
    """Whether it follows `Work.link`; if not, each link is submitted when the one before is over."""
    reports_starts: ClassVar[bool] = True
    """Whether STARTED is reported when work begins; if not, a timeout counts from `submit`."""
    reports_runs: ClassVar[bool] = False
    """Whether RAN is reported for each piece of work that has begun, unless its worker has died; if not, the engine
    takes the times at which it is told."""
    tells_late: ClassVar[bool] = False
    """Whether STARTED may come a moment after work has begun, though somebody asks or listens: news of it has a way to
    go. If not, `look_now` reports what has begun by then."""
    keeps_event_loop: ClassVar[bool] = False
    """Whether all coroutines that a worker runs have one event loop, so that resources which are async generators stay
    from one to the next."""
    keeps_results: ClassVar[bool] = False
    """Whether results may stay where they were made: see `Kept` and `fetch`."""
    keeps_generators: ClassVar[bool] = False
    """Where functions leave this process: whether a generator may stay in a worker from one piece of work to the next,
    as `Work.generator` and `close_generator` say. In this process it stays by itself, and nothing is asked."""
    stages_files: ClassVar[bool] = True
    """Whether the files that tasks declare are brought to them, and what they make is looked for."""
    shares_filesystem: ClassVar[bool] = True
    """Whether a path means the same there as here. Where it does not, tasks that declare files are refused, if it does
    not carry files."""
    carries_files: ClassVar[bool] = False
    """Whether it brings files to where the work is done, and back, as `Work.carried` says. The engine then copies
    nothing itself; commands can run there, too. If it has found that paths mean the same there, it may say so in
    `shares_filesystem`, which spares the checksums."""
    amounts: Mapping[str, float] = MappingProxyType({})
    """How much it has of what tasks need, by name: cores, memory in bytes, gpus, and whatever else. Of what is not here
    its tasks have what the engine was given."""
    workers: int | None = None
    """How many pieces of work can run at once; None if that is not known, or not limited. It may change while the
    backend runs: how far ahead work is submitted goes by what it was when the engine started, reports by what it is
    when they are made."""

    waits: str | None = None
    """What it waits for before work can run at all, in a sentence that begins with a small letter, as "the cluster at
    tcp://10.0.0.1:8786 has given 0 of 4 slots"; None while there is something to run work on. May be asked at any
    time."""

    @abstractmethod
    async def start(self, report: Report) -> None:
        """Get ready to take work; may be lazy about it.

        Args:
            report: to be called with what becomes of the work.
        """

    @abstractmethod
    def submit(self, batch: Sequence[Work]) -> None:
        """Take work, all of it ready to run. Returns at once; each piece is reported over exactly once.

        Args:
            batch: one or many; the sequence belongs to the backend from here on.
        """

    @abstractmethod
    async def cancel(self, task_id: int) -> bool:
        """Stop one piece of work if possible.

        Args:
            task_id: of work that was submitted; it may be over by now.

        Returns:
            True if it never began or will be stopped: CANCELLED will be (or was) reported. False if nothing can
            stop it: it is reported when it ends by itself.
        """

    @abstractmethod
    async def shutdown(self, *, grace: float) -> list[int]:
        """Stop taking work and give back every thread, process and descriptor.

        Args:
            grace: seconds that work which is still running may take to end.

        Returns:
            The ids of work that could not be stopped within the grace time and was abandoned.
        """

    async def fetch(self, kept: Kept) -> object:
        """The value of a result that this backend keeps. May be asked for more than once, and also while it shuts down.

        Args:
            kept: as it was reported.

        Raises:
            ResultLost: it is no more.
        """
        raise NotImplementedError(f"{self.name!r} keeps no results")

    async def close_generator(self, number: int) -> None:
        """Close a generator in the process in which it stays, and wait until that is done. Nothing else of it is under
        way, and nothing follows.

        Args:
            number: of the generator; it may be over by now, or its process may be.

        Raises:
            BaseException: what it has raised instead of cleaning up.
        """
        raise NotImplementedError(f"{self.name!r} keeps no generators")

    def look_now(self) -> None:  # noqa: B027 - most report all they know by themselves
        """Report what is known and was not worth a report: somebody asks for a state."""

    def recover(self, submitted: Sequence[int], lost: Sequence[int]) -> Sequence[int]:
        """Put right what was cut short: Ctrl-C, as Python's shells have it, came out of the loop, which goes on.

        Args:
            submitted: ids of all work that was submitted and not reported over, as far as the engine has heard.
            lost: those among them which may have been cut short on their way into `submit`.

        Returns:
            The ids of work that is not here, and will not be reported: it has failed.
        """
        return lost

    def abandon(self) -> None:  # noqa: B027 - nothing to release is a fine default
        """Release what can be released without a loop: the engine was garbage-collected or its loop closed."""
