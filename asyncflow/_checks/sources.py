"""Tells from the source whether the value of a call goes nowhere. Where there is no source, it may go anywhere."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from itertools import islice
from types import CodeType
from typing import Any, Final

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
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
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


class Sources:
    """Source files, each parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, dict[Any, ast.Call]] = {}
        self._parents: dict[ast.AST, ast.AST] = {}

    def drops(self, code: CodeType, instruction: int) -> bool:
        """Whether the value of a call surely goes nowhere.

        Args:
            code: that makes the call.
            instruction: of the call in it.
        """
        call = self._call(code, instruction)
        return call is not None and self._is_dropped(call)

    def works_out(self, code: CodeType, instruction: int, place: int | str) -> bool:
        """Whether an argument of a call may be what other code has made of a result: a call with one inside, as
        ``json.loads(await fetch(...))``. What that makes of what stands in says nothing of the real one.

        Args:
            code: that makes the call.
            instruction: of the call in it.
            place: of the argument: its number among the positional ones, or its name.
        """
        call = self._call(code, instruction)
        function = self._function(call) if call is not None else None
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
        return any(self._is_made(each, function, set()) for each in given)

    def _is_made(self, node: ast.AST, function: ast.AST, known: set[str]) -> bool:
        """Whether an expression, or what a name in it is bound to, calls something with a result in it."""
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and not isinstance(self._parents.get(each), ast.Await):
                is_sure = isinstance(each.func, ast.Name) and each.func.id in _SURE
                if not is_sure and _has_result(each, function, set()):
                    return True
            elif isinstance(each, ast.Name) and each.id not in known:
                known.add(each.id)
                if any(self._is_made(value, function, known) for value in _bound(function, each.id)):
                    return True
        return False

    def _call(self, code: CodeType, instruction: int) -> ast.Call | None:
        position = next(islice(code.co_positions(), instruction // 2, None), None)
        calls = self._files.get(code.co_filename)
        if calls is None:
            calls = self._files[code.co_filename] = self._parsed(code.co_filename)
        return calls.get(position)

    def _parsed(self, filename: str) -> dict[Any, ast.Call]:
        try:
            tree = ast.parse("".join(linecache.getlines(filename)))
        except Exception:  # nobody's fault: what runs need not be what the file holds by now
            return {}
        calls = {}
        for node in ast.walk(tree):
            self._parents.update(dict.fromkeys(ast.iter_child_nodes(node), node))
            if isinstance(node, ast.Call):
                calls[node.lineno, node.end_lineno, node.col_offset, node.end_col_offset] = node
        return calls

    def _is_dropped(self, node: ast.AST) -> bool:
        around = self._parents[node]
        while isinstance(around, _DISPLAYS):
            node, around = around, self._parents[around]
        function = self._function(around)
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

    def _function(self, node: ast.AST) -> ast.AST | None:
        """The outermost function around a node: what it binds, functions inside of it may read."""
        found, each = None, self._parents.get(node)
        while each is not None:
            found = each if isinstance(each, _FUNCTIONS) else found
            each = self._parents.get(each)
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


def _bound(function: ast.AST, name: str) -> list[ast.AST]:
    """The expressions that a name stands for, or for parts of, in a function."""
    found: list[ast.AST] = []
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                targets = [target]
            case ast.NamedExpr(target=target, value=value) | ast.AugAssign(target=target, value=value):
                targets = [target]
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                targets = [target]
            case _:
                continue
        if any(isinstance(part, ast.Name) and part.id == name for each in targets for part in ast.walk(each)):
            found.append(value)
    return found


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
