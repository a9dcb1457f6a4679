"""How an agent finds its engine, and makes sure that it is the one of its lease."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from time import perf_counter
from typing import Final

from .addresses import split
from .handshake import MOST, AgentSide, Hello, NotBelieved, Welcome
from .lease import Lease
from .pulse import Pulse
from .tcp import TcpChannel
from .tls import client_context, is_pinned

_PULSE: Final = Pulse(needs_life=False)


async def dial(
    lease: Lease,
    *,
    hello: Hello | None = None,
    pulse: Pulse = _PULSE,
    within: float = 10.0,
    clock: Callable[[], float] = perf_counter,
) -> tuple[TcpChannel, Welcome]:
    """Connect to the engine of a lease.

    Args:
        lease: the way to it.
        hello: who the agent is; None for what this process and the lease tell.
        pulse: how an engine that is gone is found out.
        within: seconds for each of its addresses.
        clock: what the engine compares its own with.

    Returns:
        The channel, which has yet to be listened to, and who the engine is.

    Raises:
        VersionMismatch: the engine refuses this agent, since their versions differ.
        ConnectionError: the engine answers at none of its addresses.
    """
    who = hello or Hello.here(lease.agent, workers=lease.workers)
    problems = []
    for address in lease.addresses:
        try:
            async with asyncio.timeout(within):
                return await _dial(lease, address, who, pulse, clock)
        except TimeoutError:
            problems.append(f"{address}: no answer within {within:g} s")
        except (OSError, ValueError) as error:
            problems.append(f"{address}: {error}")
    raise ConnectionError(
        f"agent {who.name!r} did not reach its engine{f' ({lease.engine})' if lease.engine else ''}. It has tried:\n  "
        + "\n  ".join(problems)
    )


async def _dial(
    lease: Lease, address: str, hello: Hello, pulse: Pulse, clock: Callable[[], float]
) -> tuple[TcpChannel, Welcome]:
    host, port = split(address)
    context = None if lease.certificate is None else client_context(lease.certificate)
    channel = TcpChannel(pulse, MOST, clock)
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: channel, host, port, ssl=context, server_hostname="" if context is not None else None
        )
        if lease.certificate is not None:
            connection = transport.get_extra_info("ssl_object")
            if not isinstance(connection, ssl.SSLObject) or not is_pinned(connection, lease.certificate):
                raise NotBelieved("who answers there has another certificate than the lease tells")
        side = AgentSide(lease.token, hello)
        channel.send(side.answer(bytes(await channel.frame())))
        welcome = side.welcome(bytes(await channel.frame()))
        channel.admit()
        channel.send()
    except BaseException:
        channel.cut()
        if channel.is_connected:
            await channel.gone
        raise
    return channel, welcome
