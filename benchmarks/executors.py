"""What executors of `concurrent.futures` keep of what tasks are promised, each tried through the adapter.

Each executor has a process of its own, and is made as its documentation tells for one machine with two workers. What
may take it down comes last, and what was found is told at once: an executor that then hangs, or takes the program with
it, loses nothing but the rest of its row.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from asyncflow import State, TaskCrashed, WorkflowEngine
from asyncflow.testing import Gate
from asyncflow.testing import bad_tasks as bad
from asyncflow.testing.gate import Door

from . import fresh
from .bodies import nothing
from .measuring import Options, Row, Rows
from .places import WORKERS

NOTE = "what executors of others keep, tried through the adapter; the engine's own processes stand first"
_TITLE = "Executors of others"
_PATIENCE = 20.0  # seconds for one promise
_OUTLIVES = 5.0  # seconds that a worker may live on when its program was killed
_LARGE = 100_000_000
_TIMED = 200  # tasks whose cost is measured

Engine = Any
Trial = Callable[[Engine], Awaitable[bool]]


# -- executors ------------------------------------------------------------------------------------------------


@contextmanager
def _loky() -> Iterator[Executor]:
    import loky

    with loky.ProcessPoolExecutor(WORKERS) as executor:
        yield executor


@contextmanager
def _executorlib() -> Iterator[Executor]:
    from executorlib import SingleNodeExecutor

    # In blocks: otherwise each task starts an interpreter of its own.
    with SingleNodeExecutor(max_workers=WORKERS, block_allocation=True) as executor:
        yield executor


@contextmanager
def _mpi() -> Iterator[Executor]:
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor(WORKERS) as executor:
        yield executor


@contextmanager
def _dask() -> Iterator[Executor]:
    from distributed import Client

    workers = {"n_workers": WORKERS, "threads_per_worker": 1, "processes": True}
    with (
        Client(**workers, dashboard_address=None, silence_logs=50) as client,
        client.get_executor() as executor,
    ):
        yield executor


@contextmanager
def _parsl() -> Iterator[Executor]:
    import parsl
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    one_block = LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1)
    workers = HighThroughputExecutor(
        max_workers_per_node=WORKERS, provider=one_block, address="127.0.0.1", encrypted=False
    )
    with tempfile.TemporaryDirectory() as folder:
        config = parsl.Config(
            executors=[workers], strategy="none", run_dir=folder, usage_tracking=0, initialize_logging=False
        )
        with ParslPoolExecutor(config) as executor:
            yield executor


@dataclass(frozen=True)
class System:
    """One executor.

    Args:
        needs: what must be importable.
        opened: a context that gives it, or what else an engine takes as a backend.
    """

    needs: str
    opened: Callable[[], AbstractContextManager[Executor | str]]


@contextmanager
def _ours() -> Iterator[str]:
    yield "process"


SYSTEMS = {
    "the engine's own process": System("asyncflow", _ours),
    "concurrent.futures.ProcessPoolExecutor": System("concurrent", lambda: ProcessPoolExecutor(WORKERS)),
    "loky.ProcessPoolExecutor": System("loky", _loky),
    "executorlib.SingleNodeExecutor": System("executorlib", _executorlib),
    "mpi4py.futures.MPIPoolExecutor": System("mpi4py", _mpi),
    "distributed.Client.get_executor": System("distributed", _dask),
    "parsl.concurrent.ParslPoolExecutor": System("parsl", _parsl),
}


# -- promises -------------------------------------------------------------------------------------------------


class Own(Exception):
    """An error that pickle cannot rebuild by itself."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code


def _fails() -> None:
    raise Own("failed", 7)


def _leaves_a_mess() -> None:
    os.chdir("/")
    os.environ["ASYNCFLOW_MESS"] = "left"


def _finds_a_mess() -> bool:
    return "ASYNCFLOW_MESS" in os.environ


def _through_and_notes(door: Door, notes: str) -> None:
    door.pass_through()
    Path(notes).touch()


def _notes(notes: str) -> None:
    Path(notes).touch()


def _dies(notes: str) -> None:
    with open(notes, "a") as file:
        file.write("x")
    os._exit(7)


async def closures(engine: Engine) -> bool:
    """A function that cannot be imported runs in another process."""
    here = os.getpid()
    found: bool = await engine.submit(lambda: os.getpid() != here)
    return found


async def errors(engine: Engine) -> bool:
    """An error arrives as itself, with its attributes."""
    try:
        await engine.submit(_fails)
    except Own as error:
        return error.code == 7
    return False


async def coroutines(engine: Engine) -> bool:
    """A coroutine that names the backend runs there."""
    return bool(await engine.function_task(bad.add_later, backend="cpu")(20, 22) == 42)


async def two_at_once(engine: Engine) -> bool:
    """As many tasks run at once as there are workers."""
    with Gate() as gate:
        futures = [engine.submit(bad.through, gate.door, number) for number in range(WORKERS)]
        await gate.reached(WORKERS)
        gate.close()
        return await asyncio.gather(*futures) == list(range(WORKERS))


async def large(engine: Engine) -> bool:
    """100 MB go there and come back."""
    return len(await engine.submit(bad.same, b"1" * _LARGE)) == _LARGE


async def cancel_waiting(engine: Engine) -> bool:
    """What waits in the executor's queue is taken back, and not run."""
    with Gate() as gate, tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes")
        running = [engine.submit(bad.through, gate.door) for _ in range(WORKERS)]
        await gate.reached(WORKERS)
        behind = [engine.submit(bad.process_id) for _ in range(4 * WORKERS)]
        last = engine.submit(_notes, str(notes))
        await asyncio.sleep(0)  # now the executor has it
        last.cancel()
        is_back = await _is_cancelled(engine, last)
        gate.close()
        await asyncio.gather(*running, *behind)
        await engine.settled(last)
        return is_back and not notes.exists()


