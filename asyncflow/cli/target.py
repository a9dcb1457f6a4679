"""Finds what a command line means by ``FILE[:target]``: loads the file as Python would load a module, and in it the
engine and what is to be called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import reduce
from inspect import isasyncgenfunction, isgeneratorfunction
from types import ModuleType
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from .._engine.commanded import Commanded, Said, commanding
from .._engine.function_task import FunctionTask
from .._engine.generator_task import GeneratorTask
from .._show.words import plain
from ..engine import WorkflowEngine
from ..graph import Graph
from . import modules
from .exits import Refused
from .given import PYTHON, refuse_others
from .options import Settings
from .source import Source, read

_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """``FILE[:target]``, before anything is loaded.

    Args:
        path: of the file.
        target: its name in there; "" if none is named.
        source: what is in the file.
    """

    path: str
    target: str
    source: Source

    @property
    def is_script(self) -> bool:
        """Whether it is to be run as Python runs a script: it is one, and no target in it is named."""
        return not self.target and self.source.is_script


@dataclass(frozen=True, slots=True)
class Found:
    """What a command line means.

    Args:
        path: of the file.
        name: of the target in there.
        module: the file, loaded.
        call: the target: a task, block or command, a `Graph`, or a function that calls some.
        made: the engines that the program makes.
        place: what was asked for.
    """

    path: str
    name: str
    module: ModuleType
    call: FunctionTask[..., Any, Any] | Graph | Callable[..., Any]
    made: Commanded
    place: Place

    @property
    def has_engine(self) -> bool:
        """Whether it is known whose it is."""
        return isinstance(self.call, FunctionTask) or len(self._engines()) == 1

    @property
    def engine(self) -> WorkflowEngine:
        """Whose it is; of a plain function, the only engine that the file makes when it is loaded.

        Raises:
            Refused: there is none, or several.
        """
        if isinstance(self.call, FunctionTask):
            engine: Any = self.call._engine
            return engine  # type: ignore[no-any-return]
        engines = self._engines()
        if len(engines) == 1:
            return engines[0]
        file, name = plain(self.path), plain(self.name)
        if not engines:
            raise Refused(
                f"{file} makes no engine when it is loaded, and {name} is no task of one",
                "make one at the top of the file:  engine = WorkflowEngine()",
            )
        raise Refused(
            f"{file} has {len(engines)} engines, and {name} belongs to none of them",
            "make it a block of the one that is meant:  @engine.block",
        )

    def _engines(self) -> list[WorkflowEngine]:
        there = {id(each): each for each in vars(self.module).values() if isinstance(each, WorkflowEngine)}
        return list(there.values()) or [
            each for each in self.made.engines if isinstance(each, WorkflowEngine)
        ]


class FileAndTarget(click.ParamType[str]):
    """``FILE[:target]``; its completion knows files of Python, and what is in them without running them."""

    name = "FILE[:target]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Files; behind a colon, what is decorated in the file."""
        path, is_named, begun = incomplete.rpartition(":")
        if is_named and os.path.isfile(path):
            try:
                names = read(path).likely_targets()
            except Refused:
                return []
            return [CompletionItem(f"{path}:{name}") for name in names if name.startswith(begun)]
        return [CompletionItem(incomplete, type="file")]


@contextmanager
def opened(given: str, settings: Settings | None = None) -> Iterator[Found]:
    """Load what ``FILE[:target]`` means, and let it be there until this is left.

    Args:
        given: as on the command line.
        settings: of all engines that the program makes, by the names of their options: where each was said, and its
            value. They win over what the code says.

    Raises:
        Refused: there is no such file or target, or not one alone.
        Exception: of the code in the file.
    """
    place = place_of(given)
    with loaded(place, settings) as (module, made):
        yield found_in(place, module, made)


@contextmanager
def loaded(place: Place, settings: Settings | None = None) -> Iterator[tuple[ModuleType, Commanded]]:
    """Load a file as a module, and let it be there until this is left.

    Args:
        place: of the file.
        settings: as for `opened`.
    """
    said = {name: Said(*each) for name, each in (settings or {}).items()}
    with commanding(said) as made, modules.loaded(place.path) as module:
        yield module, made


def place_of(given: str) -> Place:
    """What ``FILE[:target]`` names, without loading it.

    Raises:
        Refused: there is no such file.
    """
    path, target = (given, "") if os.path.exists(given) else _apart(given)
    if os.path.isdir(path):
        raise Refused(f"{plain(path)} is a folder, and a file of Python is needed{_python_in(path)}")
    if not os.path.exists(path):
        raise Refused(f"there is no file {plain(path)!r}{_near_file(path, target)}")
    if path.endswith(".ipynb"):
        raise Refused(
            f"{plain(path)} is a notebook, and a file of Python is needed",
            f"make one of it:  jupyter nbconvert --to script {plain(path)}",
        )
    refuse_others(path, PYTHON, PYTHON)
    return Place(path, target, read(path))


