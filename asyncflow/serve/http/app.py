"""The ASGI application: submit, look, wait, cancel; what is said of jobs, as JSON."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Iterable, Mapping
from math import ceil
from typing import Any, Final, get_args
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from ..._core.submissions import OVER, SUCCEEDED, JobState
from ...errors import EngineClosed, IdConflict, ServiceClosed, ServiceFull, UnknownJob
from ..jobs import Job
from ..service import Service
from .arguments import Arguments, BadArguments
from .described import described
from .guard import App, Guard
from .hosts import LOOPBACK, is_loopback, names
from .values import text_of
from .waits import Waits, end_now, waits_of

_LONGEST: Final = 60.0  # seconds that a request may wait for a result
_LISTED: Final = 1000
_OWN: Final = ("healthz", "openapi.json")
_ID: Final = 255  # characters of an id, which is part of a path


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
        debug: whether tracebacks are told, to requests of this machine.

    Raises:
        TypeError: something is no service, the token no text, or the hosts no list.
        ValueError: two services have one name, one has a name that is taken, the token is too short, or a host has a
            port.
    """
    if token is not None and not isinstance(token, str):
        raise TypeError(f"asgi(token=...): text is needed, and a {type(token).__name__} was given")
    if token is not None and len(token) < 8:
        raise ValueError("asgi(token=...): a secret of at least 8 characters is needed")
    return Application(services, token, names(hosts), debug)


