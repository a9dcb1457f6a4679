"""Has files of other places fetched, each once for a run, and sent there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from .._core import urls
from .._core.files import InputFile
from ..errors import StagingError
from .aside import aside

if TYPE_CHECKING:
    from .remote import Remote

Begin = Callable[[Coroutine[object, object, Path], str], asyncio.Task[Path]]


class OtherPlaces:
    """What has a URL, for the tasks of one run."""

    def __init__(self, stopped: threading.Event, begin: Begin) -> None:
        self._stopped = stopped
        self._begin = begin
        self._fetches: dict[str, asyncio.Task[Path]] = {}
        self._numbers = count(1)

    @cached_property
    def _remote(self) -> Remote:
        from .remote import Remote  # few workflows need it, and it takes a while to load

        return Remote(self._stopped)

    def send(self, path: Path, url: str) -> None:
        """Put a file or a directory where a URL says; it takes as long as it takes."""
        self._remote.send(path, url)

    async def fetched(self, label: str, inputs: Iterable[InputFile], folder: Path) -> dict[str, Path]:
        """Paths of the inputs that come from other places, by URL: below a directory that all tasks share."""
        wanted = [each.source for each in inputs if isinstance(each.source, str)]
        away = dict.fromkeys(url for url in wanted if urls.is_url(url) and urls.local_path(url) is None)
        fetched = {}
        try:
            for url, fetch in [(url, self._fetch(url, folder)) for url in away]:
                fetched[url] = await asyncio.shield(fetch)
        except (OSError, ValueError, ImportError) as error:
            raise StagingError(f"{label}: {error}") from error
        return fetched

    def _fetch(self, url: str, folder: Path) -> asyncio.Task[Path]:
        fetch = self._fetches.get(url)
        if fetch is None:
            work = aside(self._fetch_into, folder / str(next(self._numbers)), url)
            fetch = self._fetches[url] = self._begin(work, url)
            fetch.add_done_callback(lambda done: self._over(url, done))
        return fetch

    def _over(self, url: str, done: asyncio.Task[Path]) -> None:
        if done.cancelled() or done.exception() is not None:
            del self._fetches[url]  # whoever asks later is worth another attempt

    def _fetch_into(self, folder: Path, url: str) -> Path:
        folder.mkdir(parents=True)
        target = folder / urls.name_of(url)
        self._remote.fetch(url, target)
        return target
