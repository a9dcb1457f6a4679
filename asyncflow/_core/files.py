"""Decides about files: what a task declares, which file an input means, what may not be. Pure: no file is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

from . import arguments, urls
from .containers import Kinds

_GLOB: Final = frozenset("*?[")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


class File:
    """What an argument may declare: a file that a task reads, or one that it makes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class InputFile(File):
    """A file or directory that a task reads: in its sandbox there is a copy, which it may change without harm.

    Args:
        source: a path; a URL; the name of an output of a task that this one depends on; or a future of one of these.
        name: its name in the sandbox; None for that of its source.
        sha256: what the file has to be, as 64 hexadecimal digits; None for anything.

    Raises:
        ValueError: the source is empty, the name leads out of the sandbox, or the checksum is none.
    """

    source: object
    _: KW_ONLY
    name: str | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        # As a path, it would be the whole working directory.
        if isinstance(self.source, str) and not self.source:
            raise ValueError("InputFile(''): a path, a URL or the name of an output is needed")
        if self.name is not None:
            if not _stays_inside(self.name):
                raise ValueError(
                    f"InputFile(..., name={self.name!r}): the name has to be a relative path inside the sandbox"
                )
            object.__setattr__(self, "name", straight(self.name))
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"InputFile(..., sha256={self.sha256!r}): 64 hexadecimal digits are needed")


@dataclass(frozen=True, slots=True)
class OutputFile(File):
    """A file or directory that a task makes in its sandbox.

    Args:
        name: its path there; with ``*``, ``?`` or ``[...]`` in it, of as many as there are.
        to: where it is published when the task has succeeded: a path or a URL; text that ends in a slash
            means a directory that it goes into; None for nowhere.

    Raises:
        ValueError: the name leads out of the sandbox or is no pattern that can be followed, or several files would go
            to one place.
        TypeError: the name is no text.
    """

    name: str
    to: object = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"OutputFile({self.name!r}): its name is text, a path inside the sandbox")
        if not _stays_inside(self.name):
            raise ValueError(
                f"OutputFile({self.name!r}): its name has to be a relative path inside the sandbox"
            )
        if any("**" in part and part != "**" for part in self.name.split("/")):
            raise ValueError(f"OutputFile({self.name!r}): ** stands for any number of directories, by itself")
        if isinstance(self.to, str) and not self.to:
            raise ValueError(f"OutputFile({self.name!r}, to=''): a path or a URL is needed")
        object.__setattr__(self, "name", straight(self.name))
        if self.is_glob and self.to is not None:
            raise ValueError(
                f"OutputFile({self.name!r}, to={self.to!r}): several files cannot go to one place"
            )

    @property
    def is_glob(self) -> bool:
        """Whether it stands for as many files as there are."""
        return self.is_pattern(self.name)

    @property
    def target(self) -> object:
        """Where it is published, in full: of a directory that ends in a slash, the file in it."""
        if not isinstance(self.to, str) or not self.to.endswith("/"):
            return self.to
        name = self.name.rpartition("/")[2]
        return urls.below(self.to, name) if urls.is_url(self.to) else self.to + name

    @staticmethod
    def is_pattern(name: str) -> bool:
        """Whether a name stands for as many files as there are."""
        return not _GLOB.isdisjoint(name)


def _stays_inside(name: str) -> bool:
    return name.strip("./") != "" and "\0" not in name and name[0] != "/" and ".." not in name.split("/")


def straight(name: str) -> str:
    """A name without what means nothing in a path: "./a//b/" is "a/b"."""
    start = "/" if name.startswith("/") else ""
    return start + "/".join(part for part in name.split("/") if part not in ("", "."))


# -- what a call declares ---------------------------------------------------------------------------------

_KINDS: Final = Kinds(File, lambda cls: False, lazy=False)


@dataclass(frozen=True, slots=True)
class Declared:
    """The files among the arguments of one call, wherever they are nested."""

    inputs: Sequence[InputFile]
    outputs: Mapping[str, OutputFile]  # by name
    holes: arguments.Holes

    def __bool__(self) -> bool:
        return bool(self.inputs or self.outputs)


def declared(args: tuple[object, ...], kwargs: Mapping[str, object]) -> Declared:
    """Find the files that the arguments of a call declare.

    Raises:
        ValueError: two outputs of one name, or a container that holds both itself and a file.
    """
    found, holes, _ = arguments.scan(args, kwargs, _KINDS, _never)
    return Declared(*inputs_and_outputs(found), holes)


def inputs_and_outputs(found: Sequence[object]) -> tuple[list[InputFile], dict[str, OutputFile]]:
    """The inputs among the files of a call, and the outputs by name.

    Raises:
        ValueError: two outputs of one name.
    """
    outputs: dict[str, OutputFile] = {}
    for each in found:
        if isinstance(each, OutputFile) and outputs.setdefault(each.name, each) != each:
            raise ValueError(f"{each!r} and {outputs[each.name]!r} would be one file")
    return [each for each in found if isinstance(each, InputFile)], outputs


