"""For the tests of backends and of code that uses asyncflow.

- `asyncflow.testing.conformance.BackendConformance`: the promises of the backend contract, as tests to subclass;
- `ManualBackend`: a backend of which the test decides what becomes of each piece of work;
- `FakeClockLoop`, `run_with_fake_clock`: an event loop in which an hour passes at once;
- `no_leaks`: nothing may be left of a block of code; `deadline`: it may not hang;
- `Gate`: holds tasks in any thread or process until the test lets them go on.

The conformance suite needs pytest and pytest-asyncio; the rest needs neither.
"""

from .clock import FakeClockLoop, run_with_fake_clock
from .deadlines import TookTooLong, deadline
from .gate import Door, Gate
from .leaks import Leaked, no_leaks
from .manual import ManualBackend

__all__ = [
    "Door",
    "FakeClockLoop",
    "Gate",
    "Leaked",
    "ManualBackend",
    "TookTooLong",
    "deadline",
    "no_leaks",
    "run_with_fake_clock",
]
