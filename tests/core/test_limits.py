"""Limits: what tasks share is never exceeded, nobody waits for ever, and nobody is passed who could go on."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core.limits import Limit, Queue, give_back_all, needs_of


def names(queue: Queue[str], now: float = 0.0) -> list[str]:
    return [each.what for each in queue.admit(now)]


def test_no_more_run_than_a_limit_allows_and_an_end_lets_the_next_one_go_on() -> None:
    api, queue = Limit("api", concurrency=2), Queue[str]()
    for name in "abc":
        queue.join(name, {api: 1})
    assert names(queue) == ["a", "b"]
    assert names(queue) == []
    api.give_back(1)
    assert names(queue) == ["c"]
    assert len(queue) == 0


def test_all_that_a_task_needs_is_taken_together() -> None:
    api, gpu, queue = Limit("api", concurrency=1), Limit("gpu", concurrency=1), Queue[str]()
    gpu.take(1)
    queue.join("both", {api: 1, gpu: 1})
    assert names(queue) == []
    assert api.used == 0
    gpu.give_back(1)
    assert names(queue) == ["both"]


def test_a_heavy_task_is_not_passed_by_light_ones_that_would_keep_it_waiting() -> None:
    memory, queue = Limit("memory", concurrency=4), Queue[str]()
    memory.take(2)
    queue.join("heavy", {memory: 3})
    queue.join("light", {memory: 1})
    assert names(queue) == []  # the last 2 are kept for it
    memory.give_back(1)
    assert names(queue) == ["heavy"]
    memory.give_back(1)
    assert names(queue) == ["light"]


def test_what_a_waiting_task_cannot_use_goes_to_those_behind_it() -> None:
    api, gpu, queue = Limit("api", concurrency=3), Limit("gpu", concurrency=1), Queue[str]()
    gpu.take(1)
    queue.join("both", {api: 1, gpu: 1})
    for name in "abc":
        queue.join(name, {api: 1})
    assert names(queue) == ["a", "b"]  # and one slot of the api is kept for "both"


def test_a_higher_priority_goes_first_and_among_equals_who_came_first() -> None:
    api, queue = Limit("api", concurrency=1), Queue[str]()
    for name, priority in (("a", 0), ("b", 5), ("c", 5), ("d", -1)):
        queue.join(name, {api: 1}, priority)
    order = []
    for _ in range(4):
        order += names(queue)
        api.give_back(1)
    assert order == ["b", "c", "a", "d"]


def test_a_rate_lets_a_burst_begin_and_then_one_after_another() -> None:
    api, queue = Limit("api", rate=10, per=1.0, burst=2), Queue[str]()
    for name in "abcd":
        queue.join(name, {api: 1})
    assert names(queue, 100.0) == ["a", "b"]
    assert queue.wakes_at == pytest.approx(100.1)
    assert names(queue, 100.05) == []
    assert names(queue, 100.1) == ["c"]
    assert names(queue, 100.2) == ["d"]
    assert queue.wakes_at is None


def test_an_end_brings_no_tokens_back() -> None:
    api, queue = Limit("api", rate=1, burst=1), Queue[str]()
    queue.join("a", {api: 1})
    queue.join("b", {api: 1})
    assert names(queue, 0.0) == ["a"]
    api.give_back(1)
    assert names(queue, 0.5) == []
    assert names(queue, 1.0) == ["b"]


def test_who_leaves_is_not_admitted_and_holds_nobody_up() -> None:
    api, queue = Limit("api", concurrency=2), Queue[str]()
    api.take(1)
    queue.join("heavy", {api: 2})
    queue.join("light", {api: 1})
    assert names(queue) == []
    queue.leave("heavy")
    queue.leave("nobody")
    assert "heavy" not in queue
    assert names(queue) == ["light"]


@pytest.mark.parametrize(
    ("limit", "weight", "told"),
    [
        (Limit("api", concurrency=2), 3, "3 can never be met, since there is 2 at most"),
        (Limit("api", rate=10, burst=4), 5, "5 can never be met, since there is 4 at most"),
        (Limit("api", concurrency=2), 0, "a number above 0, and not 0"),
        (Limit("api", concurrency=2), True, "a number above 0, and not True"),
        (Limit("api", concurrency=2), float("nan"), "a number above 0, and not nan"),
    ],
)
def test_an_amount_that_can_never_be_met_is_refused(limit: Limit, weight: float, told: str) -> None:
    with pytest.raises(ValueError, match=rf"limit 'api': .*{told}"):
        Queue[str]().join("a", {limit: weight})


@pytest.mark.parametrize("option", ["concurrency", "rate", "per", "burst"])
@pytest.mark.parametrize("number", [0, -1, float("nan"), float("inf"), True, "2"])
def test_a_number_that_cannot_be_is_refused_with_the_limits_name(option: str, number: float) -> None:
    given = {"concurrency": 1.0, "rate": 1.0, option: number}
    with pytest.raises(ValueError, match=rf"limit 'api': {option}="):
        Limit("api", **given)
    with pytest.raises(ValueError, match=rf"limit 'api': {option}="):
        Limit("api", concurrency=1, rate=1).change(**{option: number})


def test_a_limit_needs_something_to_limit() -> None:
    with pytest.raises(ValueError, match=r"limit 'api' needs concurrency=\.\.\. or rate="):
        Limit("api")


def test_a_limit_can_be_changed_while_it_is_waited_for() -> None:
    api, queue = Limit("api", concurrency=1), Queue[str]()
    for name in "abc":
        queue.join(name, {api: 1})
    assert names(queue) == ["a"]
    api.change(concurrency=3)
    assert names(queue) == ["b", "c"]
    api.change(concurrency=1)  # what runs goes on
    queue.join("d", {api: 1})
    api.give_back(1)
    assert names(queue) == []
    api.give_back(1)
    api.give_back(1)
    assert names(queue) == ["d"]


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[str, object]]:
    steps: list[tuple[str, object]] = []
    for number in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(["join", "join", "join", "end", "leave", "wait", "change"]))
        if kind == "join":
            weights = draw(
                st.dictionaries(st.integers(0, 2), st.sampled_from([0.1, 0.5, 1, 2, 3]), min_size=1)
            )
            steps.append((kind, (number, weights, draw(st.integers(-1, 1)))))
        elif kind == "wait":
            steps.append((kind, draw(st.floats(0, 2))))
        elif kind == "change":
            steps.append((kind, (draw(st.integers(0, 2)), draw(st.sampled_from([3, 4, 5])))))
        else:
            steps.append((kind, draw(st.integers(0, 40))))
    return steps


class Model:
    """Everything that runs and waits, known to the test."""

    def __init__(self) -> None:
        self.limits = [
            Limit("slots", concurrency=3),
            Limit("both", concurrency=4, rate=2, per=1, burst=3),
            Limit("rate", rate=4, per=2, burst=3),
        ]
        self.queue = Queue[int]()
        self.now = 0.0
        self.waiting: dict[int, tuple[tuple[float, int], Mapping[Limit, float]]] = {}
        self.running: dict[int, Mapping[Limit, float]] = {}
        self.begun: list[tuple[float, Mapping[Limit, float]]] = []
        self.order = 0

    def join(self, number: int, weights: Mapping[int, float], priority: int) -> None:
        self.order += 1
        amounts = {self.limits[each]: weight for each, weight in weights.items()}
        self.waiting[number] = (-priority, self.order), amounts
        self.queue.join(number, amounts, priority)

    def admit(self) -> None:
        for each in self.queue.admit(self.now):
            self.running[each.what] = self.waiting.pop(each.what)[1]
            self.begun.append((self.now, each.amounts))

    def check(self) -> None:
        for limit in self.limits:
            used = sum(amounts.get(limit, 0) for amounts in self.running.values())
            assert limit.used == pytest.approx(used)
            if limit.concurrency is not None:
                assert used <= 5 + 1e-6  # as far as it was ever changed to
            if limit.rate is not None:
                for start, _ in self.begun:
                    took = sum(amounts.get(limit, 0) for at, amounts in self.begun if at >= start)
                    assert took <= limit.burst + (self.now - start) * limit.rate / limit.per + 1e-6
        assert len(self.queue) == len(self.waiting)
        self.no_lost_wake_up()

    def no_lost_wake_up(self) -> None:
        """Nobody waits who could go on without keeping somebody before them waiting."""
        claimed = dict.fromkeys(self.limits, 0.0)
        for _, amounts in sorted(self.waiting.values(), key=lambda each: each[0]):
            fits = all(limit.free(self.now) - claimed[limit] >= weight for limit, weight in amounts.items())
            assert not fits
            for limit, weight in amounts.items():
                claimed[limit] += weight


@settings(parent=examples(300))
@given(programs())
def test_whatever_comes_and_goes_nothing_is_exceeded_and_nobody_waits_who_could_go_on(
    program: list[tuple[str, object]],
) -> None:
    model = Model()
    for kind, what in program:
        if kind == "join":
            model.join(*what)  # type: ignore[misc]
        elif kind == "wait":
            model.now += what  # type: ignore[operator]
        elif kind == "change":
            which, slots = what  # type: ignore[misc]
            if model.limits[which].concurrency is not None:
                model.limits[which].change(concurrency=slots)
        elif kind == "leave" and model.waiting:
            gone = sorted(model.waiting)[what % len(model.waiting)]  # type: ignore[operator]
            del model.waiting[gone]
            model.queue.leave(gone)
        elif kind == "end" and model.running:
            over = sorted(model.running)[what % len(model.running)]  # type: ignore[operator]
            give_back_all(model.running.pop(over))
        model.admit()
        model.check()
    for _ in range(1000):  # everything ends
        if not model.waiting:
            break
        for over in list(model.running):
            give_back_all(model.running.pop(over))
        if model.queue.wakes_at is not None:
            model.now = max(model.now, model.queue.wakes_at)
        model.admit()
        model.check()
    assert not model.waiting


def test_who_waits_for_more_than_there_is_left_holds_nobody_up() -> None:
    api, queue = Limit("api", concurrency=5), Queue[str]()
    queue.join("runs", {api: 3})
    assert names(queue) == ["runs"]
    queue.join("heavy", {api: 5})
    queue.join("light", {api: 1})
    api.change(concurrency=4)
    assert names(queue) == ["light"]
    assert [each.what for each in queue.never] == ["heavy"]
    assert len(queue) == 0


def test_those_who_have_left_do_not_gather_behind_one_that_stays() -> None:
    api, queue = Limit("api", concurrency=1), Queue[int]()
    queue.join(-1, {api: 1})
    queue.admit(0)
    queue.join(0, {api: 1})
    for each in range(1, 1000):
        queue.join(each, {api: 1})
        queue.admit(0)
        queue.leave(each)
    assert len(queue) == 1
    assert sum(map(len, queue._lines.values())) < 5


@pytest.mark.parametrize("unit", [1e-12, 0.1, 1.0, 1e12])
def test_fractions_leave_nothing_over_whatever_the_unit(unit: float) -> None:
    api, queue = Limit("api", concurrency=unit), Queue[int]()
    weights = [unit * each for each in (0.1, 0.3, 0.2, 0.1, 0.1, 0.2)]
    for round_of in range(100):
        for number, weight in enumerate(weights):
            queue.join(number, {api: weight})
        assert len(queue.admit(0)) == len(weights)
        queue.join(99, {api: unit * 0.01})
        assert queue.admit(0) == []
        queue.leave(99)
        for weight in weights:
            api.give_back(weight)
        assert api.used == 0, round_of
        queue.join(99, {api: unit})
        assert len(queue.admit(0)) == 1
        api.give_back(unit)


def test_a_weight_may_be_a_number_of_any_library() -> None:
    api = Limit("api", concurrency=2)
    third = needs_of({"api": lambda: Fraction(1, 3)}, None)
    assert third is not None and third.amounts({"api": api}, (), {}) == {api: Fraction(1, 3)}
    wrong = needs_of({"api": lambda: "x"}, None)  # type: ignore[dict-item,return-value]
    assert wrong is not None
    with pytest.raises(ValueError, match="limit 'api': a weight must be a number above 0, and not 'x'"):
        wrong.amounts({"api": api}, (), {})
