"""At which addresses this machine may be reached by others."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import closing, suppress
from typing import Final

from .here import host_name

_ELSEWHERE: Final = (
    (socket.AF_INET, "203.0.113.1"),  # of the ranges that are kept for documentation: nobody has them
    (socket.AF_INET6, "2001:db8::1"),
)


def is_loopback(host: str) -> bool:
    """Whether only processes on this machine reach what listens there.

    Args:
        host: an address, or a name.
    """
    try:
        found = {str(facts[4][0]) for facts in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)


def candidates(host: str, port: int, *, is_encrypted: bool) -> list[str]:
    """Addresses for what listens on this machine, the likelier ones first.

    Args:
        host: where it listens: an address, or that which stands for all of this machine's.
        port: where it listens.
        is_encrypted: whether who connects knows whom it has reached. If not, addresses are left out that lead to
            another process elsewhere: on another machine 127.0.0.1 is whoever listens there.
    """
    if not ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        return [spelled(host, port)]
    hosts = [_outward(family, elsewhere) for family, elsewhere in _ELSEWHERE if family == _family(host)]
    hosts.append(host_name())
    with suppress(OSError):
        hosts += [str(facts[4][0]) for facts in socket.getaddrinfo(host_name(), None, _family(host))]
    outside = [each for each in dict.fromkeys(filter(None, hosts)) if not is_loopback(each)]
    here = [] if outside and not is_encrypted else ["127.0.0.1" if _family(host) == socket.AF_INET else "::1"]
    return [spelled(each, port) for each in outside + here]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _outward(family: socket.AddressFamily, elsewhere: str) -> str:
    """The address from which packets to another network go out; none is sent."""
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as probe, suppress(OSError):
        probe.connect((elsewhere, 9))
        return str(probe.getsockname()[0])
    return ""


def spelled(host: str, port: int) -> str:
    """Address and port in one text.

    Args:
        host: the address.
        port: the port.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split(address: str, option: str = "") -> tuple[str, int]:
    """Address and port from one text.

    Args:
        address: as `spelled` spells it.
        option: as which a user gave it, for the error.

    Raises:
        ValueError: it is none.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal():
        given = f"{option}={address!r}: that" if option else repr(address)
        raise ValueError(
            f"{given} is no address: HOST:PORT is needed, as '0.0.0.0:0' with 0 for any free port"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)
