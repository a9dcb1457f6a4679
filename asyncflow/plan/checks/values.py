"""Judges whether a value, which may have futures anywhere inside, is what a parameter asks for.

Of plain values the library typeguard is asked; what it refuses is only wrong if `fits.py` finds it wrong as well,
which knows that NumPy's numbers do for Python's, and what a stand-in may be.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing
from collections.abc import Callable, Iterable, Iterator
from types import NoneType
from typing import Any, Final, NamedTuple

from ..._core.files import File
from ...backends._annotations import hints_of
from ...backends._standin import StandIn
from . import classes
from .containers import is_typed_dict, items, pairs, tuple_of
from .fits import clash, is_callable, is_literal, literal_clash
from .hints import class_of, members, plain, shown

Replaced = Callable[[Any], Any]
"""Of what is replaced before a call is made, as a future, the type of what will be there; `...` of what stays."""

_LOOKED_AT: Final = 1000  # items of one container
_DEEPEST: Final = 8
_SCALARS: Final = (NoneType, bool, int, float, complex, str, bytes)
_CONTAINERS: Final = (list, tuple, set, frozenset, dict)


class Refusal(NamedTuple):
    """Why a value is not what is asked for.

    Args:
        reason: in words; "" if there is no more to say.
        culprit: the part that is wrong; the whole value, if that is.
    """

    reason: str
    culprit: Any


def refusal(value: Any, hint: Any, replaced: Replaced) -> Refusal | None:
    """Why a value is not what is asked for; None if it is, or if that is not known.

    Args:
        value: with or without futures.
        hint: annotation of what is asked for.
        replaced: tells what comes in place of parts of it.
    """
    stays = all(replaced(each) is ... and not _is_stand_in(each) for each in walk(value))
    return None if stays and _passes(value, hint) else _refusal(value, hint, replaced, 0)


def walk(value: Any, depth: int = 0) -> Iterator[Any]:
    """A value and what is in it: in containers of Python's and dataclasses, as deep and as far as anybody looks.

    Args:
        value: any.
        depth: how far inside of others it is.
    """
    yield value
    for part in _parts(value) if depth < _DEEPEST else ():
        yield from walk(part, depth + 1)


def _parts(value: Any) -> Iterable[Any]:
    cls = type(value)
    if issubclass(cls, File):
        return ()
    if issubclass(cls, dict):
        return (part for item in itertools.islice(dict.items(value), _LOOKED_AT) for part in item)
    if issubclass(cls, _CONTAINERS):
        return itertools.islice(value, _LOOKED_AT)
    if dataclasses.is_dataclass(cls):
        return (getattr(value, field.name, None) for field in dataclasses.fields(cls))
    return ()


def _is_stand_in(value: Any) -> bool:
    return issubclass(type(value), StandIn)


def _passes(value: Any, hint: Any) -> bool:
    """What the library says."""
    import typeguard

    few = not isinstance(value, _CONTAINERS) or len(value) <= _LOOKED_AT
    strategy = typeguard.CollectionCheckStrategy
    try:
        typeguard.check_type(
            value,
            hint,
            forward_ref_policy=typeguard.ForwardRefPolicy.IGNORE,
            collection_check_strategy=strategy.ALL_ITEMS if few else strategy.FIRST_ITEM,
        )
    except typeguard.TypeCheckError:
        return False
    except Exception:
        pass
    return True


def _refusal(value: Any, hint: Any, replaced: Replaced, depth: int) -> Refusal | None:
    instead = replaced(value)
    if instead is not ...:
        reason = clash(instead, hint)
        return None if reason is None else Refusal(reason, value)
    if depth > _DEEPEST or _is_stand_in(value):
        return None
    found = []
    for each in members(hint):
        refused = _of_member(value, each, replaced, depth)
        if refused is None:
            return None
        found.append(refused)
    return found[0] if len(found) == 1 else Refusal("", value)


def _of_member(value: Any, hint: Any, replaced: Replaced, depth: int) -> Refusal | None:
    """The same for a plain annotation that leaves no choice."""
    while isinstance(hint, typing.NewType):
        hint = plain(hint.__supertype__)
    cls = class_of(hint)
    if hint in (Any, object, typing.Never):
        return None
    if is_callable(hint):
        return None if _passes(value, hint) else Refusal("", value)
    if is_literal(hint) or isinstance(value, _SCALARS):
        return _told(literal_clash(value, hint, depth), value)
    if cls is None:
        return None
    if typing.get_origin(hint) is type:
        is_class = isinstance(value, type)
        return _told(clash(value, typing.get_args(hint)[0]) if is_class else "", value)
    if is_typed_dict(cls):
        return _of_typed_dict(value, cls, replaced, depth)
    if classes.clash(type(value), cls, exact=True) is not None:
        return Refusal("", value)
    if not _fits_in(value, hint):
        return Refusal(f"it has {len(value)} items, not {len(tuple_of(hint) or ())}", value)
    parts = _parts_and_hints(value, hint)
    if dataclasses.is_dataclass(value):  # what else is in its fields is between it and its class
        parts = (each for each in parts if any(replaced(inner) is not ... for inner in walk(each[0])))
    return _first(parts, replaced, depth)


def _told(reason: str | None, value: Any) -> Refusal | None:
    return None if reason is None else Refusal(reason, value)


def _of_typed_dict(value: Any, cls: Any, replaced: Replaced, depth: int) -> Refusal | None:
    if not isinstance(value, dict):
        return Refusal("", value)
    hints = hints_of(cls)
    for key in sorted(cls.__required_keys__):
        if key not in value:
            return Refusal(f"it has no key {key!r}", value)
    for key in value:
        if isinstance(key, str) and key not in hints:
            return Refusal(f"{shown(cls)} knows no key {key!r}", value)
    return _first(((each, hints.get(key, Any)) for key, each in value.items()), replaced, depth)


def _fits_in(value: Any, hint: Any) -> bool:
    shape = tuple_of(hint)
    return not isinstance(value, tuple) or shape is None or len(shape) == len(value)


def _parts_and_hints(value: Any, hint: Any) -> Iterable[tuple[Any, Any]]:
    """What is in a container, each with the annotation that it is asked to be of."""
    cls = type(value)
    if issubclass(cls, dict):
        key, item = pairs(hint) or (items(hint), Any)
        for name, part in itertools.islice(dict.items(value), _LOOKED_AT):
            yield name, key
            yield part, item
    elif issubclass(cls, tuple) and (shape := tuple_of(hint)) is not None:
        yield from zip(value, shape, strict=True)
    elif issubclass(cls, _CONTAINERS):
        item = items(hint)
        yield from ((part, item) for part in itertools.islice(value, _LOOKED_AT))
    elif dataclasses.is_dataclass(cls):
        hints = hints_of(cls)
        for field in dataclasses.fields(cls):
            yield getattr(value, field.name, None), hints.get(field.name, Any)


def _first(parts: Iterable[tuple[Any, Any]], replaced: Replaced, depth: int) -> Refusal | None:
    return next(
        (found for part, hint in parts if (found := _refusal(part, hint, replaced, depth + 1)) is not None),
        None,
    )
