"""What a script has defined itself reaches workers as it is, and comes back as the script's own."""

from __future__ import annotations

import gc
import io
import json
import linecache
import re
import subprocess
import sys
import textwrap
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow._worker.by_value.pickler import Pickler

_SCRIPTS = Path(__file__).parent / "scripts"


@cache
def told_by(script: str) -> Any:
    """What was wrong, by what was tried."""
    done = subprocess.run(
        [sys.executable, str(_SCRIPTS / script)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


def named(script: str, pattern: str) -> list[str]:
    """What a script tries, read from its text."""
    return re.findall(pattern, (_SCRIPTS / script).read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", named("definitions.py", r"^@check\ndef (\w+)"))
def test_of_a_script(name: str) -> None:
    assert told_by("definitions.py")[name] is None


@pytest.mark.parametrize("name", named("libraries.py", r'^    "([\w ]+)": \('))
def test_classes_that_a_script_derives_from_libraries_are_what_they_were(name: str) -> None:
    assert told_by("libraries.py")[name] is None


@pytest.mark.parametrize("how", ["script", "run", "child"])
@pytest.mark.parametrize("name", named("modules.py", r'^    "([\w ]+)": \('))
def test_what_only_this_process_has_as_a_module_works_in_workers(name: str, how: str) -> None:
    assert told_by("modules.py")[how][name] is None


def run_script(text: str, folder: Path) -> str:
    """What a script prints, which has no guard around its main part."""
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text))
    ran = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )
    assert ran.stderr == ""
    return ran.stdout


def test_the_program_and_its_worker_each_keep_what_they_have_set(tmp_path: Path) -> None:
    assert (
        run_script(
            """
            import asyncio
            from asyncflow import WorkflowEngine

            engine = WorkflowEngine(backend="process", workers=1)
            limit, seen, kept = 1, [], {}

            class Node:
                made = 0
                def __init__(self): Node.made += 1

            def there(node=None):
                kept[len(kept)] = limit
                seen_there = list(seen)
                return Node(), Node.made, seen_there, len(kept), limit

            def other():
                return Node.made, len(kept)

            async def main():
                global limit
                async with engine:
                    print(*(await engine.submit(there))[1:], Node.made, kept)
                    print(*(await engine.submit(there, Node()))[1:], Node.made, kept)
                    print(await engine.submit(other), Node.made)
                    limit = 5
                    seen.append("mine")
                    print(*(await engine.submit(there))[1:], Node.made, kept)
                    print(await engine.submit(lambda: (limit, seen, len(kept))))

            asyncio.run(main())
            """,
            tmp_path,
        )
        == """\
1 [] 1 1 0 {}
2 [] 2 1 1 {}
(2, 2) 1
3 ['mine'] 3 5 1 {}
(5, ['mine'], 3)
"""
    )


def test_random_functions_of_modules_give_each_worker_numbers_of_its_own(tmp_path: Path) -> None:
    assert (
        run_script(
            """
            import asyncio
            from random import random, shuffle
            from numpy.random import rand
            from asyncflow import WorkflowEngine

            engine = WorkflowEngine(backend="process", workers=2)

            def draw(path):
                open(path).close()
                return random(), float(rand())

            async def main():
                import os
                doors = ["one", "other"]
                for door in doors:
                    os.mkfifo(door)
                async with engine:
                    two = [engine.submit(draw, door) for door in doors]
                    for door in doors:  # both have begun, so each in a worker of its own
                        await asyncio.to_thread(lambda: open(door, "w").close())
                    one, other = await asyncio.gather(*two)
                    print(one[0] != other[0], one[1] != other[1])
                    three = [await engine.submit(lambda draw: draw(), each) for each in (random, random, rand, rand)]
                    print(len(set(three)), await engine.submit(lambda: shuffle) == shuffle)

            asyncio.run(main())
            """,
            tmp_path,
        )
        == "True True\n4 True\n"
    )


def test_what_has_changed_inside_an_object_is_seen_by_what_is_sent_later(tmp_path: Path) -> None:
    assert (
        run_script(
            """
            import asyncio
            from asyncflow import WorkflowEngine

            class Config:
                level = [1]
                def __init__(self):
                    self.size = 1

            config, nested, long = Config(), {"a": {"b": 1}}, list(range(5000))

            def seen():
                return config.size, nested["a"]["b"], long[0], Config.level

            async def main():
                async with WorkflowEngine(backend="process", workers=1) as engine:
                    print(await engine.submit(seen))
                    config.size = nested["a"]["b"] = long[0] = Config.level[0] = 2
                    print(await engine.submit(lambda: seen()))

            asyncio.run(main())
            """,
            tmp_path,
        )
        == "(1, 1, 0, [1])\n(2, 2, 2, [2])\n"
    )


