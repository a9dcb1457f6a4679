"""Judges whether a value that is said to be of one type can be what another asks for.

It can if one of its types can: `int | None` for `int`, `Sequence[int]` for `list[int]`, a class for one that derives
from it. Whoever wires tasks decides between them, by `if rows is not None`, and no annotation follows them there; a
type checker does, for those who want it that strict. What remains cannot go well, whatever the value is. Containers
are judged by what is in them (a `list[bool]` does for a `list[int]`): values flow, nobody adds to them elsewhere.
"""

from __future__ import annotations

import collections.abc
import enum
import typing
from collections.abc import Callable
from types import NoneType
from typing import Any, Final

from . import classes
from .annotations import class_of, members, plain
from .containers import is_typed_dict, items, pairs, parameters, tuple_of
from .resolve import hints_of
from .shown import shown

_DEEPEST: Final = 12
_ITERATED: Final = collections.abc.Iterable


def clash(given: object, wanted: object, depth: int = 0) -> str | None:
    """Why no value of one type can be what another asks for; None if one can, or if that is not known.

    Args:
        given: annotation of what there is.
        wanted: annotation of what is asked for.
        depth: how far inside of others they are.
    """
    if depth > _DEEPEST:
        return None
    there, asked = members(given), members(wanted)
    if len(there) > 1:
        there = [
            each for each in there if each is not NoneType
        ]  # or it would do for any other that may be None
    reasons = []
    for each in there:
        for other in asked:
            reason = _clash(each, other, depth)
            if reason is None:
                return None
            reasons.append(reason)
    if len(reasons) == 1:
        return reasons[0]
    return f"{shown(given)} is no {shown(wanted)}" if reasons else None


def _clash(given: object, wanted: object, depth: int) -> str | None:
    """The same for plain annotations that leave no choice."""
    if given is wanted or not {Any, object, typing.Never}.isdisjoint((given, wanted)):
        return None
    for is_kind, judge in _KINDS:
        if is_kind(given) or is_kind(wanted):
            return judge(given, wanted, depth)
    there, asked = class_of(given), class_of(wanted)
    if there is None or asked is None:
        return None
    reason = classes.clash(there, asked)
    if reason is not None:
        return (
            reason if depth or not (typing.get_args(given) or typing.get_args(wanted)) else _no(given, wanted)
        )
    return parts(given, wanted, depth)


def parts(given: object, wanted: object, depth: int) -> str | None:
    """The same for the parts of containers, and of classes that are generic, whose classes go together."""
    shape, asked_shape = tuple_of(given), tuple_of(wanted)
    if asked_shape is not None and shape is not None:
        if len(shape) != len(asked_shape):
            return f"it has {len(shape)} items, not {len(asked_shape)}"
        return _first(shape, asked_shape, depth)
    both, asked_both = pairs(given), pairs(wanted)
    if both is not None and asked_both is not None:
        return _first(both, asked_both, depth)
    cls, asked_cls = class_of(given), class_of(wanted)
    if cls is None or asked_cls is None:
        return None
    if asked_shape is not None:
        return _first([items(given)] * len(asked_shape), asked_shape, depth)
    if issubclass(cls, _ITERATED) and issubclass(asked_cls, _ITERATED):
        asked_item = items(wanted)
        return _first(shape or [items(given)], [asked_item] * len(shape or [1]), depth)
    args, asked_args = parameters(given, asked_cls), parameters(wanted, asked_cls)
    if args is None or asked_args is None or asked_cls.__module__.partition(".")[0] in ("numpy", "pandas"):
        return None
    return _first(args, asked_args, depth)


def _first(
    given: collections.abc.Sequence[object], wanted: collections.abc.Sequence[object], depth: int
) -> str | None:
    pairs_of_parts = zip(given, wanted, strict=True)
    return next((reason for each in pairs_of_parts if (reason := clash(*each, depth + 1)) is not None), None)


def _no(given: object, wanted: object) -> str:
    return f"{shown(given)} is no {shown(wanted)}"


# -- kinds of annotations that are no classes -------------------------------------------------------------


def is_literal(hint: object) -> bool:
    """Whether an annotation names values."""
    return typing.get_origin(hint) is typing.Literal


def _of_literals(given: object, wanted: object, depth: int) -> str | None:
    if is_literal(given):
        values = typing.get_args(given)
        does = any(literal_clash(value, wanted, depth) is None for value in values)
    else:
        types = {type(value) for value in typing.get_args(wanted)}
        does = any(clash(given, each, depth + 1) is None or _is_wider(given, each) for each in types)
    return None if does else _no(given, wanted)


def _is_wider(given: object, cls: type) -> bool:
    return (there := class_of(given)) is not None and issubclass(cls, there)


