"""What is raised or returned in a worker process and cannot be rebuilt in the engine's."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
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


_OWN: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "code": (Refused, (7, "no")),
    "text": (Unsaid, ("so", "much")),
    "ended": (Ended, (3,)),
    "slots": (Slotted, (5,)),
}


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