def with_paths(
    args: tuple[object, ...], kwargs: Mapping[str, object], files: Declared, path_of: Callable[[Any], object]
) -> tuple[tuple[object, ...], Mapping[str, object]]:
    """The arguments with ``path_of(file)`` in place of each file. ``files`` is what `declared` found, and can be used
    once."""
    if not files.holes:
        return args, kwargs
    return arguments.fill(args, kwargs, files.holes, File, path_of)


def _never(awaitable: object) -> object:
    raise AssertionError("no class is foreign here")


# -- which file an input means ----------------------------------------------------------------------------


class Upstream(Protocol):
    """A task that another one depends on, with the files that it has made."""

    @property
    def label(self) -> str:
        """Of the task, for messages: "'split' (#3)"."""

    @property
    def outputs(self) -> Mapping[str, object]:
        """What it declared, by name: a path each, or of a glob a list of paths."""


def made_upstream(source: object, upstreams: Sequence[Upstream]) -> object | None:
    """The path of the output that an input names, if one of the tasks that the reader depends on declares such an
    output.

    Returns:
        None if none of these declared an output of that name.

    Raises:
        ValueError: more than one of them did.
    """
    name = straight(source) if isinstance(source, str) else None
    makers = [each for each in upstreams if name in each.outputs]
    if name is None or not makers:
        return None
    if len({id(maker.outputs) for maker in makers}) > 1:
        names = " and ".join(maker.label for maker in makers)
        raise ValueError(
            f"InputFile({source!r}) could be an output of {names}.\n"
            f"  Say which:  InputFile(future.outputs[{source!r}])"
        )
    return makers[0].outputs[name]


def is_plain_name(source: str) -> bool:
    """Whether the source of an input is a bare name, as outputs have them, and no path or URL."""
    return "/" not in source and not source.startswith(("~", "data:"))


def name_in_sandbox(name: str, file: Hashable, source: str, taken: dict[str, tuple[Hashable, str]]) -> str:
    """The name that an input gets in the sandbox. ``taken`` holds the file and its source for each name in use; the
    new name is added to it.

    Raises:
        ValueError: another input has that name.
    """
    other, other_source = taken.setdefault(name, (file, source))
    if other != file:
        raise ValueError(
            f"two inputs would be called {name!r} in the sandbox: {other_source!r} and {source!r}.\n"
            f"  Give each a name of its own, which may have directories:  InputFile(..., name={f'2/{name}'!r})"
        )
    return name


# -- files that nobody has declared -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """A file that a command has made without declaring it.

    Args:
        path: where it is.
        label: of the task that made it.
        owner: holds the place where it is.
    """

    path: str
    label: str
    owner: object = field(default=None, compare=False, repr=False)


Stamp = tuple[int, int]
"""By what a change of a file is seen: the time of its last one, in nanoseconds, and its size."""


def left_behind(
    label: str,
    there: Mapping[str, tuple[str, Stamp]],
    brought: Mapping[str, tuple[Stamp, Left | None]],
    outputs: Container[str],
) -> dict[str, Left]:
    """The undeclared files that are in a sandbox after its command: those that the command has made, and those that
    upstream tasks had left and the command did not change."""
    left = {}
    for name, (path, stamp) in there.items():
        before = brought.get(name)
        if path in outputs or (before is not None and before[1] is None):
            continue  # an input that was declared stays one, whatever was done with the copy
        if before is not None and before[0] == stamp and before[1] is not None:
            left[name] = before[1]
        else:
            left[name] = Left(path, label)
    return left


def hides(declared_names: Iterable[str], name: str) -> bool:
    """Whether a file that nobody has declared is hidden by what a task declares: by the same, by a directory around it,
    by something in it, or by a pattern."""
    return any(
        each == name or name.startswith(f"{each}/") or each.startswith(f"{name}/") or fnmatchcase(name, each)
        for each in (names.rstrip("/") for names in declared_names)
    )


def all_left(upstreams: Iterable[Mapping[str, Left]], is_hidden: Callable[[str], bool]) -> dict[str, Left]:
    """All undeclared files of upstream tasks that a task sees in its sandbox, but for those that ``is_hidden`` by
    what it declares.

    Raises:
        ValueError: two of them have left files of one name.
    """
    visible: dict[str, Left] = {}
    for upstream in upstreams:
        for name, left in upstream.items():
            if is_hidden(name):
                continue
            other = visible.setdefault(name, left)
            if other != left:
                raise ValueError(
                    f"{other.label} and {left.label} have both left a file {name!r}.\n"
                    f"  Declare it, and say which is meant: OutputFile({name!r}) there and "
                    f"InputFile(future.outputs[{name!r}]) here; or turn this off: implicit_data=False"
                )
    return visible
