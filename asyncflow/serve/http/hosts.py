"""Which names and addresses are this machine's alone."""

from __future__ import annotations

import ipaddress
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
