"""A stand-in for the result of a task that was not run: lets code that uses the result go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_ITEMS = 1  # what iterating over a stand-in gives: enough for a loop's body to be seen, bounded


class StandIn:
    """Tolerates what code does to results: attributes, items, calls, arithmetic, comparison, iteration.

    Args:
        origin: what it stands for, as "load#1".
    """

    __slots__ = ("_origin",)

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def __repr__(self) -> str:
        return f"<stand-in for {self._origin}>"

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("__"):  # protocols that are not offered: copy, pickle, NumPy's and the like
            raise AttributeError(name)
        return StandIn(f"{self._origin}.{name}")

    def __getitem__(self, key: Any) -> StandIn:
        return StandIn(f"{self._origin}[{key!r}]")

    def __call__(self, *args: Any, **kwargs: Any) -> StandIn:
        return StandIn(f"{self._origin}(...)")

    def __iter__(self) -> Iterator[StandIn]:
        return iter([StandIn(f"{self._origin}[{index}]") for index in range(_ITEMS)])

    def __len__(self) -> int:
        return _ITEMS

    def __bool__(self) -> bool:
        return True

    def __int__(self) -> int:
        return 1

    __index__ = __int__

    def __float__(self) -> float:
        return 1.0

    def __contains__(self, item: Any) -> bool:
        return True

    def _combined(self, *others: Any) -> StandIn:
        return StandIn(f"({self._origin} ...)")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _combined
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _combined
    __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _combined
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _combined
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = _combined

    def _compared(self, other: Any) -> bool:
        return False

    __lt__ = __gt__ = _compared
    __le__ = __ge__ = lambda self, other: True
