"""Judges whether a value, which may have futures anywhere inside, is what a parameter asks for.

Of plain values the library typeguard is asked; what it refuses is only wrong if `fits.py` finds it wrong as well,
which knows that NumPy's numbers do for Python's. So the checks of a plan and those of a run say the same.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import reprlib
import typing
from collections.abc import Callable, Iterable, Iterator
from types import NoneType
from typing import Any, Final, NamedTuple

from .._core.files import File
from .._show import words
from . import classes
from .annotations import class_of, members, plain
from .containers import is_typed_dict, items, pairs, tuple_of
from .fits import clash, is_callable, is_literal, literal_clash
from .functions import is_silent
from .parts import CONTAINERS, DEEPEST, LOOKED_AT, is_small, walk
from .resolve import hints_of
from .shown import shown

Replaced = Callable[[object], object]
"""Of what is replaced before a call is made, as a future, the type of what will be there; `...` of what stays."""

_DEEPEST: Final = 100  # containers inside of each other, where all is looked at
_LOOKED_INTO: Final = 2_000  # parts of one argument, beside those that are alike
_ITEM: Final = re.compile(r"item (\d+)")
_LONGEST: Final = 80  # characters of a value that are shown
_SCALARS: Final = (NoneType, bool, int, float, complex, str, bytes)


class Refusal(NamedTuple):
    """Why a value is not what is asked for.

    Args:
        reason: in words; "" if there is no more to say.
        culprit: the part that is wrong; the whole value, if that is.
    """

    reason: str
    culprit: object


def refusal(value: object, hint: object, replaced: Replaced | None = None) -> Refusal | None:
    """Why a value is not what is asked for; None if it is, or if that is not known.

    Args:
        value: with or without futures.
        hint: annotation of what is asked for.
        replaced: tells what comes in place of parts of it; None if nothing does.
    """
    stays = replaced is None or all(replaced(each) is ... for each in walk(value))
    if stays and _refused(value, hint, everything=is_small(value)) is None:
        return None
    return _Look(_stays if replaced is None else replaced).refusal(value, hint, 0)


def problem_with(value: object, hint: object) -> tuple[str, object] | None:
    """Why a value that has come is not of a type, in words, and the part of it that is not; None if it is. All of it is
    looked at.
    """
    if is_silent(hint) or isinstance(value, File):  # a file that is not brought, as where nothing runs
        return None
    refused = _refused(value, hint, everything=True)
    if refused is None or _Look(_stays, everything=True).refusal(value, hint, 0) is None:
        return None
    return _in_words(value, refused)


def _stays(value: object) -> object:
    return ...


def _refused(value: object, hint: object, *, everything: bool) -> Exception | None:
    """What the library says."""
    import typeguard  # only who asks for checks pays for it

    strategy = typeguard.CollectionCheckStrategy
    try:
        typeguard.check_type(
            value,
            hint,
            forward_ref_policy=typeguard.ForwardRefPolicy.IGNORE,
            collection_check_strategy=strategy.ALL_ITEMS if everything else strategy.FIRST_ITEM,
        )
    except typeguard.TypeCheckError as error:
        return error
    except Exception:  # an annotation that it cannot make sense of
        return None
    return None


def _in_words(value: object, error: Exception) -> tuple[str, object]:
    """Which part of a value is wrong: "item 2 is str, '3.5'"."""
    steps = [str(step) for step in getattr(error, "_path", ())]
    part, where = value, []
    for step in reversed(steps[:-1]):  # from the outside; the last names the class of the whole
        found = _ITEM.fullmatch(step)
        if found is None or not isinstance(part, (list, tuple)):
            return f"it is {_what(value)}: {words.plain(str(error))}", value
        part = part[int(found[1])]
        where.append(step)
    if not where:
        return f"it is {_what(value)}", value
    return f"{' of '.join(reversed(where))} is {_what(part)}", part


def _what(value: object) -> str:
    """The class of a value, and the value in short."""
    try:
        text = reprlib.repr(value)
    except Exception:  # a broken __repr__ must not hide what is wrong
        text = "..."
    return f"{type(value).__name__}, {words.plain(text, _LONGEST)}"


class _Look:
    """One look at an argument, which ends after so many parts: what has not been seen is taken to be right.

    Args:
        replaced: tells what comes in place of parts of it.
        everything: whether to look at all of it.
    """

    def __init__(self, replaced: Replaced, *, everything: bool = False) -> None:
        self._replaced = replaced
        self._items = None if everything else 2 * LOOKED_AT
        self._deepest = _DEEPEST if everything else DEEPEST
        self._left: float = math.inf if everything else _LOOKED_INTO
        self._fit: set[tuple[type, int]] = (
            set()
        )  # classes of plain values, with the ids of hints that they do for

    def refusal(self, value: object, hint: object, depth: int) -> Refusal | None:
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
        if self._left < 0 or depth > self._deepest:
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

    def _of_member(self, value: object, hint: object, depth: int) -> Refusal | None:
        """The same for a plain annotation that leaves no choice."""
        while isinstance(hint, typing.NewType):
            hint = plain(hint.__supertype__)
        cls = class_of(hint)
        if hint in (Any, object, typing.Never):
            return None
        if is_callable(hint):
            return None if _refused(value, hint, everything=True) is None else Refusal("", value)
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

    def _parts(self, value: object, hint: object) -> Iterable[tuple[object, object]]:
        if not dataclasses.is_dataclass(value):
            return itertools.islice(_parts_of_container(value, hint), self._items)
        hints = hints_of(type(value))
        fields = [
            (getattr(value, field.name, None), hints.get(field.name, Any))
            for field in dataclasses.fields(value)
        ]  # what is not replaced there is between the object and its class
        return [each for each in fields if any(self._replaced(inner) is not ... for inner in walk(each[0]))]

    def _first(self, parts: Iterable[tuple[object, object]], depth: int) -> Refusal | None:
        for part, hint in parts:
            found = self.refusal(part, hint, depth + 1)
            if found is not None:
                return found
        return None


def _told(reason: str | None, value: object) -> Refusal | None:
    return None if reason is None else Refusal(reason, value)


def _keys(value: object, cls: Any) -> Refusal | None:
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


def _parts_of_typed_dict(value: Any, cls: Any) -> Iterable[tuple[object, object]]:
    hints = hints_of(cls)
    return [(part, hints.get(key, Any)) for key, part in value.items()]


def _parts_of_container(value: Any, hint: object) -> Iterator[tuple[object, object]]:
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
