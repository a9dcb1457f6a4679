"""Worker processes run what a function is at the time of the call, though it is sent once."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow._worker.runner import Runner
from asyncflow.backends.process import ProcessBackend

_NAMES = itertools.count()


class Counter:
    """Something with a state."""

    def __init__(self) -> None:
        self.items: list[int] = []

    def __call__(self) -> int:
        return len(self.items)

    def length(self) -> int:
        return len(self.items)

    async def later(self) -> int:
        return len(self.items)


@pytest.fixture
async def engine() -> Any:
    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        yield engine


@pytest.mark.parametrize(
    "make",
    [
        lambda counter: counter.length,
        lambda counter: counter.later,
        lambda counter: counter,
        lambda counter: partial(len, counter.items),
        lambda counter: counter.items.__len__,
    ],
    ids=["method", "async method", "callable", "partial", "method of a builtin"],
)
async def test_what_has_a_state_is_called_with_the_state_of_the_call(
    make: Any, engine: WorkflowEngine
) -> None:
    counter = Counter()
    assert await engine.submit(make(counter)) == 0
    counter.items += [1, 2]
    assert await engine.submit(make(counter)) == 2


async def test_a_method_of_what_cannot_be_sent_is_told_by_its_name(engine: WorkflowEngine) -> None:
    counter = Counter()
    counter.items = (number for number in range(3))  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"'length' \(#1\) cannot be sent to another process"):
        await engine.submit(counter.length)


def cell(space: dict[str, Any], source: str) -> None:
    """Run a cell of a notebook."""
    exec(source, space)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("factor = 2\ndef helper(x): return x * factor", "factor = 3"),
        ("factor = 2\ndef helper(x): return x * factor", "def helper(x): return x * 3"),
        ("from functools import cache\nhelper = lambda x: (lambda: x * 2)()", "helper = lambda x: x * 3"),
    ],
)
async def test_what_a_function_mentions_may_be_defined_anew(
    before: str, after: str, engine: WorkflowEngine
) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    cell(space, before)
    cell(space, "def task(x): return helper(x)")
    assert await engine.submit(space["task"], 10) == 20
    cell(space, after)
    assert await engine.submit(space["task"], 10) == 30


async def test_what_a_function_mentions_may_be_defined_after_it_was_missed(engine: WorkflowEngine) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    cell(space, "def task(): return helper()")
    with pytest.raises(NameError):
        await engine.submit(space["task"])
    cell(space, "def helper(): return 1")
    assert await engine.submit(space["task"]) == 1


async def test_a_closure_is_called_with_what_its_variables_are(engine: WorkflowEngine) -> None:
    number = 1

    def inner() -> int:
        return number

    def outer() -> int:
        return inner()

    assert await engine.submit(outer) == 1
    number = 2
    assert await engine.submit(outer) == 2


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that can be imported, and the file it comes from."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / f"reloaded_{next(_NAMES)}.py"
    path.write_text("def task(): return helper()\ndef helper(): return 1\n")
    importlib.invalidate_caches()
    yield importlib.import_module(path.stem)
    del sys.modules[path.stem]


@pytest.mark.parametrize("in_place", [False, True])
async def test_a_module_that_was_loaded_again_is_the_new_one(in_place: bool, module: Any) -> None:
    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        old = module.task
        assert await engine.submit(old) == 1
        Path(module.__file__).write_text("def task(): return 1 + helper()\ndef helper(): return 22\n")
        importlib.reload(module)
        if in_place:  # as the extension of notebooks does that loads modules again by itself
            old.__code__ = module.task.__code__
        assert await engine.submit(old if in_place else module.task) == 23


async def test_a_module_that_a_functions_module_imports_may_be_loaded_again(
    module: Any, tmp_path: Path
) -> None:
    user = tmp_path / f"uses_{module.__name__}.py"
    user.write_text(f"import {module.__name__} as helper\ndef task(): return helper.task()\n")
    using = importlib.import_module(user.stem)
    async with WorkflowEngine(ProcessBackend(workers=2)) as engine:
        assert await asyncio.gather(*(engine.submit(using.task) for _ in range(4))) == [1] * 4
        Path(module.__file__).write_text("def task(): return 'quite new'\n")
        importlib.reload(module)
        assert await asyncio.gather(*(engine.submit(using.task) for _ in range(4))) == ["quite new"] * 4
    del sys.modules[user.stem]


async def test_code_that_was_put_into_a_function_runs_though_its_module_has_another(
    module: Any, engine: WorkflowEngine
) -> None:
    assert await engine.submit(module.task) == 1

    def other() -> int:
        return 5

    module.task.__code__ = other.__code__
    assert await engine.submit(module.task) == 5


async def test_a_class_that_a_function_mentions_may_be_given_another_attribute(
    engine: WorkflowEngine,
) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    cell(space, "class Levels:\n    level = 1\n    def get(self): return self.level + 1")
    cell(space, "def task(): return Levels().get()")
    assert await engine.submit(space["task"]) == 2
    space["Levels"].level = 5
    assert await engine.submit(space["task"]) == 6
    space["Levels"].get = lambda self: "another"
    assert await engine.submit(space["task"]) == "another"


@pytest.fixture
def main_space(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of the main script, in which cells of a notebook run."""
    script = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", script)
    return script.__dict__


