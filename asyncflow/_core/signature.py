"""Tells whether arguments fit a function, fast when they do and in the standard library's words when not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Parameters:
    """The parameters of one function.

    Args:
        fn: any callable; one that tells no signature, as some of C, is taken to accept everything.
        name: the task's name, for the error.
    """

    __slots__ = ("_least", "_most", "_name", "signature")

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self._name = name
        self.signature = _signature(fn)
        self._least, self._most = _simple_range(self.signature)

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise the `TypeError` that calling the function would raise.

        Args:
            args: positional arguments.
            kwargs: keyword arguments.

        Raises:
            TypeError: they do not fit.
        """
        if not kwargs and self._least <= len(args) <= self._most:
            return
        if self.signature is None:
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as problem:
            raise TypeError(f"{self._name}() {problem}; its parameters are {self.signature}") from None


def _signature(fn: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):
        return None


def _simple_range(signature: inspect.Signature | None) -> tuple[float, float]:
    """How many positional arguments alone are right for sure; an empty range where that cannot be said."""
    if signature is None:
        return 0, float("inf")
    least, most = 0.0, 0.0
    for parameter in signature.parameters.values():
        required = parameter.default is inspect.Parameter.empty
        if parameter.kind in _POSITIONAL:
            least, most = least + required, most + 1
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            most = float("inf")
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY and required:
            return 1, 0
    return least, most
