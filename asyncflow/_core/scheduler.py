"""Decides what happens next: events in, commands out. The only writer of a task's state.

Events are the methods `called`, `started`, `succeeded`, ... Each marks at once what it decides and leaves what is
to be done in `lanes.due` (lanes with tasks that can run), `ended` (tasks whose futures are to be settled), `stop` (work
to be cancelled), `returned` (blocks whose returned futures are done), `quiet` (watched tasks of which nothing
runs any more), `parted` (those that are over and used services), `wanted` (kept results to be fetched) and `telling`
(who waits for what has no value, and what is to be cancelled inside of a block, to be gone on with by `tell_more`). The
runtime carries these out, perhaps after many events.

A task whose dependencies end badly is decided when *all* of them have ended: only then are all reasons known,
and its fate does not depend on which came first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from ..errors import Cause
from .dependents import Unwanted, decide_not_to_run, end_of, tell_dependents, wait_for
from .first_failures import reach_of, stop
from .inside import adopt_children, cancel_inside, hush, leave_owner
from .joins import met
from .kept import Keeping
from .lanes import Lane, Lanes
from .order import Order
from .services import is_idle, want
from .states import (
    CANCELLED,
    CANCELLING,
    DONE,
    FAILED,
    HANDED,
    LEGAL,
    NOW,
    PENDING,
    READIED,
    READY,
    RUNNING,
    SKIPPED,
    STEP,
    SUBMITTED,
    SUCCEEDED,
)
from .task import Task

Tasks: TypeAlias = list[Any]
"""Of the runtime's own class, which this room does not know."""
_NO_KWARGS: Final[dict[str, object]] = {}


