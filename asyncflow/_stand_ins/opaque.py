"""A stand-in for a result of which nothing is known: code that uses the result goes on, and what it decides is told."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Final

from .._inspect.attributes import CALL, INDEX, ITERATION
from .._inspect.shown import brief_value
from .decisions import Decisions

_LONGEST: Final = 120  # characters of what a stand-in says that it stands for
_OF_NAMED_TUPLES: Final = ("_asdict", "_fields", "_make", "_replace")

_Method = Callable[[Any, object], "StandIn"]


def _operator(sign: str) -> tuple[_Method, _Method]:
    """The methods for an operator, and for one with the stand-in on its right."""

    def left(self: StandIn, other: object) -> StandIn:
        return self._made(f"({self._origin} {sign} {_shown(other)})")

    def right(self: StandIn, other: object) -> StandIn:
        return self._made(f"({_shown(other)} {sign} {self._origin})")

    return left, right


def _function(name: str) -> Callable[..., StandIn]:
    def called(self: StandIn, *others: object) -> StandIn:
        return self._made(f"{name}({', '.join([self._origin, *map(_shown, others)])})")

    return called


def _comparison(sign: str) -> _Method:
    def compared(self: StandIn, other: object) -> StandIn:
        return Comparison(f"({self._origin} {sign} {_shown(other)})", self._decisions, root=self._root)

    return compared


class StandIn:
    """Tolerates what code does to results: attributes, items, calls, arithmetic, comparison, iteration, ``with``.

    Whatever branches on it is told of, and finds what `Decisions` says. Two of them are equal only if they are one.

    Args:
        origin: what it stands for, as "load#1".
        decisions: of the run; None for nobody's.
        pretends: the class that it says it is of.
        root: the task whose result it comes from; None for the origin.
        is_sure: whether the real one is of that class, and not perhaps of another.
    """

    __slots__ = ("__dict__", "_decisions", "_is_sure", "_origin", "_pretends", "_root")

    def __init__(
        self,
        origin: str,
        decisions: Decisions | None = None,
        *,
        pretends: type | None = None,
        root: str | None = None,
        is_sure: bool = True,
    ) -> None:
        self._origin = origin if len(origin) <= _LONGEST else f"{origin[:80]}...{origin[-36:]}"
        self._decisions = Decisions() if decisions is None else decisions
        self._pretends = pretends
        self._root = origin if root is None else root
        self._is_sure = is_sure

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self) if self._pretends is None else self._pretends

    def _made(self, origin: str) -> StandIn:
        return StandIn(origin, self._decisions, root=self._root)

    def _part(self, origin: str) -> StandIn:
        return Part(origin, self._decisions, root=self._root)

    def _take(self, operation: str) -> int:
        return self._decisions.take(operation, self._origin, self._root)

    def __repr__(self) -> str:
        return f"<stand-in for {self._origin}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __copy__(self) -> StandIn:
        return self

    def __deepcopy__(self, memo: object) -> StandIn:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self._origin, self._pretends)

    # -- parts --------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> StandIn:
        # Protocols that are not offered, and what libraries look for to know their own by.
        if name.startswith("_") and name not in _OF_NAMED_TUPLES:
            raise AttributeError(f"{self!r} has no {name!r}")
        self._ask(name)
        return self._part(f"{self._origin}.{name}")

    def _ask(self, what: str) -> None:
        if self._pretends is not None and self._is_sure:
            self._decisions.asked(self._pretends, what, self._root)

    def __getitem__(self, key: object) -> StandIn:
        self._ask(INDEX)
        return self._item(key)

    def _item(self, key: object) -> StandIn:
        return self._part(f"{self._origin}[{_shown(key)}]")

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __delitem__(self, key: object) -> None:
        pass

    def __call__(self, *args: object, **kwargs: object) -> StandIn:
        self._ask(CALL)
        return self._part(f"{self._origin}(...)")

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    async def __aenter__(self) -> StandIn:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    def __array__(self, dtype: object = None, copy: object = None) -> object:
        return sys.modules["numpy"].ones(1, dtype)  # whoever asks has loaded it

    # -- decisions ----------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self._take("bool"))

    def __len__(self) -> int:
        return self._take("length")

    def __contains__(self, item: object) -> bool:
        return bool(self._take("membership"))

    def __iter__(self) -> Iterator[StandIn]:
        self._ask(ITERATION)
        return iter([self._item(index) for index in range(self._take("iteration"))])

    def __aiter__(self) -> AsyncIterator[StandIn]:
        return _Later(iter(self))

    def __int__(self) -> int:
        return self._take("int")

    def __float__(self) -> float:
        return float(self._take("float"))

    def __index__(self) -> int:
        if self._decisions.opens_descriptor():
            raise TypeError(f"{self!r} is no file that could be opened")
        return self._take("index")

    # -- operators ----------------------------------------------------------------------------------------

    __add__, __radd__ = _operator("+")
    __sub__, __rsub__ = _operator("-")
    __mul__, __rmul__ = _operator("*")
    __matmul__, __rmatmul__ = _operator("@")
    __truediv__, __rtruediv__ = _operator("/")
    __floordiv__, __rfloordiv__ = _operator("//")
    __mod__, __rmod__ = _operator("%")
    __pow__, __rpow__ = _operator("**")
    __lshift__, __rlshift__ = _operator("<<")
    __rshift__, __rrshift__ = _operator(">>")
    __and__, __rand__ = _operator("&")
    __or__, __ror__ = _operator("|")
    __xor__, __rxor__ = _operator("^")

    def __divmod__(self, other: object) -> tuple[StandIn, StandIn]:
        return self // other, self % other

    def __rdivmod__(self, other: object) -> tuple[StandIn, StandIn]:
        return other // self, other % self

    def __neg__(self) -> StandIn:
        return self._made(f"-{self._origin}")

    def __pos__(self) -> StandIn:
        return self

    def __invert__(self) -> StandIn:
        return self._made(f"~{self._origin}")

    __abs__ = _function("abs")
    __round__ = _function("round")
    __floor__ = _function("floor")
    __ceil__ = _function("ceil")
    __trunc__ = _function("trunc")

    __lt__ = _comparison("<")
    __le__ = _comparison("<=")
    __gt__ = _comparison(">")
    __ge__ = _comparison(">=")
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return self._equality("==", other, True)

    def __ne__(self, other: object) -> Any:
        return self._equality("!=", other, False)

    def _equality(self, sign: str, other: object, if_same: bool) -> Comparison:
        compared = Comparison(f"({self._origin} {sign} {_shown(other)})", self._decisions, root=self._root)
        if isinstance(other, StandIn):  # so that each is found again among others
            compared._answer = (self is other) is if_same
        return compared


class Part(StandIn):
    """What code has taken out of a stand-in, or what a call of it gives: that may be awaited, as a client's method is.

    The result itself may not: it was awaited to be had.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, StandIn]:
        yield from ()
        return self._made(self._origin)


