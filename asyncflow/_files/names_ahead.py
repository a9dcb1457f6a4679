"""Tells in the call already that two of its inputs would have one name in the sandbox, or that one will not be there,
as far as that is certain."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from .._core import urls
from .._core.files import InputFile, OutputFile, is_plain_name, name_in_sandbox, straight
from .._core.task import Task
from ..errors import StagingError
from .destinations import destination_of
from .output_path import plain_path
from .path_standin import TEXT, PathStandIn
from .task_files import TaskFiles


def refuse_collisions(files: TaskFiles, inputs: Sequence[InputFile]) -> None:
    """Raise ValueError if two inputs of a call are not one file, and would have one name."""
    if len(inputs) < 2:
        return
    taken: dict[str, tuple[Hashable, str]] = {}
    for each in inputs:
        found = _made(each.source, files) or _there(each.source, files)
        if found is not None:
            name, file, told = found
            name_in_sandbox(each.name or name, file, told, taken)


def refuse_missing(files: TaskFiles, inputs: Sequence[InputFile], makers: Mapping[str, str]) -> None:
    """Refuse an input by name that none of the tasks makes that come before; they all tell what they make."""
    named = {name for upstream in files.upstreams for name in upstream.declares}
    published = {place for upstream in files.upstreams for place in upstream.destinations.values()}
    for source in [each.source for each in inputs if isinstance(each.source, str)]:
        if is_plain_name(source) and straight(source) not in named:
            path = files.folder / source
            if not os.path.exists(path) and destination_of(path, files.folder) not in published:
                raise StagingError(f"{files.label}: {missing(source, path, files.upstreams, makers)}")


def missing(source: Any, path: Path, upstreams: Iterable[TaskFiles], makers: Mapping[str, str]) -> str:
    """The words for an input that is not there, with who could have made it."""
    names = sorted({name for upstream in upstreams for name in upstream.declares})
    told = f"input {str(source)!r} is not there (looked at {path}); "
    if source in makers:
        return told + f"{makers[source]} makes it: pass its  future.outputs[{source!r}]  or say  after="
    if names:
        return told + f"the tasks that it depends on declare {', '.join(names)}"
    return told + "no task that it depends on declares an output"


def _made(source: object, files: TaskFiles) -> tuple[str, Hashable, str] | None:
    """Name, file and words of an output of a task that comes before."""
    if isinstance(source, Task) and source.definition.kind == "output" and source.args:
        _, maker, name = source.args
    elif isinstance(source, str):
        name = straight(source)
        maker = next((each for each in files.upstreams if name in each.declares), None)
    else:
        return None
    if maker is None or OutputFile.is_pattern(name):
        return None
    path = maker.outputs.get(name)  # that it is known by, once it is made
    file: Hashable = (id(maker), name) if path is None else os.path.normpath(path)
    return name.rpartition("/")[2], file, f"{name} of {maker.label}"


def _there(source: object, files: TaskFiles) -> tuple[str, Hashable, str] | None:
    """The same of a file that is there, or at another place."""
    if isinstance(source, PathStandIn) or not isinstance(source, (str, PurePath)):
        return None
    if isinstance(source, str) and urls.is_url(source):
        name, file, told = urls.name_of(source), source, urls.shown(source)
    else:
        plain = plain_path(source) if isinstance(source, Path) else source
        file = os.path.normpath(files.folder / os.path.expanduser(plain))
        name, told = os.path.basename(file), str(plain)
    may_be_made = isinstance(source, str) and is_plain_name(source) and bool(files.upstreams)
    # Text that was made of a value that stands in.
    if may_be_made or not name or (files.is_dry and TEXT in name):
        return None
    return name, file, told
