"""Which agent gets how much work, and from which it is taken back."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core import placement


@dataclass
class Crew:
    """An agent with so many workers and calls."""

    workers: int
    chains: int
    calls: int
    load: float


@st.composite
def crews(draw: st.DrawFn) -> Crew:
    chains = draw(st.integers(0, 50))
    calls = chains + draw(st.integers(0, 3000) if chains else st.just(0))
    return Crew(draw(st.integers(0, 8)), chains, calls, draw(st.floats(0, 2)) if calls else 0.0)


@given(st.lists(crews(), max_size=12))
def test_an_idle_worker_goes_before_all_queues(all_of_them: list[Crew]) -> None:
    index = placement.next_for_work(all_of_them)
    idle = [crew for crew in all_of_them if crew.chains < crew.workers]
    if idle:
        assert index is not None
        assert all_of_them[index].chains < all_of_them[index].workers
    if index is not None:
        assert placement.room(all_of_them[index]) > 0


@given(st.lists(crews(), max_size=12))
def test_nobody_who_has_enough_to_do_gets_more(all_of_them: list[Crew]) -> None:
    index = placement.next_for_work(all_of_them)
    for crew in all_of_them if index is None else [all_of_them[index]]:
        is_full = crew.chains >= crew.workers and crew.load >= placement.AHEAD * crew.workers
        assert (index is None) == (is_full or placement.room(crew) == 0)


@given(crews(), st.integers(1, 10_000), st.integers(1, 100))
def test_a_portion_has_something_for_each_idle_worker_and_is_never_nothing(
    crew: Crew, waiting: int, others: int
) -> None:
    most, seconds = placement.portion(crew, waiting, crew.workers + others)
    assert most >= max(1, crew.workers - crew.chains)
    assert seconds == placement.room(crew)


def test_few_chains_are_spread_over_all_agents() -> None:
    idle = Crew(2, 0, 0, 0.0)
    most, _ = placement.portion(idle, 10, 10)
    assert most == 2


def test_a_call_of_unknown_length_fills_a_worker() -> None:
    assert placement.room(Crew(3, 3, 3, 3 * placement.GUESS)) == 0


@given(st.lists(crews(), max_size=12))
def test_as_much_is_taken_back_as_idle_workers_can_begin_and_nothing_that_runs(
    all_of_them: list[Crew],
) -> None:
    taken = placement.to_take_back(all_of_them)
    idle = sum(max(0, crew.workers - crew.chains) for crew in all_of_them)
    spare = sum(max(0, crew.chains - crew.workers) for crew in all_of_them if crew.workers)
    assert len({index for index, _ in taken}) == len(taken)
    for index, number in taken:
        assert 0 < number <= all_of_them[index].chains - all_of_them[index].workers
    total = sum(number for _, number in taken)
    if not idle:
        assert not taken
    else:
        assert min(idle, spare) <= total <= spare


@given(st.integers(2, 9), st.integers(2, 200))
def test_queues_are_about_as_long_after_it(agents: int, chains: int) -> None:
    all_of_them = [Crew(1, chains, chains, 1.0), *(Crew(1, 0, 0, 0.0) for _ in range(agents - 1))]
    [(index, number)] = placement.to_take_back(all_of_them)
    assert index == 0
    assert chains - number <= max(1, -(-chains // agents) + agents)


@given(st.floats(0, 100), st.integers(0, 1 << 40))
def test_large_calls_count_for_the_time_that_they_need_to_get_there(seconds: float, size: int) -> None:
    assert placement.load(seconds, size) >= seconds
    assert placement.load(seconds, 0) == seconds


@given(st.lists(st.tuples(crews(), st.integers(0, 10**10)), max_size=12))
def test_work_with_large_inputs_goes_where_it_is_through_first(given: list[tuple[Crew, int]]) -> None:
    all_of_them, missing = [crew for crew, _ in given], [size for _, size in given]
    index = placement.nearest(all_of_them, missing)
    takes = [
        each for each, crew in enumerate(all_of_them) if crew.workers and crew.calls < 1000 * crew.workers
    ]
    assert (index is None) == (not takes)
    if index is not None:
        assert index in takes
        for other in takes:  # nobody idle has it all while another is chosen that has to get some
            idle = all_of_them[other].chains == 0
            assert not (idle and missing[other] == 0) or missing[index] == 0


def test_a_long_queue_is_weighed_against_the_way_of_the_bytes() -> None:
    busy, idle = Crew(1, 5, 5, 0.5), Crew(1, 0, 0, 0.0)
    assert placement.nearest([busy, idle], [0, 1_000_000]) == 1
    assert placement.nearest([busy, idle], [0, 10_000_000_000]) == 0
    assert placement.nearest([idle, idle], [10, 0]) == 1
    assert placement.nearest([], []) is None
