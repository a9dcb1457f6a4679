"""Every exception that asyncflow raises, and the plain facts each one carries.

Nothing is imported from the rest of the package but what tells of causes and keeps fields, so that any room, also a
worker on another machine, can raise and unpickle these. Messages are composed only when read: a hundred thousand
dependents of one failed task must not cost a hundred thousand formatted paths.
"""

from __future__ import annotations

from typing import Any, Final

from ._causes import Cause, told
from ._error_bases import AsyncflowError
from ._error_bases import BecauseOfOthers as _BecauseOfOthers
from ._error_bases import OfTask as _OfTask
from ._error_bases import WithFields as _WithFields

__all__ = [
    "AsyncflowError",
    "BackendInUse",
    "Cause",
    "CircularDependency",
    "CommandFailed",
    "CommandNotFound",
    "CommandNotStarted",
    "DeadlinePassed",
    "Deadlock",
    "EngineClosed",
    "ForeignFuture",
    "GiveUp",
    "GraphError",
    "HiddenFuture",
    "IdConflict",
    "ImpossibleTransition",
    "JobCancelled",
    "OutputNotText",
    "OutputTooLarge",
    "RemoteError",
    "ResultLost",
    "Retry",
    "RunStopped",
    "ServiceClosed",
    "ServiceDied",
    "ServiceFull",
    "ServiceNotReady",
    "Skip",
    "StagingError",
    "TaskCrashed",
    "TaskSkipped",
    "TaskTimeout",
    "TooFewSucceeded",
    "TooManyTasks",
    "TypeMismatch",
    "UnknownBackend",
    "UnknownJob",
    "UpstreamFailed",
    "VersionMismatch",
    "WiringError",
    "WorkerDied",
    "WrongLoop",
]


def __dir__() -> list[str]:
    return sorted(__all__)


_COMMAND = 2_000  # characters of a command that a message shows


class UnknownBackend(AsyncflowError, LookupError):
    """No backend is installed, or named in this engine, under the name that was asked for."""


class BackendInUse(_WithFields, RuntimeError):
    """An engine was to start with a backend that another engine has: one instance serves one engine at a time.

    Attributes:
        backend: the name of the backend in the engine that was to start.
        kind: the name of its class.
        holder: the engine that has it, as text.
    """

    backend: str
    kind: str
    holder: str

    def _message(self) -> str:
        return (
            f"backend {self.backend!r} cannot be started here: this {self.kind} is in use by another engine, which "
            f"runs: {self.holder}.\n"
            f"  Make a {self.kind}(...) for each engine; or shut the other one down first:  await other.shutdown()"
        )


class EngineClosed(AsyncflowError, RuntimeError):
    """The engine was shut down, or its start failed, before the task could be called."""


class RunStopped(_WithFields, RuntimeError):
    """The run has stopped at its first failure, as ``on_failure="stop"`` has it, before the task could be called.

    Attributes:
        name: of the task as its user wrote it.
        why: who failed, and how.
    """

    name: str
    why: str

    def _message(self) -> str:
        return f"{self.name!r} was called, but all has stopped, because {self.why}."


class WrongLoop(AsyncflowError, RuntimeError):
    """A call was made from a thread or an event loop other than the engine's."""


class ForeignFuture(AsyncflowError, ValueError):
    """An argument is a future of another engine, or of an earlier run of this one."""


class HiddenFuture(_OfTask, TypeError):
    """The body of a task has used a future, which came with something that calls do not look into for futures.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        argument: with which it came; None if it came with the function itself.
        future: which it is, as text.
        path: from the argument to it: "box.rows".
        holder: the name of the class of what holds it.
    """

    argument: str | None
    future: str
    path: str
    holder: str

    def _message(self) -> str:
        came = "with its function" if self.argument is None else f"in argument {self.argument!r}"
        inside = f" ({self.path}), inside of {self.holder}," if self.path else ","
        return (
            f"{self.name!r} (#{self.task_id}) got {self.future}, a future and not its value: it came {came}{inside} "
            "where calls do not look for futures.\n"
            "  Pass it as an argument of its own; or in a list, tuple, dict, set, dataclass, attrs or pydantic object"
        )


