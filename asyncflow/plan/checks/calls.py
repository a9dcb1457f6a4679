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
from ...backends._annotations import returned_by, taken_by
from .hints import plain, settled, with_owner, with_paths

_CONVERT: Final = frozenset({"pydantic"})
"""Whose wrappers make of an argument what the function asks for."""


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


class Functions:
    """What is known of the functions that are called, each looked at once."""

    def __init__(self) -> None:
        self._known: dict[
            int, tuple[Any, inspect.Signature | None, dict[str, Any], Any]
        ] = {}  # by id; they are held

    def arguments(self, call: Rehearsed) -> list[Argument]:
        """The arguments of a call; with names of their own and no hints, where the function tells nothing.

        Args:
            call: that was rehearsed.
        """
        _, signature, hints, _ = self._of(call.fn)
        try:
            if signature is None:
                raise TypeError
            bound = signature.bind(*call.args, **call.kwargs)
        except TypeError:
            plain_ones = [Argument(str(place), Any, value) for place, value in enumerate(call.args, 1)]
            return plain_ones + [Argument(name, Any, value) for name, value in call.kwargs.items()]
        owner, is_block = _owner(call), call.kind == "block"
        return [
            Argument(name, _said(hint, owner, is_block), value)
            for parameter in signature.parameters.values()
            if parameter.name in bound.arguments
            for name, hint, value in _each(
                parameter, bound.arguments[parameter.name], hints.get(parameter.name, Any)
            )
        ]

    def gives(self, call: Rehearsed) -> Any:
        """The type of a call's value; `typing.Any` if nobody says.

        Args:
            call: that was rehearsed.
        """
        if call.returns is not None:
            return call.returns
        if call.kind not in ("function", "block"):
            return Any
        hint = with_owner(self._of(call.fn)[3], _owner(call))
        return settled(hint) if call.kind == "block" else hint

    def _of(self, fn: Callable[..., Any]) -> tuple[Any, inspect.Signature | None, dict[str, Any], Any]:
        known = self._known.get(id(fn))
        if known is None:
            signature, hints = _parameters(fn)
            known = self._known[id(fn)] = (fn, signature, hints, returned_by(fn))
        return known


def _said(hint: Any, owner: type | None, is_block: bool) -> Any:
    """An annotation as it holds for one call: a block gets files as they are, others get paths."""
    hint = with_owner(hint, owner)
    return hint if is_block else with_paths(hint)


def _each(parameter: inspect.Parameter, given: Any, hint: Any) -> Iterator[tuple[str, Any, Any]]:
    if parameter.kind is parameter.VAR_POSITIONAL:
        hint = Any if typing.get_origin(hint) is typing.Unpack else hint
        yield from ((f"*{parameter.name}", hint, value) for value in given)
    elif parameter.kind is parameter.VAR_KEYWORD:
        fields = _fields(hint)
        yield from (
            (name, hint if fields is None else fields.get(name, Any), value) for name, value in given.items()
        )
    else:
        if parameter.default is None:  # the old way to say that it may be
            hint = typing.Union[hint, None]  # noqa: UP007 - it may be text
        yield parameter.name, hint, given


def _fields(hint: Any) -> Mapping[str, Any] | None:
    """The types of keywords, where a typed dict says what they are."""
    if typing.get_origin(hint) is not typing.Unpack:
        return None
    from ...backends._annotations import hints_of

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