_POINT = """
from dataclasses import dataclass
@dataclass
class Point:
    x: int
    def scaled(self): return Point(self.x * factor)
"""


async def test_cells_may_define_anew_what_workers_have(
    main_space: dict[str, Any], engine: WorkflowEngine
) -> None:
    cell(main_space, f"factor = 2\n{_POINT}")
    cell(main_space, "def task(point): return point.scaled()")
    task, point, old = main_space["task"], main_space["Point"](3), main_space["Point"]
    assert await engine.submit(task, point) == old(6)
    cell(main_space, "factor = 3")
    assert await engine.submit(task, point) == old(9)
    cell(main_space, _POINT.replace("x: int", "x: int\n    y: int = 5"))
    new = main_space["Point"]
    assert (
        [await engine.submit(task, each) for each in (new(1), point)]
        == [new(3), new(9)]
        == [
            task(new(1)),
            task(point),
        ]
    )
    cell(main_space, "del factor")
    with pytest.raises(NameError, match="factor"):
        await engine.submit(task, new(1))
    cell(main_space, "factor = 4")
    assert await engine.submit(task, new(1)) == new(4)


async def test_no_call_runs_with_globals_from_before_it(
    main_space: dict[str, Any], engine: WorkflowEngine
) -> None:
    cell(main_space, "def get(_): return level")
    cell(main_space, "def get_again(_): return level")
    main_space["level"] = -1
    assert await engine.submit(main_space["get"], 0) == -1
    futures = []
    for level in range(20):
        main_space["level"] = level
        futures += [engine.submit(main_space[name], level) for name in ("get", "get_again")]
        await asyncio.sleep(0)
    seen = await asyncio.gather(*futures)
    assert seen == sorted(seen)  # they are written down when a worker can soon take them
    assert all(level >= index // 2 for index, level in enumerate(seen))


async def test_closures_that_share_a_variable_share_it_in_a_worker(engine: WorkflowEngine) -> None:
    number = 0

    def more() -> None:
        nonlocal number
        number += 1

    def get() -> int:
        return number

    def use(more: Any, get: Any) -> tuple[Any, int]:
        more()
        more()
        return get, get()

    there, seen = await engine.submit(use, more, get)
    assert (seen, there(), get()) == (2, 2, 0)


async def test_a_module_may_be_found_in_a_place_that_was_added_after_the_worker_was_started(
    engine: WorkflowEngine, request: pytest.FixtureRequest
) -> None:
    assert await engine.submit(int) == 0
    module = request.getfixturevalue("module")
    assert await engine.submit(module.task) == 1


async def test_what_is_no_place_for_modules_keeps_no_worker_from_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/tmp")])
    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        assert await engine.submit(int) == 0


def functions() -> int:
    """How many functions the worker keeps."""
    frame: Any = sys._getframe()
    while not isinstance(frame.f_locals.get("self"), Runner):
        frame = frame.f_back
    return len(frame.f_locals["self"].functions.loaded)


async def test_a_worker_keeps_no_function_that_nobody_will_call_again(engine: WorkflowEngine) -> None:
    for part in range(5):
        values = await asyncio.gather(*[engine.submit(lambda n=number: n) for number in range(1000)])
        assert values == list(range(1000)), part
    assert await engine.submit(functions) < 4000