class Retry(_WithFields):
    """Raised by a task: this attempt has failed, and there is to be another one.

    Attributes:
        why: in words, for whoever reads of it when there are no attempts left.
        after: seconds until then; None for what the task's ``retry_delay`` says.
    """

    why: str = "the task asked to be tried again"
    after: float | None = None

    def _message(self) -> str:
        return self.why


class GiveUp(_WithFields):
    """Raised by a task: it has failed, and another attempt would be in vain.

    Attributes:
        cause: an error, or words.
    """

    cause: BaseException | str

    def __init__(self, cause: BaseException | str) -> None:
        super().__init__(cause)
        if isinstance(cause, BaseException):
            self.__cause__ = cause

    def _message(self) -> str:
        return (
            f"{type(self.cause).__name__}: {self.cause}"
            if isinstance(self.cause, BaseException)
            else self.cause
        )


class Skip(_WithFields):
    """Raised by a task: there is nothing for it to do, and nothing for what depends on it.

    That is no failure: no other attempt follows, and nothing is logged as an error.

    Attributes:
        reason: in words, for whoever wonders why there is no value.
    """

    reason: str = "no reason was given"

    def _message(self) -> str:
        return str(self.reason)


class CircularDependency(AsyncflowError, ValueError):
    """A task would wait for itself."""


class Deadlock(CircularDependency):
    """A wait can never end, since what is waited for waits for it, or for a limit that it holds."""


class ImpossibleTransition(AsyncflowError, RuntimeError):
    """A task was about to make a step that the table of transitions does not have; a bug in asyncflow."""


class TooManyTasks(_WithFields, RuntimeError):
    """A dry run has called as many tasks as it may: likely a loop that the values of a real run would end.

    Attributes:
        name: the task that was called once more, as its user wrote it.
        most: how many there may be.
        called_at: where the call is.
    """

    name: str
    most: int
    called_at: str

    def _message(self) -> str:
        return (
            f"{self.name!r} was called at {self.called_at}, and {self.most:,} tasks were called before, as many as a "
            "dry run takes.\n"
            "  If a loop does not end on what stands in for results, give the task that ends it an example=.\n"
            "  If there are so many tasks:  WorkflowEngine(max_tasks=...)"
        )


class TypeMismatch(_OfTask, TypeError):
    """With ``check_types=True``: an argument or a result is not of the type that it is annotated to be.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        argument: which argument; None for the result.
        expected: the annotation, as text.
        problem: what is there instead, in words.
        source: name and number of the task whose result it is; None if it is nobody's or that is not known.
    """

    argument: str | None
    expected: str
    problem: str
    source: tuple[str, int] | None = None

    def _message(self) -> str:
        what = "the result" if self.argument is None else f"argument {self.argument!r}"
        words = f"{what} of {self.name!r} (#{self.task_id}) is not {self.expected}: {self.problem}"
        if self.source is None:
            return words
        name, number = self.source
        return f"{words}; it came from {name!r} (#{number})"


class WiringError(_WithFields, ValueError):
    """Something is wrong with how the tasks of a plan are wired.

    Attributes:
        findings: all that was found, each an `asyncflow.plan.Finding`.
    """

    message: str
    findings: tuple[Any, ...] = ()

    def _message(self) -> str:
        return self.message


_FAULTS: Final = 50  # of a graph that a message tells


class GraphError(_WithFields, ValueError):
    """Something is wrong with a graph that was declared.

    Attributes:
        faults: all that is wrong, a line each.
    """

    faults: tuple[str, ...]

    def _message(self) -> str:
        if len(self.faults) == 1:
            return f"this graph cannot run: {self.faults[0]}"
        more = len(self.faults) - _FAULTS
        left = [f"... and {more:,} more, in `faults`"] if more > 0 else []
        head = f"this graph cannot run, for {len(self.faults):,} reasons:"
        return "\n  ".join([head, *self.faults[:_FAULTS], *left])


