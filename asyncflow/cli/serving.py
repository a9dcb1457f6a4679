"""What ``asyncflow serve`` does when its targets are found: token, server, end. Needs the extra ``serve``."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from .._engine.function_task import FunctionTask
from .._runtime.script import run_script
from .._show.words import counted, plain
from ..serve import Service
from ..serve.http import Application, Server, asgi
from ..serve.http.hosts import LOOPBACK, is_loopback, names
from .exits import Refused
from .out import say, tell
from .outcome import nothing_on_stdout

_VARIABLE: Final = "ASYNCFLOW_TOKEN"
_UNDER_WAY: Final = ("QUEUED", "RUNNING", "CANCELLING")
_EVERY: Final = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Options:
    """Those of the command line.

    Args:
        host: to listen on.
        port: to listen on.
        token_file: where the token is, or is to be.
        concurrency: jobs that run at once, of each target.
        queue: jobs that wait.
        keep: seconds that a job is kept when it is over.
        drain: seconds that jobs may go on at the end.
        cert: path of the certificate.
        key: path of its key.
        insecure: whether other machines are listened to without TLS.
        allow_host: names that requests may be addressed to.
        debug: whether tracebacks are told.
        as_json: whether the places are printed as JSON.
    """

    host: str
    port: int
    token_file: str | None
    concurrency: int
    queue: int
    keep: float
    drain: float
    cert: str | None
    key: str | None
    insecure: bool
    allow_host: tuple[str, ...]
    debug: bool
    as_json: bool


def serve(tasks: Sequence[FunctionTask[..., Any, Any]], options: Options) -> None:
    """Take jobs for tasks until a signal comes.

    Raises:
        Refused: it cannot be listened there, or the token cannot be had.
        Interrupted: jobs were cancelled by the end.
    """
    if not is_loopback(options.host) and options.cert is None and not options.insecure:
        raise Refused(
            f"--host {plain(options.host)}: tokens and results would go over the network for all to read",
            "give --cert and --key; or say --insecure, if the network is yours alone",
        )
    if options.key is not None and options.cert is None:
        raise Refused(
            f"--key {plain(options.key)}: a key is of no use without its certificate", "give --cert, too"
        )
    for name in options.allow_host:
        try:
            names([name])
        except ValueError:
            raise Refused(f"--allow-host {plain(name)}: a name alone is needed, as example.org") from None
    with _token(options.token_file) as (token, file):
        run_script(lambda: _until_told(tasks, options, token, file))


async def _until_told(
    tasks: Sequence[FunctionTask[..., Any, Any]], options: Options, token: str, file: str
) -> None:
    engines = {id(task._engine): task._engine for task in tasks}
    async with AsyncExitStack() as stack:
        for engine in engines.values():
            await stack.enter_async_context(engine)  # type: ignore[arg-type]
        services = [_service(task, options) for task in tasks]
        try:
            app = asgi(*services, token=token, hosts=_hosts(options), debug=options.debug)
            server = await stack.enter_async_context(_server(app, options))
        except (OSError, ValueError) as problem:
            cause = f": {problem.__cause__}" if problem.__cause__ is not None else ""
            raise Refused(f"{problem}{cause}") from None
        _say_where(server, app, services, file, options)
        if options.as_json:
            stack.enter_context(nothing_on_stdout())  # of the jobs
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            this = asyncio.current_task()
            assert this is not None
            this.uncancel()  # by the signal, which the jobs may outlive
            if await _drained(services, options.drain):
                raise


def _service(task: FunctionTask[..., Any, Any], options: Options) -> Service[Any]:
    engine: Any = task._engine
    service: Service[Any] = engine.serve(
        task, concurrency=options.concurrency, queue=options.queue, keep=options.keep
    )
    return service


def _server(app: Application, options: Options) -> Server:
    return Server(
        app,
        host=options.host,
        port=options.port,
        certfile=options.cert,
        keyfile=options.key,
        insecure=options.insecure,
    )


def _hosts(options: Options) -> list[str]:
    """The names that requests may be addressed to."""
    own = [socket.gethostname()] if options.host in _EVERY else [options.host]
    return [*LOOPBACK, *own, *options.allow_host]


async def _drained(services: Sequence[Service[Any]], seconds: float) -> bool:
    """Drain, and tell whether jobs were cancelled by that."""
    left = [job for each in services for job in each.jobs(limit=sys.maxsize) if job.state in _UNDER_WAY]
    if left:
        tell(f"{counted(len(left), 'job')} under way; those that run may go on for {seconds:g} s")
    await asyncio.gather(*(each.drain(seconds) for each in services))
    cut = [job for job in left if job.state in {"CANCELLED", "CANCELLING"}]
    if cut:
        tell(f"{counted(len(cut), 'job')} cancelled: {', '.join(plain(job.id) for job in cut[:10])}")
    return bool(cut)


# -- the token ----------------------------------------------------------------------------------------------


@contextmanager
def _token(path: str | None) -> Iterator[tuple[str, str]]:
    """The token, and the file that it is in; "" for none."""
    given = os.environ.get(_VARIABLE)
    if path is not None:
        yield _read(path) if os.path.exists(path) else _made(path), os.path.abspath(path)
    elif given is not None:
        yield _fit(given.strip(), _VARIABLE), ""
    else:
        folder = tempfile.mkdtemp(prefix="asyncflow-serve-")
        try:
            file = os.path.join(folder, "token")
            yield _made(file), file
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _made(path: str) -> str:
    token = secrets.token_urlsafe(24)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise Refused(f"--token-file {plain(path)}: {problem.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    return token


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            others = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            text = file.read(10_000).strip()
    except (OSError, ValueError) as problem:
        raise Refused(f"--token-file {plain(path)}: {problem}") from None
    if others:
        raise Refused(
            f"--token-file {plain(path)}: others on this machine can read it",
            f"chmod 600 {shlex.quote(path)}",
        )
    return _fit(text, f"--token-file {plain(path)}")


def _fit(token: str, where: str) -> str:
    if len(token) < 8 or not token.isascii() or not token.isprintable() or " " in token:
        raise Refused(f"{where}: a token of at least 8 letters, digits and signs is needed")
    return token


# -- what is said -------------------------------------------------------------------------------------------


def _say_where(
    server: Server, app: Application, services: Sequence[Service[Any]], file: str, options: Options
) -> None:
    lines = {each.name: _curl(server, app, each.name, file, options) for each in services}
    if options.as_json:
        facts = {"url": server.url, "token_file": file or None, "curl": lines}
        say(json.dumps(facts))  # one line, for programs that go on reading while this runs
        return
    where = plain(file) if file else f"in the variable {_VARIABLE}"
    said = [
        f"Jobs are taken at {server.url}; Ctrl-C ends it.",
        f"The token is {'in ' if file else ''}{where}.",
    ]
    for name, line in lines.items():
        said += ["", f"{plain(name)}:", f"  {line}"]
    said += ["", "The answer names the job; what became of it:  GET /NAME/ID/result?wait=30"]
    say("\n".join(said))


def _curl(server: Server, app: Application, name: str, file: str, options: Options) -> str:
    """A command that submits a job and works where it is printed."""
    token = f"$(cat {shlex.quote(file)})" if file else f"${_VARIABLE}"
    parts = ["curl", f'-H "Authorization: Bearer {token}"', '-H "Content-Type: application/json"']
    url = server.url
    if options.cert is not None:
        parts.append(f"--cacert {shlex.quote(options.cert)}")
    for every, own in zip(_EVERY, ("127.0.0.1", "[::1]"), strict=True):
        url = url.replace(f"//{every}:" if "." in every else f"//[{every}]:", f"//{own}:")
    body = json.dumps(app.example(name))
    return " ".join([*parts, f"-d {shlex.quote(body)}", shlex.quote(f"{url}{app.path(name)}")])
