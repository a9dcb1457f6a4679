"""What is worked out of numbers: sums, parts, and how long it may take."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.live.eta import Eta, Graph, Left, Measured, by_schedule, by_work
from asyncflow.live.pace import Pace
from asyncflow.live.progress import Function, Progress, line, of_total, percent, share
from asyncflow.live.summary import headline

numbers = st.integers(0, 1000)


@st.composite
def functions(draw: st.DrawFn) -> Function:
    running, done, failed, other, waiting = (draw(numbers) for _ in range(5))
    called = running + done + failed + other + waiting
    expected = draw(st.none() | st.integers(0, 10_000))
    kind = draw(st.sampled_from(["function", "executable", "block", "awaitable"]))
    return Function("f", kind, "here", called, running, done, failed, other, expected)


@given(st.lists(functions(), max_size=6))
def test_the_sums_are_those_of_all_that_is_work(given: list[Function]) -> None:
    progress = Progress(1.0, given)
    work = [each for each in given if each.kind not in ("block", "awaitable")]
    assert progress.sums.called == sum(each.called for each in work)
    assert progress.sums.over == sum(each.done + each.failed + each.other for each in work)
    assert progress.sums.waiting + progress.sums.running + progress.sums.over == progress.sums.called
    assert progress.sums.is_known == (bool(work) and all(each.is_known for each in work))
    assert f"{progress.sums.over:,} of {progress.sums.total:,}" in line(progress)


@given(functions())
def test_a_part_is_told_only_where_all_is_known(given: Function) -> None:
    part = share(given)
    assert (part is not None) == bool(given.is_known and given.total)
    assert ("so far" in of_total(given)) == (not given.is_known)
    if part is not None:
        assert 0 <= part <= 1
        assert (percent(part) == "100 %") == (given.over >= given.total)


measured = st.builds(
    lambda times: Measured(len(times), sum(times), sum(each * each for each in times)),
    st.lists(st.floats(0, 1e4), min_size=1, max_size=20),
)
left = st.builds(
    Left,
    st.integers(0, 5000),
    st.sampled_from(["threads", "processes", "the event loop"]),
    st.floats(0, 1e4),
    st.none() | measured,
)
WORKERS = {"threads": 4, "processes": 2, "the event loop": None}


@given(st.lists(left, max_size=5))
def test_what_is_left_takes_a_range_that_is_ordered_and_not_negative(given: list[Left]) -> None:
    eta = by_work(given, WORKERS)
    some = [each for each in given if each.tasks]
    assert (eta is None) == (not any(each.measured for each in some))
    if eta is not None:
        assert eta.least >= 0
        assert isfinite(eta.least)
        assert (eta.most is None) == any(each.measured is None for each in some)
        assert eta.most is None or eta.most >= eta.least
        assert eta.words.endswith(" left")


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, list[Left]]:
    count = draw(st.integers(1, 12))
    after = [
        draw(st.lists(st.integers(point + 1, count - 1), max_size=3)) if point + 1 < count else []
        for point in range(count)
    ]
    kinds = draw(st.integers(1, 3))
    function = draw(st.lists(st.integers(0, kinds), min_size=count, max_size=count))
    has_run = draw(st.lists(st.floats(0, 100), min_size=count, max_size=count))
    many = [function.count(each) for each in range(kinds)]
    lefts = [Left(many[each], "threads", 0.0, draw(st.none() | measured)) for each in range(kinds)]
    return Graph(after, function, has_run), [*lefts, Left(0, "", 0.0, None)]


@given(graphs(), st.none() | st.integers(1, 5))
def test_a_schedule_of_what_is_left_takes_a_range_too(
    given: tuple[Graph, list[Left]], workers: int | None
) -> None:
    graph, lefts = given
    eta = by_schedule(graph, lefts, workers)
    if eta is not None:
        assert eta.least >= 0
        assert eta.most is None or eta.most >= eta.least


def test_a_schedule_knows_what_waits_for_what() -> None:
    """Four tasks of a second, two workers: side by side two seconds, one after another four."""
    second = Measured(100, 100.0, 100.0)
    of_four = [Left(4, "threads", 0.0, second)]
    apart = Graph([[], [], [], []], [0] * 4, [0.0] * 4)
    in_a_row = Graph([[1], [2], [3], []], [0] * 4, [0.0] * 4)
    assert by_schedule(apart, of_four, 2) == Eta(2.0, 2.0)
    assert by_schedule(in_a_row, of_four, 2) == Eta(4.0, 4.0)
    assert by_schedule(apart, of_four, None) == Eta(1.0, 1.0)
    assert by_schedule(apart._replace(has_run=[0.5, 0.5, 0.0, 0.0]), of_four, 2) == Eta(1.5, 1.5)


def test_the_more_is_measured_the_narrower_is_the_range() -> None:
    few, many = Measured(4, 4.0, 5.0), Measured(400, 400.0, 500.0)
    (low, high), (least, most) = few.range(1000), many.range(1000)
    assert low < least < 1.0 < most < high


@pytest.mark.parametrize(
    "eta, words",
    [
        (Eta(0.1, 0.5), "less than 1 s left"),
        (Eta(118.0, 122.0), "about 2 min left"),
        (Eta(120.0, 190.0), "2 to 3 min left"),
        (Eta(40.0, 190.0), "40 s to 3 min left"),
        (Eta(120.0, None), "at least 2 min left"),
        (Eta(7200.0, 3 * 86400.0), "2 h to 3 d left"),
    ],
)
def test_a_range_is_told_as_one_says_it(eta: Eta, words: str) -> None:
    assert eta.words == words


def test_a_line_tells_how_many_of_how_many_and_what_has_failed() -> None:
    fit = Function("fit", "function", "here", 1000, 4, 309, 3, 0, expected=1000)
    told = line(Progress(83.0, [fit], eta=Eta(118.0, 122.0)))
    assert told == "312 of 1,000 (31 %), 3 failed, 4 running, about 2 min left, 83 s gone"


@given(st.lists(st.tuples(st.floats(0.0001, 1), st.floats(0, 1)), min_size=1, max_size=50))
def test_what_is_paced_takes_no_more_than_its_part_of_the_time(steps: list[tuple[float, float]]) -> None:
    pace, now, spent = Pace(0.01, 0.1), 0.0, 0.0
    for cost, idle in steps:
        now = max(now + idle, pace.next)
        assert pace.is_due(now)
        now += cost
        spent += cost
        pace.took(cost, now)
    assert spent <= 0.0101 * pace.next


def test_a_run_of_which_only_a_block_has_failed_does_not_sound_as_if_nothing_had() -> None:
    block = Function("f", "block", "", 1, 0, 0, 1, 0)
    work = Function("g", "function", "", 2, 0, 2, 0, 0)
    assert "1 block failed, 2 succeeded in" in headline(Progress(1.0, [block, work]))
    assert "block" not in headline(Progress(1.0, [block, work._replace(done=1, failed=1)]))