class TaskTimeout(_OfTask, TimeoutError):
    """A task ran longer than its ``timeout=``.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        timeout: the limit, in seconds.
        where: what it ran on ("backend 'thread'", "the event loop").
        stoppable: whether the work could be stopped; if not it goes on unseen and keeps its slot. None: it held up
            the clock, and has ended by itself.
    """

    timeout: float
    where: str
    stoppable: bool | None

    def _message(self) -> str:
        if self.stoppable is None:
            end = "nothing can interrupt it there, so that it has run to its end."
        else:
            end = (
                "it was told to stop." if self.stoppable else "it cannot be stopped there and keeps its slot."
            )
        return f"{self.name!r} (#{self.task_id}) ran longer than {self.timeout:g} s on {self.where}; {end}"


class DeadlinePassed(_OfTask, TimeoutError):
    """A task was not over when its ``deadline=`` had passed, which counts from its call.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        deadline: seconds from the call.
        state: in which it was then.
    """

    deadline: float
    state: str

    def _message(self) -> str:
        name, seconds = f"{self.name!r} (#{self.task_id})", f"{self.deadline:g} s"
        return f"{name} was not over {seconds} after its call; it was {self.state} then."


class TaskCrashed(_OfTask):
    """A task ended by an exception that is not an error but would end a program or a loop.

    ``SystemExit``, ``KeyboardInterrupt``, ``GeneratorExit``, ``StopIteration``, a ``CancelledError`` that nobody
    asked for and the like cannot travel as themselves without stopping whoever awaits the task. The original is
    the ``__cause__``.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        what: the original exception, as text.
    """

    what: str

    def _message(self) -> str:
        return f"{self.name!r} (#{self.task_id}) ended by {self.what}"


class WorkerDied(_OfTask):
    """The process that ran a task died under it.

    Attributes:
        task_id: number of the task that it was running.
        name: the task's name as its user wrote it.
        how: signal or exit code, in words ("signal SIGKILL", "exit code 1").
        pid: of the process; 0 if it was lost with all that ran on its machine.
        host: where it ran.
        peak_memory: bytes that it held at most; Linux counts what the engine held when it started the worker, too.
        stderr: the last lines that it wrote to its standard error.
        may_have_begun: whether the task may have done a part of its work, or all of it.
    """

    how: str
    pid: int
    host: str
    peak_memory: int
    stderr: str
    may_have_begun: bool = True

    def _message(self) -> str:
        if not self.pid:
            begun = "may have begun" if self.may_have_begun else "has not begun"
            return (
                f"{self.name!r} (#{self.task_id}) was lost with its machine, {self.host}: {self.how}.\n"
                f"  It {begun}, and is not run again by itself. If that does no harm:  retries=1"
            )
        first = (
            f"{self.name!r} (#{self.task_id}) lost its worker: process {self.pid} on {self.host} ended by {self.how}"
            f" (peak memory at most {self.peak_memory / 2**20:,.0f} MiB)."
        )
        last = "\n  ".join(self.stderr.splitlines())
        return f"{first}\n  The last it wrote to stderr:\n  {last}" if last else first


class VersionMismatch(_WithFields, RuntimeError):
    """An agent on another machine runs other versions than the engine, so that functions and results cannot travel.

    Attributes:
        agent: its name.
        host: the name of its machine.
        theirs: what it runs, of what differs ("Python 3.12.1").
        ours: what the engine runs instead ("Python 3.11.7").
    """

    agent: str
    host: str
    theirs: str
    ours: str

    def _message(self) -> str:
        return (
            f"agent {self.agent!r} on {self.host} runs {self.theirs}, and the engine runs {self.ours}: "
            "what is sent from one to the other would not be understood.\n"
            "  Start the agent with a Python, and install there what is installed, as for the engine"
        )


class ResultLost(_OfTask):
    """A result that stayed where it was made is no more.

    Attributes:
        task_id: number of the task that had made it.
        name: the task's name as its user wrote it.
        node: where it was kept.
        why: in words.
    """

    node: str
    why: str

    def _message(self) -> str:
        return (
            f"the result of {self.name!r} (#{self.task_id}), kept on {self.node}, is lost: {self.why}.\n"
            "  Nothing is made again unasked. With keep=False results come to the engine; with retries= a block runs "
            "all inside of it anew"
        )


