"""Checks of what is given for an option: an error names the option, what was given, and what may be. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

Labels = Iterable[str] | Callable[..., str] | None
"""One label for each call, or what makes one of the arguments."""


def whole(option: str, given: Any, least: int = 1) -> int:
    """A whole number.

    Args:
        option: its name.
        given: what was given for it.
        least: the smallest that may be.

    Raises:
        TypeError: no whole number.
        ValueError: a smaller one.
    """
    if isinstance(given, bool) or not hasattr(type(given), "__index__"):
        raise TypeError(f"{option}={given!r}: a whole number is needed, {least} or more")
    number: int = given.__index__()
    if number < least:
        at_least = "at least one is needed" if least == 1 else f"a whole number is needed, {least} or more"
        raise ValueError(f"{option}={given!r}: {at_least}")
    return number


def whole_or_none(option: str, given: Any, least: int = 1) -> int | None:
    """The same where None leaves it open."""
    return None if given is None else whole(option, given, least)


def flag(option: str, given: Any) -> bool:
    """Yes or no.

    Args:
        option: its name.
        given: what was given for it.

    Raises:
        TypeError: it is neither True nor False.
    """
    if not isinstance(given, bool):
        raise TypeError(f"{option}={given!r}: it can be True or False")
    return given


def duration(option: str, given: Any, *, is_limit: bool = False) -> float:
    """A duration in seconds, 0 or more.

    Args:
        option: its name.
        given: a number, or a `timedelta`.
        is_limit: whether it is for something that takes time: more than 0, and perhaps for ever.

    Raises:
        TypeError: it is neither.
        ValueError: it is none, or out of range.
    """
    length = given.total_seconds() if hasattr(given, "total_seconds") else given
    if isinstance(length, bool) or not isinstance(length, (int, float)):
        raise TypeError(f"{option}={given!r}: it takes seconds as a number, or a timedelta")
    if is_limit and not length > 0:
        raise ValueError(f"{option}={given!r}: it takes seconds, more than 0")
    if not is_limit and not (isfinite(length) and length >= 0):
        raise ValueError(f"{option}={given!r}: it takes seconds, 0 or more")
    return length


def mapping(option: str, given: Any) -> Mapping[Any, Any]:
    """Something by name.

    Args:
        option: its name.
        given: what was given for it.

    Raises:
        TypeError: it is no mapping.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"{option}={given!r}: a dict is needed")
    return given


def meant(given: object, known: Iterable[str]) -> str:
    """What somebody who gave an unknown name likely meant, in words to be put behind a sentence; "" if nothing is near.

    Args:
        given: the name.
        known: those that there are.
    """
    if not isinstance(given, str):
        return ""
    from difflib import get_close_matches  # only for errors, and takes its while to load

    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(given.lower(), by_lower, 1)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""


def label_of(given: Any, name: str) -> str:
    """What was given for ``label=``.

    Args:
        given: it.
        name: of the task.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(given, str):
        raise TypeError(f"{name!r}: label={given!r}: text is needed")
    return given


def labelled(
    calls: Iterable[tuple[Any, ...]], label: Labels, name: str
) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The arguments of many calls, each with a label.

    Args:
        calls: positional arguments.
        label: one for each, or what makes one of the arguments.
        name: of the task.

    Raises:
        TypeError: a label is no text, or there is one for all.
        ValueError: there are fewer labels than calls.
    """
    if isinstance(label, str):
        raise TypeError(
            f"{name!r}: label={label!r}: map takes one for each call, or a function that makes one of the arguments.\n"
            f"  For all:  {name}.with_options(label={label!r}).map(...)"
        )
    labels = None if callable(label) else iter(label or ())
    for number, items in enumerate(calls):
        if labels is None:
            assert callable(label)
            own: Any = label(*items)
        else:
            own = next(labels, None)
            if own is None:
                raise ValueError(f"{name!r}: label= has {number:,} for map, and there are more calls")
        yield items, label_of(own, name)
