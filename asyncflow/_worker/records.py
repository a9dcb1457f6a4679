"""Tells the engine what has happened in a worker process."""

from __future__ import annotations

import os
import pickle
import socket
import threading
from struct import Struct
from typing import Final

from .._causes import brief
from . import wire
from .exceptions import largest

_LENGTH: Final = Struct("=I")
NOBODY: Final = 0

Ran = tuple[float, float]
"""When a function began and when it ended, by a clock that all processes of a machine share."""

NEVER: Final[Ran] = (0.0, 0.0)

HERE: Final[list[Records]] = []
"""Those of this process, if it is a worker."""


class Records:
    """The way back to the engine.

    Args:
        pipe: that records go to.
        orders: the socket that memory files go to.
    """

    def __init__(self, pipe: int, orders: socket.socket) -> None:
        self._pipe = pipe
        self._orders = orders
        self._writing = threading.Lock()  # what is longer than the pipe has room for is written in pieces
        HERE.append(self)

    def add(self, kind: int, task_id: int, ran: Ran, payload: object) -> None:
        """Record something; both threads may.

        Args:
            kind: as `wire` has them.
            task_id: of the task that it happened to, or `NOBODY`.
            ran: when its function ran, or `NEVER`.
            payload: as its kind has it.
        """
        data = pickle.dumps((kind, task_id, *ran, payload), 5)
        data = _LENGTH.pack(len(data)) + data
        with self._writing:
            done = os.write(self._pipe, data)
            while done < len(data):
                done += os.write(self._pipe, data[done:])

    def add_packed(self, task_id: int, ran: Ran, value: object) -> str | None:
        """Record a value that has to be packed.

        Returns:
            Why it was not, if it cannot be.
        """
        try:
            parts = wire.Parts(value, is_going_home=True)
            if parts.in_band:
                self.add(wire.PACKED, task_id, ran, bytes(parts.stream))
                return None
            file = parts.into_memory()
        except BaseException as error:
            from .parcel import why_unpicklable

            return why_unpicklable(value, error)
        sizes = parts.sizes()
        self._send_file(file)
        self.add(wire.IN_MEMORY, task_id, ran, sizes)
        return None

    def add_error(self, task_id: int, ran: Ran, error: BaseException) -> None:
        """Record an exception that has ended a task."""
        from . import parcel

        packed = parcel.pack_error(error)
        if len(packed) <= wire.IN_BAND:
            self.add(wire.ERROR, task_id, ran, packed)
            return
        try:
            file = wire.write_file(packed)
        except OSError as problem:  # no memory left
            why = f"{len(packed):,} bytes: {brief(problem)}; {largest(error)}"
            packed = parcel.pack_error(parcel.envelope(error, why))
            self.add(wire.ERROR, task_id, ran, packed)
        else:
            self._send_file(file)
            self.add(wire.ERROR, task_id, ran, len(packed))

    def _send_file(self, file: int) -> None:
        """Send a memory file, before the record of what is in it: who reads the record finds the file there."""
        socket.send_fds(self._orders, [_LENGTH.pack(0)], [file])
        os.close(file)
