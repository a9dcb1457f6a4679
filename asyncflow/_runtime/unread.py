"""Refuses that what is no future is awaited, and that a stream is taken for its values."""

from __future__ import annotations

from collections.abc import Mapping
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Final, NoReturn

from .._causes import spelled
from .._core import arguments
from .._core.containers import Kinds
from .._core.signature import names_of
from .._core.task import Definition

_LIST: Final = "[each async for each in {0}]"
_READ: Final = "Read it:  async for each in {0}: ...\n  Or all at once:  " + _LIST
_NEXT: Final = "Take one of them:  values = aiter({}); first = await anext(values)"


class Unawaited:
    """What is taken for a future, and is none. It has an ``__await__``, so that its error says what to write, and no
    ``add_done_callback``, as all that is waited for has."""

    __slots__ = ()

    def _passed(self, task: str) -> tuple[str, str]:
        """What it is, as an argument of a task, and what to pass instead."""
        raise NotImplementedError

    def _awaited(self) -> TypeError:
        """The error of awaiting it."""
        raise NotImplementedError

    if not TYPE_CHECKING:

        def __await__(self) -> NoReturn:
            raise self._awaited()


class Unread(Unawaited):
    """What is read with ``async for``, and refuses whatever else would have its values."""

    __slots__ = ()

    def _awaited(self) -> TypeError:
        return _unread(self, "there are many, and they cannot be awaited", _READ)

    def _passed(self, task: str) -> tuple[str, str]:
        values = _LIST.format(self._made_by)
        mend = f"Pass its values:  {task}({values})\n  Or each by itself:  {task}.stream({self._made_by})"
        return f"what {self._made_by} gives, a stream", mend

    @property
    def _made_by(self) -> str:
        """What the user wrote that gave it: "rows(...)", "fit.stream(...)"."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        """Refused: a stream does not know whether there are values.

        Raises:
            TypeError: always.
        """
        raise _unread(
            self,
            "it is neither true nor false",
            f"Read it first:  if {_LIST}: ...  Whether there is a stream at all, `is not None` tells",
        )

    if not TYPE_CHECKING:  # checkers refuse what is not there, with words of their own

        def __iter__(self) -> NoReturn:
            raise _unread(self, "they are waited for, which a plain loop or list() cannot", _READ)

        def __next__(self) -> NoReturn:
            raise _unread(self, "it is no iterator", _NEXT)

        __anext__ = __next__

        def __len__(self) -> NoReturn:
            raise _unread(self, "it has no length", f"Read it first:  len({_LIST})")

        def __getitem__(self, item: object) -> NoReturn:
            raise _unread(self, "it has no items", f"Read it first:  values = {_LIST}; values[...]")

        def __contains__(self, item: object) -> NoReturn:
            raise _unread(self, "nothing is in it", f"Read it first:  ... in {_LIST}")

        def __add__(self, other: object) -> NoReturn:
            raise _unread(self, "it does not go with operators", f"Read it first:  {_LIST} + ...")

        __radd__ = __add__

        def __eq__(self, other: object) -> bool:
            if self is other or isinstance(other, Unread):
                return self is other
            why = f"it cannot be compared with {type(other).__name__!r}"
            raise _unread(self, why, f"Read it first:  {_LIST} == ...")

        __hash__ = object.__hash__

        def __enter__(self) -> NoReturn:
            raise _unread(self, "it is left with an await", "Say async with:  async with {} as values: ...")

        def __exit__(self, *raised: object) -> None:  # without it, Python would not come to ask the other
            pass


def is_bound(cls: type) -> bool:
    """Whether objects of a class are of use on the event loop alone on which they were made."""
    return issubclass(cls, (Unawaited, AsyncGeneratorType))


_BOUND: Final = Kinds(Unawaited, lambda cls: issubclass(cls, AsyncGeneratorType), lazy=False)


def refuse_bound(definition: Definition, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
    """Refuse arguments of a task that only a block can use, which runs on the event loop whatever the backend.

    Raises:
        TypeError: there is one.
    """
    if not arguments.scan(args, kwargs, _BOUND, _as_it_is)[0]:
        return
    places = names_of(definition.fn, args, kwargs)
    for place, arg in zip(places, (*args, *kwargs.values()), strict=True):
        found, _ = arguments.scan_value(arg, _BOUND, _as_it_is)
        if found:
            raise _only_in_a_block(spelled(definition.name), place, found[0])


def _as_it_is(awaitable: object) -> object:
    return awaitable


def _only_in_a_block(name: str, place: str, found: object) -> TypeError:
    if isinstance(found, Unawaited):
        what, mend = found._passed(name)
    else:
        what = f"an {type(found).__name__}"
        mend = f"Pass its values:  {name}({_LIST.format('...')})\n  Or each by itself:  {name}.stream(...)"
    return TypeError(
        f"{name!r} was given {what}, in argument {place!r}, which is of use on the event loop alone; a task may run "
        f"elsewhere.\n  {mend}\n  Or make {name!r} a block, which runs on the event loop."
    )


def _unread(stream: Unread, why: str, mend: str) -> TypeError:
    """The error of a stream that is taken for its values; of the mend, {} is what gives the stream."""
    made_by = stream._made_by
    return TypeError(
        f"{made_by} gives a stream here, and not yet its values: {why}.\n  {mend.format(made_by)}"
    )