def found_in(place: Place, module: ModuleType, made: Commanded) -> Found:
    """The target in a module, and its engine.

    Raises:
        Refused: there is none of that name; or none is named, and there is none, or there are several.
    """
    name = place.target or _only_target(place, module)
    try:
        call: Any = reduce(getattr, name.split("."), module)
    except AttributeError:
        there = list(targets_in(module)) or place.source.likely_targets()
        raise Refused(f"{plain(place.path)} has no {plain(name)!r}{_meant(name, there)}") from None
    if isinstance(call, WorkflowEngine):
        raise Refused(
            f"{plain(name)} in {plain(place.path)} is the engine; what is to be called is needed",
            _listed(place, list(targets_in(module))),
        )
    plain_fn = call.fn if isinstance(call, GeneratorTask) else call
    if isgeneratorfunction(plain_fn) or isasyncgenfunction(plain_fn):
        raise Refused(
            f"{plain(name)} in {plain(place.path)} yields many values, and what is called here gives one",
            f"name a block that reads them:  return [each async for each in {plain(name)}(...)]",
        )
    if not callable(call) and not isinstance(call, Graph):
        raise Refused(
            f"{plain(name)} in {plain(place.path)} is {plain(repr(call), 60)}, which cannot be called",
            "a task, a block, a graph, or a function that calls tasks is needed",
        )
    if made.waits_for:
        name_of_backend = made.waits_for.split()[-1].partition("=")[0]
        raise Refused(
            f"{made.waits_for}: no engine of {plain(place.path)} has a backend called {name_of_backend!r}"
        )
    return Found(place.path, name, module, call, made, place)


def targets_in(module: ModuleType) -> dict[str, FunctionTask[..., Any, Any] | Graph]:
    """The tasks, blocks and graphs of a module by their names in it, those that it defines itself if it does."""
    there = {name: each for name, each in vars(module).items() if isinstance(each, FunctionTask | Graph)}
    own = {
        name: each
        for name, each in there.items()
        if isinstance(each, Graph) or getattr(each, "__module__", None) == module.__name__
    }
    return own or there


def _only_target(place: Place, module: ModuleType) -> str:
    """The target of a file of which none is named."""
    there = targets_in(module)
    main = vars(module).get("main")
    if callable(main) and getattr(main, "__module__", None) == module.__name__:
        return "main"
    blocks = [
        name for name, each in there.items() if isinstance(each, Graph) or each._definition.kind == "block"
    ]
    for names in (blocks, list(there)):
        if len(names) == 1:
            return names[0]
        if names:
            raise Refused(
                f"{plain(place.path)} has {len(names)} targets; say which one is meant", _listed(place, names)
            )
    raise Refused(
        f"{plain(place.path)} has no task, block or graph that could be called",
        "name a function in it:  FILE:function",
    )


# -- words --------------------------------------------------------------------------------------------------


def _apart(given: str) -> tuple[str, str]:
    path, is_named, target = given.rpartition(":")
    return (path, target) if is_named and path else (given, "")


def _near_file(path: str, target: str) -> str:
    module, _, name = path.rpartition(".")
    if not target and name.isidentifier() and os.path.isfile(f"{module}.py"):  # as it is imported
        path, target = module, name
    if os.path.isfile(f"{path}.py"):
        return f"; did you mean {plain(f'{path}.py:{target}' if target else f'{path}.py')!r}?"
    folder, name = os.path.split(path)
    try:
        there = [each for each in os.listdir(folder or ".") if each.endswith(".py")]
    except OSError:
        return f"; there is no folder {plain(folder)!r} either" if folder else ""
    near = get_close_matches(name, there, 1) or [each for each in there if each == f"{name}.py"]
    return f"; did you mean {plain(os.path.join(folder, near[0]))!r}?" if near else ""


def _python_in(folder: str) -> str:
    there = sorted(each for each in os.listdir(folder) if each.endswith(".py") and each != "__init__.py")
    return f"; there are {', '.join(map(plain, there[:_SHOWN]))}" if there else ""


def _meant(name: str, there: list[str]) -> str:
    near = get_close_matches(name, there, 1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(map(plain, there[:_SHOWN]))}" if there else ""


def _listed(place: Place, names: list[str]) -> str:
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return "\n  ".join([*(f"{plain(place.path)}:{plain(name)}" for name in names[:_SHOWN]), *more])
