"""How a run stands, by function: the numbers that every display shows, and the line that is shown where there is no
room for more. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .._record.tally import NO_WORK
from .._show.words import seconds
from .eta import Eta

LEFT_OUT = NO_WORK
"""Kinds of tasks that are left out of the sums."""


class Function(NamedTuple):
    """The tasks of one function.

    Args:
        name: as its user wrote it.
        kind: "function", "executable", "block", "service" or "awaitable".
        place: where they run, in words.
        called: how many calls there were.
        running: of these, those that run.
        done: those that have succeeded.
        failed: those that have failed.
        other: those that have ended in another way: cancelled, skipped, or without having run.
        expected: how many there will be in all, if that is known.
        mean: seconds that one takes; None if none was over.
        rate: how many have ended in a second, lately; None if none has.
    """

    name: str
    kind: str
    place: str
    called: int
    running: int
    done: int
    failed: int
    other: int
    expected: int | None = None
    mean: float | None = None
    rate: float | None = None

    @property
    def over(self) -> int:
        """How many have ended, in any way."""
        return self.done + self.failed + self.other

    @property
    def waiting(self) -> int:
        """How many were called and neither run nor have ended."""
        return max(0, self.called - self.over - self.running)

    @property
    def total(self) -> int:
        """How many there are, as far as is known."""
        return max(self.called, self.expected or 0)

    @property
    def is_known(self) -> bool:
        """Whether there will be no more than `total`."""
        return self.expected is not None and self.called <= self.expected

    @property
    def is_work(self) -> bool:
        """Whether it counts in the sums."""
        return self.kind not in LEFT_OUT


class Slow(NamedTuple):
    """A task that still runs: name and number, for how many seconds if that is known, and on which worker."""

    name: str
    lasts: float | None
    worker: str


class Failure(NamedTuple):
    """A task that has failed: name and label, number, and the first line of its error."""

    name: str
    id: int
    error: str


class Items(NamedTuple):
    """A stream or a service: how many of its items or jobs are over, run, wait and have failed; of how many in all, if
    that is known."""

    name: str
    noun: str
    over: int
    running: int
    waiting: int
    failed: int
    total: int | None


class Progress(NamedTuple):
    """A run at one moment.

    Args:
        lasts: seconds since it began.
        functions: in the order of their first calls.
        holds: what holds it up now, in one line; "" if nothing is to be said.
        slowest: what runs longest.
        failures: the latest, the last one last.
        errors: how many tasks have failed, by class of the error.
        rate: tasks that ended in a second, lately; None if none has.
        eta: until all that is known of is over; None if nothing can be said.
        items: streams and services.
        is_over: whether the run has ended.
        began_at: when the run began, in seconds since the epoch.
        places: where what is left can be looked at: sandboxes, logs, journal; each with what it is.
        lost: tasks, at least, that are in no count, since it is not written down what they are or what became of them.
    """

    lasts: float
    functions: Sequence[Function]
    holds: str = ""
    slowest: Sequence[Slow] = ()
    failures: Sequence[Failure] = ()
    errors: Mapping[str, int] = {}
    rate: float | None = None
    eta: Eta | None = None
    items: Sequence[Items] = ()
    is_over: bool = False
    began_at: float = 0.0
    places: Sequence[tuple[str, str]] = ()
    lost: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether all that was called is over."""
        return all(each.called == each.over for each in self.functions)

    @property
    def sums(self) -> Function:
        """All functions together, without blocks."""
        work = [each for each in self.functions if each.is_work]
        is_known = bool(work) and all(each.is_known for each in work)
        return Function(
            *("", "function", ""),
            called=sum(each.called for each in work),
            running=sum(each.running for each in work),
            done=sum(each.done for each in work),
            failed=sum(each.failed for each in work),
            other=sum(each.other for each in work),
            expected=sum(each.total for each in work) if is_known else None,
        )


def since(progress: Progress, before: Progress | None) -> Progress:
    """What has come to a run since a moment at which all was over that it had.

    Args:
        progress: of the run.
        before: of the same run, at that moment; None for its beginning.
    """
    if before is None:
        return progress
    known = {each.name: each for each in before.functions}
    functions = [_less(each, known[each.name]) if each.name in known else each for each in progress.functions]
    functions = [each for each in functions if each.called]
    failed = sum(each.failed for each in functions)
    return progress._replace(
        lasts=progress.lasts - before.lasts,
        functions=functions,
        failures=progress.failures[-failed:] if failed else (),
    )


def _less(each: Function, before: Function) -> Function:
    return each._replace(
        called=each.called - before.called,
        done=each.done - before.done,
        failed=each.failed - before.failed,
        other=each.other - before.other,
        expected=None if each.expected is None else max(0, each.expected - before.called),
    )


def share(of: Function) -> float | None:
    """What part is over, from 0 to 1; None if nobody knows how many there will be.

    Args:
        of: a function, or all of them.
    """
    return min(1.0, of.over / of.total) if of.is_known and of.total else None


def percent(part: float) -> str:
    """A part in words: "31 %". All of it is said only of all of it."""
    return f"{min(99, int(part * 100)) if part < 1 else 100} %"


def of_total(of: Function) -> str:
    """How many are over, of how many: "312 of 1,000"; "312 of 1,000 so far" where more may be called."""
    return f"{of.over:,} of {of.total:,}{'' if of.is_known else ' so far'}"


def line(progress: Progress) -> str:
    """A run in one line: "312 of 1,000, 3 failed, about 2 min left".

    Args:
        progress: of it.
    """
    sums = progress.sums
    part = share(sums)
    words = [of_total(sums) + ("" if part is None else f" ({percent(part)})")]
    if sums.failed:
        words.append(f"{sums.failed:,} failed")
    if sums.other:
        words.append(f"{sums.other:,} cancelled or not run")
    if progress.lost:
        words.append(f"at least {progress.lost:,} not written down")
    if sums.running:
        words.append(f"{sums.running:,} running")
    if progress.eta is not None:
        words.append(progress.eta.words)
    words.append(f"{seconds(progress.lasts)} gone")
    return ", ".join(words)
