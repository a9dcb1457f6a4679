"""The display of an engine: begun for each of its runs, or for a while."""

from __future__ import annotations

import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._engine.base import EngineBase
from .counts import CountsOfRun, Watched
from .display import Display
from .progress import Items, Progress

if TYPE_CHECKING:
    from ..streams import Stream

_log = logging.getLogger("asyncflow")


def show(engine: EngineBase, run: Watched) -> Display | None:
    """Show how a run of an engine stands, from now on.

    Args:
        engine: whose run it is.
        run: that records.

    Returns:
        The display; None if there is none, which is logged.
    """
    try:
        counts = CountsOfRun(run, engine._expected, _items_of(engine))
        display = Display(run, counts, places=_places_of(engine, run))
        display.begin()
    except Exception:
        _log.exception("progress is not shown; the run goes on")
        return None
    return display


@asynccontextmanager
async def live(engine: EngineBase) -> AsyncIterator[None]:
    """Show how the run of an engine stands, until this is left."""
    if engine._rehearsal() is not None:
        yield
        return
    await engine._start()
    run = engine._usable_run()
    if run is None or engine._display is not None:
        yield
        return
    display = engine._display = show(engine, run)
    try:
        yield
    finally:
        if display is not None and engine._display is display:  # else the engine was shut down
            engine._display = None
            await display.close()


def _items_of(engine: EngineBase) -> Callable[[], Iterable[Items]]:
    """Tells how the streams and services of an engine stand, which may be gone."""
    known = weakref.ref(engine)
    # Held, or what there was of those that have ended since the last time would not be known.
    going: set[Stream[Any]] = set()
    ended: dict[str, Items] = {}

    def items() -> Iterable[Items]:
        engine = known()
        if engine is None:
            return
        going.update(each for each in engine._streamed if each._was_read and not _is_over(each))
        for stream in list(going):
            told = _told_of(stream)
            if _is_over(stream):
                going.discard(stream)
                before = ended.get(told.name)
                ended[told.name] = told if before is None else _both(before, told)
            else:
                yield told
        yield from ended.values()
        for service in list(engine._served):
            jobs = service._submissions
            yield Items(service.name, "job", jobs.kept, jobs.running, jobs.waiting, 0, None)

    return items


def _is_over(stream: Stream[Any]) -> bool:
    return stream._window.is_closed and not stream._items


def _told_of(stream: Stream[Any]) -> Items:
    counts = stream.counts
    over = counts.done + counts.given
    total = counts.taken if stream._window.is_closed else counts.total  # it may have been left before its end
    return Items(stream._name, "item", over, counts.running, 0, counts.failed, total)


def _both(one: Items, other: Items) -> Items:
    """Of two streams that have ended: all together."""
    return one._replace(
        over=one.over + other.over,
        failed=one.failed + other.failed,
        total=None if one.total is None or other.total is None else one.total + other.total,
    )


def _places_of(engine: EngineBase, run: Watched) -> Callable[[Progress], Progress]:
    """Adds where there is more to be seen of a run."""
    journal = engine._settings.journal
    sandboxes = run.sandboxes
    # It is known while the run goes on only.
    roots: list[Path] = []

    def with_places(progress: Progress) -> Progress:
        if sandboxes is not None and sandboxes.used:
            roots[:] = [sandboxes.root]
        if not progress.is_over:
            return progress._replace(places=_told(None, journal, progress))
        root = roots[0] if roots else None
        with suppress(OSError):
            root = root if root is not None and any(root.iterdir()) else None
        return progress._replace(places=_told(root, journal, progress))

    return with_places


def _told(root: Path | None, journal: Path | None, progress: Progress) -> list[tuple[str, str]]:
    places = [("sandboxes, and what commands have printed", str(root))] if root is not None else []
    if journal is not None:
        places.append(("journal", str(journal)))
        places.append(("to look into it", f"asyncflow report {journal}"))
    elif progress.sums.failed:
        places.append(("to go on", "engine.report(), future.explain(); journal='run.jsonl' keeps all of it"))
    return places