if sys.version_info >= (3, 12):

    def test_what_is_written_with_type_parameters_is_what_it_was(tmp_path: Path) -> None:
        assert (
            run_script(
                """
                import asyncio, pickle, typing
                from asyncflow import WorkflowEngine

                type Json = dict[str, Json] | list[Json] | int
                type Pair[T] = tuple[T, T]

                class Node[T: Node]:
                    def __init__(self, rest: Json): self.rest = rest

                def first[T](pair: Pair[T], rest: Json) -> T:
                    return pair[0]

                def look():
                    assert Json.__value__ == dict[str, Json] | list[Json] | int and Json.__module__ == "__main__"
                    assert pickle.loads(pickle.dumps(Json)) is Json and pickle.loads(pickle.dumps(Pair)) is Pair
                    assert typing.get_type_hints(first)["rest"] is Json
                    assert Node.__type_params__[0].__bound__ is Node
                    return Node[int](first((1, 2), {})).rest, Json, Pair, Node

                async def main():
                    async with WorkflowEngine(backend="process", workers=1) as engine:
                        one, *rest = await engine.submit(look)
                        print(one, rest == [Json, Pair, Node])

                asyncio.run(main())
                """,
                tmp_path,
            )
            == "1 True\n"
        )


def test_a_traceback_has_the_script_s_file_lines_and_source(tmp_path: Path) -> None:
    told = run_script(
        """
        from asyncflow import WorkflowEngine

        class Deep:
            def fail(self):
                raise ValueError("so it is")  # in a class

        def task():
            return [Deep().fail() for _ in "x"]  # in a function

        engine = WorkflowEngine(backend="process", workers=1)
        try:
            engine.run(lambda: engine.submit(task))
        except ValueError as error:
            print(error.__notes__[0])
        """,
        tmp_path,
    )
    path = str(tmp_path / "script.py")
    assert f'File "{path}", line 6, in fail\n    raise ValueError("so it is")  # in a class' in told
    assert f'File "{path}", line 9, in task\n    return [Deep().fail() for _ in "x"]  # in a function' in told


async def test_a_traceback_has_the_source_of_a_cell() -> None:
    name, source = "<cell 5>", "def task():\n    raise ValueError('no')  # here\n"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    async with WorkflowEngine(backend="process", workers=1) as engine:
        with pytest.raises(ValueError) as told:
            await engine.submit(space["task"])
    del linecache.cache[name]
    assert "File \"<cell 5>\", line 2, in task\n    raise ValueError('no')  # here" in told.value.__notes__[0]


@pytest.mark.parametrize(
    "value", [Path("a"), ValueError("no"), test_of_a_script, sys], ids=lambda each: type(each).__name__
)
def test_a_pickle_is_let_go_at_once(value: Any) -> None:
    stream = _Stream()
    seen = weakref.ref(stream)
    gc.disable()
    try:
        Pickler(stream).dump(value)
        del stream
        assert seen() is None
    finally:
        gc.enable()


class _Stream(io.BytesIO):
    pass


def test_what_pytest_imports_from_a_path_works_in_workers(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        textwrap.dedent(
            """
            import asyncio, dataclasses
            from asyncflow import WorkflowEngine

            @dataclasses.dataclass
            class Job:
                size: int

            def double(job):
                assert job.size
                return Job(job.size * 2)

            def test_it():
                async def main():
                    async with WorkflowEngine(backend="process", workers=1) as engine:
                        return await engine.submit(double, Job(2))
                assert asyncio.run(main()) == Job(4)
            """
        )
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", "."],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stdout


def test_a_module_that_runs_a_workflow_when_it_is_imported_is_told_and_starts_no_workers_without_end(
    tmp_path: Path,
) -> None:
    (tmp_path / "unguarded.py").write_text(
        textwrap.dedent(
            """
            from asyncflow import WorkflowEngine

            engine = WorkflowEngine(backend="process", workers=1)

            @engine.function_task
            def double(n):
                return 2 * n

            @engine.block
            async def four():
                return await double(2)

            found = engine.run(four)
            """
        )
    )
    told = run_script(
        """
        try:
            import unguarded
        except RuntimeError as error:
            print(str(error).partition(" each")[0], "__main__" in str(error))
        """,
        tmp_path,
    )
    assert told == "unguarded.py runs a workflow True\n"
