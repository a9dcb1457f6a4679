"""What a function becomes that returns a command. The command itself is decided in `_core/commands.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from .._core.options import CommandOptions
from .function_task import FunctionTask
from .option_names import shows_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable
    from typing import Unpack

    from .._core.options import AllCommandKeywords

P = ParamSpec("P")
Fn = TypeVar("Fn")
R = TypeVar("R")


class ExecutableTask(FunctionTask[P, Fn, R]):
    """A function that returns a command. Calling it gives a `TaskFuture` of the command's output; ``.fn`` is the plain
    function, which gives the command."""

    @shows_options(CommandOptions)
    def with_options(  # type: ignore[override]  # its options are others
        self,
        *,
        after: Awaitable[object] | Iterable[Awaitable[object]] = (),
        **options: Unpack[AllCommandKeywords[R]],
    ) -> Self:
        """The same task with other options; those that are not given stay as they are.

        Args:
            after: futures that must succeed first, and whose values are not passed.
            options: as `AllCommandKeywords` has them.

        Raises:
            TypeError: an option of the wrong type, or one that there is not.
            ValueError: an option that is out of range.
        """
        return self._with_options(after, options)
