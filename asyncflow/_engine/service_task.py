"""What a generator function becomes that is a service. When it starts and stops is decided in `_core/services.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from .._core.options import ServiceOptions
from .function_task import FunctionTask
from .option_names import shows_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable
    from typing import Unpack

    from .._core.options import ServiceKeywords

P = ParamSpec("P")
Fn = TypeVar("Fn")
R = TypeVar("R")


class ServiceTask(FunctionTask[P, Fn, R]):
    """A generator function that is a service. Calling it gives a `TaskFuture` of what it yields; ``.fn`` is the plain
    function."""

    @shows_options(ServiceOptions)
    def with_options(  # type: ignore[override]  # its options are others
        self,
        *,
        after: Awaitable[object] | Iterable[Awaitable[object]] = (),
        **options: Unpack[ServiceKeywords[R]],
    ) -> Self:
        """The same service with other options; those that are not given stay as they are.

        Args:
            after: futures that must succeed first, and whose values are not passed.
            options: as `ServiceKeywords` has them.

        Raises:
            TypeError: an option of the wrong type, or one that there is not.
            ValueError: an option that is out of range.
        """
        return self._with_options(after, options)
