"""Whether anybody is still at the other end of a connection, from what was sent and heard, and when.

A machine that is switched off, a cable that is pulled, or a process that is stopped closes no connection. Two things
tell of it. Both sides send a sign of life when they have nothing to say, and the engine's side gives up an agent that
it has not heard for a while. An agent does not give up its engine for that: the engine's loop is the user's, who may
keep it busy for minutes. It asks its own kernel instead, which knows whether the kernel of the other machine still
acknowledges what was sent.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from struct import Struct
from typing import Final

_LARGE: Final = 1 << 22  # bytes of a message that keeps the other side busy for a while
_READS: Final = 1e7  # bytes of it a second; 5e8 where nothing else runs, 5e7 with ten others to a core
_LAST_ACK: Final = Struct("=2xBB52xI")
"""Of the kernel's tcp_info: how often it was sent again, how often probed, milliseconds since an answer."""


@dataclass(frozen=True)
class Pulse:
    """How a channel finds out that nobody is at its other end.

    Attributes:
        every: seconds without a message after which a sign of life is sent.
        lost_after: seconds of silence after which the other side is lost.
        needs_life: whether the other side has to give signs of life itself; if not, it is enough that its machine does.
    """

    every: float = 2.0
    lost_after: float = 20.0
    needs_life: bool = True


class SignsOfLife:
    """What one end of a connection knows of whether the other one is alive.

    Attributes:
        has_sent: something has gone out since the last look.
        has_heard: something has come since then.

    Args:
        pulse: how often it is looked at, and what is too long.
    """

    __slots__ = ("_excused", "_is_read", "_large", "_looked", "_pulse", "_silence", "has_heard", "has_sent")

    def __init__(self, pulse: Pulse) -> None:
        self.has_sent = self.has_heard = False
        self._pulse = pulse
        self._silence = 0.0
        self._large = 0  # bytes of large messages that are going out
        self._is_read = False  # the other side has taken some of them
        self._excused = 0.0  # seconds that the other side may need to read them, when they have gone
        self._looked = 0.0

    def begin(self, now: float) -> None:
        """The other side has to be alive from now on."""
        self._looked = now

    def sends(self, size: int) -> None:
        """A message of so many bytes is going out."""
        self.has_sent = True
        if size > _LARGE:
            self._large += size

    def goes_out(self) -> None:
        """The kernel takes some of what was sent."""
        self._is_read = self._is_read or self._large > 0

    def has_gone(self) -> None:
        """The kernel has all that was sent."""
        if self._large:
            self._excused += self._large / _READS
            self._large = 0

    def why_lost(self, now: float, who: str, connection: socket.socket | None) -> str | None:
        """Look at what has gone on since the last look; what is to be sent follows from that, and then comes `turn`.

        Args:
            now: by the clock of the event loop.
            who: is at the other end.
            connection: whose kernel is asked.

        Returns:
            Why the other side is lost; None if it is not.
        """
        pulse = self._pulse
        # A loop that was held up has not listened all that time: it counts no more of it than if it had not been.
        passed = min(now - self._looked, pulse.every)
        if self.has_heard or self._is_read:  # which questions are behind
            self._silence = 0.0
        elif not self._excused:  # by a large message, which is read in one go
            self._silence += passed
        self._excused = max(0.0, self._excused - passed)
        self._looked = now
        if self._silence >= pulse.lost_after and pulse.needs_life:
            return f"nothing was heard from {who} for {self._silence:.0f} s"
        unanswered = 0.0 if connection is None else _unanswered(connection)
        if unanswered >= pulse.lost_after:
            return f"the machine of {who} has not answered for {unanswered:.0f} s"
        return None

    @property
    def needs_question(self) -> bool:
        """Whether the other side is to be asked something, since the answer is a sign of life."""
        return self._pulse.needs_life and not self.has_heard

    def turn(self) -> None:
        """From now on counts what is sent and heard until the next look."""
        self.has_sent = self.has_heard = self._is_read = False


def _unanswered(connection: socket.socket) -> float:
    """Seconds for which the kernel of the other machine has not acknowledged what was sent, more than once."""
    try:
        facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_ACK.size)
    except OSError:
        return 0.0
    again, probed, milliseconds = _LAST_ACK.unpack(facts)
    return milliseconds / 1000 if again > 1 or probed > 1 else 0.0
