"""Where tasks run, which of them can run there now, and what is taken of these at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .gates import Admission, no_more_held
from .limits import Queue, give_back_all
from .order import ByPriority, Order, Room
from .pace import MOST
from .states import HANDED, KEPT, NOW, PENDING, READIED, READY, STEP, SUBMITTED

if TYPE_CHECKING:
    from .task import Task

_LONGEST_CHAIN: Final = 127  # that is submitted as a whole


class Lane:
    """One place where tasks run, with the tasks that could run there now.

    A lane with a capacity holds what is over it back, as READY, until a slot comes free. It has one because an option
    says so, or because what is beyond it would only lie in the backend's queue.
    """

    __slots__ = (
        "admission",
        "capacity",
        "dropped",
        "is_due",
        "keeps",
        "leads_to",
        "limit",
        "links",
        "place",
        "ready",
        "room",
        "staging",
        "taken",
        "tells",
        "unblocked",
    )

    def __init__(
        self,
        place: str,
        capacity: int | None = None,
        limit: str = "",
        links: bool = False,
        leads_to: Lane | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.place = place  # in words, for messages: "backend 'thread'"
        self.capacity = capacity
        self.limit = limit  # the option that set the capacity; "" if none did
        self.links = links  # whether chains may be submitted as a whole
        self.leads_to = leads_to  # where its tasks go when their files are there, which are staged here
        self.admission = admission  # of a gate; each end of one of its tasks makes it due
        self.staging: Lane | None = None  # that leads here
        if leads_to is not None:
            leads_to.staging = self
        self.is_due = False
        self.tells = False  # starts are to be told at once
        self.keeps = True  # results may stay where they are made, if there is such a place
        self.ready: deque[Task] | ByPriority = deque()
        # What became ready since the lane was looked at last, because what it waited for is over. It goes before all
        # that is ready, so that what was begun is finished before more is begun. A lane that has any is due.
        self.unblocked: list[Task] = []
        self.room: Room | None = None  # where the order of tasks matters
        self.dropped = 0  # at most so many of them are over
        self.taken = 0  # slots in use: tasks that were submitted and are not over

    def put_in_order(self, order: Order, room: Room | None = None) -> None:
        """Have tasks go by their priority from now on.

        Args:
            order: tells it.
            room: of all lanes to the same place; None for a lane that leads to none.
        """
        self.ready = ByPriority(order, self.gather())
        self.links = False  # what stands behind a task in a chain would overtake others
        self.room = room
        if room is not None:
            room.lanes.append(self)
        order.add(self)

    def gather(self) -> deque[Task] | ByPriority:
        """All that is ready, in order."""
        if self.unblocked:
            unblocked, self.unblocked = self.unblocked, []
            self.ready.extendleft(reversed(unblocked))
        return self.ready

    def drop(self) -> None:
        """One of those that are ready is over. Whoever waits for a slot that does not come free must not gather them:
        they are taken out when they are the half."""
        self.dropped += 1
        if self.dropped * 2 > len(self.gather()):
            self.dropped = 0
            held = [task for task in self.ready if task.story & NOW == READY]
            self.ready.clear()
            self.ready.extend(held)


class Lanes:
    """Lanes with tasks that can run, and tasks on their way from where their files are brought to where they run.

    Args:
        queue: where tasks wait for limits; None for one of its own.
    """

    __slots__ = ("due", "queue", "taking")

    def __init__(self, queue: Queue[Any] | None = None) -> None:
        # Any: of the runtime's own class of tasks, which this room does not know.
        self.due: list[Lane] = []
        self.taking: list[Any] = []  # what was taken last; whoever has handed it on empties it
        self.queue: Queue[Any] = Queue() if queue is None else queue

    def enqueue(self, task: Task) -> None:
        """A READY task can run in its lane, behind all others."""
        task.lane.ready.append(task)
        self.wake(task.lane)

    def enqueue_first(self, task: Task) -> None:
        """A READY task can run in its lane, and goes before those that were not begun: it was, or what it takes the
        values of."""
        task.lane.unblocked.append(task)
        self.wake(task.lane)

    def wake(self, lane: Lane) -> None:
        """Something may be taken of a lane."""
        if not lane.is_due:
            lane.is_due = True
            self.due.append(lane)

    # -- to where they run --------------------------------------------------------------------------------

    def take(self, lane: Lane, most: int | None = None) -> list[Task]:
        """The tasks to submit to a lane that was due: as many as it has room for, and no more than ``most``, or
        `MOST` if that is None. If there are more it is due again."""
        lane.is_due = False
        ready = lane.gather()
        most = MOST if most is None else most
        room = most if lane.capacity is None else min(most, lane.capacity - lane.taken)
        if len(ready) <= room:
            batch = [task for task in ready if task.story & NOW == READY] if lane.dropped else list(ready)
            ready.clear()
            lane.dropped = 0
        elif not lane.dropped:
            batch = [ready.popleft() for _ in range(room)]
        else:  # others were cancelled while they were held
            batch = []
            while ready and len(batch) < room:
                task = ready.popleft()
                if task.story & NOW == READY:
                    batch.append(task)
        self.hand_over(lane, batch)
        if ready and (lane.capacity is None or lane.taken < lane.capacity):
            self.wake(lane)
        return batch

    def hand_over(self, lane: Lane, batch: list[Task]) -> None:
        """READY tasks of a lane are about to be submitted."""
        self.taking = batch
        lane.taken += len(batch)
        if lane.staging is not None and lane.staging.ready:
            self.wake(lane.staging)
        links = lane.links
        for task in batch:
            if task.story == READIED:
                task.story = HANDED
                task.attempt = 1
            else:
                task.story = task.story << STEP | SUBMITTED  # READY was seen above
                task.attempt += 1
            if task.rare is not None:
                task.rare.after = ()
            if links:
                follower: Any = task.dependents  # one task, a list of them, or None
                if follower is not None and type(follower) is not list and follower.waiting == 1:
                    self._link(task, lane)

    def _link(self, head: Task, lane: Lane) -> None:
        """Submit behind a task what waits for it and for nothing else, and so on."""
        task = head
        for _ in range(_LONGEST_CHAIN):
            follower: Any = task.dependents
            if follower is None or type(follower) is list:
                break  # none, or many
            if follower.waiting != 1 or follower.site.lane is not lane or type(follower.holes) is list:
                break  # or its value is wanted inside a container
            if follower.rare is not None:
                if follower.rare.blames is not None:
                    break  # it will not run
                follower.rare.after = ()
            if follower.story == PENDING:
                follower.story = HANDED
            elif follower.story & NOW == PENDING:
                follower.story = ((follower.story << STEP | READY) << STEP | SUBMITTED) & KEPT
            else:
                break
            follower.attempt += 1
            lane.taken += 1
            task.link = follower
            task = follower
        task.link = None

    def vacate(self, task: Task) -> None:
        """A task does not run any more: another may in its place."""
        lane = task.lane
        lane.taken -= 1
        if lane.ready or lane.admission is not None:
            self.wake(lane)

    def leave(self, task: Task) -> None:
        """A task that was READY is over."""
        if not task.is_held:
            task.lane.drop()
        elif task.wants is not None:
            self.queue.leave(task)
            no_more_held(self, task)
            self.wake(task.lane)  # others may go on whom it kept waiting

    # -- by a gate, or by where files are brought ----------------------------------------------------------

    def take_to_hold(self, gate: Lane, most: int) -> list[Task]:
        """The first tasks of a gate, which are to wait for limits now. They stay READY."""
        gate.is_due = False
        batch = [gate.ready.popleft() for _ in range(most)]
        if gate.ready:
            self.wake(gate)
        else:
            gate.dropped = 0
        return [task for task in batch if task.story & NOW == READY]

    def release(self, task: Task) -> None:
        """Give back what a task uses of limits."""
        amounts, task.amounts = task.amounts, None
        if amounts is not None:
            give_back_all(amounts)
            self.wake(task.lane)  # others may go on

    def take_to_stage(self, lane: Lane) -> list[Task]:
        """The tasks of a staging lane whose files are to be brought now. They stay READY. No more are on their way, or
        wait with their files for a slot, than the lane has room for: files of tasks that are not soon to run would fill
        the disk."""
        assert lane.capacity is not None and lane.leads_to is not None
        lane.is_due = False
        ready = lane.gather()
        gate = lane.leads_to.admission
        held = 0 if gate is None else gate.held + len(gate.admitted)
        room = lane.capacity - lane.taken - len(lane.leads_to.ready) - held
        batch: list[Task] = []
        while ready and len(batch) < room:
            task = ready.popleft()
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
            self.enqueue(task)
        if lane.ready:
            self.wake(lane)
