"""Tells of what type an expression of the user's is, where tasks are said to give its value.

Code in a rehearsal runs on values that stand in, and what a library makes of those says nothing: `json.loads("1")` is a
number. So what a value has turned out to be is not asked, but where it comes from: the source is followed back to the
call of a task, and from there the annotations are.
"""

from __future__ import annotations

import ast
import dis
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

from .._core.task import Task
from .._inspect.annotations import class_of, members, plain
from .._inspect.containers import is_typed_dict, items, pairs, tuple_of
from .._inspect.frames import named
from .._inspect.functions import Functions, function_of
from .._inspect.resolve import hints_of
from .._inspect.source import (
    COMPREHENSIONS,
    FUNCTIONS,
    Position,
    Source,
    bindings,
    names_in,
    position_at,
    position_of,
)
from ..plan.rehearsed import INTERNED, RehearsedCall, given_by

_DEEPEST = 20
_SCOPES = (*FUNCTIONS, ast.Lambda, ast.Module, ast.ClassDef)


class Given(NamedTuple):
    """What is said of an expression's value.

    Args:
        hint: its type.
        calls: of the tasks from whose results it comes.
        is_result: whether it is the result itself, and no part of it.
    """

    hint: object
    calls: tuple[RehearsedCall, ...] = ()
    is_result: bool = False

    def classes(self) -> list[Any] | None:
        """The classes that it may be of; None if that is not known."""
        found = [class_of(each) for each in members(self.hint)]
        return None if None in found or object in found else found


