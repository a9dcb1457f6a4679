"""What a worker process does before its first task: it takes on what the program has set, and runs an initializer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkerDied, WorkflowEngine
from asyncflow.backends.process import ProcessBackend

_there: dict[str, Any] = {}


def prepare(name: str, value: Any) -> None:
    """An initializer that tasks find the work of."""
    _there[name] = value
    _there["pid"] = os.getpid()
    os.environ["ASYNCFLOW_PREPARED"] = name


def look(_: Any = None) -> tuple[dict[str, Any], str | None, int]:
    return dict(_there), os.environ.get("ASYNCFLOW_PREPARED"), os.getpid()


async def test_an_initializer_runs_once_in_each_worker_and_what_it_sets_stays() -> None:
    backend = ProcessBackend(2, recycle_after=2, initializer=prepare, initargs=("model", {"size": 3}))
    async with WorkflowEngine(backend) as engine:
        seen = await asyncio.gather(*(engine.submit(look, number) for number in range(8)))
    for there, variable, pid in seen:
        assert there == {"model": {"size": 3}, "pid": pid}
        assert variable == "model"


def refuse() -> None:
    raise ConnectionError("no database")


async def test_when_the_initializer_fails_tasks_fail_with_its_error() -> None:
    async with WorkflowEngine(ProcessBackend(1, initializer=refuse)) as engine:
        for _ in range(2):
            with pytest.raises(ConnectionError, match="no database") as told:
                await engine.submit(look)
            assert "in the initializer of this worker process" in told.value.__notes__


async def test_an_initializer_that_ends_its_process_takes_one_task_with_it_each_time() -> None:
    async with WorkflowEngine(ProcessBackend(1, initializer=os._exit, initargs=[7])) as engine:
        ended = await asyncio.gather(*(engine.submit(look) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in ended] == [WorkerDied] * 3
    assert "exit code 7" in str(ended[0])


@pytest.mark.parametrize(
    ("initializer", "words"),
    [
        (3, "initializer=3 is nothing that can be called"),
        (prepare, "initializer=prepare and its arguments cannot"),
    ],
)
async def test_an_initializer_that_cannot_be_sent_is_told_at_the_start(initializer: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        backend = ProcessBackend(1, initializer=initializer, initargs=("lock", threading.Lock()))
        async with WorkflowEngine(backend):
            pass


def run_script(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )


def test_an_initializer_of_a_script_sets_the_globals_that_tasks_read(tmp_path: Path) -> None:
    ran = run_script(
        """
        from asyncflow import WorkflowEngine
        from asyncflow.backends.process import ProcessBackend

        connection, cache = None, {}

        class Settings:
            level = None

        def prepare(name):
            global connection
            connection = f"to {name}"
            cache["first"] = 1
            Settings.level = 5

        engine = WorkflowEngine(ProcessBackend(1, initializer=prepare, initargs=["base"]))

        @engine.function_task
        def use(number):
            cache[number] = True
            return connection, Settings.level, len(cache)

        @engine.function_task
        def use_again(settings):
            return connection, settings.level, len(cache)

        async def main():
            print(await use(1), await use(2), await use_again(Settings()), connection, Settings.level, cache)

        engine.run(main)
        """,
        tmp_path,
    )
    assert ran.stderr == ""
    assert ran.stdout == "('to base', 5, 2) ('to base', 5, 3) ('to base', 5, 3) None None {}\n"


def test_what_a_script_sets_for_its_process_at_its_top_reaches_workers(tmp_path: Path) -> None:
    ran = run_script(
        """
        import decimal, logging, socket, sys, warnings
        import numpy as np
        from asyncflow import WorkflowEngine

        class Old(UserWarning): pass

        decimal.getcontext().prec = 5
        np.seterr(divide="raise")
        warnings.simplefilter("error", Old)
        warnings.filterwarnings("ignore", message="quiet.*")
        sys.setrecursionlimit(1234)
        sys.set_int_max_str_digits(5000)
        socket.setdefaulttimeout(3.5)
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
        logging.getLogger("loud").setLevel(logging.ERROR)
        logging.getLogger("asyncflow").setLevel(logging.WARNING)  # it tells of the run at INFO
        logging.getLogger("kept").addHandler(logging.FileHandler("kept.log"))
        log = logging.getLogger("mine")
        engine = WorkflowEngine(backend="process", workers=1)

        def look(_):
            try:
                warnings.warn("old", Old)
                told = "unseen"
            except Old:
                told = "raised"
            warnings.warn("quiet, please")
            try:
                np.float64(1) / 0
            except FloatingPointError:
                told += ", too"
            log.info("said")
            logging.getLogger("loud").warning("unheard")
            logging.getLogger("kept").info("written")
            return (
                str(decimal.Decimal(1) / 3), told, sys.getrecursionlimit(), sys.get_int_max_str_digits(),
                socket.getdefaulttimeout(),
            )

        async def main():
            for number in range(2):
                print(await engine.submit(look, number))

        engine.run(main)
        """,
        tmp_path,
    )
    assert ran.stderr == ""
    each = "INFO said\nINFO written\n('0.33333', 'raised, too', 1234, 5000, 3.5)\n"
    assert ran.stdout == each * 2
    assert (tmp_path / "kept.log").read_text() == "written\n" * 2
