"""A gate at which tasks stop, in any thread or process of this machine, until the test lets them go on.

It is two named pipes: tasks say through one that they have come and read a byte from the other to go on. Nobody
polls, and a gate that is gone holds nobody.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path


class Door:
    """The side of a `Gate` that is handed to a task; it may be pickled.

    Args:
        came: the pipe that tells who has come.
        let: the pipe that lets on.
    """

    def __init__(self, came: str, let: str) -> None:
        self._came = came
        self._let = let

    def pass_through(self) -> None:
        """Say that one is here, and wait to be let on; not at all where the gate is gone."""
        try:
            # Opened without waiting: a pipe whose other end has just been closed would be waited for for ever.
            let = os.open(self._let, os.O_RDONLY | os.O_NONBLOCK)
            try:
                came = os.open(self._came, os.O_WRONLY | os.O_NONBLOCK)
                try:
                    os.write(came, b".")
                finally:  # it may have lost its other end just now
                    os.close(came)
                os.set_blocking(let, True)
                os.read(let, 1)
            finally:
                os.close(let)
        except OSError:
            return


class Gate:
    """The test's side.

    Leaving a ``with``, or `close`, opens it for good.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gate-"))
        came, let = self._folder / "came", self._folder / "let"
        os.mkfifo(came)
        os.mkfifo(let)
        # Both ends of both, so that neither pipe is ever without a reader or a writer while the gate stands.
        self._came = os.open(came, os.O_RDWR | os.O_NONBLOCK)
        self._let = os.open(let, os.O_RDWR | os.O_NONBLOCK)
        self._count = 0
        self.door = Door(str(came), str(let))
        """What the task is given."""

    async def reached(self, count: int = 1) -> None:
        """Wait until tasks stand at the gate, or have stood.

        Args:
            count: how many, from the beginning.
        """
        loop = asyncio.get_running_loop()
        while self._count < count:
            readable = asyncio.Event()
            loop.add_reader(self._came, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(self._came)
            self._count += len(os.read(self._came, 65536))

    def open(self, count: int = 1) -> None:
        """Let tasks on, also those still to come.

        Args:
            count: how many.
        """
        os.write(self._let, b"." * count)

    def close(self) -> None:
        """Take the gate away: whoever stands at it goes on, and nobody is held any more."""
        if self._folder.exists():
            shutil.rmtree(self._folder)
            os.close(self._came)
            os.close(self._let)

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
