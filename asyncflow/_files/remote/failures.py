"""Decides what a failure of a transfer is: whether it may pass, and what it is told as. Shows no secret."""

from __future__ import annotations

import errno
from typing import Final

from ..._causes import brief
from ..._core.urls import scrubbed

_KINDS: Final[tuple[type[OSError], ...]] = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    FileExistsError,
    InterruptedError,
)
"""What stays so however often it is tried, and what an error of a driver is told as."""
_LASTING: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
    | {errno.ENOTEMPTY, errno.ENOTSUP}
)
_OF_THE_NET: Final = frozenset(
    {"ClientConnectionError", "ClientPayloadError"}  # aiohttp
    | {"ConnectionError", "HTTPClientError"}  # botocore
    | {"ServiceRequestError", "ServiceResponseError"}  # azure
    | {"EOFError", "error_temp"}  # ftplib
)
"""The drivers' errors of connections that are no `OSError`; by name, since nothing of them may be imported."""


def may_pass(error: Exception) -> bool:
    """Whether the same could succeed a little later."""
    status = _status(error)
    if status is not None:
        return status == 429 or status >= 500
    if isinstance(error, (ValueError, *_KINDS)):  # a certificate that is not trusted is a ValueError
        return False
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return not _OF_THE_NET.isdisjoint(each.__name__ for each in type(error).__mro__)


def _status(error: Exception) -> int | None:
    """Of HTTP; the drivers call it by three names."""
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value
    return None


def stopped() -> InterruptedError:
    return InterruptedError("given up, nobody wants it any more")


def said(error: Exception) -> str:
    status = _status(error)
    if status is not None:
        return f"the server says {status} {getattr(error, 'message', '')}".rstrip()
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "nothing is there"  # the drivers say where, and no more
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    plain = type(error).__module__ == "builtins" and isinstance(error, (OSError, ImportError, ValueError))
    return str(error) if plain and str(error) else brief(error)


def _kind(error: Exception) -> type[Exception]:
    """What an error is told as: one of Python's own."""
    if isinstance(error, ImportError):
        return ImportError
    for kind in (*_KINDS, TimeoutError):
        if isinstance(error, kind):
            return kind
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return ValueError
    return {401: PermissionError, 403: PermissionError, 404: FileNotFoundError}.get(
        _status(error) or 0, OSError
    )


def told(error: Exception, shown: str, url: str, attempts: int) -> Exception:
    """An error for whoever asked for the transfer, with nothing in it that is secret, and how often it was tried."""
    again = f" ({attempts} attempts)" if attempts > 1 and not isinstance(error, InterruptedError) else ""
    problem = _kind(error)(f"{shown}: {scrubbed(said(error), url)}{again}")
    if isinstance(problem, OSError) and isinstance(error, OSError):
        problem.errno = error.errno
    return problem
