"""The ASGI application: submit, look, wait, cancel; what is said of jobs, as JSON."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..._core.submissions import OVER, SUCCEEDED
from ...errors import EngineClosed, IdConflict, ServiceClosed, ServiceFull, UnknownJob
from ..jobs import Job
from ..service import Service
from .arguments import Arguments, BadArguments
from .described import described
from .guard import App, Guard

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_LONGEST: Final = 60.0  # seconds that a request may wait for a result
_LISTED: Final = 1000


def asgi(
    *services: Service[Any],
    token: str | None,
    hosts: Iterable[str] = LOOPBACK,
    debug: bool = False,
) -> Application:
    """An ASGI application that takes jobs for services, each under its name.

    Args:
        services: which it takes jobs for.
        token: the secret that each request carries as ``Authorization: Bearer ...``; None for none, which is for tests.
        hosts: names that requests may be addressed to.
        debug: whether tracebacks are told.

    Raises:
        ValueError: two services have one name, or the token is empty.
    """
    if token is not None and len(token) < 8:
        raise ValueError("asgi(token=...): a secret of at least 8 characters is needed")
    return Application(services, token, hosts, debug)


class Application:
    """Answers requests; made by `asgi`.

    Args:
        services: which it takes jobs for.
        token: the secret.
        hosts: names that requests may be addressed to.
        debug: whether tracebacks are told.
    """

    def __init__(
        self, services: Iterable[Service[Any]], token: str | None, hosts: Iterable[str], debug: bool
    ) -> None:
        self._services: dict[str, Service[Any]] = {}
        for service in services:
            if self._services.setdefault(service.name, service) is not service:
                raise ValueError(f"two services are called {service.name!r}; give a task another name=")
        self._arguments = {name: Arguments(service._task) for name, service in self._services.items()}
        self._debug = debug
        self._stopping: asyncio.Event | None = None
        routes = [
            Route("/healthz", self._health),
            Route("/openapi.json", self._openapi),
            Route("/{name}", self._submit, methods=["POST"]),
            Route("/{name}", self._list),
            Route("/{name}/{id}", self._show),
            Route("/{name}/{id}/result", self._result),
            Route("/{name}/{id}/cancel", self._cancel, methods=["POST"]),
        ]
        app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_allowed})
        self._app: App = Guard(app, token, hosts)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As ASGI has it."""
        await self._app(scope, receive, send)

    def stop_waiting(self) -> None:
        """Answer all who wait for results: the server is about to end."""
        self._ends().set()

    def _ends(self) -> asyncio.Event:
        if self._stopping is None:
            self._stopping = asyncio.Event()
        return self._stopping

    # -- requests -----------------------------------------------------------------------------------------

    async def _health(self, request: Request) -> Response:
        draining = any(service.is_closed for service in self._services.values())
        return _json({"status": "draining" if draining else "ok"})

    async def _openapi(self, request: Request) -> Response:
        return _json(described(self._services, self._arguments))

    async def _submit(self, request: Request) -> Response:
        name = request.path_params["name"]
        service = self._services.get(name)
        if service is None:
            return self._unknown(name)
        try:
            arguments = self._arguments[name].read(await request.body())
            job = service._submit_named(arguments, request.headers.get("idempotency-key"))
        except ServiceFull as full:
            return _error(429, full, {"retry-after": str(max(1, ceil(full.retry_after)))})
        except (ServiceClosed, EngineClosed) as closed:
            return _error(503, closed)
        except IdConflict as conflict:
            return _error(409, conflict)
        except (BadArguments, TypeError) as misfit:
            return _error(400, misfit)
        return _json(self._told(job), 202, {"location": f"/{name}/{job.id}"})

    async def _list(self, request: Request) -> Response:
        name = request.path_params["name"]
        service = self._services.get(name)
        if service is None:
            return self._unknown(name)
        limit = request.query_params.get("limit", "50")
        if not limit.isdecimal() or not 0 < int(limit) <= _LISTED:
            return _json({"error": f"limit={limit}: a whole number from 1 to {_LISTED} is needed"}, 400)
        state: Any = request.query_params.get("state")
        return _json({"jobs": [self._told(job) for job in service.jobs(state=state, limit=int(limit))]})

    async def _show(self, request: Request) -> Response:
        job = self._job(request)
        return job if isinstance(job, Response) else _json(self._told(job))

    async def _result(self, request: Request) -> Response:
        job = self._job(request)
        if isinstance(job, Response):
            return job
        try:
            wait = float(request.query_params.get("wait", "0"))
        except ValueError:
            wait = -1.0
        if not 0 <= wait <= _LONGEST:
            return _json({"error": f"wait=: seconds from 0 to {_LONGEST:g} are needed"}, 400)
        if job.state not in OVER and wait:
            await self._first_of(job, wait)
        return _json(self._told(job), 200 if job.state in OVER else 202)

    async def _first_of(self, job: Job[Any], seconds: float) -> None:
        """Wait for the end of a job, of the server, or of the time."""
        waits = {asyncio.ensure_future(job.ended()), asyncio.ensure_future(self._ends().wait())}
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request)
        if isinstance(job, Response):
            return job
        await job.cancel()
        return _json(self._told(job))

    def _job(self, request: Request) -> Job[Any] | Response:
        name, id = request.path_params["name"], request.path_params["id"]
        service = self._services.get(name)
        if service is None:
            return self._unknown(name)
        try:
            return service.job(id)
        except UnknownJob as unknown:
            return _error(410 if unknown.was_there else 404, unknown)

    def _unknown(self, name: str) -> Response:
        return _json({"error": f"no service is called {name!r}; there are: {', '.join(self._services)}"}, 404)

    # -- what is said -------------------------------------------------------------------------------------

    def _told(self, job: Job[Any]) -> dict[str, object]:
        told: dict[str, object] = {"id": job.id, "state": job.state}
        error = job.error
        if job.state == SUCCEEDED:
            value = job.value
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as problem:
                told["unsendable"] = f"the value is no JSON: {problem}"
            else:
                told["value"] = value
        elif error is not None:
            told["error"] = {"type": type(error).__name__, "message": _text(error)}
            if self._debug:
                told["traceback"] = "".join(traceback.format_exception(error))
        return told


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # it is the user's own class
        return f"(its text raises {type(problem).__name__})"


def _json(told: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(told), status, headers, "application/json")


def _error(status: int, error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    return _json({"error": str(error)}, status, headers)


async def _not_found(request: Request, error: Exception) -> Response:
    return _json({"error": f"there is nothing at {request.url.path}"}, 404)


async def _not_allowed(request: Request, error: Exception) -> Response:
    return _json({"error": f"{request.method} is not for {request.url.path}"}, 405)
