"""Runs executable tasks: calls the function for its command, runs that in the task's sandbox, and tells how it ended.

A place like a backend, on the engine's own loop, which only waits: the command's output goes to files, and its end
makes a descriptor readable. What to run is decided in `_core/commands.py`; the process is `_worker/command.py`'s.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any, Final

from .._core.commands import CommandOptions, argv_of
from .._core.names_in_commands import is_plain, misread, unplain
from .._core.task import Task
from .._worker.command import Command, start_watcher
from ..backend import CANCELLED, FAILED, STARTED, SUCCEEDED, Report
from ..errors import CommandFailed, CommandNotFound, OutputTooLarge
from .facts import Facts
from .sandboxes import STREAMS, Sandboxes, beside

_MOST_TEXT: Final = 256 << 20  # bytes of output that may become a value
_LINES: Final = 20  # of stderr that an error shows
_TAIL: Final = 64 << 10  # bytes in which these are looked for


class Commands:
    """The place where commands run.

    Args:
        report: as a backend's.
        sandboxes: of the run.
        grace: seconds that a command which is told to end may take.
    """

    can_kill = True
    reports_starts = True

    def __init__(self, report: Report, sandboxes: Sandboxes, grace: float) -> None:
        self._report = report
        self._sandboxes = sandboxes
        self._grace = grace
        self.waiting: dict[int, asyncio.Task[None]] = {}
        self._live: set[Command] = set()
        self._lifeline: tuple[int, int] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def submit(self, batch: Sequence[Task]) -> None:
        """Run them, all at once: the lane has as many slots as may run."""
        for task in batch:
            running = asyncio.Task(self._carry_out(task), name=f"{task.name}#{task.id}", context=task.context)
            self.waiting[task.id] = running

    async def cancel(self, task_id: int) -> bool:
        """End a command with all that it has started: asked first, killed after the grace time."""
        running = self.waiting.get(task_id)
        if running is not None:
            running.cancel()
        return True

    async def _carry_out(self, task: Task) -> None:
        try:
            self._report([(STARTED, task.id, None)])
            value = await self._run(task)
        except asyncio.CancelledError:
            self._report([(CANCELLED, task.id, None)])
        except BaseException as error:
            self._report([(FAILED, task.id, error)])
        else:
            self._report([(SUCCEEDED, task.id, value)])
        finally:
            self.waiting.pop(task.id, None)

    async def _run(self, task: Task) -> str | Path:
        options: CommandOptions = task.definition.command
        facts: Facts = task.facts
        if facts.sandbox is None:
            facts.sandbox = self._sandboxes.make(task)
        given = task.fn(*task.args, **task.kwargs)
        if task.is_coroutine:
            given = await given
        argv = argv_of(given, options, task.name)
        facts.command = given if isinstance(given, str) else argv
        _refuse_misread(task, facts.command)
        with self._streams(task, options) as (stdin, stdout, stderr):
            facts.returncode = await self._ended(task, argv, options, (stdin, stdout, stderr))
            facts.stderr = _text(stderr, _MOST_TEXT)
            if facts.returncode not in options.ok_codes:
                raise CommandFailed(
                    task.id,
                    task.name,
                    facts.command,
                    _how(facts.returncode),
                    facts.returncode,
                    _last_lines(stderr),
                    str(facts.sandbox),
                )
            if options.capture_stdio:
                return beside(facts.sandbox, "stdout")
            size = os.fstat(stdout).st_size
            if size > _MOST_TEXT:
                raise OutputTooLarge(task.id, task.name, size, _MOST_TEXT)
            return _text(stdout, _MOST_TEXT)

    # -- streams ------------------------------------------------------------------------------------------

    @contextmanager
    def _streams(self, task: Task, options: CommandOptions) -> Iterator[tuple[int, int, int]]:
        opened: list[int] = []
        try:
            stdin = self._stdin(options.stdin)
            if stdin != subprocess.DEVNULL:
                opened.append(stdin)
            for name in STREAMS:
                if options.capture_stdio:
                    flags = os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC
                    opened.append(os.open(beside(task.facts.sandbox, name), flags, 0o666))
                else:
                    opened.append(self._nameless())
            yield stdin, opened[-2], opened[-1]
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _stdin(self, given: Any) -> int:
        if given is None:
            return subprocess.DEVNULL
        if not isinstance(given, (str, bytes)):
            return os.open(given, os.O_RDONLY | os.O_CLOEXEC)
        descriptor = self._nameless()
        with open(descriptor, "wb", closefd=False) as file:
            file.write(given.encode() if isinstance(given, str) else given)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _nameless(self) -> int:
        """A file on disk that nobody else sees and that is gone when it is closed."""
        with tempfile.TemporaryFile(dir=self._sandboxes.root, buffering=0) as file:
            return os.dup(file.fileno())

    # -- the process --------------------------------------------------------------------------------------

    async def _ended(
        self, task: Task, argv: list[str | bytes], options: CommandOptions, streams: tuple[int, int, int]
    ) -> int:
        """Start the command and wait for its end."""
        command = self._start(task, argv, options, streams)
        self._live.add(command)
        ended = asyncio.ensure_future(_readable(os.pidfd_open(command.pid)))
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            await self._stop(command, ended)
            raise
        finally:
            # Before it is reaped, while its number is surely still its own: what it left running in its group.
            command.kill_group()
            returncode = command.reap()
            self._live.discard(command)
        return returncode

    async def _stop(self, command: Command, ended: asyncio.Future[None]) -> None:
        command.ask()
        try:
            async with asyncio.timeout(self._grace):
                await asyncio.shield(ended)
        except TimeoutError:
            pass
        finally:
            killed = [_readable(descriptor) for descriptor in command.send(signal.SIGKILL)]
            await asyncio.gather(ended, *killed)

    def _start(
        self, task: Task, argv: list[str | bytes], options: CommandOptions, streams: tuple[int, int, int]
    ) -> Command:
        if self._lifeline is None:
            self._lifeline = os.pipe()
        if self._watcher is None:
            self._watcher = start_watcher(self._lifeline[0], self._sandboxes.root)
        sandbox: Path = task.facts.sandbox
        env = options.environment(os.environ)
        cwd = sandbox if options.cwd is None else sandbox / options.cwd
        stdin, stdout, stderr = streams
        try:
            return Command(
                argv,
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                lifeline=self._lifeline[0],
                mark=sandbox.as_posix(),
            )
        except FileNotFoundError as error:
            if not cwd.is_dir():
                raise FileNotFoundError(
                    f"{task.name!r} (#{task.id}): cwd {str(cwd)!r} is not there"
                ) from None
            raise CommandNotFound(
                task.id, task.name, os.fsdecode(argv[0]), _searched(argv[0], env)
            ) from error

    def abandon(self) -> None:
        """Kill all of it, without a loop to wait on."""
        for command in self._live:
            for descriptor in command.send(signal.SIGKILL):
                os.close(descriptor)
            command.reap()
        self._live.clear()
        self.close()

    def close(self) -> None:
        """Give back what is left."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:  # before the hang-up: what may stay after an orderly end is not to be killed
            watcher.kill()
            watcher.wait()
        lifeline, self._lifeline = self._lifeline, None
        for descriptor in lifeline or ():
            os.close(descriptor)


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read, and close it."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(descriptor, _settle, readable)
    try:
        await readable
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _refuse_misread(task: Task, command: Any) -> None:
    """Refuse a command in which a name of the call's files is not quoted: a shell would run what is in it."""
    facts: Facts = task.facts
    pieces = facts.unplain
    for path in _paths_in((*task.args, *task.kwargs.values())):
        if not is_plain(str(path)) and facts.sandbox not in path.parents:  # those in it are known already
            pieces = pieces | unplain("", path.parts)
    name = misread(command, pieces) if pieces else None
    if name is not None:
        text = command if isinstance(command, str) else shlex.join(map(os.fsdecode, command))
        raise ValueError(
            f"{task.name!r} (#{task.id}): the name {name!r} of a file stands in its command so that a shell may run "
            f"what is in it:\n  {text}\n"
            '  Outside of quotes a path quotes itself:  f"cat {path}"\n'
            '  What is made of it is quoted by sh:  sh("cat {}", path.name)'
        )


def _paths_in(values: Iterable[Any]) -> Iterator[PurePath]:
    for value in values:
        if isinstance(value, PurePath):
            yield value
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield from (each for each in value if isinstance(each, PurePath))
        elif isinstance(value, dict):
            yield from (each for each in value.values() if isinstance(each, PurePath))


def _searched(program: str | bytes, env: Mapping[str, str]) -> str:
    if "/" in os.fsdecode(program):
        return "at that path"
    return "in PATH=" + os.pathsep.join(os.get_exec_path(env))


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-returncode).name}"
    return f"signal {-returncode}"


def _text(descriptor: int, most: int) -> str:
    return os.pread(descriptor, most, 0).decode(errors="replace")


def _last_lines(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL)).decode(errors="replace")
    return "\n".join(tail.splitlines()[-_LINES:])
