"""What a function becomes that returns a command. The command itself is decided in `_core/commands.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from .._causes import spelled
from .._core.commands import CommandOptions
from .._core.task import Definition
from .function_task import FunctionTask
from .option_names import names_options

if TYPE_CHECKING:
    from ..engine import WorkflowEngine

P = ParamSpec("P")
Fn = TypeVar("Fn")
R = TypeVar("R")


class ExecutableTask(FunctionTask[P, Fn, R]):
    """A function that returns a command. Calling it gives a `TaskFuture` of the command's output; ``.fn`` is the plain
    function, which gives the command."""

    @names_options
    def with_options(
        self,
        *,
        name: str | None = None,
        timeout: Any = None,
        after: Awaitable[Any] | Iterable[Awaitable[Any]] = (),
        env: Mapping[str, Any] | None = None,
        clean_env: bool | None = None,
        cwd: str | PathLike[str] | None = None,
        stdin: str | bytes | PathLike[str] | None = None,
        ok_codes: int | Iterable[int] | None = None,
        capture_stdio: bool | None = None,
        text: bool | None = None,
        shell: str | Sequence[str] | None = None,
        example: R | Callable[..., R] | EllipsisType = ...,
        expected: Any = None,
        label: str | None = None,
        backend: str | None = None,
    ) -> Self:
        """The same task with other options; those that are not given stay as they are.

        Args:
            name: what it is called in messages.
            timeout: seconds or `timedelta` that it may run.
            after: futures that must succeed first, and whose values are not passed.
            env: variables, added to the parent's environment.
            clean_env: whether these are all that the command gets.
            cwd: where it runs; relative to its sandbox.
            stdin: text, bytes or a path.
            ok_codes: exit codes that are no failure.
            capture_stdio: whether the value is the path of the output instead of its text.
            text: whether the value is text; False for bytes.
            shell: that runs a command given as text: a program, or a list as ``["bash", "-o", "pipefail", "-c"]``.
            example: what stands in for its value in a dry run: a value, or a callable that makes one of the arguments.
            expected: seconds or `timedelta` that it is expected to take, for plans.
            label: tells these calls from others in messages, as for function tasks.
            backend: none can be chosen: commands run on this machine, in slots of their own.

        Raises:
            TypeError: a backend, or an option of the wrong type.
        """
        if backend is not None:
            raise TypeError(f"executable task {self._definition.name!r} cannot be given backend={backend!r}")
        variant = super().with_options(
            name=name, timeout=timeout, after=after, example=example, expected=expected, label=label
        )
        options = self._definition.command.changed(
            env=env,
            clean_env=clean_env,
            cwd=cwd,
            stdin=stdin,
            ok_codes=ok_codes,
            capture_stdio=capture_stdio,
            text=text,
            shell=shell,
        )
        runs(variant._definition, options)
        return variant

    def on(self, engine: WorkflowEngine) -> Self:
        """The same task on another engine, as for a library's task on its user's engine.

        Args:
            engine: where calls of it are to run.

        Raises:
            TypeError: that is no engine.
        """
        variant = super().on(engine)
        runs(variant._definition, self._definition.command)
        return variant

    def __repr__(self) -> str:
        return spelled(f"<executable_task {self._definition.name}>")


def runs(definition: Definition, options: CommandOptions) -> Definition:
    """Make a definition one of commands.

    Args:
        definition: of the function that returns them.
        options: how they are run.
    """
    definition.command = options
    definition.kind = "executable"
    definition.returns = Path if options.capture_stdio else str if options.text else bytes
    return definition
