"""Tells from the source of a decorator's wrapper whether it passes on its arguments, and what it wraps gives.

`functools.wraps` copies the annotations of what is wrapped, whatever the wrapper makes of arguments and result.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from .source import FUNCTIONS


class PassesOn(NamedTuple):
    """What a wrapper passes on as it is, for sure.

    Args:
        arguments: all of them, to what it wraps.
        result: what that gives.
    """

    arguments: bool
    result: bool


def passed_on(fn: object) -> PassesOn:
    """What is passed on by all wrappers around a function; all of it where there is none."""
    arguments = result = True
    for _ in range(40):
        if not hasattr(fn, "__wrapped__"):
            return PassesOn(arguments, result)
        try:
            each = _of_one(fn)
        except Exception:  # there is no source; or whatever it is
            each = PassesOn(False, False)
        arguments, result = arguments and each.arguments, result and each.result
        fn = fn.__wrapped__
    return PassesOn(False, False)


def _of_one(fn: Any) -> PassesOn:
    if not hasattr(fn, "__code__"):  # `functools.cache` does; of others nobody knows
        is_cache = type(fn).__module__ == "functools" and hasattr(fn, "cache_info")
        return PassesOn(is_cache, is_cache)
    cells = zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True)
    names = {name for name, cell in cells if cell.cell_contents is fn.__wrapped__}
    wrapper = ast.parse(textwrap.dedent("".join(inspect.getsourcelines(fn.__code__)[0]))).body[0]
    assert isinstance(wrapper, FUNCTIONS)
    calls = [each for each in ast.walk(wrapper) if _is_call_of(each, names)]
    if not calls:
        return PassesOn(False, False)
    return PassesOn(all(_takes_all(each, wrapper.args) for each in calls), _gives(wrapper, calls))


def _is_call_of(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _takes_all(call: Any, parameters: ast.arguments) -> bool:
    """Whether a call is given ``*args, **kwargs`` and nothing else, and the function takes nothing else."""
    if parameters.args or parameters.posonlyargs or parameters.kwonlyargs:
        return False
    if parameters.vararg is None or parameters.kwarg is None:
        return False
    match call.args, call.keywords:
        case [ast.Starred(value=ast.Name(id=more))], [ast.keyword(arg=None, value=ast.Name(id=named))]:
            return bool(more == parameters.vararg.arg and named == parameters.kwarg.arg)
    return False


def _gives(wrapper: object, calls: list[ast.AST]) -> bool:
    """Whether all that a wrapper returns is what a call gives, at once or by a name that stands for nothing else."""
    own = list(_own(wrapper))
    stores: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for node in own:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_of(value, calls):
                right[name] += 1
            case ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str(name)):
                stores[name] += 1
            case ast.Yield() | ast.YieldFrom():
                return False
    returned = [node.value for node in own if isinstance(node, ast.Return)]
    return bool(returned) and all(
        value is not None
        and (
            _is_of(value, calls) or (isinstance(value, ast.Name) and 0 < right[value.id] == stores[value.id])
        )
        for value in returned
    )


def _is_of(value: ast.AST, calls: list[ast.AST]) -> bool:
    inner = value.value if isinstance(value, ast.Await) else value
    return any(inner is call for call in calls)


def _own(wrapper: Any) -> Iterator[ast.AST]:
    """What is in the body of a function, and in none inside of it."""
    left: list[ast.AST] = list(wrapper.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            left += ast.iter_child_nodes(node)