class Application:
    """Answers requests; made by `asgi`.

    Args:
        services: which it takes jobs for.
        token: the secret.
        hosts: names that requests may be addressed to.
        debug: whether tracebacks are told, to requests of this machine.
    """

    def __init__(
        self, services: Iterable[Service[Any]], token: str | None, hosts: Iterable[str], debug: bool
    ) -> None:
        self._services: dict[str, Service[Any]] = {}
        for service in services:
            given: object = service
            if not isinstance(given, Service):
                mend = ":  asgi(*services, ...)" if isinstance(given, Iterable) else ":  engine.serve(...)"
                raise TypeError(f"asgi() got {given!r}; a service is needed{mend}")
            if service.name in _OWN:
                raise ValueError(
                    f"a service cannot be called {service.name!r} here; give its task another name="
                )
            if self._services.setdefault(service.name, service) is not service:
                raise ValueError(f"two services are called {service.name!r}; give a task another name=")
        self._arguments = {name: Arguments(service._task) for name, service in self._services.items()}
        self._debug = debug
        self._waits = Waits()
        self._document: dict[str, object] = {}  # in OpenAPI, once somebody has asked
        self._routes = [
            Route("/healthz", self._health),
            Route("/openapi.json", self._openapi),
            Route("/{name}", self._submit, methods=["POST"]),
            Route("/{name}", self._list),
            Route("/{name}/{id}", self._show),
            Route("/{name}/{id}/result", self._result),
            Route("/{name}/{id}/cancel", self._cancel, methods=["POST"]),
        ]
        app = Starlette(routes=self._routes, exception_handlers={404: _not_found, 405: self._not_allowed})
        app.router.redirect_slashes = False  # to a place that the Host names
        self._app: App = _as_sent(Guard(app, token, hosts))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As ASGI has it."""
        await self._app(scope, receive, send)

    def path(self, name: str) -> str:
        """The path of a service.

        Args:
            name: of the service.
        """
        return f"/{quote(name, safe='')}"

    def example(self, name: str) -> dict[str, object]:
        """Arguments of a job as its task's annotations ask for them, to be changed by a reader.

        Args:
            name: of the service.
        """
        return self._arguments[name].example()

    def stop_waiting(self) -> None:
        """Answer all who wait for results, and from now on everybody at once: the program is about to end. A `Server`
        does so itself, for its own requests."""
        self._waits.end()

    # -- requests -----------------------------------------------------------------------------------------

    async def _health(self, request: Request) -> Response:
        draining = any(service.is_closed for service in self._services.values())
        return _json({"status": "draining" if draining else "ok"})

    async def _openapi(self, request: Request) -> Response:
        if not self._document:
            self._document = described(self._services, self._arguments)
        mounted = _mounted_at(request)
        return _json({**self._document, "servers": [{"url": mounted}]} if mounted else self._document)

    async def _submit(self, request: Request) -> Response:
        name = unquote(request.path_params["name"])
        service = self._services.get(name)
        if service is None:
            return self._unknown(name)
        key = _as_utf_8(request.headers.get("idempotency-key"))
        if key is not None and (not 0 < len(key) <= _ID or key in {".", ".."}):
            return _json(
                {"error": f"Idempotency-Key: 1 to {_ID} characters are needed, other than . and .."}, 400
            )
        try:
            arguments = self._arguments[name].read(await request.body())
            job = service._submit_named(arguments, key)
        except ServiceFull as full:
            return _error(429, full, {"retry-after": str(max(1, ceil(full.retry_after)))})
        except (ServiceClosed, EngineClosed) as closed:
            return _error(503, closed)
        except IdConflict as conflict:
            return _error(409, conflict)
        except (BadArguments, TypeError) as misfit:
            return _error(400, misfit)
        return _json(
            self._told(job, request),
            202,
            {"location": f"{_mounted_at(request)}{self.path(name)}/{quote(job.id, safe='')}"},
        )

    async def _list(self, request: Request) -> Response:
        name = unquote(request.path_params["name"])
        service = self._services.get(name)
        if service is None:
            return self._unknown(name)
        limit = request.query_params.get("limit", "50")
        if not limit.isdecimal() or len(limit) > 9 or not 0 < int(limit) <= _LISTED:
            return _json({"error": f"limit=: a whole number from 1 to {_LISTED} is needed"}, 400)
        state: Any = request.query_params.get("state")
        if state is not None and state not in get_args(JobState):
            return _json({"error": f"state=: one of {', '.join(get_args(JobState))} is needed"}, 400)
        jobs = [self._told(job, request) for job in service.jobs(state=state, limit=int(limit))]
        return _json({"counts": service.counts._asdict(), "jobs": jobs})

    async def _show(self, request: Request) -> Response:
        job = self._job(request)
        return job if isinstance(job, Response) else _json(self._told(job, request))

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
        if wait:
            await self._waited(request, job.ended(), wait)
        return self._answer(job, request)

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request)
        if isinstance(job, Response):
            return job
        await self._waited(request, job.cancel(), _LONGEST)
        return self._answer(job, request)

    def _answer(self, job: Job[Any], request: Request) -> Response:
        return _json(self._told(job, request), 200 if job.state in OVER else 202)

    async def _waited(self, request: Request, end: Awaitable[object], seconds: float) -> None:
        """Wait for an end; but no longer than the time, the server, and whoever asks."""
        watching: asyncio.Task[None] | None = None
        servers = waits_of(request.scope)
        is_over = servers.is_over or self._waits.is_over
        try:
            async with asyncio.timeout(0 if is_over else seconds) as limit:
                with servers.with_it(limit), self._waits.with_it(limit):
                    watching = asyncio.create_task(_ends_with(request, limit))
                    await end
        except TimeoutError:
            pass
        finally:
            if watching is not None:
                watching.cancel()

    def _job(self, request: Request) -> Job[Any] | Response:
        name, id = unquote(request.path_params["name"]), unquote(request.path_params["id"])
        service = self._services.get(name)
        if service is None:
            return self._unknown(name)
        try:
            return service.job(id)
        except UnknownJob as unknown:
            return _error(410 if unknown.was_there else 404, unknown)

    async def _not_allowed(self, request: Request, error: Exception) -> Response:
        fit = [each for each in self._routes if each.matches(request.scope)[0] is not Match.NONE]
        own = [each for each in fit if each.path == fit[0].path]  # a name may be that of a service, too
        allowed = sorted({method for each in own for method in each.methods or ()})
        told = {"error": f"{request.method} is not for {request.url.path}"}
        return _json(told, 405, {"allow": ", ".join(allowed)})

    def _unknown(self, name: str) -> Response:
        return _json({"error": f"no service is called {name!r}; there are: {', '.join(self._services)}"}, 404)

    # -- what is said -------------------------------------------------------------------------------------

    def _told(self, job: Job[Any], request: Request) -> dict[str, object]:
        told: dict[str, object] = {"id": job.id, "state": job.state}
        if job.seconds is not None:
            told["seconds"] = round(job.seconds, 6)
        error = job.error
        if job.state == SUCCEEDED:
            value = job.value
            try:
                text_of(value)
            except Exception as problem:  # its class may be the user's own
                told["unsendable"] = f"the value is no JSON: {_text(problem)}"
            else:
                told["value"] = value
        elif error is not None:
            told["error"] = {"type": type(error).__name__, "message": _text(error)}
            if self._debug and request.client is not None and is_loopback(request.client.host):
                told["traceback"] = "".join(traceback.format_exception(error))
        return told


def _as_sent(app: App) -> App:
    """An application that sees paths as they were sent, so that an id may have a slash in it."""

    async def called(scope: Any, receive: Any, send: Any) -> None:
        sent = scope.get("raw_path")
        path = quote(scope["path"]) if sent is None else sent.decode("latin-1")
        await app({**scope, "path": path} if scope["type"] == "http" else scope, receive, send)

    return called


async def _ends_with(request: Request, limit: asyncio.Timeout) -> None:
    """End a wait when whoever asks has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass  # the body, which nobody has read
    end_now(limit)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # it is the user's own class
        return f"(its text raises {type(problem).__name__})"


def _json(told: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text_of(told), status, headers, "application/json")


def _error(status: int, error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    return _json({"error": str(error)}, status, headers)


async def _not_found(request: Request, error: Exception) -> Response:
    return _json({"error": f"there is nothing at {request.url.path}"}, 404)


def _as_utf_8(header: str | None) -> str | None:
    """A header as its sender has most likely written it, and as a path has it; Starlette reads any byte as a letter."""
    if header is None or header.isascii():
        return header
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


def _mounted_at(request: Request) -> str:
    """The path at which another application has this one; "" if none has."""
    return quote(request.scope.get("root_path", ""))
