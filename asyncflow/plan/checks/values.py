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

from ..._inspect import classes
from ..._inspect.annotations import hints_of
from ..._inspect.containers import is_typed_dict, items, pairs, tuple_of
from ..._inspect.fits import clash, is_callable, is_literal, literal_clash
from ..._inspect.hints import class_of, members, plain, shown
from ...backends.stand_ins.opaque import StandIn
from .parts import CONTAINERS, DEEPEST, LOOKED_AT, is_small, walk

Replaced = Callable[[Any], Any]
"""Of what is replaced before a call is made, as a future, the type of what will be there; `...` of what stays."""

_LOOKED_INTO: Final = 2_000  # parts of one argument, beside those that are alike
_SCALARS: Final = (NoneType, bool, int, float, complex, str, bytes)


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
    return None if stays and _passes(value, hint) else _Look(replaced).refusal(value, hint, 0)


def _is_stand_in(value: Any) -> bool:
    return issubclass(type(value), StandIn)


def _passes(value: Any, hint: Any) -> bool:
    """What the library says."""
    import typeguard

    strategy = typeguard.CollectionCheckStrategy
    try:
        typeguard.check_type(
            value,
            hint,
            forward_ref_policy=typeguard.ForwardRefPolicy.IGNORE,
            collection_check_strategy=strategy.ALL_ITEMS if is_small(value) else strategy.FIRST_ITEM,
        )
    except typeguard.TypeCheckError:
        return False
    except Exception:
        pass
    return True


class _Look:
    """One look at an argument, which ends after so many parts: what has not been seen is taken to be right.

    Args:
        replaced: tells what comes in place of parts of it.
    """

    def __init__(self, replaced: Replaced) -> None:
        self._replaced = replaced
        self._left = _LOOKED_INTO
        self._fit: set[tuple[type, int]] = (
            set()
        )  # classes of plain values, with the ids of hints that they do for

    def refusal(self, value: Any, hint: Any, depth: int) -> Refusal | None:
        """Why a value is not what is asked for.

        Args:
            value: the argument, or a part of it.
            hint: annotation of what is asked for; held by whoever asks.
            depth: how far inside of others it is.
        """
        kind = type(value), id(hint)
        if kind in self._fit:
            return None
        instead = self._replaced(value)
        if instead is not ...:
            return _told(clash(instead, hint), value)
        self._left -= 1
        if self._left < 0 or depth > DEEPEST or _is_stand_in(value):
            return None
        found = []
        alternatives = members(hint)
        for each in alternatives:
            refused = self._of_member(value, each, depth)
            if refused is None:
                break
            found.append(refused)
        else:
            return found[0] if len(found) == 1 else Refusal("", value)
        if type(value) in _SCALARS and not any(each is bool or is_literal(each) for each in alternatives):
            self._fit.add(kind)
        return None

    def _of_member(self, value: Any, hint: Any, depth: int) -> Refusal | None:
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
            return _keys(value, cls) or self._first(_parts_of_typed_dict(value, cls), depth)
        if classes.clash(type(value), cls, exact=True) is not None:
            return Refusal("", value)
        shape = tuple_of(hint)
        if isinstance(value, tuple) and shape is not None and len(shape) != len(value):
            return Refusal(f"it has {len(value)} items, not {len(shape)}", value)
        return self._first(self._parts(value, hint), depth)

    def _parts(self, value: Any, hint: Any) -> Iterable[tuple[Any, Any]]:
        if not dataclasses.is_dataclass(value):
            return itertools.islice(_parts_of_container(value, hint), 2 * LOOKED_AT)
        hints = hints_of(type(value))
        fields = [
            (getattr(value, field.name, None), hints.get(field.name, Any))
            for field in dataclasses.fields(value)
        ]  # what is not replaced there is between the object and its class
        return [each for each in fields if any(self._replaced(inner) is not ... for inner in walk(each[0]))]

    def _first(self, parts: Iterable[tuple[Any, Any]], depth: int) -> Refusal | None:
        for part, hint in parts:
            found = self.refusal(part, hint, depth + 1)
            if found is not None:
                return found
        return None


def _told(reason: str | None, value: Any) -> Refusal | None:
    return None if reason is None else Refusal(reason, value)


def _keys(value: Any, cls: Any) -> Refusal | None:
    """What is wrong with the keys of a dict of which it is known which there may be."""
    if not isinstance(value, dict):
        return Refusal("", value)
    hints = hints_of(cls)
    for key in sorted(cls.__required_keys__):
        if key not in value:
            return Refusal(f"it has no key {key!r}", value)
    for key in value:
        if isinstance(key, str) and key not in hints:
            return Refusal(f"{shown(cls)} knows no key {key!r}", value)
    return None


def _parts_of_typed_dict(value: Any, cls: Any) -> Iterable[tuple[Any, Any]]:
    hints = hints_of(cls)
    return [(part, hints.get(key, Any)) for key, part in value.items()]


def _parts_of_container(value: Any, hint: Any) -> Iterator[tuple[Any, Any]]:
    """What is in a container, each with the annotation that it is asked to be of."""
    cls = type(value)
    if issubclass(cls, dict):
        key, item = pairs(hint) or (items(hint), Any)
        for name, part in dict.items(value):
            yield name, key
            yield part, item
    elif issubclass(cls, tuple) and (shape := tuple_of(hint)) is not None:
        yield from zip(value, shape, strict=True)
    elif issubclass(cls, CONTAINERS):
        item = items(hint)
        yield from ((part, item) for part in value)
