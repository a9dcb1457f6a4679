"""Crews of worker processes on other machines: an agent runs one there, and the engine places the work.

For plugins that bring the agents to the machines of a cluster: subclass `CarriedBackend`, and start an agent on each
machine by `Supervised`, with the `Lease` that `CarriedBackend.open` is called with. Options are checked by `whole` and
`above_0`, so that their errors read alike; those of worker processes are passed on as `ProcessKeywords`, and
`shows_process_options` has users see each.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents import Agent
    from .backend import CarriedBackend
    from .channel import Channel
    from .given import ProcessKeywords, above_0, shows_process_options, whole
    from .lease import Lease
    from .supervise import Supervised
    from .tls import TLS

__all__ = [
    "TLS",
    "Agent",
    "CarriedBackend",
    "Channel",
    "Lease",
    "ProcessKeywords",
    "Supervised",
    "above_0",
    "shows_process_options",
    "whole",
]

_HOME = {
    "TLS": "tls",
    "ProcessKeywords": "given",
    "above_0": "given",
    "shows_process_options": "given",
    "whole": "given",
    "Agent": "agents",
    "CarriedBackend": "backend",
    "Channel": "channel",
    "Lease": "lease",
    "Supervised": "supervise",
}


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: an agent needs the half of them.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
