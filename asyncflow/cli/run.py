"""``asyncflow run``: runs a target of a file, or the file as Python runs a script."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from .._engine.commanded import Said, commanding
from .._runtime.script import run_script
from ..graph import Graph
from . import modules
from .behind import TargetCommand
from .exits import Refused
from .options import engine_parameters, said
from .parameters import Parameters
from .ran import Ran
from .saving import check
from .target import Found, Place, found_in


def _parameters() -> list[click.Option]:
    """The options of this subcommand."""
    path = click.Path(dir_okay=False)
    return [
        *engine_parameters(),
        click.Option(["--progress/--no-progress"], default=None, help="Show how far it is, live."),
        click.Option(
            ["--report"], type=path, metavar="PATH", help="Write the report there: .html, .json or .txt."
        ),
        click.Option(
            ["--journal"],
            type=path,
            metavar="PATH",
            help="Write there what happens, as it happens: for watch, report, timeline, explain.",
        ),
        click.Option(["--trace"], type=path, metavar="PATH", help="Write a trace for ui.perfetto.dev there."),
        click.Option(["--quiet", "-q"], is_flag=True, help="Say nothing at the end."),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Print JSON at the end, for programs to read."
        ),
    ]


_LINE: Final = compile("run(target, *args, **kwargs)", "<command line>", "eval")
"""The line that calls a target, as errors name it: the user has written none."""

_HELP = """Run a workflow: the target, which is a block, task, graph or function of a file of Python, with the arguments
that follow.

The target need not be named if it is called main, or if the file has no other. Its arguments are given in order or by
name, and read as its annotations say; what it takes says:  asyncflow run FILE:target --help

A file that runs something itself, under `if __name__ == "__main__":`, is run as Python would run it if no target is
named, with the arguments that follow. An option behind FILE that the target or the script has itself is theirs; before
FILE it is always asyncflow's.

\b
Examples:
  asyncflow run flow.py:pipeline data.csv --degree 3
  asyncflow run flow.py --backend process --workers 8 --report out.html
  asyncflow run flow.py --progress --journal run.jsonl --set on_failure=stop

The exit code is 0 if all is done, 1 if tasks have failed, 2 if the command line is wrong, 3 if the wiring is, 130
after Ctrl-C and 143 after SIGTERM.
"""


def _run(place: Place, arguments: Sequence[str], **options: Any) -> None:
    settings = {name: Said(*each) for name, each in _settings(options).items()}
    ran = Ran(**{name: options[name] for name in ("report", "trace", "quiet", "as_json")})
    with commanding(settings) as made:
        if place.is_script:
            with modules.script(place.path, arguments) as main, ran.watched(made):
                modules.run_script(main)
        else:
            with modules.loaded(place.path) as module:
                _call(found_in(place, module, made), arguments, ran)
    ran.leave()


command = TargetCommand("run", callback=_run, params=_parameters(), help=_HELP)


def _settings(options: Mapping[str, Any]) -> dict[str, tuple[str, object]]:
    settings = said(options["backend"], options["workers"], options["set_"])
    if options["journal"] is not None:
        check(options["journal"], "--journal")
        settings["journal"] = ("--journal", options["journal"])
    if options["progress"] is not None:
        settings["progress"] = ("--progress", options["progress"])
    return settings


def _call(found: Found, arguments: Sequence[str], ran: Ran) -> None:
    """Call what was asked for, and wait for what it gives."""
    target: Any = found.call
    if isinstance(target, Graph):
        if arguments:
            raise Refused(
                f"{found.name} is a graph, which takes no arguments, and was given {arguments[0]!r}"
            )
        engine = found.engine
        with ran.watched(found.made):
            ran.value = engine.run(lambda: engine.run_graph(target))
        return
    parameters = Parameters(
        target,
        found.name,
        f"asyncflow run {found.place.path}:{found.name}",
        found.place.source.likely_targets(),
    )
    call = parameters.read(arguments)
    parameters.check(call)
    with ran.watched(found.made):
        if found.place.source.starts_a_loop(found.name):
            ran.value = target(*call.args, **call.kwargs)
        elif found.has_engine:
            names = {"run": found.engine.run, "target": target, "args": call.args, "kwargs": call.kwargs}
            ran.value = eval(_LINE, names)
        elif inspect.iscoroutinefunction(target):  # it makes an engine itself
            ran.value = run_script(lambda: target(*call.args, **call.kwargs))
        else:
            _ = found.engine  # says why there is none
