"""Decides what happens next: events in, commands out. The only writer of a task's state.

Events are the methods `called`, `started`, `succeeded`, ... Each marks at once what it decides and leaves what is
to be done in `due` (lanes with tasks that can run), `ended` (tasks whose futures are to be settled), `stop` (work
to be cancelled), `returned` (blocks whose returned futures are done), `quiet` (watched tasks of which nothing
runs any more) and `telling` (who waits for what has no value, to be gone on with by `tell_more`). The runtime carries
these out, perhaps after many events.

A task whose dependencies end badly is decided when *all* of them have ended: only then are all reasons known,
and its fate does not depend on which came first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..errors import Cause
from .limits import Limit, give_back_all
from .states import (
    CANCELLED,
    CANCELLING,
    DONE,
    FAILED,
    HANDED,
    KEPT,
    LEGAL,
    NOW,
    PENDING,
    READIED,
    READY,
    RUNNING,
    STEP,
    SUBMITTED,
    SUCCEEDED,
    UPSTREAM_FAILED,
)
from .task import Lane, Task, each_of

MOST: Final = 500
"""Tasks that are submitted at a time, so that a large burst leaves others on the same event loop their turns."""
_LONGEST_CHAIN: Final = 127  # that is submitted as a whole
_NO_KWARGS: Final[dict[str, Any]] = {}


class Scheduler:
    """The graph of live tasks."""

    __slots__ = (
        "closing",
        "due",
        "ended",
        "freed",
        "left",
        "live",
        "quiet",
        "retrying",
        "returned",
        "stop",
        "taking",
        "telling",
        "watched",
    )

    def __init__(self) -> None:
        # Any: of the runtime's own class of tasks, which this room does not know.
        self.live: dict[int, Any] = {}
        self.closing: set[int] = set()  # blocks whose body has stopped and whose inner tasks have not yet
        # Blocks of which an attempt has failed, until all inside has stopped; where the next begins, once it is due.
        self.retrying: dict[int, Lane | None] = {}
        self.watched: set[int] = set()  # whoever added an id wants to hear of it in `quiet`
        self.due: list[Lane] = []
        self.ended: list[Any] = []
        self.stop: list[Any] = []
        self.returned: list[Any] = []
        self.quiet: list[Any] = []
        self.telling: list[
            tuple[Task, Iterator[Task]]
        ] = []  # dependents that do not know yet that one has no value
        self.left: list[Any] = []  # tasks that wait for limits no more
        self.freed = (
            False  # something of a limit was given back; whoever has looked at those that wait takes it down
        )
        self.taking: list[Any] = []  # what was taken last; whoever has handed it on empties it

    # -- events -------------------------------------------------------------------------------------------

    def called(self, task: Task, dependencies: Sequence[Task]) -> None:
        """A call was made; the dependencies may be in any state."""
        self.live[task.id] = task
        owner = task.owner
        if owner is not None:
            extra = owner.extra or owner.with_extra()
            if extra.children is None:
                extra.children = {}
            extra.children[task.id] = task
        if dependencies:
            if self._wait_for(task, dependencies):
                return
            if task.extra is not None and task.extra.blames:
                self._all_in(task)
                return
        task.story = READIED
        lane = task.site.lane
        lane.ready.append(task)
        if not lane.is_due:
            lane.is_due = True
            self.due.append(lane)

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
        if task.extra is None and task.owner is None and not self.watched:
            del self.live[task.id]
            lane = task.site.lane
            lane.taken -= 1
            if lane.ready and not lane.is_due:
                lane.is_due = True
                self.due.append(lane)
            task.args = ()
            task.kwargs = _NO_KWARGS
            task.snapshot = task.dependents = task.holes = task.link = None
        else:
            if task.children:
                self._adopt_children(task)
            self._over(task)
        if dependents is None:
            return
        for dependent in dependents if type(dependents) is list else (dependents,):
            waiting = dependent.waiting = dependent.waiting - 1
            if waiting:
                continue
            if dependent.story == PENDING and (dependent.extra is None or dependent.extra.blames is None):
                dependent.story = READIED
                lane = dependent.site.lane
                lane.ready.append(dependent)
                if not lane.is_due:
                    lane.is_due = True
                    self.due.append(lane)
            else:
                self._all_in(dependent)

    def failed(self, task: Task, error: BaseException) -> None:
        """The task failed by itself, or its inputs could not be put together."""
        if task.story & NOW == CANCELLING:
            self.stopped(task)
            return
        task.enter(FAILED)
        self._cancel_inside(task)
        task.cause = Cause(task.id, task.name, task.attempt, error, label=task.label)
        self.ended.append(task)
        self._tell_dependents(task)
        self._over(task)

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
            self._cancel_inside(task)  # what the body called while it was cleaning up
        else:
            task.enter(end_of(task))
            self._over(task)

    def left_behind(self, task: Task) -> None:
        """Nobody will tell when the work stops: forget it as what it is, CANCELLING."""
        self.closing.discard(task.id)
        self._over(task)

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
        task.lane.taken -= 1
        if not task.waiting:
            self._enqueue(task)

    def cancel(self, task: Task) -> None:
        """Nobody wants the result any more, nor those of what the task started."""
        self._cancel_inside(task)
        self._cancel_one(task)

    def timed_out(self, task: Task, error: BaseException) -> None:
        """The task has failed by running too long. Its work may still go on."""
        if SUBMITTED <= task.story & NOW <= RUNNING:
            self._cancel_inside(task)
            self._give_up(task, error)

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
        self._cancel_inside(task)
        if task.children:
            self.retrying[task.id] = None  # it runs until what it had started has stopped
        else:
            self._hold(task)

    def _hold(self, task: Task) -> None:
        """The task waits for its next attempt."""
        task.enter(READY)
        task.holes = None  # its arguments are filled in
        task.returned = None
        task.is_held = True
        lane = task.lane
        lane.taken -= 1
        if lane.ready:
            self._is_due(lane)
        self._release(task)

    def again(self, task: Task, lane: Lane) -> None:
        """The time for the next attempt has come, which begins in a lane. Nothing happens if the task is over."""
        if task.id in self.retrying:
            self.retrying[task.id] = lane
        elif task.story & NOW == READY and task.is_held:
            task.is_held = False
            task.lane = lane
            self._enqueue(task)

    def admitted(self, task: Task, amounts: Mapping[Limit, float]) -> None:
        """A task has all that it needs of limits, and goes on to where it runs."""
        gate = task.lane
        assert gate.leads_to is not None
        self._less_held(gate)
        task.is_held = False
        task.wants = None
        task.amounts = amounts
        task.lane = gate.leads_to
        self._enqueue(task)

    def returned_futures(self, block: Task, dependencies: Sequence[Task]) -> None:
        """A block's body has returned futures: it is over when all of them are (see `returned`)."""
        self._wait_for(block, dependencies)
        if not block.waiting:
            self.returned.append(block)

    # -- commands -----------------------------------------------------------------------------------------

    def take(self, lane: Lane) -> list[Task]:
        """The tasks to submit to a lane that was due: as many as it has room for, and no more than `MOST`. If there are
        more it is due again."""
        lane.is_due = False
        ready = lane.ready
        room = MOST if lane.capacity is None else min(MOST, lane.capacity - lane.taken)
        if len(ready) <= room:
            # Others were cancelled while they were held. Nearly all have the one story, which is asked first.
            batch = [task for task in ready if task.story == READIED or task.story & NOW == READY]
            ready.clear()
        else:
            batch = []
            while ready and len(batch) < room:
                task = ready.popleft()
                if task.story & NOW == READY:
                    batch.append(task)
        self.taking = batch
        lane.taken += len(batch)
        if ready and (lane.capacity is None or lane.taken < lane.capacity):
            self._is_due(lane)
        if lane.staging is not None and lane.staging.ready:
            self._is_due(lane.staging)
        links = lane.links
        for task in batch:
            if task.story == READIED:
                task.story = HANDED
                task.attempt = 1
            else:
                task.story = task.story << STEP | SUBMITTED  # READY was seen above
                task.attempt += 1
            if task.extra is not None:
                task.extra.after = ()
            if links:
                follower: Any = task.dependents  # one task, a list of them, or None
                if follower is not None and type(follower) is not list and follower.waiting == 1:
                    self._link(task, lane)
        return batch

    def take_to_hold(self, gate: Lane) -> list[Task]:
        """The tasks of a gate, which are to wait for limits now. They stay READY."""
        gate.is_due = False
        batch = [task for task in gate.ready if task.story & NOW == READY]
        gate.ready.clear()
        gate.dropped = 0
        gate.held += len(batch)
        for task in batch:
            task.is_held = True
        return batch

    def _less_held(self, gate: Lane) -> None:
        gate.held -= 1
        if gate.staging is not None and gate.staging.ready:
            self._is_due(gate.staging)

    def take_to_stage(self, lane: Lane) -> list[Task]:
        """The tasks of a staging lane whose files are to be brought now. They stay READY. No more are on their way, or
        wait with their files for a slot, than the lane has room for: files of tasks that are not soon to run would fill
        the disk."""
        assert lane.capacity is not None and lane.leads_to is not None
        lane.is_due = False
        room = lane.capacity - lane.taken - len(lane.leads_to.ready) - lane.leads_to.held
        batch: list[Task] = []
        while lane.ready and len(batch) < room:
            task = lane.ready.popleft()
            if task.story & NOW == READY:
                batch.append(task)
        lane.taken += len(batch)
        return batch

    def staged(self, task: Task, lane: Lane) -> None:
        """The files of a task have been brought, or cannot be: it goes on to where it is to run, if it still is."""
        assert lane.leads_to is not None
        lane.taken -= 1
        if task.story & NOW == READY:
            task.lane = lane.leads_to
            self._enqueue(task)
        if lane.ready:
            self._is_due(lane)

    def _link(self, head: Task, lane: Lane) -> None:
        """Submit behind a task what waits for it and for nothing else, and so on."""
        task = head
        for _ in range(_LONGEST_CHAIN):
            follower = task.dependents
            if not isinstance(follower, Task):
                break  # none, or many
            if follower.waiting != 1 or follower.lane is not lane or follower.story & NOW != PENDING:
                break
            if follower.blames is not None or type(follower.holes) is list:
                break  # it will not run, or its value is wanted inside a container
            follower.story = ((follower.story << STEP | READY) << STEP | SUBMITTED) & KEPT
            follower.attempt += 1
            if follower.extra is not None:
                follower.extra.after = ()
            lane.taken += 1
            task.link = follower
            task = follower
        task.link = None

    # -- the graph ----------------------------------------------------------------------------------------

    def _wait_for(self, task: Task, dependencies: Sequence[Task]) -> int:
        waiting = task.waiting + len(dependencies)
        for dependency in dependencies:
            if dependency.story != PENDING:  # mostly it is: they are called in one burst
                now = dependency.story & NOW
                if now >= CANCELLING:
                    waiting -= 1
                    if now != SUCCEEDED:
                        _blame(task, dependency)
                    continue
            dependents: Any = dependency.dependents
            if dependents is None:
                dependency.dependents = task
            elif type(dependents) is list:
                dependents.append(task)
            else:
                dependency.dependents = [dependents, task]
        task.waiting = waiting
        return waiting

    def _all_in(self, task: Task) -> None:
        """Nothing is left to wait for."""
        now = task.story & NOW
        if now == PENDING:
            if task.blames is None:
                task.story = task.story << STEP | READY
                self._enqueue(task)
            else:
                self._decide_not_to_run(task)
                self._tell_dependents(task)
                self._over(task)
        elif now == RUNNING and task.definition.is_block:  # a link of a chain may run before this is known
            self.returned.append(task)

    def _enqueue(self, task: Task) -> None:
        task.lane.ready.append(task)
        self._is_due(task.lane)

    def _is_due(self, lane: Lane) -> None:
        if not lane.is_due:
            lane.is_due = True
            self.due.append(lane)

    def _decide_not_to_run(self, task: Task) -> None:
        extra = task.extra
        assert extra is not None and extra.blames is not None
        if len(extra.blames) == 1:
            upstream: tuple[Cause, ...] = (extra.blames[0],)
        else:
            unique = {cause.task_id: cause for cause in extra.blames}
            upstream = tuple(unique[task_id] for task_id in sorted(unique))
        extra.cause = Cause(task.id, task.name, 0, None, upstream, task.label)
        self.ended.append(task)
        if task.story & NOW == PENDING:
            task.enter(end_of(task))
            return
        task.attempt -= 1
        task.enter(CANCELLING)  # the backend has it, behind what failed, and must be heard before it is over
        self.stop.append(task)

    def _tell_dependents(self, task: Task) -> None:
        """The task will give no value. Who waits for it is told at once; of many, those behind the first by
        `tell_more`, and these count it as undecided until then."""
        dependents, task.dependents = task.dependents, None
        if dependents is not None:
            known = len(self.telling)
            self.telling.append((task, iter(each_of(dependents))))
            self.tell_more(known)

    def tell_more(self, known: int = 0) -> int:
        """Go on telling dependents that there will be no value for them, `MOST` at most. Returns how many it were.

        What stands behind a task in a chain is its first dependent, so that it is told in the same step: its own report
        may come next. Not recursive: a chain of any length may hang on one task.

        Args:
            known: how many tasks, of those whose dependents are to be told, are left for another time.
        """
        told = 0
        while len(self.telling) > known and told < MOST:
            bad, dependents = self.telling[-1]
            for dependent in dependents:
                told += 1
                more = self._tell(dependent, bad)
                if more is not None:
                    self.telling.append((dependent, iter(each_of(more))))
                    break
                if told == MOST:
                    break
            else:
                self.telling.pop()
        return told

    def _tell(self, dependent: Task, bad: Task) -> Any:
        """What a task waits for gives no value. Returns who is to be told that this one gives none either."""
        dependent.waiting -= 1
        if dependent.story & NOW > RUNNING:
            return None  # cancelled itself: it has told them
        _blame(dependent, bad)
        if dependent.waiting:
            return None
        if dependent.story & NOW > SUBMITTED:
            self._all_in(dependent)
            return None
        self._decide_not_to_run(dependent)
        dependents, dependent.dependents = dependent.dependents, None
        if dependent.story & NOW != CANCELLING:
            self._over(dependent)
        return dependents

    # -- cancelling ---------------------------------------------------------------------------------------

    def _cancel_one(self, task: Task) -> None:
        """Cancel a task in any state; one that is over stays as it is."""
        now = task.story & NOW
        if now >= SUBMITTED:
            if now < CANCELLING:
                self._give_up(task, None)
            return
        task.cause = Cause(task.id, task.name, task.attempt, None, label=task.label)
        task.enter(CANCELLED)
        self.ended.append(task)
        self._tell_dependents(task)
        self._over(task)

    def _give_up(self, task: Task, error: BaseException | None) -> None:
        """Decide the end of work that has not stopped yet."""
        task.cause = Cause(task.id, task.name, task.attempt, error, label=task.label)
        task.enter(CANCELLING)
        self.ended.append(task)
        if self.retrying.pop(task.id, None) is None:
            self.stop.append(task)
        else:
            self.closing.add(task.id)  # its body is over, and what it had started is being stopped
        self._tell_dependents(task)

    def _cancel_inside(self, block: Task) -> None:
        if not block.children:
            return
        inside = list(block.children.values())
        for task in inside:  # grows while it is walked
            if task.children:
                inside.extend(task.children.values())
        # Dependents before dependencies, inner before outer: each is cancelled by itself and by nothing else.
        inside.sort(key=_by_number, reverse=True)
        for task in inside:
            self._cancel_one(task)

    # -- the end of a task --------------------------------------------------------------------------------

    def _over(self, task: Task) -> None:
        """The task has its last state."""
        self._forget(task)
        if task.owner is not None:
            self._leave_owner(task)
        if self.watched and not task.children:
            self._hush(task)

    def _forget(self, task: Task) -> None:
        """Drop what nobody can ask for any more."""
        del self.live[task.id]
        if task.story >> STEP & NOW >= SUBMITTED:
            task.lane.taken -= 1
            if task.lane.ready:
                self._is_due(task.lane)
        elif task.story >> STEP & NOW == READY:
            if not task.is_held:
                _drop(task.lane)
            elif task.lane.is_gate:
                self._less_held(task.lane)
                self.left.append(task)
        task.args = ()
        task.kwargs = _NO_KWARGS
        task.snapshot = task.dependents = task.holes = task.link = None
        if task.extra is not None:
            task.extra.after = ()
            task.extra.blames = task.extra.returned = None
            if task.extra.amounts is not None:
                self._release(task)

    def _release(self, task: Task) -> None:
        """Give back what a task uses of limits."""
        amounts, task.amounts = task.amounts, None
        if amounts is not None:
            give_back_all(amounts)
            self.freed = True

    def _leave_owner(self, task: Task) -> None:
        """The last to leave closes a block that waits for it, and so on outwards; blocks may nest without limit."""
        owner = task.owner
        while owner is not None:
            children = owner.children
            assert children is not None
            del children[task.id]
            task.owner = None
            if children:
                return
            if owner.id in self.retrying:
                lane = self.retrying.pop(owner.id)
                self._hold(owner)
                if lane is not None:
                    self.again(owner, lane)
                return
            if owner.id not in self.closing:
                if self.watched and owner.id not in self.live:
                    self._hush(owner)
                return
            self.closing.remove(owner.id)
            owner.enter(end_of(owner))
            self._forget(owner)
            if self.watched:
                self._hush(owner)
            task, owner = owner, owner.owner

    def _adopt_children(self, block: Task) -> None:
        """What a block leaves running when it is over belongs to the block around it."""
        assert block.children is not None
        heir = block.owner
        for child in block.children.values():
            child.owner = heir
            if heir is not None and heir.children is not None:
                heir.children[child.id] = child
        block.children = None

    def _hush(self, task: Task) -> None:
        if task.id in self.watched:
            self.watched.remove(task.id)
            self.quiet.append(task)


def _by_number(task: Task) -> int:
    return task.id


def end_of(task: Task) -> int:
    """What a task comes to in the end that gives no value.

    Args:
        task: of which that is decided.
    """
    cause = task.cause
    assert cause is not None
    if cause.upstream:
        worst = cause.firsts[0]  # roots that failed come before those that were cancelled
        return CANCELLED if worst.error is None else UPSTREAM_FAILED
    return CANCELLED if cause.error is None else FAILED


def _blame(task: Task, dependency: Task) -> None:
    cause = dependency.cause
    assert cause is not None
    if task.story & NOW != RUNNING:  # a block that has returned it passes on the first failure, and no other
        cause.passed_on = True
    extra = task.extra or task.with_extra()
    if extra.blames is None:
        extra.blames = [cause]
    else:
        extra.blames.append(cause)


def _drop(lane: Lane) -> None:
    """One of those that are ready is over. Whoever waits for a slot that does not come free must not gather them: they
    are taken out when they are the half."""
    lane.dropped += 1
    if lane.dropped * 2 > len(lane.ready):
        lane.dropped = 0
        held = [task for task in lane.ready if task.story & NOW == READY]
        lane.ready.clear()
        lane.ready.extend(held)
