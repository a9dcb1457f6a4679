"""What the tests of the runtime are given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from asyncflow import WorkflowEngine
from asyncflow.testing import Gate, ManualBackend, deadline


@pytest.fixture(autouse=True)
def _no_test_hangs(request: pytest.FixtureRequest) -> Iterator[None]:
    seconds = getattr(request.module, "SECONDS", 20)
    with deadline(300 if request.node.get_closest_marker("soak") else seconds):
        yield


@pytest.fixture
def hands() -> ManualBackend:
    """A backend that does what the test says and nothing else."""
    return ManualBackend()


@pytest.fixture
async def engine(hands: ManualBackend) -> AsyncIterator[WorkflowEngine]:
    """An engine of which plain functions run by hand, and coroutines on the loop as ever."""
    engine = WorkflowEngine(hands)
    await engine.start()
    yield engine
    await engine.shutdown(wait=False)


@pytest.fixture
async def threads() -> AsyncIterator[WorkflowEngine]:
    """An engine with four real worker threads."""
    engine = WorkflowEngine("thread", workers=4)
    await engine.start()
    yield engine
    await engine.shutdown(wait=False)


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    """Where real work waits until the test lets it on. It opens for good before the engine is shut down."""
    for each in ("engine", "threads"):
        if each in request.fixturenames:
            request.getfixturevalue(each)  # set up before, so torn down after
    with Gate() as gate:
        yield gate
