"""The fixtures that pytest finds by itself, each tried in a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

PLUGIN = "asyncflow.testing.pytest_plugin"
ASYNCIO = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
ANYIO = ("-p", "anyio.pytest_plugin")
HEAD = """
import asyncio
import threading
import pytest
from asyncflow import TaskTimeout, WorkflowEngine
"""


@pytest.fixture
def pytest_says(tmp_path: Path) -> PytestSays:
    return PytestSays(tmp_path)


class PytestSays:
    """Runs pytest in a folder with some test files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, tests: str, *options: str, conftest: str = "") -> str:
        (self._folder / "conftest.py").write_text(textwrap.dedent(conftest))
        (self._folder / "test_mine.py").write_text(HEAD + textwrap.dedent(tests))
        # An environment that was made before the plugin does not know of it.
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "-p",
            PLUGIN,
        ]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST"))
        }
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # each takes its while to load
        done = subprocess.run(
            [*command, *options],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr


ASYNC = """
async def test_it_has_been_started(engine):
    assert "0 tasks run" in repr(engine)
    assert await engine.submit(lambda: threading.get_ident()) == threading.get_ident()

async def test_it_is_another_one_each_time(engine):
    assert await engine.submit(len, [1, 2]) == 2
    assert "1 are over" in repr(engine)

class TestInAClass:
    async def test_it_is_there_too(self, engine):
        assert await engine.submit(len, [1, 2]) == 2

@pytest.mark.parametrize("number", [1, 2])
async def test_arguments_come_along(number, engine):
    assert await engine.submit(abs, -number) == number

async def test_an_hour_passes_at_once(engine, fake_clock):
    @engine.function_task
    async def slow():
        await asyncio.sleep(3600)
    begun = fake_clock.time()
    await slow()
    assert fake_clock.time() - begun == pytest.approx(3600, abs=1)

async def test_a_timeout_comes_at_once(engine, fake_clock):
    @engine.function_task(timeout=3600)
    async def stuck():
        await asyncio.Event().wait()
    begun = fake_clock.time()
    with pytest.raises(TaskTimeout, match="ran longer than 3600 s"):
        await stuck()
    assert fake_clock.time() - begun == pytest.approx(3600, abs=1)

async def test_time_is_let_pass_by_hand(engine, fake_clock):
    rung = asyncio.Event()
    asyncio.get_running_loop().call_later(3600, rung.set)
    fake_clock.advance(3600)
    await rung.wait()
"""


@pytest.mark.parametrize(
    ("marker", "options"),
    [
        ("asyncio", ASYNCIO),
        ("asyncio", (*ASYNCIO, "-o", "asyncio_mode=auto")),
        ("asyncio(loop_scope='module')", ASYNCIO),
        ("anyio", (*ASYNCIO, *ANYIO)),
        ("anyio", ANYIO),
    ],
    ids=["pytest-asyncio", "pytest-asyncio, auto", "pytest-asyncio, one loop", "anyio", "anyio alone"],
)
def test_in_async_tests_the_engine_has_been_started_and_is_shut_down(
    marker: str, options: tuple[str, ...], pytest_says: PytestSays
) -> None:
    tests = f"pytestmark = pytest.mark.{marker}\n" + textwrap.dedent(ASYNC)
    conftest = """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(autouse=True)
        def is_shut_down(engine):
            yield
            assert "shut down" in repr(engine), repr(engine)
        """
    said = pytest_says(tests, *options, conftest=conftest)
    assert "8 passed" in said and "warning" not in said, said


def test_in_plain_tests_run_starts_the_engine(pytest_says: PytestSays) -> None:
    said = pytest_says(
        """
        def test_run(engine):
            @engine.block
            async def both():
                return [await engine.submit(abs, -1), await engine.submit(abs, -2)]
            assert engine.run(both) == [1, 2]
            assert "shut down" in repr(engine)

        def test_the_clock_of_a_run(engine, fake_clock):
            with pytest.raises(RuntimeError, match="start the engine first"):
                fake_clock.time()

            async def main():
                begun = fake_clock.time()
                await asyncio.to_thread(int)
                await asyncio.sleep(36_000)
                return fake_clock.time() - begun
            assert engine.run(main) == pytest.approx(36_000)

        def test_never_started(engine):
            assert "not started" in repr(engine)
        """
    )
    assert "3 passed" in said, said


def test_what_a_fixture_has_started_is_shut_down(pytest_says: PytestSays) -> None:
    said = pytest_says(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def loaded(engine):
            future = engine.submit(abs, -5)
            await future
            stuck = engine.function_task(asyncio.Event().wait)()
            yield future, stuck
            assert await engine.submit(abs, -6) == 6

        def test_plain(engine, loaded):
            assert loaded[0].result() == 5

        @pytest.mark.asyncio
        async def test_async(engine):
            loop = asyncio.get_running_loop()
            assert type(loop) is asyncio.SelectorEventLoop
        """,
        *ASYNCIO,
    )
    assert "2 passed" in said, said


def test_a_loop_that_several_tests_share_has_its_own_clock_again(pytest_says: PytestSays) -> None:
    said = pytest_says(
        """
        import time
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_fake(engine, fake_clock):
            await asyncio.sleep(3600)

        async def test_real(engine):
            loop = asyncio.get_running_loop()
            assert type(loop) is asyncio.SelectorEventLoop
            assert abs(loop.time() - time.monotonic()) < 60
            await asyncio.sleep(0.001)
        """,
        *ASYNCIO,
    )
    assert "2 passed" in said, said


def test_on_trio_the_tests_are_skipped(pytest_says: PytestSays) -> None:
    said = pytest_says(
        """
        @pytest.mark.parametrize("anyio_backend", ["trio"])
        @pytest.mark.anyio
        async def test_it(engine):
            raise AssertionError
        """,
        *ANYIO,
        "-rs",
    )
    assert "asyncflow runs on asyncio" in said and "1 skipped" in said, said


def test_a_projects_own_fixtures_come_first(pytest_says: PytestSays) -> None:
    said = pytest_says(
        """
        def test_mine(engine):
            assert engine == "a database"

        def test_the_clock_needs_our_engine(fake_clock):
            pass
        """,
        conftest="""
        import pytest

        @pytest.fixture
        def engine():
            return "a database"
        """,
    )
    assert "1 passed, 1 error" in said and "'engine' is another fixture" in said, said


def test_a_project_that_asks_for_none_loads_nothing(pytest_says: PytestSays) -> None:
    said = pytest_says("", "--fixtures")
    assert "engine -- " in said and "fake_clock -- " in said, said
    said = pytest_says(
        """
        def test_nothing(loaded_at_start):
            here = {"asyncflow", "asyncflow._version", "asyncflow.testing", "asyncflow.testing.pytest_plugin"}
            assert loaded_at_start == here
        """.replace("\n        ", "\n"),
        conftest="""
        import sys
        import pytest

        AT_START = {name for name in sys.modules if name.partition(".")[0] == "asyncflow"}

        @pytest.fixture
        def loaded_at_start():
            return AT_START
        """,
    )
    assert "1 passed" in said, said


def test_pytest_is_told_of_it() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"asyncflow": PLUGIN}
