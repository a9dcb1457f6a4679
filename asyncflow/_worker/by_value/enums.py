"""Members of enumerations by value: as they stand, with their attributes, aliases and named combinations.

Whatever is asked for while its class is not yet filled is made as a shell, once, and given its attributes with the
class.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

_SHELLS: Final[dict[int, dict[str, object]]] = {}  # by the id of a class that is being filled
_HEAP: Final = 1 << 9  # the flag of classes that are not built into the interpreter or an extension


def is_named(member: Enum) -> bool:
    """Whether a member is one that its class knows by name, and not a combination made when it was needed."""
    return type(member)._member_map_.get(member._name_) is member


def reduced(member: Enum) -> tuple[object, ...]:
    """How to find a member of a class that travels by value."""
    return find, (type(member), member._name_, _base(member))


def _base(member: Enum) -> tuple[object, tuple[object, ...]]:
    """The built-in class that a member is of, too, and what that is made of."""
    base: Any = next(cls for cls in type(member).__mro__ if not cls.__flags__ & _HEAP)
    if base is object:
        return object, ()
    if "__getnewargs__" in base.__dict__:
        return base, base.__getnewargs__(member)
    return base, base.__reduce__(member)[1]


def find(cls: Any, name: str, base: tuple[object, tuple[object, ...]]) -> object:
    """A member, or its shell if its class is not filled yet."""
    if "_member_map_" in cls.__dict__:
        return cls._member_map_[name]
    shells = _SHELLS.setdefault(id(cls), {})
    if name not in shells:
        kind, args = base
        shells[name] = kind.__new__(cls, *args)
    return shells[name]


def members_of(cls: Any) -> list[tuple[object, object]]:
    """The members and what each holds."""
    named = {id(each): each for each in cls._member_map_.values()}
    return [(each, _held(each)) for each in named.values()]


def _held(member: Enum) -> object:
    state = object.__getstate__(member)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if attributes and isinstance(attributes.get("_inverted_"), Enum):
        attributes = attributes | {
            "_inverted_": None
        }  # `~member`, a combination, is kept there once it was needed
    return attributes, slots


def without_strangers(content: dict[str, Any]) -> dict[str, object]:
    """What stands in a class without the combinations that were made when they were needed."""
    known = content.get("_value2member_map_")
    if not known:
        return content
    kept = {value: each for value, each in known.items() if is_named(each)}
    return content | {"_value2member_map_": kept} if len(kept) != len(known) else content


def set_members(cls: object, members: list[tuple[object, Any]]) -> None:
    """Give new members what they hold."""
    if _SHELLS.pop(id(cls), None) is None:
        return
    for member, (attributes, slots) in members:
        if attributes:
            member.__dict__.update(attributes)
        for name, value in (slots or {}).items():
            object.__setattr__(member, name, value)
