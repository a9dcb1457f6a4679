"""The options of worker processes: what each means, its default and its check, for all backends that have such.

To add one is to add its key and its argument here, with a line of documentation. The signatures and the documentation
of the backends follow.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Final, TypedDict, TypeVar

from ..._core.given import duration, whole, whole_or_none
from ...backend import ExecutionBackend
from .start_with import checked, start_with
from .worker_pool import Bounds

_LINE: Final = re.compile(r"^    options: .*$", re.MULTILINE)
_ARGUMENTS: Final = re.compile(r"^Args:\n((?:    .*\n)*    .*)$", re.MULTILINE)
B = TypeVar("B", bound=ExecutionBackend)


class ProcessKeywords(TypedDict, total=False):
    """The options as users write them; `ProcessOptions` says what they mean."""

    recycle_after: int
    most_memory: int
    stop_grace: float
    math_threads: int | None
    initializer: Callable[..., object] | None
    initargs: Iterable[object]


class ProcessOptions:
    """The options, checked.

    Args:
        recycle_after: tasks after which a process is replaced by a fresh one; 0 for never.
        most_memory: bytes that a process may hold when a task is over before it is replaced; 0 for any.
        stop_grace: seconds that a cancelled or timed-out task has to end by itself before its process is killed.
        math_threads: threads that numerical libraries use in each process; None to share the CPUs of this machine
            evenly, and for one where agents run the processes. A variable that is set in the environment
            (``OMP_NUM_THREADS`` and the like) stays as it is.
        initializer: called once in each process before its first task, as to open a connection or to load a model that
            tasks then find in a global name. What it sets in the process stays. When it fails, the tasks of its process
            fail with its error.
        initargs: what it is called with.

    Raises:
        TypeError: one is of the wrong type.
        ValueError: one is out of its range.
    """

    def __init__(
        self,
        *,
        recycle_after: int = 0,
        most_memory: int = 0,
        stop_grace: float = 1.0,
        math_threads: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[object] = (),
    ) -> None:
        self.bounds = Bounds(
            whole("recycle_after", recycle_after, 0),
            whole("most_memory", most_memory, 0),
            duration("stop_grace", stop_grace),
        )
        self.math_threads = whole_or_none("math_threads", math_threads)
        self._initializer = checked(initializer)
        self._initargs = tuple(initargs)

    def start_with(self) -> bytes:
        """What each process does before its first task, as for `wire.START`.

        Raises:
            TypeError: the initializer cannot be sent.
        """
        return start_with(self._initializer, self._initargs)


def shows_process_options(backend: type[B]) -> type[B]:
    """Have a backend whose last argument, ``options``, takes them show them one by one, in its signature and its
    documentation, and refuse others in its own name."""
    given_on = backend.__init__
    signature = inspect.signature(given_on)
    *own, _ = signature.parameters.values()
    shown = signature.replace(parameters=[*own, *inspect.signature(ProcessOptions).parameters.values()])

    @wraps(given_on)
    def __init__(self: B, *args: object, **given: object) -> None:
        try:
            shown.bind(self, *args, **given)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}() {error}") from None
        given_on(self, *args, **given)

    __init__.__signature__ = shown  # type: ignore[attr-defined]
    setattr(backend, "__init__", __init__)  # noqa: B010  # a type checker has it stay what it is
    # Cleaned, as Python 3.13 has them from the start.
    lines = _ARGUMENTS.search(inspect.cleandoc(ProcessOptions.__doc__ or ""))
    backend.__doc__ = _LINE.sub(lines[1] if lines else "", inspect.cleandoc(backend.__doc__ or ""))
    return backend
