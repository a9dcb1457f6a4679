"""What is known of a stream while it goes on and after it, and what holds it up. Pure; times are handed in."""

from __future__ import annotations

from typing import Final, NamedTuple

from .._show.words import counted, seconds

SLOWEST: Final = 5  # items that are kept by name
_LONGEST_KEY: Final = 100  # characters


class SlowItem(NamedTuple):
    """An item that took longer than others.

    Args:
        seconds: from when it was taken to its end.
        item: its index in the source; 0 for the first.
        key: what ``key=`` made of it, as text; "" without.
        task: number of its task; 0 if it has none, as its arguments did not fit.
    """

    seconds: float
    item: int
    key: str
    task: int


class Streamed(NamedTuple):
    """One stream. Times are seconds by the clock of the record.

    Args:
        number: of it; 1 for the first of the run.
        name: of the task that its items go through.
        called_at: where it was made: "pipeline.py:12, in main".
        block: number of the block inside which it is read; 0 outside of all.
        window: how many items may be taken and not given.
        ordered: whether results come in the order of the source.
        total: how many items there are in all; None if nobody knows.
        began: when its reader came first.
        first: when the first item was over; None before that.
        last: when the last until now was over, or taken.
        taken: items that came from the source.
        over: of these, those whose task is over.
        given: of these, those that the reader has.
        failed: items that have failed.
        state: "open"; "done" when all was given; "failed" at an error; "left" if its reader went before the end.
        slowest: those items that took longest, the longest first.
    """

    number: int
    name: str
    called_at: str
    block: int
    window: int
    ordered: bool
    total: int | None
    began: float
    first: float | None
    last: float
    taken: int = 0
    over: int = 0
    given: int = 0
    failed: int = 0
    state: str = "open"
    slowest: tuple[SlowItem, ...] = ()


def key_shown(key: object) -> str:
    """What ``key=`` made of an item, as text; "" without."""
    if key is None:
        return ""
    try:
        return str(key)[:_LONGEST_KEY]
    except Exception:  # of the user's own class
        return ""


def item_shown(index: int, key: str) -> str:
    """An item in words: "item 17, key 'a.pdf',"."""
    return f"item {index:,}" + (f", key {key!r}," if key else "")


def held_up_by(
    *,
    room: int,
    running: int,
    done: int,
    is_closed: bool,
    is_awaited: bool,
    asks: bool,
    unbegun: int,
    since: float | None,
) -> str:
    """What a stream waits for, in words.

    Args:
        room: how many items it may take.
        running: items that are taken and not over.
        done: items that are over and not given.
        is_closed: whether no more are taken.
        is_awaited: whether its reader waits for it.
        asks: whether it waits for an item of its source.
        unbegun: of those that run, items that wait for a worker, or for what goes before.
        since: for how many seconds it has been so; None if that is not known.
    """
    lasts = "" if since is None else f", for {seconds(max(0.0, since))}"
    if not is_awaited and done and not (room and not is_closed and asks):
        full = "" if room or is_closed else ", and its window is full"
        return f"waits for its reader: {counted(done, 'result')} not taken{full}{lasts}"
    if running and unbegun:
        of = "" if unbegun == running else f" of {running:,}"
        begun = "has" if unbegun == 1 else "have"
        return f"waits for workers: {unbegun:,}{of} {'item' if running == 1 else 'items'} {begun} not begun{lasts}"
    if running:
        also = ", and for its source" if asks and room else ""
        return f"waits for {counted(running, 'item')} under way{also}{lasts}"
    if asks and room:
        return f"waits for its source{lasts}"
    return "waits for its reader" + lasts
