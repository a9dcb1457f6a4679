"""What crosses between an engine and a machine that does not share its files: plain data about a task's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

FILE: Final = 0
FOLDER: Final = 1
LINK: Final = 2

Plain: TypeAlias = tuple[object, ...]
"""What can be sent to somebody who has none of our classes."""


class Entry(NamedTuple):
    """One thing in a sandbox."""

    name: str
    """Its path there."""
    kind: int
    """FILE, FOLDER or LINK."""
    mode: int
    """Who may do what with it."""
    changed: int
    """When it was changed last, in nanoseconds."""
    size: int
    """Bytes of a file."""
    digest: bytes | None
    """What its content is known by; None if nobody has worked it out yet, or it is no file."""
    source: str
    """Of a file: its path where it comes from. Of a link: what it leads to."""
    content: bytes | None = None
    """Of a small file: what is in it, so that nobody has to ask for that; None if it has to be asked for."""


@dataclass(frozen=True, slots=True)
class CarriedFiles:
    """What a backend that `carries_files` has to bring to a task, and to bring back from it."""

    label: str
    """The task in words, for messages: "'split' (#3)"."""
    sandbox: str
    """The directory here that belongs to this attempt alone; made, and mostly empty. What the task has made has to be
    there, by its names, before it is reported to have succeeded."""
    inputs: Sequence[Entry]
    """What has to be in the task's own directory before it begins; a directory comes before what is in it."""
    outputs: tuple[str, ...] = ()
    """What it declares to make: names, or patterns with ``*``, ``?`` or ``[...]``, of which each has to be there."""
    takes_all: bool = False
    """Whether it is also to be brought back what it has made without declaring it."""
    also: Mapping[str, str] = field(default_factory=dict)
    """Files beside its directory there that come back, if they are there: by their endings, and their paths here."""
    evidence: int = 0
    """Bytes of its directory there that come back at most if it has failed, so that its user can look into it."""
    untouched: set[str] = field(default_factory=set, compare=False)
    """The backend notes here which of the inputs the task has left as they were, by name, if they are not in the
    sandbox here."""

    def plain(self) -> Plain:
        """The same as plain data."""
        inputs = tuple(map(tuple, self.inputs))
        also = tuple(self.also)
        return self.label, self.sandbox, inputs, self.outputs, self.takes_all, also, self.evidence

    @classmethod
    def of_plain(cls, plain: Plain) -> CarriedFiles:
        """What `plain` gave, on the other side.

        Raises:
            TypeError: it is something else.
            ValueError: the same.
        """
        label, sandbox, inputs, outputs, takes_all, also, evidence = plain
        if not (
            isinstance(label, str)
            and isinstance(sandbox, str)
            and isinstance(inputs, tuple)
            and isinstance(outputs, tuple)
            and isinstance(also, tuple)
            and isinstance(evidence, int)
        ):
            raise TypeError("these are no files of a task")
        found = tuple(map(entry_of, inputs))
        return cls(label, sandbox, found, outputs, bool(takes_all), dict.fromkeys(also, ""), evidence)

    def with_digests(self, digests: Sequence[bytes]) -> CarriedFiles:
        """The same with all that was not worked out yet: one of each file that has none, in their order.

        Raises:
            ValueError: there are more or fewer of them.
        """
        coming = iter(digests)
        try:
            inputs = tuple(
                each._replace(digest=next(coming)) if each.kind == FILE and each.digest is None else each
                for each in self.inputs
            )
        except StopIteration:
            raise ValueError("there are fewer checksums than files") from None
        return replace(self, inputs=inputs)

    @property
    def unknown(self) -> list[Entry]:
        """The files whose digests nobody has worked out yet."""
        return [each for each in self.inputs if each.kind == FILE and each.digest is None]


_BYTES: Final = (bytes, type(None))
_KINDS: Final[tuple[type | tuple[type, ...], ...]] = (str, int, int, int, int, _BYTES, str, _BYTES)


def entry_of(plain: object) -> Entry:
    """An entry that has come from another machine. What it says is not to be trusted: a name that leads out of the
    sandbox, say, would have a file written there.

    Raises:
        TypeError: it is none.
        ValueError: its name does not stay inside.
    """
    if not isinstance(plain, tuple) or len(plain) != len(Entry._fields):
        raise TypeError(f"{plain!r} is no file")
    for value, kinds in zip(plain, _KINDS, strict=True):
        if not isinstance(value, kinds):
            raise TypeError(f"{plain!r} is no file")
    entry = Entry(*plain)
    if entry.kind not in (FILE, FOLDER, LINK):
        raise TypeError(f"{plain!r} is no file")
    parts = entry.name.split("/")
    if "\0" in entry.name or not all(parts) or not {".", ".."}.isdisjoint(parts):
        raise ValueError(f"the name {entry.name!r} leads out of the sandbox")
    return entry
