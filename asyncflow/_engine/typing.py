"""The types of the face: how a call accepts ``T`` or a future of ``T`` for each parameter. What a call
makes of them is in `typed_calls`.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
    Sequence,
    ValuesView,
)
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from pathlib import Path, PurePath
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
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


class Hashable(Protocol):
    """What has a hash and is no `TaskFuture`: no type can say "not a future", but an attribute can tell these apart.

    Lists and dicts have no hash, and so are no such thing, whatever is in them.
    """

    def __hash__(self) -> int: ...
    def __sizeof__(self) -> int: ...


class DataclassLike(Protocol):
    """An object of a dataclass; if it compares fields and is not frozen it has no hash."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class AttrsLike(Protocol):
    """An object of a class of attrs."""

    __attrs_attrs__: ClassVar[Any]


class TypedDictLike(Protocol):
    """A dict of a `TypedDict`: what is in it is declared."""

    __required_keys__: ClassVar[frozenset[str]]


class ArrayLike(Protocol):
    """An array, a series or a table."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...


NoFuture: TypeAlias = (
    Plain
    | Hashable
    | DataclassLike
    | AttrsLike
    | TypedDictLike
    | ArrayLike
    | type[Any]
    | Iterator["NoFuture"]
    | AbstractSet["NoFuture"]
    | Sequence["NoFuture"]
    | ValuesView["NoFuture"]
    | Mapping[Any, "NoFuture"]
)
"""What likely is no future, and holds none; but a future of asyncio and a tuple of futures have a hash, too."""

MaybeFuture: TypeAlias = (
    Plain
    | Waited[object]
    | AbstractSet[Plain | Waited[object]]
    | Sequence[Plain | Waited[object]]
    | ValuesView[Plain | Waited[object]]
    | Mapping[str, Plain | Waited[object]]
)
"""Plain values, and futures, alone or in containers."""


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
