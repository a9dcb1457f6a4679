"""Tracebacks as their users want them: without the frames of ours, which are never where the mistake is.

With ``ASYNCFLOW_FULL_TRACEBACK=1`` in the environment all are shown. Nothing is imported from the rest of the package.
"""

from __future__ import annotations

import os
from types import FrameType, TracebackType
from typing import Final

_OURS: Final = os.path.dirname(__file__) + os.sep
_USERS: Final = os.path.join(_OURS, "testing") + os.sep  # what stands in for users' code
_BUGS: Final = (AssertionError, AttributeError, NameError, NotImplementedError)
_NO: Final = ("", "0", "false", "no", "off")
_CHAIN: Final = 8  # exceptions, each the cause of the one before, that are looked at


def shows_all() -> bool:
    """Whether whoever runs the program wants to see our frames, too."""
    return os.environ.get("ASYNCFLOW_FULL_TRACEBACK", "").lower() not in _NO


def trim(error: BaseException | None) -> None:
    """Take the frames of ours out of the traceback of an exception and of those that it came of.

    An exception that is likely a bug of ours keeps them. To be used as ``except BaseException as error: trim(error);
    raise``: a bare ``raise`` adds no frame.

    Args:
        error: which.
    """
    if shows_all():
        return
    for _ in range(_CHAIN):
        if error is None:
            return
        error.with_traceback(_trimmed(error))  # unlike setting it, this does for one that is frozen
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _trimmed(error: BaseException) -> TracebackType | None:
    entries = []
    whole = traceback = error.__traceback__
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    kept, is_ours = [], False
    for entry in entries:
        is_ours = _is_ours(entry.tb_frame) or (
            is_ours and _is_of_asyncio(entry.tb_frame)
        )  # which we have called
        if not is_ours:
            kept.append(entry)
    if len(kept) == len(entries) or (is_ours and isinstance(error, _BUGS)):
        return whole
    shown: TracebackType | None = None
    for entry in reversed(kept):
        shown = TracebackType(shown, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return shown


def _is_ours(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(_OURS) and not file.startswith(_USERS)


def _is_of_asyncio(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return isinstance(name, str) and name.partition(".")[0] == "asyncio"
