"""What is raised or returned in a worker process and cannot be rebuilt in the engine's."""

from __future__ import annotations

import asyncio
import copyreg
import errno
import importlib
import multiprocessing
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asyncflow import TaskCrashed, WorkflowEngine
from asyncflow.errors import RemoteError

_MODULE = """
class Odd(Exception): pass
class Thing: pass
"""


def only_there(folder: str, how: str) -> Any:
    """Use a module that only this process can import."""
    sys.path.insert(0, folder)
    module = importlib.import_module("only_there")
    if how == "raised":
        raise module.Odd("so it is")
    if how == "a cause":
        raise ValueError("because") from module.Odd("so it is")
    return module.Thing()


class Last:
    """Ends whoever unpickles it."""

    def __reduce__(self) -> Any:
        return sys.exit, (3,)


def end() -> Last:
    return Last()


@pytest.fixture(params=["process", "executor"])
def backend(request: pytest.FixtureRequest) -> Any:
    if request.param == "process":
        return "process"
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("how", ["raised", "a cause", "returned"])
async def test_what_only_the_worker_can_import_fails_its_task_alone(
    how: str, backend: Any, tmp_path: Path
) -> None:
    (tmp_path / "only_there.py").write_text(_MODULE)
    async with WorkflowEngine(backend, workers=1 if backend == "process" else None) as engine:
        failed = engine.submit(only_there, str(tmp_path), how)
        with pytest.raises((RemoteError, ValueError, ModuleNotFoundError)) as told:
            await failed
        if how == "raised":
            assert isinstance(told.value, RemoteError)
            assert str(told.value).startswith("Odd: so it is")
            assert "in only_there" in str(told.value)
        elif how == "a cause":
            assert isinstance(told.value, ValueError)
            assert isinstance(told.value.__cause__, RemoteError)
        else:
            assert "No module named 'only_there'" in str(told.value)
        assert await engine.submit(int) == 0
    if backend != "process":
        backend.shutdown()


async def test_a_result_that_would_end_the_program_fails_its_task_alone() -> None:
    async with WorkflowEngine(backend="process", workers=1) as engine:
        with pytest.raises(TaskCrashed, match=r"'end'.*SystemExit"):
            await engine.submit(end)
        assert await engine.submit(int) == 0


class Refused(ValueError):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Unsaid(Exception):
    def __init__(self, text: str, more: str = "none") -> None:
        super().__init__(f"{text} ({more})")


class Ended(StopIteration):
    def __init__(self, value: int) -> None:
        super().__init__(value)


class Slotted(Exception):
    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Frozen(Exception):
    code: int
    text: str = "frozen"


@dataclass(frozen=True, slots=True)
class FrozenAndSlotted(Exception):
    code: int


@dataclass
class OfData(ValueError):
    code: int


class OwnNew(Exception):
    def __new__(cls, code: int, *, text: str) -> OwnNew:
        made = super().__new__(cls, code, text)
        made.code = code  # type: ignore[attr-defined]
        return made

    def __init__(self, code: int, *, text: str) -> None:
        super().__init__(text)


class OfSystem(OSError):
    def __init__(self, path: str) -> None:
        super().__init__(errno.ENOENT, "not there", path)
        self.path = path


class OfText(UnicodeDecodeError):
    def __init__(self, data: bytes) -> None:
        super().__init__("utf-8", data, 0, 1, "no text")


class OwnWay(Exception):
    def __init__(self, code: int, more: Any) -> None:
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self) -> Any:
        return OwnWay, (self.code, None)


class Many(ExceptionGroup[Exception]):
    def __new__(cls, members: list[Exception], code: int) -> Many:
        made = super().__new__(cls, "many", members)
        made.code = code  # type: ignore[attr-defined]
        return made

    def derive(self, members: Any) -> Many:
        return Many(members, 0)


_OWN: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "code": (Refused, (7, "no")),
    "text": (Unsaid, ("so", "much")),
    "ended": (Ended, (3,)),
    "slots": (Slotted, (5,)),
}


def _chained(error: BaseException, cause: BaseException | None, context: BaseException | None = None) -> Any:
    object.__setattr__(error, "__context__", context)
    if cause is not None:
        object.__setattr__(error, "__cause__", cause)
    return error


def _with(error: Any, **attributes: Any) -> Any:
    vars(error).update(attributes)
    return error


def _long_chain() -> BaseException:
    error = Refused(0, "the first")
    for number in range(1, 30):
        error = _chained(Refused(number, "again"), None, error)
    return error


def _circle() -> BaseException:
    first, second = Refused(1, "first"), Refused(2, "second")
    _chained(first, second)
    return _chained(second, first)  # type: ignore[no-any-return]


