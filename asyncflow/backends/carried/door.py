"""Where agents come in: it is opened for each start of the backend, and those find it who have the lease."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .addresses import is_loopback, split
from .channel import Channel
from .handshake import Hello
from .lease import Lease
from .listener import Listener
from .pulse import Pulse
from .tls import TLS

_TOKEN: Final = 32  # bytes


class Door:
    """Lets agents in, and gives out the lease for them.

    Attributes:
        lease: as long as it is open.

    Args:
        file: where to write the lease; None for nowhere.
        workers: that the lease names; 0 for as many as an agent's machine has usable CPUs.
        tls: encrypts; None for a certificate that is made when others than agents on this machine can connect.
        insecure: let those do without, too.
        pulse: how an agent that is gone is found out.
    """

    def __init__(
        self, file: str | os.PathLike[str] | None, workers: int, tls: TLS | None, insecure: bool, pulse: Pulse
    ) -> None:
        self.file = None if file is None else Path(file)
        self._workers = workers
        self._tls = tls
        self._insecure = insecure
        self._pulse = pulse
        self._listener: Listener | None = None
        self.lease: Lease | None = None

    async def open(
        self, listen: str, joined: Callable[[Channel, Hello], None], refused: Callable[[Exception], None]
    ) -> Lease:
        """Let agents in from now on.

        Args:
            listen: host and port that they connect to.
            joined: is called with each that has come.
            refused: is called with the reason for which one may not.

        Raises:
            OSError: nobody can connect there, or the lease cannot be written.
        """
        host, port = split(listen, "listen")
        tls = self._tls
        if tls is None and not self._insecure and not is_loopback(host):
            tls = TLS.for_this_run()
        token = secrets.token_bytes(_TOKEN)
        engine = f"process {os.getpid()}"
        listener = self._listener = Listener(
            token,
            joined=joined,
            refused=refused,
            engine=engine,
            host=host,
            port=port,
            tls=tls,
            insecure=self._insecure,
            pulse=self._pulse,
        )
        try:
            await listener.start()
        except OSError as error:
            raise OSError(
                error.errno,
                f"listen={listen!r}: agents cannot connect there: {error.strerror or error}.\n"
                "  Name an address of this machine, with port 0 for any that is free",
            ) from error
        certificate = None if tls is None else tls.certificate
        lease = self.lease = Lease(listener.addresses, token, certificate, engine, workers=self._workers)
        if self.file is not None:
            lease.write(self.file)
        return lease

    async def close(self) -> None:
        """Let nobody in any more, and part with those who are."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        self._forget_lease()

    def abandon(self) -> None:
        """Let nobody in any more, without a loop to wait on."""
        if self._listener is not None:
            self._listener.abandon()
            self._listener = None
        self._forget_lease()

    def _forget_lease(self) -> None:
        if self.file is not None and self.lease is not None:
            self.lease.forget(self.file)
        self.lease = None
