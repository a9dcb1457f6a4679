"""``asyncflow doctor``: what would go wrong on this machine, and the mend."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import click

from .._show.words import plain, seconds
from .._version import __version__
from .exits import FAILED
from .machine import Fact, facts
from .options import json_option
from .out import say, say_json

_NAME: Final = "asyncflow-engine"
_FOR_US: Final = ("test", "docs", "lint", "types", "dev")
_REQUIRED: Final = re.compile(r"^([\w.-]+).*?extra\s*==\s*['\"](\w+)['\"]")


@click.command(name="doctor")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Look for what would go wrong on this machine: versions, CPUs, memory, disks, limits, settings, and whether tasks
    really run on the backends that are there.

    \b
    Examples:
      asyncflow doctor
      asyncflow doctor --json > machine.json    for a report of a bug

    The exit code is 1 if something would go wrong.
    """
    found = [*_versions(), *facts(), _settings(), *_backends()]
    wrong = [each for each in found if each.problem]
    if as_json:
        say_json({"facts": [asdict(each) for each in found], "problems": len(wrong)})
    else:
        widest = max(len(each.name) for each in found)
        for each in found:
            say(f"{each.name:{widest}}  {each.value}")
            if each.problem:
                say(f"{'':{widest}}  ! {each.problem}\n{'':{widest}}    mend: {each.mend}")
        names = ", ".join(each.name for each in wrong)
        say(f"What would go wrong: {names}" if wrong else "Nothing would go wrong.")
    if wrong:
        ctx.exit(FAILED)


def _versions() -> Iterator[Fact]:
    yield Fact("asyncflow", __version__)
    yield Fact("Python", f"{platform.python_version()}, {plain(sys.executable)}")
    try:
        required = importlib.metadata.requires(_NAME) or []
    except importlib.metadata.PackageNotFoundError:
        yield Fact("packages", "unknown", "asyncflow was not installed, but copied", f"pip install {_NAME}")
        return
    needed = [re.split(r"[\s<>=!~;\[]", each, maxsplit=1)[0] for each in required if "extra" not in each]
    yield Fact("needs", ", ".join(f"{name} {_version(name) or 'missing'}" for name in needed))
    extras: dict[str, list[str]] = {}
    for each in required:
        told = _REQUIRED.match(each)
        if told and told[2] not in _FOR_US:
            extras.setdefault(told[2], []).append(told[1])
    for extra, packages in sorted(extras.items()):
        versions = {name: _version(name) for name in packages}
        missing = [name for name, version in versions.items() if version is None]
        there = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        get = f'get it with:  pip install "{_NAME}[{extra}]"'
        yield Fact(f"extra {extra}", there if not missing else f"without {', '.join(missing)}; {get}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _settings() -> Fact:
    from .._engine.settings import PREFIX
    from ..engine import WorkflowEngine

    there = sorted(each for each in os.environ if each.startswith(PREFIX))
    value = ", ".join(f"{each}={plain(os.environ[each], 40)}" for each in there) or "none in the environment"
    try:
        WorkflowEngine()
    except Exception as error:
        return Fact("settings", value, plain(str(error), 500), "correct it where it is said")
    return Fact("settings", value)


def _backends() -> Iterator[Fact]:
    """A task on each backend that runs here, and whether the others can be loaded."""
    from .._engine.discovery import backend_class, installed

    for name in sorted(installed()):
        began = time.perf_counter()
        try:
            backend_class(name)
            told = "can be loaded"
            if name in ("thread", "process"):
                _one_task(name)
                told = f"a task ran, from start to end in {seconds(time.perf_counter() - began)}"
        except Exception as error:
            why = f"{type(error).__name__}: {plain(str(error), 500)}"
            yield Fact(f"backend {name}", "does not work", why, "another one, or as it says")
        else:
            yield Fact(f"backend {name}", told)


def _one_task(backend: str) -> None:
    from ..engine import WorkflowEngine

    engine = WorkflowEngine(backend=backend, workers=1, report_limit=0)
    task = engine.function_task(os.getpid)
    engine.run(task)
