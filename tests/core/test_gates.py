"""Gates: who finds all free passes at the cost of nothing, and in the order of the calls; others wait."""

from __future__ import annotations

from asyncflow._core import gates
from asyncflow._core.gates import Admission, Slots
from asyncflow._core.lanes import Lane
from asyncflow._core.limits import Limit
from asyncflow._core.scheduler import Scheduler

from .kit import PlainTask, definition


class Gates:
    """A scheduler, and gates that share slots of one place."""

    def __init__(self, *amounts: dict[Limit, float], workers: int | None = None, window: int = 4000) -> None:
        self.scheduler = Scheduler()
        slots = Slots(workers, "workers", None if workers is None else window)
        self.lanes = [Lane("backend 'thread'", admission=Admission(slots, each)) for each in amounts]
        self.count = 0

    def call(self, which: int = 0) -> PlainTask:
        self.count += 1
        task = PlainTask(self.count, definition(f"f{which}"), self.lanes[which], (), {})
        self.scheduler.called(task, ())
        return task

    def turn(self, now: float = 0.0) -> list[int]:
        """Look at all that is due, until nothing is. Returns the tasks to submit, in order."""
        lanes, submitted = self.scheduler.lanes, list[int]()
        while lanes.due:
            gate = lanes.due.pop(0)
            is_others_turn = gates.settle(lanes, gate)
            self.admit(now)
            if is_others_turn:
                continue
            batch = gates.take(lanes, gate, lanes.queue, now)
            if batch is None:
                assert gate.admission is not None and gate.admission.amounts is not None
                for task in lanes.take_to_hold(gate, gates.first_in_line(lanes, gate)):
                    lanes.queue.join(task, gate.admission.amounts)
                    gates.hold(task, gate.admission.amounts, now)
                self.admit(now)
            submitted += [task.id for task in batch or ()]
        return submitted

    def admit(self, now: float) -> None:
        for waiting in self.scheduler.lanes.queue.admit(now):
            gates.admit(self.scheduler.lanes, waiting.what, waiting.amounts)


def test_who_finds_all_free_goes_straight_on_and_nothing_is_made_or_kept_for_it() -> None:
    api, memory = Limit("api", concurrency=10), Limit("memory", concurrency=4)
    bench = Gates({api: 2, memory: 0.5})
    tasks = [bench.call() for _ in range(5)]
    sites = [task.site for task in tasks]
    assert bench.turn() == [1, 2, 3, 4, 5]
    assert (api.used, memory.used) == (10, 2.5)
    assert [task.site for task in tasks] == sites
    assert all(task.rare is None for task in tasks)
    assert not bench.scheduler.lanes.queue._lines
    for task in tasks:
        bench.scheduler.succeeded(task)
    assert bench.turn() == []
    assert (api.used, memory.used) == (0, 0)
    assert all(task.rare is None for task in tasks)


def test_as_many_go_straight_on_as_there_is_enough_for_and_the_others_wait() -> None:
    api = Limit("api", concurrency=5)
    bench = Gates({api: 2})
    tasks = [bench.call() for _ in range(4)]
    assert bench.turn() == [1, 2]
    assert [gates.is_waiting(task) for task in tasks] == [False, False, True, True]
    bench.scheduler.succeeded(tasks[0])
    assert bench.turn() == [3]
    assert api.used == 4


def test_who_was_called_before_goes_before_through_whichever_gate() -> None:
    api = Limit("api", concurrency=1)
    bench = Gates({api: 1}, {api: 0.5})
    order = [bench.call(which) for which in (0, 1, 1, 0, 1)]
    begun = list[int]()
    while running := bench.turn():
        begun += running
        for number in running:
            bench.scheduler.succeeded(order[number - 1])
    assert begun == [1, 2, 3, 4, 5]


def test_nobody_passes_one_who_waits_for_the_same_and_who_needs_something_else_does() -> None:
    api, disk = Limit("api", concurrency=2), Limit("disk", concurrency=2)
    bench = Gates({api: 1}, {api: 2}, {disk: 1})
    for which in (0, 1):
        bench.call(which)
    assert bench.turn() == [1]
    bench.call(0)  # one slot is free, and kept for the second
    bench.call(2)
    assert bench.turn() == [4]


def test_a_place_is_given_more_than_it_can_run_only_while_half_of_a_limit_is_left() -> None:
    api = Limit("api", concurrency=10)
    bench = Gates({api: 1}, workers=2)
    for _ in range(10):
        bench.call()
    assert bench.turn() == [1, 2, 3, 4, 5]
    few = Gates({Limit("few", concurrency=4): 1}, workers=3)
    for _ in range(4):
        few.call()
    assert few.turn() == [1, 2, 3]


def test_of_a_rate_no_more_begin_than_can_run() -> None:
    bench = Gates({Limit("api", rate=100, burst=100): 1}, workers=2)
    for _ in range(4):
        bench.call()
    assert bench.turn() == [1, 2]


def test_slots_that_come_free_go_to_other_gates_before_those_that_had_them() -> None:
    first, second = Limit("first", rate=1, burst=100), Limit("second", rate=1, burst=100)
    bench = Gates({first: 1}, {second: 1}, workers=1)
    tasks = [bench.call(which) for which in (0, 0, 0, 1, 1)]
    begun = list[int]()
    while running := bench.turn():
        begun += running
        for number in running:
            bench.scheduler.succeeded(tasks[number - 1])
    assert begun == [1, 4, 2, 5, 3]


def test_however_a_task_ends_that_went_straight_on_its_amounts_come_back() -> None:
    api = Limit("api", concurrency=3)
    bench = Gates({api: 1})
    failed, cancelled, tried_again = (bench.call() for _ in range(3))
    assert bench.turn() == [1, 2, 3]
    bench.scheduler.failed(failed, ValueError())
    bench.turn()
    assert api.used == 2
    bench.scheduler.cancel(cancelled)
    bench.turn()
    assert api.used == 2  # its work still runs
    bench.scheduler.stopped(cancelled)
    bench.scheduler.attempt_failed(tried_again)
    bench.turn()
    assert api.used == 0
    bench.scheduler.again(tried_again, tried_again.lane)
    assert bench.turn() == [3]
    bench.scheduler.given_back(tried_again)
    assert bench.turn() == [3]
    assert api.used == 1
