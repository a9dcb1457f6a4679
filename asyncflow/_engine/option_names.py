"""What somebody likely meant who gave an option that there is not, and which options there are, for editors."""

from __future__ import annotations

import inspect
import linecache
import re
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final, TypeVar

from .._core.near import meant
from .._core.options import TaskOptions
from .._tracebacks import trim

_KEY: Final = re.compile(r'^    (\w+): .*\n    """((?:.|\n)*?)"""$', re.MULTILINE)
_OPTIONS: Final = re.compile(r"^( +)options: .*\n", re.MULTILINE)


def _told() -> dict[str, str]:
    """What is told of each option at its key, for editors. The interpreter drops it, so it is read from the source."""
    spec = sys.modules[TaskOptions.__module__].__spec__
    assert spec is not None
    get_source = getattr(spec.loader, "get_source", None)
    if get_source is None:  # pytest's own loader, which rewrites asserts, has none
        source = "".join(linecache.getlines(spec.origin or ""))
    else:
        source = get_source(TaskOptions.__module__) or ""
    return dict(_KEY.findall(source))


_TOLD: Final = _told()
F = TypeVar("F", bound=Callable[..., object])


def names_options(function: F) -> F:
    """Have a function that is given an unknown option suggest the option that was likely meant."""
    code = function.__code__
    first, last = code.co_posonlyargcount, code.co_argcount + code.co_kwonlyargcount
    known = frozenset(code.co_varnames[first:last])

    @wraps(function)
    def checked(*args: object, **options: object) -> object:
        try:
            if not options.keys() <= known:
                raise _no_option(function, min(options.keys() - known), known)
            return function(*args, **options)
        except Exception as error:
            trim(error)
            raise

    return checked  # type: ignore[return-value]


def _no_option(function: Any, option: str, known: frozenset[str]) -> TypeError:
    shown = sorted(known - {"self"})
    who = function.__qualname__.removesuffix(".__init__")
    return TypeError(
        f"{who}() has no option {option!r}.{meant(option, shown)}\n  It has: {', '.join(shown)}."
    )


def shows_options(*kinds: type[TaskOptions]) -> Callable[[F], F]:
    """Have a function that passes options on show them one by one in its signature and its documentation."""
    options = {name: default for each in kinds for name, default in each.defaults().items()}

    def showing(function: F) -> F:
        signature = inspect.signature(function)
        *own, _ = signature.parameters.values()  # the last takes all options
        named = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in options.items()
        ]

        @wraps(function)
        def shown(*args: object, **given: object) -> object:
            try:
                return function(*args, **given)
            except Exception as error:
                trim(error)
                raise

        shown.__doc__ = _OPTIONS.sub(lambda line: _lines(line[1], options), function.__doc__ or "")
        shown.__signature__ = signature.replace(parameters=[*own, *named])  # type: ignore[attr-defined]
        return shown  # type: ignore[return-value]

    return showing


def _lines(indent: str, options: Iterable[str]) -> str:
    lines = [f"{name}: {_TOLD.get(name, '')}" for name in options]
    return "".join(indent + line.replace("\n    ", f"\n{indent}    ") + "\n" for line in lines)
