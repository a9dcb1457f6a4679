"""Agents, engines and connections that end, stop or fall silent: nothing hangs, nothing runs twice, nothing is left."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import VersionMismatch, WorkerDied, WorkflowEngine
from asyncflow.backend import WAITS
from asyncflow.backends.carried import Agent, CarriedBackend, Lease
from asyncflow.backends.carried.patience import Patience
from asyncflow.testing import Door, Gate


def add(left: int, right: int) -> int:
    return left + right


def stands(door: Door, told: Path) -> int:
    """Tells its worker and its agent, and stands at the gate."""
    told.write_text(json.dumps((os.getpid(), os.getppid())))
    door.pass_through()
    return os.getppid()


def counts(folder: Path, number: int) -> int:
    """Leaves a mark each time that it runs."""
    (folder / f"{number}-{os.getpid()}").touch(exist_ok=False)
    return number


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as made:
        yield made


async def has_ended(*pids: int) -> None:
    """Wait until processes have ended."""
    loop = asyncio.get_running_loop()
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = asyncio.Event()
        loop.add_reader(pidfd, ended.set)
        try:
            async with asyncio.timeout(15):
                await ended.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)


def agents_of(pid: int) -> list[int]:
    """The agents that a process has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [child for child in children if b"asyncflow.agent" in Path(f"/proc/{child}/cmdline").read_bytes()]


# -- agents that are gone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGKILL, "its agent ended by signal SIGKILL"),
        (signal.SIGSTOP, "nothing was heard from 127.0.0.1:"),
        (signal.SIGTERM, "its agent ended by exit code 0"),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else "",
)
async def test_an_agent_that_ends_or_stops_is_lost_with_its_workers_and_the_rest_goes_on(
    gate: Gate, tmp_path: Path, number: signal.Signals, why: str
) -> None:
    async with WorkflowEngine(CarriedBackend(agents=2, workers=1, lost_after=1)) as engine:
        held = engine.submit(stands, gate.door, tmp_path / "told")
        await gate.reached()
        worker, agent = json.loads((tmp_path / "told").read_text())
        os.kill(agent, number)
        with pytest.raises(WorkerDied) as caught:
            await held
        assert why in str(caught.value)
        assert caught.value.may_have_begun
        folder = tmp_path / "marks"
        folder.mkdir()
        numbers = [engine.submit(counts, folder, n) for n in range(50)]
        assert await asyncio.gather(*numbers) == [*range(50)]
        assert len(list(folder.iterdir())) == 50
        await has_ended(agent, worker)


# -- connections that are gone ----------------------------------------------------------------------------


def deafened(backend: CarriedBackend, pid: int) -> None:
    """Have the kernel throw away what comes from one agent, as on a network that is gone."""
    assert backend._crews is not None
    (agent,) = [each for each in backend._crews.all if each.pid == pid]
    instruction = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # "return 0 bytes"
    attach_filter, program = 26, struct.pack("@HP", 1, ctypes.addressof(instruction))
    agent.channel._socket.setsockopt(socket.SOL_SOCKET, attach_filter, program)  # type: ignore[attr-defined]


async def test_an_agent_whose_packets_no_longer_arrive_is_lost_and_the_rest_goes_on(
    gate: Gate, tmp_path: Path
) -> None:
    backend = CarriedBackend(agents=2, workers=1, lost_after=1)
    async with WorkflowEngine(backend) as engine:
        held = engine.submit(stands, gate.door, tmp_path / "told")
        await gate.reached()
        worker, agent = json.loads((tmp_path / "told").read_text())
        deafened(backend, agent)
        with pytest.raises(WorkerDied) as caught:
            await held
        assert caught.value.may_have_begun
        assert await asyncio.gather(*(engine.submit(add, n, 1) for n in range(50))) == [*range(1, 51)]
        await has_ended(agent, worker)


# -- engines that are gone --------------------------------------------------------------------------------