def literal_clash(value: object, wanted: object, depth: int) -> str | None:
    """Why a value of a kind that a `Literal` may hold is not what a plain annotation asks for."""
    if is_literal(wanted):
        same = any(type(value) is type(each) and value == each for each in typing.get_args(wanted))
        return None if same else f"{_value(value)} is none of {shown(wanted)}"
    cls = class_of(wanted)
    if cls is None or (cls is bool and type(value) is int and value in (0, 1)):
        return None
    return classes.clash(type(value), cls, exact=True) or parts(type(value), wanted, depth)


def _value(value: object) -> str:
    return f"{type(value).__qualname__}.{value.name}" if isinstance(value, enum.Enum) else repr(value)


def _is_new_type(hint: object) -> bool:
    return isinstance(hint, typing.NewType)


def _of_new_types(given: Any, wanted: Any, depth: int) -> str | None:
    if _is_new_type(given) and _is_new_type(wanted):
        if given in _line(wanted) or wanted in _line(given):
            return None
        return _no(given, wanted)
    there, asked = (each.__supertype__ if _is_new_type(each) else each for each in (given, wanted))
    return clash(there, asked, depth + 1)


def _line(hint: Any) -> list[object]:
    """What a `NewType` is made of, and what that is made of."""
    found: list[object] = []
    while _is_new_type(hint) and len(found) < _DEEPEST:
        found.append(hint)
        hint = plain(hint.__supertype__)
    return found


def _is_class_itself(hint: object) -> bool:
    return typing.get_origin(hint) is type


def _of_classes(given: object, wanted: object, depth: int) -> str | None:
    if _is_class_itself(given) and _is_class_itself(wanted):
        return clash(typing.get_args(given)[0], typing.get_args(wanted)[0], depth + 1)
    there, asked = class_of(given), class_of(wanted)
    if there is None or asked is None or (there is type and vars(asked).get("_is_protocol")):
        return None
    return None if classes.clash(there, asked) is None else _no(given, wanted)


def _is_typed(hint: object) -> bool:
    return is_typed_dict(class_of(hint))


def _of_typed_dicts(given: object, wanted: object, depth: int) -> str | None:
    there, asked = class_of(given), class_of(wanted)
    if there is None or asked is None or there is asked:
        return None
    if not _is_typed(wanted):
        return classes.clash(dict, asked) or parts(given, wanted, depth)
    if not _is_typed(given):
        return _dict_for_typed(given, there, asked, depth)
    hints, asked_hints = hints_of(there), hints_of(asked)
    for key in sorted(asked.__required_keys__):  # type: ignore[attr-defined]
        if key not in hints:
            return f"{shown(given)} has no key {key!r}, which {shown(wanted)} asks for"
    both = [key for key in hints if key in asked_hints]
    return _first([hints[key] for key in both], [asked_hints[key] for key in both], depth)


def _dict_for_typed(given: object, there: type, asked: Any, depth: int) -> str | None:
    if classes.clash(there, dict) is not None:
        return f"{shown(given)} is no {shown(asked)}"
    both = pairs(given)
    if both is None:
        return None
    needed = [hint for key, hint in hints_of(asked).items() if key in asked.__required_keys__]
    return clash(both[0], str, depth + 1) or _first([both[1]] * len(needed), needed, depth)


def is_callable(hint: object) -> bool:
    """Whether an annotation is of functions."""
    return class_of(hint) is collections.abc.Callable  # type: ignore[comparison-overlap]


def _of_callables(given: object, wanted: object, depth: int) -> str | None:
    there, asked = class_of(given), class_of(wanted)
    if there is None or asked is None:
        return None
    if not (is_callable(given) and is_callable(wanted)):
        return None if classes.clash(there, asked) is None else _no(given, wanted)
    args, asked_args = typing.get_args(given), typing.get_args(wanted)
    if len(args) != 2 or len(asked_args) != 2:
        return None
    if isinstance(args[0], list) and isinstance(asked_args[0], list):
        if len(args[0]) != len(asked_args[0]):
            return f"it takes {len(args[0])} arguments, not {len(asked_args[0])}"
        reason = _first(asked_args[0], args[0], depth)
        if reason is not None:
            return reason
    return clash(args[1], asked_args[1], depth + 1)


_Judge = Callable[[object, object, int], str | None]
_KINDS: Final[tuple[tuple[Callable[[object], bool], _Judge], ...]] = (
    (_is_new_type, _of_new_types),
    (is_literal, _of_literals),
    (_is_class_itself, _of_classes),
    (_is_typed, _of_typed_dicts),
    (is_callable, _of_callables),
)
