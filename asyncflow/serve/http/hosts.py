"""Which names and addresses are this machine's alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
"""As a request is addressed to them."""


def is_loopback(host: str) -> bool:
    """Whether what goes there stays on this machine.

    Args:
        host: a name or an address.
    """
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def names(hosts: Iterable[str]) -> list[str]:
    """Hosts as requests name them: in small letters, addresses of IPv6 in brackets.

    Args:
        hosts: names and addresses, without a port.

    Raises:
        TypeError: they are no list of texts.
        ValueError: one has a port.
    """
    given: object = hosts
    if isinstance(given, str) or not isinstance(given, Iterable):
        mend = f":  hosts=[{given!r}]" if isinstance(given, str) else ""
        raise TypeError(f"hosts={given!r}: a list of names is needed{mend}")
    return [_name(each) for each in given]


def _name(host: object) -> str:
    if not isinstance(host, str):
        raise TypeError(f"hosts=: {host!r} is no name; text is needed")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if ":" in host or "/" in host:
            raise ValueError(f"hosts=: {host!r} is more than a name; one without a port is needed") from None
        return host.lower()
    return f"[{address}]" if address.version == 6 else str(address)
