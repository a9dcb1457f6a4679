"""Knows who can still reach a sandbox: as long as somebody can, it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PosixPath
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .task_files import TaskFiles


class Directory:
    """Gives the number of a task back when this goes, on any thread, with the `TaskFiles` that alone hold it."""

    __slots__ = ("give_back", "task_id")

    def __init__(self, task_id: int, give_back: Callable[[int], None] | None) -> None:
        self.task_id = task_id
        self.give_back = give_back

    def __del__(self) -> None:
        if self.give_back is not None:
            self.give_back(self.task_id)


class OutputPath(PosixPath):
    """The path of an output, as a future gives it. It holds the sandbox; whoever does more with it than hand it on, as
    reading the file, may hold a text or a path made of it, so that the sandbox stays to the end of the run."""

    _files: TaskFiles | None = None
    _plain: Path | None = None

    @classmethod
    def to(cls, path: Path, files: TaskFiles) -> OutputPath:
        """The same path, in the sandbox of a task that it holds."""
        held = cls(path)
        held._plain = path
        held._files = files
        return held

    def _reached(self) -> None:
        if self._files is not None:
            self._files.reached()

    def __str__(self) -> str:
        self._reached()
        return super().__str__()

    def __fspath__(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return repr(Path(str(self)))

    def __truediv__(self, key: Any) -> Path:  # type: ignore[override]
        self._reached()
        return Path(str(self), key)

    def __reduce__(self) -> Any:
        return Path, (str(self),)


_MADE_OF_IT: Final = (
    *(
        "parent",
        "parents",
        "parts",
        "joinpath",
        "with_name",
        "with_stem",
        "with_suffix",
        "relative_to",
        "absolute",
    ),
    *("resolve", "expanduser", "iterdir", "glob", "rglob", "walk", "rename", "replace", "readlink"),
)


_ONLY_ITS_NAME: Final = ("name", "stem", "suffix", "suffixes")
_INSIDE: Final = ("_parts", "_raw_paths")  # what another path is made of that is made of it: Path(path)


def plain_path(path: Path) -> Path:
    """The same path, which nobody has asked for: it is only handed on."""
    return (path._plain if isinstance(path, OutputPath) else None) or Path(path)


def _reaching(name: str) -> property:
    """An attribute that says that the path was used before it is what it was."""
    inherited: Any = getattr(PosixPath, name)

    def get(self: OutputPath) -> Any:
        self._reached()
        return inherited.__get__(self, OutputPath)

    if not isinstance(inherited, MemberDescriptorType):
        return property(get)
    return property(get, inherited.__set__)


def _not_reaching(name: str) -> property:
    inherited: Any = getattr(PosixPath, name)
    return property(lambda self: inherited.__get__(self._plain or self))


for each in (*_MADE_OF_IT, *_INSIDE):
    if hasattr(PosixPath, each):  # Python 3.11 has no walk, and others are made of other things
        setattr(OutputPath, each, _reaching(each))
for each in _ONLY_ITS_NAME:
    setattr(OutputPath, each, _not_reaching(each))
