"""How arguments that are Dask's travel: futures and collections. Their values do not come by the engine: the worker
process that needs one fetches it from where it is, or computes it.

A future becomes the result that it stands for. A collection (an array, a dataframe, a bag, what `dask.delayed` gives)
becomes what its ``compute()`` gives. It is computed in the worker process itself: the threads of the Dask workers
belong to the leases.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from dask._task_spec import DataNode
from dask.base import DaskMethodsMixin
from dask.local import get_sync
from distributed import Client, Future, Security

from asyncflow.backend import pass_as_they_are

pass_as_they_are(
    Future
)  # an engine would wait for them as for those of asyncio, and have their values come by it

_FIRST_PAUSE: Final = 0.25  # seconds before a scheduler is asked for a future again
_LONGEST_PAUSE: Final = 10.0
_CLIENTS: Final[dict[str, Client]] = {}
"""Of this worker process, by the address of the scheduler."""


def reducers() -> Mapping[type, Callable[[Any], tuple[object, ...]]]:
    """For each kind of Dask's, what makes of one the call that gives its value elsewhere."""
    return {Future: _of_future, DaskMethodsMixin: _of_collection}


def _of_future(future: Future[object]) -> tuple[object, ...]:
    client = future.client
    return fetch, (client.scheduler.address, _portable(client.security), future.key)


def _of_collection(collection: Any) -> tuple[object, ...]:
    # A future that stands for a part of it is fetched, as those in arguments are. Not left bare: a value that looks
    # like a key or a task would be taken for one.
    graph = {
        key: DataNode(key, part) if isinstance(part, Future) else part
        for key, part in dict(collection.__dask_graph__()).items()
    }
    finish, extra = collection.__dask_postcompute__()
    return compute, (graph, collection.__dask_keys__(), finish, extra)


def compute(
    graph: Mapping[object, object], keys: Any, finish: Callable[..., object], extra: tuple[object, ...]
) -> object:
    """The value of a collection, in the worker process.

    Args:
        graph: of it.
        keys: of its parts.
        finish: makes one value of them.
        extra: what that needs besides.
    """
    return finish(get_sync(graph, keys), *extra)


def fetch(address: str, security: Security | None, key: object) -> object:
    """The result of a Dask future, in the worker process.

    Args:
        address: of the scheduler.
        security: what that wants to see.
        key: of the future, which somebody else keeps alive.

    Raises:
        Exception: what the Dask task has raised.
    """
    client = _CLIENTS.get(address)
    if client is None or client.status != "running":
        client = _CLIENTS[address] = Client(
            address,
            security=security,
            set_as_default=False,
            direct_to_workers=True,
            name="asyncflow-worker",
        )
        atexit.register(_close, client)
    result: object = client.sync(_fetched, client, key)
    return result


async def _fetched(client: Client, key: Any) -> object:
    future: Future[object] = Future(key, client)
    result = asyncio.ensure_future(future)
    pause = _FIRST_PAUSE
    while not result.done():
        # A scheduler tells a client only of futures that it has made or asked for.
        client._send_to_scheduler({"op": "client-desires-keys", "keys": [key]})
        await asyncio.wait([result], timeout=pause)
        # What has made it may reach the scheduler after this; then it has not heard of it, and has to be asked again.
        pause = min(2 * pause, _LONGEST_PAUSE)
    return result.result()


def _close(client: Client) -> None:
    with suppress(Exception):
        client.close()


def _portable(security: Security | None) -> Security | None:
    """With the certificates themselves in place of the files that hold them here."""
    if security is None or not security.require_encryption:
        return security
    facts: dict[str, Any] = {name: getattr(security, name) for name in _FIELDS}
    for name in _FILES:
        if facts[name] and "\n" not in facts[name]:
            facts[name] = Path(facts[name]).read_text()
    return Security(**facts)


_FILES: Final = ("tls_ca_file", "tls_client_cert", "tls_client_key")
_FIELDS: Final = (*_FILES, "require_encryption", "tls_ciphers", "tls_min_version", "tls_max_version")
