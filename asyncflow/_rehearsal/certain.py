"""Judges whether an error in a rehearsal is a finding of the code, or may come of the values that stand in.

It is a finding if the user's own line has raised it, and if what that asks for is missing from all that a task's value
can be, by its annotation. An error out of a library, or on what a library has made of a value, says nothing of the
real one.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from types import FunctionType, NoneType
from typing import Final

from .._inspect.annotations import plain
from .._inspect.attributes import CALL, INDEX, ITERATION, has_method, lacks
from .._inspect.containers import is_typed_dict, tuple_of
from .._inspect.resolve import hints_of
from .._inspect.source import COMPREHENSIONS
from ..plan.rehearsed import RehearsedCall
from .declared import Declared, Given

_SCALARS: Final = (int, float, complex, bool, str, bytes, NoneType)
_PLAIN: Final = (*_SCALARS, list, tuple, dict, set)
"""What an operator makes of these is told by their classes alone."""
_SEQUENCES: Final = (list, tuple, str, bytes)
_OF_ITEMS: Final = tuple(
    map(id, (all, any, enumerate, frozenset, iter, list, max, min, reversed, set, sorted, sum, tuple, zip))
)
_NOT_AWAITABLE: Final = (*COMPREHENSIONS, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Constant)

Blamed = Sequence[RehearsedCall] | None
"""The calls whose values are in question, if something is wrong for sure; else None."""


def blamed(error: BaseException, declared: Declared) -> Blamed:
    """Whether an error that a line of the user's has raised would be raised on all values."""
    if type(error) is NameError and "free variable" not in str(
        error
    ):  # others are of branches that were not taken
        return ()
    if isinstance(error, ImportError):
        return ()
    node = declared.node
    if isinstance(error, AttributeError):
        return _attribute(error, declared)
    if isinstance(error, (KeyError, IndexError)):
        return _part(declared)
    if not isinstance(error, TypeError) or node is None:
        return None
    if _is_of_arguments(error, node, declared):
        return ()
    for judge in (_index, _call, _iteration, _operator):
        found = judge(node, declared)
        if found is not None:
            return found
    return None


def is_no_awaitable(declared: Declared) -> bool:
    """Whether what was awaited can be awaited on no value: a list, a result."""
    node = declared.node
    inner = node.value if isinstance(node, ast.Await) else node
    if inner is None:
        return False
    given = declared.given(inner)
    if given is None:
        return isinstance(inner, _NOT_AWAITABLE)
    return given.is_result or _all_lack(given, "__await__")


def _attribute(error: AttributeError, declared: Declared) -> Blamed:
    node = declared.node
    if not isinstance(node, ast.Attribute) or node.attr != error.name:
        return None
    given = declared.given(node.value)
    classes = given.classes() if given is not None else None
    if given is None or classes is None or not all(lacks(cls, node.attr) for cls in classes):
        return None
    return given.calls


def _part(declared: Declared) -> Blamed:
    """A key or an index, where the type tells which there are."""
    node = declared.node
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, (ast.Constant, ast.UnaryOp)):
        return None
    given = declared.given(node.value)
    if given is None:
        return None
    try:
        key = ast.literal_eval(node.slice)
    except ValueError:
        return None
    hint, classes = plain(given.hint), given.classes() or [None]
    if len(classes) == 1 and is_typed_dict(classes[0]):
        return given.calls if key not in hints_of(classes[0]) else None
    shape = tuple_of(hint)
    if shape is not None and isinstance(key, int):
        return given.calls if not -len(shape) <= key < len(shape) else None
    return None


# -- what values of a class can do ------------------------------------------------------------------------


def _all_lack(given: Given | None, *what: str) -> bool:
    """Whether no class that a value may be of has any of this."""
    classes = given.classes() if given is not None else None
    if classes is None:
        return False
    return all(_lacks(cls, each) for cls in classes for each in what)


def _lacks(cls: type, what: str) -> bool:
    return not has_method(cls, what) if what.startswith("__") else lacks(cls, what)


def _index(node: ast.AST, declared: Declared) -> Blamed:
    if not isinstance(node, ast.Subscript):
        return None
    given = declared.given(node.value)
    if given is None:
        return None
    if _all_lack(given, INDEX):
        return given.calls
    is_number = isinstance(node.slice, (ast.Slice, ast.UnaryOp)) or (
        isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int)
    )
    known = isinstance(node.slice, (ast.Constant, ast.UnaryOp))
    classes = given.classes() or [None]
    return given.calls if known and not is_number and all(cls in _SEQUENCES for cls in classes) else None


def _is_of_arguments(error: TypeError, node: ast.AST, declared: Declared) -> bool:
    """Whether a plain function or class was called with other arguments than it takes."""
    if not isinstance(node, ast.Call) or any(isinstance(each, ast.Starred) for each in node.args):
        return False
    called = declared.stands_for(node.func)
    if not isinstance(called, (FunctionType, type)) or any(each.arg is None for each in node.keywords):
        return False
    name = called.__qualname__ if isinstance(called, FunctionType) else f"{called.__qualname__}.__init__"
    return str(error).startswith(f"{name}() ") and "argument" in str(error)


def _call(node: ast.AST, declared: Declared) -> Blamed:
    if not isinstance(node, ast.Call):
        return None
    called = declared.given(node.func)
    if called is not None:
        return called.calls if _all_lack(called, CALL) else None
    function = declared.stands_for(node.func)
    if len(node.args) == 0 or isinstance(node.args[0], ast.Starred):
        return None
    given = declared.given(node.args[0])
    asked = ("__len__",) if function is len else (ITERATION,) if id(function) in _OF_ITEMS else ()
    return given.calls if given is not None and asked and _all_lack(given, *asked) else None


def _iteration(node: ast.AST, declared: Declared) -> Blamed:
    """What a loop or an assignment to several names goes over."""
    if declared.operation.startswith("UNPACK"):
        around = declared.parent(node) if isinstance(node, (ast.Tuple, ast.List)) else node
        over: ast.AST | None = around.value if isinstance(around, ast.Assign) else None
    elif declared.operation == "GET_ITER":  # whose place is the whole loop until Python 3.12
        over = node.generators[0].iter if isinstance(node, COMPREHENSIONS) else node
        over = over.iter if isinstance(over, ast.For) else over
    else:
        return None
    given = declared.given(over) if over is not None else None
    return given.calls if given is not None and _all_lack(given, ITERATION) else None


def _operator(node: ast.AST, declared: Declared) -> Blamed:
    known: tuple[type, ...] = _PLAIN
    match node:
        case ast.BinOp(left=left, op=ast.Mod()) if not isinstance(left, ast.Constant):
            return None  # it depends on the text what is to be put in
        case ast.BinOp(left=left, right=right):
            operands = [left, right]
        case ast.AugAssign(target=left, value=right):
            operands = [left, right]
        case ast.UnaryOp(operand=operand):
            operands = [operand]
        case ast.Compare(left=left, comparators=[right]):
            operands, known = [left, right], _SCALARS
        case _:
            return None
    given = [declared.given(each) for each in operands]
    if any(
        each is None or (cls := each.classes()) is None or len(cls) != 1 or cls[0] not in known
        for each in given
    ):
        return None
    return [call for each in given if each is not None for call in each.calls] or None
