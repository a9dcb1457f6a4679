"""How an exception is pickled: as it was, with all that it takes along.

Pickle calls an exception's class with its ``args`` and forgets what it holds beside attributes. Here it is rebuilt
without its own ``__init__``, which may take other arguments or say something else with them; with slots and the fields
of built-in classes; and with its cause, its context and the members of a group. Each of these is packed apart from the
rest: if it cannot be sent, or not be rebuilt on the other side, an envelope with the same facts stands in its place,
and the others arrive all the same.
"""

from __future__ import annotations

import copyreg
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

from .._causes import add_note, brief
from ..errors import RemoteError

_LONGEST: Final = 50  # exceptions, each the cause or the context of the one before, that travel
_LOOKED_AT: Final = 1000  # objects among which one is looked for that cannot be sent
_POINTER: Final = 8  # bytes by which a slot, or the list of weak references, makes an object larger
_LINKS: Final = ("__cause__", "__context__", "__suppress_context__")
_ELSEWHERE: Final = frozenset(
    # Of an `AttributeError` this is the object that has not the attribute: nothing that its failure should carry.
    {"obj", "message", "exceptions", "__traceback__", "__dict__", *_LINKS}
)

Group = tuple[list[BaseException], tuple[object, ...] | None]
"""The members of a group, and its arguments if these are others than its message and its members."""

Pack = Callable[[BaseException], bytes]
"""Pickles an exception alone: without what it takes along."""


class Exceptions:
    """The exceptions of one pickle.

    Args:
        pack: for those that are packed apart.
        alone: the one that is packed without what it takes along; None if there is no such.
    """

    def __init__(self, pack: Pack, alone: BaseException | None = None) -> None:
        self._pack = pack
        self._alone = alone
        self._apart: dict[
            int, tuple[BaseException, str]
        ] = {}  # with the traceback to be told; held, so ids stay
        self._depths: dict[int, int] = {}

    def put_apart(self, error: BaseException, told: str = "") -> None:
        """Have an exception packed apart.

        Args:
            error: it.
            told: its traceback as text, if that is to be told.
        """
        self._apart.setdefault(id(error), (error, told))

    def reduced(self, error: BaseException) -> object:
        """What pickle needs to rebuild it."""
        group = _group(error)
        if error is self._alone:
            bare = None, None, error.__suppress_context__
            return _reduced(error, group and ([ValueError()], None), bare)
        links = self._links(error)
        for member in group[0] if group else ():
            self._follow(error, member)
        if id(error) not in self._apart:
            return _reduced(error, group, links)
        packed, why = self._tried(error)
        facts = type(error).__qualname__, brief(error), self._apart[id(error)][1], why
        return opened, (packed, facts, group), links, None, None, link

    def _links(self, error: BaseException) -> tuple[object, ...]:
        cause, context = error.__cause__, error.__context__
        return self._follow(error, cause), self._follow(error, context), error.__suppress_context__

    def _follow(self, error: BaseException, other: BaseException | None) -> BaseException | None:
        depth = self._depths.get(id(error), 0) + 1
        if other is None or depth > _LONGEST:
            return None
        self._depths.setdefault(id(other), depth)
        self.put_apart(other)
        return other

    def _tried(self, error: BaseException) -> tuple[bytes, str]:
        """An exception packed, if it can be and be rebuilt, and else why not."""
        try:
            packed = self._pack(error)
            rebuilt = pickle.loads(packed)
            if type(rebuilt).__name__ != type(error).__name__:
                return b"", "it is rebuilt as something else"
        except BaseException as problem:  # also what would end the process
            return b"", what_hinders(error, self._pack_part) or brief(problem)
        return packed, ""

    def _pack_part(self, part: object) -> bytes:
        return self._pack(_Part(part))


class _Part(Exception):
    """Holds one of an exception's parts, to see whether that can be pickled."""


# -- as it is -----------------------------------------------------------------------------------------------------


def _group(error: BaseException) -> Group | None:
    if not isinstance(error, BaseExceptionGroup):
        return None
    members: list[BaseException] = [*error.exceptions]
    is_usual = len(error.args) == 2 and error.args[0] == error.message and [*error.args[1]] == members
    return members, None if is_usual else error.args


def _reduced(error: BaseException, group: Group | None, links: tuple[object, ...]) -> object:
    cls: Any = type(error)
    way = copyreg.dispatch_table.get(cls)
    if way is not None and way is copyreg.dispatch_table.get(BaseException):
        way = None  # of all exceptions, as tblib has it, which Dask loads: it knows nothing of this one's fields
    if way is None and _is_known(cls):
        base = _built_in(cls)
        args = base.__reduce__(error)[1]
        if group is not None:
            args = error.message, group[0]  # type: ignore[attr-defined]
        state = _state(error, base, group), error.__dict__ or None, links
        return rebuilt, (cls, base, args), state, None, None, fill
    parts = error.__reduce_ex__(4) if way is None else way(error)
    if isinstance(parts, str):
        return parts
    make, args, own, *items = (*parts, None, None, None)[:5]
    notes = error.__dict__.get("__notes__")
    return make, args, ((own, notes), links), *items, fill_as_told


def _state(error: BaseException, base: type, group: Group | None) -> dict[str, object]:
    """The fields of the built-in class, and slots."""
    fields = {name: value for name in _fields(base) if (value := getattr(error, name, None)) is not None}
    arguments = error.args if group is None else group[1]
    if arguments is not None:
        fields["args"] = arguments
    kept = object.__getstate__(error)
    return fields | kept[1] if isinstance(kept, tuple) else fields