class Scheduler:
    """The graph of live tasks.

    Args:
        stops: whether all of it is cancelled at the first failure.
    """

    __slots__ = (
        "closing",
        "ended",
        "fetching",
        "first_failures",
        "has_stopped",
        "lanes",
        "live",
        "order",
        "parted",
        "quiet",
        "retrying",
        "returned",
        "stop",
        "stopped_by",
        "stops",
        "telling",
        "wanted",
        "watched",
    )

    def __init__(self, stops: bool = False) -> None:
        self.lanes = Lanes()
        self.order: Order | None = None  # while no task has a priority
        self.live: dict[int, Any] = {}
        self.closing: set[int] = set()  # blocks whose body has stopped and whose inner tasks have not yet
        # Blocks of which an attempt has failed, until all inside has stopped; where the next begins, once it is due.
        self.retrying: dict[int, Lane | None] = {}
        self.watched: set[int] = set()  # whoever added an id wants to hear of it in `quiet`
        self.ended: Tasks = []
        self.stop: Tasks = []
        self.returned: Tasks = []
        self.quiet: Tasks = []
        # Tasks that are over and used services, and blocks of which an attempt is.
        self.parted: Tasks = []
        self.wanted: list[Keeping] = []
        self.fetching: set[Keeping] = set()  # those that were in it, until they are here or lost
        # Dependents that do not know yet that one has no value; and what is to be cancelled inside of a block.
        self.telling: list[tuple[Task | Unwanted, Iterator[Task]]] = []
        self.stops = stops
        self.stopped_by: Cause | None = None  # that failure
        self.has_stopped = False  # that, or a block, has
        # Failures that have stopped all inside of a block, which is to fail with them; None outside of all.
        self.first_failures: list[tuple[Any, Cause]] = []

    def owner(self, block: Task | None) -> Task | None:
        """The block that a call belongs to that is made inside of one."""
        if block is None or block.story & NOW >= SUCCEEDED or self.live.get(block.id) is not block:
            return None  # called by what a block left behind, or inside a block of another engine
        return block

    # -- events -------------------------------------------------------------------------------------------

    def called(self, task: Task, dependencies: Sequence[Task]) -> None:
        """A call was made; the dependencies may be in any state."""
        self.live[task.id] = task
        owner = task.owner
        if owner is not None:
            rare = owner.rare or owner.with_rare()
            if rare.children is None:
                rare.children = {}
            rare.children[task.id] = task
        if self.order is not None:
            self.order.called(task, dependencies)
        if dependencies:
            if wait_for(task, dependencies):
                return
            if task.rare is not None and task.rare.blames is not None:
                self.all_in(task)
                return
        task.story = READIED
        lane = task.site.lane
        lane.ready.append(task)
        if not lane.is_due:
            lane.is_due = True
            self.lanes.due.append(lane)

    def started(self, task: Task) -> None:
        """The work has begun."""
        if task.story & NOW != CANCELLING:  # a cancel that crossed the report on its way
            task.enter(RUNNING)

    def succeeded(self, task: Task) -> None:
        """The work is over and its value is in its future. Written out flat: every task comes by here, and every
        dependency."""
        story = task.story
        if story == HANDED:
            task.story = DONE
        elif LEGAL[story & NOW] >> SUCCEEDED & 1:
            task.story = story << STEP | SUCCEEDED
        else:
            raise task.impossible(SUCCEEDED)
        dependents: Any = task.dependents
        if task.rare is None and task.owner is None and not self.watched:
            del self.live[task.id]
            lane = task.site.lane
            lane.taken -= 1
            if (lane.ready or lane.admission is not None) and not lane.is_due:
                lane.is_due = True
                self.lanes.due.append(lane)
            task.args = ()
            task.kwargs = _NO_KWARGS
            task.snapshot = task.dependents = task.holes = task.link = None
        else:
            if task.children:
                adopt_children(task)
            self.over(task)
        if dependents is None:
            return
        for dependent in dependents if type(dependents) is list else (dependents,):
            waiting = dependent.waiting = dependent.waiting - 1
            if waiting:
                continue
            if dependent.story == PENDING and (dependent.rare is None or dependent.rare.blames is None):
                dependent.story = READIED
                lane = dependent.site.lane
                lane.unblocked.append(dependent)
                if not lane.is_due:
                    lane.is_due = True
                    self.lanes.due.append(lane)
            elif dependent.story != HANDED:  # else it is the next in a chain
                self.all_in(dependent)

    def failed(self, task: Task, error: BaseException) -> None:
        """The task failed by itself, or its inputs could not be put together."""
        if task.story & NOW == CANCELLING:
            self.stopped(task)
            return
        cause = Cause(task.id, task.name, task.attempt, error, label=task.label)
        reach = reach_of(self, task)
        self._ends_badly(task, FAILED, cause)
        if reach is not None:
            stop(self, reach, cause)

    def skipped(self, task: Task, reason: str, because: Sequence[Cause] = ()) -> None:
        """The task has raised `Skip`, or lets pass that others were skipped: its branch is not taken.

        Args:
            task: that has run.
            reason: in words.
            because: of others, those.
        """
        if task.story & NOW == CANCELLING:
            self.stopped(task)
            return
        own = None if because else reason
        cause = Cause(task.id, task.name, task.attempt, None, tuple(because), task.label, own)
        self._ends_badly(task, SKIPPED, cause)

    def without_value(self, join: Task, cause: Cause) -> None:
        """What a join needs will never be there."""
        join.cause = cause
        first = cause.firsts[0]
        reach = reach_of(self, join) if first.error is not None and cause.upstream else None
        self._ends_badly(join, end_of(join), cause)
        if reach is not None:
            stop(self, reach, first)

    def _ends_badly(self, task: Task, state: int, cause: Cause) -> None:
        """A task is over and gives no value."""
        inside = len(self.telling)
        task.enter(state)
        cancel_inside(self, task)
        task.cause = cause
        self.ended.append(task)
        tell_dependents(self, task, inside)
        self.over(task)

    def stopped(self, task: Task, has_run: bool | None = None) -> None:
        """Work has stopped that was told to, or that somebody else cancelled; or it never began, if that is known."""
        if task.story & NOW > CANCELLING:
            raise task.impossible(CANCELLED)
        if task.story & NOW < CANCELLING:
            self.cancel(task)
            if task.story & NOW == CANCELLED:  # it had not been submitted
                return
        assert task.cause is not None
        if task.cause.upstream:
            task.attempt += bool(has_run)  # a link of a chain that was decided not to run, and was on its way
            task.cause.attempts = task.attempt
        elif has_run is False and task.story >> STEP & NOW == SUBMITTED:
            task.attempt -= 1
        if task.children:
            self.closing.add(task.id)  # first: the last that is cancelled inside may close it
            cancel_inside(self, task)  # what the body called while it was cleaning up
        else:
            task.enter(end_of(task))
            self.over(task)

    def left_behind(self, task: Task) -> None:
        """Nobody will tell when the work stops: forget it as what it is, CANCELLING."""
        self.closing.discard(task.id)
        self.over(task)

    def given_back(self, task: Task) -> None:
        """The backend did not begin the work and will not; it may be submitted again."""
        if task.story & NOW == CANCELLING:
            assert task.cause is not None
            if not task.cause.upstream:  # else it is known already that it never began
                task.attempt -= 1
            self.stopped(task)
            return
        if task.story & NOW != SUBMITTED:
            raise task.impossible(READY)
        task.enter(PENDING if task.waiting else READY)
        task.link = None  # the next time another may follow, or none
        task.attempt -= 1
        self.lanes.vacate(task)
        if task.rare is not None and task.rare.amounts is not None:
            self.lanes.release(task)
        if not task.waiting:
            self.lanes.enqueue(task)

    def cancel(self, task: Task) -> None:
        """Nobody wants the result any more, nor those of what the task started."""
        inside = len(self.telling)
        cancel_inside(self, task)
        self.cancel_one(task, inside=inside)

    def timed_out(self, task: Task, error: BaseException) -> None:
        """The task has failed by running too long. Its work may still go on."""
        if SUBMITTED <= task.story & NOW <= RUNNING:
            reach, inside = reach_of(self, task), len(self.telling)
            cancel_inside(self, task)
            self._give_up(task, error, inside=inside)
            if reach is not None and task.cause is not None:
                stop(self, reach, task.cause)

    def stop_attempt(self, task: Task) -> None:
        """An attempt is to be stopped that takes too long, and another is to follow when it has. It runs until then."""
        if task.id not in self.retrying:
            self.stop.append(task)

    def overdue(self, task: Task, error: BaseException) -> None:
        """The task's deadline has passed, whether it runs or not."""
        if task.story & NOW <= READY:
            self.failed(task, error)
        else:
            self.timed_out(task, error)

    def attempt_failed(self, task: Task) -> None:
        """An attempt has failed and there is to be another, when `again` says so. Until then the task holds nothing."""
        if not SUBMITTED <= task.story & NOW <= RUNNING:
            raise task.impossible(READY)
        cancel_inside(self, task)
        if task.children:
            self.retrying[task.id] = None  # it runs until what it had started has stopped
        else:
            self.hold(task)

    def hold(self, task: Task) -> None:
        """The task waits for its next attempt."""
        task.enter(READY)
        task.holes = None  # its arguments are filled in
        task.returned = None
        rare = task.with_rare()
        rare.stopped_by = None
        rare.is_held = True
        if rare.uses and task.definition.is_block:
            self.parted.append(task)
        self.lanes.vacate(task)
        self.lanes.release(task)

    def again(self, task: Task, lane: Lane) -> None:
        """The time for the next attempt has come, which begins in a lane. Nothing happens if the task is over."""
        if task.id in self.retrying:
            self.retrying[task.id] = lane
        elif task.story & NOW == READY and task.is_held:
            task.is_held = False
            if task.lane is not lane:
                task.lane = lane
            self.lanes.enqueue_first(task)

    def returned_futures(self, block: Task, dependencies: Sequence[Task]) -> None:
        """A block's body has returned futures: it is over when all of them are (see `returned`)."""
        wait_for(block, dependencies)
        if self.order is not None:
            self.order.waits(block, dependencies)
        if not block.waiting:
            self.all_in(block)

    # -- what follows, here and in `dependents` and `inside` -----------------------------------------------

    def all_in(self, task: Task) -> None:
        """Nothing is left to wait for, but services that were not asked for."""
        rare = task.rare
        if rare is not None and rare.unasked is not None and not rare.blames:
            if is_idle(task):
                return  # a service that needs others: they are asked for when it is
            unasked, rare.unasked, rare.blames = rare.unasked, None, None
            for each in unasked:
                want(self, each)
            if wait_for(task, unasked):
                return
        now = task.story & NOW
        if now == PENDING:
            join = None if task.rare is None else task.rare.join
            if join is not None:
                met(self, task, join)
            elif task.blames is None:
                task.story = task.story << STEP | READY
                self.lanes.enqueue_first(task)
            else:
                decide_not_to_run(self, task)
                tell_dependents(self, task)
                self.over(task)
        elif now == RUNNING and task.definition.is_block:  # a link of a chain may run before this is known
            self.returned.append(task)

    def cancel_one(self, task: Task, because: Cause | None = None, inside: int | None = None) -> int:
        """Cancel a task in any state; one that is over stays as it is.

        Args:
            task: which.
            because: of whose failure, with ``on_failure="stop"``.
            inside: as for `tell_dependents`.

        Returns:
            How many dependents were told.
        """
        now = task.story & NOW
        if now >= SUBMITTED:
            return self._give_up(task, None, because, inside) if now < CANCELLING else 0
        task.cause = Cause(task.id, task.name, task.attempt, None, label=task.label)
        task.cause.stopped_by = because
        task.enter(CANCELLED)
        self.ended.append(task)
        told = tell_dependents(self, task, inside)
        self.over(task)
        return told

    def _give_up(
        self, task: Task, error: BaseException | None, because: Cause | None = None, inside: int | None = None
    ) -> int:
        """Decide the end of work that has not stopped yet. Returns how many dependents were told."""
        task.cause = Cause(task.id, task.name, task.attempt, error, label=task.label)
        task.cause.stopped_by = because
        if task.id in self.retrying:  # its body is over, and what it had started is being stopped
            self.closing.add(task.id)
            del self.retrying[task.id]
        else:
            self.stop.append(task)
        self.ended.append(task)
        # Last: were it so and not yet among what is to be stopped when Ctrl-C comes, it never would be.
        task.enter(CANCELLING)
        return tell_dependents(self, task, inside)

    def over(self, task: Task) -> None:
        """The task has its last state."""
        self.forget(task)
        if task.owner is not None:
            leave_owner(self, task)
        if self.watched and not task.children:
            hush(self, task)

    def forget(self, task: Task) -> None:
        """Drop what nobody can ask for any more."""
        del self.live[task.id]
        if task.story >> STEP & NOW >= SUBMITTED:
            self.lanes.vacate(task)
        elif task.story >> STEP & NOW == READY:
            self.lanes.leave(task)
        task.args = ()
        task.kwargs = _NO_KWARGS
        task.snapshot = task.dependents = task.holes = task.link = None
        if task.rare is not None:
            task.rare.after = ()
            task.rare.unasked = task.rare.asked = None
            if task.rare.uses:
                self.parted.append(task)
            task.rare.blames = task.rare.returned = None
            if task.rare.amounts is not None:
                self.lanes.release(task)