class Comparison(StandIn):
    """What comparing a stand-in gives, and whatever is made of that. Once decided it stays as it is."""

    __slots__ = ("_answer",)

    def __init__(self, origin: str, decisions: Decisions | None = None, **more: Any) -> None:
        super().__init__(origin, decisions, **more)
        self._answer: bool | None = None

    def _made(self, origin: str) -> StandIn:
        return Comparison(origin, self._decisions, root=self._root)

    _part = _made

    def __bool__(self) -> bool:
        self._answer = bool(
            self._decisions.take("comparison", self._origin, self._root, once=True, known=self._answer)
        )
        return self._answer


class _Later:
    """An iterator for ``async for``; unlike an async generator it need not be closed."""

    def __init__(self, items: Iterator[StandIn]) -> None:
        self._items = items

    def __aiter__(self) -> _Later:
        return self

    async def __anext__(self) -> StandIn:
        for item in self._items:
            return item
        raise StopAsyncIteration


def _restored(kind: type[StandIn], origin: str, pretends: type | None) -> StandIn:
    return kind(origin, pretends=pretends)


def _shown(value: object) -> str:
    """A value in a few characters, and without running code of its class."""
    if isinstance(value, StandIn):
        return value._origin
    return brief_value(value) or f"<{type(value).__name__}>"
