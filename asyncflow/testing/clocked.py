"""The engine of one test, of which the test may hold the clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..engine import WorkflowEngine

if TYPE_CHECKING:
    from .clock import FakeClock


class ClockedEngine(WorkflowEngine):
    """An engine that has the loop on which it starts go by a clock, if it is given one."""

    clock: FakeClock | None = None

    def _begin(self) -> None:
        if self.clock is not None:
            self.clock.drive(asyncio.get_running_loop())
        super()._begin()

    def end(self) -> None:
        """Shut down what a fixture has started on a loop that does not run now; a loop that is closed has ended all."""
        run = self._usable_run()
        if run is not None and not run.loop.is_running():
            run.loop.run_until_complete(self.shutdown(wait=False))
