"""Calls as an agent has them: packed, with what it needs to pass them on and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from typing import Any, ClassVar, Final, NoReturn

from .._worker import wire
from .._worker.whose import Identity
from ..backend import CarriedFiles, Work
from ..backends.carried.pieces import MemoryFile
from ..backends.process.packing import Function, Packed

_OF_A_CALL: Final = 64  # bytes, about, beside its payload
_OF_A_FILE: Final = 4096
_OF_A_PLACE: Final = 256  # where a kept result is
_NOBODY: Final[Identity] = 0, "", 1, None, None, ()


def _not_here(*_: object) -> NoReturn:
    raise RuntimeError("an agent runs no tasks; this is a bug in asyncflow")


class PackedWork:
    """A call from the engine, as `Work` for a pool of processes: what it is called with stays packed.

    Args:
        task_id: by which it is reported.
        flags: as `wire` has them.
        number: of its function.
        payload: as the worker is sent it.
        file: with what was too large for it.
        identity: what `asyncflow.current` tells in it, if it is tagged.
    """

    __slots__ = ("file", "flags", "generator", "id", "identity", "link", "number", "payload")

    name: ClassVar[str] = "a call"  # the engine knows it, and takes it for its messages
    attempt: ClassVar[int] = 1  # the flags tell it, and what follows here
    is_tagged: ClassVar[bool] = False
    fn: ClassVar[Callable[..., object]] = _not_here
    is_coroutine: ClassVar[bool] = False
    args: ClassVar[tuple[object, ...]] = ()
    kwargs: ClassVar[Mapping[str, object]] = {}
    timeout: ClassVar[float | None] = None
    tells_start: ClassVar[bool] = False
    example: ClassVar[object] = ...
    returns: ClassVar[type | None] = None
    context: ClassVar[Context | None] = None
    carried: ClassVar[CarriedFiles | None] = None
    keep: ClassVar[bool | None] = None  # the engine has told it with the call

    def __init__(
        self,
        task_id: int,
        flags: int,
        number: int,
        payload: object,
        file: MemoryFile | None = None,
        identity: Identity = _NOBODY,
    ) -> None:
        self.id = task_id
        self.flags = flags
        self.number = number
        self.payload = payload
        self.file = file
        self.identity = identity
        self.link: PackedWork | None = None
        self.generator: int | None = None


class FunctionsThere:
    """The functions that the engine has sent, in the place of a `Book`: calls come packed."""

    def __init__(self) -> None:
        self._functions: dict[int, Function] = {}

    def define(self, definitions: Mapping[int, Any], forgotten: Iterable[int]) -> None:
        """Take functions by number, and let go of others."""
        for number in forgotten:
            function = self._functions.pop(number, None)
            if function is not None:
                function.is_current = False
        for number, definition in definitions.items():
            self._functions[number] = Function(number, definition, None, None)

    def is_outdated(self) -> bool:
        """Never: the engine tells when workers are to be replaced."""
        return False

    def pack(self, work: Work, linked: bool) -> Packed:
        """A call for one worker."""
        assert isinstance(work, PackedWork)
        flags = work.flags & ~wire.LINKED | linked * wire.LINKED
        payload, function = work.payload, self._functions[work.number]
        if work.file is not None:
            packed = Packed(work, function, flags, payload, _OF_A_FILE)
            packed.file = work.file.duplicate()
            return packed
        inner, places = payload if isinstance(payload, list) else (payload, ())
        return Packed(work, function, flags, payload, _OF_A_CALL + len(inner) + _OF_A_PLACE * len(places))  # type: ignore[arg-type]
