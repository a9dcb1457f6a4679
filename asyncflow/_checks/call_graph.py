"""All that a rehearsal has found, as the checks ask for it: calls by number, what they give, what comes before what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .._core.containers import is_waited_for
from .._core.files import File, OutputFile
from .._inspect.annotations import is_open
from .._inspect.functions import Argument, Functions
from .._inspect.parts import walk
from .._inspect.uses import Uses
from .._stand_ins.opaque import StandIn
from ..plan.rehearsed import INTERNED, Lack, RehearsedCall, given_by


@dataclass(eq=False)
class CallGraph:
    """What a rehearsal has graph.

    Args:
        calls: in the order in which they were made.
        task_of: the number of the task whose future something is; None if it is none.
        exists: whether a path leads to something.
        implicit_data: whether commands leave files to those that depend on them without declaring them.
        lacks: what results were asked for in vain.
        is_over: whether a task is over when a later one is called, because code has waited for it; None if nobody
            knows.
    """

    calls: Sequence[RehearsedCall]
    task_of: Callable[[object], int | None]
    exists: Callable[[str], bool]
    implicit_data: bool = True
    lacks: Collection[Lack] = ()
    is_over: Callable[[int, int], bool] | None = None
    _functions: Functions = field(default_factory=Functions)
    uses: Uses = field(default_factory=Uses)
    _fit: dict[tuple[int, int], object] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[int, RehearsedCall]:
        """Calls by number."""
        return {call.id: call for call in self.calls}

    def maker(self, value: object) -> RehearsedCall | None:
        """The call whose future something is; None if it is none, or of a call that was not graph."""
        number = self.task_of(value)
        return None if number is None else self.by_id.get(number)

    def gives(self, call: RehearsedCall) -> object:
        """The type of a call's value."""
        return given_by(call, self._functions)

    def arguments(self, call: RehearsedCall) -> list[Argument]:
        """The arguments of a call, each with what it is to be."""
        function = self._functions.of_call(call.fn, call.args, is_block=call.kind == "block")
        return function.arguments(call.args, call.kwargs)

    def replaced_in(self, call: RehearsedCall) -> Callable[[object], object]:
        """What tells of parts of a call's arguments what type will be there instead; `...` of what stays."""

        def replaced(value: object) -> object:
            number = self.task_of(value)
            if number is not None:
                maker = self.by_id.get(number)
                return Any if maker is None else self.gives(maker)
            cls = type(value)
            if issubclass(cls, File):
                return Any if call.kind == "block" else self._path_of(value)
            if is_waited_for(cls) or issubclass(cls, StandIn):
                return Any
            return ...

        return replaced

    def _path_of(self, file: object) -> object:
        """The type of what a task gets in place of a file: of a pattern as many paths as there are."""
        source = getattr(file, "source", None)
        maker = self.maker(source)
        if maker is not None:
            return list[Path] if isinstance(maker.value, list) else Path
        is_pattern = isinstance(source, str) and OutputFile.is_pattern(source)
        return Path | list[Path] if is_pattern else Path

    def is_known_to_fit(self, value: object, hint: object) -> bool:
        """Whether it was found out before that values like this do for an annotation: another future of what gives the
        same does."""
        return (self._kind(value), id(hint)) in self._fit

    def fits(self, value: object, hint: object) -> None:
        """Remember that a value does for an annotation."""
        kind = self._kind(value)
        if kind:
            self._fit[kind, id(hint)] = hint

    def _kind(self, value: object) -> int:
        """The identity of the type that a future's value is of; 0 of what is no future."""
        maker = self.maker(value)
        return 0 if maker is None else id(self.gives(maker))

    # -- values that stood in for results -----------------------------------------------------------------

    @cached_property
    def _values(self) -> dict[int, RehearsedCall]:
        return {id(call.value): call for call in reversed(self.calls) if not isinstance(call.value, INTERNED)}

    def awaited(self, value: object) -> RehearsedCall | None:
        """The call whose value something is, that was awaited and passed on; None if that is not certain."""
        return None if isinstance(value, INTERNED) else self._values.get(id(value))

    def made(self, value: object, block: RehearsedCall) -> RehearsedCall | None:
        """The call inside of a block whose value something is, that was awaited there; None if that is not certain."""
        if isinstance(value, INTERNED) or value is ...:
            return None
        return next((each for each in self._inside.get(block.id, ()) if each.value is value), None)

    @cached_property
    def _open(self) -> set[int]:
        """What stood in for one of several things that it might be, and its parts; by identity."""
        return {
            id(part)
            for call in self.calls
            if call.value is not ... and is_open(self.gives(call))
            for part in walk(call.value)
        }

    def is_one_of_several(self, value: object) -> bool:
        """Whether a value is an example where the real one may be of another type."""
        return id(value) in self._open

    # -- order --------------------------------------------------------------------------------------------

    @cached_property
    def _inside(self) -> dict[int, list[RehearsedCall]]:
        inside: dict[int, list[RehearsedCall]] = {}
        for call in self.calls:
            if call.block is not None:
                inside.setdefault(call.block, []).append(call)
        return inside

    def direct(self, call: RehearsedCall) -> list[RehearsedCall]:
        """What a call itself waits for."""
        return [
            self.by_id[each]
            for each in dict.fromkeys((*call.dependencies, *call.after))
            if each in self.by_id
        ]

    def before(self, call: RehearsedCall) -> Iterator[RehearsedCall]:
        """Everything that is over when a call starts, as the wiring has it."""
        known = {call.id}
        left = [*self.direct(call), *self._around(call)]
        while left:
            each = left.pop()
            if each.id in known:
                continue
            known.add(each.id)
            yield each
            left += self.direct(each)
            if each.kind == "block":
                left += self._inside.get(each.id, ())

    def is_before(self, first: RehearsedCall, then: RehearsedCall) -> bool:
        """Whether a call may be over before a later one starts: only what surely is not, is not."""
        if self.is_over is None and first.is_used:
            return True
        if self.is_over is not None and self.is_over(first.id, then.id):
            return True
        return any(each is first for each in self.before(then))

    def maker_of_file(self, call: RehearsedCall) -> RehearsedCall | None:
        """The call that made what another hands on: the path of an output stands for its maker."""
        return self.maker(call.args[0]) if call.kind == "output" else call

    def _around(self, call: RehearsedCall) -> Iterator[RehearsedCall]:
        """What the blocks around a call wait for."""
        block = None if call.block is None else self.by_id.get(call.block)
        while block is not None:
            yield from self.direct(block)
            block = None if block.block is None else self.by_id.get(block.block)
