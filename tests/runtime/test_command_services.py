"""Commands as services: how it is known that they are ready, what becomes of those that use one that dies, and that
nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    CommandFailed,
    RunningService,
    ServiceDied,
    ServiceNotReady,
    UpstreamFailed,
    WorkflowEngine,
    http,
    port,
)
from asyncflow.events import ServiceEnded
from asyncflow.testing import Gate
from asyncflow.testing.gate import Door

from .kit import Heard, script

BACKENDS = ["sequential", "thread", "process"]
UP = ["sh", "-c", "echo up; exec sleep 1000"]


@pytest.fixture(params=BACKENDS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(request.param, keep="none") as engine:
        yield engine


@pytest.fixture
def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def serve(number: int) -> list[str]:
    return [sys.executable, "-m", "http.server", str(number), "--bind", "127.0.0.1"]


def get(service: RunningService, number: int) -> int:
    connection = HTTPConnection("127.0.0.1", number, timeout=10)
    connection.request("GET", "/")
    return connection.getresponse().status


def pid_of(service: RunningService) -> int:
    return service.pid


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -- how it is known to be ready --------------------------------------------------------------------------


async def test_a_server_is_ready_when_its_port_takes_connections(engine: WorkflowEngine, free: int) -> None:
    server = engine.executable_task(serve, service=True, ready=lambda number: port(number))
    service = server(free)
    assert await engine.function_task(get)(service, free) == 200
    value = await service
    assert (value.port, value.url, value.line) == (free, None, None)
    assert lives(value.pid)
    await engine.shutdown()
    assert not lives(value.pid)


async def test_a_server_is_ready_when_a_url_is_answered_with_a_status(free: int) -> None:
    async with WorkflowEngine(keep="none") as engine:
        url = f"http://127.0.0.1:{free}/nothing?here"
        server = engine.executable_task(serve, service=True, ready=http(url, 404))
        assert (await server(free)).url == url


async def test_a_number_is_the_port_of_a_server(free: int) -> None:
    async with WorkflowEngine(keep="none") as engine:
        assert (await engine.executable_task(serve, service=True, ready=free)(free)).port == free


@pytest.mark.parametrize("ready", ["port 80 (tcp)", re.compile(r"port \d+")])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_command_is_ready_when_a_line_has_something_in_it(ready: Any, stream: str) -> None:
    told = f"print('starting\\nport 80 (tcp) is open', file=sys.{stream}, flush=True)"
    code = f"import sys, signal; {told}; signal.pause()"
    async with WorkflowEngine(keep="none") as engine:
        value = await engine.executable_task(lambda: python(code), service=True, ready=ready)()
        assert value.line == "port 80 (tcp) is open"


async def test_a_command_of_which_nothing_is_asked_is_ready_when_it_runs() -> None:
    async with WorkflowEngine(keep="none") as engine:
        value = await engine.executable_task(lambda: UP, service=True)()
        assert lives(value.pid)


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_function_of_the_arguments_may_tell_whether_it_is_ready(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pid"

    def is_up(target: Path) -> str | None:
        return path.read_text() or None

    async def is_up_later(target: Path) -> str | None:
        return path.read_text() or None

    async with WorkflowEngine(keep="none") as engine:

        @engine.executable_task(service=True, ready=is_up if kind == "def" else is_up_later)
        def server(target: Path) -> list[str]:
            return python(f"import os, signal; open({str(target)!r}, 'w').write('ready'); signal.pause()")

        assert (await server(path)).answer == "ready"


async def test_one_that_is_told_true_gives_what_runs() -> None:
    async with WorkflowEngine(keep="none") as engine:
        value = await engine.executable_task(lambda: UP, service=True, ready=lambda: True)()
        assert lives(value.pid)


@pytest.mark.parametrize(
    ("ready", "answer"),
    [
        ("up and running", "the last line is 'up'"),
        (lambda: False, "False"),
        (lambda: {}["up"], "KeyError: 'up'"),
    ],
)
async def test_a_readiness_that_never_comes_is_an_error_with_the_last_answer(ready: Any, answer: str) -> None:
    async with WorkflowEngine(keep="none") as engine:
        command = ["sh", "-c", "echo up; echo cold >&2; exec sleep 1000"]
        started = engine.executable_task(lambda: command, service=True, ready=ready, ready_timeout=1.0)
        with pytest.raises(ServiceNotReady, match=r"not ready after ready_timeout=1 s") as caught:
            await started.with_options(name="server")()
        assert caught.value.answer == answer
        assert caught.value.stderr == "cold"


async def test_a_port_that_nobody_opens_is_told_with_why(free: int) -> None:
    async with WorkflowEngine(keep="none") as engine:
        started = engine.executable_task(lambda: UP, service=True, ready=free, ready_timeout=0.3)
        with pytest.raises(ServiceNotReady) as caught:
            await started()
        assert f"port {free} of 127.0.0.1: " in caught.value.answer
        assert "refused" in caught.value.answer.lower()


async def test_a_port_that_is_taken_is_told_before_anything_is_started(free: int, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free))
        other.listen()
        async with WorkflowEngine(keep="none") as engine:
            code = f"open({str(tmp_path / 'began')!r}, 'w')"
            started = engine.executable_task(lambda: python(code), service=True, ready=free)
            with pytest.raises(ServiceNotReady, match=f"something else answers at port {free}"):
                await started()
    assert not list(tmp_path.iterdir())


async def test_a_command_that_ends_before_it_is_ready_has_failed_at_once(engine: WorkflowEngine) -> None:
    code = "import sys; print('no disk', file=sys.stderr); sys.exit(3)"
    server = engine.executable_task(lambda: python(code), service=True, ready="up", ready_timeout=1000)
    with pytest.raises(UpstreamFailed) as caught:
        await engine.function_task(pid_of)(server())
    error = caught.value.__cause__
    assert isinstance(error, CommandFailed)
    assert (error.returncode, error.stderr) == (3, "no disk")
    assert "a service, which ended before it was ready" in error.__notes__


# -- it dies ----------------------------------------------------------------------------------------------


def stand(service: RunningService, door: Door) -> str:
    door.pass_through()
    return "over"


@pytest.mark.parametrize("backend", ["thread", "process"])
async def test_a_service_that_is_killed_fails_those_that_use_it_and_those_that_wait(backend: str) -> None:
    async with WorkflowEngine(backend) as engine:
        code = "import sys, signal; print('cold', file=sys.stderr); print('up', flush=True); signal.pause()"
        server = engine.executable_task(lambda: python(code), name="db", service=True, ready="up")
        with Gate() as gate:
            service = server()
            user = engine.function_task(stand)(service, gate.door)
            other = engine.function_task(stand, name="other")(None, gate.door)  # type: ignore[arg-type]
            waiting = engine.function_task(pid_of).with_options(after=other)(service)
            await gate.reached(2)
            os.kill((await service).pid, signal.SIGKILL)
            with pytest.raises(ServiceDied) as caught:
                await user
            assert str(caught.value).startswith(
                f"'stand' (#{user.id}) lost the service 'db', which it uses: signal SIGKILL."
            )
            assert caught.value.stderr == "cold"
            with pytest.raises(ServiceDied):
                await waiting
            assert "; the service died: signal SIGKILL" in service.explain()
        assert await other == "over"


async def test_an_exit_code_of_0_is_a_death_too() -> None:
    async with WorkflowEngine(keep="none") as engine:
        with Gate() as gate:
            code = f"print('up', flush=True); open({gate.door._let!r}).read(1)"
            server = engine.executable_task(lambda: python(code), service=True, ready="up")

            @engine.function_task
            async def user(service: RunningService) -> None:
                gate.open()
                await asyncio.Event().wait()

            with pytest.raises(ServiceDied, match="exit code 0"):
                await user(server())


async def test_a_service_that_died_fails_those_that_come_if_it_has_no_retries(engine: WorkflowEngine) -> None:
    server = engine.executable_task(lambda: UP, name="db", service=True, ready="up")
    service = server()
    task, heard = engine.function_task(pid_of), Heard(engine)
    os.kill(await task(service), signal.SIGKILL)
    await heard.of(ServiceEnded)
    assert "the service died" in service.explain()
    with pytest.raises(UpstreamFailed, match=r"signal SIGKILL; it has died 1 time, and is not started again"):
        await task(service)


async def test_a_service_that_died_starts_again_for_those_that_come_as_often_as_it_may(
    engine: WorkflowEngine,
) -> None:
    server = engine.executable_task(
        lambda: UP, name="db", service=True, ready="up", retries=1, retry_delay=0.01
    )
    service = server()
    task, heard = engine.function_task(pid_of), Heard(engine)
    first = await task(service)
    os.kill(first, signal.SIGKILL)
    await heard.of(ServiceEnded)
    assert "the service died" in service.explain()
    second = await task(service)
    assert second != first
    assert lives(second)
    assert "has started it again" in service.explain()
    os.kill(second, signal.SIGKILL)
    await heard.of(ServiceEnded, times=2)
    assert engine.report().services[1].how
    with pytest.raises(UpstreamFailed, match=r"it has died 2 times, and is not started again"):
        await task(service)


async def test_services_that_need_one_that_died_end_with_it() -> None:
    async with WorkflowEngine(keep="none") as engine:
        server = engine.executable_task(lambda: UP, name="db", service=True, ready="up")
        ended = []

        @engine.service
        async def cache(db: RunningService) -> AsyncIterator[RunningService]:
            yield db
            ended.append("cache")

        @engine.function_task
        async def user(db: RunningService) -> None:
            os.kill(db.pid, signal.SIGKILL)
            await asyncio.Event().wait()

        with pytest.raises(ServiceDied, match=r"lost the service 'cache'.*signal SIGKILL"):
            await user(cache(server()))
        assert ended == ["cache"]


@pytest.mark.parametrize("kind", ["coroutine", "process", "block"])
async def test_a_task_that_has_lost_its_service_is_tried_again_with_the_one_that_follows(
    kind: str, tmp_path: Path
) -> None:
    async with WorkflowEngine("process" if kind == "process" else "thread") as engine:
        server = engine.executable_task(
            lambda: UP, name="db", service=True, ready="up", retries=1, retry_delay=0.05
        )

        def kill_the_first(services: list[RunningService], seen: str) -> list[int]:
            pids = [int(pid) for pid in Path(seen).read_text().split()]
            pids.append(services[0].pid)
            Path(seen).write_text(" ".join(map(str, pids)))
            if len(pids) == 1:
                os.kill(services[0].pid, signal.SIGKILL)
            return pids

        def in_a_process(services: list[RunningService], seen: str) -> list[int]:
            pids = kill_the_first(services, seen)
            if len(pids) == 1:
                signal.pause()
            return pids

        async def on_the_loop(services: list[RunningService], seen: str) -> list[int]:
            pids = kill_the_first(services, seen)
            if len(pids) == 1:
                await asyncio.Event().wait()
            return pids

        (tmp_path / "seen").touch()
        task: Any = engine.function_task(in_a_process if kind == "process" else on_the_loop)
        if kind == "block":
            task = engine.block(on_the_loop)
        user = task.with_options(retries=1, retry_delay=0)([server()], str(tmp_path / "seen"))
        first, second = await user
        assert first != second
        assert lives(second)
        assert user.attempts == 2
        [failed] = engine.report().task(user.id).tries[:-1]
        assert failed.error.startswith("ServiceDied: ")


async def test_a_task_that_has_lost_a_service_for_good_fails_when_it_would_be_tried_again() -> None:
    async with WorkflowEngine() as engine:
        server = engine.executable_task(lambda: UP, name="db", service=True, ready="up")

        @engine.function_task(retries=5, retry_delay=0)
        async def user(service: RunningService) -> None:
            os.kill(service.pid, signal.SIGKILL)
            await asyncio.Event().wait()

        future = user(server())
        with pytest.raises(ServiceDied, match="is not started again"):
            await future
        assert future.attempts == 1


async def test_each_attempt_of_a_block_has_services_of_its_own_one_after_another(
    engine: WorkflowEngine, free: int
) -> None:
    server = engine.executable_task(serve, service=True, ready=free)
    pids = []

    @engine.block(retries=2, retry_delay=0)
    async def pipeline() -> int:
        service = server(free)
        pids.append(await engine.function_task(pid_of)(service))
        if len(pids) < 3:
            raise OSError("no answer")
        return len(set(pids))

    assert await pipeline() == 3
    assert not any(map(lives, pids[:2]))
    assert [each.how for each in engine.report().services[:2]] == ["stopped", "stopped"]


# -- nothing is left --------------------------------------------------------------------------------------


async def test_all_that_a_service_has_started_ends_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, signal\n"
        f"p = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], start_new_session=True)\n"
        f"open({str(child)!r}, 'w').write(str(p.pid))\n"
        "print('up', flush=True)\nsignal.pause()"
    )
    async with WorkflowEngine(keep="none") as engine:
        server = engine.executable_task(lambda: python(code), service=True, ready="up", stop_after="users")
        await engine.function_task(pid_of)(server())
    assert not lives(int(child.read_text()))


async def test_a_service_that_ignores_being_asked_is_killed() -> None:
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\n"
        "while True: signal.pause()"
    )
    async with WorkflowEngine(grace=0.1) as engine:
        value = await engine.executable_task(lambda: python(code), service=True, ready="up")()
    assert not lives(value.pid)


async def test_a_start_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with Gate() as gate:
        code = (
            f"import os, signal; open({str(path)!r}, 'w').write(str(os.getpid()));"
            f"fd = os.open({gate.door._came!r}, os.O_WRONLY); os.write(fd, b'.'); signal.pause()"
        )
        async with WorkflowEngine(keep="none") as engine:
            service = engine.executable_task(lambda: python(code), service=True, ready="up")()
            waiting = asyncio.ensure_future(asyncio.wait([service]))
            await gate.reached()
            service.cancel()
            await waiting
            await engine.settled(service)
            assert service.state == "CANCELLED"
            assert not lives(int(path.read_text()))


def test_a_service_ends_with_the_program_that_is_killed(tmp_path: Path) -> None:
    done = script(
        f"""
        import asyncio, os, signal, sys
        from asyncflow import WorkflowEngine

        engine = WorkflowEngine(work_dir={str(tmp_path)!r})

        @engine.executable_task(service=True, ready="up")
        def server():
            return [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]

        @engine.block
        async def main():
            print((await server()).pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        engine.run(main)
        """
    )
    pid = int(done.stdout)
    while lives(pid):
        pass
    assert done.returncode == -signal.SIGKILL


# -- beside other things ----------------------------------------------------------------------------------


async def test_a_service_takes_none_of_the_slots_of_commands() -> None:
    async with WorkflowEngine(executables=1) as engine:
        server = engine.executable_task(lambda: UP, service=True, ready="up")

        @engine.executable_task
        def client(service: RunningService) -> list[str]:
            return ["echo", str(service.pid)]

        service = server()
        assert int(await client(service)) == (await service).pid


async def test_what_a_service_leaves_in_its_directory_is_not_handed_on(tmp_path: Path) -> None:
    async with WorkflowEngine(keep="none") as engine:
        server = engine.executable_task(
            lambda: "echo > log; echo up; exec sleep 1000", service=True, ready="up"
        )

        @engine.executable_task
        def client(service: RunningService) -> list[str]:
            return ["ls"]

        assert await client(server()) == ""


async def test_a_service_has_command_and_directory_as_other_commands(tmp_path: Path) -> None:
    async with WorkflowEngine(keep="none") as engine:
        command = "echo -n $WHO > here; echo up; exec sleep 1000"
        service = engine.executable_task(
            lambda: command, service=True, ready="up", env={"WHO": "me"}, stop_after="run"
        )()
        await service
        assert service.command == command
        assert service.sandbox is not None
        assert (service.sandbox / "here").read_text() == "me"


async def test_with_options_makes_a_service_of_a_command_and_back() -> None:
    async with WorkflowEngine(keep="none") as engine:
        task = engine.executable_task(lambda: ["sh", "-c", "echo up; exec sleep $0", "0"], name="sh")
        server = engine.executable_task(lambda: UP, service=True, ready="up").with_options(name="server")
        assert (await server()).line == "up"
        assert await task() == "up\n"
        with pytest.raises(TypeError, match="ready= is for services"):
            server.with_options(service=False)
