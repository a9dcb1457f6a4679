"""Runs one command in a process group of its own, and ends it with all that it has started.

Output goes straight to files: nothing has to be pumped, a flood neither blocks the command nor fills memory. It knows
no event loop: whoever waits for the process does it in his own way.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from . import watch
from .descriptors import Descriptors
from .forks import held_here, not_held
from .marks import WORKER_OF
from .watch import Process

if TYPE_CHECKING:
    from .cgroups import Group

MARK: Final = "ASYNCFLOW_TASK"
"""The environment variable by which processes are found that have left the group."""
_GET_CHILD_SUBREAPER: Final = 37
_POLITE: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Lifeline:
    """A pipe whose writing end only this process holds, so that its hang-up tells of the end of this process."""

    def __init__(self) -> None:
        self._opened = Descriptors()
        try:
            self.reading, _ = self._opened.pipe()
            held_here(self)
        except BaseException:
            self._opened.close()
            raise

    def let_go(self) -> None:
        """Close it in a forked child."""
        self._opened.close()

    def close(self) -> None:
        """Hang up, if this is the process that holds it."""
        not_held(self)
        self._opened.close()


class Family:
    """Tells the processes that the commands of a run have started from all others. ``run`` is the directory of the
    run."""

    def __init__(self, run: Path) -> None:
        self._name = run.name
        self._run = run.as_posix()
        self.mark = f"{MARK}={self._run}/"
        self.badge = f"/memfd:{run.name}-"

    def mark_of(self, task_id: int) -> str:
        """The value of `MARK` for a command: what is behind the last hyphen is the number of its task."""
        return f"{self._run}/task-{task_id}"

    def badge_of(self, task_id: int) -> str:
        """The name of a file that is in no directory, for a command and all that it starts to hold."""
        return f"{self._name}-{task_id}"

    def look(self, since: int, commands: Iterable[Command]) -> dict[str, list[Process]]:
        """The living processes of commands that are not reaped, by the numbers of their tasks. ``since`` is as for
        `watch.look`."""
        roots = {pid: command.number for command in commands for pid in command.roots()}
        return watch.look(os.fsencode(self.mark), self.badge, since, roots)


class Command:
    """A command: it can be known to others before its process is there, which Ctrl-C may come behind.

    Args:
        lifeline: of the run.
        family: of the run.
        task_id: number of its task.
        group: its control group, if it is to have one.
    """

    def __init__(self, lifeline: Lifeline, family: Family, task_id: int, group: Group | None = None) -> None:
        self.number = str(task_id)
        self._task_id = task_id
        self._lifeline = lifeline
        self._family = family
        self._owner = os.getpid()
        self._seen: dict[int, int] = {}  # processes of its family, and when they began
        self.group = group
        self.process: subprocess.Popen[bytes] = subprocess.Popen.__new__(subprocess.Popen)

    def start(
        self,
        argv: Sequence[str | bytes],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int,
        stdout: int,
        stderr: int,
    ) -> None:
        """Start its process.

        Args:
            argv: program and arguments; they go into its control group, if it has one.
            env: the whole environment.
            cwd: where it runs.
            stdin: a file's descriptor, or `subprocess.DEVNULL`.
            stdout: a file's descriptor.
            stderr: a file's descriptor.

        Raises:
            OSError: it could not be started.
        """
        passed = Descriptors()
        try:
            badge = passed.open(os.memfd_create, self._family.badge_of(self._task_id))
            # Its own opening of the pipe, which can have an owner of its own: see `_die_with`.
            lifeline = f"/proc/self/fd/{self._lifeline.reading}"
            own = passed.open(os.open, lifeline, os.O_RDONLY | os.O_CLOEXEC)
            self.process.__init__(  # type: ignore[misc]
                argv,
                cwd=cwd,
                env={**env, MARK: self._family.mark_of(self._task_id)},
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[badge, own],
                process_group=0,
            )
            self._die_with(own)
        finally:
            passed.close()
        held_here(self)

    @property
    def pid(self) -> int:
        """The number of its process, and of its group; 0 if it has none."""
        return getattr(self.process, "pid", None) or 0

    def _die_with(self, lifeline: int) -> None:
        """Have the kernel kill the group when this process ends, however that ends. The command has inherited the
        opened pipe, and with it the owner who is to be sent the signal when the other end hangs up."""
        with suppress(OSError):  # it has ended already
            fcntl.fcntl(lifeline, fcntl.F_SETOWN, -self.process.pid)
            fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)

    @property
    def is_ours(self) -> bool:
        """Whether this process has started it; a child that the program has forked has no say in it."""
        return os.getpid() == self._owner

    def let_go(self) -> None:
        """Forget it in a forked child, where nobody can wait for it."""
        self.process.returncode = 0

    def roots(self) -> Iterator[int]:
        """Its own number, those in its control group, and those seen before that live: their parents may be gone."""
        if self.pid:
            yield self.pid
        if self.group is not None:
            yield from self.group.members()
        for pid, began in self._seen.items():
            process = watch.process_of(pid)
            if process is not None and process[3] == began:
                yield pid

    def send(self, number: int, family: Collection[Process]) -> list[int]:
        """Send a signal to all processes of the command, also to those of its ``family`` that have left its group.

        Returns:
            A descriptor for each process that got it by itself, readable when that has ended; -1 if there is none.
        """
        if not self.is_ours:
            return []
        self._seen |= {pid: began for pid, _, _, began in family}
        self._to_group(number)
        # A second request would be taken for impatience. A second kill does no harm, and reaches what left meanwhile.
        kill = number == signal.SIGKILL
        sent = [watch.send(process, number) for process in family if kill or process[2] != self.pid]
        if kill and self.group is not None:
            self.group.kill()
        return [descriptor for descriptor in sent if descriptor is not None]

    def kill_group(self) -> None:
        """End at once what is still in its group: cheap, and finds nothing that has left it."""
        if self.is_ours:
            self._to_group(signal.SIGKILL)

    def _to_group(self, number: int) -> None:
        if self.pid:  # killpg(0) would be this program's own group
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def reap(self) -> int:
        """The exit code, once it has ended; of a signal, its number below zero."""
        not_held(self)
        return self.process.wait()

    def reap_orphans(self, *, wait: bool = False) -> bool:
        """Reap what was left in its group, was killed and has become a child of this process, as it does where this is
        process 1 or a subreaper. Right after `reap`, before its number can be another's.

        Args:
            wait: until all have ended.

        Returns:
            Whether there are more, which have not ended yet.
        """
        options = os.WEXITED if wait else os.WEXITED | os.WNOHANG
        try:
            while self.is_ours and os.waitid(os.P_PGID, self.pid, options) is not None:
                pass
        except ChildProcessError:
            return False
        return self.is_ours


def is_reaper() -> bool:
    """Whether orphans become children of this process: it is process 1, or has said so (`PR_SET_CHILD_SUBREAPER`)."""
    if os.getpid() == 1:
        return True
    try:
        import ctypes

        answer = ctypes.c_int()
        ctypes.CDLL(None).prctl(_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return False
    return bool(answer.value)


def reap(descriptor: int) -> None:
    """Reap a process that has ended, if it is a child of this one, and close its descriptor."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
    os.close(descriptor)


