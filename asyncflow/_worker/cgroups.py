"""Keeps each command in a control group (cgroup v2) of its own: all that it starts is in it, whatever it takes off.

A command's own process goes in before it becomes the command, so that nothing can be started outside, and the time that
the kernel takes for it, a hundredth of a second at worst, is not the event loop's.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Final

from . import watch
from .forks import held_here, not_held

_NAME: Final = "asyncflow-{space}-{pid}-{began}-{number}"
_NAMED: Final = re.compile(r"asyncflow-(\d+)-(\d+)-(\d+)-\d+")
_ENTER: Final = 'echo 0 >>"$0" || exit; {}exec "$@"'
_numbers: Final = count()


class ControlGroups:
    """The control group of a run, in which each of its commands has one.

    Raises:
        OSError: this process may not divide the control group that it is in, or is in none.
    """

    def __init__(self) -> None:
        self._own = _own_group()
        self._owner = os.getpid()
        with suppress(OSError):
            _sweep(self._own)
        began = _began(self._owner)
        name = _NAME.format(space=_space(), pid=self._owner, began=began, number=next(_numbers))
        self.path = self._own / name
        self.path.mkdir()
        try:
            if not os.access(self._own / watch.MEMBERS, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._own / watch.MEMBERS))
            kind = (self.path / "cgroup.type").read_text().strip()
            if kind != "domain":
                raise OSError(errno.EOPNOTSUPP, f"groups in it are of the type {kind!r}", str(self._own))
        except OSError:
            self.path.rmdir()
            raise
        held_here(self)

    def let_go(self) -> None:
        """Leave it to the parent, in a forked child."""
        self._owner = 0

    def new(self, task_id: int) -> Group:
        """A group for a command."""
        return Group(self.path / str(task_id), self.path)

    def close(self) -> None:
        """Remove it, and let go of what may stay after an orderly end."""
        not_held(self)
        if self._owner:
            _release(self.path, self._own)


class Group:
    """The control group of one command."""

    def __init__(self, path: Path, above: Path) -> None:
        self._path = path
        self._above = above
        path.mkdir(exist_ok=True)  # an attempt before this one may have left something that is just ending

    def entering(
        self, argv: list[str | bytes], is_line: bool, env: Mapping[str, str], cwd: Path
    ) -> list[str | bytes]:
        """What to execute instead, to be in it from the first moment on.

        Args:
            argv: of the command.
            is_line: whether its last argument is a line that a shell runs: that shell itself can go in.
            env: of the command.
            cwd: of the command.

        Raises:
            OSError: the program cannot be executed; the shell that goes in first would only say so.
        """
        door = str(self._path / watch.MEMBERS)
        if is_line:
            return [*argv[:-1], f"echo 0 >>{shlex.quote(door)} || exit; {os.fsdecode(argv[-1])}"]
        program = os.fsdecode(argv[0])
        path = os.pathsep.join(os.get_exec_path(env))
        if shutil.which(cwd / program if "/" in program else program, path=path) is None:
            is_there = "/" in program and (cwd / program).exists()
            number = errno.EACCES if is_there else errno.ENOENT
            raise OSError(number, os.strerror(number), program)
        # Such names a shell may not hand on.
        odd = [
            f"{name}={value}" for name, value in env.items() if not re.fullmatch(r"[A-Za-z_]\w*", name, re.A)
        ]
        enter = _ENTER.format("" if "PWD" in env else "unset PWD; ")  # a shell sets it
        return ["/bin/sh", "-c", enter, door, *(["/usr/bin/env", *odd] if odd else ()), *argv]

    def members(self) -> list[int]:
        """The numbers of the processes in it."""
        return watch.members(str(self._path))

    def kill(self) -> None:
        """Kill all of it at once, where the kernel can (Linux 5.14)."""
        watch.kill_group(str(self._path))

    def remove(self) -> bool:
        """Remove it if nothing is left in it, and tell whether it is gone."""
        try:
            self._path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Remove it after a command that has ended; what that has left belongs to the run from here on."""
        _release(self._path, self._above)


def _release(path: Path, above: Path) -> None:
    for pid in watch.members(str(path)):
        with suppress(OSError):  # it has ended
            (above / watch.MEMBERS).write_text(str(pid))
    watch.remove_group(str(path))


def _own_group() -> Path:
    """The directory of the control group that this process is in."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    for line in Path("/proc/self/mountinfo").read_text().splitlines() if own is not None else ():
        mount, _, kind = line.partition(" - ")
        root, point = mount.split()[3:5]
        if kind.startswith("cgroup2 ") and PurePosixPath(own or "").is_relative_to(root):
            folder = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), point)  # as \040, a space
            return Path(folder, PurePosixPath(own or "").relative_to(root))
    raise FileNotFoundError(errno.ENOENT, "this process sees no cgroup v2 that it is in")


def _sweep(folder: Path) -> None:
    """End what is left there of engines that were killed together with their watcher."""
    for entry in os.scandir(folder):
        named = _NAMED.fullmatch(entry.name)
        if named is not None and int(named[1]) == _space() and _began(int(named[2])) != int(named[3]):
            watch.kill_group(entry.path)
            watch.remove_group(entry.path)


def _space() -> int:
    """Of process numbers; in another one they are other processes'."""
    return os.stat("/proc/self/ns/pid").st_ino


def _began(pid: int) -> int:
    process = watch.process_of(pid)
    return 0 if process is None else process[3]
