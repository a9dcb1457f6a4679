"""Chains: calls that wait only for one another and are sent together, so that a link costs no round trip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


class Previous:
    """Stands, among the arguments of a link, for the value of the call before."""

    def __reduce__(self) -> str:
        return "PREVIOUS"

    def __repr__(self) -> str:
        return "<the value of the call before>"


PREVIOUS: Final = Previous()


def with_previous(
    args: tuple[object, ...], kwargs: Mapping[str, object], previous: object
) -> tuple[tuple[object, ...], Mapping[str, object]]:
    """The arguments of a link, with the value of the call before it in its places."""
    args = tuple([previous if arg is PREVIOUS else arg for arg in args])
    if kwargs:
        kwargs = {name: previous if arg is PREVIOUS else arg for name, arg in kwargs.items()}
    return args, kwargs
