"""Where functions leave this process: workers that die, processes that are left in disorder, floods of output."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from ... import State, errors
from .. import bad_tasks as bad
from .. import untidy_tasks as untidy
from ._base import Conformance, Engine, PeakMemory, applies, asynchronous, failure_of, own_engine, told

_NEWS = 20_000_000  # bytes that memory may grow by while a task prints


def died() -> type[Exception]:
    """The exception for a worker that died, which a package without a backend of processes lacks."""
    found: type[Exception] | None = getattr(errors, "WorkerDied", None)
    assert found is not None, "asyncflow.errors has no WorkerDied"
    return found


@applies(executes=True, in_process=False)
@asynchronous
class Processes(Conformance):
    """A worker's end is one task's failure, and the next task finds a clean process."""

    @pytest.mark.parametrize(
        ("body", "args", "word"),
        [
            pytest.param(bad.leave, (0,), "0", id="os._exit(0)"),
            pytest.param(bad.leave, (1,), "1", id="os._exit(1)"),
            pytest.param(bad.leave, (77,), "77", id="os._exit(77)"),
            pytest.param(bad.segfault, (), "SIGSEGV", id="segfault"),
            pytest.param(bad.send_itself, (signal.SIGKILL,), "SIGKILL", id="SIGKILL, as when memory is out"),
            pytest.param(bad.send_itself, (signal.SIGTERM,), "SIGTERM", id="SIGTERM"),
            pytest.param(bad.send_itself, (signal.SIGABRT,), "SIGABRT", id="SIGABRT"),
        ],
    )
    async def test_a_task_that_ends_its_process_fails_alone(
        self, engine: Engine, body: object, args: tuple[object, ...], word: str
    ) -> None:
        gate = self.gate()
        neighbour = engine.submit(bad.through, gate.door, "unharmed")
        await gate.reached()
        future = engine.submit(body, *args)
        behind = [engine.submit(bad.add, number, 1) for number in range(20)]
        error = await failure_of(future)
        assert isinstance(error, died())
        assert word in str(error)
        assert repr(future.name) in told(error)
        assert future.state is State.FAILED
        assert await asyncio.gather(*behind) == list(range(1, 21))
        gate.open()
        assert await neighbour == "unharmed"
        await self.check_all_slots_are_free(engine)

    async def test_every_worker_may_die_at_once_and_again(self, engine: Engine) -> None:
        for _ in range(3):
            futures = [engine.submit(bad.leave, 1) for _ in range(3 * self.workers)]
            assert all([isinstance(await failure_of(future), died()) for future in futures])
        await self.check_all_slots_are_free(engine)

    async def test_a_worker_that_is_killed_while_idle_is_replaced(self, engine: Engine) -> None:
        for _ in range(self.workers):
            os.kill(await engine.submit(bad.process_id), signal.SIGKILL)
            await self.check_all_slots_are_free(engine)

    async def test_functions_run_in_another_process(self, engine: Engine) -> None:
        assert await engine.submit(bad.process_id) != os.getpid()

    @pytest.mark.parametrize(
        ("look", "mess", "args"),
        [
            pytest.param(untidy.folder, untidy.go_to_root, (), id="os.chdir"),
            pytest.param(untidy.variable, untidy.set_variable, ("ASYNCFLOW_MESS",), id="os.environ"),
            pytest.param(untidy.terminator, untidy.set_terminator, (), id="signal handler"),
            pytest.param(untidy.umask, untidy.set_umask, (), id="os.umask"),
            pytest.param(untidy.descriptor_is_open, untidy.close_descriptor, (0,), id="closes fd 0"),
            pytest.param(untidy.descriptor_is_open, untidy.close_descriptor, (1,), id="closes fd 1"),
            pytest.param(untidy.descriptor_is_open, untidy.close_descriptor, (2,), id="closes fd 2"),
            pytest.param(untidy.stdout_is_open, untidy.close_stdout, (), id="closes sys.stdout"),
            *(
                pytest.param(untidy.setting, untidy.change_setting, (name,), id=name)
                for name in untidy.SETTINGS
            ),
        ],
    )
    async def test_the_next_task_finds_a_clean_process(
        self, engine: Engine, look: object, mess: object, args: tuple[object, ...]
    ) -> None:
        look_args = args if look in (untidy.variable, untidy.descriptor_is_open, untidy.setting) else ()
        clean = await engine.submit(look, *look_args)
        for _ in range(2 * self.workers):
            await engine.submit(mess, *args)
        seen = await asyncio.gather(*(engine.submit(look, *look_args) for _ in range(4 * self.workers)))
        assert seen == [clean] * len(seen)

    @own_engine  # it leaves a zombie in the worker, for as long as that lives
    async def test_a_fork_that_returns_too_is_not_heard(self, engine: Engine) -> None:
        assert [await engine.submit(untidy.fork_and_return_twice) for _ in range(5)] == [1] * 5

    @pytest.mark.parametrize(
        ("how", "status"), [("returns", 0), ("fails", 1), ("words", 1), ("0", 0), ("7", 7)]
    )
    async def test_a_fork_ends_with_the_status_of_a_program(
        self, engine: Engine, how: str, status: int
    ) -> None:
        assert await engine.submit(untidy.status_of_fork, how) == status

    @own_engine  # it leaves a zombie in the worker, for as long as that lives
    async def test_a_fork_that_stays_holds_nobody_up(self, engine: Engine) -> None:
        gate = self.gate()
        pid = await engine.submit(untidy.fork_and_leave, gate.door)
        await gate.reached()
        assert pid > 0
        await self.check_next_tasks(engine)

    @pytest.mark.parametrize(
        "size", [50_000_000, pytest.param(1_000_000_000, marks=pytest.mark.soak, id="1 GB")]
    )
    async def test_a_flood_of_output_takes_no_memory_here(self, engine: Engine, size: int) -> None:
        await engine.submit(untidy.shout, 1)
        memory = PeakMemory()
        assert await engine.submit(untidy.shout, size) == size
        assert memory.growth < _NEWS

    async def test_work_for_another_process_is_written_down_when_it_is_submitted(
        self, engine: Engine
    ) -> None:
        numbers = [1, 2, 3]
        future = engine.submit(bad.total, numbers)
        await asyncio.sleep(0)
        numbers.append(100)
        assert await future in (6, 106)  # after the call and before the submission it is still the caller's
        assert numbers == [1, 2, 3, 100]
