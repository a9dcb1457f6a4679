"""What happens in a run, as it is told to those who have subscribed and written into a journal. Plain data.

Times are seconds since the epoch. Those of one run come from one clock, which does not jump when the system's is set.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "Event",
    "EventsLost",
    "RunBegan",
    "RunEnded",
    "ServiceEnded",
    "StreamBegan",
    "StreamCounted",
    "TaskAdmitted",
    "TaskAttemptFailed",
    "TaskCalled",
    "TaskEnded",
    "TaskLeftBehind",
    "TaskReturned",
    "TaskStaged",
    "TaskStarted",
    "TaskSubmitted",
]


class RunBegan(NamedTuple):
    """An engine was started.

    Args:
        time: when.
        run: identifies the run among others.
        workers: how many tasks can run at once, by place: {"backend 'thread'": 2}; None where there is no limit.
        dry_run: whether nothing is run, and values stand in for results.
        about: where it runs and how the engine is set, as pairs of a name and a text: ("machine", "node-1").
    """

    time: float
    run: str
    workers: dict[str, int | None]
    dry_run: bool = False
    about: tuple[tuple[str, str], ...] = ()


class TaskCalled(NamedTuple):
    """A call was made.

    Args:
        time: when the code that made it was given the event loop; it may have made many.
        id: number of the task; 1 for the first call of the run.
        name: as its user wrote it.
        kind: "function", "executable", "block", "service" or "awaitable" (which is waited for, and not run here).
        place: where it is to run, in words: "backend 'thread'".
        limit: the option that limits how many run there at once; "" if none does.
        called_at: where the call is: "pipeline.py:12, in main".
        workflow: the tag of `engine.workflow_scope`; None outside of any.
        block: number of the block inside which it was called; 0 outside of all.
        dependencies: numbers of the tasks that it waits for, in the order of its arguments.
        order: numbers of those among them that hand over no value.
        detached: whether nobody waits for it.
        optional: numbers of those among them without whose value it runs as well, since it takes how they end.
        priority: its own, or that of the block around it.
        stream: number of the stream of whose items it is one; 0 for none.
        item: index of the item in the stream's source, from 0.
        key: what ``key=`` made of the item, as text.
        label: what tells it from other calls of its function, if it was given to this call alone: its step's name in a
            graph, the id of a job of a service, ``label=`` of ``map``; "" else.
    """

    time: float
    id: int
    name: str
    kind: str
    place: str
    limit: str
    called_at: str
    workflow: str | None
    block: int
    dependencies: tuple[int, ...]
    order: tuple[int, ...]
    detached: bool = False
    optional: tuple[int, ...] = ()
    priority: float = 0.0
    stream: int = 0
    item: int = 0
    key: str = ""
    label: str = ""


class TaskStaged(NamedTuple):
    """The files that a task reads were brought.

    Args:
        time: when.
        id: number of the task.
        bytes: how much was brought.
    """

    time: float
    id: int
    bytes: int


class TaskSubmitted(NamedTuple):
    """A backend was handed a task. Of tasks that go together with the one before them in a chain, this is not told.

    Args:
        time: when.
        id: number of the task.
    """

    time: float
    id: int


class TaskReturned(NamedTuple):
    """A backend gave a task back that it had not begun; it is submitted again.

    Args:
        time: when.
        id: number of the task.
    """

    time: float
    id: int


class TaskStarted(NamedTuple):
    """A worker has begun a task.

    Args:
        time: when.
        id: number of the task.
        worker: which: "asyncflow-1", "process 4711"; "" if it is not known.
    """

    time: float
    id: int
    worker: str


class TaskAdmitted(NamedTuple):
    """A task has all that it needs of limits, for which it has waited. Of one that found all free nothing is told.

    Args:
        time: when.
        id: number of the task.
        since: since when it has waited for them.
    """

    time: float
    id: int
    since: float


class TaskAttemptFailed(NamedTuple):
    """An attempt has failed, and another is to follow.

    Args:
        time: when.
        id: number of the task.
        error: class and message: "OSError: connection reset".
        delay: seconds until the next attempt can begin.
        started: when a worker began this one; None if none did.
        finished: when the worker was done with it; None if none began it.
        worker: which; "" if none began it, or it is not known.
    """

    time: float
    id: int
    error: str
    delay: float
    started: float | None
    finished: float | None
    worker: str


class TaskEnded(NamedTuple):
    """A task is over.

    Args:
        time: when its future had its end.
        id: number of the task.
        state: "SUCCEEDED", "FAILED", "UPSTREAM_FAILED", "SKIPPED" or "CANCELLED".
        started: when a worker began it; None if none did.
        finished: when the worker was done with it; None if none began it.
        worker: which; "" if none began it, or it is not known.
        bytes: how much of what it has made was published.
        error: class and message of what it failed with: "ValueError: need 2 rows"; of one that has raised `Skip`,
            "Skip: no rows"; "" if neither.
        roots: numbers of the tasks because of which it did not run, or was cancelled; the first hundred.
        loading: since when the worker was being made ready for it, if that took a while; else None.
        kept_on: the node where its result stays until somebody asks for it; "" if it does not.
        bytes_kept: how large that is.
    """

    time: float
    id: int
    state: str
    started: float | None
    finished: float | None
    worker: str
    bytes: int
    error: str
    roots: tuple[int, ...]
    loading: float | None = None
    kept_on: str = ""
    bytes_kept: int = 0


class ServiceEnded(NamedTuple):
    """A service that was ready has ended, some time after the task that had started it.

    Args:
        time: when.
        id: number of the task.
        how: "stopped", or in words how it died: "exit code 1".
    """

    time: float
    id: int
    how: str


class StreamBegan(NamedTuple):
    """Somebody has begun to read a stream.

    Args:
        time: when.
        stream: number of it; 1 for the first of the run.
        name: of the task that its items go through.
        called_at: where it was made: "pipeline.py:12, in main".
        block: number of the block inside which it is read; 0 outside of all.
        window: how many items may be taken and not given.
        ordered: whether results come in the order of the source.
        total: how many items there are in all; None if nobody knows.
    """

    time: float
    stream: int
    name: str
    called_at: str
    block: int
    window: int
    ordered: bool
    total: int | None


class StreamCounted(NamedTuple):
    """How far a stream is: told once for all that happened in a turn of the event loop, and at its end.

    Args:
        time: when an item was taken, or over, last.
        stream: number of it.
        taken: items that came from the source.
        over: of these, those whose task is over.
        given: of these, those that the reader has.
        failed: items that have failed.
        first: when the first item was over; None before that.
        how: "open" while it goes on; "done" when all was given; "failed" at an error; "left" if its reader went before
            the end.
        slowest: items that took longest: for each its seconds, its index, its key, and the number of its task.
    """

    time: float
    stream: int
    taken: int
    over: int
    given: int
    failed: int
    first: float | None
    how: str
    slowest: tuple[tuple[float, int, str, int], ...] = ()


class TaskLeftBehind(NamedTuple):
    """The engine is shut down, and the work of a task that was cancelled or timed out still goes on, as on a thread.

    Args:
        time: when.
        id: number of the task.
    """

    time: float
    id: int


class RunEnded(NamedTuple):
    """The engine was shut down.

    Args:
        time: when.
        planning: seconds for which code that made calls had held the event loop.
    """

    time: float
    planning: float


class EventsLost(NamedTuple):
    """A journal lacks events here, because its disk was full or did not keep up. Only journals tell of this.

    Args:
        time: when it could be written again.
        events: how many are lacking.
    """

    time: float
    events: int


Event = (
    RunBegan
    | TaskCalled
    | TaskStaged
    | TaskSubmitted
    | TaskReturned
    | TaskStarted
    | TaskAdmitted
    | TaskAttemptFailed
    | TaskEnded
    | ServiceEnded
    | StreamBegan
    | StreamCounted
    | TaskLeftBehind
    | RunEnded
)
