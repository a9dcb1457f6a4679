"""Makes the plan of what a command line means: of a target, or of all that a script calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from .._engine.commanded import Said, commanding
from .._show.words import plain
from .._stand_ins.examples import example_of
from ..engine import WorkflowEngine
from ..graph import Graph
from ..plan import Plan
from . import modules
from .exits import Refused
from .options import Settings
from .out import tell
from .outcome import code_of, nothing_on_stdout, show, users_code
from .parameters import Call, Parameters
from .target import Found, Place, found_in


def planned(place: Place, arguments: Sequence[str], settings: Settings, subcommand: str) -> Plan:
    """The plan of ``FILE[:target] arguments``.

    Args:
        place: of what is meant.
        arguments: of the target, or of the script.
        settings: of its engines, as for `opened`.
        subcommand: that asks for it, for messages.

    Raises:
        Refused: there is no such target, or it takes no such arguments.
        SystemExit: the user's code has failed, which is told already.
    """
    said = {name: Said(*each) for name, each in settings.items()}
    with nothing_on_stdout():
        if place.is_script:
            return _of_script(place, arguments, said)
        with commanding(said) as made, modules.loaded(place.path) as module:
            return _of_target(found_in(place, module, made), arguments, subcommand)


def _of_target(found: Found, arguments: Sequence[str], subcommand: str) -> Plan:
    engine, target = found.engine, found.call
    call = Call((), {})
    if not isinstance(target, Graph):
        parameters = Parameters(
            target,
            found.name,
            f"asyncflow {subcommand} {found.path}:{found.name}",
            found.place.source.likely_targets(),
        )
        call = _completed(parameters, parameters.read(arguments))
    elif arguments:
        raise Refused(f"{found.name} is a graph, which takes no arguments, and was given {arguments[0]!r}")

    async def rehearsed() -> Plan:
        plan: Plan = await engine.plan(target, *call.args, **call.kwargs)
        return plan

    with users_code():
        return asyncio.run(rehearsed())


def _completed(parameters: Parameters, call: Call) -> Call:
    """A call with made-up values for what it has to give and does not."""
    missing = parameters.missing(call)
    for each in missing:
        value = example_of(each.annotation, f"{parameters.name}({each.name})")
        if each.parameter.kind is each.parameter.POSITIONAL_ONLY:
            call = Call((*call.args, value), call.kwargs)
        else:
            call = Call(call.args, {**call.kwargs, each.name: value})
    if missing:
        names = ", ".join(each.name for each in missing)
        tell(f"made up, as the command line does not give it: {names}")
    parameters.check(call)
    return call


def _of_script(place: Place, arguments: Sequence[str], said: Mapping[str, Said]) -> Plan:
    """A script makes a dry run, in which it does all but the work of its tasks."""
    dry = {**said, "dry_run": Said("dry_run", True)}
    with commanding(dry) as made, modules.script(place.path, arguments) as main:
        failed: BaseException | None = None
        try:
            modules.run_script(main)
        except BaseException as error:
            failed = error
        plans = [asyncio.run(_so_far(each)) for each in made.engines if isinstance(each, WorkflowEngine)]
        plans = [each for each in plans if each.tasks]
    if failed is not None and code_of(failed) and (not plans or not isinstance(failed, Exception)):
        show(failed)
        raise SystemExit(code_of(failed))
    if isinstance(failed, Exception):
        tell(
            f"{plain(place.path)} has ended early, in a dry run where values stand in for results:\n"
            f"  {type(failed).__name__}: {plain(str(failed))}"
        )
    if not plans:
        raise Refused(
            f"{plain(place.path)}, run as a script, calls no task", "name what is meant:  FILE:target"
        )
    if len(plans) > 1:
        tell(f"{plain(place.path)} has run {len(plans)} engines; this is what the first of them would do")
    return plans[0]


async def _so_far(engine: WorkflowEngine) -> Plan:
    return await engine.plan()