class Watcher:
    """The process that kills what has left its group when this process ends, however that ends.

    Args:
        lifeline: of the run.
        family: the same.
        group: its control group, if it has one.

    Raises:
        OSError: it could not be started.
    """

    def __init__(self, lifeline: Lifeline, family: Family, group: Path | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self.began = 0
        python = shutil.which("python3") if getattr(sys, "frozen", False) else sys.executable
        if not python or WORKER_OF in os.environ:
            return  # a frozen program, say, would only start itself
        argv = [python, "-I", "-S", watch.__file__, family.mark, family.badge]
        if group is not None:
            argv.append(str(group))
        # this may be a command itself
        env = {name: value for name, value in os.environ.items() if name != MARK} | {watch.WATCHER: "1"}
        env[WORKER_OF] = str(self._owner)  # should it be no Python but a program that starts commands
        # It inherits that these are blocked: unlike a handler of its own, that holds from its first moment on.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _POLITE)
        try:
            self._process = subprocess.Popen(
                argv,
                env=env,
                cwd="/",
                stdin=lifeline.reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        began = watch.process_of(self._process.pid)
        self.began = 0 if began is None else began[3]
        held_here(self)

    def let_go(self) -> None:
        """Forget it in a forked child."""
        if self._process is not None:
            self._process.returncode = 0

    def dismiss(self) -> None:
        """End it, before the hang-up: what may stay after an orderly end is not to be killed."""
        not_held(self)
        if self._process is not None and os.getpid() == self._owner:
            self._process.kill()
            self._process.wait()
