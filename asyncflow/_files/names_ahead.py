"""Tells in the call already that two of its inputs would have one name in the sandbox, as far as that is certain."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from pathlib import Path, PurePath
from typing import Any

from .._core import urls
from .._core.files import InputFile, OutputFile, is_plain_name, name_in_sandbox, straight
from .._core.task import Task
from .held_path import plain_path
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


def _made(source: Any, files: TaskFiles) -> tuple[str, Hashable, str] | None:
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


def _there(source: Any, files: TaskFiles) -> tuple[str, Hashable, str] | None:
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
    if (
        may_be_made or not name or (files.is_dry and TEXT in name)
    ):  # text that was made of a value that stands in
        return None
    return name, file, told