class ServiceDied(_OfTask):
    """A service ended by itself while a task used it, or waited for it.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        service: the name of the service.
        how: it ended, in words ("exit code 2", "signal SIGKILL").
        stderr: the last lines that it wrote to its standard error.
    """

    service: str
    how: str
    stderr: str

    def _message(self) -> str:
        told = (
            f"{self.name!r} (#{self.task_id}) lost the service {self.service!r}, which it uses: {self.how}."
        )
        last = "\n    ".join(self.stderr.splitlines())
        return f"{told}\n  The last it wrote to stderr:\n    {last}" if last else told


class ServiceFull(_WithFields, RuntimeError):
    """A service has as many jobs as it may, and the one that was submitted is not among them.

    Attributes:
        name: of the service.
        running: how many jobs run.
        waiting: how many wait for their turn.
        retry_after: seconds after which there may be room, by how long jobs have taken.
    """

    name: str
    running: int
    waiting: int
    retry_after: float

    def _message(self) -> str:
        return (
            f"service {self.name!r} is full: {self.running:,} jobs run and {self.waiting:,} wait.\n"
            f"  Try again in {self.retry_after:.3g} s, or raise concurrency= or queue="
        )


class ServiceClosed(_WithFields, RuntimeError):
    """A service takes no more jobs: it was drained, or its engine shuts down.

    Attributes:
        name: of the service.
    """

    name: str

    def _message(self) -> str:
        return f"service {self.name!r} takes no more jobs: it was drained, or its engine was shut down"


class IdConflict(_WithFields, ValueError):
    """A job was submitted under the id of another one that has other arguments.

    Attributes:
        name: of the service.
        id: of both jobs.
    """

    name: str
    id: str

    def _message(self) -> str:
        return (
            f"service {self.name!r} has a job {self.id!r} with other arguments; one id is one job.\n"
            "  Submit this one under another id"
        )


class UnknownJob(_WithFields, LookupError):
    """A service has no job of that id.

    Attributes:
        name: of the service.
        id: that was asked for.
        was_there: whether there was one, which is not kept any more; None if too many came after it to know.
    """

    name: str
    id: str
    was_there: bool | None

    def _message(self) -> str:
        why = {
            True: "was given up: it is longer over than jobs are kept",
            False: "was never submitted",
            None: "was never submitted, or was given up long ago",
        }[self.was_there]
        return f"service {self.name!r} has no job {self.id!r}: it {why}"


class JobCancelled(_WithFields, RuntimeError):
    """The job that is waited for was cancelled.

    Attributes:
        name: of the service.
        id: of the job.
    """

    name: str
    id: str

    def _message(self) -> str:
        return f"job {self.id!r} of service {self.name!r} was cancelled"


class ServiceNotReady(_OfTask, TimeoutError):
    """A service was started and did not come to be ready.

    Attributes:
        task_id: number of the task.
        name: the service's name as its user wrote it.
        why: in words.
        answer: the last that was answered when it was asked whether it is ready.
        stderr: the last lines that it wrote to its standard error.
    """

    why: str
    answer: str
    stderr: str

    def _message(self) -> str:
        lines = [f"service {self.name!r} (#{self.task_id}): {self.why}."]
        if self.answer:
            lines.append(f"  The last answer: {self.answer}")
        if self.stderr:
            lines += ["  The last it wrote to stderr:", *(f"    {line}" for line in self.stderr.splitlines())]
        return "\n".join(lines)


class CommandFailed(_OfTask):
    """A command ended with an exit code that is none of its ``ok_codes=``, or by a signal.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        command: as it was run: text for a shell, or a list of arguments.
        how: exit code or signal, in words ("exit code 2", "signal SIGKILL").
        returncode: the exit code; of a signal, its number below zero.
        stderr: the last lines that it wrote to its standard error.
        sandbox: the directory in which it ran, which is kept.
    """

    command: str | list[str | bytes]
    how: str
    returncode: int
    stderr: str
    sandbox: str

    def _message(self) -> str:
        command = self.command if isinstance(self.command, str) else repr(self.command)
        if len(command) > _COMMAND:
            command = f"{command[:_COMMAND]} [...]"
        lines = [f"{self.name!r} (#{self.task_id}) ended with {self.how}.", f"  command: {command}"]
        if self.stderr:
            lines += ["  The last it wrote to stderr:", *(f"    {line}" for line in self.stderr.splitlines())]
        return "\n".join([*lines, f"  sandbox: {self.sandbox}"])