BELOW: dict[str, Callable[[], BaseException]] = {
    "frozen": lambda: Frozen(3),
    "frozen, with a note": lambda: _with(Frozen(3), __notes__=["so it is"]),
    "frozen, with a cause": lambda: _chained(Frozen(3), Frozen(4, "below"), Refused(2, "meanwhile")),
    "frozen and slotted": lambda: FrozenAndSlotted(3),
    "of data": lambda: OfData(code=5),
    "own new": lambda: OwnNew(5, text="text"),
    "of the system": lambda: OfSystem("/not/there"),
    "of text": lambda: OfText(b"\xff"),
    "import": lambda: ImportError("no", name="name", path="/path"),
    "exit": lambda: ExceptionGroup("in a group", [_chained(ValueError(1), SystemExit(4))]),
    "says how": lambda: _with(OwnWay(3, object), __notes__=["noted"]),
    "says how, with a cause": lambda: _chained(OwnWay(3, object), Refused(1, "below")),
    "in a group": lambda: ExceptionGroup("many", [Refused(1, "one"), Unsaid("two"), OfSystem("/three")]),
    "in a group of one's own": lambda: Many([Refused(1, "one"), Unsaid("two")], 7),
    "in groups": lambda: ExceptionGroup(
        "a", [ExceptionGroup("b", [Refused(1, "one"), Frozen(2)]), OwnWay(1, 2)]
    ),
    "members with causes": lambda: ExceptionGroup(
        "many",
        [
            _chained(Refused(1, "one"), Unsaid("cause"), KeyError("context")),
            _chained(OSError(2, "x"), None, Frozen(1)),
        ],
    ),
    "an attribute": lambda: _with(ValueError("holds"), errors=[Refused(1, "one")], last=Frozen(8)),
    "an argument": lambda: RuntimeError(Refused(1, "one"), [Unsaid("two")]),
    "a cause's cause": lambda: _chained(
        ValueError(1), _chained(Refused(1, "a"), _chained(Unsaid("b"), Frozen(2)))
    ),
    "a context": lambda: _chained(KeyError("late"), None, Refused(1, "first")),
    "a context that is hidden": lambda: _with(_chained(KeyError("late"), None, Refused(1, "f")), hidden=True),
    "long chain": _long_chain,
    "circle": _circle,
    "large": lambda: _with(Refused(1, "x" * 3_000_000), data=bytes(2_000_000)),
    "large cause": lambda: _chained(ValueError("small"), Refused(1, "y" * 12_000_000)),
    "a group of a thousand": lambda: ExceptionGroup("many", [Refused(n, "one") for n in range(1000)]),
}


def raised_below(name: str) -> None:
    error = BELOW[name]()
    context = error.__context__
    try:
        raise error
    finally:
        object.__setattr__(error, "__context__", context)


def returned_below(name: str) -> BaseException:
    return BELOW[name]()


def raise_it(error: BaseException) -> None:
    raise error


def same(value: Any) -> Any:
    return value


def facts(error: Any, seen: tuple[int, ...] = ()) -> Any:
    """All that can be seen of an exception."""
    if isinstance(error, (list, tuple)):
        return [facts(each, seen) for each in error]
    if not isinstance(error, BaseException) or id(error) in seen:
        return len(seen) if isinstance(error, BaseException) else error
    seen = (*seen, id(error))
    notes = [
        note for note in vars(error).get("__notes__", ()) if not note.startswith(("in task ", "Where it "))
    ]
    attributes = {name: facts(value, seen) for name, value in vars(error).items() if name != "__notes__"}
    fields = [
        getattr(error, name, None)
        for name in (
            "errno",
            "strerror",
            "filename",
            "code",
            "value",
            "name",
            "path",
            "reason",
            "object",
            "message",
        )
    ]
    links = [facts(each, seen) for each in (error.__cause__, error.__context__)]
    members = facts(getattr(error, "exceptions", ()), seen)
    told = type(error), str(error), facts(error.args, seen), attributes, notes, fields
    return [*told, error.__suppress_context__, links, [] if seen[:-1] and not members else members]


@pytest.mark.parametrize("name", BELOW)
async def test_an_exception_arrives_as_it_was_all_the_way_down(name: str, backend: Any) -> None:
    there = BELOW[name]()
    async with WorkflowEngine(backend) as engine:
        raised = engine.submit(raised_below, name)
        returned = engine.submit(returned_below, name)
        taken = engine.submit(same, {"errors": [there]})
        here = (await asyncio.gather(raised, return_exceptions=True))[0]
        context = there.__context__
        assert facts(here) == facts(there)
        assert facts(await returned) == facts(there)
        assert facts((await taken)["errors"][0]) == facts(there)
        assert there.__context__ is context
    if backend != "process":
        backend.shutdown()


async def test_failures_may_be_arguments_of_tasks(backend: Any) -> None:
    async with WorkflowEngine(backend) as engine:
        failed = [engine.submit(raised, name) for name in ("code", "text", "slots")]
        behind = engine.submit(same, failed[0])
        errors = await asyncio.gather(*failed, behind, return_exceptions=True)
        there = await engine.submit(same, errors)
        assert [type(error) for error in there] == [type(error) for error in errors]
        assert [str(error) for error in there] == [str(error) for error in errors]
        assert facts(there[3].__cause__) == facts(errors[0])
        assert there[3].__cause__ is there[0]
    if backend != "process":
        backend.shutdown()


