"""Functions by value: code with its file and lines, what it mentions of its module, and the variables around it."""

from __future__ import annotations

import builtins
import linecache
import os
import sys
import weakref
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from . import known
from .classes import annotations_of, names_in
from .known import Token
from .modules import found_anew
from .space import Space

_GLOBAL: Final = frozenset(
    {
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "LOAD_FROM_DICT_OR_GLOBALS",
    }
)
_MENTIONED: Final[weakref.WeakKeyDictionary[CodeType, tuple[frozenset[str], frozenset[str]]]] = (
    weakref.WeakKeyDictionary()
)

Source = tuple[str, tuple[str, ...]] | None
"""A file that is no file, as a cell of a notebook, and its lines."""


def reduced(fn: FunctionType, token: Token | None, space: Space) -> tuple[object, ...]:
    """How to rebuild a function; ``space`` holds the names of its module. The token is None for a function with
    variables around it, which is copied each time."""
    annotations = annotations_of(fn)
    state = {
        "__code__": fn.__code__,
        "__defaults__": fn.__defaults__,
        "__kwdefaults__": fn.__kwdefaults__,
        "__annotations__": annotations,
        "__module__": fn.__module__,
        "__name__": fn.__name__,
        "__qualname__": fn.__qualname__,
        "__doc__": fn.__doc__,
    }
    if getattr(fn, "__type_params__", ()):
        state["__type_params__"] = fn.__type_params__  # type: ignore[attr-defined]
    mentions = space.told(mentioned(fn.__code__)[0] | names_in(annotations))
    told = (token, state, fn.__dict__, mentions, _submodules(fn, space))
    return make, (token, fn.__code__, space, fn.__closure__, _source(fn.__code__)), told, None, None, fill


def mentioned(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The global names that code mentions, with what is defined in it, and all names: attributes, too."""
    found = _MENTIONED.get(code)
    if found is None:
        import dis  # which takes a while to load, and workers seldom need it

        each = list(_codes(code))
        names = {
            instruction.argval
            for part in each
            for instruction in dis.get_instructions(part)
            if instruction.opname in _GLOBAL
        }
        found = frozenset(names), frozenset().union(*(part.co_names for part in each))
        _MENTIONED[code] = found
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _submodules(fn: FunctionType, space: Space) -> tuple[str, ...]:
    """The loaded modules that a function reaches by way of their packages: `package.module.name`."""
    values = [space.names.get(name) for name in mentioned(fn.__code__)[0]]
    values += map(content_of, fn.__closure__ or ())
    packages = tuple(
        each.__name__ + "." for each in values if isinstance(each, ModuleType) and hasattr(each, "__path__")
    )
    if not packages:
        return ()
    said = mentioned(fn.__code__)[1]
    loaded = [name for name in list(sys.modules) if name.startswith(packages)]
    return tuple(name for name in loaded if any(_is_said(name, each, said) for each in packages))


def _is_said(name: str, package: str, said: frozenset[str]) -> bool:
    return name.startswith(package) and said.issuperset(name[len(package) :].split(".")) and found_anew(name)


def content_of(cell: CellType) -> object:
    """What a variable holds; None if nothing."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _source(code: CodeType) -> Source:
    """The lines of code that is in no file, for tracebacks."""
    known_lines = linecache.cache.get(code.co_filename)
    if known_lines is None or len(known_lines) < 4 or os.path.exists(code.co_filename):
        return None
    return code.co_filename, tuple(known_lines[2])


# -- on the other side ----------------------------------------------------------------------------------------


def make(
    token: Token | None,
    code: CodeType,
    space: dict[str, object],
    closure: tuple[CellType, ...] | None,
    source: Source,
) -> FunctionType:
    """The function of a token, as it is here already or made without what it mentions."""
    found: FunctionType | None = known.known(token)
    if found is not None and token is not None and (known.is_own(token) or found.__globals__ is space):
        return found
    space.setdefault("__builtins__", builtins.__dict__)
    fn = FunctionType(code, space, None, None, closure)
    if token is not None:
        known.remember(token, fn)
        known.rebuilt(token)
    if source is not None:
        name, lines = source
        linecache.cache[name] = (sum(map(len, lines)), None, list(lines), name)
    return fn


def fill(fn: FunctionType, told: Any) -> None:
    """Set what a function has, and what it mentions as far as it has changed at home since it was last set here."""
    token, state, attributes, mentions, submodules = told
    for name in submodules:
        import_module(name)
    if mentions[0] is None:
        fn.__globals__.update(mentions[1])
    else:
        known.set_names(*mentions)
    if token is not None and known.is_own(token):
        return
    for name, value in state.items():
        setattr(fn, name, value)
    fn.__dict__.update(attributes)


def plain(module: str, path: str) -> object:
    """The plain function of a decorated task."""
    return reduce(getattr, path.split("."), import_module(module)).fn
