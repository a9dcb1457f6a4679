"""What somebody likely meant who gave an option that there is not: for all functions of the face that take options."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from .._core.options import meant
from .._tracebacks import trim

F = TypeVar("F", bound=Callable[..., Any])


def _no_option(function: Any, option: str, known: frozenset[str]) -> TypeError:
    shown = sorted(known - {"self", "fn", "engine"})
    who = function.__qualname__.removesuffix(".__init__")
    return TypeError(
        f"{who}() has no option {option!r}.{meant(option, shown)}\n  It has: {', '.join(shown)}."
    )


def names_options(function: F) -> F:
    """Have a function say which of its options somebody likely meant who gave one that it does not have.

    Args:
        function: with keyword arguments.
    """
    code = function.__code__
    first, last = code.co_posonlyargcount, code.co_argcount + code.co_kwonlyargcount
    known = frozenset(code.co_varnames[first:last])

    @wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        try:
            if not options.keys() <= known:
                raise _no_option(function, min(options.keys() - known), known)
            return function(*args, **options)
        except Exception as error:
            trim(error)
            raise

    return checked  # type: ignore[return-value]
