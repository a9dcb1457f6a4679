"""Which agent gets how much work, and from which it is taken back. Pure.

Work goes to an agent shortly before it is needed there: what is there is lost with it, and waits for others of the
same agent while another is idle. So what is ahead is counted in seconds of work, long against the way there and back
and short against what anybody notices. Chains are counted and not their links, which run one after another in one
process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

AHEAD: Final = 0.02
"""Seconds of work that each worker of an agent may have before it."""
GUESS: Final = AHEAD
"""Seconds that a call is taken to need, as long as nobody knows: each worker has one, and nothing behind it that would
be lost with it."""
_MOST: Final = 1000  # calls that a worker may have, however short they are
_FRAME: Final = 256  # calls for a worker in one message
_BYTES_A_SECOND: Final = 1e8  # of what is large, on its way


class Crew(Protocol):
    """An agent, as far as it matters here."""

    @property
    def workers(self) -> int:
        """Processes that it may run; 0 if it is to get no more work."""

    @property
    def chains(self) -> int:
        """Chains of calls that it has and that are not over."""

    @property
    def calls(self) -> int:
        """Calls that it has, links included."""

    @property
    def load(self) -> float:
        """Seconds of work that it has, as far as known."""


def load(seconds: float, size: int) -> float:
    """Seconds that a call takes up an agent.

    Args:
        seconds: that it runs.
        size: bytes that have to get there first, if they are many.
    """
    return seconds + size / _BYTES_A_SECOND


def room(crew: Crew) -> float:
    """Seconds of work that an agent can be given now; 0 for none."""
    workers = crew.workers
    if crew.chains < workers:
        return AHEAD
    if crew.calls >= _MOST * workers:
        return 0.0
    return max(0.0, AHEAD * workers - crew.load)


def next_for_work(crews: Sequence[Crew]) -> int | None:
    """The agent that gets the next work: one with an idle worker, or else that which is through first; None if all have
    enough."""
    best, least = None, 0.0
    for index, crew in enumerate(crews):
        if room(crew) <= 0:
            continue
        busy = (crew.chains if crew.chains < crew.workers else crew.workers + crew.load) / crew.workers
        if best is None or busy < least:
            best, least = index, busy
    return best


def nearest(crews: Sequence[Crew], missing: Sequence[int]) -> int | None:
    """The agent that is through first with work which takes large results: one that has them may have other work before
    it, and all others have to get them first. None if no agent takes any.

    Args:
        crews: the agents.
        missing: of each, the bytes that it would have to get.
    """
    best, least = None, 0.0
    for index, crew in enumerate(crews):
        if not crew.workers or crew.calls >= _MOST * crew.workers:
            continue
        before = crew.load / crew.workers if crew.chains >= crew.workers else 0.0
        seconds = load(before, missing[index]) + GUESS * crew.chains / crew.workers
        if best is None or seconds < least:
            best, least = index, seconds
    return best


def portion(crew: Crew, waiting: int, workers: int) -> tuple[int, float]:
    """How much an agent gets in one message: chains, and seconds of work.

    Args:
        crew: the agent.
        waiting: chains that wait.
        workers: of all agents.
    """
    idle = max(0, crew.workers - crew.chains)
    fair = -(-waiting * crew.workers // max(1, workers))
    return max(1, idle, min(fair, _FRAME * crew.workers)), room(crew)


def to_take_back(crews: Sequence[Crew]) -> list[tuple[int, int]]:
    """From which agents how many chains are to be taken back, so that idle workers get some: pairs of index and number.
    What has begun stays where it is."""
    idle = sum(max(0, crew.workers - crew.chains) for crew in crews)
    spare = [crew.workers and max(0, crew.chains - crew.workers) for crew in crews]
    there = sum(spare)
    if not idle or not there:
        return []
    # At least as many as can begin at once, and then so many that all queues are about as long.
    workers, chains = sum(crew.workers for crew in crews), sum(crew.chains for crew in crews)
    short = sum(max(0, chains * crew.workers // workers - crew.chains) for crew in crews)
    wanted = min(there, max(idle, short))
    taken: list[tuple[int, int]] = []
    for index in sorted(range(len(crews)), key=lambda index: -spare[index]):
        if not wanted:
            break
        number = -(-wanted * spare[index] // there)
        there -= spare[index]
        wanted -= number
        taken.append((index, number))
    return taken
