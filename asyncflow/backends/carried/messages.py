"""What an engine and an agent tell each other: plain data, and pieces of what is too large for one message.

    engine -> agent    SETUP, PROGRAM, FRAME, STOP, WITHDRAW, RENEW, DROP, LEAVE, FREE, BRING, STORE,
                       SERVE, COPY
    agent -> engine    TOLD, PRINTED, LEFT
    both ways          pieces, FILES

A message is a pickle of numbers, texts, bytes and containers of these. What reads it refuses every class and function,
so nothing in it can run; functions, arguments and results travel in it as bytes, which are opened where they are used.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from struct import Struct
from typing import Any, Final, NoReturn

from .channel import Message

SETUP: Final = 0
"""First of all, what the workers are started with: bytes as for `wire.START`, the interpreter's flags, the folder,
variables of the environment, and what they may take: as for `Bounds`. Then the bytes from which a result is kept."""
PROGRAM: Final = 1
"""Where the program looks for modules, or its arguments, have changed: the path, the folders of its interpreter, the
arguments."""
FRAME: Final = 2
"""Calls: functions that the agent does not have, by number; numbers that nobody will ask for again; the calls, as id,
flags, function, and payload; identities of those that are tagged."""
STOP: Final = 3
"""Stop a call: its id."""
WITHDRAW: Final = 4
"""Give back so many chains that have not begun."""
RENEW: Final = 6
"""Replace all workers: modules that they have imported have changed."""
DROP: Final = 7
"""No more pieces come of something, which nobody wants any longer: its number."""
FILES: Final = 8
"""Both ways, about files of tasks: as `node_files` and `transfers` have it."""
LEAVE: Final = 5
"""End, within so many seconds."""

FREE: Final = 30
"""Let go of kept results: the numbers of their memory files."""
BRING: Final = 31
"""Send a kept result here: a number for the answer, that of its memory file, and the sizes of its parts."""
STORE: Final = 32
"""Keep what has come in pieces: the number of the task that has made it, and that of the pieces."""
SERVE: Final = 33
"""Let other agents have what is kept here."""
COPY: Final = 34
"""Get a kept result from another agent: the number of the task that has made it, the number of its memory file there,
the sizes of its parts, and that agent's addresses and certificate."""

TOLD: Final = 10
"""What has happened, in its order: pairs of a worker's name and its records, or of None and the agent's own."""
PRINTED: Final = 11
"""What workers have printed: the name of the stream, and the text."""
LEFT: Final = 12
"""The agent has ended all its workers, and ends."""
HOME: Final = 15
"""Whether the program, or its folder, is there, too: asked of agents on other machines, which get no work before."""

# Records, beside those of `wire`. Each is kind, task id, when it began and ended, and the payload.
RETURNED: Final = 20  # payload: ids of calls that were not begun; a head comes before its links
CANCELLED: Final = 21
DIED: Final = 22  # payload: how, process id, host, peak memory, last lines
PROBLEM: Final = 23  # what the system has refused the agent; payload: errno, text, notes
LOADING: Final = 24
RAN: Final = 25  # payload: the name of the worker, which has ended
KEPT: Final = (
    26  # the agent keeps the result; payload: the number of its memory file, and the sizes of its parts
)
BROUGHT: Final = 27  # payload: the number that was given, and that of the pieces; 0 if the result is not here
SERVES: Final = (
    29  # payload: addresses and certificate of this agent, for others; or None if they cannot come
)
COPIED: Final = 28  # payload: the number of the memory file that has the copy; below 0 if there is none

_PIECE: Final = Struct("!cQQ")
_MARK: Final = b"\0"  # which no pickle begins with


class _Plain(pickle.Unpickler):
    """Reads plain data, and nothing else."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"a message may hold plain data only, not {module}.{name}")


def pack(kind: int, *fields: object) -> bytes:
    """A message.

    Args:
        kind: one of those above.
        fields: plain data.
    """
    return pickle.dumps((kind, *fields), 5)


def unpack(message: Message) -> Any:
    """What `pack` has packed: its kind and its fields.

    Raises:
        pickle.UnpicklingError: it is no such message.
    """
    return _Plain(io.BytesIO(message)).load()


def piece(number: int, offset: int) -> bytes:
    """What comes before the bytes of a piece.

    Args:
        number: of what it is a piece of, for this sender.
        offset: where in that it begins.
    """
    return _PIECE.pack(_MARK, number, offset)


def is_piece(message: Message) -> bool:
    """Whether a message is a piece of something."""
    return message[:1] == _MARK


def read_piece(message: Message) -> tuple[int, int, memoryview]:
    """Of what a message is a piece, where in that it begins, and its bytes."""
    _, number, offset = _PIECE.unpack_from(message)
    return number, offset, memoryview(message)[_PIECE.size :]


def plain(texts: Iterable[object]) -> list[str]:
    """The texts among some things, each of them a `str` and of no class made from that."""
    return [str.__str__(text) for text in texts if isinstance(text, str)]
