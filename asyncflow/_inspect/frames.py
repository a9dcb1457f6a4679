"""Finds the user's line: which made a call, or has failed; and the values that the expression there names."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType
from typing import Final, NamedTuple, TypeGuard

from .libraries import OURS, is_library, is_users
from .source import Position, position_at

_LOOKUPS: Final = ("__getattr__", "__getattribute__")


Site = tuple[CodeType | None, int]
"""Some code, and an instruction in it."""


class RaisedAt(NamedTuple):
    """Where something was raised.

    Args:
        frame: of the user's code.
        at: the instruction in it.
        is_raise: whether a ``raise`` or ``assert`` of Python code raised it, and not the interpreter.
        is_theirs: whether that was code of the user's, and none of a library that it called.
    """

    frame: FrameType
    at: int
    is_raise: bool
    is_theirs: bool


def caller() -> FrameType | None:
    """The innermost code that runs and is not ours; None if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return frame


def users_frame() -> FrameType | None:
    """The innermost code that runs and is the user's; None if there is none."""
    frame = caller()
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def users_site(code: CodeType | None, at: int, otherwise: Site) -> Site:
    """The line of the user's from which a call comes that was made on their behalf.

    Args:
        code: that made it.
        at: where in it.
        otherwise: if none of the user's code is among those who asked for it.
    """
    if code is None or not code.co_filename.startswith(OURS):
        return code, at
    frame = caller()
    if frame is None or str(frame.f_globals.get("__name__")).partition(".")[0] == "asyncio":
        return otherwise  # the target itself, which the rehearsal has called
    return frame.f_code, frame.f_lasti


HERE: Final[Site] = users_site.__code__, 0
"""Stands for whoever of us asks."""


def place_of(traceback: TracebackType | None) -> RaisedAt | None:
    """The innermost place in the user's code, or else in what is not ours."""
    found: RaisedAt | None = None
    theirs: RaisedAt | None = None
    while traceback is not None:
        frame, at = traceback.tb_frame, traceback.tb_lasti
        filename, name = frame.f_code.co_filename, frame.f_code.co_name
        # Like that of a model of pydantic.
        is_lookup = name in _LOOKUPS and theirs is not None and is_library(filename)
        if not filename.startswith(OURS) and not is_lookup:
            found = RaisedAt(frame, at, _is_raise(frame, at), False)
            if not is_library(filename):
                theirs = found
        traceback = traceback.tb_next
    if found is None or theirs is None:
        return found
    return RaisedAt(theirs.frame, theirs.at, found.is_raise, theirs is found)


def is_worded(error: BaseException) -> TypeGuard[Exception]:
    """Whether an error is one of ours that says what would mend it, on a line of its own."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    frame = traceback.tb_frame
    # Our own frames may have been left out. Then there is no `raise` where it seems to come from.
    is_ours = frame.f_code.co_filename.startswith(OURS) or not _is_raise(frame, traceback.tb_lasti)
    return is_ours and isinstance(error, (TypeError, ValueError)) and "\n  " in str(error)


def values_at(place: RaisedAt) -> Iterator[object]:
    """The values of the names in an expression, and what is called by a dotted one; none without a source."""
    frame = place.frame
    try:
        tree = ast.parse(_segment(frame, position_at(frame.f_code, place.at)), mode="eval")
    except Exception:  # nobody's fault: what runs need not be what the file holds by now
        return
    for node in ast.walk(tree):  # from the outside inwards
        called = node.func if isinstance(node, ast.Call) else None
        wanted = node if isinstance(node, ast.Name) else called if isinstance(called, ast.Attribute) else None
        value = ... if wanted is None else named(wanted, frame)
        if value is not ...:
            yield value


def named(node: ast.AST, frame: FrameType) -> object:
    """What a name or a dotted name stands for, found without running code of its class; `...` if that is not known."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id, vars(builtins).get(node.id, ...)))
    if isinstance(node, ast.Attribute):
        holder = named(node.value, frame)
        return ... if holder is ... else inspect.getattr_static(holder, node.attr, ...)
    return ...


def _segment(frame: FrameType, position: Position) -> str:
    line, last, start, end = position
    assert line is not None and last is not None and start is not None and end is not None
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)[line - 1 : last]
    encoded = [text.encode() for text in lines]  # columns count bytes
    encoded[-1] = encoded[-1][:end]
    encoded[0] = encoded[0][start:]
    return f"({textwrap.dedent(b''.join(encoded).decode())})"


def _is_raise(frame: FrameType, at: int) -> bool:
    code = frame.f_code.co_code
    return at + 1 < len(code) and dis.opname[code[at]] == "RAISE_VARARGS"
