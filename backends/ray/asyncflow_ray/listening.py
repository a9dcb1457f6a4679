"""On which address of this machine the engine listens for agents."""

from __future__ import annotations

import socket
from contextlib import closing, suppress

import ray


def listen_for(address: str | None) -> str:
    """Host, and 0 for any port: that from which packets to the cluster go out, and no other.

    Args:
        address: of the cluster; None for one that this program is connected to, or that will be started here.
    """
    if address in (None, "auto") and ray.is_initialized():
        address = ray.get_runtime_context().gcs_address
    if address is None:
        return "127.0.0.1:0"
    host = address.rpartition("://")[2].rpartition(":")[0]
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe, suppress(OSError):
        probe.connect((host or "", 9))  # none is sent
        return f"{probe.getsockname()[0]}:0"
    return "0.0.0.0:0"
