"""Classes by value: rebuilt as they stand, without running again what ran when they were made.

A class is made empty, with its bases and slots, and is then given all that stands in it. No metaclass, no
``__init_subclass__`` and no ``__set_name__`` hears of it: they have done their work, at home, on the whole class.
"""

from __future__ import annotations

import abc
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from types import (
    BuiltinMethodType,
    GetSetDescriptorType,
    MemberDescriptorType,
    WrapperDescriptorType,
    new_class,
)
from typing import Any, Final

from . import known
from .enums import members_of, set_members, without_strangers
from .kinds import sendable
from .known import Token
from .space import Space

_LOCK: Final = threading.RLock()
_NEVER_SENT: Final = frozenset({"_abc_impl", "__annotate__", "__annotate_func__", "__annotations_cache__"})
_FOR_A_START: Final[tuple[str, ...]] = (
    "__module__",
    "__qualname__",
    "__firstlineno__",
    "__static_attributes__",
)
_IMMUTABLE: Final = 1 << 8  # the flag of classes in which nothing can be set
_WORD: Final = re.compile(r"[^\W\d]\w*")


def reduced(cls: type, space: Space) -> tuple[object, ...]:
    """How to rebuild a class; ``space`` holds the names of its module."""
    token = known.token_of(cls)
    content = _content(cls)
    start = {name: content[name] for name in _FOR_A_START if name in content}
    start["__qualname__"] = cls.__qualname__
    if "__slots__" in content:
        start["__slots__"] = _slots(cls)
    members = None
    if issubclass(cls, Enum):
        content = without_strangers(content)
        members = members_of(cls)
    if "<" in cls.__qualname__:
        versions = known.ever_newer(content)
    else:
        versions = known.versions(f"{cls.__module__}:{cls.__qualname__}", content)
    # a metaclass written in C may be found nowhere but as the class of a base
    meta = type(cls) if all(type(base) is not type(cls) for base in cls.__bases__) else None
    made = (token, meta, cls.__name__, cls.__bases__, start, space)
    mentions = space.told(names_in(annotations_of(cls)))
    state = (token, sendable(content, None), versions, members, _registered(cls), mentions)
    return make, made, state, None, None, fill


def _content(cls: type) -> dict[str, object]:
    """All that stands in a class but for what comes with its making."""
    content = {}
    for name, value in cls.__dict__.items():
        kind = type(value)
        if (kind is GetSetDescriptorType or kind is MemberDescriptorType) and value.__objclass__ is cls:
            continue
        if name not in _NEVER_SENT and kind.__name__ != "CField":  # of `ctypes`: come with the fields
            content[name] = value
    if "__annotate_func__" in cls.__dict__ or "__annotate__" in cls.__dict__:
        content["__annotations__"] = annotations_of(cls)
    return content


def annotations_of(thing: Any) -> dict[str, object]:
    """The annotations of a function or a class."""
    import inspect  # which takes a while to load, and workers seldom need it

    try:
        return inspect.get_annotations(thing)  # to ask a class itself would give it some
    except Exception:  # from Python 3.14 on it is the user's code that runs here
        return {}


def _slots(cls: type) -> tuple[str, ...]:
    """The slots that a class has, whatever is said of them."""
    own = cls.__dict__
    slots = [
        name for name, each in own.items() if type(each) is MemberDescriptorType and each.__objclass__ is cls
    ]
    slots += [name for name in ("__dict__", "__weakref__") if type(own.get(name)) is GetSetDescriptorType]
    return tuple(slots)


def _registered(cls: type) -> tuple[type, ...]:
    """The classes that an abstract one was told of."""
    if not issubclass(type(cls), abc.ABCMeta):
        return ()
    found = [reference() for reference in abc._get_dump(cls)[0]]  # type: ignore[attr-defined]
    return tuple(each for each in found if each is not None)


def names_in(annotations: dict[str, object]) -> set[str]:
    """What annotations that are text mention: somebody may ask what they mean."""
    return {word for each in annotations.values() if isinstance(each, str) for word in _WORD.findall(each)}


# -- on the other side ----------------------------------------------------------------------------------------


def make(
    token: Token,
    meta: Any,
    name: str,
    bases: tuple[type, ...],
    start: dict[str, object],
    space: dict[str, object],
) -> type:
    """The class of a token, as it is here already or made empty."""
    found: type | None = known.known(token)
    if found is not None:
        return found
    if meta is None:
        meta = _winner(bases)
    with _without_hooks(bases):
        cls: type = (
            new_class(name, bases, {"metaclass": meta}, lambda names: names.update(start))
            if _is_written_in_c(meta)  # and makes its classes itself
            else type.__new__(meta, name, bases, dict(start))
        )
    if issubclass(meta, abc.ABCMeta):
        abc._abc_init(cls)  # type: ignore[attr-defined]
    known.remember(token, cls)
    known.rebuilt(token)
    if "." not in cls.__qualname__ and not known.is_home(token):
        space[cls.__qualname__] = cls  # where pickle looks for it
    return cls


def _winner(bases: tuple[type, ...]) -> object:
    """The metaclass of a class with these bases that has none of its own."""
    kinds = [type(base) for base in bases]
    return next(kind for kind in kinds if all(issubclass(kind, each) for each in kinds))


def _is_written_in_c(meta: type) -> bool:
    """Whether a metaclass has a part in the making of its classes that is no Python, as those of `ctypes` have."""
    own = [vars(each) for each in meta.__mro__ if each not in (type, object)]
    return any(
        isinstance(each.get("__init__"), WrapperDescriptorType)
        or isinstance(each.get("__new__"), BuiltinMethodType)
        for each in own
    )


@contextmanager
def _without_hooks(bases: tuple[type, ...]) -> Iterator[None]:
    """Let nobody hear of a new class with these bases."""
    changed: list[tuple[type, object]] = []
    with _LOCK:
        try:
            for base in bases:
                if not base.__flags__ & _IMMUTABLE and _has_hook(base):
                    before = base.__dict__.get("__init_subclass__")
                    type.__setattr__(base, "__init_subclass__", classmethod(_hears_nothing))
                    changed.append((base, before))
            yield
        finally:
            for base, before in changed:
                if before is None:
                    type.__delattr__(base, "__init_subclass__")
                else:
                    type.__setattr__(base, "__init_subclass__", before)


def _has_hook(base: type) -> bool:
    """Whether somebody hears of subclasses; also one in C, as of `Generic` from Python 3.12 on."""
    return any("__init_subclass__" in each.__dict__ for each in base.__mro__[:-1])


def _hears_nothing(cls: type) -> None:
    pass


def fill(cls: type, state: Any) -> None:
    """Set what stands in a class, as far as it has changed at its home since it was last set here."""
    token, content, versions, members, registered, mentions = state
    known.set_names(*mentions)
    if known.is_own(token):
        return
    for name in known.gone(token, versions):
        if name in cls.__dict__:
            type.__delattr__(cls, name)
    if members is not None:
        set_members(cls, members)
    for name in known.newer(token, versions):
        _set(cls, name, content[name])
    for each in registered:
        abc.ABCMeta.register(cls, each)  # type: ignore[arg-type]


def _set(cls: type, name: str, value: object) -> None:
    try:
        type.__setattr__(cls, name, value)
    except TypeError:  # the metaclass is written in C
        setattr(cls, name, value)
