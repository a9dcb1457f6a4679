"""Amounts, as the core counts them: what is numbered is one's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.amounts import Amount, Numbered, amounts_made, numbers_of, wanted_of
from asyncflow._core.limits import Limit, Queue, give_back_all, needs_of

THERE_ARE = 4


def needed(wanted: dict[str, Any], there_are: dict[str, Amount], limits: Any = None) -> dict[Limit, float]:
    needs, lacks, _ = wanted_of(needs_of(limits, None), wanted, there_are, "fit")
    assert lacks is None and needs is not None
    return needs.of_attempt({}, (), {}, 1, None)


@given(st.lists(st.one_of(st.integers(1, THERE_ARE), st.none()), max_size=40), st.randoms())
def test_no_number_is_anybody_elses_and_all_come_back(steps: list[int | None], random: Any) -> None:
    """A number of steps: somebody comes who needs so many, or somebody goes, who has them or waits."""
    there_are = amounts_made({"gpus": THERE_ARE, "cores": 6})
    queue = Queue[int]()
    having: dict[int, Any] = {}
    asked: dict[int, int] = {}
    for number, step in enumerate(steps):
        if step is not None:
            queue.join(number, needed({"gpus": step, "cores": 2}, there_are))
            asked[number] = step
        elif asked:
            gone = random.choice(sorted(asked))
            del asked[gone]
            queue.leave(gone)
            give_back_all(having.pop(gone, {}))
        having.update((each.what, each.amounts) for each in queue.admit(0.0))
        own = [numbers_of(amounts) for amounts in having.values()]
        assert sorted(each for numbers in own for each in numbers) == sorted(
            {each for numbers in own for each in numbers}
        )
        assert [len(numbers) for numbers in own] == [asked[each] for each in having]
        assert there_are["cores"].used == 2 * len(having) <= 6
    for amounts in having.values():
        give_back_all(amounts)
    gpus = there_are["gpus"]
    assert isinstance(gpus, Numbered)
    assert (gpus.used, sorted(gpus._free)) == (0, list(range(THERE_ARE)))


def test_lowest_numbers_are_given_first() -> None:
    there_are = amounts_made({"gpus": 3})
    first, second = (needed({"gpus": 1}, there_are) for _ in range(2))
    for each in first, second:
        for limit, weight in each.items():
            limit.take(weight)
    assert (numbers_of(first), numbers_of(second)) == ((0,), (1,))
    give_back_all(first)
    assert numbers_of(first) == ()
    third = needed({"gpus": 2}, there_are)
    there_are["gpus"].take(third[there_are["gpus"]])
    assert numbers_of(third) == (0, 2)


def test_amounts_and_limits_are_waited_for_together() -> None:
    there_are = amounts_made({"gpus": 2, "cores": 8})
    api = Limit("api", concurrency=1)
    amounts = needed({"gpus": 1, "cores": lambda attempt, error: 3}, there_are, {api: 1})
    assert {limit.name: int(much) for limit, much in amounts.items()} == {"api": 1, "gpus": 1, "cores": 3}


def test_what_is_needed_none_of_is_not_asked_for() -> None:
    assert wanted_of(None, {"cores": 0, "gpus": 0}, {}, "fit") == (None, None, {})


def test_what_nobody_has_is_told_with_what_is_there() -> None:
    needs, lacks, _ = wanted_of(None, {"licence": 2}, amounts_made({"licences": 2}), "fit")
    assert needs is None
    assert lacks == (
        "'fit' asks for licence=2, of which nobody has said how many this engine has. It has: licences. "
        "Did you mean 'licences'?\n  Say so when it is made:  WorkflowEngine(amounts={'licence': ...})"
    )


def test_memory_is_told_in_bytes() -> None:
    memory = amounts_made({"memory": 16e9})["memory"]
    memory.take(4e9)
    assert memory.told() == "4 GB of 16 GB are in use"


@pytest.mark.parametrize("much", [-1, float("nan"), "2"])
def test_function_that_gives_no_amount_is_told_so(much: Any) -> None:
    with pytest.raises(ValueError, match="amount 'cores': a weight must be a number above 0"):
        needed({"cores": lambda attempt, error: much}, amounts_made({"cores": 8}))
