"""What `typing.TypedDict` makes, for pydantic, which before Python 3.12 reads only what typing_extensions makes:
the standard library's does not know there which keys are inherited.
"""

from __future__ import annotations

import sys
import typing
from types import GenericAlias, UnionType
from typing import Any, Final

import typing_extensions

_IS_READ: Final = sys.version_info >= (3, 12)


def readable(annotation: Any, around: tuple[object, ...] = ()) -> Any:
    """An annotation with each `typing.TypedDict` in it as pydantic can read it.

    Args:
        annotation: any.
        around: the classes that it stands in; one that stands in itself is any dict there.
    """
    if _IS_READ:
        return annotation
    if isinstance(annotation, type) and typing.is_typeddict(annotation):
        return dict[str, Any] if annotation in around else _made(annotation, (*around, annotation))
    parts = getattr(annotation, "__args__", None)
    if not isinstance(parts, tuple) or typing.get_origin(annotation) is typing.Literal:
        return annotation
    read = tuple(readable(each, around) for each in parts)
    if all(map(_is, read, parts)):
        return annotation
    if isinstance(annotation, UnionType):
        return typing.Union[read]  # noqa: UP007  # of a tuple
    if isinstance(annotation, GenericAlias):
        made: Any = annotation.__origin__
        return made[read]
    return annotation.copy_with(read)


def _is(one: object, other: object) -> bool:
    return one is other


def _made(kind: Any, around: tuple[object, ...]) -> Any:
    fields: dict[str, Any] = {}
    for name, given in typing.get_type_hints(kind, include_extras=True).items():
        how, of = typing.get_origin(given), given
        if how in (typing.Required, typing.NotRequired):
            of = given.__args__[0]
        else:
            how = typing.Required if name in kind.__required_keys__ else typing.NotRequired
        is_there = typing_extensions.Required if how is typing.Required else typing_extensions.NotRequired
        fields[name] = is_there[readable(of, around)]
    return typing_extensions.TypedDict(kind.__name__, fields)  # type: ignore[operator]