def rebuilt(cls: type[BaseException], base: type[BaseException], args: tuple[object, ...]) -> BaseException:
    """A new exception, made by its built-in class alone."""
    error = base.__new__(cls, *args)
    with suppress(TypeError):  # its class has never called this, or with something else
        base.__init__(error, *args)
    return error


def fill(
    error: BaseException, state: tuple[dict[str, object], dict[str, object] | None, tuple[object, ...]]
) -> None:
    """Set what it holds, also of one that is frozen."""
    fields, attributes, links = state
    for name, value in fields.items():
        with suppress(AttributeError, TypeError):
            object.__setattr__(error, name, value)
    error.__dict__.update(attributes or ())
    link(error, links)


def fill_as_told(error: object, state: tuple[tuple[Any, object], tuple[object, ...]]) -> None:
    """The same for a class that says how it is pickled."""
    (own, notes), links = state
    if own is not None:
        if hasattr(error, "__setstate__"):
            error.__setstate__(own)
        else:
            error.__dict__.update(own)
    if isinstance(error, BaseException):
        if notes and "__notes__" not in error.__dict__:
            error.__dict__["__notes__"] = notes
        link(error, links)


def link(error: BaseException, links: tuple[object, ...]) -> None:
    """Set its cause and its context."""
    for name, value in zip(_LINKS, links, strict=True):  # the cause first, which sets the last
        object.__setattr__(error, name, value)


@lru_cache(256)  # those that are made in tasks go some day
def _built_in(cls: Any) -> type[BaseException]:
    found: type[BaseException] = next(each for each in cls.__mro__ if each.__module__ == "builtins")
    return found


@lru_cache(256)  # those that are made in tasks go some day
def _fields(base: Any) -> list[str]:
    """What a built-in class keeps beside ``args``: of an `OSError` its number and its file, and so on."""
    kinds = (MemberDescriptorType, GetSetDescriptorType)
    return [
        name
        for cls in base.__mro__
        for name, value in vars(cls).items()
        if isinstance(value, kinds) and name not in _ELSEWHERE and name != "args"
    ]


@lru_cache(256)  # those that are made in tasks go some day
def _is_known(cls: Any) -> bool:
    """Whether all that such an exception is made of is known: Python alone has made its class, out of a built-in one,
    and it does not say itself how it is pickled."""
    base = _built_in(cls)
    own = cls.__mro__[: cls.__mro__.index(base)]
    slots = sum(isinstance(value, MemberDescriptorType) for each in own for value in vars(each).values())
    if cls.__basicsize__ > base.__basicsize__ + _POINTER * (slots + 1):
        return False  # something of an extension is in it
    if cls.__reduce__ != base.__reduce__ or cls.__reduce_ex__ != base.__reduce_ex__:
        return False
    ways = (getattr(cls, name) for name in ("__getstate__", "__setstate__"))
    return all(not hasattr(way, "__code__") or way.__module__ == "dataclasses" for way in ways)


# -- apart ----------------------------------------------------------------------------------------------------------


def opened(packed: bytes, facts: tuple[str, str, str, str], group: Group | None) -> BaseException:
    """An exception that was packed apart, or an envelope with its facts."""
    try:
        if not packed:
            return RemoteError(*facts)
        error: BaseException = pickle.loads(packed)
        if group is not None:
            error = _with_members(error, *group)
        if facts[2]:
            add_note(error, f"Where it was raised:\n{facts[2]}")
    except KeyboardInterrupt:
        raise
    except BaseException:  # also what would end the program
        return RemoteError(*facts)
    return error


def _with_members(
    group: Any, members: list[BaseException], arguments: tuple[object, ...] | None
) -> BaseException:
    cls: Any = type(group)
    error = rebuilt(cls, _built_in(cls), (group.message, members))
    error.__dict__.update(group.__dict__)
    if arguments is not None:
        object.__setattr__(error, "args", arguments)
    return error


# -- what hinders ------------------------------------------------------------------------------------------------------


def what_hinders_in(value: object, pack: Callable[[object], object]) -> str:
    """The same for a value in which exceptions are: for the first of them that cannot be pickled.

    Args:
        value: an exception, or a list, tuple or dict.
        pack: pickles one part.
    """
    ahead = [value]
    for item in ahead:  # it grows meanwhile
        if isinstance(item, BaseException):
            if why := what_hinders(item, pack):
                return why if item is value else f"of a {type(item).__name__} in it {why}"
        elif len(ahead) < _LOOKED_AT:
            if isinstance(item, (list, tuple)):
                ahead += item[:_LOOKED_AT]
            elif isinstance(item, dict):
                ahead += islice(item.values(), _LOOKED_AT)
    return ""


def what_hinders(error: BaseException, pack: Callable[[object], object]) -> str:
    """The part of an exception that cannot be pickled, in words; "" if each of them can. ``pack`` pickles one part."""
    for name, value in _parts(error):
        try:
            pack(value)
        except BaseException as problem:
            return f"its {name}, a {type(value).__name__}, cannot be: {brief(problem)}"
    return ""


def largest(error: BaseException) -> str:
    """The largest part of an exception, in words."""
    sizes = [(_size(value), name, type(value).__name__) for name, value in _parts(error)]
    if not sizes:
        return ""
    size, name, kind = max(sizes)
    return f"its {name}, a {kind}, takes {size:,} bytes or more"


def _parts(error: BaseException) -> Iterator[tuple[str, object]]:
    for name, value in error.__dict__.items():
        yield f"attribute {name!r}", value
    for index, value in enumerate(error.args):
        yield f"argument {index + 1}", value


def _size(value: object) -> int:
    try:
        return int(getattr(value, "nbytes", 0)) or sys.getsizeof(value)
    except Exception:
        return 0
