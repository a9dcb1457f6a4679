"""Makes a value from a type annotation: a small one, of the right type, that code can compute with."""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from .._inspect.annotations import class_of, is_union, members, plain
from .decisions import Decisions
from .example_classes import object_of
from .example_containers import CONTAINERS
from .example_values import VALUES
from .opaque import StandIn

_MOST: Final = 500  # parts of one example; what is left is opaque
_DEEPEST: Final = 40


def example_of(
    annotation: object, describe: str, decisions: Decisions | None = None, owner: type | None = None
) -> object:
    """Make a value that an annotation allows; a `StandIn` of what it does not tell.

    It never raises, imports nothing, and calls no code of the user's but the constructors of dataclasses, named tuples,
    and models of attrs and pydantic.

    Args:
        annotation: a type, in any form that an annotation may have.
        describe: what the value stands for, as "fit#4".
        decisions: takes note of what is decided on the opaque parts.
        owner: the class that ``Self`` stands for.
    """
    return Maker(Decisions() if decisions is None else decisions, owner).make(annotation, describe)


class Maker:
    """Makes one example, part by part.

    Args:
        decisions: of the opaque parts.
        owner: the class that ``Self`` stands for.
    """

    def __init__(self, decisions: Decisions, owner: type | None) -> None:
        self._decisions = decisions
        self._owner = owner
        self._left = _MOST
        self._depth = 0
        self._open: list[tuple[object, tuple[object, ...]]] = []  # classes of which objects are being made
        self._choices = 0  # one of several things is being made, and the real value may be another

    def make(self, annotation: object, path: str) -> object:
        """One part."""
        self._left -= 1
        if self._left < 0 or self._depth > _DEEPEST:
            return self.opaque(path)
        self._depth += 1
        try:
            return self._made(annotation, path)
        except KeyboardInterrupt:
            raise
        except BaseException:  # annotations are code of the user's, too
            return self.opaque(path)
        finally:
            self._depth -= 1

    def remake(self, annotation: object, path: str) -> Callable[[], object]:
        """What makes a part whenever it is called."""
        return partial(example_of, annotation, path, self._decisions, self._owner)

    def opaque(self, path: str, cls: type | None = None) -> StandIn:
        """A part of which no more is known than its class.

        Args:
            path: what it stands for.
            cls: the class that it says it is of.
        """
        return StandIn(path, self._decisions, pretends=cls, is_sure=not self._choices)

    @contextmanager
    def inside(self, cls: object, args: tuple[object, ...]) -> Iterator[None]:
        """While the parts of an object are made: one of them may be of its own class, and so on without an end."""
        self._open.append((cls, args))
        try:
            yield
        finally:
            self._open.pop()

    def is_open(self, annotation: object) -> bool:
        """Whether a part would be of a class that it is part of."""
        if annotation is typing.Self:
            return bool(self._open)
        return self._is_open(typing.get_origin(annotation) or annotation, typing.get_args(annotation))

    def _is_open(self, cls: object, args: tuple[object, ...]) -> bool:
        return any(each is cls and its_args == args for each, its_args in self._open)

    # -- kinds of annotations -----------------------------------------------------------------------------

    def _made(self, annotation: object, path: str) -> object:
        if annotation is typing.Self:
            return self._of_self(path)
        annotation = plain(annotation)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Literal:
            return args[0]
        if is_union(annotation):
            return self._of_union(args, path)
        if isinstance(annotation, typing.NewType):
            return self.make(annotation.__supertype__, path)
        if origin is type:
            return self._class(args[0])
        if annotation is tuple:  # which is not the same as tuple[()]
            return self._of_class(tuple, (Any, ...), path)
        cls = annotation if origin is None else origin
        return self._of_class(cls, args, path) if isinstance(cls, type) else self.opaque(path)

    def _of_union(self, members: Sequence[object], path: str) -> object:
        array_like = getattr(sys.modules.get("numpy.typing"), "ArrayLike", None)
        if array_like is not None and members == typing.get_args(
            getattr(array_like, "__value__", array_like)
        ):
            return self._of_class(sys.modules["numpy"].ndarray, (), path)
        values = [each for each in members if each is not None and each is not types.NoneType]
        ending = [each for each in values if not self.is_open(each)]
        if not ending and len(values) < len(members):
            return None  # or it would go on and on
        return self._one_of(ending or values, path, len(values))

    def _one_of(self, members: Sequence[object], path: str, among: int) -> object:
        self._choices += among > 1
        try:
            return self.make(members[0], path)
        finally:
            self._choices -= among > 1

    def _of_self(self, path: str) -> object:
        if self._open:
            return self.opaque(path, self._self())
        return self.opaque(path) if self._owner is None else self._of_class(self._owner, (), path)

    def _self(self) -> Any:
        return self._open[-1][0] if self._open else self._owner

    def _class(self, annotation: object) -> object:
        """A class, where it is a class itself that is wanted."""
        if annotation is typing.Self:
            return self._self() or object
        return class_of(members(annotation)[0]) or object

    def _of_class(self, cls: Any, args: tuple[object, ...], path: str) -> object:
        if cls is object or cls is Any:
            return self.opaque(path)
        if cls is re.Pattern and args == (bytes,):
            return re.compile(b"1")
        if id(cls) in VALUES:
            return VALUES[id(cls)]
        make = CONTAINERS.get(id(cls))
        if make is not None:
            return make(self, args, path)
        return self.opaque(path, cls) if self._is_open(cls, args) else object_of(self, cls, args, path)