async def cancel_running(engine: Engine) -> bool:
    """What runs is stopped, and not only said to be."""
    with Gate() as gate, tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes")
        running = engine.submit(_through_and_notes, gate.door, str(notes))
        await gate.reached()
        running.cancel()
        is_told = await _is_cancelled(engine, running)
        gate.close()
        await asyncio.sleep(0.5)
        return is_told and not notes.exists()


async def _is_cancelled(engine: Engine, future: Any) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(engine.settled(future), 3)
    return bool(future.state is State.CANCELLED)


async def clean(engine: Engine) -> bool:
    """What a task changes in its process is put back before the next."""
    for _ in range(2 * WORKERS):
        await engine.submit(_leaves_a_mess)
    return not any([await engine.submit(_finds_a_mess) for _ in range(2 * WORKERS)])


async def exit_alone(engine: Engine) -> bool:
    """A task that calls ``sys.exit`` fails, and the next ones work."""
    try:
        await engine.submit(sys.exit, 3)
    except TaskCrashed:
        return await _next_ones_work(engine)
    return False


async def death_alone(engine: Engine) -> bool:
    """A task whose process dies fails after one run, and the next ones work."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes")
        [outcome] = await asyncio.gather(engine.submit(_dies, str(notes)), return_exceptions=True)
        return isinstance(outcome, Exception) and notes.read_text() == "x" and await _next_ones_work(engine)


async def _next_ones_work(engine: Engine) -> bool:
    futures = [engine.submit(bad.add, number, 1) for number in range(4 * WORKERS)]
    found = await asyncio.gather(*futures, return_exceptions=True)
    return found == list(range(1, 4 * WORKERS + 1))


TRIALS: tuple[Trial, ...] = (
    closures,
    errors,
    coroutines,
    two_at_once,
    large,
    cancel_waiting,
    cancel_running,
    clean,
    exit_alone,
    death_alone,
)


# -- trying ---------------------------------------------------------------------------------------------------


def measure(options: Options) -> Rows:
    """Those that are there."""
    for name in SYSTEMS:
        yield _TITLE, {"executor": name} | tried(name)


def tried(name: str) -> Row:
    """What one executor keeps.

    Args:
        name: as in `SYSTEMS`.
    """
    if find_spec(SYSTEMS[name].needs) is None:
        return {"skipped": f"{SYSTEMS[name].needs} is not installed"}
    # Parsl looks for its own scripts on the PATH, and MPI for its daemons.
    scripts = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    path = os.pathsep.join([str(fresh.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"PATH": scripts, "PYTHONPATH": path}
    row: Row = {}
    try:
        row |= fresh.run(ends_with_its_program, name, timeout=2 * _PATIENCE, environment=environment)
        row |= fresh.run(all_trials, name, timeout=180, environment=environment)
    except fresh.Failed as error:
        row |= error.so_far or {"failed": str(error)}  # what ended it is the promise that is not kept
    return {key: row[key] for key in sorted(row, key=_order)}


def _order(key: str) -> int:
    names = [trial.__name__ for trial in TRIALS]
    return names.index(key) if key in names else len(names)


def all_trials(name: str) -> Row:
    """All promises of one executor but the last."""
    return asyncio.run(_all_trials(name))


async def _all_trials(name: str) -> Row:
    row: Row = {}
    with SYSTEMS[name].opened() as backend:
        async with WorkflowEngine(backends={"cpu": backend}, workers=WORKERS, grace=2) as engine:
            await _next_ones_work(engine)
            began = perf_counter()
            await asyncio.gather(*(engine.submit(nothing) for _ in range(_TIMED)))
            row["task_us"] = (perf_counter() - began) / _TIMED * 1e6
            for trial in TRIALS:
                row[trial.__name__] = False
                fresh.tell(row)
                try:
                    async with asyncio.timeout(_PATIENCE):
                        row[trial.__name__] = await trial(engine)
                except Exception as error:
                    print(f"{name}, {trial.__name__}: {error!r}", file=sys.stderr)
                fresh.tell(row)
            os._exit(0)  # some would wait for what they have lost
    return row


def ends_with_its_program(name: str) -> Row:
    """Whether its workers end when the program is killed."""
    command = [sys.executable, "-m", "benchmarks.executors", name]
    # In a session of its own: MPI's daemon ends the whole group with it.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as program:
        assert program.stdout is not None
        line = next((line for line in program.stdout if line.startswith("worker ")), None)
        if line is None:
            raise RuntimeError("the program did not come up")
        worker = os.pidfd_open(int(line.split()[1]))
        try:
            os.kill(program.pid, signal.SIGKILL)
            is_over, _, _ = select.select([worker], [], [], _OUTLIVES)
            if not is_over:
                signal.pidfd_send_signal(worker, signal.SIGKILL)
        finally:
            os.close(worker)
            program.stdout.close()
    return {"ends_with_program": bool(is_over)}


async def _wait_to_be_killed(name: str) -> None:
    with SYSTEMS[name].opened() as backend, Gate() as gate:
        async with WorkflowEngine(backends={"cpu": backend}, workers=WORKERS) as engine:
            print("worker", await engine.submit(bad.process_id), flush=True)
            await engine.submit(bad.through, gate.door)


if __name__ == "__main__":
    asyncio.run(_wait_to_be_killed(sys.argv[1]))
