"""Decides about files: what a task declares, which file an input means, what may not be. Pure: no file is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file or directory that a task reads: in its sandbox there is a copy, which it may change without harm.

    Args:
        source: a path; the name of an output of a task that this one depends on; or a future of a path.
    """

    source: Any


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file or directory that a task makes in its sandbox.

    Args:
        name: its path there; with ``*``, ``?`` or ``[...]`` in it, of as many as there are.
        to: where it is published when the task has succeeded: a path; None for nowhere.

    Raises:
        ValueError: the name leads out of the sandbox, or several files would go to one place.
        TypeError: the name is no text.
    """

    name: str
    to: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"OutputFile({self.name!r}): its name is text, a path inside the sandbox")
        parts = self.name.split("/")
        if not self.name or "\0" in self.name or self.name.startswith("/") or ".." in parts:
            raise ValueError(
                f"OutputFile({self.name!r}): its name has to be a relative path inside the sandbox"
            )
        if self.is_glob and self.to is not None:
            raise ValueError(
                f"OutputFile({self.name!r}, to={self.to!r}): several files cannot go to one place"
            )

    @property
    def is_glob(self) -> bool:
        """Whether it stands for as many files as there are."""
        return not _GLOB.isdisjoint(self.name)


class Upstream(Protocol):
    """What a task that another depends on has made."""

    @property
    def label(self) -> str:
        """Of the task, for messages: "'split' (#3)"."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What it declared, by name: a path each, or of a glob a list of paths."""


def declared(value: Any) -> Iterator[InputFile | OutputFile]:
    """The files that an argument declares, also those inside of lists, tuples and dicts."""
    if isinstance(value, (InputFile, OutputFile)):
        yield value
    elif type(value) in (list, tuple):
        for item in value:
            yield from declared(item)
    elif type(value) is dict:
        for item in value.values():
            yield from declared(item)


def with_paths(value: Any, path_of: Callable[[InputFile | OutputFile], Any]) -> Any:
    """An argument with a path in place of each file that it declares."""
    if isinstance(value, (InputFile, OutputFile)):
        return path_of(value)
    if type(value) in (list, tuple):
        return type(value)(with_paths(item, path_of) for item in value)
    if type(value) is dict:
        return {key: with_paths(item, path_of) for key, item in value.items()}
    return value


def made_upstream(source: Any, upstreams: Sequence[Upstream]) -> Any | None:
    """The path of an output that an input means by its name.

    Args:
        source: of the `InputFile`.
        upstreams: the tasks that the reader depends on.

    Returns:
        None if none of these declared an output of that name.

    Raises:
        ValueError: more than one of them did, or it is several files.
    """
    makers = [each for each in upstreams if isinstance(source, str) and source in each.outputs]
    if not makers:
        return None
    if len({id(maker.outputs) for maker in makers}) > 1:
        names = " and ".join(maker.label for maker in makers)
        raise ValueError(
            f"InputFile({source!r}) could be an output of {names}.\n"
            f"  Say which:  InputFile(future.outputs[{source!r}])"
        )
    return makers[0].outputs[source]


def name_in_sandbox(path: str, taken: Mapping[str, str]) -> str:
    """The name that an input has in the sandbox: that of its source.

    Args:
        path: of the source.
        taken: sources by the names that they have there.

    Raises:
        ValueError: another input has that name.
    """
    name = path.rstrip("/").rpartition("/")[2]
    if taken.get(name, path) != path:
        raise ValueError(f"two inputs would be called {name!r} in the sandbox: {taken[name]!r} and {path!r}")
    return name
