"""What an agent and its engine tell each other of the files of tasks, besides `transfers`: the first field of each
message."""

from __future__ import annotations

from typing import Final

MADE: Final = 10
"""What a task has made: task, entries, endings of what lies beside, names of inputs that it left as they were."""
NOT_MADE: Final = 11
"""Why that cannot be told: task, words."""
DIGESTS: Final = 12
"""Asks for checksums that were not worked out: task."""
TOLD: Final = 13
"""Tells them: task, checksums, or why there are none."""
SHARES: Final = 14
"""Whether this node sees the engine's files."""
OVER: Final = 15
"""From the engine: it wants nothing any more of a task: task."""
MANIFEST: Final = 16
"""From the engine: what a task needs that may be sent soon: task, and its files."""
PREPARED: Final = 17
"""All of it is there: task."""
NOT_PREPARED: Final = 18
"""It is not: task, and why, in words."""