HOST = """
import asyncio, os, sys
from pathlib import Path
from asyncflow import WorkflowEngine
from asyncflow.backends.carried import CarriedBackend

def stays(folder, number):
    (Path(folder) / f"{{number}}").write_text(f"{{os.getpid()}} {{os.getppid()}}")
    (Path(folder) / f"{{number}}").rename(Path(folder) / f"ready-{{number}}")
    import signal
    while True:
        signal.pause()

async def main():
    async with WorkflowEngine(CarriedBackend(agents=2, workers=2, lost_after=1)) as engine:
        tasks = [engine.submit(stays, sys.argv[1], number) for number in range(4)]
        while len(list(Path(sys.argv[1]).glob("ready-*"))) < 4:
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        {then}
        await asyncio.gather(*tasks)

asyncio.run(main())
"""


BUSY = "import time; time.sleep(1000)"
FORKS = "import signal, warnings; warnings.simplefilter('ignore'); os.fork() or signal.pause()"


@pytest.mark.parametrize(
    ("then", "are_stopped"),
    [("", False), (BUSY, False), (FORKS, False), ("", True)],
    ids=["it waits", "its loop is busy", "a process that it has forked lives on", "its agents are stopped"],
)
async def test_of_an_engine_that_was_killed_no_agent_and_no_worker_is_left(
    tmp_path: Path, then: str, are_stopped: bool
) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST.format(then=then), str(tmp_path)], stdout=subprocess.PIPE, process_group=0
    )
    assert host.stdout is not None
    try:
        assert await asyncio.to_thread(host.stdout.readline) == b"ready\n"
        agents = agents_of(host.pid)
        assert len(agents) == 2
        workers = [int(file.read_text().split()[0]) for file in tmp_path.iterdir()]
        if are_stopped:
            for agent in agents:
                os.kill(agent, signal.SIGSTOP)
        host.kill()
        await has_ended(*agents, *workers)
    finally:
        os.killpg(host.pid, signal.SIGKILL)
        host.wait()
        host.stdout.close()


async def test_an_engine_whose_loop_is_busy_for_long_keeps_its_agents(gate: Gate, tmp_path: Path) -> None:
    async with WorkflowEngine(CarriedBackend(agents=1, workers=1, lost_after=0.5)) as engine:
        held = engine.submit(stands, gate.door, tmp_path / "told")
        await gate.reached()
        _, agent = json.loads((tmp_path / "told").read_text())
        time.sleep(2)  # what a user's code on the loop may do
        gate.open()
        assert await held == agent


# -- agents that somebody starts --------------------------------------------------------------------------


