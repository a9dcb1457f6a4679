"""Tells of one run: events to those who listen, and its history to whoever asks. It decides nothing."""

from __future__ import annotations

import os
from time import perf_counter

from .._core.scheduler import Scheduler
from .._record.audience import Audience
from .._record.journal import Journal
from .._record.news import News
from .._record.record import Record
from .._record.snapshot import Snapshot, snapshot_of
from .._record.tally import Tally
from ..events import RunBegan, RunEnded, TaskLeftBehind
from .burst import Burst
from .inbox import Inbox
from .places import Places
from .steps import Steps
from .stopping import Stopping


class Teller:
    """Tells listeners what happens in a run.

    Args:
        record: of what happened.
        scheduler: knows the tasks that are not over.
        burst: knows the number of the last call.
        places: where tasks run.
        inbox: is told whether starts matter.
        stopping: knows what was left behind.
        steps: the run loop.
        is_dry: whether nothing is run.
        began: when it began, in seconds since the epoch.
        audience: those who listen.
        journal: one of them; is closed by `close`.
    """

    def __init__(
        self,
        record: Record,
        scheduler: Scheduler,
        burst: Burst,
        places: Places,
        inbox: Inbox,
        stopping: Stopping,
        steps: Steps,
        *,
        is_dry: bool,
        began: float,
        audience: Audience,
        journal: Journal | None,
    ) -> None:
        self._record = record
        self._scheduler = scheduler
        self._burst = burst
        self._places = places
        self._inbox = inbox
        self._stopping = stopping
        self._steps = steps
        self._is_dry = is_dry
        self._began = began
        self.name = os.urandom(6).hex()
        """Tells the run from others."""
        self.about: tuple[tuple[str, str], ...] = ()
        """Where it runs and how its engine is set, which that knows."""
        self.audience = audience
        self.journal = journal
        self._news: News | None = None
        self._ended: float | None = None
        audience.late[:] = audience.listeners
        if audience.listeners:
            self._begin()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be told."""
        return self._ended is not None

    def listen(self) -> None:
        """Somebody has come: what happens from now on is to be told."""
        if self._ended is not None:
            return
        self._catch_up(perf_counter())
        if self._news is None:
            self._begin()
        elif events := self._news.since(self._scheduler.live):  # is for those alone who were there
            listeners = self.audience.listeners
            self.audience.tell(events, [each for each in listeners if each not in self.audience.late])

    def tell(self) -> None:
        """Send listeners the events since the last time."""
        audience = self.audience
        if audience.late:
            late = audience.late[:]
            audience.late.clear()
            audience.tell([self._first()], late)
        if self._news is None and not audience.listeners:
            return
        news = self._news or self._begin()
        events = news.since(self._scheduler.live)
        if events:
            audience.tell(events)

    def _first(self) -> RunBegan:
        return RunBegan(self._began, self.name, self._places.workers(), self._is_dry, self.about)

    def _begin(self) -> News:
        news = self._news = News(self._record, self._began - self._record.began)
        self._inbox.starts_matter = True
        self._places.tell_starts()
        return news

    def end(self) -> None:
        """The run is over."""
        if self._ended is not None:
            return
        self._ended = perf_counter()
        self._catch_up(self._ended)
        if self.audience.listeners:
            self.tell()
            now = self._ended + self._began - self._record.began
            left = [TaskLeftBehind(now, task_id) for task_id in sorted(self._stopping.left_behind)]
            self.audience.tell([*left, RunEnded(now, self._record.planning)])
        if self.journal is not None:
            self.audience.remove(self.journal)

    def close(self) -> None:
        """Wait until all of the journal is written, for as long as the disk takes."""
        if self.journal is not None:
            self.journal.close()

    def snapshot(self) -> Snapshot:
        """All that is known of the run, as of now."""
        now = self._ended
        if now is None:
            self._steps.catch_up()
            self._stopping.end_all()
            now = perf_counter()
            self._catch_up(now)
        return snapshot_of(
            self._record,
            now,
            self._scheduler.live,
            self._stopping.left_behind,
            run=self.name,
            began=self._began,
            is_over=self._ended is not None,
            workers=self._places.workers(),
            dry_run=self._is_dry,
            about=dict(self.about),
        )

    def tally(self) -> Tally:
        """Begin to count the tasks of the run by function."""
        self._catch_up(perf_counter())
        live = self._scheduler.live
        tally = Tally(self._record, live)
        self._record.readers.append(lambda: tally.read(live))
        return tally

    def count(self, tally: Tally) -> None:
        """Have what has happened until now counted."""
        self.catch_up()
        tally.read(self._scheduler.live)

    def catch_up(self) -> None:
        """Have all recorded that has happened until now."""
        if self._ended is None:
            self._steps.catch_up()
            self._stopping.end_all()
            self._catch_up(perf_counter())

    def _catch_up(self, now: float) -> None:
        if self._record.last != self._burst.last:
            self._record.pause(self._burst.last, now)
