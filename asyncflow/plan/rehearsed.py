"""What a rehearsal has seen of one call: what a plan and the checks of its wiring are made of. Data, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final, NamedTuple

from .._core.files import InputFile, OutputFile
from .._inspect.functions import Functions

INTERNED: Final = (type(None), bool, int, str, bytes)
"""Of these the same object may have come from anywhere, and says nothing of the call that gave it."""


class FileRead(NamedTuple):
    """A file that a call reads.

    Args:
        name: as the task calls it.
        path: where it would be on this machine; None if another task makes it, or if it is elsewhere.
        size: in bytes; None if it is not there, or no single file.
        maker: number of the task that makes it; None if none does that this one waits for.
        made_as: what its maker calls it.
    """

    name: str
    path: str | None
    size: int | None
    maker: int | None = None
    made_as: str | None = None


class Lack(NamedTuple):
    """Code has asked a result for what its class has not.

    Args:
        origin: the task that gave the result, as stand-ins name it: "fit#4".
        cls: the class that the result is said to be of.
        asked: for what: the name of an attribute; or "[]", "()", "iteration".
        where: the user's line: "pipeline.py:12, in main".
    """

    origin: str
    cls: type
    asked: str
    where: str


@dataclass(slots=True, eq=False)
class RehearsedCall:
    """One call.

    Args:
        id: number of the task.
        name: as its user wrote it.
        kind: "function", "executable", "block", "service", "awaitable"; "output": what ``future.outputs[...]`` gives,
            a future of the path of a file that the first argument's task makes; or "join": a future that goes by how
            those end that it depends on, as ``outcome(future)`` does.
        fn: the plain function; of an "awaitable" its class.
        args: positional arguments as they were given, futures and files in their places.
        kwargs: keyword arguments, in the same way.
        called_at: where the call is: "pipeline.py:12, in main".
        block: number of the block inside which it was called; None outside of all.
        place: where it would really run, in words: "backend 'process'".
        needs_pickle: whether function, arguments and result would leave this process for that.
        dependencies: numbers of the tasks whose values it takes, in the order of its arguments.
        after: numbers of those that it waits for besides.
        returns: the class of its value if the function's annotation does not speak of that, as of a command; else None.
        example: what its user says that its value would be, as given; `...` if they have not said.
        value: what stood in for its value; `...` if there is none, because it failed or did not end.
        returned: what the body of a block returned, futures in their places; `...` if it did not.
        is_used: whether anybody has awaited it, asked for its result, passed it on or returned it.
        expected: seconds that it takes, as its user says; None if they have not said.
        retries: attempts after the first, if that fails.
        deadline: seconds from the call to the end that it may take; None for any time.
        limits: by name, each with how much of it the task needs; None where that follows from the arguments.
        detached: whether nobody waits for it.
        on_failure: of a block: what the first failure inside of it does, "stop" or "continue".
        max_concurrent: how many calls of its function may run at once; None for any number.
        priority: its own, or that of the block around it.
        folder: the working directory when the call was made, which its relative paths are relative to.
        inputs: files that it declares to read.
        outputs: files that it declares to make, by name.
        reads: what the inputs come to, known at the end of the rehearsal.
        is_refused: whether a run would not have taken the call. It was told why; the arguments may not even fit.
        code: that makes the call; None if that is not known.
        at: the instruction of the call in it.
        checkpoint: what the code had waited for that makes the call, by the place among all that code has waited for;
            None for nothing.
    """

    id: int
    name: str
    kind: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    called_at: str
    block: int | None
    place: str
    needs_pickle: bool
    dependencies: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    returns: type | None = None
    example: Any = ...
    value: Any = ...
    returned: Any = ...
    is_used: bool = False
    expected: float | None = None
    retries: int = 0
    deadline: float | None = None
    limits: tuple[tuple[str, float | None], ...] = ()
    detached: bool = False
    on_failure: str = "continue"
    max_concurrent: int | None = None
    priority: float = 0.0
    folder: str = "."
    inputs: Sequence[InputFile] = ()
    outputs: Mapping[str, OutputFile] | None = None
    checkpoint: int | None = None
    reads: Sequence[FileRead] = ()
    is_refused: bool = False
    code: CodeType | None = None
    at: int = 0


def given_by(call: RehearsedCall, functions: Functions) -> Any:
    """The type of a call's value; `typing.Any` if nobody says."""
    if call.returns is not None:
        return call.returns
    if call.kind not in ("function", "block", "service"):
        return Any
    return functions.of_call(call.fn, call.args, is_block=call.kind == "block").gives