def started(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "asyncflow.agent", *arguments]
    return subprocess.Popen(words, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


async def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, err = await asyncio.to_thread(process.communicate)
    return process.returncode, err.decode()


async def lease_in(file: Path) -> Lease:
    while not file.exists():  # it is written in one piece
        await asyncio.sleep(0.01)
    return Lease.read(file)


async def test_agents_that_are_started_with_the_file_of_the_lease_do_the_work_and_end_with_the_engine(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.lease"
    async with WorkflowEngine(CarriedBackend(agents=0, lease_file=file)) as engine:
        sum_ = engine.submit(add, 1, 2)
        lease = await lease_in(file)
        assert file.stat().st_mode & 0o777 == 0o600
        agents = [started("--lease", str(file), "--workers", "1", "--name", f"node {n}") for n in range(2)]
        with file.open("rb") as read:
            agents.append(started("--lease", "-", "--workers", "1", stdin=read))
        assert await sum_ == 3
        for agent in agents:
            assert lease.token.hex().encode() not in Path(f"/proc/{agent.pid}/cmdline").read_bytes()
            assert lease.token.hex().encode() not in Path(f"/proc/{agent.pid}/environ").read_bytes()
    assert not file.exists()
    for agent in agents:
        assert await ended(agent) == (0, "")


async def test_an_agent_with_an_old_lease_says_that_nobody_answers_and_one_without_any_what_it_needs(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.lease"
    Lease(("127.0.0.1:1",), bytes(32), engine="process 7").write(file)
    code, err = await ended(started("--lease", str(file), "--name", "node 1"))
    assert code == 1
    assert "agent 'node 1' did not reach its engine (process 7). It has tried:\n  127.0.0.1:1: " in err
    file.chmod(0o644)
    code, err = await ended(started("--lease", str(file)))
    assert code == 2 and "chmod 600" in err
    code, err = await ended(started("--lease", str(tmp_path / "none")))
    assert code == 2 and "there is no lease" in err and "The engine writes it when it starts" in err
    code, err = await ended(started("--lease", "-", stdin=subprocess.DEVNULL))
    assert code == 2 and "this is no lease" in err


async def test_the_file_of_another_engine_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "run.lease"
    async with WorkflowEngine(CarriedBackend(agents=0, lease_file=file)):
        await lease_in(file)
        other = Lease(("127.0.0.1:1",), bytes(32))
        other.write(file)
    assert Lease.read(file) == other


async def test_an_agent_with_other_versions_is_the_error_of_the_work_that_waits_and_says_so_itself(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.lease"
    older = (
        "import asyncflow._version; asyncflow._version.__version__ = '0.0.1'; import sys; "
        "from asyncflow.agent.__main__ import main; sys.exit(main(['--lease', sys.argv[1], '--name', 'node 1']))"
    )
    async with WorkflowEngine(CarriedBackend(agents=0, lease_file=file)) as engine:
        sum_ = engine.submit(add, 1, 2)
        await lease_in(file)
        agent = subprocess.Popen([sys.executable, "-c", older, str(file)], stderr=subprocess.PIPE)
        with pytest.raises(
            VersionMismatch, match=r"agent 'node 1' on .* runs asyncflow 0\.0\.1, and the engine runs"
        ):
            await sum_
        code, err = await ended(agent)
    assert code == 1 and "runs asyncflow 0.0.1, and the engine runs asyncflow" in err


async def test_agents_on_other_addresses_than_this_machines_own_are_encrypted_without_being_asked(
    tmp_path: Path,
) -> None:
    pytest.importorskip("cryptography")
    file = tmp_path / "run.lease"
    async with WorkflowEngine(
        CarriedBackend(agents=1, workers=1, lease_file=file, listen="0.0.0.0:0")
    ) as engine:
        assert await engine.submit(add, 1, 2) == 3
        assert Lease.read(file).certificate is not None
    async with WorkflowEngine(
        CarriedBackend(agents=1, workers=1, lease_file=file, listen="0.0.0.0:0", insecure=True)
    ) as engine:
        assert await engine.submit(add, 1, 2) == 3
        assert Lease.read(file).certificate is None


# -- agents that a command starts -------------------------------------------------------------------------

SSH = """#!/bin/sh
# As ssh: another directory, a bare environment, the words joined for another shell; standard streams are passed on.
shift
cd /
exec env -i PATH=/usr/bin:/bin HOME=/nonexistent sh -c "$*"
"""
SRUN = """#!/bin/sh
# As srun and mpirun: the same command several times, and it ends when all of them have.
shift
for task in 1 2 3; do "$@" < /dev/null & done
wait
"""


def stands_in(folder: Path, name: str, program: str) -> str:
    (folder / name).write_text(program)
    (folder / name).chmod(0o700)
    return str(folder / name)


def nodes() -> tuple[int, str, str | None]:
    return os.getppid(), os.getcwd(), os.environ.get("SECRET_OF_THE_PROGRAM")


async def agents_that_work(engine: WorkflowEngine) -> set[int]:
    return {agent for agent, _, _ in await asyncio.gather(*(engine.submit(nodes) for _ in range(20)))}


async def test_agents_that_ssh_starts_get_their_lease_on_its_standard_input_and_end_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PROGRAM", "1")
    ssh = stands_in(tmp_path, "ssh", SSH)
    far = [sys.executable, "-m", "asyncflow.agent", "--lease", "-"]
    commands = [[ssh, f"node{n}", *far] for n in range(2)]
    async with WorkflowEngine(CarriedBackend(agents=0, workers=1, commands=commands)) as engine:
        while len(there := set(await asyncio.gather(*(engine.submit(nodes) for _ in range(20))))) < 2:
            pass
        for agent, _, secret in there:
            assert secret is None
            line = Path(f"/proc/{agent}/cmdline").read_bytes().split(b"\0")
            assert line[1:] == [b"-m", b"asyncflow.agent", b"--lease", b"-", b""]
        (first, *_), (second, *_) = there
        os.kill(first, signal.SIGKILL)  # and another one comes in its place
        await has_ended(first)
        while first in (
            now := {each for each, _, _ in await asyncio.gather(*(engine.submit(nodes) for _ in range(20)))}
        ):
            pass
        while len(now) < 2:
            now = await agents_that_work(engine)
        assert second in now
    await has_ended(*now)


async def test_agents_that_one_command_starts_on_many_nodes_find_the_lease_in_its_file(
    tmp_path: Path,
) -> None:
    srun = stands_in(tmp_path, "srun", SRUN)
    file = tmp_path / "run.lease"
    command = [srun, "--ntasks=3", sys.executable, "-m", "asyncflow.agent", "--lease", str(file)]
    async with WorkflowEngine(
        CarriedBackend(agents=0, workers=1, commands=[command], lease_file=file)
    ) as engine:
        there = set[int]()
        while len(there) < 3:
            there |= await agents_that_work(engine)
    await has_ended(*there)


SLOW = """
import sys, time
from asyncflow.agent.__main__ import main
from asyncflow.backends.carried import messages

def unpack(message, real=messages.unpack):
    if len(message) > 50_000_000:
        time.sleep(1.2)  # nothing is told meanwhile
    return real(message)

messages.unpack = unpack
sys.exit(main(["--lease", "-"]))
"""


async def test_an_agent_that_takes_long_to_read_a_large_function_is_not_lost() -> None:
    data = bytes(100_000_000)

    def size() -> int:
        return len(data)

    commands = [[sys.executable, "-c", SLOW]]
    async with WorkflowEngine(CarriedBackend(0, workers=1, commands=commands, lost_after=0.4)) as engine:
        assert await engine.submit(add, 1, 2) == 3
        assert await engine.submit(size) == 100_000_000


TWO = """
import subprocess, sys
with open(sys.argv[1], "a") as starts:
    starts.write("x")
lease = sys.stdin.readline() if sys.argv[2] == "-" else ""  # srun gives all that it starts what it is given
agent = [sys.executable, "-m", "asyncflow.agent", "--lease", sys.argv[2]]
there = [subprocess.Popen(agent, stdin=subprocess.PIPE, text=True) for _ in range(2)]
for each in there:
    each.stdin.write(lease)
    each.stdin.flush()
for each in there:
    each.wait()
"""


class Watched(CarriedBackend):
    """Agents of which one command starts two; tells who ends for being idle, and who is gone."""

    def __init__(self, starts: Path, lease: Path | str, **options: Any) -> None:
        command = [sys.executable, "-c", TWO, str(starts), str(lease)]
        super().__init__(0, workers=1, commands=[command], **options)
        self.idle: asyncio.Queue[str] = asyncio.Queue()
        self.gone: asyncio.Queue[int] = asyncio.Queue()

    async def release(self, agent: Agent) -> None:
        self.idle.put_nowait(agent.name)

    def left(self, agent: Agent) -> None:
        self.gone.put_nowait(agent.pid)


@pytest.mark.parametrize("lease", ["-", "file"])
async def test_a_command_for_many_agents_rests_when_they_were_idle_and_is_started_again_for_work_alone(
    tmp_path: Path, lease: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncflow.backends.carried.started._FALSE_STARTS", 1)
    file, starts = tmp_path / "run.lease", tmp_path / "starts"
    backend = Watched(
        starts, "-" if lease == "-" else file, lease_file=None if lease == "-" else file, idle_after=0.3
    )
    async with WorkflowEngine(backend) as engine:
        for _ in range(2):  # more often than agents may fail to come
            assert await engine.submit(add, 1, 2) == 3
            assert len({await backend.idle.get(), await backend.idle.get()}) == 2
        command = backend._started
        assert command is not None
        while command._there:
            command._gone.clear()
            await command._gone.wait()
        assert len(command._resting) == 1
        assert 2 <= len(starts.read_text()) <= 3


async def test_of_many_agents_that_one_command_has_started_one_may_die_and_the_others_go_on(
    gate: Gate, tmp_path: Path
) -> None:
    backend = Watched(tmp_path / "starts", "-")
    async with WorkflowEngine(backend) as engine:
        held = [engine.submit(stands, gate.door, tmp_path / str(n)) for n in range(2)]
        await gate.reached(2)
        assert backend._crews is not None
        assert backend._started is not None
        (first,) = [each.pid for each in backend._crews.all if not each.name.endswith(")")]
        os.kill(first, signal.SIGKILL)
        assert await backend.gone.get() == first
        (command,) = backend._started._there.values()
        assert command.kill is None  # it goes on with the other one
        gate.close()
        ends = await asyncio.gather(*held, return_exceptions=True)
        assert sorted(type(each).__name__ for each in ends) == ["WorkerDied", "int"]


async def test_a_command_that_starts_no_agent_is_the_error_of_the_work_with_what_it_said() -> None:
    commands = [["sh", "-c", "echo 'ssh: no route to node7' >&2; exit 255"]]
    async with WorkflowEngine(CarriedBackend(agents=0, commands=commands)) as engine:
        with pytest.raises(
            RuntimeError, match="exit code 255; the last it wrote to stderr:\nssh: no route to node7"
        ):
            await engine.submit(add, 1, 2)
    async with WorkflowEngine(CarriedBackend(agents=0, commands=[["/no/such/ssh"]])) as engine:
        with pytest.raises(
            FileNotFoundError, match=r"commands=\[\['/no/such/ssh'\]\] starts no agent: No such"
        ):
            await engine.submit(add, 1, 2)
    async with WorkflowEngine(CarriedBackend(listen="192.0.2.1:0")) as engine:  # nobody's
        with pytest.raises(
            OSError, match=r"listen='192.0.2.1:0': agents cannot connect there: .*\n  Name an"
        ):
            await engine.submit(add, 1, 2)


# -- agents that do not come ------------------------------------------------------------------------------


async def test_work_that_waits_for_agents_says_how_to_start_some_and_warns_of_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("asyncflow.backends.carried.backend.LONG", 0.1)
    file = tmp_path / "run.lease"
    told = f"no agent has come; start some:  python -m asyncflow.agent --lease {file}"
    async with WorkflowEngine(CarriedBackend(agents=0, lease_file=file)) as engine:
        sums = [engine.submit(add, n, 1) for n in range(2)]
        await lease_in(file)
        while not caplog.records:
            await asyncio.sleep(0.01)
        assert [record.getMessage() for record in caplog.records] == [f"2 tasks wait for slots: {told}"]
        assert told in sums[0].explain()
        agent = started("--lease", str(file), "--workers", "1")
        assert await asyncio.gather(*sums) == [1, 2]
    assert await ended(agent) == (0, "")
    assert len(caplog.records) == 1


@pytest.mark.fake_clock
async def test_it_is_told_that_work_waits_only_when_it_has_waited_long() -> None:
    told: list[object] = []
    patience = Patience(told.extend, 30)
    patience.look(waits=True)
    await asyncio.sleep(29)
    patience.look(waits=True)  # the same wait
    assert told == []
    await asyncio.sleep(2)
    assert told == [(WAITS, 0, None)]
    patience.look(waits=True)
    await asyncio.sleep(29)
    patience.look(waits=False)  # somebody has come
    await asyncio.sleep(29)
    assert len(told) == 1
    patience.end()


# -- clocks of other machines -----------------------------------------------------------------------------


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a clock of one's own takes root"
)
async def test_what_a_machine_with_another_clock_has_done_is_reported_by_this_one(tmp_path: Path) -> None:
    file = tmp_path / "run.lease"
    ahead = ["unshare", "--time", "--monotonic", "50000", "--fork", "--kill-child"]
    agent = [*ahead, sys.executable, "-m", "asyncflow.agent", "--lease", str(file)]
    async with WorkflowEngine(
        CarriedBackend(agents=0, workers=1, commands=[agent], lease_file=file)
    ) as engine:
        assert await engine.submit(time.perf_counter) > time.perf_counter() + 49_000  # it has one
        slept = engine.submit(time.sleep, 0.2)
        await slept
        (told,) = [task for task in engine.report().tasks if task.id == slept.id]
    assert told.submitted is not None and told.started is not None
    assert told.finished is not None and told.over is not None
    unsure = 0.1  # half of a round trip, on a busy machine
    assert told.submitted - unsure <= told.started <= told.finished - 0.2 <= told.over - 0.2 + unsure
