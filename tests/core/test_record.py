"""What is kept of a run, how much of it, and what is worked out of it."""

from __future__ import annotations

import pickle
import random
import tracemalloc
from array import array
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, pairwise
from math import isnan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core.lanes import Lane
from asyncflow._core.states import CANCELLED, DONE, FAILED, PENDING, READY, STATES, SUCCEEDED, UPSTREAM_FAILED
from asyncflow._core.task import FIELDS, CallSite, Definition, Task
from asyncflow._record.from_events import history_told
from asyncflow._record.from_logs import history_of
from asyncflow._record.history import DATA, ORDER, Ending, History, Totals
from asyncflow._record.lazy import LazyHistory
from asyncflow._record.lines import events_in, last_run, line_of
from asyncflow._record.news import News
from asyncflow._record.placed import Placed, spread
from asyncflow._record.record import Record
from asyncflow._record.snapshot import Snapshot, snapshot_of
from asyncflow._record.sums import OTHERS
from asyncflow.events import (
    Event,
    EventsLost,
    RunBegan,
    RunEnded,
    TaskCalled,
    TaskEnded,
    TaskStarted,
    TaskSubmitted,
)
from asyncflow.report.same import same
from asyncflow.report.stored import check, from_json, to_json

TIMES = ("called", "ready", "staged", "submitted", "started", "finished", "over")


class Call(Task):
    __slots__ = FIELDS