class Declared:
    """What is said of the expressions in some code that has failed.

    Args:
        task: the block that it belongs to, or the task whose ``example=`` it is.
        frame: in which it has failed.
        at: the instruction that has.
        calls: that the block has made.
        value_of: gives the value of a call; `...` if there is none yet.
    """

    def __init__(
        self,
        task: Task,
        frame: FrameType,
        at: int,
        calls: Sequence[RehearsedCall],
        value_of: Callable[[RehearsedCall], object],
    ) -> None:
        self._task = task
        self._frame = frame
        self._value_of = value_of
        self._functions = Functions()
        self._calls = calls
        self._sites: dict[Position, list[RehearsedCall]] = {}
        code = frame.f_code
        self.operation = dis.opname[code.co_code[at]]
        source = Source(code.co_filename, frame.f_globals)
        self._parents = source.parents
        self.node = source.innermost(position_at(code, at))
        """The innermost expression, or what is assigned to, that the instruction belongs to."""
        for call in calls:
            if call.code is not None and call.code.co_filename == code.co_filename:
                self._sites.setdefault(position_at(call.code, call.at), []).append(call)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What a part of the source is part of."""
        return self._parents.get(node)

    def stands_for(self, node: ast.AST) -> object:
        """What a name or a dotted name stands for; `...` if it is none, or that is not known."""
        return named(node, self._frame)

    def given(self, node: ast.AST, depth: int = 0) -> Given | None:
        """What is said of an expression's value; None if that is nothing.

        Args:
            node: the expression.
            depth: how many others have led to it.
        """
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Constant(value=value):
                return Given(type(value))
            case ast.Await(value=inner):
                return self._awaited(inner, depth + 1)
            case ast.NamedExpr(value=inner):
                return self.given(inner, depth + 1)
            case ast.Name():
                return self._named(node, depth + 1)
            case ast.Attribute(value=inner, attr=name):
                return _attribute(self.given(inner, depth + 1), name)
            case ast.Subscript(value=inner, slice=key):
                return _item(self.given(inner, depth + 1), key)
        return None

    # -- names --------------------------------------------------------------------------------------------

    def _named(self, node: ast.Name, depth: int) -> Given | None:
        value = self.stands_for(node)
        if value is not ... and not isinstance(value, INTERNED):
            for call in self._calls:
                if call.is_used and self._value_of(call) is value:
                    return self._gives(call)
        return _same([self._bound(binding, depth) for binding in self._bindings(node)])

    def _bound(self, binding: tuple[str, ast.AST, int | None] | None, depth: int) -> Given | None:
        match binding:
            case ("value", value, None):
                return self.given(value, depth)
            case ("value", value, int(place)):
                whole = self.given(value, depth)
                return None if whole is None else _item(whole, ast.Constant(place))
            case ("each", value, None):
                whole = self.given(value, depth)
                return None if whole is None else Given(items(plain(whole.hint)), whole.calls)
            case ("parameter", ast.arg(arg=name), _):
                return self._parameter(name)
        return None

    def _bindings(self, node: ast.Name) -> list[tuple[str, ast.AST, int | None] | None]:
        """All that a name is bound by where it is used; None for what nothing is said of."""
        around = self._parents.get(node)
        while around is not None and not isinstance(around, _SCOPES):
            if isinstance(around, COMPREHENSIONS):
                for each in around.generators:
                    if isinstance(each.target, ast.Name) and each.target.id == node.id:
                        return [("each", each.iter, None)]
                    if node.id in names_in(each.target):
                        return [None]
            around = self._parents.get(around)
        if around is None:
            return []
        found = list(_stores(around, node.id))
        if not found and (outer := self._function_around(around)) is not None:
            return list(_stores(outer, node.id))
        return found

    def _function_around(self, node: ast.AST) -> ast.AST | None:
        outer = self._parents.get(node)
        while outer is not None and not isinstance(outer, FUNCTIONS):
            outer = self._parents.get(outer)
        return outer

    def _parameter(self, name: str) -> Given | None:
        """What is said of an argument of the block, or of the task whose example it is."""
        definition = self._task.definition
        is_own = definition.is_block or definition.is_command
        own = definition.fn if is_own else definition.options.example
        if getattr(own, "__code__", None) is not self._frame.f_code:
            return None
        hint = function_of(definition.fn, is_block=definition.is_block).hints.get(name)
        return None if hint is None else Given(hint)

    # -- tasks --------------------------------------------------------------------------------------------

    def _awaited(self, node: ast.AST, depth: int) -> Given | None:
        """What awaiting an expression gives."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Call(
                func=ast.Attribute(attr="gather") | ast.Name(id="gather"), args=futures, keywords=[]
            ):
                return self._gathered(futures, depth + 1)
            case ast.Call(func=ast.Attribute(attr="wait_for" | "shield"), args=[future, *_]):
                return self._awaited(future, depth + 1)
            case ast.Call(func=ast.Attribute(attr="map")):
                return None
            case ast.Call():
                return self._of_all(self._sites.get(position_of(node), []))
            case ast.Name():
                found = self._bindings(node)
                match found:
                    case [("value", value, None)]:
                        return self._awaited(value, depth + 1)
                    case [("each", value, None)]:
                        return self._each_awaited(value, depth + 1)
        return None

    def _each_awaited(self, node: ast.AST, depth: int) -> Given | None:
        """What awaiting one of many futures gives."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Call(func=ast.Attribute(attr="map")):
                return self._of_all(self._sites.get(position_of(node), []))
            case ast.ListComp(elt=each) | ast.GeneratorExp(elt=each):
                return self._awaited(each, depth + 1)
            case ast.Name():
                match self._bindings(node):
                    case [("value", value, None)]:
                        return self._each_awaited(value, depth + 1)
        return None

    def _gathered(self, futures: Sequence[ast.expr], depth: int) -> Given | None:
        match futures:
            case [ast.Starred(value=many)]:
                each = self._each_awaited(many, depth)
                return None if each is None else Given(types.GenericAlias(list, (each.hint,)), each.calls)
        found = [each for each in (self._awaited(future, depth) for future in futures) if each is not None]
        if not found or len(found) < len(futures):
            return None
        hint = types.GenericAlias(tuple, tuple(each.hint for each in found))
        return Given(hint, tuple(call for each in found for call in each.calls))

    def _of_all(self, calls: Sequence[RehearsedCall]) -> Given | None:
        return _same([self._gives(call) for call in calls if call.is_used])

    def _gives(self, call: RehearsedCall) -> Given:
        hint = given_by(call, self._functions)
        if hint is Any and call.example is not ... and not callable(call.example):
            hint = type(call.example)
        return Given(hint, (call,), True)


def _same(found: Sequence[Given | None]) -> Given | None:
    """What is said in all places alike; None if they differ, or one says nothing."""
    first = found[0] if found else None
    is_same = first is not None and all(each is not None and each.hint == first.hint for each in found)
    return found[-1] if is_same else None


def _attribute(whole: Given | None, name: str) -> Given | None:
    if whole is None:
        return None
    alternatives = members(whole.hint)
    cls = class_of(alternatives[0])
    if len(alternatives) != 1 or cls is None:
        return None
    hint = hints_of(cls, typing.get_args(alternatives[0])).get(name)
    return None if hint is None else Given(hint, whole.calls)


def _item(whole: Given | None, key: ast.AST) -> Given | None:
    if whole is None:
        return None
    hint = plain(whole.hint)
    cls, shape = class_of(hint), tuple_of(hint)
    match key:
        case ast.Constant(value=str(name)) if is_typed_dict(cls):
            part = hints_of(cls, typing.get_args(hint)).get(name) if cls is not None else None
            return None if part is None else Given(part, whole.calls)
        case ast.Constant(value=int(place)) if shape is not None:
            return Given(shape[place], whole.calls) if -len(shape) <= place < len(shape) else None
        case ast.Slice():
            return Given(hint, whole.calls) if cls in (list, str, bytes) else None
    if (
        cls is None
        or is_typed_dict(cls)
        or shape is not None
        or not issubclass(cls, (list, tuple, str, dict))
    ):
        return None
    both = pairs(hint)
    return Given(both[1] if both is not None else items(hint), whole.calls)


def _stores(scope: ast.AST, name: str) -> Iterator[tuple[str, ast.AST, int | None] | None]:
    """All that binds a name in a function; of what is inside of another function there, too, for it may be nonlocal."""
    if isinstance(scope, ast.Module):  # a module's names are anybody's
        return
    known: set[ast.AST] = set()
    for node in ast.walk(scope):
        match node:
            case ast.arg(arg=arg) if arg == name:
                yield ("parameter", node, None) if _is_own(scope, node) else None
            case ast.Assign() | ast.AnnAssign() | ast.NamedExpr() | ast.For():
                kind = "each" if isinstance(node, ast.For) else "value"
                for target, value in bindings(node):
                    for part, place in _parts_of(target) if kind == "value" else [(target, None)]:
                        if value is not None and isinstance(part, ast.Name) and part.id == name:
                            known.add(part)
                            yield kind, value, place
            case ast.Name(id=bound, ctx=ast.Store() | ast.Del()) if bound == name and node not in known:
                yield None
            case ast.ExceptHandler(name=bound) if bound == name:
                yield None


def _parts_of(target: ast.expr) -> list[tuple[ast.expr, int | None]]:
    """What a target takes of a value: all, or of several names each its item."""
    return (
        [(part, place) for place, part in enumerate(target.elts)]
        if isinstance(target, ast.Tuple)
        else [(target, None)]
    )


def _is_own(scope: ast.AST, parameter: ast.arg) -> bool:
    parameters = getattr(scope, "args", None)
    return isinstance(parameters, ast.arguments) and parameter in (
        *parameters.posonlyargs,
        *parameters.args,
        *parameters.kwonlyargs,
    )
