"""What this process says of itself to the other side: its machine, and the versions that have to be the same there."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

PROTOCOL: Final = "1"
"""Of the messages after the handshake; other versions of asyncflow may have other ones."""
_NAMESPACES: Final = ("mnt", "pid", "ipc", "time")
"""Of Linux: which files, processes, memory and clock a process sees. Containers on one machine differ in them."""


@dataclass(frozen=True)
class Versions:
    """What has to fit for functions, arguments and results to travel between two processes.

    Attributes:
        python: of which the minor version counts: its bytecode travels.
        cloudpickle: of which the minor version counts.
        asyncflow: all of it counts.
        protocol: of the messages between engine and agent.
    """

    python: str
    cloudpickle: str
    asyncflow: str
    protocol: str

    @classmethod
    def names(cls) -> list[str]:
        """What there are versions of."""
        return [field.name for field in fields(cls)]

    def differing(self, other: Versions) -> tuple[str, str] | None:
        """Where two differ so that they do not fit: the other's, and these, in words; None if they fit.

        Args:
            other: the other ones.
        """
        names = [
            name
            for name in self.names()
            if _counts(name, getattr(self, name)) != _counts(name, getattr(other, name))
        ]
        return (other._told(names), self._told(names)) if names else None

    def _told(self, names: list[str]) -> str:
        return ", ".join(f"{_SPELLED.get(name, name)} {getattr(self, name)}" for name in names)


_SPELLED: Final = {"python": "Python"}


def _counts(name: str, version: str) -> str:
    return ".".join(version.split(".")[:2]) if name in ("python", "cloudpickle") else version


def versions() -> Versions:
    """Of this process."""
    import cloudpickle

    from ..._version import __version__

    kind = platform.python_implementation()
    python = platform.python_version()
    return Versions(
        python if kind == "CPython" else f"{kind} {python}", cloudpickle.__version__, __version__, PROTOCOL
    )


def host_name() -> str:
    """The name of this machine."""
    return platform.node() or "localhost"


@cache
def node() -> str:
    """The same for all processes that see the same machine with the same files and processes, and for no others.

    Processes that have it in common can hand each other memory files, and have one clock.
    """
    try:
        parts = [Path("/proc/sys/kernel/random/boot_id").read_text().strip()]
    except OSError:
        parts = [host_name()]
    for name in _NAMESPACES:
        with suppress(OSError):
            parts.append(os.readlink(f"/proc/self/ns/{name}"))
    return " ".join(parts)
