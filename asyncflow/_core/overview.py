"""Tells in a few lines what holds up a run: what its tasks wait for, what runs longest, who holds what is full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from .._causes import spelled
from .._show.words import counted, seconds

_SHOWN = 3


class Running(NamedTuple):
    """A task that runs, for how many seconds if that is known, and where."""

    name: str
    lasts: float | None
    worker: str


class Full(NamedTuple):
    """A limit that tasks wait for: in words, who holds it, and how many wait."""

    limit: str
    holders: Sequence[str]
    waiting: int


class Retry(NamedTuple):
    """A task whose next attempt is to come, in how many seconds, and what the last one failed with."""

    name: str
    follows: float
    error: str


class Workers(NamedTuple):
    """A place where tasks run: how many do, and how many can at once; None for any number."""

    place: str
    busy: int
    most: int | None


class Overview(NamedTuple):
    """A run at one moment.

    Args:
        head: the engine, in words.
        live: tasks that are not over.
        waiting: reasons for which tasks wait, each with how many do.
        behind: what most tasks wait for, how many do, and whether there may be more; None if that is nobody.
        running: what runs, the longest first.
        runs: how many tasks run; more than there are in `running`, perhaps.
        full: limits that tasks wait for.
        retries: attempts that are to come, the next one first.
        places: where tasks run.
        slotless: places that wait for something to run tasks on, each with what for.
        streams: those that go on: each with its name, how many items were taken and given, and what it waits for.
    """

    head: str
    live: int
    waiting: Sequence[tuple[str, int]]
    behind: tuple[str, int, bool] | None
    running: Sequence[Running]
    runs: int
    full: Sequence[Full]
    retries: Sequence[Retry]
    places: Sequence[Workers]
    slotless: Sequence[tuple[str, str]]
    streams: Sequence[tuple[str, int, int, str]] = ()


def told(overview: Overview) -> str:
    """What holds up a run: the engine, and a line for each thing that there is something to say of."""
    lines = [overview.head, *(f"  {name}: {fact}" for name, fact in facts(overview).items())]
    return "\n".join(map(spelled, lines))


def facts(overview: Overview) -> dict[str, str]:
    """What holds up a run, by what it is about; only what there is something to say of."""
    found = {about: tell(overview) for about, tell in _ABOUT.items()}
    return {about: fact for about, fact in found.items() if fact}


def in_short(overview: Overview) -> str:
    """What holds up a run most, in one line; "" if nothing does.

    Args:
        overview: of the run.
    """
    parts = []
    if overview.slotless:
        place, waits = overview.slotless[0]
        parts.append(f"{place} has nothing to run tasks on: {waits}")
    if overview.full:
        full = overview.full[0]
        parts.append(f"{counted(full.waiting, 'task')} waiting for limit {full.limit}")
    waiting = [each for each in overview.waiting if not (overview.full and each[0] == "limits")]
    if waiting and not overview.slotless:
        reason, number = max(waiting, key=lambda each: each[1])
        busy = [each for each in overview.places if each.most and each.busy >= each.most]
        of_place = next((each for each in busy if reason.startswith(each.place)), None)
        if of_place is not None:
            reason = f"{counted(of_place.busy, 'busy worker')} of {of_place.place}"
        parts.append(f"{counted(number, 'task')} waiting for {reason}")
    if overview.behind is not None and overview.behind[1] > 1:
        name, number, is_more = overview.behind
        parts.append(f"{number:,}{' or more' if is_more else ''} behind {name}")
    if overview.retries:
        first = overview.retries[0]
        parts.append(f"next attempt of {first.name} in {seconds(first.follows)}, after {first.error}")
    if not overview.runs and overview.live and not parts:
        parts.append("nothing runs")
    return spelled("; ".join(parts).partition("\n")[0])


def _waits(overview: Overview) -> str:
    many = sorted(overview.waiting, key=lambda each: -each[1])
    if not many:
        return ""
    reasons = ", ".join(f"{number:,} for {reason}" for reason, number in many)
    behind = ""
    if overview.behind is not None:
        name, number, is_more = overview.behind
        behind = f"; most behind {name}: {number:,}{' or more' if is_more else ''}"
    return f"{reasons}{behind}"


def _runs(overview: Overview) -> str:
    if not overview.runs:
        return "nothing" if overview.live else ""
    shown = [
        each.name + ("" if each.lasts is None else f" for {seconds(each.lasts)}") + f" on {each.worker}"
        for each in overview.running[:_SHOWN]
    ]
    return f"{_with_more(shown, overview.runs)}"


def _limits(overview: Overview) -> str:
    shown = []
    for each in overview.full:
        by = f", by {_with_more(each.holders[:_SHOWN], len(each.holders))}" if each.holders else ""
        shown.append(f"{each.limit}{by} ({counted(each.waiting, 'task')} waiting)")
    return f"{'; '.join(shown)}" if shown else ""


def _retries(overview: Overview) -> str:
    if not overview.retries:
        return ""
    first = overview.retries[0]
    return (
        f"{len(overview.retries):,} to come, the next is {first.name} in {seconds(first.follows)}, "
        f"after {first.error}"
    )


def _places(overview: Overview) -> str:
    shown = [
        f"{each.place} {each.busy:,}" + ("" if each.most is None else f" of {each.most:,}")
        for each in overview.places
    ]
    return f"{', '.join(shown)}" if shown else ""


def _slots(overview: Overview) -> str:
    shown = [f"{place} has none: {waits}" for place, waits in overview.slotless]
    return f"{'; '.join(shown)}" if shown else ""


def _streams(overview: Overview) -> str:
    shown = [
        f"{name}, {taken:,} taken and {given:,} given, {wait}"
        for name, taken, given, wait in overview.streams
    ]
    return _several(shown)


def _several(shown: Sequence[str]) -> str:
    more = len(shown) - _SHOWN
    return "; ".join(shown[:_SHOWN]) + (f"; and {more:,} more" if more > 0 else "")


def _with_more(shown: Sequence[str], all_of_them: int) -> str:
    more = all_of_them - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


_ABOUT: Final = {
    "waiting": _waits,
    "running": _runs,
    "limits": _limits,
    "retries": _retries,
    "workers busy": _places,
    "slots": _slots,
    "streams": _streams,
}