class Play:
    """A run that nobody runs: a record, a clock, and what a runtime would tell."""

    def __init__(self, limit: int = 1000) -> None:
        self.now = 100.0
        self.record = Record(limit, self.now)
        self.lane = Lane("backend 'thread'")
        self.live: dict[int, Task] = {}
        self.last = 0
        self.last_called: Any = None
        self.definitions: dict[str, Definition] = {}
        self.news = News(self.record, 1000.0)
        self.ran_ids: list[int] = []
        self.runs: list[tuple[float, float, str]] = []
        self.told: list[Event] = [RunBegan(self.now + 1000, "run", {"backend 'thread'": 2})]

    def call(self, name: str, *waits: Task, site: Any = None, block: Task | None = None) -> Task:
        self.last += 1
        definition = self.definitions.setdefault(name, Definition(lambda: None, name=name))
        task = Call()
        code = site or (lambda: None).__code__
        at = CallSite(definition, self.lane, code=code)
        task.set_up(self.last, at, (), {}, owner=block)
        record = self.record
        if record.last == self.last - 1 or (definition, block) != self.last_called:
            record.turn(task.id, at, block, self.now)
        self.last_called = definition, block
        self.live[task.id] = task
        if waits:
            record.edges[task.id] = waits
        return task

    def pause(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.record.pause(self.last, self.now)

    def submit(self, *tasks: Task) -> None:
        self.record.submitted(tasks, self.now)

    def end(self, task: Task, began: float, ended: float, worker: str = "w") -> None:
        self.ran_ids.append(task.id)
        self.runs.append((began, ended, worker))
        task.story = DONE
        del self.live[task.id]

    def taken(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.record.ran(self.ran_ids, self.runs, self.now)
        self.ran_ids, self.runs = [], []

    def listen(self) -> None:
        self.told += self.news.since(self.live)

    def history(self) -> History:
        return history_of(self.snapshot())

    def snapshot(self) -> Snapshot:
        return snapshot_of(
            self.record,
            self.now,
            self.live,
            run="run",
            began=self.record.began + 1000,
            workers={"backend 'thread'": 2},
        )


def ran_on_loop(record: Record, task_id: int, now: float) -> None:
    ran, at = record.ran_on_loop
    ran(task_id)
    at(now)


def rows(history: History, *columns: str) -> list[tuple[Any, ...]]:
    return list(zip(*(getattr(history, column) for column in columns), strict=True))


def test_times_of_a_task_are_those_that_were_told() -> None:
    play = Play()
    task = play.call("load")
    play.pause(1)
    play.submit(task)
    play.end(task, 102, 105)
    play.taken(6)
    assert rows(play.history(), *TIMES) == [(0, 0, 0, 1, 2, 5, 7)]


def test_task_is_ready_when_the_last_that_it_waits_for_is_over() -> None:
    play = Play()
    first, second = play.call("load"), play.call("load")
    third = play.call("add", first, second)
    play.pause()
    play.submit(first, second)
    play.end(first, 100, 101)
    play.end(second, 101, 103)
    play.taken(4)
    play.submit(third)
    play.end(third, 105, 106)
    play.taken(3)
    history = play.history()
    assert rows(history, "ready", "submitted", "started", "over")[2] == (4, 4, 5, 7)
    assert list(history.dependencies) == [1, 2]
    assert list(history.starts) == [0, 0, 0, 2]


def test_link_of_a_chain_is_ready_no_later_than_it_begins() -> None:
    play = Play()
    first = play.call("load")
    second = play.call("add", first)
    play.pause()
    play.submit(first)  # the second goes with it
    play.end(first, 101, 102)
    play.end(second, 102, 103)
    play.taken(5)
    assert rows(play.history(), "ready", "submitted", "started", "over", "attempts")[1] == (2, 2, 2, 5, 1)


def test_what_runs_on_the_loop_begins_when_the_one_before_has_ended() -> None:
    play = Play()
    tasks = [play.call("load") for _ in range(3)]
    play.pause()
    play.submit(*tasks)
    record = play.record
    record.paused(101.0)
    for task, at in zip(tasks, (102.0, 104.0, 107.0), strict=True):
        ran_on_loop(record, task.id, at)
        del play.live[task.id]
    play.now = 110.0
    assert rows(play.history(), "started", "finished", "over") == [(1, 2, 2), (2, 4, 4), (4, 7, 7)]


def test_calls_of_one_burst_from_one_place_take_one_entry() -> None:
    play = Play()
    for _ in range(100):
        play.call("load")
    play.pause()
    assert len(play.record.segment.turn_id) == 1
    play.call("load")
    assert len(play.record.segment.turn_id) == 2


def test_planning_is_the_time_that_bursts_took() -> None:
    play = Play()
    play.call("load")
    play.pause(2)
    play.now += 10
    play.call("load")
    play.pause(3)
    assert play.history().planning == 5


def test_call_that_was_not_taken_has_no_row() -> None:
    play = Play()
    play.call("load")
    refused = play.call("load")
    play.call("load")
    play.record.void(refused.id)
    del play.live[refused.id]
    play.pause()
    assert list(play.history().id) == [1, 3]


def test_what_waits_for_a_file_waits_for_its_maker() -> None:
    play = Play()
    maker = play.call("split")
    path = play.call("split.outputs['a']", maker)
    play.record.alias(path.id, [maker.id])
    play.call("read", path)
    play.pause()
    history = play.history()
    assert list(history.id) == [1, 3]
    assert list(history.dependencies) == [1]


def test_edges_without_a_value_are_told_apart() -> None:
    play = Play()
    first, second = play.call("load"), play.call("load")
    third = play.call("add", first, second)
    third.after = [second]
    play.record.ordered(third)
    play.pause()
    history = play.history()
    assert list(history.dependencies) == [1, 2]
    assert list(history.edges) == [DATA, ORDER]


def test_task_that_gave_no_value_says_why() -> None:
    play = Play()
    bad, worse = play.call("fit"), play.call("plot")
    play.pause()
    play.submit(bad)
    play.end(bad, 101, 102)
    play.taken(2)
    play.record.bad(bad.id, FAILED, play.now, "ValueError: no", ())
    play.record.bad(worse.id, UPSTREAM_FAILED, play.now, "", (bad.id, 7))
    del play.live[worse.id]
    history = play.history()
    assert list(history.state) == [FAILED, UPSTREAM_FAILED]
    assert history.endings == {1: Ending("ValueError: no", ()), 2: Ending("", (1, 7))}
    assert history.over[0] == history.over[1] == 2


def test_work_that_goes_on_after_its_end_was_decided_is_over_when_it_stops() -> None:
    play = Play()
    task = play.call("fit")
    play.pause()
    play.submit(task)
    play.record.bad(task.id, FAILED, play.now + 1, "TaskTimeout: too long", ())
    play.end(task, 100, 109)
    play.taken(10)
    assert rows(play.history(), "state", "finished", "over") == [(FAILED, 9, 9)]


def test_task_that_was_given_back_was_tried_once_less() -> None:
    play = Play()
    task = play.call("load")
    play.pause()
    play.submit(task)
    play.record.returned(task.id, play.now)
    play.submit(task)
    assert list(play.history().attempts) == [1]


def test_running_task_tells_since_when_and_where() -> None:
    play = Play()
    task = play.call("load")
    play.pause()
    play.submit(task)
    play.record.begun(task.id, 103.0, "w")
    play.taken(1)
    play.now = 105.0
    history = play.history()
    assert rows(history, "started") == [(3,)]
    assert history.over[0] != history.over[0]


def many(play: Play, count: int, rest: Callable[[Play, list[Task]], None] | None = None) -> None:
    """Tasks, a thousand at a time, to their ends."""
    for _ in range(count // 1000):
        tasks = [play.call("load") for _ in range(1000)]
        play.pause(1)
        play.submit(*tasks)
        for task in tasks:
            play.end(task, play.now, play.now + 0.5)
        play.taken(1)
        if play.record.is_full:
            play.record.go_on(play.live)


@pytest.mark.parametrize("limit", [1, 1000, 5000, 20_000])
def test_as_many_tasks_have_rows_as_was_asked_for_and_not_many_more(limit: int) -> None:
    play = Play(limit)
    many(play, 50_000)
    history = play.history()
    assert limit <= len(history.id) <= limit + 2 * max(1024, limit // 32) + 1000
    assert history.id[-1] == 50_000
    assert history.dropped + len(history.id) == 50_000


def test_large_segment_is_given_up_a_part_at_a_time() -> None:
    play = Play(1)
    tasks = [play.call("load") for _ in range(50_000)]  # one burst, and so one segment
    play.pause()
    play.submit(*tasks)
    for task in tasks:
        play.end(task, 100, 101)
    play.taken()
    play.record.go_on(play.live)
    play.call("load")
    play.pause()
    play.record.go_on(play.live)
    steps = 0
    while play.record.giving_up is not None:
        play.record.work_off()
        steps += 1
    assert steps > 10
    assert play.history().earlier["load"].states == {"SUCCEEDED": 50_000}


@pytest.mark.parametrize(
    "told", [1, 2]
)  # a backend that says all of it twice must not break what others are told
def test_burst_that_ends_when_its_segment_is_over_is_counted_by_name(told: int) -> None:
    play = Play(1)
    tasks = [play.call(("load", "fit")[number % 2]) for number in range(5_000)]
    play.pause()
    play.submit(*tasks)
    play.record.go_on(play.live)
    for task in tasks:
        play.end(task, 100, 101)
    play.ran_ids *= told
    play.runs *= told
    play.taken()
    for _ in range(2):
        play.call("last")
        play.pause()
        play.record.go_on(play.live)
        play.record.settle()
    earlier = play.history().earlier
    assert {name: earlier[name].states for name in ("load", "fit")} == {
        "load": {"SUCCEEDED": 2_500},
        "fit": {"SUCCEEDED": 2_500},
    }


def test_of_tasks_without_a_row_sums_are_kept() -> None:
    play = Play(1)
    many(play, 10_000)
    history = play.history()
    known = history.earlier["load"]
    assert known.states == {"SUCCEEDED": history.dropped}
    assert known.run == pytest.approx(history.dropped / 2)
    assert known.longest == pytest.approx(0.5)


def test_task_that_outlives_its_row_is_counted_by_its_name() -> None:
    play = Play(1)
    long = play.call("long")
    play.pause()
    play.submit(long)
    many(play, 10_000)
    play.end(long, 100, play.now)
    many(play, 10_000)
    assert play.history().earlier["long"].states == {"SUCCEEDED": 1}


@st.composite
def short_memories(draw: st.DrawFn) -> tuple[Play, dict[int, str], dict[int, int], dict[int, float]]:
    """Runs of which only the last few tasks have rows: and the name, the state and the run time of each."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    play = Play(draw(st.sampled_from([1, 10])))
    play.record.size = draw(st.sampled_from([3, 10]))
    left: list[tuple[Task, list[str]]] = []
    names: dict[int, str] = {}
    states: dict[int, int] = {}
    ran: dict[int, float] = {}
    lives = [
        ["ran"],
        ["loop"],
        ["ran", "bad"],
        ["loop", "bad"],
        ["ran", "late"],
        ["loop", "late"],
        ["bad", "ran"],
    ]
    for _ in range(draw(st.integers(1, 40))):
        for _ in range(chance.randrange(4)):
            task = play.call(chance.choice("abc"))
            names[task.id], states[task.id], ran[task.id] = task.name, PENDING, 0.0
            left.append((task, list(chance.choice([*lives, ["bad"], []]))))
        play.pause(0.0)
        for task, steps in chance.sample(left, len(left) // 2):
            for _ in range(chance.randint(0, len(steps))):
                step = steps.pop(0)
                play.now += 1
                if step == "ran":
                    play.record.ran([task.id], [(play.now - 1, play.now, "w")], play.now)
                elif step == "loop":
                    play.record.paused(play.now - 1)
                    ran_on_loop(play.record, task.id, play.now)
                elif step == "late":
                    play.record.over(task.id, play.now)
                else:
                    play.record.bad(task.id, FAILED, play.now, "ValueError: no", ())
                ran[task.id] += step in ("ran", "loop")
                states[task.id] = FAILED if step == "bad" or states[task.id] == FAILED else states[task.id]
                if not steps:
                    states[task.id] = max(states[task.id], SUCCEEDED)
                    task.story = states[task.id]
                    del play.live[task.id]
        if play.record.is_full:
            play.record.go_on(play.live)
    return play, names, states, ran


@given(short_memories())
@settings(examples(300))
def test_tasks_with_rows_and_sums_of_the_rest_are_all_that_there_were(
    given: tuple[Play, dict[int, str], dict[int, int], dict[int, float]],
) -> None:
    play, names, states, ran = given
    history = play.history()
    for name in set(names.values()):
        mine = [task_id for task_id in names if names[task_id] == name]
        rows = [row for row, site in enumerate(history.site) if history.sites[site].name == name]
        earlier = history.earlier.get(name, Totals({}, 0.0, 0.0))
        for state in (PENDING, SUCCEEDED, FAILED):
            # One that failed and still runs may be told either way: its end is decided, and not there yet.
            known = sum(history.state[row] == state for row in rows) + earlier.states.get(
                STATES[state - 1], 0
            )
            unsure = sum(task_id in play.live and states[task_id] == FAILED for task_id in mine)
            assert abs(known - sum(states[task_id] == state for task_id in mine)) <= unsure
        times = [history.finished[row] - history.started[row] for row in rows]
        assert earlier.run + sum(time for time in times if time == time) == sum(ran[each] for each in mine)  # noqa: PLR0124
    assert history.dropped + len(history.id) == len(names)
    assert history.earlier.keys() <= set(names.values())


def test_body_that_runs_while_a_segment_ends_began_when_it_did() -> None:
    play = Play(1)
    play.record.size = 2
    play.record.paused(103.0)
    body = play.call("body")
    for _ in range(3):
        play.call("called inside of it")
    play.pause(4.0)
    assert play.record.is_full
    play.record.go_on(play.live)
    ran_on_loop(play.record, body.id, 105.0)
    del play.live[body.id]
    assert rows(play.history(), "started", "finished")[0] == (3.0, 5.0)


def test_names_that_are_too_many_are_counted_together() -> None:
    play = Play(1)
    for number in range(12_000):
        play.call(f"load {number}")
        task = play.live[play.last]
        play.pause()
        play.submit(task)
        play.end(task, 100, 101)
        play.taken()
        if play.record.is_full:
            play.record.go_on(play.live)
    earlier = play.history().earlier
    assert len(earlier) == 10_001
    assert sum(sum(known.states.values()) for known in earlier.values()) == play.history().dropped
    assert earlier[OTHERS].states["SUCCEEDED"] > 0


def test_errors_that_are_long_or_many_are_kept_short() -> None:
    play = Play(5000)
    for number in range(1500):
        task = play.call("fit")
        play.record.bad(task.id, FAILED, play.now, f"ValueError: {number} " + "x" * 10_000, ())
        del play.live[task.id]
    play.pause()
    endings = play.history().endings
    assert max(len(ending.error) for ending in endings.values()) <= 203
    assert endings[1].error.startswith("ValueError: 0 xxx")
    assert endings[1500].error == "ValueError"


@st.composite
def plays(draw: st.DrawFn) -> Play:
    """Random graphs that run in random order, told of now and then."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    play = Play(draw(st.sampled_from([1, 50, 1000])))
    play.record.size = draw(st.sampled_from([5, 20, 1000]))
    waiting: list[tuple[Task, tuple[Task, ...]]] = []
    past: list[Task] = []
    for _ in range(draw(st.integers(1, 12))):
        for _ in range(chance.randrange(5)):
            waits = tuple(chance.sample(past, min(len(past), chance.randrange(3))))
            task = play.call(chance.choice("abc"), *waits)
            past.append(task)
            waiting.append((task, waits))
        if play.record.last != play.last:
            play.pause(chance.random())
        ready = [pair for pair in waiting if not any(each.id in play.live for each in pair[1])]
        chance.shuffle(ready)
        batch = [task for task, _ in ready[: chance.randrange(4)]]
        waiting = [pair for pair in waiting if pair[0] not in batch]
        play.submit(*batch)
        began = play.now + chance.random()
        for task in batch:
            fate = chance.randrange(6)
            ended = began + chance.random()
            if fate == 0:
                play.record.begun(task.id, began, "w")
                continue  # runs for ever
            play.end(task, began, ended)
            if fate == 1:
                play.record.bad(task.id, FAILED, ended, "ValueError: no", ())
            began = ended
        play.now = began + 0.1
        play.taken()
        if chance.random() < 0.2 and waiting:
            task, _ = waiting.pop()
            play.record.bad(task.id, CANCELLED, play.now, "", ())
            del play.live[task.id]
        if chance.random() < 0.7 or play.record.is_full:
            play.listen()
        if play.record.is_full:
            play.record.go_on(play.live)
    play.listen()
    return play


@given(plays())
@settings(examples(300))
def test_times_of_a_task_never_go_back(play: Play) -> None:
    for times in rows(play.history(), *TIMES):
        known = [time for time in times if not isnan(time)]
        assert known == sorted(known)
        assert all(earlier <= later for earlier, later in pairwise(known))


@given(plays())
@settings(examples(300))
def test_history_told_by_events_is_that_of_the_record(play: Play) -> None:
    history, told = play.history(), history_told(play.told)
    kept = set(history.id)
    rows_told = [row for row, task_id in enumerate(told.id) if task_id in kept]
    assert [told.id[row] for row in rows_told] == list(history.id)
    for column in ("block", "attempts"):
        assert [getattr(told, column)[row] for row in rows_told] == list(getattr(history, column))
    ended = [row for row, state in enumerate(history.state) if state >= SUCCEEDED]
    assert [told.state[rows_told[row]] for row in ended] == [history.state[row] for row in ended]
    for row in ended:
        assert told.sites[told.site[rows_told[row]]] == history.sites[history.site[row]]
        for column in ("called", "started", "finished", "over"):
            was, is_told = getattr(history, column)[row], getattr(told, column)[rows_told[row]]
            assert is_told == pytest.approx(was, abs=1e-6, nan_ok=True)


@given(plays(), st.data())
def test_history_can_be_had_of_a_journal_that_is_cut_off_anywhere(play: Play, data: st.DataObject) -> None:
    journal = b"".join(line_of(event, "run") for event in play.told)
    assert list(events_in(journal.splitlines(keepends=True))) == [("run", event) for event in play.told]
    cut = journal[: data.draw(st.integers(0, len(journal)))]
    told = last_run(events_in(cut.splitlines(keepends=True)))
    assert told == play.told[: len(told)]
    following = RunBegan(1.0, "next", {})
    both = list(events_in((cut + line_of(following, "next")).splitlines(keepends=True)))
    assert last_run(both) == [following]
    assert both == [*(("run", event) for event in told), ("next", following)]
    history = history_told(told)
    assert len(history.id) == sum(isinstance(event, TaskCalled) for event in told)
    for times in rows(history, *TIMES):
        known = [time for time in times if not isnan(time)]
        assert known == sorted(known)


@given(plays(), st.data())
@settings(examples(300))
def test_what_a_journal_lacks_is_told_and_never_taken_for_what_a_task_was_before(
    play: Play, data: st.DataObject
) -> None:
    lost = data.draw(st.lists(st.booleans(), min_size=len(play.told), max_size=len(play.told)))
    written: list[Event | EventsLost] = []
    for event, is_lost in zip(play.told, lost, strict=True):
        if isinstance(event, RunBegan) or not is_lost:
            written.append(event)
        elif isinstance(written[-1], EventsLost):
            written[-1] = written[-1]._replace(events=written[-1].events + 1)
        else:
            written.append(EventsLost(event.time, 1))
    whole, told = history_told(play.told), history_told(written)
    assert told.lost_events == len(play.told) - sum(not isinstance(each, EventsLost) for each in written)
    waits = {PENDING, READY}  # which of both, follows from what others have become
    states = dict(zip(whole.id, whole.state, strict=True))
    for task_id, state in zip(told.id, told.state, strict=True):
        assert state == states[task_id] or {state, states[task_id]} <= waits
    mentioned = {event.id for event in written if hasattr(event, "id")}
    assert set(told.id) | told.lost.keys() == mentioned and not told.lost.keys() & set(told.id)
    for task_id, name in told.lost.items():
        assert name in ("", whole.sites[whole.site[whole.id.index(task_id)]].name)
    check(told)
    assert same(from_json(to_json(told)), told)


def test_task_whose_end_is_reported_apart_from_its_run_is_told_to_end() -> None:
    play = Play()
    task = play.call("load")
    play.pause()
    play.submit(task)
    play.ran_ids.append(task.id)
    play.runs.append((101.0, 102.0, "w"))
    play.taken(3)
    play.listen()  # between the two: it is live
    assert not any(isinstance(event, TaskEnded) for event in play.told)
    del play.live[task.id]
    play.listen()
    play.listen()
    [ended] = [event for event in play.told if isinstance(event, TaskEnded)]
    assert (ended.id, ended.state, ended.finished, ended.time) == (1, "SUCCEEDED", 1102, 1103)


@given(plays())
@settings(examples(200))
def test_what_is_told_of_one_task_is_what_the_columns_tell_of_all(play: Play) -> None:
    snapshot = play.snapshot()
    whole, single = history_of(snapshot), history_of(snapshot)
    assert isinstance(single, LazyHistory)
    single._left = len(single.id)  # so that all are looked at by themselves
    names = ("attempts", "ready", "staged", "submitted", "started", "finished")
    for row in range(len(single.id)):
        told = single.told(row)
        assert not has_column(single, "ready")
        assert told == pytest.approx(tuple(getattr(whole, name)[row] for name in names), abs=0, nan_ok=True)
    assert same(single, whole)


def has_column(history: History, name: str) -> bool:
    try:
        object.__getattribute__(history, name)
    except AttributeError:
        return False
    return True


@given(plays(), st.integers(1, 5))
@settings(examples(100))
def test_snapshot_stays_as_it_was_while_the_run_goes_on(play: Play, more: int) -> None:
    before, at_once = play.snapshot(), history_of(play.snapshot())
    for number in range(more):
        tasks = [play.call("late", *list(play.live.values())[:2]) for _ in range(number + 1)]
        play.pause(1)
        play.submit(*tasks)
        for task in list(play.live.values()):
            play.end(task, play.now, play.now + 1)
        play.taken(2)
        play.record.bad(tasks[0].id, FAILED, play.now, "ValueError: no", ())
        ran_on_loop(play.record, tasks[-1].id, play.now)
        play.record.go_on(play.live)
        play.record.settle()
    assert same(history_of(before), at_once)
    assert same(pickle.loads(pickle.dumps(history_of(before))), at_once)


NUMBERS = array("I", range(5, 205))


@given(
    st.lists(
        st.one_of(
            st.lists(st.integers(0, 210), max_size=5),
            st.builds(
                lambda first, size: [*range(first, first + size)], st.integers(1, 150), st.integers(0, 60)
            ),
        ),
        max_size=20,
    )
)
def test_logs_are_put_into_columns_as_one_by_one(parts: list[list[int]]) -> None:
    ids = array("I", [each for part in parts for each in part if each <= NUMBERS[-1]])
    values = array("d", range(len(ids)))
    column, counts, marks = (array(kind, [0]) * len(NUMBERS) for kind in "dIB")
    placed = Placed(ids, NUMBERS)
    placed.put(column, values)
    placed.count(counts)
    placed.put_all(marks, 1)
    with_rows = [(number, value) for number, value in zip(ids, values, strict=True) if number >= NUMBERS[0]]
    last, many = dict(with_rows), Counter(number for number, _ in with_rows)
    assert list(column) == [last.get(number, 0) for number in NUMBERS]
    assert list(counts) == [many[number] for number in NUMBERS]
    assert list(marks) == [number in last for number in NUMBERS]
    assert list(placed.of(values)) == [value for _, value in with_rows]
    told = [number for number, _ in with_rows]
    assert placed.goes_up == all(one < other for one, other in pairwise(told))


@given(st.lists(st.integers(0, 4), max_size=40))
def test_value_is_spread_over_all_that_it_holds_for(times: list[int]) -> None:
    values = array("d", range(len(times)))
    assert list(spread(values, list(accumulate(times)))) == [
        value for value, many in zip(values, times, strict=True) for _ in range(many)
    ]


def test_line_that_tells_of_no_event_is_named() -> None:
    good = line_of(TaskSubmitted(1.0, 3), "a")
    for wrong in (
        b"[]\n",
        b"{}\n",
        b'{"event": "TaskSubmitted", "time": 1}\n',
        b"nonsense\n",
        b"\xff\n",
        good[:-9] + b"\n",
    ):
        with pytest.raises(ValueError, match="line 2 tells of no event"):
            list(events_in([good, wrong, good]))
    for wrong in (b'{"event": "TaskSubmitted", "time": 1, "id": "x"}\n', b'{"event": "Nothing"}\n'):
        with pytest.raises(ValueError, match="line 1"):
            list(events_in([wrong]))


def test_line_that_tells_of_no_event_is_shown_and_not_what_python_says_of_it() -> None:
    for wrong, shown in (
        (b"hello\n", "hello"),
        (b'{"a": 1}\n', '{"a": 1}'),
        (b"\x1b[2J\xff" * 999 + b"\n", r"\x1b[2J"),
    ):
        with pytest.raises(ValueError) as refused:
            list(events_in([wrong]))
        told = str(refused.value)
        assert told.startswith(f"line 1 tells of no event: {shown}")
        assert "Error" not in told and "\x1b" not in told and len(told) < 400


def test_of_several_runs_the_last_is_taken_or_the_one_that_is_named() -> None:
    a = [RunBegan(1.0, "a", {}), TaskSubmitted(2.0, 1), TaskSubmitted(3.5, 2)]
    b = [RunBegan(3.0, "b", {}), RunEnded(4.0, 0.5)]
    runs = [("a", a[0]), ("a", a[1]), ("b", b[0]), ("a", a[2]), ("b", b[1])]
    assert last_run(runs) == b
    assert last_run(runs, "a") == a
    with pytest.raises(LookupError, match="no run 'c'; there is: a, b"):
        last_run(runs, "c")


def test_every_event_can_be_written_and_read() -> None:
    told: list[Event] = [
        RunBegan(1.5, "a", {"backend 'x'": None, "y": 3}),
        TaskCalled(2.5, 3, "n\n\udc80", "block", "p", "l", "c", "w", 2, (1, 2), (2,)),
        TaskStarted(3.5, 3, "w"),
        TaskEnded(4.5, 3, "FAILED", 3.5, 4.25, "w", 7, "e", (1,)),
        RunEnded(5.5, 0.25),
    ]
    assert list(events_in(line_of(event, "a") for event in told)) == [("a", event) for event in told]


def test_history_of_nothing_is_empty() -> None:
    history = history_told([])
    assert list(history.id) == []
    assert history.now == 0


def test_memory_of_a_task_is_less_than_a_hundred_bytes() -> None:
    play = Play(1_000_000)
    play.record.tells = False
    many(play, 20_000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        many(play, 100_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 100_000 < 60


def test_attempts_are_counted_beyond_what_two_bytes_hold() -> None:
    attempts = History().attempts
    attempts.append((1 << 16) - 1)
    attempts[0] += 1
    assert attempts[0] == 1 << 16
