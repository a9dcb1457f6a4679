"""Fixtures for the tests of code that uses asyncflow; pytest finds them by itself.

- ``engine``: runs plain functions one after another on the event loop's own thread;
- ``fake_clock``: the clock by which that engine's event loop goes: an hour passes at once.

A project's own fixtures of these names come first. Nothing of the engine is loaded before a test asks for one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asyncflow import WorkflowEngine

    from .clock import FakeClock


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[WorkflowEngine]:
    """An engine for one test, with the sequential backend: no threads, no processes, the same order each time.

    In an async test, whoever runs it (pytest-asyncio, anyio), the engine has been started, and is shut down when the
    test is over. In any other test ``engine.run(...)`` starts it and shuts it down.
    """
    from .clocked import ClockedEngine

    is_of_anyio = "anyio_backend" in request.fixturenames
    if is_of_anyio and request.getfixturevalue("anyio_backend_name") != "asyncio":
        pytest.skip("asyncflow runs on asyncio")
    engine = ClockedEngine("sequential")
    test: Any = request.node
    body = test.obj
    if inspect.iscoroutinefunction(body):
        test.obj = _inside(engine, body)
    try:
        yield engine
    finally:
        test.obj = body
        engine.end()


@pytest.fixture
def fake_clock(engine: WorkflowEngine) -> Iterator[FakeClock]:
    """The clock by which the event loop goes while ``engine`` runs on it.

    Whenever all wait for a timer, it jumps to the next one: what waits for a timeout or sleeps takes no time. What runs
    in other threads or processes is not waited for.
    """
    from .clock import FakeClock
    from .clocked import ClockedEngine

    if not isinstance(engine, ClockedEngine):
        pytest.fail(
            "fake_clock drives the engine of the fixture of asyncflow, and here 'engine' is another fixture"
        )
    engine.clock = FakeClock()
    yield engine.clock
    engine.clock.let_go()


def _inside(engine: WorkflowEngine, body: Callable[..., Any]) -> Callable[..., Any]:
    """A test that starts and ends the engine itself: it knows on which loop."""

    @wraps(body)
    async def test(*args: object, **kwargs: object) -> None:
        async with engine:
            await body(*args, **kwargs)

    return test
