"""What all tests share: none may hang, those of the engine leave nothing behind, and time can be made to fly."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import profiles  # noqa: F401  # sets how long Hypothesis looks
import pytest

from asyncflow.testing import FakeClockLoop
from asyncflow.testing.conformance import Conformance, looked_after

# Whoever runs the tests in the background, or by nohup, has these ignored, and what they start has them ignored, too.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

_HERE = Path(__file__).parent
_LOOKED_AFTER = ("backends", "runtime", "testing")  # folders
_SECONDS = 60.0


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "fake_clock: the test's event loop has a clock that jumps to the next timer"
    )


def pytest_collection_finish() -> None:
    """Keep what pytest itself holds, some hundred thousand objects, out of every collection in a test."""
    gc.collect()
    gc.freeze()


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("fake_clock") is not None:
        return {"fake clock": FakeClockLoop}
    return {"real clock": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Scripts of the docs, which some tests run, set levels and handlers of logging."""
    root, ours = logging.getLogger(), logging.getLogger("asyncflow")
    levels, handlers = (root.level, ours.level), root.handlers[:]
    yield
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    root.handlers[:] = [each for each in root.handlers if each in handlers]


@pytest.fixture(autouse=True)
def _ends_and_leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bound each test in time, and look for what it has left behind."""
    folder = request.path.relative_to(_HERE).parts[0]
    # The conformance suite does both by itself, since it is also used elsewhere.
    if folder not in _LOOKED_AFTER or isinstance(request.instance, Conformance):
        yield
        return
    with looked_after(request, _SECONDS):
        yield
