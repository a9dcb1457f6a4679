"""Tells whether a function is still what was sent of it: its code, and what it mentions and takes along by value.

In a notebook a function is run again after a helper, or a constant, was defined anew in another cell. What it mentions
is compared by identity, in functions that it calls too, so a list to which something was added is still the same list:
what changes belongs into the arguments.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from types import CodeType, FunctionType
from typing import Any, Final

import cloudpickle

_NOTHING: Final = object()


class Version:
    """What a function that travels by value mentions, at a time.

    Args:
        fn: the function.
    """

    __slots__ = ("_cells", "_names")

    def __init__(self, fn: Any) -> None:
        self._names: list[tuple[dict[str, Any], str, Any]] = []
        self._cells: list[tuple[Any, Any]] = []
        self._look_around(fn)

    def holds(self) -> bool:
        """Whether all of it is still the same. On the hot path: a look-up for each name."""
        for space, name, value in self._names:
            if space.get(name, _NOTHING) is not value:
                return False
        return not self._cells or all(_content(cell) is value for cell, value in self._cells)

    def _look_around(self, fn: Any) -> None:
        ahead, seen = [fn], set[int]()
        while ahead:
            each = ahead.pop()
            each = getattr(each, "fn", each) if type(each).__module__.startswith("asyncflow.") else each
            if type(each) is not FunctionType or id(each) in seen:
                continue
            if each is not fn and importable(each) is not None:
                continue
            seen.add(id(each))
            space = each.__globals__
            names = [(space, name, space.get(name, _NOTHING)) for name in set(_names(each.__code__))]
            cells = [(cell, _content(cell)) for cell in each.__closure__ or ()]
            self._names += names  # also of what is not there yet: it may be defined before the next call
            self._cells += cells
            ahead += [value for _, _, value in names]
            ahead += [value for _, value in cells]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return _NOTHING


class Reloads:
    """Which modules were loaded again since they were first asked about."""

    def __init__(self) -> None:
        self._specs: dict[str, Any] = {}

    def changed(self, module: str) -> bool:
        """Whether a module was loaded again: it then has another spec."""
        spec = getattr(sys.modules.get(module), "__spec__", None)
        return self._specs.setdefault(module, spec) is not spec


def importable(fn: Callable[..., Any]) -> tuple[str, str] | None:
    """The module and the name by which a worker finds a function; None if it cannot."""
    module, path = getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str) or module == "__main__" or "<" in path:
        return None
    loaded = sys.modules.get(module)
    spec = getattr(loaded, "__spec__", None)
    if spec is None or not (spec.has_location or spec.origin in ("built-in", "frozen")):
        return None
    if spec.has_location and not os.path.exists(spec.origin or ""):
        return None
    try:
        found: Any = reduce(getattr, path.split("."), loaded)
    except AttributeError:
        return None
    same = found is fn or getattr(found, "fn", None) is fn
    return (module, path) if same else None


def by_value(fn: Callable[..., Any], *, with_module: bool) -> bytes:
    """A function pickled by value.

    Args:
        fn: the function.
        with_module: also if it could be imported, and with what it mentions of its module.
    """
    module = sys.modules.get(fn.__module__) if with_module else None
    if module is None or module.__name__ in cloudpickle.list_registry_pickle_by_value():
        return cloudpickle.dumps(fn, protocol=5)  # type: ignore[no-any-return]
    cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(fn, protocol=5)  # type: ignore[no-any-return]
    finally:
        cloudpickle.unregister_pickle_by_value(module)
