"""Runs executable tasks: calls the function for its command, runs that in the task's sandbox, and tells how it ended.

A place like a backend, on the engine's own loop, which only waits: the command's output goes to files, and its end
makes a descriptor readable. What to run is decided in `_core/commands.py`; the process is `_worker/command.py`'s.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from .._core.commands import CommandOutcome, argv_of
from .._core.names_in_commands import is_plain, misread, unplain
from .._core.options import CommandOptions
from .._core.task import Task
from .._files.aside import aside
from .._files.sandboxes import Sandboxes
from .._files.task_files import TaskFiles
from .._worker.command import Command, Family, Lifeline, Watcher
from .._worker.descriptors import Descriptors
from .._worker.gpus import VISIBLE, visible
from .._worker.whose import runs_task
from ..backend import CANCELLED, FAILED, STARTED, SUCCEEDED, Report
from ..errors import CommandFailed, CommandNotStarted, ServiceNotReady
from .asyncio_tasks import AsyncioTasks
from .ending import Ending, readable
from .not_started import left_outside, not_started, note_of
from .probes import Probing, is_taken
from .streams import NO_ROOM, Streams

if TYPE_CHECKING:
    from .._worker.cgroups import ControlGroups


class Commands(AsyncioTasks):
    """The place where commands run. One that is cancelled is ended with all that it has started: asked first, killed
    after the grace time.

    Args:
        report: as a backend's.
        sandboxes: of the run.
        grace: seconds that a command which is told to end may take.
        contains: whether each is to run in a control group of its own.
    """

    def __init__(self, report: Report, sandboxes: Sandboxes, grace: float, contains: bool) -> None:
        super().__init__(report)
        self._sandboxes = sandboxes
        self._grace = grace
        self._contains = contains
        self._groups: ControlGroups | None = None
        self._live: set[Command] = set()
        self._lifeline: Lifeline | None = None
        self._watcher: Watcher | None = None
        self._family: Family | None = None
        self._ending: Ending | None = None
        self._for_room: list[asyncio.Future[None]] = []

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
        self.waiting.pop(task.id, None)

    async def run(self, task: Task) -> str | bytes | Path:
        """Run the command of a task to its end, and give its value.

        Raises:
            CommandFailed: it has failed.
            OSError: it could not be started.
        """
        return await self._run(task)

    async def serve(self, task: Task, up: Callable[[object], None]) -> None:
        """Run a command that is to go on until it is cancelled.

        Args:
            task: of it.
            up: is called with its ready value when it is ready.

        Raises:
            ServiceNotReady: it is not ready in time, or something else is where it was to be.
            CommandFailed: it has ended.
        """
        await self._run(task, up)

    async def _serving(
        self, task: Task, command: Command, streams: Streams, up: Callable[[object], None]
    ) -> int:
        """Wait until a command has ended that is not to, and tell when it is ready."""
        options: CommandOptions = task.definition.options
        ending = asyncio.ensure_future(self._end_of(command))
        probing = Probing(task, command, streams)
        asking = asyncio.ensure_future(probing.until_ready())
        try:
            await asyncio.wait(
                [ending, asking], timeout=options.ready_timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if ending.done():
                return await ending
            if not asking.done():
                why = f"it was not ready after ready_timeout={options.ready_timeout:g} s"
                raise ServiceNotReady(task.id, task.name, why, probing.answer, streams.last_complaints())
            up(asking.result())
            return await ending
        finally:
            asking.cancel()
            while not ending.done():  # cancelled once more, it kills at once
                ending.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([ending])

    @runs_task
    async def _run(self, task: Task, up: Callable[[object], None] | None = None) -> str | bytes | Path:
        options: CommandOptions = task.definition.options
        files: TaskFiles = task.files
        if files.sandbox is None:
            files.sandbox = self._sandboxes.make(task)
        given = task.fn(*task.args, **task.kwargs)
        if task.definition.is_coroutine:
            given = await given
        argv = argv_of(given, options, task.name)
        outcome = task.outcome = CommandOutcome(given if isinstance(given, str) else argv)
        _refuse_misread(task, outcome.command)
        env = options.environment(os.environ)
        if task.gpus and VISIBLE not in (options.env or ()):
            env[VISIBLE] = visible(task.gpus, os.environ)
        cwd = files.sandbox if options.cwd is None else files.sandbox / options.cwd
        if self._contains and self._groups is None:
            self._groups = _control_groups(task)
        taken = None if up is None else await is_taken(options.ready)
        if taken is not None:
            raise ServiceNotReady(task.id, task.name, f"something else answers at {taken} already", "", "")
        opened = Descriptors()
        try:
            command, streams = await self._begun(task, argv, env, cwd, opened)
            try:
                outcome.returncode = await (
                    self._end_of(command) if up is None else self._serving(task, command, streams, up)
                )
                outcome.stderr = streams.complaints()
                if up is None and outcome.returncode in options.ok_codes:
                    return streams.value(task)
                raise self._failed(task, streams, env, cwd)
            except BaseException:  # also if it took too long
                if self._sandboxes.keeps_failed and command.is_ours:
                    streams.keep(argv, options, cwd)
                raise
        except KeyboardInterrupt:
            self._give_up(task)
            raise
        finally:
            opened.close()
            for waiting in self._for_room:
                if not waiting.done():
                    waiting.set_result(None)
            self._for_room.clear()

    def _failed(self, task: Task, streams: Streams, env: Mapping[str, str], cwd: Path) -> CommandFailed:
        outcome: CommandOutcome = task.outcome
        assert outcome.command is not None and outcome.returncode is not None
        error = CommandFailed(
            task.id,
            task.name,
            outcome.command,
            _how(outcome.returncode),
            outcome.returncode,
            streams.last_complaints(),
            str(task.files.sandbox),
        )
        for note in (
            note_of(outcome.returncode, outcome.command, env, cwd),
            left_outside(outcome.command, error.stderr, cwd),
        ):
            if note is not None:
                error.add_note(note)
        return error

    # -- the process --------------------------------------------------------------------------------------

    async def _begun(
        self, task: Task, argv: list[str | bytes], env: dict[str, str], cwd: Path, opened: Descriptors
    ) -> tuple[Command, Streams]:
        """Start the command. If there is no room for it, that waits for the end of another one."""
        while True:
            try:
                streams = Streams(task.definition.options, task.files.sandbox, self._sandboxes.root, opened)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                problem = error
            else:
                try:
                    return self._start(task, argv, env, cwd, streams), streams
                except OSError as error:
                    problem = error
            opened.close()
            if problem.errno not in NO_ROOM or not self._live:
                raise not_started(task, problem, argv, env, cwd) from None  # it says all of it
            self._for_room.append(asyncio.get_running_loop().create_future())
            await self._for_room[-1]

    def _start(
        self, task: Task, argv: list[str | bytes], env: dict[str, str], cwd: Path, streams: Streams
    ) -> Command:
        if self._lifeline is None:
            self._lifeline = Lifeline()
        if self._family is None:
            self._family = Family(self._sandboxes.root)
        if self._watcher is None:
            group_of_run = None if self._groups is None else self._groups.path
            self._watcher = Watcher(self._lifeline, self._family, group_of_run)
        if self._ending is None:
            self._ending = Ending(self._family, self._watcher.began, self._live)
        group = None if self._groups is None else self._groups.new(task.id)
        command = Command(self._lifeline, self._family, task.id, group)
        self._live.add(command)  # first, for the next line may be the last
        try:
            if group is not None:
                argv = group.entering(argv, isinstance(task.outcome.command, str), env, cwd)
            command.start(
                argv,
                env=env,
                cwd=cwd,
                stdin=streams.stdin,
                stdout=streams.stdout,
                stderr=streams.stderr,
            )
        except Exception:
            self._live.discard(command)
            if group is not None:
                group.remove()
            raise
        return command

    def _give_up(self, task: Task) -> None:
        """Ctrl-C came out of a command's start or end: whatever there is of it is not to stay."""
        for command in [each for each in self._live if each.number == str(task.id)]:
            if command.pid and command.process.returncode is None:
                command.kill_group()
                command.reap()
            if command.group is not None and command.is_ours:
                command.group.remove()
            self._live.discard(command)

    async def _end_of(self, command: Command) -> int:
        """Wait until a command has ended, or end it if its task is cancelled."""
        assert self._ending is not None
        ended = asyncio.ensure_future(_ended(command))
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            if command.is_ours:
                await self._ending.stop(command, ended, self._grace)
            raise
        finally:
            # Before it is reaped, while its number is surely still its own: what it left running in its group.
            command.kill_group()
            returncode = command.reap()
            self._live.discard(command)
            if command.reap_orphans():
                await aside(command.reap_orphans, wait=True)
            if command.group is not None and command.is_ours and not command.group.remove():
                await aside(command.group.release)
            if command.is_ours:
                await self._ending.adopt(command)
        return returncode

    def abandon(self) -> None:
        """Kill all of it, without a loop to wait on."""
        if self._ending is not None:
            self._ending.kill_now(self._live)
        for command in self._live:
            command.reap()
        self._live.clear()
        self.close()

    def close(self) -> None:
        """Give back what is left."""
        ending, self._ending = self._ending, None
        if ending is not None:
            ending.close()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.dismiss()
        groups, self._groups = self._groups, None
        if groups is not None:
            groups.close()
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            lifeline.close()


