"""The backend: what users choose, and what the cluster is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Final, Unpack

from dask.utils import parse_bytes
from distributed import Client, Security
from distributed.deploy.cluster import Cluster

from asyncflow.backend import WAITS, Report
from asyncflow.backends.carried import (
    Agent,
    CarriedBackend,
    Lease,
    ProcessKeywords,
    above_0,
    shows_process_options,
    whole,
)

from .leases import Leases, Size
from .local import Local, usable_cpus
from .reach import Reach
from .values import reducers

_MANY: Final = 10_000  # slots, where only the cluster limits them


@shows_process_options
class DaskBackend(CarriedBackend):
    """Tasks on the machines of a Dask cluster.

    Each *slot* is one long-running Dask task, a lease, that supervises an agent with its own worker processes: Dask
    places it, starts it again elsewhere when its worker goes, and grows and shrinks with how many there are. Tasks go
    from the engine to the agents directly; no task is ever run twice, whatever Dask does with leases.

    Args:
        client: the address of a scheduler, the path of its ``scheduler.json``, a Dask ``Cluster`` or a ``Client``; they
            are left as they are. None for a cluster of its own on this machine, which ends with the engine.
        slots: the most leases at once; None for as many as there are tasks to run, which the cluster limits, and in a
            cluster of its own for one per usable CPU.
        cores: worker processes of each slot, so that many tasks run there at once. To Dask a lease counts as one thread
            whatever it has: where it is to have a whole node, give workers one thread.
        memory: of each slot, in bytes or as ``"4GiB"``, for tasks that say what they need.
        resources: of each slot, as Dask names them, as ``{"GPU": 1}``: leases go to workers that have as much.
        workers: tasks at once, in place of ``slots``: as ``WorkflowEngine(backend="dask", workers=8)`` has it.
        security: for clusters with TLS, where it is not the client's or the cluster's own.
        idle_after: seconds without work after which a slot is given back, as for an adaptive cluster to shrink.
        listen: host and port that agents connect to; None for the address from which the scheduler is reached, and any
            port.
        insecure: no encryption between engine and agents on other machines.
        options: of worker processes.

    Raises:
        TypeError: ``client`` is nothing of Dask's.
        ValueError: an option is out of its range.
    """

    name = "dask"

    def __init__(
        self,
        client: str | Path | Cluster | Client | None = None,
        slots: int | None = None,
        *,
        cores: int = 1,
        memory: int | str | None = None,
        resources: Mapping[str, float] | None = None,
        workers: int | None = None,
        security: Security | None = None,
        idle_after: float | None = 10.0,
        listen: str | None = None,
        insecure: bool = False,
        **options: Unpack[ProcessKeywords],
    ) -> None:
        self._size = Size(whole("cores", cores), above_0("resources", resources or {}))
        if workers is not None:
            if slots is not None:
                raise ValueError(f"slots={slots!r} and workers={workers!r}: give one of the two")
            slots = -(-whole("workers", workers) // cores)
        if slots is None and client is None:
            slots = max(1, usable_cpus() // cores)
        self._slots = _MANY if slots is None else whole("slots", slots)
        self._local = Local(self._slots, self._size.resources) if client is None else None
        self._reach = Reach(client, security) if client is not None else None
        if listen is None:
            listen = f"{_in_brackets(self._reach.route() if self._reach else '127.0.0.1')}:0"
        super().__init__(
            0,
            workers=cores,
            listen=listen,
            insecure=insecure,
            idle_after=idle_after,
            **options,
        )
        if slots is not None:
            self.workers = slots * cores
            self.amounts = _amounts(slots, cores, memory, self._size.resources)
        self.reducers = reducers()
        self._leases: Leases | None = None
        self._told: Report | None = None
        self._there: set[str] = set()
        self._wanted = 0
        self._since = 0.0
        self._problem: str | None = None

    # -- the cluster --------------------------------------------------------------------------------------

    async def start(self, report: Report) -> None:
        """The cluster is reached in the background, and work waits for it."""
        self._told, self._problem = report, None
        self._wanted = 0
        self._there.clear()
        await super().start(report)

    async def open(self, lease: Lease) -> None:
        """Reach the cluster.

        Args:
            lease: for the agents.

        Raises:
            ConnectionError: there is no scheduler, or it lets nobody in.
        """
        reach = self._local.start if self._local is not None else self._reach
        assert reach is not None
        leases = self._leases = Leases(reach, lease, self._size, self._failed)
        try:
            await leases.open()
        except Exception as error:
            raise ConnectionError(
                f"the Dask scheduler at {self._cluster} cannot be reached: {error}\n"
                "  Is it up, and is this its address?  Clusters with TLS need  DaskBackend(..., security=...)"
            ) from error
        leases.ask(self._wanted)

    def ask(self, agents: int) -> None:
        """Ask the cluster for so many leases, or for as many as there may be.

        Args:
            agents: that could be of use.
        """
        before, self._wanted = self._wanted, min(agents, self._slots)
        if self._leases is not None:
            self._leases.ask(self._wanted)
        if not before:
            self._since = monotonic()

    def joined(self, agent: Agent) -> None:
        """A lease has begun.

        Args:
            agent: of it.
        """
        self._there.add(agent.name)
        self._problem = None
        if self._leases is not None:
            self._leases.begun(agent.name)

    def left(self, agent: Agent) -> None:
        """A lease is over.

        Args:
            agent: of it.
        """
        self._there.discard(agent.name)
        if not self._there:
            self._since = monotonic()
        if self._leases is not None:
            self._leases.ended(agent.name)

    async def close(self) -> None:
        """Give all leases back, and end the cluster if it is ours."""
        leases, self._leases = self._leases, None
        if leases is not None:
            leases.close()
            await leases.closed()
        if self._local is not None:
            await asyncio.to_thread(self._local.end)

    def abandon(self) -> None:
        """Give back what can be given back without a loop."""
        super().abandon()
        leases, self._leases = self._leases, None
        if leases is not None:
            leases.close()
        if self._local is not None:
            self._local.let_go()

    # -- waiting ------------------------------------------------------------------------------------------

    @property
    def waits(self) -> str | None:  # type: ignore[override]  # it tells since when
        """What tasks wait for while there is no slot."""
        if self._there or not self._wanted:
            return None
        waited = monotonic() - self._since
        problem = "" if self._problem is None else f"; the last could not begin: {self._problem}"
        return (
            f"the Dask cluster at {self._cluster} has given 0 of {self._wanted} that were asked for since "
            f"{waited:.0f} s{problem}"
        )

    @property
    def _cluster(self) -> str:
        return "this machine" if self._reach is None else str(self._reach)

    def _failed(self, why: str) -> None:
        """A lease could not begin. Is called on the thread of the leases."""
        self._problem = why.strip().partition("\n")[0]
        if self._told is not None and self.waits is not None:
            self._told([(WAITS, 0, None)])


def _amounts(
    slots: int, cores: int, memory: int | str | None, resources: Mapping[str, float]
) -> dict[str, float]:
    each: dict[str, float] = {"cores": cores, **resources}
    if memory is not None:
        each["memory"] = _bytes(memory)
    return {name: slots * amount for name, amount in each.items()}


def _bytes(memory: int | str) -> int:
    try:
        parsed = int(parse_bytes(memory))
    except (TypeError, ValueError):
        parsed = 0
    if parsed < 1:
        raise ValueError(f"memory={memory!r}: bytes are needed, as 16 * 2**30 or '16GiB'")
    return parsed


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host
