"""Decides whether a task that has failed is tried again, and when.

Nothing here reads a clock or draws a number by chance: what is random in a delay follows from a seed, the number of the
task and of the attempt, so that a test can say beforehand what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeGuard

from ..errors import GiveUp, Retry

Delay: TypeAlias = "float | Sequence[float] | Callable[[int, BaseException], float] | Backoff"
RetryOn: TypeAlias = "type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]"
_WORD: Final = (1 << 64) - 1


def _is_number(value: object, least: float) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value < float("inf")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow from one attempt to the next, with chance in them so that many tasks do not come back at once.

    With jitter a delay is anywhere between 0 and what it would be without, evenly spread ("full jitter"; M. Brooker,
    Exponential Backoff and Jitter, 2015): of all ways this brings the least load on whoever is called again.

    Args:
        initial: seconds after the first failure.
        factor: by which each delay is longer than the one before.
        cap: seconds that no delay exceeds.
        jitter: whether chance is in it.
        seed: what chance follows from; None for another one in each run.

    Raises:
        ValueError: a number is below 0, or the factor below 1.
        TypeError: the jitter is neither True nor False, or the seed no whole number.
    """

    initial: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    jitter: bool = True
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("initial", 0.0), ("factor", 1.0), ("cap", 0.0)):
            number = getattr(self, name)
            if not _is_number(number, least):
                raise ValueError(f"Backoff({name}={number!r}): it must be a number of at least {least:g}")
        if not isinstance(self.jitter, bool):
            raise TypeError(f"Backoff(jitter={self.jitter!r}): it can be True or False")
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int)):
            raise TypeError(f"Backoff(seed={self.seed!r}): a whole number is needed")

    def delay(self, attempt: int, task: int, seed: int) -> float:
        """Seconds to wait after an attempt has failed.

        Args:
            attempt: the one that failed; 1 for the first.
            task: the number of the task.
            seed: of the run, for chance if this has no seed of its own.
        """
        try:
            longest = min(self.cap, self.initial * self.factor ** (attempt - 1))
        except OverflowError:
            longest = self.cap
        if not self.jitter:
            return longest
        return longest * _chance(seed if self.seed is None else self.seed, task, attempt)


@dataclass(frozen=True, slots=True)
class Retries:
    """When a task is tried again that has failed.

    Args:
        most: attempts after the first.
        delay: seconds between two of them; see `Backoff`.
        on: failures that are worth it.
    """

    most: int
    delay: Delay = Backoff()
    on: RetryOn | None = None

    def after(self, error: BaseException, attempt: int, task: int, seed: int) -> float | None:
        """Seconds until the next attempt; None if there is none.

        Args:
            error: of the attempt that has failed.
            attempt: the one that failed; 1 for the first.
            task: the number of the task.
            seed: of the run.

        Raises:
            Exception: what a function of the user's raised that was asked for a delay, or whether to try again.
        """
        if attempt > self.most or not self._is_worth(error):
            return None
        if isinstance(error, Retry) and error.after is not None:
            return checked_delay(error.after, "Retry(after=...)")
        delay = self.delay
        if isinstance(delay, Backoff):
            return delay.delay(attempt, task, seed)
        if callable(delay):
            return checked_delay(delay(attempt, error), "retry_delay()")
        if isinstance(delay, (int, float)):
            return delay
        return delay[min(attempt, len(delay)) - 1] if delay else 0.0

    def _is_worth(self, error: BaseException) -> bool:
        if isinstance(error, GiveUp):
            return False
        if isinstance(error, Retry):
            return True
        if self.on is None:
            return isinstance(error, Exception)
        if isinstance(self.on, (type, tuple)):
            return isinstance(error, self.on)
        return bool(self.on(error))


class Attempt(NamedTuple):
    """One attempt of a task that has failed.

    Args:
        number: of it; 1 for the first.
        error: that it has failed with.
        ended: when, in seconds of `time.perf_counter`.
        delay: seconds that were waited after it.
    """

    number: int
    error: BaseException
    ended: float
    delay: float


def checked_delay(seconds: object, whose: str) -> float:
    """Seconds that somebody has said to wait.

    Raises:
        ValueError: it is no number, or below 0.
    """
    if not _is_number(seconds, 0):
        raise ValueError(f"{whose} was {seconds!r}; it must be seconds, 0 or more")
    return float(seconds)


def _chance(seed: int, task: int, attempt: int) -> float:
    """A number from 0 to 1, evenly spread: the finaliser of splitmix64 (G. Steele et al., 2014) over all three."""
    mixed = (seed * 0x9E3779B97F4A7C15 + task * 0xBF58476D1CE4E5B9 + attempt * 0x94D049BB133111EB) & _WORD
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
    return ((mixed ^ mixed >> 31) >> 11) / (1 << 53)
