"""Tells from the source what becomes of the value of a call, and what its arguments are made of.

Where there is no source, the value may go anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Final

from .source import FUNCTIONS, Source, bindings, names_in, position_at

_DISPLAYS: Final = (
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.Starred,
)
_SURE: Final = (
    *(
        "bool",
        "bytes",
        "dict",
        "float",
        "frozenset",
        "int",
        "len",
        "list",
        "range",
        "repr",
        "set",
        "sorted",
        "str",
    ),
    "tuple",
)
"""What gives the same sort of thing, whatever it is given."""
_SEES_ALL: Final = ("locals", "vars", "eval", "exec", "globals", "dir")


class Uses:
    """What the source tells of calls; each file is parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, Source] = {}

    def drops(self, code: CodeType, instruction: int) -> bool:
        """Whether the value of a call surely goes nowhere."""
        source, call = self._call(code, instruction)
        return call is not None and _is_dropped(call, source.parents)

    def works_out(self, code: CodeType, instruction: int, place: int | str) -> bool:
        """Whether an argument of a call may be what other code has made of a result: a call with one inside, as
        ``json.loads(await fetch(...))``. What that makes of what stands in says nothing of the real one.

        Args:
            code: that makes the call.
            instruction: of the call in it.
            place: of the argument: its number among the positional ones, or its name.
        """
        source, call = self._call(code, instruction)
        function = _outermost_function(call, source.parents) if call is not None else None
        if call is None or function is None:
            return False
        called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if called == "plan":  # what it is given is as real as can be
            return False
        given: list[ast.expr]
        if isinstance(place, str):
            given = [each.value for each in call.keywords if each.arg in (place, None)]
        else:
            place += called == "submit"
            given = [each for each in call.args[:place] if isinstance(each, ast.Starred)]
            given += call.args[place : place + 1]
        return any(_is_made(each, function, source.parents, set()) for each in given)

    def _call(self, code: CodeType, instruction: int) -> tuple[Source, ast.Call | None]:
        source = self._files.get(code.co_filename)
        if source is None:
            source = self._files[code.co_filename] = Source(code.co_filename)
        return source, source.calls.get(position_at(code, instruction))


_Parents = Mapping[ast.AST, ast.AST]


def _is_made(node: ast.AST, function: ast.AST, parents: _Parents, known: set[str]) -> bool:
    """Whether an expression, or what a name in it is bound to, calls something with a result in it."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and not isinstance(parents.get(each), ast.Await):
            is_sure = isinstance(each.func, ast.Name) and each.func.id in _SURE
            if not is_sure and _has_result(each, function, set()):
                return True
        elif isinstance(each, ast.Name) and each.id not in known:
            known.add(each.id)
            if any(_is_made(value, function, parents, known) for value in _bound(function, each.id)):
                return True
    return False


def _is_dropped(node: ast.AST, parents: _Parents) -> bool:
    around = parents[node]
    while isinstance(around, _DISPLAYS):
        node, around = around, parents[around]
    function = _outermost_function(around, parents)
    if function is None:  # a module's names are anybody's, and a notebook shows the last value of a cell
        return False
    match around:
        case ast.Expr():
            return True
        case ast.Assign(targets=targets):
            names = [name for target in targets for name in _names(target)]
        case ast.AnnAssign(target=target):
            names = list(_names(target))
        case _:
            return False
    return all(name is not None and not _may_read(function, name) for name in names)


def _outermost_function(node: ast.AST, parents: _Parents) -> ast.AST | None:
    """The outermost function around a node: what it binds, functions inside of it may read."""
    found, each = None, parents.get(node)
    while each is not None:
        found = each if isinstance(each, FUNCTIONS) else found
        each = parents.get(each)
    return found


def _has_result(node: ast.AST, function: ast.AST, known: set[str]) -> bool:
    """Whether there is something awaited in an expression, or an argument of the function around it."""
    for each in ast.walk(node):
        if isinstance(each, ast.Await):
            return True
        if isinstance(each, ast.Name) and each.id not in known:
            known.add(each.id)
            if any(isinstance(part, ast.arg) and part.arg == each.id for part in ast.walk(function)):
                return True
            if any(_has_result(value, function, known) for value in _bound(function, each.id)):
                return True
    return False


def _bound(function: ast.AST, name: str) -> list[ast.expr]:
    """The expressions that a name stands for, or for parts of, in a function."""
    return [
        value
        for node in ast.walk(function)
        for target, value in bindings(node)
        if value is not None and name in names_in(target)
    ]


def _names(target: ast.AST) -> Iterator[str | None]:
    """What an assignment binds; None for what is no simple name, or says that it is not wanted."""
    match target:
        case ast.Name(id=name):
            yield None if name.startswith("_") else name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _names(part)
        case ast.Starred(value=value):
            yield from _names(value)
        case _:
            yield None


def _may_read(function: ast.AST, name: str) -> bool:
    for node in ast.walk(function):
        match node:
            case ast.Name(id=read, ctx=ast.Load() | ast.Del()) if read == name or read in _SEES_ALL:
                return True
            case ast.Global(names=names) | ast.Nonlocal(names=names) if name in names:
                return True
            case ast.AugAssign(target=ast.Name(id=changed)) if changed == name:
                return True
    return False
