"""Where code decides on a stand-in, and what it finds there: so that it goes on, ends, and the plan can tell."""

from __future__ import annotations

import dis
import logging
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Final

from .._inspect.attributes import ITERATION, lacks
from .._inspect.frames import caller
from .._inspect.libraries import is_library
from .._inspect.source import NOWHERE, position_at
from .._inspect.statements import Statements

OnDecision = Callable[[str, str, str, int], None]
"""Is told of a decision: its kind ("if", "while", "for", or what was asked of the stand-in, as "length"), what the
stand-in stands for, the file, and the line."""

OnLack = Callable[[str, type, str, CodeType, int], None]
"""Is told what a result was asked for that its class lacks: what the stand-in stands for, the class, the name of an
attribute or "[]", "()", "iteration"; the code that asks, and the instruction."""

_log = logging.getLogger("asyncflow")
_ENOUGH: Final = 100_000  # times in a row that one place asks about one result: a loop that would never end
_ENDLESS: Final = ("bool", "length", "membership")  # what such a loop asks
_ATTRIBUTES: Final = ("LOAD_ATTR", "LOAD_METHOD")
_WIDE: Final = dis.opmap["EXTENDED_ARG"]
_DESCRIPTORS: Final = {
    "FileIO",
    "close",
    "dup",
    "dup2",
    "fdopen",
    "fn",  # of an executor: what it calls is not to be seen
    "ftruncate",
    "open",
    "open_code",
    "socket",
    "write",
}


class Count:
    """How often one place in the source has asked. A place may be several instructions: the condition of a loop is
    compiled twice, for the way in and for the way back."""

    __slots__ = ("root", "streak", "times")

    def __init__(self) -> None:
        self.times = 0
        self.root: str | None = None
        self.streak = 0


