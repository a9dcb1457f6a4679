"""The future that a call returns: an `asyncio.Future` that is its task's record as well. It decides nothing."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .._causes import spelled
from .._core.commands import CommandOutcome
from .._core.states import State, state_of
from .._core.story import explain
from .._core.task import FIELDS, Task
from .._record.times import item_told, times_of
from .._show.outlined import Cell
from .._worker.held_up import HELD_UP
from .._worker.whose import ASKED, IDENTITY
from .outputs import Outputs
from .scope import check_thread
from .touched import refuse_inside

if TYPE_CHECKING:
    from .._files.task_files import TaskFiles
    from .._show.outline import Outline
    from .home import Home

T = TypeVar("T")
_FUTURES = (asyncio.Future, concurrent.futures.Future)
_cancel = asyncio.Future.cancel
_result = asyncio.Future.result
_done = asyncio.Future.done
_OR_NONE = "Whether there is one at all, `is not None` tells"
_OF_COMMANDS = {"command", "returncode", "stderr"}
_FACE = {
    *("attempts", "explain", "id", "label", "name", "outputs", "sandbox", "state", "workflow", *_OF_COMMANDS),
    *(name for name in dir(asyncio.Future) if not name.startswith("_")),
} - {"set_exception", "set_result"}
"""What users are shown of a future, when they press the tab key."""


class TaskFuture(Cell, Task, asyncio.Future[T]):
    """The result of a call, to be awaited or passed on as an argument.

    Everything that takes an `asyncio.Future` takes it: ``await``, `asyncio.gather`, `asyncio.wait`,
    `asyncio.as_completed`, `asyncio.timeout`.
    """

    # No __init__: making one has to cost no more than making an asyncio.Future. See `Task.set_up`.
    __slots__ = FIELDS

    @property
    def _run(self) -> Home:
        run: Home = self.site.run
        return run

    @property
    def state(self) -> State:
        """Where the task stands. The future of a cancelled task is done at once; its state says CANCELLING until
        the work has stopped."""
        self._run.steps.catch_up()
        return state_of(self.story)

    @property
    def context(self) -> object:
        """The context variables of the call site, each time as a copy of its own, which tells whose code it is for."""
        context = None if self.snapshot is None else self.snapshot.copy()
        if ASKED and context is not None:
            context.run(IDENTITY.set, self.identity)
        return context

    @property
    def attempts(self) -> int:
        """How often the task was started."""
        return self.attempt

    @property
    def command(self) -> str | list[str | bytes] | None:
        """Of an executable task: what it ran; None until that is known."""
        return self._outcome("command").command

    @property
    def returncode(self) -> int | None:
        """Of an executable task: the command's exit code, of a signal its number below zero; None until its end."""
        return self._outcome("returncode").returncode

    @property
    def stderr(self) -> str | None:
        """Of an executable task: what the command wrote to its standard error; None until its end."""
        return self._outcome("stderr").stderr

    @property
    def sandbox(self) -> Path | None:
        """Of an executable task, or one that declares files: the directory that was made for it; None before that."""
        files = self._with_files("sandbox")
        files.reached()
        return files.sandbox

    if TYPE_CHECKING:
        __sizeof__: None  # type: ignore[assignment]  # by which type checkers tell it from what is no future

    @property
    def outputs(self) -> Outputs:
        """The files that the task declares to make, by name, each a future of its path."""
        self._with_files("outputs")
        return Outputs(self)

    def _outcome(self, what: str) -> CommandOutcome:
        if not self.definition.is_command:
            raise AttributeError(f"{self!r} has no {what}: only executable tasks have")
        return self.outcome or CommandOutcome()

    def _with_files(self, what: str) -> TaskFiles:
        files: TaskFiles | None = self.files
        if files is None or self.definition.is_block:
            raise AttributeError(
                f"{self!r} has no {what}: only executable tasks and those that declare files have"
            )
        return files

    def explain(self) -> str:
        """Why the task waits, and since when; where it ran, and why this often; why it failed or did not run."""
        from .inputs import awaited_yet  # which imports this module

        run = self._run
        run.steps.catch_up()
        called, ran = (None, []) if run.record is None else times_of(run.record, self.id)
        waits = run.places.waits(self.lane)
        item = "" if run.record is None else item_told(run.record, self.id)
        return explain(self, awaited_yet(self), run.gate.line(self), perf_counter(), called, ran, waits, item)

    def cancel(self, msg: object | None = None) -> bool:
        """Cancel the future at once and ask its work to stop.

        Args:
            msg: handed to the `CancelledError`.

        Returns:
            False if it was done already.
        """
        check_thread(self._run.thread, f"{self!r}.cancel()")
        stopping = self._run.stopping
        # Its end has come already: nobody can cancel it any more.
        if self.cause is not None and not self.done():
            stopping.end_all()
        if not _cancel(self, msg):
            return False
        end_without_value(self)
        stopping.cancel(self, msg)
        return True

    def result(self) -> T:
        """The value, once there is one.

        Raises:
            asyncio.InvalidStateError: the task is not over; await the future instead.
        """
        if get_ident() != self.site.run.thread or HELD_UP:
            refuse_inside(self)
        try:
            return _result(self)
        except asyncio.InvalidStateError:
            raise asyncio.InvalidStateError(
                f"{self!r} has no result yet; say:  await {spelled(self.name)}(...)"
            ) from None

    def set_result(self, result: object, /) -> NoReturn:
        """Refused, as by an `asyncio.Task`: the value is what the task's function returns.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"{self!r}.set_result(): a task's value is what its function returns")

    def set_exception(self, exception: object, /) -> NoReturn:
        """Refused, as by an `asyncio.Task`: a task fails by what its function raises.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            f"{self!r}.set_exception(): a task fails by what its function raises; to stop it:  .cancel()"
        )

    def __bool__(self) -> bool:
        """Refused: a future says nothing of whether its value is true.

        Raises:
            TypeError: always.
        """
        raise _no_value(self, "it is neither true nor false", "if {}: ...  " + _OR_NONE)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same future; refused for what is none.

        Raises:
            TypeError: the other is no future.
        """
        if self is other or isinstance(other, _FUTURES):
            return self is other
        raise _no_value(
            self, f"it cannot be compared with {type(other).__name__!r}", "{} == ...  " + _OR_NONE
        )

    __hash__ = asyncio.Future.__hash__

    if TYPE_CHECKING:  # checkers refuse what is not there, with words of their own
        __iter__ = None  # type: ignore[assignment]
    else:

        def __iter__(self) -> NoReturn:  # asyncio's own would go over one that is done as if it was empty
            raise _no_value(self, "it is not iterable", "for each in {}: ...")

        __aiter__ = __iter__

        def __contains__(self, item: object) -> NoReturn:
            raise _no_value(self, "nothing is in it", "... in {}")

        def __len__(self) -> NoReturn:
            raise _no_value(self, "it has no length", "len({})")

        def __getitem__(self, item: object) -> NoReturn:
            raise _no_value(self, "it has no items", "rows = {}; rows[...]")

        def __add__(self, other: object) -> NoReturn:
            raise _no_value(self, "it does not go with operators", "{} + ...")

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __lt__ = __le__ = __gt__ = __ge__ = __add__

        def __format__(self, spec: str) -> str:
            if spec:
                raise _no_value(self, f"it has no format {spec!r}", "value = {}")
            return repr(self)

    def __repr__(self) -> str:
        self.site.run.looks_closer = True  # the text should stand in no argument of a call: see `Wiring`
        return spelled(f"<TaskFuture {self.name_shown}#{self.id} {state_of(self.story)}>")

    def _outline(self) -> Outline:
        from .cell import outline_of

        return outline_of(self)

    def __dir__(self) -> list[str]:
        face = _FACE if self.definition.is_command else _FACE - _OF_COMMANDS
        return [name for name in super().__dir__() if name in face or name.startswith("__")]


def _no_value(future: TaskFuture[Any], why: str, mend: str) -> TypeError:
    """The error of a future that is taken for its value; of the mend, {} is where it is awaited."""
    awaited = mend.format(f"await {spelled(future.name)}(...)")
    return TypeError(
        f"{future!r} is a future here, and not yet its value: {why}.\n  Await it first:  {awaited}"
    )


class ServiceFuture(TaskFuture[T]):
    """What a future becomes that a service gives its value to: it starts when somebody awaits it, at the latest."""

    __slots__ = ()

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """As of any future; asyncio calls it on behalf of whoever awaits."""
        super().add_done_callback(fn, context=context)
        self._run.services.wanted(self)


class EndedFuture(TaskFuture[T]):
    """What a future becomes that ends without a value. Asyncio calls its ``result`` on behalf of whoever awaits it, so
    that is not ours here: a frame of ours would be in the traceback."""

    __slots__ = ()
    result = _result


class KeptFuture(TaskFuture[T]):
    """What a future becomes whose result stays where it was made: it is fetched when somebody asks, and only then done.
    Then it is a `TaskFuture` again."""

    __slots__ = ()

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """As of any future; asyncio calls it on behalf of whoever awaits."""
        super().add_done_callback(fn, context=context)
        self._run.keeps.wanted(self)

    def done(self) -> bool:
        """Whether the result is here. To ask is to have it fetched, or who asks until it is would do so for ever."""
        if not _done(self):
            self._run.keeps.wanted(self)
        return _done(self)

    def result(self) -> T:
        """The value, once it is here."""
        self.done()
        return super().result()

    def exception(self) -> BaseException | None:
        """The error, if the result is lost."""
        self.done()
        return super().exception()


_LIVE = (TaskFuture, ServiceFuture, KeptFuture)


def end_without_value(future: TaskFuture[Any]) -> None:
    """A future is about to be cancelled, or to fail."""
    if type(future) in _LIVE:
        future.__class__ = EndedFuture


class FailedFuture(EndedFuture[T]):
    """What a future becomes when it fails: it tells if it is dropped before anybody has looked at it. A class of its
    own, because a class with a ``__del__`` costs each of its objects as much as making it."""

    __slots__ = ()

    def __del__(self) -> None:
        if self._log_traceback:
            self._run.unseen.dropped(self)
