"""What a task has made in its sandbox on a node: found, and taken into the store of the node, from where it goes to the
engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..._core.carried_files import FILE, FOLDER, LINK, CarriedFiles, Entry
from ..._core.files import Stamp
from ..._files.contents import Store, small
from ..._files.entries import all_below, entries_of
from ..._files.implicit import stamp_of
from ..._files.made import made


def collected(
    files: CarriedFiles, sandbox: Path, store: Store, offered: set[bytes], succeeded: bool
) -> tuple[list[Entry], list[Entry], tuple[str, ...]]:
    """Take what a task has made into the store.

    Args:
        files: of the task.
        sandbox: where it ran.
        store: of the node.
        offered: gets the checksums of all that was taken, which the engine may ask for.
        succeeded: whether the task has; else only what it is to be looked into for is taken.

    Returns:
        What it has made, what lies beside its sandbox, and the names of inputs that it left as they were.

    Raises:
        StagingError: an output was not made.
        OSError: something could not be read.
    """
    brought = {each.name: (each.changed, each.size) for each in files.inputs if each.kind in (FILE, LINK)}
    evidence = () if succeeded else all_below(str(sandbox), "")
    found = _outputs(files, sandbox, brought) if succeeded else _evidence(evidence, files.evidence)
    untouched = tuple(name for name in brought if _is_untouched(sandbox / name, brought[name]))
    beside = [
        entry
        for ending in files.also
        if os.path.isfile(f"{sandbox}.{ending}")
        for entry in entries_of(Path(f"{sandbox}.{ending}"), ending)
    ]
    taken: dict[str, bytes] = {}

    def take(entry: Entry) -> Entry:
        if entry.kind != FILE:
            return entry._replace(source="") if entry.kind == FOLDER else entry
        path = os.path.realpath(entry.source)
        if path not in taken:
            taken[path] = store.take(path)
            offered.add(taken[path])
        content = small(store.path(taken[path]), entry.size)
        return entry._replace(digest=taken[path], source="", content=content)

    return list(map(take, found)), list(map(take, beside)), untouched


def _outputs(files: CarriedFiles, sandbox: Path, brought: Mapping[str, Stamp]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for name in files.outputs:
        for path in made(files.label, sandbox, name, brought):
            below = str(path.relative_to(sandbox))
            found |= {each.name: each for each in entries_of(path, below)}
    if files.takes_all:
        for entry in all_below(str(sandbox), ""):
            if entry.kind == FOLDER or not _is_untouched(sandbox / entry.name, brought.get(entry.name)):
                found.setdefault(entry.name, entry)
    return sorted(found.values(), key=lambda each: each.name.split("/"))


def _evidence(entries: Sequence[Entry], most: int) -> list[Entry]:
    """As much of what a failed task has left as fits, the small files first."""
    if not most:
        return []
    fitting, size = set(), 0
    for entry in sorted(entries, key=lambda each: each.size):
        size += entry.size
        if size <= most:
            fitting.add(entry.name)
    return [each for each in entries if each.name in fitting]


def _is_untouched(path: Path, stamp: Stamp | None) -> bool:
    if stamp is None:
        return False
    try:
        return stamp_of(path) == stamp
    except OSError:
        return False
