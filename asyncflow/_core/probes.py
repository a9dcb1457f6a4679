"""How it is known of a command that goes on that it is ready: what is asked, as plain data. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeGuard

_PORTS: Final = range(1, 65536)
_STATUSES: Final = range(100, 600)


class Port:
    """Something takes connections on a TCP port. See `port`."""

    __slots__ = ("host", "number")

    def __init__(self, number: int, host: str) -> None:
        self.number = number
        self.host = host

    def __repr__(self) -> str:
        return f"port {self.number} of {self.host}"


class Http:
    """A URL is answered with a status. See `http`."""

    __slots__ = ("status", "url")

    def __init__(self, url: str, status: int) -> None:
        self.url = url
        self.status = status

    def __repr__(self) -> str:
        return f"status {self.status} of {self.url}"


class Line:
    """A line of the output has something in it.

    Args:
        pattern: what is looked for in each line of the standard output and of the standard error.
        told: the same, as its user wrote it.
    """

    __slots__ = ("pattern", "told")

    def __init__(self, pattern: re.Pattern[str], told: str) -> None:
        self.pattern = pattern
        self.told = told

    def __repr__(self) -> str:
        return f"a line with {self.told} in its output"


Probe: TypeAlias = Port | Http | Line | Callable[..., Any]


class RunningService:
    """A command that runs as a service, as those that depend on it get it.

    Attributes:
        pid: number of its process.
        port: that takes connections; None where something else told that it is ready.
        url: that is answered; None, too.
        line: of its output that told that it is ready; None, too.
        answer: of the function that told that it is ready; None where that was True, or something else told it.
    """

    __slots__ = ("answer", "line", "pid", "port", "url")

    def __init__(
        self,
        pid: int,
        port: int | None = None,
        url: str | None = None,
        line: str | None = None,
        answer: object = None,
    ) -> None:
        self.pid = pid
        self.port = port
        self.url = url
        self.line = line
        self.answer = answer

    def __repr__(self) -> str:
        known = {name: getattr(self, name) for name in ("pid", "port", "url", "line", "answer")}
        told = ", ".join(f"{name}={value!r}" for name, value in known.items() if value is not None)
        return f"RunningService({told})"


def port(number: int, host: str = "127.0.0.1") -> Port:
    """A command is ready when something takes connections on a TCP port.

    Args:
        number: of the port.
        host: where.

    Raises:
        TypeError: a number that is none, or a host that is no text.
        ValueError: there is no port of that number.
    """
    if not _is_number(number) or type(host) is not str:
        raise TypeError(f"port({number!r}, {host!r}): the number of a port is needed, and a host as text")
    if number not in _PORTS:
        raise ValueError(f"port({number!r}): ports are from 1 to 65535")
    return Port(number, host)


def http(url: str, status: int = 200) -> Http:
    """A command is ready when a URL is answered with a status.

    Args:
        url: that is asked for, by GET.
        status: that the answer is to have.

    Raises:
        TypeError: a URL that is no text, or a status that is no number.
        ValueError: neither ``http://`` nor ``https://``, or no status of HTTP.
    """
    if type(url) is not str or not _is_number(status):
        raise TypeError(f"http({url!r}, {status!r}): a URL as text is needed, and a status as a number")
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"http({url!r}): a URL that begins with http:// or https:// is needed")
    if status not in _STATUSES:
        raise ValueError(f"http({url!r}, {status!r}): a status of HTTP is from 100 to 599")
    return Http(url, status)


def _is_number(given: object) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool)


def probe_of(option: str, given: object) -> Probe:
    """What is asked, for what a user has given.

    Raises:
        TypeError: nothing can be asked by that.
        ValueError: there is no port of that number.
    """
    if isinstance(given, (Port, Http, Line)):
        return given
    if _is_number(given):
        return port(given)
    if isinstance(given, str) and given:
        return Line(re.compile(re.escape(given)), repr(given))
    if isinstance(given, re.Pattern) and isinstance(given.pattern, str):
        return Line(given, f"the pattern {given.pattern!r}")
    if callable(given):
        return given
    raise TypeError(
        f"{option}={given!r}: it can be the number of a TCP port, port(...), http(...), text or a compiled pattern "
        "that a line of the output has in it, or a function of the call's arguments that tells whether it is ready"
    )
