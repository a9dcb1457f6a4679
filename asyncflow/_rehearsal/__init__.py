"""Runs that run nothing but blocks: the dry run of a whole engine, and the rehearsal of one target beside a real run.

Owns what such a run takes note of: each call as it was made, what somebody has use for, what is decided on stand-ins,
and what is wrong, in words. It judges no wiring and makes no plan: `plan/` does, of what is noted. A real run knows
nothing of this room but that a call may belong to a rehearsal.
"""

from .dry_run import DryRun
from .rehearsal import Rehearsal
from .unawaited import dropped_coroutines

__all__ = ["DryRun", "Rehearsal", "dropped_coroutines"]
