"""The clock that moves only when nothing else can."""

from __future__ import annotations

import asyncio
import threading

import pytest

from asyncflow.testing import FakeClockLoop, run_with_fake_clock

HOUR = 3600.0


def test_an_hour_passes_at_once() -> None:
    async def main(seconds: float, *, twice: bool) -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(seconds)
        if twice:
            await asyncio.gather(asyncio.sleep(seconds), asyncio.sleep(seconds / 2))
        return loop.time() - begun

    assert run_with_fake_clock(main, 100 * HOUR, twice=True) == 200 * HOUR


@pytest.mark.fake_clock
async def test_the_mark_gives_a_test_the_clock() -> None:
    assert isinstance(asyncio.get_running_loop(), FakeClockLoop)


async def test_other_tests_have_the_real_one() -> None:
    assert not isinstance(asyncio.get_running_loop(), FakeClockLoop)


@pytest.mark.fake_clock
async def test_timers_come_in_their_order() -> None:
    loop, seen = asyncio.get_running_loop(), list[float]()
    for delay in (3.0, 1.0, 2.0, 1.5):
        loop.call_later(delay, lambda: seen.append(loop.time()))
    begun = loop.time()
    await asyncio.sleep(10)
    assert [time - begun for time in seen] == [1.0, 1.5, 2.0, 3.0]


@pytest.mark.fake_clock
async def test_time_stands_still_while_anything_can_run() -> None:
    loop = asyncio.get_running_loop()
    begun, later = loop.time(), loop.call_later(0.001, lambda: None)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert loop.time() == begun
    later.cancel()


@pytest.mark.fake_clock
async def test_a_timeout_ends_what_would_never() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(HOUR):
            await asyncio.get_running_loop().create_future()


@pytest.mark.fake_clock
async def test_time_can_be_advanced_by_hand() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, FakeClockLoop)
    rung = asyncio.Event()
    loop.call_later(HOUR, rung.set)
    begun = loop.time()
    loop.advance(HOUR)
    await rung.wait()
    assert loop.time() == begun + HOUR


@pytest.mark.fake_clock
async def test_without_a_timer_another_thread_is_waited_for() -> None:
    loop, called = asyncio.get_running_loop(), asyncio.Event()
    begun = loop.time()
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(called.set))
    thread.start()
    await called.wait()
    thread.join()
    assert loop.time() == begun
