"""``asyncflow serve``: takes jobs for tasks and blocks over HTTP, until it is told to end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from types import ModuleType
from typing import Any, Final

import click

from .._engine.commanded import Said, commanding
from .._engine.function_task import FunctionTask
from .._show.words import plain
from . import modules
from .exits import Refused
from .options import Count, Seconds, engine_parameters, json_flag, said
from .outcome import nothing_on_stdout, users_code
from .target import FileAndTarget, Found, found_in, place_of

_HELP: Final = """Take jobs for tasks or blocks over HTTP, each under its name, until Ctrl-C or SIGTERM.

Requests carry a token: that in the variable ASYNCFLOW_TOKEN, or in the file of --token-file. If there is none, one is
made, in a file that only you can read. Only this machine is listened to, unless --host says more; then --cert and
--key are needed, or --insecure.

At the end no more jobs are taken, those that wait for their turn are cancelled, and those that run may go on for
--drain seconds. A second Ctrl-C ends at once.

\b
Examples:
  asyncflow serve jobs.py:pipeline --port 8000
  asyncflow serve jobs.py:pipeline jobs.py:report --concurrency 2 --keep 600
  asyncflow serve jobs.py --host 0.0.0.0 --cert host.pem --key host.key --allow-host jobs.example.org

The exit code is 0 if no job was cancelled by the end, 130 (Ctrl-C) or 143 (SIGTERM) if some were, 1 if the file raises
an error, 2 if the command line is wrong or the port is taken.
"""


def _serve(
    files: Sequence[str], backend: str | None, workers: int | None, set_: Sequence[str], **options: Any
) -> None:
    try:
        from .serving import Options, serve
    except ImportError as missing:
        raise Refused(*str(missing).split(":  ")) from None
    settings = {name: Said(*each) for name, each in said(backend, workers, set_).items()}
    with ExitStack() as stack:
        made = stack.enter_context(commanding(settings))
        files_there: dict[str, ModuleType] = {}
        found: dict[int, Found] = {}
        for given in files:
            place = place_of(given)
            path = os.path.realpath(place.path)
            if path not in files_there:  # or two targets of one file would have two engines
                with nothing_on_stdout() if options["as_json"] else nullcontext():
                    files_there[path] = stack.enter_context(modules.loaded(place.path))
            one = found_in(place, files_there[path], made)
            found.setdefault(id(one.call), one)
        tasks = [_task(each) for each in found.values()]
        names = [each._definition.name for each in tasks]
        for name in names:
            if names.count(name) > 1:
                raise Refused(f"two targets are called {plain(name)!r}", "give one of them another name=")
        with users_code():
            serve(tasks, Options(**options))


def _task(found: Found) -> FunctionTask[..., Any, Any]:
    """What jobs are taken for; a function that calls tasks becomes a block."""
    call: Any = found.call
    if isinstance(call, FunctionTask):
        return call
    name = plain(found.name)
    if not callable(call):
        raise Refused(
            f"{name} is a graph, which takes no arguments; jobs are for a task or block",
            f"make a block of it:  @engine.block async def job(): return await engine.run_graph({name})",
        )
    block: Any = found.engine.block
    try:
        task: FunctionTask[..., Any, Any] = block(call)
    except TypeError as problem:
        raise Refused(f"{name}: {problem}") from None
    return task


def _parameters() -> list[click.Parameter]:
    path = click.Path(dir_okay=False)
    seconds = Seconds()
    return [
        click.Argument(["files"], type=FileAndTarget(), nargs=-1, required=True, metavar="FILE[:target]..."),
        click.Option(
            ["--port"],
            type=Count(0, 65535),
            default=8000,
            metavar="N",
            help="The port to listen on, 8000 if not given; 0 for any that is free.",
        ),
        click.Option(
            ["--host"],
            default="127.0.0.1",
            metavar="HOST",
            help="The address to listen on; this machine's own (127.0.0.1) if not given.",
        ),
        click.Option(
            ["--token-file"],
            type=path,
            metavar="PATH",
            help="Read the token there; if there is no such file, make one and leave it there.",
        ),
        click.Option(
            ["--concurrency"],
            type=Count(),
            default=8,
            metavar="N",
            help="How many jobs of a target run at once; 8 if not given.",
        ),
        click.Option(
            ["--queue"],
            type=Count(0),
            default=1000,
            metavar="N",
            help="How many more jobs of a target may wait; 1000 if not given.",
        ),
        click.Option(
            ["--keep"],
            type=seconds,
            default=3600.0,
            metavar="SECONDS",
            help="For how long a job is kept that is over; 3600 if not given.",
        ),
        click.Option(
            ["--drain"],
            type=seconds,
            default=30.0,
            metavar="SECONDS",
            help="For how long jobs may go on at the end; 30 if not given.",
        ),
        click.Option(["--cert"], type=path, metavar="PATH", help="The certificate with its chain, for TLS."),
        click.Option(["--key"], type=path, metavar="PATH", help="The certificate's key."),
        click.Option(["--insecure"], is_flag=True, help="Listen to other machines without TLS."),
        click.Option(
            ["--allow-host"],
            multiple=True,
            metavar="NAME",
            help="A name that requests may be addressed to; again for more.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            help="Send tracebacks of failed jobs, to requests of this machine only.",
        ),
        *engine_parameters(),
        json_flag(),
    ]


command: Final = click.Command("serve", callback=_serve, params=_parameters(), help=_HELP)
