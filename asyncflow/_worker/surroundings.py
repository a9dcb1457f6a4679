"""What a program has set for its whole process at its top, as a worker can have it, too.

Only what differs from a fresh interpreter's is sent, since to set it a worker has to load its module.
"""

from __future__ import annotations

import logging
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any, Final

_NUMPY: Final = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_STREAMS: Final = ("stdout", "stderr")


def seen() -> list[bytes]:
    """What is set in this process: pieces, each of which a worker sets by itself."""
    from .by_value.pickler import dumps

    pieces: list[bytes] = []
    for look in _LOOKS:
        for piece in look():
            try:
                pieces.append(dumps(piece))
            except Exception:  # as a filter for a class of warnings that cannot be sent
                continue
    return pieces


Piece = tuple[Callable[..., object], tuple[object, ...]]


def _limits() -> list[Piece]:
    return [
        (sys.setrecursionlimit, (sys.getrecursionlimit(),)),
        (sys.set_int_max_str_digits, (sys.get_int_max_str_digits(),)),
        (socket.setdefaulttimeout, (socket.getdefaulttimeout(),)),
    ]


def _decimal() -> list[Piece]:
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return []
    context = decimal.getcontext().copy()
    context.clear_flags()
    plain = decimal.Context(flags=[])
    return [(decimal.setcontext, (context,))] if repr(context) != repr(plain) else []


def _numpy() -> list[Piece]:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return []
    errors = numpy.geterr()
    return [(_set_numpy, (errors,))] if errors != _NUMPY else []


def _set_numpy(errors: dict[str, Any]) -> None:
    import numpy  # type: ignore[import-not-found,unused-ignore]

    numpy.seterr(**errors)


def _filters() -> list[Piece]:
    return [(_begin_filters, ())] + [(_add_filter, (each,)) for each in list(warnings.filters)]


def _begin_filters() -> None:
    warnings.resetwarnings()


def _add_filter(each: tuple[object, ...]) -> None:
    warnings.filters.append(each)  # type: ignore[attr-defined]


def _logs() -> list[Piece]:
    root = logging.getLogger()
    named = [
        each for each in list(logging.Logger.manager.loggerDict.values()) if isinstance(each, logging.Logger)
    ]
    set_there = [each for each in named if each.level or each.disabled or not each.propagate]
    if not root.handlers and root.level == logging.WARNING and not set_there and not root.manager.disable:
        return []
    told = [(each.name, each.level, each.disabled, each.propagate) for each in set_there]
    pieces: list[Piece] = [(_set_logs, (root.level, root.manager.disable, told))]
    for logger in [root, *named]:
        for handler in logger.handlers:
            how = _how_to_make(handler)
            if how is not None:
                pieces.append((_add_handler, (logger.name, handler.level, handler.formatter, *how)))
    return pieces


def _how_to_make(handler: logging.Handler) -> tuple[str, str, str | None] | None:
    """What a handler writes to, if another process can, too."""
    if type(handler) is logging.FileHandler:
        return "file", handler.baseFilename, handler.encoding
    if type(handler) is logging.StreamHandler:
        for name in _STREAMS:
            if handler.stream in (getattr(sys, name), getattr(sys, f"__{name}__")):
                return "stream", name, None
    return None


def _set_logs(level: int, disabled: int, named: list[tuple[str, int, bool, bool]]) -> None:
    logging.getLogger().setLevel(level)
    logging.disable(disabled)
    for name, own_level, is_disabled, propagates in named:
        logger = logging.getLogger(name)
        logger.setLevel(own_level)
        logger.disabled, logger.propagate = is_disabled, propagates


def _add_handler(
    name: str, level: int, formatter: logging.Formatter | None, kind: str, where: str, encoding: str | None
) -> None:
    logger = logging.getLogger(None if name == "root" else name)
    handler: logging.Handler = (
        logging.FileHandler(where, encoding=encoding)
        if kind == "file"
        else logging.StreamHandler(getattr(sys, where))
    )
    handler.setLevel(level)
    handler.setFormatter(formatter)
    logger.addHandler(handler)


_LOOKS: Final = (_limits, _decimal, _numpy, _filters, _logs)
