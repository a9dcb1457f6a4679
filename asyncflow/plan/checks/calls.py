"""Tells which argument of a call goes to which parameter, and what both are said to be."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MethodType
from typing import Any, Final

from ..._core.rehearsed import Rehearsed
from ..._inspect.annotations import returned_by, taken_by
from ..._inspect.hints import plain, settled, with_owner, with_paths

_CONVERT: Final = frozenset({"functools", "multipledispatch", "plum", "pydantic"})
"""Whose wrappers make of an argument what the function asks for, or choose another function by it."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call.

    Args:
        name: of the parameter: "rows"; of one of many, "*rows" or "**rows".
        hint: what the parameter is annotated with; `typing.Any` if with nothing.
        value: what was given: a value, or something with futures in it.
    """

    name: str
    hint: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Function:
    """What is known of a function, as it is called.

    Args:
        fn: the function; held, so that its id stays its own.
        signature: by which calls are bound; None if it tells none.
        hints: of parameters, by name. An annotation is always the same object, so that what is found out about it
            can be remembered.
        gives: the type of its value.
    """

    fn: Any
    signature: inspect.Signature | None
    hints: Mapping[str, Any]
    gives: Any


class Functions:
    """What is known of the functions that are called, each looked at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool, type | None], Function] = {}

    def arguments(self, call: Rehearsed) -> list[Argument]:
        """The arguments of a call; with names of their own and no hints, where the function tells nothing.

        Args:
            call: that was rehearsed.
        """
        function = self._of(call)
        try:
            if function.signature is None:
                raise TypeError
            bound = function.signature.bind(*call.args, **call.kwargs).arguments
        except TypeError:
            plain_ones = [Argument(str(place), Any, value) for place, value in enumerate(call.args, 1)]
            return plain_ones + [Argument(name, Any, value) for name, value in call.kwargs.items()]
        parameters = function.signature.parameters
        return [
            argument
            for name, value in bound.items()
            for argument in _each(parameters[name], value, function.hints.get(name, Any))
        ]

    def gives(self, call: Rehearsed) -> Any:
        """The type of a call's value; `typing.Any` if nobody says.

        Args:
            call: that was rehearsed.
        """
        if call.returns is not None:
            return call.returns
        return self._of(call).gives if call.kind in ("function", "block") else Any

    def _of(self, call: Rehearsed) -> Function:
        owner, is_block = _owner(call), call.kind == "block"
        key = id(call.fn), is_block, owner
        function = self._known.get(key)
        if function is None:
            function = self._known[key] = _looked_at(call.fn, is_block, owner)
        return function


def _looked_at(fn: Callable[..., Any], is_block: bool, owner: type | None) -> Function:
    signature, written = _parameters(fn)
    hints = {name: with_owner(hint, owner) for name, hint in written.items()}
    gives = with_owner(returned_by(fn), owner)
    if is_block:  # which gets files as they are, and whose futures are resolved
        gives = settled(gives)
    else:
        hints = {name: with_paths(hint) for name, hint in hints.items()}
    for name, parameter in signature.parameters.items() if signature is not None else ():
        if parameter.default is None and name in hints:  # the old way to say that it may be
            hints[name] = typing.Union[hints[name], None]  # noqa: UP007 - it may be text
    return Function(fn, signature, hints, gives)


def _each(parameter: inspect.Parameter, given: Any, hint: Any) -> Iterator[Argument]:
    if parameter.kind is parameter.VAR_POSITIONAL:
        hint = Any if typing.get_origin(hint) is typing.Unpack else hint
        yield from (Argument(f"*{parameter.name}", hint, value) for value in given)
    elif parameter.kind is parameter.VAR_KEYWORD:
        fields = _fields(hint)
        for name, value in given.items():
            yield Argument(name, hint if fields is None else fields.get(name, Any), value)
    else:  # what is the default is right, whatever it is
        yield Argument(parameter.name, Any if given is parameter.default else hint, given)


def _fields(hint: Any) -> Mapping[str, Any] | None:
    """The types of keywords, where a typed dict says what they are."""
    if typing.get_origin(hint) is not typing.Unpack:
        return None
    from ..._inspect.annotations import hints_of

    return hints_of(typing.get_args(hint)[0])


def _owner(call: Rehearsed) -> type | None:
    """The class that ``Self`` is, if a method was called."""
    fn = call.fn
    if (
        not isinstance(fn, MethodType)
        and "." not in getattr(fn, "__qualname__", "").rpartition("<locals>.")[2]
    ):
        return None
    first = fn.__self__ if isinstance(fn, MethodType) else (call.args[0] if call.args else None)
    if first is None or hasattr(type(first), "__await__"):
        return None
    return first if isinstance(first, type) else type(first)


def _parameters(fn: Any) -> tuple[inspect.Signature | None, dict[str, Any]]:
    """The signature by which a call is bound, and the annotations of its parameters."""
    try:
        signature = inspect.signature(fn, follow_wrapped=False)
    except (TypeError, ValueError):
        return None, {}
    while isinstance(fn, (functools.partial, MethodType)):
        fn = fn.func if isinstance(fn, functools.partial) else fn.__func__
    if isinstance(fn, type):
        fn = fn.__init__  # type: ignore[misc]
    if hasattr(fn, "__wrapped__"):
        return _of_wrapper(fn, signature)
    if not hasattr(fn, "__code__"):
        fn = getattr(type(fn), "__call__", fn)  # noqa: B004 - what is wanted is how it is called
    return signature, taken_by(fn)


def _of_wrapper(fn: Any, signature: inspect.Signature) -> tuple[inspect.Signature | None, dict[str, Any]]:
    """A wrapper that takes whatever there is passes it on; of any other, its annotations are those of what it wraps
    (`functools.wraps` copies them) and say nothing of its own parameters."""
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    passes_on = kinds == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]
    module = str(getattr(fn, "__globals__", {}).get("__name__", "")).partition(".")[0]
    inner = inspect.unwrap(fn)
    if not passes_on or module in _CONVERT or not hasattr(inner, "__code__"):
        return signature, {}
    return inspect.signature(inner), taken_by(inner)


def is_silent(hint: Any) -> bool:
    """Whether an annotation says nothing."""
    return plain(hint) in (Any, object)
