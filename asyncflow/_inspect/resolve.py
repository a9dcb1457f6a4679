"""Reads annotations: what a function is said to return, what the parts of a class are said to be.

A name that cannot be found, because it was imported for type checkers only or is local to some function, stands for
anything; it never makes the rest unreadable.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from types import MethodType, SimpleNamespace
from typing import Any, TypeVar


def returned_by(fn: Callable[..., object]) -> object:
    """The annotation of what a function returns; `typing.Any` if there is none to be had.

    Args:
        fn: any callable; a class returns what it is.
    """
    try:
        return _yielded(fn, _returned_by(fn))
    except Exception:  # annotations are code of the user's
        return Any


def _yielded(fn: object, annotation: object) -> object:
    """Of a generator function, which is a service, what it yields; of any other, what it returns."""
    if not yields(inspect.unwrap(function_in(fn))):  # type: ignore[arg-type]  # a function, if it is to be a task
        return annotation
    args = typing.get_args(annotation)
    return args[0] if args else Any


def function_in(fn: object) -> object:
    """The callable inside of partials and bound methods."""
    while isinstance(fn, (functools.partial, MethodType)):
        fn = fn.func if isinstance(fn, functools.partial) else fn.__func__
    return fn


def yields(fn: object) -> bool:
    """Whether calling it gives a generator, or an async one; also of objects that can be called."""
    return _is(inspect.isgeneratorfunction, fn) or yields_later(fn)


def yields_later(fn: object) -> bool:
    """Whether calling it gives an async generator."""
    return _is(inspect.isasyncgenfunction, fn)


def _is(kind: Callable[[object], bool], fn: object) -> bool:
    fn = function_in(fn)
    return kind(fn) or (not isinstance(fn, type) and kind(getattr(type(fn), "__call__", None)))  # noqa: B004


def _returned_by(fn: object) -> object:
    fn = function_in(fn)
    if isinstance(fn, type):
        return fn
    if "return" not in (getattr(fn, "__annotations__", None) or {}):
        fn = type(fn).__call__
    written = fn.__annotations__
    return _resolved(written["return"], *_namespaces(fn)) if "return" in written else Any


def taken_by(fn: Callable[..., object]) -> dict[str, object]:
    """The annotations of a plain function's parameters, by name, each by itself, for one may be unreadable."""
    written = getattr(fn, "__annotations__", None) or {}
    inner, outer = _namespaces(fn)
    return {name: _resolved(each, inner, outer) for name, each in written.items() if name != "return"}


def _namespaces(fn: Any) -> tuple[dict[str, object], dict[str, object]]:
    """What names mean in the annotations of a function: around it, and in its module."""
    plain = inspect.unwrap(fn)
    code = getattr(plain, "__code__", None)
    closure = getattr(plain, "__closure__", None) or ()
    inner = {each.__name__: each for each in getattr(plain, "__type_params__", ())}
    for name, cell in zip(code.co_freevars if code is not None else (), closure, strict=False):
        try:
            inner[name] = cell.cell_contents
        except ValueError:  # not bound yet
            pass
    return inner, getattr(plain, "__globals__", {})


def hints_of(cls: type, args: tuple[object, ...] = ()) -> dict[str, object]:
    """The annotations in a class and those that it derives from, each by itself, for one may be unreadable.

    Args:
        cls: any class.
        args: what it is parametrised with: type variables in the annotations are replaced by that.
    """
    given = arguments_of(cls, args) if hasattr(cls, "__orig_bases__") else {}
    if not given:
        try:
            return typing.get_type_hints(cls, include_extras=True)
        except Exception:
            pass
    hints: dict[str, object] = {}
    for each in reversed(cls.__mro__):
        inner = {parameter.__name__: parameter for parameter in getattr(each, "__type_params__", ())}
        inner |= {**vars(each), cls.__name__: cls, each.__name__: each}
        outer = vars(sys.modules[each.__module__]) if each.__module__ in sys.modules else {}
        bound = bindings(each, given.get(each, ()))
        written = vars(each).get("__annotations__")
        for name, annotation in written.items() if isinstance(written, dict) else ():
            hints[name] = substituted(_resolved(annotation, inner, outer), bound)
    return hints


def _resolved(annotation: object, inner: Mapping[str, object], outer: dict[str, object]) -> object:
    """An annotation with what is text in it evaluated; `typing.Any` if that cannot be."""
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, outer, _Names(inner, outer), include_extras=True)["it"]
    except Exception:
        return Any


class _Names(dict[str, object]):
    """Names as an annotation sees them; one that is nowhere is a type variable, which may be anything."""

    def __init__(self, *namespaces: Mapping[str, object]) -> None:
        super().__init__()
        self._namespaces = (*namespaces, vars(builtins))

    def __missing__(self, name: str) -> object:
        for namespace in self._namespaces:
            if name in namespace:
                return namespace[name]
        return TypeVar(name)


def bindings(cls: object, args: tuple[object, ...]) -> dict[object, object]:
    """What the type variables of a generic class stand for. In a class that it derives from, the same variables may
    stand for something else: see `arguments_of`.
    """
    return dict(zip(getattr(cls, "__parameters__", ()), args, strict=False))


def arguments_of(cls: object, args: tuple[object, ...]) -> dict[object, tuple[object, ...]]:
    """What each generic class is parametrised with that a class derives from, and the class itself."""
    found: dict[object, tuple[object, ...]] = {cls: args} if args else {}
    bound = bindings(cls, args)
    for base in vars(cls).get("__orig_bases__", ()) if isinstance(cls, type) else ():
        origin = typing.get_origin(base) or base
        if origin not in (typing.Generic, typing.Protocol):
            given = tuple(substituted(each, bound) for each in typing.get_args(base))
            found = {**arguments_of(origin, given), **found}
    for base in getattr(cls, "__bases__", ()):
        found = {**arguments_of(base, ()), **found} if base not in found else found
    return found


def substituted(annotation: Any, bound: Mapping[object, object]) -> object:
    """An annotation with what its type variables stand for.

    Args:
        annotation: any.
        bound: what some variables stand for; others stay.
    """
    if isinstance(annotation, TypeVar):
        return bound.get(annotation, annotation)
    parameters = () if isinstance(annotation, type) else getattr(annotation, "__parameters__", ())
    if not parameters or not bound:
        return annotation
    return annotation[tuple(bound.get(each, each) for each in parameters)]
