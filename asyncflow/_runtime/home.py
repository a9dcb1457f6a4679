"""A run as those see it whom users hold: the tasks that are called, and the futures of the calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import TYPE_CHECKING, ClassVar, Protocol

from .._core.lanes import Lane
from .._core.task import Definition, Task
from .._record.record import Record
from .burst import Burst
from .call import Call
from .steps import Steps

if TYPE_CHECKING:
    from .._record.stream_log import StreamLog
    from .future import TaskFuture
    from .gate import Gate
    from .joins import Joins
    from .keeps import Keeps
    from .places import Places
    from .services import Services
    from .stopping import Stopping
    from .unseen import Unseen


class Home(Protocol):
    """The run that a call belongs to. What is told of each is told of `Run`."""

    loop: asyncio.AbstractEventLoop
    thread: int
    closed: str | None
    looks_closer: bool
    is_rehearsal: ClassVar[bool]
    record: Record | None
    burst: Burst
    gate: Gate
    joins: Joins
    keeps: Keeps
    places: Places
    services: Services
    stopping: Stopping
    unseen: Unseen

    @property
    def engine(self) -> object: ...
    @property
    def steps(self) -> Steps: ...
    def lane_for(self, definition: Definition) -> Lane: ...
    def call(
        self,
        definition: Definition,
        lane: Lane,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        code: CodeType | None,
        at: int,
        after: Sequence[object] = (),
    ) -> TaskFuture[object]: ...
    def take(self, call: Call) -> TaskFuture[object]: ...
    def stands_in(self, value: object) -> bool: ...
    def reads(self, stop: Callable[[str], None]) -> Task | None: ...
    def has_read(self, stop: Callable[[str], None]) -> None: ...
    def stream_began(self, log: StreamLog) -> None: ...
    def stream_ended(self, log: StreamLog) -> None: ...
    def moved(self, task: Task, code: CodeType, at: int) -> None: ...
    def labelled(self, task: Task, label: str) -> None: ...
    def rehearses(self, engine: object) -> object: ...
    def lacks_output(self, name: str, error: KeyError) -> None: ...
