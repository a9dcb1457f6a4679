"""The types of the face: how a call accepts ``T`` or a future of ``T`` for each parameter.

A decorated function is one class, generic in the function's ParamSpec. Each overload of its call re-reads the
signature through the type of ``self``, a protocol with the one attribute ``fn``: a checker matches that with the
function's own type and so finds the first parameters one by one, and the rest with their names and defaults.
Keywords cannot be mapped by a type, so futures given by keyword are checked when the call is made. Keywords that
surely are no futures, and do not fit, make a call `KeywordsDoNotFit`, with which nothing can be done; these overloads,
and those for keywords that likely are none, are marked as deprecated, which checkers flag wherever they are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from pathlib import Path, PurePath
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
)

P = ParamSpec("P")
Rest = ParamSpec("Rest")
R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
B_contra = TypeVar("B_contra", contravariant=True)
C_contra = TypeVar("C_contra", contravariant=True)
D_contra = TypeVar("D_contra", contravariant=True)

if TYPE_CHECKING:
    from typing_extensions import deprecated as deprecated  # noqa: PLC0414

    # What these are to a checker: paths, because paths are what a task's function gets in their place.

    class InputFile(Path):
        """As `asyncflow.InputFile`."""

        def __new__(cls, source: Any, *, name: str | None = None, sha256: str | None = None) -> Self: ...
        def __init__(self, source: Any, *, name: str | None = None, sha256: str | None = None) -> None: ...

    class OutputFile(Path):
        """As `asyncflow.OutputFile`."""

        def __new__(cls, name: str, to: Any = None) -> Self: ...
        def __init__(self, name: str, to: Any = None) -> None: ...

else:

    def deprecated(_: str) -> Callable[[T], T]:
        """As of `typing_extensions`, which only type checkers need here."""
        return lambda function: function


class Promise(Protocol[T_co]):
    """A future or a task, of asyncio or of another library: not whatever can be awaited."""

    def __await__(self) -> Generator[Any, Any, T_co]: ...
    def add_done_callback(self, fn: Any, /) -> Any: ...


class PoolPromise(Protocol[T_co]):
    """A future of `concurrent.futures`."""

    def result(self, timeout: float | None = None) -> T_co: ...
    def set_running_or_notify_cancel(self) -> bool: ...


Plain: TypeAlias = (
    bool
    | complex
    | str
    | bytes
    | PurePath
    | date
    | timedelta
    | AbstractSet["Plain"]
    | Sequence["Plain"]
    | Mapping[str, "Plain"]
    | None
)
"""What surely is no future, and holds none."""

Begun: TypeAlias = Coroutine[Any, Any, T]
"""What a call of an `async def` gives, of which only the value matters."""

Waited: TypeAlias = Promise[T] | PoolPromise[T] | Begun[T]
# Containers of nothing but futures are let through unchecked: no type can say "list[int] with futures in it".
Later: TypeAlias = T | Waited[T] | Collection[Waited[Any]] | Mapping[Any, Waited[Any]]
"""What may stand where a ``T`` is asked for."""


class NoFuture(Protocol):
    """What has a hash and is no `TaskFuture`: no type can say "not a future", but an attribute can tell these apart."""

    def __hash__(self) -> int: ...
    def __sizeof__(self) -> int: ...


class KeywordsDoNotFit:
    """What a checker takes a call for whose keywords do not fit the function, and are no futures: nothing can be done
    with it."""


class Takes1(Protocol[A_contra, Rest]):
    """Something whose function takes at least one positional argument."""

    @property
    def fn(self) -> Callable[Concatenate[A_contra, Rest], Any]: ...


class Takes2(Protocol[A_contra, B_contra, Rest]):
    """At least two."""

    @property
    def fn(self) -> Callable[Concatenate[A_contra, B_contra, Rest], Any]: ...


class Takes3(Protocol[A_contra, B_contra, C_contra, Rest]):
    """At least three."""

    @property
    def fn(self) -> Callable[Concatenate[A_contra, B_contra, C_contra, Rest], Any]: ...


class Takes4(Protocol[A_contra, B_contra, C_contra, D_contra, Rest]):
    """At least four."""

    @property
    def fn(self) -> Callable[Concatenate[A_contra, B_contra, C_contra, D_contra, Rest], Any]: ...


class Method(Protocol[A_contra, Rest, T_co]):
    """Something whose function is a method of an A."""

    @property
    def fn(self) -> Callable[Concatenate[A_contra, Rest], T_co]: ...
