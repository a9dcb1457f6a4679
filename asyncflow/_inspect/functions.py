"""What a function's annotations say of its arguments and its value: for the checks of a plan and of a run alike."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MethodType
from typing import Any, Final

from .annotations import plain, settled, with_owner, with_paths
from .resolve import function_in, hints_of, returned_by, taken_by
from .wrappers import passed_on

_REMEMBERED: Final = 4096  # functions; a program that submits lambdas all day must not keep each of them
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
    hint: object
    value: object


@dataclass(frozen=True, slots=True)
class Function:
    """What is known of a function, as it is called.

    Args:
        fn: the function; held, so that its id stays its own.
        signature: by which calls are bound; None if it tells none.
        hints: of parameters, by name. An annotation is always the same object, so that what is found out about it
            can be remembered.
        gives: the type of its value; `typing.Any` if nobody says.
    """

    fn: object
    signature: inspect.Signature | None
    hints: Mapping[str, object]
    gives: object

    def arguments(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> list[Argument]:
        """The arguments of a call; with names of their own and no hints, where the function tells nothing."""
        try:
            if self.signature is None:
                raise TypeError
            bound = self.signature.bind(*args, **kwargs).arguments
        except TypeError:
            plain_ones = [Argument(str(place), Any, value) for place, value in enumerate(args, 1)]
            return plain_ones + [Argument(name, Any, value) for name, value in kwargs.items()]
        parameters = self.signature.parameters
        return [
            argument
            for name, value in bound.items()
            for argument in _each(parameters[name], value, self.hints.get(name, Any))
        ]


class Functions:
    """What is known of the functions that are called, each looked at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool, type | None], Function] = {}

    def of_call(self, fn: Callable[..., object], args: tuple[object, ...], *, is_block: bool) -> Function:
        """What is known of a function that is called with these positional arguments."""
        owner = owner_of(fn, args)
        key = id(fn), is_block, owner
        function = self._known.get(key)
        if function is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            function = self._known[key] = function_of(fn, is_block=is_block, owner=owner)
        return function


def function_of(fn: Callable[..., object], *, is_block: bool, owner: type | None = None) -> Function:
    """What is known of a function.

    Args:
        fn: any callable.
        is_block: whether it gets files as they are, and its futures are resolved.
        owner: the class that ``Self`` is; None if there is none to be had.
    """
    signature, written = _parameters(fn)
    hints = {name: with_owner(hint, owner) for name, hint in written.items()}
    gives = with_owner(_given_by(fn), owner)
    if is_block:
        gives = settled(gives)
    else:
        hints = {name: with_paths(hint) for name, hint in hints.items()}
    for name, parameter in signature.parameters.items() if signature is not None else ():
        if parameter.default is None and name in hints:  # the old way to say that it may be
            hints[name] = typing.Union[hints[name], None]  # noqa: UP007 - it may be text
    return Function(fn, signature, hints, gives)


def owner_of(fn: object, args: tuple[object, ...]) -> type | None:
    """The class that ``Self`` is, if a method is called."""
    if (
        not isinstance(fn, MethodType)
        and "." not in getattr(fn, "__qualname__", "").rpartition("<locals>.")[2]
    ):
        return None
    first = fn.__self__ if isinstance(fn, MethodType) else (args[0] if args else None)
    if first is None or hasattr(type(first), "__await__"):
        return None
    return first if isinstance(first, type) else type(first)


def _given_by(fn: Any) -> object:
    """The annotation of what a function returns, if that is what a call of it gives."""
    fn = function_in(fn)
    return returned_by(fn) if passed_on(fn).result else Any


def _each(parameter: inspect.Parameter, given: Any, hint: object) -> Iterator[Argument]:
    if parameter.kind is parameter.VAR_POSITIONAL:
        hint = Any if typing.get_origin(hint) is typing.Unpack else hint
        yield from (Argument(f"*{parameter.name}", hint, value) for value in given)
    elif parameter.kind is parameter.VAR_KEYWORD:
        fields = _fields(hint)
        for name, value in given.items():
            yield Argument(name, hint if fields is None else fields.get(name, Any), value)
    else:  # what is the default is right, whatever it is
        yield Argument(parameter.name, Any if given is parameter.default else hint, given)


def _fields(hint: object) -> Mapping[str, object] | None:
    """The types of keywords, where a typed dict says what they are."""
    return hints_of(typing.get_args(hint)[0]) if typing.get_origin(hint) is typing.Unpack else None


def _parameters(fn: Any) -> tuple[inspect.Signature | None, dict[str, Any]]:
    """The signature by which a call is bound, and the annotations of its parameters."""
    try:
        signature = inspect.signature(fn, follow_wrapped=False)
    except (TypeError, ValueError):
        return None, {}
    fn = function_in(fn)
    if isinstance(fn, type):
        fn = fn.__init__  # type: ignore[misc]
    if hasattr(fn, "__wrapped__"):
        return _of_wrapper(fn, signature)
    if not hasattr(fn, "__code__"):
        fn = getattr(type(fn), "__call__", fn)  # noqa: B004 - what is wanted is how it is called
    return signature, taken_by(fn)


def _of_wrapper(fn: Any, signature: inspect.Signature) -> tuple[inspect.Signature | None, dict[str, object]]:
    """A wrapper that passes all on takes what the innermost function takes; of any other, its annotations are those of
    what it wraps (`functools.wraps` copies them) and say nothing of its own parameters."""
    module = str(getattr(fn, "__globals__", {}).get("__name__", "")).partition(".")[0]
    inner = inspect.unwrap(fn)
    if module in _CONVERT or not hasattr(inner, "__code__") or not passed_on(fn).arguments:
        return signature, {}
    return inspect.signature(inner), taken_by(inner)


def is_silent(hint: object) -> bool:
    """Whether an annotation says nothing."""
    return plain(hint) in (Any, object)