class Holds(Exception):
    def __init__(self, held: Any) -> None:
        super().__init__("it holds something")
        self.held = held


def raise_what_holds(where: str) -> None:
    error = Holds(threading.Lock())
    if where == "raised":
        raise error
    if where == "member":
        raise ExceptionGroup("many", [Refused(1, "one"), error])
    if where == "cause":
        raise Refused(1, "one") from error
    raise _with(Refused(1, "one"), inner=error)


async def test_a_failure_keeps_its_fields_though_a_library_pickles_all_exceptions_in_its_own_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def as_tblib(error: BaseException) -> Any:
        return BaseException.__new__, (type(error), *error.args)

    for cls in BaseException, SyntaxError:  # tblib has all of them, and Dask loads it
        monkeypatch.setitem(copyreg.dispatch_table, cls, as_tblib)
    try:
        compile("x = ", "f.py", "exec")
    except SyntaxError as error:
        async with WorkflowEngine("process", workers=1) as engine:
            assert await engine.submit(lambda given: (given.msg, given.lineno), error) == (
                "invalid syntax",
                1,
            )


@pytest.mark.parametrize("where", ["raised", "member", "cause", "attribute"])
async def test_what_cannot_be_sent_says_what_and_which_attribute(where: str, backend: Any) -> None:
    async with WorkflowEngine(backend) as engine:
        told = (await asyncio.gather(engine.submit(raise_what_holds, where), return_exceptions=True))[0]
        assert isinstance(told, BaseException)
        if where == "member":
            assert isinstance(told, ExceptionGroup)
            assert facts(told.exceptions[0]) == facts(Refused(1, "one"))
            told = told.exceptions[1]
        elif where == "cause":
            assert facts(_chained(told, None))[:2] == facts(Refused(1, "one"))[:2]
            told = told.__cause__
        assert isinstance(told, RemoteError)
        assert told.kind == ("Refused" if where == "attribute" else "Holds")
        name = "inner" if where == "attribute" else "held"
        assert f"its attribute '{name}', a " in str(told)
        assert "lock" in str(told)
    if backend != "process":
        backend.shutdown()


@pytest.mark.parametrize("way", ["argument", "result", "argument in a list", "result in a dict"])
async def test_an_exception_that_cannot_be_sent_says_which_attribute_as(way: str, backend: Any) -> None:
    value: Any = Holds(threading.Lock())
    async with WorkflowEngine(backend) as engine:
        if "argument" in way:
            call = engine.submit(same, [1, [value]] if "list" in way else value)
        else:
            call = engine.submit(holds, "dict" in way)
        with pytest.raises(TypeError, match=r"its attribute 'held', a lock, cannot be") as told:
            await call
        assert ("of a Holds in it" in str(told.value)) == ("in a" in way)
    if backend != "process":
        backend.shutdown()


def holds(in_a_dict: bool) -> Any:
    return {"error": Holds(threading.Lock())} if in_a_dict else Holds(threading.Lock())


def raise_of_size(size: int) -> None:
    raise _with(ValueError("large"), data=bytes(size), more=[1])


async def test_an_exception_that_there_is_no_room_for_says_how_large_it_is() -> None:
    async with WorkflowEngine(backend="process", workers=1) as engine:
        with pytest.raises(
            RemoteError, match=r"30,.*bytes.*its attribute 'data', a bytes, takes 30,000,0.. bytes"
        ):
            await engine.submit(raise_without_room, 30_000_000)
        assert await engine.submit(int) == 0


def raise_without_room(size: int) -> None:
    """Raise when no more memory files can be made."""
    from asyncflow._worker import wire

    def write_file(data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no room")

    wire.write_file = write_file
    raise_of_size(size)


def raised(name: str) -> None:
    cls, args = _OWN[name]
    raise cls(*args)


@pytest.mark.parametrize("name", _OWN)
async def test_an_exception_with_an_init_of_its_own_arrives_as_it_was(name: str, backend: Any) -> None:
    cls, args = _OWN[name]
    there = cls(*args)
    async with WorkflowEngine(backend) as engine:
        with pytest.raises(TaskCrashed if name == "ended" else cls) as told:
            await engine.submit(raised, name)
    here = told.value.__cause__ if name == "ended" else told.value
    assert type(here) is cls
    assert (str(here), here.args) == (str(there), there.args)
    attributes = {name: value for name, value in vars(here).items() if name != "__notes__"}
    assert attributes == vars(there)
    for field in ("value", "code"):
        assert getattr(here, field, None) == getattr(there, field, None)
    if backend != "process":
        backend.shutdown()
