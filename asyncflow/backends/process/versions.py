"""Tells whether a function is still what was sent of it: its code, and what it mentions and takes along by value.

In a notebook a function is run again after a helper, or a constant, was defined anew in another cell. What it mentions
is compared by identity, in functions that it calls and in classes too, so a list to which something was added is still
the same list: what changes belongs into the arguments.
"""

from __future__ import annotations

import sys
from itertools import repeat
from operator import is_
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any, Final

from ..._inspect.libraries import is_users
from ..._worker.by_value.functions import mentioned
from ..._worker.by_value.modules import importable
from ..._worker.marks import plain_function

_NOTHING: Final = object()
_HEAP: Final = 1 << 9  # the flag of classes that are not built in


class Version:
    """The values that a function which travels by value mentioned when it was sent."""

    __slots__ = ("_cells", "_names")

    def __init__(self, fn: object) -> None:
        self._names: list[tuple[dict[str, object] | MappingProxyType[str, object], str, object]] = []
        self._cells: list[tuple[object, object]] = []
        self._look_around(fn)

    def holds(self) -> bool:
        """Whether all of it is still the same. On the hot path: a look-up for each name."""
        for space, name, value in self._names:
            if space.get(name, _NOTHING) is not value:
                return False
        return not self._cells or all(_content(cell) is value for cell, value in self._cells)

    def _look_around(self, fn: object) -> None:
        ahead, seen = [fn], set[int]()
        while ahead:
            each = ahead.pop()
            each = plain_function(each)
            kind = type(each)
            if id(each) in seen or not (kind is FunctionType or issubclass(kind, type)):
                continue
            if each is not fn and importable(each) is not None:
                continue
            seen.add(id(each))
            if kind is FunctionType:
                ahead += self._look_at(each)
            elif each.__flags__ & _HEAP:
                names = [(each.__dict__, name, value) for name, value in each.__dict__.items()]
                self._names += names
                ahead += [*each.__bases__, *(value for _, _, value in names)]

    def _look_at(self, fn: FunctionType) -> list[object]:
        space = fn.__globals__
        names = [(space, name, space.get(name, _NOTHING)) for name in mentioned(fn.__code__)[0]]
        cells = [(cell, _content(cell)) for cell in fn.__closure__ or ()]
        self._names += names  # also of what is not there yet: it may be defined before the next call
        self._cells += cells
        return [value for _, _, value in names] + [value for _, value in cells]


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return _NOTHING


class Reloads:
    """Which of the program's modules were loaded again. Libraries are not looked at."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._names: list[str] = []
        self._modules: list[object] = []
        self._spaces: list[dict[str, object]] = []
        self._specs: list[object] = []
        self._looked_at: set[str] = set()
        self._loaded = 0

    def came(self) -> bool:
        """Whether there were any since this was last asked: they have another spec. Asked for each batch, so in C."""
        if len(sys.modules) != self._loaded:
            self._look_around()
        specs = map(dict.get, self._spaces, repeat("__spec__"))
        modules = map(sys.modules.get, self._names)
        if all(map(is_, specs, self._specs)) and all(map(is_, modules, self._modules)):
            return False
        self._forget()
        self._look_around()
        return True

    def _look_around(self) -> None:
        self._loaded = len(sys.modules)
        for name in [name for name in list(sys.modules) if name not in self._looked_at]:
            self._looked_at.add(name)
            module = sys.modules.get(name)
            spec = getattr(module, "__spec__", None)
            origin = getattr(spec, "origin", None)
            if not isinstance(module, ModuleType) or not isinstance(origin, str):
                continue
            if spec is not None and spec.has_location and is_users(origin):
                self._names.append(name)
                self._modules.append(module)
                self._spaces.append(module.__dict__)
                self._specs.append(spec)
