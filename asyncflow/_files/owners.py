"""Knows whose a run's directory is, and clears away those of engines that were killed.

An owner is known by its machine, its process and when that started: numbers of processes are used again, and several
machines or containers may share a directory. Of what is not surely this machine's, nobody here can say that it is dead.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from .copying import remove

OWNER: Final = ".owner"
"""The file that says whose a directory is; gone when an engine has cleared up itself."""
KEPT: Final = ".kept"
"""Names of sandboxes that stay as evidence, a line each."""
_IS_OURS: Final = re.compile(r".+-\d+(-\d+)?(\.stdout|\.stderr)?|fetched|\.kept")
"""What the directory of a run has in it: sandboxes, and what commands have printed."""
_YOUNG: Final = 60.0  # seconds in which a directory is left alone, whatever it says


def write_owner(root: Path, keep: str) -> None:
    """Say that a directory is this process's, and whose sandboxes stay in it."""
    with suppress(OSError):  # who cannot say it, as on a full disk, is never swept
        said = {"host": socket.gethostname(), "keep": keep, "name": root.name, **_process(os.getpid())}
        said["word"] = os.urandom(16).hex()
        (root / OWNER).write_text(json.dumps(said))


def word_of(root: str | Path) -> str:
    """The random word by which it is known whether somebody elsewhere sees the same directory of a run; empty if there
    is none."""
    try:
        return str(json.loads(Path(root, OWNER).read_text())["word"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def is_run_of(root: str | Path, word: str) -> bool:
    """Whether the directory of a run that has this word is seen here, and can be written to."""
    return bool(word) and word_of(root) == word and os.access(root, os.W_OK | os.X_OK)


def sweep(folder: Path, prefix: str, stopped: Callable[[], bool]) -> None:
    """Remove what engines of this user have left that were killed on this machine, except for evidence."""
    with suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if stopped():
                return
            with suppress(OSError, ValueError, LookupError, TypeError):
                if entry.name.startswith(prefix) and _is_left(entry):
                    _clear(Path(entry.path))


def _is_left(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False) or entry.stat(follow_symlinks=False).st_uid != os.geteuid():
        return False
    owner = Path(entry.path, OWNER)
    if time.time() - os.lstat(owner).st_mtime < _YOUNG:
        return False
    said = json.loads(owner.read_text())
    here = _process(os.getpid())
    is_of_here = all(said[each] == here[each] for each in ("boot", "namespace"))
    if said["name"] != entry.name:  # a copy that its user has made, or moved there
        return False
    return is_of_here and said["keep"] != "all" and _started(int(said["pid"])) != said["started"]


class Left(NamedTuple):
    """The directory of a run that no engine uses any more, as far as that is known.

    Args:
        path: of it.
        whose: "dead", of an engine that was killed; "over", of a run that is over and has left something on purpose;
            "unknown", of another machine, or of this one before it was started anew.
        kept: names in it of what stays as evidence; None if that is all of it.
    """

    path: Path
    whose: str
    kept: frozenset[str] | None


def left_in(folder: Path, prefix: str) -> Iterator[Left]:
    """The directories of runs of this user that no engine uses any more, in the order of their names.

    Args:
        folder: where runs have made them.
        prefix: of their names.
    """
    here = _process(os.getpid())
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.startswith(prefix) or path.is_symlink() or not path.is_dir():
            continue
        with suppress(OSError, ValueError, LookupError, TypeError):
            if path.stat().st_uid != os.geteuid():
                continue
            if not (path / OWNER).exists():
                is_old = time.time() - path.stat().st_mtime > _YOUNG  # an engine may be making it
                if is_old and all(_IS_OURS.match(each.name) for each in path.iterdir()):
                    yield Left(path, "over", None)
                continue
            said = json.loads((path / OWNER).read_text())
            if said["name"] != path.name:
                continue
            if any(said[each] != here[each] for each in ("boot", "namespace")):
                yield Left(path, "unknown", None if said["keep"] == "all" else _kept(path))
            elif _started(int(said["pid"])) != said["started"]:
                yield Left(path, "dead", None if said["keep"] == "all" else _kept(path))


def clear(left: Left, kept: bool) -> None:
    """Remove the directory of a run.

    Args:
        left: which.
        kept: whether what stays as evidence goes, too.
    """
    if kept:
        remove(left.path)
    elif left.kept is not None:
        _clear(left.path)


def _kept(root: Path) -> frozenset[str]:
    try:
        return frozenset((root / KEPT).read_text().splitlines())
    except FileNotFoundError:
        return frozenset()


def is_kept(name: str, kept: frozenset[str] | None) -> bool:
    """Whether something in the directory of a run stays as evidence.

    Args:
        name: of it.
        kept: as in `Left`.
    """
    return kept is None or name in kept or Path(name).stem in kept


def _clear(root: Path) -> None:
    kept = _kept(root)
    for path in root.iterdir():
        if path.name not in (OWNER, KEPT) and not is_kept(path.name, kept):
            remove(path)
    forget_owner(root)


def forget_owner(root: Path) -> None:
    """Leave the directory of a run that is over to its user, if there is still something in it."""
    for name in (OWNER, KEPT):
        (root / name).unlink(missing_ok=True)
    with suppress(OSError):  # something is kept in it
        root.rmdir()


def _process(pid: int) -> dict[str, object]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"boot": boot, "namespace": os.readlink("/proc/self/ns/pid"), "pid": pid, "started": _started(pid)}


def _started(pid: int) -> int | None:
    """When a process was started, in ticks since the machine was; None if there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None
