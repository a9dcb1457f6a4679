"""How much work goes to one worker at a time."""

from __future__ import annotations

import pytest

from asyncflow._core.pace import FRAME_SECONDS, Pace, share, window


def test_of_a_function_that_has_not_run_yet_one_call_fills_a_frame() -> None:
    assert Pace().seconds == FRAME_SECONDS


@pytest.mark.parametrize("seconds", [0.0, 1e-6, 10.0])
def test_one_measurement_is_enough_to_know_a_run_time(seconds: float) -> None:
    pace = Pace()
    for _ in range(50):
        pace.saw(seconds)
        assert pace.seconds == pytest.approx(seconds)


def test_a_first_call_that_loads_something_is_soon_forgotten() -> None:
    pace = Pace()
    pace.saw(1.0)
    for _ in range(50):
        pace.saw(1e-5)
    assert pace.seconds < FRAME_SECONDS / 50


@pytest.mark.parametrize("seconds", [1e-6, 10.0])
def test_the_run_time_that_is_expected_comes_ever_nearer_to_what_is_measured(seconds: float) -> None:
    pace = Pace()
    for _ in range(50):
        pace.saw(0.01)
    away = abs(pace.seconds - seconds)
    for _ in range(50):
        pace.saw(seconds)
        assert abs(pace.seconds - seconds) < away
        away = abs(pace.seconds - seconds)
    assert pace.seconds == pytest.approx(seconds, rel=0.02, abs=1e-4)


def test_one_call_out_of_the_ordinary_does_not_change_what_is_expected_by_much() -> None:
    pace = Pace()
    for _ in range(50):
        pace.saw(0.001)
    pace.saw(0.002)
    assert pace.seconds < 0.0015


@pytest.mark.parametrize(
    ("waiting", "workers", "calls"), [(0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 2), (100, 3, 34), (7, 0, 7)]
)
def test_few_calls_are_spread_over_all_workers(waiting: int, workers: int, calls: int) -> None:
    assert share(waiting, workers) == calls


def test_a_frame_has_an_end_however_many_calls_wait() -> None:
    assert share(10**9, 1) == share(10**6, 1) < 1_000


def test_a_backend_has_enough_for_all_of_its_workers_and_no_burst_at_once() -> None:
    assert window(1) == window(2) < 10_000
    assert all(window(workers) > 256 * workers for workers in (1, 2, 64, 4096))
