"""Whether a task that has failed is tried again, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.retries import Backoff, Retries
from asyncflow.errors import GiveUp, Retry, WorkerDied


def delays(retries: Retries, *errors: BaseException, task: int = 7, seed: int = 1) -> list[float | None]:
    return [retries.after(error, number, task, seed) for number, error in enumerate(errors, 1)]


def test_so_many_retries_are_one_attempt_more() -> None:
    boom = ValueError()
    assert delays(Retries(2, 5), boom, boom, boom) == [5, 5, None]
    assert delays(Retries(0), boom) == [None]


@pytest.mark.parametrize(
    ("delay", "told"),
    [
        (3, [3, 3, 3]),
        ([1, 2], [1, 2, 2]),
        ([], [0, 0, 0]),
        (lambda attempt, error: attempt * len(error.args), [1, 2, 3]),
        (Backoff(1, 3, 5, jitter=False), [1, 3, 5]),
    ],
    ids=["seconds", "sequence", "empty", "callable", "backoff"],
)
def test_a_delay_is_seconds_a_sequence_a_function_or_a_backoff(delay: Any, told: list[float]) -> None:
    assert delays(Retries(3, delay), *[ValueError("x")] * 3) == told


@pytest.mark.parametrize("wrong", [-1, "soon", None, True, float("nan"), float("inf")])
def test_a_function_that_gives_no_delay_is_told(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"retry_delay\(\) was .*; it must be seconds, 0 or more"):
        delays(Retries(3, lambda attempt, error: wrong), ValueError())


@pytest.mark.parametrize(
    ("on", "error", "again"),
    [
        (None, ValueError(), True),
        (None, WorkerDied(1, "fit", "signal SIGKILL", 7, "here", 0, ""), True),
        (None, KeyboardInterrupt(), False),
        (OSError, TimeoutError(), True),
        (OSError, ValueError(), False),
        ((OSError, ValueError), ValueError(), True),
        (lambda error: error.args == ("x",), ValueError("x"), True),
        (lambda error: error.args == ("x",), ValueError("y"), False),
        (OSError, Retry(), True),
        (Exception, GiveUp("no use"), False),
    ],
)
def test_what_is_worth_another_attempt(on: Any, error: BaseException, again: bool) -> None:
    assert (delays(Retries(1, 0, on), error) == [0]) is again


def test_a_task_says_itself_when_to_try_again() -> None:
    assert delays(Retries(2, 5), Retry(after=30), Retry()) == [30, 5]


@given(
    st.floats(0, 1e6),
    st.floats(1, 10),
    st.floats(0, 1e6),
    st.integers(1, 5000),
    st.integers(1),
    st.integers(0),
)
def test_a_backoff_stays_between_nothing_and_its_cap(
    initial: float, factor: float, cap: float, attempt: int, task: int, seed: int
) -> None:
    longest = Backoff(initial, factor, cap, jitter=False).delay(attempt, task, seed)
    assert 0 <= Backoff(initial, factor, cap).delay(attempt, task, seed) <= longest <= cap


def test_with_a_seed_the_same_delays_come_again_and_other_tasks_have_others() -> None:
    backoff, boom = Retries(5, Backoff(seed=3)), [ValueError()] * 5
    assert delays(backoff, *boom, seed=1) == delays(backoff, *boom, seed=2)
    assert delays(backoff, *boom, task=1) != delays(backoff, *boom, task=2)
    assert delays(Retries(5), *boom, seed=1) != delays(Retries(5), *boom, seed=2)


def test_jitter_is_spread_over_all_of_the_delay() -> None:
    drawn = [Backoff(1.0).delay(1, task, 0) for task in range(4000)]
    assert sum(drawn) / 4000 == pytest.approx(0.5, abs=0.02)
    assert all(
        sum(each < tenth / 10 for each in drawn) == pytest.approx(400 * tenth, abs=90)
        for tenth in range(1, 10)
    )


@pytest.mark.parametrize("given", [{"initial": -1}, {"factor": 0.5}, {"cap": float("inf")}, {"initial": "1"}])
def test_a_backoff_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"Backoff\({next(iter(given))}="):
        Backoff(**given)


@pytest.mark.parametrize(
    "wrong", [{"jitter": "full"}, {"jitter": 1}, {"seed": "a"}, {"seed": 1.5}, {"seed": True}]
)
def test_a_backoff_is_refused_whose_chance_is_none(wrong: Any) -> None:
    (name,) = wrong
    with pytest.raises(TypeError, match=rf"^Backoff\({name}="):
        Backoff(**wrong)
