"""For the tests of backends and of code that uses asyncflow.

- `asyncflow.testing.conformance.BackendConformance`: the promises of the backend contract, as tests to subclass;
- `ManualBackend`: a backend of which the test decides what becomes of each piece of work;
- `KeepingBackend`: the same, which keeps results where they are made;
- `FakeClockLoop`, `run_with_fake_clock`, `FakeClock`: an event loop in which an hour passes at once;
- `no_leaks`: nothing may be left of a block of code; `deadline`: it may not hang;
- `channel_pair`: a connection between an engine and an agent, in memory, which the test can stall and break;
- `Gate`: holds tasks in any thread or process until the test lets them go on.

Tests that pytest runs may ask for the fixtures ``engine`` and ``fake_clock`` (`asyncflow.testing.pytest_plugin`).

The conformance suite needs pytest and pytest-asyncio; the rest needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .channels import MemoryChannel, channel_pair
    from .clock import FakeClock, FakeClockLoop, run_with_fake_clock
    from .deadlines import TookTooLong, deadline
    from .gate import Door, Gate
    from .keeping import KeepingBackend
    from .leaks import Leaked, no_leaks
    from .manual import ManualBackend

__all__ = [
    "Door",
    "FakeClock",
    "FakeClockLoop",
    "Gate",
    "KeepingBackend",
    "Leaked",
    "ManualBackend",
    "MemoryChannel",
    "TookTooLong",
    "channel_pair",
    "deadline",
    "no_leaks",
    "run_with_fake_clock",
]

_HOME = {
    "Door": "gate",
    "FakeClock": "clock",
    "FakeClockLoop": "clock",
    "Gate": "gate",
    "KeepingBackend": "keeping",
    "Leaked": "leaks",
    "ManualBackend": "manual",
    "MemoryChannel": "channels",
    "TookTooLong": "deadlines",
    "channel_pair": "channels",
    "deadline": "deadlines",
    "no_leaks": "leaks",
    "run_with_fake_clock": "clock",
}


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: a worker process that runs the suite's tasks needs `Gate` and none of the others.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
