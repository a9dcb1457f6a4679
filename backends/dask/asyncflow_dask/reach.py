"""Where a cluster is: what users give as one, as an address that a client of ours can connect to."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from distributed import Client, Security
from distributed.deploy.cluster import Cluster


class Reach:
    """The way to a scheduler.

    Args:
        cluster: its address, the file that it writes about itself (``.json``), a cluster, or a client.
        security: what it wants to see; None for what the cluster or the client has, or Dask is configured to use.

    Raises:
        TypeError: it is none of these.
    """

    def __init__(self, cluster: object, security: Security | None) -> None:
        if not isinstance(cluster, (str, Path, Cluster, Client)):
            raise TypeError(
                f"client={cluster!r}: expected the address of a Dask scheduler, a Cluster or a Client; or leave it "
                "away for a cluster on this machine"
            )
        # Kept, too, because a cluster that nobody holds closes itself.
        self._cluster: str | Path | Cluster | Client = cluster
        self._security = security
        self._last: tuple[str, Security | None] | None = None  # a client may be closed by now

    def __call__(self) -> tuple[str, Security | None]:
        """The address of the scheduler, and what that wants to see.

        Raises:
            OSError: the file is not there, or the cluster or client is not connected.
        """
        cluster = self._cluster
        if isinstance(cluster, (str, Path)):
            is_file = str(cluster).endswith(".json")
            address = json.loads(Path(cluster).read_text())["address"] if is_file else cluster
            return str(address), self._security
        scheduler = None if isinstance(cluster, Cluster) else cluster.scheduler
        found = (
            cluster.scheduler_address if isinstance(cluster, Cluster) else getattr(scheduler, "address", "")
        )
        if "://" not in found:
            if self._last is not None:
                return self._last
            raise ConnectionError(f"{cluster!r} is not connected to a scheduler; start it before the engine")
        self._last = found, self._security or getattr(cluster, "security", None)
        return self._last

    def route(self) -> str:
        """The address of this machine from which the scheduler is reached, for agents to connect to: they are where its
        workers are. All addresses, if it cannot be known yet."""
        try:
            address, _ = self()
            parts = urlsplit(address if "://" in address else f"tcp://{address}")
            if parts.scheme == "inproc":  # its workers are in this process
                return "127.0.0.1"
            family, kind, _, _, there = socket.getaddrinfo(parts.hostname, 9, type=socket.SOCK_DGRAM)[0]
            with closing(socket.socket(family, kind)) as probe:
                probe.connect(there)  # sends nothing
                return str(probe.getsockname()[0])
        except OSError:
            return "0.0.0.0"

    def __str__(self) -> str:
        try:
            return self()[0]
        except OSError:
            return str(self._cluster)