class DecisionPoint:
    """One instruction of the user's code that decides.

    Args:
        code: the code that it is in.
        instruction: where in it.
        operation: what it asks.
        statements: of the file.
    """

    __slots__ = ("calls", "code", "count", "iterated", "key", "kind", "takes")

    def __init__(self, code: CodeType, instruction: int, operation: str, statements: Statements) -> None:
        self.code = code  # held, so that its id stays its own
        self.count = Count()
        self.iterated: str | None = None
        """What it went over last."""
        name, argument = _operation(code, instruction)
        positions = list(code.co_positions())
        position = positions[instruction // 2] if instruction // 2 < len(positions) else NOWHERE
        self.takes = _taken(name, argument)
        self.kind = "unpacking" if self.takes is not None else statements.kind_at(position, operation)
        self.calls: frozenset[str] = frozenset()
        """What it may be calling, by name."""
        if "CALL" in name:
            called = statements.called_at(position)
            self.calls = frozenset(code.co_names) if called is None else frozenset([called])
        alike = [
            at * 2 for at, each in enumerate(positions) if each == position and _alike(code, at * 2, name)
        ]
        nth = alike.index(instruction) if alike else 0
        if self.kind == "while" and len(alike) > 1:
            nth %= len(alike) // 2
        self.key = id(code), position, nth

    def finds(self, operation: str, root: str, once: bool) -> bool:
        """Whether a stand-in is to be true here, or to have something in it."""
        count = self.count
        if once or self.kind == "while":
            count.times += 1
            return count.times == 1
        if operation not in _ENDLESS:
            return True
        count.streak = count.streak + 1 if root == count.root else 1
        count.root = root
        return count.streak <= _ENOUGH


class Decisions:
    """What one run's code has decided on stand-ins.

    It finds, so that both ways through the code are seen and loops end: a comparison is true the first time that one
    place in the source decides on one, and false from then on. Everything else is true and has one item; in the
    condition of a ``while`` that, too, is so the first time only.

    Args:
        decided: is told of each decision; it cannot hurt the run.
        lacked: is told of what results are asked for in vain; nor can this.
    """

    def __init__(self, decided: OnDecision | None = None, lacked: OnLack | None = None) -> None:
        self._decided = decided
        self._lacked = lacked
        self._places: dict[tuple[int, int], DecisionPoint] = {}
        self._counts: dict[object, Count] = {}
        self._files: dict[str, Statements] = {}

    def take(
        self, operation: str, origin: str, root: str, *, once: bool = False, known: bool | None = None
    ) -> int:
        """Tell what code finds that asks something of a stand-in, and tell of it.

        Args:
            operation: what is asked: "bool", "length", ...
            origin: what the stand-in stands for.
            root: the task whose result it comes from.
            once: whether it is true only the first time, as a comparison.
            known: the answer, if it was given before.

        Returns:
            How many items there are: 1 or 0; in an unpacking as many as it takes.
        """
        frame = caller()
        if frame is None:
            return 1
        place = self._place(frame, operation)
        if operation == "length" and place.iterated == origin:
            return 1  # only a hint to whoever has begun to make a list of it
        if operation == "iteration":
            place.iterated = origin
        found = place.finds(operation, root, once) if known is None else known
        self._tell(place.kind or operation, origin, frame)
        return place.takes if place.takes is not None and operation == "iteration" else int(found)

    def opens_descriptor(self) -> bool:
        """Whether whoever asks for a whole number takes it for an open file: 1 is the program's standard output."""
        frame = caller()
        if frame is None:
            return False
        calls = set(self._place(frame, "index").calls)
        for name in tuple(calls):  # which may be another name for the same function
            called = frame.f_locals.get(name, frame.f_globals.get(name))
            calls.add(str(getattr(called, "__name__", "")))
        return not _DESCRIPTORS.isdisjoint(calls)

    def asked(self, cls: type, what: str, origin: str) -> None:
        """Tell of what code asks a result for, if no object of the result's class has it.

        Nobody is told of what a library asks, or code that is prepared for an error, as by `try` or with `hasattr`:
        there, asking is a question.

        Args:
            cls: of the result.
            what: the name of an attribute; or "[]", "()", "iteration".
            origin: what the stand-in stands for.
        """
        if self._lacked is None or not lacks(cls, what):
            return
        frame = caller()
        if frame is None or is_library(frame.f_code.co_filename):
            return
        code, instruction = frame.f_code, frame.f_lasti
        statements = self._statements(frame)
        if what.isidentifier() and what != ITERATION:
            name, _ = _operation(code, instruction)
            if name not in _ATTRIBUTES or what in statements.mentioned:
                return
        if statements.is_tried(position_at(code, instruction)):
            return
        try:
            self._lacked(origin, cls, what, code, instruction)
        except Exception:
            self._lacked = None
            _log.exception("what was to be told of what results lack failed, and is told no more")

    def _place(self, frame: FrameType, operation: str) -> DecisionPoint:
        code = frame.f_code
        key = id(code), frame.f_lasti
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = DecisionPoint(code, frame.f_lasti, operation, self._statements(frame))
            place.count = self._counts.setdefault(place.key, place.count)
        return place

    def _statements(self, frame: FrameType) -> Statements:
        filename = frame.f_code.co_filename
        statements = self._files.get(filename)
        if statements is None:
            statements = self._files[filename] = Statements(filename, frame.f_globals)
        return statements

    def _tell(self, kind: str, origin: str, frame: FrameType) -> None:
        if self._decided is None:
            return
        try:
            self._decided(kind, origin, frame.f_code.co_filename, frame.f_lineno)
        except Exception:
            self._decided = None
            _log.exception("what was to be told of decisions on stand-ins failed, and is told no more")

    def __reduce__(self) -> tuple[object, ...]:
        return Decisions, ()  # code does not travel


def _operation(code: CodeType, instruction: int) -> tuple[str, int]:
    """The name of an instruction, and its argument."""
    raw = code.co_code
    if instruction + 1 >= len(raw):  # code that was made by others than Python's compiler
        return "", 0
    argument, shift, before = raw[instruction + 1], 8, instruction - 2
    while before >= 0 and raw[before] == _WIDE:
        argument |= raw[before + 1] << shift
        shift, before = shift + 8, before - 2
    return dis.opname[raw[instruction]], argument


def _alike(code: CodeType, instruction: int, name: str) -> bool:
    """Whether two instructions can be the same of the source: loops jump forward on the way in, and then backward."""
    other, _ = _operation(code, instruction)
    return other == name or ("JUMP" in other and "IF" in other and "JUMP" in name and "IF" in name)


def _taken(name: str, argument: int) -> int | None:
    """How many items an unpacking asks for; None if it is none."""
    if name == "UNPACK_SEQUENCE":
        return argument
    if name == "UNPACK_EX":
        return (argument & 0xFF) + (argument >> 8) + 1
    return 0 if name == "DICT_MERGE" else None  # as keywords only text will do