def _control_groups(task: Task) -> ControlGroups:
    from .._worker.cgroups import ControlGroups

    try:
        return ControlGroups()
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        why = (
            "contain_commands=True needs a control group (cgroup v2) that this process may divide: "
            f"{error.strerror}{where}.\n"
            "  Start the program with  systemd-run --user --scope -p Delegate=yes ...,  in a container with its own\n"
            "  writable cgroup, or as root; or leave contain_commands away."
        )
        raise CommandNotStarted(task.id, task.name, why, error.errno) from None


async def _ended(command: Command) -> None:
    opened = Descriptors()
    try:
        try:
            descriptor = opened.open(os.pidfd_open, command.pid)
        except OSError:  # this process may open no more
            await aside(os.waitid, os.P_PID, command.pid, os.WEXITED | os.WNOWAIT)
            return
        await readable(descriptor)
    finally:
        opened.close()


def _refuse_misread(task: Task, command: Any) -> None:
    """Refuse a command in which a name of the call's files is not quoted: a shell would run what is in it."""
    files: TaskFiles = task.files
    pieces = files.unplain
    for path in _paths_in((*task.args, *task.kwargs.values())):
        if not is_plain(str(path)) and files.sandbox not in path.parents:  # those in it are known already
            pieces = pieces | unplain("", path.parts)
    name = misread(command, pieces) if pieces else None
    if name is not None:
        text = command if isinstance(command, str) else shlex.join(map(os.fsdecode, command))
        raise ValueError(
            f"{task.name!r} (#{task.id}): the name {name!r} of a file stands in its command so that a shell may run "
            f"what is in it:\n  {text}\n"
            '  Outside of quotes it is quoted by sh:  sh("cat {}", path)'
            ', and the path of an InputFile or OutputFile quotes itself:  f"cat {path}"\n'
            "  A shell inside of this one takes it as an argument:  sh -c 'cat \"$1\"' sh {path}"
        )


def _paths_in(values: Iterable[object]) -> Iterator[PurePath]:
    for value in values:
        if isinstance(value, PurePath):
            yield value
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield from (each for each in value if isinstance(each, PurePath))
        elif isinstance(value, dict):
            yield from (each for each in value.values() if isinstance(each, PurePath))


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-returncode).name}"
    return f"signal {-returncode}"