class CommandNotFound(_OfTask, FileNotFoundError):
    """There is no such program.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        program: what was looked for.
        where: where it was looked for ("in PATH=...").
    """

    program: str
    where: str

    def _message(self) -> str:
        told = f"{self.name!r} (#{self.task_id}): no program {self.program!r} was found {self.where}"
        words = self.program.split()
        if len(words) < 2:
            return told
        return f"{told}\n  Each item of a list is one argument:  {words}   A line for a shell is text, in no list"


class OutputTooLarge(_OfTask):
    """A command wrote more to its standard output than can be a value.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        size: bytes that it wrote.
        most: bytes that can be a value.
    """

    size: int
    most: int

    def _message(self) -> str:
        return (
            f"{self.name!r} (#{self.task_id}) wrote {self.size:,} bytes to its standard output; "
            f"as a value there may be {self.most:,}.\n"
            "  With capture_stdio=True the output goes to a file and the value is its path."
        )


class OutputNotText(_OfTask, ValueError):
    """What a command wrote to its standard output is no text (UTF-8).

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        at: bytes before what is none.
        found: bytes there.
    """

    at: int
    found: bytes

    def _message(self) -> str:
        return (
            f"{self.name!r} (#{self.task_id}) wrote what is no text to its standard output: "
            f"{self.found!r} after {self.at:,} bytes.\n"
            "  With text=False the value is bytes; with capture_stdio=True it is the path of a file."
        )


class CommandNotStarted(_OfTask, OSError):
    """There is such a program, and the system could not start it.

    Attributes:
        task_id: number of the task.
        name: the task's name as its user wrote it.
        why: in words, and what to do.
        errno: as the system has it.
    """

    why: str
    errno: int | None = None

    def _message(self) -> str:
        return f"{self.name!r} (#{self.task_id}) could not be started: {self.why}"


class StagingError(AsyncflowError, OSError):
    """A file could not be brought to where a task needs it, or to where its user wants it."""


class RemoteError(_WithFields):
    """Stands for an exception that could not travel from the worker that raised it.

    Attributes:
        kind: the name of its class.
        message: its message, in short.
        traceback: its traceback, as text.
        why: what of it cannot be sent, or be rebuilt here; empty if that is not known.
    """

    kind: str
    message: str
    traceback: str
    why: str = ""

    def _message(self) -> str:
        because = f": {self.why}" if self.why else ""
        sent = f"{self.kind} cannot be sent between processes{because}"
        if not self.traceback:
            return f"{self.message}\n  ({sent})"
        return f"{self.message}\n  ({sent}; what follows is its traceback there)\n{self.traceback}"


class UpstreamFailed(_BecauseOfOthers):
    """A task did not run because something that it depends on failed.

    Attributes:
        task_id: number of the task that did not run.
        name: its name as its user wrote it.
        root_causes: every task, in order of number, whose own failure (or cancellation) is a reason.
    """


class TooFewSucceeded(UpstreamFailed):
    """Of several tasks too few have succeeded for ``first_success`` or ``n_of``.

    Attributes:
        task_id: number of the future that waited for them.
        name: "first_success" or "n_of".
        root_causes: every task, in order of number, whose own failure, cancellation or skip is a reason.
        needed: how many would have had to succeed.
        of: how many there are.
    """

    needed: int
    of: int

    def __reduce__(self) -> tuple[Any, ...]:
        kind, known = super().__reduce__()
        return kind, (*known, self.needed, self.of)

    def _message(self) -> str:
        who = f"{self._cause.name_shown!r} (#{self.task_id})"
        return told(who, self._cause, f"needs {self.needed} of {self.of} tasks to succeed")


class TaskSkipped(_BecauseOfOthers):
    """A task has no value because it has raised `Skip`, or something that it depends on has: a branch not taken.

    Attributes:
        task_id: number of the task.
        name: its name as its user wrote it.
        root_causes: every task, in order of number, that has raised `Skip`; it may be the task itself.
        reason: why, in the words of the first of them.
    """

    @property
    def reason(self) -> str:
        """Why, in the words of the first that has raised `Skip`."""
        return self._cause.firsts[0].skipped or ""
