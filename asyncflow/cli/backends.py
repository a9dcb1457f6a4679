"""``asyncflow backends``: what can run tasks, and what each can do."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint
from typing import Any, Final

import click

from .options import json_option
from .out import say, say_json

_SEPARATE: Final = {
    "dask": ("asyncflow-dask", "a Dask cluster"),
    "ray": ("asyncflow-ray", "a Ray cluster"),
}
_ABILITIES: Final = {
    "can_kill": "a running task can be stopped",
    "runs_coroutines": "async def tasks run there",
    "needs_pickle": "arguments and results are pickled",
    "shares_filesystem": "tasks see the files of this machine",
    "keeps_results": "results stay there until they are asked for",
}


@click.command(name="backends")
@json_option
def command(as_json: bool) -> None:
    """List what can run tasks: the backends that are installed, what each can do, and how to get others.

    \b
    Examples:
      asyncflow backends
      asyncflow run flow.py --backend process
    """
    from .._engine.discovery import installed

    there = {name: _facts(point) for name, point in sorted(installed().items())}
    missing = {name: package for name, (package, _) in _SEPARATE.items() if name not in there}
    if as_json:
        say_json({"installed": there, "others": missing})
        return
    for name, facts in there.items():
        say(f"{name}: {facts['does']}")
        if "problem" in facts:
            say(f"  cannot be loaded: {facts['problem']}")
        for line in _abilities(facts):
            say(f"  {line}")
    for name, package in missing.items():
        say(f"{name}: not installed; runs tasks on {_SEPARATE[name][1]}:  pip install {package}")
    say("Choose one:  WorkflowEngine(backend=...), ASYNCFLOW_BACKEND=..., or  asyncflow run --backend ...")


def _facts(point: EntryPoint) -> dict[str, object]:
    """What a backend says of itself."""
    try:
        cls: Any = point.load()
    except Exception as error:  # of others' code
        return {"does": point.value, "problem": f"{type(error).__name__}: {error}"}
    doc = " ".join((inspect.getdoc(cls) or point.value).partition("\n\n")[0].split())
    concurrency = getattr(cls, "concurrency", None)
    facts: dict[str, object] = {"does": doc, "class": point.value}
    if isinstance(getattr(concurrency, "name", None), str):
        facts["concurrency"] = concurrency.name.lower()  # type: ignore[union-attr]
    for ability in _ABILITIES:
        value = getattr(cls, ability, None)
        if isinstance(value, bool):
            facts[ability] = value
    return facts


def _abilities(facts: dict[str, object]) -> list[str]:
    concurrency = str(facts.get("concurrency", ""))
    return [
        *([f"{concurrency}: {_CONCURRENCY[concurrency]}"] if concurrency in _CONCURRENCY else []),
        *(
            f"{'yes' if facts[each] else 'no '}  {meaning}"
            for each, meaning in _ABILITIES.items()
            if each in facts
        ),
    ]


_CONCURRENCY: Final = {
    "sequential": "one task after another",
    "concurrent": "tasks take turns: they gain where they wait, not where they compute",
    "parallel": "tasks compute at the same time",
}
